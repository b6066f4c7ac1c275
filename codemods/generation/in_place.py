"""Generations whose text is wanted elsewhere: the ids' variable becomes a variable of text.

`outputs = model.generate(…)` becomes `texts = CleanModelLoader.generate_batch(…)` where it stands, and
each `tokenizer.decode(outputs[i][n:])` becomes `texts[i]`: nothing moves, so loops, `try` and `with`
around the calls stay as they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import libcst as cst

from codemods.facts.receiver import loader_at
from codemods.generation.chain import decoded_span, is_needless
from codemods.generation.guarded_call import (
    arguments_of,
    many_prompts,
    one_or_many,
    one_prompt,
    takes_first,
)
from codemods.generation.text_names import direct_target, new_name, renames, whole_comprehension
from codemods.plan.edits import Edit
from codemods.plan.sites import CannotRewrite, Note
from codemods.script.purity import assigned_name, is_pure, may_change
from codemods.script.script import Script
from codemods.texts.carried_names import carried_names
from codemods.texts.decoded_ids import generated_in, has_prompt
from codemods.texts.encoding import kept_encoding, receiver
from codemods.texts.rows import Row, Rows
from codemods.texts.statements_between import foldable, pure_lines
from lint_rules._flow.values.events import Decode, Encode, Generate
from lint_rules._flow.values.joins import Generated, element_of, options
from lint_rules._light.positions import Span


@dataclass(frozen=True, slots=True)
class InPlace:
    """The edits of one variable of generated ids, and the notes of each generate call."""

    edits: tuple[Edit, ...]
    notes: tuple[tuple[Note, ...], ...]


def rewrite_in_place(
    script: Script,
    calls: Sequence[tuple[Encode, Generate]],
    name: str,
    unmigrated: frozenset[cst.CSTNode],
) -> InPlace:
    """Turns every generation that is assigned to one name into guarded text.

    Args:
        script: The script.
        calls: The generations that are assigned to the name, with their tokenisation.
        name: The variable.
        unmigrated: Loads that stay as they are.

    Raises:
        CannotRewrite: The ids are used for more than their text, or a prompt may change on the way.
    """
    function = calls[0][1].place.function
    decodes = _decodes(script, [generate for _, generate in calls])
    rows = Rows(script, name, function)
    shown = [rows.row(decode) for decode in decodes]
    firsts = [
        row.kind == "first" or takes_first(script, d) for row, d in zip(shown, decodes, strict=True)
    ]
    single = all(firsts) and not any(
        one_or_many(encode) == "many" or "num_return_sequences" in generate.args.keywords
        for encode, generate in calls
    )
    region = _region(script, calls, decodes)
    consumed = [
        *(script.span(generate.node) for _, generate in calls),
        *(decoded_span(script, decode) for decode in decodes),
        *rows.loops,
    ]
    lines = pure_lines(script, function, region)
    encodings = [
        script.statement(encode.place)
        for encode, generate in calls
        if not inside(script, encode.node, generate.node)
    ]
    candidates = [
        *lines,
        *(line for line in encodings if line not in lines and assigned_name(line)),
    ]
    read = {
        name for _, generate in calls for name in carried_names(script, generate, tuple(decodes))
    }
    candidates = [line for line in candidates if not script.stored_in(script.span(line)) & read]
    removed = foldable(script, candidates, consumed, function)
    removed = [line for line in removed if _feeds(script, line, calls, rows)]
    _refuse_other_uses(script, rows, function, [*consumed, *map(script.span, removed)])
    part = not single and any(firsts)  # the name is one of the texts, not all of them
    direct = None if part else direct_target(script, calls, decodes, single=single)
    text = new_name(script, name, single=single) if direct is None else direct.name
    removed = removed if direct is None else [*removed, direct.line]
    edits = renames(script, name, text, function, [*consumed, *map(script.span, removed)])
    notes: list[tuple[Note, ...]] = []
    for encode, generate in calls:
        head = loader_at(script, generate, unmigrated) + (
            ".generate" if single else ".generate_batch"
        )
        edit, found = _call_edit(script, encode, generate, decodes[0], text, head, single=single)
        refuse_changed_prompt(script, encode, generate, removed)
        edits.append(edit)
        notes.append(tuple(found))
    for row, decode in zip(shown, decodes, strict=True):
        if direct is None:
            edits.append(_decode_edit(script, decode, row, text, single=single))
    edits += [Edit(span.start, span.end, text) for span in rows.loops]
    edits += [script.delete(line) for line in removed]
    for encode, generate in calls:
        kept = not inside(script, encode.node, generate.node)
        if kept and script.statement(encode.place) not in removed:
            edits.append(kept_encoding(script, encode))
    return InPlace(tuple(dict.fromkeys(edits)), tuple(notes))


def _refuse_other_uses(
    script: Script, rows: Rows, function: cst.FunctionDef | None, consumed: Sequence[Span]
) -> None:
    """A row that a loop names is text from now on: `len(row)` would count letters, not tokens.

    Raises:
        CannotRewrite: The row is used for more than its text.
    """
    for name in rows.variables:
        for use in script.uses(name, function):
            if use.stores or any(span.start <= use.offset < span.end for span in consumed):
                continue
            raise CannotRewrite("a generated row is used for more than its text")


def _decodes(script: Script, generates: Sequence[Generate]) -> list[Decode]:
    nodes = {generate.node for generate in generates}
    found: list[Decode] = []
    forms: set[bool] = set()
    for decode in script.flow.events(Decode):
        sources = [
            value
            for value in (*options(decode.source), *options(element_of(decode.source)))
            if isinstance(value, Generated)
        ]
        origins = {value.origin for value in sources}
        if not origins & nodes:
            continue
        if origins - nodes:
            raise CannotRewrite("one decoding serves several generations")
        generated = generated_in(decode)
        assert generated is not None
        forms.add(has_prompt(generated))
        found.append(decode)
    if not found:
        raise CannotRewrite("what it generates is not decoded in this function")
    if any(decode.place.function is not generates[0].place.function for decode in found):
        raise CannotRewrite("tokenising, generating and decoding stand in different functions")
    if len(forms) > 1:
        raise CannotRewrite("it is decoded once with and once without the prompt")
    said = {script.code(decode.node).partition(",")[2].strip() for decode in found}
    if len({text.rstrip(", )") for text in said}) > 1:
        raise CannotRewrite("it is decoded in several ways")
    return found


def _region(
    script: Script, calls: Sequence[tuple[Encode, Generate]], decodes: Sequence[Decode]
) -> Span:
    starts = [script.span(encode.node).start for encode, _ in calls]
    first = script.statement(calls[0][0].place)
    ends = [script.span(decode.node).end for decode in decodes]
    return Span(min(*starts, script.span(first).start), max(ends))


def _feeds(
    script: Script, line: cst.BaseStatement, calls: Sequence[tuple[Encode, Generate]], rows: Rows
) -> bool:
    """Whether a line computes with the encoding or the generated ids, and not just before them."""
    if any(
        script.span(line).start == script.span(script.statement(e.place)).start for e, _ in calls
    ):
        return True
    tracked = {rows.name, *rows.variables}
    for encode, _ in calls:
        tracked |= script.stored_in(script.span(script.statement(encode.place)))
    function = calls[0][1].place.function
    grown = True
    while grown:
        size = len(tracked)
        for other in pure_lines(script, function, Span(0, len(script.utf8))):
            if script.names_in(script.span(other)) & tracked:
                tracked |= script.stored_in(script.span(other))
        grown = len(tracked) > size
    return bool(script.stored_in(script.span(line)) & tracked)


def _call_edit(
    script: Script,
    encode: Encode,
    generate: Generate,
    decode: Decode,
    text: str,
    head: str,
    *,
    single: bool,
) -> tuple[Edit, list[Note]]:
    generated = generated_in(decode)
    full = generated is not None and has_prompt(generated)
    prompt = one_prompt(script, encode) if single else many_prompts(script, encode)
    arguments, notes = arguments_of(script, encode, generate, decode, full=full, prompt=prompt)
    statement = script.statement(generate.place)
    outer = generate.place.parents[-1] if generate.place.parents else None
    if isinstance(outer, cst.With) and is_needless(outer) and len(outer.body.body) == 1:
        indent = script.indent_of(outer)
        call = script.call(head, arguments, indent, len(f"{text} = "))
        return script.replace(outer, [f"{text} = {call}"]), notes
    call = script.call(head, arguments, script.indent_of(statement), len(f"{text} = "))
    span = script.span(generate.node)
    return Edit(span.start, span.end, call), notes


def _decode_edit(script: Script, decode: Decode, row: Row, text: str, *, single: bool) -> Edit:
    span = decoded_span(script, decode)
    comprehension = whole_comprehension(script, decode) if row.kind == "variable" else None
    if comprehension is not None:
        return Edit(comprehension.start, comprehension.end, text)
    if single or row.kind == "all":
        new = text if single or not takes_first(script, decode) else f"{text}[0]"
    elif row.kind == "first":
        new = f"{text}[0]"
    else:
        new = row.code if row.kind == "variable" else f"{text}[{row.code}]"
    return Edit(span.start, span.end, new)


def refuse_changed_prompt(
    script: Script, encode: Encode, generate: Generate, removed: Sequence[cst.BaseStatement]
) -> None:
    """The prompt is read where the ids are generated, not any more where it was tokenised.

    Raises:
        CannotRewrite: Something on the way may change it, or the one does not lead to the other.
    """
    if inside(script, encode.node, generate.node):
        return
    prompt = encode.args.get("text", 0)
    assert prompt is not None
    assert prompt.expression is not None
    depth = len(encode.place.parents)
    leads = encode.place.parents == generate.place.parents[:depth]
    start, end = script.span(encode.node).end, script.span(generate.node).start
    if encode.place.function is not generate.place.function or not leads or start > end:
        raise CannotRewrite("the tokenisation does not lead straight to the generation")
    inner = generate.place.parents[depth:]
    loops = [parent for parent in inner if isinstance(parent, (cst.For, cst.While))]
    end = max(end, *(script.span(loop).end for loop in loops), 0)
    names = script.names_in(script.span(prompt.expression))
    objects = script.names_in(script.span(receiver(encode.node)))
    keeps = script.statement(encode.place) not in removed
    pure = is_pure(prompt.expression)
    if not pure and (keeps or loops):
        raise CannotRewrite("making the prompt may have effects, and it would be made twice")
    between = [
        line
        for line in script.lines_between(encode.place.function, Span(start, end))
        if line not in removed and line is not script.statement(generate.place)
    ]
    stored = script.stored_in(Span(start, end)) & (names | objects)
    if stored or any(not pure or may_change(script, line, names) for line in between):
        raise CannotRewrite("the prompt may change between tokenising and generating")


def inside(script: Script, inner: cst.CSTNode, outer: cst.CSTNode) -> bool:
    """Whether a node stands in another."""
    a, b = script.span(inner), script.span(outer)
    return b.start <= a.start and a.end <= b.end
