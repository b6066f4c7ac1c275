"""Two sets of weights in one folder: which of them is read, and whether it may matter."""

from __future__ import annotations

from pathlib import Path

from guard.base.checks import CheckList
from guard.errors import ModelNotFoundError
from guard.files.request import LoadRequest
from guard.files.source import ModelSource, file_names
from guard.provenance.tensors import (
    BrokenSafetensors,
    listed_files,
    tensor_digests,
    weight_files,
)

_KINDS = (".safetensors", ".bin", ".pt", ".pth", ".ckpt", ".gguf", ".h5", ".msgpack")
_OTHER = ("adapter_", "training_args", "optimizer", "scheduler", "rng_state", "tokenizer")


def check_weight_files(request: LoadRequest, source: ModelSource, checks: CheckList) -> None:
    """Refuse a single file beside shards with other weights, and note files that are not read.

    transformers reads `model.safetensors` where there is one, and shards saved into the same folder
    later lie there unread.

    Raises:
        ModelNotFoundError: The two hold different tensors, a listed shard is absent, or a file is
            torn.
    """
    directory = source.directory
    try:
        read = {path.name for path in weight_files(directory, request.variant)}
        others = _shards(directory, request.variant) - read
        if others and read == {_single(request.variant)}:
            _refuse_others(request, directory, read, others)
    except ModelNotFoundError:
        raise
    except (OSError, BrokenSafetensors) as error:
        raise ModelNotFoundError(
            f"the weight files of {request.model_id} cannot be read: {error}",
            remedy="fetch the files again; where a single file and shards lie side by side, remove "
            "the set that is not meant, with its index",
        ) from error
    unread = sorted(
        name
        for name in file_names(directory)
        if name.endswith(_KINDS) and name not in read and not name.startswith(_OTHER)
    )
    more = (
        f" and {len(read) - 4} more were"
        if len(read) > 4
        else " was"
        if len(read) == 1
        else " were"
    )
    said = f"{', '.join(sorted(read)[:4])}{more} read, and not {', '.join(unread[:8])}"
    checks.add("one-set-of-weights", None, said if unread else "", "recorded" if unread else "pass")


def _refuse_others(request: LoadRequest, directory: Path, read: set[str], others: set[str]) -> None:
    single = tensor_digests(directory / name for name in sorted(read))
    sharded = tensor_digests(directory / name for name in sorted(others))
    differ = sorted(
        name for name in single.keys() | sharded.keys() if single.get(name) != sharded.get(name)
    )
    if differ:
        newer = max(others | read, key=lambda name: (directory / name).stat().st_mtime_ns)
        raise ModelNotFoundError(
            f"{request.model_id} holds two sets of weights: {', '.join(sorted(read))}, which "
            f"transformers reads, and {len(others)} shards; {len(differ)} tensors differ "
            f"({', '.join(differ[:3])}, …)",
            evidence={"read": sorted(read), "unread": sorted(others), "differ": differ[:50]},
            remedy=f"remove the one that is not meant ({newer} is the newest file)",
        )


def _single(variant: str | None) -> str:
    return f"model.{variant}.safetensors" if variant else "model.safetensors"


def _shards(directory: Path, variant: str | None) -> set[str]:
    """The files that an index lists; none without an index."""
    infix = f".{variant}" if variant else ""
    index = directory / f"model.safetensors.index{infix}.json"
    return listed_files(index) if index.is_file() else set()
