"""Log-probabilities as vLLM reports them of a prompt, as the scores of continuations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from guard.errors import BrokenModelError, ContaminationError
from guard.scoring.boundary import Pair
from guard.scoring.continuations import Score

# Of each token vLLM tells its own, and of the likeliest so many: two of them show a tie.
TOLD = 2
# It reads the text as a prompt, and a token more must fit behind it.
SCORING: Mapping[str, Any] = {
    "n": 1,
    "max_tokens": 1,
    "temperature": 0.0,
    "prompt_logprobs": TOLD,
    "detokenize": False,
}


def score_from(pair: Pair, continuation: str, output: Any) -> Score:
    """The score of a continuation.

    Args:
        pair: Its ids, which vLLM was given as a prompt.
        continuation: Its text.
        output: vLLM's `RequestOutput` for it.

    Raises:
        ContaminationError: vLLM says that it had other ids.
        BrokenModelError: A log-probability is no number.
    """
    if tuple(output.prompt_token_ids) != pair.ids:
        raise ContaminationError(
            f"vLLM says that the text with {continuation!r} had other ids than it was given",
            evidence={"given": list(pair.ids), "reported": list(output.prompt_token_ids)},
        )
    logprobs, greedy, ties = [], True, 0
    for place in range(pair.start, len(pair.ids)):
        told = output.prompt_logprobs[place]
        values = sorted((float(one.logprob) for one in told.values()), reverse=True)
        mine = float(told[pair.ids[place]].logprob)
        if not all(-float("inf") < value <= 0 for value in (mine, values[0])):
            raise BrokenModelError(
                f"the model's scores of a text of {len(pair.ids)} tokens are no numbers",
                evidence={"place": place, "logprob": repr(mine)},
                remedy="load it with transformers, which names the layer in which it begins",
            )
        logprobs.append(mine)
        greedy &= mine == values[0]
        ties += len(values) > 1 and values[0] == values[1]
    return Score(
        continuation=continuation,
        context=pair.ids[: pair.start],
        ids=pair.ids[pair.start :],
        logprobs=tuple(logprobs),
        is_greedy=greedy,
        ties=ties,
        borrowed=pair.borrowed,
    )


def in_order(flat: Sequence[Score], sizes: Sequence[int]) -> list[list[Score]]:
    """Scores one after the other, as one list for each question."""
    found, at = [], 0
    for size in sizes:
        found.append(list(flat[at : at + size]))
        at += size
    return found
