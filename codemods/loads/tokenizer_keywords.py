"""What becomes of each keyword of a raw load of a tokenizer."""

from __future__ import annotations

import re
from collections.abc import Container, Sequence

import libcst as cst

from codemods.facts.load_targets import class_named
from codemods.facts.loader_keywords import (
    CARRIED,
    SAVES,
    Carried,
    Fate,
    carried,
    expression_of,
    is_pinned,
    literal_of,
    literal_value,
    remote_code,
    written,
)
from codemods.facts.purposes import trains, uses_max_length
from codemods.facts.unseen_ids import may_have_bos
from codemods.loads.load_dicts import only_spread
from codemods.plan.edits import Edit
from codemods.plan.sites import CannotRewrite, Note
from codemods.script.purity import assigned_name, is_pure
from codemods.script.script import Script
from lint_rules._flow.values.arguments import Argument, Arguments
from lint_rules._flow.values.events import Forward, Generate, TokenizerLoad
from lint_rules._flow.values.joins import ModelId

_DROPPED_FROM_TOKENIZER = {
    "use_fast": "transformers 5 has one tokenizer for both",
    "legacy": "it changes nothing in the tokenizer's own file",
    "resume_download": "transformers resumes anyway",
    # Keywords of models, or of wrappers.
    **dict.fromkeys(
        (
            "device_map",
            "fast_tokenizer",
            "torch_dtype",
            "dtype",
            "low_cpu_mem_usage",
            "token_type_ids",
        ),
        "a tokenizer only keeps it, and names it where it is saved",
    ),
}
_SPREAD = "the tokenizer's load takes `**` arguments"
# Tokens that a model brings if its tokenizer knows them by these names.
_SPECIAL = re.compile(r"[<\[|].*[>\]|]", re.DOTALL)
_OLD_TOKENS = ("<unk>", "<s>", "</s>", "<|endoftext|>", "<eos>", "<bos>", "<pad>")


def carry_tokenizer_keywords(
    script: Script, args: Arguments, model: ModelId, *, training: bool
) -> Carried:
    """The loader arguments that a tokenizer load's keywords become.

    Raises:
        CannotRewrite: A keyword has no place in the loader.
    """
    if len(args.positional) > 1:
        raise CannotRewrite("the tokenizer's load takes positional arguments besides the model")
    fates = [
        _fate_of_tokenizer_keyword(script, name, argument, args, model, training=training)
        for name, argument in args.keywords.items()
        if name != "pretrained_model_name_or_path" and argument.node is not None
    ]
    return carried(fates)


# Classes of causal models' tokenizers: what their files name is one of these, or the plain one.
_CLASSES = re.compile(
    r"(Auto|PreTrained|GPT2|GPTNeoX|GPTNeoXJapanese|Llama|CodeLlama|Bloom|Qwen2|Gemma|CodeGen|Cohere|Falcon|OPT"
    r"|Mistral|Phi|InternLM\w*|Baichuan)Tokenizer(Fast)?"
)


def refuse_class(load: TokenizerLoad) -> None:
    """Raise for a class whose tokenizer the loader may not make of the same files.

    Raises:
        CannotRewrite: It is none of a causal language model's.
    """
    name = class_named(load)
    if load.api.startswith("transformers.") and not _CLASSES.fullmatch(name):
        raise CannotRewrite(f"`{name}` may read other files than the loader's tokenizer does")


def written_out(script: Script, load: TokenizerLoad, known: Container[str] = ()) -> Arguments:
    """The arguments of a load, with the entries of a `**` dict that is written once, and that nothing changes.

    Args:
        script: The script.
        load: The tokenizer's.
        known: Dicts that are seen to otherwise.

    Raises:
        CannotRewrite: What a dict holds cannot be seen, or may be another thing at the load.
    """
    args = load.args
    spread = [one for one in args.spread if _name_of(one) not in known]
    if not spread:
        return args
    found = {name: one for name, one in args.keywords.items() if one.node is not None}
    for argument in spread:
        dict_ = _dict_of(script, load, argument)
        for element in dict_.elements:
            key = element.key if isinstance(element, cst.DictElement) else None
            name = key.evaluated_value if isinstance(key, cst.SimpleString) else None
            if not isinstance(name, str) or name in found or not is_pure(element.value):
                raise CannotRewrite(_SPREAD)
            found[name] = Argument(literal_value(element.value), element.value, argument.node)
    kept = tuple(one for one in args.spread if one not in spread)
    return Arguments(args.positional, found, kept, args.opaque)


def _name_of(argument: Argument) -> str:
    return argument.expression.value if isinstance(argument.expression, cst.Name) else ""


def _dict_of(script: Script, load: TokenizerLoad, argument: Argument) -> cst.Dict:
    """The one dict that a `**` argument names."""
    name = _name_of(argument)
    scope = script.home_of(name, load.place.function) if name else None
    made = only_spread(script, name, scope) if name and load.place.function is scope else None
    if made is None:
        raise CannotRewrite(_SPREAD)
    return made


def unread_dicts(script: Script, edits: Sequence[Edit]) -> list[Edit]:
    """Takes the lines away that made dicts which only rewritten loads of tokenizers had read."""
    found: list[Edit] = []
    for load in script.flow.events(TokenizerLoad):
        for name in filter(None, map(_name_of, load.args.spread)):
            scope = script.home_of(name, load.place.function)
            read = [use for use in script.uses(name, scope) if not use.stores]
            covered = all(any(edit.covers(use.offset) for edit in edits) for use in read)
            handed_on = any(f"**{name}" in edit.text for edit in edits)
            if not covered or handed_on or script.is_taken_elsewhere(name, scope):
                continue
            lines = script.lines_between(scope, script.span(scope or script.module))
            found += [script.delete(line) for line in lines if assigned_name(line) == name]
    return list(dict.fromkeys(found))


def _fate_of_tokenizer_keyword(
    script: Script,
    name: str,
    argument: Argument,
    args: Arguments,
    model: ModelId,
    *,
    training: bool,
) -> Fate:
    literal = literal_of(argument)
    pinned = is_pinned(args)
    if name in ("revision", "cache_dir", "token", "use_auth_token", "local_files_only"):
        new = CARRIED[name]
        told = () if new == name else (Note("carried", f"`{name}` is now called `{new}`"),)
        return Fate(new, written(script, argument), told)
    if name in _DROPPED_FROM_TOKENIZER and is_pure(given := expression_of(argument)):
        why = _DROPPED_FROM_TOKENIZER[name]
        return Fate(None, notes=(Note("dropped", f"`{name}={script.code(given)}`: {why}"),))
    saved = SAVES.search(script.source.text) is not None
    if name == "padding_side" and (training or (saved and literal == "left")):
        return Fate(name, written(script, argument))
    if name == "padding_side" and literal == "left":
        text = '`padding_side="left"`: the loader pads on the left'
        return Fate(None, notes=(Note("dropped", text),))
    if name == "padding_side" and literal == "right":
        text = '`padding_side="right"`: batches are padded on the left, as generation needs it'
        text += "; what is saved says the files' own side" if saved else ""
        unless = "where prompts were generated one by one"
        return Fate(None, notes=(Note("changed", text, unless),))
    if name == "chat_template" and literal is None:
        text = "`chat_template=None`: the loader blocks the template"
        return Fate(None, notes=(Note("dropped", text),))
    if name == "truncation_side" and not saved:
        note = Note("carried", "`truncation_side` is set on the loaded tokenizer")
        return Fate(None, notes=(note,), after=f"truncation_side = {written(script, argument)}")
    if name == "pad_token":
        return _pad_token(script, argument, training=training)
    if name == "add_eos_token":
        return _end_token(script, argument, model)
    if name == "model_max_length":
        return _max_length(script, argument, training=training)
    if name == "trust_remote_code":
        return remote_code(script, argument, model, pinned=pinned)
    raise CannotRewrite(f"the keyword `{name}` of the tokenizer has no place in the loader")


def _pad_token(script: Script, argument: Argument, *, training: bool) -> Fate:
    """Which token pads decides what a trainer masks; elsewhere the mask hides it."""
    said = literal_of(argument)
    if isinstance(said, str) and not _SPECIAL.fullmatch(said):
        raise CannotRewrite("a word is made the `pad_token` of the tokenizer, and is no text then")
    if not training:
        note = Note("dropped", "`pad_token`: the loader pads, and masks what it pads")
        return Fate(None, notes=(note,))
    if said not in _OLD_TOKENS:
        raise CannotRewrite("`pad_token` of the tokenizer may be a token that is new to the model")
    note = Note("carried", "`pad_token` is set on the loaded tokenizer")
    return Fate(None, notes=(note,), after=f"pad_token = {written(script, argument)}")


_NO_BOS = Note(
    "fault",
    "with a tokenizer.json, `add_eos_token=True` takes BOS off the rows; `add_bos_token = True` behind it keeps both",
)


def _end_token(script: Script, argument: Argument, model: ModelId) -> Fate:
    if literal_of(argument) in (False, None):
        if may_have_bos(model):  # transformers 5 makes its own post-processor for whoever says it
            raise CannotRewrite(
                "`add_eos_token` as a keyword may take BOS off, even where it is off"
            )
        return Fate(None, notes=(Note("dropped", "`add_eos_token`: off, as by default"),))
    used = any(True for kind in (Generate, Forward) for _ in script.flow.events(kind))
    served = not trains(script) and script.others.serves(script.path)
    if used or served:  # another file may make prompts with it
        raise CannotRewrite("`add_eos_token` puts EOS behind each prompt, the guard does not")
    notes = [Note("carried", "`add_eos_token` is set on the loaded tokenizer")]
    if "add_bos_token" not in script.source.text:
        notes.append(_NO_BOS)
    return Fate(None, notes=tuple(notes), after=f"add_eos_token = {written(script, argument)}")


# A call whose keywords come in a dict may cut what it is given.
_SPREADS = re.compile(r"\*\*\w")


def _max_length(script: Script, argument: Argument, *, training: bool) -> Fate:
    text = "`model_max_length`: a prompt is no longer cut; one that does not fit raises"
    kept = training or uses_max_length(script) or script.others.serves(script.path)
    if not kept:
        if "truncat" not in script.source.text and not _SPREADS.search(script.source.text):
            return Fate(None, notes=(Note("dropped", "`model_max_length`: nothing is cut to it"),))
        changed = Note("changed", text, "where no prompt was longer", beyond="always")
        return Fate(None, notes=(changed,))
    if literal_of(argument) is None:
        raise CannotRewrite("`model_max_length=None` takes away the length that rows are cut to")
    note = Note("carried", "`model_max_length` is set on the loaded tokenizer: rows are cut to it")
    return Fate(None, notes=(note,), after=f"model_max_length = {written(script, argument)}")
