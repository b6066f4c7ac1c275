"""Code from the hub runs only if it is trusted and pinned, wherever it comes from."""

from __future__ import annotations

from collections.abc import Callable
from importlib.machinery import ModuleSpec
from pathlib import Path
from typing import Any

import pytest

from guard import CleanModelLoader
from guard.errors import RemoteCodeError
from guard.files import remote_code

COMMIT = "0123456789abcdef0123456789abcdef01234567"
KERNEL = "kernels-community/flash-attn2"
Edited = Callable[..., Path]


def test_code_of_another_repository_needs_a_commit_of_its_own(edited: Edited) -> None:
    path = edited(config={"auto_map": {"AutoModelForCausalLM": "someone/code--modeling.Model"}})
    with pytest.raises(RemoteCodeError, match=r"takes its code from someone/code.*None") as caught:
        CleanModelLoader(path, trust_remote_code=True).load()
    assert "code_revision" in caught.value.remedy
    with pytest.raises(RemoteCodeError, match="code_revision='main'"):
        CleanModelLoader(path, trust_remote_code=True, code_revision="main").load()


def test_the_commit_of_the_code_reaches_transformers(
    edited: Edited, monkeypatch: pytest.MonkeyPatch
) -> None:
    import transformers

    path = edited(config={"auto_map": {"AutoModelForCausalLM": "someone/code--modeling.Model"}})
    seen: list[dict[str, Any]] = []
    real = transformers.AutoTokenizer.from_pretrained

    def spy(*args: Any, **options: Any) -> Any:
        seen.append(dict(options))
        # The code itself is on no hub here.
        return real(*args, **{**options, "trust_remote_code": False, "code_revision": None})

    def refuse(*_args: Any, **options: Any) -> Any:
        seen.append(dict(options))
        raise OSError("stop")

    monkeypatch.setattr(transformers.AutoTokenizer, "from_pretrained", spy)
    monkeypatch.setattr(transformers.AutoModelForCausalLM, "from_pretrained", refuse)
    with pytest.raises(Exception, match="stop"):
        CleanModelLoader(path, trust_remote_code=True, code_revision=COMMIT).load()
    assert [options["code_revision"] for options in seen] == [COMMIT, COMMIT]


def test_own_code_of_a_directory_needs_no_commit(edited: Edited) -> None:
    code = {"AutoConfig": "own.OwnConfig", "AutoModelForCausalLM": "own.OwnModel"}
    path = edited(config={"auto_map": code})
    (path / "own.py").write_text(
        "from transformers import Qwen2Config, Qwen2ForCausalLM\n"
        "class OwnConfig(Qwen2Config):\n    pass\n"
        "class OwnModel(Qwen2ForCausalLM):\n    config_class = OwnConfig\n"
    )
    provenance = CleanModelLoader(path, trust_remote_code=True).load().provenance
    [found] = [check for check in provenance.checks if check.name == "no-remote-code"]
    assert (found.verdict, found.detail) == ("overridden", "the model's own code")
    assert provenance.overrides == ("trust_remote_code",)


@pytest.mark.parametrize(
    ("name", "trust"),
    [
        (KERNEL, False),
        (KERNEL, True),
        (f"{KERNEL}@main", True),
        (f"{KERNEL}@{COMMIT}", False),
        ({"text_config": KERNEL}, True),
    ],
)
def test_a_kernel_from_the_hub_is_code(tiny_dir: Path, name: Any, trust: bool) -> None:
    loader = CleanModelLoader(tiny_dir, attn_implementation=name, trust_remote_code=trust)
    with pytest.raises(RemoteCodeError, match="fetches a kernel from the hub") as caught:
        loader.load()
    assert "40 hex" in caught.value.remedy


def test_flash_attention_is_not_fetched_in_silence(
    tiny_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    specs = {"kernels": ModuleSpec("kernels", None), "flash_attn": None}
    monkeypatch.setattr(remote_code, "find_spec", specs.get)
    with pytest.raises(RemoteCodeError, match="flash_attn is not installed"):
        CleanModelLoader(tiny_dir, attn_implementation="flash_attention_2").load()


def test_sdpa_and_eager_are_no_code(tiny_dir: Path) -> None:
    for name in ("sdpa", "eager"):
        provenance = CleanModelLoader(tiny_dir, attn_implementation=name).load().provenance
        assert provenance.model.attention == name
        assert "trust_remote_code" not in provenance.overrides
