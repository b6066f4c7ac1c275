"""The options of `cleanguard check`."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import click

from cleanguard.cli.overrides import Overrides
from cleanguard.cli.report_options import (
    SELECTION,
    Colour,
    Option,
    ReportOptions,
    codes,
    flag,
    output_options,
    with_options,
)

__all__ = ["STDIN", "CheckOptions", "Colour", "check_options"]

STDIN = "-"


@dataclass(frozen=True, slots=True)
class CheckOptions(ReportOptions):
    """What the command line of a check said."""

    paths: tuple[str, ...]
    exclude: tuple[str, ...]
    extend_exclude: tuple[str, ...]
    force_exclude: bool
    no_respect_gitignore: bool
    per_file_ignores: tuple[str, ...]
    target_version: tuple[str, ...]
    fixable: tuple[str, ...]
    extend_fixable: tuple[str, ...]
    unfixable: tuple[str, ...]
    stdin_filename: str | None
    with_trace: tuple[Path, ...]
    fix: bool
    unsafe_fixes: bool
    diff: bool
    fix_only: bool
    show_fixes: bool
    exit_non_zero_on_fix: bool
    add_ignore: str | None
    show_files: bool
    show_settings: bool
    quiet: bool
    silent: bool
    verbose: bool
    watch: bool
    jobs: int | None
    cache_dir: Path | None
    no_cache: bool

    @property
    def fixes(self) -> bool:
        """Whether anything is to be fixed, or shown as a patch."""
        return self.fix or self.unsafe_fixes or self.diff or self.fix_only

    @property
    def overrides(self) -> Overrides:
        """What it says on top of the configuration."""
        return replace(
            self.common_overrides,
            exclude=self.exclude,
            extend_exclude=self.extend_exclude,
            force_exclude=self.force_exclude,
            no_gitignore=self.no_respect_gitignore,
            per_file_ignores=self.per_file_ignores,
            target_version=self.target_version,
            fixable=self.fixable,
            extend_fixable=self.extend_fixable,
            unfixable=self.unfixable,
        )


def _patterns(name: str, text: str, metavar: str = "PATTERNS") -> Option:
    return click.option(name, multiple=True, metavar=metavar, help=text)


check_options = with_options(
    (
        click.argument("paths", nargs=-1, type=click.Path(allow_dash=True)),
        *SELECTION,
        _patterns("--exclude", "Leave these out of folders; replaces the configured ones."),
        _patterns("--extend-exclude", "Leave these out as well."),
        _patterns("--per-file-ignores", "Never report a code in some files.", "PATTERN:CODES"),
        _patterns(
            "--target-version",
            "Check keywords for this version of a library, such as 'transformers>=5'.",
            "REQUIREMENTS",
        ),
        flag("--no-respect-gitignore", "Look into what .gitignore files leave out."),
        flag("--force-exclude", "Leave out excluded files even if they are named."),
        click.option(
            "--stdin-filename",
            metavar="NAME",
            help="What standard input is called, with the path `-`.",
        ),
        *output_options(
            output_file="Write the findings to a file.",
            exit_zero="Leave with 0 even if there are findings.",
        ),
        click.option(
            "--with-trace",
            multiple=True,
            type=click.Path(path_type=Path, dir_okay=False),
            metavar="FILE",
            help="Say which findings a run confirms or contradicts; see `cleanguard trace --save`.",
        ),
        flag("--fix", "Make the safe fixes."),
        flag("--unsafe-fixes", "Make the fixes that may change results as well."),
        flag("--diff", "Write nothing; print the fixes as a patch."),
        flag("--fix-only", "Make the safe fixes, and do not report what is left."),
        flag("--show-fixes", "List what was fixed, by file."),
        flag(
            "--exit-non-zero-on-fix", "Leave with 1 if anything was fixed, even if nothing is left."
        ),
        codes("--fixable", "Fix only these; replaces the configured ones."),
        codes("--extend-fixable", "Fix these as well."),
        codes("--unfixable", "Never fix these."),
        click.option(
            "--add-ignore",
            metavar="REASON",
            help="Write a suppression comment with this reason at every finding.",
        ),
        flag("--show-files", "Print the files that would be checked, and stop."),
        flag("--show-settings", "Print the settings of the first of them, and stop."),
        flag("--quiet", "Print findings and nothing else.", "-q"),
        flag("--silent", "Print nothing; the exit code says it.", "-s"),
        flag("--verbose", "Say which configuration holds, and how many files are checked.", "-v"),
        click.option(
            "--jobs",
            "-j",
            type=click.IntRange(min=1),
            metavar="N",
            help="How many processes; as many as there are processors by default.",
        ),
        click.option(
            "--cache-dir",
            type=click.Path(path_type=Path, file_okay=False),
            metavar="FOLDER",
            help="Remember what was found here instead of in the user's cache folder.",
        ),
        flag("--no-cache", "Check everything anew, and remember nothing.", "-n"),
        flag("--watch", "Check again whenever a file changes, until interrupted.", "-w"),
    )
)
