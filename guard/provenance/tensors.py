"""Digests of the tensors in safetensors files: the same however the weights are cut into files."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from guard.provenance.digests import in_parallel, remembered
from guard.provenance.record import WeightsRecord

_CHUNK = 1 << 22
_LONGEST_HEADER = 100_000_000  # bytes; the limit of the safetensors format
ADAPTER = "adapter_model.safetensors"


class BrokenSafetensors(ValueError):  # noqa: N818 - it names what the file is
    """A file that is no safetensors file, or is cut off."""


@dataclass(frozen=True, slots=True)
class TensorDigest:
    """One tensor: dtype as in the file (`BF16`), shape, sha256 of dtype, shape and bytes as hex."""

    dtype: str
    shape: tuple[int, ...]
    sha256: str


def weights_record(directory: Path, variant: str | None = None) -> WeightsRecord | None:
    """The digest over all tensors of a model or adapter directory; None without safetensors.

    With a `variant` it is that variant's, which lies beside the others as `model.VARIANT.…`.
    """
    files = weight_files(directory, variant)
    return combined(tensor_digests(files)) if files else None


def adapter_record(directory: Path) -> WeightsRecord | None:
    """The digest over the tensors of the file that PEFT loads from a directory, whatever lies beside it."""
    path = directory / ADAPTER
    return combined(tensor_digests((path,))) if path.is_file() else None


def weight_files(directory: Path, variant: str | None = None) -> tuple[Path, ...]:
    """The safetensors files that transformers loads from a directory; an adapter's where it holds no model."""
    infix = f".{variant}" if variant else ""
    if (single := directory / f"model{infix}.safetensors").is_file():
        return (single,)
    index = directory / f"model.safetensors.index{infix}.json"
    if index.is_file():
        return tuple(directory / name for name in sorted(listed_files(index)))
    if (adapter := directory / ADAPTER).is_file():
        return (adapter,)
    found = sorted(directory.glob("*.safetensors"))
    return tuple(path for path in found if not path.name.startswith("consolidated"))


def listed_files(index: Path) -> set[str]:
    """The files that an index of shards lists.

    Raises:
        BrokenSafetensors: It is no such index.
    """
    try:
        listed = set(json.loads(index.read_bytes())["weight_map"].values())
    except (ValueError, RecursionError, KeyError, TypeError, AttributeError) as error:
        raise BrokenSafetensors(f"{index} is no index of shards") from error
    if not all(isinstance(name, str) and "/" not in name for name in listed):
        raise BrokenSafetensors(f"{index} lists something that is no file beside it")
    return listed


def tensor_digests(files: Iterable[Path]) -> dict[str, TensorDigest]:
    """The digest of each tensor in some files, by name.

    Raises:
        BrokenSafetensors: A file is not what its header says, or two files hold the same name.
    """
    digests: dict[str, TensorDigest] = {}
    for path in files:
        real = path.resolve()
        found, _ = remembered(real, "tensors/1", partial(_measure, real))
        for name, (dtype, shape, sha256) in found.items():
            if name in digests:
                raise BrokenSafetensors(f"{path} holds {name} a second time")
            digests[name] = TensorDigest(dtype, tuple(shape), sha256)
    return digests


def tensor_shapes(files: Iterable[Path]) -> dict[str, tuple[int, ...]]:
    """The shape of each tensor in some files, by name, from their headers alone.

    Raises:
        BrokenSafetensors: A file is none.
    """
    found: dict[str, tuple[int, ...]] = {}
    for path in files:
        with path.open("rb") as file:
            _, entries = _header(path, file.fileno())
        found |= {name: tuple(about["shape"]) for name, about in entries.items()}
    return found


def combined(digests: Mapping[str, TensorDigest]) -> WeightsRecord:
    """One digest over named tensors: sha256 of the lines `name dtype shape sha256`, sorted."""
    total = hashlib.sha256()
    numbers = 0
    for name, tensor in sorted(digests.items()):
        shape = "x".join(map(str, tensor.shape))
        total.update(f"{name} {tensor.dtype} {shape} {tensor.sha256}\n".encode())
        count = 1
        for size in tensor.shape:
            count *= size
        numbers += count
    return WeightsRecord(total.hexdigest(), len(digests), numbers)


def _measure(path: Path) -> dict[str, list[Any]]:
    with path.open("rb") as file:
        handle = file.fileno()
        start, entries = _header(path, handle)
        size = os.fstat(handle).st_size

        def digest(entry: tuple[str, dict[str, Any]]) -> tuple[str, list[Any]]:
            name, about = entry
            first, last = about["data_offsets"]
            if not 0 <= first <= last or start + last > size:
                raise BrokenSafetensors(f"{path} ends before its tensor {name}")
            total = hashlib.sha256(f"{about['dtype']} {about['shape']}\n".encode())
            at, end = start + first, start + last
            while at < end:
                piece = os.pread(handle, min(_CHUNK, end - at), at)
                if not piece:
                    raise BrokenSafetensors(f"{path} ends within its tensor {name}")
                total.update(piece)
                at += len(piece)
            return name, [about["dtype"], about["shape"], total.hexdigest()]

        return dict(in_parallel(digest, list(entries.items()), size))


def _header(path: Path, handle: int) -> tuple[int, dict[str, Any]]:
    """Where the data begins, and what the header says of each tensor."""
    length = int.from_bytes(os.pread(handle, 8, 0), "little")
    if length > min(_LONGEST_HEADER, os.fstat(handle).st_size):
        raise BrokenSafetensors(f"{path} is no safetensors file")
    try:
        entries = json.loads(os.pread(handle, length, 8))
    except (ValueError, RecursionError) as error:
        raise BrokenSafetensors(f"{path} is no safetensors file") from error
    if not isinstance(entries, dict):
        raise BrokenSafetensors(f"{path} is no safetensors file")
    entries.pop("__metadata__", None)
    if not all(map(_describes, entries.values())):
        raise BrokenSafetensors(f"{path} is no safetensors file")
    return 8 + length, entries


def _describes(entry: Any) -> bool:
    """Whether an entry of a header says dtype, shape and place of a tensor."""
    if not isinstance(entry, dict) or not isinstance(entry.get("dtype"), str):
        return False
    shape, place = entry.get("shape"), entry.get("data_offsets")
    lists = (shape, place)
    sound = all(isinstance(n, list) and all(type(i) is int for i in n) for n in lists)
    return sound and len(place or ()) == 2
