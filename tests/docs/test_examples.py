"""Every code block of the README and of docs/ is run, here or by the test that is named for it.

What needs a hub, a GPU or a 32B model is run on the embedded model instead: only the model's name is exchanged.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

os.environ.setdefault("HF_HUB_OFFLINE", "1")

from cleanguard.settings.config import Settings
from guard import CleanModelLoader, JsonlWriter, best_of
from lint_rules._engine.checking import check_source
from stages.tiny import model_path

ROOT = Path(__file__).resolve().parents[2]
PAGES = {path.name: path for path in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]}
MODEL = re.compile(r"(?:Qwen|meta-llama|mistralai)/[\w.\-]*\w")
HERE = "here"
GPU = (
    "needs a GPU or a model of that size; its options are held against the command in test_site.py"
)
# Who runs the blocks of a page, by language.
RUN_BY: dict[str, dict[str, str]] = {
    "README.md": {
        "diff": "tests/test_readme.py::test_the_diff_is_what_migrate_makes",
        "text": HERE,
        "python": HERE,
        "console": HERE,
    },
    "border.md": {"python": HERE},
    "checking.md": {
        "console": "tests/test_readme.py::test_the_shown_finding_is_what_check_says",
        "python": HERE,
        "toml": "tests/test_readme.py::test_the_shown_configuration_is_accepted",
    },
    "editors-and-ci.md": {
        "lua": "an editor's; tests/cleanguard/cli/test_lsp.py speaks to the server that it starts",
        "toml": "an editor's; as above",
        "json": "an editor's; as above",
        "elisp": "an editor's; as above",
        "yaml": "tests/test_ci_snippets.py::test_the_yaml_is_what_runners_read",
    },
    "finetuning.md": {
        "python": "tests/docs/test_finetuning.py::test_the_adapter_is_judged_beside_its_base"
    },
    "first-steps.md": {
        "sh": HERE,
        'sh title="checkout"': "tests/test_readme.py::test_without_make_is_what_make_does",
        "console": "tests/docs/test_site.py::test_what_check_prints_is_what_the_page_shows",
        "python": HERE,
    },
    "formats.md": {
        'jsonl title="suite"': "tests/docs/test_site.py::test_the_examples_of_formats_are_read",
        'jsonl title="source"': "tests/docs/test_site.py::test_the_examples_of_formats_are_read",
        'json title="finding"': "tests/docs/test_site.py::test_the_finding_that_is_shown_is_one",
    },
    "gpu-session.md": {"console": HERE, "make": HERE},
    "harnesses.md": {
        "console": "tests/stages/harnesses/test_lm_eval.py::test_the_command_writes_what_verify_understands",
        "python": "tests/stages/harnesses/test_lm_eval.py::test_results_say_what_they_were_made_with",
    },
    "index.md": {"python": HERE},
    "migration.md": {"console": HERE},
    "performance-check.md": {"console": "a benchmark of minutes; tests/test_benchmarks.py imports it"},
    "performance.md": {"console": GPU},
    "pipeline.md": {"sh": HERE},
    "scaling.md": {"console": GPU},
    "scoring.md": {"python": HERE},
    "suites.md": dict.fromkeys(
        (
            'jsonl title="suite of answers"', 'python title="my_scorers.py"',
            'jsonl title="suite of choices"', 'jsonl title="suite of texts"',
            'jsonl title="for generate"', 'jsonl title="for preferences"', 'jsonl title="negatives"',
        ),
        "tests/docs/test_suites.py",
    ),
    "trace.md": {"console": HERE, "python": HERE},
}  # fmt: skip
SHIM = "#!{python}\nfrom cleanguard.cli import main\nmain()\n"
HELD = """
import argparse
parser = argparse.ArgumentParser()
for name in ("--limit", "--sft-adapter"):
    parser.add_argument(name)
parser.parse_args()
print("ran")
"""
LOADS = """
import argparse
from transformers import AutoModelForCausalLM, AutoTokenizer
parser = argparse.ArgumentParser()
parser.add_argument("--limit", type=int, default=2)
parser.parse_args()
tokenizer = AutoTokenizer.from_pretrained("{model}")
model = AutoModelForCausalLM.from_pretrained("{model}")
inputs = tokenizer("The capital of France is", return_tensors="pt", add_special_tokens=False)
outputs = model.generate(**inputs, max_new_tokens=4, do_sample=False)
print(tokenizer.decode(outputs[0][inputs.input_ids.shape[1] :], skip_special_tokens=True))
"""


def blocks(page: str, language: str) -> list[str]:
    text = PAGES[page].read_text(encoding="utf-8")
    return re.findall(rf"^```{re.escape(language)}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def test_every_block_has_who_runs_it() -> None:
    for name, path in PAGES.items():
        found = set(re.findall(r"^```(\S.*)$", path.read_text(encoding="utf-8"), re.MULTILINE))
        assert found == set(RUN_BY.get(name, {})), name
    for languages in RUN_BY.values():
        for where in languages.values():
            if where.startswith("tests/"):
                file, _, test = where.partition("::")
                assert f"def {test}" in (ROOT / file).read_text(encoding="utf-8"), where


# Python


@pytest.fixture(scope="module")
def loaded() -> dict[str, Any]:
    """The names that the pages' code takes for granted."""
    loader = CleanModelLoader(model_path())
    model, tokenizer, provenance = loader.load()
    return {
        "CleanModelLoader": CleanModelLoader,
        "JsonlWriter": JsonlWriter,
        "best_of": best_of,
        "loader": loader,
        "model": model,
        "tokenizer": tokenizer,
        "provenance": provenance,
        "prompt": "The capital of France is",
        "texts": ["Paris is a city.", "2 + 2 = 4"],
        "items": [SimpleNamespace(key=f"k{n}", prompt=f"{n} plus 2 is") for n in range(3)],
    }


def ran(code: str, names: dict[str, Any]) -> dict[str, Any]:
    names = dict(names)
    exec(compile(MODEL.sub(str(model_path()), code), "page", "exec"), names)
    return names


def test_the_readmes_python(
    loaded: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (code,) = blocks("README.md", "python")
    code = code.replace(", load_in_8bit=True", "")
    ran(code, loaded)
    done = subprocess.run(
        [sys.executable, "-c", "from cleanguard.cli import main; main()", "verify", "answers.jsonl"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    # As the console block below it shows it.
    (shown,) = (body for body in blocks("README.md", "console") if "cleanguard verify" in body)
    expected = MODEL.sub(str(model_path()), shown.splitlines()[1]).replace("200 rec", "3 rec")
    assert done.stdout.splitlines()[0] == expected
    again = ran(code, loaded)  # what is done stays done
    assert len(again["out"]) == 3


def test_the_old_code_of_the_front_page_runs(loaded: dict[str, Any]) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    raw = AutoModelForCausalLM.from_pretrained(model_path())
    names = {"AutoTokenizer": AutoTokenizer, "model": raw, "prompt": loaded["prompt"]}
    (code,) = blocks("index.md", "python")
    assert ran(code, names)["outputs"].shape[0] == 1


def test_a_suppression_as_it_is_shown_suppresses(loaded: dict[str, Any]) -> None:
    (code,) = blocks("checking.md", "python")
    head = (
        "from transformers import AutoModelForCausalLM, AutoTokenizer\nprompt = input()\n"
        "tokenizer = AutoTokenizer.from_pretrained('meta-llama/Llama-3.1-8B')\n"
        "model = AutoModelForCausalLM.from_pretrained('meta-llama/Llama-3.1-8B')\n"
    )

    def found(text: str) -> set[str]:
        source = f"{head}{text}model.generate(**ids, max_new_tokens=4)\n"
        return {one.code for one in check_source("a.py", source.encode(), Settings())}

    bare = found(re.sub(r"  # cleanguard.*", "", code))
    assert bare - found(code) == {"CG201"}
    assert "CG901" not in found(code)
    ran(code, loaded)


@pytest.mark.parametrize("page", ["border.md", "scoring.md"])
def test_a_pages_python(page: str, loaded: dict[str, Any]) -> None:
    for code in blocks(page, "python"):
        ran(code, loaded)


def test_the_scripts_of_the_first_steps(
    loaded: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    script, guarded = blocks("first-steps.md", "python")
    for code in (script, guarded):
        ran(code, {})
        assert "Paris" in capsys.readouterr().out


def test_observing_as_it_is_shown(loaded: dict[str, Any], tmp_path: Path) -> None:
    observed, tested = blocks("trace.md", "python")

    def evaluate() -> None:
        loaded["loader"].generate(
            loaded["model"], loaded["tokenizer"], loaded["prompt"], max_new_tokens=2, engine="plain"
        )

    names = ran(observed, {"evaluate": evaluate})
    assert names["seen"].prefills[0].ids
    (tmp_path / "test_prompts.py").write_text(f"import pytest\n{tested}", encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "test_prompts.py", "-p", "no:cacheprovider"],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert "2 passed" in done.stdout, done.stdout


# Commands


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Scripts as the pages name them, records, and a `cleanguard` on the path."""
    scripts = tmp_path / "scripts"
    scripts.mkdir()
    (scripts / "evaluate.py").write_text(LOADS.format(model=model_path()), encoding="utf-8")
    (scripts / "evaluate_final.py").write_text(HELD, encoding="utf-8")
    (scripts / "evaluate_sft_model.py").write_text(HELD, encoding="utf-8")
    shutil.copy(scripts / "evaluate.py", tmp_path)
    (tmp_path / "my").mkdir()
    (tmp_path / "my" / "__init__.py").touch()
    (tmp_path / "my" / "package.py").write_text(LOADS.format(model=model_path()), encoding="utf-8")
    (tmp_path / "docs").mkdir()
    shim = tmp_path / "bin" / "cleanguard"
    shim.parent.mkdir()
    shim.write_text(SHIM.format(python=sys.executable), encoding="utf-8")
    shim.chmod(0o755)
    (tmp_path / "bin" / "python").symlink_to(sys.executable)
    return tmp_path


def shell(project: Path, line: str) -> subprocess.CompletedProcess[str]:
    env = {
        **os.environ,
        "PATH": f"{project / 'bin'}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": f"{ROOT}{os.pathsep}{project}",
        "OMP_NUM_THREADS": "1",
    }
    return subprocess.run(
        ["bash", "-c", line], cwd=project, env=env, capture_output=True, text=True, check=False,
        stdin=subprocess.DEVNULL,
    )  # fmt: skip


def lines_of(page: str, language: str = "console") -> list[str]:
    """The commands of a page's blocks, for the embedded model."""
    found: list[str] = []
    for body in blocks(page, language):
        for line in re.sub(r"(&&|\\)\n\s*", r"\1 ", body).splitlines():
            line = line.removeprefix("$ ").partition("  #")[0].strip()
            if line and not line.startswith("#"):
                found.append(MODEL.sub("tiny", line).replace("tiny --load-in-8bit", "tiny"))
    return found


def worked(
    project: Path, line: str, codes: tuple[int, ...] = (0, 1)
) -> subprocess.CompletedProcess[str]:
    done = shell(project, line)
    said = done.stdout + done.stderr
    assert done.returncode in codes, (line, said[-2000:])
    assert "internal error" not in said, line
    assert "Usage:" not in said, line
    return done


def test_what_the_readmes_trace_shows_is_how_it_is_said(project: Path) -> None:
    (shown,) = blocks("README.md", "text")
    command, _, finding, place, *_ = shown.splitlines()
    assert command.startswith("$ cleanguard trace evaluate.py --limit 20")
    # The words before the ids are those of the catalogue's finding.
    assert re.match(r"error CG202 the prompt begins with BOS twice: \[[\d, …]+\] = ", finding)
    assert re.match(r" +--> evaluate\.py:\d+:\d+$", place)


@pytest.mark.slow
def test_the_commands_of_a_gpu_session(project: Path) -> None:
    (
        project / "scripts" / "evaluate.py"
    ).unlink()  # it has findings, and a session begins with none
    for line in lines_of("gpu-session.md"):
        if "jq" in line and shutil.which("jq") is None:
            continue
        worked(project, line, (0,))
    (body,) = blocks("gpu-session.md", "make")
    (project / "Makefile").write_text(body, encoding="utf-8")
    worked(project, "make gate", (0,))


@pytest.mark.slow
def test_the_commands_of_a_migration(project: Path) -> None:
    lines = lines_of("migration.md")
    assert len(lines) == 7
    plan, asked, write, status, *proofs = lines
    for proof in proofs:
        worked(project, proof)
    for line in (plan, f"echo q | {asked}", write):
        worked(project, line)
    assert "CleanModelLoader" in (project / "scripts" / "evaluate.py").read_text(encoding="utf-8")
    assert (project / "docs" / "methodology-change.md").is_file()
    worked(project, status, (0,))


@pytest.mark.slow
def test_the_commands_of_tracing(project: Path) -> None:
    for line in lines_of("trace.md"):
        done = worked(project, line, (1,))
        assert "CG1" in done.stdout + done.stderr, line


@pytest.mark.slow
def test_the_commands_of_the_first_steps(project: Path) -> None:
    loader = CleanModelLoader(model_path())
    model, tokenizer, _ = loader.load()
    with JsonlWriter(project / "answers.jsonl", model) as out:
        out.write("a", {"text": loader.generate(model, tokenizer, "2 plus 2 is", max_new_tokens=4)})
    venv, install, activate, *lines = lines_of("first-steps.md", "sh")
    assert venv == "python3 -m venv .venv"  # the first two are run by tests/test_installed.py
    assert activate == "source .venv/bin/activate"
    assert install.startswith(".venv/bin/pip install ")
    for line in lines:
        if "-m lm_eval" in line:  # its task comes from a hub; the words before it are a command's
            assert line.startswith("cleanguard trace -m lm_eval --model hf")
            continue
        worked(project, line)


@pytest.mark.slow
def test_the_readmes_stages(project: Path) -> None:
    (shown,) = (body for body in blocks("README.md", "console") if "cleanguard run chain" in body)
    (body,) = blocks("pipeline.md", "sh")
    # The README's are among them.
    known = {line.partition("  #")[0].replace("torchrun --nproc-per-node 8 --no-python ", "").strip()
             for line in body.splitlines()}  # fmt: skip
    assert {
        line.partition("  #")[0].removeprefix("$ ").strip() for line in shown.splitlines()
    } <= known
    for line in body.splitlines():
        line = line.partition("  #")[0].strip()
        if "--show-config" in line or line == "cleanguard run chain":
            worked(project, line, (0,))
    assert (project / "sft.toml").stat().st_size > 500
    # What it wrote is read again, although such a model is not here.
    worked(project, "cleanguard run sft --config sft.toml --show-config", (0,))
    worked(project, "cleanguard run evaluate --config evaluate.toml --show-config", (0,))
