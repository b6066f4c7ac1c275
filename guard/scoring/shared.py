"""Reads what rows begin with alike only once: a header of all of them, and the prompt of a family.

A family (the continuations of one prompt) is one packed row: the prompt, then the ends of its rows
side by side, each at the positions that it has in the text, and a mask that lets an end see the
prompt and itself. A header (worked examples before every question) is read before all of them, and
its keys and values travel in the library's own cache.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

from guard.decoding.masks import as_argument
from guard.decoding.support import NoRoad, inner_of, keeps_tensors, support_of
from guard.files.hub import torch
from guard.files.hub import transformers as _transformers

_library: Any = _transformers.cache_utils
_LEAST = 4  # a shorter beginning is not worth packing
_HEADER = 16
_WORTH = 0.9  # of the tokens that rows read whole would take
_MOST_MASK = 1 << 27  # bytes; above, rows are read whole
# What a pass costs beside its tokens, in tokens: launching kernels from Python.
_PASS_ON_GPU, _PASS_ON_CPU = 2048, 128
# Relative to the length of the logits: a wrong mask is off by far more, rounding by far less.
_APART = {"torch.float32": 1e-3, "torch.float64": 1e-6}
_APART_HALF = 0.1


@dataclass(frozen=True, slots=True)
class Input:
    """What a model reads for one or more rows.

    Attributes:
        ids: All of it.
        first: The first position whose logits are asked for.
        family: Rows of one prompt; None for a row by itself.
    """

    ids: tuple[int, ...]
    first: int
    family: int | None


@dataclass(frozen=True, slots=True)
class Stem:
    """A family of inputs that begin alike: how many ids they share, none of them asked for."""

    inputs: tuple[Input, ...]
    shared: int

    @property
    def width(self) -> int:
        """Tokens of its packed row."""
        return self.shared + sum(len(one.ids) - self.shared for one in self.inputs)


@dataclass(frozen=True, slots=True)
class Found:
    """Where the logits of an input stand.

    Attributes:
        input: The input.
        row: Its row in the logits.
        start: The column of its first position that is asked for; the others follow.
    """

    input: Input
    row: int
    start: int

    @property
    def count(self) -> int:
        """How many positions are asked for."""
        return len(self.input.ids) - self.input.first


class Sharing:
    """How a model reads rows that begin alike.

    Args:
        model: A guarded model; it must take positions, a mask of its own and a cache.

    Raises:
        NoRoad: It does not.
    """

    def __init__(self, model: Any) -> None:
        inner = inner_of(model)
        self._support = support_of(inner)
        if keeps_tensors(inner):
            raise NoRoad("a hook takes tensors along, or its positions rescale")
        self._model = model
        self._costs = _PASS_ON_GPU if model.device.type == "cuda" else _PASS_ON_CPU
        self._header: tuple[tuple[int, ...], list[tuple[Any, Any]]] = ((), [])
        self.proven = False

    def header(self, stems: Sequence[Stem]) -> int:
        """How many ids all of them begin with, if reading these apart takes less; else 0."""
        if len(stems) < 2:
            return 0
        inputs = [one for stem in stems for one in stem.inputs]
        shared = min(common([one.ids for one in inputs]), *(one.first for one in inputs))
        shared = min([shared, *(stem.shared for stem in stems if len(stem.inputs) > 1)])
        known = self._header[0] == inputs[0].ids[:shared]
        saved = shared * (len(stems) - 1 + known)
        return shared if shared >= _HEADER and saved > self._costs else 0

    def pays(self, stems: Sequence[Stem], header: int) -> bool:
        """Whether packed rows take less than whole ones, and their mask fits."""
        width = max(stem.width for stem in stems) - header
        longest = max(len(one.ids) for stem in stems for one in stem.inputs)
        rows = sum(len(stem.inputs) for stem in stems)
        packed = header + len(stems) * width
        return (
            packed < _WORTH * rows * longest
            and self._bytes(len(stems), width, header) <= _MOST_MASK
        )

    def _bytes(self, rows: int, width: int, header: int) -> int:
        kinds = len(self._support.kinds)
        return rows * width * (header + width) * int(self._model.dtype.itemsize) * kinds

    def read(self, stems: Sequence[Stem], header: int, pad: int) -> tuple[Any, list[Found]]:
        """Logits of the ends of packed rows, and where each input's stand.

        Args:
            stems: Families; all of them begin with the header.
            header: How many ids that is.
            pad: Fills rows, on the left.

        Returns:
            Logits of shape (families, columns, vocabulary), and a place for each input.
        """
        width = max(stem.width for stem in stems) - header
        kept = max(_asked(stem) for stem in stems)
        ids: list[list[int]] = []
        positions: list[list[int]] = []
        branches: list[list[int]] = []
        found: list[Found] = []
        for row, stem in enumerate(stems):
            empty = width - (stem.width - header)
            line, at, branch = [pad] * empty, [0] * empty, [-1] * empty
            shared = max(stem.shared, header)
            line += stem.inputs[0].ids[header:shared]
            at += range(header, shared)
            branch += [0] * (shared - header)
            for number, one in enumerate(stem.inputs, 1):
                start = len(line) + one.first - shared - (width - kept)
                found.append(Found(one, row, start))
                line += one.ids[shared:]
                at += range(shared, len(one.ids))
                branch += [number] * (len(one.ids) - shared)
            ids.append(line)
            positions.append(at)
            branches.append(branch)
        device = self._model.device
        at_of = torch.tensor(positions, device=device)
        keep = {"logits_to_keep": kept} if self._support.few_logits else {}
        pairs = self._read_header(stems[0].inputs[0].ids[:header])
        cache = {}
        if pairs:
            wide = [tuple(one.expand(len(stems), *one.shape[1:]) for one in pair) for pair in pairs]
            cache = {self._support.cache: _cache(wide)}
        logits = self._model(
            input_ids=torch.tensor(ids, device=device), position_ids=at_of,
            attention_mask=self._mask(torch.tensor(branches, device=device), at_of, header),
            use_cache=bool(pairs), **cache, **keep,
        ).logits  # fmt: skip
        return logits[:, -kept:], found

    def _mask(self, branch: Any, at: Any, header: int) -> Any:
        """What each token sees: the header, its family's beginning, and its own end up to itself."""
        count = branch.shape[1]
        order = torch.arange(count, device=branch.device)
        own = (branch[:, :, None] == branch[:, None, :]) | (branch[:, None, :] == 0)
        seen = own & (order[:, None] >= order)
        before = torch.arange(header, device=branch.device)
        whole = torch.cat([(branch >= 0)[:, :, None].expand(-1, -1, header), seen], 2)
        places = torch.cat([before.expand(len(at), -1), at], 1)
        masks = {}
        for kind in self._support.kinds:
            visible = whole
            if kind == "sliding_attention":
                visible = whole & (at[:, :, None] - places[:, None, :] < self._support.reach)
            dtype = self._model.dtype
            added = torch.zeros(visible.shape, dtype=dtype, device=branch.device)
            masks[kind] = added.masked_fill_(~visible, torch.finfo(dtype).min)[:, None]
        return as_argument(self._support, masks)

    def _read_header(self, ids: tuple[int, ...]) -> list[tuple[Any, Any]]:
        """Keys and values of a header; the last one is kept, as batches often have the same."""
        if not ids:
            return []
        if self._header[0] != ids:
            # A cache that keeps all: a window's own would drop what later tokens do not see.
            cache = _library.DynamicCache()
            self._model(
                input_ids=torch.tensor([ids], device=self._model.device),
                use_cache=True, **{self._support.cache: cache},
                **({"logits_to_keep": 1} if self._support.few_logits else {}),
            )  # fmt: skip
            self._header = (ids, [(layer.keys, layer.values) for layer in cache.layers])
        return self._header[1]


def _asked(stem: Stem) -> int:
    """From the end of a packed row back to the first position that is asked for."""
    return stem.width - stem.inputs[0].first


_known: WeakKeyDictionary[Any, bool] = WeakKeyDictionary()


def sharing_of(model: Any) -> Sharing | None:
    """How a model shares beginnings; None where it cannot, or was found to give other numbers."""
    if not _known.get(model, True):
        return None
    try:
        found = Sharing(model)
    except NoRoad:
        return None
    found.proven = model in _known
    return found


def remember(model: Any, *, right: bool) -> None:
    """Remember whether what a model gives over shared beginnings was what it gives without."""
    _known[model] = right


def agrees(ours: Any, plain: Any) -> bool:
    """Whether two sets of logits of shape (positions, vocabulary) are one but for rounding."""
    most = _APART.get(str(plain.dtype), _APART_HALF)
    one, other = ours.float(), plain.float()
    apart = (one - other).norm(dim=-1) / other.norm(dim=-1).clamp(min=1e-6)
    return bool((apart <= most).all())


def stems_of(inputs: Sequence[Input]) -> list[Stem]:
    """Families of inputs, longest first; those that share too little stand alone."""
    families: dict[tuple[int, int], list[Input]] = {}
    for number, one in enumerate(inputs):
        key = (0, one.family) if one.family is not None else (1, number)
        families.setdefault(key, []).append(one)
    stems = []
    for family in families.values():
        shared = common([one.ids for one in family])
        shared = min(shared, *(one.first for one in family))
        if len(family) > 1 and shared >= _LEAST:
            stems.append(Stem(tuple(family), shared))
        else:
            stems += [Stem((one,), 0) for one in family]
    return sorted(stems, key=lambda stem: -stem.width)


def common(rows: Sequence[tuple[int, ...]]) -> int:
    """How many ids all rows begin with: what the least and the greatest of them share."""
    low, high = min(rows), max(rows)
    pairs = enumerate(zip(low, high, strict=False))
    return next((at for at, (one, other) in pairs if one != other), min(len(low), len(high)))


def _cache(pairs: Sequence[tuple[Any, ...]]) -> Any:
    cache = _library.DynamicCache()
    for layer, (keys, values) in enumerate(pairs):
        cache.update(keys, values, layer)
    return cache
