"""What becomes of each keyword of a BitsAndBytesConfig."""

from __future__ import annotations

from codemods.plan.sites import CannotRewrite, Note
from codemods.script.loader_keywords import literal_of, written
from codemods.script.script import Script
from lint_rules._flow.values.arguments import Arguments


def carry_quantization(script: Script, args: Arguments) -> tuple[list[tuple[str, str]], list[Note]]:
    """The loader's keywords and values that a BitsAndBytesConfig's keywords become.

    Raises:
        CannotRewrite: The config says something that the loader's int8 or nf4 is not.
    """
    if args.spread or args.positional:
        raise CannotRewrite("the quantization config is not written out")
    bits: list[tuple[str, str]] = []
    notes: list[Note] = []
    for name, argument in args.keywords.items():
        literal = literal_of(argument)
        if name in ("load_in_8bit", "load_in_4bit"):
            if literal is not False:
                bits.append((name, written(script, argument)))
        elif name.startswith("bnb_8bit_"):
            notes.append(Note("dropped", f"`{name}`: does not exist and never had an effect"))
        elif name.startswith("bnb_4bit_"):
            continue
        elif not (name == "llm_int8_threshold" and literal == 6.0):
            raise CannotRewrite(f"`{name}` of the quantization config has no place in the loader")
    if any(name == "load_in_4bit" for name, _ in bits):
        notes += _four_bit(script, args)
    return bits, notes


def _four_bit(script: Script, args: Arguments) -> list[Note]:
    notes: list[Note] = []
    for differs, reason in (
        (
            args.literal("bnb_4bit_quant_type") != "nf4",
            "the 4-bit config is fp4, the loader's is nf4: other weights, other results",
        ),
        (
            args.literal("bnb_4bit_use_double_quant") is not True,
            "the 4-bit config does not quantize twice, the loader's does: other weights",
        ),
        (
            args.get("bnb_4bit_compute_dtype") is None,
            "the 4-bit config computes in float32, the loader in the model's dtype",
        ),
    ):
        if differs and not script.unsafe:
            raise CannotRewrite(f"{reason} (`--unsafe` takes it)")
        if differs:
            notes.append(Note("changed", reason))
    if not notes:
        notes.append(Note("carried", "nf4 with double quantization"))
    compute = args.get("bnb_4bit_compute_dtype")
    if compute is not None:
        text = f"compute dtype {written(script, compute)}: the loader computes in `dtype`"
        notes.append(Note("carried", text))
    return notes
