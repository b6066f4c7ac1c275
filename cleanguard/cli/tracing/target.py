"""What is to be traced: a script, a module, code, or a notebook."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.machinery import PathFinder
from pathlib import Path

import click

from cleanguard.editing.read import regular
from cleanguard.errors import JobError
from cleanguard.installing import install
from cleanguard.report.spoken import say

# Their modules come first on the path of a script, and the watch could not be loaded.
_OURS = ("guard", "cleanguard")
# Modules that people run, and that an extra of ours brings.
_BROUGHT_BY = {"lm_eval": "harness", "inspect_ai": "harness", "accelerate": "train", "trl": "train"}


@dataclass(frozen=True, slots=True)
class Target:
    """A script as it is run.

    Attributes:
        shown: The script with its arguments, as it was asked for.
        python: The arguments of Python.
        start: Where the configuration is looked for.
    """

    shown: tuple[str, ...]
    python: tuple[str, ...]
    start: Path


def split(args: Sequence[str], with_values: frozenset[str]) -> tuple[list[str], list[str]]:
    """The options of trace, and the script with its arguments: everything from the first that is none.

    Args:
        args: The command line behind `trace`.
        with_values: Options that take the argument behind them.
    """
    at = 0
    while at < len(args):
        arg = args[at]
        if arg == "--":
            return [*args[:at]], [*args[at + 1 :]]
        if arg in ("-m", "-c") or not arg.startswith("-") or arg == "-":
            return [*args[:at]], [*args[at:]]
        if arg[:2] in ("-m", "-c"):
            return [*args[:at]], [arg[:2], arg[2:], *args[at + 1 :]]
        at += 2 if arg in with_values else 1
    return [*args], []


def target_of(script: Sequence[str], scratch: Path) -> Target:
    """What the command line names, looked at before anything runs.

    Args:
        script: The script with its arguments, or `-m MODULE …`, or `-c CODE …`.
        scratch: A folder for the cells of a notebook.

    Raises:
        JobError: It does not exist, or is no Python.
        click.UsageError: Nothing is named.
    """
    if not script:
        raise click.UsageError("name a script to run: cleanguard trace [OPTIONS] SCRIPT [ARGS]…")
    first, *rest = script
    if first in ("-m", "-c"):
        if not rest:
            raise click.UsageError(f"{first} needs {'a module' if first == '-m' else 'code'}")
        if first == "-c":
            _parse(rest[0], "-c", "the code")
        else:
            _find_module(rest[0])
        _refuse_hidden(Path.cwd())
        return Target(tuple(script), tuple(script), Path.cwd())
    if first == "-":
        raise JobError("a script on standard input cannot be traced; write it to a file, or use -c")
    path = Path(first)
    if path.suffix == ".ipynb":
        return _notebook(path, rest, scratch)
    if path.is_dir():
        raise JobError(f"{path} is a folder; name a script in it, or `-m` and a module")
    _parse(_read(path), first, str(path))
    _refuse_hidden(path.parent)
    return Target(tuple(script), tuple(script), path)


def _read(path: Path) -> bytes:
    try:
        return regular(path).read_bytes()
    except FileNotFoundError:
        raise JobError(f"{path}: there is no such script") from None
    except OSError as error:
        reason = (error.strerror or type(error).__name__).lower()
        raise JobError(f"{path}: cannot read it: {reason}") from None


def _parse(source: bytes | str, name: str, called: str) -> None:
    import warnings

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            compile(source, name, "exec", dont_inherit=True)
    except SyntaxError as error:
        place = f"{called}:{error.lineno}" if error.lineno else called
        raise JobError(f"{place}: syntax error: {error.msg}; nothing was run") from None
    except ValueError as error:
        raise JobError(f"{called}: {error}; nothing was run") from None


def _find_module(name: str) -> None:
    """Looks for a module without importing its packages.

    Raises:
        JobError: There is none of that name.
    """
    paths: Sequence[str] | None = [str(Path.cwd()), *sys.path]
    for part in _prefixes(name):
        spec = PathFinder.find_spec(part, paths)
        if spec is None:
            extra = _BROUGHT_BY.get(part)
            remedy = f": {install(extra)}" if extra else "; looked in . and where Python looks"
            raise JobError(f"there is no module {name!r} to run{remedy}")
        paths = list(spec.submodule_search_locations or ())
    if spec is not None and spec.submodule_search_locations is not None:
        if PathFinder.find_spec(f"{name}.__main__", list(paths or ())) is None:
            raise JobError(f"the package {name!r} has no __main__, so it cannot be run")
    elif spec is not None and spec.origin and spec.origin.endswith(".py"):
        _parse(_read(Path(spec.origin)), spec.origin, spec.origin)


def _prefixes(name: str) -> list[str]:
    parts = name.split(".")
    return [".".join(parts[: at + 1]) for at in range(len(parts))]


def _refuse_hidden(folder: Path) -> None:
    for name in _OURS:
        for found in (folder / f"{name}.py", folder / name / "__init__.py"):
            ours = Path(__file__).resolve().parents[3] / name / "__init__.py"
            if found.is_file() and found.resolve() != ours:
                raise JobError(
                    f"{found} has the name of a package of cleanguard, so the script would get "
                    "another module under the watch (CG603 shadowed-guard); rename it"
                )


def _notebook(path: Path, arguments: Sequence[str], scratch: Path) -> Target:
    from lint_rules._run.magics import read_cell
    from lint_rules._run.notebook import cells
    from lint_rules._run.source import SourceError

    try:
        texts = cells(_read(path))
        every = [(number, read_cell(text)) for number, text in texts]
    except SourceError as error:
        raise JobError(f"{path}: {error}; nothing was run") from None
    for number, cell in every:
        if cell.problem is not None:
            told, row, _ = cell.problem
            raise JobError(f"{path}: cell {number}, line {row}: {told}; nothing was run")
    found = [(number, "\n".join(cell.lines)) for number, cell in every if cell.kind == "python"]
    if not found:
        raise JobError(f"{path}: there is no Python cell to run")
    ran = dict(found)
    changed = [str(number) for number, text in texts if ran.get(number) != text]
    if changed:
        where = f"cell{'s' if len(changed) > 1 else ''} {', '.join(changed)}"
        said = f"magics and cells of other languages in {path} are left out ({where})"
        say(f"cleanguard: {said}", err=True)
    prepared = scratch / "cells.json"
    content = {"notebook": str(path.absolute()), "cells": found}
    prepared.write_text(json.dumps(content), encoding="utf-8")
    return Target(
        (str(path), *arguments),
        ("-m", "guard.tracing.run_notebook", str(prepared), *arguments),
        path,
    )
