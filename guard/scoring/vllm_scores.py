"""Log-probabilities as vLLM reports them of a prompt, as the scores of rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from guard.errors import BrokenModelError, ContaminationError
from guard.scoring.rows import Row, RowScore

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


def row_score(row: Row, output: Any) -> RowScore:
    """The scores of a row's tokens from its start on.

    Args:
        row: Its ids, which vLLM was given as a prompt.
        output: vLLM's `RequestOutput` for it.

    Raises:
        ContaminationError: vLLM says that it had other ids.
        BrokenModelError: A log-probability is no number, or there is none.
    """
    if tuple(output.prompt_token_ids) != row.ids:
        raise ContaminationError(
            f"vLLM says that a text of {len(row.ids)} tokens had other ids than it was given",
            evidence={"given": list(row.ids), "reported": list(output.prompt_token_ids)},
        )
    logprobs, best, ties = [], [], 0
    for place in range(row.start, len(row.ids)):
        told = _told(output, place)
        values = sorted((float(one.logprob) for one in told.values()), reverse=True)
        own = told.get(row.ids[place])
        mine = float("nan") if own is None else float(own.logprob)
        if not all(-float("inf") < value <= 0 for value in (mine, *values[:1])):
            raise BrokenModelError(
                f"the model's scores of a text of {len(row.ids)} tokens are no numbers",
                evidence={"place": place, "logprob": repr(mine)},
                remedy="load it with transformers, which names the layer in which it begins",
            )
        logprobs.append(mine)
        best.append(mine == values[0])
        ties += len(values) > 1 and values[0] == values[1]
    return RowScore(tuple(logprobs), tuple(best), ties)


def _told(output: Any, place: int) -> Mapping[int, Any]:
    found = output.prompt_logprobs
    return (found[place] if found and place < len(found) else None) or {}
