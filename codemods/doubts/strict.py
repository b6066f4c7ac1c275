"""Doubts where a call can be watched instead: a script is guarded where nothing changes but what the guard is for."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence, Set

import libcst as cst

from codemods.facts.purposes import trains
from codemods.plan.sites import Site
from codemods.script.script import Script
from lint_rules._flow.values.events import AttributeSet, Forward, Generate, ModelLoad, TokenizerLoad
from lint_rules._flow.values.syntax import dotted
from lint_rules._questions.hub import is_hub_id
from lint_rules._questions.resets import clears_template

_UNMADE = "nothing is generated with it that the guard would make: what scores, trains or saves it is the script's"
# What is timed would be the guard's own generation, and what it does around it.
_TIMED = re.compile(r"\b(perf_counter|process_time|monotonic|timeit|time\.time|cuda\.Event)\b")
_WRITES = re.compile(r"\b(save_pretrained|push_to_hub|state_dict|merge_and_unload)\(")
_SEEDS = re.compile(
    r"\b(manual_seed(_all)?|set_seed|seed_everything|random\.seed|enable_full_determinism)\("
)
# Texts that tokenizers of one kind or another have as tokens of their own, beside BOS and EOS.
_TOKENS = re.compile(
    r"[\"'][^\"'\n]*?(<(sep|cls|unk|pad|mask|eop|eod|eot|special_?\d*)>|\[(SEP|CLS|PAD|MASK|UNK|EOS|BOS)\])"
)
# What a test asks for by the name of a parameter, and nobody follows.
_FIXTURE = re.compile(r"^\s*@(pytest\.)?fixture\b", re.MULTILINE)
# How folders are called into which trainings save.
_FOLDER = re.compile(
    r"(\w*models?|\w*checkpoints?\w*|\w*ckpts?|\w*outputs?\w*|out|\w*results?|saved?\w*|\w*trained|runs?|logs?|weights|"
    r"\w*fine_?-?tun\w*|tmp|te?mp|data|lora\w*|adapters?)(/|$)",
    re.IGNORECASE,
)
_LENGTHS = ("max_new_tokens", "max_length")


def strict(script: Script, sites: Sequence[Site], done: Set[cst.CSTNode]) -> dict[cst.CSTNode, str]:
    """The loads that are watched, or left where nothing is to be watched, since something else would change, with what.

    Args:
        script: The script.
        sites: The whole plan.
        done: What is rewritten.
    """
    models = [load for load in script.flow.events(ModelLoad) if load.node in done]
    tokenizers = [load for load in script.flow.events(TokenizerLoad) if load.node in done]
    open_end = next(_open_ends(script), None) if models else None
    if open_end is not None:  # the guard asks for a length, watched or not
        return dict.fromkeys([load.node for load in models], open_end)
    if not script.watches or script.once(_keeps_chats_out):
        return {}
    if not models:  # a tokenizer by itself needs no watch
        left = next(_otherwise(script, sites), None) if tokenizers else None
        return {} if left is None else dict.fromkeys([load.node for load in tokenizers], left)
    why = _what_changes(script, sites)
    made = any(site.code == "CG301" and site.automatic for site in sites)
    if trains(script) or (not made and _does_more(script)):
        why = why or _UNMADE
    if why is not None:
        every: list[ModelLoad | TokenizerLoad] = [*models, *tokenizers]
        return dict.fromkeys([load.node for load in every], why)
    return {}


def strict_of_foreign(script: Script, sites: Sequence[Site]) -> str | None:
    """Why the models that other files load and this one generates with are watched; None for no reason.

    Args:
        script: The script.
        sites: The whole plan.
    """
    if not script.watches or script.once(_keeps_chats_out):
        return None
    return _what_changes(script, sites)


def _what_changes(script: Script, sites: Sequence[Site]) -> str | None:
    return next(_otherwise(script, sites), None) or next(_in_the_script(script), None)


def _keeps_chats_out(script: Script) -> bool:
    """Whether a script takes a chat template off by hand: it asks for what the guard does, and is told of the rest."""
    return any(map(clears_template, script.flow.events(AttributeSet)))


def _does_more(script: Script) -> bool:
    """Whether a script scores with what it loads, or writes it somewhere."""
    scores = next(script.flow.events(Forward), None) is not None
    return scores or _WRITES.search(script.bare) is not None


def _is_seeded(script: Script) -> bool:
    """Whether a script, or a file of the run that it imports or that imports it, sets a seed."""
    near = map(script.others.bare, script.others.near(script.path))
    return any(map(_SEEDS.search, (script.bare, *near)))


def _otherwise(script: Script, sites: Sequence[Site]) -> Iterator[str]:
    seeded = script.once(_is_seeded)
    for site in sites:
        load = script.flow.event_at(site.node, ModelLoad) or script.flow.event_at(
            site.node, TokenizerLoad
        )
        unnamed = load is not None and (load.model.text is None or not load.model.fixed)
        apart = load is not None and not _has_tokenizer(script, load)
        when = {"always": True, "seeded": seeded, "unnamed": unnamed, "apart": apart}
        for note in site.notes if site.automatic else ():
            if note.beyond is not None and when[note.beyond]:
                line = script.line_of(site.node)
                yield f"guarded, something would be otherwise in line {line}: {note.text}"


def _has_tokenizer(script: Script, load: ModelLoad | TokenizerLoad) -> bool:
    """Whether a load names what holds a tokenizer as well: a repository of the hub, no folder of somebody's own."""
    name = load.model.text or ""
    named = {one.model.text for one in script.flow.events(TokenizerLoad)}
    if name and name in named:
        return True  # whose tokenizer the script loads as well
    if not load.model.fixed or not is_hub_id(load.model) or _FOLDER.match(name):
        return False
    return not named


def _in_the_script(script: Script) -> Iterator[str]:
    text = script.bare
    found = _TOKENS.search(text)
    if found is not None:
        line = script.row_in_text(found.start(1))
        yield f"line {line} writes `{found[1]}`, which may be a token of its own"
    fixture = _FIXTURE.search(text)
    if fixture is not None:
        line = script.row_in_text(fixture.start())
        yield f"line {line} makes a fixture, and the tests that ask for it are not followed"
    timed = _TIMED.search(text)
    if timed is not None:
        line = script.row_in_text(timed.start())
        yield f"line {line} takes times, and the guard generates by a road of its own"


def _open_ends(script: Script) -> Iterator[str]:
    """Generations whose length may be None at run time."""
    text = script.bare
    for call in script.flow.events(Generate):
        for name in _LENGTHS:
            given = call.args.keywords.get(name)
            expression = None if given is None else given.expression
            if expression is not None and _may_be_none(text, dotted(expression)):
                line = script.line_of(call.node)
                yield f"`{name}` of line {line} may be None, which leaves the length to the model's files"


def _may_be_none(text: str, name: str | None) -> bool:
    """Whether a name is None where nothing is said: an option without a default, or a default that is None."""
    last = re.escape((name or "").rpartition(".")[2])
    if not last:
        return False
    if re.search(rf"\b{last}\s*(:\s*[^,=()\n]+)?=\s*None\b", text):
        return True
    option = last.replace("_", "[_-]")
    found = re.search(rf"add_argument\(\s*[\"'](-\w[\"'],\s*[\"'])?--{option}[\"']([^)]*)\)", text)
    if found is None:
        return False
    return re.search(r"\bdefault\s*=\s*(?!None)|\brequired\s*=\s*True", found[2]) is None
