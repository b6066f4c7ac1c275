"""What an inference engine is given: texts that it tokenises by itself, or token ids."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from lint_rules._flow.analysis import Flow
from lint_rules._flow.state.library_names import SAMPLING_PARAMETERS
from lint_rules._flow.values.arguments import Arguments
from lint_rules._flow.values.events import CallSite
from lint_rules._flow.values.joins import (
    UNKNOWN,
    Encoded,
    Items,
    LibraryObject,
    Mapping,
    ModelId,
    Value,
    element_of,
    first,
    join,
    options,
)

ENGINE = "vllm.LLM"
PARAMETERS = SAMPLING_PARAMETERS


@dataclass(frozen=True, slots=True, eq=False)
class EngineCall:
    """A call of vLLM's `generate`, and what the engine was built with."""

    site: CallSite
    built: Arguments
    model: ModelId


def engine_calls(flow: Flow, method: str = "generate") -> Iterator[EngineCall]:
    """The calls of a method of vLLM's engines that are built in sight."""
    for site in flow.events(CallSite):
        engine = first(site.receiver, LibraryObject)
        if engine is None or engine.symbol != ENGINE or site.method != method:
            continue
        built = flow.event_at(engine.origin, CallSite)
        if built is not None:
            yield EngineCall(site, built.args, flow.model_id(built.args.get("model", 0)))


def engine_prompts(flow: Flow) -> Iterator[tuple[CallSite, ModelId, Value]]:
    """The calls of vLLM's `generate`, which puts BOS before each prompt that is a text."""
    for call in engine_calls(flow):
        prompts = _member(call.site.args.value("prompts", 0), "prompt")
        yield call.site, call.model, prompts


def engine_ids(call: EngineCall) -> Encoded | None:
    """The encoding whose ids an engine is given, before which it puts nothing."""
    args = call.site.args
    for given in (
        args.value("prompt_token_ids", 2),
        _member(args.value("prompts", 0), "prompt_token_ids"),
    ):
        for value in (given, element_of(given), element_of(element_of(given))):
            found = first(value, Encoded)
            if found is not None:
                return found
    return None


def _member(prompts: Value, key: str) -> Value:
    """Prompts, or what dicts like `{"prompt": text}` hold of them."""
    result: Value = UNKNOWN
    for option in options(prompts):
        if isinstance(option, Mapping):
            result = join(result, option.get(key) or UNKNOWN)
        elif first(element_of(option), Mapping) is not None:
            result = join(result, Items(_member(element_of(option), key)))
        elif key == "prompt":
            result = join(result, option)
    return result
