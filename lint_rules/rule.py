"""What a lint rule is, and what it says about a place."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Literal

import libcst as cst

from cleanguard.findings import Confidence, Fix
from cleanguard.hazards import Hazard, Severity
from lint_rules._flow.analysis import Flow


@dataclass(frozen=True, slots=True)
class TextEdit:
    """A rewrite of one node's text; whitespace and comments around the node stay.

    Attributes:
        node: The node whose place counts.
        text: What to write there; empty with `replace` deletes the node.
        place: Instead of the node, or right before or after it.
    """

    node: cst.CSTNode
    text: str
    place: Literal["replace", "before", "after"] = "replace"


@dataclass(frozen=True, slots=True)
class Report:
    """One hazard at one node.

    Attributes:
        node: The call or statement; its first character is the finding's location.
        message: What is wrong here.
        confidence: How the values were known; `named` makes the finding a warning.
        severity: Overrides the hazard's, e.g. for a model id that is not known.
        remedy: Overrides the hazard's where this place needs another.
        fix: What can be rewritten.
        edits: The rewrite, where `fix` is safe or unsafe; all of them are made, or none.
    """

    node: cst.CSTNode
    message: str
    confidence: Confidence = "followed"
    severity: Severity | None = None
    remedy: str | None = None
    fix: Fix | None = None
    edits: tuple[TextEdit, ...] = ()


@dataclass(frozen=True, slots=True)
class Rule:
    """One hazard in the linter.

    Attributes:
        hazard: Its catalogue entry.
        check: Gives the reports for a module.
        bad: Examples that must be reported by this rule.
        good: Examples that must not be.
    """

    hazard: Hazard
    check: Callable[[Flow], Iterator[Report]]
    bad: tuple[str, ...] = field(default=())
    good: tuple[str, ...] = field(default=())
