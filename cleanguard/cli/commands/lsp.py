"""`cleanguard lsp`: findings in the editor, while the file is written."""

from __future__ import annotations

from importlib.util import find_spec

import click

from cleanguard.errors import JobError
from cleanguard.installing import install


@click.command("lsp")
def command() -> None:
    """Serve the Language Server Protocol on standard input and output, for an editor to start.

    Each open Python file is checked as it stands in the editor, with the configuration of its folder;
    safe and unsafe fixes are offered as quick fixes. Notebooks are left to `check`.
    """
    if find_spec("pygls") is None:
        raise JobError("the language server needs pygls: " + install("lsp"))
    from cleanguard.cli.editor.language_server import serve

    serve()
