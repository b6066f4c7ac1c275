"""How a program tokenises its prompts."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.differential.draw import Draw

if TYPE_CHECKING:
    from tests.differential.grammar import Parts


@dataclass(slots=True)
class Encoded:
    """An encoded prompt.

    Attributes:
        lines: What makes it.
        given: The arguments of `generate` that hold it.
        length: How many ids the prompt has, as an expression.
        ids: The ids, of shape (rows, positions), as an expression.
        forward: Arguments of a forward pass.
    """

    lines: list[str]
    given: str
    length: str
    ids: str
    forward: str = field(default="")


def lines(draw: Draw, parts: Parts, prompt: str, *, many: bool) -> Encoded:
    """Tokenises the expression."""
    tok, lm = parts.tok, parts.lm
    has_bos_text = any(tag.startswith("bos=") for tag in draw.tags)
    bare = draw.chance(
        "bare", 0.75 if has_bos_text else 0.5 if "prompt=chat" in draw.tags else 0.14
    )
    more: list[str] = []
    if bare:
        more.append("add_special_tokens=False")
    elif draw.chance("add_special_tokens", 0.04):
        more.append("add_special_tokens=True")
    has_pad = "pad=none" not in draw.tags or not parts.family.name.startswith("llama")
    if many or (has_pad and draw.chance("pads_one", 0.12)):
        more.append("padding=True")
        if draw.chance("padding_side_in_call", 0.04):
            more.append(f'padding_side="{draw.rng.choice(["left", "left", "right"])}"')
    if draw.chance("truncation", 0.1):
        size = draw.pick("cut", {"512": 3, "256": 1, "6": 1})
        more += ["truncation=True", f"max_length={size}"]
    elif draw.chance("truncation_alone", 0.02):
        more.append("truncation=True")
    elif not many and has_pad and draw.chance("to_max_length", 0.02):
        more = [one for one in more if not one.startswith("padding")]
        more += ['padding="max_length"', "max_length=40"]
    if draw.chance("return_attention_mask", 0.04):
        more.append("return_attention_mask=True")
    options = "".join(f", {one}" for one in more)
    if many and prompt.isidentifier() and draw.chance("equal_prompts", 0.08):
        options = options.replace(", padding=True", "")
        found = _batch(draw, parts, prompt, options)
        found.lines.insert(0, f"{prompt} = [{prompt}[0]] * 2")
        return found
    if many:
        return _batch(draw, parts, prompt, options)
    form = draw.pick(
        "encode",
        {"call": 8, "moved": 5, "encode": 3, "parts": 3, "ids": 2, "list": 2, "mask": 0.7, "tensor": 1, "tokens": 0.7,
         "bos ids": 0.8, "helper": 1, "text=": 0.5, "inline": 0.7, "dict": 0.4, "self-made mask": 0.6},
    )  # fmt: skip
    name = draw.rng.choice(["inputs", "inputs", "encoded", "batch"])
    ids = draw.rng.choice([f"{name}.input_ids", f'{name}["input_ids"]'])
    length = draw.rng.choice(
        [f"{ids}.shape[1]", f"{ids}.shape[-1]", f"len({ids}[0])", f"{ids}.size(1)"]
    )
    plain = f'{tok}({prompt}, return_tensors="pt"{options})'
    if form == "call":
        return Encoded([f"{name} = {plain}"], f"**{name}", length, ids, f"**{name}")
    if form == "text=":
        return Encoded(
            [f'{name} = {tok}(text={prompt}, return_tensors="pt"{options})'],
            f"**{name}",
            length,
            ids,
            f"**{name}",
        )
    if form == "moved":
        place = draw.rng.choice([f"{lm}.device", '"cpu"', f"{lm}.device"])
        if draw.chance("moved_later", 0.25):
            made = [f"{name} = {plain}", f"{name} = {name}.to({place})"]
        else:
            made = [f"{name} = {plain}.to({place})"]
        return Encoded(made, f"**{name}", length, ids, f"**{name}")
    if form == "encode":
        made = [f'ids = {tok}.encode({prompt}, return_tensors="pt"{options})']
        given = draw.rng.choice(["ids", "ids", "input_ids=ids", "inputs=ids"])
        return Encoded(made, given, "ids.shape[1]", "ids", "ids")
    if form == "parts":
        given = f"{name}.input_ids, attention_mask={name}.attention_mask"
        given = draw.rng.choice(
            [given, f'input_ids={name}["input_ids"], attention_mask={name}["attention_mask"]']
        )
        return Encoded([f"{name} = {plain}"], given, length, ids, f"**{name}")
    if form == "ids":
        return Encoded(
            [f"ids = {plain}.input_ids"],
            draw.rng.choice(["ids", "input_ids=ids"]),
            "ids.shape[1]",
            "ids",
            "ids",
        )
    if form == "list":
        made = [f'{name} = {tok}([{prompt}], return_tensors="pt"{options})']
        return Encoded(made, f"**{name}", length, ids, f"**{name}")
    if form == "mask":
        made = [f"ids = {plain}.input_ids", "mask = torch.ones_like(ids)"]
        return Encoded(made, "ids, attention_mask=mask", "ids.shape[1]", "ids", "ids")
    if form == "self-made mask":
        made = [f"ids = {plain}.input_ids", "mask = (ids != -1).long()"]
        return Encoded(made, "input_ids=ids, attention_mask=mask", "ids.shape[1]", "ids", "ids")
    if form == "tensor":
        inner = draw.rng.choice(
            [f"{tok}.encode({prompt}{options})", f'{tok}({prompt}{options})["input_ids"]']
        )
        return Encoded([f"ids = torch.tensor([{inner}])"], "ids", "ids.shape[1]", "ids", "ids")
    if form == "tokens":
        made = [
            f"tokens = {tok}.tokenize({prompt})",
            f"ids = torch.tensor([{tok}.convert_tokens_to_ids(tokens)])",
        ]
        return Encoded(made, "ids", "ids.shape[1]", "ids", "ids")
    if form == "bos ids":
        start = f"[{tok}.bos_token_id]" if parts.family.bos else "[]"
        made = [f"ids = torch.tensor([{start} + {tok}.encode({prompt}, add_special_tokens=False)])"]
        return Encoded(made, "ids", "ids.shape[1]", "ids", "ids")
    if form == "helper":
        if tok.startswith("self."):
            return Encoded([f"{name} = {plain}"], f"**{name}", length, ids, f"**{name}")
        parts.helper(
            "def encode_text(t, text):", f'    return t(text, return_tensors="pt"{options})', ""
        )
        return Encoded(
            [f"{name} = encode_text({tok}, {prompt})"], f"**{name}", length, ids, f"**{name}"
        )
    if form == "inline":
        counted = f"len({tok}({prompt}{options})['input_ids'])"
        return Encoded([], f"**{plain}", counted, f"{plain}.input_ids", f"**{plain}")
    made = [f"{name} = dict({plain})"]
    return Encoded(
        made, f"**{name}", f'{name}["input_ids"].shape[1]', f'{name}["input_ids"]', f"**{name}"
    )


def _batch(draw: Draw, parts: Parts, prompt: str, options: str) -> Encoded:
    name = draw.rng.choice(["batch", "inputs"])
    ids = draw.rng.choice([f"{name}.input_ids", f'{name}["input_ids"]'])
    form = draw.pick("encode", {"batch": 6, "batch moved": 3, "batch parts": 2, "batch ids": 0.6})
    plain = f'{parts.tok}({prompt}, return_tensors="pt"{options})'
    length = f"{ids}.shape[1]"
    if form == "batch moved":
        return Encoded(
            [f"{name} = {plain}.to({parts.lm}.device)"], f"**{name}", length, ids, f"**{name}"
        )
    if form == "batch ids":
        return Encoded([f"{name} = {plain}"], f"{name}.input_ids", length, ids, f"**{name}")
    given = (
        f"{name}.input_ids, attention_mask={name}.attention_mask"
        if form == "batch parts"
        else f"**{name}"
    )
    return Encoded([f"{name} = {plain}"], given, length, ids, f"**{name}")
