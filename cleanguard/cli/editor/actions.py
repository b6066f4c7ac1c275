"""What an editor can do about findings: fixes, `migrate` for the whole file, a comment with a reason."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from difflib import SequenceMatcher
from pathlib import Path

from lsprotocol import types
from pygls.uris import to_fs_path
from pygls.workspace import TextDocument

from cleanguard.catalogue.findings import Finding, Position
from cleanguard.cli.editor.checked import migrated
from cleanguard.cli.editor.showing import diagnostic_of, range_of, touch
from cleanguard.editing.edits import Edit
from cleanguard.report.counting import counted
from cleanguard.settings.adding import ignored

FIX_ALL = "source.fixAll.cleanguard"
# What stands in a comment until somebody says it.
REASON = "TODO: say why this is right here"


class Actions:
    """What can be done in a document, as it stood when its findings were made.

    Args:
        document: The file, or a notebook's cell.
        found: Its findings.
        is_cell: It is a cell, which `migrate` does not see alone.
        lazy: The editor asks again for the edit of an action that is chosen.
    """

    def __init__(
        self, document: TextDocument, found: Sequence[Finding], *, is_cell: bool, lazy: bool
    ) -> None:
        self._document = document
        self._found = found
        self._is_cell = is_cell
        self._lazy = lazy

    def offered(self, params: types.CodeActionParams) -> list[types.CodeAction]:
        """What is offered for a range, and of the kinds that are wanted."""
        actions: list[types.CodeAction] = []
        if _wants(params, types.CodeActionKind.QuickFix):
            hit = [
                (finding, diagnostic)
                for finding in self._found
                if touch((diagnostic := diagnostic_of(self._document, finding)).range, params.range)
            ]
            for finding, diagnostic in hit:
                actions += self._quick_fixes(finding, diagnostic)
            actions += self._whole_file(hit)
            actions += [
                self._comment(finding, diagnostic)
                for finding, diagnostic in hit
                if self._can_comment(finding)
            ]
        only = params.context.only
        if only and _wants(params, FIX_ALL):  # never among what is offered at a place
            actions += self._fix_all()
        return actions

    def resolved(self, action: types.CodeAction) -> types.CodeAction:
        """The action with its edit: what `migrate` makes of the file is planned when it is wanted.

        Raises:
            JobError: The configuration cannot be used.
        """
        document = self._document
        path = Path(to_fs_path(document.uri) or document.path)
        before = document.source.encode("utf-8", errors="replace")
        after = migrated(path, before)
        if after == before:
            action.disabled = types.CodeActionDisabled(
                "nothing here can be rewritten for certain; `cleanguard migrate` says why"
            )
            action.edit = types.WorkspaceEdit({document.uri: []})
        else:
            edits = _between(before.decode(), after.decode())
            action.edit = self._edit(edits)
        return action

    def _quick_fixes(
        self, finding: Finding, diagnostic: types.Diagnostic
    ) -> list[types.CodeAction]:
        fix = finding.fix
        if fix is None or not fix.edits:
            return []
        hint = "" if fix.applicability == "safe" else " (may change results)"
        return [
            types.CodeAction(
                f"{finding.code}: {fix.message}{hint}",
                kind=types.CodeActionKind.QuickFix,
                diagnostics=[diagnostic],
                is_preferred=fix.applicability == "safe",
                edit=self._edit(fix.edits),
            )
        ]

    def _whole_file(
        self, hit: Iterable[tuple[Finding, types.Diagnostic]]
    ) -> list[types.CodeAction]:
        """Loads and what is done with them change together, so `migrate` is offered for the file."""
        theirs = [d for f, d in hit if f.fix and f.fix.applicability == "migrate"]
        if not theirs or self._is_cell:
            return []
        number = sum(1 for f in self._found if f.fix and f.fix.applicability == "migrate")
        action = types.CodeAction(
            f"cleanguard migrate: rewrite this file ({counted(number, 'finding')})",
            kind=types.CodeActionKind.QuickFix,
            diagnostics=theirs,
            data=self._document.uri,
        )
        return [action if self._lazy else self.resolved(action)]

    def _can_comment(self, finding: Finding) -> bool:
        return bool(self._comment_edits(finding))

    def _comment_edits(self, finding: Finding) -> tuple[Edit, ...]:
        place, end = finding.location, finding.end_location
        bare = replace(
            finding,
            location=Position(place.row, place.column),
            end_location=Position(end.row, end.column),
        )
        return ignored(self._document.source, [bare], REASON).edits

    def _comment(self, finding: Finding, diagnostic: types.Diagnostic) -> types.CodeAction:
        return types.CodeAction(
            f"{finding.code}: suppress here, with a reason",
            kind=types.CodeActionKind.QuickFix,
            diagnostics=[diagnostic],
            edit=self._edit(self._comment_edits(finding)),
        )

    def _fix_all(self) -> list[types.CodeAction]:
        taken: list[Edit] = []
        for finding in self._found:
            if finding.fix is None or finding.fix.applicability != "safe":
                continue
            new = [edit for edit in finding.fix.edits if edit not in taken]
            if all(
                edit.end < other.start or other.end < edit.start for edit in new for other in taken
            ):
                taken += new
        if not taken:
            return []
        title = "cleanguard: make all safe fixes"
        return [types.CodeAction(title, kind=FIX_ALL, edit=self._edit(taken))]

    def _edit(self, edits: Iterable[Edit]) -> types.WorkspaceEdit:
        utf8 = self._document.source.encode("utf-8", errors="replace")
        made = [
            types.TextEdit(
                range_of(self._document, _position(utf8, edit.start), _position(utf8, edit.end)),
                edit.text,
            )
            for edit in sorted(edits)
        ]
        return types.WorkspaceEdit({self._document.uri: made})


def _wants(params: types.CodeActionParams, kind: str) -> bool:
    """Whether an action of a kind is asked for; a kind asks for those below it as well."""
    only = params.context.only
    kind = _name(kind)
    return only is None or any(f"{kind}.".startswith(f"{one!s}.") for one in map(_name, only))


def _name(kind: types.CodeActionKind | str) -> str:
    return kind.value if isinstance(kind, types.CodeActionKind) else kind


def _between(before: str, after: str) -> list[Edit]:
    """The lines that differ, so that the cursor and folds of what stays are left alone."""
    old, new = before.splitlines(keepends=True), after.splitlines(keepends=True)
    starts = [0]
    for line in old:
        starts.append(starts[-1] + len(line.encode()))
    codes = SequenceMatcher(None, old, new, autojunk=False).get_opcodes()
    return [
        Edit(starts[a], starts[b], "".join(new[c:d])) for tag, a, b, c, d in codes if tag != "equal"
    ]


def _position(utf8: bytes, offset: int) -> Position:
    before = utf8[:offset]
    line = before.rpartition(b"\n")[2]
    return Position(before.count(b"\n") + 1, len(line.decode(errors="replace")) + 1)
