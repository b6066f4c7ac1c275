"""Text-generation pipelines that generate from plain text become watched ones: the same call, told of."""

from __future__ import annotations

from collections.abc import Collection, Iterator

import libcst as cst

from codemods.plan.edits import Edit
from codemods.plan.sites import Note, Site
from codemods.script.script import Script
from codemods.watching.written import imports_beside, shows_itself
from lint_rules._flow.values.events import PipelineBuild
from lint_rules._flow.values.syntax import dotted
from lint_rules._questions.pipelines import handed_on, pipeline_calls

_PIPELINE = "CleanModelLoader.pipeline_watched"
_NOTE = Note(
    "carried",
    "the call as it is, watched and not guarded: a pipeline generates with settings of its own",
)


def watched_pipelines(
    script: Script, chosen: Collection[cst.CSTNode], summaries: dict[str, str]
) -> Iterator[Site]:
    """A site for each load and each generation of a pipeline that `check` reports; the first holds the edit.

    Args:
        script: The script.
        chosen: The nodes that a person wants to be left.
        summaries: What is said of a watched site, by its code.
    """
    reported = {one: [("CG101", one.node)] for one in script.flow.events(PipelineBuild)}
    for call in pipeline_calls(script.flow):
        if call.built in reported:
            reported[call.built].append(("CG301", call.site.node))
    for built in handed_on(script.flow):
        reported[built].append(("CG301", built.node))
    for built, places in reported.items():
        edit = None if built.watched else _edit(script, built)
        left = {node for code, node in places if node in chosen}
        found = [
            (code, node) for code, node in places if script.reports(code, node) and node not in left
        ]
        if edit is None or built.node in left:
            continue
        for number, (code, node) in enumerate(found):
            edits = () if number else (edit,)
            yield Site(code, node, summaries[code], edits, (_NOTE,))


def _edit(script: Script, built: PipelineBuild) -> Edit | None:
    """The name of what is called; None for a call that is not written by its plain name."""
    if (
        not _is_named(script, built)
        or imports_beside(built.place)
        or shows_itself(script, built.node)
    ):
        return None
    span = script.span(built.node.func)
    return Edit(span.start, span.end, _PIPELINE)


def _is_named(script: Script, built: PipelineBuild) -> bool:
    """Whether what is called is the function itself, and not one that holds arguments of it (`partial`)."""
    name = dotted(built.node.func)
    if name is None:
        return False
    owner, _, last = name.rpartition(".")
    if owner:
        return last == "pipeline"
    values = script.assigned_values(name, built.place.function)
    return not any(isinstance(value, cst.Call) for value in values)
