"""Mutants: faults are put into rewritten programs, and the comparison has to see them.

`python -m tests.differential.mutants --programs 60` mutates what migrate wrote (a keyword is dropped, a literal is
another, a statement is dropped or moved). A mutant that no run can tell from the program is equivalent: those that are
so by what they are stand in `EQUIVALENT`; the others that got through are listed, to be read. Those of the rewriter are
`tests.differential.rewriter_run`.
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import copy
import json
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

# Arguments that say what holds anyway: with the guard's defaults, or with what the tiny models' files say.
EQUIVALENT = {
    "do_sample=False": "the guard is greedy unless asked",
    "dtype=torch.float32": "the checkpoints are float32",
    "dtype='float32'": "the checkpoints are float32",
    "dtype='auto'": "the default",
    "dtype=DTYPE": "the checkpoints are float32",
    "device_map='cpu'": "there is nothing but a CPU",
    "device_map='auto'": "there is nothing but a CPU",
    "device_map=None": "the default",
    "do_sample=True": "a temperature above 0 asks for sampling as well",
    "revision='main'": "the default",
    "attn_implementation='sdpa'": "the default",
    "top_k=None": "off is the default",
    "top_k=0": "off is the default",
    "temperature=1.0": "the default",
    "temperature=None": "not said",
    "top_p=None": "not said",
    "top_p=1.0": "the default",
    "use_cache=True": "the default",
    "use_cache=not False": "the default",
    "eos_token_id=tokenizer.eos_token_id": "the model's own end",
    "is_trainable=False": "the default",
    "max_length=60": "max_new_tokens wins",
    "max_length=512": "nothing is longer",
    "max_length=256": "nothing is longer",
    "in_place=True": "only where the base is used afterwards",
    "skip_special_tokens=SKIP": "where SKIP is True or no special token is generated",
}

Mutant = tuple[str, ast.Module]


def mutants(before: str, after: str) -> Iterator[Mutant]:
    """Mutants of a rewritten file; only in statements that the rewrite has made."""
    old = {ast.dump(node) for node in ast.walk(ast.parse(before)) if isinstance(node, ast.stmt)}
    tree = ast.parse(after)
    new = [
        node
        for node in ast.walk(tree)
        if isinstance(node, (ast.Assign, ast.Expr, ast.Return)) and ast.dump(node) not in old
    ]
    marks = {id(node): number for number, node in enumerate(ast.walk(tree))}
    for statement in new:
        for node in ast.walk(statement):
            if isinstance(node, ast.Call):
                for at, keyword in enumerate(node.keywords):
                    named = f"{keyword.arg}={ast.unparse(keyword.value)}" if keyword.arg else "**"
                    yield f"drop {named}", _edited(tree, marks[id(node)], _dropping(at))
            if isinstance(node, ast.Constant) and type(node.value) in (int, float, bool):
                value = not node.value if isinstance(node.value, bool) else node.value + 1
                said = f"{ast.unparse(statement)[:60]}: {node.value} is {value}"
                yield said, _edited(tree, marks[id(node)], _setting(value))
    for body, at in _places(tree):
        if ast.dump(body[at]) in old or isinstance(body[at], (ast.Import, ast.ImportFrom)):
            continue
        if len(body) > 1:
            yield f"without {ast.unparse(body[at])[:60]}", _without(tree, marks, body, at)
            if at + 1 < len(body) and _depend(body[at], body[at + 1]):
                yield f"later {ast.unparse(body[at])[:60]}", _swapped(tree, marks, body, at)


def _places(tree: ast.Module) -> Iterator[tuple[list[ast.stmt], int]]:
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list):
            yield from ((body, at) for at in range(len(body)))


def _depend(one: ast.stmt, other: ast.stmt) -> bool:
    """Whether one of two statements stores what the other uses: only then their order says something."""
    if isinstance(one, (ast.FunctionDef, ast.ClassDef)) or isinstance(
        other, (ast.FunctionDef, ast.ClassDef)
    ):
        return False  # what stands in it runs later
    names = [[n for n in ast.walk(s) if isinstance(n, ast.Name)] for s in (one, other)]
    for mine, theirs in (names, names[::-1]):
        stored = {n.id for n in mine if isinstance(n.ctx, ast.Store)}
        if stored & {n.id for n in theirs}:
            return True
    return False


def _edited(tree: ast.Module, mark: int, edit: Callable[[Any], None]) -> ast.Module:
    copied = copy.deepcopy(tree)
    edit(list(ast.walk(copied))[mark])
    return copied


def _dropping(at: int) -> Callable[[Any], None]:
    def drop(node: Any) -> None:
        del node.keywords[at]

    return drop


def _setting(value: Any) -> Callable[[Any], None]:
    def put(node: Any) -> None:
        node.value = value

    return put


def _owner(tree: ast.Module, marks: dict[int, int], body: list[ast.stmt]) -> int:
    return next(marks[id(n)] for n in ast.walk(tree) if getattr(n, "body", None) is body)


def _without(tree: ast.Module, marks: dict[int, int], body: list[ast.stmt], at: int) -> ast.Module:
    def edit(node: Any) -> None:
        del node.body[at]

    return _edited(tree, _owner(tree, marks, body), edit)


def _swapped(tree: ast.Module, marks: dict[int, int], body: list[ast.stmt], at: int) -> ast.Module:
    def edit(node: Any) -> None:
        node.body[at], node.body[at + 1] = node.body[at + 1], node.body[at]

    return _edited(tree, _owner(tree, marks, body), edit)


def main() -> None:
    """Measures, and prints one line of JSON per mutant and a sum."""
    parser = argparse.ArgumentParser(prog="python -m tests.differential.mutants")
    parser.add_argument("--programs", type=int, default=60)
    parser.add_argument("--seed", default="mutants")
    parser.add_argument("--each", type=int, default=6, help="mutants of one program")
    parser.add_argument("--report", type=Path, default=None, help="only add up a file of lines")
    parser.add_argument("--out", type=Path, default=None)
    given = parser.parse_args()
    if given.report is not None:
        lines = given.report.read_text(encoding="utf-8").splitlines()
        sys.stdout.write(summary([json.loads(line) for line in lines]))
        return
    from tests.differential.worker import ready

    found = []
    with contextlib.ExitStack() as stack:
        out = sys.stdout if given.out is None else stack.enter_context(given.out.open("w"))
        for line in _of_programs(ready(), given):
            found.append(line)
            print(json.dumps(line), file=out, flush=True)
    sys.stdout.write(summary(found))


def summary(found: list[dict[str, Any]]) -> str:
    """How many were caught, of those that are not equivalent by what they are."""
    counts = Counter(line["verdict"] for line in found)
    caught = counts["caught"] + counts["refused by the plan's own proof"]
    real = caught + counts["got through"]
    share = 100 * caught / real if real else 0.0
    lines = [f"{len(found)} mutants: {dict(counts)}; caught of the rest: {share:.1f}%"]
    for verdict in ("got through", "never applied", "not tried"):
        lines += [f"{verdict}: {x['what']}" for x in found if x["verdict"] == verdict]
    return "\n".join(lines) + "\n"


def _of_programs(room: Any, given: argparse.Namespace) -> Iterator[dict[str, Any]]:
    import random

    from tests.differential.announced import amends_of
    from tests.differential.comparing import compare
    from tests.differential.grammar import program
    from tests.differential.running import TooSlow
    from tests.differential.trying import attempt, plans_of

    done = number = 0
    while done < given.programs:
        made = program(f"{given.seed}-{number}")
        number += 1
        outcome = attempt(room, made)
        if outcome.status != "same" or not outcome.rewritten["CG301"]:
            continue
        done += 1
        amends = amends_of(plans_of(room, made))
        old = room.run(made.files, "main.py", amends)
        every = [
            (name, what, tree)
            for name, text in outcome.after.items()
            if text != made.files[name]
            for what, tree in mutants(made.files[name], text)
        ]
        random.Random(made.seed).shuffle(every)
        for name, what, tree in every[: given.each]:
            text = ast.unparse(ast.fix_missing_locations(tree))
            if ast.dump(ast.parse(text)) == ast.dump(ast.parse(outcome.after[name])):
                continue
            kept = what.removeprefix("drop ").replace("self.", "").replace("tok.", "tokenizer.")
            try:
                new = room.run({**outcome.after, name: text}, "main.py")
                verdict = "caught" if compare(old, new, amends) else "got through"
            except TooSlow:
                verdict = "caught"
            if verdict == "got through" and kept in EQUIVALENT:
                verdict = "equivalent"
            yield {"what": what, "seed": made.seed, "verdict": verdict}


if __name__ == "__main__":
    main()
