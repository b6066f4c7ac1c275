from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from guard import JsonlWriter, Loaded
from guard.errors import SigningError
from guard.records.signing import (
    envelope_path,
    sign_file,
    sign_weights,
    signature_fault,
    weights_fault,
)
from guard.records.statement import statement_path
from guard.records.verification import verify_file

serialization = pytest.importorskip("cryptography.hazmat.primitives.serialization")
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa  # noqa: E402


def keys(folder: Path, private: object) -> tuple[Path, Path]:
    """A private and a public key as PEM files."""
    folder.mkdir(exist_ok=True)
    pem = serialization.Encoding.PEM
    (folder / "private.pem").write_bytes(
        private.private_bytes(  # type: ignore[attr-defined]
            pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    (folder / "public.pem").write_bytes(
        private.public_key().public_bytes(  # type: ignore[attr-defined]
            pem, serialization.PublicFormat.SubjectPublicKeyInfo
        )
    )
    return folder / "private.pem", folder / "public.pem"


@pytest.fixture
def out(tiny: Loaded, tmp_path: Path) -> Path:
    path = tmp_path / "out.jsonl"
    with JsonlWriter(path, tiny.provenance) as writer:
        writer.write("a", {"text": "x"})
    return path


@pytest.mark.parametrize(
    "make", [ed25519.Ed25519PrivateKey.generate, lambda: ec.generate_private_key(ec.SECP256R1())]
)
def test_a_signed_statement_is_known_again(out: Path, tmp_path: Path, make: object) -> None:
    private, public = keys(tmp_path / "mine", make())  # type: ignore[operator]
    _, stranger = keys(tmp_path / "other", make())  # type: ignore[operator]
    assert [p.kind for p in verify_file(out, public).problems] == ["unsigned"]
    assert sign_file(out, private) == envelope_path(out)
    assert verify_file(out, public).problems == ()
    assert "by this key" in str(signature_fault(out, stranger))


def test_a_new_statement_needs_a_new_signature(out: Path, tiny: Loaded, tmp_path: Path) -> None:
    private, public = keys(tmp_path / "mine", ed25519.Ed25519PrivateKey.generate())
    sign_file(out, private)
    out.unlink()
    statement_path(out).unlink()
    with JsonlWriter(out, tiny.provenance) as writer:
        writer.write("a", {"text": "better"})
    assert verify_file(out).problems == ()
    assert "another statement" in str(signature_fault(out, public))


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"payload": "!", "signatures": []}'])
def test_a_broken_envelope_is_no_signature(out: Path, tmp_path: Path, content: str) -> None:
    _, public = keys(tmp_path / "mine", ed25519.Ed25519PrivateKey.generate())
    envelope_path(out).write_text(content)
    assert "no signed envelope" in str(signature_fault(out, public))


def test_envelope_is_what_dsse_says(out: Path, tmp_path: Path) -> None:
    """The signature holds over DSSE's own encoding, spelt out here by hand."""
    import base64

    key = ed25519.Ed25519PrivateKey.generate()
    private, _ = keys(tmp_path / "mine", key)
    envelope = json.loads(sign_file(out, private).read_text())
    body = base64.b64decode(envelope["payload"])
    message = f"DSSEv1 28 application/vnd.in-toto+json {len(body)} ".encode() + body
    [signature] = envelope["signatures"]
    key.public_key().verify(base64.b64decode(signature["sig"]), message)
    assert json.loads(body)["_type"] == "https://in-toto.io/Statement/v1"


def test_keys_that_cannot_be_used(out: Path, tmp_path: Path) -> None:
    private, _ = keys(tmp_path / "rsa", rsa.generate_private_key(65537, 2048))
    with pytest.raises(SigningError, match="another kind"):
        sign_file(out, private)
    with pytest.raises(SigningError, match="cannot be used"):
        sign_file(out, out)
    good, _ = keys(tmp_path / "good", ed25519.Ed25519PrivateKey.generate())
    with pytest.raises(SigningError, match="no statement"):
        sign_file(tmp_path / "nothing", good)


def test_weights_are_signed_through_model_signing(tiny_dir: Path, tmp_path: Path) -> None:
    pytest.importorskip("model_signing.signing")
    private, public = keys(tmp_path / "mine", ec.generate_private_key(ec.SECP256R1()))
    model = tmp_path / "model"
    shutil.copytree(tiny_dir, model)
    sign_weights(model, private, tmp_path / "model.sig")
    assert weights_fault(model, public, tmp_path / "model.sig") is None
    (model / "config.json").write_text("{}")
    assert "config.json" in str(weights_fault(model, public, tmp_path / "model.sig"))


def test_the_command_line(out: Path, tmp_path: Path) -> None:
    import os
    import sys

    private, public = keys(tmp_path / "mine", ed25519.Ed25519PrivateKey.generate())
    code = "from cleanguard.cli import main; main()"

    def run(*arguments: object) -> int:
        words = [sys.executable, "-c", code, *map(str, arguments)]
        return subprocess.run(
            words, check=False, capture_output=True, env=dict(os.environ)
        ).returncode

    assert run("verify", "--key", public, out) == 1
    assert run("sign", "--key", private, out) == 0
    assert run("verify", "--key", public, out) == 0
    assert run("verify", "--key", out, out) == 2
    assert run("sign", "--key", private, tmp_path / "nothing") == 2
