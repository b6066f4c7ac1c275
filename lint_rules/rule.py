"""What a lint rule is, and what it says about a place."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from cleanguard.catalogue.findings import Confidence, Fix
from cleanguard.catalogue.hazards import Hazard, Severity
from lint_rules._flow.analysis import Flow
from lint_rules._light import tree as cst
from lint_rules.edits import Edit


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
        edits: The rewrite of a safe or unsafe fix; all of them are made, or none.
    """

    node: cst.CSTNode
    message: str
    confidence: Confidence = "followed"
    severity: Severity | None = None
    remedy: str | None = None
    fix: Fix | None = None
    edits: tuple[Edit, ...] = ()


@dataclass(frozen=True, slots=True)
class Rule:
    """One hazard in the linter.

    Attributes:
        hazard: Its catalogue entry.
        check: Gives the reports for a module.
        bad: Examples that must be reported by this rule.
        good: Examples that must not be.
        beside: Files that stand beside the examples, where a rule looks at the folder.
    """

    hazard: Hazard
    check: Callable[[Flow], Iterator[Report]]
    bad: tuple[str, ...] = field(default=())
    good: tuple[str, ...] = field(default=())
    beside: tuple[str, ...] = field(default=())
