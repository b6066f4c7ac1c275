"""What a command line says on top of the configuration."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from cleanguard.errors import JobError
from cleanguard.settings.config import Scope, Settings, inline_settings, parsed_option


@dataclass(frozen=True, slots=True)
class Overrides:
    """Settings from the command line; each is empty or None where it was not given.

    Attributes:
        config: What `--config` was given: files, and `key = value` pairs.
        isolated: No configuration file is read.
        no_gitignore: What .gitignore files leave out is looked at.
    """

    select: tuple[str, ...] = ()
    extend_select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    fixable: tuple[str, ...] = ()
    extend_fixable: tuple[str, ...] = ()
    unfixable: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    extend_exclude: tuple[str, ...] = ()
    per_file_ignores: tuple[str, ...] = ()
    target_version: tuple[str, ...] = ()
    scope: Scope | None = None
    force_exclude: bool = False
    config: tuple[str, ...] = ()
    isolated: bool = False
    no_gitignore: bool = False

    @property
    def config_file(self) -> Path | None:
        """The file among the values of `--config`.

        Raises:
            JobError: There are two, or it is read and not read at once.
        """
        files = [text for text in self.config if not _is_inline(text)]
        if len(files) > 1:
            raise JobError(
                f"--config: {files[0]} and {files[1]} are two files; name one, and `extend` it"
            )
        if files and self.isolated:
            raise JobError("--isolated reads no configuration, so it excludes --config FILE")
        return Path(files[0]) if files else None

    def on(self, settings: Settings) -> Settings:
        """Settings with these on top.

        Raises:
            ConfigError: A value is not one that the configuration would take.
        """
        for text in self.config:
            if _is_inline(text):
                settings = inline_settings(text, settings)
        fixable = codes_in(self.fixable, "--fixable")
        unfixable = codes_in(self.unfixable, "--unfixable")
        targets = codes_in(self.target_version)
        parsed_option("fixable", list(fixable))
        parsed_option("unfixable", list(unfixable))
        parsed_option("target-versions", list(targets), "--target-version")
        more = codes_in(self.extend_fixable)
        parsed_option("fixable", list(more))
        for text in (*self.exclude, *self.extend_exclude):
            parsed_option("exclude", text.split(","))
        return replace(
            settings,
            select=codes_in(self.select, "--select") or settings.select,
            extend_select=(*settings.extend_select, *codes_in(self.extend_select)),
            ignore=(*settings.ignore, *codes_in(self.ignore)),
            fixable=(*allowed, *more) if (allowed := fixable or settings.fixable) else (),
            unfixable=unfixable or settings.unfixable,
            target_versions=targets or settings.target_versions,
            exclude=self._patterns(self.exclude, settings) or settings.exclude,
            extend_exclude=(
                *(() if self.exclude else settings.extend_exclude),
                *self._patterns(self.extend_exclude, settings),
            ),
            per_file_ignores=(*settings.per_file_ignores, *self._file_ignores(settings)),
            scope=self.scope or settings.scope,
            force_exclude=self.force_exclude or settings.force_exclude,
        )

    def _patterns(self, values: Sequence[str], settings: Settings) -> tuple[str, ...]:
        return tuple(_seen_from_root(one, settings) for one in codes_in(values))

    def _file_ignores(self, settings: Settings) -> tuple[tuple[str, tuple[str, ...]], ...]:
        table: dict[str, list[str]] = {}
        pattern = None
        for entry in codes_in(self.per_file_ignores):
            before, colon, code = entry.rpartition(":")
            if colon:
                pattern = _seen_from_root(before, settings)
            if pattern is None or not code or (colon and not before):
                raise JobError(
                    f"--per-file-ignores: {entry!r} is not of the form PATTERN:CODE, such as 'tests/:CG3'"
                )
            table.setdefault(pattern, []).append(code)
        parsed_option("per-file-ignores", table)
        return tuple((pattern, tuple(codes)) for pattern, codes in table.items())


NOTHING = Overrides()


def codes_in(values: Sequence[str], needed: str | None = None) -> tuple[str, ...]:
    """The entries of an option that may be given several times, each with several of them.

    Args:
        values: What was given.
        needed: The option's name, if it must name a code where it is given.

    Raises:
        JobError: It names none.
    """
    codes = tuple(entry.strip() for value in values for entry in value.split(",") if entry.strip())
    if needed and values and not codes:
        raise JobError(f"`{needed}` names no code; leave it out for the configured ones")
    return codes


def _is_inline(text: str) -> bool:
    return "=" in text and not Path(text).exists()


def _seen_from_root(pattern: str, settings: Settings) -> str:
    """A pattern of the command line, which counts from the current folder, as one of the configuration."""
    away, bare = ("!", pattern[1:]) if pattern.startswith("!") else ("", pattern)
    if "/" not in bare.rstrip("/"):
        return pattern
    here = os.path.relpath(os.getcwd(), os.path.abspath(settings.root))  # noqa: PTH100, PTH109
    if here == os.curdir or here.startswith(os.pardir) or bare.startswith("**/"):
        return pattern
    return f"{away}{Path(here).as_posix()}/{bare.lstrip('/')}"
