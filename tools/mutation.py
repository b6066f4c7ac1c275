"""Mutation testing: faults are put into modules one at a time, and the tests that cover the line must see each.

    python tools/mutation.py cleanguard/editing --tests tests/codemods/test_write.py …
    python tools/mutation.py guard/prompts guard/enforcing --sample 150 --seed 1 --keep mutants.jsonl

First the tests run once, and it is noted which of them runs which line. For each mutant only those that run its line
run again, the quickest of each file first, until one fails, in a process forked from one that has imported everything.
With `--keep` a run that was cut off goes on. A mutant that no test sees is listed.

A mutant may do what its module must never do: give tests that touch nothing but folders of their own. The tool refuses
to run as root.
"""

from __future__ import annotations

import argparse
import ast
import copy
import importlib
import json
import os
import random
import signal
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]
_COMPARE: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Eq: ast.NotEq, ast.NotEq: ast.Eq, ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt,
    ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In,
}  # fmt: skip
_ARITHMETIC: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Add, ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd,
    ast.LShift: ast.RShift, ast.RShift: ast.LShift, ast.FloorDiv: ast.Mult, ast.Div: ast.Mult, ast.Mod: ast.Mult,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Mutant:
    """One fault.

    Attributes:
        file: The module, from the repository's root.
        line: Where.
        what: In words.
        text: The module with it.
    """

    file: str
    line: int
    what: str
    text: str


def mutants(file: str) -> Iterator[Mutant]:
    """All mutants of a module: comparisons, conditions, numbers, arithmetic, results, and statements left out."""
    tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
    nodes = list(ast.walk(tree))
    typing = {id(inner) for node in nodes for inner in _not_run(node)}
    for index, node in enumerate(nodes):
        if id(node) in typing:
            continue
        for what, change in _changes(node):
            other = copy.deepcopy(tree)
            twin = list(ast.walk(other))[index]
            change(twin, other)
            line = getattr(node, "lineno", 0)
            yield Mutant(file, line, what, ast.unparse(ast.fix_missing_locations(other)))


def _not_run(node: ast.AST) -> Iterator[ast.AST]:
    """Annotations, docstrings, what is only imported for types, and messages."""
    for name in ("annotation", "returns"):
        inner = getattr(node, name, None)
        if isinstance(inner, ast.AST):
            yield from ast.walk(inner)
    if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
        yield from ast.walk(node)
    if isinstance(node, ast.ClassDef):  # `@dataclass(frozen=True, slots=True)` is how it is made
        for decorator in node.decorator_list:
            yield from ast.walk(decorator)


def _changes(node: ast.AST) -> Iterator[tuple[str, Any]]:
    if isinstance(node, ast.Compare) and type(node.ops[0]) in _COMPARE:
        new = _COMPARE[type(node.ops[0])]
        yield (
            f"{ast.unparse(node)[:50]}: {new.__name__}",
            lambda twin, _: twin.ops.__setitem__(0, new()),
        )
    elif isinstance(node, ast.BoolOp):
        new_op = ast.Or if isinstance(node.op, ast.And) else ast.And
        yield (
            f"{ast.unparse(node)[:50]}: {new_op.__name__}",
            lambda twin, _: setattr(twin, "op", new_op()),
        )
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        yield f"{ast.unparse(node)[:50]}: without not", _replaced(lambda twin: twin.operand)
    elif isinstance(node, ast.Constant) and type(node.value) is bool:
        yield (
            f"{node.value}: {not node.value}",
            lambda twin, _: setattr(twin, "value", not node.value),
        )
    elif isinstance(node, ast.Constant) and type(node.value) is int:
        yield (
            f"{node.value}: {node.value + 1}",
            lambda twin, _: setattr(twin, "value", node.value + 1),
        )
    elif isinstance(node, ast.BinOp) and type(node.op) in _ARITHMETIC and not _is_text(node):
        arithmetic = _ARITHMETIC[type(node.op)]
        yield (
            f"{ast.unparse(node)[:50]}: {arithmetic.__name__}",
            lambda twin, _: setattr(twin, "op", arithmetic()),
        )
    elif isinstance(node, (ast.If, ast.IfExp)):
        yield (
            f"if {ast.unparse(node.test)[:50]}: always",
            lambda twin, _: setattr(twin, "test", ast.Constant(True)),
        )
        yield (
            f"if {ast.unparse(node.test)[:50]}: never",
            lambda twin, _: setattr(twin, "test", ast.Constant(False)),
        )
    elif isinstance(node, ast.Return) and node.value is not None and not _is_none(node.value):
        yield (
            f"return {ast.unparse(node.value)[:50]}: None",
            lambda twin, _: setattr(twin, "value", ast.Constant(None)),
        )
    elif isinstance(node, (ast.Raise, ast.AugAssign)) or (
        isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)
    ):
        yield f"without {ast.unparse(node)[:50]}", _replaced(lambda _: ast.Pass())
    elif isinstance(node, ast.Continue):
        yield "continue: break", _replaced(lambda _: ast.Break())


def _is_text(node: ast.BinOp) -> bool:
    return any(isinstance(side, (ast.JoinedStr, ast.Constant)) and isinstance(getattr(side, "value", ""), (str, bytes))
               for side in (node.left, node.right))  # fmt: skip


def _is_none(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


def _replaced(make: Any) -> Any:
    def change(twin: ast.AST, tree: ast.AST) -> None:
        new = make(twin)
        for parent in ast.walk(tree):
            for name, value in ast.iter_fields(parent):
                if value is twin:
                    setattr(parent, name, new)
                elif isinstance(value, list) and any(item is twin for item in value):
                    value[[item is twin for item in value].index(True)] = new

    return change


class _Lines:
    """Notes which test runs which lines of some files, and how long it takes."""

    def __init__(self, files: Sequence[str]) -> None:
        self._paths = {str(ROOT / file): file for file in files}
        self.seen: dict[tuple[str, int], set[str]] = defaultdict(set)
        self.seconds: dict[str, float] = {}
        self.failed: list[str] = []
        self._test = ""

    def _trace(self, frame: Any, _event: str, _: Any) -> Any:
        file = self._paths.get(frame.f_code.co_filename)
        if file is None:
            return None
        test = self._test

        def lines(inner: Any, kind: str, _: Any) -> Any:
            if kind == "line":
                self.seen[file, inner.f_lineno].add(test)
            return lines

        self.seen[file, frame.f_lineno].add(test)
        return lines

    def of_file(self, file: str) -> set[str]:
        """The tests that run any line of a file."""
        return set().union(*(tests for (where, _), tests in self.seen.items() if where == file))

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        """Traces a test with its fixtures."""
        self._test, began = item.nodeid, time.process_time()
        sys.settrace(self._trace)
        yield
        sys.settrace(None)
        self.seconds[item.nodeid] = time.process_time() - began

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Notes a test that fails without any mutant."""
        if report.failed:
            self.failed.append(report.nodeid)


def _in_turn(tests: Sequence[str]) -> list[str]:
    """The first test of each file, then the second of each: neighbours in a file see the same."""
    places: Counter[str] = Counter()
    ranked = []
    for test in tests:
        file = test.partition("::")[0]
        ranked.append((places[file], test))
        places[file] += 1
    return [test for _, test in sorted(ranked, key=lambda one: one[0])]


def _survives(mutant: Mutant, tests: Sequence[str], limit: float) -> bool:
    """Whether all tests pass with a mutant, in a process of its own."""
    child = os.fork()
    if child == 0:
        with suppress(BaseException):
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, 1)
            os.dup2(null, 2)
            os.setpgid(0, 0)
            signal.setitimer(signal.ITIMER_PROF, limit)
            signal.signal(signal.SIGPROF, signal.SIG_DFL)
            _install(mutant)
            code = pytest.main(["-q", "-x", "-p", "no:cacheprovider", "-p", "no:randomly", *tests])
            os._exit(0 if code == 0 else 1)
        os._exit(1)
    end = time.monotonic() + 6 * limit
    while time.monotonic() < end:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return status == 0
        time.sleep(0.02)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return False


def _install(mutant: Mutant) -> None:
    """Puts a mutant in the place of its module: its code runs anew in the module that all have imported.

    Classes and functions keep their identity, so that what others took by name is changed as well.
    """
    name = mutant.file.removesuffix(".py").replace("/", ".")
    module = importlib.import_module(name)
    before = dict(vars(module))
    exec(compile(mutant.text, str(ROOT / mutant.file), "exec"), vars(module))
    for key, new in list(vars(module).items()):
        old = before.get(key)
        if old is None or old is new or getattr(new, "__module__", None) != name:
            continue
        if isinstance(old, type) and isinstance(new, type):
            for member, value in list(vars(new).items()):
                if callable(value) or isinstance(value, (property, staticmethod, classmethod)):
                    with suppress(AttributeError, TypeError):
                        _into(vars(old).get(member), value) or setattr(old, member, value)
            setattr(module, key, old)
        elif _into(old, new):
            setattr(module, key, old)


def _into(old: Any, new: Any) -> bool:
    """Gives an old function a new one's code."""
    if hasattr(old, "__wrapped__") and hasattr(new, "__wrapped__"):  # a context manager, say
        return _into(old.__wrapped__, new.__wrapped__)
    if (
        not (hasattr(old, "__code__") and hasattr(new, "__code__"))
        or old.__closure__
        or new.__closure__
    ):
        return False
    old.__code__, old.__defaults__, old.__kwdefaults__ = (
        new.__code__,
        new.__defaults__,
        new.__kwdefaults__,
    )
    return True


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("paths", nargs="+", help="modules, or folders of modules")
    parser.add_argument("--tests", nargs="+", required=True)
    parser.add_argument("--sample", type=int, help="how many mutants; all if left out")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--most-tests", type=int, default=25, help="tests for a mutant, the quickest first"
    )
    parser.add_argument("--keep", type=Path)
    parser.add_argument("--as-root", action="store_true", help="in a container that is thrown away")
    options = parser.parse_args()
    if hasattr(os, "geteuid") and os.geteuid() == 0 and not options.as_root:
        sys.exit(
            "a mutant could write anywhere: run this as a user without rights, or in a container, with --as-root"
        )
    os.chdir(ROOT)
    files = [
        str(path)
        for given in options.paths
        for path in (sorted(Path(given).rglob("*.py")) if Path(given).is_dir() else [Path(given)])
    ]
    every = [mutant for file in files for mutant in mutants(file)]
    chosen = every
    if options.sample is not None and options.sample < len(every):
        chosen = random.Random(options.seed).sample(every, options.sample)
    lines = _Lines(files)
    pytest.main(["-q", "-p", "no:cacheprovider", *options.tests], plugins=[lines])
    if lines.failed:
        sys.exit(f"these tests fail without any mutant: {', '.join(lines.failed)}")
    known = {}
    if options.keep and options.keep.exists():
        rows = map(json.loads, options.keep.read_text(encoding="utf-8").splitlines())
        known = {(row["file"], row["line"], row["what"]): row["survives"] for row in rows}
    survivors = []
    for mutant in sorted(chosen, key=lambda one: (one.file, one.line)):
        # What is at the top of a module ran when it was imported, before any test.
        seen = lines.seen.get((mutant.file, mutant.line)) or lines.of_file(mutant.file)
        tests = _in_turn(sorted(filter(None, seen), key=lines.seconds.__getitem__))
        tests = tests[: options.most_tests]
        key = (mutant.file, mutant.line, mutant.what)
        if key not in known:
            limit = 10 + 5 * sum(lines.seconds[test] for test in tests)
            known[key] = not tests or _survives(mutant, tests, limit)
            if options.keep:
                with options.keep.open("a", encoding="utf-8") as kept:
                    row = {"file": key[0], "line": key[1], "what": key[2], "survives": known[key]}
                    kept.write(json.dumps(row) + "\n")
        if known[key]:
            survivors.append((mutant, len(tests)))
            print(
                f"survives {mutant.file}:{mutant.line}: {mutant.what} ({len(tests)} tests run the line)",
                flush=True,
            )
    killed = len(chosen) - len(survivors)
    share = killed / len(chosen) if chosen else 1.0
    print(
        f"{killed} of {len(chosen)} mutants killed, {share:.1%}; {len(every)} in all, seed {options.seed}"
    )


if __name__ == "__main__":
    main()
