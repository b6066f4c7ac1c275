"""CG205: a prompt can be cut without a word."""

from __future__ import annotations

from collections.abc import Iterator

from cleanguard.catalogue import hazards
from cleanguard.catalogue.findings import Fix
from lint_rules._flow.analysis import Flow
from lint_rules._flow.values.arguments import UNSET, Arguments
from lint_rules._flow.values.events import CallSite, Encode, Generate
from lint_rules._flow.values.joins import LibraryObject, element_of, first
from lint_rules._questions.confidence import weakest
from lint_rules._questions.engines import PARAMETERS, engine_calls
from lint_rules._questions.standing import load_severity
from lint_rules.edits import drop_keywords
from lint_rules.rule import Report, Rule

_CUT_BY_ENGINE = "`truncate_prompt_tokens` cuts a long prompt without a word; generation goes on from what is left"
_LENGTHS = ("truncation", "max_length")


def _check(flow: Flow) -> Iterator[Report]:
    yield from _in_engines(flow)
    for encode in flow.events(Encode):
        cause = _cause(encode)
        uses = [use for use in flow.uses(encode) if isinstance(use, Generate)]
        if cause is None or not uses or encode.tokenizer.guarded:
            continue
        model = encode.tokenizer.model if encode.tokenizer.model.text else uses[0].model.model
        if load_severity(model, flow.settings) is None:
            continue
        edits = drop_keywords(encode.node, encode.args, _LENGTHS)
        yield Report(
            encode.node,
            f"{cause} cuts a long prompt without a word; generation goes on from what is left",
            weakest(encode.tokenizer.confidence, *(use.model.confidence for use in uses)),
            fix=Fix("unsafe", "tokenise the whole prompt") if edits else None,
            edits=edits,
        )


def _in_engines(flow: Flow) -> Iterator[Report]:
    """`truncate_prompt_tokens`, which keeps a prompt's last tokens."""
    for call in (*engine_calls(flow), *engine_calls(flow, "chat")):
        if load_severity(call.model, flow.settings) is None:
            continue
        for argument in (*call.site.args.positional, *call.site.args.keywords.values()):
            params = first(argument.value, LibraryObject) or first(
                element_of(argument.value), LibraryObject
            )
            site = None if params is None else flow.event_at(params.origin, CallSite)
            if site is not None and site.symbol == PARAMETERS and _cuts(site.args):
                yield Report(site.node, _CUT_BY_ENGINE)
        if _cuts(call.site.args):
            yield Report(call.site.node, _CUT_BY_ENGINE)


def _cuts(args: Arguments) -> bool:
    return args.literal("truncate_prompt_tokens") not in (UNSET, None)


def _cause(encode: Encode) -> str | None:
    truncation = encode.args.literal("truncation")
    if truncation is not UNSET and truncation not in (False, None, "do_not_truncate"):
        return "`truncation`"
    length = encode.args.get("max_length")
    padding = encode.args.get("padding")
    # With `padding=` the length is padded to and nothing is cut.
    alone = truncation is UNSET and encode.args.get("truncation") is None and padding is None
    return "`max_length` alone" if length is not None and alone else None


RULE = Rule(
    hazards.SILENT_TRUNCATION,
    _check,
    bad=(
        """
from transformers import AutoModelForCausalLM, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained("Qwen/Qwen2.5-7B")
model = AutoModelForCausalLM.from_pretrained("Qwen/Qwen2.5-7B")
inputs = tokenizer(prompt, return_tensors="pt", truncation=True, max_length=512)
outputs = model.generate(**inputs, max_new_tokens=64)
""",
        """
from transformers import AutoModelForCausalLM, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained(path)
model = AutoModelForCausalLM.from_pretrained(path)
ids = tokenizer.encode(prompt, max_length=1024, return_tensors="pt")
outputs = model.generate(ids, max_new_tokens=64)
""",
    ),
    good=(
        """
from transformers import AutoModelForCausalLM, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained("Qwen/Qwen2.5-7B")
model = AutoModelForCausalLM.from_pretrained("Qwen/Qwen2.5-7B")
inputs = tokenizer(prompt, return_tensors="pt", truncation=False)
outputs = model.generate(**inputs, max_new_tokens=64)
""",
        """
from transformers import AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained("Qwen/Qwen2.5-7B")
rows = rows.map(lambda row: tokenizer(row["text"], truncation=True, max_length=2048))
""",
        """
from guard import CleanModelLoader

model, tokenizer, provenance = CleanModelLoader("Qwen/Qwen2.5-7B").load()
inputs = CleanModelLoader.encode(tokenizer, prompt, max_length=1024)
""",
    ),
)
