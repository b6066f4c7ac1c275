"""A bar on standard error while a batch is generated; nothing where nobody watches."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import Any


class Progress:
    """Counts finished prompts and tokens.

    Args:
        total: Prompts to come.
        wanted: Show the bar; None does if standard error is a terminal.
    """

    def __init__(self, total: int, wanted: bool | None) -> None:
        self._total = total
        self._shown = sys.stderr.isatty() if wanted is None else wanted
        self._bar: Any = None
        self._task: Any = None
        self._tokens = 0
        self._begun = 0.0

    def __enter__(self) -> Progress:
        if self._shown:
            from rich.console import Console
            from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
            from rich.progress import Progress as Bar

            self._bar = Bar(
                TextColumn("generate"),
                BarColumn(),
                MofNCompleteColumn(),
                TextColumn("{task.fields[rate]}"),
                TimeRemainingColumn(),
                console=Console(stderr=True),
            )
            self._task = self._bar.add_task("generate", total=self._total, rate="")
            self._begun = time.perf_counter()
            self._bar.start()
        return self

    def advance(self, prompts: int, tokens: int) -> None:
        """Some prompts are finished, and some tokens were generated."""
        if self._bar is not None:
            self._tokens += tokens
            rate = self._tokens / max(time.perf_counter() - self._begun, 1e-9)
            self._bar.update(self._task, advance=prompts, rate=f"{rate:,.0f} tok/s")

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _where: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.stop()
