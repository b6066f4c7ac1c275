"""`config=` of a load: a config of the same model that nothing changes says nothing."""

from __future__ import annotations

from collections.abc import Sequence

import libcst as cst

from codemods.facts.held_objects import HeldObject
from codemods.plan.edits import Edit
from codemods.plan.sites import CannotRewrite, Note
from codemods.script.purity import assigned_name
from codemods.script.script import Script
from lint_rules._flow.values.events import ModelLoad
from lint_rules._flow.values.syntax import dotted

# Where the config comes from; what it says is the model's own.
_HUB = frozenset(
    "trust_remote_code cache_dir revision token use_auth_token local_files_only force_download".split()  # noqa: SIM905
)
_OTHER = "the `config` of the load may say something else than the model's own"


def drop_config(script: Script, load: ModelLoad) -> list[Note]:
    """What becomes of the load's `config`.

    Raises:
        CannotRewrite: It is not, or not for certain, the config that the model has anyway.
    """
    argument = load.args.keywords.get("config")
    if argument is None or argument.node is None or argument.expression is None:
        return []
    node = argument.expression
    if isinstance(node, cst.Name):
        if node.value == "None":
            return []
        node = _made(script, load, node.value)
    if not isinstance(node, cst.Call) or not (dotted(node.func) or "").endswith(
        "Config.from_pretrained"
    ):
        raise CannotRewrite(_OTHER)
    named = [arg for arg in node.args if arg.keyword is None and not arg.star]
    keywords = {arg.keyword.value: arg.value for arg in node.args if arg.keyword is not None}
    model = load.args.get("pretrained_model_name_or_path", 0)
    same = (
        len(named) == 1
        and len(named) + len(keywords) == len(node.args)
        and keywords.keys() <= _HUB
        and model is not None
        and model.expression is not None
        and _text(script, named[0].value) == _text(script, model.expression)
    )
    if not same:
        raise CannotRewrite(_OTHER)
    for name, value in keywords.items():
        given = load.args.keywords.get(name)
        code = None if given is None or given.expression is None else script.code(given.expression)
        if code is None and name in ("cache_dir", "token", "use_auth_token", "force_download"):
            continue  # only where the files lie
        if code != script.code(value) and script.code(value) != "False":
            raise CannotRewrite(f"the `config` of the load says `{name}`, and the load does not")
    return [Note("dropped", "`config`: the model's own, as nothing changes it")]


def _made(script: Script, load: ModelLoad, name: str) -> cst.BaseExpression:
    """The one value of a name that nothing changes."""
    scope = script.home_of(name, load.place.function)
    values = script.assigned_values(name, scope)
    if len(values) != 1 or len(script.stores_of(name, scope)) != 1:
        raise CannotRewrite(_OTHER)
    held = HeldObject(name, "config")
    (script.module if scope is None else scope).visit(held)
    read = {script.span(node).start for node in held.given}
    for use in script.uses(name, scope):
        if not use.stores and use.offset not in read:
            row = script.row_at(use.offset)
            raise CannotRewrite(f"line {row} may change the `config` of the load")
    return values[0]


def unread_configs(script: Script, edits: Sequence[Edit]) -> list[Edit]:
    """Takes the lines away that made configs which only rewritten loads had read."""
    found: list[Edit] = []
    for load in script.flow.events(ModelLoad):
        argument = load.args.keywords.get("config")
        node = None if argument is None else argument.expression
        if not isinstance(node, cst.Name):
            continue
        scope = script.home_of(node.value, load.place.function)
        read = [use for use in script.uses(node.value, scope) if not use.stores]
        covered = all(any(edit.covers(use.offset) for edit in edits) for use in read)
        if not read or not covered or script.is_taken_elsewhere(node.value, scope):
            continue
        for line in script.lines_between(scope, script.span(scope or script.module)):
            if assigned_name(line) == node.value and "Config.from_pretrained" in script.code(line):
                found.append(script.delete(line))
    return list(dict.fromkeys(found))


def _text(script: Script, node: cst.BaseExpression) -> str:
    if isinstance(node, cst.SimpleString):
        return repr(node.evaluated_value)
    return script.code(node)
