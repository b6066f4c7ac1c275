"""Files of records and their statements that were edited, cut or swapped."""

from __future__ import annotations

import copy
import json
import random
import tempfile
import time
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from benchmarks.fuzz.outcomes import Outcome
from cleanguard.files import SourceFile
from guard.errors import GuardError
from guard.records.signing import envelope_path, sign_file
from guard.records.statement import statement_path
from guard.records.verification import verify_file
from guard.records.writer import JsonlWriter

_ODD: tuple[Any, ...] = (
    None, True, 0, -1, 2**70, 1e308, "", "x", [], {}, [[]], [None], {"a": 1}, "\ud800", [[[[1]]]], "0" * 64,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Whole:
    """An untouched file of records, its statement, its signature and the key."""

    records: bytes
    statement: bytes
    envelope: bytes
    public: bytes
    provenance: Any


@cache
def prepared() -> _Whole:
    """Twelve records of the embedded model in two runs, signed; made once, before the workers start."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from guard import CleanModelLoader
    from stages.tiny import model_path

    provenance = CleanModelLoader(model_path(), dtype="float32").load().provenance
    with tempfile.TemporaryDirectory() as name:
        path, private = Path(name) / "out.jsonl", Path(name) / "key.pem"
        for run in range(2):
            with JsonlWriter(path, provenance, params={"seed": 3}) as out:
                for item in range(6):
                    out.write(f"item{run}{item}", {"text": f"answer {item}", "score": item / 2})
        key = Ed25519PrivateKey.generate()
        private.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        public = key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        sign_file(path, private)
        return _Whole(
            path.read_bytes(),
            statement_path(path).read_bytes(),
            envelope_path(path).read_bytes(),
            public,
            provenance,
        )


def tampering(rng: random.Random) -> bytes:
    """What is done, as a seed that the worker unfolds."""
    return str(rng.randrange(1 << 40)).encode()


def read(file: SourceFile) -> Outcome:
    """Verifies a tampered file without a key and with one, then resumes it."""
    whole, rng = prepared(), random.Random(int(file.read()))
    records, statement = whole.records, whole.statement
    if rng.random() < 0.6:
        records = _tampered(records, rng)
    if records == whole.records or rng.random() < 0.3:
        statement = _tampered(statement, rng)
    with tempfile.TemporaryDirectory() as name:
        path, key = Path(name) / "out.jsonl", Path(name) / "key.pub"
        path.write_bytes(records)
        statement_path(path).write_bytes(statement)
        envelope_path(path).write_bytes(whole.envelope)
        key.write_bytes(whole.public)
        began = time.process_time()
        bare, keyed = verify_file(path), verify_file(path, key)
        try:
            with JsonlWriter(path, whole.provenance, params={"seed": 3}) as out:
                out.write("one more", {"text": "x"})
            resumed = True
        except GuardError:
            resumed = False
        seconds = time.process_time() - began
    same = records == whole.records and statement == whole.statement
    if keyed.ok and not same:
        return Outcome("unseen change", seconds, "with a key")
    if bare.ok and records != whole.records:
        return Outcome("unseen change", seconds, "of the records, without a key")
    if resumed and not bare.ok and records != whole.records:
        # What was appended by no writer, or half a line after a crash, is cut off and said.
        return Outcome("seen, and resumed after what was left of it", seconds)
    if bare.ok:
        return Outcome("untouched" if same else "of the statement, seen with a key only", seconds)
    return Outcome("seen without a key", seconds)


def _tampered(raw: bytes, rng: random.Random) -> bytes:
    act = rng.randrange(5)
    if act == 0:
        changed = bytearray(raw)
        for _ in range(rng.choice((1, 1, 4))):
            changed[rng.randrange(len(changed))] = rng.randrange(256)
        return bytes(changed)
    if act == 1:
        lines = raw.splitlines(keepends=True)
        at, other = rng.randrange(len(lines)), rng.randrange(len(lines))
        if rng.random() < 0.5:
            lines[at], lines[other] = lines[other], lines[at]
        else:
            lines[at : at + rng.randrange(2)] = [lines[other]] * rng.randrange(3)
        return b"".join(lines)
    if act == 2:
        start, end = sorted(rng.randrange(len(raw) + 1) for _ in range(2))
        return rng.choice((raw[:start], raw[end:], raw[:start] + raw[end:], raw + raw[start:end]))
    return _values_changed(raw, rng)


def _values_changed(raw: bytes, rng: random.Random) -> bytes:
    """JSON that stays JSON, with one to three values replaced, doubled, taken away or added."""
    try:
        whole = json.loads(raw)
        lines = None
    except ValueError:
        lines = raw.splitlines()
        at = rng.randrange(len(lines))
        whole = json.loads(lines[at])
    for _ in range(rng.randrange(1, 4)):
        _change(whole, rng)
    text = json.dumps(whole, indent=None if lines else 2).encode() + b"\n"
    if lines is None:
        return text
    return b"".join(
        [*(line + b"\n" for line in lines[:at]), text, *(line + b"\n" for line in lines[at + 1 :])]
    )


def _change(value: Any, rng: random.Random) -> None:
    while isinstance(value, (dict, list)) and value:
        key = rng.choice(list(value)) if isinstance(value, dict) else rng.randrange(len(value))
        inner = value[key]
        if not isinstance(inner, (dict, list)) or not inner or rng.random() < 0.15:
            act = rng.randrange(5)
            if act == 0:
                del value[key]
            elif act == 1 and isinstance(value, dict):
                value[rng.choice(("extra", "key", "provenance", "sha256", ""))] = copy.deepcopy(
                    rng.choice(_ODD)
                )
            elif act == 1:
                value.insert(key, copy.deepcopy(inner))
            elif act == 2 and isinstance(inner, (int, float)) and not isinstance(inner, bool):
                value[key] = inner + rng.choice((1, -1, 0.5))
            elif act == 2 and isinstance(inner, str) and inner:
                value[key] = inner[:-1] + chr(ord(inner[-1]) ^ 1)
            else:
                value[key] = copy.deepcopy(rng.choice(_ODD))
            return
        value = inner
