"""Makes an item of the fields of a line, and says of each what was expected."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any, get_args
from unicodedata import normalize

from cleanguard.catalogue.selection import did_you_mean
from stages.suites.choices import LETTERS
from stages.suites.code import look_up
from stages.suites.functions import PREFIX
from stages.suites.item import ScorerName, SuiteError, SuiteItem
from stages.suites.scorers import passes

_BOTH = ("id", "scorer", "cluster", "slice", "shot")
_ANSWERS = ("prompt", "gold", *_BOTH, "completion", "count", "pattern", "data")
_CHOICES = ("prompt", "choices", "gold", *_BOTH, "completion", "joint")
_TEXTS = ("text", *_BOTH)
_EXPECTED_ANSWERS = (
    'expected an object like {"prompt": "What is 2 plus 3?", "gold": "5", "cluster": "add:2:3"} '
    "with optional id, scorer, slice, completion, count, pattern, data"
)
_EXPECTED_CHOICES = (
    'expected an object like {"prompt": "2 plus 3 is", "choices": ["5", "6"], "gold": "5"} '
    "with optional id, cluster, slice, completion, joint"
)
_EXPECTED_TEXTS = 'expected an object like {"text": "…"} with optional id, cluster, slice'


def item_of(line: Mapping[str, Any], number: int, folder: Path) -> SuiteItem:
    """The item of a line.

    Args:
        line: Its fields.
        number: Of the line in its file.
        folder: Where the file lies; modules of the user's own scorers are looked for there.

    Raises:
        SuiteError: A field is missing, unknown, or not what was expected.
    """
    scorer = _scorer(line)
    if scorer == "choices":
        return _of_choices(line, number)
    if scorer == "perplexity":
        return _of_text(line, number)
    return _of_answers(line, number, scorer, folder)


def _scorer(line: Mapping[str, Any]) -> str:
    usual = "choices" if "choices" in line else "perplexity" if "text" in line else "exact"
    scorer = line.get("scorer", usual)
    known = get_args(ScorerName)
    if not isinstance(scorer, str) or (scorer not in known and not scorer.startswith(PREFIX)):
        near = did_you_mean(scorer, known) if isinstance(scorer, str) else ""
        raise SuiteError(
            f"scorer is {scorer!r}; expected one of {', '.join(known)}, or "
            f"{PREFIX}module.function{near}"
        )
    return scorer


def _of_answers(line: Mapping[str, Any], number: int, scorer: str, folder: Path) -> SuiteItem:
    _refuse_unknown(line, _ANSWERS, _EXPECTED_ANSWERS)
    prompt = _field(line, "prompt", None, _EXPECTED_ANSWERS)
    item = SuiteItem(
        id=_field(line, "id", prompt, _EXPECTED_ANSWERS),
        prompt=prompt,
        gold=_gold(line),
        scorer=scorer,
        cluster=_field(line, "cluster", prompt, _EXPECTED_ANSWERS),
        slice=_field(line, "slice", "all", _EXPECTED_ANSWERS),
        completion=_completion(line, _EXPECTED_ANSWERS),
        count=_count(line, scorer),
        pattern=_pattern(line, scorer),
        data=json.dumps(line["data"], sort_keys=True) if "data" in line else None,
        line=number,
    )
    if scorer.startswith(PREFIX):
        look_up(scorer, folder)
    elif item.data is not None:
        raise SuiteError(f"data is for a scorer of your own ({PREFIX}…), not for `{scorer}`")
    _refuse_free_passes(item)
    return item


def _of_choices(line: Mapping[str, Any], number: int) -> SuiteItem:
    _refuse_unknown(line, _CHOICES, _EXPECTED_CHOICES)
    prompt = line.get("prompt")
    if not isinstance(prompt, str):
        said = "is missing" if "prompt" not in line else f"is {prompt!r}"
        raise SuiteError(f"prompt {said}; expected text, empty if need be; {_EXPECTED_CHOICES}")
    choices = _choices(line)
    named = prompt if prompt.strip() else " / ".join(choices)
    joint = line.get("joint")
    if joint is not None and not isinstance(joint, str):
        raise SuiteError(f"joint is {joint!r}; expected what stands between prompt and choice")
    ident = _field(line, "id", named, _EXPECTED_CHOICES)
    return SuiteItem(
        id=ident,
        prompt=prompt,
        gold=_right(line, choices),
        scorer="choices",
        cluster=_field(line, "cluster", prompt if prompt.strip() else ident, _EXPECTED_CHOICES),
        slice=_field(line, "slice", "all", _EXPECTED_CHOICES),
        completion=_completion(line, _EXPECTED_CHOICES),
        choices=choices,
        joint=joint,
        line=number,
    )


def _of_text(line: Mapping[str, Any], number: int) -> SuiteItem:
    _refuse_unknown(line, _TEXTS, _EXPECTED_TEXTS)
    text = _field(line, "text", None, _EXPECTED_TEXTS)
    named = f"{text[:40].strip()} #{sha256(text.encode()).hexdigest()[:8]}"
    ident = _field(line, "id", named, _EXPECTED_TEXTS)
    return SuiteItem(
        id=ident,
        prompt=text,
        gold=(),
        scorer="perplexity",
        cluster=_field(line, "cluster", ident, _EXPECTED_TEXTS),
        slice=_field(line, "slice", "all", _EXPECTED_TEXTS),
        line=number,
    )


def _refuse_unknown(line: Mapping[str, Any], known: tuple[str, ...], expected: str) -> None:
    for name in line:
        if name not in known:
            raise SuiteError(f"unknown field {name!r}{did_you_mean(name, known)}; {expected}")


def _field(line: Mapping[str, Any], name: str, default: str | None, expected: str) -> str:
    if name not in line and default is not None:
        return default
    value = line.get(name)
    if not isinstance(value, str) or not value.strip():
        said = "is missing" if name not in line else f"is {value!r}"
        raise SuiteError(f"{name} {said}; expected text; {expected}")
    return value


def _completion(line: Mapping[str, Any], expected: str) -> str | None:
    return _field(line, "completion", None, expected) if "completion" in line else None


def _gold(line: Mapping[str, Any]) -> tuple[str, ...]:
    gold = line.get("gold")
    several = [gold] if isinstance(gold, str) else gold
    if (
        not isinstance(several, list)
        or not several
        or not all(isinstance(one, str) and one.strip(" .\n\t") for one in several)
    ):
        said = "is missing" if "gold" not in line else f"is {gold!r}"
        raise SuiteError(f"gold {said}; expected text, or a list of texts; {_EXPECTED_ANSWERS}")
    return tuple(several)


def _choices(line: Mapping[str, Any]) -> tuple[str, ...]:
    choices = line.get("choices")
    if (
        not isinstance(choices, list)
        or len(choices) < 2
        or not all(isinstance(one, str) and one.strip() for one in choices)
    ):
        said = "are missing" if "choices" not in line else f"are {choices!r}"
        raise SuiteError(f"choices {said}; expected two texts or more; {_EXPECTED_CHOICES}")
    seen: dict[str, int] = {}
    for at, choice in enumerate(choices):
        # One text, whether an accent is a character of its own or not.
        same = normalize("NFC", choice.strip())
        if same in seen:
            raise SuiteError(
                f"choices {seen[same]} and {at} are both {choice!r}; the model could not "
                "tell them apart, so take one out"
            )
        seen[same] = at
    return tuple(choices)


def _right(line: Mapping[str, Any], choices: tuple[str, ...]) -> tuple[str, ...]:
    """The right choices: by their texts, by their numbers from 0, or by their letters."""
    gold = line.get("gold")
    several = gold if isinstance(gold, list) else [gold]
    found = []
    for one in several or [None]:
        if isinstance(one, int) and not isinstance(one, bool) and 0 <= one < len(choices):
            found.append(choices[one])
        elif one in choices:
            found.append(one)
        elif isinstance(one, str) and len(one) == 1 and one in LETTERS[: len(choices)]:
            found.append(choices[LETTERS.index(one)])
        else:
            said = "is missing" if "gold" not in line else f"is {gold!r}"
            near = did_you_mean(one, choices) if isinstance(one, str) else ""
            raise SuiteError(
                f"gold {said}; expected one of the choices, its number from 0 or its letter{near}; "
                f"{_EXPECTED_CHOICES}"
            )
    if len(set(found)) == len(choices):
        raise SuiteError("gold holds every choice; an item that cannot be failed measures nothing")
    return tuple(dict.fromkeys(found))


def _count(line: Mapping[str, Any], scorer: str) -> int | None:
    count = line.get("count")
    if scorer != "members":
        if count is not None:
            raise SuiteError(f"count is for the scorer `members`, not for `{scorer}`")
        return None
    if not isinstance(count, int) or isinstance(count, bool) or count < 1:
        raise SuiteError(f"count is {count!r}; `members` expects how many golds to list, from 1")
    return count


def _pattern(line: Mapping[str, Any], scorer: str) -> str | None:
    pattern = line.get("pattern")
    if scorer != "regex":
        if pattern is not None:
            raise SuiteError(f"pattern is for the scorer `regex`, not for `{scorer}`")
        return None
    if not isinstance(pattern, str) or not pattern:
        said = "is missing" if "pattern" not in line else f"is {pattern!r}"
        raise SuiteError(
            f"pattern {said}; `regex` expects what to look for, as Python's re reads it"
        )
    try:
        compiled = re.compile(pattern)
    except (re.error, OverflowError, RecursionError) as error:
        raise SuiteError(
            f"pattern is {pattern!r}, which Python's re cannot read: {error}"
        ) from None
    if compiled.groups > 1:
        raise SuiteError(
            f"pattern is {pattern!r} with {compiled.groups} groups; expected one that holds the "
            "answer, or none (write the others as (?:…))"
        )
    return pattern


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
