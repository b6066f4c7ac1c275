"""The text of a script without what it adds to its tokenizer: naming a BOS there puts none before a prompt."""

from __future__ import annotations

import libcst as cst

from codemods.facts.dict_entries import Seen, entries_of
from codemods.facts.growth import growing_calls
from codemods.script.script import Script
from lint_rules._light.positions import Span


def without_growth(script: Script) -> str:
    """The script as it is, but for the tokens that it names when it adds them, and constants for these alone."""
    spans: list[Span] = []
    names: set[str] = set()
    seen = script.look(Seen)
    for call in growing_calls(script):
        if call.adds is None or call.adds is call.node:
            continue
        spans.append(script.span(call.node))
        found = entries_of(seen, call.adds, call.function) or {}
        values = [value for part in found.values() for value in part]
        names |= {value.value for value in values if isinstance(value, cst.Name)}
    for (function, name), values in seen.assigned.items():
        reads = [use for use in script.uses(name, None) if not use.stores]
        plain = all(isinstance(value, cst.SimpleString) for value in values)
        if function is not None or not plain or script.others.takes(script.path, name):
            continue
        if (name in names or not reads) and all(
            any(s.start <= use.offset < s.end for s in spans) for use in reads
        ):
            spans += [script.span(value) for value in values]
    text = script.utf8
    for span in sorted(spans, key=lambda one: one.start, reverse=True):
        text = text[: span.start] + text[span.end :]
    return text.decode()
