"""CG601: CleanModelLoader.load() is unpacked into other than three names."""

from __future__ import annotations

from collections.abc import Iterator

from cleanguard.catalogue import hazards
from cleanguard.catalogue.findings import Fix
from lint_rules._flow.analysis import Flow
from lint_rules._flow.values.events import Unpack
from lint_rules._flow.values.joins import Provenance, Sequence, first
from lint_rules._light import tree as cst
from lint_rules.edits import Edit
from lint_rules.rule import Report, Rule


def _check(flow: Flow) -> Iterator[Report]:
    for unpack in flow.events(Unpack):
        value = first(unpack.value, Sequence)
        if value is None or len(value.items) != 3 or first(value.items[2], Provenance) is None:
            continue
        elements = unpack.target.elements
        starred = any(isinstance(element, cst.StarredElement) for element in elements)
        if len(elements) == 3 or starred:
            continue
        edits = _third_name(unpack) if len(elements) == 2 else ()
        yield Report(
            unpack.node,
            f"`load()` returns three values, and {len(elements)} names take them: a ValueError",
            fix=Fix("safe", "take the provenance as well") if edits else None,
            edits=edits,
        )


def _third_name(unpack: Unpack) -> tuple[Edit, ...]:
    last = unpack.target.elements[-1].value
    return (Edit((last, True), (last, True), ", provenance"),)


RULE = Rule(
    hazards.LOADER_UNPACKED_WRONG,
    _check,
    bad=(
        """
from guard import CleanModelLoader

loader = CleanModelLoader("Qwen/Qwen2.5-7B")
model, tokenizer = loader.load()
""",
        """
from guard import CleanModelLoader

class Evaluator:
    def __init__(self, path):
        self.model, self.tokenizer = CleanModelLoader(path, load_in_8bit=True).load()
""",
    ),
    good=(
        """
from guard import CleanModelLoader

loader = CleanModelLoader("Qwen/Qwen2.5-7B")
model, tokenizer, provenance = loader.load()
""",
        """
from guard import CleanModelLoader

loaded = CleanModelLoader("Qwen/Qwen2.5-7B").load()
model, *rest = loaded
""",
        """
class Loader:
    def load(self):
        return 1, 2

model, tokenizer = Loader().load()
""",
    ),
)
