"""Where an adapter's files lie: a folder, or a snapshot of the hub by its commit."""

from __future__ import annotations

from pathlib import Path

import pytest
from huggingface_hub import constants

from guard.adapters.finding import find_adapter
from guard.errors import ModelNotFoundError, SettingsError

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def cached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The snapshot of `acme/lora` in a hub cache."""
    home = tmp_path / "models--acme--lora"
    snapshot = home / "snapshots" / COMMIT
    snapshot.mkdir(parents=True)
    (home / "refs").mkdir()
    (home / "refs" / "main").write_text(COMMIT)
    for name in ("adapter_config.json", "adapter_model.safetensors"):
        (snapshot / name).write_text("{}")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    return snapshot


@pytest.mark.parametrize("revision", [None, "main", COMMIT])
def test_a_hub_id_is_its_snapshot(cached: Path, revision: str | None) -> None:
    assert find_adapter("acme/lora", revision).resolve() == cached.resolve()


def test_a_folder_comes_first(
    cached: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "acme" / "lora").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    assert find_adapter("acme/lora") == Path("acme/lora")
    with pytest.raises(SettingsError, match="no hub id"):
        find_adapter("acme/lora", "main")


@pytest.mark.usefixtures("cached")
def test_what_the_hub_does_not_have_is_told() -> None:
    with pytest.raises(ValueError, match="acme/other") as caught:  # which PEFT raises as well
        find_adapter("acme/other")
    assert isinstance(caught.value, ModelNotFoundError)
    with pytest.raises(SettingsError, match="no string"):
        find_adapter("acme/lora", 7)  # type: ignore[arg-type]
