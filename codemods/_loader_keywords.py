"""What becomes of each keyword of a raw load, and which keywords the loader and its generate have.

The two keyword tuples are copies, because this side never imports torch; a test compares them with
the guard's own signatures.
"""

from __future__ import annotations

from codemods._script import Script
from codemods._sites import CannotRewrite, Note
from lint_rules._flow.arguments import UNSET, Argument, Arguments
from lint_rules._flow.values import Constant, first

LOADER_KEYWORDS = (
    "load_in_8bit",
    "load_in_4bit",
    "dtype",
    "device_map",
    "attn_implementation",
    "revision",
    "cache_dir",
    "token",
    "max_memory",
    "trust_remote_code",
    "for_training",
    "padding_side",
)
GENERATE_KEYWORDS = (
    "max_new_tokens",
    "max_length",
    "min_new_tokens",
    "do_sample",
    "temperature",
    "top_p",
    "top_k",
    "min_p",
    "num_beams",
    "length_penalty",
    "early_stopping",
    "repetition_penalty",
    "no_repeat_ngram_size",
    "eos_token_id",
    "use_cache",
    "stop_strings",
)

_CARRIED = {
    "torch_dtype": "dtype",
    **{
        name: name
        for name in (
            "dtype",
            "device_map",
            "attn_implementation",
            "revision",
            "cache_dir",
            "token",
            "max_memory",
        )
    },
}
_DROPPED_FROM_MODEL = {
    "low_cpu_mem_usage": "transformers loads that way anyway",
    "use_safetensors": "the loader takes safetensors only",
}
_DROPPED_FROM_TOKENIZER = {"use_fast": "the fast tokenizer is the default"}
# In transformers itself: no code of the repository was ever run for them.
_NATIVE = (
    "qwen2",
    "qwen3",
    "llama2",
    "llama3",
    "gemma",
    "mistral",
    "gpt2",
    "gpt-neox",
    "olmo",
    "opt",
)


def literal_of(argument: Argument) -> object:
    """The literal value of an argument, UNSET if it is not one."""
    constant = first(argument.value, Constant)
    return UNSET if constant is None or not constant.fixed else constant.value


def written(script: Script, argument: Argument) -> str:
    """An argument's expression as it stands in the source.

    Raises:
        CannotRewrite: It comes out of a `**` dict.
    """
    if argument.expression is None:
        raise CannotRewrite("keywords come out of a `**` dict")
    return script.code(argument.expression)


def carry_model_keywords(
    script: Script, args: Arguments, family: str | None
) -> tuple[list[str], list[Note]]:
    """The loader arguments that a model load's keywords become, quantization aside.

    Raises:
        CannotRewrite: A keyword has no place in the loader.
    """
    if args.spread or len(args.positional) > 1:
        raise CannotRewrite(
            "the load takes `*` or `**` arguments that this tool does not take apart"
        )
    given: list[str] = []
    notes: list[Note] = []
    for name, argument in args.keywords.items():
        if name in ("pretrained_model_name_or_path", "quantization_config"):
            continue
        if name in _CARRIED:
            given.append(f"{_CARRIED[name]}={written(script, argument)}")
            if name == "torch_dtype":
                notes.append(Note("carried", "`torch_dtype` is now called `dtype`"))
        elif name in _DROPPED_FROM_MODEL and literal_of(argument) is True:
            notes.append(Note("dropped", f"`{name}=True`: {_DROPPED_FROM_MODEL[name]}"))
        elif name == "trust_remote_code":
            given += _remote_code(script, argument, family, notes)
        elif name in ("load_in_8bit", "load_in_4bit"):
            given.append(f"{name}={written(script, argument)}")
        else:
            raise CannotRewrite(
                f"the keyword `{name}` of the load has no place in CleanModelLoader"
            )
    return given, notes


def carry_tokenizer_keywords(
    script: Script, args: Arguments, family: str | None
) -> tuple[list[str], list[Note]]:
    """The loader arguments that a tokenizer load's keywords become.

    Raises:
        CannotRewrite: A keyword has no place in the loader.
    """
    if args.spread or len(args.positional) > 1:
        raise CannotRewrite(
            "the load takes `*` or `**` arguments that this tool does not take apart"
        )
    given: list[str] = []
    notes: list[Note] = []
    for name, argument in args.keywords.items():
        literal = literal_of(argument)
        if name == "pretrained_model_name_or_path":
            continue
        if name in ("revision", "cache_dir", "token"):
            given.append(f"{name}={written(script, argument)}")
        elif name in _DROPPED_FROM_TOKENIZER and literal is True:
            notes.append(Note("dropped", f"`{name}=True`: {_DROPPED_FROM_TOKENIZER[name]}"))
        elif name == "padding_side" and literal == "left":
            notes.append(Note("dropped", '`padding_side="left"`: the loader pads on the left'))
        elif name == "chat_template" and literal is None:
            notes.append(Note("dropped", "`chat_template=None`: the loader blocks the template"))
        elif name == "trust_remote_code":
            given += _remote_code(script, argument, family, notes)
        else:
            raise CannotRewrite(f"the keyword `{name}` of the tokenizer has no place in the loader")
    return given, notes


def _remote_code(
    script: Script, argument: Argument, family: str | None, notes: list[Note]
) -> list[str]:
    if literal_of(argument) is False:
        return []
    if family in _NATIVE:
        notes.append(
            Note("dropped", f"`trust_remote_code`: transformers has {family} itself, none was run")
        )
        return []
    return [f"trust_remote_code={written(script, argument)}"]


def carry_quantization(script: Script, args: Arguments) -> tuple[list[str], list[Note]]:
    """The loader arguments that a BitsAndBytesConfig's keywords become.

    Raises:
        CannotRewrite: The config says something that the loader's int8 or nf4 is not.
    """
    if args.spread or args.positional:
        raise CannotRewrite("the quantization config is not written out")
    bits: list[str] = []
    notes: list[Note] = []
    for name, argument in args.keywords.items():
        literal = literal_of(argument)
        if name in ("load_in_8bit", "load_in_4bit"):
            if literal is not False:
                bits.append(f"{name}={written(script, argument)}")
        elif name.startswith("bnb_8bit_"):
            notes.append(Note("dropped", f"`{name}`: does not exist and never had an effect"))
        elif name.startswith("bnb_4bit_"):
            continue
        elif not (name == "llm_int8_threshold" and literal == 6.0):
            raise CannotRewrite(f"`{name}` of the quantization config has no place in the loader")
    if any(bit.startswith("load_in_4bit") for bit in bits):
        notes += _four_bit(script, args)
    return bits, notes


def _four_bit(script: Script, args: Arguments) -> list[Note]:
    if args.literal("bnb_4bit_quant_type") != "nf4":
        raise CannotRewrite(
            "the 4-bit config is fp4, the loader's is nf4: other weights, other results"
        )
    if args.literal("bnb_4bit_use_double_quant") is not True:
        raise CannotRewrite(
            "the 4-bit config does not quantize twice, the loader's does: other weights"
        )
    compute = args.get("bnb_4bit_compute_dtype")
    if compute is None:
        raise CannotRewrite("the 4-bit config computes in float32, the loader in the model's dtype")
    return [
        Note("carried", "nf4 with double quantization"),
        Note(
            "carried", f"compute dtype {written(script, compute)}: the loader computes in `dtype`"
        ),
    ]
