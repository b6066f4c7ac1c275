"""Suppression comments, as the engine applies them."""

from __future__ import annotations

import pytest

from cleanguard.catalogue.findings import Finding
from cleanguard.editing.edits import apply
from cleanguard.settings.config import Settings
from lint_rules._engine.checking import check_source

HEAD = "from transformers import AutoModelForCausalLM, AutoTokenizer\n"
LOAD = 'm = AutoModelForCausalLM.from_pretrained("Qwen/Qwen2.5-7B")'
ON = Settings(select=("CG101", "CG102", "CG104", "CG901"))


def check(text: str, settings: Settings = ON) -> tuple[Finding, ...]:
    return check_source("script.py", text.encode(), settings)


def codes(text: str, settings: Settings = ON) -> list[str]:
    return [found.code for found in check(text, settings)]


def fixed(text: str, settings: Settings = ON) -> str:
    edits = [e for found in check(text, settings) if found.fix for e in found.fix.edits]
    return apply(text.encode(), edits).decode()


_SUPPRESSED = [
    pytest.param(f"{LOAD}  # cleanguard: ignore[CG101] measured by hand\n", id="on-the-line"),
    pytest.param(f"{LOAD}  # cleanguard: ignore[raw-model-load] measured\n", id="by-name"),
    pytest.param(f"{LOAD}  # noqa: E501  # cleanguard: ignore[CG101] why\n", id="after-another"),
    pytest.param(f"{LOAD}  # cleanguard: ignore[CG101] why  # noqa: E501\n", id="before-another"),
    pytest.param(f"{LOAD}  #cleanguard:ignore[CG101]: why\n", id="without-blanks"),
    pytest.param(
        'm = AutoModelForCausalLM.from_pretrained(  # cleanguard: ignore[CG101] why\n    "gpt2",\n)\n',
        id="on-the-first-line",
    ),
    pytest.param(
        'm = AutoModelForCausalLM.from_pretrained(\n    "gpt2",\n)  # cleanguard: ignore[CG101] why\n',
        id="on-the-last-line",
    ),
    pytest.param(f"# cleanguard: ignore-file[CG101] a benchmark\n{LOAD}\n{LOAD}\n", id="file"),
    pytest.param(f"{LOAD}\n# cleanguard: ignore-file[CG101] at the end\n", id="file-at-the-end"),
]


@pytest.mark.parametrize("text", _SUPPRESSED)
def test_a_suppressed_finding_is_gone_and_nothing_is_unused(text: str) -> None:
    assert codes(HEAD + text) == []


_KEPT = [
    pytest.param(f"# cleanguard: ignore[CG101] why\n{LOAD}\n", id="line-above"),
    pytest.param(f"{LOAD}  # cleanguard: ignore[CG102] why\n", id="another-code"),
    pytest.param(
        'm = AutoModelForCausalLM.from_pretrained(\n    "gpt2",  # cleanguard: ignore[CG101] x\n)\n',
        id="a-line-between",
    ),
]


@pytest.mark.parametrize("text", _KEPT)
def test_a_comment_elsewhere_suppresses_nothing_and_is_unused(text: str) -> None:
    assert sorted(codes(HEAD + text)) == ["CG101", "CG901"]


def test_several_codes_on_one_line() -> None:
    text = HEAD + (
        f'{LOAD}; t = AutoTokenizer.from_pretrained("gpt2")  # cleanguard: ignore[CG101, CG102] why\n'
    )
    assert codes(text) == []


def test_text_that_only_looks_like_a_comment_is_none() -> None:
    assert codes(f'{HEAD}{LOAD}; s = "# cleanguard: ignore[CG101] why"\n') == ["CG101"]


def test_prose_about_the_tool_is_no_order() -> None:
    assert codes("# cleanguard: checked in CI, see the docs\nx = 1\n") == []


_MALFORMED = [
    pytest.param("ignore[CG101]", "gives no reason", id="no-reason"),
    pytest.param("ignore[CG101] --", "gives no reason", id="dashes-are-no-reason"),
    pytest.param("ignore", "names no code", id="no-codes"),
    pytest.param("ignore[] why", "no code", id="empty-codes"),
    pytest.param("ignore[CG2022] why", "did you mean 'CG202'", id="unknown-code"),
    pytest.param("ignore[raw-model-lod] why", "did you mean 'raw-model-load'", id="unknown-name"),
    pytest.param("ignor[CG101] why", "did you mean 'ignore'", id="unknown-kind"),
    pytest.param("noqa CG101", "is not a suppression", id="another-tool's-word"),
    pytest.param("ignore[CG901] why", "cannot be suppressed", id="the-watchman"),
]


@pytest.mark.parametrize(("body", "message"), _MALFORMED)
def test_a_malformed_comment_suppresses_nothing_and_says_why(body: str, message: str) -> None:
    load, comment = sorted(check(f"{HEAD}{LOAD}  # cleanguard: {body}\n"), key=lambda f: f.code)
    assert (load.code, comment.code, comment.severity) == ("CG101", "CG901", "warning")
    assert message in comment.message
    assert comment.fix is None


def test_reasons_can_be_made_optional() -> None:
    settings = Settings(select=ON.select, require_suppression_reason=False)
    assert codes(f"{HEAD}{LOAD}  # cleanguard: ignore[CG101]\n", settings) == []


_REMOVED = [
    pytest.param("x = 1  # cleanguard: ignore[CG101] why\n", "x = 1\n", id="trailing"),
    pytest.param("# cleanguard: ignore[CG101] why\nx = 1\n", "x = 1\n", id="whole-line"),
    pytest.param("    # cleanguard: ignore[CG101] why", "", id="last-line-without-end"),
    pytest.param(
        "x = 1  # noqa: E501  # cleanguard: ignore[CG101] why\n",
        "x = 1  # noqa: E501\n",
        id="after-another",
    ),
    pytest.param(
        "x = 'é'  # cleanguard: ignore[CG101] é  # noqa: E501\n",
        "x = 'é'  # noqa: E501\n",
        id="before-another",
    ),
    pytest.param("x = 1  # cleanguard: ignore[CG101] why\r\n", "x = 1\r\n", id="crlf"),
    pytest.param(
        f"{HEAD}{LOAD}  # cleanguard: ignore[CG104, CG101] why\n",
        f"{HEAD}{LOAD}  # cleanguard: ignore[CG101] why\n",
        id="one-of-two-codes",
    ),
    pytest.param("x = 1  # cleanguard: ignore[CG503] why\n", "x = 1\n", id="code-without-rule"),
]


@pytest.mark.parametrize(("before", "after"), _REMOVED)
def test_an_unused_comment_is_a_warning_with_a_safe_fix(before: str, after: str) -> None:
    (finding,) = check(before)
    assert finding.fix is not None
    assert (finding.code, finding.severity, finding.fix.applicability) == (
        "CG901",
        "warning",
        "safe",
    )
    assert fixed(before) == after


def test_a_code_that_was_not_looked_for_is_not_called_unused() -> None:
    text = "x = 1  # cleanguard: ignore[CG101] why\n"
    assert codes(text, Settings(select=("CG3", "CG901"))) == []
    assert codes(text, Settings(select=("CG101",))) == []


def test_a_broken_file_stays_unreadable() -> None:
    assert codes("# cleanguard: ignore-file[CG900] generated\ndef f(:\n") == ["CG900"]
