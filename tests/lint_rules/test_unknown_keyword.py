"""Which version counts, what is a slip and what a rename, and that the data fits the libraries."""

from __future__ import annotations

import importlib
import inspect
from importlib import metadata

import pytest

from cleanguard.settings.config import Settings
from lint_rules._questions import signatures
from lint_rules._questions.signatures import known

_MAX_SEQ = "from trl import SFTConfig\nSFTConfig(output_dir='o', max_seq_length=1)\n"


@pytest.fixture
def nothing_installed(monkeypatch):
    monkeypatch.setattr(signatures, "_installed", lambda library: None)


@pytest.mark.parametrize(
    ("targets", "expected"),
    [
        pytest.param((), ["warning"], id="unknown-version-is-a-warning"),
        pytest.param(("transformers>=5.0",), ["error"], id="configured-new"),
        pytest.param(("transformers==4.57.6",), [], id="configured-old-has-it"),
    ],
)
def test_the_version_decides(check, nothing_installed, targets, expected):
    text = "from transformers import TrainingArguments\nTrainingArguments('o', no_cuda=True)\n"
    found = check(text, Settings(select=("CG110",), target_versions=targets))
    assert [finding.severity for finding in found] == expected


def test_an_invented_keyword_is_an_error_whatever_the_version(check, nothing_installed):
    text = "from transformers import TrainingArguments\nTrainingArguments('o', learning_rat=1)\n"
    (finding,) = check(text, Settings(select=("CG110",)))
    assert (finding.severity, finding.fix.applicability) == ("error", "safe")
    (edit,) = finding.edits
    assert (text[: edit.start] + edit.text + text[edit.end :]).endswith("learning_rate=1)\n")


def test_a_rename_is_written_in_place(check):
    (finding,) = check(_MAX_SEQ, Settings(select=("CG110",), target_versions=("trl==1.16",)))
    (edit,) = finding.edits
    assert _MAX_SEQ[: edit.start] + edit.text + _MAX_SEQ[edit.end :] == _MAX_SEQ.replace(
        "max_seq_length", "max_length"
    )


@pytest.mark.parametrize(
    "name", ["transformers.TrainingArguments", "transformers.BitsAndBytesConfig", "peft.LoraConfig"]
)
def test_the_data_fits_the_installed_library(name):
    library, _, attribute = name.partition(".")
    pytest.importorskip(library)
    version = metadata.version(library)
    entry = known(library, attribute, (f"{library}=={version}",))
    assert entry is not None
    if entry.version != version:
        pytest.skip(f"the data has {library} {entry.version}, installed is {version}")
    parameters = inspect.signature(getattr(importlib.import_module(library), attribute)).parameters
    real = {p.name for p in parameters.values() if p.kind is not p.VAR_KEYWORD}
    assert entry.keywords == real
