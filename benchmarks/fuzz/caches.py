"""Cache files that were cut, edited or written by somebody else."""

from __future__ import annotations

import copy
import json
import os
import random
import tempfile
import time
from functools import cache
from pathlib import Path
from typing import Any

from benchmarks.fuzz.outcomes import Outcome
from cleanguard import cache as product
from cleanguard.files import SourceFile
from cleanguard.settings.config import Settings
from lint_rules._engine.pipeline import check_files

_ODD: tuple[Any, ...] = (
    None,
    True,
    0,
    -1,
    1e308,
    "",
    "CG101",
    [],
    {},
    [[]],
    [[[]]],
    {"a": 1},
    "\ud800",
    [None] * 9,
)
_LOAD = 'from transformers import AutoModelForCausalLM\nm = AutoModelForCausalLM.from_pretrained("gpt2")\n'


def damage(rng: random.Random) -> bytes:
    """How a cache is damaged: a seed, which the process that has the cache unfolds."""
    return str(rng.randrange(1 << 40)).encode()


@cache
def _folder() -> tuple[Path, list[str]]:
    """Three scripts, and what is found in them without a cache."""
    folder = Path(tempfile.mkdtemp(prefix="cleanguard-fuzz-"))
    os.environ["CLEANGUARD_CACHE_DIR"] = str(folder / "cache")
    for name in ("a", "b"):
        (folder / f"{name}.py").write_text(_LOAD, encoding="utf-8")
    (folder / "c.py").write_text("from a import m\nm.generate(ids)\n", encoding="utf-8")
    return folder, _found(folder, cached=False)


def _found(folder: Path, *, cached: bool) -> list[str]:
    files = [SourceFile(name, folder / name) for name in ("a.py", "b.py", "c.py")]
    run = check_files(files, Settings(root=folder), jobs=1, cached=cached)
    if run.failures:
        raise RuntimeError(run.failures[0])
    return [f"{one.filename}:{one.location}:{one.code}:{one.message}" for one in run.findings]


def read(file: SourceFile) -> Outcome:
    """Checks with a damaged cache: what is found is what is found without one."""
    import multiprocessing

    multiprocessing.current_process()._config["daemon"] = False  # type: ignore[attr-defined]
    rng, (folder, wanted) = random.Random(int(file.read())), _folder()
    _found(folder, cached=True)
    (where,) = (folder / "cache").glob("*.json")
    whole = where.read_bytes()
    _damage(where, whole, rng)
    began = time.process_time()
    same = _found(folder, cached=True) == wanted
    seconds = time.process_time() - began
    if where.is_dir():
        where.rmdir()
    elif not where.is_file():
        where.unlink()
    return Outcome("counts as empty" if same else "findings differ", seconds)


def _damage(where: Path, whole: bytes, rng: random.Random) -> None:
    act = rng.randrange(6)
    if act == 0:  # bytes
        raw = bytearray(whole)
        for _ in range(rng.choice((1, 3, 20))):
            raw[rng.randrange(len(raw))] = rng.randrange(256)
        where.write_bytes(bytes(raw))
    elif act == 1:
        where.write_bytes(whole[: rng.randrange(len(whole))])
    elif act == 2:
        where.write_bytes(
            rng.choice((b"", b"\x00" * 99, b"[" * 500, b"{}", b"null", whole * 2, b"\n" + whole))
        )
    elif act == 3:  # well-formed, of another shape
        head, _, body = whole.partition(b"\n")
        entries = json.loads(body)
        for _ in range(rng.randrange(1, 4)):
            _change(entries, rng)
        where.write_bytes(head + b"\n" + json.dumps(entries).encode("utf-8", "surrogatepass"))
    elif act == 4:
        where.unlink()
        rng.choice(
            (os.mkfifo, lambda path: Path(path).mkdir(), lambda path: os.symlink("/dev/zero", path))
        )(where)  # type: ignore[operator]
    else:  # the same with a head that fits it: another program of the same name wrote it
        entries = json.loads(whole.partition(b"\n")[2])
        tool = whole.split(b" ")[0].decode()
        del entries[0][rng.choice(list(entries[0]))]
        body = json.dumps(entries, separators=(",", ":")).encode("utf-8", "surrogatepass")
        where.write_bytes(product._head(tool, body) + b"\n" + body)


def _change(value: Any, rng: random.Random) -> None:
    while isinstance(value, (dict, list)) and value:
        key = rng.choice(list(value)) if isinstance(value, dict) else rng.randrange(len(value))
        if rng.random() < 0.4 or not isinstance(value[key], (dict, list)) or not value[key]:
            value[key] = copy.deepcopy(rng.choice(_ODD))
            return
        value = value[key]
