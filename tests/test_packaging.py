"""What travels in the wheel, and that it works where it lands."""

from __future__ import annotations

import os
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

from cleanguard.version import VERSION

pytest.importorskip("hatchling", reason="hatchling comes with the dev extra")

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("cleanguard", "guard", "lint_rules", "codemods", "stages")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel of this tree, built without the network."""
    into = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(into)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (built,) = into.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def members(wheel: Path) -> frozenset[str]:
    with zipfile.ZipFile(wheel) as archive:
        return frozenset(archive.namelist())


def test_name_and_version(wheel: Path) -> None:
    assert wheel.name == f"cleanguard-{VERSION}-py3-none-any.whl"


@pytest.mark.parametrize("package", PACKAGES)
def test_every_package_is_in_and_typed(members: frozenset[str], package: str) -> None:
    assert {f"{package}/__init__.py", f"{package}/py.typed"} <= members


def test_every_source_file_is_in_and_nothing_else(members: frozenset[str]) -> None:
    tracked = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", *PACKAGES],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if tracked.returncode:
        pytest.skip("not a git checkout")
    present = {name for name in tracked.stdout.splitlines() if (ROOT / name).is_file()}
    carried = {name for name in members if ".dist-info/" not in name}
    assert carried == present


def test_the_demo_works_from_the_wheel(members: frozenset[str]) -> None:
    model = {
        "config.json",
        "model.safetensors",
        "tokenizer.json",
        "tokenizer_config.json",
        "chat_template.jinja",
    }
    assert {f"stages/tiny/model/{name}" for name in model} <= members
    assert [
        name for name in members if name.startswith("cleanguard/legacy/") and name.endswith(".py")
    ]


def test_the_license_and_the_command_are_in(wheel: Path) -> None:
    info = f"cleanguard-{VERSION}.dist-info"
    with zipfile.ZipFile(wheel) as archive:
        assert "Apache License" in archive.read(f"{info}/licenses/LICENSE").decode()
        assert (
            "cleanguard = cleanguard.cli:main" in archive.read(f"{info}/entry_points.txt").decode()
        )


def test_the_base_installation_names_no_heavy_package(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        metadata = archive.read(f"cleanguard-{VERSION}.dist-info/METADATA").decode()
    base = [
        line.split()[1].split(">")[0].rstrip(";")
        for line in metadata.splitlines()
        if line.startswith("Requires-Dist:") and "extra ==" not in line
    ]
    assert sorted(base) == ["click", "libcst", "pathspec", "rich", "tomli"]


@pytest.mark.slow
def test_an_installed_wheel_checks_and_explains(wheel: Path, tmp_path: Path) -> None:
    venv.create(tmp_path / "env", with_pip=True)
    python = tmp_path / "env" / "bin" / "python"
    env = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    install = [
        python,
        "-m",
        "pip",
        "install",
        "-q",
        "-c",
        str(ROOT / "constraints.txt"),
        str(wheel),
    ]
    subprocess.run(install, check=True, env=env)
    (tmp_path / "a.py").write_text(
        "from transformers import AutoModelForCausalLM as M\nm = M.from_pretrained('gpt2')\n",
        encoding="utf-8",
    )

    def cleanguard(*args: str) -> subprocess.CompletedProcess[str]:
        command = [tmp_path / "env" / "bin" / "cleanguard", *args]
        return subprocess.run(
            command, cwd=tmp_path, env=env, capture_output=True, text=True, check=False
        )

    checked = cleanguard("check", "a.py", "--output-format", "concise")
    assert checked.returncode == 1
    assert checked.stdout.startswith("a.py:2:5: CG101 ")
    assert cleanguard("explain", "raw-model-load").returncode == 0
    listed = subprocess.run(
        [python, "-m", "pip", "list"], env=env, capture_output=True, text=True, check=True
    )
    assert "torch" not in listed.stdout
