"""Writes published tokenizers by family, for `benchmarks/oracle.py --tokenizers`.

    python -m benchmarks.real_tokenizers FOLDER [--cache .pytest_cache/d/real-tokenizers]

They are built as tests/guard/real builds them, from the files of packages that
`pytest tests/guard/real` has fetched into pytest's cache.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any


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

    options.folder.mkdir(parents=True, exist_ok=True)
    scratch = options.folder / ".scratch"
    scratch.mkdir(exist_ok=True)
    makers: dict[str, Callable[[], Any]] = {
        "qwen2": lambda: real.qwen2(fetch),
        "llama3": lambda: real.llama3(fetch, adds_bos=True),
        "mistral": lambda: real.mistral(
            fetch, "mistral_instruct_tokenizer_240323.model.v3", scratch
        ),
    }
    for name, make in makers.items():
        tokenizer = make()
        if tokenizer.pad_token is None and name == "qwen2":
            tokenizer.pad_token = tokenizer.eos_token
        tokenizer.save_pretrained(options.folder / name)
        print(f"{name}: {len(tokenizer)} tokens")


if __name__ == "__main__":
    main()
