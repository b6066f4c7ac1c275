"""How a program says its generation settings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.differential.draw import Draw

if TYPE_CHECKING:
    from tests.differential.grammar import Parts


def lines(draw: Draw, parts: Parts) -> tuple[list[str], str]:
    """Lines before the call, and the arguments of `generate` behind the prompt."""
    said = _said(draw, parts)
    direct = {
        k: v
        for k, v in said.items()
        if k in ("tokenizer", "return_dict_in_generate", "output_scores")
    }
    rest = {k: v for k, v in said.items() if k not in direct}
    form = draw.pick("settings", {"keywords": 9, "dict": 4, "config": 4, "config and keywords": 1})
    if form == "keywords" or not rest:
        return [], _keywords({**rest, **direct})
    if form == "dict":
        before = _dict(draw, parts, rest)
        return before, ", ".join(filter(None, ["**settings", _keywords(direct)]))
    parts.need("from transformers import GenerationConfig")
    kept: dict[str, str] = {}
    if form == "config and keywords":
        name = draw.rng.choice(list(rest))
        kept = {name: rest.pop(name)}
    before, config = _config(draw, parts, rest)
    return before, ", ".join(
        filter(None, [f"generation_config={config}", _keywords({**kept, **direct})])
    )


def _keywords(said: dict[str, str]) -> str:
    return ", ".join(f"{name}={value}" for name, value in said.items())


def _said(draw: Draw, parts: Parts) -> dict[str, str]:
    tok = parts.tok
    said: dict[str, str] = {}
    length = draw.pick(
        "length", {"max_new_tokens": 20, "max_length": 1, "none": 0.6, "constant": 2, "both": 0.3}
    )
    if length == "constant":
        parts.constant("TOKENS = 5")
    said |= {
        "max_new_tokens": {"max_new_tokens": draw.rng.choice(["3", "5", "8"])}, "max_length": {"max_length": "40"},
        "none": {}, "constant": {"max_new_tokens": "TOKENS"}, "both": {"max_new_tokens": "4", "max_length": "60"},
    }[length]  # fmt: skip
    kind = draw.pick(
        "sampling",
        {
            "said greedy": 8,
            "unsaid": 5,
            "sampled": 6,
            "temperature alone": 1,
            "beams": 1.2,
            "expression": 0.8,
        },
    )
    if kind == "said greedy":
        said["do_sample"] = "False"
        if draw.chance("unused_sampling", 0.2):
            said[draw.rng.choice(["temperature", "top_p"])] = draw.rng.choice(
                ["None", "1.0", "0.7"]
            )
    if kind == "sampled":
        said["do_sample"] = "True"
        for name, values in {
            "temperature": ["0.7", "1.0", "0.3"],
            "top_p": ["0.9", "0.5"],
            "top_k": ["20", "0", "None"],
            "min_p": ["0.1"],
        }.items():
            if draw.chance(
                name, {"temperature": 0.7, "top_p": 0.5, "top_k": 0.3, "min_p": 0.1}[name]
            ):
                said[name] = draw.rng.choice(values)
        if draw.chance("several", 0.08):
            said["num_return_sequences"] = "2"
    if kind == "temperature alone":
        said["temperature"] = draw.rng.choice(["0.7", "0.2"])
    if kind == "beams":
        said["num_beams"] = "2"
        if draw.chance("said_too", 0.6):
            said["do_sample"] = "False"
        for name, value in {
            "early_stopping": "True",
            "length_penalty": "0.8",
            "num_return_sequences": "2",
        }.items():
            if draw.chance(f"beam_{name}", 0.3):
                said[name] = value
    if kind == "expression":
        parts.constant(f"TEMPERATURE = {draw.rng.choice(['0.0', '0.8'])}")
        said["do_sample"] = "TEMPERATURE > 0"
        said["temperature"] = draw.rng.choice(
            ["TEMPERATURE or 1.0", "TEMPERATURE if TEMPERATURE > 0 else None"]
        )
    for name, (value, share) in {
        "repetition_penalty": ("1.2", 0.1), "no_repeat_ngram_size": ("2", 0.07), "min_new_tokens": ("2", 0.06),
        "eos_token_id": (f"{tok}.eos_token_id", 0.12), "use_cache": (draw.rng.choice(["True", "True", "False", "not False"]), 0.1),
    }.items():  # fmt: skip
        if draw.chance(name, share):
            said[name] = value
    pad = draw.pick("pad_id", {"none": 6, "eos": 4, "pad": 1, "number": 0.4})
    said |= {
        "none": {},
        "eos": {"pad_token_id": f"{tok}.eos_token_id"},
        "pad": {"pad_token_id": f"{tok}.pad_token_id"},
        "number": {"pad_token_id": "0"},
    }[pad]
    if draw.chance("eos_list", 0.03):
        said["eos_token_id"] = f"[{tok}.eos_token_id, 7]"
    if draw.chance("stop_strings", 0.05):
        said |= {
            "stop_strings": draw.rng.choice(['["."]', '"a"', '["\\n", "e"]']),
            "tokenizer": tok,
        }
    if draw.chance("returns_dict", 0.06):
        said["return_dict_in_generate"] = "True"
        if draw.chance("output_scores", 0.6):
            said["output_scores"] = "True"
    return said


def _display(said: dict[str, str]) -> str:
    return "{" + ", ".join(f'"{name}": {value}' for name, value in said.items()) + "}"


def _dict(draw: Draw, parts: Parts, said: dict[str, str]) -> list[str]:
    form = draw.pick(
        "settings_dict",
        {"literal": 4, "dict()": 2, "item": 2, "update": 1, "branch": 1.5, "either": 0.8, "pop": 0.5, "setdefault": 0.5, "or": 0.5,
         "spread": 1, "loop": 0.3, "helper": 0.6, "alias": 0.5, "constant": 1, "copy": 0.4, "overwritten": 0.5},
    )  # fmt: skip
    name, value = list(said.items())[-1]
    rest = {k: v for k, v in said.items() if k != name}
    flag = f"EXTRA = {draw.rng.choice(['True', 'False'])}"
    if form in ("branch", "either"):
        parts.constant(flag)
    if form == "helper":
        parts.helper("def extra(d):", '    d["repetition_penalty"] = 1.1', "")
    if form == "constant" and not any(parts.tok in v for v in said.values()):
        parts.constant(f"SETTINGS = {_display(said)}")
        return ["settings = SETTINGS"]
    pairs = ", ".join(f"{k}={v}" for k, v in said.items())
    return {
        "literal": [f"settings = {_display(said)}"],
        "constant": [f"settings = {_display(said)}"],
        "dict()": [f"settings = dict({pairs})"],
        "item": [f"settings = {_display(rest)}", f'settings["{name}"] = {value}'],
        "update": [f"settings = {_display(rest)}", f"settings.update({name}={value})"],
        "branch": [f"settings = {_display(said)}", "if EXTRA:", '    settings["repetition_penalty"] = 1.3'],
        "either": [f"settings = {_display(rest)}", "if EXTRA:", f'    settings["{name}"] = {value}', "else:", '    settings["no_repeat_ngram_size"] = 2'],
        "pop": [f'settings = {_display({**said, "top_k": "3"})}', 'settings.pop("top_k")'],
        "setdefault": [f"settings = {_display(rest)}", f'settings.setdefault("{name}", {value})'],
        "or": [f"settings = {_display(rest)} | {_display({name: value})}"],
        "spread": [f"base = {_display(rest)}", f'settings = {{**base, "{name}": {value}}}'],
        "loop": [f"settings = {_display(rest)}", f'for key in ["{name}"]:', f"    settings[key] = {value}"],
        "helper": [f"settings = {_display(said)}", "extra(settings)"],
        "alias": [f"settings = {_display(rest)}", "same = settings", f'same["{name}"] = {value}'],
        "copy": [f"base = {_display(rest)}", "settings = base.copy()", f'settings["{name}"] = {value}'],
        "overwritten": [f"settings = {_display({**said, 'repetition_penalty': '1.4'})}", 'settings["repetition_penalty"] = 1.0'],
    }[form]  # fmt: skip


def _config(draw: Draw, parts: Parts, said: dict[str, str]) -> tuple[list[str], str]:
    form = draw.pick(
        "config",
        {"inline": 3, "name": 4, "attribute": 2, "update": 1, "setattr": 0.7, "alias": 0.7, "helper": 0.7, "branch": 1, "loop": 0.5,
         "__dict__": 0.3, "spread": 1, "model's": 0.6, "constant": 0.7, "function": 0.5, "from_dict": 0.2},
    )  # fmt: skip
    pairs = _keywords(said)
    made = f"GenerationConfig({pairs})"
    name, value = list(said.items())[-1] if said else ("max_new_tokens", "4")
    rest = {k: v for k, v in said.items() if k != name}
    less = f"GenerationConfig({_keywords(rest)})"
    own = not any(parts.tok in v for v in said.values())
    if form == "helper":
        parts.helper("def tighten(c):", "    c.repetition_penalty = 1.2", "")
    if form == "branch":
        parts.constant(f"EXTRA = {draw.rng.choice(['True', 'False'])}")
    if form == "constant" and own:
        parts.constant(f"GENERATION = {made}")
        return [], "GENERATION"
    if form == "function" and own:
        parts.helper("def configured():", f"    return {made}", "")
        return [], "configured()"
    if form == "inline":
        return [], made
    return {
        "name": [f"config = {made}"],
        "constant": [f"config = {made}"],
        "function": [f"config = {made}"],
        "attribute": [f"config = {less}", f"config.{name} = {value}"],
        "update": [f"config = {less}", f"config.update({name}={value})"],
        "setattr": [f"config = {less}", f'setattr(config, "{name}", {value})'],
        "alias": [f"config = {less}", "same = config", f"same.{name} = {value}"],
        "helper": [f"config = {made}", "tighten(config)"],
        "branch": [f"config = {made}", "if EXTRA:", "    config.repetition_penalty = 1.3"],
        "loop": [f"config = {less}", f'for key, value in [("{name}", {value})]:', "    setattr(config, key, value)"],
        "__dict__": [f"config = {less}", f'config.__dict__["{name}"] = {value}'],
        "spread": [f"given = {_display(said)}", "config = GenerationConfig(**given)"],
        "model's": [f"config = {parts.lm}.generation_config", *(f"config.{k} = {v}" for k, v in said.items())],
        "from_dict": [f"config = GenerationConfig.from_dict({_display(said)})"],
    }[form], "config"  # fmt: skip
