"""The models of an evaluation: one base in memory, and its adapters put on it in turn."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cleanguard.errors import JobError
from guard import CleanModelLoader, Provenance, provenance_of
from stages.adapters import check_base, check_settings, check_weights, told_apart
from stages.engines import Engine, TransformersEngine, engine_for
from stages.evaluate.config import BASE, EvaluateConfig
from stages.lineage import lineage_of, refuse_no_adapter
from stages.models import directory_of
from stages.stacks import whole_stack

if TYPE_CHECKING:
    from guard import Loaded


@dataclass(frozen=True, slots=True)
class Subject:
    """A model under evaluation.

    Attributes:
        name: `base`, or the adapter's name.
        adapters: The directories of its adapters, lowest first; none for the bare base.
        provenance: As measured, with this adapter alone.
    """

    name: str
    adapters: tuple[Path, ...]
    provenance: Provenance


def load_subjects(
    config: EvaluateConfig, *, lazy: bool = False
) -> tuple[Engine, tuple[Subject, ...]]:
    """Load the base and try every adapter on it, so that a wrong one is told before any answer.

    Args:
        config: The settings.
        lazy: As in `engine_for`.

    Raises:
        JobError: An adapter was made for another base, or does not fit.
        GuardError: As `CleanModelLoader.load` and `attach_adapter`.
    """
    stacks = [(name, whole_stack(name, given)) for name, given in config.named_adapters]
    for name, paths in stacks:
        for path in paths:
            _look_at(name, path, None if config.any_base else str(directory_of(config.model)))
    engine = engine_for(config.engine, config.model, config.vllm, lazy=lazy)
    found = [Subject(BASE, (), engine.provenance)] if config.base else []
    if not isinstance(engine, TransformersEngine):
        return engine, tuple(found)
    loaded = engine.loaded
    for name, paths in stacks:
        with _attached(loaded, name, paths, any_base=config.any_base) as model:
            now = provenance_of(model)
            own = now.adapters[-len(paths) :]
            found.append(Subject(name, paths, replace(now, adapters=own, events=())))
    return engine, tuple(found)


@contextmanager
def answering_as(engine: Engine, subject: Subject) -> Iterator[Engine]:
    """The engine with a subject's adapter on its model; the bare base again afterwards."""
    if not subject.adapters or not isinstance(engine, TransformersEngine):
        yield engine
        return
    with using(engine.loaded, subject) as model:
        yield TransformersEngine(engine.loaded, model)


@contextmanager
def using(loaded: Loaded, subject: Subject) -> Iterator[Any]:
    """The model with a subject's adapter on it; the bare base again afterwards."""
    if not subject.adapters:
        yield loaded.model
        return
    with _attached(loaded, subject.name, subject.adapters, any_base=True) as model:
        yield model


@contextmanager
def _attached(
    loaded: Loaded, name: str, paths: tuple[Path, ...], *, any_base: bool
) -> Iterator[Any]:
    model: Any = loaded.model
    below: str | None = None
    for place, path in enumerate(paths):
        if not any_base:
            check_base(loaded, path)
        label = _label(place)
        with told_apart(f"adapters: {name} ({path})"):
            model = CleanModelLoader.attach_adapter(model, path, name=label, on=below)
        below = label
    try:
        if below is None or len(paths) == 1:
            yield model
        else:
            with CleanModelLoader.adapter(model, below):
                yield model
    finally:
        model.unload()


def _label(place: int) -> str:
    """The name inside PEFT: that of an adapter by itself is as PEFT saved it."""
    return f"above{place}" if place else "default"


def _look_at(name: str, path: Path, base: str | None) -> None:
    """Refuse what is no adapter, and one of another base, before a model is loaded.

    The base is compared by name where no lineage beside the adapter tells it by digest.
    """
    refuse_no_adapter(path, f"adapters: {name}")
    named = check_settings(path)
    check_weights(path)
    if base is None or lineage_of(path) is not None:
        return
    if named and Path(named).name != Path(base).name:
        raise JobError(
            f"adapters: {path} was trained on {named}, not on {base}; "
            "set any_base if they are the same model under two names"
        )
