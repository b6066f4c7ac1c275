"""What a plan announces as changed, done to the run of the old script, so that the rest can be compared.

| the note says | done to the run |
|---|---|
| special tokens: BOS, which had been dropped | the tokenizer calls of that line add special tokens |
| BOS stood twice before the prompt | a row that the generation of that line is given loses its second BOS |
| truncation: a prompt is no longer cut | tokenizer calls that truncate, in the function of that line, do not |
| `max_new_tokens=20`: the call named no length | the generation of that line names it |

`amends` runs in cleanguard, `Amends` in the process of the trial run.
"""

from __future__ import annotations

import ast
import functools
import json
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from codemods.plan.planned import PlannedSite

_TWENTY = 20


@dataclass(frozen=True, slots=True)
class Announced:
    """One announced change.

    Attributes:
        kind: What is done to the run.
        where: The line, for people.
        text: What the plan says.
        rows: The lines of the calls that it is done to.
    """

    kind: str
    where: str
    text: str
    rows: tuple[int, ...]

    @property
    def told(self) -> str:
        """For people."""
        # "tokens: " before a name reads like a secret, which is hidden wherever it is told.
        text = self.text.removeprefix("special tokens: ")
        return f"as announced on {'' if ':' in self.where else 'line '}{self.where}: {text}"


def announced(before: str, sites: Iterable[PlannedSite]) -> list[Announced]:
    """The changes that a plan announces and that can be done to a run of the old script.

    Args:
        before: The old script.
        sites: The plan's.
    """
    tree = ast.parse(before)
    found = [
        Announced(
            note.amends, site.line, note.text, tuple(sorted(_rows(tree, site.row, note.amends)))
        )
        for site in sites
        if site.reason is None
        for note in site.notes
        if note.amends is not None
    ]
    return list(dict.fromkeys(found))


def _rows(tree: ast.Module, row: int, kind: str) -> set[int]:
    calls = (
        _cutting(tree, row) if kind == "uncut" else _calls(tree, lambda call: call.lineno == row)
    )
    return {line for call in calls for line in range(call.lineno, (call.end_lineno or 0) + 1)}


def _cutting(tree: ast.Module, row: int) -> list[ast.Call]:
    """The calls that may truncate in the function that holds a line, or in the whole script."""
    functions = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.lineno <= row <= (node.end_lineno or node.lineno)
    ]
    inner = max(functions, key=lambda node: node.lineno, default=None)

    def says(call: ast.Call) -> bool:
        return any(given.arg in ("truncation", "max_length") for given in call.keywords)

    return (_calls(inner, says) if inner is not None else []) or _calls(tree, says)


def _calls(tree: ast.AST, wanted: Callable[[ast.Call], bool]) -> list[ast.Call]:
    return [node for node in ast.walk(tree) if isinstance(node, ast.Call) and wanted(node)]


class Amends:
    """Amends the run that this process is."""

    def __init__(
        self,
        source: Path,
        script: str,
        bos_of: Callable[[str], int | None],
        tell: Callable[[int], None],
    ) -> None:
        """Read what is to be done.

        Args:
            source: A file of announced changes, as JSON; nothing is amended if it is not there.
            script: The path that the script is run under.
            bos_of: Gives the id of the BOS of a model by its name.
            tell: Is given the number of an amendment that does something.
        """
        given = json.loads(source.read_text(encoding="utf-8")) if source.is_file() else []
        self._script, self._bos_of, self._tell = script, bos_of, tell
        self._given: Sequence[Mapping[str, Any]] = given
        self._told: set[int] = set()

    def wrap(self, tokenizer: type) -> None:
        """Amend the calls of a class of tokenizers."""
        if not self._given:
            return
        for name in ("__call__", "encode", "encode_plus", "batch_encode_plus"):
            plain = getattr(tokenizer, name, None)
            if plain is not None:
                setattr(tokenizer, name, self._amended(plain))

    def _amended(self, plain: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(plain)
        def call(tokenizer: Any, *args: Any, **said: Any) -> Any:
            for number in self._here("bos"):
                if said.get("add_special_tokens") is False:
                    said["add_special_tokens"] = True
                    self._done(number)
            for number in self._here("uncut"):
                if said.pop("truncation", None):
                    self._done(number)
                if said.get("padding") != "max_length" and said.pop("max_length", None):
                    self._done(number)
            return plain(tokenizer, *args, **said)

        return call

    def generation(self, call: dict[str, Any]) -> dict[str, Any]:
        """What is recorded of a generation as it is announced."""
        bos = self._bos_of(call["model"])
        for number in self._here("one bos"):
            rows = [_once(row, bos) for row in call["ids"]]
            if rows != call["ids"]:
                call = {**call, "ids": rows}
                self._done(number)
        for number in self._here("length"):
            if call.get("max_new_tokens") is None and call.get("max_length") is None:
                call = {**call, "max_new_tokens": _TWENTY}
                self._done(number)
        return call

    def _here(self, kind: str) -> list[int]:
        """The amendments of a kind for the line of the script that led here, by number."""
        given = [n for n, one in enumerate(self._given) if one["kind"] == kind]
        if not given:
            return []
        line = self._line()
        return [number for number in given if line in self._given[number]["rows"]]

    def _line(self) -> int:
        frame: Any = sys._getframe(2)
        while frame is not None and frame.f_code.co_filename != self._script:
            frame = frame.f_back
        return 0 if frame is None else int(frame.f_lineno)

    def _done(self, number: int) -> None:
        if number not in self._told:
            self._told.add(number)
            self._tell(number)


def _once(row: list[int], bos: int | None) -> list[int]:
    return row[1:] if bos is not None and row[:2] == [bos, bos] else row
