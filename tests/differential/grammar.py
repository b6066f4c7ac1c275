"""Programs that nobody wrote by hand: every part is drawn from a seed, and the parts meet in all combinations.

A program loads one model or two, makes prompts, tokenises, generates, decodes, and does something with what came out.
Each choice is noted as a tag `part=choice`, by which the run counts what it reached.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field

from tests.differential import (
    decoding,
    encoding,
    exporting,
    loading,
    prompting,
    scoring,
    settings,
    tuning,
    using,
)
from tests.differential.draw import Draw
from tests.differential.models import FAMILIES, Family

_PROMPTS = (
    "The lamp is",
    "A river and the",
    "What is the capital of the largest country",
    "One, two, three",
    "Where is the room?",
    "I",
)


@dataclass(frozen=True, slots=True)
class Program:
    """A generated program.

    Attributes:
        seed: What it was drawn from.
        files: Its files by name; the one to run is `main.py`.
        tags: The choices that made it.
        unsafe: It is migrated with `--unsafe`.
        watch: Without it, it is migrated with `--no-watch`.
    """

    seed: str
    files: dict[str, str]
    tags: tuple[str, ...] = ()
    unsafe: bool = False
    watch: bool = True


@dataclass(slots=True)
class Parts:
    """The parts of a program before they are put together.

    Attributes:
        family: The model's family.
        tok, lm: How the tokenizer and the model are called where they are used.
        local: The model is named by a folder.
        imports: Import lines.
        constants: Lines at the top of the module.
        helpers: Functions at the top of the module.
        files: Other modules.
    """

    family: Family
    tok: str
    lm: str
    local: bool = False
    imports: list[str] = field(default_factory=list)
    constants: list[str] = field(default_factory=list)
    helpers: list[list[str]] = field(default_factory=list)
    files: dict[str, list[str]] = field(default_factory=dict)

    def need(self, line: str) -> None:
        """An import."""
        if line not in self.imports:
            self.imports.append(line)

    def constant(self, line: str) -> None:
        """A line at the top."""
        if line not in self.constants:
            self.constants.append(line)

    def helper(self, *lines: str) -> None:
        """A function at the top."""
        if list(lines) not in self.helpers:
            self.helpers.append(list(lines))


def program(seed: str) -> Program:
    """The program of a seed."""
    draw = Draw(random.Random(seed))
    family = draw.one(
        "family",
        [(4, FAMILIES[0]), (4, FAMILIES[1]), (4, FAMILIES[2]), (1, FAMILIES[3])],
        [f.name for f in FAMILIES],
    )
    layout = draw.pick(
        "layout",
        {
            "flat": 5,
            "functions": 5,
            "main": 3,
            "loading": 2,
            "class": 3,
            "module": 2,
            "early": 2,
            "tuning": 3,
            "exporting": 1.5,
            "scoring": 1,
        },
    )
    prefix = "self." if layout == "class" else ""
    parts = Parts(
        family,
        prefix + draw.rng.choice(["tokenizer", "tokenizer", "tok"]),
        prefix + draw.rng.choice(["model", "model", "lm"]),
    )
    parts.need("import torch")
    parts.need("from transformers import AutoModelForCausalLM, AutoTokenizer")
    many = draw.chance("batch", 0.22)
    unsafe = draw.chance("unsafe", 0.08)
    if layout in _WHOLE:
        lines = _WHOLE[layout](draw, parts)
    else:
        loads = loading.lines(draw, parts, many=many)
        body = _ask(draw, parts, many=many)
        lines = _LAYOUTS[layout](draw, parts, loads, body, many)
    head = [*parts.imports, "", *parts.constants]
    for helper in parts.helpers:
        head += ["", *helper]
    files = {"main.py": "\n".join([*head, "", *lines]) + "\n"}
    files |= {name: "\n".join(text) + "\n" for name, text in parts.files.items()}
    return Program(seed, files, tuple(draw.tags), unsafe)


def _ask(draw: Draw, parts: Parts, *, many: bool) -> list[str]:
    """From a prompt `p`, or from `prompts`, to text and what is done with it; the last line is no `return`."""
    made, prompt = prompting.lines(draw, parts, many=many)
    encoded = encoding.lines(draw, parts, prompt, many=many)
    before, given = settings.lines(draw, parts)
    wrapped = draw.pick("no_grad", {"with": 5, "inference": 2, "none": 4})
    dictionary = "return_dict_in_generate" in given
    call = f"{parts.lm}.generate({encoded.given}, {given})"
    out = draw.rng.choice(["out", "outputs", "generated"])
    generate = [f"{out} = {call}"]
    if wrapped != "none":
        name = {"with": "no_grad", "inference": "inference_mode"}[wrapped]
        generate = [f"with torch.{name}():", f"    {generate[0]}"]
    rows = f"{out}.sequences" if dictionary else out
    decoded = decoding.lines(draw, parts, rows, encoded, prompt, many=many, given=given)
    late = using.lines(draw, parts, rows, encoded, prompt, many=many, out=out, given=given)
    lines = [*made]
    if draw.chance("settings_first", 0.3):
        lines += [*before, *encoded.lines]
    else:
        lines += [*encoded.lines, *before]
    lines += generate
    first, second = (
        (late[0], decoded) if draw.chance("use_before_decode", 0.12) else ([], [*decoded, *late[0]])
    )
    return [*lines, *first, *second, *late[1]]


def _flat(draw: Draw, parts: Parts, loads: list[str], body: list[str], many: bool) -> list[str]:
    return [*loads, "", *_started(), *_over(body, many), *_ended()]


def _functions(
    draw: Draw, parts: Parts, loads: list[str], body: list[str], many: bool
) -> list[str]:
    kind = ": str" if draw.chance("annotated", 0.3) and not many else ""
    early = draw.chance("function_first", 0.3)
    name = "prompts" if many else "p"
    function = [
        f"def ask({name}{kind}):",
        *_indented(["", *body, f"return {'texts' if many else 'text'}"]),
    ]
    call = ["ask(PROMPTS)"] if many else ["for item in PROMPTS:", "    ask(item)"]
    if early:
        return [*function, "", "", *loads, "", *_started(), *call, *_ended()]
    return [*loads, "", "", *function, "", "", *_started(), *call, *_ended()]


def _main(draw: Draw, parts: Parts, loads: list[str], body: list[str], many: bool) -> list[str]:
    name = "prompts" if many else "p"
    passed = draw.chance("passed_as_parameters", 0.6)
    taken = f"{parts.lm}, {parts.tok}, {name}"
    if not passed:
        inner = _indented([*loads, *_over(body, many)])
        return [*_started(), "def main():", *inner, "", "", "main()", *_ended()]
    function = [f"def ask({taken}):", *_indented([*body, f"return {'texts' if many else 'text'}"])]
    call = (
        [f"ask({parts.lm}, {parts.tok}, PROMPTS)"]
        if many
        else ["for item in PROMPTS:", f"    ask({parts.lm}, {parts.tok}, item)"]
    )
    return [
        *_started(), *function, "", "", "def main():", *_indented([*loads, *call]), "", "",
        'if __name__ == "__main__":', "    main()", *_indented(_ended()),
    ]  # fmt: skip


def _loading(draw: Draw, parts: Parts, loads: list[str], body: list[str], many: bool) -> list[str]:
    given = f"return {parts.lm}, {parts.tok}"
    load = ["def load():", *_indented([*loads, given])]
    if draw.chance("swapped", 0.3):
        load[-1] = f"    return {parts.tok}, {parts.lm}"
        line = f"{parts.tok}, {parts.lm} = load()"
    else:
        line = f"{parts.lm}, {parts.tok} = load()"
    return [*load, "", "", line, *_started(), *_over(body, many), *_ended()]


def _class(draw: Draw, parts: Parts, loads: list[str], body: list[str], many: bool) -> list[str]:
    name = "prompts" if many else "p"
    ask = [f"def ask(self, {name}):", *_indented([*body, f"return {'texts' if many else 'text'}"])]
    call = ["runner.ask(PROMPTS)"] if many else ["for item in PROMPTS:", "    runner.ask(item)"]
    return [
        "class Runner:", "    def __init__(self):", *_indented(_indented(loads)), "", *_indented(ask), "", "",
        *_started(), "runner = Runner()", *call, *_ended(),
    ]  # fmt: skip


def _module(draw: Draw, parts: Parts, loads: list[str], body: list[str], many: bool) -> list[str]:
    """The loads stand in a module of their own, in a function or at its top."""
    top = draw.chance("at_its_top", 0.4)
    inner = (
        [*loads]
        if top
        else ["def load():", *_indented([*loads, f"return {parts.lm}, {parts.tok}"])]
    )
    text = [*parts.imports, "", *parts.constants]
    for helper in parts.helpers:
        text += ["", *helper]
    parts.files["loaded.py"] = [*text, "", *inner]
    if top:
        parts.need(f"from loaded import {parts.lm}, {parts.tok}")
        return [*_started(), *_over(body, many), *_ended()]
    parts.need("from loaded import load")
    return [f"{parts.lm}, {parts.tok} = load()", *_started(), *_over(body, many), *_ended()]


def _early(draw: Draw, parts: Parts, loads: list[str], body: list[str], many: bool) -> list[str]:
    """The tokenizer is used, through a helper, before the model is loaded."""
    shape = draw.pick("early", {"def": 3, "lambda": 1, "map": 2, "direct": 2, "comprehension": 1})
    helper = ["def count(text):", f'    return len({parts.tok}(text)["input_ids"])', ""]
    use = {
        "def": ["sizes = [count(text) for text in PROMPTS]"],
        "lambda": [
            f"size = lambda text: len({parts.tok}.encode(text))",
            "sizes = [size(text) for text in PROMPTS]",
        ],
        "map": ["sizes = list(map(count, PROMPTS))"],
        "direct": [f'sizes = [len({parts.tok}(PROMPTS[0])["input_ids"])]'],
        "comprehension": [f"sizes = [len({parts.tok}.tokenize(text)) for text in PROMPTS]"],
    }[shape]
    helper = helper if shape in ("def", "map") else []
    at = next((n for n, line in enumerate(loads) if "AutoModelForCausalLM" in line), len(loads))
    tokenizer_first = any("AutoTokenizer.from_pretrained" in line for line in loads[:at])
    at = at if tokenizer_first else len(loads)
    loads = [*loads[:at], *_started(), *use, *loads[at:]]
    return [*helper, *loads, "print(sizes)", *_over(body, many), *_ended()]


# Programs of one kind each, which their own modules draw.
_WHOLE = {"tuning": tuning.lines, "exporting": exporting.lines, "scoring": scoring.lines}
_LAYOUTS = {
    "flat": _flat, "functions": _functions, "main": _main, "loading": _loading, "class": _class, "module": _module,
    "early": _early,
}  # fmt: skip


def _over(body: list[str], many: bool) -> list[str]:
    """The body for every prompt, or for all of them."""
    return ["prompts = PROMPTS", *body] if many else ["for p in PROMPTS:", *_indented(body)]


def _started() -> list[str]:
    return [f"PROMPTS = {list(_PROMPTS[:3])!r}", "records = []"]


def _ended() -> list[str]:
    return [
        "import json",
        'with open("records.jsonl", "w") as stream:',
        "    for record in records:",
        '        stream.write(json.dumps(record) + "\\n")',
    ]


def _indented(lines: Sequence[str]) -> list[str]:
    return [f"    {line}" if line else "" for line in lines]
