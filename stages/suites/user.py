"""Reads a user's own suite from JSON lines; a bad line is named, never skipped."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from cleanguard.editing.read import regular
from stages.jsonl import parsed
from stages.suites.fields import item_of
from stages.suites.item import Endpoint, FormName, Kind, Shot, Suite, SuiteError, SuiteItem
from stages.suites.shots import leaks

_EXPECTED = (
    'expected an object like {"prompt": "What is 2 plus 3?", "gold": "5", "cluster": "add:2:3"}; '
    "docs/suites.md has an example of each kind"
)


def read_suite(path: Path, lines: Sequence[str] | None = None) -> Suite:
    """A suite from a file with one item a line; `docs/suites.md` says what a line holds.

    All items are of one kind: answered in words, multiple choice, or texts for perplexity. A line
    with `"shot": true` is a worked example for few-shot prompts: its first gold is shown and it is no
    item.

    Args:
        path: The file.
        lines: What is read in its place, line for line; messages name the file.

    Raises:
        SuiteError: The file cannot be read or holds no items, or a line is not what was expected.
    """
    items: list[SuiteItem] = []
    shots: dict[str, Shot] = {}
    ids: dict[str, int] = {}
    prompts: dict[tuple[str, ...], int] = {}
    for number, text in enumerate(_text(path).split("\n") if lines is None else lines, 1):
        if not text.strip():
            continue
        try:
            item, is_shot = _item(text, number, path)
            if is_shot:
                own = item.cluster if item.cluster not in (item.prompt, item.id) else None
                shots[f"{path}:{number}"] = Shot(item.prompt, item.gold[0], own, item.choices)
                continue
            if items and item.kind != items[0].kind:
                raise SuiteError(
                    f"this item is {_KINDS[item.kind]}, and line {items[0].line} is "
                    f"{_KINDS[items[0].kind]}; put each kind into a file of its own"
                )
            if item.id in ids:
                raise SuiteError(
                    f"the id {item.id!r} stands in line {ids[item.id]} already; give each an `id`"
                )
            asked = (item.prompt, *item.choices)
            if asked in prompts:
                raise SuiteError(
                    f"the prompt {item.prompt!r} stands in line {prompts[asked]} already"
                )
            ids[item.id] = prompts[asked] = number
        except SuiteError as error:
            raise SuiteError(f"{path}:{number}: {error}") from None
        items.append(item)
    if not items:
        raise SuiteError(f"{path}: holds no items; {_EXPECTED}")
    leak = leaks({f"line {item.line}": item for item in items}, shots)
    if leak is not None:
        raise SuiteError(
            f"{leak[0]}: this worked example is the item of {leak[1]}, holds it or stands in it; it "
            "would give the answer away, so take one of them out"
        )
    endpoint, forms = _usual(items)
    return Suite(
        name=path.stem,
        about=f"Items from {path.name}.",
        items=tuple(items),
        endpoint=endpoint,
        forms=forms,
        shots=tuple(shots.values()),
        path=path,
    )


_KINDS: dict[Kind, str] = {
    "answers": "answered in words",
    "choices": "multiple choice",
    "perplexity": "a text for perplexity",
}


def _usual(items: list[SuiteItem]) -> tuple[Endpoint, tuple[FormName, ...]]:
    """The endpoint and the form of a suite, unless told otherwise."""
    completed = all(item.completion is not None for item in items)
    if items[0].kind != "answers":
        return "strict", ("completion" if completed else "raw",)
    return ("content", ("completion",)) if completed else ("strict", ("formatted",))


def _text(path: Path) -> str:
    try:
        return regular(path).read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise SuiteError(f"{path}: cannot be read: {(error.strerror or '').lower()}") from None
    except UnicodeDecodeError as error:
        line = path.read_bytes()[: error.start].count(b"\n") + 1
        raise SuiteError(f"{path}:{line}: not UTF-8; save it as UTF-8") from None


def _item(text: str, number: int, path: Path) -> tuple[SuiteItem, bool]:
    try:
        line = parsed(text)
    except ValueError as error:
        raise SuiteError(f"not JSON ({error}); {_EXPECTED}") from None
    if not isinstance(line, dict):
        raise SuiteError(f"not a JSON object; {_EXPECTED}")
    is_shot = line.pop("shot", False)
    if not isinstance(is_shot, bool):
        raise SuiteError(f"shot is {is_shot!r}; expected true or false")
    item = item_of(line, number, path.parent)
    if is_shot and item.kind == "perplexity":
        raise SuiteError("a text for perplexity is no worked example; leave `shot` out")
    return item, is_shot
