"""Which classes a load may be called on: the loader takes the place of the libraries' plain ones only."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import libcst as cst

from codemods.loads.own_classes import hands_on, is_plain, written_class
from codemods.loads.partners import model_text
from codemods.plan.sites import CannotRewrite
from codemods.script.bindings import Bindings, Bound
from codemods.script.closures import imports_of
from codemods.script.looking import Looking
from codemods.script.script import Script
from lint_rules._flow.state.library_names import VALUE_HEAD, kind_of_call
from lint_rules._flow.values.arguments import Argument
from lint_rules._flow.values.events import AdapterAttach, ModelLoad, TokenizerLoad
from lint_rules._flow.values.joins import Constant, options
from lint_rules._flow.values.syntax import dotted

_LOAD = ".from_pretrained"
# How transformers 4 called the classes of other frameworks.
_OF_OTHERS = re.compile(r"(Flax|TF)[A-Z]")
# Classes that somebody's own module hands on; any other one of it is its own.
_HANDED_ON = frozenset(
    ["AutoModelForCausalLM", "AutoModelWithLMHead", "AutoPeftModelForCausalLM", "AutoTokenizer"]
)
# Whose classes are the loader's own.
_STOCK = ("transformers", "peft", "unsloth", "modelscope", "trl")
_COLLECTIONS = (cst.Dict, cst.Tuple, cst.List)
# A class of the script, the dotted name of something imported, or None for what cannot be seen.
_Class = cst.ClassDef | str | None
_Function = cst.FunctionDef | None
_Member = cst.BaseExpression | None


def other_classes(
    script: Script, models: Sequence[ModelLoad], tokenizers: Sequence[TokenizerLoad]
) -> dict[cst.CSTNode, str]:
    """The loads that are not to become the loader's, with the reason."""
    classes = script.once(_Classes)
    found: dict[cst.CSTNode, str] = {}
    adapters: list[ModelLoad] = []
    loads: list[ModelLoad | TokenizerLoad] = [*models, *tokenizers]
    for load in loads:
        every = list(dict.fromkeys(classes.called(load)))
        try:
            _refuse_own(script, load, every)
            if isinstance(load, ModelLoad) and any(map(_is_adapter, every)):
                adapters.append(load)
            _refuse_others(script, load, every)
        except CannotRewrite as reason:
            found[load.node] = str(reason)
    directories = _adapter_names(script)
    attached = {
        text: script.line_of(event.node)
        for event in script.flow.events(AdapterAttach)
        for text in _texts(event.args.get("model_id", 1))
    }
    for load in loads:
        name = model_text(script, load.args)
        if load.node not in found and name in directories:
            found[load.node] = f"line {directories[name]} takes an adapter by the same name"
        same = _texts(load.args.get("pretrained_model_name_or_path", 0)) & attached.keys()
        if load.node not in found and same:
            line = attached[min(same)]
            found[load.node] = f"line {line} may take an adapter by the same name"
    for tokenizer in tokenizers:
        for adapter in adapters:
            if tokenizer.node not in found and _names_the_same(script, tokenizer, adapter):
                line = script.line_of(adapter.node)
                found[tokenizer.node] = f"line {line} loads an adapter by the same name as a model"
    return found


def _texts(argument: Argument | None) -> set[str]:
    """The texts that an argument may be, over all calls."""
    found = () if argument is None else options(argument.value)
    return {one.value for one in found if isinstance(one, Constant) and isinstance(one.value, str)}


def _adapter_names(script: Script) -> dict[str, int]:
    """What adapters are loaded by, as written, with the line: a directory of one is no model's."""
    visitor = _Adapters()
    script.module.visit(visitor)
    found: dict[str, int] = {}
    for node in visitor.found:
        text = script.code(node)
        if isinstance(node, cst.SimpleString):
            text = repr(node.evaluated_value)
        found.setdefault(text, script.line_of(node))
    return found


class _Adapters(Looking):
    """What `PeftModel.from_pretrained`, `PeftConfig.from_pretrained` and `load_adapter` are given."""

    def __init__(self) -> None:
        self.found: list[cst.BaseExpression] = []

    def visit_Call(self, node: cst.Call) -> None:
        name = dotted(node.func) or ""
        owner, _, last = name.rpartition(".")
        kind = owner.rpartition(".")[2]
        if last == "from_pretrained" and kind.startswith("Peft"):
            place = 0 if kind.endswith("Config") else 1
        elif last in ("load_adapter", "attach_adapter"):
            place = 0 if last == "load_adapter" else 1
        else:
            return
        plain = [arg.value for arg in node.args if arg.keyword is None and not arg.star]
        self.found += [a.value for a in node.args if a.keyword and a.keyword.value == "model_id"]
        self.found += plain[place : place + 1]


def class_argument(script: Script, load: ModelLoad) -> str | None:
    """The class that the loader is to load with, as written; None where it is the automatic one's."""
    every = script.once(_Classes).called(load)
    own = any(not (isinstance(one, str) and _is_stock(script, one)) for one in every)
    return written_class(script, load.node) if own else None


def _refuse_own(script: Script, load: ModelLoad | TokenizerLoad, classes: Sequence[_Class]) -> None:
    for one in classes:
        if isinstance(one, cst.ClassDef) and not _takes(script, load, one):
            raise CannotRewrite(
                f"`{one.name.value}` is a class of your own; the loader would load the stock one"
            )


def _takes(script: Script, load: ModelLoad | TokenizerLoad, one: cst.ClassDef | str) -> bool:
    """Whether the loader can be told to load with a class."""
    if not isinstance(load, ModelLoad) or written_class(script, load.node) is None:
        return False
    return is_plain(script, one)


def _refuse_others(
    script: Script, load: ModelLoad | TokenizerLoad, classes: Sequence[_Class]
) -> None:
    """Raise unless every class is of the kind that the load was taken for, and a plain one of these."""
    kind = kind_of_call(load.api)
    named = [one for one in classes if not isinstance(one, cst.ClassDef)]
    if _may_differ(load, named) or any(
        one is None or kind_of_call(f"{one}{_LOAD}") != kind for one in named
    ):
        function = load.node.func
        called = function.value if isinstance(function, cst.Attribute) else function
        seen = sorted({one.rpartition(".")[2] for one in classes if isinstance(one, str)})
        names = [script.code(called)] if None in classes or len(seen) < 2 else seen
        raise CannotRewrite(
            f"the class is chosen at run time: {' or '.join(f'`{name}`' for name in names)}"
        )
    for one in classes:
        name = one.rpartition(".")[2] if isinstance(one, str) else ""
        if _is_adapter(one):
            raise CannotRewrite(
                f"`{name}` loads an adapter: load the base by its name, then `attach_adapter`"
            )
        if is_of_another_framework(name):
            raise CannotRewrite(
                f"`{name}` gives a model of another framework, the loader one of torch"
            )
        if kind == "pair-load":
            raise CannotRewrite(
                f"`{name}` gives the model and its tokenizer together, as its library changes them"
            )
        if (
            kind in ("model-load", "tokenizer-load")
            and isinstance(one, str)
            and not (
                _is_stock(script, one) or name.endswith(VALUE_HEAD) or _takes(script, load, one)
            )
        ):
            raise CannotRewrite(
                f"`{name}` may be a class of your own; the loader would load the stock one"
            )
        if name.endswith(VALUE_HEAD):
            raise CannotRewrite(f"`{name}` puts a value head on the model, the loader does not")


def is_of_another_framework(name: str) -> bool:
    """Whether a class is one of transformers 4 for Flax or TensorFlow, by its name."""
    return _OF_OTHERS.match(name) is not None


def _may_differ(load: ModelLoad | TokenizerLoad, classes: Sequence[str | None]) -> bool:
    """Whether the classes that a load chooses from may be others than the one that a model's config names."""
    if load.model.fixed or not isinstance(load, ModelLoad) or any(map(_is_adapter, classes)):
        return False
    return len({one.rpartition(".")[2] for one in classes if one is not None}) > 1


def _is_stock(script: Script, one: str) -> bool:
    """Whether a class is a library's, or one of transformers' that a module of the run hands on."""
    if one.partition(".")[0] in _STOCK:
        return True
    return one.rpartition(".")[2] in _HANDED_ON and hands_on(script, one)


def _is_adapter(one: _Class) -> bool:
    return isinstance(one, str) and one.rpartition(".")[2].startswith("AutoPeft")


def _names_the_same(script: Script, tokenizer: TokenizerLoad, adapter: ModelLoad) -> bool:
    written = model_text(script, tokenizer.args)
    known = tokenizer.model.text
    return (written is not None and written == model_text(script, adapter.args)) or (
        known is not None and known == adapter.model.text
    )


class _Classes:
    """Follows the names of classes as they are written, whatever is unclear counting as unknown."""

    def __init__(self, script: Script) -> None:
        self._bindings = Bindings(script)
        self._open: set[cst.CSTNode] = set()
        members = imports_of(script).members
        self._stars = {local: f"{module}.{real}" for local, module, real in members}

    def called(self, load: ModelLoad | TokenizerLoad) -> list[_Class]:
        """The classes whose `from_pretrained` a load calls."""
        # All of them at once: one that stops halfway leaves `_open` as it is.
        found = list(self._of(load.node.func, load.place.function))
        return [
            (one.removesuffix(_LOAD) if one.endswith(_LOAD) else None)
            if isinstance(one, str)
            else one
            for one in found
        ]

    def _of(self, node: cst.BaseExpression, function: _Function) -> Iterator[_Class]:
        if node in self._open:  # it is made of itself
            return
        self._open.add(node)
        yield from self._read(node, function)
        self._open.remove(node)

    def _read(self, node: cst.BaseExpression, function: _Function) -> Iterator[_Class]:
        if isinstance(node, cst.Name):
            yield from self._name(node.value, function)
        elif isinstance(node, cst.Attribute):
            yield from self._attribute(node, function)
        elif isinstance(node, cst.IfExp):
            yield from self._of(node.body, function)
            yield from self._of(node.orelse, function)
        elif isinstance(node, cst.BooleanOperation):
            yield from self._of(node.left, function)
            yield from self._of(node.right, function)
        elif isinstance(node, cst.NamedExpr):
            yield from self._of(node.value, function)
        elif isinstance(node, cst.Subscript):
            yield from self._member(node, function)
        elif isinstance(node, cst.Call):
            yield from self._call(node, function)
        else:
            yield None

    def _name(self, name: str, function: _Function) -> Iterator[_Class]:
        found = self._bindings.named(name, function)
        if not found and name == "None":
            return
        if not found:
            stars = self._stars.get(name)
            yield stars or (f"transformers.{name}" if self._bindings.has_star else None)
        for bound in found:
            yield from self._bound(bound)

    def _bound(self, bound: Bound) -> Iterator[_Class]:
        if bound.part is not None:
            yield from self._part(bound, bound.part)
        elif bound.value is None or isinstance(bound.value, cst.ClassDef):
            yield bound.symbol or bound.value
        else:
            yield from self._of(bound.value, bound.function)

    def _attribute(self, node: cst.Attribute, function: _Function) -> Iterator[_Class]:
        name = node.attr.value
        for base in self._of(node.value, function):
            if isinstance(base, str):
                yield f"{base}.{name}"
            elif isinstance(base, cst.ClassDef) and f".{name}" == _LOAD:
                yield base
            elif self._bindings.attributes.get(name):
                for bound in self._bindings.attributes[name]:
                    yield from self._bound(bound)
            else:
                yield None

    def _member(self, node: cst.Subscript, function: _Function) -> Iterator[_Class]:
        """`CLASSES[kind]`: the members of a collection that is written out."""
        for member, where in self._members(node.value, function):
            if member is None:
                yield None
            else:
                yield from self._of(member, where)

    def _part(self, bound: Bound, part: int) -> Iterator[_Class]:
        """`model, tokenizer = CLASSES[kind]`: one member of each such collection."""
        value = bound.value
        if not isinstance(value, cst.BaseExpression):
            yield None
            return
        held: list[tuple[_Member, _Function]] = [(value, bound.function)]
        if isinstance(value, cst.Subscript):
            held = list(self._members(value.value, bound.function))
        for one, function in held:
            elements = one.elements if isinstance(one, (cst.Tuple, cst.List)) else ()
            plain = not any(isinstance(element, cst.StarredElement) for element in elements)
            if plain and part < len(elements):
                yield from self._of(elements[part].value, function)
            else:
                yield None

    def _members(
        self, node: cst.BaseExpression, function: _Function
    ) -> Iterator[tuple[_Member, _Function]]:
        """The members of a collection, None where it is not written out."""
        held = [Bound(node, function)]
        if isinstance(node, cst.Name):
            held = self._bindings.named(node.value, function) or [Bound()]
        for bound in held:
            if bound.part is None and isinstance(bound.value, _COLLECTIONS):
                for element in bound.value.elements:
                    yield element.value, bound.function
            else:
                yield None, bound.function

    def _call(self, node: cst.Call, function: _Function) -> Iterator[_Class]:
        """`getattr(transformers, "…")`, and `partial(….from_pretrained, …)`."""
        called = (dotted(node.func) or "").rpartition(".")[2]
        given = [arg.value for arg in node.args if arg.keyword is None and not arg.star]
        if called == "partial" and given:
            yield from self._of(given[0], function)
        elif called == "getattr" and len(given) == 2 and isinstance(given[1], cst.SimpleString):
            name = given[1].evaluated_value
            for base in self._of(given[0], function):
                known = isinstance(base, str) and isinstance(name, str)
                yield f"{base}.{name!s}" if known else None
        else:
            yield None
