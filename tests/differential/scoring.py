"""Programs that score rows of a long text: windows that begin anywhere, in the script or in another file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.differential.draw import Draw

if TYPE_CHECKING:
    from tests.differential.grammar import Parts

_TEXT = " ".join(
    ["The lamp is on the table.", "A river and the house are near.", "One, two, three; 4 and 5."]
    * 3
)


def lines(draw: Draw, parts: Parts) -> list[str]:
    """The program behind its imports."""
    tok, lm, named = parts.tok, parts.lm, f'"{parts.family.hub}"'
    parts.constant(f"TEXT = {_TEXT!r}")
    loads = [
        f"{tok} = AutoTokenizer.from_pretrained({named})",
        f"{lm} = AutoModelForCausalLM.from_pretrained({named}, torch_dtype=torch.float32)",
    ]
    if draw.chance("score_eval", 0.5):
        loads.append(f"{lm}.eval()")
    encode = draw.pick(
        "score_encode",
        {
            f'{tok}(TEXT, return_tensors="pt").input_ids': 4,
            f'{tok}(TEXT, return_tensors="pt", add_special_tokens=False).input_ids': 3,
            f'{tok}.encode(TEXT, return_tensors="pt")': 2,
            f"torch.tensor([{tok}.convert_tokens_to_ids({tok}.tokenize(TEXT))])": 1,
        },
    )
    form = draw.pick(
        "score_form", {"inline": 3, "function": 3, "module": 3, "class": 1, "nested": 2}
    )
    size = draw.rng.choice(["8", "12"])
    parts_of = [
        f"for start in range(0, ids.shape[1] - {size}, {size}):",
        f"    part = ids[:, start:start + {size}]",
        "    with torch.no_grad():",
        "        scores = model(part).logits" if draw.chance("score_logits", 0.6) else "        scores = model(part, labels=part).loss",
        "    total += float(scores.float().mean())",
    ]  # fmt: skip
    body = ["total = 0.0", *parts_of, "return total"]
    if form == "inline":
        own = [line.replace("model(", f"{lm}(") for line in parts_of]
        use = [f"ids = {encode}", "total = 0.0", *own, "print(round(total, 3))"]
        return [*loads, *use]
    function = ["def score(model, ids):", *(f"    {line}" for line in body), ""]
    use = [f"ids = {encode}", f"print(round(score({lm}, ids), 3))"]
    if form == "function":
        return [*function, "", *loads, *use]
    if form == "class":
        parts.files["measures.py"] = [
            "import torch", "", "", "class Measure:", "    def __init__(self, model):", "        self.model = model", "",
            "    def score(self, ids):", *(f"        {line.replace('model(', 'self.model(')}" for line in body), "",
        ]  # fmt: skip
        parts.need("from measures import Measure")
        return [*loads, f"ids = {encode}", f"print(round(Measure({lm}).score(ids), 3))"]
    if form == "nested":
        inner = [
            "def windows(tokenizer, text):",
            '    return tokenizer(text, return_tensors="pt").input_ids',
            "",
        ]
        outer = [
            "def measure(model, tokenizer, text):",
            "    ids = windows(tokenizer, text)",
            *(f"    {line}" for line in body),
            "",
        ]
        parts.files["measures.py"] = ["import torch", "", "", *inner, "", *outer]
        parts.need("from measures import measure")
        return [*loads, f"print(round(measure({lm}, {tok}, TEXT), 3))"]
    parts.files["measures.py"] = ["import torch", "", "", *function]
    parts.need("from measures import score")
    return [*loads, *use]
