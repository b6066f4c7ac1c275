"""Whether a script pickles a model, of which a watched one would leave other bytes: a hook that does nothing."""

from __future__ import annotations

import re

from codemods.facts.other_holds import held_in
from codemods.script.model_uses import Calls
from codemods.script.script import Script
from lint_rules._flow.values.syntax import dotted

_PICKLERS = frozenset(
    f"{module}.{name}"
    for module in ("pickle", "dill", "joblib", "cloudpickle", "torch")
    for name in ("dump", "dumps", "save")
)
_MODEL = re.compile(r"(^|[._])(?!\w*(state|dict|weight|param))\w*(model|lm|net)\w*$", re.IGNORECASE)


def pickles(script: Script) -> bool:
    """Whether a call that pickles is given what is named like a model, perhaps in a dict, list or tuple."""
    calls = [call for name in ("dump", "dumps", "save") for call in script.look(Calls, name).found]
    return any(
        _MODEL.search(dotted(part) or "")
        for call in calls
        if dotted(call.func) in _PICKLERS and call.args
        for part in held_in(call.args[0].value)
    )
