"""A sentencepiece model made into a tokenizer that gives the ids of sentencepiece itself.

transformers' own conversion ranks merges without the scores in the file and leaves the first space out in
some folders, so that texts get other ids than the model was trained on (findings/).
"""

from __future__ import annotations

import json
from contextlib import suppress
from copy import copy
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from guard.errors import TokenizerMismatchError
from guard.files.hub import transformers
from guard.vocabularies.probes import PROBES
from guard.vocabularies.vocabulary_files import is_tiktoken, pieces

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

_UNKNOWN, _CONTROL, _SPELT = 2, 3, 4


class Settled(NamedTuple):
    """A tokenizer of a `tokenizer.model`, and what is to be said of it, if anything."""

    tokenizer: PreTrainedTokenizerBase
    said: str


def settle_pieces(found: PreTrainedTokenizerBase, path: Path) -> Settled:
    """Hold what transformers made of a `tokenizer.model` against sentencepiece, and convert it anew.

    Args:
        found: What transformers made of it.
        path: The file; tiktoken's lines go by the same name, and are left as they are.

    Returns:
        `found` where the two agree, or where the conversion made here does not either.

    Raises:
        TokenizerMismatchError: What was made of tiktoken's lines loses text.
    """
    expected = _expected(path)
    if expected is None:
        _refuse_lossy(found, path)
        return Settled(found, "")
    other = differing_texts(found, expected)
    if not other:
        return Settled(found, "")
    said = (
        f"with {path.name}, sentencepiece itself gives other ids than transformers "
        f"{transformers.__version__} for {other} of {len(PROBES)} texts"
    )
    legacy = _is_legacy(path.parent)
    ours = _converted(found, path, legacy=legacy)
    # The other way puts no blank before text that begins with one, in transformers' own conversion as well.
    probes = [at for at, text in enumerate(PROBES) if legacy or not text.startswith(" ")]
    if ours is None or any(plain_ids(ours, PROBES[at]) != expected[at] for at in probes):
        return Settled(found, said)
    return Settled(ours, f"{said}; sentencepiece's ids are used")


def _refuse_lossy(found: PreTrainedTokenizerBase, path: Path) -> None:
    """tiktoken's pairs are of bytes, so every text comes back; transformers 5.0 makes characters of them."""
    if not is_tiktoken(path.read_bytes()):
        return
    lost = [text for text in PROBES if found.decode(plain_ids(found, text)) != text]
    if lost:
        raise TokenizerMismatchError(
            f"transformers {transformers.__version__} makes a tokenizer of {path} that loses text: {len(lost)} of "
            f"{len(PROBES)} texts do not come back from their ids",
            evidence={"lost": lost[:3], "as": type(found).__name__},
            remedy="update transformers (5.12 reads the file whole), or add the tokenizer.json of the same model",
        )


def plain_ids(tokenizer: PreTrainedTokenizerBase, text: str) -> list[int]:
    """A text's ids without anything before or behind them."""
    return list(tokenizer(text, add_special_tokens=False)["input_ids"])


def differing_texts(tokenizer: PreTrainedTokenizerBase, expected: list[list[int]]) -> int:
    """For how many of `PROBES` a tokenizer gives other ids than expected."""
    found = tokenizer(list(PROBES), add_special_tokens=False)["input_ids"]
    return sum(list(ids) != other for ids, other in zip(found, expected, strict=True))


def backend_of_pieces(path: Path, *, legacy: bool = True) -> tuple[Any, list[str]]:
    """A sentencepiece model of byte pairs as a backend, merged by its scores, and its first three names.

    Args:
        path: The file.
        legacy: Text behind a special token begins with a blank as well, as `"legacy": true` and transformers 4 by
            default have it; a tokenizer_config.json may say otherwise.

    Raises:
        ValueError, IndexError: It is none, or a torn one.
    """
    from tokenizers import AddedToken, Tokenizer, decoders, normalizers, pre_tokenizers
    from tokenizers.models import BPE

    found = list(pieces(path.read_bytes()))
    vocabulary = {piece.text: at for at, piece in enumerate(found)}
    ordinary = sorted((p for p in found if p.kind == 1), key=lambda p: -p.score)
    merges = [
        (piece.text[:at], piece.text[at:])
        for piece in ordinary
        for at in range(1, len(piece.text))
        if piece.text[:at] in vocabulary and piece.text[at:] in vocabulary
    ]
    unknown = next((piece.text for piece in found if piece.kind == _UNKNOWN), found[0].text)
    backend = Tokenizer(
        BPE(vocabulary, merges, unk_token=unknown, fuse_unk=True, byte_fallback=True)
    )
    if legacy:
        backend.normalizer = normalizers.Sequence(
            [normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")]
        )
    else:
        backend.pre_tokenizer = pre_tokenizers.Metaspace("▁", prepend_scheme="first", split=False)
    backend.decoder = decoders.Sequence(
        [
            decoders.Replace("▁", " "),
            decoders.ByteFallback(),
            decoders.Fuse(),
            decoders.Strip(" ", 1, 0),
        ]
    )
    special = [p.text for p in found if p.kind in (_UNKNOWN, _CONTROL)]
    backend.add_special_tokens([AddedToken(n, special=True, normalized=False) for n in special])
    spelt = [AddedToken(p.text, normalized=False) for p in found if p.kind == _SPELT]
    if spelt:
        backend.add_tokens(spelt)
    return backend, [piece.text for piece in found[:3]]


def _expected(path: Path) -> list[list[int]] | None:
    """The ids that sentencepiece gives for `PROBES`; None where it is not here, or cannot read the file."""
    if find_spec("sentencepiece") is None:
        return None
    from sentencepiece import SentencePieceProcessor

    try:
        reader = SentencePieceProcessor(model_file=str(path))
    except (OSError, RuntimeError):
        return None
    return [list(reader.encode(text)) for text in PROBES]


def _is_legacy(folder: Path) -> bool:
    """Whether a tokenizer_config.json leaves the legacy way; transformers 5 takes the other where none is named."""
    with suppress(OSError, ValueError):
        said = json.loads((folder / "tokenizer_config.json").read_bytes())
        return not (isinstance(said, dict) and said.get("legacy") is False)
    return True


def _converted(
    found: PreTrainedTokenizerBase, path: Path, *, legacy: bool
) -> PreTrainedTokenizerBase | None:
    """The file converted here, with BOS, added tokens and template as transformers found them."""
    from tokenizers import AddedToken

    theirs = getattr(found, "backend_tokenizer", None)
    try:
        backend, _ = backend_of_pieces(path, legacy=legacy)
    except (ValueError, IndexError):
        return None
    if theirs is None:
        return None
    for index, added in sorted(found.added_tokens_decoder.items()):
        token = AddedToken(added.content, special=added.special, normalized=False,
                           single_word=added.single_word, lstrip=added.lstrip, rstrip=added.rstrip)  # fmt: skip
        (backend.add_special_tokens if added.special else backend.add_tokens)([token])
        if backend.token_to_id(added.content) != int(index):
            return None
    if theirs.post_processor is not None:
        backend.post_processor = theirs.post_processor
    # Its class, settings and names stay: what a script saves of it is read again as the same tokenizer.
    ours: Any = copy(found)
    ours._tokenizer = backend
    return ours
