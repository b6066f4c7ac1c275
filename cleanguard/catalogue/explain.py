"""What there is to say about a hazard: the page that `cleanguard explain` shows and the docs print."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from cleanguard.catalogue.hazards import BY_CODE, BY_NAME, Hazard
from cleanguard.catalogue.selection import hint
from cleanguard.errors import JobError

FIXES = {
    "none": "by hand",
    "safe": "`cleanguard check --fix`",
    "unsafe": "`cleanguard check --unsafe-fixes`, which may change results",
    "migrate": "`cleanguard migrate`",
}
GROUPS = {
    "CG1": "Loading",
    "CG2": "Prompts and tokens",
    "CG3": "Generation",
    "CG4": "Training",
    "CG5": "Records and numbers",
    "CG6": "Use of cleanguard itself",
    "CG9": "The check itself",
}


@dataclass(frozen=True, slots=True)
class Page:
    """One hazard with the examples of its lint rule.

    Attributes:
        hazard: The catalogue entry.
        bad: Code that the rule reports.
        good: Code that it leaves alone.
    """

    hazard: Hazard
    bad: tuple[str, ...] = ()
    good: tuple[str, ...] = ()


def find(query: str) -> Hazard:
    """The hazard with a code or a name, in any case.

    Raises:
        JobError: There is none; the message proposes the nearest.
    """
    hazard = BY_CODE.get(query.upper()) or BY_NAME.get(query.lower())
    if hazard is None:
        listing = "`cleanguard explain` lists them all"
        raise JobError(f"{query!r} is not a hazard{hint(query) or ';'} {listing}")
    return hazard


def reporters(hazard: Hazard) -> str:
    """Who reports a hazard today, in words."""
    who = [
        *(["`cleanguard check`"] if hazard.linted else []),
        *(["`cleanguard trace`"] if hazard.traced else []),
        *(["the runtime guard"] if hazard.guarded else []),
    ]
    if not who:
        return "nobody yet"
    named = " and ".join(filter(None, (", ".join(who[:-1]), who[-1])))
    return named + ("" if hazard.default or not hazard.linted else ", when selected")


def as_object(page: Page) -> dict[str, Any]:
    """A page for JSON."""
    hazard = page.hazard
    return {
        "code": hazard.code,
        "name": hazard.name,
        "severity": hazard.severity,
        "summary": hazard.summary,
        "why": hazard.why,
        "remedy": hazard.remedy,
        "fix": hazard.fix,
        "linted": hazard.linted,
        "guarded": hazard.guarded,
        "traced": hazard.traced,
        "default": hazard.default,
        "bad": list(page.bad),
        "good": list(page.good),
    }


def as_markdown(page: Page) -> str:
    """A page for the docs."""
    hazard = page.hazard
    parts = [
        f"# {hazard.code} {hazard.name}",
        f"**{hazard.severity}** · reported by {reporters(hazard)} · rewritten {_rewritten(hazard)}",
        _sentence(hazard.summary),
        f"## Why\n\n{_sentence(hazard.why)}",
        f"## Remedy\n\n{_sentence(hazard.remedy)}",
        *_examples("Bad", page.bad),
        *_examples("Good", page.good),
    ]
    return "\n\n".join(parts) + "\n"


def _rewritten(hazard: Hazard) -> str:
    return FIXES[hazard.fix] if hazard.fix == "none" else f"by {FIXES[hazard.fix]}"


def _examples(title: str, examples: tuple[str, ...]) -> list[str]:
    if not examples:
        return []
    blocks = "\n\n".join(f"```python\n{example.strip()}\n```" for example in examples)
    return [f"## {title}\n\n{blocks}"]


def _sentence(text: str) -> str:
    first = text.split(" ", 1)[0]
    start = text[0].upper() + text[1:] if first.isalpha() else text  # never an identifier
    return start + ("" if text.endswith((".", "!", "?")) else ".")
