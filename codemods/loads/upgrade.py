"""Code that already uses an older loader: its import, its two-tuple, its keywords, its silent settings."""

from __future__ import annotations

import libcst as cst

from codemods.loads.old_modules import module_sites
from codemods.plan.edits import Edit
from codemods.plan.sites import CannotRewrite, Note, Site
from codemods.script.script import Script
from lint_rules._flow.values.events import LoaderBuild, LoaderCall
from lint_rules._flow.values.syntax import dotted

_OURS = ("guard", "cleanguard")
_NAME = "CleanModelLoader"
_GUARD = f"from guard import {_NAME}"
_IMPORT = "CG602"
_UNPACKED = "CG601"
# What older loaders called things that the guard has under another name.
_RENAMED = {
    "model_name": "model_id",
    "torch_dtype": "dtype",
    "use_auth_token": "token",
    "max_tokens": "max_new_tokens",
    "stop": "stop_strings",
    "stop_sequences": "stop_strings",
    "random_seed": "seed",
}
_EIGHT_WAS_FOUR = Note(
    "changed",
    "`load_in_8bit=True`: the older loader looked at its 4-bit default first and loaded in 4 bit; now it is 8",
)
_FOUR_BY_DEFAULT = Note("carried", "4 bit was the older loader's silent default: now said")
_SILENT_SAMPLING = Note(
    "changed",
    "the older generate sampled with top_p=0.9 and repetition_penalty=1.1 and cut prompts at 512 tokens, "
    "unasked; the guard adds nothing",
)


def rewrite(script: Script) -> list[Site]:
    """The sites of older imports of the loader, and of calls in the manner of an older loader."""
    found = _old_imports(script)
    sites = [_import_site(script, line, node) for line, node in found]
    sites += module_sites(script, _IMPORT, _GUARD)
    if sites:
        sites += [_build_site(script, build) for build in script.flow.events(LoaderBuild)]
        sites += _call_sites(script)
    sites += _unpackings(script)
    return sites


def _old_imports(script: Script) -> list[tuple[cst.SimpleStatementLine, cst.ImportFrom]]:
    """`from utils.clean_model_loader import CleanModelLoader`, from wherever it came."""
    found: list[tuple[cst.SimpleStatementLine, cst.ImportFrom]] = []
    for line in script.lines_between(None, script.span(script.module)):
        node = line.body[0] if len(line.body) == 1 else None
        if not isinstance(node, cst.ImportFrom) or isinstance(node.names, cst.ImportStar):
            continue
        module = (dotted(node.module) or "") if node.module is not None else ""
        ours = not node.relative and module.partition(".")[0] in _OURS
        if not ours and any(dotted(alias.name) == _NAME for alias in node.names):
            found.append((line, node))
    return found


def _import_site(script: Script, line: cst.SimpleStatementLine, node: cst.ImportFrom) -> Site:
    summary = "import the loader from guard"
    assert not isinstance(node.names, cst.ImportStar)
    aliases = {dotted(alias.name): alias for alias in node.names}
    loader = script.code(aliases.pop(_NAME)).rstrip(", \t")
    lines = [_GUARD.replace(_NAME, loader)]
    if aliases:
        module = script.code(node.module) if node.module is not None else ""
        names = ", ".join(script.code(alias).rstrip(", \t") for alias in aliases.values())
        lines.insert(0, f"from {'.' * len(node.relative)}{module} import {names}")
    try:
        return Site(_IMPORT, node, summary, (script.replace(line, lines),))
    except CannotRewrite as reason:
        return Site(_IMPORT, node, summary, reason=str(reason))


def _build_site(script: Script, build: LoaderBuild) -> Site:
    """The loader's own keywords; what the older one did without being asked is said or pointed out."""
    edits = _renames(script, build.node)
    notes: list[Note] = []
    if build.args.literal("load_in_8bit") is True and "load_in_4bit" not in build.args.keywords:
        notes.append(_EIGHT_WAS_FOUR)
    elif (
        not {"load_in_8bit", "load_in_4bit"} & build.args.keywords.keys() and not build.args.spread
    ):
        last = build.node.args[-1] if build.node.args else None
        end = script.span(build.node).end - 1 if last is None else script.span(last.value).end
        edits.append(Edit(end, end, ("" if last is None else ", ") + "load_in_4bit=True"))
        notes.append(_FOUR_BY_DEFAULT)
    return Site(
        _IMPORT, build.node, "say what the older loader assumed", tuple(edits), tuple(notes)
    )


def _call_sites(script: Script) -> list[Site]:
    sites: list[Site] = []
    for call in script.flow.events(LoaderCall):
        if call.method not in ("generate", "generate_batch"):
            continue
        edits, notes = _renames(script, call.node), [_SILENT_SAMPLING]
        sites.append(
            Site(_IMPORT, call.node, "generate with the guard", tuple(edits), tuple(notes))
        )
    return sites


def _renames(script: Script, node: cst.Call) -> list[Edit]:
    edits: list[Edit] = []
    for arg in node.args:
        if arg.keyword is not None and arg.keyword.value in _RENAMED:
            span = script.span(arg.keyword)
            edits.append(Edit(span.start, span.end, _RENAMED[arg.keyword.value]))
    return edits


def _unpackings(script: Script) -> list[Site]:
    """`model, tokenizer = loader.load()` lacks the third value."""
    summary = "take the provenance that load() returns"
    sites: list[Site] = []
    for call in script.flow.events(LoaderCall):
        line = call.place.line
        only = line.body[0] if line is not None and len(line.body) == 1 else None
        if call.method != "load" or not isinstance(only, cst.Assign) or only.value is not call.node:
            continue
        target = only.targets[0].target
        if len(only.targets) != 1 or not isinstance(target, (cst.Tuple, cst.List)):
            continue
        if len(target.elements) != 2 or any(
            isinstance(element, cst.StarredElement) for element in target.elements
        ):
            continue
        owner = (dotted(target.elements[0].value) or "").rpartition(".")[0]
        name = "clean_provenance" if script.is_taken("provenance") else "provenance"
        end = script.span(target.elements[1].value).end
        text = f", {owner}.provenance" if owner else f", {name}"
        sites.append(Site(_UNPACKED, only, summary, (Edit(end, end, text),)))
    return sites
