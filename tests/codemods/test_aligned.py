"""Lines below a call's parenthesis stay below it; others stay where they are."""

from __future__ import annotations

import pytest

from codemods.plan.options import WATCHING
from tests.codemods.conftest import Check

HEAD = "from transformers import AutoModelForCausalLM\n\n"
AFTER = "from guard import CleanModelLoader\n\n"
WIDE, LESS = (
    " " * len("m = AutoModelForCausalLM.from_pretrained("),
    " " * len("m = CleanModelLoader.load_watched("),
)
SHORT, LONG = " " * len("x = m.generate("), " " * len("x = CleanModelLoader.generate_watched(")


@pytest.mark.parametrize(
    ("lines", "below"),
    [
        (["rope_theta=3,  # wide", "revision=A)"], True),
        (["rope_theta=dict(a=1,", "            b=2),", "", "revision=A)"], True),
        (['rope_theta="""a', '""")'], False),
    ],
)
def test_loads(check_transformed: Check, lines: list[str], *, below: bool) -> None:
    def made(name: str, indent: str) -> str:
        rest = "".join(f"\n{indent if line else ''}{line}" for line in lines)
        return f"m = {name}(NAME,{rest}\n"

    before = made("AutoModelForCausalLM.from_pretrained", WIDE)
    after = made("CleanModelLoader.load_watched", LESS if below else WIDE)
    check_transformed(HEAD + before, AFTER + after, wishes=WATCHING)


@pytest.mark.parametrize(("more", "goes"), [(0, True), (4, False), (-4, False)])
def test_generations(check_transformed: Check, more: int, *, goes: bool) -> None:
    load = "m = {}(NAME, rope_theta=3)\n"
    indent = " " * (len(SHORT) + more)
    before = f"x = m.generate(**ids,\n{indent}top_p=1,\n{indent})\n"
    indent = LONG if goes else indent
    after = f"x = CleanModelLoader.generate_watched(m, **ids,\n{indent}top_p=1,\n{indent})\n"
    check_transformed(
        HEAD + load.format("AutoModelForCausalLM.from_pretrained") + before,
        AFTER + load.format("CleanModelLoader.load_watched") + after,
        wishes=WATCHING,
    )


def test_a_class_that_is_handed_on_stands_below_the_others(check_transformed: Check) -> None:
    old = " " * len("m = LlamaForCausalLM.from_pretrained(")
    head = "from transformers import LlamaForCausalLM\n\n"
    check_transformed(
        f"{head}m = LlamaForCausalLM.from_pretrained(NAME,\n{old}rope_theta=3)\n",
        f"from guard import CleanModelLoader\n{head}m = CleanModelLoader.load_watched(NAME,\n{LESS}rope_theta=3,\n"
        f"{LESS}model_class=LlamaForCausalLM)\n",
        wishes=WATCHING,
    )
