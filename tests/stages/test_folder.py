"""A run's folder: one run at a time, one configuration."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from cleanguard.errors import JobError
from stages.config import option
from stages.folder import run_folder, write_json, write_text


@dataclass(frozen=True)
class Config:
    steps: int = option(1, "How many.")
    out: Path = option(Path("runs/x"), "Where.")


def test_two_runs_in_one_folder_are_refused(tmp_path: Path) -> None:
    with run_folder(tmp_path / "r", "x", Config()) as folder:
        script = (
            "from pathlib import Path; from cleanguard.errors import JobError\n"
            "from tests_config import Config; from stages.folder import run_folder\n"
            f"try:\n    run_folder(Path({str(folder)!r}), 'x', Config()).__enter__()\n"
            "except JobError as error:\n    print(error)\n"
        )
        (tmp_path / "tests_config.py").write_text(
            "from dataclasses import dataclass\n@dataclass\nclass Config:\n    steps: int = 1\n"
        )
        done = subprocess.run(
            [sys.executable, "-c", script],
            cwd=tmp_path, capture_output=True, text=True, check=True,
        )  # fmt: skip
        assert "another run (process " in done.stdout
    with run_folder(tmp_path / "r", "x", Config()):
        pass


def test_a_folder_keeps_its_configuration(tmp_path: Path) -> None:
    with run_folder(tmp_path, "x", Config()):
        assert (tmp_path / "config.toml").read_text() == (
            '# How many.\nsteps = 1\n# Where.\nout = "runs/x"\n'
        )
    with run_folder(tmp_path, "x", Config(3)):
        pass  # a run that was refused at once left nothing to mix with
    with run_folder(tmp_path, "x", Config()):
        (tmp_path / "results").write_text("")
    with run_folder(tmp_path, "x", Config(out=Path("elsewhere"))):
        pass  # the folder has moved, or is named from another place
    with (
        pytest.raises(JobError, match=r"another configuration \(steps\)"),
        run_folder(tmp_path, "x", Config(2)),
    ):
        pass
    with pytest.raises(JobError, match="a run of x lies here"), run_folder(tmp_path, "y", Config()):
        pass
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(JobError, match="damaged"), run_folder(tmp_path, "x", Config()):
        pass


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(JobError, match="cannot be used"),
        run_folder(tmp_path / "file" / "r", "x", Config()),
    ):
        pass


@pytest.mark.parametrize("number", [errno.EACCES, errno.EROFS])
def test_what_may_not_be_written_is_no_internal_error(number: int, tmp_path: Path) -> None:
    file = tmp_path / "run" / "report.json"
    with (
        pytest.raises(JobError, match=r"report\.json: .*; make it readable and .*run writable"),
        run_folder(tmp_path / "run", "generate", Config()),
    ):
        raise OSError(number, os.strerror(number), str(file))


@dataclass(frozen=True)
class Named:
    model: str = option("x", "Which.")


def test_a_secret_in_a_path_is_in_no_file_of_the_folder(tmp_path: Path) -> None:
    secret = "hf" + "_" + "aBcDeFgHiJ" * 3
    for _ in range(2):  # what was hidden is no other configuration
        with run_folder(tmp_path, "x", Named(f"models/{secret}/m")):
            (tmp_path / "results").write_text("")
    kept = "".join((tmp_path / name).read_text() for name in ("config.json", "config.toml"))
    assert secret not in kept
    assert "models/[redacted]/m" in kept


def test_a_lone_surrogate_is_spelt_out(tmp_path: Path) -> None:
    write_text(tmp_path / "a.md", "a\ud800b")
    write_json(tmp_path / "a.json", {"\ud800": "\u202e\x1b"})
    assert (tmp_path / "a.md").read_text() == "a\\ud800b"
    assert json.loads((tmp_path / "a.json").read_text()) == {"\ud800": "\u202e\x1b"}
