"""The door to torch, transformers and the hub: only this module imports them at the top."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from os import PathLike
from pathlib import Path, PurePosixPath
from typing import Any

from cleanguard.installing import install
from guard.base.messages import first_line
from guard.errors import MissingExtraError, ModelNotFoundError

try:
    import huggingface_hub
    import torch
    import transformers
    from huggingface_hub import constants
    from huggingface_hub import errors as hub_errors
    from safetensors import SafetensorError
except ImportError as error:
    name = (error.name or "torch").partition(".")[0]
    lacks = (
        "is not installed"
        if isinstance(error, ModuleNotFoundError) and error.name == name
        else f"is another release than is needed: {first_line(error)}"
    )
    raise MissingExtraError(f"{name} {lacks}", remedy=install("guard")) from error

__all__ = [
    "SafetensorError",
    "commit_of",
    "constants",
    "download",
    "list_files",
    "need",
    "torch",
    "transformers",
]

# Formats and folders that no load through this package reads.
_NOT_NEEDED = [
    "original/*",
    "consolidated*",
    "*.gguf",
    "*.onnx",
    "onnx/*",
    "*.msgpack",
    "*.h5",
    "*.ot",
    "*.tflite",
    "*.mlmodel",
    "*.mlpackage/*",
    "coreml/*",
    "openvino/*",
    "openvino_*",
    "*.md",
    "*.pdf",
]
_FOR_TOKENIZER = ["*.json", "*.jinja", "*.model", "*.model.v*", "*.txt", "*.tiktoken", "*.py"]
_PICKLES = ["*.bin", "*.pt", "*.pth", "*.ckpt"]


def need(module: str, extra: str) -> Any:
    """Import an optional package, or say in one sentence which extra has it."""
    try:
        return import_module(module)
    except ImportError as error:
        raise MissingExtraError(f"{module} is not installed", remedy=install(extra)) from error


def commit_of(
    repo: str,
    revision: str | None,
    *,
    cache_dir: str | PathLike[str] | None,
    token: str | bool | None,
    local_files_only: bool,
    subfolder: str = "",
    force_download: bool = False,
    small: Sequence[str] = ("config.json", "tokenizer_config.json"),
) -> str:
    """The 40-hex commit that a revision of a hub repository stands for now.

    It is told by the place of one small file in the cache, which also remembers the revision for
    later use offline: `small` names those that may be there.

    Raises:
        ModelNotFoundError: The hub cannot be reached and the cache does not know the revision, or
            the repository does not exist.
    """
    named = repr(f"{repo}/{subfolder}" if subfolder else repo)
    reason = f"it has no {' and no '.join(small)}"
    for name in small:
        try:
            found = huggingface_hub.hf_hub_download(
                repo,
                name,
                subfolder=subfolder or None,
                revision=revision,
                cache_dir=None if cache_dir is None else Path(cache_dir),
                token=token,
                local_files_only=local_files_only or constants.HF_HUB_OFFLINE,
                force_download=force_download,
            )
        except hub_errors.LocalEntryNotFoundError:
            reason = "it is not in the hub cache, and the hub was not reached"
        except hub_errors.EntryNotFoundError:
            continue
        except (hub_errors.HfHubHTTPError, hub_errors.HFValidationError, OSError) as error:
            reason = first_line(error)
        else:
            return Path(found).parents[len(PurePosixPath(subfolder).parts)].name
    raise ModelNotFoundError(
        f"{named} (revision {revision or 'default'}) is no directory here and cannot be taken from "
        f"the hub: {reason}",
        remedy="check the id, the network, the token and HF_HUB_OFFLINE",
    )


def list_files(
    repo: str, commit: str, *, token: str | bool | None, local_files_only: bool
) -> tuple[str, ...] | None:
    """File names of a repository at a commit; None where the hub is not asked or not reached."""
    if local_files_only or constants.HF_HUB_OFFLINE:
        return None
    try:
        return tuple(huggingface_hub.HfApi(token=token).list_repo_files(repo, revision=commit))
    except OSError:
        return None


def download(
    repo: str,
    commit: str,
    *,
    cache_dir: str | PathLike[str] | None,
    token: str | bool | None,
    local_files_only: bool,
    weights: bool,
    pickles: bool,
    subfolder: str = "",
    force_download: bool = False,
) -> Path:
    """Bring a repository's files into the hub cache and return its snapshot directory.

    Args:
        repo, commit: What to fetch.
        cache_dir, token, local_files_only, force_download: As in `from_pretrained`.
        subfolder: Fetch this folder alone.
        weights: False fetches what a tokenizer needs, and the configuration.
        pickles: Fetch pickled weights as well.

    Raises:
        ModelNotFoundError: It is not in the cache, and the hub cannot be reached.
    """
    wanted = ["*"] if weights else _FOR_TOKENIZER
    unwanted = _NOT_NEEDED + ([] if pickles else _PICKLES)
    if subfolder:
        # What is left out by name may be just the folder that was asked for.
        wanted = [f"{PurePosixPath(subfolder)}/{pattern}" for pattern in wanted]
        unwanted = [pattern for pattern in unwanted if "/" not in pattern]
    try:
        return Path(
            huggingface_hub.snapshot_download(
                repo,
                revision=commit,
                cache_dir=None if cache_dir is None else Path(cache_dir),
                token=token,
                local_files_only=local_files_only or constants.HF_HUB_OFFLINE,
                force_download=force_download,
                allow_patterns=wanted,
                ignore_patterns=unwanted,
            )
        )
    except hub_errors.LocalEntryNotFoundError as error:
        raise ModelNotFoundError(
            f"{repo!r} at {commit} is not in the hub cache, and the hub cannot be reached",
            remedy="check the network and HF_HUB_OFFLINE",
        ) from error
