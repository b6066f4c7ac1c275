"""The loader's arguments that a raw load's keywords, and what the script does with it, come to."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

import libcst as cst

from codemods.facts.growth_aside import Growth, grows
from codemods.facts.load_context import (
    may_load_chat,
    refuse_empty_weights,
    refuse_moved_padding,
    side_note,
)
from codemods.facts.load_targets import class_named
from codemods.facts.loader_keywords import carry_model_keywords, literal_of, written
from codemods.facts.purposes import stays_evaluating, trains
from codemods.loads.load_dicts import say_dict
from codemods.loads.loader_classes import class_argument
from codemods.loads.model_configs import config_fate
from codemods.loads.tokenizer_keywords import carry_tokenizer_keywords, refuse_class, written_out
from codemods.plan.edits import Edit
from codemods.plan.sites import CannotRewrite, Note
from codemods.quantization.configs import Said, say
from codemods.quantization.keywords import four_bit_options
from codemods.script.script import Script
from lint_rules._flow.values.arguments import Arguments
from lint_rules._flow.values.events import ModelLoad, TokenizerLoad

TRAINED = Note("carried", "`for_training=True`: the script trains what it loads")
KEPT = Note(
    "carried",
    "`for_training=True`: what the script adds tokens to is as its files and the script have it",
)
_SAVES = re.compile(r"save_pretrained|push_to_hub|save_vocabulary")
EVALUATING = "eval()"
AS_FILES = 'padding="files"'
ADDED = Note(
    "carried",
    '`padding="files"`: the script adds tokens of its own, and the loader chooses no pad token before',
)
_LOCAL = Note(
    "changed",
    "`local_files_only`, which the tokenizer's load said, holds for the weights too",
    "where they are here",
)
_CHUNKS = Note(
    "carried",
    "`allow_missing_bos=True`: rows stay as the script makes them, which may lack BOS",
)
CHATS = Note(
    "carried",
    "`allow_chat_model=True`: the script names a chat model, which is loaded as before",
)


@dataclass(frozen=True, slots=True)
class LoaderArguments:
    """The loader's arguments, and what goes with them."""

    arguments: tuple[str, ...]
    notes: tuple[Note, ...]
    after: tuple[str, ...]
    after_tokenizer: tuple[str, ...]
    edits: tuple[Edit, ...]
    names: tuple[tuple[str, cst.FunctionDef | None], ...]
    touched: tuple[Edit, ...]


def loader_arguments(
    script: Script, model: ModelLoad, tokenizer: TokenizerLoad | None, *, lacks_bos: bool
) -> LoaderArguments:
    """What a load, and its tokenizer's if that goes with it, come to.

    Raises:
        CannotRewrite: Something that they say has no place in the loader.
    """
    refuse_empty_weights(model)
    pair = (model,) if tokenizer is None else (model, tokenizer)
    grown = grows(script, *pair)
    refuse_pad_keyword(script, tokenizer, grown)
    kept_aside = grown == "kept"
    tunes = trains(script) or (kept_aside and tokenizer is not None)
    args, unasked = _without_code(model, tokenizer)
    carried = carry_model_keywords(script, args, model.model)
    kept = config_fate(script, model)
    given, notes = list(carried.given), [*unasked, *carried.notes, *kept.notes]
    if kept.argument is not None:
        given.append(kept.argument)
    own = class_argument(script, model)
    if own is not None:
        given.append(f"model_class={own}")
        notes.append(
            Note("carried", "`model_class`: the class is your own, and is loaded as before")
        )
    said = _spread(script, model)
    after_tokenizer: tuple[str, ...] = ()
    config = model.args.keywords.get("quantization_config")
    none = config is not None and literal_of(config) is None
    if (
        config is not None
        and config.node is not None
        and config.expression is not None
        and not none
    ):
        said = [say(script, model, config.expression), *said]
    if tokenizer is not None:
        refuse_class(tokenizer)
        refuse_moved_padding(script, tokenizer)
        # A dict that the model's load takes too is seen to there.
        dicts = {script.code(a.expression) for a in model.args.spread if a.expression is not None}
        said_of_it = written_out(script, tokenizer, dicts)
        extra = carry_tokenizer_keywords(script, said_of_it, model.model, training=tunes)
        names = {argument.partition("=")[0] for argument in given} | model.args.keywords.keys()
        more = [argument for argument in extra.given if argument.partition("=")[0] not in names]
        given += more
        if any(argument.startswith("local_files_only=") for argument in more):
            notes.append(_LOCAL)
        notes += [note for note in extra.notes if note not in notes]
        notes += [] if kept_aside else side_note(script, tokenizer)
        after_tokenizer = extra.after
    bits = [argument for part in said for argument in part.arguments]
    notes += [note for part in said for note in part.notes if note not in notes]
    after = list(carried.after)
    if tunes:
        given.append("for_training=True")
        notes.append(TRAINED if trains(script) else KEPT)
        after += [EVALUATING] if stays_evaluating(script) else []
    if grown != "none":
        given.append(AS_FILES)
        notes.append(ADDED)
    if lacks_bos:
        given.append("allow_missing_bos=True")
        notes.append(_CHUNKS)
    if may_load_chat(script, model):
        given.append("allow_chat_model=True")
        notes.append(CHATS)
    if config is None and any(argument.startswith("load_in_4bit=") for argument in given):
        given += [f"{name}={value}" for name, value in four_bit_options(script, {})]
    return LoaderArguments(
        (id_argument(script, model.args), *_once([*bits, *given])),
        tuple(notes),
        tuple(after),
        after_tokenizer,
        tuple(edit for part in said for edit in part.edits),
        tuple(name for part in said for name in part.names),
        tuple(edit for part in said for edit in part.touched),
    )


def _without_code(
    model: ModelLoad, tokenizer: TokenizerLoad | None
) -> tuple[Arguments, list[Note]]:
    """The arguments of a load, without the remote code that a class of transformers' own never runs."""
    owner = class_named(model)
    own = model.api.startswith("transformers.") and not owner.startswith("Auto")
    others = tokenizer is not None and "trust_remote_code" in tokenizer.args.keywords
    if not own or others or "trust_remote_code" not in model.args.keywords:
        return model.args, []
    kept = {n: a for n, a in model.args.keywords.items() if n != "trust_remote_code"}
    note = Note("dropped", f"`trust_remote_code`: `{owner}` is a class of transformers' own")
    return replace(model.args, keywords=kept), [note]


def refuse_pad_keyword(script: Script, tokenizer: TokenizerLoad | None, grown: Growth) -> None:
    """Raise for a load that names a pad token, or a side that is saved, where the loader leaves padding to the script.

    Raises:
        CannotRewrite: The loader would not set it.
    """
    if grown != "used" or tokenizer is None:
        return
    named = tokenizer.args.keywords
    if "padding_side" in named and _SAVES.search(script.source.text):
        raise CannotRewrite("the tokenizer's load names a side that is saved with what is added")
    if "pad_token" in named:
        raise CannotRewrite("the tokenizer's load names a `pad_token`, and tokens are added later")


def _once(arguments: Sequence[str]) -> list[str]:
    """The arguments, one that is said twice in the same words once.

    Raises:
        CannotRewrite: One is said twice and differently, or perhaps in a `**` dict as well.
    """
    found = list(dict.fromkeys(arguments))
    names = [argument.partition("=")[0] for argument in found if not argument.startswith("**")]
    twice = [name for name in names if names.count(name) > 1]
    if len(names) < len(found):
        twice += [name for name in names if name in ("load_in_8bit", "load_in_4bit")]
    if twice:
        raise CannotRewrite(f"the load says `{twice[0]}` twice, beside a quantization config")
    return found


def _spread(script: Script, model: ModelLoad) -> list[Said]:
    found: list[Said] = []
    for argument in model.args.spread:
        if argument.expression is None or argument.node is None or argument.node.star != "**":
            raise CannotRewrite("the load takes `*` arguments that this tool does not take apart")
        found.append(say_dict(script, model, argument.expression))
    return found


def id_argument(script: Script, args: Arguments) -> str:
    """The model that a load names, as written.

    Raises:
        CannotRewrite: It names none.
    """
    argument = args.get("pretrained_model_name_or_path", 0)
    if argument is None:
        raise CannotRewrite("the load names no model")
    return written(script, argument)
