"""Notebooks that are broken, odd, or of the wrong shape."""

from __future__ import annotations

import copy
import json
import random
from typing import Any

from benchmarks.fuzz.sources import mutated, picked

_ODD: tuple[Any, ...] = (
    None,
    True,
    0,
    -1,
    1e308,
    "",
    "x",
    [],
    {},
    [[]],
    [None],
    {"a": []},
    ["a", 1],
    "\ud800",
    "\x00",
    "nb",
)
_MAGICS = ("%%bash\n", "%%writefile a.py\n", "%%time\n", "!pip install x\n", "%load_ext a\n", "x = !ls\n", "?model\n", "%%\n", "%%capture out\n",
           "%run a.py\n", "%%html\n", "get_ipython().system('x')\n")  # fmt: skip


def notebook(rng: random.Random) -> bytes:
    """A notebook of a real file's lines, with one to four changes of its text, its JSON or its cells."""
    lines = picked(rng).decode("utf-8", "replace").splitlines(keepends=True)
    cells = []
    while lines:
        size = rng.randrange(1, 30)
        cells.append(_cell("".join(lines[:size]), rng))
        lines = lines[size:]
    whole: Any = {
        "cells": cells,
        "metadata": {"kernelspec": {"language": "python"}},
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    for _ in range(rng.randrange(4)):
        _change(whole, rng)
    indent = rng.choice((None, 1, 1, 2, "\t"))
    raw = json.dumps(whole, indent=indent, ensure_ascii=rng.random() < 0.5).encode(
        "utf-8", "surrogatepass"
    )
    if rng.random() < 0.3:
        at = rng.randrange(len(raw))
        raw = (
            raw[:at]
            + rng.choice((b"", b"\x00", b"}", b"]", b'"', b",", b"\xff", b"\\u", b"1e9999"))
            + raw[at + rng.randrange(3) :]
        )
    if rng.random() < 0.05:
        raw = rng.choice(
            (
                b"\xef\xbb\xbf" + raw,
                raw.decode("utf-8", "replace").encode("utf-16"),
                b"",
                b"{}",
                raw[: len(raw) // 2],
            )
        )
    return raw


def _cell(text: str, rng: random.Random) -> dict[str, Any]:
    if rng.random() < 0.2:
        text = rng.choice(_MAGICS) + text
    if rng.random() < 0.1:
        text = mutated(rng).decode("utf-8", "replace")[:2_000]
    source = text if rng.random() < 0.3 else text.splitlines(keepends=True)
    kind = "code" if rng.random() < 0.9 else rng.choice(("markdown", "raw", "odd"))
    return {
        "cell_type": kind,
        "id": str(rng.random()),
        "metadata": {},
        "outputs": [],
        "source": source,
    }


def _change(value: Any, rng: random.Random) -> None:
    """Put something odd somewhere in it."""
    while isinstance(value, (dict, list)) and value:
        key = rng.choice(list(value)) if isinstance(value, dict) else rng.randrange(len(value))
        if rng.random() < 0.3 or not isinstance(value[key], (dict, list)) or not value[key]:
            if isinstance(value, dict) and rng.random() < 0.3:
                del value[key]
            else:
                value[key] = copy.deepcopy(rng.choice(_ODD))
            return
        value = value[key]
