"""Places, encodings and broken files."""

from __future__ import annotations

import libcst as cst
import pytest

from cleanguard.catalogue.findings import Position
from cleanguard.files import SourceFile
from cleanguard.settings.config import Settings
from lint_rules import registry
from lint_rules._engine.checking import check_files, check_source
from lint_rules.rule import Rule

_LOAD = 'AutoModelForCausalLM.from_pretrained("Qwen/Qwen2.5-7B")'
_IMPORT = "from transformers import AutoModelForCausalLM"

_PLACES = [
    pytest.param(f"{_IMPORT}\nm = {_LOAD}\n".encode(), (2, 5), id="plain"),
    pytest.param(f"{_IMPORT}\r\nm = {_LOAD}\r\n".encode(), (2, 5), id="crlf"),
    pytest.param(f"{_IMPORT}\rm = {_LOAD}\r".encode(), (2, 5), id="old-mac-line-ends"),
    pytest.param(f"\ufeff{_IMPORT}; m = {_LOAD}\n".encode(), (1, 52), id="byte-order-mark"),
    pytest.param(
        f"# -*- coding: latin-1 -*-\n{_IMPORT}\nx = 'é'; m = {_LOAD}\n".encode("latin-1"),
        (3, 14),
        id="latin-1-cookie",
    ),
    pytest.param(f"{_IMPORT}\nx = '😀é'; m = {_LOAD}\n".encode(), (2, 15), id="astral-characters"),
    pytest.param(f"{_IMPORT}\n\x0cm = {_LOAD}\n".encode(), (2, 6), id="form-feed"),
    pytest.param(
        f"{_IMPORT}\nif m:\n\tm = {_LOAD}\n".encode(), (3, 6), id="a-tab-is-one-character"
    ),
    pytest.param(
        f"{_IMPORT}\nx = '''a\nb'''; m = {_LOAD}\n".encode(), (3, 11), id="after-a-multiline-string"
    ),
    pytest.param(f"{_IMPORT}\nm = \\\n  {_LOAD}\n".encode(), (3, 3), id="continued-line"),
    pytest.param(f"{_IMPORT}\nm = {_LOAD}".encode(), (2, 5), id="no-final-newline"),
]


@pytest.mark.parametrize(("raw", "place"), _PLACES)
def test_rows_and_columns_count_from_one_in_characters(raw, place):
    (finding,) = check_source("script.py", raw, Settings(select=("CG101",)))
    assert finding.location == Position(*place)
    assert finding.end_location == Position(place[0], place[1] + len(_LOAD))


_BROKEN = [
    pytest.param(b"def f(:\n    pass\n", (1, 7), "syntax error", id="syntax-error"),
    pytest.param(b"x = 1\n  y = 2\n", (2, 2), "unexpected indent", id="indentation"),
    pytest.param("x = 'é'\n".encode("latin-1"), (1, 1), "utf-8", id="latin-1-without-cookie"),
    pytest.param(b"# coding: no-such\nx = 1\n", (1, 1), "no-such", id="unknown-cookie"),
    pytest.param(b"x = 1\ny = '\x00'\n", (2, 1), "null bytes", id="nul-byte"),
]


@pytest.mark.parametrize(("raw", "place", "words"), _BROKEN)
def test_a_file_that_cannot_be_read_is_a_finding(raw, place, words):
    (finding,) = check_source("broken.py", raw, Settings())
    assert finding.code == "CG900"
    assert finding.location == Position(*place)
    assert words in finding.message.lower()


def test_a_broken_file_never_passes_for_clean():
    assert len(check_source("broken.py", b"def f(:\n", Settings(ignore=("CG900",)))) == 1


def test_a_crashing_rule_costs_one_file_and_is_named(tmp_path, monkeypatch):
    def crash(flow):
        if "bad" in cst.Module([]).code_for_node(flow.module.body[1]):
            raise ValueError("boom")
        yield from ()

    rule = Rule(registry.RULES[0].hazard, crash)
    monkeypatch.setattr(registry, "RULES", (rule,))
    for name in ("bad", "good"):
        (tmp_path / f"{name}.py").write_text(f"{_IMPORT}\n{name} = {_LOAD}\n")
    files = [SourceFile(f"{name}.py", tmp_path / f"{name}.py") for name in ("bad", "good")]
    run = check_files(files, Settings())
    assert run.checked == 2
    assert run.failures == ("bad.py: rule CG101 crashed (ValueError: boom); please report it",)


def test_a_file_that_vanished_is_a_finding(tmp_path):
    run = check_files([SourceFile("gone.py", tmp_path / "gone.py")], Settings())
    assert [(f.code, f.message) for f in run.findings] == [
        ("CG900", "the file was not checked: cannot read it: no such file or directory")
    ]
    assert run.failures == ()


def test_trigger_words_in_comments_and_text_cost_nothing():
    assert (
        check_source("a.py", b'"""from_pretrained"""\n# chat_template = None\n', Settings()) == ()
    )


_LATER_PYTHON = [
    pytest.param("lazy import transformers\ntransformers.{}", id="lazy-import"),
    pytest.param("lazy from transformers import AutoModelForCausalLM\n{}", id="lazy-from"),
    pytest.param("import transformers as hf\nx = t'{{hf.{}}}'", id="t-string"),
    pytest.param(
        "import transformers as hf\nx = [*hf.{} for _ in y]", id="unpacked-in-a-comprehension"
    ),
]


@pytest.mark.parametrize("form", _LATER_PYTHON)
def test_code_of_later_versions_of_python_is_read(form):
    source = form.format('AutoModelForCausalLM.from_pretrained("Qwen/Qwen2.5-7B")')
    found = check_source("a.py", source.encode(), Settings(select=("CG101",)))
    assert [(finding.code, finding.location.row) for finding in found] == [("CG101", 2)]


def test_an_alias_of_a_type_promises_what_the_type_does():
    source = (
        "from transformers import PreTrainedModel, PreTrainedTokenizer\ntype M = PreTrainedModel\n"
        "def run(m: M, t: PreTrainedTokenizer, prompt):\n"
        "    return t.decode(m.generate(t.encode(prompt, return_tensors='pt'))[0])\n"
    )
    found = check_source("a.py", source.encode(), Settings(select=("CG301",)))
    assert [finding.location.row for finding in found] == [4]


def test_what_libcst_cannot_read_is_a_finding_and_no_crash():
    """Two adjacent t-strings are valid in Python 3.14, and an error inside libcst 1.9."""
    source = b"from transformers import AutoTokenizer\nx = t'a' t'b'\n"
    found = check_source("a.py", source, Settings())
    assert all(finding.code == "CG900" for finding in found)
