"""The generate calls that are our business: text from a causal LM, not a chat, in scope."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from cleanguard.catalogue.hazards import Severity
from cleanguard.catalogue.standing import is_not_causal
from lint_rules._flow.analysis import Flow
from lint_rules._flow.libraries.hf_calls import is_rendered
from lint_rules._flow.libraries.prompt_ids import takes_ids
from lint_rules._flow.state.library_names import translates
from lint_rules._flow.values.arguments import Argument, Arguments
from lint_rules._flow.values.events import (
    CallSite,
    Decode,
    Encode,
    Generate,
    ModelLoad,
    TokenizerLoad,
)
from lint_rules._flow.values.joins import (
    ChatText,
    Encoded,
    Generated,
    LibraryObject,
    Method,
    ModelId,
    Value,
    element_of,
    first,
    options,
)
from lint_rules._questions.standing import load_severity

NO_ARGUMENTS = Arguments((), {}, (), opaque=False)


@dataclass(frozen=True, slots=True, eq=False)
class TextGeneration:
    """One generate call, the encoding that it gets, and what is known of the model."""

    call: Generate
    encode: Encode | None
    model: ModelId
    severity: Severity


def text_generations(flow: Flow) -> Iterator[TextGeneration]:
    """Every generate call on text that no chat template rendered, where the model is in scope."""
    decoded = {origin for decode in flow.events(Decode) for origin in _origins(decode.source)}
    for call in flow.events(Generate):
        encode = flow.event_at(call.encoded.origin if call.encoded else None, Encode)
        known = encode is not None or call.node in decoded or _is_loaded_here(call, flow)
        known = known or (call.model.confidence == "annotated" and _takes_tokens(call))
        known = known or _goes_on(call) or (takes_ids(call.args) and flow.once(_loads_a_tokenizer))
        if not known and (call.encoded is None or call.encoded.padded is None):
            continue  # not text: a diffusion model, a vision model, a stub
        if _is_chat(call, encode) or (
            call.model.confidence != "followed" and translates(flow.imported_names)
        ):
            continue
        model = call.model.model
        if encode is not None and model.standing == "unknown" and model.text is None:
            model = encode.tokenizer.model
        loaded = flow.event_at(call.model.origin, ModelLoad) is not None
        certain = model.fixed or not loaded
        if model.text is not None and certain and is_not_causal(model.text):
            continue
        if model.text is None and call.model.confidence == "named" and flow.once(_loads_only_chats):
            continue
        severity = load_severity(model, flow.settings)
        if severity is not None:
            yield TextGeneration(call, encode, model, severity)


def _takes_tokens(call: Generate) -> bool:
    """Whether a tokenizer's pad or end token is given beside ids from elsewhere: they are text."""
    given = [call.args.value(name) for name in ("pad_token_id", "eos_token_id")]
    return any(isinstance(first(value, Method), Method) for value in given)


def _loads_only_chats(flow: Flow) -> bool:
    """Whether every causal LM that a module loads is a chat model: so is one that its functions are given."""
    standings = {load.model.standing for load in flow.events(ModelLoad)}
    return standings == {"chat"} and flow.settings.scope != "all"


def _loads_a_tokenizer(flow: Flow) -> bool:
    """Whether a tokenizer is loaded in a module that translates nothing: ids from elsewhere are text."""
    loads = any(True for _ in flow.events(TokenizerLoad))
    return loads and not translates(flow.imported_names)


def _goes_on(call: Generate) -> bool:
    """Whether a model goes on from the ids that it, or another one, has generated."""
    given = (*call.args.positional[:1], *(call.args.get(name) for name in ("input_ids", "inputs")))
    return any(one is not None and first(one.value, Generated) is not None for one in given)


def _is_loaded_here(call: Generate, flow: Flow) -> bool:
    """Whether a causal LM that is loaded in sight is given ids from elsewhere: they are text."""
    origin = call.model.origin
    loaded = flow.event_at(origin, ModelLoad) or flow.load_given(origin)
    if loaded is None or loaded.api.startswith("nnsight.") or call.model.confidence != "followed":
        return False
    only_hands_on = bool(call.args.spread) and not (call.args.positional or call.args.keywords)
    if only_hands_on:
        return False  # a wrapper's own `generate(*args, **kwargs)`
    return not any(
        "embeds" in name or "pixel" in name or "image" in name for name in call.args.keywords
    )


def config_of(call: Generate, flow: Flow) -> Arguments:
    """What a `GenerationConfig(…)` that the call is given was built with."""
    given = first(call.args.value("generation_config"), LibraryObject)
    built = built_config(given, flow)
    return NO_ARGUMENTS if built is None else built.args


def built_config(given: LibraryObject | None, flow: Flow) -> CallSite | None:
    """The call that built a `GenerationConfig`."""
    known = given is not None and given.symbol.endswith(".GenerationConfig")
    return flow.event_at(given.origin, CallSite) if given is not None and known else None


def _is_chat(call: Generate, encode: Encode | None) -> bool:
    if encode is not None and is_rendered(encode):
        return True
    if call.encoded is not None and call.encoded.rendered:
        return True
    given = (*call.args.positional, *call.args.keywords.values(), *call.args.spread)
    chats = any(first(argument.value, ChatText) is not None for argument in given)
    return chats and not (encode is not None and _is_switched(given))


def _is_switched(given: Iterable[Argument]) -> bool:
    """Whether a condition of the program gives a chat or plain text: `if args.use_chat_template`."""
    return any(
        isinstance(option, Encoded) and not option.rendered
        for argument in given
        for option in options(argument.value)
    )


def _origins(source: Value) -> set[object]:
    found = [*options(source), *options(element_of(source))]
    return {value.origin for value in found if isinstance(value, Generated)}
