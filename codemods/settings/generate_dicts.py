"""Which keywords the `**` dicts of a call hold: on every way that leads there, or perhaps."""

from __future__ import annotations

import re

import libcst as cst

from codemods.facts.loader_keywords import literal_value
from codemods.script.definitions import Functions, returned
from codemods.script.dict_at_place import Way
from codemods.script.dict_keys import LOOSE, NEVER, Effect, Effects, Keys, any_of, text_of
from codemods.script.script import Script
from lint_rules._flow.values.arguments import Argument
from lint_rules._flow.values.joins import UNKNOWN, Mapping, options
from lint_rules._flow.values.syntax import dotted

_SUPPLIED = Keys(closed=False, supplied=True)
# Text of whatever may take something out of a dict.
_REMOVES = re.compile(r"\.(pop|popitem|clear|__delitem__)\b|\bdel\b")
_Function = cst.FunctionDef | None


def keys_of(script: Script, argument: Argument, function: _Function) -> Keys | None:
    """The keys of a `**` argument of a call; None where nothing can be said of it."""
    assert argument.expression is not None
    found = _Reader(script).keys(argument.expression, function)
    if found.supplied:
        return None
    if found.closed:
        return found
    followed = [option for option in options(argument.value) if isinstance(option, Mapping)]
    if not found.values and not any(mapping.entries for mapping in followed):
        return None
    for mapping in followed:
        seen = {str(name): (UNKNOWN,) for name, _ in mapping.entries}
        found = Keys(found.certain, {**seen, **found.values}, closed=False)
    return found


class _Reader:
    """Reads dicts: displays, names by the statements before them, attributes by all that is done to them."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self._active: set[str] = set()
        self._removes = _REMOVES.search(script.utf8.decode()) is not None
        functions = script.look(Functions).every
        self._functions = [(script.span(found), found) for found in functions]
        self._storing: dict[str, list[cst.FunctionDef]] = {}

    def keys(self, node: cst.BaseExpression, function: _Function) -> Keys:
        """The keys of an expression, where it stands."""
        if isinstance(node, cst.Dict):
            return self._display(node, function)
        if isinstance(node, cst.Call):
            return self._call(node, function)
        if isinstance(node, cst.IfExp):
            return self.keys(node.body, function).or_else(self.keys(node.orelse, function))
        if isinstance(node, cst.BinaryOperation) and isinstance(node.operator, cst.BitOr):
            return self.keys(node.left, function).then(self.keys(node.right, function))
        if isinstance(node, cst.BooleanOperation) and isinstance(node.operator, cst.Or):
            return self.keys(node.left, function).or_else(self.keys(node.right, function))
        path = dotted(node)
        return LOOSE if path is None else self._path(path, node, function)

    def _display(self, node: cst.Dict, function: _Function) -> Keys:
        found = Keys()
        for element in node.elements:
            if not isinstance(element, cst.DictElement):
                found = found.then(self.keys(element.value, function))
                continue
            key = text_of(element.key)
            found = found.loose() if key is None else found.put(key, literal_value(element.value))
        return found

    def _call(self, node: cst.Call, function: _Function) -> Keys:
        """`dict(…)`, and copies."""
        name = dotted(node.func) or ""
        if name in ("copy.copy", "copy.deepcopy", "deepcopy") and len(node.args) == 1:
            return self.keys(node.args[0].value, function)
        if isinstance(node.func, cst.Attribute) and node.func.attr.value == "copy":
            return self.keys(node.func.value, function) if not node.args else LOOSE
        if name != "dict":
            return self._returned(name)
        found = Keys()
        for arg in node.args:
            if arg.keyword is not None:
                found = found.put(arg.keyword.value, literal_value(arg.value))
            else:
                found = found.then(self.keys(arg.value, function))
        return found

    def _returned(self, name: str) -> Keys:
        """What the one function of this name gives back."""
        owner, _, last = name.rpartition(".")
        named = [f for _, f in self._functions if f.name.value == last]
        if (
            owner not in ("", "self", "cls")
            or len(named) != 1
            or named[0].decorators
            or name in self._active
        ):
            return LOOSE
        self._active.add(name)
        try:
            return any_of(
                [self.keys(v, named[0]) for v in returned(named[0]) if v is not None] or [LOOSE]
            )
        finally:
            self._active.remove(name)

    def _path(self, path: str, node: cst.BaseExpression, function: _Function) -> Keys:
        if path in self._active:
            return LOOSE
        self._active.add(path)
        try:
            found = self._followed(path, node, function)
        finally:
            self._active.remove(path)
        return LOOSE if found.certain is None else found

    def _followed(self, path: str, node: cst.BaseExpression, function: _Function) -> Keys:
        if "." in path or path in self.script.shared_names:
            return self._anywhere(path, self.script.module, None)
        for scope in self._scopes(node):
            if scope in self._stores(path):
                if scope is function:
                    return self._here(path, node, function)
                return self._anywhere(path, scope, scope)
        if function is not None:
            return self._anywhere(path, self.script.module, None)
        return self._here(path, node, None)

    def _scopes(self, node: cst.CSTNode) -> list[cst.FunctionDef]:
        """The functions around a node, innermost first."""
        at = self.script.span(node).start
        around = [(span.start, f) for span, f in self._functions if span.start <= at < span.end]
        return [found for _, found in sorted(around, key=lambda pair: -pair[0])]

    def _stores(self, path: str) -> list[cst.FunctionDef]:
        """The functions in which a name is assigned."""
        if path not in self._storing:
            stores = self.script.stores_of(path, self.script.module)
            self._storing[path] = [
                found
                for span, found in self._functions
                if any(span.start <= use.offset < span.end for use in stores)
            ]
        return self._storing[path]

    def _effects(self, path: str, node: cst.CSTNode, function: _Function) -> list[Effect]:
        shared = "." in path or path in self.script.shared_names
        around = [] if function is None else self._scopes(function)
        others = frozenset() if shared else frozenset(self._stores(path)) - {node, *around}
        effects = Effects(path, function, removes=self._removes, others=others)
        node.visit(effects)
        return effects.found

    def _anywhere(self, path: str, scope: cst.CSTNode, function: _Function) -> Keys:
        """A dict that is made and grown at times unknown."""
        effects = self._effects(path, scope, function)
        if function is not None and path in _parameters(function):
            return _SUPPLIED
        made = [effect for effect in effects if effect.kind == "assign"]
        found = any_of([self.apply(NEVER, effect, path) for effect in made]) if made else LOOSE
        for effect in effects:
            if effect.kind != "assign":
                found = found.or_else(self.apply(found, effect, path))
        return found

    def _here(self, path: str, node: cst.BaseExpression, function: _Function) -> Keys:
        """A dict of the function in which it is used, by the statements on the way there."""
        start = NEVER
        if function is not None and path in _parameters(function):
            start = _SUPPLIED
        body = self.script.module.body if function is None else function.body.body

        def run(state: Keys, at: cst.CSTNode) -> Keys:
            for effect in self._effects(path, at, function):
                state = self.apply(state, effect, path)
            return state

        return Way(self.script, run, self.script.span(node).start).up_to_there(body, start)

    def apply(self, state: Keys, effect: Effect, path: str) -> Keys:
        """The state after one effect."""
        if effect.kind == "assign":
            return LOOSE if effect.value is None else self._assigned(state, effect, path)
        if effect.kind == "loose":  # it may also be how the dict is made: `for kw in settings`
            return LOOSE if state.certain is None else state.loose()
        if effect.kind == "merge":
            assert effect.value is not None
            return state.then(self.keys(effect.value, effect.function))
        value = UNKNOWN if effect.value is None else literal_value(effect.value)
        return (state.put if effect.kind == "put" else state.kept)(effect.key, value)

    def _assigned(self, state: Keys, effect: Effect, path: str) -> Keys:
        """What `kw = {**kw, "a": 1}` makes of what it was, and any other value of itself."""
        assert effect.value is not None
        if state.certain is None and not state.supplied:
            return self.keys(effect.value, effect.function)
        return _Itself(self, path, state).keys(effect.value, effect.function)


class _Itself(_Reader):
    """Reads a value in which the name that it is assigned to stands for what it was before."""

    def __init__(self, reader: _Reader, path: str, state: Keys) -> None:
        vars(self).update(vars(reader))  # what the module holds is read once
        self._active = set(reader._active)
        self._before = (path, state)

    def _path(self, path: str, node: cst.BaseExpression, function: _Function) -> Keys:
        if path == self._before[0]:
            return self._before[1]
        return super()._path(path, node, function)


def _parameters(function: cst.FunctionDef) -> set[str]:
    given = function.params
    named = [*given.posonly_params, *given.params, *given.kwonly_params]
    stars = [star for star in (given.star_arg, given.star_kwarg) if isinstance(star, cst.Param)]
    return {parameter.name.value for parameter in (*named, *stars)}
