"""What calls of the standard library keep of their arguments' values."""

from __future__ import annotations

from lint_rules._flow.state.members import length_of
from lint_rules._flow.values.arguments import Arguments
from lint_rules._flow.values.joins import (
    UNKNOWN,
    Constant,
    Dataset,
    Encoded,
    Items,
    Mapping,
    Sequence,
    Symbol,
    Value,
    as_mapping,
    count_of,
    element_of,
    first,
    join,
    options,
)
from lint_rules._flow.values.text import joined_text

_ENVIRONMENT = ("os.environ.get", "os.getenv", "os.environ.setdefault")
# Declarations of options and fields whose default stands first, or is called so.
_OPTIONS = ("typer.Option", "typer.Argument", "pydantic.Field", "dataclasses.field", "fastapi.Query", "fastapi.Body",
            "fastapi.Form", "attr.ib", "attrs.field")  # fmt: skip
_SAME = ("builtins.list", "builtins.tuple", "builtins.sorted", "builtins.reversed", "tqdm.tqdm", "tqdm.auto.tqdm",
         "tqdm.notebook.tqdm", "builtins.iter", "builtins.set", "copy.copy", "copy.deepcopy",
         "rich.progress.track")  # fmt: skip
_TEXT = ("builtins.str", "pathlib.Path", "os.path.expanduser", "os.path.abspath", "typing.cast",
         "textwrap.dedent", "inspect.cleandoc", "os.path.realpath", "os.fspath")  # fmt: skip
# They wrap a model, a tokenizer or text and give it back.
_WRAPPERS = ("torch.compile", "torch.nn.DataParallel", "torch.nn.parallel.DistributedDataParallel",
             "accelerate.dispatch_model", "deepspeed.init_inference", "torch.jit.trace",
             "torch.tensor", "torch.LongTensor", "torch.as_tensor", "torch.FloatTensor",
             "numpy.array", "numpy.asarray")  # fmt: skip
# Built of rows, or of columns.
_TABLES = ("pandas.DataFrame", "pandas.DataFrame.from_records", "pandas.DataFrame.from_dict",
           "polars.DataFrame")  # fmt: skip
_DATASETS = ("datasets.load_dataset", "datasets.load_from_disk", "datasets.Dataset.from_dict",
             "datasets.Dataset.from_list", "datasets.Dataset.from_generator", "datasets.Dataset.from_pandas",
             "datasets.Dataset.from_json", "datasets.concatenate_datasets", *_TABLES)  # fmt: skip

KNOWN = frozenset(
    [
        *_ENVIRONMENT, *_OPTIONS, *_SAME, *_TEXT, *_WRAPPERS, *_DATASETS, "typing.TypeVar",
        "builtins.dict", "importlib.import_module", "os.path.join", "builtins.len", "builtins.next",
        "builtins.range", "builtins.enumerate", "builtins.zip", "itertools.product",
        "itertools.islice", "random.sample", "random.choices", "builtins.map",
    ]
)  # fmt: skip


def builtin_call(name: str, args: Arguments) -> Value:
    """The value of a call into the standard library, unknown where it does not matter."""
    if name not in KNOWN:
        return UNKNOWN
    given = [argument.value for argument in args.positional]
    if name in _ENVIRONMENT:
        default = first(args.value("default", 1), Constant)
        return UNKNOWN if default is None else Constant(default.value, fixed=False)
    if name in _OPTIONS:
        default = first(args.value("default", 0), Constant)
        return UNKNOWN if default is None else Constant(default.value, fixed=False)
    if name == "typing.TypeVar":
        return args.value("bound")
    if name == "builtins.dict":
        return _dict(args)
    if name in _DATASETS:
        return _dataset(name, args)
    if name == "importlib.import_module" and isinstance(module := args.literal("name", 0), str):
        return Symbol(module)
    if not given:
        return UNKNOWN
    if name == "os.path.join":
        return joined_text(Constant("/"), Sequence(tuple(given)))
    if name == "builtins.len":
        return length_of(given[0])
    if name in _SAME:
        return _collected(given[0])
    if name in _TEXT:
        many = name == "builtins.str" and isinstance(given[0], (Items, Sequence))
        return UNKNOWN if many else given[-1] if name == "typing.cast" else given[0]
    if name in _WRAPPERS:
        return _row_of(given[0])
    if name == "builtins.next":
        return element_of(given[0])
    if name == "builtins.range":
        stop = given[0] if len(given) == 1 else UNKNOWN
        return Items(UNKNOWN, _whole(stop))
    if name == "builtins.enumerate":
        return Items(Sequence((UNKNOWN, element_of(given[0]))), count_of(given[0]))
    if name == "builtins.zip":
        sizes = [size for size in map(count_of, given) if size is not None]
        return Items(
            Sequence(tuple(element_of(value) for value in given)), min(sizes, default=None)
        )
    if name == "itertools.product":
        return Items(Sequence(tuple(element_of(value) for value in given)))
    if name in ("itertools.islice", "random.sample", "random.choices"):
        return Items(element_of(given[0]), _whole(args.value("k", 1)))
    if name == "builtins.map":
        return Items(UNKNOWN, count_of(given[-1]))
    return UNKNOWN


def _row_of(value: Value) -> Value:
    """`torch.tensor([ids])` begins as the ids do."""
    if isinstance(value, (Sequence, Items)) and first(element_of(value), Encoded) is not None:
        return element_of(value)
    return value


def _collected(value: Value) -> Value:
    if isinstance(value, (Sequence, Items, Dataset)):
        return value
    result: Value = UNKNOWN
    for option in options(value):
        result = join(result, element_of(option))
    return Items(result)


def _whole(value: Value) -> int | None:
    literal = first(value, Constant)
    return literal.value if literal is not None and type(literal.value) is int else None


def _dataset(name: str, args: Arguments) -> Value:
    """A dataset: of known columns where it is built here, of known size where its split says `[:50]`."""
    if name == "datasets.concatenate_datasets":
        return element_of(args.value("dsets", 0)) if args.positional else Dataset(Mapping(()))
    split = args.literal("split")
    count = None
    if isinstance(split, str) and "[:" in split and split.endswith("]"):
        number = split.split("[:", 1)[1][:-1]
        count = int(number) if number.isdigit() else None
    if name in _TABLES:
        given = args.value("data", 0)
        name = (
            "datasets.Dataset.from_dict" if first(given, Mapping) else "datasets.Dataset.from_list"
        )
    if name == "datasets.Dataset.from_list":
        rows = _given(args)
        return Dataset(first(element_of(rows), Mapping) or Mapping(()), count_of(rows))
    if name == "datasets.Dataset.from_dict":
        columns = first(_given(args), Mapping) or Mapping(())
        cells = tuple((key, element_of(value)) for key, value in columns.entries)
        sizes = [size for size in (count_of(value) for _, value in columns.entries) if size]
        return Dataset(Mapping(cells), min(sizes, default=None))
    return Dataset(Mapping(()), count)


def _given(args: Arguments) -> Value:
    """The rows or columns of a table, which datasets and pandas call differently."""
    return args.value("mapping" if args.get("mapping", 0) else "data", 0)


def _dict(args: Arguments) -> Value:
    mapping = Mapping(())
    for argument in (*args.positional[:1], *args.spread):
        encoded = first(argument.value, Encoded)
        base = first(argument.value, Mapping) if encoded is None else as_mapping(encoded)
        if base is None:
            return UNKNOWN
        for key, value in base.entries:
            mapping = mapping.put(key, value)
    for name, argument in args.keywords.items():
        mapping = mapping.put(name, argument.value)
    return mapping
