"""What becomes of each keyword of `model.generate` and `tokenizer.decode`."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import libcst as cst

from codemods.facts.held_objects import refuse_changed_elsewhere
from codemods.facts.loader_keywords import literal_of, literal_value, written
from codemods.facts.set_configs import read_configs, set_configs
from codemods.plan.edits import Edit
from codemods.plan.sites import CannotRewrite, Note
from codemods.script.dict_keys import Keys
from codemods.script.purity import assigned_name, is_pure, may_change
from codemods.script.script import Script
from codemods.settings.config_changes import settings_after
from codemods.settings.contradictions import refuse_contradictions
from codemods.settings.generate_dicts import keys_of
from codemods.settings.sampling import Given, say_length, say_sampling
from lint_rules._flow.values.arguments import Argument
from lint_rules._flow.values.events import Decode, Generate
from lint_rules._flow.values.joins import UNKNOWN, Constant, Encoded, Value, first
from lint_rules._flow.values.syntax import dotted
from lint_rules._light.positions import Span
from lint_rules._questions.loader_signature import IDS_SETTINGS, SETTINGS
from lint_rules._questions.reach import nodes_in

_PROMPT = ("input_ids", "inputs", "attention_mask", "token_type_ids")
_OF_ONES = ("ones_like", "ones", "new_ones")
_GIVES_IDS = ("eos_token_id", "convert_tokens_to_ids", "encode", "input_ids", "tolist")
# Keywords that a person can do something better about than leaving them out.
_INSTEAD = {
    "streamer": "a streamer shows the text while it grows: "
    "`CleanModelLoader.stream(model, tokenizer, prompt, …)` gives it in pieces",
}


def carry_generate_keywords(
    script: Script, call: Generate, inputs: Mapping[str, Argument] | None = None
) -> tuple[list[str], list[Note]]:
    """The arguments of the guarded call that keep the old call's effective settings.

    Args:
        script: The script.
        call: The old call.
        inputs: What brings ids to `generate_ids`, which takes more; None for calls that take a text.

    Raises:
        CannotRewrite: A keyword has no place in the guarded call.
    """
    if len(call.args.positional) > 1:
        raise CannotRewrite("generate takes positional arguments besides the prompt")
    given = _dicts(script, call, inputs)
    in_dicts = given.keys.values
    notes: list[Note] = []
    refuse_set_config(script)
    for name, argument in _keywords(script, call).items():
        if name == "attention_mask" and inputs is None:
            refuse_other_mask(script, call, argument)
        if name in _PROMPT or name in (inputs or ()):
            continue
        note = None if inputs is not None and name in IDS_SETTINGS else _fate(name, argument)
        if note is not None:
            notes.append(note)
            continue
        if name in in_dicts and argument is not call.args.keywords.get(name):
            raise CannotRewrite(f"`{name}` is said twice, once in a `**` dict")
        given.keywords.append(f"{name}={written(script, argument)}")
        said = _literals(script, argument, call.place.function)
        given.keys = given.keys.then(Keys(frozenset([name]), {name: said}))
    refuse_contradictions(given.keys)
    if inputs is None:
        _refuse_endless(script, call, given.keys)
    notes += say_length(script, given)
    notes += say_sampling(given)
    return given.written(script), notes


def _refuse_endless(script: Script, call: Generate, keys: Keys) -> None:
    """With None no text ends early: calls that take a text would let the model's own EOS end it."""
    said = call.args.keywords.get("eos_token_id")
    node = None if said is None or said.node is None else said.expression
    doubt = node is not None and not _is_end(script, node, call.place.function)
    if doubt or Constant(None) in keys.values.get("eos_token_id", ()):
        raise CannotRewrite(
            "`eos_token_id` may be None, which lets no text end: only `generate_ids` does"
        )


def _is_end(script: Script, node: cst.BaseExpression, function: cst.FunctionDef | None) -> bool:
    """Whether an expression certainly is an id or some: a number, a tokenizer's own, or what it gives for a text."""
    if isinstance(node, cst.Name) and literal_value(node) is UNKNOWN:
        scope = script.home_of(node.value, function)
        values = script.assigned_values(node.value, scope)
        whole = len(values) == len(script.stores_of(node.value, scope))
        return bool(values) and whole and all(_makes_end(value) for value in values)
    return _makes_end(node)


def _makes_end(node: cst.BaseExpression) -> bool:
    parts = list(nodes_in(node))
    if any(isinstance(part, cst.Name) and part.value == "None" for part in parts):
        return False
    return any(
        isinstance(part, cst.Integer)
        or (isinstance(part, cst.Attribute) and part.attr.value in _GIVES_IDS)
        for part in parts
    )


def _fate(name: str, argument: Argument) -> Note | None:
    """Why a keyword falls away; None for one that is carried.

    Raises:
        CannotRewrite: It has no place in the guarded call.
    """
    if name == "pad_token_id":
        return Note("dropped", "`pad_token_id`: the loader pads, and masks what it pads")
    if name == "bos_token_id":
        return Note("dropped", "`bos_token_id`: it begins a text where no prompt is given")
    if name == "tokenizer":
        return Note("dropped", "`tokenizer=`: passed to the loader already")
    if name == "use_cache" and literal_of(argument) is True:
        return Note("dropped", "`use_cache=True`: the default")
    if name in ("return_dict_in_generate", "output_scores", "output_logits"):
        return Note("dropped", f"`{name}`: only the text is used")
    if name in (*SETTINGS, "num_return_sequences"):
        return None
    other = f"the keyword `{name}` of generate has no place in the guarded call"
    raise CannotRewrite(_INSTEAD.get(name, other))


def _literals(
    script: Script, argument: Argument, function: cst.FunctionDef | None
) -> tuple[Value, ...]:
    """What an argument may be, as far as it is written out: there, or where its name is assigned."""
    node = argument.expression
    if isinstance(node, cst.UnaryOperation) and isinstance(node.operator, cst.Minus):
        number = literal_value(node.expression)
        known = isinstance(number, Constant) and isinstance(number.value, (int, float))
        return (Constant(-number.value) if known else UNKNOWN,)  # type: ignore[union-attr, operator]
    if not isinstance(node, cst.Name) or literal_value(node) is not UNKNOWN:
        return (UNKNOWN if node is None else literal_value(node),)
    scope = script.home_of(node.value, function)
    values = script.assigned_values(node.value, scope)
    if not values or len(values) != len(script.stores_of(node.value, scope)):
        return (UNKNOWN,)
    return tuple(literal_value(value) for value in values)


def _dicts(script: Script, call: Generate, inputs: Mapping[str, Argument] | None) -> Given:
    """The `**` arguments, but for the encoded prompt."""
    given = Given(Keys())
    more = () if inputs is None else IDS_SETTINGS
    for argument in call.args.spread:
        if first(argument.value, Encoded) is not None or argument is (inputs or {}).get("**"):
            continue
        unread = CannotRewrite("generate takes `**` arguments that cannot be followed")
        if argument.expression is None or argument.node is None or argument.node.star != "**":
            raise unread
        keys = keys_of(script, argument, call.place.function)
        if keys is None:
            raise unread
        unknown = sorted(keys.values.keys() - {*SETTINGS, *more, "pad_token_id"})
        if unknown:
            raise CannotRewrite(
                f"the keyword `{unknown[0]}` in a `**` dict has no place in the call"
            )
        given.dicts.append(argument.expression)
        given.keys = given.keys.then(keys)
    return given


def refuse_other_mask(script: Script, call: Generate, argument: Argument) -> None:
    """The guard makes the mask: it must be the encoding's own, or of ones."""
    node = argument.expression
    if node is None or first(argument.value, Encoded) is not None:
        return
    values = [node]
    if isinstance(node, cst.Name):
        function = call.place.function
        values = script.assigned_values(node.value, function)
        if len(script.uses(node.value, function)) > len(values) + 1:
            values = []  # changed after it was made, or read elsewhere
    made = [(dotted(v.func) or "") if isinstance(v, cst.Call) else "" for v in values]
    if not made or not all(name.rpartition(".")[2] in _OF_ONES for name in made):
        raise CannotRewrite("its attention mask is made by hand")


def refuse_set_config(script: Script) -> None:
    """Settings that the script puts into `model.generation_config` do not reach the guarded call."""
    read = read_configs(script)
    if read:
        raise CannotRewrite(
            f"line {script.line_of(read[0])} reads what `generation_config` says, which is greedy in the guard's"
        )
    found = set_configs(script)
    if found:
        line = script.line_of(found[0])
        raise CannotRewrite(
            f"line {line} sets `generation_config`, which the guard replaces; say it in the call"
        )


def _keywords(script: Script, call: Generate) -> dict[str, Argument]:
    """The written keywords of the call, those of a GenerationConfig made in this function included."""
    found: dict[str, Argument] = {}
    config = call.args.keywords.get("generation_config")
    if config is not None and config.expression is not None:
        for arg in _config_call(script, call, config.expression).args:
            if arg.keyword is None:
                raise CannotRewrite("the GenerationConfig is not written out")
            found[arg.keyword.value] = Argument(literal_value(arg.value), arg.value, arg)
        if isinstance(config.expression, cst.Name):
            found |= settings_after(script, call, config.expression.value)
        sampled = "do_sample" in found and found["do_sample"].value != Constant(False)
        if "num_return_sequences" in found and not sampled and "num_beams" not in found:
            raise CannotRewrite(
                "a greedy GenerationConfig of several texts raises when it is made or given"
            )
    # None in a config leaves the setting to the model's own, while None in the call switches it off.
    found = {name: given for name, given in found.items() if given.value != Constant(None)}
    found |= {
        name: argument
        for name, argument in call.args.keywords.items()
        if argument.node is not None and name != "generation_config"
    }
    return found


def _config_call(script: Script, call: Generate, node: cst.BaseExpression) -> cst.Call:
    """`GenerationConfig(…)`, written in the call or assigned once, to a name, from what only reads."""
    if isinstance(node, cst.Name):
        function = call.place.function
        scope = script.home_of(node.value, function)
        values = script.assigned_values(node.value, scope)
        if len(values) != 1 or len(script.stores_of(node.value, scope)) != 1:
            raise CannotRewrite("the GenerationConfig is not written out")
        refuse_changed_elsewhere(script, node.value, scope)
        node = values[0]
    if (
        not isinstance(node, cst.Call)
        or (dotted(node.func) or "").rpartition(".")[2] != "GenerationConfig"
    ):
        raise CannotRewrite("the GenerationConfig is not written out")
    names = {name for arg in node.args for name in script.names_in(script.span(arg.value))}
    start, end = script.span(node).end, script.span(call.node).start
    if not all(is_pure(arg.value) for arg in node.args) or (
        start < end and names & script.stored_in(Span(start, end))
    ):
        raise CannotRewrite("the GenerationConfig may change before the call")
    return node


def unread_config(
    script: Script, call: Generate, edits: Sequence[Edit]
) -> cst.SimpleStatementLine | None:
    """The line that assigns the call's GenerationConfig, if the edits leave nothing that reads it."""
    config = call.args.keywords.get("generation_config")
    node = None if config is None else config.expression
    if not isinstance(node, cst.Name):
        return None
    scope = script.home_of(node.value, call.place.function)
    if script.is_taken_elsewhere(node.value, scope):
        return None
    uses = script.uses(node.value, scope)
    lines = [
        line
        for line in script.lines_between(scope, script.span(scope or script.module))
        if assigned_name(line) == node.value
    ]
    read = [use for use in uses if not use.stores]
    if len(lines) != 1 or len(uses) != len(read) + 1:
        return None
    word = re.compile(rf"\b{re.escape(node.value)}\b")
    covered = all(
        any(edit.covers(use.offset) and not word.search(edit.text) for edit in edits)
        for use in read
    )
    return lines[0] if covered else None


def carry_decode_keywords(
    script: Script, generate: Generate, decode: Decode
) -> tuple[list[str], list[Note]]:
    """The decoding arguments of the guarded call, which leaves special tokens out by default.

    Raises:
        CannotRewrite: A keyword has no place in the guarded call.
    """
    if len(decode.args.positional) > 1 or decode.args.spread:
        raise CannotRewrite("decode takes arguments that this tool does not take apart")
    for name, argument in decode.args.keywords.items():
        if name not in ("token_ids", "sequences"):
            _refuse_later(script, generate, decode, argument)
    given: list[str] = []
    skip = decode.args.get("skip_special_tokens")
    if skip is None:
        given.append("skip_special_tokens=False")
    elif literal_of(skip) is not True:
        given.append(f"skip_special_tokens={written(script, skip)}")
    for name, argument in decode.args.keywords.items():
        if name == "clean_up_tokenization_spaces":
            given.append(f"{name}={written(script, argument)}")
        elif name not in ("skip_special_tokens", "token_ids", "sequences"):
            raise CannotRewrite(f"the keyword `{name}` of decode has no place in the guarded call")
    return given, []


def _refuse_later(script: Script, generate: Generate, decode: Decode, argument: Argument) -> None:
    """Raise if what decoding is told may be another thing where the texts are generated.

    Raises:
        CannotRewrite: A call gives it, or it is set between the two.
    """
    node = argument.expression
    if (
        node is None
        or argument.node is None
        or script.span(node).start < script.span(decode.node).start
    ):
        return
    start, end = script.span(generate.node).start, script.span(node).start
    names = script.names_in(script.span(node))
    region = Span(start, end)
    between = script.stored_in(region) if start < end else set()
    lines = (
        [] if isinstance(node, cst.Name) else script.lines_between(generate.place.function, region)
    )
    if not is_pure(node) or names & between or any(may_change(script, x, names) for x in lines):
        raise CannotRewrite("what decoding is told is set between the call and the decoding")
