"""A library that is there in another release than is needed is not said to be missing."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

_ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("", "huggingface_hub is another release than is needed: "),
        (
            "raise ModuleNotFoundError('gone', name='huggingface_hub')",
            "huggingface_hub is not installed",
        ),
        ("import no_such_part_of_it", "no_such_part_of_it is not installed"),
    ],
)
def test_the_hub(tmp_path: Path, written: str, said: str) -> None:
    (tmp_path / "huggingface_hub").mkdir()
    (tmp_path / "huggingface_hub" / "__init__.py").write_text(written)
    code = "from guard import CleanModelLoader\nCleanModelLoader.load_watched('m')\n"
    path = os.pathsep.join((str(tmp_path), str(_ROOT)))
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"PYTHONPATH": path},
        capture_output=True,
        encoding="utf-8",
    )
    assert done.returncode == 1
    assert said in done.stderr.splitlines()[-2] + done.stderr.splitlines()[-1]
    assert "[guard]" in done.stderr  # the remedy
