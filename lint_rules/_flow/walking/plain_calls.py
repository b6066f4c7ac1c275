"""Calls of imported names that nothing follows: nearly all, so one question settles each."""

from __future__ import annotations

from functools import lru_cache

from lint_rules._flow.libraries import builtin_calls
from lint_rules._flow.libraries.rates import MEANS
from lint_rules._flow.libraries.seeds import seeds_torch
from lint_rules._flow.state.library_names import kind_of_call
from lint_rules._flow.walking.object_calls import gives_nothing
from lint_rules._flow.walking.passed_calls import passing

SETTERS = frozenset({"builtins.setattr", "builtins.object.__setattr__"})
_SPECIAL = frozenset(
    {"functools.partial", "builtins.getattr", "builtins.super", "argparse.ArgumentParser"}
)


@lru_cache(maxsize=65536)
def does_nothing(name: str) -> bool:
    """Whether calling an imported name does nothing that is followed, whatever it is called with."""
    if name in builtin_calls.KNOWN or name in MEANS or name in _SPECIAL or name in SETTERS:
        return False
    if passing(name) is not None or seeds_torch(name) is not None:
        return False
    return kind_of_call(name) is None and gives_nothing(name)
