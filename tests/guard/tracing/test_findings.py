"""Facts of a run as findings: suppressed by the comments of a file, or of a notebook's cell."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cleanguard.settings.config import Settings
from guard.observing.events import Site
from guard.tracing.findings import findings_of, notebook_cells
from guard.tracing.gathering import Gathered, Seen

CALM = "model.generate(ids)  # cleanguard: ignore[CG301] its numbers are not used\n"
BARE = "model.generate(ids)\n"


def seen(filename: str, line: int = 1, count: int = 1) -> Gathered:
    site = Site(filename, line, 1, line, 20, "<module>", True)
    content = {"message": "by hand", "severity": "error"}
    return Gathered((Seen("CG301", site, (), count, content),), (), (), (), {})


def notebook(*cells: object) -> str:
    return json.dumps({"cells": [{"cell_type": "code", "source": one} for one in cells]})


def test_a_comment_in_the_file_suppresses(tmp_path: Path) -> None:
    path = tmp_path / "script.py"
    path.write_text(BARE + CALM)
    (found,) = findings_of(seen(str(path), 1, count=3), Settings(), tmp_path)
    assert (found.filename, found.location.row, found.message) == (
        "script.py",
        1,
        "by hand (seen 3 times)",
    )
    assert findings_of(seen(str(path), 2), Settings(), tmp_path) == ()


def test_a_comment_in_a_cell_suppresses_in_that_cell(tmp_path: Path) -> None:
    path = tmp_path / "work.ipynb"
    path.write_text(notebook(BARE, [CALM]))
    (found,) = findings_of(seen(f"{path}#cell1"), Settings(), tmp_path)
    assert (found.filename, found.location.cell) == ("work.ipynb", 1)
    assert findings_of(seen(f"{path}#cell2"), Settings(), tmp_path) == ()


def test_a_file_that_is_gone_and_one_elsewhere_keep_their_findings(tmp_path: Path) -> None:
    (gone,) = findings_of(seen(str(tmp_path / "gone.py")), Settings(), tmp_path)
    (other,) = findings_of(seen(str(tmp_path.parent / "other.py")), Settings(), tmp_path)
    assert (gone.filename, other.filename) == ("gone.py", str(tmp_path.parent / "other.py"))


def test_cells_are_numbered_among_all_cells() -> None:
    data = {"cells": [{"cell_type": "markdown", "source": "#"}, {"cell_type": "code", "source": ["a\n", "b"]}, {"cell_type": "code"}]}  # fmt: skip
    assert notebook_cells(json.dumps(data).encode()) == [(2, "a\nb"), (3, "")]
    for raw in (b"[]", b'{"cells": 1}', b"no"):
        with pytest.raises(ValueError, match=r"JSON|Expecting"):
            notebook_cells(raw)
