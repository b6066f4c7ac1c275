"""What stands around a load and decides whether and how it can be rewritten."""

from __future__ import annotations

import re
from collections.abc import Sequence

import libcst as cst

from cleanguard.catalogue.families import family_of
from cleanguard.catalogue.standing import standing_of
from codemods.facts.purposes import trains
from codemods.plan.edits import Edit
from codemods.plan.sites import CannotRewrite, Note
from codemods.script.closures import closure_text, imports_of
from codemods.script.model_uses import Calls, reaches
from codemods.script.script import Script
from lint_rules._flow.values.events import (
    AttributeSet,
    Encode,
    Forward,
    ModelLoad,
    TokenizerLoad,
)
from lint_rules._flow.values.joins import Constant, Tokenizer, options
from lint_rules._flow.values.syntax import dotted

# Contexts in which a load makes parameters without values: there is nothing to check or to run.
# Rows of which a part is taken.
_CUT_ROWS = re.compile(r"(input_ids|labels)[\"']?\]?\[[^\]\n]*:[^\]\n]*\]")
_EMPTY = ("init_empty_weights", "init_on_device", "no_init_weights", "LoadWoInit", "Init", "device")

# A size tells it from data: `7b`, `350m`.
_MODEL_NAME = re.compile(r"\b(?:[\w.-]+/)?[A-Za-z][\w.-]*\d[bBmM]\b(?:[\w.-]*\w)?")
_COLLATES = re.compile(r"[Cc]ollat|\.pad\(|pad_sequence")
# Classes of transformers and trl that make batches of rows.
_COLLATORS = (
    *("DataCollator", "DataCollatorWithPadding", "DataCollatorForLanguageModeling"),
    *(
        "DataCollatorForSeq2Seq",
        "DataCollatorForTokenClassification",
        "DataCollatorForWholeWordMask",
    ),
    *("DataCollatorForPermutationLanguageModeling", "DataCollatorWithFlattening"),
    *("DataCollatorForCompletionOnlyLM", "DataCollatorForMultipleChoice", "DataCollatorForSOP"),
)
_PADS = re.compile(r"\bpadding\s*=\s*(?!False|None|\d)|\bpad_token|\.pad\(")
# What a parameter, an option or a field is where nobody says anything else.
_DEFAULT = re.compile(r"=\s*[\"']([\w./-]+)[\"']")

# Families whose models have learned positions, some of them beside others.
_COUNTING = ("gpt2", "gpt-neox", "opt", "starcoder", "stablelm")
_FILLED = Note(
    "changed",
    "rows are filled up with the pad token that the loader chooses",
    "where the tokenizer brings one that is not EOS",
    beyond="always",
)
# What decides which special tokens a tokenizer puts around a prompt.
SPECIALS = ("add_bos_token", "add_eos_token", "bos_token", "bos_token_id")


def refuse_empty_weights(model: ModelLoad) -> None:
    """Raise for a load under `with init_empty_weights():` and its kin.

    Raises:
        CannotRewrite: The model is to have no weights.
    """
    for parent in model.place.parents:
        for item in parent.items if isinstance(parent, cst.With) else ():
            call = item.item
            name = dotted(call.func) if isinstance(call, cst.Call) else None
            last = (name or "").rpartition(".")[2]
            if last in _EMPTY:
                raise CannotRewrite(
                    f"it stands in `with {name}(…)`: what has no weights, or is placed by hand, cannot be checked"
                )


def refuse_moved_padding(script: Script, tokenizer: TokenizerLoad) -> None:
    """Raise if a padded batch is scored whose side the script leaves to the tokenizer, or puts right.

    Raises:
        CannotRewrite: Positions counted from the left would be others, as the loader pads on the left.
    """
    if trains(script):
        return
    left = _says_left(script, tokenizer)
    collates = script.names_end_with("Trainer") and _pads_rows(script)
    if not left and (collates or script.once(_collates_scored)):
        raise CannotRewrite(
            "a Trainer or collator pads rows that are scored, and the loader pads on the left: positions counted from "
            'the left would move; say `padding_side="left"` if none are'
        )
    padded = None if left else _padded_elsewhere(script, tokenizer)
    if padded is not None:
        raise CannotRewrite(
            f"line {padded} pads with it on the side that its files name, and the loader pads on the left: say "
            '`padding_side="left"` if positions are not counted'
        )
    name = None if left else script.once(_padded_by)
    if name is not None:
        raise CannotRewrite(
            f"{name} takes the tokenizer and may pad with it; the loader's side and pad token are others"
        )
    for forward in script.flow.events(Forward):
        made = forward.encoded is None and "attention_mask" in forward.args.keywords
        if made and _counts_positions(forward):
            raise CannotRewrite(
                f"rows made by hand may be padded on the left (line {script.line_of(forward.node)}), which the guard "
                "refuses for models that count positions"
            )
    for encode in script.flow.events(Encode):
        unseen = encode.args.opaque and "padding" not in encode.args.keywords
        if encode.tokenizer.origin is not tokenizer.node or not (
            unseen or "padding" in encode.args.keywords
        ):
            continue
        uses = script.flow.uses(encode)
        scored = [use for use in uses if isinstance(use, Forward)]
        if not uses and _pads(encode):  # it may come to a model through a function of another file
            scored = [one for one in script.flow.events(Forward) if one.encoded is None]
        line = script.line_of(encode.node)
        if not all(map(is_masked, scored)) and may_pad(encode):
            raise CannotRewrite(
                f"a padded batch is scored without its mask (line {line}), which the guard refuses"
            )
        if scored and not left and unseen:
            raise CannotRewrite(
                f"line {line} may pad what is scored, and the loader pads on the left: positions counted from the left "
                'would move; say `padding_side="left"` if none are'
            )
        padded_left = left or encode.args.written("padding_side") == "left"
        if padded_left and may_pad(encode) and any(map(_counts_positions, scored)):
            raise CannotRewrite(
                f"rows padded on the left are scored without `position_ids` (line {line}), which the guard refuses for "
                "models that count positions"
            )
        if scored and not left and _pads(encode):
            raise CannotRewrite(
                f"a padded batch is scored (line {line}) and the loader pads on the left: positions "
                'counted from the left would move; say `padding_side="left"` if none are'
            )


def _counts_positions(forward: Forward) -> bool:
    """Whether a model may count positions from the first column of a batch, and is not told others."""
    if "position_ids" in forward.args.keywords:
        return False
    model = forward.model.model
    family = family_of(model.text or "") if model.fixed else None
    return family is None or family.name in _COUNTING


def _collates_scored(script: Script) -> bool:
    """Whether a collator of transformers makes rows, and a model of the script scores some."""
    collates = "DataCollator" in script.source.text and script.names_end_with(*_COLLATORS)
    return collates and next(script.flow.events(Forward), None) is not None


def _padded_elsewhere(script: Script, tokenizer: TokenizerLoad) -> int | None:
    """The line that pads with a tokenizer: by its `pad`, or in a function of another file that gets it."""
    for call in script.look(Calls, "pad").found:
        assert isinstance(call.func, cst.Attribute)
        if reaches(script, tokenizer, call.func.value) and "tok" in script.code(call.func.value):
            return script.line_of(call)
    members = imports_of(script).by_name
    for call in script.look(Calls, None).found if members else ():
        found = members.get(dotted(call.func) or "")
        if found is None or not any(_is_it(script, tokenizer, one.value) for one in call.args):
            continue
        text = closure_text(script.others, script.path, *found)
        if text is not None and _PADS.search(text):
            return script.line_of(call)
    return None


def _is_it(script: Script, tokenizer: TokenizerLoad, node: cst.BaseExpression) -> bool:
    plain = isinstance(node, (cst.Name, cst.Attribute)) and "tok" in script.code(node)
    return plain and reaches(script, tokenizer, node)


def _pads_rows(script: Script) -> bool:
    named = any(_pads(encode) for encode in script.flow.events(Encode))
    return named or _COLLATES.search(script.source.text) is not None


def _padded_by(script: Script) -> str | None:
    """The name of a file that may pad with a tokenizer that a script without a model hands on."""
    alone = next(script.flow.events(ModelLoad), None) is None
    return script.once(padding_taker) if alone else None


def padding_taker(script: Script) -> str | None:
    """The name of a file that imports a script and may pad, or train, with what it loads; None where none does."""
    takers = script.others.importers(script.path) if script.others.serves(script.path) else ()
    return next((one.name for one in takers if _PADS.search(script.others.text(one))), None)


def side_note(script: Script, tokenizer: TokenizerLoad) -> list[Note]:
    """What becomes of the side that a tokenizer pads on in training, where the script does not say it."""
    if (
        any(
            event.attribute == "padding_side"
            and getattr(event.target, "origin", None) in (None, tokenizer.node)
            for event in script.flow.events(AttributeSet)
        )
        or "padding_side" in tokenizer.args.keywords
        or not trains(script)
    ):
        return []
    text = "batches are padded on the right, as training needs it"
    if _CUT_ROWS.search(script.source.text):
        text += (
            "; where rows are cut after they are padded, the end that is cut off is padding then"
        )
    return [Note("changed", text, "where the tokenizer's own side was that, as most have it")]


def padding_note(script: Script, encode: Encode) -> list[Note]:
    """What becomes of a batch that was padded on the side that the tokenizer happened to have."""
    if trains(script):  # `side_note` tells the side
        text = script.source.text
        pads = may_pad(encode) if "padding" in encode.args.keywords else _COLLATES.search(text)
        return [_FILLED] if pads and "pad_token" not in text else []
    load = script.flow.event_at(encode.tokenizer.origin, TokenizerLoad)
    if not _pads(encode):
        return []
    if "padding_side" in encode.args.keywords:
        text = "a batch is padded on the left, whatever side the call names"
        unless = "where the prompts of a batch were equally long"
        return [Note("changed", text, unless, beyond="always")]
    if load is not None and _says_left(script, load):
        return []
    text = "a batch is padded on the left with the loader's pad token; it was padded on the tokenizer's own side"
    unless = "where that was the left, or the prompts of a batch were equally long"
    return [Note("changed", text, unless, beyond="always")]


def padding_notes(script: Script, edits: Sequence[Edit]) -> list[tuple[Encode, Note]]:
    """What becomes of padded batches that stay in the script, with a tokenizer that the loader gives."""
    found: list[tuple[Encode, Note]] = []
    for encode in script.flow.events(Encode):
        load = script.flow.event_at(encode.tokenizer.origin, TokenizerLoad)
        if load is None or not script.reports("CG102", load.node):
            continue
        if "padding_side" in encode.args.keywords:
            continue  # it stays, and says so itself
        start, loaded = script.span(encode.node).start, script.span(load.node).start
        if any(edit.covers(start) for edit in edits) or not any(
            edit.covers(loaded) for edit in edits
        ):
            continue
        found += [(encode, note) for note in padding_note(script, encode)]
    return found


def is_masked(scored: Forward) -> bool:
    """Whether a forward pass gets a mask, or a dict of all that the tokenizer gave."""
    args = scored.args
    return bool(args.spread) or "attention_mask" in args.keywords or len(args.positional) > 1


def may_pad(encode: Encode) -> bool:
    """Whether a tokenizer call that names `padding` may pad."""
    return encode.args.written("padding") not in (False, None, "do_not_pad")


def _pads(encode: Encode) -> bool:
    argument = encode.args.get("padding")
    if argument is None or encode.args.written("padding_side") == "left":
        return False
    return argument.value not in (Constant(False), Constant("do_not_pad"))


def _sides_set(script: Script, tokenizer: TokenizerLoad) -> list[AttributeSet]:
    """Where the script gives the tokenizer a side after its load."""
    return [
        event
        for event in script.flow.events(AttributeSet)
        if event.attribute == "padding_side"
        and isinstance(event.target, Tokenizer)
        and event.target.origin is tokenizer.node
    ]


def _says_left(script: Script, tokenizer: TokenizerLoad) -> bool:
    """Whether every side that the script gives the tokenizer is the left one, and it gives one in every case."""
    sets = _sides_set(script, tokenizer)
    given = tokenizer.args.get("padding_side")
    said = [event.value for event in sets] + ([] if given is None else [given.value])
    sure = given is not None or any(not _on_condition(event, tokenizer) for event in sets)
    return sure and all(value == Constant("left") for value in said)


CONDITIONS = (cst.If, cst.For, cst.While, cst.Try, cst.TryStar, cst.Match)


def _on_condition(event: AttributeSet, tokenizer: TokenizerLoad) -> bool:
    """Whether something decides about a setting that does not decide about the load."""
    return any(
        isinstance(one, CONDITIONS) and not any(one is other for other in tokenizer.place.parents)
        for one in event.place.parents
    )


def is_statement(model: ModelLoad) -> bool:
    """Whether a load stands alone on its line, and nothing takes the model."""
    line = model.place.line
    only = line.body[0] if line is not None and len(line.body) == 1 else None
    return isinstance(only, cst.Expr) and only.value is model.node


def may_load_chat(script: Script, load: ModelLoad | TokenizerLoad) -> bool:
    """Whether a script names a chat model that a load may be given: as a choice, in a table, in a usage line.

    The loader refuses it unless told; the old load took it.
    """
    certain = load.model.text is not None and load.model.fixed
    if certain or load.model.standing == "chat":
        return False
    given = load.args.get("pretrained_model_name_or_path", 0)
    names = [] if given is None else list(options(given.value))
    return any(
        isinstance(one, Constant) and isinstance(one.value, str) and _is_chat(script, one.value)
        for one in names
    ) or any(_is_chat(script, name) for name in script.once(_model_names))


def _model_names(script: Script) -> set[str]:
    """What is named like a model with its size in the script: in tables, choices, usage lines and comments.

    Of files that it imports, or that import it, what is a default.
    """
    others = script.others
    modules = imports_of(script).modules
    around = {path for name in modules for path in others.modules(script.path, name)}
    around.update(others.importers(script.path))
    defaults = [name for path in around for name in _DEFAULT.findall(others.text(path))]
    return {
        *(found.group() for found in _MODEL_NAME.finditer(script.source.text)),
        *(name for name in defaults if _MODEL_NAME.fullmatch(name)),
    }


def _is_chat(script: Script, name: str) -> bool:
    known = script.flow.settings
    return standing_of(name, known.base_models, known.chat_models) == "chat"
