"""What a model is called: a directory or a hub id, told without torch and without looking inside."""

from __future__ import annotations

import re
from pathlib import Path

from guard.errors import ModelNotFoundError

_PAGE = re.compile(r"https?://(?:www\.)?(?:huggingface\.co|hf\.co)/([\w.\-]+/[\w.\-]+)")
_REPO = re.compile(r"[A-Za-z0-9][\w.\-]*(/[A-Za-z0-9][\w.\-]*)?")


def refuse_no_model(model_id: str) -> None:
    """Refuse what is neither a directory here nor written like a hub id.

    Raises:
        ModelNotFoundError: It is a file, a web page, or a path to nothing.
    """
    directory = Path(model_id).expanduser()
    if directory.is_dir():
        return
    if directory.exists():
        raise ModelNotFoundError(
            f"{model_id!r} is a file", remedy=f"name its directory, {directory.parent}"
        )
    page = _PAGE.match(model_id)
    if page:
        raise ModelNotFoundError(
            f"{model_id!r} is a web page", remedy=f"name the model by its id, {page[1]}"
        )
    if not _REPO.fullmatch(model_id):
        raise ModelNotFoundError(
            f"{model_id!r} is no model directory",
            remedy="give a directory that holds config.json and *.safetensors, or a hub id such as "
            "Qwen/Qwen2.5-0.5B",
        )
