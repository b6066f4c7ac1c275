"""Methods of plain values: text, dicts, collections, datasets, argparse parsers."""

from __future__ import annotations

from lint_rules._flow.state.program import Program
from lint_rules._flow.values.arguments import Arguments
from lint_rules._flow.values.joins import (
    UNKNOWN,
    Constant,
    Dataset,
    Encoded,
    Formatted,
    Items,
    Mapping,
    OptionParser,
    Sequence,
    Value,
    as_mapping,
    count_of,
    element_of,
    first,
    join,
)
from lint_rules._flow.values.text import add_text, brace_filled, joined_text

_SAME_TEXT = frozenset(
    ["strip", "lstrip", "rstrip", "replace", "lower", "upper", "removeprefix", "removesuffix"]
)
_SAME_ROWS = frozenset({"shuffle", "rename_column", "remove_columns", "select_columns", "with_format",
                        "sort", "flatten_indices", "cast_column", "add_column", "to_list", "copy"})  # fmt: skip
_PATHS = frozenset({"as_posix", "expanduser", "resolve", "absolute"})


def text_method(text: Constant | Formatted, name: str, args: Arguments) -> Value:
    """The value of a string's method."""
    if isinstance(text, Constant) and not isinstance(text.value, str):
        return UNKNOWN
    if name in _SAME_TEXT or name in _PATHS:
        return text if isinstance(text, Formatted) or name in _PATHS else _plain(text, name)
    if name in ("format", "format_map"):
        result: Value = text
        named = {key: argument.value for key, argument in args.keywords.items()}
        given = [argument.value for argument in args.positional]
        if name == "format_map" and given:
            entries = (first(given[0], Mapping) or Mapping(())).entries
            given, named = [], {str(key): value for key, value in entries}
        if isinstance(text, Constant) and not args.opaque:
            return brace_filled(str(text.value), given, named)
        given += named.values()
        for value in given:
            result = add_text(result, value)
        pieces = first(add_text(result, Constant("")), Formatted)
        return pieces or Formatted(
            (str(text.value),) if isinstance(text, Constant) else text.pieces
        )
    if name == "join" and args.positional:
        return joined_text(text, args.positional[0].value)
    return UNKNOWN


def _plain(text: Constant, name: str) -> Value:
    if name in ("strip", "lstrip", "rstrip", "lower", "upper"):
        return Constant(getattr(str(text.value), name)(), text.fixed)
    return Formatted((str(text.value),))


def dataset_method(data: Dataset, name: str, args: Arguments, mapped: Value) -> Value:
    """The value of a dataset's method; `mapped` is what the function given to `map` returns."""
    if name == "map":
        added = row_of(mapped)
        columns = data.columns
        for key, value in () if added is None else added.entries:
            columns = columns.put(
                key, element_of(value) if isinstance(value, (Items, Sequence)) else value
            )
        return Dataset(columns, data.count)
    if name in _SAME_ROWS:
        return data
    if name == "select":
        return Dataset(data.columns, count_of(args.value("indices", 0)))
    if name in ("take", "head"):
        count = args.literal("n", 0)
        return Dataset(data.columns, count if type(count) is int else None)
    if name == "train_test_split":
        part = Dataset(data.columns)
        return Mapping((("train", part), ("test", part)))
    return Dataset(data.columns) if name in ("filter", "shard", "skip", "repeat") else UNKNOWN


def row_of(mapped: Value) -> Mapping | None:
    """What a function given to `map` adds to a row: a dict, or an encoding, which is one."""
    encoded = first(mapped, Encoded)
    return first(mapped, Mapping) if encoded is None else as_mapping(encoded)


def mapping_method(mapping: Mapping, name: str, args: Arguments) -> Value:
    """The value of a dict's method."""
    if name == "copy":
        return mapping
    if name in ("get", "pop", "setdefault") and args.positional:
        key = first(args.positional[0].value, Constant)
        found = mapping.get(key.value) if key is not None else _any_of(mapping)
        fallback = args.positional[1].value if len(args.positional) > 1 else UNKNOWN
        return join(found, fallback) if found is not None else fallback
    if name == "values":
        merged = mapping.rest
        for _, value in mapping.entries:
            merged = join(merged, value)
        return Items(merged)
    if name == "items":
        merged = mapping.rest
        for _, value in mapping.entries:
            merged = join(merged, value)
        return Items(Sequence((element_of(mapping), merged)))
    if name == "keys":
        return Items(element_of(mapping))
    return UNKNOWN


def _any_of(mapping: Mapping) -> Value | None:
    """What a key that is chosen at run time may give; None where nothing is known of the dict."""
    merged = mapping.rest
    for _, value in mapping.entries:
        merged = join(merged, value)
    return None if merged == UNKNOWN else merged


def parser_method(program: Program, parser: OptionParser, name: str, args: Arguments) -> Value:
    """The value of an argparse parser's method."""
    if name == "parse_args":
        return OptionParser(parser.origin, parsed=True)
    if name == "parse_known_args":
        return Sequence((OptionParser(parser.origin, parsed=True), UNKNOWN))
    if name in ("add_argument_group", "add_mutually_exclusive_group"):
        return parser
    if name == "add_argument":
        _add_option(program, parser, args)
    return UNKNOWN


def _add_option(program: Program, parser: OptionParser, args: Arguments) -> None:
    spelled = [
        constant.value
        for constant in (first(argument.value, Constant) for argument in args.positional)
        if constant is not None and isinstance(constant.value, str)
    ]
    long = [text for text in spelled if text.startswith("--")] or spelled
    given = args.literal("dest")
    name = (
        given
        if isinstance(given, str)
        else (long[0].lstrip("-").replace("-", "_") if long else None)
    )
    default = first(args.value("default"), Constant)
    action = args.literal("action")
    if name is not None and default is None and action in ("store_true", "store_false"):
        default = Constant(action == "store_false")
    if name is not None and default is not None:
        defaults = program.parser_defaults[parser.origin]
        value = Constant(default.value, fixed=False)
        if defaults.get(name) != value:
            defaults[name] = value
            program.ledger.change(parser.origin)
