"""How a program makes text of what was generated; it is called `text`, or `texts` for a batch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.differential.draw import Draw
from tests.differential.encoding import Encoded

if TYPE_CHECKING:
    from tests.differential.grammar import Parts


def lines(
    draw: Draw, parts: Parts, rows: str, encoded: Encoded, prompt: str, *, many: bool, given: str
) -> list[str]:
    """Decodes `rows`."""
    tok, size = parts.tok, encoded.length
    skip = draw.pick("skip", {"True": 9, "False": 0.7, "left out": 1, "name": 0.3})
    more = {
        "True": ", skip_special_tokens=True",
        "False": ", skip_special_tokens=False",
        "left out": "",
        "name": ", skip_special_tokens=SKIP",
    }[skip]
    if skip == "name":
        parts.constant(f"SKIP = {draw.rng.choice(['True', 'False'])}")
    if draw.chance("clean_up", 0.05):
        more += f", clean_up_tokenization_spaces={draw.rng.choice(['True', 'False'])}"
    tail = draw.pick("tail", {"none": 8, ".strip()": 3, '.split("\\n")[0]': 0.7})
    tail = "" if tail == "none" else tail
    if many:
        return _many(draw, tok, rows, size, more)
    form = draw.pick(
        "decode",
        {"slice": 8, "slice2": 3, "row": 3, "cut by length": 1.5, "cut by replace": 0.7, "cut by split": 0.5,
         "removeprefix": 0.6, "batch[0]": 2, "batch full": 1, "new": 2, "helper": 0.8, "twice": 0.5, "row name": 1, "to list": 0.4,
         "length name": 1.5, "conditional": 0.3},
    )  # fmt: skip
    if form == "helper":
        parts.helper("def to_text(t, ids):", f"    return t.decode(ids{more})", "")
    if form == "conditional":
        parts.constant(f"FULL = {draw.rng.choice(['True', 'False'])}")
    return {
        "slice": [f"text = {tok}.decode({rows}[0][{size}:]{more}){tail}"],
        "slice2": [f"text = {tok}.decode({rows}[0, {size}:]{more}){tail}"],
        "row": [f"text = {tok}.decode({rows}[0]{more}){tail}"],
        "cut by length": [f"full = {tok}.decode({rows}[0]{more})", f"text = full[len({prompt}):]{tail}"],
        "cut by replace": [f"full = {tok}.decode({rows}[0]{more})", f'text = full.replace({prompt}, ""){tail}'],
        "cut by split": [f"full = {tok}.decode({rows}[0]{more})", f"text = full.split({prompt})[-1]{tail}"],
        "removeprefix": [f"text = {tok}.decode({rows}[0]{more}).removeprefix({prompt}){tail}"],
        "batch[0]": [f"text = {tok}.batch_decode({rows}[:, {size}:]{more})[0]{tail}"],
        "batch full": [f"text = {tok}.batch_decode({rows}{more})[0]{tail}"],
        "new": [f"new = {rows}[0][{size}:]", f"text = {tok}.decode(new{more}){tail}"],
        "helper": [f"text = to_text({tok}, {rows}[0][{size}:]){tail}"],
        "twice": [f"full = {tok}.decode({rows}[0]{more})", f"text = {tok}.decode({rows}[0][{size}:]{more}){tail}", "print(full)"],
        "row name": [f"row = {rows}[0]", f"text = {tok}.decode(row[{size}:]{more}){tail}"],
        "to list": [f"text = {tok}.decode({rows}[0].tolist()[{size}:]{more}){tail}"],
        "length name": [f"start = {size}", f"text = {tok}.decode({rows}[0][start:]{more}){tail}"],
        "conditional": [f"text = {tok}.decode({rows}[0] if FULL else {rows}[0][{size}:]{more}){tail}"],
    }[form]  # fmt: skip


def _many(draw: Draw, tok: str, rows: str, size: str, more: str) -> list[str]:
    form = draw.pick(
        "decode", {"batch": 5, "batch full": 2, "comprehension": 2, "loop": 2, "new": 2}
    )
    return {
        "batch": [f"texts = {tok}.batch_decode({rows}[:, {size}:]{more})"],
        "batch full": [f"texts = {tok}.batch_decode({rows}{more})"],
        "comprehension": [f"texts = [{tok}.decode(row[{size}:]{more}) for row in {rows}]"],
        "loop": [
            "texts = []",
            f"for row in {rows}:",
            f"    texts.append({tok}.decode(row[{size}:]{more}))",
        ],
        "new": [f"new = {rows}[:, {size}:]", f"texts = {tok}.batch_decode(new{more})"],
    }[form]
