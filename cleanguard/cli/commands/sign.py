"""`cleanguard sign`: sign the statements of files with a local key."""

from __future__ import annotations

from pathlib import Path

import click

from cleanguard.errors import JobError
from cleanguard.report.spoken import say


@click.command("sign")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--key",
    required=True,
    type=click.Path(path_type=Path),
    metavar="PEM",
    help="Private key without a password: Ed25519 or elliptic curve.",
)
def command(files: tuple[Path, ...], key: Path) -> None:
    """Sign the statements beside FILES; each gets an envelope FILE.dsse.json.

    `cleanguard verify --key PUBLIC.pem FILES` checks them. Nothing leaves this machine.
    """
    from guard.errors import GuardError
    from guard.records.signing import sign_file

    for path in files:
        try:
            target = sign_file(path, key)
        except (GuardError, OSError) as error:
            raise JobError(str(error)) from error
        say(f"wrote {target}", err=True)
