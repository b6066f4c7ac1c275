"""Damages model folders and loads them: a GuardError or a load that is what its record says, nothing else.

    python -m tests.guard.zoo.fuzz FOLDER [FOLDER ...] [--cases 2000] [--seed 0]

Each case takes a folder, damages one to three of its files (deleted, emptied, cut, swapped, taken from another
folder, a JSON value of another type, bytes changed) and loads it. Exit code 1 if a raw exception came out or a
load differs from its record; each is printed with its seed.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import io
import json
import os
import random
import shutil
import sys
import tempfile
import warnings
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

from guard import CleanModelLoader, GuardError, provenance_of
from guard.doctor import diagnose
from guard.prompts.policy import policy_of, tokenizer_digest
from guard.provenance.tensors import weight_files, weights_record
from guard.settings.inherited import effective

VALUES: tuple[Any, ...] = (
    None,
    True,
    -1,
    0,
    3,
    10**12,
    1.5,
    "",
    "x",
    "<s>",
    [],
    [1],
    {},
    {"a": 1},
    "../..",
)
Damage = list[str]
_MOST = 1e4  # no sound weight of these small models is larger


def damage(folder: Path, others: list[Path], draw: random.Random) -> Damage:
    """Damage a folder in place; what was done, in words."""
    done = []
    for _ in range(draw.randrange(1, 4)):
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        if not files:
            break
        file = draw.choice(files)
        done.append(draw.choice(WAYS)(file, files, others, draw))
    return done


def delete(file: Path, *_: Any) -> str:
    file.unlink()
    return f"delete {file.name}"


def empty(file: Path, *_: Any) -> str:
    file.write_bytes(b"")
    return f"empty {file.name}"


def cut(file: Path, _files: Any, _others: Any, draw: random.Random) -> str:
    content = file.read_bytes()
    at = draw.randrange(len(content) + 1)
    file.write_bytes(content[:at])
    return f"cut {file.name} at {at}"


def swap(file: Path, files: list[Path], _others: Any, draw: random.Random) -> str:
    other = draw.choice(files)
    ours, theirs = file.read_bytes(), other.read_bytes()
    file.write_bytes(theirs)
    other.write_bytes(ours)
    return f"swap {file.name} and {other.name}"


def foreign(file: Path, _files: Any, others: list[Path], draw: random.Random) -> str:
    source = draw.choice(others)
    found = sorted(path for path in source.rglob("*") if path.is_file())
    taken = next((path for path in found if path.name == file.name), draw.choice(found))
    shutil.copy(taken, file.parent / taken.name)
    return f"{taken.name} of {source.name}"


def retype(file: Path, _files: Any, _others: Any, draw: random.Random) -> str:
    try:
        content = json.loads(file.read_bytes())
    except ValueError:
        return flip(file, None, None, draw)
    spots = list(places(content))
    if not spots:
        return empty(file)
    holder, key = draw.choice(spots)
    if draw.random() < 0.3:
        holder.pop(key)
        said = f"drop {key} of {file.name}"
    else:
        holder[key] = draw.choice(VALUES)
        said = f"{file.name}: {key} = {holder[key]!r}"
    file.write_text(json.dumps(content), encoding="utf-8")
    return said


def places(content: Any, depth: int = 0) -> Iterator[tuple[Any, Any]]:
    """Members of a JSON value near its top; of long ones only a few."""
    if depth > 3:
        return
    if isinstance(content, dict):
        for key in list(content)[:60]:
            yield content, key
            yield from places(content[key], depth + 1)
    elif isinstance(content, list):
        for at in range(min(4, len(content))):
            yield content, at
            yield from places(content[at], depth + 1)


def flip(file: Path, _files: Any, _others: Any, draw: random.Random) -> str:
    content = bytearray(file.read_bytes())
    for _ in range(min(8, len(content))):
        content[draw.randrange(len(content))] = draw.randrange(256)
    file.write_bytes(bytes(content))
    return f"bytes of {file.name}"


WAYS = (delete, empty, cut, swap, foreign, retype, retype, retype, flip)


def differs(folder: Path) -> str | None:
    """Load a folder, and its adapter if there is one; what differs from the record, None if nothing does.

    Raises:
        GuardError: The load was refused.
    """
    model, tokenizer, record = CleanModelLoader(folder, dtype="float32").load()
    for file in record.model.files:
        if hashlib.sha256((folder / file.name).read_bytes()).hexdigest() != file.sha256:
            return f"{file.name} has another sha256"
    if record.tokenizer.digest != tokenizer_digest(tokenizer):
        return "the tokenizer has another digest"
    row = CleanModelLoader.encode(tokenizer, "A dog")["input_ids"][0].tolist()
    prefix, policy = list(record.tokenizer.bos_prefix), policy_of(tokenizer)
    if row[: len(prefix)] != prefix or policy.prefix != tuple(prefix):
        return "prompts begin with something else than recorded"
    if record.tokenizer.control_ids != policy.control.ids:
        return "other control tokens than recorded"
    if max(row) >= model.get_input_embeddings().weight.shape[0]:
        return "a prompt has ids that the model has no row for"
    if effective(model.generation_config) != record.generation.effective:
        return "other settings than recorded"
    return weights_differ(folder, model, record) or adapter_differs(folder / "adapter", model, row)


def weights_differ(folder: Path, model: Any, record: Any) -> str | None:
    """Whether a model holds what the files hold, all of it but what is recorded as unused."""
    if sum(record.model.dtypes.values()) != sum(p.numel() for p in model.parameters()):
        return "another number of parameters"
    files = weight_files(folder)
    if record.model.weights != weights_record(folder):
        return "another digest of the weights"
    stored = {name: tensor for path in files for name, tensor in load_file(path).items()}
    held = model.state_dict()
    left = set(stored) - set(held)
    before = f"{model.base_model_prefix}."
    left -= {name for name in left if before + name in held}  # a bare decoder's names
    # transformers renames some: GPT-NeoX's embed_out is lm_head.
    spare = [tensor for name, tensor in held.items() if name not in stored]
    renamed = {name for name in left if any(_equal(stored[name], tensor) for tensor in spare)}
    left -= renamed
    if left != set(record.model.unused):
        return f"unused and not recorded, or the other way round: {sorted(left)[:3]}"
    for name, tensor in held.items():
        there = stored.get(name, stored.get(name.removeprefix(before)))
        if there is None:
            if not record.model.tied and not any(_equal(stored[n], tensor) for n in renamed):
                return f"{name} is in no file"
        elif not _equal(there, tensor) and not record.model.tied:
            return f"{name} is not what the file holds"
    return None


def _equal(stored: torch.Tensor, held: torch.Tensor) -> bool:
    # Changed bytes may be NaN, which equals nothing.
    same = torch.nan_to_num(stored.to(held.dtype), nan=0.5), torch.nan_to_num(held, nan=0.5)
    return stored.shape == held.shape and torch.equal(*same)


def adapter_differs(folder: Path, model: Any, row: list[int]) -> str | None:
    """Attach a folder's adapter: the base must give what it gave, and what runs must be recorded."""
    if not folder.is_dir():
        return None
    ids = torch.tensor([row])
    with torch.no_grad():
        before = model(ids).logits
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            adapted = CleanModelLoader.attach_adapter(model, folder)
        if not torch.equal(model(ids).logits, before):
            return "the base was changed by attaching an adapter"
        same = torch.equal(adapted(ids).logits, before)
    # Changed bytes make weights beside which no update is seen in float32.
    damaged = any(not float(p.detach().abs().max()) < _MOST for p in model.parameters())
    if same and not damaged and not any("no effect" in str(each.message) for each in told):
        return "an adapter without effect was attached"
    return None if provenance_of(adapted).adapters else "an adapter is not recorded"


def look(folder: Path, draw: random.Random) -> str | None:
    """Do with a folder what users do: load it, ask the doctor, load its tokenizer alone."""
    if draw.random() < 0.2:
        diagnose(CleanModelLoader(folder).request)
    if draw.random() < 0.1:
        CleanModelLoader(folder, for_training=True).load_tokenizer()
    return differs(folder)


def run(folders: list[Path], cases: int, seed: int) -> tuple[Counter[str], list[str]]:
    """Run cases; how they ended, and those that must not be."""
    ends: Counter[str] = Counter()
    wrong: list[str] = []
    for number in range(cases):
        draw = random.Random(f"{seed}-{number}")
        with tempfile.TemporaryDirectory() as room:
            folder = Path(room) / "model"
            source = folders[number % len(folders)]
            shutil.copytree(source, folder)
            done = damage(folder, folders, draw)
            try:
                with warnings.catch_warnings(), contextlib.redirect_stderr(io.StringIO()):
                    warnings.simplefilter("ignore")
                    said = look(folder, draw)
            except GuardError as error:
                ends[type(error).__name__] += 1
                said = None if error.remedy else f"no remedy: {error}"
                if said is None:
                    continue
            except BaseException as error:
                if isinstance(error, KeyboardInterrupt):
                    raise
                said = f"raw {type(error).__name__}: {str(error)[:200]}"
            ends["loaded" if said is None else "wrong"] += 1
            if said is not None:
                wrong.append(f"case {number} of {source.name}: {'; '.join(done)}: {said}")
    return ends, wrong


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--cases", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    os.environ["HF_HUB_OFFLINE"] = "1"
    ends, wrong = run(options.folders, options.cases, options.seed)
    sys.stdout.write("\n".join([*wrong, f"{options.cases} cases: {dict(ends)}", ""]))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
