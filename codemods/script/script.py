"""A script under migration: its text, flow and positions, and the questions that rewrites ask."""

from __future__ import annotations

import ast
from bisect import bisect_right
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from copy import copy
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import libcst as cst

from cleanguard.catalogue.findings import Finding
from cleanguard.settings.config import Settings
from codemods.others.elsewhere import Elsewhere
from codemods.others.givers import NOTHING
from codemods.plan.edits import Edit
from codemods.plan.options import EVERYTHING, Wishes
from codemods.plan.sites import CannotRewrite
from codemods.plan.suppressed import silence
from codemods.script.definitions import exports
from codemods.script.looking import Looking
from codemods.script.text import ScriptText, indentation, keep_behind, tree_of
from codemods.script.walks import (
    Attributes,
    Blocks,
    Lines,
    Names,
    NameUse,
    Shared,
    Values,
)
from lint_rules._engine.checking import followed_findings
from lint_rules._flow.analysis import Flow, analyse
from lint_rules._flow.values.events import Event, Place
from lint_rules._light.positions import Span
from lint_rules._questions.exempt import active_codes
from lint_rules._questions.hand_made_text import ways_of
from lint_rules._questions.reach import Reach, Ways
from lint_rules._run.source import Source, parse_fast
from lint_rules.registry import RULES

E = TypeVar("E", bound=Event)
V = TypeVar("V", bound=Looking)
T = TypeVar("T")


class Script(ScriptText):
    """Everything that rewrites read; they answer with sites and change nothing here."""

    def __init__(
        self,
        filename: str,
        source: Source,
        settings: Settings,
        wishes: Wishes = EVERYTHING,
        *,
        foreign: frozenset[int] = frozenset(),
        others: Elsewhere | None = None,
        path: Path | None = None,
        exact: bool = True,
        tree: ast.Module | None = None,
    ) -> None:
        """Reads and follows a script.

        Args:
            filename: The path as it was given.
            source: The text.
            settings: The configuration of the check.
            wishes: What is to be rewritten.
            foreign: Lines that only stand for a notebook's magic.
            others: The other files of the run.
            path: Where the file stands, if that is not `filename`.
            exact: On an exact tree, if it has one.
            tree: The interpreter's tree of the text, if it is parsed already.

        Raises:
            SourceError: Libcst refuses it.
            InexactError: An exact tree does not do; nor may it later.
        """
        self.tree = parse_fast(source) if tree is None else tree
        super().__init__(source, *tree_of(source, self.tree if exact else None), foreign)
        self.path = Path(filename) if path is None else path
        self.others = Elsewhere() if others is None else others
        linked = self.others.flow(self.path, self.module)
        self.is_linked = linked is not None
        self.flow: Flow = analyse(self.module, settings) if linked is None else linked
        self._filename, self._settings = filename, settings
        self.looked_for = active_codes(Path(filename), settings)
        self._found = [(rule, report) for rule in RULES for report in rule.check(self.flow)]
        reported = [(rule.hazard.code, report.node) for rule, report in self._found]
        is_silent = silence(filename, source.text, settings)
        self.silenced = tuple(
            (code, node) for code, node in reported if is_silent(code, partial(self._rows, node))
        )
        self._unsilenced = [entry for entry in reported if entry not in self.silenced]
        self._wish(wishes)
        # What other files of the run give the functions of this one.
        given = self.others.given(self.path) if self.is_linked else NOTHING
        self.given = given.at(self.module)
        self.given_by = tuple(sorted(given.paths))
        self._looks: dict[Hashable, Any] = {}

    @property
    def _names(self) -> Names:
        return self.look(Names, self.positions)

    @property
    def shared_names(self) -> set[str]:
        """The names that functions declare `global` or `nonlocal`."""
        return self.look(Shared).found

    def look(self, kind: Callable[..., V], *given: Hashable) -> V:
        """A visitor's look at the whole module, taken once however many sites ask.

        Args:
            kind: The visitor's class.
            given: What it is made with.
        """
        known = (kind, *given)
        if known not in self._looks:
            visitor = kind(*given)
            self.module.visit(visitor)
            self._looks[known] = visitor
        found: V = self._looks[known]
        return found

    def once(self, question: Callable[[Script], T]) -> T:
        """The answer to a question about the whole module, whatever is wished of it, found once."""
        return self.kept(question, lambda: question(self))

    def kept(self, key: Hashable, find: Callable[[], T]) -> T:
        """The answer to a question about a part of the module, found once."""
        if key not in self._looks:
            self._looks[key] = find()
        answer: T = self._looks[key]
        return answer

    def _rows(self, node: cst.CSTNode) -> tuple[int, int]:
        return self.line_of(node), self.positions.end(node).row

    def _wish(self, wishes: Wishes) -> None:
        self.unsafe, self.watches = wishes.unsafe, wishes.watch
        self._wishes = wishes
        self.declined = tuple(
            (code, node)
            for code, node in self._unsilenced
            if wishes.declines(code, self.line_of(node))
        )
        self._reported = frozenset(self._unsilenced) - frozenset(self.declined)

    def wished(self, wishes: Wishes) -> Script:
        """The same script, read once, for somebody who wants something else of it."""
        other = copy(self)
        other._wish(wishes)
        return other

    def findings(self) -> tuple[Finding, ...]:
        """What `cleanguard check` reports in it, where it stands alone."""
        return followed_findings(
            self._filename, self.source, self._found, self.positions, self._settings
        )

    def reports(self, code: str, node: cst.CSTNode) -> bool:
        """Whether the linter reports a hazard at a node; what it does not is none of our business."""
        return (code, node) in self._reported

    def reason_for(self, code: str, node: cst.CSTNode) -> str:
        """Why a declined finding is left."""
        return self._wishes.reason(code, self.line_of(node))

    def is_unproven(self, code: str, node: cst.CSTNode) -> bool:
        """Whether a declined finding is left because its rewrite could not be proven."""
        return self._wishes.is_unproven(code, self.line_of(node))

    def reach(self, kind: str, make: Callable[[cst.CSTNode], Reach]) -> Reach:
        """Where something of a kind may end up in the module, found once."""
        return self.kept(("reach", kind), lambda: make(self.module))

    def ways(self, around: cst.CSTNode, *, through_bodies: bool = False) -> Ways:
        """How names reach each other in the module or a part of it, collected once."""
        if around is self.flow.module and not through_bodies:
            return self.flow.once(ways_of)
        known = ("ways", around, through_bodies)
        return self.kept(known, lambda: Ways(around, through_bodies=through_bodies))

    # --- statements

    def statement(self, place: Place) -> cst.SimpleStatementLine:
        """The simple statement of an event, if it stands alone on its line.

        Raises:
            CannotRewrite: It is part of a compound statement's header, or shares its line.
        """
        if place.line is None:
            raise CannotRewrite("it stands in the header of a compound statement")
        if len(place.line.body) != 1:
            raise CannotRewrite("several statements stand on one line")
        self.indent_of(place.line)
        return place.line

    def line_above(self, offset: int) -> tuple[int, str]:
        """Where the innermost statement around an offset begins its line, and its indentation."""
        statements = [*self.module.body, *(node for block in self.blocks() for node in block)]
        spans = [self.span(node) for node in statements]
        around = [span.start for span in spans if span.start <= offset < span.end]
        start = self._lines[bisect_right(self._lines, max(around, default=offset)) - 1]
        text = self.utf8[start : max(around, default=offset)].decode()
        return start + text.rfind("\f") + 1, indentation(text)

    def delete(self, node: cst.CSTNode) -> Edit:
        """Takes a statement's lines away; its comments stay, on lines of their own."""
        span = self.lines_of(node)
        indent = self.indent_of(node)
        kept = "".join(f"{indent}{text}{self.newline}" for text in self.comments_in(span))
        return Edit(span.start, span.end, kept)

    def replace(self, node: cst.CSTNode, lines: Iterable[str]) -> Edit:
        """Puts new lines in a statement's place; comments that they do not hold move above them, or behind the last."""
        span, indent, rows = self.lines_of(node), self.indent_of(node), list(lines)
        ends = [row.rstrip() for text in rows for row in text.splitlines()]
        comments: list[str] = []
        for comment in self.comments_in(span):
            inside = next((row for row in ends if row.endswith(comment)), None)
            if inside is None:
                comments.append(comment)
            else:
                ends.remove(inside)
        room = self.max_width - len(indent.expandtabs(4))
        rows, comments = keep_behind(self.behind(node), rows, comments, room)
        text = "".join(f"{indent}{line}{self.newline}" for line in (*comments, *rows))
        if not self.utf8[span.start : span.end].endswith((b"\n", b"\r")):
            text = text.removesuffix(self.newline)
        return Edit(span.start, span.end, text)

    def call(self, head: str, arguments: list[str], indent: str, room: int = 0) -> str:
        """A call as text: on one line where it fits, else one argument a line.

        Args:
            head: What is called, up to the opening parenthesis.
            arguments: Each argument as it is to be written.
            indent: Indentation of the statement that holds the call.
            room: Width that the rest of the line takes.
        """
        line = f"{head}({', '.join(arguments)})"
        if "\n" not in line and len(indent.expandtabs(4)) + len(line) + room <= self.max_width:
            return line
        inner = f"{self.newline}{indent}{self.indent_unit}"
        return f"{head}({inner}{f',{inner}'.join(arguments)},{self.newline}{indent})"

    def lines_between(
        self, within: cst.CSTNode | None, region: Span
    ) -> list[cst.SimpleStatementLine]:
        """The simple statements of a function, or of the module, that start inside a range."""
        visitor = Lines()
        (self.module if within is None else within).visit(visitor)
        if region == self._whole:
            return visitor.found
        return [
            line for line in visitor.found if region.start <= self.span(line).start < region.end
        ]

    def blocks(self) -> list[tuple[cst.BaseStatement, ...]]:
        """The statements of each indented block."""
        visitor = Blocks()
        self.module.visit(visitor)
        return visitor.found

    # --- names

    def uses(self, name: str, within: cst.CSTNode | None) -> list[NameUse]:
        """Occurrences of a name inside a node; those of the module's own name for None."""
        return self._within(self._names.named(name), within)

    def names_in(self, span: Span) -> set[str]:
        """The names that are read or written inside a range."""
        return {use.name for use in self._names.inside(span)}

    def stored_in(self, span: Span) -> set[str]:
        """The names that are assigned inside a range."""
        return {use.name for use in self._names.inside(span) if use.stores}

    def starts_of(self, block: Sequence[cst.CSTNode]) -> list[int]:
        """Where each statement of a block begins."""
        known = ("starts", id(block))
        if known not in self._looks:  # the block is kept, so that no other gets its identity
            self._looks[known] = (block, [self.span(statement).start for statement in block])
        starts: list[int] = self._looks[known][1]
        return starts

    def offsets_of(self, name: str, region: Span) -> Iterator[int]:
        """Where a name occurs inside a range, in the order of the text."""
        return self._names.offsets(name, region.start, region.end)

    def stores_of(self, name: str, within: cst.CSTNode | None) -> list[NameUse]:
        """Where a name is assigned inside a node; where the module's own is for None."""
        return self._within(self._names.named(name, stores=True), within)

    def _within(self, uses: list[NameUse], within: cst.CSTNode | None) -> list[NameUse]:
        if within is None or not uses:
            return [use for use in uses if not use.local]
        span = self.span(within)
        return [use for use in uses if span.start <= use.offset < span.end]

    def home_of(self, name: str, function: cst.FunctionDef | None) -> cst.FunctionDef | None:
        """The function whose name it is where another one reads it; None for the module's."""
        scope = None if function is None else self._names.scopes[function].home_of(name)
        return scope.node if scope is not None and isinstance(scope.node, cst.FunctionDef) else None

    def assigned_values(
        self, name: str, within: cst.FunctionDef | None
    ) -> list[cst.BaseExpression]:
        """What the lines `name = …` of a function assign; for None, those of the module's own name."""
        own = {use.offset for use in self.uses(name, within)}
        found = self.look(Values).found.get(name, ())
        return [value for target, value in found if self.span(target).start in own]

    def has_attribute(self, name: str) -> bool:
        """Whether an attribute of this name occurs anywhere in the module."""
        return f".{name}".encode() in self.utf8

    def names_end_with(self, *endings: str) -> bool:
        """Whether a name in code, or the last part of one, ends so; those that are only imported do not count."""
        known = ("ends", endings)
        if known not in self._looks:
            names = (*self._names.every, *self.look(Attributes).found)
            self._looks[known] = any(name.endswith(endings) for name in names)
        return bool(self._looks[known])

    def is_taken(self, name: str) -> bool:
        """Whether a name occurs anywhere in the module."""
        return name in self._names.every

    def is_taken_elsewhere(self, name: str, scope: cst.FunctionDef | None = None) -> bool:
        """Whether another file takes a name of this module, or may; those of functions are their own."""
        own = exports(self.source.text, name)
        return scope is None and (own or self.others.takes(self.path, name))

    def events_in(self, kind: type[E], function: cst.FunctionDef | None) -> list[E]:
        """Events of one kind in one function, module level for None."""
        known = ("events", kind)
        if known not in self._looks:
            by_function: dict[cst.FunctionDef | None, list[E]] = {}
            for event in self.flow.events(kind):
                by_function.setdefault(event.place.function, []).append(event)
            self._looks[known] = by_function
        return list(self._looks[known].get(function, ()))
