"""Help, wrong paths and unknown keys are told before anything heavy is imported; modules are counted, not seconds."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from cleanguard.cli.command_group import COMMANDS
from stages.registry import BY_NAME

HEAVY = ("torch", "transformers", "numpy", "scipy", "libcst", "datasets", "trl", "peft", "pygls", "matplotlib")  # fmt: skip
# What each command is asked for; it must fail with 2 (help with 0) and import none of those.
WRONG: dict[str, list[str]] = {
    "check": ["nofile.py", "--config bad.toml a.py", "--config 'selct=[]' a.py", "--nope a.py", "--select CG999 a.py"],
    "trace": ["nofile.py", "--config bad.toml a.py", "--nope a.py", ""],
    "migrate": ["nofile.py", "--config bad.toml a.py", "--nope a.py", "a.py --notice folder", "a.py --notice a.py/n.md", "--select CG999 a.py", "a.py --prove-args x"],
    "status": ["nofile.py", "--config bad.toml a.py", "--nope a.py"],
    "gate": ["nofile.py --no-model", "a.py --model ./nofolder", "a.py --model 'no model!'", "a.py --model a.py", "--config bad.toml a.py --model tiny", "a.py --model tiny --output folder", "a.py"],
    "verify": ["nofile.jsonl", "a.jsonl --key nokey.pem", "a.jsonl --allow nope", "--nope a.jsonl"],
    "sign": ["a.jsonl --key nokey.pem", "a.jsonl", "--nope"],
    "env": ["--output folder", "--output a.py/x.json", "--nope"],
    "baseline": ["nofile.py", "--config bad.toml a.py", "--nope"],
    "explain": ["CG999", "--nope"],
    "lsp": ["--nope"],
    "completion": ["nosh", "--nope"],
    "doctor": ["./nofolder", "'no model!'", "a.py", "--nope a", ""],
    "run": ["nostage", "--nope"],
    "lm-eval": ["--nope", "--model_args pretrained=./nofolder --tasks x", "run --model_args pretrained=a.py --tasks x", "--config lm.yaml", "--config nofile.yaml", "--tasks x", "--model_args pretraind=tiny --tasks x", "--model cleangaurd --tasks x"],
    "compare": ["nofolder", "nofolder other", "folder folder", "", "a.py a.jsonl --output folder", "--nope x y"],
    "demo": ["--nope", "--keep folder", "extra"],
}  # fmt: skip
OF_A_STAGE = [
    "--model.id ./nofolder",
    "--config nofile.toml",
    "--config nope.toml",
    "--preset nope",
    "--nope 1",
]
# These read what a stage before them wrote, and that is missed first.
UNUSABLE = {"generate", "evaluate", "audit", "equivalence", "chain"}
IN_ONE_PROCESS = """
import contextlib, io, json, shlex, sys
from cleanguard.cli import main
heavy, cases = json.loads(sys.argv[1])
told = {}
for line in cases:
    sys.argv = ["cleanguard", *shlex.split(line)]
    before = set(sys.modules)
    out = io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
        try:
            main()
            code = 0
        except SystemExit as error:
            code = error.code
    new = sorted({name.partition(".")[0] for name in set(sys.modules) - before} & set(heavy))
    told[line] = (code, new, out.getvalue())
    for name in [one for one in sys.modules if one.partition(".")[0] in new]:
        del sys.modules[name]
print(json.dumps(told))
"""


def told_by(folder: Path, cases: list[str]) -> dict[str, tuple[int, list[str], str]]:
    done = subprocess.run(
        [sys.executable, "-c", IN_ONE_PROCESS, json.dumps([HEAVY, cases])],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, tuple[int, list[str], str]] = json.loads(done.stdout)
    assert list(found) == cases
    return found


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "folder").mkdir()
    (tmp_path / "a.py").write_text("x = 1\n", encoding="utf-8")
    (tmp_path / "a.jsonl").write_text("{}\n", encoding="utf-8")
    (tmp_path / "bad.toml").write_text('[tool.cleanguard]\nselct = ["CG1"]\n', encoding="utf-8")
    (tmp_path / "nope.toml").write_text("nope = 1\n", encoding="utf-8")
    (tmp_path / "lm.yaml").write_text("tasks: [x]\nmodel_args: {pretrained: ./nofolder}\n")
    return tmp_path


def test_help_imports_nothing_heavy(folder: Path) -> None:
    for name in ("lm_eval", "click"):
        pytest.importorskip(name)
    cases = ["--help", "--version", *(f"{name} --help" for name in COMMANDS)]
    cases += [f"run {name} --help" for name in BY_NAME]
    cases += [f"run {name} --show-config" for name in BY_NAME]
    for line, (code, heavy, said) in told_by(folder, cases).items():
        assert (code, heavy) == (0, []), (line, heavy, said)


def test_what_cannot_be_done_is_told_before_anything_heavy_is_imported(folder: Path) -> None:
    pytest.importorskip("lm_eval")
    assert set(WRONG) == set(COMMANDS)
    cases = [f"{name} {rest}".strip() for name, lines in WRONG.items() for rest in lines]
    cases += [f"run {name} {rest}" for name in BY_NAME for rest in OF_A_STAGE]
    cases += [f"run {name} --out a.py" for name in sorted(UNUSABLE)]
    for line, (code, heavy, said) in told_by(folder, cases).items():
        assert (code, heavy) == (2, []), (line, heavy, said)
        assert "Traceback" not in said
        assert "internal error" not in said
        assert len(said.strip()) > 10
