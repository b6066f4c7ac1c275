"""`cleanguard trace`: the script runs as it would, and its report stays out of its way."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cleanguard.cli.tracing.target import split, target_of
from cleanguard.errors import JobError
from cleanguard.installing import install
from tests.cleanguard.cli.conftest import Run

Trace = Callable[..., "subprocess.CompletedProcess[str]"]
WITH_VALUES = frozenset({"--select", "--output-format", "--save"})
MODEL = """
import sys, torch
from transformers import AutoModelForCausalLM, AutoTokenizer
from stages.tiny import model_path

tok = AutoTokenizer.from_pretrained(model_path())
model = AutoModelForCausalLM.from_pretrained(model_path(), dtype=torch.float32)

def ask(text):
    batch = tok(text, return_tensors="pt")
    return tok.decode(model.generate(**batch, max_new_tokens=3, do_sample=False)[0])

print(ask("The capital of France is"))
"""


@pytest.fixture
def trace(tmp_path: Path) -> Trace:
    """Runs `cleanguard trace ARGS` in an empty folder."""

    def run(*args: str, **options: Any) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", "from cleanguard.cli import main; main()", "trace", *args]
        return subprocess.run(
            command,
            cwd=tmp_path,
            env=env(**options.pop("env", {})),
            capture_output=True,
            text=True,
            timeout=300,
            **options,
        )

    return run


def env(**more: str) -> dict[str, str]:
    home = str(Path(__file__).parents[3])
    quiet = {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1", "PYTHONPATH": home}
    return {**os.environ, **quiet, "HF_HUB_DISABLE_PROGRESS_BARS": "1", **more}


def write(folder: Path, text: str, name: str = "script.py") -> Path:
    path = folder / name
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    ("args", "own", "script"),
    [
        (["s.py"], [], ["s.py"]),
        (["s.py", "--select", "CG1", "-m"], [], ["s.py", "--select", "CG1", "-m"]),
        (["--select", "CG1", "s.py", "x"], ["--select", "CG1"], ["s.py", "x"]),
        (["--select=CG1", "s.py"], ["--select=CG1"], ["s.py"]),
        (["--json", "-m", "mod", "--json"], ["--json"], ["-m", "mod", "--json"]),
        (["-c", "print()", "-c"], [], ["-c", "print()", "-c"]),
        (["-mmod", "a"], [], ["-m", "mod", "a"]),
        (["--json", "--", "-odd.py", "--json"], ["--json"], ["-odd.py", "--json"]),
        (["--save", "-m"], ["--save", "-m"], []),
        ([], [], []),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_everything_from_the_script_on_is_its_own(
    args: list[str], own: list[str], script: list[str]
) -> None:
    assert split(args, WITH_VALUES) == (own, script)


def test_the_script_is_what_it_is_without_a_trace(trace: Trace, tmp_path: Path) -> None:
    text = (
        "import sys, os\n"
        "print(__name__, __file__, sys.argv, sys.path[0] == os.getcwd(), sys.stdin.read())\n"
        "print('err', file=sys.stderr)\n"
        "print({'torch', 'transformers'} & set(sys.modules))\n"
        "print([p for p in sys.path if 'at_start' in p])\n"
    )
    write(tmp_path, text)
    plain = subprocess.run(
        [sys.executable, "script.py", "--json", "x"],
        cwd=tmp_path,
        env=env(),
        input="in",
        capture_output=True,
        text=True,
    )
    done = trace("script.py", "--json", "x", input="in")
    assert done.stdout == plain.stdout
    assert done.returncode == plain.returncode == 0
    assert done.stderr.startswith("err\n")
    assert "used no model and no tokenizer" in done.stderr


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("raise SystemExit(3)", 3),
        ("import sys; sys.exit('why')", 1),
        ("raise ValueError('own')", 1),
        ("import os; os._exit(7)", 7),
        ("import os; os.kill(os.getpid(), 9)", 128 + 9),
        ("raise KeyboardInterrupt", 128 + 2),
        ("pass", 0),
    ],
    ids=["exit", "exit with words", "crash", "_exit", "killed", "Ctrl-C", "end"],
)
def test_the_scripts_own_code_comes_first(
    trace: Trace, tmp_path: Path, text: str, code: int
) -> None:
    write(tmp_path, text)
    done = trace("script.py")
    assert done.returncode == code
    assert "cleanguard: the script used no model" in done.stderr


def test_a_module_that_an_extra_brings_comes_with_the_remedy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "path", [])
    with pytest.raises(JobError, match=r"no module 'lm_eval' to run: pip install .*\[harness\]"):
        target_of(["-m", "lm_eval", "--tasks", "arc_easy"], Path())
    with pytest.raises(
        JobError, match=r"no module 'accelerate.commands.launch' to run: .*\[train\]"
    ):
        target_of(["-m", "accelerate.commands.launch"], Path())


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["missing.py"], "missing.py: there is no such script"),
        (["broken.py"], "broken.py:2: syntax error"),
        (["."], ". is a folder; name a script in it"),
        (["-m", "no_such_module"], "no module 'no_such_module'"),
        (["-m"], "-m needs a module"),
        (["-c", "1 +"], "the code:1: syntax error"),
        (["-"], "standard input cannot be traced"),
        ([], "name a script to run"),
        (["--save", "no/folder/trace.json", "good.py"], "no folder no/folder"),
        (["--select", "CG999", "good.py"], "'CG999' is not a hazard"),
        (["--select", "CG502", "good.py"], "a trace sees none of CG502"),
        (["--baseline", "none.json", "good.py"], "cannot read the baseline"),
        (["--outputformat", "json", "good.py"], "No such option"),
        (["empty.ipynb"], "there is no Python cell"),
        (["bad.ipynb"], "bad.ipynb: the notebook is not JSON"),
        (["hidden/good.py"], "CG603"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_what_cannot_be_run_is_said_in_a_sentence(
    trace: Trace, tmp_path: Path, args: list[str], said: str
) -> None:
    write(tmp_path, "print('ran')\n", "good.py")
    write(tmp_path, "print('ran')\ndef f(:\n", "broken.py")
    write(tmp_path, '{"cells": [], "metadata": {}}', "empty.ipynb")
    write(tmp_path, "{", "bad.ipynb")
    (tmp_path / "hidden").mkdir()
    write(tmp_path / "hidden", "print('ran')", "good.py")
    write(tmp_path / "hidden", "", "guard.py")
    done = trace(*args)
    assert done.returncode == 2
    assert said in done.stderr
    assert done.stdout == "", "nothing was run"
    assert "Traceback" not in done.stderr


def test_a_missing_extra_is_named_before_anything_runs(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from cleanguard.cli.commands import trace as command

    monkeypatch.chdir(tmp_path)
    write(tmp_path, "open('ran', 'w')\n")
    monkeypatch.setattr(command, "find_spec", lambda name: None)
    done = run("trace", "script.py")
    assert (done.code, done.out) == (2, "")
    assert install("guard") in done.err
    assert not (tmp_path / "ran").exists()


def test_the_persons_own_sitecustomize_still_runs(trace: Trace, tmp_path: Path) -> None:
    (tmp_path / "site").mkdir()
    write(tmp_path / "site", "import builtins\nbuiltins.of_the_person = 1\n", "sitecustomize.py")
    write(tmp_path, "print(of_the_person)\n")
    paths = os.pathsep.join([str(tmp_path / "site"), str(Path(__file__).parents[3])])
    done = trace("script.py", env={"PYTHONPATH": paths})
    assert done.stdout == "1\n"
    assert "used no model" in done.stderr


def test_findings_are_at_the_persons_line_and_leave_with_one(trace: Trace, tmp_path: Path) -> None:
    write(tmp_path, MODEL)
    done = trace("--output-format", "concise", "--save", "trace.json", "script.py")
    assert done.returncode == 1
    assert done.stdout.startswith("The capital of France is")
    assert done.stdout.count("\n") == 1
    assert "script.py:11:23: CG301" in done.stderr
    saved = json.loads((tmp_path / "trace.json").read_text())
    assert (saved["script_exit"], saved["exit"]) == (0, 1)
    assert saved["command"] == ["script.py"]
    assert {finding["code"] for finding in saved["findings"]} == {"CG101", "CG102", "CG301"}
    generate = next(one for one in saved["findings"] if one["code"] == "CG301")
    assert generate["evidence"]["settings"]["max_new_tokens"] == 3
    assert generate["evidence"]["origins"]["do_sample"] == "call"
    (model,) = saved["provenance"]["models"]
    weights = next(file for file in model["files"] if file["name"] == "model.safetensors")
    assert len(weights["sha256"]) == 64
    assert saved["provenance"]["session"]["versions"]["transformers"]
    assert [load["loaded"]["dtype"] for load in saved["events"] if load.get("what") == "model"] == [
        "torch.float32"
    ]


@pytest.mark.slow
def test_suppressions_baseline_and_selection_are_those_of_check(
    trace: Trace, tmp_path: Path
) -> None:
    text = MODEL.replace(
        "do_sample=False)[0])", "do_sample=False)[0])  # cleanguard: ignore[CG301] on purpose"
    )
    write(tmp_path, text)
    write(tmp_path, '[tool.cleanguard]\nignore = ["CG102"]\n', "pyproject.toml")
    done = trace("--output-format", "json", "script.py")
    found = json.loads(done.stderr[done.stderr.index("[\n") :])
    assert [finding["code"] for finding in found] == ["CG101"]
    assert done.returncode == 1
    assert trace("--ignore", "CG101", "--output-file", "report.txt", "script.py").returncode == 0
    assert "No hazards found in 1 file" in (tmp_path / "report.txt").read_text()


@pytest.mark.slow
def test_children_threads_and_a_killed_child_are_told(trace: Trace, tmp_path: Path) -> None:
    write(tmp_path, MODEL + "import os\nos.kill(os.getpid(), 9)\n", "child.py")
    write(
        tmp_path,
        "import multiprocessing, subprocess, sys, threading\n"
        "def load(_=None):\n"
        "    from transformers import AutoTokenizer\n"
        "    from stages.tiny import model_path\n"
        "    AutoTokenizer.from_pretrained(model_path())('text')\n"
        "if __name__ == '__main__':\n"
        "    child = subprocess.run([sys.executable, 'child.py'], env={**__import__('os').environ})\n"
        "    unseen = subprocess.run([sys.executable, '-I', '-c', ''])\n"
        "    thread = threading.Thread(target=load); thread.start(); thread.join()\n"
        "    forked = multiprocessing.get_context('fork').Process(target=load)\n"
        "    forked.start(); forked.join()\n"
        "    print(child.returncode, forked.exitcode)\n",
    )
    done = trace("--output-format", "concise", "--save", "trace.json", "script.py")
    assert done.stdout.endswith("-9 0\n")
    assert "child.py:11:23: CG301" in done.stderr
    assert "was cut off; its counts are the least" in done.stderr
    assert "-I -c ) was not watched" in done.stderr
    saved = json.loads((tmp_path / "trace.json").read_text())
    place = next(
        one
        for one in saved["reached"]
        if one["what"] == "encode" and one["filename"] == "script.py"
    )
    assert place["count"] == 2, "the thread and the forked process"


def test_what_was_seen_before_a_crash_is_reported(trace: Trace, tmp_path: Path) -> None:
    write(tmp_path, MODEL + "raise RuntimeError('own fault')\n")
    done = trace("--output-format", "concise", "script.py")
    assert done.returncode == 1
    assert "RuntimeError: own fault" in done.stderr
    assert "script.py:11:23: CG301" in done.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_go_to_the_script(tmp_path: Path, number: int) -> None:
    write(
        tmp_path,
        "import time\n"
        "try:\n    print('ready', flush=True)\n    time.sleep(60)\nexcept KeyboardInterrupt:\n    print('stopped')\n    raise\n",
    )
    # A shell that starts the tests in the background hands down that SIGINT is ignored.
    heard = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
    process = subprocess.Popen(
        [
            sys.executable,
            "-c",
            f"{heard}from cleanguard.cli import main; main()",
            "trace",
            "script.py",
        ],
        cwd=tmp_path,
        env=env(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    begun = time.monotonic()
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert time.monotonic() - begun < 50
    assert process.returncode == 128 + number
    assert ("stopped" in out) == (number == signal.SIGINT)
    assert "the script used no model" in err


@pytest.mark.slow
def test_a_module_code_and_a_notebook(trace: Trace, tmp_path: Path) -> None:
    write(tmp_path, "import sys\nprint(__name__, sys.argv[1:])\n", "mod.py")
    assert trace("-m", "mod", "--json").stdout == "__main__ ['--json']\n"
    assert trace("-c", "import sys; print(sys.argv)", "x").stdout == "['-c', 'x']\n"
    cells = [
        {"cell_type": "markdown", "source": "# Title", "metadata": {}},
        {
            "cell_type": "code",
            "source": ["%matplotlib inline\n", "x = 1"],
            "metadata": {},
            "outputs": [],
            "execution_count": None,
        },
        {
            "cell_type": "code",
            "source": MODEL,
            "metadata": {},
            "outputs": [],
            "execution_count": None,
        },
        {
            "cell_type": "code",
            "source": "print(x, __name__)",
            "metadata": {},
            "outputs": [],
            "execution_count": None,
        },
    ]
    notebook = {"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    path = write(tmp_path, json.dumps(notebook), "book.ipynb")
    before = path.read_bytes()
    done = trace("--output-format", "concise", "book.ipynb")
    assert done.stdout.endswith("1 __main__\n")
    assert "book.ipynb:cell 3:11:23: CG301" in done.stderr
    assert done.returncode == 1
    assert path.read_bytes() == before
