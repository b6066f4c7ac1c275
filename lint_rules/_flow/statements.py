"""Executes statements on an environment: assignments, branches that join, loops, definitions."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import libcst as cst

from lint_rules._flow.expressions import Evaluator, bind_target
from lint_rules._flow.library import guess_by_name, is_language_model_annotation
from lint_rules._flow.program import ClassFacts, Cursor, Env, FunctionFacts, Program
from lint_rules._flow.syntax import dotted, has_decorator
from lint_rules._flow.text import add_text
from lint_rules._flow.values import (
    UNKNOWN,
    CausalLM,
    ClassRef,
    Constant,
    FunctionRef,
    Instance,
    Items,
    Mapping,
    Symbol,
    Tokenizer,
    Unknown,
    Value,
    element_of,
    first,
    join,
)


class Executor:
    """Runs the statements of a module abstractly. A block that cannot fall through returns False."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.cursor = Cursor()
        self.evaluator = Evaluator(program, self.cursor)
        self._repeating = False
        self._pending: list[cst.FunctionDef] = []
        self._handlers: dict[type[cst.CSTNode], Callable[[Any, Env], bool]] = {
            cst.SimpleStatementLine: self._line,
            cst.FunctionDef: self._define_function,
            cst.ClassDef: self._define_class,
            cst.If: self._if,
            cst.For: self._for,
            cst.While: self._while,
            cst.With: self._with,
            cst.Try: self._try,
            cst.TryStar: self._try,
            cst.Match: self._match,
        }
        self._small: dict[type[cst.CSTNode], Callable[[Any, Env], bool]] = {
            cst.Expr: self._expression,
            cst.Assign: self._assign,
            cst.AnnAssign: self._annotated_assign,
            cst.AugAssign: self._augmented_assign,
            cst.Return: self._return,
            cst.Import: self._import,
            cst.ImportFrom: self._import_from,
            cst.Raise: self._raise,
            cst.Assert: self._assert,
            cst.Continue: lambda _node, _env: False,
            cst.Break: lambda _node, _env: False,
        }

    def run_round(self) -> None:
        """One pass over the module body and then over every function, nested ones included."""
        self._pending = []
        self._block(self.program.module.body, self.program.globals)
        while self._pending:
            batch, self._pending = self._pending, []
            for function in batch:
                self._run_function(function)

    # --- blocks

    def _block(
        self, statements: Iterable[cst.BaseStatement | cst.BaseSmallStatement], env: Env
    ) -> bool:
        block = tuple(statements)
        saved = (self.cursor.line, self.cursor.block, self.cursor.index)
        falls = True
        for index, statement in enumerate(block):
            self.cursor.block, self.cursor.index = block, index
            handler = self._handlers.get(type(statement))
            if handler is not None:
                self.cursor.line = None
                falls = handler(statement, env)
            else:
                falls = self._run_small(statement, env)
            if not falls:
                break
        self.cursor.line, self.cursor.block, self.cursor.index = saved
        return falls

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
            falls = self._run_small(statement, env) and falls
        return falls

    def _run_small(self, statement: cst.CSTNode, env: Env) -> bool:
        handler = self._small.get(type(statement))
        return True if handler is None else handler(statement, env)

    # --- simple statements

    def _expression(self, node: cst.Expr, env: Env) -> bool:
        self.evaluator.evaluate(node.value, env)
        call = node.value
        if isinstance(call, cst.Call) and isinstance(call.func, cst.Attribute):
            self._mutating_call(call, call.func, env)
            return dotted(call.func) not in ("sys.exit", "os._exit")
        return True

    def _mutating_call(self, call: cst.Call, func: cst.Attribute, env: Env) -> None:
        """`rows.append(x)` and `settings.update(…)` change what the name holds."""
        path = dotted(func.value)
        if path is None or func.attr.value not in ("append", "extend", "add", "update"):
            return
        container = self.evaluator.evaluate(func.value, env)
        if func.attr.value == "update":
            mapping = first(container, Mapping)
            if mapping is None:
                return
            given = self.evaluator.calls.arguments(call, env)
            other = first(given.positional[0].value, Mapping) if given.positional else None
            for name, value in () if other is None else other.entries:
                mapping = mapping.put(name, value)
            for name, argument in given.keywords.items():
                mapping = mapping.put(name, argument.value)
            bind_target(self.evaluator, func.value, mapping, env)
        elif call.args and not isinstance(container, (Tokenizer, CausalLM, Instance)):
            value = self.evaluator.evaluate(call.args[0].value, env)
            each = element_of(value) if func.attr.value == "extend" else value
            bind_target(self.evaluator, func.value, Items(join(element_of(container), each)), env)

    def _assign(self, node: cst.Assign, env: Env) -> bool:
        value = self.evaluator.evaluate(node.value, env)
        for target in node.targets:
            self._attribute_event(node, target.target, value, node.value, env)
            bind_target(self.evaluator, target.target, value, env)
        return True

    def _attribute_event(
        self,
        node: cst.CSTNode,
        target: cst.BaseExpression,
        value: Value,
        expression: cst.BaseExpression,
        env: Env,
    ) -> None:
        if isinstance(target, cst.Attribute):
            owner = self.evaluator.evaluate(target.value, env)
            if first(owner, Tokenizer) is not None or first(owner, CausalLM) is not None:
                self.evaluator.calls.hf.attribute_set(
                    node, owner, target.attr.value, value, expression
                )

    def _annotated_assign(self, node: cst.AnnAssign, env: Env) -> bool:
        value: Value = UNKNOWN if node.value is None else self.evaluator.evaluate(node.value, env)
        if isinstance(value, Unknown):
            value = self._annotated(node.annotation, env)
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
            value = self.evaluator.evaluate(node.value, env)
            if env.function is not None:
                self.program.add_result(env.function, value)
        return False

    def _raise(self, node: cst.Raise, env: Env) -> bool:
        if node.exc is not None:
            self.evaluator.evaluate(node.exc, env)
        return False

    def _assert(self, node: cst.Assert, env: Env) -> bool:
        self.evaluator.evaluate(node.test, env)
        return True

    def _import(self, node: cst.Import, env: Env) -> bool:
        for alias in node.names:
            path = dotted(alias.name) or ""
            if alias.asname is not None and isinstance(alias.asname.name, cst.Name):
                env.put(alias.asname.name.value, Symbol(path))
            else:
                root = path.partition(".")[0]
                env.put(root, Symbol(root))
        return True

    def _import_from(self, node: cst.ImportFrom, env: Env) -> bool:
        if isinstance(node.names, cst.ImportStar):
            return True
        module = "." * len(node.relative) + (
            (dotted(node.module) or "") if node.module is not None else ""
        )
        for alias in node.names:
            name = dotted(alias.name) or ""
            local = (
                alias.asname.name.value
                if alias.asname and isinstance(alias.asname.name, cst.Name)
                else name
            )
            env.put(local, Symbol(f"{module}.{name}"))
        return True

    # --- compound statements

    def _if(self, node: cst.If, env: Env) -> bool:
        self.evaluator.evaluate(node.test, env)
        taken, other = env.fork(), env.fork()
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
        return bool(live)

    def _for(self, node: cst.For, env: Env) -> bool:
        source = element_of(self.evaluator.evaluate(node.iter, env))
        return self._loop(
            node, lambda inner: bind_target(self.evaluator, node.target, source, inner), env
        )

    def _while(self, node: cst.While, env: Env) -> bool:
        def enter(inner: Env) -> None:
            self.evaluator.evaluate(node.test, inner)

        return self._loop(node, enter, env)

    def _loop(self, node: cst.For | cst.While, enter: Callable[[Env], None], env: Env) -> bool:
        rounds = 1 if self._repeating else 2
        outer, self._repeating = self._repeating, True
        for _ in range(rounds):
            inner = env.fork()
            enter(inner)
            self._body(node, node.body, inner)
            env.join([env.fork(), inner])
        self._repeating = outer
        if node.orelse is not None:
            self._body(node, node.orelse.body, env)
        return True

    def _with(self, node: cst.With, env: Env) -> bool:
        for item in node.items:
            value = self.evaluator.evaluate(item.item, env)
            if item.asname is not None:
                bind_target(self.evaluator, item.asname.name, value, env)
        return self._body(node, node.body, env)

    def _try(self, node: cst.Try | cst.TryStar, env: Env) -> bool:
        before = env.fork()
        attempt = env.fork()
        falls = self._body(node, node.body, attempt)
        if falls and node.orelse is not None:
            falls = self._body(node, node.orelse.body, attempt)
        live = [attempt] if falls else []
        for handler in node.handlers:
            recovery = before.fork()
            recovery.join([before.fork(), attempt])
            if self._body(node, handler.body, recovery):
                live.append(recovery)
        env.join(live)
        if node.finalbody is not None:
            self._body(node, node.finalbody.body, env)
        return bool(live) or not (node.handlers or falls)

    def _match(self, node: cst.Match, env: Env) -> bool:
        self.evaluator.evaluate(node.subject, env)
        live = [env.fork()]
        for case in node.cases:
            branch = env.fork()
            if self._body(node, case.body, branch):
                live.append(branch)
        env.join(live)
        return True

    # --- definitions

    def _define_function(self, node: cst.FunctionDef, env: Env) -> bool:
        owner = env.owner if env.function is None and env.owner is not None else None
        facts = self.program.functions.get(node)
        if facts is None:
            self.program.functions[node] = FunctionFacts(env, owner)
        else:
            facts.env = env
        env.put(node.name.value, FunctionRef(node))
        self._pending.append(node)
        return True

    def _define_class(self, node: cst.ClassDef, env: Env) -> bool:
        facts = self.program.classes.setdefault(node, ClassFacts(env))
        for base in node.bases:
            inherited = first(self.evaluator.evaluate(base.value, env), ClassRef)
            if inherited is not None:
                self._inherit(facts, self.program.classes[inherited.node])
        body = Env(env, None, node)
        self._body(node, node.body, body)
        for statement in node.body.body:
            if isinstance(statement, cst.FunctionDef):
                facts.methods[statement.name.value] = statement
            elif isinstance(statement, cst.SimpleStatementLine):
                for small in statement.body:
                    if isinstance(small, cst.AnnAssign) and isinstance(small.target, cst.Name):
                        facts.add_field(small.target.value)
        for name, value in body.names.items():
            if not isinstance(value, FunctionRef) and "." not in name:
                default = (
                    Constant(value.value, fixed=False) if isinstance(value, Constant) else value
                )
                self.program.add_attribute(node, name, default if name in facts.fields else value)
        env.put(node.name.value, ClassRef(node))
        return True

    @staticmethod
    def _inherit(facts: ClassFacts, base: ClassFacts) -> None:
        for name, method in base.methods.items():
            facts.methods.setdefault(name, method)
        for name, value in base.attributes.items():
            facts.attributes[name] = join(facts.attributes.get(name, UNKNOWN), value)
        facts.fields.extend(name for name in base.fields if name not in facts.fields)

    def _run_function(self, node: cst.FunctionDef) -> None:
        facts = self.program.functions[node]
        outer = facts.env
        while outer.parent is not None and facts.owner is not None and outer.owner is facts.owner:
            outer = outer.parent  # a class body is no enclosing scope for its methods
        env = Env(outer, node, facts.owner or facts.env.owner)
        self._bind_parameters(node, facts, env)
        saved = (self.cursor.function, self.cursor.owner, self.cursor.parents)
        self.cursor.function, self.cursor.owner, self.cursor.parents = node, env.owner, ()
        self._body(node, node.body, env)
        self.cursor.function, self.cursor.owner, self.cursor.parents = saved

    def _bind_parameters(self, node: cst.FunctionDef, facts: FunctionFacts, env: Env) -> None:
        params = [*node.params.posonly_params, *node.params.params, *node.params.kwonly_params]
        if facts.owner is not None and params and not has_decorator(node, "staticmethod"):
            receiver = params.pop(0)
            bound = (
                ClassRef(facts.owner)
                if has_decorator(node, "classmethod")
                else Instance(facts.owner)
            )
            env.put(receiver.name.value, bound)
        for parameter in params:
            name = parameter.name.value
            value = facts.arguments.get(name, UNKNOWN)
            if parameter.default is not None:
                default = self.evaluator.evaluate(parameter.default, facts.env)
                if isinstance(default, Constant):
                    default = Constant(default.value, fixed=False)
                value = (
                    join(value, default)
                    if not facts.called or name not in facts.arguments
                    else value
                )
            if _is_nothing(value):
                value = self._annotated(parameter.annotation, env)
            if _is_nothing(value):
                value = _guess(name)
            env.put(name, value)
        for star in (node.params.star_arg, node.params.star_kwarg):
            if isinstance(star, cst.Param):
                env.put(star.name.value, facts.arguments.get(star.name.value, UNKNOWN))

    def _annotated(self, annotation: cst.Annotation | None, env: Env) -> Value:
        if annotation is None:
            return UNKNOWN
        node = annotation.annotation
        if isinstance(node, cst.BinaryOperation):
            node = node.left
        if isinstance(node, cst.Subscript) and isinstance(node.slice[0].slice, cst.Index):
            optional = (dotted(node.value) or "").rsplit(".", 1)[-1] == "Optional"
            node = node.slice[0].slice.value if optional else node
        value = self.evaluator.evaluate(node, env)
        if isinstance(value, ClassRef):
            return Instance(value.node)
        kind = is_language_model_annotation(value.name) if isinstance(value, Symbol) else None
        if kind == "tokenizer":
            return Tokenizer(None, confidence="annotated")
        return CausalLM(None, confidence="annotated") if kind == "model" else UNKNOWN


def _is_nothing(value: Value) -> bool:
    return isinstance(value, Unknown) or (isinstance(value, Constant) and value.value is None)


def _guess(name: str) -> Value:
    kind = guess_by_name(name)
    if kind == "tokenizer":
        return Tokenizer(None, confidence="named")
    return CausalLM(None, confidence="named") if kind == "model" else UNKNOWN
