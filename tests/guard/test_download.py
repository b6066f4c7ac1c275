"""What is fetched of a repository: what the model and its tokenizer are read from, and not other runtimes' copies."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from huggingface_hub.utils import filter_repo_objects  # type: ignore[attr-defined]

from guard.files import hub

FILES = [
    *("config.json", "generation_config.json", "model.safetensors", "tokenizer.json", "vocab.json", "merges.txt"),
    *("rust_model.ot", "64.tflite", "tf_model.h5", "flax_model.msgpack", "onnx/decoder_model.onnx", "model.gguf"),
    *("coreml/text-generation/model.mlpackage/Data/weight.bin", "openvino/openvino_model.bin", "pytorch_model.bin"),
    *("openvino_model.xml", "README.md"),
]  # fmt: skip


@pytest.mark.parametrize(("pickles", "more"), [(False, set()), (True, {"pytorch_model.bin"})])
def test_only_what_torch_reads(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, more: set[str], *, pickles: bool
) -> None:
    asked: dict[str, Any] = {}

    def fetched(_: str, **options: Any) -> str:
        asked.update(options)
        return str(tmp_path)

    monkeypatch.setattr("guard.files.hub.huggingface_hub.snapshot_download", fetched)
    given: dict[str, Any] = {
        "cache_dir": None,
        "token": None,
        "local_files_only": False,
        "weights": True,
    }
    hub.download("a/b", "0" * 40, pickles=pickles, **given)
    kept = set(
        filter_repo_objects(
            FILES, allow_patterns=asked["allow_patterns"], ignore_patterns=asked["ignore_patterns"]
        )
    )
    assert kept == {*FILES[:6], *more}
