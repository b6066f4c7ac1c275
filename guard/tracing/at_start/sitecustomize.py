"""Found by Python at its start while `cleanguard trace` runs a script; then comes the one it hides."""

from __future__ import annotations

import os
import sys
from importlib.machinery import PathFinder
from importlib.util import module_from_spec

_HERE = os.path.dirname(os.path.abspath(__file__))  # noqa: PTH100, PTH120 - pathlib is not loaded yet


def _run_hidden() -> None:
    others = [entry for entry in sys.path if os.path.abspath(entry or ".") != _HERE]  # noqa: PTH100
    spec = PathFinder.find_spec("sitecustomize", others)
    if spec is None or spec.loader is None:
        return
    module = module_from_spec(spec)
    sys.modules["sitecustomize"] = module
    spec.loader.exec_module(module)


if os.environ.get("CLEANGUARD_TRACE"):
    try:
        from guard.tracing.child import main
    except ImportError:
        pass  # a Python that cleanguard is not installed in; the report says that it was not seen
    else:
        main()
sys.path[:] = [entry for entry in sys.path if os.path.abspath(entry or ".") != _HERE]  # noqa: PTH100
_run_hidden()
