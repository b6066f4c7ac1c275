"""Every place where the product writes is found by a rule, and stands behind one of a few doors.

The rule looks at calls, not at names of files: whoever writes in a new place fails here until he goes through a
door, or makes one and says why. What comes out of the doors is tried with the one table of hostile texts.
"""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cleanguard.cli.commands import status
from cleanguard.cli.writing import write_out
from cleanguard.editing.patch import unified
from cleanguard.editing.write import put_file
from cleanguard.report import spoken
from cleanguard.report.escaping import for_json, for_terminal, is_command, printable
from cleanguard.settings import baseline
from codemods.notice import Origin, notice
from codemods.plan.planned import Migration, PlannedSite
from codemods.plan.sites import Note
from tests.cleanguard.report.test_escaping import HOSTILE, hostile
from tests.conftest import ROOT

PACKAGES = ("cleanguard", "guard", "lint_rules", "codemods", "stages")
# Methods and functions that put something into a file, on a terminal or in a log.
_WRITES = frozenset(
    [
        "write",
        "writelines",
        "write_text",
        "write_bytes",
        "pwrite",
        "echo",
        "secho",
        "savefig",
        "save_pretrained",
        "copyfile",
        "copy",
        "copy2",
        "copytree",
        "copyfileobj",
        "move",
        "print_exc",
        "print_exception",
        "print_stack",
        "mkstemp",
        "NamedTemporaryFile",
        "StreamHandler",
        "FileHandler",
        "basicConfig",
        "to_csv",
        "to_json",
        "save_file",
        "tofile",
        "ftruncate",
        "truncate",
    ]
)
_OPENS = ("open", "fdopen")
_LOGS = frozenset(["debug", "info", "warning", "error", "exception", "critical", "log"])
_SERIALISES = ("json", "pickle", "toml", "yaml", "torch", "np", "numpy")
# Where it is done, and why it is safe there. What is handed to a door is escaped by whoever makes the text.
DOORS = {
    "cleanguard/report/spoken.py say": "texts for people are spelt out and redacted here",
    "cleanguard/report/spoken.py put": "documents, escaped by what renders them; the formats are tried below",
    "cleanguard/report/spoken.py put_bytes": "patches and fixed files; the runner is told to take no commands",
    "cleanguard/report/styled.py write": "styled lines, whose spans are spelt out; the log's commands here",
    "cleanguard/cli/checking/output.py _print": "a rendered report to standard output or into memory",
    "cleanguard/cli/commands/run.py _log_to_stderr": "the handler of what the stages log, spelt out by its formatter",
    "cleanguard/cli/__init__.py _give_streams": "the null device, in place of an error stream that was closed",
    "cleanguard/cli/__init__.py _drop_output": "the null device, in place of an output that nobody reads",
    "cleanguard/cli/editor/language_server.py serve": "the protocol of editors, by pygls",
    "cleanguard/cli/showing/demo_acts.py copy_scripts": "the demo's own scripts, into its own folder",
    "cleanguard/cli/tracing/target.py _notebook": "JSON into a folder that is made for one run and removed",
    "cleanguard/editing/write.py put_file": "a device or a pipe that the user named; files go to _write",
    "cleanguard/editing/write.py _write": "the door to files: a temporary file beside it, fsync, rename",
    "cleanguard/cache.py save": "the cache: a temporary file and a rename; it counts as empty if it is odd",
    "guard/adapters/pickles.py unpickled": "a copy in a folder of its own, for as long as the adapter is read",
    "guard/settings/saved_config.py save_pretrained": "transformers' own file, as its own config writes it",
    "guard/provenance/digests.py _keep": "digests of the user's cache: a temporary file and a rename",
    "guard/records/journal.py _settle": "records: appended under a lock, canonical JSON",
    "guard/records/journal.py __init__": "the file of records, opened under a lock",
    "guard/records/journal.py adopt": "records: what a crash left is cut off",
    "guard/records/merging.py _write": "records that were read back, into a temporary file that is renamed",
    "guard/records/statement.py write_statement": "JSON: a temporary file, fsync, rename",
    "guard/loading/tokenizer_files.py copy_tokenizer": "copies of the tokenizer's own files",
    "guard/loading/tokenizer_files.py _save": "the tokenizer's own way of saving, into the folder that the caller names",
    "guard/tracing/journal.py _open": "a folder that is made for one trace",
    "guard/tracing/journal.py _write": "JSON lines into that folder",
    "lint_rules/_engine/each.py serve": "the null device, for what the parser says when it dies",
    "codemods/proof/trial.py _lay": "the scripts, into a scratch copy of their folder",
    "codemods/proof/trial.py _finished": "what a script says of its errors, beside that copy",
    "codemods/proof/recording.py put": "JSON lines beside that copy, each in one write",
    "codemods/proof/scratch.py _bring": "the scratch copy itself",
    "stages/processes/hanging.py _put": "a mark of two words and a number, for the other processes of a run",
    "stages/folder.py write_text": "results: a temporary file, fsync, rename",
    "stages/folder.py _is_full": "an unnamed file, to see whether the disk is full",
    "stages/folder.py _lock": "the number of this process, into the lock",
    "stages/folder.py _opened": "the lock of a folder of results",
    "stages/reports/canvas.py svg_of": "an SVG, into memory",
    "stages/suites/child.py ask": "JSON to a child process of our own, over its pipe",
    "stages/suites/functions.py serve": "JSON from that child process, over its pipe",
    "stages/tiny/build.py save": "the embedded model, into a new folder",
    "stages/training/engine.py save_adapter": "weights, into a scratch folder that is renamed",
    "stages/training/watch.py on_log": "numbers, as JSON lines",
}
# Logging goes through the one handler of `cleanguard run`; a library that imports the stages has its own.
_STAGES = "stages/"


def writes(tree: ast.AST) -> Iterator[tuple[str, int, str]]:
    """Each call of a module that writes: the function that it stands in, its line, its text."""

    def walk(node: ast.AST, function: str) -> Iterator[tuple[str, int, str]]:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            function = node.name
        if isinstance(node, ast.Call) and _writes(node):
            yield function, node.lineno, ast.unparse(node)[:80]
        for child in ast.iter_child_nodes(node):
            yield from walk(child, function)

    yield from walk(tree, "<module>")


def _writes(call: ast.Call) -> bool:
    function = call.func
    owner = ast.unparse(function.value) if isinstance(function, ast.Attribute) else ""
    name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
    if name in _OPENS:
        said = [ast.unparse(arg) for arg in (*call.args, *(one.value for one in call.keywords))]
        flags = any(re.search(r"O_(WRONLY|RDWR|APPEND|CREAT|TRUNC)", text) for text in said)
        return flags or any(re.fullmatch(r"'[rbt]*[wax+][rwxabt+]*'", text) for text in said)
    if name in ("dump", "save") and owner.split(".")[0] in _SERIALISES:
        return True
    if name == "print":
        return not owner or "console" in owner
    if name in _LOGS:
        return "log" in owner.lower() or owner == "warnings"
    if name == "copy" and not owner.startswith("shutil"):
        return False
    if name == "write" and len(call.args) != 1:
        return False  # `write(lines, stream)`, `write(key, record)`: functions of ours, which stand here themselves
    return name in _WRITES and isinstance(function, ast.Attribute)


def product() -> Iterator[tuple[str, ast.AST]]:
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            name = path.relative_to(ROOT).as_posix()
            if not name.startswith("cleanguard/legacy/"):
                yield name, ast.parse(path.read_text(encoding="utf-8"))


def found() -> dict[str, list[str]]:
    places: dict[str, list[str]] = {}
    for name, tree in product():
        for function, line, text in writes(tree):
            if text.startswith("_log.") and name.startswith(_STAGES):
                continue
            places.setdefault(f"{name} {function}", []).append(f"{name}:{line}: {text}")
    return places


def test_everything_is_written_through_a_door() -> None:
    stray = [line for door, lines in found().items() if door not in DOORS for line in lines]
    assert not stray, "\n".join(
        ["not behind a door; use say, put, put_file or write_text:", *stray]
    )


def test_every_door_is_there_and_says_why() -> None:
    assert set(DOORS) <= set(found())
    assert all(len(why.split()) >= 3 for why in DOORS.values())


@pytest.mark.parametrize(
    "code",
    [
        "print(x)",
        "import click; click.echo(x)",
        "sys.stdout.write(x)",
        "sys.stderr.buffer.write(x)",
        "Path(x).write_text(y)",
        "path.write_bytes(y)",
        "open(x, 'w').close()",
        "path.open('a')",
        "with open(x, mode='r+b') as f: f.read()",
        "os.open(x, os.O_WRONLY | os.O_CREAT)",
        "os.fdopen(h, 'wb')",
        "json.dump(x, f)",
        "torch.save(x, p)",
        "f.writelines(x)",
        "shutil.copyfile(a, b)",
        "figure.savefig(p)",
        "model.save_pretrained(p)",
        "console.print(x)",
        "logger.warning(x)",
        "traceback.print_exc()",
        "logging.StreamHandler()",
        "frame.to_csv(p)",
    ],
)
def test_the_rule_sees(code: str) -> None:
    assert list(writes(ast.parse(code))), code


@pytest.mark.parametrize(
    "code", ["open(x)", "path.open('rb')", "os.open(x, os.O_RDONLY)", "x.copy()", "json.dumps(x)"]
)
def test_the_rule_passes(code: str) -> None:
    assert not list(writes(ast.parse(code))), code


def _writes_pages(tree: ast.AST) -> bool:
    """Whether a module makes Markdown: a heading, a table's rule or a quote among its texts."""
    texts = [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)]
    made = [text for text in texts if isinstance(text, str) and not text.startswith("\n")]
    return any(re.match(r"#{1,3} [A-Z]|\|-+[:|]|> \*\*", text) for text in made)


def test_pages_are_made_with_the_escapes() -> None:
    """Found by what they write; the catalogue's own texts and configurations in TOML are nobody else's."""
    pages = [name for name, tree in product() if _writes_pages(tree)]
    bare = [
        name
        for name in pages
        if "cleanguard.report.escaping" not in (ROOT / name).read_text(encoding="utf-8")
    ]
    assert len(pages) > 6
    own = {
        "cleanguard/catalogue/explain.py", "guard/prompts/names.py", "stages/config/show.py", "guard/prompts/families.py",
    }  # fmt: skip
    assert set(bare) <= own, bare


# --- what comes out


def steers(text: str) -> list[str]:
    """What of a text would steer a terminal or a runner."""
    odd = [repr(c) for c in text if not (c.isprintable() or c in "\n\t")]
    return odd + [line for line in text.split("\n") if is_command(line)]


@pytest.fixture
def runner(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_ACTIONS", "true")


@hostile
def test_what_is_said(text: str, runner: None, capsys: pytest.CaptureFixture[str]) -> None:
    spoken.say(text)
    spoken.say(f"cleanguard: {text}", err=True)
    shown = capsys.readouterr()
    assert not steers(shown.out + shown.err)
    assert shown.out.count("\n") == text.count("\n") + 1


def test_a_secret_is_not_said(capsys: pytest.CaptureFixture[str]) -> None:
    spoken.say("see https://someone:hunter2@example.org and hf_" + "a1B2" * 8, err=True)
    assert "hunter2" not in (shown := capsys.readouterr().err)
    assert "a1B2" not in shown


@hostile
def test_json_says_the_same_and_shows_nothing_odd(text: str) -> None:
    for ascii_only in (True, False):
        made = for_json(json.dumps({"a": [text]}, ensure_ascii=ascii_only, indent=2))
        assert json.loads(made) == {"a": [text]}
        assert made.isprintable() or "\n" in made
        assert not steers(made)


@hostile
def test_a_patch_on_a_runner(text: str, runner: None, capfdbinary: Any) -> None:
    before = f"{text}\nx = 1\n".encode("utf-8", "surrogateescape" if "\udcff" in text else "strict")
    patch = unified(f"{text}.py", before, before + b"y = 2\n")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(sys, "stdout", open(1, "w", closefd=False))  # noqa: SIM115 - the real one
        spoken.put_bytes(patch)
    out = capfdbinary.readouterr().out
    head = [line for line in patch.split(b"\n") if line.startswith((b"--- ", b"+++ "))][:2]
    assert not [one for line in head for one in steers(line.decode("utf-8", "replace"))]
    lines = out.decode("utf-8", "replace").splitlines()
    if any(map(is_command, patch.decode("utf-8", "replace").splitlines())):
        stop = re.fullmatch(r"::stop-commands::([0-9a-f]{32})", lines[0])
        assert stop is not None
        assert lines[-1] == f"::{stop[1]}::"
    else:
        assert out == patch


def test_git_applies_what_a_runner_is_told_to_pass_over(
    tmp_path: Path, runner: None, capfdbinary: Any
) -> None:
    before, after = b"::error::boo\nx = 1\n", b"::error::boo\nx = 2\n"
    (tmp_path / "##[a] \u202e.py").write_bytes(before)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(sys, "stdout", open(1, "w", closefd=False))  # noqa: SIM115 - the real one
        spoken.put_bytes(unified("##[a] \u202e.py", before, after))
    out = capfdbinary.readouterr().out
    subprocess.run(["git", "apply"], input=out, cwd=tmp_path, check=True)
    assert (tmp_path / "##[a] \u202e.py").read_bytes() == after


@hostile
def test_the_pages_of_status_and_notice(text: str) -> None:
    standing = status.Standing(f"{text}.py", "unreadable", why=text)
    page = status._markdown([standing], status.Counter(["unreadable"]))
    site = PlannedSite("CG101", 1, text, (Note("carried", text),), text)
    plan = Migration(f"{text}.py", b"a", b"b", (site,), also=(site,), unread=(text,))
    made = (
        "\n".join(page)
        + "\n"
        + notice([plan], Origin("1", None, False, "2026-01-01", ((f"{text}.py", text),)))
    )
    assert not steers(made)
    rows = [line for line in page if line.startswith("| `")]
    assert len(rows) == 1
    assert len(re.findall(r"(?<!\\)\|", rows[0])) == 6


@hostile
def test_a_baseline(text: str, tmp_path: Path) -> None:
    entry = baseline.Entry("f" * 32, "CG101", f"{text}.py", text)
    write_out(tmp_path / "b.json", for_json(baseline.dump([entry])), "cannot write the baseline")
    assert baseline.load(tmp_path / "b.json") == (entry,)
    assert not steers((tmp_path / "b.json").read_text(encoding="utf-8"))


@hostile
def test_the_terminal_shows_lines(text: str) -> None:
    assert not [c for c in for_terminal(text) if not (c.isprintable() or c in "\n\t")]
    assert printable(for_terminal(text)).isprintable()


@pytest.mark.skipif(sys.platform == "win32", reason="names are other there")
@pytest.mark.parametrize(
    "command",
    [
        ["check"], ["migrate"], ["status"], ["gate", "--no-model"], ["verify"], ["doctor"], ["sign"], ["explain"],
        ["baseline"], ["check", "--select"], ["check", "--config"], ["check", "--baseline"], ["run"], [],
    ],
    ids=" ".join,
)  # fmt: skip
def test_no_argument_steers(
    command: list[str], runner: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    from cleanguard.cli import main

    monkeypatch.chdir(tmp_path)
    for name in ("escape", "command", "old command", "bidi", "c1", "newline", "separators"):
        argument = f"\n{HOSTILE[name]}" if name == "command" else HOSTILE[name]
        monkeypatch.setattr(sys, "argv", ["cleanguard", *command, argument])
        with pytest.raises(SystemExit) as left:
            main()
        shown = capsys.readouterr()
        assert left.value.code == 2, shown
        assert not steers(shown.out + shown.err)
        assert "internal error" not in shown.err


def test_files_are_whole_or_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    goal = tmp_path / "out.json"
    put_file(goal, b"before")
    monkeypatch.setattr("cleanguard.editing.write.os.fsync", full)
    with pytest.raises(Exception, match=r"(?i)no space left"):
        write_out(goal, "after", "cannot write the report")
    assert goal.read_bytes() == b"before"
    assert [path.name for path in tmp_path.iterdir()] == ["out.json"]
