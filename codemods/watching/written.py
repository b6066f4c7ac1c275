"""How a call is written that may become a watched one."""

from __future__ import annotations

import libcst as cst

from codemods.script.script import Script
from lint_rules._flow.values.events import Place

# What stands for `generate` of a model.
GENERATE = "CleanModelLoader.generate_watched"


def imports_beside(place: Place) -> bool:
    """Whether something is imported on a call's own line, behind which the loader's import would come too late."""
    body = () if place.line is None else place.line.body
    return any(isinstance(one, (cst.Import, cst.ImportFrom)) for one in body)


def shows_itself(script: Script, call: cst.Call) -> bool:
    """Whether a call may stand in an f-string that shows what it says: `{model.generate(ids)=}`."""
    rest = script.utf8[script.span(call).end :].partition(b"\n")[0]
    return b"=}" in rest.replace(b" ", b"")


def between(script: Script, argument: cst.Arg) -> str:
    """What stands before an argument that is to come behind another: a space, or a line like the other's."""
    start = script.span(argument).start
    line = script.utf8.rfind(b"\n", 0, start) + 1
    before = script.utf8[line:start].decode()
    return " " if before.strip() else f"{script.newline}{before}"
