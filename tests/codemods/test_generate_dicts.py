"""`**` dicts of `generate`: what they certainly hold, and what they may hold."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from codemods.plan.options import Wishes

LOAD = """\
from transformers import AutoModelForCausalLM, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained("gpt2")
model = AutoModelForCausalLM.from_pretrained("gpt2")
x = tokenizer("a", return_tensors="pt")
"""
FUNCTION = """\
{head}
        i = tokenizer(p, return_tensors="pt")
        out = model.generate(**i, **{dict})
        return tokenizer.decode(out[0])
"""
SAMPLES = '{"max_new_tokens": 5, "do_sample": True}'


def call(arguments: str = "**kw") -> str:
    return f"out = model.generate(**x, {arguments})\nprint(tokenizer.decode(out[0]))\n"


def settings(text: str) -> str:
    """What stands between the prompt and the decoding in the one guarded call of a text."""
    _, _, rest = text.partition(".generate(")
    line = " ".join(rest.partition("skip_special_tokens")[0].split())
    return line.split(", ", 3)[3].rstrip(", ")


REWRITTEN = [
    pytest.param(
        'kw = {"max_new_tokens": 5, "temperature": 0.9} if greedy else ' + SAMPLES + "\n" + call(),
        '**{"do_sample": False, "top_k": 50, **kw}',
        id="greedy with a temperature, or sampled",
    ),
    pytest.param(
        'kw = {"max_new_tokens": 5, "temperature": 0.5}\nif s:\n    kw["do_sample"] = True\n' + call(),
        '**{"do_sample": False, "top_k": 50, **kw}',
        id="sampling is asked for later",
    ),
    pytest.param(
        f'kw = {SAMPLES}\nif k:\n    kw["top_k"] = k\n' + call(),
        '**{"top_k": 50, **kw}',
        id="a top_k that is perhaps named",
    ),
    pytest.param(
        f'kw = {SAMPLES}\nkw["top_k"] = k\n' + call(),
        "**kw",
        id="a top_k that is certainly named",
    ),
    pytest.param(f"kw = {SAMPLES}\n" + call(), "**kw, top_k=50", id="a literal"),
    pytest.param(
        "kw = dict(max_new_tokens=5, do_sample=True)\n" + call(), "**kw, top_k=50", id="dict()"
    ),
    pytest.param(
        'kw = {}\nkw["max_new_tokens"] = 5\nkw.setdefault("do_sample", True)\n' + call(),
        "**kw, top_k=50",
        id="grown line by line",
    ),
    pytest.param(
        'kw = {"max_new_tokens": 5}\nif s:\n    kw.update(do_sample=True, temperature=s)\n'
        'else:\n    kw["do_sample"] = False\n' + call(),
        "**kw, top_k=50",
        id="on both branches",
    ),
    pytest.param(
        'kw = {"max_new_tokens": 5}\nif s:\n    kw["do_sample"] = True\nelse:\n    raise SystemExit\n'
        + call(),
        "**kw, top_k=50",
        id="on the branch that goes on",
    ),
    pytest.param(
        'kw = {"max_new_tokens": 5}\nif s:\n    kw = {**kw, "do_sample": True}\n' + call(),
        '**{"do_sample": False, "top_k": 50, **kw}',
        id="made of itself",
    ),
    pytest.param(
        'kw = {"max_new_tokens": 5}\nif s:\n    kw |= {"do_sample": True}\n' + call(),
        '**{"do_sample": False, "top_k": 50, **kw}',
        id="grown by |=",
    ),
    pytest.param(
        'kw = {"max_new_tokens": 5}\ntry:\n    kw["do_sample"] = True\nexcept E:\n    pass\n' + call(),
        '**{"do_sample": False, "top_k": 50, **kw}',
        id="in a try",
    ),
    pytest.param(
        'kw = {"max_new_tokens": 5}\nwith s:\n    kw["do_sample"] = True\n' + call(),
        '**{"do_sample": False, "top_k": 50, **kw}',
        id="in a with",
    ),
    pytest.param(
        'kw = {"max_new_tokens": 5}\nfor s in t:\n    out = model.generate(**x, **kw)\n'
        '    print(tokenizer.decode(out[0]))\n    kw["do_sample"] = True\n',
        '**{"do_sample": False, "top_k": 50, **kw}',
        id="in the round before",
    ),
    pytest.param(
        'kw = {"max_new_tokens": 5}\nwhile t():\n    if s:\n        kw = {"max_new_tokens": 4}\n'
        '        break\n    kw = {"max_new_tokens": 3}\n    kw["do_sample"] = True\n' + call(),
        '**{"do_sample": False, "top_k": 50, **kw}',
        id="left by break",
    ),
    pytest.param(
        f'if s:\n    kw = other = {SAMPLES}\nelse:\n    kw = {SAMPLES}\n' + call("max_length=9, **kw"),
        '**{"do_sample": False, "top_k": 50, **kw}, max_length=9',
        id="it has two names",
    ),
    pytest.param(
        f"if s:\n    for kw in [{SAMPLES}, {{}}]:\n        pass\nelse:\n    kw = {SAMPLES}\n"
        + call("max_length=9, **kw"),
        '**{"do_sample": False, "top_k": 50, **kw}, max_length=9',
        id="it is one of several",
    ),
    pytest.param(
        'kw = {"max_new_tokens": 5}\ntry:\n    pass\nexcept E:\n    kw["do_sample"] = True\n'
        "finally:\n    out = model.generate(**x, **kw)\n    print(tokenizer.decode(out[0]))\n",
        '**{"do_sample": False, "top_k": 50, **kw}',
        id="in a finally",
    ),
    pytest.param(
        'kw = {}\nkw["max_new_tokens"], kw["do_sample"] = 5, s\n' + call("**kw"),
        "**kw, top_k=50",
        id="two entries at once",
    ),
    pytest.param(
        f"kw = None\nif s:\n    kw = {SAMPLES}\n" + call("max_length=9, **(kw or {})"),
        '**{"do_sample": False, "top_k": 50, **(kw or {})}, max_length=9',
        id="or an empty one",
    ),
    pytest.param(
        f"kw = {SAMPLES}\n" + call('**(kw | {"top_k": k})'), '**kw | {"top_k": k}', id="a union"
    ),
    pytest.param(
        f'kw = {SAMPLES}\nprint(kw)\nkw = {{"max_new_tokens": 5}}\n' + call(),
        "**kw",
        id="an earlier one does not count",
    ),
    pytest.param(
        call('**{"max_new_tokens": 5, "do_sample": s, **({"top_k": 3} if s else {})}'),
        '**{"top_k": 50, "max_new_tokens": 5, "do_sample": s, **({"top_k": 3} if s else {})}',
        id="a display",
    ),
    pytest.param(
        'a = {"max_new_tokens": 5}\nb = {"do_sample": True} if s else {}\n' + call("**a, **b"),
        '**{"do_sample": False, "top_k": 50, **a, **b}',
        id="two dicts",
    ),
    pytest.param(
        f'kw = {SAMPLES}\nkw.pop("do_sample")\n' + call("max_length=9, **kw"),
        '**{"do_sample": False, "top_k": 50, **kw}, max_length=9',
        id="something is taken out",
    ),
    pytest.param(
        f"kw = {SAMPLES}\nchange(kw)\n" + call("max_length=9, **kw"),
        '**{"do_sample": False, "top_k": 50, **kw}, max_length=9',
        id="something may change it",
    ),
    pytest.param(
        f'kw = {SAMPLES}\nrow = {{"settings": kw}}\n' + call(), "**kw, top_k=50", id="it is reported"
    ),
    pytest.param(
        f'kw = {SAMPLES}\nrow = {{"settings": kw}}\nrow["settings"].clear()\n'
        + call("max_length=9, **kw"),
        '**{"do_sample": False, "top_k": 50, **kw}, max_length=9',
        id="it is reported, and something is taken out",
    ),
    pytest.param(
        f"def make():\n    return {SAMPLES}\n\n\n" + call("**make()"),
        "**make(), top_k=50",
        id="what a function returns",
    ),
    pytest.param(
        'kw = {"max_new_tokens": 5, "temperature": 0.5}\n' + call("do_sample=s, top_k=5, **kw"),
        "**kw, do_sample=s, top_k=5",
        id="the call says it itself",
    ),
    pytest.param(
        'kw = {"max_new_tokens": 5}\nif s:\n    kw["do_sample"] = False\n' + call(),
        '**{"do_sample": False, **kw}',
        id="it never samples",
    ),
    pytest.param(
        f"KW = {SAMPLES}\n\n\nclass A:\n"
        + FUNCTION.format(head="    def f(self, p):", dict="KW"),
        "**KW, top_k=50",
        id="a name of the module",
    ),
    pytest.param(
        f"class A:\n    def __init__(self):\n        self.kw = {SAMPLES}\n"
        '        if s:\n            self.kw["top_k"] = 5\n\n'
        + FUNCTION.format(head="    def f(self, p):", dict="self.kw"),
        '**{"top_k": 50, **self.kw}',
        id="an attribute",
    ),
    pytest.param(
        f"class A:\n    KW = {SAMPLES}\n\n"
        + FUNCTION.format(head="    def f(self, p):", dict="self.KW"),
        "**self.KW, top_k=50",
        id="an attribute of the class",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("before", "expected"), REWRITTEN)
def test_what_it_does_not_say_is_said_below(before, expected, migrate):
    plan = migrate(LOAD + before)
    assert plan.refusal is None
    assert plan.manual == ()
    assert settings(plan.after.decode()) == expected
    assert migrate(plan.after).after == plan.after


UNREAD = "generate takes `**` arguments that cannot be followed"
NO_LENGTH = "it cannot be told that its `**` arguments always name a length; name it in the call"
STAYS = [
    pytest.param(
        "class A:\n" + FUNCTION.format(head="    def f(self, p, **kw):", dict=f'{{**{SAMPLES}, **kw}}'),
        UNREAD,
        id="what a caller adds",
    ),
    pytest.param(
        "class A:\n" + FUNCTION.format(head=f"    def f(self, p, kw={SAMPLES}):", dict="kw"),
        UNREAD,
        id="a default that a caller may replace",
    ),
    pytest.param(
        f"def g(kw={SAMPLES}):\n" + FUNCTION.format(head="    def f(p):", dict="kw"),
        UNREAD,
        id="what the caller of an outer function gives",
    ),
    pytest.param(
        f"class A:\n    def __init__(self, kw):\n        self.kw = {{**{SAMPLES}, **kw}}\n\n"
        + FUNCTION.format(head="    def f(self, p):", dict="self.kw"),
        UNREAD,
        id="an attribute that a caller adds to",
    ),
    pytest.param(
        'kw = {}\nif s:\n    kw["max_new_tokens"] = 5\n' + call(), NO_LENGTH, id="perhaps a length"
    ),
    pytest.param(f"kw = {SAMPLES}\ndel kw[k]\n" + call(), NO_LENGTH, id="something is deleted"),
    pytest.param(
        f'kw = {SAMPLES}\nif s:\n    kw["penalty_alpha"] = t\n' + call(),
        "the keyword `penalty_alpha` in a `**` dict has no place in the call",
        id="an unknown keyword",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("before", "reason"), STAYS)
def test_what_cannot_be_told_stays(before, reason, migrate):
    plan = migrate(LOAD + before)
    assert plan.refusal is None
    assert [site.reason for site in plan.manual if site.code == "CG301"] == [reason]


def test_entries_that_are_computed_go_as_they_come(migrate):
    plan = migrate(LOAD + call("max_length=9, **{k: v for k, v in rows}"))
    assert plan.manual == ()
    assert "**{k: v for k, v in rows}, max_length=9" in " ".join(plan.after.decode().split())


def test_a_setting_of_a_config_and_of_a_dict_goes_with_both(migrate):
    before = (
        "from transformers import GenerationConfig\n"
        'config = GenerationConfig(max_new_tokens=5, top_p=0.5)\nkw = {"top_p": 0.9}\n'
    )
    plan = migrate(LOAD + before + call("generation_config=config, **kw"))
    assert plan.manual == ()
    assert "**kw, generation_config=config" in " ".join(plan.after.decode().split())


def test_twenty_new_tokens_below_a_dict_that_perhaps_says_more(migrate: Callable):
    before = LOAD + 'kw = {}\nif s:\n    kw["max_new_tokens"] = 5\n' + call()
    plan = migrate(before, wishes=Wishes(unsafe=True))
    assert settings(plan.after.decode()) == '**{"max_new_tokens": 20, **kw}'


def test_twenty_new_tokens_would_win_over_a_length(migrate: Callable):
    before = LOAD + 'kw = {}\nif s:\n    kw["max_length"] = 5\n' + call()
    plan = migrate(before, wishes=Wishes(unsafe=True))
    assert [site.reason for site in plan.manual if site.code == "CG301"] == [NO_LENGTH]


def test_the_guard_takes_what_stands_below():
    settle = pytest.importorskip("guard.settings.settled").settle
    below = {"do_sample": False, "top_k": 50}
    greedy = settle("generate", {**below, "max_new_tokens": 5, "temperature": 0.9})
    assert (greedy.sampling, greedy.top_k) == (False, None)
    sampled = settle("generate", {**below, "max_new_tokens": 5, "do_sample": True})
    assert (sampled.sampling, sampled.top_k, sampled.temperature) == (True, 50, 1.0)
