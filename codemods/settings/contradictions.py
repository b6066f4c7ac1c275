"""Settings of a generation that the guard refuses when the script runs: the call is left then."""

from __future__ import annotations

from codemods.plan.sites import CannotRewrite
from codemods.script.dict_keys import Keys
from lint_rules._flow.values.arguments import UNSET
from lint_rules._flow.values.joins import Constant, Value

_SWITCHES = ("do_sample", "use_cache")
# Keyword: the least value, and the most, that the guard takes; a test asks the guard itself.
_RANGES: dict[str, tuple[float, float]] = {
    "max_new_tokens": (1, float("inf")),
    "max_length": (1, float("inf")),
    "min_new_tokens": (0, float("inf")),
    "num_beams": (1, float("inf")),
    "num_return_sequences": (1, float("inf")),
    "temperature": (0, float("inf")),
    "top_p": (1e-300, 1),
    "min_p": (0, 1),
    "repetition_penalty": (1e-300, float("inf")),
    "eos_token_id": (0, float("inf")),
    "pad_token_id": (0, float("inf")),
}


def refuse_contradictions(keys: Keys) -> None:
    """Leaves a call whose settings the guard would not take, as far as they are written out.

    Raises:
        CannotRewrite: It would raise in the migrated script.
    """
    for name, options in keys.values.items():
        for value in options:
            _refuse_out_of_range(name, value)
    greedy = all(_is(value, False, None) for value in keys.values.get("do_sample", ()))
    beams = keys.values.get("num_beams", ())
    if not greedy and not all(_is(value, 1, None) for value in beams):
        raise CannotRewrite(
            "it samples with `num_beams`, which the guard refuses; choose one: beams, or do_sample"
        )
    least, most = _literal(keys, "min_new_tokens"), _literal(keys, "max_new_tokens")
    if isinstance(least, int) and isinstance(most, int) and least > most:
        raise CannotRewrite(f"it asks for min_new_tokens={least} with max_new_tokens={most}")
    if _literal(keys, "do_sample") is True and _literal(keys, "temperature") in (0, 0.0):
        raise CannotRewrite("it samples with temperature=0, which the guard refuses")
    count, most = _literal(keys, "num_return_sequences"), _literal(keys, "num_beams")
    most = 1 if not beams or most is None else most
    if greedy and isinstance(count, int) and isinstance(most, int) and count > max(most, 1):
        raise CannotRewrite(f"{count} texts from a greedy call are the same text")


def _refuse_out_of_range(name: str, value: Value) -> None:
    said = value.value if isinstance(value, Constant) and value.fixed else None
    switched = name in _SWITCHES and said is not None and not isinstance(said, bool)
    least, most = _RANGES.get(name, (float("-inf"), float("inf")))
    number = said if isinstance(said, (int, float)) and not isinstance(said, bool) else least
    if switched or not least <= number <= most:
        raise CannotRewrite(f"the guard refuses {name}={said!r}")


def _is(value: Value, *said: object) -> bool:
    """Whether a value is one of these literals, not only equal to it: True is not 1."""
    if not isinstance(value, Constant) or not value.fixed:
        return False
    return any(value.value is option for option in said)


def _literal(keys: Keys, name: str) -> object:
    """The literal that certainly stands under a key."""
    values = keys.values.get(name, ())
    if len(values) != 1 or not keys.is_certain(name) or not isinstance(values[0], Constant):
        return UNSET
    return values[0].value if values[0].fixed else UNSET
