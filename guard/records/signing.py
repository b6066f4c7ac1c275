"""Signs statements and weight directories with a local key: DSSE envelopes, model-signing bundles.

Works offline. A digest shows that a file was not changed by accident; a signature, that nobody
without the key wrote a new statement for a changed file.
"""

from __future__ import annotations

import base64
import hashlib
import json
from importlib import import_module
from pathlib import Path
from typing import Any

from cleanguard.editing.read import read_file
from cleanguard.editing.write import WriteError, put_file
from cleanguard.installing import install
from guard.base.canonical import parse
from guard.errors import MissingExtraError, SigningError
from guard.records.statement import statement_path

PAYLOAD_TYPE = "application/vnd.in-toto+json"


def envelope_path(path: Path) -> Path:
    """Where the signed envelope of a file's statement lies."""
    return path.with_name(f"{path.name}.dsse.json")


def sign_file(path: Path, private_key: Path) -> Path:
    """Sign the statement of a file; the envelope is written beside it.

    Args:
        path: A file with a statement beside it, closed.
        private_key: A PEM file without a password: Ed25519, or elliptic curve (signed with SHA-256).

    Raises:
        SigningError: There is no statement, or the key cannot be used.
        MissingExtraError: cryptography is not installed.
    """
    key = _load(private_key, "load_pem_private_key", password=None)
    try:
        payload = read_file(statement_path(path))
    except OSError as error:
        raise SigningError(
            f"{path} has no statement to sign", remedy="write it with JsonlWriter or attest"
        ) from error
    message = _encoded(payload)
    signature = key.sign(message) if _is_edwards(key) else key.sign(message, _ecdsa())
    envelope = {
        "payloadType": PAYLOAD_TYPE,
        "payload": base64.b64encode(payload).decode(),
        "signatures": [
            {"keyid": _key_id(key.public_key()), "sig": base64.b64encode(signature).decode()}
        ],
    }
    target = envelope_path(path)
    try:
        put_file(target, json.dumps(envelope, indent=2).encode("ascii") + b"\n")
    except WriteError as error:
        raise SigningError(
            str(error), remedy="name a file in a folder that you may write to"
        ) from None
    return target


def refuse_no_key(path: Path) -> None:
    """Refuse a file that is no public key, before anything is compared with it.

    Raises:
        SigningError: The key cannot be read or used.
        MissingExtraError: cryptography is not installed.
    """
    _load(path, "load_pem_public_key")


def signature_fault(path: Path, public_key: Path) -> str | None:
    """Why the statement of a file does not count as signed by a key; None if it does.

    Raises:
        SigningError: The key cannot be used.
        MissingExtraError: cryptography is not installed.
    """
    key = _load(public_key, "load_pem_public_key")
    target = envelope_path(path)
    try:
        envelope = parse(read_file(target))
        payload = base64.b64decode(envelope["payload"], validate=True)
        signatures = [base64.b64decode(s["sig"], validate=True) for s in envelope["signatures"]]
        kind = envelope["payloadType"]
        signed = read_file(statement_path(path))
    except FileNotFoundError:
        return f"there is no {target.name} beside it"
    except (OSError, ValueError, KeyError, TypeError) as error:
        return f"{target.name} is no signed envelope: {error}"
    if kind != PAYLOAD_TYPE or payload != signed:
        return "the signature is for another statement than the one beside the file"
    if not any(_is_valid(key, signature, _encoded(payload)) for signature in signatures):
        return "no signature on its statement is by this key"
    return None


def sign_weights(directory: Path, private_key: Path, signature: Path) -> None:
    """Sign every file of a model directory with an elliptic-curve key, through model-signing.

    Raises:
        MissingExtraError: model-signing is not installed.
    """
    signing = _need("model_signing.signing")
    signing.Config().use_elliptic_key_signer(private_key=private_key).sign(directory, signature)


def weights_fault(directory: Path, public_key: Path, signature: Path) -> str | None:
    """What model-signing says against a directory's signature; None if it is good.

    Raises:
        MissingExtraError: model-signing is not installed.
    """
    verifying = _need("model_signing.verifying")
    config = verifying.Config().use_elliptic_key_verifier(public_key=public_key)
    try:
        config.verify(directory, signature)
    except (ValueError, OSError) as error:
        return str(error)
    return None


def _encoded(payload: bytes) -> bytes:
    """DSSE's pre-authentication encoding."""
    kind = PAYLOAD_TYPE.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


def _is_valid(key: Any, signature: bytes, message: bytes) -> bool:
    exceptions = _need("cryptography.exceptions")
    try:
        if _is_edwards(key):
            key.verify(signature, message)
        else:
            key.verify(signature, message, _ecdsa())
    except exceptions.InvalidSignature:
        return False
    return True


def _load(path: Path, loader: str, **options: Any) -> Any:
    serialization = _need("cryptography.hazmat.primitives.serialization")
    try:
        key = getattr(serialization, loader)(read_file(path), **options)
    except OSError as error:
        reason = (error.strerror or type(error).__name__).lower()
        raise SigningError(
            f"{path} cannot be read as a key: {reason}", remedy="name a PEM file without a password"
        ) from error
    except (ValueError, TypeError) as error:
        raise SigningError(
            f"{path} cannot be used as a key: {error}", remedy="a PEM file without a password"
        ) from error
    elliptic = _need("cryptography.hazmat.primitives.asymmetric.ec")
    kinds = (elliptic.EllipticCurvePrivateKey, elliptic.EllipticCurvePublicKey)
    if not _is_edwards(key) and not isinstance(key, kinds):
        raise SigningError(
            f"{path} holds another kind of key", remedy="use an Ed25519 or elliptic-curve key"
        )
    return key


def _is_edwards(key: Any) -> bool:
    edwards = _need("cryptography.hazmat.primitives.asymmetric.ed25519")
    return isinstance(key, (edwards.Ed25519PrivateKey, edwards.Ed25519PublicKey))


def _ecdsa() -> Any:
    hashes = _need("cryptography.hazmat.primitives.hashes")
    return _need("cryptography.hazmat.primitives.asymmetric.ec").ECDSA(hashes.SHA256())


def _key_id(key: Any) -> str:
    serialization = _need("cryptography.hazmat.primitives.serialization")
    der = key.public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return hashlib.sha256(der).hexdigest()


def _need(module: str) -> Any:
    try:
        return import_module(module)
    except ImportError as error:
        raise MissingExtraError(
            f"{error.name or module} is not installed", remedy=install("sign")
        ) from error
