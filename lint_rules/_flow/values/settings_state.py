"""What objects are set to at a point of a walk: `tokenizer.padding_side`, the seed, a config's fields.

A name holds the same object before and after an attribute is assigned, so this is kept by the object and
not by its name. It goes along with the walk: what is set later does not reach an earlier use.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

from lint_rules._flow.values.joins import (
    CausalLM,
    LibraryObject,
    Method,
    Tokenizer,
    Value,
    join,
)

# The kind of the object and where it comes from, and the attribute.
Key: TypeAlias = tuple[str, object, str]
# Never changed: a walk that sets something makes a new one, so that events can keep theirs.
State: TypeAlias = Mapping[Key, Value]
NOTHING_SET: State = {}
# What rules ask about; to keep more would only make functions be walked again.
_KEPT = frozenset(
    ["padding_side", "add_bos_token", "chat_template", "pad_token", "pad_token_id", "generation_config",
     "do_sample", "temperature", "seed"]
)  # fmt: skip
# The generator that torch samples with has no object in a script.
SEED: Key = ("generator", None, "seed")


def key_of(owner: Value, attribute: str) -> Key | None:
    """The key of an object's attribute; None for what is no object of ours."""
    if isinstance(owner, (Tokenizer, CausalLM, LibraryObject)):
        return (type(owner).__name__, owner.origin, attribute)
    if isinstance(owner, Method) and owner.name in ("generation_config", "config"):
        inner = owner.receiver
        if isinstance(inner, (CausalLM, LibraryObject)):
            return (type(inner).__name__, inner.origin, f"{owner.name}.{attribute}")
    return None


def is_kept(attribute: str) -> bool:
    """Whether any rule asks what an attribute was set to."""
    return attribute in _KEPT or attribute.startswith("adapter ")


def with_setting(state: State, key: Key, value: Value) -> State:
    """The state after an object's attribute is set."""
    return {**state, key: value}


def merged_states(states: list[State]) -> State:
    """What may be set after any of several branches."""
    first = states[0]
    if all(state is first for state in states):
        return first
    merged = dict(first)
    for state in states[1:]:
        if state is first:
            continue
        for key, value in state.items():
            known = merged.get(key)
            merged[key] = value if known is None else join(known, value)
    return merged
