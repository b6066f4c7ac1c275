from __future__ import annotations

import copy
import hashlib
import json
import pickle
from collections.abc import Mapping
from dataclasses import FrozenInstanceError, replace
from pathlib import Path
from typing import Any

import pytest

from guard import Loaded
from guard.prompts.policy import tokenizer_digest
from guard.provenance.record import Event


def test_reads_as_mapping_attribute_and_json(tiny: Loaded) -> None:
    statement = tiny.provenance
    assert isinstance(statement, Mapping)
    assert statement["model_id"] == statement.model_id
    assert statement.get("no_such") is None
    assert list(statement) == list(statement.to_dict())
    assert json.loads(json.dumps(statement.to_dict())) == statement.to_dict()
    with pytest.raises(KeyError):
        statement["to_dict"]
    with pytest.raises(FrozenInstanceError):
        statement.model_id = "other"  # type: ignore[misc]


def test_survives_copy_and_pickle(tiny: Loaded) -> None:
    for again in (copy.deepcopy(tiny.provenance), pickle.loads(pickle.dumps(tiny.provenance))):
        assert again.to_dict() == tiny.provenance.to_dict()


def test_file_digests_are_those_of_the_files(tiny: Loaded, tiny_dir: Path) -> None:
    files = {file.name: file for file in tiny.provenance.model.files}
    assert {"model.safetensors", "tokenizer.json", "config.json"} <= set(files)
    for name, record in files.items():
        content = (tiny_dir / name).read_bytes()
        assert (record.size, record.sha256) == (len(content), hashlib.sha256(content).hexdigest())


def test_tokenizer_digest_ignores_padding_and_sees_tokens(raw: tuple[Any, Any]) -> None:
    tokenizer = copy.deepcopy(raw[1])
    before = tokenizer_digest(tokenizer)
    tokenizer(["a", "b b b"], padding=True, truncation=True, max_length=2)
    assert tokenizer_digest(tokenizer) == before
    tokenizer.add_tokens(["dogcat"])
    assert tokenizer_digest(tokenizer) != before


def test_measurements(tiny: Loaded) -> None:
    model = tiny.provenance.model
    assert model.parameters == sum(p.numel() for p in tiny.model.parameters())
    assert model.dtypes == {"float32": model.parameters}
    assert (model.kind, model.revision, model.context) == ("local", None, 512)
    assert model.quantization.kind == "none"
    assert tiny.provenance.tokenizer.control_ids == (1, 2)
    assert tiny.provenance.tokenizer.bos_prefix == ()
    assert set(tiny.provenance.tokenizer.templates) == {"default"}
    assert all(check.verdict in {"pass", "recorded"} for check in tiny.provenance.checks)


def test_printed_it_is_a_summary_of_at_most_eight_lines(tiny: Loaded) -> None:
    provenance = tiny.provenance
    text = str(provenance)
    assert len(text.splitlines()) <= 8
    assert provenance.tokenizer.digest[:12] in text
    assert f"{provenance.model.parameters:,} parameters" in text
    events = tuple(Event("unguarded", provenance.created, {}) for _ in range(3))
    whole = replace(provenance, events=events, overrides=("allow_chat_model",))
    assert len(str(whole).splitlines()) <= 8
    assert "allow_chat_model" in str(whole)
    assert "events     unguarded (3)" in str(whole)
    # A check that did not simply pass is named.
    assert "checks passed, pad-is-not-eos recorded, loaded " in text
