"""Says what becomes of a text: `check_transformed` and `check_noop`, with the proof and a second run."""

from __future__ import annotations

import ast
from collections.abc import Callable

import pytest

from cleanguard.settings.config import Settings
from codemods.migration import Migration, migrate_source

Migrate = Callable[..., Migration]
Check = Callable[..., Migration]


@pytest.fixture
def migrate() -> Migrate:
    """The plan for a text, or for bytes."""

    def run(source: str | bytes, **options: object) -> Migration:
        raw = source.encode() if isinstance(source, str) else source
        return migrate_source("script.py", raw, Settings(), **options)

    return run


@pytest.fixture
def check_transformed(migrate: Migrate) -> Check:
    """The text becomes the other one, which parses and stays as it is."""

    def run(before: str, after: str, **options: object) -> Migration:
        ast.parse(before)
        ast.parse(after)
        plan = migrate(before, **options)
        assert plan.refusal is None
        assert plan.after.decode() == after
        assert migrate(after, **options).after.decode() == after
        return plan

    return run


@pytest.fixture
def check_noop(migrate: Migrate) -> Check:
    """The text stays as it is."""

    def run(before: str, **options: object) -> Migration:
        ast.parse(before)
        plan = migrate(before, **options)
        assert plan.refusal is None
        assert plan.after.decode() == before
        return plan

    return run


class _Calls(ast.NodeTransformer):
    """Puts one name in the place of each generation."""

    def visit_Call(self, node: ast.Call) -> ast.AST:
        self.generic_visit(node)
        named = isinstance(node.func, ast.Attribute) and node.func.attr
        return ast.Name("made") if named in ("generate", "generate_ids") else node


def _without_calls(text: str) -> list[str]:
    return [ast.unparse(one) for one in _Calls().visit(ast.parse(text)).body]


@pytest.fixture
def check_ids(migrate: Migrate) -> Check:
    """The call becomes `generate_ids` with the ids that it had, and all else that follows the loads stays."""

    def run(loads: str, before: str) -> Migration:
        plan = migrate(loads + before)
        assert plan.refusal is None
        assert [site for site in plan.manual if site.code != "CG201"] == []
        after = plan.after.decode()
        assert ".generate_ids(" in after
        assert "model.generate(" not in after
        kept = _without_calls(before)
        assert _without_calls(after)[-len(kept) :] == kept
        assert migrate(after).after.decode() == after
        return plan

    return run


# What stands before a generation by hand, and what becomes of it; `import torch` goes if unused.
BEFORE = """\
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained("gpt2")
model = AutoModelForCausalLM.from_pretrained("gpt2")
"""
AFTER = """\
from guard import CleanModelLoader

loader = CleanModelLoader("gpt2")
model, tokenizer, provenance = loader.load()
"""


@pytest.fixture
def check_generation(migrate: Migrate) -> Callable[[str, str], None]:
    """A generation after a load becomes the other text, with nothing left to a person."""

    def run(before: str, after: str) -> None:
        plan = migrate(BEFORE + before)
        assert plan.refusal is None
        assert plan.manual == ()
        rewritten = plan.after.decode()
        assert rewritten.removeprefix("import torch\n") == AFTER + after
        assert migrate(rewritten).after.decode() == rewritten

    return run


@pytest.fixture
def check_generation_stays(migrate: Migrate) -> Callable[[str, str | None], None]:
    """A generation after a load stays, with the reason; None for one that is no finding."""

    def run(before: str, reason: str | None) -> None:
        plan = migrate(BEFORE + before)
        assert plan.refusal is None
        assert plan.after.decode().endswith(before)
        assert [site.reason for site in plan.manual if site.code == "CG301"] == (
            [] if reason is None else [reason]
        )

    return run
