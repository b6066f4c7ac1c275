"""What becomes of each keyword of a BitsAndBytesConfig: the loader has them all, under the same names."""

from __future__ import annotations

from collections.abc import Iterable

import libcst as cst

from codemods.facts.loader_keywords import literal_of, written
from codemods.plan.sites import CannotRewrite, Note
from codemods.script.script import Script
from lint_rules._flow.values.arguments import UNSET, Argument, Arguments, written_literal
from lint_rules._flow.values.kinds import Constant

_BITS = ("load_in_8bit", "load_in_4bit")
_BOTH = ("llm_int8_skip_modules", "llm_int8_enable_fp32_cpu_offload")
_EIGHT = ("llm_int8_threshold", "llm_int8_has_fp16_weight")
# Option of 4 bit: what a BitsAndBytesConfig means that does not name it, and the loader's own default.
_FOUR: dict[str, tuple[object, object]] = {
    "bnb_4bit_quant_type": ("fp4", "nf4"),
    "bnb_4bit_use_double_quant": (False, True),
    "bnb_4bit_compute_dtype": ("float32", UNSET),
    "bnb_4bit_quant_storage": (None, None),
}
_FOUR_ANYWAY = (
    "transformers loads 4-bit weights all the same; write `load_in_4bit=True`, or pass None"
)
_NEITHER = f"the quantization config sets neither flag, and {_FOUR_ANYWAY}"
_WHERE = f"where {{said}} is false, {_FOUR_ANYWAY} there"
_HEAD = Note(
    "changed",
    "`llm_int8_skip_modules`: the loader leaves the output head alone as well; without the loader the "
    "list takes the place of what is left alone by default",
    "where the list names the head",
)


def carry_quantization(script: Script, args: Arguments) -> tuple[list[tuple[str, str]], list[Note]]:
    """The loader's keywords and values that a BitsAndBytesConfig's keywords become.

    What the config does not name is said as well where the loader's default is another.

    Raises:
        CannotRewrite: The config is not written out, or may set neither flag.
    """
    if args.spread or args.positional:
        raise CannotRewrite("the quantization config is not written out")
    bits = {name: written(script, args.keywords[name]) for name in _BITS if _may_be(args, name)}
    if not any(_is_true(script, args.keywords[name]) for name in bits):
        said = " and ".join(f"`{value}`" for value in bits.values())
        raise CannotRewrite(_WHERE.format(said=said) if bits else _NEITHER)
    found = list(bits.items())
    notes: list[Note] = []
    for name, argument in args.keywords.items():
        if name in _BITS:
            continue
        if name not in (*_BOTH, *_EIGHT, *_FOUR):
            text = f"`{name}`: does not exist and never had an effect"
            notes.append(Note("dropped", text))
        elif not bits or not _has_effect(name, bits):
            notes.append(Note("dropped", f"`{name}`: has no effect on this load"))
        elif name in (*_BOTH, *_EIGHT) and not _is_default(name, argument):
            found.append((name, written(script, argument)))
            notes += _head_note(name, argument)
    if "load_in_4bit" in bits:
        found += four_bit_options(script, args.keywords)
        text = ", ".join(f"{name}={value}" for name, value in found if name in _FOUR)
        notes.append(Note("carried", f"4 bit as before: {text or 'nf4 with double quantization'}"))
    return found, notes


def four_bit_options(script: Script, given: dict[str, Argument]) -> Iterable[tuple[str, str]]:
    """The options of a 4-bit load, those that bitsandbytes means in silence among them."""
    for name, (silent, ours) in _FOUR.items():
        argument = given.get(name)
        literal = silent if argument is None else literal_of(argument)
        if argument is not None and literal is not None:
            if literal is UNSET or literal != ours:
                yield name, written(script, argument)
        elif silent is not None:
            yield name, f'"{silent}"' if isinstance(silent, str) else repr(silent)


def _may_be(args: Arguments, name: str) -> bool:
    return name in args.keywords and literal_of(args.keywords[name]) not in (False, None)


def _is_true(script: Script, argument: Argument) -> bool:
    node = argument.expression
    if not isinstance(node, cst.Name) or literal_of(argument) is True:
        return literal_of(argument) is True
    values = script.assigned_values(node.value, None)
    once = len(values) == len(script.stores_of(node.value, None)) == 1
    own = isinstance(argument.value, Constant) and argument.value.value is True
    return once and own and written_literal(values[0]) is True


def _has_effect(name: str, bits: dict[str, str]) -> bool:
    if name in _BOTH:
        return True
    return ("load_in_8bit" if name in _EIGHT else "load_in_4bit") in bits


def _is_default(name: str, argument: Argument) -> bool:
    literal = literal_of(argument)
    return literal is None or literal == {"llm_int8_threshold": 6.0}.get(name, False)


def _head_note(name: str, argument: Argument) -> list[Note]:
    node = argument.expression
    if name != "llm_int8_skip_modules":
        return []
    members = node.elements if isinstance(node, (cst.List, cst.Tuple)) else ()
    names = [e.value.evaluated_value for e in members if isinstance(e.value, cst.SimpleString)]
    return [] if "lm_head" in names else [_HEAD]
