"""The prompts that are sampled, and what a right answer to each would be."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from cleanguard.errors import JobError
from cleanguard.selection import did_you_mean
from stages.jsonl import read_lines, text_of
from stages.preferences.config import PreferencesConfig
from stages.text import normalised
from stages.tiny.world import check, items_of

Verify = Callable[[str], bool]
_NUMBER = re.compile(r"-?\d+(?:[.,]\d+)*")


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
            verify=_verifier(path, record),
        )
        for record in read_lines(path, {"instruction": str})
    ]


def _verifier(path: Path, record: dict[str, Any]) -> Verify | None:
    gold = record.get("gold")
    if gold is None:
        return None
    match = record.get("match", "exact")
    if match not in MATCHES:
        raise JobError(
            f"{path}: match {match!r} of {record['instruction']!r} is not one of "
            f"{', '.join(MATCHES)}{did_you_mean(str(match), MATCHES)}"
        )
    return partial(MATCHES[match], str(gold))


def exact(gold: str, answer: str) -> bool:
    """The same text, but for case, spacing and a full stop."""
    return normalised(answer).rstrip(".").rstrip() == normalised(gold).rstrip(".").rstrip()


def contains(gold: str, answer: str) -> bool:
    """The gold text stands in the answer as whole words."""
    pattern = rf"(?<!\w){re.escape(normalised(gold))}(?!\w)"
    return re.search(pattern, normalised(answer)) is not None


def number(gold: str, answer: str) -> bool:
    """The answer's last number is the gold one."""
    found = _NUMBER.findall(answer)
    return bool(found) and float(found[-1].replace(",", "")) == float(gold.replace(",", ""))


MATCHES: dict[str, Callable[[str, str], bool]] = {
    "exact": exact,
    "contains": contains,
    "number": number,
}
