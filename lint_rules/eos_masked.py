"""CG401: pad is eos and the labels mask pad, so eos carries no loss.

transformers' language-modelling collator masks every pad id in the labels; TRL's masks by position.
"""

from __future__ import annotations

from collections.abc import Iterator

from cleanguard.catalogue import hazards
from lint_rules._flow.analysis import Flow
from lint_rules._flow.values.events import AttributeSet, CallSite, PadMask, Place, TokenizerLoad
from lint_rules._flow.values.joins import UNKNOWN, Constant, Method, Tokenizer, first, options
from lint_rules._questions.standing import load_severity
from lint_rules.rule import Report, Rule

_PADS = ("pad_token", "pad_token_id")
# What ends a text in the base models of the common families.
_ENDS = ("<|endoftext|>", "<|end_of_text|>", "</s>", "<eos>", "<｜end▁of▁sentence｜>")
_MASKING_COLLATOR = "transformers.DataCollatorForLanguageModeling"


def _check(flow: Flow) -> Iterator[Report]:
    for site in flow.events(CallSite):
        if not _is_masking_collator(site):
            continue
        tokenizer = first(site.args.value("tokenizer", 0), Tokenizer)
        if tokenizer is not None and _pads_with_eos(tokenizer, site.place, flow):
            message = "pad is eos and this collator masks pad in the labels: eos is never learnt"
            yield Report(site.node, message, tokenizer.confidence)
    for mask in flow.events(PadMask):
        known = _known_tokenizers(mask.tokenizer, flow)
        found = next((one for one in known if _pads_with_eos(one, mask.place, flow)), None)
        if found is not None:
            message = "pad is eos and the labels mask pad: eos is never learnt"
            yield Report(mask.node, message, found.confidence)


def _known_tokenizers(masked: Tokenizer | None, flow: Flow) -> list[Tokenizer]:
    """Whose pad a mask compares with: the tokenizer itself, or all that a pad token is set on."""
    if masked is not None and masked.origin is not None:
        return [masked]
    targets = [
        event.target
        for event in flow.events(AttributeSet)
        if event.attribute in _PADS and isinstance(event.target, Tokenizer)
    ]
    loads = [Tokenizer(load.node, load.model) for load in flow.events(TokenizerLoad)]
    return [*([] if masked is None else [masked]), *targets, *loads]


def _pads_with_eos(tokenizer: Tokenizer, place: Place, flow: Flow) -> bool:
    """Whether a tokenizer's pad token is its eos at this place."""
    if load_severity(tokenizer.model, flow.settings) is None:
        return False
    said = place.setting(tokenizer, "pad_token") or place.setting(tokenizer, "pad_token_id")
    if said is None:
        load = flow.event_at(tokenizer.origin, TokenizerLoad)
        said = UNKNOWN if load is None else load.args.value("pad_token")
    return any(
        (isinstance(option, Method) and option.name in ("eos_token", "eos_token_id"))
        or (isinstance(option, Constant) and option.value in _ENDS)
        for option in options(said)
    )


def _is_masking_collator(site: CallSite) -> bool:
    is_ours = site.symbol.startswith("transformers.") and site.symbol.endswith(
        _MASKING_COLLATOR.rsplit(".", 1)[-1]
    )
    return is_ours and site.args.literal("mlm") is False


RULE = Rule(
    hazards.EOS_MASKED,
    _check,
    bad=(
        """
from transformers import AutoTokenizer, DataCollatorForLanguageModeling

tokenizer = AutoTokenizer.from_pretrained("Qwen/Qwen2.5-7B")
tokenizer.pad_token = tokenizer.eos_token
collator = DataCollatorForLanguageModeling(tokenizer=tokenizer, mlm=False)
""",
        """
from transformers import AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained("meta-llama/Llama-3.1-8B")
tokenizer.pad_token_id = tokenizer.eos_token_id
labels = batch["input_ids"].clone()
labels[labels == tokenizer.pad_token_id] = -100
""",
    ),
    good=(
        """
from transformers import AutoTokenizer, DataCollatorForLanguageModeling

tokenizer = AutoTokenizer.from_pretrained("Qwen/Qwen2.5-7B")
tokenizer.add_special_tokens({"pad_token": "<|pad|>"})
collator = DataCollatorForLanguageModeling(tokenizer=tokenizer, mlm=False)
""",
        """
from transformers import AutoTokenizer
from trl.trainer.sft_trainer import DataCollatorForLanguageModeling

tokenizer = AutoTokenizer.from_pretrained("Qwen/Qwen2.5-7B")
tokenizer.pad_token = tokenizer.eos_token
collator = DataCollatorForLanguageModeling(pad_token_id=tokenizer.pad_token_id)
""",
        """
from transformers import AutoTokenizer, DataCollatorForLanguageModeling

tokenizer = AutoTokenizer.from_pretrained("google-bert/bert-base-uncased")
collator = DataCollatorForLanguageModeling(tokenizer=tokenizer, mlm=True)
""",
    ),
)
