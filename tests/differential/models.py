"""Tiny random models of three kinds of family, an adapter for each, laid out as a hub cache and as folders.

- `qwen`: no BOS; `Qwen/Qwen2.5-0.5B` on the hub, `models/plain` as a folder.
- `llama3`: the post-processor of tokenizer.json adds BOS; `meta-llama/Llama-3.2-1B`, `models/herd`.
- `llama2`: a sentencepiece-like tokenizer that adds BOS by the flag `add_bos_token`;
  `meta-llama/Llama-2-7b-hf`, `models/pack`.
- `sampler`: the first again, whose generation_config.json samples with a penalty; `acme/base-sampler`,
  `models/sampler`.

The weights are random and seeded, so every difference in ids, masks, dtypes or adapters moves the logits.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_COMMIT = "0123456789abcdef0123456789abcdef01234567"
# "▁the" stands at Llama 2's own place, which tells the family.
_THE = 278
_CORPUS = (
    "The lamp is in the room and the river is near the house. A river and a lamp. What is the answer? "
    "Question: Where is the lamp? Answer: The lamp is on the table. One, two, three; 4 and 5. "
    "The capital of the country is the largest city. Write a list of the rivers."
)


@dataclass(frozen=True, slots=True)
class Family:
    """A kind of model.

    Attributes:
        name: As in the module's docstring.
        hub: Its id on the hub.
        folder: Its folder, relative to where programs run.
        adapter: The folder of an adapter for it.
        adapter_hub: The same on the hub.
        bos: The text of its BOS; None if it has none.
    """

    name: str
    hub: str
    folder: str
    adapter: str
    adapter_hub: str
    bos: str | None

    @property
    def kind(self) -> str:
        """The library's class of its models."""
        return "Qwen2ForCausalLM" if self.bos is None else "LlamaForCausalLM"


FAMILIES = (
    Family("qwen", "Qwen/Qwen2.5-0.5B", "models/plain", "adapters/plain", "acme/plain-lora", None),
    Family(
        "llama3",
        "meta-llama/Llama-3.2-1B",
        "models/herd",
        "adapters/herd",
        "acme/herd-lora",
        "<|begin_of_text|>",
    ),
    Family(
        "llama2",
        "meta-llama/Llama-2-7b-hf",
        "models/pack",
        "adapters/pack",
        "acme/pack-lora",
        "<s>",
    ),
    Family(
        "sampler",
        "acme/base-sampler",
        "models/sampler",
        "adapters/sampler",
        "acme/sampler-lora",
        None,
    ),
)


def built() -> Path:
    """The folder with `hub/` (a cache), `models/` and `adapters/`; made once for these versions."""
    import peft
    import transformers

    named = f"{Path(__file__).read_text()}|{transformers.__version__}|{peft.__version__}"
    key = hashlib.sha256(named.encode()).hexdigest()[:16]
    target = Path(tempfile.gettempdir(), f"cleanguard-differential-{key}")
    if not target.is_dir():
        part = Path(tempfile.mkdtemp(prefix="cleanguard-differential-"))
        _build(part)
        try:
            part.rename(target)
        except OSError:  # another process was faster
            shutil.rmtree(part)
    return target


def use(folder: Path) -> None:
    """Let the hub's client read the cache there, and nothing else; call it before transformers is imported."""
    os.environ |= {"HF_HOME": str(folder), "HF_HUB_CACHE": str(folder / "hub")}


def _build(root: Path) -> None:
    import torch
    from peft import LoraConfig, get_peft_model

    for number, family in enumerate(FAMILIES):
        torch.manual_seed(11 + number)
        folder = root / family.folder
        folder.mkdir(parents=True)
        rows = _tokenizer(family.name, folder)
        model = _model(family.name, rows)
        model.save_pretrained(folder)
        said: dict[str, Any] = {"eos_token_id": model.config.eos_token_id}
        if family.name == "sampler":
            said |= {"do_sample": True, "temperature": 0.6, "top_p": 0.8, "repetition_penalty": 1.3}
        if model.config.bos_token_id is not None:
            said["bos_token_id"] = model.config.bos_token_id
        (folder / "generation_config.json").write_text(json.dumps(said))
        _lay(folder, root / "hub", family.hub)
        config = LoraConfig(
            task_type="CAUSAL_LM", r=4, target_modules=["q_proj", "v_proj"], init_lora_weights=False
        )
        get_peft_model(model, config).save_pretrained(root / family.adapter)
        _lay(root / family.adapter, root / "hub", family.adapter_hub)


def _model(name: str, rows: int) -> Any:
    from transformers import LlamaConfig, LlamaForCausalLM, Qwen2Config, Qwen2ForCausalLM

    bos, eos = {"llama3": (1, 0), "llama2": (1, 2)}.get(name, (None, 0))
    size: dict[str, Any] = {
        "vocab_size": rows,
        "hidden_size": 64,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "num_key_value_heads": 2,
        "max_position_embeddings": 512,
        "initializer_range": 0.3,
        "tie_word_embeddings": False,
        "bos_token_id": bos,
        "eos_token_id": eos,
        "pad_token_id": None,
        "dtype": "float32",
    }
    llama = name.startswith("llama")
    kind, config = (LlamaForCausalLM, LlamaConfig) if llama else (Qwen2ForCausalLM, Qwen2Config)
    model = kind(config(**size)).float().eval()
    # Some texts are to end by themselves.
    model.lm_head.weight.data[eos] *= 1.6
    return model


def _tokenizer(name: str, folder: Path) -> int:
    """Writes the tokenizer's files; returns the rows that its embedding needs."""
    from stages.tiny import model_path

    if name == "llama2":
        return _sentencepiece_like(folder)
    files = ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja")
    for file in files if name != "llama3" else files[:1]:
        shutil.copyfile(model_path() / file, folder / file)
    if name == "llama3":
        _dress(folder / "tokenizer.json")
        names = {"bos_token": "<|begin_of_text|>", "eos_token": "<|end_of_text|>"}
        settings = {"tokenizer_class": "PreTrainedTokenizerFast", **names}
        (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    else:
        settings = json.loads((folder / "tokenizer_config.json").read_text())
        settings.pop("model_max_length")
        (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    vocabulary = json.loads((folder / "tokenizer.json").read_text())["model"]["vocab"]
    return len(vocabulary) + 8


def _dress(path: Path) -> None:
    """Llama 3's tokens, and its BOS by the post-processor."""
    tokenizer = json.loads(path.read_text())
    names = {0: "<|end_of_text|>", 1: "<|begin_of_text|>", 2: "<|start_header_id|>"}
    for added in tokenizer["added_tokens"]:
        added["content"] = names[added["id"]]
    vocabulary = tokenizer["model"]["vocab"]
    old = [token for token, index in vocabulary.items() if index in names]
    for token in old:
        vocabulary.pop(token)
    vocabulary |= {text: index for index, text in names.items()}
    bos, text = (
        {"SpecialToken": {"id": names[1], "type_id": 0}},
        {"Sequence": {"id": "A", "type_id": 0}},
    )
    tokenizer["post_processor"] = {
        "type": "TemplateProcessing",
        "single": [bos, text],
        "pair": [bos, text, {"Sequence": {"id": "B", "type_id": 1}}],
        "special_tokens": {names[1]: {"id": names[1], "ids": [1], "tokens": [names[1]]}},
    }
    path.write_text(json.dumps(tokenizer))


def _sentencepiece_like(folder: Path) -> int:
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers
    from transformers import LlamaTokenizer

    trained = Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=True, fuse_unk=True))
    trained.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always", split=True)
    trainer = trainers.BpeTrainer(
        vocab_size=420,
        show_progress=False,
        special_tokens=["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256))],
        initial_alphabet=[chr(code) for code in range(33, 127)],
    )
    trained.train_from_iterator([_CORPUS], trainer)
    ordered = sorted(trained.get_vocab(), key=trained.get_vocab().__getitem__)
    ordered.remove("▁the")
    ordered.insert(_THE, "▁the")
    merges = [tuple(pair) for pair in json.loads(trained.to_str())["model"]["merges"]]
    vocabulary = {token: index for index, token in enumerate(ordered)}
    LlamaTokenizer(vocab=vocabulary, merges=merges, add_bos_token=True).save_pretrained(folder)
    path = folder / "tokenizer_config.json"
    settings = {**json.loads(path.read_text()), "add_bos_token": True}
    path.write_text(json.dumps(settings))
    return len(vocabulary) + 8


def _lay(folder: Path, cache: Path, repo: str) -> None:
    """Into a hub cache, as a download would."""
    home = cache / ("models--" + repo.replace("/", "--"))
    snapshot = home / "snapshots" / _COMMIT
    for part in (home / "blobs", home / "refs", snapshot):
        part.mkdir(parents=True)
    (home / "refs" / "main").write_text(_COMMIT)
    for file in sorted(folder.iterdir()):
        blob = home / "blobs" / hashlib.sha256(file.read_bytes()).hexdigest()
        blob.write_bytes(file.read_bytes())
        (snapshot / file.name).symlink_to(Path("../../blobs") / blob.name)
