"""What a module of a run has for those that import from it, read as cheaply as it can be."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass

from cleanguard.editing.read import read_file
from lint_rules._flow.state.library_names import CAUSAL_CLASSES, OWN_CAUSAL
from lint_rules._flow.values.joins import Constant, Mapping, Value
from lint_rules._flow.values.joins import Sequence as ValueSequence
from lint_rules._light import light_module
from lint_rules._light import tree as cst
from lint_rules._run.screen import Screened, has_trigger, is_told, screened
from lint_rules._run.source import SourceError, decode, parse_fast

_STAR = re.compile(rb"\bimport[\s\\]*\*")
_IN_LIST = re.compile(rb"[ \t\w,()\\]*(?:#.*)?")
_ASSIGNED = re.compile(rb"[ \t\\\n)\]]*=(?!=)")


@dataclass(frozen=True, slots=True)
class Target:
    """What a plain module re-exports, by dotted name."""

    dotted: str


class Exports:
    """A module as the run needs it: its tree where it matters, its plain names for the others.

    Attributes:
        light: Its tree; None where nothing in it matters, or it cannot be read.
        exported: The tree, if others can get something of ours from it.
        screened: What the cheap questions say; None where it was not parsed.
    """

    def __init__(
        self,
        plain: dict[str, Value | Target] | None = None,
        raw: bytes = b"",
        *,
        guess: bool = True,
    ) -> None:
        """Keep what is known.

        Args:
            plain: The plain names; read from `raw` when one is asked for if None.
            raw: The file's bytes.
            guess: A name that a line of the file defines is taken for a function or a class without parsing.
        """
        self.light: cst.Module | None = None
        self.exported: cst.Module | None = None
        self.screened: Screened | None = None
        self._raw = raw
        self._plain = plain
        self._guess = guess

    @classmethod
    def parsed(cls, tree: ast.Module, said: Screened) -> Exports:
        """A module that was parsed already."""
        found = cls(_plain_names(tree))
        found.screened = said
        found.light = light_module(tree) if said.matters else None
        found.exported = found.light if said.exports else None
        return found

    @classmethod
    def read(cls, path: str) -> Exports:
        """A module that another one names."""
        try:
            raw = read_file(path)
            if not has_trigger(raw):
                return cls(raw=raw)
            source = decode(raw)
            if is_told(source.text):
                return cls(raw=raw, guess=False)
            tree = parse_fast(source)
            return cls({}) if tree is None else cls.parsed(tree, screened(tree, source.text))
        except (OSError, SourceError, RecursionError):
            return cls({})  # its own check says what is wrong with it

    def plain(self, name: str) -> Value | Target | None:
        """A literal, a re-export or a causal LM's class of one's own; None for anything else."""
        if self._plain is None:
            if _is_causal_class(self._raw, name):
                return _own_causal(name)
            if self._has_none(name):
                return None
        return self._names().get(name)

    def star(self) -> Target | None:
        """What a plain module brings in by `from library import *`, with the star for the name."""
        if self._plain is None and _STAR.search(self._raw) is None:
            return None
        found = self._names().get("*")
        return found if isinstance(found, Target) else None

    def _has_none(self, name: str) -> bool:
        """Whether a name is no plain one, as far as that is told without parsing."""
        if self._guess:
            return _defines(self._raw, name)
        if name.encode() not in self._raw:
            return self._raw.isascii()  # other letters may be written in two ways
        return _defines(self._raw, name) and not _may_bind(self._raw, name)

    def _names(self) -> dict[str, Value | Target]:
        if self._plain is None:
            try:
                tree = parse_fast(decode(self._raw))
                if tree is not None and not self._guess:
                    self.screened = Screened(matters=False, exports=False)
            except (SourceError, RecursionError):
                tree = None
            self._plain = {} if tree is None else _plain_names(tree)
            self._raw = b""
        return self._plain


def tree_of(path: str) -> cst.Module | None:
    """The light tree of a file in which nothing matters by itself; None where it cannot be read."""
    try:
        tree = parse_fast(decode(read_file(path)))
    except (OSError, SourceError, RecursionError):
        return None
    return None if tree is None else light_module(tree)


def _may_bind(raw: bytes, name: str) -> bool:
    """Whether an assignment or an import may give a name its value as well."""
    wanted = name.encode()
    for at in _places(wanted, raw):
        line = raw[raw.rfind(b"\n", 0, at) + 1 : raw.find(b"\n", at) % (len(raw) + 1)]
        behind = raw[at + len(wanted) : at + len(wanted) + 80]
        if b"import" in line or _IN_LIST.fullmatch(line) or _ASSIGNED.match(behind):
            return True
    return False


def _defines(raw: bytes, name: str) -> bool:
    """Whether a top-level function or class has this name, which spares parsing the file."""
    wanted = name.encode()
    # A pattern that begins with a line would be tried on each.
    return wanted in raw and any(
        re.match(rb"(?:async +)?(?:def|class) +%s\b" % wanted, raw[line : at + len(wanted) + 1])
        for at in _places(wanted, raw)
        for line in [raw.rfind(b"\n", 0, at) + 1]
    )


def _is_causal_class(raw: bytes, name: str) -> bool:
    """Whether a class of this name inherits from a causal LM's: `class Mine(LlamaForCausalLM)`."""
    if not name[:1].isupper() or not any(ending.encode() in raw for ending in CAUSAL_CLASSES):
        return False
    found = re.search(rb"^class +%s *\(([^)]*)\)" % re.escape(name.encode()), raw, re.MULTILINE)
    bases = [] if found is None else found[1].decode(errors="replace").split(",")
    return any(base.strip().endswith(CAUSAL_CLASSES) for base in bases)


def _own_causal(name: str) -> Target:
    return Target(f"{OWN_CAUSAL}.{name}")


def _places(word: bytes, raw: bytes) -> Iterator[int]:
    at = raw.find(word)
    while at >= 0:
        yield at
        at = raw.find(word, at + 1)


def _plain_names(tree: ast.Module) -> dict[str, Value | Target]:
    names: dict[str, Value | Target] = {}
    for node in _top_level(tree.body):
        if isinstance(node, ast.Assign):
            value = _literal(node.value)
            for target in node.targets:
                if isinstance(target, ast.Name) and value is not None:
                    names[target.id] = value
        elif isinstance(node, ast.ClassDef):
            if any(ast.unparse(base).endswith(CAUSAL_CLASSES) for base in node.bases):
                names[node.name] = _own_causal(node.name)
        elif isinstance(node, ast.Import):
            for alias in node.names:
                whole = alias.name if alias.asname else alias.name.partition(".")[0]
                names[alias.asname or whole] = Target(whole)
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
