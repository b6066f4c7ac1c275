"""The prompts that CleanModelLoader's methods are given."""

from __future__ import annotations

from collections.abc import Iterator

from lint_rules._flow.analysis import Flow
from lint_rules._flow.values.events import LoaderCall
from lint_rules._flow.values.joins import Value

_POSITIONS = {"generate": 2, "generate_batch": 2, "complete": 2, "encode": 1}


def guarded_prompts(flow: Flow) -> Iterator[tuple[LoaderCall, Value]]:
    """Each call that takes prompts, with them."""
    for call in flow.events(LoaderCall):
        position = _POSITIONS.get(call.method)
        if position is not None:
            name = "prompts" if call.method in ("generate_batch", "complete") else "prompt"
            yield call, call.args.value(name, position)
