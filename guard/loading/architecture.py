"""Checkpoints of another kind than a causal language model, whose config.json says so itself."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from guard.base.checks import CheckList
from guard.errors import ModelNotFoundError
from guard.files.source import ModelSource, architectures_in
from guard.prompts.standing import ids_in

if TYPE_CHECKING:
    from transformers import PreTrainedConfig, PreTrainedModel

# Heads of other tasks: what lies under them was trained for that task.
_OTHER_HEAD = re.compile(
    "For(SequenceClassification|TokenClassification|QuestionAnswering|MultipleChoice|NextSentencePrediction"
    "|MaskedLM|Reward\\w*|ProcessReward\\w*|ImageClassification|AudioClassification|SemanticSegmentation|CTC)$"
    "|RewardModel\\w*$"
)


def refuse_other_kind(config: PreTrainedConfig, source: ModelSource) -> None:
    """Refuse what transformers would load as a causal language model, and is none.

    It takes the decoder out of an encoder-decoder, reads a masked language model from left to right, and
    puts a tied head on the body of a classifier, all without a word.

    Args:
        config: As transformers read it.
        source: Where it was read from.

    Raises:
        ModelNotFoundError: With what config.json says.
    """
    kind, named = str(getattr(config, "model_type", "")), _named(source)
    if getattr(config, "is_encoder_decoder", False) is True:
        raise _refused(source, f"is an encoder-decoder ({kind}, is_encoder_decoder)", named)
    if named and all(_OTHER_HEAD.search(name) for name in named):
        raise _refused(source, f"is a {', '.join(named)}", named)
    if getattr(config, "is_decoder", None) is False and _reads_both_sides(kind):
        raise _refused(source, f"reads both sides of a text ({kind}, is_decoder false)", named)


def check_class(model: PreTrainedModel, source: ModelSource, checks: CheckList, rows: int) -> None:
    """Note another class than config.json names, and ids that end a text and have no row in the embedding."""
    named, loaded = _named(source), type(model).__name__
    base = getattr(model, "get_base_model", None)
    if base is not None:
        loaded = type(base()).__name__
    other = bool(named) and loaded not in named
    said = f"config.json names {', '.join(named)}, and {loaded} was loaded" if other else ""
    checks.add("class-as-named", None, said, "recorded" if other else "pass")
    ends = ids_in(getattr(model.config.get_text_config(), "eos_token_id", None))
    beyond = sorted(index for index in ends if index >= rows)
    said = f"config.json ends texts at {beyond}, and the embedding has {rows} rows"
    checks.add("ends-have-rows", None, said if beyond else "", "recorded" if beyond else "pass")


def _named(source: ModelSource) -> tuple[str, ...]:
    return architectures_in(source.read_json("config.json"))


def _reads_both_sides(kind: str) -> bool:
    """Whether transformers has the family as a masked language model too: there it masks nothing ahead."""
    from transformers.models.auto.modeling_auto import MODEL_FOR_MASKED_LM_MAPPING_NAMES

    return kind in MODEL_FOR_MASKED_LM_MAPPING_NAMES


def _refused(source: ModelSource, what: str, named: Sequence[str]) -> ModelNotFoundError:
    return ModelNotFoundError(
        f"{source.requested} {what}, and no causal language model",
        evidence={"architectures": list(named)},
        remedy="name the base checkpoint that a causal language model was trained as; if config.json is "
        "wrong, correct it",
    )
