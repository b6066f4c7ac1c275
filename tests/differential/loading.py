"""The loads of a program: keywords, dicts, quantization, adapters, and what is done to what was loaded."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.differential.draw import Draw

if TYPE_CHECKING:
    from tests.differential.grammar import Parts


def lines(draw: Draw, parts: Parts, *, many: bool) -> list[str]:
    """Loads the tokenizer and the model, in either order, and readies them."""
    named = _model_id(draw, parts)
    tokenizer = [_tokenizer_load(draw, parts, named), *_tokenizer_lines(draw, parts, many=many)]
    before, load = _model_load(draw, parts, named)
    model = [*before, load, *_model_lines(draw, parts)]
    if draw.pick("order", {"tokenizer first": 3, "model first": 2}) == "model first":
        found = [*model, *tokenizer]
    elif draw.chance("lines_after_both", 0.3):
        found = [tokenizer[0], *before, load, *tokenizer[1:], *model[len(before) + 1 :]]
    else:
        found = [*tokenizer, *model]
    return [*found, *_after(draw, parts, named)]


def _model_id(draw: Draw, parts: Parts) -> str:
    text = parts.family.folder if draw.chance("folder", 0.2) else parts.family.hub
    parts.local = text == parts.family.folder
    how = draw.pick(
        "id", {"literal": 4, "constant": 5, "dict": 1, "environment": 1, "argparse": 1, "path": 0.6}
    )
    if how == "constant":
        parts.constant(f'MODEL = "{text}"')
        return "MODEL"
    if how == "dict":
        parts.constant(f'CONFIG = {{"model": "{text}", "tokens": 4}}')
        return 'CONFIG["model"]'
    if how == "environment":
        parts.need("import os")
        parts.constant(f'MODEL = os.environ.get("BASE_MODEL", "{text}")')
        return "MODEL"
    if how == "argparse":
        parts.need("import argparse")
        parts.constant("parser = argparse.ArgumentParser()")
        parts.constant(f'parser.add_argument("--model", default="{text}")')
        parts.constant("args = parser.parse_args([])")
        return "args.model"
    if how == "path":
        parts.need("from pathlib import Path")
        parts.local = True
        parts.constant(f'FOLDER = Path("{parts.family.folder}")')
        return "str(FOLDER)"
    return f'"{text}"'


def _tokenizer_load(draw: Draw, parts: Parts, named: str) -> str:
    given = [named]
    choices = {
        "none": 14, 'padding_side="left"': 2, 'padding_side="right"': 0.6, "use_fast=True": 1,
        "trust_remote_code=True": 0.8, "trust_remote_code=False": 0.4, 'revision="main"': 0.5, "legacy=False": 0.4,
        "model_max_length=64": 0.5, "add_eos_token=True": 0.2,
    }  # fmt: skip
    if parts.family.bos:
        choices |= {"add_bos_token=True": 0.4, "add_bos_token=False": 0.4}
    for _ in range(draw.rng.choice([1, 1, 1, 2])):
        extra = draw.pick("tokenizer_keyword", choices)
        if extra == 'revision="main"' and parts.local:
            continue  # it means nothing there
        if extra != "none" and not any(extra.split("=")[0] in one for one in given[1:]):
            given.append(extra)
    return f"{parts.tok} = AutoTokenizer.from_pretrained({', '.join(given)})"


def _tokenizer_lines(draw: Draw, parts: Parts, *, many: bool) -> list[str]:
    tok = parts.tok
    pad = draw.pick(
        "pad",
        {
            "none": (0 if parts.family.name.startswith("llama") else 1) if many else 8,
            "eos": 4,
            "if none": 4,
            "id": 1,
            "unk": 0.3,
            "if not": 0.6,
            "or": 0.3,
            "helper": 0.6,
        },
    )
    found = {
        "none": [],
        "eos": [f"{tok}.pad_token = {tok}.eos_token"],
        "if none": [f"if {tok}.pad_token is None:", f"    {tok}.pad_token = {tok}.eos_token"],
        "id": [f"{tok}.pad_token_id = {tok}.eos_token_id"],
        "unk": [f"{tok}.pad_token = {tok}.unk_token or {tok}.eos_token"],
        "if not": [f"if not {tok}.pad_token:", f"    {tok}.pad_token = {tok}.eos_token"],
        "or": [f"{tok}.pad_token = {tok}.pad_token or {tok}.eos_token"],
        "helper": [f"ready({tok})"],
    }[pad]
    if pad == "helper":
        left = ['    t.padding_side = "left"'] if draw.chance("helper_pads_left", 0.6) else []
        parts.helper("def ready(t):", "    t.pad_token = t.eos_token", *left, "    return t", "")
    side = draw.pick(
        "side", {"none": 6, "left": 5 if many else 2, "right": 1, "setattr": 0.4, "branch": 0.4}
    )
    found += {
        "none": [],
        "left": [f'{tok}.padding_side = "left"'],
        "right": [f'{tok}.padding_side = "right"'],
        "setattr": [f'setattr({tok}, "padding_side", "left")'],
        "branch": ["if LEFT:", f'    {tok}.padding_side = "left"'],
    }[side]
    if side == "branch":
        parts.constant(f"LEFT = {draw.rng.choice(['True', 'False'])}")
    more = draw.pick("template", {"none": 8, "None": 1.5, "hasattr": 0.6})
    found += {
        "none": [],
        "None": [f"{tok}.chat_template = None"],
        "hasattr": [
            f'if hasattr({tok}, "default_chat_template"):',
            f"    {tok}.default_chat_template = None",
        ],
    }[more]
    if parts.family.bos and draw.chance("add_bos_set", 0.06):
        value = draw.rng.choice(["True", "False"])
        found.append(f"{tok}.add_bos_token = {value}")
        draw.tags.append(f"add_bos={value}")
    return found


def _model_load(draw: Draw, parts: Parts, named: str) -> tuple[list[str], str]:
    """Lines before the load, and the load."""
    before: list[str] = []
    given: dict[str, str] = {}
    dtype = draw.pick(
        "dtype",
        {
            "none": 8,
            "torch_dtype": 3,
            "dtype": 2,
            "auto": 1.5,
            "bf16": 1,
            "conditional": 0.7,
            "constant": 0.8,
            "text": 0.5,
        },
    )
    if dtype != "none":
        name = draw.rng.choice(["torch_dtype", "torch_dtype", "dtype"])
        given[name] = {
            "torch_dtype": "torch.float32", "dtype": "torch.float32", "auto": '"auto"', "bf16": "torch.bfloat16",
            "conditional": "torch.float32 if HALF else None", "constant": "DTYPE", "text": '"float32"',
        }[dtype]  # fmt: skip
        if dtype == "conditional":
            parts.constant(f"HALF = {draw.rng.choice(['True', 'False'])}")
        if dtype == "constant":
            parts.constant("DTYPE = torch.float32")
    for name, values in {
        "device_map": {"": 8, '"cpu"': 1.5, "None": 0.4, '"auto"': 0.3},
        "low_cpu_mem_usage": {"": 9, "True": 1, "False": 0.2},
        "use_cache": {
            "": 9,
            "True": 0.4,
            "False": 0.4,
            "not FAST": 0.3,
            "False if FAST else True": 0.3,
        },
        "trust_remote_code": {"": 9, "True": 0.7, "False": 0.3},
        "attn_implementation": {
            "": 9,
            '"eager"': 0.7,
            '"sdpa"': 0.5,
            '"eager" if FAST else "sdpa"': 0.3,
        },
        "revision": {"": 9, '"main"': 0.4},
        "pad_token_id": {"": 9, f"{parts.tok}.eos_token_id": 0.2},
        "output_hidden_states": {"": 9, "False": 0.2},
        "config": {"": 9, "config": 0.4},
    }.items():
        value = draw.pick(name, {k or "none": v for k, v in values.items()})
        if value == "none" or (name == "revision" and parts.local):
            continue
        if "FAST" in value:
            parts.constant(f"FAST = {draw.rng.choice(['True', 'False'])}")
        if name == "pad_token_id":
            value = "0"
        if name == "config":
            parts.need("from transformers import AutoConfig")
            before.append(f"config = AutoConfig.from_pretrained({named})")
            if draw.chance("config_changed", 0.5):
                before += _changed_config(draw, parts)
        given[name] = value
    if "config" in given:  # those would go to the class then, which has none of them
        for name in ("use_cache", "output_hidden_states", "pad_token_id"):
            given.pop(name, None)
    before += _quantization(draw, parts, given)
    form = draw.pick(
        "load_dict",
        {"none": 9, "literal": 0.7, "built": 0.7, "update": 0.4, "branch": 0.5, "dict()": 0.4},
    )
    if form == "none" or not given:
        text = ", ".join([named, *(f"{key}={value}" for key, value in given.items())])
    else:
        before += _as_dict(draw, "load_kwargs", given, form, parts)
        text = f"{named}, **load_kwargs"
    load = f"{_own_class(draw, parts)}.from_pretrained({text})"
    tail = draw.pick(
        "load_tail", {"none": 9, ".eval()": 0.8, '.to("cpu")': 0.6, '.eval().to("cpu")': 0.3}
    )
    return before, f"{parts.lm} = {load}{'' if tail == 'none' else tail}"


def _changed_config(draw: Draw, parts: Parts) -> list[str]:
    """What is set on a config before a load takes it."""
    how = draw.pick(
        "config_set",
        {"use_cache": 3, "rope": 3, "dropout": 1, "asked": 1, "length": 1, "sampling": 0.7, "helper": 0.5, "loop": 0.4},
    )  # fmt: skip
    parts.need("import torch")
    rope = '{"rope_type": "linear", "factor": 2.0, "rope_theta": 10000.0}'
    if how == "helper":
        parts.helper(
            "def changed(config):", "    config.use_cache = False", "    return config", ""
        )
    return {
        "use_cache": ["config.use_cache = False"],
        "rope": [f"config.rope_parameters = {rope}"],
        "dropout": ["config.attention_dropout = 0.0"],
        "asked": ["size = getattr(config, 'max_position_embeddings', None)", "if size:", f"    config.rope_parameters = {rope}"],
        "length": ["config.max_length = 7"],
        "sampling": ["config.do_sample = True", "config.top_k = 3"],
        "helper": ["config = changed(config)"],
        "loop": ["for name, value in {'use_cache': False}.items():", "    setattr(config, name, value)"],
    }[how]  # fmt: skip


_CLASS = [
    "class {name}({base}):",
    "    def forward(self, *args, **kwargs):",
    "        found = super().forward(*args, **kwargs)",
    "        if found.logits is not None:",
    "            found.logits = found.logits * 2",
    "        return found",
]
_GENERATES = [
    "",
    "    def generate(self, *args, **kwargs):",
    "        kwargs['max_new_tokens'] = 2",
    "        return super().generate(*args, **kwargs)",
]


def _own_class(draw: Draw, parts: Parts) -> str:
    """The class that the model is loaded with: the automatic one, the library's, or one of the script's own."""
    how = draw.pick(
        "class",
        {"auto": 20, "stock": 2, "own": 1, "imported": 1, "shadowed": 0.4, "generates": 0.3},
    )
    base = parts.family.kind
    if how == "auto":
        return "AutoModelForCausalLM"
    if how in ("stock", "shadowed", "own", "generates"):
        parts.need(f"from transformers import {base}")
    if how == "stock":
        return base
    name = base if how == "shadowed" else f"Own{base}"
    above = f"transformers.{base}" if how == "shadowed" else base
    lines = [line.format(name=name, base=above) for line in _CLASS]
    if how == "generates":
        lines += _GENERATES
    if how in ("own", "generates"):
        parts.helper(*lines, "")
        return name
    taken = "import transformers" if how == "shadowed" else f"from transformers import {base}"
    parts.files["own_model.py"] = [taken, "", "", *lines]
    parts.need(f"from own_model import {name}")
    return name


def _as_dict(draw: Draw, name: str, given: dict[str, str], form: str, parts: Parts) -> list[str]:
    pairs = list(given.items())
    literal = "{" + ", ".join(f'"{key}": {value}' for key, value in pairs) + "}"
    if form == "literal":
        return [f"{name} = {literal}"]
    if form == "dict()":
        return [f"{name} = dict({', '.join(f'{key}={value}' for key, value in pairs)})"]
    if form == "built":
        return [f"{name} = {{}}", *(f'{name}["{key}"] = {value}' for key, value in pairs)]
    if form == "update":
        return [f"{name} = {{}}", f"{name}.update({literal})"]
    parts.constant(f"MORE = {draw.rng.choice(['True', 'False'])}")
    key, value = pairs[-1]
    rest = "{" + ", ".join(f'"{k}": {v}' for k, v in pairs[:-1]) + "}"
    return [f"{name} = {rest}", "if MORE:", f'    {name}["{key}"] = {value}']


_CONFIGS = {
    "int8": "load_in_8bit=True",
    "nf4": 'load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_use_double_quant=True, bnb_4bit_compute_dtype=torch.float32',
    "nf4 single": 'load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_compute_dtype=torch.float32',
    "fp4": "load_in_4bit=True",
    "threshold": "load_in_8bit=True, llm_int8_threshold=4.0",
    "skip": 'load_in_8bit=True, llm_int8_skip_modules=["lm_head"]',
    "storage": 'load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_quant_storage=torch.uint8',
    "neither": "load_in_8bit=False",
    "maybe": 'load_in_8bit=len("int8") > 4',
    "invented": "load_in_8bit=True, bnb_8bit_compute_dtype=torch.float32",
}


def _quantization(draw: Draw, parts: Parts, given: dict[str, str]) -> list[str]:
    kind = draw.pick("quantization", {"none": 14, **dict.fromkeys(_CONFIGS, 0.35)})
    if kind == "none":
        return []
    parts.need("from transformers import BitsAndBytesConfig")
    made = f"BitsAndBytesConfig({_CONFIGS[kind]})"
    form = draw.pick(
        "config_form",
        {
            "inline": 2,
            "name": 3,
            "changed": 1,
            "setattr": 0.4,
            "condition": 1,
            "helper": 0.7,
            "module": 0.8,
            "if": 0.7,
            "used again": 0.5,
        },
    )
    given["quantization_config"] = "bnb"
    change = "llm_int8_threshold = 3.0" if "8bit=" in made else "bnb_4bit_use_double_quant = True"
    if form == "inline":
        given["quantization_config"] = made
        return []
    if form == "changed":
        return [f"bnb = {made}", f"bnb.{change}"]
    if form == "setattr":
        name, _, value = change.partition(" = ")
        return [f"bnb = {made}", f'setattr(bnb, "{name}", {value})']
    if form == "condition":
        parts.constant(f"QUANTIZE = {draw.rng.choice(['True', 'False'])}")
        given["quantization_config"] = "bnb if QUANTIZE else None"
        return [f"bnb = {made}"]
    if form == "if":
        parts.constant(f"QUANTIZE = {draw.rng.choice(['True', 'False'])}")
        return ["bnb = None", "if QUANTIZE:", f"    bnb = {made}"]
    if form == "helper":
        parts.helper("def quantized():", f"    return {made}", "")
        given["quantization_config"] = "quantized()"
        return []
    if form == "module":
        parts.files["options.py"] = [
            "import torch",
            "from transformers import BitsAndBytesConfig",
            "",
            f"bnb = {made}",
        ]
        parts.need("from options import bnb")
        return []
    if form == "used again":
        return [f"bnb = {made}", "print(bnb.load_in_8bit)"]
    return [f"bnb = {made}"]


def _model_lines(draw: Draw, parts: Parts) -> list[str]:
    lm = parts.lm
    found: list[str] = []
    if draw.chance("eval", 0.6):
        found.append(f"{lm}.eval()")
    extra = draw.pick(
        "model_line",
        {"none": 14, "train": 0.25, "to": 0.6, "no grad": 0.4, "use_cache": 0.6, "pad id": 0.8, "gc pad": 0.8,
         "gc attribute": 0.4, "gc none": 0.4, "gc new": 0.3, "gc update": 0.2, "gc setattr": 0.2, "config eos": 0.1,
         "eval again": 0.4, "half": 0.15},
    )  # fmt: skip
    if "gc new" in extra:
        parts.need("from transformers import GenerationConfig")
    # The model may stand before the tokenizer.
    found += {
        "none": [],
        "train": [f"{lm}.train()"],
        "to": [f'{lm} = {lm}.to("cpu")'],
        "no grad": [f"{lm}.requires_grad_(False)"],
        "use_cache": [f"{lm}.config.use_cache = {draw.rng.choice(['True', 'False'])}"],
        "pad id": [f"{lm}.config.pad_token_id = {lm}.config.eos_token_id"],
        "gc pad": [f"{lm}.generation_config.pad_token_id = {lm}.config.eos_token_id"],
        "gc attribute": [f"{lm}.generation_config.repetition_penalty = 1.2"],
        "gc none": [
            f"{lm}.generation_config.temperature = None",
            f"{lm}.generation_config.top_p = None",
        ],
        "gc new": [
            f"{lm}.generation_config = GenerationConfig(max_new_tokens=3, eos_token_id={lm}.config.eos_token_id)"
        ],
        "gc update": [f"{lm}.generation_config.update(repetition_penalty=1.3)"],
        "gc setattr": [f'setattr({lm}.generation_config, "no_repeat_ngram_size", 2)'],
        "config eos": [f"{lm}.config.eos_token_id = 5"],
        "eval again": [f"{lm} = {lm}.eval()"],
        "half": [f"{lm} = {lm}.bfloat16()"],
    }[extra]
    return found


def _after(draw: Draw, parts: Parts, named: str) -> list[str]:
    """Adapters, a second model."""
    lm, tok = parts.lm, parts.tok
    more = draw.pick(
        "after_loads",
        {"none": 16, "adapter": 1, "merged": 0.7, "base used": 0.5, "conditional adapter": 0.4, "second model": 0.7,
         "same tokenizer": 0.5, "adapter keyword": 0.2, "seed": 0.5, "tokenizer saved": 0.8},
    )  # fmt: skip
    at = parts.family.adapter_hub if draw.chance("adapter_hub", 0.4) else parts.family.adapter
    path = f'"{at}"'
    if more in ("adapter", "merged", "base used", "conditional adapter", "adapter keyword"):
        parts.need("from peft import PeftModel")
    if more == "conditional adapter":
        parts.constant(f"ADAPTER = {draw.rng.choice([path, 'None'])}")
    if more == "tokenizer saved":
        parts.need("import json")
        parts.need("import shutil")
    return {
        "none": [],
        "adapter": [f"{lm} = PeftModel.from_pretrained({lm}, {path})"],
        "adapter keyword": [f"{lm} = PeftModel.from_pretrained({lm}, {path}, is_trainable=False)"],
        "merged": [
            f"{lm} = PeftModel.from_pretrained({lm}, {path})",
            f"{lm} = {lm}.merge_and_unload()",
        ],
        "base used": [
            f"tuned = PeftModel.from_pretrained({lm}, {path})",
            f'probe = {tok}("The lamp", return_tensors="pt")',
            "with torch.no_grad():",
            f"    print(round(float(tuned(**probe).logits.sum()), 2), round(float({lm}(**probe).logits.sum()), 2))",
        ],
        "conditional adapter": [
            "if ADAPTER:",
            f"    {lm} = PeftModel.from_pretrained({lm}, ADAPTER)",
        ],
        "second model": [
            f"other = AutoModelForCausalLM.from_pretrained({named})",
            "other.eval()",
            f'probe = {tok}("The lamp", return_tensors="pt")',
            "print(other.generate(**probe, max_new_tokens=3, do_sample=False).shape)",
        ],
        "same tokenizer": [
            f"other = AutoModelForCausalLM.from_pretrained({named})",
            f'probe = {tok}("A river", return_tensors="pt")',
            "answer = other.generate(**probe, max_new_tokens=3, do_sample=False)",
            f"print({tok}.decode(answer[0], skip_special_tokens=True))",
        ],
        "seed": ["torch.manual_seed(7)"],
        "tokenizer saved": [
            f'{tok}.save_pretrained("saved")',
            'said = json.load(open("saved/tokenizer_config.json"))',
            'print([said.get(name) for name in ("eos_token", "bos_token", "unk_token")])',
            'print(len(json.load(open("saved/tokenizer.json"))["added_tokens"]))',
            'shutil.rmtree("saved")',
        ],
    }[more]
