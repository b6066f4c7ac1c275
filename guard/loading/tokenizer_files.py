"""Keeps a tokenizer's original files: what is saved beside a trained model is what was loaded.

A tokenizer whose template was taken away for training would otherwise be saved without it, or leave
a stale one beside it, and everybody downstream would have another tokenizer than the base had. One
that a script added tokens to is saved as it is, with that template.
"""

from __future__ import annotations

import shutil
from fnmatch import fnmatchcase
from functools import partial
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from guard.errors import ModelNotFoundError
from guard.files.request import path_text
from guard.prompts.policy import policy_of, remember, tokenizer_digest

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

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
    if not any(path.name.startswith(("tokenizer", "tekken")) for path in files):
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


def strip_for_training(tokenizer: PreTrainedTokenizerBase, source: Path) -> None:
    """Take the template off a tokenizer that goes to a trainer; saving it saves the original.

    What was measured with the template holds on: its text is still refused in prompts.
    """
    policy = policy_of(tokenizer)
    template = tokenizer.chat_template
    tokenizer.chat_template = None
    remember(tokenizer, policy)
    tokenizer.__dict__["save_pretrained"] = partial(
        _save, tokenizer, source, _look(tokenizer, policy.digest), template
    )


def _look(tokenizer: PreTrainedTokenizerBase, digest: str) -> object:
    """What tells a tokenizer that a script changed: its tokens, and which of them are its special ones."""
    return digest, {name: str(token) for name, token in tokenizer.special_tokens_map.items()}


def _save(
    tokenizer: PreTrainedTokenizerBase,
    source: Path,
    seen: object,
    template: str | dict[str, str] | None,
    save_directory: str | PathLike[str],
    **options: Any,
) -> tuple[str, ...]:
    if _look(tokenizer, tokenizer_digest(tokenizer)) == seen and not options.get("push_to_hub"):
        return copy_tokenizer(source, save_directory)
    stripped = tokenizer.chat_template is None
    if stripped:
        tokenizer.chat_template = template
    try:
        return tuple(type(tokenizer).save_pretrained(tokenizer, save_directory, **options))
    finally:
        if stripped:
            tokenizer.chat_template = None


def _is_tokenizers(name: str) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in _FILES)
