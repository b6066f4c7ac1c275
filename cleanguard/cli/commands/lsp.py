"""`cleanguard lsp`: findings in the editor, while the file is written."""

from __future__ import annotations

from importlib.util import find_spec

import click

from cleanguard.errors import JobError
from cleanguard.installing import install


@click.command("lsp")
def command() -> None:
    """Serve the Language Server Protocol on standard input and output, for an editor to start.

    Each open Python file and notebook is checked as it stands in the editor, with the configuration of its
    folder, when typing pauses. Offered are safe and unsafe fixes, what `migrate` makes of the file, a
    suppression comment with a reason, and all safe fixes at once (source.fixAll.cleanguard).
    """
    if find_spec("pygls") is None:
        raise JobError("the language server needs pygls: " + install("lsp"))
    from cleanguard.cli.editor.language_server import serve

    serve()
