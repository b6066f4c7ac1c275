"""The models of an evaluation: one base in memory, and its adapters put on it in turn."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cleanguard.errors import JobError
from guard import CleanModelLoader, Provenance, provenance_of
from stages.adapters import attach
from stages.evaluate.config import BASE, EvaluateConfig
from stages.models import directory_of, loader_of
from stages.training.lineage import lineage_of

if TYPE_CHECKING:
    from guard import Loaded


@dataclass(frozen=True, slots=True)
class Subject:
    """A model under evaluation.

    Attributes:
        name: `base`, or the adapter's name.
        adapter: Its adapter's directory; None for the bare base.
        provenance: As measured, with this adapter alone.
    """

    name: str
    adapter: Path | None
    provenance: Provenance


def load_subjects(config: EvaluateConfig) -> tuple[Loaded, tuple[Subject, ...]]:
    """Load the base and try every adapter on it, so that a wrong one is told before any answer.

    Raises:
        JobError: An adapter was made for another base, or does not fit.
        GuardError: As `CleanModelLoader.load` and `attach_adapter`.
    """
    loaded = loader_of(config.model).load()
    found = [Subject(BASE, None, loaded.provenance)] if config.base else []
    for name, path in config.named_adapters:
        if not config.any_base:
            _refuse_other_base(path, str(directory_of(config.model)))
        with _attached(loaded, name, path, any_base=config.any_base) as model:
            now = provenance_of(model)
            found.append(Subject(name, path, replace(now, adapters=now.adapters[-1:], events=())))
    return loaded, tuple(found)


@contextmanager
def using(loaded: Loaded, subject: Subject) -> Iterator[Any]:
    """The model with a subject's adapter on it; the bare base again afterwards."""
    if subject.adapter is None:
        yield loaded.model
        return
    with _attached(loaded, subject.name, subject.adapter, any_base=True) as model:
        yield model


@contextmanager
def _attached(loaded: Loaded, name: str, path: Path, *, any_base: bool) -> Iterator[Any]:
    try:
        model = (
            CleanModelLoader.attach_adapter(loaded.model, path)
            if any_base
            else attach(loaded, path)
        )
    except (RuntimeError, ValueError) as error:
        # PEFT names every tensor that does not fit; the first line says enough.
        reason = str(error).strip().splitlines()[0]
        raise JobError(f"adapters: {name} ({path}) does not fit this base: {reason}") from error
    try:
        yield model
    finally:
        model.unload()


def _refuse_other_base(path: Path, base: str) -> None:
    """By name, where no lineage beside the adapter tells it by digest."""
    config = path / "adapter_config.json"
    if lineage_of(path) is not None or not config.is_file():
        return
    try:
        named = json.loads(config.read_text(encoding="utf-8")).get("base_model_name_or_path")
    except (ValueError, AttributeError) as error:
        raise JobError(f"adapters: {config} is damaged: {error}") from None
    if named and Path(named).name != Path(base).name:
        raise JobError(
            f"adapters: {path} was trained on {named}, not on {base}; "
            "set any_base if they are the same model under two names"
        )
