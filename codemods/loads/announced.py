"""What a plan tells of a guarded load that the old one did not do."""

from __future__ import annotations

import re

import libcst as cst

from cleanguard.catalogue.families import family_of
from codemods.facts.growth import may_grow
from codemods.facts.load_context import may_load_chat, padding_taker
from codemods.facts.load_targets import class_named, target_of
from codemods.facts.purposes import saves, trains
from codemods.facts.unseen_ids import may_have_bos
from codemods.loads.partners import model_text
from codemods.plan.sites import Note
from codemods.script.script import Script
from lint_rules._flow.values.events import Forward, Generate, ModelLoad, TokenizerLoad
from lint_rules._flow.values.joins import Value

_ITS_TOKENIZER = Note(
    "changed",
    "the model's folder must hold a tokenizer, which `load()` loads as well",
    "where it does",
    beyond="apart",
)
_GREEDY = Note(
    "changed",
    "generation_config.json is replaced by an explicit greedy one, which ends at the tokenizer's EOS as well; what it "
    "said is recorded",
    "where that file named no sampling, no penalties and that end",
)
_REFUSES = Note(
    "changed",
    "what reaches the model is checked when it comes: a chat control token, an empty prompt, one longer than the "
    "model's context, and scores that are no numbers, are refused",
    "where no prompt, and no text of the model that is read again, is such a one, and the scores are numbers",
)
_CLASS = "the model's config names the class, whatever it is; the script said `{name}`"
_TOKENIZER_CLASS = "the tokenizer's files name its class; the script said `{name}`"
_ANY_HEAD = Note(
    "changed",
    "`AutoModelWithLMHead` took masked and translating models as well; the loader takes causal ones",
    "where a causal model is named",
    beyond="always",
)
_SAME_CLASS = "where the config names that one"
_FREED = Note(
    "changed",
    "a guarded model that is deleted is freed when the garbage collector runs: call `gc.collect()` behind the `del`",
    "where memory is enough for both",
    beyond="always",
)
_ALIGNED = Note(
    "changed",
    "Trainer writes no `pad_token_id` into the saved generation_config.json: it finds the tokenizer's there already; "
    "where the script names no pad token, it writes the loader's into the saved config.json",
    "where the model's files name one, or the tokenizer's none",
    beyond="always",
)
_TAKEN = "`{name}` may pad with what is loaded here: the loader pads on the left, with a token of its own choice"
_SAYS_SIDE = "where it sets side and token itself, or rows are equally long"
_SPELLED = Note(
    "changed",
    "a prompt that spells BOS is refused, and ids that begin with it twice, scored ones too",
    "where no text that becomes a prompt, or is scored, spells it",
)
_PICKLED = Note(
    "changed",
    "weights that are pickled alone, lack a tensor of the model or have one that it has not, are refused, and a "
    "tokenizer with more ids than the model has rows",
    "where the model's folder holds safetensors, all of them and no others, and rows for all ids",
)
NO_CHAT = Note(
    "changed",
    "a chat model is refused, and an adapter in the place of a model",
    "where a base model is named",
)
NO_ADAPTER = Note(
    "changed", "an adapter in the place of a model is refused", "where a model is named"
)
_TWO_BOS = Note(
    "changed",
    "rows that begin with BOS twice are refused, and in evaluation padding on the left where a model counts positions",
    "where no row begins so, and the model counts none",
)
_SAVED = Note(
    "changed",
    "a tokenizer that is saved unchanged is saved as the files that it came in, with their chat template and side",
    "where those are what transformers writes",
)
# Families of which folders with a tokenizer.model alone are about, and whose own have the other file too.
_PIECES = ("llama2", "mistral", "gemma", "yi")
_PUBLISHERS = ("meta-llama/", "mistralai/", "google/", "codellama/", "TinyLlama/")
_SENTENCEPIECE = Note(
    "changed",
    "a `tokenizer.model` without a tokenizer.json is read as sentencepiece reads it; "
    "transformers 5 gives other ids where blanks follow each other or a special token",
    "where the folder holds a tokenizer.json",
    beyond="unnamed",
)


def of_files(script: Script, tokenizer: TokenizerLoad) -> tuple[Note, ...]:
    """What becomes of the tokenizer's files: of sentencepiece's where the name does not tell, and what is saved."""
    name = tokenizer.model.text or ""
    family = family_of(name) if tokenizer.model.fixed else None
    known = family is not None and (family.name not in _PIECES or name.startswith(_PUBLISHERS))
    llama = class_named(tokenizer).startswith("Llama")
    named = llama and (family is None or family.name not in _PIECES)
    told = () if known else (_SENTENCEPIECE, *_named_class(tokenizer))
    told += _named_class(tokenizer) if known and named else ()
    return (*told, *((_SAVED,) if saves(script) else ()))


def _named_class(tokenizer: TokenizerLoad) -> tuple[Note, ...]:
    """The note on a class that a load says, and that the tokenizer's files may not name."""
    name = class_named(tokenizer)
    if name.startswith(("Auto", "PreTrained")):
        return ()
    return (Note("changed", _TOKENIZER_CLASS.format(name=name), _SAME_CLASS),)


def may_be_chat(load: ModelLoad | TokenizerLoad) -> bool:
    """Whether the name tells no base model for certain; a default may be overridden."""
    return not load.model.fixed or load.model.standing == "unknown"


def told_of(script: Script, model: ModelLoad) -> tuple[Note, ...]:
    """What the loader does that the old load did not."""
    unknown = may_be_chat(model)
    first = NO_ADAPTER if may_load_chat(script, model) else NO_CHAT
    return (
        _GREEDY,
        _REFUSES,
        *((_TWO_BOS,) if trains(script) else ()),
        *((_ALIGNED,) if script.names_end_with("Trainer") and not may_grow(script) else ()),
        *_taken(script),
        *_of_class(model),
        *((_FREED,) if _is_deleted(script, model) else ()),
        *((_SPELLED,) if _makes_prompts(script, model) else ()),
        _PICKLED,
        *((first,) if unknown else ()),
    )


def _taken(script: Script) -> tuple[Note, ...]:
    """The note on another file that pads with what a script loads."""
    name = None if trains(script) else script.once(padding_taker)
    if name is None:
        return ()
    return (Note("changed", _TAKEN.format(name=name), _SAYS_SIDE, beyond="always"),)


def _is_deleted(script: Script, model: ModelLoad) -> bool:
    """Whether the script deletes what a load gives, and does not ask the garbage collector to come."""
    target = target_of(script, model)
    if target is None or script.has_attribute("collect("):
        return False
    text = script.source.text
    gone = re.findall(r"^\s*del\s+([^\n#]+)", text, re.MULTILINE)
    if any(target.text in map(str.strip, names.split(",")) for names in gone):
        return True
    freed = re.finditer(rf"^\s*{re.escape(target.text)}\s*=\s*None\b", text, re.MULTILINE)
    before = script.span(model.node).start
    return any(
        _function_above(text[: one.start()]) != "__init__"
        for one in freed
        if "." in target.text or len(text[: one.start()].encode()) > before
    )


def _function_above(text: str) -> str | None:
    """The name of the last function that a text begins."""
    found = re.findall(r"^\s*def\s+(\w+)", text, re.MULTILINE)
    return found[-1] if found else None


def _of_class(model: ModelLoad) -> tuple[Note, ...]:
    """The note on a class of transformers' own that a load says, of which the model may not be."""
    name = class_named(model)
    if name == "AutoModelWithLMHead":
        return (_ANY_HEAD,)
    own = model.api.startswith("transformers.") and not name.startswith("Auto")
    if not own or (model.model.text is not None and model.model.fixed):
        return ()
    return (Note("changed", _CLASS.format(name=name), _SAME_CLASS),)


def _makes_prompts(script: Script, model: ModelLoad) -> bool:
    """Whether a script gives texts to what may have a BOS, or serves files that may."""
    kinds = (Generate, Forward)
    reads = any(next(script.flow.events(kind), None) is not None for kind in kinds)
    serves = not trains(script) and script.others.serves(script.path)
    return (reads or serves) and may_have_bos(model.model)


def _revision(load: ModelLoad | TokenizerLoad) -> Value | None:
    said = load.args.keywords.get("revision")
    return None if said is None else said.value


def alone(script: Script, model: ModelLoad) -> tuple[Note, ...]:
    """The note on the tokenizer of a model whose name not every tokenizer of the script has."""
    own = model_text(script, model.args)

    function = model.place.function
    given = () if function is None else [one.name.value for one in function.params.params]
    # A parameter of that name is another one elsewhere.
    ours = own is not None and own.partition(".")[0] in given

    def is_same(tokenizer: TokenizerLoad) -> bool:
        if _revision(tokenizer) != _revision(model):
            return False
        fixed = tokenizer.model.fixed and model.model.fixed
        if not _comes_with(script, tokenizer, model):
            return False
        same = fixed and tokenizer.model.text is not None
        same = same and tokenizer.model.text == model.model.text
        here = not ours or tokenizer.place.function is function
        return same or (here and own is not None and model_text(script, tokenizer.args) == own)

    # An option may name a tokenizer of another place instead.
    loads = list(script.flow.events(TokenizerLoad))
    return () if loads and all(map(is_same, loads)) else (_ITS_TOKENIZER,)


def _comes_with(script: Script, tokenizer: TokenizerLoad, model: ModelLoad) -> bool:
    """Whether a tokenizer is loaded wherever the model is: not on a condition that the model's load is not under."""
    if tokenizer.place.function is not model.place.function:
        return True
    at = script.span(model.node).start
    for one in tokenizer.place.parents:
        if not isinstance(one, cst.If):
            continue
        if one not in model.place.parents:
            return False
        first, body = script.span(tokenizer.node).start, script.span(one.body)
        if (body.start <= first < body.end) != (body.start <= at < body.end):
            return False
    return True
