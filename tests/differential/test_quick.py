"""As many generated programs as fit into a minute: each does as migrated what it did as it was."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.differential.run import read, report

SECONDS = 45


@pytest.fixture(scope="module")
def found(started, tmp_path_factory: pytest.TempPathFactory) -> list[dict]:
    out = tmp_path_factory.mktemp("differential")
    started(
        "run", "--programs", "400", "--seed", "quick", "--out", str(out), "--seconds", f"{SECONDS}"
    )
    return read(Path(out))


def test_no_program_means_something_else(found):
    assert [(x["seed"], x["kind"], x["text"]) for x in found if x["status"] == "different"] == []


def test_the_proof_is_not_vacuous(found):
    """Loads and generations of each family were rewritten and compared."""
    compared = [x for x in found if x["status"] == "same"]
    assert len(compared) >= len(found) / 4, report(found)
    assert sum(x["calls"] for x in compared) >= len(compared), report(found)
    for family in ("qwen", "llama3", "llama2"):
        own = [x for x in compared if f"family={family}" in x["tags"]]
        for code in ("CG101", "CG102", "CG301"):
            assert any(x["rewritten"].get(code) for x in own), report(found)
