"""`--prove-args`: the command lines that scripts are run with by `migrate --prove`."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence

import click

_FOR_ONE = re.compile(r"(?P<script>[^\s:]+\.py):(?P<arguments>.*)", re.DOTALL)


class CommandLines:
    """What each script is given: a line of its own where there is one, else the line for all."""

    def __init__(self, given: Sequence[str], names: Sequence[str]) -> None:
        """Take the option's values apart.

        Args:
            given: Each `ARGUMENTS`, for every script, or `SCRIPT.py: ARGUMENTS`.
            names: The scripts as they were given; one may be named by the end of its path.

        Raises:
            click.UsageError: A script is not among them, two lines are for one, or a quote is open.
        """
        self._everywhere: tuple[str, ...] | None = None
        self._own: dict[str, tuple[str, ...]] = {}
        for value in given:
            found = _FOR_ONE.fullmatch(value.strip())
            if found is None:
                if self._everywhere is not None:
                    raise click.UsageError(
                        "--prove-args gives two lines for all scripts; "
                        "write `SCRIPT.py: ARGUMENTS` to say which is whose"
                    )
                self._everywhere = _split(value)
                continue
            ours = [name for name in names if f"/{name}".endswith(f"/{found['script']}")]
            if len(ours) != 1:
                what = "not among the scripts" if not ours else f"{' and '.join(ours)}"
                raise click.UsageError(f"--prove-args {found['script']}: that is {what}")
            if ours[0] in self._own:
                raise click.UsageError(f"--prove-args gives two lines for {ours[0]}")
            self._own[ours[0]] = _split(found["arguments"])

    def of(self, name: str) -> tuple[str, ...]:
        """The command line of one script."""
        return self._own.get(name, self._everywhere or ())


def _split(text: str) -> tuple[str, ...]:
    try:
        return tuple(shlex.split(text))
    except ValueError as error:
        raise click.UsageError(f"--prove-args {text!r}: {error}") from error
