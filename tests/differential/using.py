"""What a program does with its texts, ids and models afterwards."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.differential.draw import Draw
from tests.differential.encoding import Encoded

if TYPE_CHECKING:
    from tests.differential.grammar import Parts


def lines(
    draw: Draw,
    parts: Parts,
    rows: str,
    encoded: Encoded,
    prompt: str,
    *,
    many: bool,
    out: str,
    given: str,
) -> tuple[list[str], list[str]]:
    """Lines that need no text, and lines that do."""
    tok, lm, size, ids = parts.tok, parts.lm, encoded.length, encoded.ids
    text = "texts" if many else "text"
    early = draw.pick(
        "also",
        {"none": 16, "new count": 1.2, "row count": 0.7, "ids": 0.6, "prompt count": 1, "finish": 0.6, "scored": 1.2, "loss": 0.7,
         "shape": 0.6, "encoding kept": 0.7, "scores": 3 if "output_scores" in given else 0, "side": 0.15, "pad": 0.15,
         "mode": 0.3, "config read": 0.2, "prompt again": 0.5, "answer scored": 0.5},
    )  # fmt: skip
    first = {
        "none": [],
        "new count": [f"print({rows}.shape[1] - {size})"],
        "row count": [f"print(len({rows}[0]))"],
        "ids": [f"print({rows}[0][{size}:].tolist())"],
        "prompt count": [f"print({size})"],
        "finish": [f"print(bool({rows}[0][-1] == {tok}.eos_token_id))"],
        "scored": ["with torch.no_grad():", f"    logits = {lm}({encoded.forward}).logits", "print(round(float(logits[0, -1].max()), 2))"],
        "loss": ["with torch.no_grad():", f"    loss = {lm}({ids}, labels={ids}).loss", "print(round(float(loss), 2))"],
        "shape": [f"print(tuple({rows}.shape))"],
        "encoding kept": [f"kept = {ids}", "print(kept.tolist()[0][:3])"],
        "scores": [f"print(len({out}.scores), round(float({out}.scores[0].max()), 2))"],
        "side": [f"print({tok}.padding_side)"],
        "pad": [f"print({tok}.pad_token)"],
        "mode": [f"print({lm}.training)"],
        "config read": [f"print({lm}.generation_config.do_sample)"],
        "prompt again": [f'again = {tok}({prompt}{"[0]" if many else ""}, return_tensors="pt").input_ids', "print(again.shape)"],
        "answer scored": [
            "with torch.no_grad():",
            f"    scores = {lm}({rows}).logits.log_softmax(-1)",
            "print(round(float(scores[0, -1].max()), 2))",
        ],
    }[early]  # fmt: skip
    late = draw.pick(
        "use",
        {"print": 8, "record": 5, "counted": 1.5, "counted bare": 0.7, "length": 1, "both": 2, "upper": 0.7, "in text": 0.6,
         "again": 0.4, "joined": 0.7},
    )  # fmt: skip
    one = f"{text}[0]" if many else text
    last = {
        "print": [f"print({text})"],
        "record": [f'records.append({{"prompt": {prompt}, "text": {text}}})'],
        "counted": [f'print(len({tok}({one})["input_ids"]))'],
        "counted bare": [f"print(len({tok}.encode({one}, add_special_tokens=False)))"],
        "length": [f"print(len({one}))"],
        "both": [f"print({text})", f'records.append({{"text": {text}}})'],
        "upper": [f"print({one}.upper())"],
        "in text": [f'print("the" in {one}, {one}.count("a"))'],
        "again": [f'second = {tok}({one} + " The", return_tensors="pt")', f"print({lm}(**second).logits.shape)"],
        "joined": [f'print({prompt}{"[0]" if many else ""} + " => " + {one})'],
    }[late]  # fmt: skip
    if late not in ("print", "record", "both"):  # whatever else is done with it, the text is seen
        last.append(f'records.append({{"text": {text}}})')
    return first, last
