"""The pytest plug-in on tests that use a real model."""

from __future__ import annotations

import pytest

pytest_plugins = ["pytester"]

TESTS = """
import pytest
from transformers import AutoModelForCausalLM, AutoTokenizer
from stages.tiny import model_path

@pytest.fixture(scope="module")
def pair():
    folder = model_path()
    return AutoModelForCausalLM.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)

def ask(pair, text):
    model, tokenizer = pair
    return model.generate(**tokenizer(text, return_tensors="pt"), max_new_tokens=1)

@pytest.mark.cleanguard(select="CG204")
def test_marked(pair):
    ask(pair, "<|im_start|>hi")

@pytest.mark.cleanguard(ignore=["CG1", "CG301"])
def test_marked_and_clean(pair):
    ask(pair, "hi")

def test_fixture(pair, cleanguard):
    ask(pair, "hi")
    assert len(cleanguard.seen.generations) == 1
    assert "CG301" in [finding.code for finding in cleanguard.findings]

def test_without_models():
    pass
"""


@pytest.fixture
def ran(pytester: pytest.Pytester) -> pytest.Pytester:
    pytester.makepyfile(test_models=TESTS)
    pytester.makepyprojecttoml("[tool.cleanguard]\n")
    return pytester


def go(pytester: pytest.Pytester, *options: str) -> pytest.RunResult:
    return pytester.runpytest_subprocess(
        # By its entry point it is there already where cleanguard is installed.
        *("-p", "no:cleanguard", "-p", "guard.tracing.pytest_plugin", "-p", "no:cacheprovider"),
        *options,
    )


def test_the_marker_fails_a_test_with_its_evidence(ran: pytest.Pytester) -> None:
    result = go(ran)
    result.assert_outcomes(passed=3, failed=1)
    result.stdout.fnmatch_lines(["*test_models.py:12:*CG204*'<|im_start|>'*"])
    assert "== cleanguard ==" not in result.stdout.str()


@pytest.mark.slow
def test_the_option_reports_every_test_and_fails_the_run(ran: pytest.Pytester) -> None:
    result = go(ran, "--cleanguard", "-k", "fixture or without")
    result.assert_outcomes(passed=2, deselected=2)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(
        ["*= cleanguard =*", "*CG101*", "*in *::test_fixture*", "*findings"]
    )


def test_a_run_without_models_is_clean(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("def test_nothing():\n    pass\n")
    result = go(pytester, "--cleanguard", "--strict-markers")
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["*no hazards seen*"])
    assert result.ret == 0


def test_the_plugin_imports_nothing_until_it_is_used(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        "import sys\n"
        "def test_light():\n"
        "    assert not {'torch', 'transformers', 'jinja2'} & set(sys.modules)\n"
        "    assert 'guard.observing.recorder' not in sys.modules\n"
    )
    go(pytester).assert_outcomes(passed=1)
