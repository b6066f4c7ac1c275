"""The prompts that are sampled, and what a right answer to each would be."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

from cleanguard.catalogue.selection import did_you_mean
from cleanguard.errors import JobError
from stages.jsonl import located_lines, text_of
from stages.numbers import last_number_in, value_of
from stages.preferences.config import PreferencesConfig
from stages.text import normalised
from stages.tiny.world import check, items_of

Verify = Callable[[str], bool]
# Wider than a number, so that `1.2.3` is one thing, and none, and does not end in the number 3.


@dataclass(frozen=True, slots=True)
class Prompt:
    """One prompt.

    Attributes:
        text: What the model goes on from.
        instruction: The request in it.
        group: What it asks about; splits go by it.
        ask: A sentence that the answer completes, for the judge by log-probability.
        verify: Whether a finished answer is right; None if nobody knows.
    """

    text: str
    instruction: str
    group: str
    ask: str | None
    verify: Verify | None


def prompts_of(config: PreferencesConfig) -> list[Prompt]:
    """The configured prompts, each instruction once.

    Raises:
        JobError: The file cannot be used, or a verifier has nothing to compare with.
    """
    found = _of_file(config, config.file) if config.file else _of_world(config)
    prompts = list({prompt.text: prompt for prompt in reversed(found)}.values())[::-1]
    if config.judge == "verifier":
        for prompt in prompts:
            if prompt.verify is None:
                raise JobError(
                    f"judge: {prompt.instruction!r} has no `gold` to compare with; "
                    "give it one, or use judge = logprob"
                )
    return prompts


def _of_world(config: PreferencesConfig) -> list[Prompt]:
    return [
        Prompt(
            text=config.prompt.replace("{instruction}", item.instruction),
            instruction=item.instruction,
            group=item.key,
            ask=item.completion_prompt,
            verify=partial(check, item),
        )
        for item in items_of("sft", "preference")
    ]


def _of_file(config: PreferencesConfig, path: Path) -> list[Prompt]:
    return [
        Prompt(
            text=config.prompt.replace("{instruction}", record["instruction"]),
            instruction=record["instruction"],
            group=text_of(record, ("group",)) or normalised(record["instruction"]),
            ask=text_of(record, ("ask", "completion_prompt")),
            verify=_verifier(where, record),
        )
        for where, record in located_lines(path, {"instruction": str}, filled=("instruction",))
    ]


def _verifier(where: str, record: dict[str, Any]) -> Verify | None:
    if record.get("gold") is None:
        return None
    match = record.get("match", "exact")
    if not isinstance(match, str) or match not in MATCHES:
        raise JobError(
            f"{where}: match {match!r} of {record['instruction']!r} is not one of "
            f"{', '.join(MATCHES)}{did_you_mean(str(match), MATCHES)}"
        )
    gold = _gold_text(record["gold"])
    if gold is None:
        raise JobError(f"{where}: gold is {record['gold']!r}; expected text or a number")
    if match == "number" and value_of(gold) is None:
        raise JobError(
            f"{where}: gold is {record['gold']!r}, which is no number; write one like 12, 1.5 or "
            '1,200, or use "match": "exact"'
        )
    return partial(MATCHES[match], gold)


def _gold_text(gold: Any) -> str | None:
    """A gold answer as text; None for what no answer can be held against."""
    if isinstance(gold, float) and math.isfinite(gold):
        return format(Decimal(repr(gold)), "f")  # 1e+16 is not how anyone answers
    text = str(gold) if isinstance(gold, str | int) else ""
    return text if text.strip(" .\n\t") else None


def exact(gold: str, answer: str) -> bool:
    """The same text, but for case, spacing and a full stop."""
    return normalised(answer).rstrip(".").rstrip() == normalised(gold).rstrip(".").rstrip()


def contains(gold: str, answer: str) -> bool:
    """The gold text stands in the answer as whole words."""
    pattern = rf"(?<!\w){re.escape(normalised(gold))}(?!\w)"
    return re.search(pattern, normalised(answer)) is not None


def number(gold: str, answer: str) -> bool:
    """The answer's last number is the gold one."""
    value = last_number_in(answer)
    return value is not None and value == value_of(gold)


MATCHES: dict[str, Callable[[str, str], bool]] = {
    "exact": exact,
    "contains": contains,
    "number": number,
}
