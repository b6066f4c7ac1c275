"""cleanguard's packages by their common names: found where cleanguard itself lies, or refused.

`guard`, `stages` and the others are common words: a user's `guard.py`, or somebody else's package of
that name, would be imported in their place, and a load would then run other code, or none.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

PACKAGES = ("guard", "lint_rules", "codemods", "stages")
_HOME = Path(__file__).resolve().parents[1]


def imported(package: str) -> ModuleType:
    """Import one of cleanguard's packages, and nobody else's.

    Raises:
        ImportError: Something else has its name; the message names the file, its distribution and
            the remedy.
    """
    said = stranger(package)
    if said is not None:
        raise ImportError(said, name=package)
    return import_module(package)


def stranger(package: str) -> str | None:
    """What stands in the place of one of cleanguard's packages, in one sentence; None if it is ours."""
    try:
        spec = find_spec(package)
    except ValueError:  # a module that somebody made by hand has no spec
        spec = None
        origin = getattr(import_module(package), "__file__", None)
    else:
        if spec is None:
            return f"the package `{package}` is missing from {_HOME}; install cleanguard again"
        origin = spec.origin
    found = Path(origin).resolve() if origin else None
    if found == _HOME / package / "__init__.py":
        return None
    where = found or ", ".join((spec and spec.submodule_search_locations) or ["somewhere unknown"])
    owner = next(_distributions(found), None) if found else None
    whose = f" (of the distribution {owner})" if owner else ""
    remedy = (
        f"`pip uninstall {owner.partition(' ')[0]}`, or use an environment without it"
        if owner
        else "rename it, or take its folder off PYTHONPATH"
    )
    return (
        f"`{package}` would be imported from {where}{whose}, which hides cleanguard's own in {_HOME} "
        f"(CG603 shadowed-guard); {remedy}"
    )


def _distributions(file: Path) -> Iterator[str]:
    """Name and version of each installed distribution that brought the file."""
    from importlib.metadata import distributions

    for found in distributions():
        root = Path(str(found.locate_file(""))).resolve()
        if file.is_relative_to(root):
            record = found.read_text("RECORD") or ""
            if f"\n{file.relative_to(root).as_posix()}," in f"\n{record}":
                yield f"{found.metadata['Name']} {found.version}"
