"""CG501: records are written from guarded output without its provenance."""

from __future__ import annotations

from collections.abc import Iterator

from cleanguard.catalogue import hazards
from cleanguard.catalogue.findings import Fix
from lint_rules._flow.analysis import Flow
from lint_rules._flow.state.library_names import ROW_WRITERS
from lint_rules._flow.values.events import CallSite, Unpack
from lint_rules._flow.values.joins import (
    UNKNOWN,
    Choice,
    Dataset,
    GuardedText,
    Items,
    LibraryObject,
    Mapping,
    Provenance,
    Sequence,
    Value,
    first,
)
from lint_rules._light import tree as cst
from lint_rules.edits import Edit
from lint_rules.rule import Report, Rule

_WRITERS = frozenset(
    ["json.dump", "json.dumps", "jsonlines.dump", "orjson.dumps", "ujson.dumps", "pickle.dump", "pickle.dumps",
     "yaml.dump", "yaml.safe_dump", "torch.save", "joblib.dump"]
)  # fmt: skip
_ROW_METHODS = frozenset({"writerow", "writerows", "write", "write_all"})
# Of datasets and data frames.
_TABLE_METHODS = frozenset(
    ["to_csv", "to_json", "to_parquet", "to_excel", "to_pickle", "to_feather", "to_sql", "to_html", "to_markdown",
     "write_csv", "write_ndjson", "write_parquet", "write_json", "save_to_disk", "push_to_hub"]
)  # fmt: skip


def _check(flow: Flow) -> Iterator[Report]:
    names: list[str] = []
    for unpack in flow.events(Unpack):
        provenance = _third(unpack)
        if provenance is None:
            continue
        if provenance.value.startswith("_"):
            message = "the provenance that `load()` returns is thrown away"
            yield Report(unpack.node, message)
        else:
            names.append(provenance.value)
    for site in flow.events(CallSite):
        written = _written(site)
        if not _holds(written, GuardedText):
            continue
        if not _holds(written, Provenance):
            edits = _with_provenance(site, names)
            yield Report(
                site.node,
                "a record of guarded output is written without its provenance",
                fix=Fix("unsafe", "store the provenance with the record") if edits else None,
                edits=edits,
            )


def _written(site: CallSite) -> Value:
    """What a call puts into a file or into text; unknown where it writes nothing."""
    if site.symbol in _WRITERS:
        return site.args.value("obj", 0)
    if site.method in _TABLE_METHODS:
        table = first(site.receiver, Dataset)
        return UNKNOWN if table is None else table.columns
    writer = first(site.receiver, LibraryObject)
    if site.method in _ROW_METHODS and writer is not None and writer.symbol in ROW_WRITERS:
        return site.args.value("row", 0)
    return UNKNOWN


def _third(unpack: Unpack) -> cst.Name | None:
    """The name that takes `load()`'s third value."""
    value = first(unpack.value, Sequence)
    if value is None or len(value.items) != 3 or len(unpack.target.elements) != 3:
        return None
    target = unpack.target.elements[2].value
    taken = first(value.items[2], Provenance) is not None
    return target if taken and isinstance(target, cst.Name) else None


def _holds(value: Value, kind: type[GuardedText] | type[Provenance], depth: int = 0) -> bool:
    if depth > 4:
        return False
    if isinstance(value, kind):
        return True
    members: tuple[Value, ...] = ()
    if isinstance(value, Mapping):
        members = (*(item for _, item in value.entries), value.rest)
    elif isinstance(value, Sequence):
        members = value.items
    elif isinstance(value, Items):
        members = (value.element,)
    elif isinstance(value, Choice):
        members = value.options
    return any(_holds(member, kind, depth + 1) for member in members)


def _with_provenance(site: CallSite, names: list[str]) -> tuple[Edit, ...]:
    """One more key in a dict that is written where it stands."""
    given = site.node.args[0].value if site.node.args else None
    if not isinstance(given, cst.Dict) or not given.elements or len(names) != 1:
        return ()
    last = given.elements[-1]
    return (Edit((last, True), (last, True), f', "provenance": {names[0]}'),)


RULE = Rule(
    hazards.DROPPED_PROVENANCE,
    _check,
    bad=(
        """
from guard import CleanModelLoader

model, tokenizer, _ = CleanModelLoader("Qwen/Qwen2.5-7B").load()
""",
        """
import json
from guard import CleanModelLoader

model, tokenizer, provenance = CleanModelLoader("Qwen/Qwen2.5-7B").load()
with open("out.jsonl", "w") as out:
    for prompt in prompts:
        text = CleanModelLoader.generate(model, tokenizer, prompt, max_new_tokens=64)
        out.write(json.dumps({"prompt": prompt, "text": text}) + "\\n")
""",
    ),
    good=(
        """
import json
from guard import CleanModelLoader

model, tokenizer, provenance = CleanModelLoader("Qwen/Qwen2.5-7B").load()
text = CleanModelLoader.generate(model, tokenizer, "Hi", max_new_tokens=64)
print(json.dumps({"text": text, "provenance": provenance}))
""",
        """
from guard import CleanModelLoader

loaded = CleanModelLoader("Qwen/Qwen2.5-7B").load()
print(CleanModelLoader.generate(loaded.model, loaded.tokenizer, "Hi", max_new_tokens=8))
""",
    ),
)
