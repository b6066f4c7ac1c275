"""A disk that fills up while a stage writes: said in one sentence, and gone on from there afterwards."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from guard.records.verification import verify_file

TRAIN = ("--train.steps", "6", "--train.save-steps", "2", "--train.log-steps", "1")
# How many kilobytes there are at first, and the files that must be whole at the end.
STAGES: dict[str, tuple[int, tuple[str, ...], tuple[str, ...]]] = {
    "generate": (100, (), ("dataset.jsonl",)),
    "preferences": (300, ("--adapter", "{sft}", "--k", "4"), ("samples.jsonl", "pairs.jsonl")),
    "sft": (3000, ("--data", "{data}", *TRAIN), ("adapter/adapter_model.safetensors",)),
    "dpo": (
        3000, ("--data", "{pairs}", "--sft", "{sft}", *TRAIN),
        ("adapter/adapter_model.safetensors",),
    ),
    "evaluate": (
        700, ("--adapters", "sft={sft}", "--plan.resamples", "200"),
        ("results.jsonl", "report.json", "report.html"),
    ),
    "differentiate": (
        700, ("--adapters", "sft={sft}", "--samples", "1", "--plan.resamples", "200"),
        ("results.jsonl", "report.json", "report.html"),
    ),
    "equivalence": (150, (), ("pairs.jsonl", "equivalence.json")),
    "audit": (400, (), ("results.jsonl", "audit.json")),
}  # fmt: skip
# A file system of its own, which goes when the shell ends; as root in a user namespace.
SCRIPT = """
set -e
mount -t tmpfs -o size={size}k tmpfs {disk}
set +e
{run} >{told}/first.out 2>{told}/first.err
echo $? >{told}/first.rc
mount -o remount,size=64m {disk}
{run} >{told}/second.out 2>{told}/second.err
echo $? >{told}/second.rc
cp -r {disk}/. {kept}
"""


def _namespaces() -> bool:
    if shutil.which("unshare") is None:
        return False
    return subprocess.run(["unshare", "-rm", "true"], capture_output=True, check=False).returncode == 0  # fmt: skip


needs_namespaces = pytest.mark.skipif(
    not _namespaces(), reason="a small disk needs mount namespaces, which this machine denies"
)


def told_by(folder: Path, which: str) -> tuple[int, str, str]:
    rc, out, err = ((folder / f"{which}.{end}").read_text() for end in ("rc", "out", "err"))
    return int(rc), out, err


def run_on_small_disk(tmp_path: Path, size: int, command: list[str]) -> tuple[Path, Path]:
    """Run a command twice: on a disk that is too small, and once there is room.

    Returns:
        Where exit codes and outputs lie, and a copy of what is on the disk.
    """
    disk, told, kept = (tmp_path / name for name in ("disk", "told", "kept"))
    for folder in (disk, told, kept):
        folder.mkdir()
    run = " ".join(f"'{word}'" for word in command)
    script = SCRIPT.format(size=size, disk=disk, told=told, kept=kept, run=run)
    done = subprocess.run(
        ["unshare", "-rm", "sh", "-c", script], capture_output=True, text=True, check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return told, kept


@needs_namespaces
def test_what_is_no_os_error_is_traced_to_the_disk(tmp_path: Path) -> None:
    script = tmp_path / "fills.py"
    script.write_text(
        "import sys\nfrom pathlib import Path\nfrom stages.audit import CONFIG\n"
        "from stages.folder import run_folder\nfrom cleanguard.errors import JobError\n"
        "try:\n    with run_folder(Path(sys.argv[1]), 'x', CONFIG()) as folder:\n"
        "        try:\n            (folder / 'a').write_bytes(bytes(10 << 20))\n"
        "        except OSError:\n            raise RuntimeError('unexpected pos') from None\n"
        "except JobError as error:\n    print(error)\n"
    )
    told, _ = run_on_small_disk(
        tmp_path, 2000, [sys.executable, str(script), str(tmp_path / "disk" / "r")]
    )
    assert "the disk is full; free some space and run again" in told_by(told, "first")[1]
    assert told_by(told, "second")[1:] == ("", "")


@needs_namespaces
@pytest.mark.slow
@pytest.mark.parametrize("stage", STAGES)
def test_a_full_disk_costs_nothing_that_was_written(
    stage: str, data: Path, sft_adapter: Path, pairs: Path, tmp_path: Path
) -> None:
    size, words, files = STAGES[stage]
    given = [word.format(data=data, sft=sft_adapter, pairs=pairs) for word in words]
    code = "from cleanguard.cli import main; main()"
    out = tmp_path / "disk" / "run"
    told, kept = run_on_small_disk(
        tmp_path, size, [sys.executable, "-c", code, "run", stage, "--out", str(out), *given]
    )
    first, _, said = told_by(told, "first")
    assert first == 2, said
    assert "internal error" not in said
    assert "Traceback" not in said
    assert "the disk is full" in said or "No space left on device" in said
    second, _, said = told_by(told, "second")
    assert second == 0, said
    for name in files:
        assert verify_file(kept / "run" / name).ok, name
        if name.endswith(".jsonl"):
            keys = [json.loads(line)["key"] for line in (kept / "run" / name).open()]
            assert len(keys) == len(set(keys))
