"""The arguments of a call with their nodes and values, `**` of a known dict spread out."""

from __future__ import annotations

from lint_rules._flow.values.joins import UNKNOWN, Constant, Mapping, Scalar, Sequence, Value, first
from lint_rules._flow.values.record import by_identity
from lint_rules._light import tree as cst


@by_identity
class Argument:
    """One argument. `node` is None when it came out of a `**` dict."""

    value: Value
    expression: cst.BaseExpression | None
    node: cst.Arg | None


@by_identity
class Arguments:
    """All arguments of one call.

    Attributes:
        positional: In order, up to the first `*`.
        keywords: By name, in order.
        spread: The values of `**` and `*` arguments, in order.
        opaque: Some `*` or `**` argument is not fully known, so there may be more keywords.
    """

    positional: tuple[Argument, ...]
    keywords: dict[str, Argument]
    spread: tuple[Argument, ...]
    opaque: bool

    def then(self, later: Arguments) -> Arguments:
        """These arguments followed by those of the final call, which win: functools.partial."""
        return Arguments(
            (*self.positional, *later.positional),
            {**self.keywords, **later.keywords},
            (*self.spread, *later.spread),
            self.opaque or later.opaque,
        )

    def values(self) -> object:
        """What two lists of arguments have in common that pass the same."""
        named = {name: argument.value for name, argument in self.keywords.items()}
        return ([argument.value for argument in self.positional], named)

    def get(self, name: str, position: int | None = None) -> Argument | None:
        """The argument given under a name, or at a position."""
        found = self.keywords.get(name)
        if found is None and position is not None and position < len(self.positional):
            return self.positional[position]
        return found

    def value(self, name: str, position: int | None = None) -> Value:
        """The value given under a name or at a position, unknown if it is not given."""
        found = self.get(name, position)
        return UNKNOWN if found is None else found.value

    def literal(self, name: str, position: int | None = None) -> Scalar | Unset:
        """The literal given under a name, `UNSET` if there is none or it is not literal."""
        found = self.get(name, position)
        constant = None if found is None else first(found.value, Constant)
        return UNSET if constant is None else constant.value

    def written(self, name: str, position: int | None = None) -> Scalar | Unset:
        """The literal that is written for a name, `UNSET` for any other expression."""
        found = self.get(name, position)
        return UNSET if found is None else written_literal(found.expression)


class Unset:
    """The type of `UNSET`."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "UNSET"


UNSET = Unset()


_NAMED: dict[str, bool | None] = {"True": True, "False": False, "None": None}


def written_literal(node: cst.BaseExpression | None) -> Scalar | Unset:
    """What an expression is that is a literal itself, `UNSET` for any other.

    A value that was followed to it may be one of several: where two ways meet, what is known wins.
    """
    if isinstance(node, cst.Name):
        return _NAMED.get(node.value, UNSET)
    if isinstance(node, (cst.SimpleString, cst.Integer, cst.Float)):
        return node.evaluated_value
    return UNSET


def collect(
    positional: list[Argument], keywords: dict[str, Argument], spread: list[Argument]
) -> Arguments:
    """Arguments with every known `**` dict merged into the keywords."""
    if not spread:
        return Arguments(tuple(positional), keywords, (), opaque=False)
    opaque = False
    merged = dict(keywords)
    for argument in spread:
        mapping = first(argument.value, Mapping)
        if mapping is None or argument.node is None or argument.node.star != "**":
            opaque = True
            continue
        if not isinstance(mapping.rest, type(UNKNOWN)):
            opaque = True
        for key, value in mapping.entries:
            if isinstance(key, str):
                merged.setdefault(key, Argument(value, None, None))
    return Arguments(tuple(positional), merged, tuple(spread), opaque)


def given_later(positional: Value, keywords: Value) -> Arguments:
    """The arguments of a call that another makes, from the collections that hold them."""
    items = first(positional, Sequence) or Sequence(())
    named = first(keywords, Mapping) or Mapping(())
    return Arguments(
        tuple(Argument(value, None, None) for value in items.items),
        {str(key): Argument(value, None, None) for key, value in named.entries},
        (),
        opaque=not named.entries,
    )
