"""Files and notebooks as they stand in the editor, as bytes that can be checked."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from lsprotocol import types
from pygls.uris import to_fs_path
from pygls.workspace import Workspace

from cleanguard.cli.editor.checked import Look


def look_at(workspace: Workspace, uri: str, neighbours: bool, *, is_notebook: bool) -> Look | None:
    """A file, or a notebook, as it stands now.

    Args:
        workspace: What is open.
        uri: The file's.
        neighbours: Follow imports into the other files as well.
        is_notebook: It was opened as a notebook.

    Returns:
        None for a notebook that was closed.
    """
    if not is_notebook:
        document = workspace.get_text_document(uri)
        path = Path(to_fs_path(document.uri) or document.path)
        return Look(path, document.source.encode("utf-8", errors="replace"), neighbours)
    notebook = workspace.get_notebook_document(notebook_uri=uri)
    if notebook is None:
        return None
    texts = [workspace.get_text_document(cell.document).source for cell in notebook.cells]
    kinds = [
        "code" if cell.kind == types.NotebookCellKind.Code else "markdown"
        for cell in notebook.cells
    ]
    name = to_fs_path(uri) or "untitled"
    path = Path(name if name.endswith(".ipynb") else f"{name}.ipynb")
    return Look(path, as_notebook(list(zip(kinds, texts, strict=True))), neighbours)


def as_notebook(cells: Sequence[tuple[str, str]]) -> bytes:
    """A notebook's file with the cells of an open one.

    Args:
        cells: Kind (`code`, `markdown`) and text of each.
    """
    plain: list[dict[str, object]] = [
        {"cell_type": kind, "metadata": {}, "source": text, "outputs": [], "execution_count": None}
        for kind, text in cells
    ]
    whole = {"cells": plain, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    return json.dumps(whole).encode("utf-8", errors="replace")
