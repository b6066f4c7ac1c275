"""A model's explicit generation config, saved as the model's files had it."""

from __future__ import annotations

from copy import deepcopy
from os import PathLike
from typing import Any

from guard.files.hub import transformers

_OWN = ("found", "given")


class SavedAsFound(transformers.GenerationConfig):  # type: ignore[misc]
    """A generation config that a load put in the place of the model's own; what is saved is that one.

    What a script sets on it after the load is saved as well.

    Args:
        given: The explicit config of the load.
        found: The model's own.
    """

    def __init__(self, given: Any = None, found: Any = None, **settings: Any) -> None:
        super().__init__(**({} if given is None else given.to_dict()), **settings)
        self.found = found
        self.given = None if given is None else self.to_dict()

    def to_dict(self) -> dict[str, Any]:
        """The settings alone."""
        said: dict[str, Any] = super().to_dict()
        return {name: value for name, value in said.items() if name not in _OWN}

    def save_pretrained(self, save_directory: str | PathLike[str], **options: Any) -> None:
        """Save the model's own config, with what was set since.

        The explicit one is saved where transformers refuses to save the model's own.
        """
        if self.found is None:
            super().save_pretrained(save_directory, **options)
            return
        now, given = self.to_dict(), self.given or {}
        own = deepcopy(self.found)
        own.update(**{name: value for name, value in now.items() if given.get(name) != value})
        try:
            own.save_pretrained(save_directory, **options)
        except ValueError:
            super().save_pretrained(save_directory, **options)
