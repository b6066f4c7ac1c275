"""The hooks for pre-commit call commands that exist."""

from __future__ import annotations

from pathlib import Path

import pytest

from cleanguard.cli.command_group import COMMANDS

yaml = pytest.importorskip("yaml", reason="PyYAML comes with the guard extra")

HOOKS = yaml.safe_load(
    (Path(__file__).resolve().parents[1] / ".pre-commit-hooks.yaml").read_text(encoding="utf-8")
)


def test_the_hooks_are_the_promised_ones() -> None:
    assert [hook["id"] for hook in HOOKS] == ["cleanguard", "cleanguard-migrate"]


@pytest.mark.parametrize("hook", HOOKS, ids=lambda hook: hook["id"])
def test_a_hook_is_light_and_calls_a_command(hook: dict[str, object]) -> None:
    program, command = str(hook["entry"]).split()
    assert program == "cleanguard"
    assert command in COMMANDS
    assert hook["language"] == "python"
    assert hook["types_or"] == ["python", "pyi", "jupyter"]
    assert hook["require_serial"] is True
    assert "additional_dependencies" not in hook
