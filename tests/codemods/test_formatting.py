"""However a script is laid out: proven and of the same meaning, or refused with the file as it was."""

from __future__ import annotations

import ast

from hypothesis import given, settings
from hypothesis import strategies as st

from cleanguard.settings.config import Settings
from codemods.migration import migrate_source

SPACE = st.sampled_from(["", " ", "  ", "\t"])
BREAK = st.sampled_from(["", "\n    ", "\n        ", "  # why\n    ", "\n\n    "])
QUOTE = st.sampled_from(["'", '"', '"""'])
END = st.sampled_from(["\n", "  # note\n", "\n\n", "\n# between\n", "\n\n\n"])
COMMA = st.sampled_from(["", ","])


@st.composite
def scripts(draw: st.DrawFn) -> str:
    """The straight shape of a load and a generation, in any layout."""

    def call(head: str, *arguments: str) -> str:
        gaps = [draw(BREAK) for _ in arguments]
        inner = ",".join(f"{gap}{argument}" for gap, argument in zip(gaps, arguments, strict=True))
        comma = draw(COMMA) if arguments else ""
        return f"{head}({inner}{comma}{draw(BREAK)})"

    def quoted(text: str) -> str:
        mark = draw(QUOTE)
        return f"{mark}{text}{mark}"

    def assign(name: str, value: str) -> str:
        return f"{name}{draw(SPACE)}={draw(SPACE)}{value}{draw(END)}"

    none = draw(st.booleans())
    parts = [
        "import torch\nfrom transformers import AutoModelForCausalLM, AutoTokenizer\n",
        assign("tokenizer", call("AutoTokenizer.from_pretrained", quoted("gpt2"))),
        f"tokenizer.chat_template{draw(SPACE)}={draw(SPACE)}None{draw(END)}"
        if draw(st.booleans())
        else "",
        assign("model", call("AutoModelForCausalLM.from_pretrained", quoted("gpt2"))),
        f"model.eval(){draw(END)}" if draw(st.booleans()) else "",
        assign("inputs", call("tokenizer", quoted("a"), f"return_tensors={quoted('pt')}")),
        "with torch.no_grad():\n    " if none else "",
        assign("outputs", call("model.generate", "**inputs", "max_new_tokens=5")),
        assign("text", call("tokenizer.decode", "outputs[0]", "skip_special_tokens=True")),
        "print(text)\n",
    ]
    return "".join(parts)


WANTED = ast.dump(
    ast.parse(
        "loader = CleanModelLoader('gpt2')\nmodel, tokenizer, provenance = loader.load()\n"
        "text = loader.generate(model, tokenizer, 'a', max_new_tokens=5, return_full_text=True)\n"
        "print(text)\n"
    )
)


@settings(max_examples=60, deadline=None)
@given(scripts())
def test_any_layout_of_the_straight_shape(source):
    try:
        ast.parse(source)
    except SyntaxError:
        return
    plan = migrate_source("script.py", source.encode(), Settings())
    assert plan.refusal is None
    assert plan.manual == ()
    tree = ast.parse(plan.after)
    body = [node for node in tree.body if not isinstance(node, (ast.Import, ast.ImportFrom))]
    assert ast.dump(ast.Module(body=body, type_ignores=[])) == WANTED
    for comment in ("# why", "# note", "# between"):
        assert plan.after.decode().count(comment) == source.count(comment)
