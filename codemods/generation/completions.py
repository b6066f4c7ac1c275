"""Generations of which more than the text is used: `loader.complete` gives text, ids and their number.

`out = model.generate(…)` becomes `completion = loader.complete(…)[0]` where it stands; a decoded row becomes
`completion.text`, the number of its tokens `len(completion.ids)`, its ids `completion.ids`.
"""

from __future__ import annotations

import libcst as cst

from codemods.facts.receiver import loader_at
from codemods.generation.guarded_call import arguments_of, many_prompts, one_or_many
from codemods.generation.in_place import inside, refuse_changed_prompt
from codemods.plan.edits import Edit
from codemods.plan.sites import CannotRewrite, Note
from codemods.script.purity import assigned_name
from codemods.script.script import Script
from codemods.texts.carried_names import carried_names
from codemods.texts.completion_uses import CompletionUses
from codemods.texts.decoded_ids import generated_in, has_prompt
from codemods.texts.encoding import kept_encoding
from codemods.texts.prompt_cut import prompt_names
from codemods.texts.statements_between import foldable, pure_lines
from lint_rules._flow.values.events import Decode, Encode, Generate
from lint_rules._light.positions import Span

_MORE = CannotRewrite("what generate returns is used for more than its text, ids and their number")
_NOTE = Note("carried", "the text, the ids and their number: `complete` gives them together")


def rewrite_completion(
    script: Script, encode: Encode, generate: Generate, unmigrated: frozenset[cst.CSTNode]
) -> tuple[list[Edit], list[Note]]:
    """Turns one generation from one prompt, assigned to a name, into a completion.

    Raises:
        CannotRewrite: Something is used that a completion does not have.
    """
    line = script.statement(generate.place)
    name = assigned_name(line)
    function = generate.place.function
    if name is None or len(script.stores_of(name, function)) != 1 or _is_decorated(generate):
        raise _MORE
    if one_or_many(encode) != "one" or "num_return_sequences" in generate.args.keywords:
        raise CannotRewrite("several texts are generated, and more than their text is used")
    if script.is_taken_elsewhere(name, function):
        raise CannotRewrite(f"another file takes `{name}` from this one")
    new = next(
        (n for n in ("completion", f"{name}_completion") if not script.is_taken(n)), f"{name}_done"
    )
    uses = CompletionUses(script, encode, generate, name, new)
    (script.module if function is None else function.body).visit(uses)
    found = uses
    if not found.decodes:
        raise CannotRewrite("what it generates is not decoded in this function")
    forms = {has_prompt(generated) for d in found.decodes if (generated := generated_in(d))}
    said = {script.code(decode.node).partition(",")[2].strip(" )") for decode in found.decodes}
    if len(forms) != 1 or len(said) != 1:
        raise CannotRewrite("it is decoded in several ways")
    consumed = [Span(edit.start, edit.end) for edit in found.edits] + [script.span(generate.node)]
    removed = _removed(script, encode, generate, found.decodes, consumed)
    spans = [*consumed, *map(script.span, removed)]
    for variable in uses.names:
        for use in script.uses(variable, function):
            made = use.stores and variable == name
            if not made and not any(span.start <= use.offset < span.end for span in spans):
                raise _MORE
    refuse_changed_prompt(script, encode, generate, removed)
    prompt = many_prompts(script, encode)
    arguments, notes = arguments_of(
        script, encode, generate, found.decodes[0], full=forms == {True}, prompt=prompt
    )
    if any(argument.startswith("num_return_sequences=") for argument in arguments):
        raise CannotRewrite("several texts are generated, and more than their text is used")
    head = f"{loader_at(script, generate, unmigrated)}.complete"
    call = script.call(head, arguments, script.indent_of(line), len(f"{new} = [0]"))
    target, own = script.span(line.body[0]), script.span(generate.node)
    edits = [
        Edit(target.start, target.start + len(name.encode()), new),
        Edit(own.start, own.end, f"{call}[0]"),
        *(
            e
            for e in found.edits
            if not any(script.span(r).start <= e.start < script.span(r).end for r in removed)
        ),
        *(script.delete(statement) for statement in removed),
    ]
    kept = not inside(script, encode.node, generate.node)
    if kept and script.statement(encode.place) not in removed:
        edits.append(kept_encoding(script, encode))
    return edits, [*notes, _NOTE]


def _is_decorated(generate: Generate) -> bool:
    """Whether generate is asked for something else than ids."""
    return any(
        name in generate.args.keywords
        for name in ("return_dict_in_generate", "output_scores", "output_logits")
    )


def _removed(
    script: Script,
    encode: Encode,
    generate: Generate,
    decodes: list[Decode],
    consumed: list[Span],
) -> list[cst.BaseStatement]:
    """The lines that only served what is replaced."""
    function = generate.place.function
    start = script.span(script.statement(encode.place)).start
    ends = [span.end for span in consumed]
    lines: list[cst.BaseStatement] = [*pure_lines(script, function, Span(start, max(ends)))]
    if not inside(script, encode.node, generate.node):
        encoding = script.statement(encode.place)
        lines += [encoding] if encoding not in lines and assigned_name(encoding) else []
    read = carried_names(script, generate, tuple(decodes))
    lines = [
        line
        for line in lines
        if not script.stored_in(script.span(line)) & read
        and not any(
            script.span(line) == script.span(decode.place.line)
            for decode in decodes
            if decode.place.line
        )
        and line is not generate.place.line
    ]
    prompt = prompt_names(script, encode, function)
    lines = [
        line
        for line in lines
        if line is script.statement(encode.place)
        or script.stored_in(script.span(line)) & prompt
        or any(
            s.start >= script.span(line).start and s.end <= script.span(line).end for s in consumed
        )
    ]
    return foldable(script, lines, consumed, function)
