"""CG502: a reported rate rests on too few items.

The minimum is `min-items` in the configuration, 200 by default. Only sizes that the code itself
says count (a slice, a literal list, an option's default), and only where text is generated. Times,
losses and seeds are averaged too: a mean counts where its argument compares, or is called a score.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from cleanguard.catalogue import hazards
from lint_rules._flow.analysis import Flow
from lint_rules._flow.values.events import CallSite, Generate, LoaderCall, Rate
from lint_rules._flow.values.joins import LibraryObject, first
from lint_rules._light import tree as cst
from lint_rules.rule import Report, Rule

# A pair is a structure, or two scores to average; items are more.
_A_STRUCTURE = 2
# Runs, folds and tasks are averaged too, and their results are called scores as well.
_RUNS = 10
_SCORES = re.compile(
    "acc|correct|exact|f1|hit|match|^ok$|pass|right|score|solved|success|win", re.IGNORECASE
)
# What is counted up item by item, whatever the number of items.
_COUNTS = re.compile(
    "correct|hit|match|^ok$|n_ok|passed|right|solved|success|^wins?$", re.IGNORECASE
)
# Averages of these say nothing about how often something was right.
_QUANTITIES = re.compile(
    "time|elapsed|second|duration|latency|took|speed|token|length|^len$|chars?$|loss|nll|ppl|perplex|entropy|"
    "cost|mem|bytes|flops|trace|grad|norm|prob|logit|size",
    re.IGNORECASE,
)
# Nor do averages over these say something about items.
_RUNS_NAMED = re.compile(
    "seed|task|run|fold|layer|head|epoch|step|rank|world|gpu|device|batch|^bs$|worker|model|metric|shot",
    re.IGNORECASE,
)
_ASKS = ("generate", "generate_batch", "complete", "generate_ids")


def _check(flow: Flow) -> Iterator[Report]:
    if not _generates(flow):
        return
    minimum = flow.settings.min_items
    for rate in flow.events(Rate):
        if _A_STRUCTURE < rate.count < minimum and _is_share(rate):
            yield Report(
                rate.node,
                f"a rate over {rate.count} items: under {minimum} most differences are chance",
                remedy=f"evaluate at least {minimum} items and print the interval",
            )


def _is_share(rate: Rate) -> bool:
    """Whether a division or an average says how often something was right."""
    if isinstance(rate.node, cst.BinaryOperation):
        return _is_quotient(rate.node, rate.count)
    averaged = [arg.value for arg in rate.node.args[:1]] if isinstance(rate.node, cst.Call) else []
    if any(_compares(given) for given in averaged):
        return True
    func = [rate.node.func] if isinstance(rate.node, cst.Call) else []
    names = [name for given in (*func, *averaged) for name in _names(given)]
    return rate.count > _RUNS and any(_SCORES.search(name) for name in names)


def _is_quotient(node: cst.BinaryOperation, count: int) -> bool:
    """`correct / len(items)`; a number by its name counts only under what is surely counted."""
    above, below = list(_names(node.left)), list(_names(node.right))
    if any(_QUANTITIES.search(name) for name in above) or any(map(_RUNS_NAMED.search, below)):
        return False
    counted = any(_COUNTS.search(name) for name in above) or _compares_within(node.left)
    by_name = isinstance(node.right, (cst.Name, cst.Attribute)) and not (
        isinstance(node.right, cst.Name) and node.right.value == "len"
    )
    return counted or (not by_name and count > _RUNS)


def _compares_within(node: cst.BaseExpression) -> bool:
    """`sum(a == b for …)`, `100 * sum(…)`."""
    if isinstance(node, cst.BinaryOperation):
        return _compares_within(node.left) or _compares_within(node.right)
    return isinstance(node, cst.Call) and bool(node.args) and _compares(node.args[0].value)


def _compares(node: cst.BaseExpression) -> bool:
    """`[a == b for …]`, also within `float(…)`."""
    if isinstance(node, (cst.ListComp, cst.GeneratorExp)):
        return _compares(node.elt)
    if isinstance(node, cst.Call) and node.args:
        return _compares(node.args[0].value)
    return isinstance(node, cst.Comparison)


def _names(node: cst.BaseExpression) -> Iterator[str]:
    """The names and literal keys of which an expression is made."""
    if isinstance(node, cst.Name):
        yield node.value
    elif isinstance(node, cst.Attribute):
        yield node.attr.value
        yield from _names(node.value)
    elif isinstance(node, cst.Call):
        yield from _names(node.func)
        for argument in node.args:
            yield from _names(argument.value)
    elif isinstance(node, cst.BinaryOperation):
        yield from _names(node.left)
        yield from _names(node.right)
    elif isinstance(node, (cst.GeneratorExp, cst.ListComp)):
        yield from _names(node.elt)
    elif isinstance(node, cst.Subscript):
        yield from _names(node.value)
        key = node.slice[0].slice
        if isinstance(key, cst.Index) and isinstance(key.value, cst.SimpleString):
            yield str(key.value.evaluated_value)


def _generates(flow: Flow) -> bool:
    if any(True for _ in flow.events(Generate)):
        return True
    if any(call.method in _ASKS for call in flow.events(LoaderCall)):
        return True
    return any(
        first(site.receiver, LibraryObject) is not None
        and site.method in ("generate", "chat", "__call__")
        for site in flow.events(CallSite)
    )


RULE = Rule(
    hazards.TOO_FEW_ITEMS,
    _check,
    bad=(
        """
from guard import CleanModelLoader

model, tokenizer, provenance = CleanModelLoader("Qwen/Qwen2.5-7B").load()
correct = 0
for item in items[:12]:
    text = CleanModelLoader.generate(model, tokenizer, item["prompt"], max_new_tokens=8)
    correct += text.strip() == item["answer"]
print("accuracy", correct / len(items[:12]))
""",
        """
from datasets import load_dataset
from transformers import AutoModelForCausalLM, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained(path)
model = AutoModelForCausalLM.from_pretrained(path)
rows = load_dataset("openai/gsm8k", "main", split="test").select(range(50))
results = []
for row in rows:
    output = model.generate(**tokenizer(row["question"], return_tensors="pt"))
    results.append(row["answer"] in tokenizer.decode(output[0]))
print(sum(results) / len(results))
""",
    ),
    good=(
        """
from guard import CleanModelLoader

model, tokenizer, provenance = CleanModelLoader("Qwen/Qwen2.5-7B").load()
correct = 0
for item in items[:500]:
    text = CleanModelLoader.generate(model, tokenizer, item["prompt"], max_new_tokens=8)
    correct += text.strip() == item["answer"]
print("accuracy", correct / len(items[:500]))
""",
        """
from guard import CleanModelLoader

model, tokenizer, provenance = CleanModelLoader("Qwen/Qwen2.5-7B").load()
for prompt in prompts[:5]:
    print(CleanModelLoader.generate(model, tokenizer, prompt, max_new_tokens=8))
print("done", correct / len(prompts))
""",
    ),
)
