from __future__ import annotations

import ast
import inspect
import pickle
from pathlib import Path

import guard
import stages
from cleanguard.catalogue import hazards
from cleanguard.catalogue.hazards import CATALOGUE
from guard import errors
from guard.errors import ContaminationError, GuardError

# What the trace reports of a script, and what is told of a watched model, is no refusal, and stands in no record of the
# guard's.
SOURCES = sorted(
    path
    for path in Path(guard.__file__).parent.rglob("*.py")
    if not {"tracing", "watching"} & {*path.parts}
)
STAGES = sorted(Path(stages.__file__).parent.rglob("*.py"))


def names_in_calls() -> tuple[set[str], set[str]]:
    """Error classes that a `raise` or a helper makes, and hazards named outside errors.py."""
    called: set[str] = set()
    recorded: set[str] = set()
    for path in SOURCES:
        if path.name == "errors.py":
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                called.add(node.func.id)
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                recorded |= {node.attr} if node.value.id == "hazards" else set()
    return called, recorded


def named_in_stages() -> set[str]:
    """Codes of the hazards that the stages, which run on the guard, raise or report."""
    found: set[str] = set()
    for path in STAGES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and node.module == "cleanguard.catalogue.hazards":
                found |= {alias.name for alias in node.names}
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                found |= {node.attr} if node.value.id == "hazards" else set()
    return {getattr(hazards, name).code for name in found}


def classes() -> list[type[GuardError]]:
    return [
        kind
        for _, kind in inspect.getmembers(errors, inspect.isclass)
        if issubclass(kind, GuardError) and kind is not GuardError
    ]


def test_every_error_class_is_raised_somewhere() -> None:
    called, _ = names_in_calls()
    assert {kind.__name__ for kind in classes()} <= called


def test_the_catalogue_says_what_the_guard_covers() -> None:
    called, recorded = names_in_calls()
    raised = {k.hazard.code for k in classes() if k.hazard and k.__name__ in called}
    noted = {getattr(hazards, name).code for name in recorded}
    assert {hazard.code for hazard in CATALOGUE if hazard.guarded} == (
        raised | noted | named_in_stages()
    )


def test_message_holds_code_reason_and_remedy() -> None:
    error = ContaminationError("found it", evidence={"at": 3})
    assert str(error).startswith("CG204 control-token-literal: found it\n  remedy: ")
    assert error.code == "CG204"
    again = pickle.loads(pickle.dumps(error))
    assert (str(again), again.evidence) == (str(error), {"at": 3})
