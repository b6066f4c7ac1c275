"""`cleanguard migrate` at the command line: plans, writes, refuses, and its exit codes."""

from __future__ import annotations

import io
import subprocess
from pathlib import Path

import pytest

LOAD = 'from transformers import AutoModelForCausalLM\n\nmodel = AutoModelForCausalLM.from_pretrained("gpt2")\n'
DONE = 'from guard import CleanModelLoader\n\nloader = CleanModelLoader("gpt2")\nmodel, _, provenance = loader.load()\n'
NO_LENGTH = """\
from transformers import AutoModelForCausalLM, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained("gpt2")
model = AutoModelForCausalLM.from_pretrained("gpt2")
inputs = tokenizer("a", return_tensors="pt")
print(tokenizer.decode(model.generate(**inputs)[0]))
"""


@pytest.fixture
def script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "script.py"
    path.write_text(LOAD)
    return path


def git(folder: Path, *arguments: str) -> None:
    subprocess.run(
        ["git", "-c", "user.name=a", "-c", "user.email=a@b", *arguments],
        cwd=folder,
        check=True,
        capture_output=True,
    )


def test_a_preview_writes_nothing(run, script):
    ran = run("migrate", "script.py")
    assert ran.code == 1
    assert "+loader = CleanModelLoader" in ran.out
    assert script.read_text() == LOAD


def test_write_does_it_and_a_second_time_nothing(run, script):
    assert run("migrate", "--write", "script.py").code == 0
    assert script.read_text() == DONE
    ran = run("migrate", "--write", "script.py")
    assert ran.code == 0
    assert "Nothing to migrate" in ran.out


def test_what_is_left_to_a_person_is_exit_1(run, script):
    script.write_text(NO_LENGTH)
    ran = run("migrate", "--write", "--no-watch", "script.py")
    assert ran.code == 1
    assert "--unsafe" in ran.out
    assert script.read_text() == NO_LENGTH


def test_what_cannot_be_guarded_is_watched(run, script):
    script.write_text(NO_LENGTH)
    ran = run("migrate", "--write", "script.py")
    assert ran.code == 0  # the tokenizer stays, and what it makes is judged as it reaches the model
    assert "Rewrote 2 places in 1 file, all of them watched; 0 left to you." in ran.out
    text = script.read_text()
    assert 'model = CleanModelLoader.load_watched("gpt2")' in text
    assert "tokenizer.decode(CleanModelLoader.generate_watched(model, **inputs)[0])" in text
    assert run("migrate", "script.py").out == "Nothing to migrate in 1 file.\n"
    assert run("check", "script.py").code == 0
    assert "migrated   script.py  2 watched" in run("status", "script.py").out


def asking(more: str = "", specials: str = "") -> str:
    """A script that asks a model of a family with BOS."""
    before = NO_LENGTH.replace('"gpt2"', '"meta-llama/Llama-3.1-8B"')
    before = before.replace('"pt")', f'"pt"{specials})')
    return before.replace("**inputs)", "**inputs, max_new_tokens=5, do_sample=False)") + more


@pytest.mark.slow
def test_what_cannot_be_proven_is_not_written_and_the_others_are(run, script, tmp_path):
    before = asking("import os\nos._exit(0)\n")
    script.write_text(before)
    (tmp_path / "z.py").write_text(asking(specials=", add_special_tokens=False"))
    ran = run("migrate", "--write", "--prove", "script.py", "z.py")
    assert ran.code == 2
    assert "script.py: not proven: it left without ending" in ran.err
    assert "script.py: it was not written, since the proof did not succeed" in ran.err
    assert script.read_text() == before
    assert "proof of z.py: the same 2 calls" in ran.out
    assert "changed as announced on line 5: BOS, which" in ran.out
    assert "CleanModelLoader" in (tmp_path / "z.py").read_text()


def test_unsafe_takes_a_call_without_a_length_and_says_so(run, script):
    script.write_text(NO_LENGTH)
    ran = run("migrate", "--write", "--unsafe", "script.py")
    assert ran.code == 0
    assert "max_new_tokens=20" in ran.out
    assert "max_new_tokens=20" in script.read_text()


def test_the_diff_is_what_git_applies(run, script, tmp_path):
    git(tmp_path, "init", "-q")
    ran = run("migrate", "--diff", "script.py")
    done = subprocess.run(
        ["git", "apply", "-"],
        input=ran.out.encode(),
        cwd=tmp_path,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert script.read_text() == DONE


def test_select_leaves_the_rest(run, script):
    script.write_text(
        LOAD.replace("AutoModelForCausalLM\n", "AutoModelForCausalLM, AutoTokenizer\n", 1)
        + 'tokenizer = AutoTokenizer.from_pretrained("gpt2")\n'
    )
    ran = run("migrate", "--write", "--select", "CG102", "script.py")
    assert ran.code == 1
    assert "AutoModelForCausalLM.from_pretrained" in script.read_text()
    assert ".load_tokenizer()" in script.read_text()


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(["--write", "--diff", "script.py"], id="write and diff"),
        pytest.param(["--select", "CG999", "script.py"], id="an unknown code"),
        pytest.param(["gone.py"], id="a path that is not there"),
        pytest.param(["--bogus"], id="an unknown option"),
    ],
)
def test_what_cannot_be_done_is_exit_2(arguments, run, script):
    assert run("migrate", *arguments).code == 2
    assert script.read_text() == LOAD


def test_half_of_the_files_unreadable(run, script, tmp_path):
    (tmp_path / "broken.py").write_text("def f(:\n")
    (tmp_path / "latin.py").write_bytes(b"x = '\xff'\n")
    ran = run("migrate", "--write", ".")
    assert ran.code == 2
    assert "broken.py:1" in ran.err
    assert "latin.py:1" in ran.err
    assert script.read_text() == DONE


def test_a_dirty_tree_is_refused(run, script, tmp_path):
    other = tmp_path / "other.txt"
    other.write_text("a")
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-qm", "x")
    other.write_text("b")
    ran = run("migrate", "--write", "script.py")
    assert ran.code == 2
    assert "other.txt" in ran.err
    assert "--allow-dirty" in ran.err
    assert script.read_text() == LOAD
    assert run("migrate", "--write", "--allow-dirty", "script.py").code == 0
    assert script.read_text() == DONE


def test_a_file_that_git_does_not_know_is_refused(run, script, tmp_path):
    git(tmp_path, "init", "-q")
    ran = run("migrate", "--write", "script.py")
    assert ran.code == 2
    assert "does not know" in ran.err


def test_a_clean_tree_is_written(run, script, tmp_path):
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-qm", "x")
    assert run("migrate", "--write", "script.py").code == 0


@pytest.mark.parametrize(
    ("answers", "wanted"),
    [
        pytest.param("y\n", DONE, id="yes"),
        pytest.param("n\n", LOAD, id="no"),
        pytest.param("?\ns\n", LOAD, id="help, then skip the file"),
        pytest.param("q\n", LOAD, id="quit"),
        pytest.param("a\n", DONE, id="all of the file"),
    ],
)
def test_interactive(answers, wanted, script):
    from click.testing import CliRunner

    from cleanguard.cli.commands.migrate import command

    result = CliRunner().invoke(command, ["--write", "--interactive", "script.py"], input=answers)
    assert result.exception is None or isinstance(result.exception, SystemExit)
    assert script.read_text() == wanted


def test_answers_that_end_too_early_are_exit_2(run, script, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    ran = run("migrate", "--write", "--interactive", "script.py")
    assert ran.code == 2
    assert "nothing was written" in ran.err
    assert script.read_text() == LOAD


def test_the_notice_says_what_changed(run, script, tmp_path):
    assert run("migrate", "--notice", "out/notice.md", "script.py").code == 1
    text = (tmp_path / "out/notice.md").read_text()
    assert text.startswith("# Methodology Change Notice")
    assert "`script.py` | 1 | 0 | 0 | comparable, on the conditions below" in text
    assert "generation_config.json is replaced" in text
    assert script.read_text() == LOAD


def test_a_notice_stays_below_that_of_a_later_run(run, script, tmp_path):
    told = tmp_path / "notice.md"
    for _ in range(2):  # a plan stands for nothing that was done
        assert run("migrate", "--notice", "notice.md", "script.py").code == 1
        assert told.read_text().count("# Methodology Change Notice") == 1
    assert run("migrate", "--write", "--notice", "notice.md", "script.py").code == 0
    written = told.read_text()
    assert written.count("# Methodology Change Notice") == 1
    script.write_text(script.read_text() + NO_LENGTH)
    run("migrate", "--write", "--notice", "notice.md", "script.py")
    both = told.read_text()
    assert both.endswith(f"\n---\n\n{written}")
    assert "| `script.py` | 2 | 2 | 0 | comparable: the same calls |" in both


def test_what_is_not_selected_is_not_counted_where_check_is_silent(run, script):
    ran = run("migrate", "--select", "CG101,CG102", "--write", "script.py")  # CG105 is off
    assert (ran.code, ran.out.endswith("Rewrote 1 place in 1 file; 0 left to you.\n")) == (0, True)


def test_a_notice_that_cannot_be_written_is_exit_2(run, script, tmp_path):
    ran = run("migrate", "--notice", "script.py/notice.md", "script.py")
    assert ran.code == 2
    assert "the notice was not written" in ran.err


def test_a_link_out_of_the_tree_is_told(run, script, tmp_path, monkeypatch):
    inside = tmp_path / "inside"
    inside.mkdir()
    (inside / "link.py").symlink_to(script)
    monkeypatch.chdir(inside)
    ran = run("migrate", "--write", "link.py")
    assert ran.code == 2
    assert "out of the tree" in ran.err
    assert script.read_text() == LOAD


def test_a_fault_that_is_kept_is_told_in_preview_and_notice(run, script, tmp_path):
    script.write_text(
        f"from peft import PeftModel\n{LOAD}"
        'tuned = PeftModel.from_pretrained(model, "adapter")\nprint(model, tuned)\n'
    )
    ran = run("migrate", "script.py", "--notice", "notice.md")
    assert ran.code == 1
    assert "in_place=True" in ran.out
    assert "fault    peft puts the adapter into the base itself" in ran.out
    notice = (tmp_path / "notice.md").read_text()
    _, _, faults = notice.partition("**Faults of the old script, kept")
    assert "- peft puts the adapter into the base itself" in faults
