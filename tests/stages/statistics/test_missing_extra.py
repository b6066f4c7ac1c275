"""Without scipy one sentence names the extra."""

from __future__ import annotations

import subprocess
import sys

from cleanguard.installing import install


def test_missing_scipy_names_the_extra() -> None:
    code = "import sys; sys.modules['scipy'] = None; import stages.statistics.mcnemar"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    last = done.stderr.strip().splitlines()
    assert "scipy" in last[-2]
    assert "is not installed" in last[-2]
    assert install("stats") in last[-1]


def test_statistics_load_neither_torch_nor_plots() -> None:
    code = (
        "import sys, stages.comparing.comparison; "
        "sys.exit(bool({'torch', 'transformers', 'matplotlib', 'jinja2'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
