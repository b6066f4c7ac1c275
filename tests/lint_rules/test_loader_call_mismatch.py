"""The copied keywords are those of the guard's own signatures."""

from __future__ import annotations

import inspect

import pytest

from lint_rules._questions.loader_signature import LOADER_KEYWORDS, METHOD_KEYWORDS, POSITIONS


def _keywords(function) -> tuple[set[str], int]:
    parameters = [p for p in inspect.signature(function).parameters.values() if p.name != "self"]
    positional = [p for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD]
    named = {p.name for p in parameters if p.kind is not p.VAR_KEYWORD}
    return named, len(positional)


@pytest.fixture(scope="module")
def loader():
    return pytest.importorskip("guard.loader").CleanModelLoader


def test_the_constructor_takes_these_keywords(loader):
    assert _keywords(loader.__init__) == (set(LOADER_KEYWORDS), POSITIONS["CleanModelLoader"])


@pytest.mark.parametrize("method", sorted(METHOD_KEYWORDS))
def test_a_method_takes_these_keywords(loader, method):
    from guard.settings.id_options import IDS_KEYWORDS
    from guard.settings.settled import GENERATION_KEYWORDS

    named, positional = _keywords(getattr(loader, method))
    if method in ("generate", "generate_batch", "complete"):
        named |= GENERATION_KEYWORDS
    if method == "generate_ids":
        named |= IDS_KEYWORDS
    assert (named, positional) == (set(METHOD_KEYWORDS[method]), POSITIONS[method])
