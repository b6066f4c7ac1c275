"""CG602: a keyword that CleanModelLoader does not take."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches

from cleanguard.catalogue import hazards
from cleanguard.catalogue.spellings import MEANT
from lint_rules._flow.analysis import Flow
from lint_rules._flow.values.arguments import Arguments
from lint_rules._flow.values.events import LoaderBuild, LoaderCall
from lint_rules._questions.loader_signature import (
    LOADER_KEYWORDS,
    METHOD_KEYWORDS,
    POSITIONS,
)
from lint_rules.rule import Report, Rule


def _check(flow: Flow) -> Iterator[Report]:
    for build in flow.events(LoaderBuild):
        problem = _problem("CleanModelLoader", build.args, LOADER_KEYWORDS)
        if problem is not None:
            yield Report(build.node, problem[0], remedy=problem[1])
    for call in flow.events(LoaderCall):
        known = METHOD_KEYWORDS.get(call.method)
        problem = None if known is None else _problem(call.method, call.args, known)
        if problem is not None:
            yield Report(call.node, problem[0], remedy=problem[1])


def _problem(name: str, args: Arguments, known: frozenset[str]) -> tuple[str, str] | None:
    """The message and the remedy of the first argument that does not fit."""
    for keyword in args.keywords:
        if keyword not in known:
            meant = MEANT.get(keyword)
            near = get_close_matches(keyword, sorted(known), n=1, cutoff=0.6)
            better = meant if meant in known else (near[0] if near else None)
            remedy = f"write `{better}=`" if better else f"leave `{keyword}=` out"
            return f"`{name}` has no keyword `{keyword}`: a TypeError at run time", remedy
    if len(args.positional) > POSITIONS[name] and not args.spread:
        given, taken = len(args.positional), POSITIONS[name]
        message = f"`{name}` takes {taken} values by position, not {given}"
        return message, "give the rest by keyword"
    return None


RULE = Rule(
    hazards.LOADER_CALL_MISMATCH,
    _check,
    bad=(
        """
from guard import CleanModelLoader

loader = CleanModelLoader("Qwen/Qwen2.5-7B", quantization_config=config)
""",
        """
from guard import CleanModelLoader

loader = CleanModelLoader("Qwen/Qwen2.5-7B", load_in_8bit=True)
model, tokenizer, provenance = loader.load()
text = loader.generate(model, tokenizer, "Hi", max_tokens=64, stop=["END"])
""",
    ),
    good=(
        """
from guard import CleanModelLoader

loader = CleanModelLoader("Qwen/Qwen2.5-7B", load_in_8bit=True, device_map="auto")
model, tokenizer, provenance = loader.load()
text = loader.generate(model, tokenizer, "Hi", max_new_tokens=64, stop_strings=["END"])
""",
        """
from guard import CleanModelLoader

def answer(model, tokenizer, prompt, **options):
    return CleanModelLoader.generate(model, tokenizer, prompt, **options)
""",
    ),
)
