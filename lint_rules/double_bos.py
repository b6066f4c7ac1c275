"""CG202: text that already holds BOS is tokenised with special tokens.

Certain where the published files say that the tokenizer adds one and the template, or the text,
writes one; silent where either does not; a warning where nothing is known.
"""

from __future__ import annotations

from collections.abc import Iterator

from cleanguard.catalogue import hazards
from cleanguard.catalogue.findings import Fix
from cleanguard.catalogue.hazards import Severity
from lint_rules._flow.analysis import Flow
from lint_rules._flow.libraries.hf_calls import is_rendered
from lint_rules._flow.values.events import Encode, TemplateApply
from lint_rules._flow.values.joins import (
    ChatText,
    Constant,
    ModelId,
    Tokenizer,
    Value,
    element_of,
    first,
)
from lint_rules._flow.values.text import BOS, is_chat, keeps_bos, leads_with
from lint_rules._questions.beginnings import beginning, bos_is_off, writes_its_bos
from lint_rules._questions.confidence import weakest
from lint_rules._questions.engines import engine_prompts
from lint_rules._questions.guarded_prompts import guarded_prompts
from lint_rules.edits import add_keyword
from lint_rules.rule import Report, Rule


def _check(flow: Flow) -> Iterator[Report]:
    yield from _tokenizers(flow)
    yield from _engines(flow)
    yield from _guarded(flow)


def _tokenizers(flow: Flow) -> Iterator[Report]:
    for encode in flow.events(Encode):
        if encode.args.get("add_special_tokens") is not None or encode.args.opaque:
            continue
        if encode.tokenizer.guarded:
            continue  # the guard raises, with the ids to show
        if encode.method == "convert_tokens_to_ids" or bos_is_off(
            encode.tokenizer, encode.place, flow
        ):
            continue
        holds = _how_it_holds_bos(encode)
        uses = flow.uses(encode)
        if holds is None or not (uses or flow.escapes(encode)):
            continue
        severity = _severity(holds, encode.tokenizer.model, _renderer(encode.text, flow))
        if severity is None:
            continue
        edits = add_keyword(encode.node, "add_special_tokens=False")
        yield Report(
            encode.node,
            _message(holds, encode.tokenizer.model),
            weakest(encode.tokenizer.confidence, *(use.model.confidence for use in uses)),
            severity=severity,
            fix=Fix("unsafe", "tokenise without special tokens") if edits else None,
            edits=edits,
        )


def _engines(flow: Flow) -> Iterator[Report]:
    for site, model, prompts in engine_prompts(flow):
        if _is_rendered_text(prompts, flow):
            holds, remedy = (
                "rendered",
                "give `generate` token ids, or call `chat` with the messages",
            )
        elif writes_its_bos(prompts, model):
            holds, remedy = "literal", "leave BOS out of the text, or give `generate` token ids"
        else:
            continue
        severity = _severity(holds, model, _renderer(prompts, flow))
        if severity is not None:
            yield Report(site.node, _message(holds, model), severity=severity, remedy=remedy)


def _guarded(flow: Flow) -> Iterator[Report]:
    """Prompts with a BOS of their own that the guard will refuse."""
    for call, prompts in guarded_prompts(flow):
        given = first(call.args.value("tokenizer", 1), Tokenizer)
        tokenizer = first(call.args.value("tokenizer", 0), Tokenizer) or given
        model = ModelId(None, "unknown") if tokenizer is None else tokenizer.model
        if call.loader is not None and call.loader.model.text is not None:
            model = call.loader.model
        if not writes_its_bos(prompts, model):
            continue
        severity = _severity("literal", model, None)
        if severity is not None:
            yield Report(
                call.node,
                "the prompt begins with BOS, which the loader puts there itself: it refuses the prompt",
                severity=severity,
                remedy="leave BOS out of the text",
            )


def _renderer(text: Value, flow: Flow) -> Tokenizer | None:
    """The tokenizer whose template rendered a text; None where that is not seen, or is another one."""
    given = first(text, ChatText) or first(element_of(text), ChatText)
    applied = None if given is None else flow.event_at(given.origin, TemplateApply)
    if applied is None or applied.args.get("chat_template") is not None:
        return None
    own = applied.place.setting(applied.tokenizer, "chat_template")
    return applied.tokenizer if own is None or own == Constant(None) else None


def _is_rendered_text(prompts: Value, flow: Flow) -> bool:
    """Whether prompts were rendered and are still text: a template gives ids unless it is told not to."""
    if not is_chat(prompts) or not keeps_bos(prompts):
        return False
    given = first(prompts, ChatText) or first(element_of(prompts), ChatText)
    applied = None if given is None else flow.event_at(given.origin, TemplateApply)
    return applied is None or applied.args.literal("tokenize") is False


def _how_it_holds_bos(encode: Encode) -> str | None:
    if is_rendered(encode):
        return "rendered" if keeps_bos(encode.text) else None
    if leads_with(encode.text, (BOS,)):
        return "joined"
    return "literal" if writes_its_bos(encode.text, encode.tokenizer.model) else None


def _severity(holds: str, model: ModelId, renderer: Tokenizer | None) -> Severity | None:
    """Error where both BOS are known, None where one of them is known not to come."""
    adds, sure = beginning(model).tokenizer, beginning(model).is_sure
    writes = "yes"
    if holds == "rendered":
        writes = "unknown" if renderer is None else beginning(renderer.model).template
        sure = sure and renderer is not None and beginning(renderer.model).is_sure
        if renderer is not None and not renderer.model.fixed and writes == "yes":
            writes = "unknown"
    if "no" in (adds, writes):
        return None
    known = sure and adds == writes == "yes"
    return "error" if known and (model.fixed or holds != "rendered") else "warning"


def _message(holds: str, model: ModelId) -> str:
    first = {
        "rendered": "the chat template has written BOS"
        if _severity_is_known(model)
        else "the chat template may have written BOS",
        "literal": "the text begins with BOS",
        "joined": "`bos_token` stands before the text",
    }[holds]
    if beginning(model).tokenizer == "yes":
        return f"{first} and the tokenizer of {model.text} adds another"
    return f"{first}; the tokenizer adds another in Llama-3, Gemma, Mistral and their like"


def _severity_is_known(model: ModelId) -> bool:
    return beginning(model).template == "yes"


RULE = Rule(
    hazards.DOUBLE_BOS,
    _check,
    bad=(
        """
from transformers import AutoModelForCausalLM, AutoTokenizer

name = "meta-llama/Llama-3.1-8B-Instruct"
tokenizer = AutoTokenizer.from_pretrained(name)
model = AutoModelForCausalLM.from_pretrained(name)
text = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
inputs = tokenizer(text, return_tensors="pt").to(model.device)
outputs = model.generate(**inputs, max_new_tokens=64)
""",
        """
from transformers import AutoModelForCausalLM, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained("google/gemma-2-9b")
model = AutoModelForCausalLM.from_pretrained("google/gemma-2-9b")
inputs = tokenizer(tokenizer.bos_token + prompt, return_tensors="pt")
logits = model(**inputs).logits
""",
    ),
    good=(
        """
from transformers import AutoModelForCausalLM, AutoTokenizer

name = "meta-llama/Llama-3.1-8B-Instruct"
tokenizer = AutoTokenizer.from_pretrained(name)
model = AutoModelForCausalLM.from_pretrained(name)
text = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
inputs = tokenizer(text, add_special_tokens=False, return_tensors="pt")
outputs = model.generate(**inputs)
""",
        """
from transformers import AutoModelForCausalLM, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained("Qwen/Qwen2.5-7B-Instruct")
model = AutoModelForCausalLM.from_pretrained("Qwen/Qwen2.5-7B-Instruct")
text = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
outputs = model.generate(**tokenizer(text, return_tensors="pt"))
""",
        """
from transformers import AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained("meta-llama/Llama-3.1-8B-Instruct")
text = tokenizer.apply_chat_template(messages, tokenize=False)
print(len(tokenizer(text)["input_ids"]))
""",
    ),
)
