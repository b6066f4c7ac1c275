from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from guard import CleanModelLoader, JsonlWriter, Provenance, unguarded
from guard.records.statement import statement_path
from stages.tiny import model_path

Run = Callable[..., object]


@pytest.fixture(scope="module")
def provenance() -> Provenance:
    return CleanModelLoader(model_path()).load().provenance


@pytest.fixture
def out(provenance: Provenance, tmp_path: Path) -> Path:
    path = tmp_path / "out.jsonl"
    with JsonlWriter(path, provenance) as writer:
        for n in range(30):
            writer.write(f"item{n}", {"text": "x"})
    return path


def test_a_sound_file(run: Run, out: Path) -> None:
    ran = run("verify", str(out))
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.startswith(f"ok {out}: 30 records, 1 run, ")


def test_a_statement_stands_for_its_file(run: Run, out: Path) -> None:
    beside = statement_path(out)
    ran = run("verify", str(out), str(beside), str(beside))
    assert (ran.code, ran.out.count("ok "), ran.out.count("30 records")) == (0, 1, 1)
    assert run("verify", str(beside)).out == run("verify", str(out)).out
    out.unlink()
    assert run("verify", str(beside)).code == 1


def test_an_edited_record_is_named_with_its_reason(run: Run, out: Path) -> None:
    text = out.read_text()
    out.write_text(text.replace('"x"', '"y"', 1))
    ran = run("verify", str(out))
    assert ran.code == 1
    assert ran.out.startswith(f"error {out}")
    assert "edited-record line 1 'item0': its content is not what" in ran.out


def test_many_problems_are_counted(run: Run, out: Path) -> None:
    out.write_text(out.read_text().replace('"x"', '"y"'))
    ran = run("verify", str(out))
    assert "… and 11 more" in ran.out
    objects = json.loads(run("verify", "--output-format", "json", str(out)).out)
    assert len(objects[0]["problems"]) == 31


def test_json(run: Run, out: Path) -> None:
    other = out.with_name("other.jsonl")
    other.write_text("{}\n")
    ran = run("verify", "--output-format", "json", str(out), str(other))
    assert ran.code == 1
    good, bad = json.loads(ran.out)
    assert good["filename"] == str(out)
    assert (good["ok"], good["records"], good["runs"], good["problems"]) == (True, 30, 1, [])
    assert bad["ok"] is False
    assert bad["problems"][0] == {
        "kind": "no-statement",
        "code": "CG501",
        "row": None,
        "key": None,
        "message": "there is no other.jsonl.intoto.json beside it, so nothing says where it came from",
        "allowed": False,
    }


def test_a_file_that_cannot_be_read_is_no_verdict(run: Run, out: Path, tmp_path: Path) -> None:
    for name in ("nothing.jsonl", "."):
        ran = run("verify", str(out), str(tmp_path / name))
        assert ran.code == 2
        assert "cannot be read" in ran.err
        assert "30 records" in ran.out
    assert run("verify").code == 2


def test_problems_can_be_allowed(run: Run, tmp_path: Path) -> None:
    model, _, _ = CleanModelLoader(model_path()).load()
    path = tmp_path / "out.jsonl"
    with JsonlWriter(path, model) as writer, unguarded(model, reason="an audit"):
        writer.write("a", {})
    assert run("verify", str(path)).code == 1
    ran = run("verify", "--allow", "lifted-guard", str(path))
    assert ran.code == 0
    assert "1 allowed: lifted-guard" in ran.out
    ran = run("verify", "--allow", "everything", str(path))
    assert ran.code == 2
    assert "lifted-guard" in ran.err


def test_control_characters_in_names_are_spelt_out(
    run: Run, provenance: Provenance, tmp_path: Path
) -> None:
    path = tmp_path / "out.jsonl"
    with JsonlWriter(path, provenance) as writer:
        writer.write("\x1b[31mred", {"text": "x"})
    path.write_text(path.read_text().replace('"x"', '"y"'))
    assert "\x1b" not in run("verify", str(path)).out


def test_verify_loads_neither_torch_nor_libcst(out: Path) -> None:
    code = (
        "import sys\n"
        "from cleanguard.cli import main\n"
        "try:\n    main()\nfinally:\n"
        "    assert not {'torch', 'transformers', 'libcst'} & set(sys.modules)\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code, "verify", str(out)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    statement_path(out).unlink()
    ran = subprocess.run([sys.executable, "-c", code, "verify", str(out)], check=False)
    assert ran.returncode == 1


def test_a_statement_with_an_impossible_size_is_no_crash(run: Run, out: Path) -> None:
    where = statement_path(out)
    content = json.loads(where.read_text())
    content["predicate"]["bytes"] = -1
    where.write_text(json.dumps(content))
    ran = run("verify", str(out))
    assert (ran.code, ran.err) == (1, "")
    assert "broken-statement: " in ran.out
    assert "bytes" in ran.out


def test_the_help_says_what_only_a_signature_shows(run: Run) -> None:
    said = " ".join(run("verify", "--help").out.split())
    assert "by a signature only" in said
