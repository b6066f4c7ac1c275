"""What is not the same in two runs, in words that fit a line."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import zip_longest
from typing import Any

from cleanguard.report.counting import counted
from codemods.proof.trial import Run

_IDS = 5
_LONGEST = 60
_Call = Mapping[str, Any]


def differences(old: Run, new: Run) -> list[str]:
    """What two runs asked that is not the same: each call in words."""
    found = (
        _unordered(old.calls, new.calls)
        if old.beside or new.beside
        else [
            f"call {number}, {_told(a, b)}"
            for number, (a, b) in enumerate(zip(old.calls, new.calls, strict=False), start=1)
            if a != b
        ]
    )
    if len(old.calls) != len(new.calls):
        found.append(f"{counted(len(old.calls), 'call')} became {len(new.calls)}")
    return found


def _unordered(old: Sequence[_Call], new: Sequence[_Call]) -> list[str]:
    """Of calls that come from several threads or processes, those that the other run has not."""
    before, after = Counter(map(_key, old)), Counter(map(_key, new))
    gone, come = sorted((before - after).elements()), sorted((after - before).elements())
    return [
        f"a call, {_told(json.loads(a), json.loads(b))}" for a, b in zip(gone, come, strict=False)
    ]


def _key(call: _Call) -> str:
    return json.dumps(call, sort_keys=True)


def _told(a: _Call, b: _Call) -> str:
    if a["call"] != b["call"]:
        return f"a {a['call']} became a {b['call']}"
    parts = [
        _ids(a[name], b[name])
        if name == "ids"
        else f"{name}: {_shown(a.get(name))} became {_shown(b.get(name))}"
        for name in sorted({*a, *b})
        if a.get(name) != b.get(name)
    ]
    return f"{a['call']}: {'; '.join(parts)}"


def _shown(value: Any) -> str:
    if value is None:
        return "not said"
    text = json.dumps(value, sort_keys=True, ensure_ascii=False)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def _ids(old: Sequence[Sequence[int]], new: Sequence[Sequence[int]]) -> str:
    """The first prompt that is not the same, from its first other id on."""
    if len(old) != len(new):
        return f"{counted(len(old), 'prompt')} became {len(new)}"
    other = [number for number, (a, b) in enumerate(zip(old, new, strict=True)) if a != b]
    first = other[0]
    a, b = old[first], new[first]
    at = next(n for n, (x, y) in enumerate(zip_longest(a, b)) if x != y)
    which = "the prompt's ids" if len(old) == 1 else f"the ids of prompt {first + 1} of {len(old)}"
    start = "" if at == 0 else f" from id {at + 1} on"
    more = "" if len(other) == 1 else f", and {counted(len(other) - 1, 'other prompt')}"
    return f"{which}{start}: {_window(a, at)} became {_window(b, at)}{more}"


def _window(row: Sequence[int], at: int) -> str:
    seen = ", ".join(map(str, row[at : at + _IDS])) or "nothing"
    return f"{seen}{', …' if len(row) > at + _IDS else ''} ({len(row)} in all)"
