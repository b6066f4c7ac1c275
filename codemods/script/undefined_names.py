"""The names that a module reads and nothing in it defines."""

from __future__ import annotations

import builtins
import symtable
import warnings
from collections.abc import Iterator

_GIVEN = frozenset(dir(builtins)) | {"__file__", "__name__", "__doc__", "__path__", "__class__"}


def undefined(text: str) -> Iterator[tuple[str, str]]:
    """Each such name, after the scope that reads it.

    Raises:
        SyntaxError: The text does not parse.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        top = symtable.symtable(text, "<text>", "exec")
    globals_ = {symbol.get_name() for symbol in top.get_symbols() if _is_bound(symbol)}
    scopes = [top]
    while scopes:
        scope = scopes.pop()
        scopes += scope.get_children()
        for symbol in scope.get_symbols():
            if symbol.is_declared_global() and symbol.is_assigned():
                globals_.add(symbol.get_name())
    yield from _unbound(top, top, globals_)


def _unbound(
    scope: symtable.SymbolTable, top: symtable.SymbolTable, known: set[str]
) -> Iterator[tuple[str, str]]:
    for symbol in scope.get_symbols():
        name = symbol.get_name()
        outside = symbol.is_global() or scope is top
        if symbol.is_referenced() and outside and name not in known and name not in _GIVEN:
            yield scope.get_name(), name
    for child in scope.get_children():
        yield from _unbound(child, top, known)


def _is_bound(symbol: symtable.Symbol) -> bool:
    return symbol.is_assigned() or symbol.is_imported() or symbol.is_namespace()
