"""Binds the names of a `match` statement's patterns to what stands in the subject."""

from __future__ import annotations

from collections.abc import Sequence as Parts

from lint_rules._flow.values.joins import (
    UNKNOWN,
    Constant,
    Mapping,
    Sequence,
    Value,
    element_of,
    join,
    options,
)
from lint_rules._flow.values.scopes import Env
from lint_rules._flow.walking.binding import Evaluates, bind_target
from lint_rules._light import tree as cst


def bind_pattern(evaluator: Evaluates, pattern: cst.MatchPattern, subject: Value, env: Env) -> None:
    """Binds what a pattern captures; what stands where is not known is bound to the unknown."""
    if isinstance(pattern, cst.MatchAs):
        if pattern.pattern is not None:
            bind_pattern(evaluator, pattern.pattern, subject, env)
        if pattern.name is not None:
            bind_target(evaluator, pattern.name, subject, env)
    elif isinstance(pattern, cst.MatchOr):
        for choice in pattern.patterns:
            bind_pattern(evaluator, choice.pattern, subject, env)
    elif isinstance(pattern, cst.MatchSequence):
        _bind_parts(evaluator, pattern.patterns, subject, env)
    elif isinstance(pattern, cst.MatchMapping):
        for element in pattern.elements:
            key = evaluator.evaluate(element.key, env)
            bind_pattern(evaluator, element.pattern, _entry(subject, key), env)
        if pattern.rest is not None:
            bind_target(evaluator, pattern.rest, subject, env)
    elif isinstance(pattern, cst.MatchClass):
        evaluator.evaluate(pattern.cls, env)
        for part in pattern.patterns:
            if isinstance(part, cst.MatchSequenceElement):
                bind_pattern(evaluator, part.value, UNKNOWN, env)
        for keyword in pattern.kwds:
            found: Value = UNKNOWN
            for option in options(subject):
                found = join(found, evaluator.attribute(option, keyword.key.value))
            bind_pattern(evaluator, keyword.pattern, found, env)


def _bind_parts(
    evaluator: Evaluates,
    parts: Parts[cst.MatchSequenceElement | cst.MatchStar],
    subject: Value,
    env: Env,
) -> None:
    listed = list(parts)
    starred = any(isinstance(part, cst.MatchStar) for part in listed)
    for index, part in enumerate(listed):
        value: Value = UNKNOWN
        for option in options(subject):
            exact = isinstance(option, Sequence) and len(option.items) == len(listed)
            if exact and not starred and isinstance(option, Sequence):
                value = join(value, option.items[index])
            elif starred or not isinstance(option, Sequence):
                value = join(value, element_of(option))
        if isinstance(part, cst.MatchSequenceElement):
            bind_pattern(evaluator, part.value, value, env)
        elif part.name is not None:
            bind_target(evaluator, part.name, UNKNOWN, env)


def _entry(subject: Value, key: Value) -> Value:
    found: Value = UNKNOWN
    for option in options(subject):
        if isinstance(option, Mapping) and isinstance(key, Constant):
            found = join(found, option.get(key.value) or option.rest)
    return found
