"""A model's explicit generation config, saved as the model's files had it."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass
from os import PathLike
from typing import Any

from guard.files.hub import transformers


@dataclass(frozen=True, slots=True)
class _Kept:
    """The model's own config, and what the explicit one said when it took its place; copies share it."""

    found: Any
    given: dict[str, Any]

    def __deepcopy__(self, memo: dict[int, Any]) -> _Kept:
        return self


class SavedAsFound(transformers.GenerationConfig):  # type: ignore[misc]
    """A generation config that a load put in the place of the model's own; what is saved is that one.

    What a script sets on it after the load is saved as well.
    """

    kept: _Kept | None = None

    def to_dict(self) -> dict[str, Any]:
        """The settings alone."""
        said: dict[str, Any] = super().to_dict()
        said.pop("kept", None)
        return said

    def save_pretrained(self, save_directory: str | PathLike[str], **options: Any) -> None:
        """Save the model's own config, with what was set since.

        The explicit one is saved where transformers refuses to save the model's own.
        """
        if self.kept is None:
            super().save_pretrained(save_directory, **options)
            return
        own, given = deepcopy(self.kept.found), self.kept.given
        now = {name: value for name, value in vars(self).items() if name != "kept"}
        own.update(**{name: value for name, value in now.items() if given.get(name) != value})
        try:
            own.save_pretrained(save_directory, **options)
        except ValueError:
            super().save_pretrained(save_directory, **options)


def saved_as_found(given: Any, found: Any) -> Any:
    """An explicit config, which takes the place of a model's own, with what is to be saved.

    Args:
        given: The explicit config; changed in place.
        found: The model's own.
    """
    said = dict(vars(given))
    given.__class__ = SavedAsFound
    given.kept = _Kept(found, said)
    return given
