"""Dicts of load keywords, `from_pretrained(name, **model_kwargs)`: their entries become the loader's."""

from __future__ import annotations

from dataclasses import dataclass

import libcst as cst

from codemods.facts.loader_keywords import fate_of_model_keyword, literal_value
from codemods.plan.edits import Edit
from codemods.plan.sites import CannotRewrite, Note
from codemods.quantization.configs import Said, as_mapping, refuse_taken
from codemods.quantization.keywords import carry_quantization
from codemods.script.script import Script
from lint_rules._flow.values.arguments import Argument
from lint_rules._flow.values.events import ModelLoad, QuantConfigBuild
from lint_rules._flow.values.joins import ModelId
from lint_rules._flow.values.syntax import dotted

_UNFOLLOWED = "what the `**` arguments of the load hold cannot be seen here; write them out"


@dataclass(frozen=True, slots=True)
class _Entry:
    """What one entry of the dict becomes: `"dtype": x`, `**config`, or nothing."""

    texts: tuple[str, ...]
    renamed: str | None = None
    spread: str | None = None


class _Dict:
    """Collects the edits of one dict."""

    def __init__(self, script: Script, function: cst.FunctionDef | None, model: ModelId) -> None:
        self.script = script
        self.function = function
        self.model = model
        self.notes: list[Note] = []
        self.edits: list[Edit] = []
        self.names: list[tuple[str, cst.FunctionDef | None]] = []

    def display(self, node: cst.BaseExpression) -> None:
        """`{"device_map": "auto", …}` or `dict(device_map="auto")`."""
        pairs = _pairs(node)
        if pairs is None:
            raise CannotRewrite(_UNFOLLOWED)
        entries = [self.entry(key, value) for key, _, value in pairs]
        if all(entry.renamed is not None for entry in entries):
            for entry, (key, at, _) in zip(entries, pairs, strict=True):
                if entry.renamed != key:
                    span = self.script.span(at)
                    bare = isinstance(at, cst.Name)
                    new = entry.renamed if bare else f'"{entry.renamed}"'
                    self.edits.append(Edit(span.start, span.end, new or ""))
            return
        span = self.script.span(node)
        text = ", ".join(text for entry in entries for text in entry.texts)
        self.edits.append(Edit(span.start, span.end, f"{{{text}}}"))

    def put(self, line: cst.SimpleStatementLine, name: str, node: cst.Assign) -> None:
        """`model_kwargs["quantization_config"] = …`."""
        key = _key_of(node.targets[0].target)
        if key is None:
            raise CannotRewrite(_UNFOLLOWED)
        entry = self.entry(key, node.value)
        if entry.renamed == key:
            return
        if entry.spread is not None:
            self.edits.append(self.script.replace(line, [f"{name}.update({entry.spread})"]))
        elif len(entry.texts) == 1:
            new, _, value = entry.texts[0].partition(": ")
            self.edits.append(self.script.replace(line, [f"{name}[{new}] = {value}"]))
        elif entry.texts:
            self.edits.append(
                self.script.replace(line, [f"{name}.update({{{', '.join(entry.texts)}}})"])
            )
        else:
            self.edits.append(self.script.delete(line))

    def entry(self, key: str, value: cst.BaseExpression) -> _Entry:
        """What one entry becomes."""
        if key != "quantization_config":
            argument = Argument(literal_value(value), value, None)
            fate = fate_of_model_keyword(self.script, key, argument, self.model)
            self.notes += fate.notes
            if fate.after is not None:
                raise CannotRewrite(f"the keyword `{key}` in a dict has no place in the loader")
            if fate.keyword is None:
                return _Entry(())
            return _Entry((f'"{fate.keyword}": {fate.value}',), fate.keyword)
        build = self.script.flow.event_at(value, QuantConfigBuild)
        if build is not None:
            bits, notes = carry_quantization(self.script, build.args)
            self.notes += notes
            return _Entry(tuple(f'"{name}": {text}' for name, text in bits))
        said = as_mapping(self.script, self.function, value)
        self.notes += said.notes
        self.names += said.names
        inside = self.script.span(value)
        text = self.script.utf8[inside.start : inside.end]
        for edit in sorted(said.edits, reverse=True):
            if inside.start <= edit.start < inside.end:
                at = edit.start - inside.start
                text = text[:at] + edit.text.encode() + text[edit.end - inside.start :]
            else:
                self.edits.append(edit)
        code = text.decode()
        code = f"({code})" if isinstance(value, cst.IfExp) else code
        return _Entry((f"**{code}",), spread=code)


def say_dict(script: Script, load: ModelLoad, node: cst.BaseExpression) -> Said:
    """The `**` argument of a load, with the dict's entries turned into the loader's keywords.

    Raises:
        CannotRewrite: Some entry cannot be seen, or has no place in the loader.
    """
    found = _Dict(script, load.place.function, load.model)
    if not isinstance(node, cst.Name):
        raise CannotRewrite(_UNFOLLOWED)
    name = node.value
    scope = script.home_of(name, load.place.function)
    stores = script.assigned_values(name, scope)
    if not stores or len(stores) != len(script.stores_of(name, scope)):
        raise CannotRewrite(_UNFOLLOWED)
    refuse_taken(script, name, scope)
    for value in stores:
        found.display(value)
    for line in _lines_with(script, name, scope):
        only = line.body[0] if len(line.body) == 1 else None
        if isinstance(only, cst.Assign) and _subscripted(only.targets[0].target) == name:
            found.put(line, name, only)
        elif isinstance(only, cst.Expr) and isinstance(only.value, cst.Call):
            call = only.value
            if dotted(call.func) == f"{name}.update":
                _update(found, call)
        # The uses that these lines make are seen to; all others must lie in migrated loads.
    touched = tuple(Edit(at, at + len(name.encode())) for at in _changing_uses(script, name, scope))
    return Said(
        (f"**{name}",),
        tuple(dict.fromkeys(found.notes)),
        tuple(found.edits),
        (*found.names, (name, scope)),
        touched,
    )


def only_spread(script: Script, name: str, scope: cst.FunctionDef | None) -> cst.Dict | None:
    """The dict that a name holds, made once and read only as `**name`; None where it may be another."""
    values = script.assigned_values(name, scope)
    if len(values) != 1 or len(script.stores_of(name, scope)) != 1:
        return None
    (made,) = values
    read = [use.offset for use in script.uses(name, scope) if not use.stores]
    if not isinstance(made, cst.Dict) or any(script.utf8[at - 2 : at] != b"**" for at in read):
        return None
    start, inside = script.span(made).start, script.names_in(script.span(made))
    changed = any(use.offset > start for one in inside for use in script.stores_of(one, scope))
    return None if changed or _pairs(made) is None else made


def keys_of(made: cst.Dict) -> list[str]:
    """The keys of a dict whose keys are texts."""
    return [key for key, _, _ in _pairs(made) or ()]


def _update(found: _Dict, call: cst.Call) -> None:
    if len(call.args) == 1 and call.args[0].keyword is None and not call.args[0].star:
        found.display(call.args[0].value)
        return
    pairs = _pairs(call)
    if pairs is None:
        raise CannotRewrite(_UNFOLLOWED)
    entries = [found.entry(key, value) for key, _, value in pairs]
    span, function = found.script.span(call), found.script.code(call.func)
    text = ", ".join(text for entry in entries for text in entry.texts)
    found.edits.append(Edit(span.start, span.end, f"{function}({{{text}}})"))


def _lines_with(
    script: Script, name: str, scope: cst.FunctionDef | None
) -> list[cst.SimpleStatementLine]:
    """The lines that begin with the name."""
    own = {use.offset for use in script.uses(name, scope)}
    every = script.lines_between(scope, script.span(script.module if scope is None else scope))
    return [line for line in every if script.span(line).start in own]


def _changing_uses(script: Script, name: str, scope: cst.FunctionDef | None) -> list[int]:
    """Where lines that change the dict name it."""
    found: list[int] = []
    for line in _lines_with(script, name, scope):
        only = line.body[0] if len(line.body) == 1 else None
        target = only.targets[0].target if isinstance(only, cst.Assign) else None
        changes = target is not None and _subscripted(target) == name
        if isinstance(only, cst.Expr) and isinstance(only.value, cst.Call):
            changes = dotted(only.value.func) == f"{name}.update"
        if changes:
            found.append(script.span(line).start)
    return found


def _pairs(
    node: cst.BaseExpression,
) -> list[tuple[str, cst.CSTNode, cst.BaseExpression]] | None:
    """Key, its node, and value of each entry; None where something is spread or computed."""
    found: list[tuple[str, cst.CSTNode, cst.BaseExpression]] = []
    if isinstance(node, cst.Dict):
        for element in node.elements:
            key = element.key if isinstance(element, cst.DictElement) else None
            if not isinstance(key, cst.SimpleString) or not isinstance(key.evaluated_value, str):
                return None
            found.append((key.evaluated_value, key, element.value))
        return found
    if isinstance(node, cst.Call):
        if dotted(node.func) != "dict" and not (dotted(node.func) or "").endswith(".update"):
            return None
        for arg in node.args:
            if arg.keyword is None:
                return None
            found.append((arg.keyword.value, arg.keyword, arg.value))
        return found
    return None


def _subscripted(target: cst.BaseExpression) -> str | None:
    return dotted(target.value) if isinstance(target, cst.Subscript) else None


def _key_of(target: cst.BaseExpression) -> str | None:
    if not isinstance(target, cst.Subscript) or len(target.slice) != 1:
        return None
    index = target.slice[0].slice
    if isinstance(index, cst.Index) and isinstance(index.value, cst.SimpleString):
        value = index.value.evaluated_value
        return value if isinstance(value, str) else None
    return None
