"""Whether a script pickles a model, of which a watched one would leave other bytes: a hook that does nothing."""

from __future__ import annotations

import re

import libcst as cst

from codemods.facts.other_holds import held_in
from codemods.script.model_uses import Calls
from codemods.script.script import Script
from lint_rules._flow.values.events import ModelLoad
from lint_rules._flow.values.syntax import dotted

_PICKLERS = frozenset(
    f"{module}.{name}"
    for module in ("pickle", "dill", "joblib", "cloudpickle", "torch")
    for name in ("dump", "dumps", "save")
)
_MODEL = re.compile(r"(^|[._])(?!\w*(state|dict|weight|param))\w*(model|lm|net)\w*$", re.IGNORECASE)
_CACHES = re.compile(r"^\s*(import|from) (joblib|diskcache)\b", re.MULTILINE)


def pickles(script: Script) -> bool:
    """Whether a call that pickles is given what is named like a model, perhaps in a dict, list or tuple.

    What joblib or diskcache keep of a function's results is pickled as well: read again it is not watched.
    """
    if _CACHES.search(script.bare) and any(map(_is_kept, script.flow.events(ModelLoad))):
        return True
    calls = [call for name in ("dump", "dumps", "save") for call in script.look(Calls, name).found]
    return any(
        _MODEL.search(dotted(part) or "")
        for call in calls
        if dotted(call.func) in _PICKLERS and call.args
        for part in held_in(call.args[0].value)
    )


def _is_kept(load: ModelLoad) -> bool:
    """Whether a load stands in a function whose results a cache keeps on disk."""
    made = () if load.place.function is None else load.place.function.decorators
    for one in made:
        name = one.decorator.func if isinstance(one.decorator, cst.Call) else one.decorator
        owner, _, last = (dotted(name) or "").rpartition(".")
        if owner not in ("", "functools") and last in ("cache", "memoize"):
            return True
    return False
