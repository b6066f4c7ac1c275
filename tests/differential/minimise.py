"""Makes a counterexample small: statements, branches and keywords leave while the two runs still differ in the same way."""

from __future__ import annotations

import ast
import copy
from collections.abc import Callable, Iterator
from dataclasses import replace

from tests.differential.grammar import Program

StillDifferent = Callable[[Program], bool]


def minimised(program: Program, still: StillDifferent, most: int = 400) -> Program:
    """The smallest program found; `still` says whether one differs in the way that is looked for."""
    tried = 0
    best = _plain(program)
    if not still(best):
        return program
    smaller = True
    while smaller:
        smaller = False
        for candidate in _smaller(best):
            tried += 1
            if tried > most:
                return best
            if still(candidate):
                best, smaller = candidate, True
                break
    return best


def _plain(program: Program) -> Program:
    files = {name: f"{ast.unparse(ast.parse(text))}\n" for name, text in program.files.items()}
    return replace(program, files=files)


def _smaller(program: Program) -> Iterator[Program]:
    for name in program.files:
        if name != "main.py":
            yield replace(program, files={k: v for k, v in program.files.items() if k != name})
    for name, text in program.files.items():
        for tree in _trees(ast.parse(text)):
            files = {**program.files, name: f"{ast.unparse(tree)}\n"}
            yield replace(program, files=files)


def _trees(tree: ast.Module) -> Iterator[ast.Module]:
    """Every tree with one thing less, the largest first."""
    blocks = [
        (node, field)
        for node in ast.walk(tree)
        for field in ("body", "orelse")
        if isinstance(getattr(node, field, None), list)
    ]
    cuts: list[tuple[int, int, int, str]] = []
    for at, (node, field) in enumerate(blocks):
        body = getattr(node, field)
        for number, statement in enumerate(body):
            size = sum(1 for _ in ast.walk(statement))
            cuts.append((size, at, number, "drop"))
            if isinstance(statement, (ast.If, ast.With, ast.For)):
                cuts.append((size // 2, at, number, "lift"))
    for _, at, number, how in sorted(cuts, reverse=True):
        found = _without(tree, at, number, how)
        if found is not None:
            yield found
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and node.keywords]
    for number, call in enumerate(calls):
        for keyword in range(len(call.keywords)):
            copied = copy.deepcopy(tree)
            same = [n for n in ast.walk(copied) if isinstance(n, ast.Call) and n.keywords][number]
            del same.keywords[keyword]
            yield copied


def _without(tree: ast.Module, at: int, number: int, how: str) -> ast.Module | None:
    copied = copy.deepcopy(tree)
    blocks = [
        (node, field)
        for node in ast.walk(copied)
        for field in ("body", "orelse")
        if isinstance(getattr(node, field, None), list)
    ]
    node, field = blocks[at]
    body = getattr(node, field)
    if how == "lift":
        body[number : number + 1] = body[number].body
    elif len(body) == 1 and field == "body":
        if isinstance(node, ast.Module) or isinstance(body[0], ast.Pass):
            return None
        body[0] = ast.Pass()
    else:
        del body[number]
    return ast.fix_missing_locations(copied)
