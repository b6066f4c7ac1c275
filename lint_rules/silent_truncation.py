"""CG205: a prompt can be cut without a word."""

from __future__ import annotations

from collections.abc import Iterator

from cleanguard.catalogue import hazards
from cleanguard.catalogue.findings import Fix
from lint_rules._flow.analysis import Flow
from lint_rules._flow.values.arguments import UNSET
from lint_rules._flow.values.events import Encode, Generate
from lint_rules._questions.confidence import weakest
from lint_rules._questions.standing import load_severity
from lint_rules.edits import drop_keywords
from lint_rules.rule import Report, Rule

_LENGTHS = ("truncation", "max_length")


def _check(flow: Flow) -> Iterator[Report]:
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
