"""What becomes of each keyword of a raw load of a model."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import libcst as cst

from cleanguard.catalogue.families import family_of
from codemods.plan.sites import CannotRewrite, Note
from codemods.script.purity import is_pure
from codemods.script.script import Script
from lint_rules._flow.values.arguments import Argument, Arguments, written_literal
from lint_rules._flow.values.joins import UNKNOWN, Constant, ModelId, Value
from lint_rules._questions.hub import is_hub_id

# Keywords of a raw load, and the loader's own for each.
CARRIED = {
    "torch_dtype": "dtype",
    "use_auth_token": "token",
    "dtype": "dtype",
    "device_map": "device_map",
    "attn_implementation": "attn_implementation",
    "_attn_implementation": "attn_implementation",
    "revision": "revision",
    "cache_dir": "cache_dir",
    "token": "token",
    "max_memory": "max_memory",
    "local_files_only": "local_files_only",
    "variant": "variant",
    "offload_folder": "offload_folder",
    "tp_plan": "tp_plan",
    "experts_implementation": "experts_implementation",
    "subfolder": "subfolder",
    "force_download": "force_download",
    "code_revision": "code_revision",
    "offload_buffers": "offload_buffers",
    "tp_size": "tp_size",
    "device_mesh": "device_mesh",
    "distributed_config": "distributed_config",
    "disable_mmap": "disable_mmap",
    "key_mapping": "key_mapping",
}
# Who looks at what a config says of the pad token.
_READS_PAD = re.compile(
    r"config\.pad_token_id|save_pretrained|push_to_hub|Trainer\(|print\(\w+\.config\)"
)
# What saves a model or a tokenizer, or may.
SAVES = re.compile(r"save_pretrained|push_to_hub|Trainer\(")
# Keyword: the values with which it says nothing, and why.
_DROPPED_FROM_MODEL: dict[str, tuple[tuple[object, ...], str]] = {
    "use_safetensors": ((True,), "the loader takes safetensors only"),
    "return_dict": ((True,), "the default"),
    "use_cache": ((True,), "the default"),
    "output_attentions": ((False,), "the default"),
    "output_hidden_states": ((False,), "the default"),
    "ignore_mismatched_sizes": ((False,), "the default"),
    "resume_download": ((True, False), "transformers resumes anyway"),
    "quantization_config": ((None,), "no quantization"),
}
# Keywords that transformers 5 takes from a load and does not look at.
_IGNORED = (
    "low_cpu_mem_usage",
    "from_tf",
    "from_flax",
    "offload_state_dict",
    "_fast_init",
    "mirror",
)
# In transformers itself: no code of the repository was ever run for them.
_NATIVE = frozenset("qwen2 qwen3 llama2 llama3 gemma mistral gpt2 gpt-neox olmo opt".split())  # noqa: SIM905
# Who publishes them; another's repository of such a name may bring code, as for a quantization of its own.
_PUBLISHERS = frozenset(
    "qwen meta-llama google mistralai openai-community eleutherai allenai facebook huggyllama".split()  # noqa: SIM905
)


def literal_of(argument: Argument) -> object:
    """The literal that is written for an argument, UNSET if it is any other expression."""
    return written_literal(argument.expression)


def literal_value(node: cst.BaseExpression) -> Value:
    """The value of a literal, unknown for any other expression."""
    if isinstance(node, cst.Name) and node.value in ("True", "False", "None"):
        return Constant({"True": True, "False": False}.get(node.value))
    if isinstance(node, (cst.SimpleString, cst.Integer, cst.Float)):
        return Constant(node.evaluated_value)
    return UNKNOWN


def written(script: Script, argument: Argument) -> str:
    """An argument's expression as it stands in the source.

    Raises:
        CannotRewrite: It comes out of a `**` dict.
    """
    return script.argument(expression_of(argument))


@dataclass(frozen=True, slots=True)
class Fate:
    """What becomes of one keyword of a load.

    Attributes:
        keyword: The loader's keyword, None where it falls away.
        value: Its value as text.
        notes: What to tell.
        after: An attribute to set on what is loaded: `config.use_cache = False`.
    """

    keyword: str | None
    value: str = ""
    notes: tuple[Note, ...] = ()
    after: str | None = None


def expression_of(argument: Argument) -> cst.BaseExpression:
    """An argument's expression.

    Raises:
        CannotRewrite: It comes out of a `**` dict.
    """
    if argument.expression is None:
        raise CannotRewrite("keywords come out of a `**` dict")
    return argument.expression


def fate_of_model_keyword(
    script: Script, name: str, argument: Argument, model: ModelId, *, pinned: bool | None = False
) -> Fate:
    """What becomes of a keyword of a model load, quantization configs aside.

    Raises:
        CannotRewrite: It has no place in the loader.
    """
    literal = literal_of(argument)
    if name == "use_flash_attention_2" and (
        literal is True or (literal and isinstance(literal, str))
    ):
        note = Note("carried", "`use_flash_attention_2` is now `attn_implementation`")
        return Fate("attn_implementation", '"flash_attention_2"', (note,))
    if name == "use_flash_attention_2":
        return _flash(script, argument)
    if name in _IGNORED and is_pure(expression_of(argument)):
        text = f"`{name}={written(script, argument)}`: transformers 5 does not look at it"
        return Fate(None, notes=(Note("dropped", text),))
    if name in CARRIED and literal is None:
        return Fate(None, notes=(Note("dropped", f"`{name}=None`: the default"),))
    if name in CARRIED:
        new = CARRIED[name]
        notes = () if new == name else (Note("carried", f"`{name}` is now called `{new}`"),)
        return Fate(new, written(script, argument), notes)
    if name in _DROPPED_FROM_MODEL and literal in _DROPPED_FROM_MODEL[name][0]:
        why = _DROPPED_FROM_MODEL[name][1]
        return Fate(None, notes=(Note("dropped", f"`{name}={literal}`: {why}"),))
    if name == "pad_token_id" and _READS_PAD.search(script.source.text):
        value = written(script, argument)
        note = Note("carried", f"`pad_token_id={value}` is set on the loaded model's config")
        return Fate(None, notes=(note,), after=f"config.pad_token_id = {value}")
    if name == "pad_token_id":
        return Fate(None, notes=(Note("dropped", "`pad_token_id`: the loader pads, and masks it"),))
    if name == "trust_remote_code":
        return remote_code(script, argument, model, pinned=pinned)
    if name in ("load_in_8bit", "load_in_4bit"):
        return Fate(name, written(script, argument))
    if name == "use_cache":
        value = written(script, argument)
        if argument.expression is not None and not is_pure(argument.expression):
            raise CannotRewrite("`use_cache` is made by a call, which would come after the load")
        text = f"`use_cache={value}` is set on the loaded model's config"
        if SAVES.search(script.source.text):
            text += ", and is not in the generation_config.json that is saved with it"
        note = Note("carried", text)
        return Fate(None, notes=(note,), after=f"config.use_cache = {value}")
    raise CannotRewrite(f"the keyword `{name}` of the load has no place in CleanModelLoader")


def _flash(script: Script, argument: Argument) -> Fate:
    """`use_flash_attention_2`, which may be computed."""
    if literal_of(argument) in (False, None):
        note = Note("dropped", "`use_flash_attention_2`: off, as by default")
        return Fate(None, notes=(note,))
    code, node = written(script, argument), expression_of(argument)
    code = f"({code})" if isinstance(node, (cst.IfExp, cst.Lambda)) and not node.lpar else code
    note = Note("carried", "`use_flash_attention_2` is now `attn_implementation`")
    return Fate("attn_implementation", f'"flash_attention_2" if {code} else None', (note,))


@dataclass(frozen=True, slots=True)
class Carried:
    """The loader arguments that a load's keywords become.

    Attributes:
        given: `keyword=value` texts.
        notes: What was carried, dropped or changed.
        after: Attributes to set on what is loaded.
    """

    given: tuple[str, ...]
    notes: tuple[Note, ...]
    after: tuple[str, ...] = ()


def carry_model_keywords(script: Script, args: Arguments, model: ModelId) -> Carried:
    """The loader arguments that a model load's own keywords become, quantization configs aside.

    Raises:
        CannotRewrite: A keyword has no place in the loader.
    """
    if len(args.positional) > 1:
        raise CannotRewrite("the load takes positional arguments besides the model")
    fates = [
        fate_of_model_keyword(script, name, argument, model, pinned=is_pinned(args))
        for name, argument in args.keywords.items()
        if name not in ("pretrained_model_name_or_path", "quantization_config", "config")
        and argument.node is not None
    ]
    return carried(fates)


def carried(fates: Sequence[Fate]) -> Carried:
    """What the fates of all keywords of a load come to."""
    return Carried(
        tuple(f"{fate.keyword}={fate.value}" for fate in fates if fate.keyword is not None),
        tuple(note for fate in fates for note in fate.notes),
        tuple(fate.after for fate in fates if fate.after is not None),
    )


def is_pinned(args: Arguments) -> bool | None:
    """Whether a load names a commit; a branch is none, and of what is no literal it cannot be said: None."""
    revision = args.keywords.get("revision")
    if revision is None:
        return False
    said = revision.value.value if isinstance(revision.value, Constant) else None
    return re.fullmatch(r"[0-9a-f]{40}", said) is not None if isinstance(said, str) else None


def _is_publishers(model: ModelId, family: str) -> bool:
    """Whether a model of a family comes from who publishes it, so that it brings no code."""
    owner, _, name = (model.text or "").lower().rpartition("/")
    return family in _NATIVE and (owner in _PUBLISHERS or (not owner and name.startswith("gpt2")))


def remote_code(script: Script, argument: Argument, model: ModelId, *, pinned: bool | None) -> Fate:
    """What becomes of `trust_remote_code`.

    Raises:
        CannotRewrite: Code of the hub would run that no commit pins.
    """
    literal = literal_of(argument)
    if literal is False:
        return Fate(None)
    literal = True if argument.value == Constant(True) else literal
    family = None if model.text is None else family_of(model.text)
    own = family is not None and _is_publishers(model, family.name)
    if family is not None and own and (model.fixed or (literal is True and not script.watches)):
        text = f"`trust_remote_code`: transformers has {family.name} itself, none was run"
        if not model.fixed:
            text += "; the loader refuses another model that brings code, and says what to name"
        return Fate(None, notes=(Note("dropped", text),))
    named = family is not None or "/" in (model.text or "")
    if literal is True and model.fixed and is_hub_id(model) and named and pinned is False:
        raise CannotRewrite(
            f"`trust_remote_code=True` runs code of {model.text}, and the guard runs none that is not "
            f'pinned: say `revision="…"` with the commit that you have read (git ls-remote '
            f"https://huggingface.co/{model.text} HEAD), and migrate again"
        )
    unknown = not model.fixed or model.text is None or is_hub_id(model)
    if not pinned and unknown and script.watches:
        raise CannotRewrite(
            "`trust_remote_code` may run code of a repository, and the guard runs none until "
            '`revision="…"` names its commit'
        )
    notes: tuple[Note, ...] = ()
    if not pinned and (model.text is None or is_hub_id(model)):
        text = (
            "`trust_remote_code`: the loader refuses a repository of the hub that brings code until "
            '`revision="…"` names its commit'
        )
        notes = (Note("changed", text, "where the model lies in a folder, or brings no code"),)
    return Fate("trust_remote_code", written(script, argument), notes)
