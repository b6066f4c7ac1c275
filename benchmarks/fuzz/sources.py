"""Real Python files, and mutations of them."""

from __future__ import annotations

import ast
import random
import re
import sysconfig
import warnings
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# The scripts that the tests hold; most of them have hazards, so that rules and rewrites have something to do.
FIXTURES = (
    "cleanguard/legacy",
    "tests/codemods/wild",
    "tests/lint_rules/recall",
    "tests/lint_rules/legitimate",
)
PACKAGES = (
    "trl",
    "peft",
    "transformers/models",
    "transformers/generation",
    "accelerate",
    "datasets",
)
_LARGEST = 40_000
_WORD = re.compile(rb"[A-Za-z_][A-Za-z_0-9]*|\d+|\s+|.", re.DOTALL)
_LINES = (
    b'model = AutoModelForCausalLM.from_pretrained("gpt2", **kw)',
    b'tok = AutoTokenizer.from_pretrained(name, chat_template=None, padding_side="right")',
    b"out = model.generate(**tok(text, add_special_tokens=False), max_length=9)",
    b"tok.chat_template = None; tok.pad_token = tok.eos_token",
    b'text = tok.apply_chat_template(m, tokenize=False); ids = tok(text)["input_ids"]',
    b"from transformers import *",
    b"for model.config.x in range(3): pass",
    b"global model, tok",
    b"del model",
    b"async def f(*, a=model, **k): return await model.generate(*a)",
    b"match out:\n    case {'x': [model, *rest], **tok}: pass",
    b"x = lambda *a, m=model: (yield m)",
    b"# cleanguard: ignore[CG101]",
    b"# noqa: CG101, CG999",
    b"class C(AutoModelForCausalLM): model = AutoModelForCausalLM.from_pretrained('x')",
    b"with open(model) as tok, tok as (model, b): pass",
    b"print(f'{model.generate(ids)!r:>{tok}}')",
    b"try:\n    pass\nexcept* model as tok:\n    pass",
    b"model = tok = model.generate = tok(model)[0][:, model:]",
    b"type X[T] = AutoModelForCausalLM",
)
_PIECES = (
    b"(", b")", b"[", b"]", b"{", b"}", b":", b",", b"=", b":=", b"**", b"*", b"\\\n", b"\n", b"\r", b"\r\n", b"\f", b"\t",
    b"'", b'"', b'"""', b"#", b";", b"@", b"->", b"...", b"\xef\xbb\xbf", b"\x00", b"\xff", b"\xc3", "é".encode(),
    "\u2028".encode(), "\u202e".encode(), "𝕞odel".encode(), b"lambda", b"yield", b"await", b"async", b"match", b"f'{", b"0x",
    b"1_", b"1e999", b"-", b"not", b"if", b"else", b"None", b"True", b"\x0c", b"\x1a", b"\x1b[2J",
)  # fmt: skip
_COOKIES = (
    b"latin-1", b"utf-8", b"cp1252", b"utf-7", b"shift_jis", b"big5", b"gb18030", b"utf-16", b"hex", b"rot13", b"idna",
    b"unicode_escape", b"iso2022_jp", b"x",
)  # fmt: skip


@cache
def real_files() -> tuple[Path, ...]:
    """The files, always in one order: the fixtures, then those of installed packages and the standard library."""
    found = [path for folder in FIXTURES for path in sorted((ROOT / folder).rglob("*.py"))]
    import transformers

    purelib, stdlib = Path(transformers.__file__).parents[1], Path(sysconfig.get_path("stdlib"))
    for package in PACKAGES:
        found += sorted((purelib / package).rglob("*.py"))
    found += sorted(stdlib.glob("*.py"))
    return tuple(path for path in found if 50 < path.stat().st_size < _LARGEST)


@cache
def _fixtures() -> int:
    return sum(path.is_relative_to(ROOT) for path in real_files())


def picked(rng: random.Random) -> bytes:
    """A real file's bytes; two in three are scripts of the tests."""
    files, own = real_files(), _fixtures()
    path = (
        files[rng.randrange(own)] if rng.random() < 0.67 else files[rng.randrange(own, len(files))]
    )
    return path.read_bytes()


def mutated(rng: random.Random) -> bytes:
    """A real file with one to six changes: of lines, of tokens, of bytes, of its encoding, of its place in another."""
    broken = rng.random() < 0.3  # most are to be read, or the rules would see few
    for _ in range(4):
        raw = picked(rng)
        for _ in range(rng.choice((1, 1, 2, 3, 6))):
            raw = rng.choice(_CHANGES)(raw, rng)
        if broken or _parses(raw):
            break
    return raw[: 4 * _LARGEST]


def _parses(raw: bytes) -> bool:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ast.parse(raw)
    except (SyntaxError, ValueError, RecursionError, MemoryError, LookupError):
        return False
    return True


def _line_changed(raw: bytes, rng: random.Random) -> bytes:
    lines = raw.splitlines(keepends=True) or [b"\n"]
    at, other = rng.randrange(len(lines)), rng.randrange(len(lines))
    act = rng.randrange(6)
    if act == 0:
        del lines[at]
    elif act == 1:
        lines.insert(at, lines[other])
    elif act == 2:
        lines[at], lines[other] = lines[other], lines[at]
    elif act == 3:
        lines[at] = rng.choice((b" ", b"    ", b"\t")) + lines[at]
    elif act == 4:
        lines[at] = lines[at].lstrip(b" \t")
    else:
        lines[at] = lines[at].rstrip(b"\r\n") + b" " + lines[other].lstrip()
    return b"".join(lines)


def _line_added(raw: bytes, rng: random.Random) -> bytes:
    lines = raw.splitlines(keepends=True) or [b"\n"]
    at = rng.randrange(len(lines))
    indent = lines[at][: len(lines[at]) - len(lines[at].lstrip(b" \t"))]
    new = rng.choice(_LINES).replace(b"\n", b"\n" + indent)
    lines.insert(at, indent + new + b"\n")
    return b"".join(lines)


def _tokens_changed(raw: bytes, rng: random.Random) -> bytes:
    tokens = _WORD.findall(raw)
    if not tokens:
        return raw
    for _ in range(rng.choice((1, 1, 2, 5))):
        at, other = rng.randrange(len(tokens)), rng.randrange(len(tokens))
        act = rng.randrange(4)
        if act == 0:
            tokens[at] = b""
        elif act == 1:
            tokens[at] = tokens[other]
        elif act == 2:
            tokens[at] = rng.choice(_PIECES)
        else:
            tokens[at] += rng.choice(_PIECES)
    return b"".join(tokens)


def _bytes_changed(raw: bytes, rng: random.Random) -> bytes:
    changed = bytearray(raw)
    for _ in range(rng.choice((1, 2, 8))):
        if changed:
            changed[rng.randrange(len(changed))] = rng.randrange(256)
    return bytes(changed)


def _cut(raw: bytes, rng: random.Random) -> bytes:
    start, end = sorted(rng.randrange(len(raw) + 1) for _ in range(2))
    return rng.choice((raw[:start], raw[end:], raw[:start] + raw[end:]))


def _spliced(raw: bytes, rng: random.Random) -> bytes:
    lines, others = raw.splitlines(keepends=True), picked(rng).splitlines(keepends=True)
    at, start = rng.randrange(len(lines) + 1), rng.randrange(len(others) + 1)
    return b"".join([*lines[:at], *others[start : start + rng.randrange(1, 40)], *lines[at:]])


def _line_ends(raw: bytes, rng: random.Random) -> bytes:
    return raw.replace(b"\n", rng.choice((b"\r\n", b"\r", b"\n\n", b"\n\x0c", b"  \n")))


def _encoded(raw: bytes, rng: random.Random) -> bytes:
    head = rng.choice(
        (b"# coding: ", b"#!/usr/bin/python\n# -*- coding: ", b"\xef\xbb\xbf# coding: ")
    )
    return head + rng.choice(_COOKIES) + b"\n" + raw


def _nested(raw: bytes, rng: random.Random) -> bytes:
    depth = rng.randrange(1, 25)
    lines = raw.splitlines(keepends=True)
    inner = b"".join(b"    " * depth + line for line in lines)
    opened = b"".join(b"    " * level + b"if x:\n" for level in range(depth))
    return opened + inner


_CHANGES = (
    *[_line_changed] * 4, *[_line_added] * 5, *[_tokens_changed] * 5, _bytes_changed, _cut, *[_spliced] * 3, _line_ends,
    _encoded, _nested,
)  # fmt: skip


def drawn(seed: int, number: int) -> list[bytes]:
    """Modules that hypothesmith makes of Python's grammar and of libcst's nodes, some around a script's lines.

    Args:
        seed: Of the draw.
        number: How many.
    """
    import hypothesmith
    from hypothesis import HealthCheck, Phase, given, settings
    from hypothesis import seed as seeded

    found: list[str] = []
    for strategy in (hypothesmith.from_grammar("file_input"), hypothesmith.from_node()):

        @seeded(seed)
        @settings(
            max_examples=number // 2 + 1, database=None, deadline=None, phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )  # fmt: skip
        @given(strategy)
        def take(text: str) -> None:
            found.append(text)

        take()
    rng = random.Random(seed)
    made = [text.encode("utf-8", "surrogatepass") for text in found]
    # Alone, such a file seldom has a word that a rule looks for; half of them stand in a script that has.
    return [raw if rng.random() < 0.5 else _around(raw, rng) for raw in made][:number]


def _around(raw: bytes, rng: random.Random) -> bytes:
    head = b"from transformers import AutoModelForCausalLM, AutoTokenizer\n"
    return head + rng.choice(_LINES) + b"\n" + raw + b"\n" + rng.choice(_LINES) + b"\n"
