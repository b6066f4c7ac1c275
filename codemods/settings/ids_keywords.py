"""What becomes of the settings of a `generate` that goes on with ids: said where they are seen, else handed on.

`generate_ids` means by its keywords, and by a GenerationConfig, what transformers means, so that settings which only
the run knows can go to it as they come.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import libcst as cst

from codemods.plan.sites import CannotRewrite, Note
from codemods.script.looking import Looking
from codemods.script.purity import assigned_name
from codemods.script.script import Script
from codemods.settings.generate_keywords import carry_generate_keywords, refuse_set_config
from codemods.settings.sampling import DRAWN, GREEDY
from lint_rules._flow.values.arguments import Argument
from lint_rules._flow.values.events import Generate
from lint_rules._flow.values.joins import Constant
from lint_rules._flow.values.syntax import dotted
from lint_rules._questions.loader_signature import IDS_SETTINGS, SETTINGS

_LENGTHS = ("max_new_tokens", "max_length")
_KNOWN = {*SETTINGS, *IDS_SETTINGS, "generation_config"}
# Settings of transformers that `generate_ids` does not have.
_OTHERS = re.compile(
    r"penalty_alpha|typical_p|num_beam_groups|diversity_penalty|renormalize_logits|epsilon_cutoff|eta_cutoff|top_h\b"
    r"|encoder_\w+|exponential_decay|force_words|constraints|guidance_scale|assistant_\w+|prompt_lookup|past_key_values"
    r"|watermark|forced_\w+|inputs_embeds|negative_prompt|cache_implementation|custom_generate|position_ids"
    r"|low_memory|token_healing|dola_layers|cache_config|compile_config"
)
_SAMPLING_ONLY = ("temperature", "top_p", "top_k", "min_p")
# Reasons that settings cannot be seen, or are no matter where nothing is sampled.
_UNSEEN = re.compile("cannot be followed|the GenerationConfig|said twice|may change")
_OF_SAMPLING = re.compile("refuses (temperature|top_p|min_p)=")
_COME = Note(
    "changed",
    "settings that only the run knows go to `generate_ids` as they come",
    "where each is one that it takes: it refuses others",
    beyond="always",
)
_SCORES = Note("dropped", "`output_scores`: nothing reads them")
_OF_IDS = re.compile(r"\s*(\.sequences\b|\[[\"']sequences[\"']\]|=[^=])")


def settings_of_ids(
    script: Script, call: Generate, inputs: Mapping[str, Argument]
) -> tuple[list[str], list[Note]]:
    """The arguments of `generate_ids` beside the ids, and what became of the old call's.

    Args:
        script: The script.
        call: The old call.
        inputs: What brings its ids.

    Raises:
        CannotRewrite: A setting has no place, or nothing says how long a text may get.
    """
    try:
        given, notes = carry_generate_keywords(script, call, inputs=inputs)
    except CannotRewrite as reason:
        found = _without_sampling(script, call, inputs, str(reason))
        if found is None and (hands_on(script, call) or _UNSEEN.search(str(reason))):
            found = _as_they_come(script, call, inputs)
        if found is None:
            raise reason from None
        given, notes = found
    return _without_scores(script, call, given, notes)


def _without_scores(
    script: Script, call: Generate, given: list[str], notes: list[Note]
) -> tuple[list[str], list[Note]]:
    asked = [argument for argument in given if argument.startswith("output_scores=")]
    if not asked or asked == ["output_scores=False"]:
        return given, notes
    if _reads_ids_alone(script, call):
        return [one for one in given if one not in asked], [*notes, _SCORES]
    if DRAWN in notes:
        raise CannotRewrite("the scores of sampled texts are read, which the guard does not give")
    return given, notes


def _reads_ids_alone(script: Script, call: Generate) -> bool:
    """Whether of what a call gives, a name of the script, `sequences` alone is read."""
    name = assigned_name(script.statement(call.place))
    if name is None:
        return False
    scope = script.home_of(name, call.place.function)
    uses = script.uses(name, scope)
    ends = (use.offset + len(name.encode()) for use in uses)
    return not script.is_taken_elsewhere(name, scope) and all(
        _OF_IDS.match(script.utf8[end : end + 40].decode(errors="replace")) for end in ends
    )


def _without_sampling(
    script: Script, call: Generate, inputs: Mapping[str, Argument], reason: str
) -> tuple[list[str], list[Note]] | None:
    """The settings of a greedy call, which says something about sampling that the guard would refuse."""
    named = call.args.keywords
    idle = {name: named[name] for name in _SAMPLING_ONLY if name in named}
    sampled = named.get("do_sample")
    greedy = sampled is None or sampled.value == Constant(False)
    if not idle or not greedy or "generation_config" in named or not _OF_SAMPLING.search(reason):
        return None
    if any(id(one) not in {id(a) for a in inputs.values()} for one in call.args.spread):
        return None
    given, notes = carry_generate_keywords(script, call, inputs={**inputs, **idle})
    said = ", ".join(f"`{name}`" for name in idle)
    return given, [*notes, Note("dropped", f"{said}: nothing is sampled")]


def _as_they_come(
    script: Script, call: Generate, inputs: Mapping[str, Argument]
) -> tuple[list[str], list[Note]] | None:
    """The old call's settings as written; None where more has to be known of them."""
    args = call.args
    taken = {id(argument) for argument in inputs.values()}
    dicts = [argument for argument in args.spread if id(argument) not in taken]
    named = {n: a for n, a in args.keywords.items() if n not in inputs and a.node is not None}
    if len(args.positional) > 1 or not named.keys() <= _KNOWN or _names_others(script):
        return None
    if any(one.node is None or one.node.star != "**" or one.expression is None for one in dicts):
        return None
    dynamic = bool(dicts) or "generation_config" in named or hands_on(script, call)
    sampled = named.get("do_sample")
    greedy = sampled is None or sampled.value == Constant(False)
    sure = sampled is not None and greedy
    if not dynamic or not _has_length(script, call, named):
        return None
    if not sure and "num_beams" in script.source.text and "do_sample" in script.source.text:
        return None  # the guard does not sample with beams
    refuse_set_config(script)
    given = [
        f"{name}={script.argument(argument.expression)}"
        for name, argument in named.items()
        if argument.expression is not None
    ]
    spread = [f"**{script.code(one.expression)}" for one in dicts if one.expression is not None]
    notes = [_COME]
    if sampled is None:
        notes.append(GREEDY)
    if not sure:
        notes.append(DRAWN)
    return [*spread, *given], notes


def _has_length(script: Script, call: Generate, named: Mapping[str, Argument]) -> bool:
    """Whether the call, or the config that is made for it, certainly says how long a text may get."""
    if hands_on(script, call) or any(
        name in named and named[name].value != Constant(None) for name in _LENGTHS
    ):
        return True
    config = named.get("generation_config")
    if config is None or config.expression is None:
        return False
    values = [config.expression]
    if isinstance(config.expression, cst.Name):
        scope = script.home_of(config.expression.value, call.place.function)
        values = script.assigned_values(config.expression.value, scope)
        if len(values) != len(script.stores_of(config.expression.value, scope)):
            return False
    return bool(values) and all(map(_makes_length, values))


def hands_on(script: Script, call: Generate) -> bool:
    """Whether a call hands on what its function's caller gives: a dict of the script that holds ids and a length."""
    function = call.place.function
    rest = None if function is None else function.params.star_kwarg
    given = call.args.spread
    written = any(argument.node is not None for argument in call.args.keywords.values())
    if rest is None or len(given) != 1 or call.args.positional or written:
        return False
    handed = given[0].expression
    named = isinstance(handed, cst.Name) and handed.value == rest.name.value
    return named and script.look(_IdDicts).found


class _IdDicts(Looking):
    """Whether every dict that holds ids under their name holds a length as well, and there is one."""

    def __init__(self) -> None:
        self._each: list[bool] = []

    @property
    def found(self) -> bool:
        return bool(self._each) and all(self._each)

    def visit_Dict(self, node: cst.Dict) -> None:
        keys = {
            element.key.evaluated_value
            for element in node.elements
            if isinstance(element, cst.DictElement) and isinstance(element.key, cst.SimpleString)
        }
        if "input_ids" in keys:
            self._each.append(not keys.isdisjoint(_LENGTHS))


def _makes_length(node: cst.BaseExpression) -> bool:
    if not isinstance(node, cst.Call):
        return False
    if (dotted(node.func) or "").rpartition(".")[2] != "GenerationConfig":
        return False
    return any(
        arg.keyword is not None
        and arg.keyword.value in _LENGTHS
        and not (isinstance(arg.value, cst.Name) and arg.value.value == "None")
        for arg in node.args
    )


def _names_others(script: Script) -> bool:
    return _OTHERS.search(script.source.text) is not None
