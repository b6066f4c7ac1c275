"""`config=` of a load: one of the same model that nothing changes falls away, another goes to the loader."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import libcst as cst

from codemods.facts.held_objects import HeldObject
from codemods.facts.purposes import generates
from codemods.loads.load_dicts import keys_of, only_spread
from codemods.loads.loader_classes import class_argument
from codemods.plan.edits import Edit
from codemods.plan.sites import CannotRewrite, Note
from codemods.script.looking import Looking
from codemods.script.purity import assigned_name, is_pure
from codemods.script.script import Script
from lint_rules._flow.values.events import ModelLoad
from lint_rules._flow.values.syntax import dotted

# Where the config comes from; what it says is the model's own.
_HUB = frozenset(
    "trust_remote_code cache_dir revision token use_auth_token local_files_only force_download".split()  # noqa: SIM905
)
# What a config says of generation, which the guard replaces, and of how the weights are stored.
_NOT_TAKEN = frozenset(
    [
        "max_length",
        "min_length",
        "max_new_tokens",
        "min_new_tokens",
        "do_sample",
        "num_beams",
        "num_beam_groups",
        "temperature",
        "top_k",
        "top_p",
        "min_p",
        "typical_p",
        "epsilon_cutoff",
        "eta_cutoff",
        "repetition_penalty",
        "encoder_repetition_penalty",
        "length_penalty",
        "diversity_penalty",
        "no_repeat_ngram_size",
        "encoder_no_repeat_ngram_size",
        "early_stopping",
        "num_return_sequences",
        "bad_words_ids",
        "suppress_tokens",
        "begin_suppress_tokens",
        "forced_bos_token_id",
        "forced_eos_token_id",
        "remove_invalid_values",
        "exponential_decay_length_penalty",
        "output_scores",
        "return_dict_in_generate",
        "generation_config",
        "quantization_config",
        "is_encoder_decoder",
        "is_decoder",
        "architectures",
        "auto_map",
        "model_type",
        "return_dict",
        "task_specific_params",
        # What the weights must fit: transformers drops or makes up the others, the guard refuses.
        "num_hidden_layers",
        "num_layers",
        "n_layer",
        "hidden_size",
        "n_embd",
        "d_model",
        "intermediate_size",
        "n_inner",
        "ffn_dim",
        "num_attention_heads",
        "n_head",
        "num_key_value_heads",
        "head_dim",
        "vocab_size",
        "tie_word_embeddings",
        "num_local_experts",
        "num_experts",
        "prefix",
    ]
)
_OTHER = "the `config` of the load may say something else than the model's own"


@dataclass(frozen=True, slots=True)
class ConfigFate:
    """What becomes of a load's `config`.

    Attributes:
        argument: The loader's argument; None where it falls away.
        notes: What to tell.
    """

    argument: str | None
    notes: tuple[Note, ...] = ()


def config_fate(script: Script, load: ModelLoad) -> ConfigFate:
    """What becomes of the load's `config`.

    Raises:
        CannotRewrite: What it says cannot be seen, or is a setting that the guard replaces.
    """
    if _falls_away(script, load):
        return ConfigFate(None, tuple(_dropped(script, load)))
    code = _handed_on(script, load)
    note = Note("carried", "`config`: what the script says in the place of the model's own")
    return ConfigFate(f"config={code}", (note,))


def _handed_on(script: Script, load: ModelLoad) -> str:
    """The config as the loader gets it: read from files, and changed in what is not generation alone."""
    node = load.args.keywords["config"].expression
    if isinstance(node, cst.Call):
        _refuse_settings(script, node, load.place.function)
    elif isinstance(node, cst.Name):
        scope = script.home_of(node.value, load.place.function)
        before = _end_of_changes(script, load, scope)

        def counts(offset: int) -> bool:
            return offset < before and not _is_excluded(script, load, offset)

        values = script.assigned_values(node.value, scope)
        values = [value for value in values if counts(script.span(value).start)]
        stores = [use for use in script.stores_of(node.value, scope) if counts(use.offset)]
        if not values or len(values) != len(stores):
            raise CannotRewrite(_OTHER)
        for value in values:
            _refuse_settings(script, value, load.place.function)
        _refuse_other_changes(script, node.value, scope, counts)
    else:
        raise CannotRewrite(_OTHER)
    return script.code(node)


def _refuse_settings(
    script: Script, made: cst.BaseExpression, function: cst.FunctionDef | None
) -> None:
    """Raise unless a config is read from files, and its keywords are no settings of generation."""
    called = (dotted(made.func) or "") if isinstance(made, cst.Call) else ""
    if not isinstance(made, cst.Call) or not called.endswith("Config.from_pretrained"):
        raise CannotRewrite(_OTHER)
    names: list[str] = []
    for arg in made.args:
        if arg.star:
            name = arg.value.value if isinstance(arg.value, cst.Name) else ""
            entries = only_spread(script, name, script.home_of(name, function)) if name else None
            names += [""] if entries is None else keys_of(entries)
        elif arg.keyword is not None:
            names.append(arg.keyword.value)
    if not all(name and _is_taken(script, name) for name in names):
        raise CannotRewrite(_OTHER)


def _end_of_changes(script: Script, load: ModelLoad, scope: cst.FunctionDef | None) -> float:
    """The offset behind which nothing can change what a load's config says: the load, if it runs once."""
    loops = any(isinstance(one, cst.For | cst.While) for one in load.place.parents)
    own = load.place.function is scope
    return float("inf") if loops or not own else script.span(load.node).end


def _is_excluded(script: Script, load: ModelLoad, offset: int) -> bool:
    """Whether a place is reached only where a condition does not hold that must hold for the load."""
    at = script.span(load.node).start

    ifs = [one for one in load.place.parents if isinstance(one, cst.If) and is_pure(one.test)]
    bodies = [(one, script.span(one.body)) for one in ifs]
    holds = {script.code(one.test) for one, body in bodies if body.start <= at < body.end}
    for one in script.look(_Ifs).found if holds else ():
        if one.orelse is None or script.code(one.test) not in holds:
            continue
        span = script.span(one.orelse)
        if span.start <= offset < span.end:
            return True
    return False


class _Ifs(Looking):
    def __init__(self) -> None:
        self.found: list[cst.If] = []

    def visit_If(self, node: cst.If) -> None:
        self.found.append(node)


def _refuse_other_changes(
    script: Script, name: str, scope: cst.FunctionDef | None, counts: Callable[[int], bool]
) -> None:
    held = HeldObject(name, "config")
    (script.module if scope is None else scope).visit(held)
    fine = {script.span(node).start for node in held.given}
    for change in held.changes:
        only = change.body[0]
        assert isinstance(only, cst.Assign)
        target = only.targets[0].target
        assert isinstance(target, cst.Attribute)
        if _is_taken(script, target.attr.value):
            fine.add(script.span(target.value).start)
    for use in script.uses(name, scope):
        if not use.stores and use.offset not in fine and counts(use.offset):
            row = script.row_at(use.offset)
            raise CannotRewrite(f"line {row} may change the `config` of the load")


def _is_taken(script: Script, name: str) -> bool:
    """Whether the loader hands on what a config says by this name, and nothing else reads it there."""
    if name in _NOT_TAKEN or name.startswith("_"):
        return False
    return not (name.endswith(("token_id", "token_ids")) and generates(script))


def _dropped(script: Script, load: ModelLoad) -> list[Note]:
    """What to tell of a `config` that falls away.

    Raises:
        CannotRewrite: It is not, or not for certain, the config that the model has anyway.
    """
    argument = load.args.keywords.get("config")
    if argument is None or argument.node is None or argument.expression is None:
        return []
    node = argument.expression
    if isinstance(node, cst.Name):
        if node.value == "None":
            return []
        node = _made(script, load, node.value)
    if not isinstance(node, cst.Call) or not (dotted(node.func) or "").endswith(
        "Config.from_pretrained"
    ):
        raise CannotRewrite(_OTHER)
    named = [arg for arg in node.args if arg.keyword is None and not arg.star]
    keywords = {arg.keyword.value: arg.value for arg in node.args if arg.keyword is not None}
    model = load.args.get("pretrained_model_name_or_path", 0)
    same = (
        len(named) == 1
        and len(named) + len(keywords) == len(node.args)
        and keywords.keys() <= _HUB
        and model is not None
        and model.expression is not None
        and _text(script, named[0].value) == _text(script, model.expression)
    )
    if not same:
        raise CannotRewrite(_OTHER)
    for name, value in keywords.items():
        given = load.args.keywords.get(name)
        code = None if given is None or given.expression is None else script.code(given.expression)
        if code is None and name in ("cache_dir", "token", "use_auth_token", "force_download"):
            continue  # only where the files lie
        if code != script.code(value) and script.code(value) != "False":
            raise CannotRewrite(f"the `config` of the load says `{name}`, and the load does not")
    return [Note("dropped", "`config`: the model's own, as nothing changes it")]


def _made(script: Script, load: ModelLoad, name: str) -> cst.BaseExpression:
    """The one value of a name that nothing changes."""
    scope = script.home_of(name, load.place.function)
    values = script.assigned_values(name, scope)
    if len(values) != 1 or len(script.stores_of(name, scope)) != 1:
        raise CannotRewrite(_OTHER)
    held = HeldObject(name, "config")
    (script.module if scope is None else scope).visit(held)
    read = {script.span(node).start for node in held.given}
    for use in script.uses(name, scope):
        if not use.stores and use.offset not in read:
            row = script.row_at(use.offset)
            raise CannotRewrite(f"line {row} may change the `config` of the load")
    return values[0]


def _falls_away(script: Script, load: ModelLoad) -> bool:
    """Whether a config is what the model has anyway; a class of the script's own may read another kind."""
    argument = load.args.keywords.get("config")
    given = argument is not None and argument.expression is not None
    if given and class_argument(script, load) is not None:
        return False
    try:
        _dropped(script, load)
    except CannotRewrite:
        return False
    return True


def unread_configs(script: Script, edits: Sequence[Edit]) -> list[Edit]:
    """Takes the lines away that made configs which only rewritten loads had read."""
    found: list[Edit] = []
    for load in script.flow.events(ModelLoad):
        argument = load.args.keywords.get("config")
        node = None if argument is None else argument.expression
        if not isinstance(node, cst.Name) or not _falls_away(script, load):
            continue
        scope = script.home_of(node.value, load.place.function)
        read = [use for use in script.uses(node.value, scope) if not use.stores]
        covered = all(any(edit.covers(use.offset) for edit in edits) for use in read)
        word = re.compile(rf"\b{re.escape(node.value)}\b")
        written = any(
            word.search(edit.text) for edit in edits
        )  # by another load, or in what goes on
        if not read or not covered or written or script.is_taken_elsewhere(node.value, scope):
            continue
        for line in script.lines_between(scope, script.span(scope or script.module)):
            if assigned_name(line) == node.value and "Config.from_pretrained" in script.code(line):
                found.append(script.delete(line))
    return list(dict.fromkeys(found))


def _text(script: Script, node: cst.BaseExpression) -> str:
    if isinstance(node, cst.SimpleString):
        return repr(node.evaluated_value)
    return script.code(node)
