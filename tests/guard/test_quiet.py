"""What bitsandbytes says at every layer is said once; everything else it says stays."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from cleanguard.cli.quiet import quieten
from guard import CleanModelLoader
from guard.base.quiet import quiet_bitsandbytes

LAYERS = logging.getLogger("bitsandbytes.autograd._functions")
CPU = logging.getLogger("bitsandbytes.backends.cpu.ops")


def test_int8_layers_speak_at_most_once(tiny_dir: Path, caplog: pytest.LogCaptureFixture) -> None:
    model, tokenizer, _ = CleanModelLoader(tiny_dir, load_in_8bit=True, dtype="bfloat16").load()
    with caplog.at_level(logging.WARNING):
        CleanModelLoader.generate(model, tokenizer, "3 plus 4 is", max_new_tokens=4)
    said = [r for r in caplog.records if "MatMul8bitLt" in r.getMessage()]
    assert len(said) <= 1
    quiet_bitsandbytes()
    assert len(LAYERS.filters) == 1


def test_each_dtype_is_said_once_and_other_warnings_every_time(
    caplog: pytest.LogCaptureFixture,
) -> None:
    quiet_bitsandbytes()
    cast = "MatMul8bitLt: inputs will be cast from %s to float16 during quantization"
    # Legacy scripts that the tests run in this process turn the whole library down.
    with caplog.at_level(logging.WARNING), caplog.at_level(logging.WARNING, "bitsandbytes"):
        for _ in range(3):
            LAYERS.warning(cast, "a dtype of this test")
            LAYERS.warning("something is wrong: %s", "a")
            CPU.warning("Failed to load CPU gemm_4bit_forward from kernels-community: %s.", "x")
            CPU.warning("another failure")
    said = [record.getMessage() for record in caplog.records]
    assert len([text for text in said if "a dtype of this test" in text]) == 1
    assert said.count("something is wrong: a") == 3
    assert said.count("another failure") == 3
    assert not [text for text in said if "gemm_4bit_forward" in text]


def test_commands_are_quiet_before_the_libraries_are_imported(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(CPU, "filters", [])
    quieten()
    said = logging.makeLogRecord(
        {"msg": "Failed to load CPU gemm_4bit_forward from kernels-community: %s"}
    )
    assert not CPU.filter(said)
