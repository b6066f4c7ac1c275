"""Which tokenizer load belongs to which model load."""

from __future__ import annotations

import re
from collections.abc import Container, Sequence

import libcst as cst

from codemods.facts.load_targets import Target, target_of
from codemods.facts.purposes import trains
from codemods.loads.between import runs_unseen
from codemods.loads.templates import is_template_line
from codemods.script.purity import may_change
from codemods.script.script import Script
from codemods.script.walks import last_part, leaves
from lint_rules._flow.values.arguments import Arguments
from lint_rules._flow.values.events import ModelLoad, TokenizerLoad
from lint_rules._flow.values.syntax import dotted
from lint_rules._questions.reach import Reach


def partner_of(
    script: Script, model: ModelLoad, open_: Container[TokenizerLoad]
) -> TokenizerLoad | None:
    """The tokenizer load that one `loader.load()` can serve together with the model load.

    It stands in the same block and names the same model and revision. If it stands before, its tokenizer is not
    used in between except by lines that the migration removes; if it stands after, nothing in
    between knows its name or changes what it is loaded with.
    """
    if target_of(script, model) is None:
        return None
    likely = [one for one in script.once(_by_name).get(_name_of(script, model), ()) if one in open_]
    for fits in (_leads, _follows):
        for tokenizer in likely:
            target = target_of(script, tokenizer)
            if target is not None and fits(script, tokenizer, target, model):
                return tokenizer
    return None


_Name = tuple[int, str | None, str | None]


def _name_of(script: Script, load: ModelLoad | TokenizerLoad) -> _Name:
    """The block that a load stands in, and what it loads as written."""
    return id(load.place.block), model_text(script, load.args), _revision(script, load.args)


def _by_name(script: Script) -> dict[_Name, list[TokenizerLoad]]:
    found: dict[_Name, list[TokenizerLoad]] = {}
    for tokenizer in script.flow.events(TokenizerLoad):
        found.setdefault(_name_of(script, tokenizer), []).append(tokenizer)
    return found


def _leads(script: Script, tokenizer: TokenizerLoad, target: Target, model: ModelLoad) -> bool:
    start, end = tokenizer.place.index, model.place.index
    if start >= end or any(map(_goes_on, model.place.parents)):
        return False
    between = [
        statement
        for statement in model.place.block[start + 1 : end]
        if not is_template_line(script, statement, tokenizer.node, trains=trains(script))
    ]
    made = [part for one in between for part in _at_definition(one)]
    if any(mentions(script, part, target.text) for part in made) or _by_text(script, between):
        return False
    between = [s for s in between if not isinstance(s, cst.FunctionDef)]
    if any(mentions(script, statement, target.text) for statement in between):
        return False
    calls: list[cst.CSTNode] = [*between, target_line(model)]
    if runs_unseen(script, [*calls, *made], target, tokenizer):
        return False
    return not _may_read(script, calls, target.text, tokenizer.place.function)


def _goes_on(node: cst.CSTNode) -> bool:
    """Whether what stands behind a `try` is reached though the load of a model in it failed."""
    if not isinstance(node, (cst.Try, cst.TryStar)):
        return False
    return not all(map(_ends, node.handlers))


def _ends(handler: cst.ExceptHandler | cst.ExceptStarHandler) -> bool:
    """Whether a handler leaves, or ends the program."""
    part = last_part(handler.body)
    called = isinstance(part, cst.Expr) and isinstance(part.value, cst.Call)
    name = dotted(part.value.func) if called else None  # type: ignore[union-attr]
    return leaves(handler) or name in ("exit", "quit", "sys.exit", "os._exit")


# What reads names by their texts.
_READERS = re.compile(r"(?<![.\w])(eval|exec|globals|locals|vars)\(")


def _by_text(script: Script, statements: Sequence[cst.CSTNode]) -> bool:
    return any(_READERS.search(script.code(one)) for one in statements)


def _at_definition(statement: cst.CSTNode) -> list[cst.CSTNode]:
    """What of a function is evaluated where it is defined; all of it where a decorator may call it."""
    if not isinstance(statement, cst.FunctionDef):
        return []
    every = [
        *statement.params.params,
        *statement.params.posonly_params,
        *statement.params.kwonly_params,
    ]
    parts = [part for one in every for part in (one.default, one.annotation) if part is not None]
    parts += [] if statement.returns is None else [statement.returns]
    called = [*statement.decorators, statement.body] if statement.decorators else []
    return [*parts, *called]


def target_line(model: ModelLoad) -> cst.CSTNode:
    """The line of a load: its arguments are made before the loader's."""
    assert model.place.line is not None
    return model.place.line


def _may_read(
    script: Script,
    statements: Sequence[cst.CSTNode],
    text: str,
    function: cst.FunctionDef | None,
) -> bool:
    """Whether a statement may call something that reads a name or an attribute: a closure, a method, `map(f, …)`."""
    name = text.rpartition(".")[2].partition("[")[0]
    if text in script.shared_names:
        function = None  # any function of the module may read it
    if text.isidentifier():
        offsets = {use.offset for use in script.uses(name, function) if not use.stores}

        def reads(node: cst.CSTNode) -> bool:
            named = isinstance(node, cst.Name) and node.value == name
            return named and script.span(node).start in offsets

    else:

        def reads(node: cst.CSTNode) -> bool:
            return isinstance(node, cst.Attribute) and node.attr.value == name

    around = script.module if function is None or not text.isidentifier() else function.body
    ways = script.ways(around, through_bodies=True)
    key = name if text.isidentifier() else f".{name}"
    seeds = [node for node in ways.by_key.get(key, ()) if reads(node)]
    found = Reach(around, reads, ways=ways, seeds=seeds)
    return any(found.touches(statement) for statement in statements)


def _follows(script: Script, tokenizer: TokenizerLoad, target: Target, model: ModelLoad) -> bool:
    start, end = model.place.index, tokenizer.place.index
    if start >= end:
        return False
    read = script.names_in(script.span(target.statement))
    between = model.place.block[start + 1 : end]
    made = [part for one in between for part in _at_definition(one)]
    if any(mentions(script, part, target.text) for part in made) or _by_text(script, between):
        return False
    calls = [s for s in between if not isinstance(s, cst.FunctionDef)]
    if _may_read(script, calls, target.text, model.place.function):
        return False
    return not any(
        mentions(script, statement, target.text)
        or any(may_change(script, statement, {name}) for name in read)
        for statement in between
    )


def mentions(script: Script, node: cst.CSTNode, text: str) -> bool:
    """Whether a node reads an expression of this text."""
    if text.isidentifier():
        return bool(script.uses(text, node))
    return text in script.code(node)


def model_text(script: Script, args: Arguments) -> str | None:
    """The model as written, whatever its quotes."""
    argument = args.get("pretrained_model_name_or_path", 0)
    if argument is None or argument.expression is None:
        return None
    if isinstance(argument.expression, cst.SimpleString):
        return repr(argument.expression.evaluated_value)
    return script.code(argument.expression)


def _revision(script: Script, args: Arguments) -> str | None:
    argument = args.keywords.get("revision")
    if argument is None and args.spread and "revision" in script.source.text:
        return f"** {id(args)}"  # a dict may say one, and is another load's only by chance
    if argument is None or argument.expression is None:
        return None
    return script.code(argument.expression)
