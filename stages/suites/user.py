"""Reads a user's own suite from JSON lines; a bad line is named, never skipped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

from cleanguard.catalogue.selection import did_you_mean
from stages.jsonl import parsed
from stages.suites.item import ScorerName, Shot, Suite, SuiteError, SuiteItem
from stages.suites.scorers import passes

_FIELDS = ("prompt", "gold", "id", "scorer", "cluster", "slice", "completion", "count", "shot")
_EXPECTED = (
    'expected an object like {"prompt": "What is 2 plus 3?", "gold": "5", "cluster": "add:2:3"} '
    "with optional id, scorer, slice, completion, count"
)


def read_suite(path: Path, lines: Sequence[str] | None = None) -> Suite:
    """A suite from a file with one item a line.

    `prompt` (text) and `gold` (text, or a list of texts) must be there. `scorer` is `exact` unless
    said otherwise; `cluster` is the prompt itself, so say it where several items ask for one fact;
    `id` is the prompt; `slice` is `all`. A line with `"shot": true` is a worked example for few-shot
    prompts: its first gold is shown and it is no item.

    Args:
        path: The file.
        lines: What is read in its place, line for line; messages name the file.

    Raises:
        SuiteError: The file cannot be read or holds no items, or a line is not what was expected.
    """
    items: list[SuiteItem] = []
    shots: list[Shot] = []
    ids: dict[str, int] = {}
    prompts: dict[str, int] = {}
    for number, text in enumerate(_text(path).split("\n") if lines is None else lines, 1):
        if not text.strip():
            continue
        try:
            item, is_shot = _item(text)
            if is_shot:
                shots.append(Shot(item.prompt, item.gold[0]))
                continue
            for seen, value, what in ((ids, item.id, "id"), (prompts, item.prompt, "prompt")):
                if value in seen:
                    raise SuiteError(f"the {what} {value!r} stands in line {seen[value]} already")
                seen[value] = number
        except SuiteError as error:
            raise SuiteError(f"{path}:{number}: {error}") from None
        items.append(item)
    if not items:
        raise SuiteError(f"{path}: holds no items; {_EXPECTED}")
    forms = ("formatted",) if all(item.completion is None for item in items) else ("completion",)
    return Suite(
        name=path.stem,
        about=f"Items from {path.name}.",
        items=tuple(items),
        endpoint="strict" if forms == ("formatted",) else "content",
        forms=forms,  # type: ignore[arg-type]  # the conditional loses the literals
        shots=tuple(shots),
    )


def _text(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise SuiteError(f"{path}: cannot be read: {(error.strerror or '').lower()}") from None
    except UnicodeDecodeError as error:
        line = path.read_bytes()[: error.start].count(b"\n") + 1
        raise SuiteError(f"{path}:{line}: not UTF-8; save it as UTF-8") from None


def _item(text: str) -> tuple[SuiteItem, bool]:
    try:
        line = parsed(text)
    except ValueError as error:
        raise SuiteError(f"not JSON ({error}); {_EXPECTED}") from None
    if not isinstance(line, dict):
        raise SuiteError(f"not a JSON object; {_EXPECTED}")
    for name in line:
        if name not in _FIELDS:
            raise SuiteError(f"unknown field {name!r}{did_you_mean(name, _FIELDS)}; {_EXPECTED}")
    prompt = _field(line, "prompt", None)
    scorer = _field(line, "scorer", "exact")
    if scorer not in get_args(ScorerName):
        known = ", ".join(get_args(ScorerName))
        raise SuiteError(
            f"scorer is {scorer!r}; expected one of {known}{did_you_mean(scorer, get_args(ScorerName))}"
        )
    item = SuiteItem(
        id=_field(line, "id", prompt),
        prompt=prompt,
        gold=_gold(line),
        scorer=scorer,  # type: ignore[arg-type]  # looked up above
        cluster=_field(line, "cluster", prompt),
        slice=_field(line, "slice", "all"),
        completion=_field(line, "completion", prompt) if "completion" in line else None,
        count=_count(line, scorer),
    )
    is_shot = line.get("shot", False)
    if not isinstance(is_shot, bool):
        raise SuiteError(f"shot is {is_shot!r}; expected true or false")
    _refuse_free_passes(item)
    return item, is_shot


def _field(line: Mapping[str, Any], name: str, default: str | None) -> str:
    if name not in line and default is not None:
        return default
    value = line.get(name)
    if not isinstance(value, str) or not value.strip():
        said = "is missing" if name not in line else f"is {value!r}"
        raise SuiteError(f"{name} {said}; expected text; {_EXPECTED}")
    return value


def _gold(line: Mapping[str, Any]) -> tuple[str, ...]:
    gold = line.get("gold")
    several = [gold] if isinstance(gold, str) else gold
    if (
        not isinstance(several, list)
        or not several
        or not all(isinstance(one, str) and one.strip(" .\n\t") for one in several)
    ):
        said = "is missing" if "gold" not in line else f"is {gold!r}"
        raise SuiteError(f"gold {said}; expected text, or a list of texts; {_EXPECTED}")
    return tuple(several)


def _count(line: Mapping[str, Any], scorer: str) -> int | None:
    count = line.get("count")
    if scorer != "members":
        if count is not None:
            raise SuiteError(f"count is for the scorer `members`, not for `{scorer}`")
        return None
    if not isinstance(count, int) or isinstance(count, bool) or count < 1:
        raise SuiteError(f"count is {count!r}; `members` expects how many golds to list, from 1")
    return count


def _refuse_free_passes(item: SuiteItem) -> None:
    """An item that a parrot passes measures nothing."""
    for echo in (item.prompt, item.completion or item.prompt):
        if passes(item, echo):
            raise SuiteError(
                f"its own prompt {echo!r} passes the scorer `{item.scorer}`, so repeating it would; "
                "use another scorer or wording"
            )
    if item.scorer == "number" and not all(passes(item, gold) for gold in item.gold):
        raise SuiteError(f"gold is {list(item.gold)!r}; the scorer `number` expects numbers")
    if item.scorer == "members" and len(set(item.gold)) < (item.count or 0):
        raise SuiteError(f"gold holds fewer than {item.count} different words to list")
