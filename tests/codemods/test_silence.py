"""What the check keeps quiet is not rewritten either."""

from __future__ import annotations

from pathlib import Path

import pytest

from cleanguard.settings.config import Settings, load_settings
from codemods.migration import migrate_source
from tests.codemods.conftest import Migrate

SCRIPT = """\
from transformers import AutoModelForCausalLM, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained("gpt2")
tokenizer.chat_template = None
model = AutoModelForCausalLM.from_pretrained("gpt2")
"""


@pytest.mark.parametrize("key", ["ignore", "per-file-ignores", "loader-modules"])
def test_what_the_configuration_ignores_stays(tmp_path: Path, key: str) -> None:
    value = {
        "ignore": '["CG1"]',
        "per-file-ignores": '{ "*.py" = ["CG1"] }',
        "loader-modules": '["*.py"]',
    }[key]
    (tmp_path / "pyproject.toml").write_text(f"[tool.cleanguard]\n{key} = {value}\n")
    path = tmp_path / "script.py"
    settings = load_settings(tmp_path)
    plan = migrate_source(str(path), SCRIPT.encode(), settings)
    assert (plan.changed, plan.sites, plan.refusal) == (False, (), None)
    assert migrate_source(str(path), SCRIPT.encode(), Settings()).changed


def test_a_suppressed_load_and_its_template_stay(migrate: Migrate) -> None:
    quiet = SCRIPT.replace('"gpt2")\ntok', '"gpt2")  # cleanguard: ignore[CG102] tests\ntok')
    plan = migrate(quiet)
    assert plan.refusal is None
    after = plan.after.decode()
    assert "# cleanguard: ignore[CG102] tests" in after
    assert "CleanModelLoader" in after
    assert "tokenizer.chat_template = None" in after
    assert not migrate("# cleanguard: ignore-file[CG101, CG102, CG103] old\n" + SCRIPT).changed
