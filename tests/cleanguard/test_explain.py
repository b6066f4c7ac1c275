"""Pages about hazards."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cleanguard.catalogue.explain import Page, as_markdown, find, reporters
from cleanguard.catalogue.hazards import ADAPTER_AS_BASE, RAW_GENERATE, UNREADABLE
from cleanguard.errors import JobError


@pytest.mark.parametrize("query", ["CG301", "cg301", "raw-generate", "Raw-Generate"])
def test_find(query: str) -> None:
    assert find(query) is RAW_GENERATE


@pytest.mark.parametrize(
    ("query", "problem"),
    [
        (
            "raw-generat",
            "'raw-generat' is not a hazard; did you mean 'raw-generate'? `cleanguard explain` lists",
        ),
        ("xyzzy", "'xyzzy' is not a hazard; `cleanguard explain` lists them all"),
    ],
)
def test_find_proposes_the_nearest(query: str, problem: str) -> None:
    with pytest.raises(JobError) as caught:
        find(query)
    assert str(caught.value).startswith(problem)


def test_reporters() -> None:
    hazard = replace(RAW_GENERATE, linted=True, guarded=True, traced=False, default=True)
    assert reporters(hazard) == "`cleanguard check` and the runtime guard"
    assert reporters(replace(hazard, traced=True)) == (
        "`cleanguard check`, `cleanguard trace` and the runtime guard"
    )
    assert (
        reporters(replace(hazard, guarded=False, default=False))
        == "`cleanguard check`, when selected"
    )
    assert reporters(replace(hazard, linted=False, default=False)) == "the runtime guard"
    assert reporters(replace(hazard, linted=False, guarded=False)) == "nobody yet"


def test_markdown() -> None:
    hazard = replace(
        RAW_GENERATE,
        summary="bad",
        why="from_pretrained lies",
        remedy="go",
        guarded=False,
        traced=False,
    )
    page = Page(hazard, bad=("x = 1\n",), good=("y = 1\n", "z = 1\n"))
    assert as_markdown(page) == (
        "# CG301 raw-generate\n\n"
        "**error** · reported by `cleanguard check` · rewritten by `cleanguard migrate`\n\n"
        "Bad.\n\n"
        "## Why\n\nfrom_pretrained lies.\n\n"
        "## Remedy\n\nGo.\n\n"
        "## Bad\n\n```python\nx = 1\n```\n\n"
        "## Good\n\n```python\ny = 1\n```\n\n```python\nz = 1\n```\n"
    )
    assert "## Bad" not in as_markdown(Page(UNREADABLE))
    assert "rewritten by hand" in as_markdown(Page(ADAPTER_AS_BASE))
