"""Finds a model's files: a local directory, or a hub repository resolved to one commit first."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, Literal

from cleanguard.editing.read import regular
from guard.errors import ModelNotFoundError, SettingsError
from guard.files import hub
from guard.files.naming import refuse_no_model
from guard.files.preflight import refuse_files
from guard.files.request import LoadRequest


@dataclass(frozen=True, slots=True)
class ModelSource:
    """Where a model was found.

    Attributes:
        requested: The id or path as the caller gave it.
        kind: A local directory or a hub repository.
        load_from: What `from_pretrained` is given: the directory, or the repository id.
        directory: The directory that holds the files, the subfolder that was asked for.
        revision: The commit that was resolved; None for a local directory.
    """

    requested: str
    kind: Literal["local", "hub"]
    load_from: str
    directory: Path
    revision: str | None
    _read: dict[str, dict[str, Any]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    def names(self) -> tuple[str, ...]:
        """The names of the files at the top of the directory, sorted."""
        return file_names(self.directory)

    def read_json(self, name: str) -> dict[str, Any]:
        """A JSON file of the model, read once; empty where there is none.

        Raises:
            ModelNotFoundError: The file is there and is no JSON object.
        """
        if name in self._read:
            return self._read[name]
        path = self.directory / name
        try:
            value = json.loads(path.read_bytes())
        except (FileNotFoundError, IsADirectoryError):
            value = {}
        except (ValueError, RecursionError) as error:
            raise ModelNotFoundError(
                f"{path} is not JSON: {error}", remedy="fetch the file again"
            ) from error
        if not isinstance(value, dict):
            raise ModelNotFoundError(f"{path} holds no JSON object", remedy="fetch the file again")
        self._read[name] = value
        return value


def architectures_in(config: Mapping[str, Any]) -> tuple[str, ...]:
    """The classes that a config.json names; empty where it names none, or says anything else."""
    found = config.get("architectures")
    names = [found] if isinstance(found, str) else found
    return tuple(one for one in names if isinstance(one, str)) if isinstance(names, list) else ()


def file_names(directory: Path) -> tuple[str, ...]:
    """The names of the files at the top of a directory, sorted."""
    with os.scandir(directory) as entries:
        return tuple(sorted(entry.name for entry in entries if entry.is_file()))


def _refuse_special(directory: Path) -> None:
    """Whoever opened a pipe that lies among a model's files would wait for ever."""
    for path in directory.iterdir():
        try:
            regular(path)
        except FileNotFoundError:  # a link to nothing: told where the file is needed
            continue
        except OSError as error:
            raise ModelNotFoundError(
                f"{path}: {(error.strerror or type(error).__name__).lower()}",
                remedy="remove it, or put the model's own file in its place",
            ) from None


def open_source(request: LoadRequest, *, weights: bool = True) -> ModelSource:
    """Resolve a request to local files: all of a directory, the small ones of a repository.

    Args:
        request: What was asked for.
        weights: False for a tokenizer alone: no weights are asked for.

    Raises:
        ModelNotFoundError: There is no such directory, or the repository cannot be resolved.
        SettingsError: A revision of a local directory, other than the default `main`.
        MissingWeightsError, PickleWeightsError, AdapterAsBaseError: See `preflight.refuse_files`.
    """
    directory = Path(request.model_id).expanduser()
    if directory.is_dir():
        if request.revision not in (None, "main"):  # a default that scripts pass on to folders too
            raise SettingsError(
                f"revision={request.revision!r} with the local directory {directory}, which has none",
                remedy="leave it out; the files' digests are recorded anyway",
            )
        directory = directory / request.subfolder
        if request.subfolder and not directory.is_dir():
            raise ModelNotFoundError(
                f"{directory} is no directory", remedy="look at subfolder=, or leave it out"
            )
        _refuse_special(directory)
        source = ModelSource(request.model_id, "local", str(directory), directory.resolve(), None)
        if weights:
            refuse_files(source.names(), str(directory), request)
        return source
    if directory.is_file() and directory.suffix in (".gguf", ".bin", ".pt", ".pth", ".ckpt"):
        refuse_files((directory.name,), str(directory.parent), request)
    refuse_no_model(request.model_id)
    if request.force_download and hub.constants.HF_HUB_OFFLINE:
        raise SettingsError(
            "force_download while HF_HUB_OFFLINE is set", remedy="leave one of them out"
        )
    commit = hub.commit_of(request.model_id, request.revision, **_access(request))
    snapshot = hub.download(
        request.model_id, commit, weights=False, pickles=False, **_access(request)
    )
    directory = snapshot / request.subfolder
    source = ModelSource(request.model_id, "hub", request.model_id, directory, commit)
    if weights:
        listed = hub.list_files(
            request.model_id,
            commit,
            token=request.token,
            local_files_only=request.local_files_only,
        )
        refuse_files(
            source.names() if listed is None else _inside(listed, request.subfolder),
            f"{request.model_id}/{request.subfolder}".rstrip("/"),
            request,
        )
    return source


def fetch_weights(request: LoadRequest, source: ModelSource) -> None:
    """Bring the weights of a repository into the hub cache; nothing to do for a directory.

    Raises:
        ModelNotFoundError: The hub cannot be reached.
    """
    if source.revision is not None:
        hub.download(
            source.load_from,
            source.revision,
            weights=True,
            pickles=request.allow_pickle,
            **_access(request),
        )


def _access(request: LoadRequest) -> dict[str, Any]:
    return {
        "cache_dir": request.cache_dir,
        "token": request.token,
        "local_files_only": request.local_files_only,
        "subfolder": request.subfolder,
        "force_download": request.force_download,
    }


def _inside(names: Iterable[str], subfolder: str) -> list[str]:
    """The names of the files in a folder of a repository, without that folder."""
    folder = f"{PurePosixPath(subfolder)}/" if subfolder else ""
    return [name.removeprefix(folder) for name in names if name.startswith(folder)]
