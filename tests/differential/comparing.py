"""Compares two runs of a program: nothing may differ but rounding."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from tests.differential.announced import Amends
from tests.differential.recorder import Call, Row
from tests.differential.running import Trace

# Sums in another order: a batch in another order, padding on the other side. bfloat16 has 8 bits.
_LOOSE = {"torch.bfloat16": 0.06, "torch.float16": 0.02}
_TIGHT = 2e-3
# `<|im_start|>` and `<|im_end|>`, or `<|start_header_id|>`, of the families that have them.
CONTROL_IDS = frozenset({1, 2})
_NUMBER = re.compile(r"-?\d+\.\d+(?:e-?\d+)?")


@dataclass(frozen=True, slots=True)
class Difference:
    """How two runs differ.

    Attributes:
        kind: A short name, by which counterexamples are counted: `ids`, `setting top_p`, …
        text: Both sides.
    """

    kind: str
    text: str


def compare(old: Trace, new: Trace, amends: Amends) -> Difference | None:
    """The first difference of two runs; None if there is none.

    A refusal that the plan announced ends the comparison where it happened; all before it must be the same.
    """
    if old.error is not None:
        return _failing(old, new)
    refused = new.error is not None and new.error in amends.refusals
    if new.error == "ContaminationError" and not _wrote_control(old, len(new.calls)):
        refused = False
    olds, news = (list(filter(_reached, trace.calls)) for trace in (old, new))
    for number, (a, b) in enumerate(zip(olds, news, strict=False), start=1):
        found = _calls(a, b)
        if found is not None:
            return Difference(found.kind, f"call {number}: {found.text}")
    if refused:
        return None
    if old.error != new.error:
        kind = f"raises {new.error}" if new.error else f"no longer raises {old.error}"
        return Difference(kind, f"{old.error}: {old.message} became {new.error}: {new.message}")
    if len(olds) != len(news):
        return Difference("number of calls", f"{len(olds)} calls became {len(news)}")
    if not _same_text(old.out, new.out):
        return Difference("printed", _first_line(old.out, new.out))
    if old.files.keys() != new.files.keys():
        return Difference("files", f"{sorted(old.files)} became {sorted(new.files)}")
    for name, text in old.files.items():
        if not _same_text(text, new.files[name]):
            return Difference("written", f"{name}: {_first_line(text, new.files[name])}")
    return None


def _reached(call: Call) -> bool:
    """Whether a call did not raise before its model was reached."""
    return bool(call.rows or call.said)


def _wrote_control(old: Trace, before: int) -> bool:
    """Whether the model itself had written one of the tiny vocabularies' control tokens until a call."""
    return any(
        index in CONTROL_IDS
        for call in old.calls[:before]
        for row in call.rows
        for index in row.new
    )


def _failing(old: Trace, new: Trace) -> Difference | None:
    """A program that raises: it must go on doing so, unless all it lacked was a pad token."""
    if new.error is None:
        if "does not have a padding token" in old.message:
            return None
        return Difference(
            f"no longer raises {old.error}", f"{old.error}: {old.message} became nothing"
        )
    refused = old.error != new.error and "remedy:" in new.message
    if old.error != new.error and not refused:
        text = f"{old.error}: {old.message} became {new.error}: {new.message}"
        return Difference(f"raises {new.error}", text)
    return None


def _calls(a: Call, b: Call) -> Difference | None:
    if a.kind != b.kind:
        return Difference("kind of call", f"{a.kind} became {b.kind}")
    if len(a.rows) != len(b.rows):
        return Difference("rows", f"{len(a.rows)} rows became {len(b.rows)}")
    loose = _LOOSE.get(str(a.said.get("dtype")), _TIGHT)
    olds, news = (sorted(call.rows, key=lambda row: (row.ids, row.new)) for call in (a, b))
    for old, new in zip(olds, news, strict=True):
        if old.ids != new.ids:
            return Difference("ids", f"{old.ids} became {new.ids}")
    for name in sorted(a.said.keys() | b.said.keys()):
        one, other = a.said.get(name), b.said.get(name)
        if name == "padding":  # on the left the mask hides it
            one, other = (side if side != "left" else "" for side in (one, other))
        if not _same(one, other):
            return Difference(f"setting {name}", f"{name}: {one} became {other}")
    for old, new in zip(olds, news, strict=True):
        if not _same_logits(old, new, loose):
            return Difference("logits", f"{old.ids}: {old.logits} became {new.logits}")
        if old.new != new.new:
            return Difference("texts", f"{old.ids}: {old.new} became {new.new}")
    if not _same(a.loss, b.loss):
        return Difference("loss", f"{a.loss} became {b.loss}")
    return None


def _same(a: object, b: object) -> bool:
    if isinstance(a, float) or (isinstance(b, float) and a is not None and b is not None):
        if not isinstance(a, (int, float)) or not isinstance(b, (int, float)):
            return False
        return math.isclose(a, b, rel_tol=1e-4, abs_tol=1e-4) or (math.isnan(a) and math.isnan(b))
    return a == b


def _same_logits(a: Row, b: Row, loose: float) -> bool:
    if len(a.logits) != len(b.logits):
        return False
    for (_, x), (_, y) in zip(a.logits, b.logits, strict=True):
        if not math.isclose(x, y, rel_tol=loose, abs_tol=loose):
            return False
    return True


def _same_text(a: str, b: str) -> bool:
    if a == b:
        return True
    if _NUMBER.sub("#", a) != _NUMBER.sub("#", b):
        return False
    pairs = zip(_NUMBER.findall(a), _NUMBER.findall(b), strict=True)
    return all(math.isclose(float(x), float(y), rel_tol=2e-3, abs_tol=2e-3) for x, y in pairs)


def _first_line(a: str, b: str) -> str:
    olds, news = a.splitlines(), b.splitlines()
    for old, new in zip(olds, news, strict=False):
        if not _same_text(old, new):
            return f"{old[:300]!r} became {new[:300]!r}"
    return f"{len(olds)} lines became {len(news)}"
