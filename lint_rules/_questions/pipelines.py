"""The calls of transformers' text-generation pipelines that are built in sight."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from lint_rules._flow.analysis import Flow
from lint_rules._flow.state.library_names import guess_by_name
from lint_rules._flow.values.arguments import UNSET, Unset
from lint_rules._flow.values.events import CallSite, PipelineBuild
from lint_rules._flow.values.joins import (
    CausalLM,
    Constant,
    Formatted,
    Items,
    LibraryObject,
    Mapping,
    ModelId,
    Scalar,
    Sequence,
    Unknown,
    Value,
    element_of,
    first,
    options,
)
from lint_rules._flow.values.syntax import dotted
from lint_rules._flow.values.text import is_chat
from lint_rules._light import tree as cst

_CONVERSATIONS = ("message", "conversation", "chat", "dialog")
# What only a model that the pipeline loads is told.
_LOADS = frozenset({"model_kwargs", "revision", "trust_remote_code", "torch_dtype", "dtype"})


@dataclass(frozen=True, slots=True, eq=False)
class PipelineCall:
    """A call of a pipeline, and what it was built with."""

    site: CallSite
    built: PipelineBuild

    @property
    def model(self) -> ModelId:
        """The model that the pipeline holds."""
        return self.built.model

    @property
    def is_chat(self) -> bool:
        """Whether messages are given, or text that a chat template rendered."""
        given = self.site.args.value("text_inputs", 0)
        return are_messages(given) or is_chat(given) or self._is_named_so()

    def _is_named_so(self) -> bool:
        """Whether what is given is a conversation by its name, where nothing else is known of it."""
        given = self.site.args.get("text_inputs", 0)
        if given is None or given.expression is None or not isinstance(given.value, Unknown):
            return False
        name = (dotted(given.expression) or "").rsplit(".", 1)[-1].lower()
        return any(word in name for word in _CONVERSATIONS)

    def literal(self, keyword: str) -> Scalar | Unset:
        """A literal that is given to the call, or else to the building of the pipeline."""
        for args in (self.site.args, self.built.args):
            if keyword in args.keywords:
                return args.literal(keyword)
        return UNSET

    def gives(self, *keywords: str) -> bool:
        """Whether any of these keywords may be given."""
        given = (self.site.args, self.built.args)
        return any(args.opaque or set(keywords) & args.keywords.keys() for args in given)

    def says(self, keyword: str) -> cst.Call | None:
        """The call that gives False for a keyword."""
        for node, args in ((self.site.node, self.site.args), (self.built.node, self.built.args)):
            if keyword in args.keywords:
                return node if args.literal(keyword) is False else None
        return None


def pipeline_calls(flow: Flow) -> Iterator[PipelineCall]:
    """Every call of a pipeline for `text-generation`."""
    for site in flow.events(CallSite):
        held = first(site.receiver, LibraryObject)
        if held is None or site.method != "__call__" or held.symbol != "transformers.pipeline":
            continue
        built = flow.event_at(held.origin, PipelineBuild)
        if built is not None and built.task == "text-generation":
            yield PipelineCall(site, built)


def handed_on(flow: Flow) -> Iterator[PipelineBuild]:
    """Every pipeline for `text-generation` around a model that is there, which is called nowhere in sight."""
    called = {call.built.node for call in pipeline_calls(flow)}
    for built in flow.events(PipelineBuild):
        if built.task == "text-generation" and built.node not in called:
            given = built.args.get("model", 1)
            if given is not None and first(given.value, CausalLM) is not None:
                yield built


def loads_by_itself(built: PipelineBuild) -> bool:
    """Whether a pipeline for `text-generation` loads its model: it is given a name, or nothing."""
    if built.task != "text-generation":
        return False
    given = built.args.get("model", 1)
    if given is None:
        return not built.args.opaque
    held = list(options(given.value))
    if any(isinstance(option, (Constant, Formatted)) for option in held):
        return True
    if not all(isinstance(option, Unknown) for option in held) or given.expression is None:
        return False
    # A parameter called `model` may hold either.
    name = (dotted(given.expression) or "").rsplit(".", 1)[-1]
    return guess_by_name(name) != "model" or not _LOADS.isdisjoint(built.args.keywords)


def are_messages(given: Value, depth: int = 0) -> bool:
    """Whether a value is a conversation: a list of dicts with roles, or several of them."""
    for option in options(given):
        if isinstance(option, Mapping) and option.get("role") is not None and depth:
            return True
        nested = isinstance(option, (Sequence, Items)) and depth < 2
        if nested and are_messages(element_of(option), depth + 1):
            return True
    return False
