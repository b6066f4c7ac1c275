"""The tokenizers of a trial run: a model's own where its files are at hand, a stand-in where not.

Nothing is fetched: a directory or the hub's cache, or there are no files. Imported by name at run time, as all else
that a trial run needs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from typing import Any

from codemods.proof.stand_in_models import ANSWER, VOCABULARY, Tokenizer

_TEXT = " ok."


class Tokenizers:
    """Gives tokenizers by the name of their model; made before the libraries' own ways are replaced.

    Attributes:
        real: The models whose own files were used.
        stood_in: Those whose files are not at hand.
        reading: A real one is being read, by classes that would give stand-ins otherwise.
    """

    def __init__(self, tell: Callable[[str, str], None] = lambda *_: None) -> None:
        """Prepare.

        Args:
            tell: Is given `real` or `stood in`, and the name of a model, when it is first asked for.
        """
        self._tell = tell
        self._plainly: Callable[..., Any] = import_module(
            "transformers"
        ).AutoTokenizer.from_pretrained
        self.reading = False
        self._guarded = import_module("guard.loader").CleanModelLoader
        self._known: dict[str, Any] = {}
        self.real: set[str] = set()
        self.stood_in: set[str] = set()

    def _load(self, name: str, **options: Any) -> Any:
        with self._reading():
            return self._plainly(name, **options)

    @contextmanager
    def _reading(self) -> Iterator[None]:
        self.reading, before = True, self.reading
        try:
            yield
        finally:
            self.reading = before

    def raw(self, name: str, options: dict[str, Any]) -> Any:
        """The tokenizer as `from_pretrained` gives it."""
        if self._plain(name) is not None:
            given = {**options, "local_files_only": True}
            return self._load(name, **given)
        found = Tokenizer(name)
        found.padding_side = options.get("padding_side", found.padding_side)
        return found

    def guarded(self, name: str, options: dict[str, Any]) -> Any:
        """The tokenizer as the guard gives it."""
        if self._plain(name) is not None:
            kept = ("revision", "cache_dir", "subfolder", "for_training", "padding_side")
            given = {key: options[key] for key in kept if key in options}
            with self._reading():
                return self._guarded(name, local_files_only=True, **given).load_tokenizer()
        found = Tokenizer(name)
        right = options.get("for_training")
        found.padding_side = options.get("padding_side", "right" if right else "left")
        found.pad_token, found.pad_token_id = found.eos_token, 0
        return found

    def answer(self, name: str) -> tuple[list[int], int]:
        """What a stand-in model answers with the tokenizer of that name, and how large its vocabulary is."""
        plain = self._plain(name)
        if plain is None:
            return ANSWER, VOCABULARY
        return list(plain.encode(_TEXT, add_special_tokens=False)), len(plain)

    def bos_of(self, name: str) -> int | None:
        """The id of the BOS of the tokenizer of that name."""
        plain = self._plain(name)
        found: int | None = (Tokenizer(name) if plain is None else plain).bos_token_id
        return found

    def _plain(self, name: str) -> Any:
        if name not in self._known:
            try:
                self._known[name] = self._load(name, local_files_only=True)
            except Exception:  # noqa: BLE001 - whatever keeps it from being read, there is a stand-in
                self._known[name] = None
            absent = self._known[name] is None
            (self.stood_in if absent else self.real).add(name)
            self._tell("stood in" if absent else "real", name)
        return self._known[name]


def guarded_rows(tokenizer: Any, texts: Sequence[str]) -> list[list[int]]:
    """The ids of each text as the guard makes them, unpadded; the guard's own refusals are raised."""
    if isinstance(tokenizer, Tokenizer):
        return [_guarded_row(tokenizer, text) for text in texts]
    policy = import_module("guard.prompts.policy").policy_of(tokenizer)
    rows: list[list[int]] = import_module("guard.prompts.encoding").encode_rows(
        tokenizer, policy, list(texts)
    )
    return rows


def _guarded_row(tokenizer: Tokenizer, text: str) -> list[int]:
    if tokenizer.bos_token and tokenizer.bos_token in text:
        errors = import_module("guard.errors")
        raise errors.DoubledBosError(
            "a prompt spells out BOS, which is added to every prompt of this family",
            remedy="take the BOS text out of the prompt",
        )
    return tokenizer.ids(text, bare=False)
