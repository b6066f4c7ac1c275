"""What to type to install an extra: from where this cleanguard came, and with all that the extra needs.

Until the project is published, its name in an index is nobody's or somebody else's. So the command names
the wheel, the source distribution or the checkout that was installed, as pip wrote it down (PEP 610).
"""

from __future__ import annotations

import json
import shlex
from functools import lru_cache
from importlib import metadata
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

_NAME = "cleanguard"
_HOME = Path(__file__).resolve().parents[1]


def install(*extras: str) -> str:
    """The command that installs cleanguard with some extras, into the interpreter that runs it.

    Args:
        extras: As in `pyproject.toml`, in any order.
    """
    named = f"[{','.join(extras)}]"
    editable, place = _source()
    flag = "-e " if editable else ""
    if place is None:
        return f'pip install "{_NAME}{named}"'
    if "://" in place:  # a repository or an archive somewhere else: only this form takes extras
        return f'pip install "{_NAME}{named} @ {place}"'
    return f"pip install {flag}{_quoted(place + named)}"


def _quoted(text: str) -> str:
    """In double quotes, which every shell understands, unless it takes more than that."""
    return f'"{text}"' if not set(text) & set('"$`\\!') else shlex.quote(text)


@lru_cache(maxsize=1)
def _source() -> tuple[bool, str | None]:
    """Whether it is a checkout in place, and where it came from: a path, a URL, or None for an index."""
    said = None
    try:
        found = metadata.distribution(_NAME)
    except metadata.PackageNotFoundError:
        found = None
    if found is not None and (text := found.read_text("direct_url.json")):
        said = json.loads(text)
    if said is None:
        # Run from a checkout that nobody installed, or installed from an index.
        checkout = (_HOME / "pyproject.toml").is_file()
        return (True, str(_HOME)) if checkout else (False, None)
    url = said["url"]
    if urlsplit(url).scheme == "file":
        path = Path(url2pathname(urlsplit(url).path))
        editable = bool(said.get("dir_info", {}).get("editable"))
        return editable, str(path) if path.exists() else f"{_NAME} {path.name}"
    vcs = said.get("vcs_info")
    return False, f"{vcs['vcs']}+{url}@{vcs['commit_id']}" if vcs else url
