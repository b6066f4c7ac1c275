"""CG201: add_special_tokens=False on a raw prompt that reaches a base model.

The keyword itself is no hazard: of 62 real uses 52 were right (rendered chat text, stop strings,
single tokens, counting, labels). So the rule asks where the encoding goes, and what was encoded.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from cleanguard.catalogue import hazards
from cleanguard.catalogue.begin_tokens import beginning_of
from cleanguard.catalogue.families import family_of
from cleanguard.catalogue.findings import Fix
from lint_rules._flow.analysis import Flow
from lint_rules._flow.libraries.hf_calls import is_rendered
from lint_rules._flow.values.events import CallSite, Encode, Forward, Generate, TokenizerLoad
from lint_rules._flow.values.joins import UNKNOWN, Constant, Dataset, first, front_of, options
from lint_rules._light import tree as cst
from lint_rules._questions.beginnings import (
    beginning,
    bos_is_off,
    is_off_for_others,
    leads_with_bos,
)
from lint_rules._questions.confidence import weakest
from lint_rules._questions.control_text import control_token_in
from lint_rules._questions.engines import engine_calls, engine_ids
from lint_rules._questions.hand_made_text import bos_reach
from lint_rules._questions.pipelines import pipeline_calls
from lint_rules._questions.reach import Reach
from lint_rules._questions.standing import load_severity
from lint_rules._questions.training import is_trainer, trains
from lint_rules.rule import Report, Rule

# The keyword of what was read before, in transformers before 5.24 and since, and of state-space models.
_CACHES = ("past_key_values", "cache", "cache_params")
_KEYWORD = "`add_special_tokens=False`"


def _check(flow: Flow) -> Iterator[Report]:
    yield from _here(flow)
    yield from _in_helpers(flow)
    yield from _in_engines(flow)
    yield from _in_pipelines(flow)
    yield from _of_others(flow)
    if trains(flow):
        yield from _in_training_rows(flow)


def _here(flow: Flow) -> Iterator[Report]:
    reach: Reach | None = None
    for encode in flow.events(Encode):
        uses = flow.uses(encode)
        cause = _cause(encode, uses, flow) if uses else None
        if cause is None:
            continue
        reach = reach or flow.once(bos_reach)
        if _brings_bos(encode, uses, reach):
            continue
        model = encode.tokenizer.model if encode.tokenizer.model.text else uses[0].model.model
        severity = load_severity(model, flow.settings)
        needless = cause != _KEYWORD and beginning(model).tokenizer == "no"
        if severity is None or needless:
            continue
        yield Report(
            encode.node,
            _message(cause, model.text),
            weakest(encode.tokenizer.confidence, *(use.model.confidence for use in uses)),
            severity=severity,
            fix=Fix("migrate", "tokenise with CleanModelLoader"),
        )


def _in_helpers(flow: Flow) -> Iterator[Report]:
    """Prompts that a function of another file tokenises; here it is known what becomes of them."""
    uses: list[Generate | Forward] = [*flow.events(Generate), *flow.events(Forward)]
    for use in uses:
        encoded = use.encoded
        if encoded is None or encoded.rendered or flow.event_at(encoded.origin, Encode):
            continue
        found = flow.event_elsewhere(encoded.origin, Encode)
        if found is None or not _is_bare(found[1]):
            continue
        model = encoded.tokenizer.model if encoded.tokenizer.model.text else use.model.model
        severity = load_severity(model, flow.settings)
        if severity is not None:
            yield Report(
                use.node,
                f"{_message(_KEYWORD, model.text)}; {found[0].name} tokenises this one",
                weakest(encoded.tokenizer.confidence, use.model.confidence),
                severity=severity,
            )


def _in_engines(flow: Flow) -> Iterator[Report]:
    """Ids for an engine, which puts nothing before them."""
    for call in engine_calls(flow):
        encoded = engine_ids(call)
        encode = None if encoded is None else flow.event_at(encoded.origin, Encode)
        severity = load_severity(call.model, flow.settings)
        if encode is not None and severity is not None and _is_bare(encode):
            yield Report(
                encode.node,
                _message(_KEYWORD, call.model.text or encode.tokenizer.model.text),
                encode.tokenizer.confidence,
                severity=severity,
                remedy="leave the keyword out, or give the engine the text",
            )


def _in_pipelines(flow: Flow) -> Iterator[Report]:
    """`pipeline(…)(prompt, add_special_tokens=False)`, also where the pipeline is built so."""
    for call in pipeline_calls(flow):
        node = call.says("add_special_tokens")
        severity = load_severity(call.model, flow.settings)
        if node is not None and severity is not None and not call.is_chat:
            yield Report(
                node,
                _message(_KEYWORD, call.model.text),
                severity=severity,
                remedy="leave the keyword out",
            )


def _of_others(flow: Flow) -> Iterator[Report]:
    """`add_bos_token=False` for texts that somebody else tokenises: another function, or another file."""
    for load in flow.events(TokenizerLoad):
        severity = load_severity(load.model, flow.settings)
        if severity is None or not is_off_for_others(load, flow):
            continue
        yield Report(
            load.node,
            _message("`add_bos_token=False`", load.model.text),
            severity="warning",
            remedy="leave the keyword out, unless what tokenises writes BOS itself",
        )


def _in_training_rows(flow: Flow) -> Iterator[Report]:
    """Rows that a model is trained on without the BOS that it was pretrained with.

    Only where the family certainly has one: for others nothing is lost.
    """
    trained = {origin for site in flow.events(CallSite) for origin in _trained(site)}
    for encode in flow.events(Encode):
        model = encode.tokenizer.model
        family = family_of(model.text or "")
        if family is None or family.bos != "one" or not _is_bare(encode):
            continue
        severity = load_severity(model, flow.settings)
        is_row = encode.node in trained or flow.is_row(encode)
        if severity is not None and is_row and not flow.uses(encode):
            yield Report(
                encode.node,
                f"`add_special_tokens=False` trains on rows without the BOS that {model.text} needs",
                encode.tokenizer.confidence,
                severity=severity,
                remedy="leave the keyword out for the row; it is right for a part that stands behind another",
            )


def _trained(site: CallSite) -> Iterator[cst.Call]:
    """The encodings whose ids are the rows of a trainer's data."""
    given = site.args.get("train_dataset") if is_trainer(site) else None
    data = None if given is None else first(given.value, Dataset)
    ids = UNKNOWN if data is None else data.columns.get("input_ids") or UNKNOWN
    for front in map(front_of, options(ids)):
        if front is not None:
            yield front.origin


def _is_bare(encode: Encode) -> bool:
    """Whether `add_special_tokens=False` keeps BOS from a text that may need one."""
    return _leaves_bos_out(encode) and _is_prompt(encode)


def _leaves_bos_out(encode: Encode) -> bool:
    """Whether `add_special_tokens=False` is said on every way; a switch for chats says it for them alone."""
    given = list(options(encode.args.value("add_special_tokens")))
    return all(isinstance(option, Constant) and option.value is False for option in given)


def _is_prompt(encode: Encode) -> bool:
    """Whether a text is no chat, and has no BOS written out at its beginning."""
    if is_rendered(encode) or leads_with_bos(encode):
        return False
    return control_token_in(encode.text, None, brackets=True) is None


def _brings_bos(encode: Encode, uses: Sequence[Generate | Forward], reach: Reach) -> bool:
    """Whether code may put BOS before the text, or before the ids on their way to the model."""
    text = encode.args.get("text", 0)
    if text is not None and text.expression is not None and reach.touches(text.expression):
        return True
    return any(reach.touches(arg.value) for use in uses for arg in use.node.args if _is_ids(arg))


def _is_ids(arg: cst.Arg) -> bool:
    keyword = arg.keyword
    return keyword is None or keyword.value in ("input_ids", "inputs")


def _cause(encode: Encode, uses: list[Generate | Forward], flow: Flow) -> str | None:
    """What keeps BOS from a prompt, in words; None where it gets one."""
    if encode.tokenizer.guarded or not _is_prompt(encode):
        return _KEYWORD if _is_bare(encode) else None
    if _leaves_bos_out(encode):
        return _KEYWORD
    if encode.method == "convert_tokens_to_ids":
        return "`tokenize` and `convert_tokens_to_ids`"
    if bos_is_off(encode.tokenizer, encode.place, flow):
        return "`add_bos_token = False`"
    if all(_starts_behind_bos(use) for use in uses):
        return "a slice that begins behind the first id"
    return None


def _starts_behind_bos(use: Generate | Forward) -> bool:
    """Whether the ids lose their first one; a part that goes on from a cache has none to lose."""
    if use.encoded is None or not use.encoded.cut or use.args.opaque:
        return False
    return not any(name in use.args.keywords for name in _CACHES)


def _message(cause: str, model_id: str | None) -> str:
    adds = None if model_id is None else beginning_of(model_id).tokenizer
    if cause != _KEYWORD:
        needs = f"that {model_id} needs" if adds == "yes" else "where the family needs one"
        return f"{cause}: the prompt has no BOS {needs}".replace("BOS that", "BOS, which").replace(
            "BOS where", "BOS, also where"
        )
    family = None if model_id is None else family_of(model_id)
    if family is not None and family.bos == "one":
        return f"`add_special_tokens=False` drops the BOS that {model_id} needs from a prompt"
    if family is not None and family.bos == "none":
        return f"`add_special_tokens=False` on a prompt: no effect on {model_id}, drops BOS on other families"
    return "`add_special_tokens=False` on a prompt drops BOS where the family needs one"


RULE = Rule(
    hazards.STRAY_NO_SPECIAL_TOKENS,
    _check,
    bad=(
        """
from transformers import AutoModelForCausalLM, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained("meta-llama/Llama-3.1-8B")
model = AutoModelForCausalLM.from_pretrained("meta-llama/Llama-3.1-8B")
inputs = tokenizer("The capital of France is", add_special_tokens=False, return_tensors="pt")
outputs = model.generate(**inputs.to(model.device), max_new_tokens=8)
""",
        """
import torch

def score(model, tokenizer, prompt):
    ids = tokenizer.encode(prompt, add_special_tokens=False, return_tensors="pt")
    with torch.no_grad():
        return model(input_ids=ids).logits
""",
    ),
    good=(
        """
from transformers import AutoModelForCausalLM, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained("meta-llama/Llama-3.1-8B")
model = AutoModelForCausalLM.from_pretrained("meta-llama/Llama-3.1-8B")
stop_ids = tokenizer.encode("###", add_special_tokens=False)
count = len(tokenizer("How long is this?", add_special_tokens=False)["input_ids"])
outputs = model.generate(**tokenizer("Hello", return_tensors="pt"), eos_token_id=stop_ids[-1])
""",
        """
from transformers import AutoModelForCausalLM, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained(path)
model = AutoModelForCausalLM.from_pretrained(path)
text = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
inputs = tokenizer(text, add_special_tokens=False, return_tensors="pt")
outputs = model.generate(**inputs)
""",
        """
from guard import CleanModelLoader

model, tokenizer, provenance = CleanModelLoader("google/gemma-2-9b").load()
inputs = CleanModelLoader.encode(tokenizer, "The capital of France is")
logits = model(**inputs).logits
""",
    ),
)
