"""What a module of a run has for those that import from it, read as cheaply as it can be."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import libcst as cst

from lint_rules._flow.values import Constant, Mapping, Value
from lint_rules._flow.values import Sequence as ValueSequence
from lint_rules._light import light_module
from lint_rules._screen import has_trigger, may_export
from lint_rules._source import SourceError, decode, parse_fast


@dataclass(frozen=True, slots=True)
class Target:
    """What a plain module re-exports, by dotted name."""

    dotted: str


class Exports:
    """A module as others need it: its tree if it exports something of ours, or else its plain names.

    Attributes:
        light: Its tree; None where it exports nothing of ours or cannot be read.
    """

    def __init__(self, path: str, tree: ast.Module | None) -> None:
        self.light: cst.Module | None = None
        self._raw = b""
        self._plain: dict[str, Value | Target] | None = None
        try:
            raw = Path(path).read_bytes()
            if has_trigger(raw):
                source = decode(raw)
                tree = tree or parse_fast(source)
                self._plain = {} if tree is None else _plain_names(tree)
                if tree is not None and may_export(tree, source.text):
                    self.light = light_module(tree)
            else:
                self._raw = raw
        except (OSError, SourceError, RecursionError):
            self._plain = {}  # its own check says what is wrong with it

    def plain(self, name: str) -> Value | Target | None:
        """A literal or a re-export; None for anything else."""
        if self._plain is None:
            if _defines(self._raw, name):
                return None
            try:
                tree = parse_fast(decode(self._raw))
            except SourceError:
                tree = None
            self._plain = {} if tree is None else _plain_names(tree)
            self._raw = b""
        return self._plain.get(name)


def _defines(raw: bytes, name: str) -> bool:
    """Whether a top-level function or class has this name, which spares parsing the file."""
    return re.search(rb"^(?:async +)?(?:def|class) +%s\b" % name.encode(), raw, re.M) is not None


def _plain_names(tree: ast.Module) -> dict[str, Value | Target]:
    names: dict[str, Value | Target] = {}
    for node in _top_level(tree.body):
        if isinstance(node, ast.Assign):
            value = _literal(node.value)
            for target in node.targets:
                if isinstance(target, ast.Name) and value is not None:
                    names[target.id] = value
        elif isinstance(node, ast.ImportFrom):
            module = "." * node.level + (node.module or "")
            joint = "" if module.endswith(".") else "."
            for alias in node.names:
                names[alias.asname or alias.name] = Target(f"{module}{joint}{alias.name}")
    return names


def _top_level(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """The statements of a module, with those under `if TYPE_CHECKING` and in `try`."""
    for node in body:
        yield node
        if isinstance(node, (ast.If, ast.Try)):
            yield from _top_level(node.body)
            yield from _top_level(node.orelse)
        if isinstance(node, ast.Try):
            for handler in node.handlers:
                yield from _top_level(handler.body)


def _literal(node: ast.expr) -> Value | None:
    try:
        return _value(ast.literal_eval(node))
    except (ValueError, TypeError, MemoryError, RecursionError, SyntaxError):
        return None


def _value(data: object) -> Value | None:
    if data is None or isinstance(data, (str, int, float, bool, bytes)):
        return Constant(data)
    if isinstance(data, dict):
        entries = tuple(
            (key, value)
            for key, value in ((key, _value(item)) for key, item in data.items())
            if value is not None and isinstance(key, (str, int))
        )
        return Mapping(entries)
    if isinstance(data, (list, tuple)) and len(data) <= 64:
        items = [_value(item) for item in data]
        if all(item is not None for item in items):
            return ValueSequence(tuple(item for item in items if item is not None))
    return None
