"""The models and tokenizers of a run: what they are, and which belong together."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from cleanguard.catalogue.hazards import Severity
from cleanguard.catalogue.standing import Standing, standing_of
from guard.observing.events import Load
from guard.observing.passes import is_causal
from guard.observing.recorder import Recorder
from guard.prompts.names import ends_a_turn
from guard.prompts.policy import PromptPolicy, policy_of

# Families whose chat checkpoints end their texts at a token of their own, so that the end tells.
_TOLD_BY_EOS = frozenset({"qwen2", "llama3", "gemma"})


@dataclass(frozen=True, slots=True)
class Scope:
    """What the configuration says about models.

    Attributes:
        scope: `base` leaves chat models alone, `all` does not.
        base_models: Patterns of ids that are base models.
        chat_models: Patterns of ids that are chat models.
    """

    scope: str = "base"
    base_models: tuple[str, ...] = ()
    chat_models: tuple[str, ...] = ()

    def severity(self, standing: Standing) -> Severity | None:
        """As `check` does it: an error for a base model, a warning for what may be one."""
        if self.scope == "all" or standing == "base":
            return "error"
        return None if standing == "chat" else "warning"


class Tokens:
    """A tokenizer as it is now: a copy to ask, and its rules for prompts.

    The copy is asked so that the script's own object is in no other state than it would be.
    """

    def __init__(self, tokenizer: Any) -> None:
        self.twin = copy.deepcopy(tokenizer)
        self.policy: PromptPolicy = policy_of(self.twin)

    def text(self, ids: Any) -> str:
        """What some ids say, special tokens included."""
        return str(self.twin.decode(list(ids)))

    def length(self, text: str, special: bool) -> int:
        """Tokens of a text that is not cut."""
        encoded = self.twin(
            text, add_special_tokens=special, truncation=False, padding=False, verbose=False
        )
        return len(encoded["input_ids"])


class Subjects:
    """What was loaded or used in this process, and what it is."""

    def __init__(self, recorder: Recorder, scope: Scope) -> None:
        self.recorder, self.scope = recorder, scope
        self.loads: dict[int, Load] = {}
        # Tokenizers in the order of their first use; they may have been made without a load.
        self.used: dict[int, None] = {}
        # Tokenizer loads that were reported; each is looked at again with every load of its name.
        self.told: set[int] = set()
        self._tokens: dict[int, tuple[object, Tokens | None]] = {}
        self._names: dict[int, str] = {}
        self._standings: dict[tuple[int, int | None], Standing] = {}

    def tokens(self, number: int) -> Tokens | None:
        """A tokenizer's copy and rules; measured again when it was changed."""
        tokenizer = self.recorder.object_of(number)
        if tokenizer is None or not hasattr(tokenizer, "added_tokens_decoder"):
            return None
        state = _state(tokenizer)
        known = self._tokens.get(number)
        if known is not None and known[0] == state:
            return known[1]
        with self.recorder.muted():
            found: Tokens | None = self.recorder.quietly(lambda: Tokens(tokenizer))
        self._tokens[number] = (state, found)
        return found

    def tokenizer_for(self, model: int) -> int | None:
        """The tokenizer that was loaded under a model's name, or the only one there is."""
        name = self.name_of(model)
        loaded = [number for number, load in self.loads.items() if load.what == "tokenizer"]
        found = [*dict.fromkeys((*loaded, *self.used))]
        alike = [number for number in found if name and self.name_of(number) == name]
        found = alike or found
        return found[-1] if alike or len(found) == 1 else None

    def name_of(self, subject: int) -> str:
        """The name that a model or tokenizer was loaded by; its own where nobody loaded it."""
        if subject in self.loads and self.loads[subject].name:
            return self.loads[subject].name
        if subject not in self._names:
            self._names[subject] = self._own_name(subject)
        return self._names[subject]

    def _own_name(self, subject: int) -> str:
        thing = self.recorder.object_of(subject)
        config = getattr(thing, "config", None)
        return str(getattr(config, "_name_or_path", None) or getattr(thing, "name_or_path", ""))

    def called(self, subject: int) -> str:
        """The model in words, for a message: a folder by its last part."""
        name = self.name_of(subject)
        if not name:
            thing = self.recorder.object_of(subject)
            return f"a {type(thing).__name__}" if thing is not None else "a model"
        return _short(name)

    def severity_of_tokenizer(self, number: int) -> Severity | None:
        """How sure it is that a tokenizer is a base model's, by its name and the model of that name."""
        name = self.name_of(number)
        models = [
            one for one, load in self.loads.items() if load.what == "model" and load.name == name
        ]
        if models:
            return self.scope.severity(self.standing(models[-1], number))
        scope = self.scope
        named = standing_of(name, scope.base_models, scope.chat_models) if name else "unknown"
        return scope.severity(named)

    def standing(self, model: int, tokenizer: int | None) -> Standing:
        """Whether a model is a base model, as it was when it was first asked about."""
        key = (model, tokenizer)
        if key not in self._standings:
            self._standings[key] = self._standing(model, tokenizer)
        return self._standings[key]

    def _standing(self, model: int, tokenizer: int | None) -> Standing:
        """By its name, else by how its texts end."""
        name = self.name_of(model)
        scope = self.scope
        named = standing_of(name, scope.base_models, scope.chat_models) if name else "unknown"
        if named == "chat" or (named == "base" and _is_configured(name, scope)):
            return named
        tokens = None if tokenizer is None else self.tokens(tokenizer)
        ends = chat_ends(self.recorder.object_of(model), tokens)
        if ends:
            return "chat"
        if named == "base":
            return named
        told = tokens is not None and tokens.policy.family in _TOLD_BY_EOS
        return "base" if told and tokens is not None and tokens.policy.eos_id is not None else named


@lru_cache(maxsize=256)
def _short(name: str) -> str:
    return f"`{Path(name).name if Path(name).is_absolute() else name}`"


def _is_configured(name: str, scope: Scope) -> bool:
    from fnmatch import fnmatchcase

    return any(fnmatchcase(name, pattern) for pattern in scope.base_models)


def chat_ends(model: Any, tokens: Tokens | None) -> list[str]:
    """Tokens at which texts end and that end a chat turn."""
    if tokens is None:
        return []
    found = [name for name in (tokens.twin.eos_token, tokens.twin.bos_token) if ends_a_turn(name)]
    for settings in (getattr(model, "generation_config", None), getattr(model, "config", None)):
        given = getattr(settings, "eos_token_id", None)
        for index in given if isinstance(given, (list, tuple)) else [given]:
            name = tokens.twin.convert_ids_to_tokens(index) if isinstance(index, int) else None
            if ends_a_turn(name) and name not in found:
                found.append(str(name))
    return found


def completes_text(load: Load, recorder: Recorder) -> bool:
    """Whether a load gave a causal language model."""
    if load.loaded.get("engine"):
        return True
    model = None if load.subject is None else recorder.object_of(load.subject)
    return model is not None and is_causal(model)


def _state(tokenizer: Any) -> object:
    template = getattr(tokenizer, "chat_template", None)
    special = getattr(tokenizer, "_special_tokens_map", None)
    return (
        len(tokenizer),
        template if template is None or type(template) is str else str(template),
        str(special if special is not None else tokenizer.special_tokens_map),
        getattr(tokenizer, "add_bos_token", None),
        getattr(tokenizer, "add_eos_token", None),
    )
