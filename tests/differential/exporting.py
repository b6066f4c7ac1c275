"""Programs that add tokens and do not train: they merge, convert, or take the difference of two models."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.differential import tuning
from tests.differential.draw import Draw

if TYPE_CHECKING:
    from tests.differential.grammar import Parts

_TOTAL = "sum(t.double().sum() for t in load_file('{}/model.safetensors').values())"


def lines(draw: Draw, parts: Parts) -> list[str]:
    """The program behind its imports."""
    tok, lm, named = parts.tok, parts.lm, f'"{parts.family.hub}"'
    given = [named]
    side = draw.pick("export_side", {"none": 4, "right": 2, "left": 1})
    given += [f'padding_side="{side}"'] if side != "none" else []
    given += ["model_max_length=64"] if draw.chance("export_length", 0.3) else []
    loads = [
        f"{lm} = AutoModelForCausalLM.from_pretrained({named}, torch_dtype=torch.float32)",
        f"{tok} = AutoTokenizer.from_pretrained({', '.join(given)})",
    ]
    if draw.chance("export_tokenizer_first", 0.5):
        loads.reverse()
    how, more = tuning.grown(draw, parts)
    if how == "none":
        more = [f"{lm}.resize_token_embeddings({lm}.config.vocab_size + 3)"]
    added = how in tuning.ADD_ALWAYS or (how in tuning.ADD_PAD and parts.family.bos is not None)
    body = [*loads, *more, *tuning.shown(parts), *_merged(draw, parts)]
    body += _saved(draw, parts, added=added)
    body += _besides(draw, parts, named)
    if draw.chance("export_in_function", 0.5):
        inner = [f"    {line}" if line else "" for line in body]
        body = ["def export():", *inner, "", "", "export()"]
    return ["torch.manual_seed(3)", "", *body]


def _merged(draw: Draw, parts: Parts) -> list[str]:
    how = draw.pick(
        "export_does", {"nothing": 2, "difference": 3, "mean": 2, "read": 2, "scores": 1}
    )
    tok, lm, named = parts.tok, parts.lm, f'"{parts.family.hub}"'
    return {
        "nothing": [],
        "difference": [
            f"other = AutoModelForCausalLM.from_pretrained({named}, torch_dtype=torch.float32)",
            f"rows, own = {lm}.state_dict(), other.state_dict()",
            "for key in own:",
            "    rows[key][: len(own[key])].add_(-0.5 * own[key])",
        ],
        "mean": [
            f"for layer in ({lm}.get_input_embeddings(), {lm}.get_output_embeddings()):",
            "    rows = layer.weight.data",
            "    rows[-1:] = rows[:-1].mean(dim=0, keepdim=True)",
        ],
        "read": [
            f"for name, rows in {lm}.named_parameters():",
            "    if name.endswith('weight') and 'layers.0' in name:",
            "        print(name, tuple(rows.shape))",
            f"print({tok}.convert_ids_to_tokens([3, 4]), len({tok}.get_vocab()))",
        ],
        "scores": [
            "with torch.no_grad():",
            f"    print({lm}(**{tok}('The lamp is', return_tensors='pt')).logits.shape)",
        ],
    }[how]  # fmt: skip


def _saved(draw: Draw, parts: Parts, *, added: bool) -> list[str]:
    how = draw.pick("export_saves", {"none": 2, "model": 2, "tokenizer": 3, "both": 3})
    found: list[str] = []
    if how in ("model", "both"):
        parts.need("from safetensors.torch import load_file")
        parts.need("import shutil")
        parts.need("import json")
        found += [
            f'{parts.lm}.save_pretrained("weights")',
            f"print(round(float({_TOTAL.format('weights')}), 2))",
            'said = json.load(open("weights/generation_config.json"))',
            "print(sorted((name, said[name]) for name in said if name != 'transformers_version'))",
            'shutil.rmtree("weights")',
        ]
    if how in ("tokenizer", "both"):
        parts.need("import json")
        found += tuning.saved_tokenizer(parts, added=added)
    return found


def _besides(draw: Draw, parts: Parts, named: str) -> list[str]:
    """Another pair of the same program, to which nothing is added, and which generates."""
    if not draw.chance("export_besides", 0.4):
        return []
    return [
        f"tuned = AutoModelForCausalLM.from_pretrained({named}, torch_dtype=torch.float32)",
        f"words = AutoTokenizer.from_pretrained({named})",
        'inputs = words("The lamp is", return_tensors="pt")',
        "out = tuned.generate(**inputs, max_new_tokens=5, do_sample=False)",
        "print(words.decode(out[0], skip_special_tokens=True))",
    ]
