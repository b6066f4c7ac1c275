"""What becomes of each keyword of a BitsAndBytesConfig: the loader has them all, under the same names."""

from __future__ import annotations

from collections.abc import Iterable

import libcst as cst

from codemods.facts.loader_keywords import literal_of, written
from codemods.plan.sites import CannotRewrite, Note
from codemods.script.purity import is_pure
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
_ANYWAY = (
    "{where}transformers loads 4-bit weights all the same, and so does the loader now; for a load "
    "without quantization leave the config out{there}"
)
_HEAD = Note(
    "changed",
    "`llm_int8_skip_modules`: the loader leaves the output head alone as well; without the loader the "
    "list takes the place of what is left alone by default",
    "where the list names the head",
    beyond="always",
)
_OFFLOAD = Note(
    "changed",
    "`llm_int8_enable_fp32_cpu_offload`: the loader refuses a load of which no layer is quantized",
    "where there is a GPU that takes a layer",
)


def carry_quantization(
    script: Script, args: Arguments, load: Arguments | None = None
) -> tuple[list[tuple[str, str]], list[Note]]:
    """The loader's keywords and values that a BitsAndBytesConfig's keywords become.

    What the config does not name is said as well where the loader's default is another.

    Args:
        script: The script.
        args: The config's.
        load: Those of a load that takes it; one that says the flags itself, as they are in the config, means them.

    Raises:
        CannotRewrite: The config is not written out, or which of its flags is set cannot be asked twice.
    """
    if args.spread or args.positional:
        raise CannotRewrite("the quantization config is not written out")
    bits = {name: written(script, args.keywords[name]) for name in _BITS if _may_be(args, name)}
    notes: list[Note] = []
    if not any(_is_true(script, args.keywords[name]) for name in bits) and not (
        bits and load is not None and _says_flags(script, load, bits)
    ):
        said = " and ".join(f"`{value}`" for value in bits.values())
        where = f"where {said} is false, " if bits else "the config sets neither flag: "
        there = " there" if bits else ""
        notes.append(Note("fault", _ANYWAY.format(where=where, there=there)))
        bits = _four_anyway(script, args, bits)
    found = list(bits.items())
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


def _says_flags(script: Script, load: Arguments, bits: dict[str, str]) -> bool:
    """Whether a load says each flag that its config says, in the same words; transformers 5 takes none there."""
    given = {name: load.keywords[name] for name in bits if name in load.keywords}
    return given.keys() == bits.keys() and all(
        argument.expression is not None and written(script, argument) == bits[name]
        for name, argument in given.items()
    )


def _four_anyway(script: Script, args: Arguments, bits: dict[str, str]) -> dict[str, str]:
    """The flags of a config that may set neither, as transformers takes them: what is not 8 bit is 4 bit."""
    eight, four = (args.keywords[name].expression if name in bits else None for name in _BITS)
    if eight is None:
        return {"load_in_4bit": "True"}
    if not is_pure(eight):
        raise CannotRewrite("which flag of the quantization config is set cannot be asked twice")
    code = bits["load_in_8bit"]
    if _excludes(script, eight, four):  # `bits == 8` and `bits == 4`
        return {**bits, "load_in_4bit": _differs(script, eight)}
    otherwise = f"not {code}" if isinstance(eight, (cst.Name, cst.Attribute)) else f"not ({code})"
    if four is None:
        return {**bits, "load_in_4bit": otherwise}
    first = bits["load_in_4bit"]
    loose = isinstance(four, (cst.IfExp, cst.Lambda, cst.NamedExpr)) and not four.lpar
    return {**bits, "load_in_4bit": f"{f'({first})' if loose else first} or {otherwise}"}


def _excludes(script: Script, eight: cst.BaseExpression, four: cst.BaseExpression | None) -> bool:
    """Whether two flags compare one value with two literals, so that they are never both set."""
    if four is None:
        return False
    sides = [_compared(script, node) for node in (eight, four)]
    return None not in sides and sides[0][0] == sides[1][0] and sides[0][1] != sides[1][1]  # type: ignore[index]


def _compared(script: Script, node: cst.BaseExpression) -> tuple[str, object] | None:
    """The value and the number of `value == number`."""
    if not isinstance(node, cst.Comparison) or len(node.comparisons) != 1:
        return None
    only = node.comparisons[0]
    number = written_literal(only.comparator)
    if not isinstance(only.operator, cst.Equal) or not isinstance(number, (int, str)):
        return None
    return script.code(node.left), number


def _differs(script: Script, node: cst.BaseExpression) -> str:
    assert isinstance(node, cst.Comparison)
    return f"{script.code(node.left)} != {script.code(node.comparisons[0].comparator)}"


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
    if name == "llm_int8_enable_fp32_cpu_offload":
        return [_OFFLOAD]
    if name != "llm_int8_skip_modules":
        return []
    members = node.elements if isinstance(node, (cst.List, cst.Tuple)) else ()
    names = [e.value.evaluated_value for e in members if isinstance(e.value, cst.SimpleString)]
    return [] if "lm_head" in names else [_HEAD]
