"""Writes published tokenizers by family, for `benchmarks/oracle.py --tokenizers`.

    python -m benchmarks.real_tokenizers FOLDER [--cache .pytest_cache/d/real-tokenizers]

They are built as tests/guard/real builds them, from the files of packages that
`pytest -m '' tests/guard/real` has fetched into pytest's cache. FAMILY is what a base model of it has,
FAMILY-chat what a chat model has: the same vocabulary with the end and the template of a chat.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

# Written in the form that the publishers' templates have; only what they put first and around a turn counts here.
_CHATML = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
_INST = (
    "{{ bos_token }}{% for m in messages %}{% if m['role'] == 'assistant' %}{{ m['content'] }}{{ eos_token }}"
    "{% else %}[INST] {{ m['content'] }} [/INST]{% endif %}{% endfor %}"
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--cache", type=Path, default=Path(".pytest_cache/d/real-tokenizers"))
    options = parser.parse_args()
    from tests.guard.real import conftest as real

    def fetch(package: str) -> Path:
        found: Path = options.cache / package.replace("/", "-")
        if not found.is_dir():
            raise SystemExit(f"{found} is missing; `pytest tests/guard/real` fetches it")
        return found

    def scratch(name: str) -> Path:
        found: Path = options.folder / ".scratch" / name
        found.mkdir(parents=True, exist_ok=True)
        return found

    def sentencepiece(version: str) -> Any:
        file = f"mistral_instruct_tokenizer_{version}" if version[0] == "2" else version
        return real.mistral(fetch, file, scratch(version))

    makers: dict[str, Callable[[], Any]] = {
        "qwen2": lambda: plain(real.qwen2(fetch), template=_CHATML),
        "qwen2-chat": lambda: plain(real.qwen2(fetch), template=_CHATML, eos="<|im_end|>"),
        "llama3": lambda: plain(real.llama3(fetch, adds_bos=True)),
        "llama3-chat": lambda: real.lenml(fetch, "llama3_1"),
        "llama2": lambda: plain(sentencepiece("tokenizer.model.v1")),
        "llama2-chat": lambda: plain(sentencepiece("tokenizer.model.v1"), template=_INST),
        "mistral": lambda: plain(sentencepiece("240323.model.v3")),
        "mistral-chat": lambda: plain(sentencepiece("240323.model.v3"), template=_INST),
        "gemma": lambda: plain(real.lenml(fetch, "gemma3"), eos="<eos>"),
        "gemma-chat": lambda: real.lenml(fetch, "gemma3"),
        "qwen3-chat": lambda: real.lenml(fetch, "qwen3"),
        "deepseek": lambda: real.MAKERS["deepseek"](fetch, scratch("deepseek")),
        "gpt2": lambda: real.gpt2(fetch, scratch("gpt2")),
    }
    for name, make in makers.items():
        tokenizer = make()
        tokenizer.save_pretrained(options.folder / name)
        print(f"{name}: {len(tokenizer)} tokens")


def plain(tokenizer: Any, *, template: str | None = None, eos: str | None = None) -> Any:
    """A tokenizer with this template or none, and this end."""
    tokenizer.chat_template = template
    if eos is not None:
        tokenizer.eos_token = eos
    return tokenizer


if __name__ == "__main__":
    main()
