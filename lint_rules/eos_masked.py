"""CG401: pad is eos and the labels mask pad, so eos carries no loss.

transformers' language-modelling collator masks every pad id in the labels; TRL's masks by position.
"""

from __future__ import annotations

from collections.abc import Iterator

import libcst as cst

from cleanguard.catalogue import hazards
from lint_rules._flow.analysis import Flow
from lint_rules._flow.values.events import AttributeSet, CallSite, MemberSet, TokenizerLoad
from lint_rules._flow.values.joins import UNKNOWN, Constant, Mapping, Method, Tokenizer, first
from lint_rules._flow.values.syntax import dotted
from lint_rules._questions.standing import load_severity
from lint_rules.rule import Report, Rule

_ADDS = "add_special_tokens"
# What ends a text in the base models of the common families.
_ENDS = ("<|endoftext|>", "<|end_of_text|>", "</s>", "<eos>", "<｜end▁of▁sentence｜>")
_MASKING_COLLATOR = "transformers.DataCollatorForLanguageModeling"


def _check(flow: Flow) -> Iterator[Report]:
    padded = list(_padded_with_eos(flow))
    if not padded:
        return
    for site in flow.events(CallSite):
        if not _is_masking_collator(site):
            continue
        tokenizer = first(site.args.value("tokenizer", 0), Tokenizer)
        same = tokenizer is not None and any(_same(tokenizer, known) for known in padded)
        if tokenizer is not None and same:
            message = "pad is eos and this collator masks pad in the labels: eos is never learnt"
            yield Report(site.node, message, tokenizer.confidence)
    for member in flow.events(MemberSet):
        if member.value == Constant(-100) and _compares_pad(member.target):
            message = "pad is eos and the labels mask pad: eos is never learnt"
            yield Report(member.node, message, padded[0].confidence)


def _padded_with_eos(flow: Flow) -> Iterator[Tokenizer]:
    for event in flow.events(AttributeSet):
        target = event.target
        if not isinstance(target, Tokenizer) or event.attribute not in (
            "pad_token",
            "pad_token_id",
        ):
            continue
        eos = first(event.value, Method)
        ends = eos is not None and eos.name in ("eos_token", "eos_token_id")
        if ends and load_severity(target.model, flow.settings) is not None:
            yield target
    for load in flow.events(TokenizerLoad):
        if load.args.literal("pad_token") in _ENDS:
            yield Tokenizer(load.node, load.model)
    for site in flow.events(CallSite):
        added = site.args.value("special_tokens_dict", 0) if site.method == _ADDS else UNKNOWN
        tokens = first(added, Mapping)
        pad = None if tokens is None else first(tokens.get("pad_token") or UNKNOWN, Method)
        if pad is not None and pad.name == "eos_token" and isinstance(site.receiver, Tokenizer):
            yield site.receiver


def _same(left: Tokenizer, right: Tokenizer) -> bool:
    return left == right or left.origin is right.origin is None


def _is_masking_collator(site: CallSite) -> bool:
    is_ours = site.symbol.startswith("transformers.") and site.symbol.endswith(
        _MASKING_COLLATOR.rsplit(".", 1)[-1]
    )
    return is_ours and site.args.literal("mlm") is False


def _compares_pad(target: cst.Subscript) -> bool:
    """`labels[labels == tokenizer.pad_token_id]`."""
    only = target.slice[0].slice if len(target.slice) == 1 else None
    if not isinstance(only, cst.Index) or not isinstance(only.value, cst.Comparison):
        return False
    sides = (only.value.left, *(part.comparator for part in only.value.comparisons))
    names = {(dotted(side) or "").rsplit(".", 1)[-1] for side in sides}
    return "pad_token_id" in names


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
