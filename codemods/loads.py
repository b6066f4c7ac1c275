"""Model and tokenizer loads become CleanModelLoader loads."""

from __future__ import annotations

from dataclasses import dataclass

import libcst as cst

from cleanguard.families import family_of
from codemods._edits import Edit
from codemods._loader_keywords import (
    carry_model_keywords,
    carry_quantization,
    carry_tokenizer_keywords,
    written,
)
from codemods._script import Script
from codemods._sites import CannotRewrite, Note, Site
from codemods.templates import is_template_line
from lint_rules._flow.arguments import Arguments
from lint_rules._flow.events import ModelLoad, QuantConfigBuild, TokenizerLoad
from lint_rules._flow.values import ModelId

_GREEDY = Note(
    "changed",
    "generation_config.json is replaced by an explicit greedy one; what it said is recorded",
)
_TRAINING = (
    "get_peft_model",
    "prepare_model_for_kbit_training",
    "SFTTrainer",
    "DPOTrainer",
    "Trainer",
)


@dataclass(frozen=True, slots=True)
class _Target:
    """Where a load's result goes: `model`, `self.model`, `self.models["base"]`."""

    text: str
    statement: cst.SimpleStatementLine


def rewrite(script: Script) -> list[Site]:
    """The sites of all loads of the script that are our business."""
    flow = script.flow
    models = [load for load in flow.events(ModelLoad) if script.reports("CG101", load.node)]
    tokenizers = [load for load in flow.events(TokenizerLoad) if script.reports("CG102", load.node)]
    sites: list[Site] = []
    for model in models:
        partner = _partner(script, model, tokenizers)
        if partner is not None:
            tokenizers.remove(partner)
            sites += _rewrite_pair(script, model, partner)
        else:
            sites += _rewrite_model(script, model)
    for tokenizer in tokenizers:
        sites.append(_rewrite_tokenizer(script, tokenizer))
    return sites


def trains(script: Script) -> bool:
    """Whether the script trains what it loads."""
    return any(script.is_taken(name) for name in _TRAINING)


# --- which tokenizer belongs to which model


def _partner(
    script: Script, model: ModelLoad, tokenizers: list[TokenizerLoad]
) -> TokenizerLoad | None:
    """The tokenizer load that one `loader.load()` can serve together with the model load.

    It stands before the model in the same block, names the same model, and its tokenizer is not used
    in between except by lines that the migration removes.
    """
    for tokenizer in tokenizers:
        if tokenizer.place.block is not model.place.block:
            continue
        if _model_text(script, tokenizer.args) != _model_text(script, model.args):
            continue
        target = _target(script, tokenizer)
        if target is None or tokenizer.place.index >= model.place.index:
            continue
        if _target(script, model) is not None and not _used_between(
            script, tokenizer, target, model
        ):
            return tokenizer
    return None


def _used_between(
    script: Script, tokenizer: TokenizerLoad, target: _Target, model: ModelLoad
) -> bool:
    between = model.place.block[tokenizer.place.index + 1 : model.place.index]
    for statement in between:
        if not is_template_line(script, statement, tokenizer.node) and _mentions(
            script, statement, target.text
        ):
            return True
    return False


def _mentions(script: Script, node: cst.CSTNode, text: str) -> bool:
    if text.isidentifier():
        return bool(script.uses(text, node))
    return text in script.code(node)


def _model_text(script: Script, args: Arguments) -> str | None:
    argument = args.get("pretrained_model_name_or_path", 0)
    return (
        None
        if argument is None or argument.expression is None
        else script.code(argument.expression)
    )


def _target(script: Script, load: ModelLoad | TokenizerLoad) -> _Target | None:
    """Where the load's result is assigned, None where it is used in place."""
    line = load.place.line
    if line is None or len(line.body) != 1:
        return None
    statement = line.body[0]
    if not isinstance(statement, cst.Assign) or len(statement.targets) != 1:
        return None
    value = statement.value
    while value is not load.node:
        if not (isinstance(value, cst.Call) and isinstance(value.func, cst.Attribute)):
            return None
        if value.func.attr.value not in ("eval", "to", "cuda") or (
            value.func.attr.value != "eval" and isinstance(load, TokenizerLoad)
        ):
            return None
        value = value.func.value
    target = statement.targets[0].target
    if isinstance(target, (cst.Name, cst.Attribute, cst.Subscript)):
        return _Target(script.code(target), line)
    return None


# --- the rewrites


def _rewrite_pair(script: Script, model: ModelLoad, tokenizer: TokenizerLoad) -> list[Site]:
    try:
        arguments, notes = _loader_arguments(script, model, tokenizer)
        target, tokenizer_target = _target(script, model), _target(script, tokenizer)
        if target is None or tokenizer_target is None:
            raise CannotRewrite("the load is part of a larger expression")
        edit = _loader_statement(script, model, target, tokenizer_target.text, arguments)
        removal = script.delete(tokenizer_target.statement)
    except CannotRewrite as reason:
        left = _left(model, "CG101", str(reason))
        return [left, _rewrite_tokenizer(script, tokenizer)]
    edits = (edit, *_needless_eval(script, model, target))
    return [
        Site("CG101", model.node, "load through CleanModelLoader", edits, (*notes, _GREEDY)),
        Site("CG102", tokenizer.node, "take the tokenizer that load() returns", (removal,)),
    ]


def _rewrite_model(script: Script, model: ModelLoad) -> list[Site]:
    try:
        arguments, notes = _loader_arguments(script, model, None)
        target = _target(script, model)
        if target is None:
            head = script.call("CleanModelLoader", arguments, _indent(script, model))
            span = script.span(model.node)
            edits: tuple[Edit, ...] = (Edit(span.start, span.end, f"{head}.load().model"),)
        else:
            statement = _loader_statement(script, model, target, "_", arguments)
            edits = (statement, *_needless_eval(script, model, target))
    except CannotRewrite as reason:
        return [_left(model, "CG101", str(reason))]
    return [Site("CG101", model.node, "load through CleanModelLoader", edits, (*notes, _GREEDY))]


def _rewrite_tokenizer(script: Script, tokenizer: TokenizerLoad) -> Site:
    try:
        family = _family(tokenizer.model)
        given, notes = carry_tokenizer_keywords(script, tokenizer.args, family)
        arguments = [_id_argument(script, tokenizer.args), *given]
        head = script.call("CleanModelLoader", arguments, _indent(script, tokenizer))
    except CannotRewrite as reason:
        return _left(tokenizer, "CG102", str(reason))
    span = script.span(tokenizer.node)
    edit = Edit(span.start, span.end, f"{head}.load_tokenizer()")
    return Site("CG102", tokenizer.node, "load the tokenizer alone", (edit,), tuple(notes))


def _loader_arguments(
    script: Script, model: ModelLoad, tokenizer: TokenizerLoad | None
) -> tuple[list[str], list[Note]]:
    family = _family(model.model)
    given, notes = carry_model_keywords(script, model.args, family)
    bits: list[str] = []
    if "quantization_config" in model.args.keywords:
        build = script.flow.event_at(
            model.quantization.origin if model.quantization else None, QuantConfigBuild
        )
        if build is None or build.place.function is not model.place.function:
            raise CannotRewrite("the quantization config is made elsewhere")
        if _is_conditional(build, model):
            raise CannotRewrite("the quantization config is made on a condition")
        bits, more = carry_quantization(script, build.args)
        notes += more
    if tokenizer is not None:
        extra, more = carry_tokenizer_keywords(script, tokenizer.args, family)
        names = {argument.partition("=")[0] for argument in given}
        given += [argument for argument in extra if argument.partition("=")[0] not in names]
        notes += [note for note in more if note not in notes]
    if trains(script):
        given.append("for_training=True")
        notes.append(Note("carried", "`for_training=True`: the script trains what it loads"))
    return [_id_argument(script, model.args), *bits, *given], notes


def _is_conditional(build: QuantConfigBuild, model: ModelLoad) -> bool:
    """Whether the config stands in a branch that the load does not stand in."""
    return build.place.parents != model.place.parents[: len(build.place.parents)]


def _id_argument(script: Script, args: Arguments) -> str:
    argument = args.get("pretrained_model_name_or_path", 0)
    if argument is None:
        raise CannotRewrite("the load names no model")
    return written(script, argument)


def _loader_statement(
    script: Script, model: ModelLoad, target: _Target, tokenizer: str, arguments: list[str]
) -> Edit:
    indent = script.indent_of(target.statement)
    loader, provenance = names_for(script, model, target.text)
    room = len(f"{loader} = ")
    first = f"{loader} = {script.call('CleanModelLoader', arguments, indent, room)}"
    second = f"{target.text}, {tokenizer}, {provenance} = {loader}.load()"
    chain = _chained(script, model, target)
    lines = [first, second]
    if chain:
        lines.append(f"{target.text} = {target.text}{chain}")
    return script.replace(target.statement, lines)


def _chained(script: Script, model: ModelLoad, target: _Target) -> str:
    """`.to("cuda")` after the load, written as its own statement; `.eval()` is done by the loader."""
    statement = target.statement.body[0]
    assert isinstance(statement, cst.Assign)
    calls: list[str] = []
    value = statement.value
    while value is not model.node and isinstance(value, cst.Call):
        function = value.func
        assert isinstance(function, cst.Attribute)
        if function.attr.value != "eval":
            end = script.span(value).end
            calls.append(script.utf8[script.span(function.value).end : end].decode())
        value = function.value
    return "".join(reversed(calls))


def names_for(script: Script, model: ModelLoad, target: str) -> tuple[str, str]:
    """Names for the loader and the provenance beside a model target, free in this module.

    The only load of a function gets `loader` and `provenance` (`self.provenance` beside `self.model`);
    of several, each but the base's gets names of its own: `sft_loader`, `sft_provenance`.
    """
    owner, _, attribute = target.rpartition(".")
    plain = attribute.split("[")[0]
    key = "".join(char if char.isalnum() else "_" for char in attribute[len(plain) :]).strip("_")
    stem = (key or plain).removesuffix("_model").removesuffix("_base")
    loads = script.events_in(ModelLoad, model.place.function)
    alone = (
        len(loads) == 1
        or stem in ("model", "base")
        or len({_model_target(script, load) for load in loads}) == 1
    )
    short = "" if alone else f"{stem}_"
    loader, provenance = _free(script, f"{short}loader"), f"{short}provenance"
    return loader, f"{owner}.{provenance}" if owner else _free(script, provenance)


def _model_target(script: Script, load: ModelLoad) -> str | None:
    target = _target(script, load)
    return None if target is None else target.text


def _free(script: Script, name: str) -> str:
    return f"clean_{name}" if script.is_taken(name) else name


def _indent(script: Script, load: ModelLoad | TokenizerLoad) -> str:
    line = load.place.line
    return "" if line is None else script.indent_of(line)


def _family(model: ModelId) -> str | None:
    family = None if model.text is None else family_of(model.text)
    return None if family is None else family.name


def _needless_eval(script: Script, model: ModelLoad, target: _Target) -> tuple[Edit, ...]:
    """The `model.eval()` line after the load, which returns the model so; a later model keeps its own."""
    for statement in model.place.block[model.place.index + 1 :]:
        if isinstance(statement, cst.SimpleStatementLine):
            if script.code(statement) == f"{target.text}.eval()":
                return (script.delete(statement),)
            if _mentions(script, statement, target.text) and "=" in script.code(statement):
                return ()
        elif _mentions(script, statement, target.text):
            return ()
    return ()


def _left(load: ModelLoad | TokenizerLoad, code: str, reason: str) -> Site:
    return Site(code, load.node, "load through CleanModelLoader", reason=reason)
