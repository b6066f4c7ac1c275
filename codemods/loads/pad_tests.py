"""What still looks at the pad token or the padding side of a tokenizer that the loader gives is told."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence, Set
from contextlib import suppress

import libcst as cst

from codemods.facts.growth import may_grow
from codemods.facts.growth_aside import Growth, grows
from codemods.facts.load_context import CONDITIONS, padding_notes
from codemods.facts.purposes import trains
from codemods.facts.unseen_ids import from_ids
from codemods.plan.edits import Edit
from codemods.plan.sites import CannotRewrite, Note, Site
from codemods.script.foreign import foreign_loads
from codemods.script.looking import Looking
from codemods.script.purity import assigned_name
from codemods.script.script import Script
from lint_rules._flow.values.events import AttributeSet, Encode, Generate, TokenizerLoad
from lint_rules._flow.values.syntax import dotted

_SAVES = re.compile(r"save_pretrained|push_to_hub")
_SUMMARY = "a pad token is there now"
_UNLESS = "where the tokenizer brings a pad token of its own"
_AS_FILES = 'padding="files"'
_TRAINED = "for_training=True"
_ENCODES = "CleanModelLoader.encode("
_KEPT = "the encoded batch that stays is padded on the left, with the guard's pad token"
_LOOKED_AT = (
    *("pad_token", "pad_token_id", "padding_side"),
    *("special_tokens_map", "all_special_tokens", "all_special_ids"),  # the pad token is among them
)
_READ = "it is the guard's now, which is not EOS where the vocabulary has a token to spare"
_SIDE = "the loader pads on the left"


def rewrite(script: Script, sites: Sequence[Site], edits: Iterable[Edit]) -> list[Site]:
    """A site for each test of a pad token under which statements stay, each other reading of the pad
    token or the padding side, and each padded batch that stays; if a tokenizer load is rewritten.

    Args:
        script: The script.
        sites: What is planned so far.
        edits: The edits of those sites.
    """
    foreign = _from_elsewhere(script)
    if not foreign and not any(site.code == "CG102" and site.edits for site in sites):
        return []
    gone = list(edits)
    loads = [edit.text for edit in gone if "CleanModelLoader(" in edit.text]
    as_files = bool(loads) and may_grow(script) and all(_AS_FILES in text for text in loads)
    if as_files and all(_TRAINED in text for text in loads):
        return []  # the loader leaves the pad token and the side as they were
    visitor = _PadTests()
    script.module.visit(visitor)
    own = _as_files_have_it(script, "used", "kept") | _bound_by(script, loads, _AS_FILES)
    sets = _sets_its_own(script, gone)
    own |= sets.keys()
    sided = _as_files_have_it(script, "kept") | (own & _bound_by(script, loads, _TRAINED))
    left = (foreign and not trains(script)) or any(_pads_left(text) for text in loads)
    found: list[Site] = []
    for node, asked in visitor.found:
        body = node.body.body
        if as_files or dotted(asked.value) in own:
            continue
        emptied = all(any(e.covers(script.span(line).start) for e in gone) for line in body)
        if emptied and node.orelse is None:
            continue
        test = script.code(node.test)
        text = f"`if {test}` no longer holds, as the loader gives a pad token: what stands under it is not run"
        if _SAVES.search(script.source.text):
            text += ", and a tokenizer that is saved names the files' own, perhaps none"
        if trains(script):
            text += "; a collator that masks pad does not mask eos any more"
        note = Note("changed", text, _UNLESS, beyond="always")
        found.append(Site("CG102", node, _SUMMARY, (), (note,)))
    told = {(script.line_of(node), _READ) for node, _ in visitor.found}
    keeps = {_READ: own, _SIDE: sided}
    for read in visitor.reads:
        what = _SIDE if read.attr.value == "padding_side" else _READ
        at = (script.line_of(read), what)
        early = script.span(read).start < sets.get(dotted(read.value), 0)
        if (dotted(read.value) in keeps[what] and not early) or (
            as_files if what is _READ else not left
        ):
            continue
        start, code = script.span(read).start, script.code(read)
        if at in told or any(e.covers(start) and code not in e.text for e in gone):
            continue
        told.add(at)
        note = Note("changed", f"`{code}` is read here: {what}", _UNLESS, beyond="always")
        found.append(Site("CG102", read, "what the loader sets is read", (), (note,)))
    fed = set() if as_files else _generated_from(script, sites, own)
    for encode in script.flow.events(Encode):
        start = script.span(encode.node).start
        kept = any(e.start == start and e.text.startswith(_ENCODES) for e in gone)
        if (kept or encode.node in fed) and "padding" in encode.args.keywords:
            unless = "where nothing looks at what fills it up"
            note = Note("changed", _KEPT, unless, beyond="always")
            found.append(Site("CG102", encode.node, "a batch is padded", (), (note,)))
    for encode, note in padding_notes(script, gone):
        if encode.node in fed:
            continue
        found.append(Site("CG102", encode.node, "a batch is padded", (), (note,)))
    return found


def _from_elsewhere(script: Script) -> bool:
    """Whether a tokenizer of another file comes from a loader of this run."""
    foreign = foreign_loads(script)
    tokenizers = {encode.tokenizer.origin for encode in script.flow.events(Encode)}
    return any(
        key is not None and key not in script.others.left and node in tokenizers
        for node, key in foreign.items()
    )


def _generated_from(
    script: Script, sites: Sequence[Site], own: Set[str | None]
) -> Set[cst.CSTNode]:
    """The tokenizer calls whose ids are generated from as they are, but for those that keep their pad token."""
    done = from_ids(sites)
    calls = [call for call in script.flow.events(Generate) if call.node in done]
    encodes = [script.flow.event_at(call.encoded.origin, Encode) for call in calls if call.encoded]
    return {one.node for one in encodes if one is not None and _owner(one.node) not in own}


def _owner(call: cst.Call) -> str | None:
    """`tokenizer` of `tokenizer(…)` and of `tokenizer.encode(…)`."""
    name = dotted(call.func)
    return name if name is None else name.removesuffix(".encode").removesuffix(".encode_plus")


def _as_files_have_it(script: Script, *growths: Growth) -> set[str | None]:
    """The names of tokenizers whose padding the loader leaves alone, as tokens are added to them so."""
    found: set[str | None] = set()
    for load in script.flow.events(TokenizerLoad) if may_grow(script) else ():
        with suppress(CannotRewrite):
            if grows(script, load) in growths:
                found.add(_bound(script.statement(load.place)))
    return found - {None}


def _sets_its_own(script: Script, gone: Sequence[Edit]) -> dict[str | None, int]:
    """The names of tokenizers whose pad token the script sets in any case, in a line that stays, and where first."""
    found: dict[str | None, int] = {}
    for event in script.flow.events(AttributeSet):
        start = script.span(event.node).start
        if (
            event.attribute in ("pad_token", "pad_token_id")
            and "pad_token" not in script.code(event.expression)
            and not any(isinstance(one, CONDITIONS) for one in event.place.parents)
            and not any(edit.covers(start) for edit in gone)
        ):
            for one in event.node.targets if isinstance(event.node, cst.Assign) else ():
                if isinstance(one.target, cst.Attribute):
                    name = dotted(one.target.value)
                    found[name] = min(start, found.get(name, start))
    found.pop(None, None)
    return found


def _bound_by(script: Script, loads: Sequence[str], said: str) -> set[str | None]:
    """The names of tokenizers that come from a load which says something."""
    texts = [text for text in loads if said in text]
    lines = [one.place.line for one in script.flow.events(TokenizerLoad)]
    names = {_bound(line) for line in lines if line is not None and len(line.body) == 1}
    return {
        name
        for name in names
        if name and any(re.search(rf"\b{re.escape(name)}\b", text) for text in texts)
    }


def _bound(statement: cst.CSTNode) -> str | None:
    """The name that a line binds, perhaps with its type."""
    only = statement.body[0] if isinstance(statement, cst.SimpleStatementLine) else None
    if isinstance(only, cst.AnnAssign) and isinstance(only.target, cst.Name):
        return only.target.value
    return assigned_name(statement)


def _pads_left(text: str) -> bool:
    return _TRAINED not in text and 'padding_side="right"' not in text


class _PadTests(Looking):
    """The `if` statements that ask whether a pad token is missing, and all else that looks at one."""

    def __init__(self) -> None:
        self.found: list[tuple[cst.If, cst.Attribute]] = []
        self.reads: list[cst.Attribute] = []
        self._fine: set[cst.CSTNode] = set()

    def visit_AssignTarget(self, node: cst.AssignTarget) -> None:
        self._fine.add(node.target)

    def visit_Arg(self, node: cst.Arg) -> None:
        # The guard masks what it pads, whichever token that is.
        if node.keyword is not None and node.keyword.value == "pad_token_id":
            self._fine.add(node.value)

    def visit_Attribute(self, node: cst.Attribute) -> None:
        if node in self._fine or node.attr.value not in _LOOKED_AT:
            return
        owner = (dotted(node.value) or "").rpartition(".")[2]
        if owner and not owner.endswith(("config", "args")):
            self.reads.append(node)

    def visit_If(self, node: cst.If) -> None:
        test = node.test
        if isinstance(test, cst.UnaryOperation) and isinstance(test.operator, cst.Not):
            asked: cst.BaseExpression = test.expression
        elif isinstance(test, cst.Comparison) and isinstance(
            test.comparisons[0].operator, (cst.Is, cst.Equal)
        ):
            last = test.comparisons[0].comparator
            if not (isinstance(last, cst.Name) and last.value == "None"):
                return
            asked = test.left
        else:
            return
        if isinstance(asked, cst.Attribute) and asked.attr.value in ("pad_token", "pad_token_id"):
            self.found.append((node, asked))
