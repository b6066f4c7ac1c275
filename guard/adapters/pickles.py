"""An adapter whose weights are pickled, as PEFT saved them until 2023, read as if they were safetensors."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from pickle import UnpicklingError
from tempfile import TemporaryDirectory

from guard.adapters.fit import WEIGHTS
from guard.base.messages import first_line
from guard.errors import AdapterMismatch, GuardError
from guard.files.hub import torch

PICKLED = "adapter_model.bin"
_CONFIG = "adapter_config.json"


@contextmanager
def unpickled(directory: Path) -> Iterator[Path]:
    """An adapter's directory with safetensors: itself, or a copy for as long as the block runs.

    A pickle is read as PEFT reads it, with `weights_only=True`: no code of the file runs. Errors that come out of the
    block name the directory itself.

    Raises:
        AdapterMismatch: The pickle is torn, or holds something else than tensors by name.
    """
    if (directory / WEIGHTS).is_file():
        yield directory
        return
    from safetensors.torch import save_file

    tensors = _tensors(directory / PICKLED)
    with TemporaryDirectory(prefix="cleanguard-adapter-") as made:
        copy = Path(made)
        shutil.copyfile(directory / _CONFIG, copy / _CONFIG)
        save_file(tensors, copy / WEIGHTS, metadata={"format": "pt"})
        try:
            yield copy
        except GuardError as error:
            error.args = (str(error.args[0]).replace(made, str(directory)), *error.args[1:])
            raise


def _tensors(path: Path) -> dict[str, torch.Tensor]:
    try:
        found = torch.load(path, map_location="cpu", weights_only=True)
    except (UnpicklingError, RuntimeError, EOFError, ValueError, OSError) as error:
        raise AdapterMismatch(
            f"{path} cannot be read as weights alone: {type(error).__name__}: {first_line(error)}",
            remedy="fetch the file again, or save the adapter anew with a PEFT that writes safetensors",
        ) from error
    if not isinstance(found, dict) or not all(
        isinstance(name, str) and isinstance(one, torch.Tensor) for name, one in found.items()
    ):
        raise AdapterMismatch(
            f"{path} holds something else than tensors by their names",
            remedy="name the directory that `PeftModel.save_pretrained` wrote",
        )
    # What shares its memory is stored once in a pickle, and may not be in safetensors.
    return {name: one.detach().clone().contiguous() for name, one in found.items()}
