"""What inspect_ai finds by its entry point; the model is imported when it is asked for."""

from __future__ import annotations

import sys
from typing import Any

from inspect_ai.hooks import Hooks, hooks
from inspect_ai.model import ModelAPI, modelapi


@modelapi(name="cleanguard")
def cleanguard() -> type[ModelAPI]:
    """`--model cleanguard/NAME`: a guarded base model."""
    from stages.harnesses.inspect_model import GuardedAPI

    return GuardedAPI


@hooks(name="cleanguard", description="Writes statements beside the logs of guarded models.")
class Statements(Hooks):
    """Seals the log of a task that a guarded model answered."""

    async def on_task_start(self, data: Any) -> None:
        """See that this log is told the provenance."""
        made = sys.modules.get("stages.harnesses.inspect_model")
        if made is not None:
            made.begin_log()

    async def on_task_end(self, data: Any) -> None:
        """Write the statement beside the log."""
        made = sys.modules.get("stages.harnesses.inspect_model")
        if made is not None:
            made.seal_log(data.log)
