"""Lines a second that libcst and the interpreter parse, and that become light trees.

    python benchmarks/parsers.py FOLDER

What `cleanguard check` rests on: it follows values on light trees, made from the interpreter's own.
"""

from __future__ import annotations

import ast
import gc
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import libcst as cst

from lint_rules._light import light_module

FILES = 400


def main() -> None:
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    warnings.simplefilter("ignore")  # invalid escapes in other people's files
    gc.disable()
    texts = []
    for path in sorted(Path(sys.argv[1]).rglob("*.py"))[:FILES]:
        text = path.read_text(encoding="utf-8", errors="ignore")
        try:
            ast.parse(text)
            cst.parse_module(text)
        except (SyntaxError, cst.ParserSyntaxError):
            continue
        texts.append(text)
    lines = sum(text.count("\n") for text in texts)
    print(f"{len(texts)} files, {lines:,} lines")
    say("libcst's parser", cst.parse_module, texts, lines)
    say("the interpreter's parser", ast.parse, texts, lines)
    trees = [ast.parse(text) for text in texts]
    say("light trees of its result", light_module, trees, lines)


def say(name: str, work: Callable[[Any], object], inputs: list[Any], lines: int) -> None:
    begin = time.process_time()
    for one in inputs:
        work(one)
    print(f"{name:<28}{lines / (time.process_time() - begin):>12,.0f} lines a second")


if __name__ == "__main__":
    main()
