"""Installed from the built wheel or sdist into an empty environment: commands work, and remedies are enough."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import venv
import zipfile
from collections.abc import Callable
from email.parser import Parser
from pathlib import Path

import pytest

from cleanguard import installing
from cleanguard.version import VERSION
from stages.registry import STAGES

pytest.importorskip("hatchling", reason="hatchling comes with the dev extra")

ROOT = Path(__file__).resolve().parents[1]
Command = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    into = tmp_path_factory.mktemp("built")
    command = [
        sys.executable,
        "-m",
        "hatchling",
        "build",
        "-t",
        "wheel",
        "-t",
        "sdist",
        "-d",
        str(into),
    ]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    return {"wheel": next(into.glob("*.whl")), "sdist": next(into.glob("*.tar.gz"))}


@pytest.fixture(scope="module")
def requirements(built: dict[str, Path]) -> dict[str, set[str]]:
    """The names of what each extra installs, those of the extras in it among them."""
    with zipfile.ZipFile(built["wheel"]) as archive:
        text = archive.read(f"cleanguard-{VERSION}.dist-info/METADATA").decode()
    lines = Parser().parsestr(text).get_all("Requires-Dist") or []
    found: dict[str, set[str]] = {"": set()}
    for line in lines:
        extra = re.search(r"extra == ['\"](\w+)['\"]", line)
        name = re.match(r"[\w.-]+(\[[\w,]+\])?", line)
        assert name is not None
        found.setdefault(extra[1] if extra else "", set()).add(name[0].lower())
    return found


def closure(extras: str, requirements: dict[str, set[str]]) -> set[str]:
    names: set[str] = set()
    for extra in extras.split(","):
        for name in requirements[extra]:
            inner = re.fullmatch(r"cleanguard\[(.*)\]", name)
            names |= closure(inner[1], requirements) if inner else {name}
    return names


@pytest.mark.parametrize("stage", STAGES, ids=lambda stage: stage.name)
def test_the_extras_of_a_stage_hold_all_that_it_needs(
    stage: object, requirements: dict[str, set[str]]
) -> None:
    assert set(stage.needs) <= closure(stage.extra, requirements)  # type: ignore[attr-defined]


def test_where_it_came_from_is_what_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    wheel = tmp_path / "a b" / "cleanguard-0.1.0-py3-none-any.whl"
    wheel.parent.mkdir()
    wheel.touch()

    class Distribution:
        said: str | None = None

        def read_text(self, name: str) -> str | None:
            return self.said if name == "direct_url.json" else None

    distribution = Distribution()
    monkeypatch.setattr(installing.metadata, "distribution", lambda _: distribution)

    def told(document: object) -> str:
        distribution.said = None if document is None else json.dumps(document)
        installing._source.cache_clear()
        return installing.install("guard", "stats")

    try:
        archive = {"url": wheel.as_uri(), "archive_info": {}}
        assert told(archive) == f'pip install "{wheel}[guard,stats]"'
        checkout = {"url": tmp_path.as_uri(), "dir_info": {"editable": True}}
        assert told(checkout) == f'pip install -e "{tmp_path}[guard,stats]"'
        commit = {"url": "https://host.example/x", "vcs_info": {"vcs": "git", "commit_id": "1f"}}
        assert (
            told(commit) == 'pip install "cleanguard[guard,stats] @ git+https://host.example/x@1f"'
        )
        # From an index, where nothing is written down, and not beside a pyproject.toml.
        monkeypatch.setattr(installing, "_HOME", tmp_path)
        assert told(None) == 'pip install "cleanguard[guard,stats]"'
        assert "-c " not in told(archive)
    finally:
        installing._source.cache_clear()


def environment(folder: Path, package: Path) -> Command:
    """An empty environment with the package alone in it; gives what runs a command line there."""
    venv.create(folder, with_pip=True)
    env = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    env["PATH"] = f"{folder / 'bin'}{os.pathsep}{env['PATH']}"

    def run(line: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            line, shell=True, cwd=folder, env=env, capture_output=True, text=True, check=False,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip

    installed = run(f"pip install -q '{package}'")
    assert installed.returncode == 0, installed.stderr
    return run


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["wheel", "sdist"])
def test_without_extras_the_light_commands_work(
    kind: str, built: dict[str, Path], tmp_path: Path
) -> None:
    run = environment(tmp_path / "env", built[kind])
    (tmp_path / "env" / "a.py").write_text("x = 1\n", encoding="utf-8")
    assert run("cleanguard --version").stdout.strip().endswith(VERSION)
    for line in (
        "check a.py",
        "migrate a.py",
        "status a.py",
        "gate a.py --no-model",
        "baseline a.py",
        "explain CG101",
        "env",
        "completion bash",
        "run sft --help",
        "run evaluate --show-config",
    ):
        done = run(f"cleanguard {line}")
        assert done.returncode == 0, (line, done.stderr)
    assert "torch" not in run("pip list").stdout
    assert run("cleanguard verify nothing.jsonl").returncode == 2
    for line in (
        "doctor Qwen/Qwen2.5-7B",
        "trace a.py",
        "demo",
        "lsp",
        "run sft --data a.py",
        "run evaluate",
        "run chain",
    ):
        done = run(f"cleanguard {line}")
        assert done.returncode == 2, line
        assert f"{built[kind]}[" in done.stderr, (line, done.stderr)
        assert "Traceback" not in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    ("line", "extra", "gone"),
    [
        pytest.param("lsp", "lsp", "needs pygls", id="lsp"),
        pytest.param("sign a.jsonl --key k.pem", "sign", "not installed", id="sign"),
        pytest.param("doctor /nowhere/at/all --revision x", "guard", "not installed", id="guard"),
        pytest.param(
            "run audit --quick true --model.id tiny --out runs", "guard,stats", "needs", id="audit"
        ),
    ],
)
def test_a_remedy_that_is_printed_is_enough(
    line: str, extra: str, gone: str, built: dict[str, Path], tmp_path: Path
) -> None:
    run = environment(tmp_path / "env", built["wheel"])
    folder = tmp_path / "env"
    (folder / "a.jsonl").write_text("{}\n", encoding="utf-8")
    (folder / "a.jsonl.intoto.json").write_text("{}\n", encoding="utf-8")
    (folder / "k.pem").write_text("no key\n", encoding="utf-8")
    if extra == "guard":
        line = "doctor Qwen/Qwen2.5-7B --offline"
    before = run(f"cleanguard {line}")
    assert gone in before.stderr
    remedy = re.search(r"pip install .*$", before.stderr, re.MULTILINE)
    assert remedy is not None
    assert remedy[0] == f'pip install "{built["wheel"]}[{extra}]"'
    installed = run(remedy[0])
    assert installed.returncode == 0, installed.stderr
    after = run(f"cleanguard {line}")
    assert gone not in after.stderr
    assert "pip install" not in after.stderr
    assert "internal error" not in after.stderr
