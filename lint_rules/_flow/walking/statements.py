"""Executes statements on an environment: assignments, branches that join, loops."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from lint_rules._flow.state.program import Cursor, Function, Program
from lint_rules._flow.values.events import MemberSet, Unpack
from lint_rules._flow.values.joins import (
    UNKNOWN,
    CausalLM,
    Items,
    Sequence,
    Tokenizer,
    Unknown,
    Value,
    count_of,
    element_of,
    first,
)
from lint_rules._flow.values.scopes import Env, Outer
from lint_rules._flow.values.syntax import dotted
from lint_rules._flow.values.text import add_text
from lint_rules._flow.walking.binding import bind_target
from lint_rules._flow.walking.definitions import Definitions
from lint_rules._flow.walking.expressions import Evaluator
from lint_rules._flow.walking.imports import bind_import, bind_import_from
from lint_rules._flow.walking.mutations import mutate
from lint_rules._flow.walking.pad_masks import IGNORED, note_mask
from lint_rules._flow.walking.patterns import bind_pattern
from lint_rules._flow.walking.swallowing import swallows
from lint_rules._flow.walking.switches import switched
from lint_rules._light import tree as cst
from lint_rules._light.by_kind import ByKind

_Run = Callable[[Any, Env], bool]
_EMPTY = Sequence((), "list")


class Executor:
    """Runs the statements of a module abstractly. A block that cannot fall through returns False."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.cursor = Cursor()
        self.evaluator = Evaluator(program, self.cursor)
        self.definitions = Definitions(program, self.evaluator, self._body)
        program.replay = self.definitions.replay
        program.demand = self._demand
        self._repeating = False
        # What holds where each loop around is left, or begins anew, in the middle of its body.
        self._leaves: list[list[Env]] = []
        self._handlers = ByKind[_Run | None](
            {
                cst.SimpleStatementLine: self._line,
                cst.FunctionDef: self.definitions.function,
                cst.ClassDef: self.definitions.class_,
                cst.If: self._if,
                cst.For: self._for,
                cst.While: self._while,
                cst.With: self._with,
                cst.Try: self._try,
                cst.TryStar: self._try,
                cst.Match: self._match,
            }
        )
        self._small = ByKind[_Run | None](
            {
                cst.Expr: self._expression,
                cst.Assign: self._assign,
                cst.AnnAssign: self._annotated_assign,
                cst.AugAssign: self._augmented_assign,
                cst.Return: self._return,
                cst.Import: lambda node, env: bind_import(program, node, env),
                cst.ImportFrom: lambda node, env: bind_import_from(program, node, env),
                cst.LazyImport: lambda node, env: bind_import(program, node, env),
                cst.LazyImportFrom: lambda node, env: bind_import_from(program, node, env),
                cst.Global: self._global,
                cst.Nonlocal: self._nonlocal,
                cst.Raise: self._raise,
                cst.Assert: self._assert,
                cst.Continue: self._leave,
                cst.Break: self._leave,
                cst.TypeAlias: self._type_alias,
            }
        )

    def run_body(self) -> None:
        """Runs the module's body."""
        self._block(self.program.module.body, self.program.globals)

    # --- blocks

    def _block(
        self, statements: Iterable[cst.BaseStatement | cst.BaseSmallStatement], env: Env
    ) -> bool:
        block = tuple(statements)
        cursor, handlers = self.cursor, self._handlers
        saved = (cursor.line, cursor.block, cursor.index)
        falls = True
        for index, statement in enumerate(block):
            cursor.block, cursor.index = block, index
            handler = handlers[type(statement)]
            if handler is not None:
                cursor.line = None
                falls = handler(statement, env)
            else:
                falls = self._run_small(statement, env)
            if not falls:
                break
        cursor.line, cursor.block, cursor.index = saved
        return falls

    def _demand(self, node: Function) -> None:
        """A function is called before its turn, perhaps out of a loop, which is no matter of its own."""
        saved = (self._repeating, self.evaluator.missed)
        self._repeating, self.evaluator.missed = False, None
        self.definitions.demand(node)
        self._repeating, self.evaluator.missed = saved

    def _body(self, owner: cst.BaseCompoundStatement, body: cst.BaseSuite, env: Env) -> bool:
        outer = self.cursor.parents
        self.cursor.parents = (*outer, owner)
        falls = self._block(body.body, env)
        self.cursor.parents = outer
        return falls

    def _line(self, node: cst.SimpleStatementLine, env: Env) -> bool:
        self.cursor.line = node
        falls = True
        for statement in node.body:
            handler = self._small[type(statement)]
            if handler is not None and not handler(statement, env):
                falls = False
        return falls

    def _run_small(self, statement: cst.CSTNode, env: Env) -> bool:
        handler = self._small[type(statement)]
        return True if handler is None else handler(statement, env)

    # --- simple statements

    def _expression(self, node: cst.Expr, env: Env) -> bool:
        self.evaluator.evaluate(node.value, env)
        call = node.value
        if isinstance(call, cst.Call) and isinstance(call.func, cst.Attribute):
            mutate(self.evaluator, call, call.func, env)
            return dotted(call.func) not in ("sys.exit", "os._exit")
        return True

    def _assign(self, node: cst.Assign, env: Env) -> bool:
        value = self.evaluator.evaluate(node.value, env)
        for target in node.targets:
            bound = target.target
            if isinstance(bound, cst.Attribute):
                self._attribute_event(node, bound, value, node.value, env)
            if isinstance(bound, (cst.Tuple, cst.List)):
                self.program.record(Unpack(node, self.cursor.place(), bound, value))
            elif isinstance(bound, cst.Subscript):
                self.program.record(MemberSet(node, self.cursor.place(), bound, value))
                key = bound.slice[0].slice
                if value == IGNORED and isinstance(key, cst.Index):
                    note_mask(self.evaluator, node, key.value, env)
            bind_target(self.evaluator, target.target, value, env)
        return True

    def _attribute_event(
        self,
        node: cst.CSTNode,
        target: cst.Attribute,
        value: Value,
        expression: cst.BaseExpression,
        env: Env,
    ) -> None:
        owner = self.evaluator.evaluate(target.value, env)
        env.set_on(owner, target.attr.value, value)
        if first(owner, Tokenizer) is not None or first(owner, CausalLM) is not None:
            self.evaluator.calls.hf.attribute_set(node, owner, target.attr.value, value, expression)

    def _annotated_assign(self, node: cst.AnnAssign, env: Env) -> bool:
        value: Value = UNKNOWN if node.value is None else self.evaluator.evaluate(node.value, env)
        if isinstance(value, Unknown):
            value = self.definitions.annotated(node.annotation, env)
        if node.value is not None or not isinstance(value, Unknown):
            bind_target(self.evaluator, node.target, value, env)
        return True

    def _augmented_assign(self, node: cst.AugAssign, env: Env) -> bool:
        left, right = (
            self.evaluator.evaluate(node.target, env),
            self.evaluator.evaluate(node.value, env),
        )
        bind_target(self.evaluator, node.target, add_text(left, right), env)
        return True

    def _return(self, node: cst.Return, env: Env) -> bool:
        if node.value is not None:
            self.evaluator.returned(self.evaluator.evaluate(node.value, env), env)
        if env.state:
            env.scope.exits.append(env.state)
        return False

    def _global(self, node: cst.Global, env: Env) -> bool:
        for item in node.names if env.scope is not self.program.globals else ():
            env.outside[item.name.value] = Outer(self.program.globals, self.program.ledger)
        return True

    def _nonlocal(self, node: cst.Nonlocal, env: Env) -> bool:
        for item in node.names:
            scope = env.parent
            while scope is not None and item.name.value not in scope.scope.names:
                scope = scope.parent
            if scope is not None:
                env.outside[item.name.value] = Outer(scope.scope, self.program.ledger)
        return True

    def _raise(self, node: cst.Raise, env: Env) -> bool:
        if node.exc is not None:
            self.evaluator.evaluate(node.exc, env)
        return False

    def _leave(self, _node: cst.Break | cst.Continue, env: Env) -> bool:
        if self._leaves:
            self._leaves[-1].append(env.fork())
        return False

    def _type_alias(self, node: cst.TypeAlias, env: Env) -> bool:
        env.put(node.name.value, self.evaluator.evaluate(node.value, env))
        return True

    def _assert(self, node: cst.Assert, env: Env) -> bool:
        self.evaluator.evaluate(node.test, env)
        return True

    # --- compound statements

    def _if(self, node: cst.If, env: Env) -> bool:
        self.evaluator.evaluate(node.test, env)
        taken = env.fork()
        other = env if node.orelse is None else env.fork()
        live = [taken] if self._body(node, node.body, taken) else []
        falls = True
        if isinstance(node.orelse, cst.If):
            self.cursor.parents = (*self.cursor.parents, node)
            falls = self._if(node.orelse, other)
            self.cursor.parents = self.cursor.parents[:-1]
        elif node.orelse is not None:
            falls = self._body(node, node.orelse.body, other)
        if falls:
            live.append(other)
        env.join(live)
        switch = switched(node.test, env)
        if switch is not None and (branch := taken if switch else other) in live:
            env.state = branch.state
        return bool(live)

    def _for(self, node: cst.For, env: Env) -> bool:
        iterated = self.evaluator.evaluate(node.iter, env)
        source = element_of(iterated)
        empty = [name for name, value in env.names.items() if value == _EMPTY]
        falls = self._loop(
            node, lambda inner: bind_target(self.evaluator, node.target, source, inner), env
        )
        count = count_of(iterated)
        for name in empty if count is not None else ():
            collected = env.names.get(name)
            if isinstance(collected, Items) and collected.count is None:
                env.names[name] = Items(
                    collected.element, count
                )  # filled here: no longer than that
        return falls

    def _while(self, node: cst.While, env: Env) -> bool:
        def enter(inner: Env) -> None:
            self.evaluator.evaluate(node.test, inner)

        return self._loop(node, enter, env)

    def _loop(self, node: cst.For | cst.While, enter: Callable[[Env], None], env: Env) -> bool:
        rounds = 1 if self._repeating else 2
        outer, self._repeating = self._repeating, True
        missed: set[str] = set()
        around, self.evaluator.missed = self.evaluator.missed, missed
        for _ in range(rounds):
            before, set_before = env.names, env.state
            inner = env.fork()
            enter(inner)
            self._leaves.append([])
            self._body(node, node.body, inner)
            left = self._leaves.pop()
            for branch in left:
                branch.changed = {n for n, v in branch.names.items() if env.names.get(n) is not v}
            env.join([env, inner, *left])
            late = missed & (env.names.keys() - before.keys())
            same = env.state is set_before or env.state == set_before
            if (
                not late
                and same
                and all(env.names[name] == value for name, value in before.items())
            ):
                break  # the next round would see the same
        self._repeating = outer
        self.evaluator.missed = around
        if around is not None:
            around |= missed
        if node.orelse is not None:
            self._body(node, node.orelse.body, env)
        return True

    def _with(self, node: cst.With, env: Env) -> bool:
        for item in node.items:
            value = self.evaluator.evaluate(item.item, env)
            if item.asname is not None:
                bind_target(self.evaluator, item.asname.name, value, env)
        falls = self._body(node, node.body, env)
        return falls or any(swallows(self.evaluator, item.item, env) for item in node.items)

    def _try(self, node: cst.Try | cst.TryStar, env: Env) -> bool:
        before = env.fork()
        attempt = env.fork()
        falls = self._body(node, node.body, attempt)
        if falls and node.orelse is not None:
            falls = self._body(node, node.orelse.body, attempt)
        live = [attempt] if falls else []
        for handler in node.handlers:
            recovery = before.fork()
            recovery.join([before, attempt])
            if self._body(node, handler.body, recovery):
                live.append(recovery)
        env.join(live)
        if node.finalbody is not None:
            self._body(node, node.finalbody.body, env)
        return bool(live) or not (node.handlers or falls)

    def _match(self, node: cst.Match, env: Env) -> bool:
        subject = self.evaluator.evaluate(node.subject, env)
        live = [env.fork()]
        for case in node.cases:
            branch = env.fork()
            bind_pattern(self.evaluator, case.pattern, subject, branch)
            if case.guard is not None:
                self.evaluator.evaluate(case.guard, branch)
            if self._body(node, case.body, branch):
                live.append(branch)
        env.join(live)
        return True
