"""Mutants: faults are put into rewritten programs and into the rewriter, and the comparison has to see them.

`python -m tests.differential.mutants --programs 60` mutates what migrate wrote (a keyword is dropped, a literal is
another, a statement is dropped or moved); `--rewriter` lets each of `REWRITER` forget what it looks at, and counts the
programs that it takes until one is different. A mutant that no run can tell from the program is equivalent: those that are
so by what they are stand in `EQUIVALENT`; the others that got through are listed, to be read. The rewriter's mutants are tried
on the programs written by hand as well; only what they plan otherwise is run.
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import copy
import json
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

# Arguments that say what holds anyway: with the guard's defaults, or with what the tiny models' files say.
EQUIVALENT = {
    "do_sample=False": "the guard is greedy unless asked",
    "dtype=torch.float32": "the checkpoints are float32",
    "dtype='float32'": "the checkpoints are float32",
    "dtype='auto'": "the default",
    "dtype=DTYPE": "the checkpoints are float32",
    "device_map='cpu'": "there is nothing but a CPU",
    "device_map='auto'": "there is nothing but a CPU",
    "device_map=None": "the default",
    "do_sample=True": "a temperature above 0 asks for sampling as well",
    "revision='main'": "the default",
    "attn_implementation='sdpa'": "the default",
    "top_k=None": "off is the default",
    "top_k=0": "off is the default",
    "temperature=1.0": "the default",
    "temperature=None": "not said",
    "top_p=None": "not said",
    "top_p=1.0": "the default",
    "use_cache=True": "the default",
    "use_cache=not False": "the default",
    "eos_token_id=tokenizer.eos_token_id": "the model's own end",
    "is_trainable=False": "the default",
    "max_length=60": "max_new_tokens wins",
    "max_length=512": "nothing is longer",
    "max_length=256": "nothing is longer",
    "in_place=True": "only where the base is used afterwards",
    "skip_special_tokens=SKIP": "where SKIP is True or no special token is generated",
}

Mutant = tuple[str, ast.Module]


def mutants(before: str, after: str) -> Iterator[Mutant]:
    """Mutants of a rewritten file; only in statements that the rewrite has made."""
    old = {ast.dump(node) for node in ast.walk(ast.parse(before)) if isinstance(node, ast.stmt)}
    tree = ast.parse(after)
    new = [
        node
        for node in ast.walk(tree)
        if isinstance(node, (ast.Assign, ast.Expr, ast.Return)) and ast.dump(node) not in old
    ]
    marks = {id(node): number for number, node in enumerate(ast.walk(tree))}
    for statement in new:
        for node in ast.walk(statement):
            if isinstance(node, ast.Call):
                for at, keyword in enumerate(node.keywords):
                    named = f"{keyword.arg}={ast.unparse(keyword.value)}" if keyword.arg else "**"
                    yield f"drop {named}", _edited(tree, marks[id(node)], _dropping(at))
            if isinstance(node, ast.Constant) and type(node.value) in (int, float, bool):
                value = not node.value if isinstance(node.value, bool) else node.value + 1
                said = f"{ast.unparse(statement)[:60]}: {node.value} is {value}"
                yield said, _edited(tree, marks[id(node)], _setting(value))
    for body, at in _places(tree):
        if ast.dump(body[at]) in old or isinstance(body[at], (ast.Import, ast.ImportFrom)):
            continue
        if len(body) > 1:
            yield f"without {ast.unparse(body[at])[:60]}", _without(tree, marks, body, at)
            if at + 1 < len(body) and _depend(body[at], body[at + 1]):
                yield f"later {ast.unparse(body[at])[:60]}", _swapped(tree, marks, body, at)


def _places(tree: ast.Module) -> Iterator[tuple[list[ast.stmt], int]]:
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list):
            yield from ((body, at) for at in range(len(body)))


def _depend(one: ast.stmt, other: ast.stmt) -> bool:
    """Whether one of two statements stores what the other uses: only then their order says something."""
    if isinstance(one, (ast.FunctionDef, ast.ClassDef)) or isinstance(
        other, (ast.FunctionDef, ast.ClassDef)
    ):
        return False  # what stands in it runs later
    names = [[n for n in ast.walk(s) if isinstance(n, ast.Name)] for s in (one, other)]
    for mine, theirs in (names, names[::-1]):
        stored = {n.id for n in mine if isinstance(n.ctx, ast.Store)}
        if stored & {n.id for n in theirs}:
            return True
    return False


def _edited(tree: ast.Module, mark: int, edit: Callable[[Any], None]) -> ast.Module:
    copied = copy.deepcopy(tree)
    edit(list(ast.walk(copied))[mark])
    return copied


def _dropping(at: int) -> Callable[[Any], None]:
    def drop(node: Any) -> None:
        del node.keywords[at]

    return drop


def _setting(value: Any) -> Callable[[Any], None]:
    def put(node: Any) -> None:
        node.value = value

    return put


def _owner(tree: ast.Module, marks: dict[int, int], body: list[ast.stmt]) -> int:
    return next(marks[id(n)] for n in ast.walk(tree) if getattr(n, "body", None) is body)


def _without(tree: ast.Module, marks: dict[int, int], body: list[ast.stmt], at: int) -> ast.Module:
    def edit(node: Any) -> None:
        del node.body[at]

    return _edited(tree, _owner(tree, marks, body), edit)


def _swapped(tree: ast.Module, marks: dict[int, int], body: list[ast.stmt], at: int) -> ast.Module:
    def edit(node: Any) -> None:
        node.body[at], node.body[at + 1] = node.body[at + 1], node.body[at]

    return _edited(tree, _owner(tree, marks, body), edit)


def _nothing(*_: Any, **__: Any) -> None:
    return None


def _list(*_: Any, **__: Any) -> list[Any]:
    return []


def _dict(*_: Any, **__: Any) -> dict[Any, Any]:
    return {}


def _set(*_: Any, **__: Any) -> set[Any]:
    return set()


def _yes(*_: Any, **__: Any) -> bool:
    return True


def _no(*_: Any, **__: Any) -> bool:
    return False


def _shorter(plain: Callable[..., Any]) -> Callable[..., Any]:
    """Forgets the last keyword that it carries."""

    def carry(*args: Any, **kwargs: Any) -> Any:
        given, notes = plain(*args, **kwargs)
        return given[:-1], notes

    return carry


def _less_given(plain: Callable[..., Any]) -> Callable[..., Any]:
    from dataclasses import replace

    def carry(*args: Any, **kwargs: Any) -> Any:
        found = plain(*args, **kwargs)
        return replace(found, given=found.given[:-1])

    return carry


def _said_nothing(plain: Callable[..., Any]) -> Callable[..., Any]:
    """A note that tells nothing that the comparison acts on."""
    from dataclasses import replace

    def note(*args: Any, **kwargs: Any) -> Any:
        return replace(plain(*args, **kwargs), kind="kept", text="")

    return note


# What is forgotten: the module, the function, and what takes its place; `wrap` is given the function.
REWRITER: tuple[tuple[str, str, Any], ...] = (
    ("codemods.settings.generate_keywords", "carry_generate_keywords", ("wrap", _shorter)),
    ("codemods.settings.generate_keywords", "carry_decode_keywords", ("wrap", _shorter)),
    ("codemods.settings.generate_keywords", "refuse_set_config", _nothing),
    ("codemods.settings.generate_keywords", "refuse_other_mask", _nothing),
    ("codemods.settings.config_changes", "settings_after", _dict),
    ("codemods.settings.sampling", "say_sampling", _list),
    ("codemods.facts.loader_keywords", "carry_model_keywords", ("wrap", _less_given)),
    ("codemods.loads.tokenizer_keywords", "carry_tokenizer_keywords", ("wrap", _less_given)),
    ("codemods.facts.load_context", "refuse_moved_padding", _nothing),
    ("codemods.facts.load_context", "padding_note", _list),
    ("codemods.script.purity", "may_change", _no),
    ("codemods.generation.mode", "mode_note", _list),
    ("codemods.generation.unclear_texts", "refuse_unclear_texts", _nothing),
    ("codemods.generation.guarded_call", "_refuse_total_length", _nothing),
    ("codemods.generation.guarded_call", "refuse_read_padding", _nothing),
    ("codemods.generation.chain", "_refuse_other_targets", _nothing),
    ("codemods.generation.chain", "_refuse_repetition", _nothing),
    ("codemods.generation.chain", "_refuse_reordering", _nothing),
    ("codemods.generation.chain", "_refuse_changed_prompt", _nothing),
    ("codemods.generation.in_place", "refuse_changed_prompt", _nothing),
    ("codemods.texts.encoding", "refuse_other_specials", _nothing),
    ("codemods.texts.encoding", "specials_note", ("wrap", _said_nothing)),
    ("codemods.facts.load_context", "side_note", _list),
    ("codemods.facts.load_context", "may_pad", _no),
    ("codemods.facts.growth", "refuse_growth", _no),
    ("codemods.facts.growth", "may_grow", _no),
    ("codemods.settings.contradictions", "refuse_contradictions", _nothing),
    ("codemods.settings.config_changes", "_refuse_elsewhere", _nothing),
    ("codemods.loads.loader_classes", "_refuse_own", _nothing),
    ("codemods.loads.loader_classes", "_refuse_others", _nothing),
    ("codemods.texts.encoding", "truncation_note", _list),
    ("codemods.texts.decoded_ids", "has_prompt", _no),
    ("codemods.texts.prompt_cut", "refuse_other_cuts", _nothing),
    ("codemods.generation.in_place", "_refuse_other_uses", _nothing),
    ("codemods.loads.whole_models", "half_done", _dict),
    ("codemods.loads.partners", "mentions", _no),
    ("codemods.quantization.configs", "refuse_taken", _nothing),
    ("codemods.quantization.config_uses", "refuse_changed", _nothing),
    ("codemods.loads.adapter_aliases", "base_is_seen", _no),
    ("codemods.generation.ids_calls", "_refuse_prompt", _nothing),
    ("codemods.generation.ids_calls", "_may_pad_right", _no),
    ("codemods.generation.ids_calls", "_refuse_mask", _nothing),
    ("codemods.generation.ids_calls", "_refuse_other_pad", _nothing),
    ("codemods.facts.intact_ids", "joins_ids", _nothing),
    ("codemods.facts.intact_ids", "refuse_changed_ids", _nothing),
    ("codemods.facts.intact_ids", "_refuse_changed_mask", _nothing),
    ("codemods.facts.id_changes", "is_value", _no),
    ("codemods.facts.load_context", "_collates_scored", _no),
    ("codemods.facts.other_holds", "_from_imports", _list),
    ("codemods.generation.given_prompts", "refuse_given", _nothing),
    ("codemods.generation.scoring", "_is_labelled_apart", _no),
    ("codemods.loads.given_away", "_applied", _set),
    ("codemods.facts.intact_ids", "refuse_bound", _nothing),
    ("codemods.facts.unseen_ids", "refuse_unseen", _nothing),
    ("codemods.settings.ids_keywords", "settings_of_ids", ("wrap", _shorter)),
    ("codemods.settings.ids_keywords", "_names_others", _no),
    ("codemods.settings.ids_keywords", "_has_length", _yes),
    ("codemods.loads.given_away", "may_lack_bos", _no),
    ("codemods.loads.given_away", "unseen_doubt", _nothing),
    ("codemods.loads.given_away", "given_away", _list),
    ("codemods.facts.growth_in_use", "why_not_in_use", _nothing),
    ("codemods.facts.growth_in_use", "renames_bos", _no),
    ("codemods.loads.pad_tests", "_generated_from", _set),
    ("codemods.facts.changed_elsewhere", "_set_elsewhere", _nothing),
    ("codemods.facts.changed_elsewhere", "_bound_anew", _nothing),
    ("codemods.facts.changed_elsewhere", "_others_chosen", _dict),
    ("codemods.facts.changed_elsewhere", "_sets_modules", _nothing),
    ("codemods.facts.changed_elsewhere", "hidden_calls", _list),
    ("codemods.script.closures", "made_elsewhere", _no),
    ("codemods.texts.moved_text", "may_differ", _no),
    ("codemods.texts.moved_text", "_refuse_pairs", _nothing),
    ("codemods.texts.prompt_cut", "_is_whole", _yes),
    ("codemods.texts.encoding", "cuts", _no),
    ("codemods.settings.generate_keywords", "_refuse_later", _nothing),
    ("codemods.facts.id_changes", "kept_elsewhere", _dict),
    ("codemods.watching.classes", "is_automatic", _yes),
    ("codemods.watching.pickling", "pickles", _no),
    ("codemods.imports.rewriting", "_any_name", _no),
    ("codemods.imports.rewriting", "_may_be_taken", _no),
    ("codemods.doubts.beyond", "_handed_to", _nothing),
    ("codemods.doubts.beyond", "_bos_in_class", _nothing),
    ("codemods.doubts.beyond", "_read_elsewhere", _nothing),
    ("codemods.doubts.within", "within", _nothing),
    ("codemods.doubts.shown", "shown", _list),
    ("codemods.doubts.strict", "strict", _dict),
    ("codemods.doubts.saved", "saved", _list),
)


def forgetting(module: str, name: str, how: Any) -> Callable[[], None]:
    """Put a mutant into the rewriter, wherever the function is known; returns what takes it out again."""
    plain = getattr(sys.modules[module], name)
    mutant = how[1](plain) if isinstance(how, tuple) else how
    places = [
        found
        for key, found in list(sys.modules.items())
        if key.startswith("codemods") and getattr(found, name, None) is plain
    ]
    for place in places:
        setattr(place, name, mutant)

    def undo() -> None:
        for place in places:
            setattr(place, name, plain)

    return undo


def main() -> None:
    """Measures, and prints one line of JSON per mutant and a sum."""
    parser = argparse.ArgumentParser(prog="python -m tests.differential.mutants")
    parser.add_argument("--programs", type=int, default=60)
    parser.add_argument("--seed", default="mutants")
    parser.add_argument("--each", type=int, default=6, help="mutants of one program")
    parser.add_argument("--rewriter", action="store_true")
    parser.add_argument("--shard", default="0/1", metavar="I/K", help="of the rewriter's mutants")
    parser.add_argument("--report", type=Path, default=None, help="only add up a file of lines")
    parser.add_argument("--out", type=Path, default=None)
    given = parser.parse_args()
    if given.report is not None:
        lines = given.report.read_text(encoding="utf-8").splitlines()
        sys.stdout.write(summary([json.loads(line) for line in lines]))
        return
    from tests.differential.worker import ready

    found = []
    with contextlib.ExitStack() as stack:
        out = sys.stdout if given.out is None else stack.enter_context(given.out.open("w"))
        for line in (_of_rewriter if given.rewriter else _of_programs)(ready(), given):
            found.append(line)
            print(json.dumps(line), file=out, flush=True)
    sys.stdout.write(summary(found))


def summary(found: list[dict[str, Any]]) -> str:
    """How many were caught, of those that are not equivalent by what they are."""
    counts = Counter(line["verdict"] for line in found)
    caught = counts["caught"] + counts["refused by the plan's own proof"]
    real = caught + counts["got through"]
    share = 100 * caught / real if real else 0.0
    lines = [f"{len(found)} mutants: {dict(counts)}; caught of the rest: {share:.1f}%"]
    for verdict in ("got through", "never applied"):
        lines += [f"{verdict}: {x['what']}" for x in found if x["verdict"] == verdict]
    return "\n".join(lines) + "\n"


def _of_programs(room: Any, given: argparse.Namespace) -> Iterator[dict[str, Any]]:
    import random

    from tests.differential.announced import amends_of
    from tests.differential.comparing import compare
    from tests.differential.grammar import program
    from tests.differential.running import TooSlow
    from tests.differential.trying import attempt, plans_of

    done = number = 0
    while done < given.programs:
        made = program(f"{given.seed}-{number}")
        number += 1
        outcome = attempt(room, made)
        if outcome.status != "same" or not outcome.rewritten["CG301"]:
            continue
        done += 1
        amends = amends_of(plans_of(room, made))
        old = room.run(made.files, "main.py", amends)
        every = [
            (name, what, tree)
            for name, text in outcome.after.items()
            if text != made.files[name]
            for what, tree in mutants(made.files[name], text)
        ]
        random.Random(made.seed).shuffle(every)
        for name, what, tree in every[: given.each]:
            text = ast.unparse(ast.fix_missing_locations(tree))
            if ast.dump(ast.parse(text)) == ast.dump(ast.parse(outcome.after[name])):
                continue
            kept = what.removeprefix("drop ").replace("self.", "").replace("tok.", "tokenizer.")
            try:
                new = room.run({**outcome.after, name: text}, "main.py")
                verdict = "caught" if compare(old, new, amends) else "got through"
            except TooSlow:
                verdict = "caught"
            if verdict == "got through" and kept in EQUIVALENT:
                verdict = "equivalent"
            yield {"what": what, "seed": made.seed, "verdict": verdict}


def _of_rewriter(room: Any, given: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """Runs only what a mutant plans otherwise; a mutant that never does so was not tried."""
    from tests.differential.grammar import Program, program
    from tests.differential.test_counterexamples import FILES
    from tests.differential.test_written import PROGRAMS
    from tests.differential.trying import attempt, plans_of

    made = [Program(name, files) for name, files in {**FILES, **PROGRAMS}.items()]
    made += [program(f"{given.seed}-{number}") for number in range(given.programs)]
    index, count = map(int, given.shard.split("/"))
    plain: dict[str, Any] = {}  # what the rewriter plans as it is
    for module, name, how in REWRITER[index::count]:
        verdict, tried = "never applied", 0
        for one in made:
            if one.seed not in plain:
                plain[one.seed] = _planned(plans_of, room, one)
            before = plain[one.seed]
            undo = forgetting(module, name, how)
            try:
                after = _planned(plans_of, room, one)
                if after == before or "different" in (after, before):
                    verdict = "caught" if after == "different" != before else verdict
                else:
                    tried += 1
                    found = attempt(room, one).status
                    seen = {"different": "caught", "refused": "refused by the plan's own proof"}
                    verdict = seen.get(found, "got through")
            finally:
                undo()
            if verdict not in ("never applied", "got through"):
                break
        yield {"what": f"{module}.{name}", "verdict": verdict, "programs": tried}


def _planned(plans_of: Callable[..., Any], room: Any, made: Any) -> Any:
    """What would be written and announced, to be compared; `different` where planning breaks."""
    try:
        plans = plans_of(room, made)
    except Exception:  # noqa: BLE001 - a mutant may break the planner anywhere
        return "different"
    return [
        (
            plan.after,
            plan.refusal,
            [(site.row, note.kind, note.text) for site in plan.sites for note in site.notes],
        )
        for plan in plans.values()
    ]


if __name__ == "__main__":
    main()
