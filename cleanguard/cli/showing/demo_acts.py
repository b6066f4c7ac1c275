"""What the demo does, act by act; `demo` shows it."""

from __future__ import annotations

import json
import logging
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import as_file, files
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cleanguard.catalogue.findings import Finding
from cleanguard.errors import JobError
from cleanguard.files import SourceFile
from cleanguard.installing import install
from cleanguard.settings.config import Settings

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from codemods.migration import Migration
    from guard import CleanModelLoader

EXAMPLE = "evaluate_stage1_readiness.py"
_NEEDED = ("torch", "transformers", "peft", "bitsandbytes")
_NEEDED_BY_CHAIN = ("trl", "datasets", "accelerate", "scipy", "matplotlib", "jinja2")
_CHAT_PROMPT = "<|im_start|>user\nWhat is 2 plus 6?<|im_end|>\n"
_MAX_TOKENS = 40  # as the example script's own configuration says


@dataclass(frozen=True, slots=True)
class Text:
    """One prompt and the text that a script generated from it."""

    prompt: str
    text: str


@dataclass(frozen=True, slots=True)
class Run:
    """What the example script wrote.

    Attributes:
        texts: In the order of its items.
        scores: Its scores, as written.
        seconds: How long it ran.
    """

    texts: tuple[Text, ...]
    scores: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Record:
    """A guarded generation of one of the texts, with its provenance.

    Attributes:
        lines: The record as indented JSON.
        same: The guard gave the text that the migrated script wrote.
        refusal: What the guard says to a chat prompt.
    """

    lines: tuple[str, ...]
    same: bool
    refusal: str


def need_extras(*, full: bool) -> None:
    """Says which extra is missing before anything is shown.

    Args:
        full: The chain is to be run as well.

    Raises:
        JobError: A package that the scripts import is not installed.
    """
    needed = (*_NEEDED, *_NEEDED_BY_CHAIN) if full else _NEEDED
    missing = [name for name in needed if find_spec(name) is None]
    if missing:
        raise JobError(
            f"the demo runs a model and needs {', '.join(missing)}: "
            + install(*(("train", "stats") if full else ("train",)))
        )


def copy_scripts(folder: Path) -> tuple[Path, Path]:
    """Copies the legacy scripts twice: as they are, and to be migrated."""
    old, new = folder / "before", folder / "after"
    with as_file(files("cleanguard") / "legacy") as legacy:
        for place in (old, new):
            place.mkdir()
            for script in sorted(legacy.glob("*.py")):
                shutil.copy(script, place)
    return old, new


def scripts_in(folder: Path) -> list[str]:
    """The scripts of a folder, by name."""
    return sorted(path.name for path in folder.glob("*.py"))


def check(folder: Path) -> tuple[Finding, ...]:
    """The findings of a folder's scripts, named without the folder."""
    from lint_rules._engine.checking import check_files

    run = check_files([SourceFile(name, folder / name) for name in scripts_in(folder)], Settings())
    if run.failures:
        raise JobError(run.failures[0])
    return run.findings


def plan(folder: Path) -> list[Migration]:
    """The migration plans of a folder's scripts."""
    from codemods.migration import migrate_source

    return [
        migrate_source(name, (folder / name).read_bytes(), Settings())
        for name in scripts_in(folder)
    ]


def write(plans: Sequence[Migration], folder: Path) -> None:
    """Writes what the plans rewrite."""
    from cleanguard.editing.write import replace_file

    for item in plans:
        if item.changed:
            replace_file(folder / item.filename, item.before, item.after, (folder,))


def compiled(folder: Path) -> int:
    """How many scripts there are, all of which compile.

    Raises:
        JobError: One does not.
    """
    for name in scripts_in(folder):
        try:
            compile((folder / name).read_bytes(), name, "exec")
        except SyntaxError as error:
            raise JobError(f"{name} does not compile after the migration: {error}") from error
    return len(scripts_in(folder))


def run_example(folder: Path) -> Run:
    """Runs the example script of a folder on the embedded model.

    Raises:
        JobError: It failed; the end of what it printed is in the message.
    """
    from stages.tiny import model_path

    output = folder / "results.json"
    start = time.monotonic()
    done = subprocess.run(
        [sys.executable, EXAMPLE, "--model", str(model_path()), "--output", str(output)],
        cwd=folder,
        env={**os.environ, **quiet()},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise JobError(f"{EXAMPLE} failed with {done.returncode}:\n{done.stderr[-2000:]}")
    base = json.loads(output.read_text(encoding="utf-8"))["base"]
    texts = tuple(Text(item["prompt"], item["response"]) for item in base["results"])
    scores = f"{base['avg_score']:.3f}, mean log-probability {base['avg_answer_logprob']:.3f}"
    return Run(texts, scores, time.monotonic() - start)


def guarded_record(expected: Text) -> Record:
    """Generates one of the texts again with the guard and says where it came from."""
    os.environ.update(quiet())
    from guard import CleanModelLoader
    from stages.tiny import model_path

    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)  # it warns of each cast on CPU
    loader = CleanModelLoader(model_path(), load_in_8bit=True, device_map="auto", dtype="bfloat16")
    model, tokenizer, provenance = loader.load()
    text = loader.generate(model, tokenizer, expected.prompt, max_new_tokens=_MAX_TOKENS)
    full = provenance.to_dict()
    shown = {
        "prompt": expected.prompt,
        "text": text,
        "provenance": {
            "loader_version": full["loader_version"][:16],
            "model": Path(full["model_id"]).name,
            "weights_sha256": _digest(full["model"]["files"], "model.safetensors"),
            "tokenizer_sha256": full["tokenizer"]["digest"][:16],
            "bos": full["tokenizer"]["bos_source"],
            "quantization": full["quantization"],
            "dtype": full["dtype"],
            "generation": full["generation"]["effective"],
            "checks": {item["name"]: item["verdict"] for item in full["checks"]},
        },
    }
    lines = json.dumps(shown, indent=2, ensure_ascii=False).splitlines()
    return Record(tuple(lines), text == expected.text, _refused(loader, model, tokenizer))


def _refused(loader: CleanModelLoader, model: PreTrainedModel, tokenizer: Any) -> str:
    from guard import GuardError

    try:
        loader.generate(model, tokenizer, _CHAT_PROMPT, max_new_tokens=1)
    except GuardError as error:
        return str(error)
    raise JobError("the guard let a chat prompt through")


def _digest(listed: object, name: str) -> str:
    if isinstance(listed, dict):
        return str(listed[name])[:16]
    assert isinstance(listed, (list, tuple))
    return next(str(item["sha256"])[:16] for item in listed if item["name"] == name)


def quiet() -> dict[str, str]:
    """One thread, no network, no progress bars: such a small model is slower with more threads."""
    return {
        "HF_HUB_OFFLINE": "1",
        "OMP_NUM_THREADS": "1",
        "TRANSFORMERS_VERBOSITY": "error",
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        "TOKENIZERS_PARALLELISM": "false",
        "PYTHONWARNINGS": "ignore",
    }
