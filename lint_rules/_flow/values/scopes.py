"""Names in scope: what they hold in each branch of a walk."""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce

from lint_rules._flow.values.joins import NESTING, UNKNOWN, Value, bounded, join, options
from lint_rules._flow.values.ledger import Ledger
from lint_rules._flow.values.settings_state import (
    NOTHING_SET,
    State,
    is_kept,
    key_of,
    merged_states,
    with_setting,
)
from lint_rules._light import tree as cst


class Env:
    """Names and attribute paths such as `self.model` in one scope."""

    __slots__ = (
        "changed", "exits", "function", "names", "outside", "owner", "parent", "replayed", "roots", "scope", "state"
    )  # fmt: skip

    def __init__(
        self,
        parent: Env | None = None,
        function: cst.FunctionDef | None = None,
        owner: cst.ClassDef | None = None,
    ) -> None:
        self.names: dict[str, Value] = {}
        self.parent = parent
        self.function = function
        self.owner = owner
        # Branches are forks of a scope; functions look names up in the scope, where all ends up.
        self.scope: Env = self
        # Names declared global or nonlocal, with the scope that they are bound in.
        self.outside: dict[str, Outer] = {}
        # First parts of the attribute paths that any branch of the scope has bound.
        self.roots: set[str] = set()
        # Names that a branch has bound since it was forked.
        self.changed: set[str] | None = None
        # What objects are set to at this point of the walk, and what they were at each return.
        self.state: State = NOTHING_SET
        self.exits: list[State] = []
        # What a replayed function has returned so far; None in an ordinary walk.
        self.replayed: Value | None = None

    def get(self, name: str) -> Value | None:
        """The value of a name here or in an enclosing scope."""
        env: Env | None = self
        while env is not None:
            found = env.names.get(name)
            if found is not None:
                return found
            env = env.parent
        return None

    def put(self, name: str, value: Value) -> None:
        """Binds a name; what was known of its attributes is forgotten."""
        if self.outside:
            outer = self.outside.get(name)
            if outer is not None:
                outer.put(name, value)
                return
        self.names[name] = bounded(value) if type(value) in NESTING else value
        if self.changed is not None:
            self.changed.add(name)
        if "." in name:
            root = name.partition(".")[0]
            if root not in self.roots:
                self.roots.add(root)
                return
        elif name not in self.roots:
            return
        prefix = name + "."
        for known in [key for key in self.names if key.startswith(prefix)]:
            del self.names[known]
            if self.changed is not None:
                self.changed.add(known)

    def set_on(self, owner: Value, attribute: str, value: Value) -> None:
        """Notes that an object's attribute is set, whatever name holds the object."""
        for option in options(owner) if is_kept(attribute) else ():
            key = key_of(option, attribute)
            if key is not None:
                self.state = with_setting(self.state, key, value)

    def drop_settings(self, owner: Value, prefix: str) -> None:
        """Forgets what an object's attributes of this kind were set to."""
        for option in options(owner):
            whole = key_of(option, "")
            if whole is not None:
                self.state = {
                    key: value
                    for key, value in self.state.items()
                    if key[:2] != whole[:2] or not key[2].startswith(prefix)
                }

    def begin_anew(self, origin: cst.CSTNode) -> None:
        """An object is made: what the one that was made here before was set to is not its own."""
        if any(key[1] is origin for key in self.state):
            self.state = {key: value for key, value in self.state.items() if key[1] is not origin}

    def inner(self) -> Env:
        """The scope of a comprehension or a lambda."""
        scope = Env(self, self.function, self.owner)
        scope.state = self.state
        return scope

    def fork(self) -> Env:
        """A copy for one branch."""
        branch = Env(self.parent, self.function, self.owner)
        branch.names = dict(self.names)
        branch.changed = set()
        branch.scope, branch.outside, branch.roots = self.scope, self.outside, self.roots
        branch.state = self.state
        return branch

    def join(self, branches: list[Env]) -> None:
        """Becomes what holds after any of the branches; none leaves it as it is."""
        if not branches:
            return
        state = branches[0].state
        for branch in branches:
            if branch.state is not state:
                state = merged_states([one.state for one in branches])
                break
        self.state = state
        merged = dict(branches[0].names)
        changed: set[str] = set()
        for branch in branches:
            if branch is not self and branch.changed:
                changed |= branch.changed
        if changed and len(branches) > 1:
            several = [branch.names for branch in branches]
            for name in changed:
                found = [names[name] for names in several if name in names]
                if found:
                    merged[name] = reduce(join, found)
        self.names = merged
        if self.changed is not None:
            self.changed |= changed


@dataclass(frozen=True, slots=True)
class Outer:
    """The scope of a name that is declared global or nonlocal, where walks of several parts meet."""

    env: Env
    ledger: Ledger

    def put(self, name: str, value: Value) -> None:
        """Joins a value: nobody knows when the function that binds it is called."""
        joined = bounded(join(self.env.names.get(name, UNKNOWN), value))
        self.env.put(name, joined)
        self.ledger.shared((self.env.function, name), joined)
