"""What a dict holds at a place of a function, by the statements on the ways that lead there."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import libcst as cst

from codemods.script.dict_keys import NEVER, Keys, any_of
from codemods.script.script import Script

_ENDS = (cst.Return, cst.Raise)


class Way:
    """Walks the statements that lead to a place, and says what a dict holds there.

    Args:
        script: The script.
        run: What a dict holds after all that is done to it inside a node, in order.
        place: The offset of the place.
    """

    def __init__(
        self, script: Script, run: Callable[[Keys, cst.CSTNode], Keys], place: int
    ) -> None:
        self.script = script
        self.run = run
        self.place = place
        self._left: list[Keys] = []  # the states at `break` and `continue` of the innermost loop

    def _do(self, state: Keys, node: cst.CSTNode | None) -> Keys:
        return state if node is None else self.run(state, node)

    def up_to_there(self, body: Iterable[cst.CSTNode], state: Keys) -> Keys:
        """The state where the place is reached from the beginning of a block that holds it."""
        for statement in body:
            span = self.script.span(statement)
            if not span.start <= self.place < span.end:
                state = self.through(statement, state)
                continue
            if isinstance(statement, (cst.For, cst.While)):
                state = self._rounds(statement, state)
            for block in _blocks(statement):
                inside = self.script.span(block)
                if inside.start <= self.place < inside.end:
                    state = self._header(statement, state)
                    if isinstance(statement, cst.Try) and block is not statement.body:
                        state = self._after_body(statement, state)
                    return self.up_to_there(_statements(block), state)
            return state
        return state

    def _after_body(self, node: cst.Try, state: Keys) -> Keys:
        """The state at a later block of a `try`, whichever that is."""
        begun = state.or_else(self._all(node.body, state))
        return any_of([begun, *(self._all(handler.body, begun) for handler in node.handlers)])

    def _header(self, statement: cst.CSTNode, state: Keys) -> Keys:
        for part in ("test", "iter", "target", "items", "subject"):
            found = getattr(statement, part, None)
            for node in found if isinstance(found, Sequence) else [found]:
                state = self._do(state, node)
        return state

    def _all(self, block: cst.CSTNode | None, state: Keys) -> Keys:
        for statement in () if block is None else _statements(block):
            state = self.through(statement, state)
        return state

    def _rounds(self, loop: cst.For | cst.While, state: Keys) -> Keys:
        """The state before a further round of a loop, and behind it."""
        outside, self._left = self._left, []
        for _ in range(2):
            done = self._all(loop.body, self._header(loop, state))
            state = any_of([state, done, *self._left])
        self._left = outside
        return state

    def through(self, statement: cst.CSTNode, state: Keys) -> Keys:
        """The state after a whole statement."""
        by_kind: tuple[tuple[type[cst.CSTNode], Callable[[cst.CSTNode, Keys], Keys]], ...] = (
            (cst.If, self._if),
            (cst.For, self._loop),
            (cst.While, self._loop),
            (cst.With, self._with),
            (cst.Try, self._try),
        )
        for kind, handler in by_kind:
            if isinstance(statement, kind):
                return handler(statement, state)
        if isinstance(statement, cst.SimpleStatementLine):
            for small in statement.body:
                state = self.through(small, state)
            return state
        if isinstance(statement, (cst.Break, cst.Continue)):
            self._left.append(state)
            return NEVER
        if isinstance(statement, cst.BaseSmallStatement):
            return NEVER if isinstance(statement, _ENDS) else self._do(state, statement)
        done = self._do(state, statement)
        return state if done == state else state.or_else(done).loose()

    def _if(self, node: cst.CSTNode, state: Keys) -> Keys:
        assert isinstance(node, cst.If)
        state = self._header(node, state)
        orelse = node.orelse
        if isinstance(orelse, cst.If):
            other = self._if(orelse, state)
        else:
            other = self._all(None if orelse is None else orelse.body, state)
        return self._all(node.body, state).or_else(other)

    def _loop(self, node: cst.CSTNode, state: Keys) -> Keys:
        assert isinstance(node, (cst.For, cst.While))
        state = self._rounds(node, state)
        return self._all(None if node.orelse is None else node.orelse.body, state)

    def _with(self, node: cst.CSTNode, state: Keys) -> Keys:
        """A context manager may end its block early."""
        assert isinstance(node, cst.With)
        state = self._header(node, state)
        return state.or_else(self._all(node.body, state))

    def _try(self, node: cst.CSTNode, state: Keys) -> Keys:
        assert isinstance(node, cst.Try)
        done = self._all(node.body, state)
        begun = state.or_else(done)
        ends = [self._all(handler.body, begun) for handler in node.handlers]
        ends.append(self._all(None if node.orelse is None else node.orelse.body, done))
        return self._all(None if node.finalbody is None else node.finalbody.body, any_of(ends))


def _blocks(statement: cst.CSTNode) -> list[cst.CSTNode]:
    """The blocks of a compound statement."""
    if isinstance(statement, cst.BaseSuite):
        return [statement]
    children = [c for c in statement.children if not isinstance(c, cst.BaseExpression)]
    if isinstance(statement, cst.SimpleStatementLine):
        return []
    return [block for child in children for block in _blocks(child)]


def _statements(block: cst.CSTNode) -> Sequence[cst.CSTNode]:
    if isinstance(block, (cst.IndentedBlock, cst.SimpleStatementSuite)):
        return block.body
    return ()
