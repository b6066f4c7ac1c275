"""Lines that disable a template by hand, or alias pad to eos, leave with the load that made them needless."""

from __future__ import annotations

import libcst as cst

from codemods.facts.own_tokens import keeps_own_pad
from codemods.facts.purposes import saves
from codemods.plan.sites import CannotRewrite, Note, Site
from codemods.script.script import Script
from lint_rules._flow.values.events import AttributeSet, TokenizerLoad
from lint_rules._flow.values.joins import Constant, Tokenizer
from lint_rules._questions.resets import clears_template

_SAVED = Note(
    "changed",
    "a tokenizer that is saved keeps the template of its files",
    "where they have none",
)
_SUMMARY = "drop the lines that disable the template"


def rewrite(script: Script, unmigrated: frozenset[cst.CSTNode]) -> list[Site]:
    """The sites of all lines that set a template to None.

    Args:
        script: The script.
        unmigrated: Loads that stay as they are, and with them what was done to their tokenizers.
    """
    sites: list[Site] = []
    for event in script.flow.events(AttributeSet):
        if not clears_template(event) or not script.reports("CG103", event.node):
            continue
        try:
            if not _is_guarded(event, unmigrated):
                raise CannotRewrite("the tokenizer's load stays as it is, or cannot be seen here")
            if _serves_others(script, event):
                raise CannotRewrite(
                    "another file calls this function: its tokenizer needs the line"
                )
            edit = script.delete(whole_statement(event))
            told = (_SAVED,) if saves(script) else ()
            sites.append(Site("CG103", event.node, _SUMMARY, (edit,), told))
        except CannotRewrite as reason:
            sites.append(Site("CG103", event.node, _SUMMARY, reason=str(reason)))
    return sites


def companions(
    script: Script, unmigrated: frozenset[cst.CSTNode], *, trains: bool
) -> list[AttributeSet]:
    """`pad_token = eos_token` and `padding_side = "left"` lines, which the loader makes needless."""
    if _keeps_padding(script, trains=trains):
        return []
    ours = {
        load.node
        for load in script.flow.events(TokenizerLoad)
        if script.reports("CG102", load.node)
    }
    return [
        event
        for event in script.flow.events(AttributeSet)
        if isinstance(event.target, Tokenizer)
        and event.target.origin in ours - unmigrated
        and (_aliases_pad(script, event) or _pads_left(event))
        and not keeps_own_pad(script, event)
        and not _serves_others(script, event)
    ]


def is_template_line(
    script: Script, statement: cst.CSTNode, tokenizer: cst.CSTNode, *, trains: bool
) -> bool:
    """Whether a statement only does to one tokenizer what the migration drops."""
    return any(
        isinstance(event.target, Tokenizer)
        and event.target.origin is tokenizer
        and (
            clears_template(event)
            or (
                not _keeps_padding(script, trains=trains)
                and (_aliases_pad(script, event) or _pads_left(event))
                and not keeps_own_pad(script, event)
            )
        )
        and _spans_only(event, statement)
        and not _serves_others(script, event)
        for event in script.flow.events(AttributeSet)
    )


def _keeps_padding(script: Script, *, trains: bool) -> bool:
    """Whether what is set decides what a trainer masks, or is saved with the tokenizer."""
    return trains or any(map(script.has_attribute, ("save_pretrained(", "push_to_hub(")))


def whole_statement(event: AttributeSet) -> cst.SimpleStatementLine | cst.If:
    """The statement to delete: the line, or the `if hasattr(…):` that holds nothing else.

    Raises:
        CannotRewrite: The line cannot be taken out alone.
    """
    line = event.place.line
    if line is None or len(line.body) != 1:
        raise CannotRewrite("several statements stand on one line")
    if len(event.place.block) > 1:
        return line
    guard = event.place.parents[-1] if event.place.parents else None
    if not isinstance(guard, cst.If) or guard.orelse is not None or not _is_harmless(guard.test):
        raise CannotRewrite("it is the only statement of its block")
    if len(event.place.parents) > 1:
        outer = event.place.parents[-2]
        if isinstance(outer, cst.If) and outer.orelse is guard:
            raise CannotRewrite("it is an elif branch")
    return guard


def _serves_others(script: Script, event: AttributeSet) -> bool:
    """Whether the line stands in a function that another file may call with a tokenizer of its own."""
    function, owner = event.place.function, event.place.owner
    if function is None:
        return False
    params = function.params
    given = (*params.posonly_params, *params.params, *params.kwonly_params)
    names = {parameter.name.value for parameter in given} - {"self", "cls"}
    line = event.place.line
    span = script.span(event.node if line is None else line)
    home = function.name.value if owner is None else owner.name.value
    return bool(names & script.names_in(span)) and script.is_taken_elsewhere(home)


def _is_guarded(event: AttributeSet, unmigrated: frozenset[cst.CSTNode]) -> bool:
    """Whether the tokenizer comes out of a load that is, or will be, CleanModelLoader's."""
    target = event.target
    assert isinstance(target, Tokenizer)
    return target.origin is not None and target.origin not in unmigrated


def _aliases_pad(script: Script, event: AttributeSet) -> bool:
    if event.attribute not in ("pad_token", "pad_token_id"):
        return False
    eos = event.attribute.replace("pad", "eos")
    return script.code(event.expression).endswith(f".{eos}")


def _pads_left(event: AttributeSet) -> bool:
    return event.attribute == "padding_side" and event.value == Constant("left")


def _spans_only(event: AttributeSet, statement: cst.CSTNode) -> bool:
    try:
        return whole_statement(event) is statement
    except CannotRewrite:
        return False


def _is_harmless(test: cst.BaseExpression) -> bool:
    """A test without effects: `hasattr(tokenizer, "…")`, `tokenizer.pad_token is None`."""
    if isinstance(test, (cst.Name, cst.SimpleString, cst.Integer)):
        return True
    if isinstance(test, cst.Attribute):
        return _is_harmless(test.value)
    if isinstance(test, cst.UnaryOperation):
        return _is_harmless(test.expression)
    if isinstance(test, cst.BooleanOperation):
        return _is_harmless(test.left) and _is_harmless(test.right)
    if isinstance(test, cst.Comparison):
        return _is_harmless(test.left) and all(_is_harmless(t.comparator) for t in test.comparisons)
    if isinstance(test, cst.Call):
        named = isinstance(test.func, cst.Name) and test.func.value in ("hasattr", "getattr")
        return named and all(_is_harmless(arg.value) for arg in test.args)
    return False
