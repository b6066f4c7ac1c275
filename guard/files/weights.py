"""Reads the headers of safetensors files: how many parameters, in which dtypes, without weights."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_LONGEST_HEADER = 100_000_000


@dataclass(frozen=True, slots=True)
class WeightSizes:
    """What the weight files hold.

    Attributes:
        files: How many they are.
        size: Their bytes.
        parameters: Elements of all tensors (packed 4-bit weights count packed).
        dtypes: Elements per dtype, as safetensors names them.
    """

    files: int
    size: int
    parameters: int
    dtypes: dict[str, int]


def weight_sizes(paths: Iterable[Path]) -> WeightSizes | None:
    """Add up safetensors files; None where there are none.

    Raises:
        ValueError: A file is torn, or none of that format; the message names it.
    """
    dtypes: Counter[str] = Counter()
    size = count = 0
    for path in paths:
        count += 1
        size += path.stat().st_size
        for name, tensor in _header(path).items():
            if name != "__metadata__":
                dtypes[tensor["dtype"]] += math.prod(tensor["shape"])
    if not count:
        return None
    return WeightSizes(count, size, sum(dtypes.values()), dict(sorted(dtypes.items())))


def _header(path: Path) -> dict[str, Any]:
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if not 0 < length <= min(_LONGEST_HEADER, path.stat().st_size):
            raise ValueError(f"{path} is no safetensors file, or a torn one")
        try:
            header: dict[str, Any] = json.loads(file.read(length))
        except (ValueError, RecursionError) as error:
            raise ValueError(f"{path} is no safetensors file, or a torn one") from error
    return header
