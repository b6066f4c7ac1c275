"""What a load says about the hub: an id or a path, a pinned revision, remote code."""

from __future__ import annotations

import re

from lint_rules._flow.values.arguments import Arguments
from lint_rules._flow.values.joins import Constant, Mixed, ModelId, Unknown, options
from lint_rules._light import tree as cst
from lint_rules._questions.reach import nodes_in

_HUB_ID = re.compile(r"^[A-Za-z0-9][\w.\-]*(/[A-Za-z0-9][\w.\-]*/?)?$")
_COMMIT = re.compile(r"^[0-9a-f]{40}$")


def is_hub_id(model: ModelId) -> bool:
    """Whether the text can only be a repository of the hub, not a folder."""
    return model.text is not None and _HUB_ID.match(model.text) is not None


def is_pinned(args: Arguments) -> bool | None:
    """Whether a 40-hex revision is given; None where the program decides."""
    given = args.get("revision")
    if given is None:
        return None if args.opaque else False
    found = list(options(given.value))
    if any(isinstance(option, Unknown) or not isinstance(option, Constant) for option in found):
        return None
    return all(
        isinstance(option, Constant)
        and not option.optional
        and _COMMIT.match(str(option.value)) is not None
        for option in found
    )


def may_be_unpinned(args: Arguments, function: cst.FunctionDef | None) -> bool:
    """Whether a branch of the function leaves None in the variable that is given as the revision.

    What is assigned on every way behind the branch is not looked at again.
    """
    given = args.get("revision")
    if given is None or function is None or not isinstance(given.expression, cst.Name):
        return False
    name = given.expression.value
    plain = _assigned(name, function.body)
    branches = [one for one in nodes_in(function.body) if isinstance(one, (cst.If, cst.Else))]
    none = any(value for one in branches for value in _assigned(name, one.body))
    return none and not any(value is False for value in plain)


def _assigned(name: str, body: cst.BaseSuite) -> list[bool]:
    """Whether None is assigned to a name, for each statement of a body itself that assigns it."""
    lines = [line for line in body.body if isinstance(line, cst.SimpleStatementLine)]
    return [
        isinstance(one.value, cst.Name) and one.value.value == "None"
        for line in lines
        for one in line.body
        if isinstance(one, cst.Assign)
        for target in one.targets
        if isinstance(target.target, cst.Name) and target.target.value == name
    ]


def runs_remote_code(args: Arguments) -> bool:
    """Whether `trust_remote_code=True` is said, also by a default, or by the absence of an option."""
    given = args.get("trust_remote_code")
    if given is None:
        return False
    if isinstance(given.value, Unknown) and isinstance(given.expression, cst.UnaryOperation):
        return True  # `not args.own_code`: nobody who leaves the option out asks for it
    if isinstance(given.value, Mixed):
        return True  # a dict that some branch puts it into
    return any(
        isinstance(option, Constant) and option.value is True for option in options(given.value)
    )
