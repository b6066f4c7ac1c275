"""Installed from the built wheel or sdist into an empty environment: commands work, and remedies are enough."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import venv
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from email.parser import Parser
from importlib import metadata
from importlib.util import find_spec
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


def test_the_sdist_makes_the_wheel_that_the_checkout_makes(
    built: dict[str, Path], tmp_path: Path
) -> None:
    with tarfile.open(built["sdist"]) as archive:
        archive.extractall(tmp_path, filter="data")
    (source,) = tmp_path.iterdir()
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(command, cwd=source, check=True, capture_output=True)
    (again,) = tmp_path.glob("*.whl")

    def content(wheel: Path) -> dict[str, int]:
        with zipfile.ZipFile(wheel) as archive:
            return {one.filename: one.CRC for one in archive.infolist()}

    assert content(again) == content(built["wheel"])


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
    env |= {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    # The torch that is here: on a machine without a GPU pip need not fetch CUDA's libraries for each.
    if find_spec("torch") is not None:
        constraint = folder / "torch.txt"
        constraint.write_text(f"torch=={metadata.version('torch').partition('+')[0]}\n")
        env["PIP_CONSTRAINT"] = str(constraint)

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


@dataclass(frozen=True)
class Remedy:
    """What is asked for without its extra, and what must work once the remedy is followed.

    Attributes:
        asked: The command whose remedy is followed.
        extras: What the remedy names.
        work: Command lines with the exit code that each then has.
        kinds: What it is installed from; the heavy ones from one of the two.
    """

    asked: str
    extras: str
    work: tuple[tuple[str, int], ...]
    kinds: tuple[str, ...] = ("wheel",)


_BOTH = ("wheel", "sdist")
KEY = """
from pathlib import Path
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
key = Ed25519PrivateKey.generate()
Path("private.pem").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
Path("public.pem").write_bytes(public)
"""
_AS_MODEL = (("cleanguard doctor tiny", 0), ("cleanguard trace a.py", 0), ("cleanguard gate a.py --model tiny", 0), ("cleanguard env", 0))  # fmt: skip
REMEDIES = (
    Remedy("lsp", "lsp", (("cleanguard lsp", 0),), _BOTH),
    Remedy(
        "sign a.jsonl --key k.pem",
        "sign",
        (
            ("python key.py", 0),
            ("cleanguard sign a.jsonl --key private.pem", 0),
            ("cleanguard verify a.jsonl --key public.pem", 1),  # signed, but no statement of ours
            ("python -c 'import model_signing.signing, model_signing.verifying'", 0),
        ),
        _BOTH,
    ),
    Remedy("compare one two", "stats", (("cleanguard compare one two", 2),), _BOTH),
    Remedy(
        "doctor tiny",
        "guard",
        (*_AS_MODEL, ("cleanguard run generate", 0), ("cleanguard verify runs/generate/dataset.jsonl", 0)),
    ),
    Remedy(
        "run audit --quick true",
        "guard,stats",
        (("cleanguard run audit --quick true", 0), ("cleanguard run equivalence", 0)),
    ),
    Remedy("demo", "train", (*_AS_MODEL, ("cleanguard demo", 0))),
    Remedy(
        "run evaluate",
        "train,stats",
        (
            ("cleanguard run evaluate --out one", 0),
            ("cleanguard run evaluate --out two", 0),
            ("cleanguard compare one two", 0),
        ),
        ("sdist",),
    ),
    Remedy(
        "lm-eval --tasks one --include_path tasks",
        "harness",
        (
            ("cleanguard lm-eval --help", 0),
            ("python -c 'import stages.harnesses.lm_eval_command, stages.harnesses.inspect_registry'", 0),
        ),
    ),
    Remedy(
        "run chain",
        "all",
        (
            ("cleanguard run chain", 0),
            ("cleanguard run differentiate --adapters sft=runs/chain/sft/adapter", 0),
            ("cleanguard lm-eval --help", 0),
            ("cleanguard lsp", 0),
        ),
        ("sdist",),
    ),
)  # fmt: skip


def test_a_remedy_of_each_extra_is_followed(requirements: dict[str, set[str]]) -> None:
    followed = {extra for remedy in REMEDIES for extra in remedy.extras.split(",")}
    # vLLM pins a torch of its own; `docs` and `dev` are for who works on the project.
    assert followed == set(requirements) - {"", "docs", "dev", "vllm"}
    assert {stage.extra for stage in STAGES} <= {
        "guard", "train", *(remedy.extras for remedy in REMEDIES)
    }  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize(
    ("remedy", "kind"),
    [
        pytest.param(remedy, kind, id=f"{remedy.extras}-{kind}")
        for remedy in REMEDIES
        for kind in remedy.kinds
    ],
)
def test_a_remedy_that_is_printed_is_enough(
    remedy: Remedy, kind: str, built: dict[str, Path], tmp_path: Path
) -> None:
    folder = tmp_path / "env"
    run = environment(folder, built[kind])
    (folder / "a.py").write_text("x = 1\n", encoding="utf-8")
    (folder / "a.jsonl").write_text("{}\n", encoding="utf-8")
    (folder / "a.jsonl.intoto.json").write_text("{}\n", encoding="utf-8")
    (folder / "k.pem").write_text("no key\n", encoding="utf-8")
    (folder / "key.py").write_text(KEY, encoding="utf-8")
    before = run(f"cleanguard {remedy.asked}")
    assert before.returncode == 2
    printed = re.search(r"pip install .*$", before.stderr, re.MULTILINE)
    assert printed is not None, before.stderr
    assert printed[0] == f'pip install "{built[kind]}[{remedy.extras}]"'
    installed = run(printed[0])
    assert installed.returncode == 0, installed.stderr
    for line, code in remedy.work:
        done = run(line)
        said = done.stdout + done.stderr
        assert done.returncode == code, (line, said[-3000:])
        # bitsandbytes asks for kernels of its own wherever an adapter is attached on a CPU.
        asked = [one for one in said.splitlines() if "pip install" in one]
        assert not [one for one in asked if "pip install kernels" not in one], (line, asked)
        assert "Traceback" not in said, line
        assert "internal error" not in said, line
    shutil.rmtree(folder)  # gigabytes, which pytest would keep three times
