"""Keeps a tokenizer's original files: what is saved beside a trained model is what was loaded.

A tokenizer whose template was taken away for training would otherwise be saved without it, or leave
a stale one beside it, and everybody downstream would have another tokenizer than the base had. One
that a script added tokens to is saved as it is, with that template.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from functools import partial
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cleanguard.catalogue import hazards
from guard.errors import ModelNotFoundError
from guard.files.request import path_text
from guard.loading.padding import settle_padding
from guard.prompts.policy import policy_of, remember, tokenizer_digest
from guard.prompts.state import find_state

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from guard.files.request import LoadRequest
    from guard.provenance.record import PadRecord

_FILES = (
    *("tokenizer*.json", "special_tokens_map.json", "added_tokens.json", "chat_template*"),
    *("vocab.*", "merges.txt", "*.tiktoken", "*.model", "tokenization*.py"),
    *("tekken.json", "tokenizer.model.v*"),
)
_FOLDER = "additional_chat_templates"


def copy_tokenizer(source: Path, target: str | PathLike[str]) -> tuple[str, ...]:
    """Copy a tokenizer's files byte by byte; stale templates in the target go.

    Args:
        source: The directory that the tokenizer was loaded from.
        target: Where they go; made if it is absent.

    Returns:
        The paths that were written, sorted.

    Raises:
        ModelNotFoundError: No tokenizer lies in the source any more.
    """
    goal = Path(path_text(target, "the directory to save to"))
    files = [path for path in source.iterdir() if path.is_file() and _is_tokenizers(path.name)]
    # An old one of GPT-2's kind is a vocab.json and its merges.txt.
    if not any(path.name.startswith(("tokenizer", "tekken", "vocab")) for path in files):
        raise ModelNotFoundError(
            f"{source} holds no tokenizer files", remedy="save to another directory, or load again"
        )
    goal.mkdir(parents=True, exist_ok=True)
    if goal.resolve() == source.resolve():
        return tuple(sorted(str(goal / path.name) for path in files))
    for stale in goal.glob("chat_template*"):
        stale.unlink()
    shutil.rmtree(goal / _FOLDER, ignore_errors=True)
    written = [str(shutil.copyfile(path, goal / path.name)) for path in files]
    if (source / _FOLDER).is_dir():
        shutil.copytree(source / _FOLDER, goal / _FOLDER)
        written += [str(path) for path in (goal / _FOLDER).iterdir()]
    return tuple(sorted(written))


def strip_for_training(tokenizer: PreTrainedTokenizerBase) -> None:
    """Take the template off a tokenizer that goes to a trainer.

    What was measured with the template holds on: its text is still refused in prompts.
    """
    policy = policy_of(tokenizer)
    tokenizer.chat_template = None
    remember(tokenizer, policy)


@dataclass(frozen=True, slots=True)
class Own:
    """What a tokenizer's files say and a load sets otherwise.

    Attributes:
        pad_token, padding_side: What fills a batch, and where.
        template: The chat template; several by name.
        copied: Whether the original files say all this, and are what is saved.
    """

    pad_token: str | None
    padding_side: str
    template: str | dict[str, str] | None
    copied: bool = True


def _own_of(tokenizer: PreTrainedTokenizerBase) -> Own:
    """What is to be kept of a tokenizer that was just read."""
    return Own(tokenizer.pad_token, tokenizer.padding_side, tokenizer.chat_template)


def settle_own(
    tokenizer: PreTrainedTokenizerBase, request: LoadRequest, rows: int
) -> tuple[PadRecord, Own]:
    """Settle padding as asked; gives what is in use, and what is to be saved.

    Args:
        tokenizer: Just read; changed in place.
        request: What was asked for.
        rows: Rows of the model's embedding.
    """
    own, side = _own_of(tokenizer), request.padding_side
    pad = settle_padding(tokenizer, side, rows, request.padding)
    files = request.padding == "files"
    kept = request.side_said or (files and request.for_training)
    if not kept:
        return pad, own
    if side is not None:  # saved with the tokenizer, as `from_pretrained` has it
        tokenizer.init_kwargs["padding_side"] = side
    if files and request.for_training:
        return pad, _own_of(tokenizer)
    return pad, replace(own, padding_side=tokenizer.padding_side, copied=own.padding_side == side)


def keep_files(tokenizer: PreTrainedTokenizerBase, source: Path, own: Own) -> None:
    """Let saving a tokenizer save its original files, without what the load set on it.

    One that a script changes afterwards is saved as it is, but for that.
    """
    tokenizer.__dict__["save_pretrained"] = partial(
        _save, tokenizer, source, own, _look(tokenizer), _pad(tokenizer)
    )


def _look(tokenizer: PreTrainedTokenizerBase) -> tuple[object, ...]:
    """What tells a tokenizer that a script changed: all that is saved of it, but for its template."""
    said = {name: str(getattr(tokenizer, name, None)) for name in tokenizer.init_kwargs}
    said["model_max_length"] = str(
        tokenizer.model_max_length
    )  # saved whether the files name it or not
    said |= {name: str(token) for name, token in tokenizer.special_tokens_map.items()}
    said.pop("chat_template", None)
    return tokenizer_digest(tokenizer), tokenizer.pad_token, tokenizer.padding_side, said


def _pad(tokenizer: PreTrainedTokenizerBase) -> object:
    """The pad token as it was set: an object, which tells it from the same one set by a script."""
    return tokenizer.__dict__.get("_special_tokens_map", {}).get("pad_token")


def _save(
    tokenizer: PreTrainedTokenizerBase,
    source: Path,
    own: Own,
    loaded: tuple[object, ...],
    chosen: object,
    save_directory: str | PathLike[str],
    **options: Any,
) -> tuple[str, ...]:
    set_anew = _pad(tokenizer) is not chosen
    same = (
        not set_anew
        and _look(tokenizer) == loaded
        and tokenizer.chat_template in (None, own.template)
    )
    if same and own.copied and not options.get("push_to_hub"):
        return copy_tokenizer(source, save_directory)
    names = ("pad_token", "padding_side")
    now = {name: getattr(tokenizer, name) for name in (*names, "chat_template")}
    back = {
        name: getattr(own, name)
        for name, value in zip(names, loaded[1:3], strict=True)
        if now[name] == value and not (set_anew and name == "pad_token")
    }
    if tokenizer.chat_template is None:
        back["chat_template"] = own.template
        state = find_state(tokenizer)
        if state is not None and own.template is not None:
            state.note("template-put-back", hazards.TEMPLATE_STRIPPED_SAVE)
    try:
        for name, value in back.items():
            setattr(tokenizer, name, value)
        return tuple(type(tokenizer).save_pretrained(tokenizer, save_directory, **options))
    finally:
        for name in back:
            setattr(tokenizer, name, now[name])


def _is_tokenizers(name: str) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in _FILES)
