"""What other files of a run give the functions of a file: the models and tokenizers that they load."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import reduce
from pathlib import Path

from lint_rules._flow.analysis import Flow
from lint_rules._flow.values.events import OwnCall
from lint_rules._flow.values.joins import (
    UNKNOWN,
    CausalLM,
    ModelId,
    Tokenizer,
    Value,
    join,
    options,
)
from lint_rules._light import tree as cst
from lint_rules._run.project import Project

# A model is followed through so many files, from the one that loads it to the one that generates.
_MOST_HOPS = 3

# What holds statements, below a compound one.
_BODIES = ("body", "orelse", "handlers", "finalbody", "cases")

Values = Mapping[cst.CSTNode, Mapping[str, Value]]
# A function: its file, and its number among the functions of the file.
FunctionKey = tuple[Path, int]


@dataclass(frozen=True, slots=True)
class Given:
    """What a file's functions are given, by their number in the file and the names of the parameters.

    Attributes:
        values: Models and tokenizers, over all calls that are seen.
        flows: Those of the files that give them.
        paths: Those files, and the ones that give them to those.
    """

    values: Mapping[int, Mapping[str, Value]]
    flows: tuple[Flow, ...] = ()
    paths: frozenset[Path] = frozenset()

    def at(self, module: cst.CSTNode) -> Values:
        """The values by the functions of a tree of the file."""
        if not self.values:
            return {}
        functions = list(functions_in(module))
        return {functions[n]: given for n, given in self.values.items() if n < len(functions)}


NOTHING = Given({})


def functions_in(module: cst.CSTNode) -> Iterator[cst.FunctionDef]:
    """The functions of a module, in the same order on a full tree and on a light one."""
    waiting: list[object] = [module]
    while waiting:
        part = waiting.pop()
        if isinstance(part, (list, tuple)):
            waiting += part
        elif isinstance(part, cst.CSTNode) and not isinstance(part, cst.SimpleStatementLine):
            if isinstance(part, cst.FunctionDef):
                yield part
            waiting += [getattr(part, field, None) for field in _BODIES]


class Givers:
    """Follows models over the files of a run.

    Args:
        project: The files of the run.
        importers: The files that may call what a file defines.
    """

    def __init__(self, project: Project, importers: Callable[[Path], list[Path]]) -> None:
        self._project = project
        self._importers = importers
        self._given: dict[tuple[Path, int], Given] = {}
        self._flows: dict[tuple[Path, int], Flow | None] = {}
        self._own: dict[Path, Flow] = {}
        self._numbers: dict[cst.CSTNode, dict[cst.CSTNode, int]] = {}

    def given(self, path: Path, hops: int = _MOST_HOPS) -> Given:
        """What a file's functions are given, through so many more files."""
        known = self._given.get((path, hops))
        if known is None:
            known = self._given[path, hops] = self._gather(path, hops)
        return known

    def flow(self, path: Path, hops: int = _MOST_HOPS) -> Flow | None:
        """The flow of a file that may give something, with what it is given; None if it is not followed."""
        if (path, hops) not in self._flows:
            self._flows[path, hops] = self._follow(path, hops)
        return self._flows[path, hops]

    def key_of(self, flow: Flow, function: cst.CSTNode) -> FunctionKey | None:
        """Which function of which file a flow speaks of."""
        home = flow.home_of(function)
        if home is None:
            return None
        path, module = home
        if module not in self._numbers:
            self._numbers[module] = {node: n for n, node in enumerate(functions_in(module))}
        number = self._numbers[module].get(function)
        return None if number is None else (path, number)

    def _gather(self, path: Path, hops: int) -> Given:
        values: dict[int, dict[str, Value]] = {}
        flows: list[Flow] = []
        paths: set[Path] = set()
        for other in self._importers(path):
            flow = self.flow(other, hops - 1) if hops else None
            for call in () if flow is None else flow.events(OwnCall):
                given = _models_in(call)
                key = self.key_of(flow, call.function) if given and flow is not None else None
                if key is None or key[0] != path or flow is None:
                    continue
                if flow not in flows:
                    flows.append(flow)
                    paths |= {other, *self._given.get((other, hops - 1), NOTHING).paths}
                known = values.setdefault(key[1], {})
                for name, value in given.items():
                    known[name] = join(known.get(name, UNKNOWN), value)
        for known in values.values():
            known.update({name: _of_one_kind(value) for name, value in known.items()})
        return Given(values, tuple(flows), frozenset(paths)) if values else NOTHING

    def _follow(self, path: Path, hops: int) -> Flow | None:
        module = self._project.tree(path)
        if module is None:
            return None
        flow = self._alone(path)
        if hops and any(_hands_on(call) for call in flow.events(OwnCall)):
            given = self.given(path, hops)
            if given.values:
                return self._project.exact_flow(path, module, given.at(module), given.flows)
        return flow

    def _alone(self, path: Path) -> Flow:
        """The flow of a file that is given nothing, walked once."""
        if path not in self._own:
            self._own[path] = self._project.flow(path)
        return self._own[path]


def _models_in(call: OwnCall) -> dict[str, Value]:
    """The models and tokenizers with a known load that a call gives; nothing where it gives no model."""
    found: dict[str, Value] = {}
    has_model = False
    for name, value in call.given.items():
        for option in options(value):
            if isinstance(option, (CausalLM, Tokenizer)) and option.origin is not None:
                found[name] = join(found.get(name, UNKNOWN), option)
                has_model = has_model or isinstance(option, CausalLM)
    return found if has_model else {}


def _of_one_kind(value: Value) -> Value:
    """Models of several names as models that the program decides at run time: what holds of one may not of all."""
    found = [one for one in options(value) if isinstance(one, (CausalLM, Tokenizer))]
    if len({one.model for one in found}) < 2:
        return value
    standings = {one.model.standing for one in found}
    model = ModelId(None, standings.pop() if len(standings) == 1 else "unknown", fixed=False)
    alike: list[Value] = [replace(one, model=model) for one in found]
    return reduce(join, alike)


def _hands_on(call: OwnCall) -> bool:
    """Whether a call gives a model whose load is in another file."""
    return any(
        isinstance(option, CausalLM) and option.origin is None
        for value in call.given.values()
        for option in options(value)
    )
