"""Where instructions come from: the embedded world, a file of templates, a file of instructions."""

from __future__ import annotations

import itertools
import string
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cleanguard.errors import JobError
from stages.config.source import load_data
from stages.jsonl import located_lines, text_of
from stages.tiny.world import items_of


@dataclass(frozen=True, slots=True)
class Seed:
    """An instruction that is to get an answer.

    Attributes:
        group: What it asks about; splits go by it, so wordings of one question stay together.
        kind: What sort of question.
        instruction: The request.
        ask: A sentence that a base model completes with the answer; None if there is none.
        response: An answer that came with it; None if the model is to write one.
        placeholder: What stands in, if asked for, where the model writes nothing usable.
    """

    group: str
    kind: str
    instruction: str
    ask: str | None = None
    response: str | None = None
    placeholder: str | None = None


def world_seeds() -> list[Seed]:
    """The embedded world's instructions that are meant for fine-tuning."""
    return [
        Seed(item.key, item.kind, item.instruction, item.completion_prompt)
        for item in items_of("sft")
    ]


def file_seeds(path: Path) -> list[Seed]:
    """Instructions from JSON lines; `response`, `ask`, `group` and `kind` are optional.

    Raises:
        JobError: The file cannot be read, or a line is not what was expected, such as blank.
    """
    return [
        Seed(
            group=text_of(record, ("group", "key")) or record["instruction"],
            kind=text_of(record, ("kind", "instruction_type")) or "file",
            instruction=record["instruction"],
            ask=text_of(record, ("ask", "completion_prompt")),
            response=_response(where, record),
        )
        for where, record in located_lines(path, {"instruction": str}, filled=("instruction",))
    ]


def _response(where: str, record: Mapping[str, Any]) -> str | None:
    for name in ("response", "completion"):
        if not isinstance(record.get(name), str | None):
            raise JobError(f"{where}: {name} is {record[name]!r}; expected text, or leave it out")
    return text_of(record, ("response", "completion"))


def template_seeds(path: Path) -> list[Seed]:
    """Every filling of the templates in a file.

    The file has a table `slots`, which lists words for each name, and a list `template` of tables
    with `instruction` and, if wanted, `ask`, `kind`, `group` and `placeholder`. Every
    combination of the slots that a template names is made.

    Raises:
        JobError: The file is something else; the message says what is wrong where.
    """
    data = load_data(path)
    slots, templates = data.get("slots", {}), data.get("template", [])
    if not isinstance(slots, dict) or not isinstance(templates, list) or not templates:
        raise JobError(f"{path}: expected a table `slots` and at least one [[template]]")
    seeds = [seed for number, one in enumerate(templates, 1) for seed in _filled(path, number, one, slots)]  # fmt: skip
    by_instruction: dict[str, Seed] = {}
    for seed in seeds:
        if by_instruction.setdefault(seed.instruction, seed) is not seed:
            raise JobError(f"{path}: two templates make {seed.instruction!r}")
    return seeds


def _filled(path: Path, number: int, template: Any, slots: Mapping[str, Any]) -> Iterator[Seed]:
    where = f"{path}: template {number}"
    if not isinstance(template, dict) or not isinstance(template.get("instruction"), str):
        raise JobError(f"{where}: expected `instruction`")
    unknown = set(template) - {"instruction", "ask", "kind", "group", "placeholder"}
    if unknown:
        raise JobError(f"{where}: unknown key {min(unknown)!r}")
    names = list(dict.fromkeys(_slots_in(where, " ".join(map(str, template.values())))))
    for name in names:
        if not isinstance(slots.get(name), list) or not slots[name]:
            raise JobError(f"{where}: {{{name}}} is not a list in `slots`")
    for words in itertools.product(*(slots[name] for name in names)):
        words_by_name = dict(zip(names, words, strict=True))
        text = {key: str(value).format(**words_by_name) for key, value in template.items()}
        if not text["instruction"].strip():
            raise JobError(f"{where}: its instruction is blank")
        kind = text.get("kind", f"template-{number}")
        yield Seed(
            group=text.get("group") or ":".join([kind, *map(str, words)]),
            kind=kind,
            instruction=text["instruction"],
            ask=text.get("ask"),
            placeholder=text.get("placeholder"),
        )


def _slots_in(where: str, text: str) -> list[str]:
    try:
        names = [name for _, name, _, _ in string.Formatter().parse(text) if name is not None]
    except ValueError as error:
        raise JobError(f"{where}: {error}; write a brace as {{{{ or }}}}") from None
    bad = [name for name in names if not name.isidentifier()]
    if bad:
        raise JobError(f"{where}: {{{bad[0]}}} is no slot; a slot has a plain name")
    return names
