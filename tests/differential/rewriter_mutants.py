"""Mutants of the rewriter: each is one function that forgets what it looks at, to be caught by `rewriter_run`."""

from __future__ import annotations

import functools
import importlib
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Mutant:
    """A function of the rewriter that forgets what it looks at.

    Attributes:
        module, name: Where it stands.
        how: What takes its place; `("wrap", f)` where `f` makes that from the function.
    """

    module: str
    name: str
    how: Any

    @property
    def what(self) -> str:
        """Its name among the mutants."""
        return f"{self.module}.{self.name}"

    def put(self) -> Callable[[], None]:
        """Put it into the rewriter, wherever the function is known; returns what takes it out again."""
        plain = self._plain()
        return self._replace(plain, self.how[1](plain) if isinstance(self.how, tuple) else self.how)

    def listen(self, apart: int) -> Callable[[], None]:
        """From now on, write it to a file when the function has answered what the mutant would not have.

        Args:
            apart: The file's descriptor: files are planned in processes that are forked.
        """
        plain = self._plain()
        told: list[str] = []

        def tell() -> None:
            if not told:
                told.append(self.what)
                os.write(apart, f"{self.what}\n".encode())

        @functools.wraps(plain)
        def heard(*args: Any, **kwargs: Any) -> Any:
            try:
                answer = plain(*args, **kwargs)
            except BaseException:
                tell()
                raise
            if isinstance(self.how, tuple) or _differ(answer, self.how()):
                tell()
            return answer

        return self._replace(plain, heard)

    def _plain(self) -> Any:
        return getattr(importlib.import_module(self.module), self.name)

    def _replace(self, plain: Any, other: Any) -> Callable[[], None]:
        places = [
            found
            for key, found in list(sys.modules.items())
            if key.startswith("codemods") and getattr(found, self.name, None) is plain
        ]
        for place in places:
            setattr(place, self.name, other)

        def undo() -> None:
            for place in places:
                setattr(place, self.name, plain)

        return undo


def _differ(answer: Any, other: Any) -> bool:
    """Whether who asks could tell the two answers apart; one that is made step by step is never equal to another."""
    if isinstance(other, bool):
        return bool(answer) is not other
    return bool(answer != other)


def _nothing(*_: Any, **__: Any) -> None:
    return None


def _list(*_: Any, **__: Any) -> list[Any]:
    return []


def _dict(*_: Any, **__: Any) -> dict[Any, Any]:
    return {}


def _set(*_: Any, **__: Any) -> set[Any]:
    return set()


def _yes(*_: Any, **__: Any) -> bool:
    return True


def _no(*_: Any, **__: Any) -> bool:
    return False


def _shorter(plain: Callable[..., Any]) -> Callable[..., Any]:
    """Forgets the last keyword that it carries."""

    def carry(*args: Any, **kwargs: Any) -> Any:
        given, notes = plain(*args, **kwargs)
        return given[:-1], notes

    return carry


def _less_given(plain: Callable[..., Any]) -> Callable[..., Any]:
    from dataclasses import replace

    def carry(*args: Any, **kwargs: Any) -> Any:
        found = plain(*args, **kwargs)
        return replace(found, given=found.given[:-1])

    return carry


def _said_nothing(plain: Callable[..., Any]) -> Callable[..., Any]:
    """A note that tells nothing that the comparison acts on."""
    from dataclasses import replace

    def note(*args: Any, **kwargs: Any) -> Any:
        return replace(plain(*args, **kwargs), kind="kept", text="")

    return note


# What is forgotten: the module, the function, and what takes its place (see `Mutant`).
_FORGETS: tuple[tuple[str, str, Any], ...] = (
    ("codemods.settings.generate_keywords", "carry_generate_keywords", ("wrap", _shorter)),
    ("codemods.settings.generate_keywords", "carry_decode_keywords", ("wrap", _shorter)),
    ("codemods.settings.generate_keywords", "refuse_set_config", _nothing),
    ("codemods.settings.generate_keywords", "refuse_other_mask", _nothing),
    ("codemods.settings.config_changes", "settings_after", _dict),
    ("codemods.settings.sampling", "say_sampling", _list),
    ("codemods.facts.loader_keywords", "carry_model_keywords", ("wrap", _less_given)),
    ("codemods.loads.tokenizer_keywords", "carry_tokenizer_keywords", ("wrap", _less_given)),
    ("codemods.facts.load_context", "refuse_moved_padding", _nothing),
    ("codemods.facts.load_context", "padding_note", _list),
    ("codemods.script.purity", "may_change", _no),
    ("codemods.generation.mode", "mode_note", _list),
    ("codemods.generation.unclear_texts", "refuse_unclear_texts", _nothing),
    ("codemods.generation.guarded_call", "_refuse_total_length", _nothing),
    ("codemods.generation.guarded_call", "refuse_read_padding", _nothing),
    ("codemods.generation.chain", "_refuse_other_targets", _nothing),
    ("codemods.generation.chain", "_refuse_repetition", _nothing),
    ("codemods.generation.chain", "_refuse_reordering", _nothing),
    ("codemods.generation.chain", "_refuse_changed_prompt", _nothing),
    ("codemods.generation.in_place", "refuse_changed_prompt", _nothing),
    ("codemods.texts.encoding", "refuse_other_specials", _nothing),
    ("codemods.texts.encoding", "specials_note", ("wrap", _said_nothing)),
    ("codemods.facts.load_context", "side_note", _list),
    ("codemods.facts.load_context", "may_pad", _no),
    ("codemods.facts.growth", "refuse_growth", _no),
    ("codemods.facts.growth", "may_grow", _no),
    ("codemods.settings.contradictions", "refuse_contradictions", _nothing),
    ("codemods.settings.config_changes", "_refuse_elsewhere", _nothing),
    ("codemods.loads.loader_classes", "_refuse_own", _nothing),
    ("codemods.loads.loader_classes", "_refuse_others", _nothing),
    ("codemods.texts.encoding", "truncation_note", _list),
    ("codemods.texts.decoded_ids", "has_prompt", _no),
    ("codemods.texts.prompt_cut", "refuse_other_cuts", _nothing),
    ("codemods.generation.in_place", "_refuse_other_uses", _nothing),
    ("codemods.loads.whole_models", "half_done", _dict),
    ("codemods.loads.partners", "mentions", _no),
    ("codemods.quantization.configs", "refuse_taken", _nothing),
    ("codemods.quantization.config_uses", "refuse_changed", _nothing),
    ("codemods.loads.adapter_aliases", "base_is_seen", _no),
    ("codemods.generation.ids_calls", "_refuse_prompt", _nothing),
    ("codemods.generation.ids_calls", "_may_pad_right", _no),
    ("codemods.generation.ids_calls", "_refuse_mask", _nothing),
    ("codemods.generation.ids_calls", "_refuse_other_pad", _nothing),
    ("codemods.facts.intact_ids", "joins_ids", _nothing),
    ("codemods.facts.intact_ids", "refuse_changed_ids", _nothing),
    ("codemods.facts.intact_ids", "_refuse_changed_mask", _nothing),
    ("codemods.facts.id_changes", "is_value", _no),
    ("codemods.facts.load_context", "_collates_scored", _no),
    ("codemods.facts.other_holds", "_from_imports", _list),
    ("codemods.generation.given_prompts", "refuse_given", _nothing),
    ("codemods.generation.scoring", "_is_labelled_apart", _no),
    ("codemods.doubts.given_away", "_applied", _set),
    ("codemods.facts.intact_ids", "refuse_bound", _nothing),
    ("codemods.facts.unseen_ids", "refuse_unseen", _nothing),
    ("codemods.settings.ids_keywords", "settings_of_ids", ("wrap", _shorter)),
    ("codemods.settings.ids_keywords", "_names_others", _no),
    ("codemods.settings.ids_keywords", "_has_length", _yes),
    ("codemods.doubts.given_away", "may_lack_bos", _no),
    ("codemods.doubts.given_away", "unseen_doubt", _nothing),
    ("codemods.doubts.given_away", "given_away", _list),
    ("codemods.facts.growth_in_use", "why_not_in_use", _nothing),
    ("codemods.facts.growth_in_use", "renames_bos", _no),
    ("codemods.loads.pad_tests", "_generated_from", _set),
    ("codemods.facts.changed_elsewhere", "_set_elsewhere", _nothing),
    ("codemods.facts.changed_elsewhere", "_bound_anew", _nothing),
    ("codemods.facts.changed_elsewhere", "_others_chosen", _dict),
    ("codemods.facts.changed_elsewhere", "_sets_modules", _nothing),
    ("codemods.facts.changed_elsewhere", "hidden_calls", _list),
    ("codemods.script.closures", "made_elsewhere", _no),
    ("codemods.texts.moved_text", "may_differ", _no),
    ("codemods.texts.moved_text", "_refuse_pairs", _nothing),
    ("codemods.texts.prompt_cut", "_is_whole", _yes),
    ("codemods.texts.encoding", "cuts", _no),
    ("codemods.settings.generate_keywords", "_refuse_later", _nothing),
    ("codemods.facts.id_changes", "kept_elsewhere", _dict),
    ("codemods.watching.classes", "is_automatic", _yes),
    ("codemods.watching.pickling", "pickles", _no),
    ("codemods.imports.unused", "_any_name", _no),
    ("codemods.imports.unused", "_may_be_taken", _no),
    ("codemods.doubts.beyond", "_handed_to", _nothing),
    ("codemods.doubts.beyond", "_bos_in_class", _nothing),
    ("codemods.doubts.beyond", "_read_elsewhere", _nothing),
    ("codemods.doubts.within", "within", _nothing),
    ("codemods.doubts.shown", "shown", _list),
    ("codemods.doubts.strict", "strict", _dict),
    ("codemods.doubts.saved", "saved", _list),
)
REWRITER = tuple(Mutant(*one) for one in _FORGETS)
