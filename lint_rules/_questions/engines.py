"""Texts that an inference engine tokenises by itself."""

from __future__ import annotations

from collections.abc import Iterator

from lint_rules._flow.analysis import Flow
from lint_rules._flow.values.events import CallSite
from lint_rules._flow.values.joins import LibraryObject, ModelId, Value, first

ENGINE = "vllm.LLM"


def engine_prompts(flow: Flow) -> Iterator[tuple[CallSite, ModelId, Value]]:
    """The calls of vLLM's `generate`, which puts BOS before each prompt that is a text."""
    for site in flow.events(CallSite):
        engine = first(site.receiver, LibraryObject)
        if engine is None or engine.symbol != ENGINE or site.method != "generate":
            continue
        built = flow.event_at(engine.origin, CallSite)
        if built is not None:
            model = flow.model_id(built.args.get("model", 0))
            yield site, model, site.args.value("prompts", 0)
