"""How a program makes its prompts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.differential.draw import Draw

if TYPE_CHECKING:
    from tests.differential.grammar import Parts


def lines(draw: Draw, parts: Parts, *, many: bool) -> tuple[list[str], str]:
    """Lines that make the prompt of `p` (or the prompts of `prompts`), and its name."""
    kind = draw.pick(
        "prompt",
        {"plain": 9, "f-string": 4, "plus": 2, "format": 1.5, "join": 1, "template": 2, "percent": 0.5, "replace": 0.5,
         "shots": 1, "strip": 0.7, "bos": 3, "chat": 0.8, "by hand": 0.5, "helper": 1, "dict": 0.6, "augmented": 0.7},
    )  # fmt: skip
    if kind == "plain":
        return [], "prompts" if many else "p"
    before, made = _made(draw, parts, kind)
    if many:
        return [*before, f"texts_in = [{made} for p in prompts]"], "texts_in"
    if kind == "augmented":
        return [*before, 'prompt = "Question: "', "prompt += p", 'prompt += "\\nAnswer:"'], "prompt"
    return [*before, f"prompt = {made}"], "prompt"


def _made(draw: Draw, parts: Parts, kind: str) -> tuple[list[str], str]:
    tok = parts.tok
    if kind == "bos":
        return _with_bos(draw, parts)
    if kind == "template":
        parts.constant('TEMPLATE = "Question: {question}\\nAnswer:"')
        return [], "TEMPLATE.format(question=p)"
    if kind == "percent":
        parts.constant('PATTERN = "Q: %s A:"')
        return [], "PATTERN % p"
    if kind == "replace":
        parts.constant('SLOT = "Q: <q> A:"')
        return [], 'SLOT.replace("<q>", p)'
    if kind == "shots":
        parts.constant('SHOTS = ["The lamp is on the table.", "The river is near."]')
        return [], '"\\n\\n".join([*SHOTS, p])'
    if kind == "chat":
        form = draw.pick("chat", {"rendered": 2, "generation prompt": 2})
        more = ", add_generation_prompt=True" if form == "generation prompt" else ""
        return (
            [],
            f'{tok}.apply_chat_template([{{"role": "user", "content": p}}], tokenize=False{more})',
        )
    if kind == "by hand":
        return [], 'f"<|im_start|>user\\n{p}<|im_end|>\\n"'
    if kind == "helper":
        parts.helper("def dressed(text):", '    return f"Text: {text}\\n"', "")
        return [], "dressed(p)"
    return {
        "f-string": ([], 'f"Question: {p}\\nAnswer:"'),
        "plus": ([], '"Q: " + p + "\\nA:"'),
        "format": ([], '"{} is the answer to".format(p)'),
        "join": ([], '" ".join(["The", p])'),
        "strip": ([], "p.strip()"),
        "dict": ([], '{"text": p}["text"]'),
        "augmented": ([], '"Question: " + p'),
    }[kind]


def _with_bos(draw: Draw, parts: Parts) -> tuple[list[str], str]:
    tok, bos = parts.tok, parts.family.bos
    if bos is None:
        form = draw.pick("bos", {"or": 2, "or empty": 1})
        return {
            "or": ([], f'({tok}.bos_token or "") + p'),
            "or empty": ([f'prefix = {tok}.bos_token or ""'], "prefix + p"),
        }[form]
    form = draw.pick(
        "bos",
        {"plus": 3, "f-string": 2, "format": 1, "prefix": 1, "join": 1, "map": 1, "decode": 1, "literal": 2, "helper": 1,
         "constant": 1, "or": 1, "percent": 0.5, "conditional": 0.7, "list": 0.6},
    )  # fmt: skip
    if form == "helper":
        parts.helper("def with_bos(text, start):", "    return start + text", "")
    if form == "constant":
        parts.constant(f'BOS = "{bos}"')
    return {
        "plus": ([], f"{tok}.bos_token + p"),
        "f-string": ([], f'f"{{{tok}.bos_token}}{{p}}"'),
        "format": ([], f'"{{}}{{}}".format({tok}.bos_token, p)'),
        "prefix": ([f'prefix = {tok}.bos_token or ""'], "prefix + p"),
        "join": ([], f'"".join([{tok}.bos_token, p])'),
        "map": ([], f'{tok}.special_tokens_map["bos_token"] + p'),
        "decode": ([], f"{tok}.decode([{tok}.bos_token_id]) + p"),
        "literal": ([], f'"{bos}" + p'),
        "helper": ([], f"with_bos(p, {tok}.bos_token)"),
        "constant": ([], "BOS + p"),
        "or": ([], f'({tok}.bos_token or "") + p'),
        "percent": ([], f'"%s%s" % ({tok}.bos_token, p)'),
        "conditional": ([], f'({tok}.bos_token if {tok}.bos_token else "") + p'),
        "list": ([f"pieces = [{tok}.bos_token]"], '"".join(pieces + [p])'),
    }[form]
