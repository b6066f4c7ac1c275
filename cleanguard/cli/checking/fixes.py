"""Fixes the files of a run, or shows what would be fixed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from cleanguard.catalogue.findings import Finding
from cleanguard.editing.patch import unified
from cleanguard.editing.write import WriteError, replace_file
from cleanguard.files import SourceFile
from cleanguard.settings.config import Settings

if TYPE_CHECKING:
    from lint_rules._engine.fixing import Fixed


@dataclass(frozen=True, slots=True)
class Fixes:
    """What fixing came to.

    Attributes:
        findings: What is left, or would be.
        codes: How many findings of each code were fixed, or would be.
        names: The same for each file.
        patch: The unified diff.
        failures: Files that could not be fixed or written, with the reason.
        files: The files as they are now.
        stdin: The fixed standard input, None if that was not checked or nothing is written.
    """

    findings: tuple[Finding, ...]
    codes: Mapping[str, int]
    patch: bytes
    failures: tuple[str, ...]
    files: tuple[SourceFile, ...]
    stdin: bytes | None = None
    names: Mapping[str, Mapping[str, int]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Fixing:
    """What fixing a file takes; done in a worker process, as `check` does it."""

    settings: Settings
    files: tuple[SourceFile, ...]
    unsafe: bool

    def __call__(self, file: SourceFile) -> Fixed:
        from lint_rules._engine.fixing import fix_source

        return fix_source(
            file.name, file.read(), self.settings, self.files, file.path, unsafe=self.unsafe
        )


def fix_files(
    findings: Sequence[Finding],
    files: Sequence[SourceFile],
    settings: Settings,
    *,
    unsafe: bool,
    write: bool,
) -> Fixes:
    """Fixes the files whose findings carry edits; a file that cannot be fixed costs only itself."""
    from lint_rules._engine.each import Each, Unread

    fixable = {
        finding.filename
        for finding in findings
        if finding.fix and finding.fix.applicability != "migrate"
    }
    left = [finding for finding in findings if finding.filename not in fixable]
    codes: Counter[str] = Counter()
    names: dict[str, Mapping[str, int]] = {}
    now = {file.name: file for file in files}
    patches: list[bytes] = []
    failures = [
        f"{one.name}: cannot list the folder; nothing in it was fixed"
        for one in files
        if one.unlisted
    ]
    roots = (
        Path.cwd(),
        *(file.path.absolute().parent for file in files if not file.path.is_symlink()),
    )
    wanted = [file for file in files if file.name in fixable]
    with Each(_Fixing(settings, tuple(files), unsafe), "fixing") as each:
        outcomes = each.run(wanted)
    for file, fixed in zip(wanted, outcomes, strict=True):
        problem = None
        if isinstance(fixed, Unread):
            problem = fixed.reason if fixed.crashed else f"{fixed.line}: {fixed.reason}"
        elif write and fixed.changed and file.content is None:
            try:
                replace_file(file.path, fixed.before, fixed.after, roots, file.name)
            except WriteError as error:
                problem = str(error)
        if isinstance(fixed, Unread) or problem is not None:
            failures.append(problem or "")
            left += [finding for finding in findings if finding.filename == file.name]
            continue
        if fixed.refusal:
            failures.append(f"{file.name}: not fixed: {fixed.refusal}; please report it")
        left += fixed.findings
        codes.update(fixed.codes)
        names[file.name] = fixed.codes
        patches.append(unified(file.name, fixed.before, fixed.after))
        if file.content is not None and write:
            now[file.name] = replace(file, content=fixed.after)
    stdin = next((file.content for file in now.values() if file.content is not None), None)
    ordered = sorted(left, key=lambda finding: finding.sort_key)
    return Fixes(
        tuple(ordered),
        codes,
        b"".join(patches),
        tuple(failures),
        tuple(now.values()),
        stdin if write else None,
        names,
    )
