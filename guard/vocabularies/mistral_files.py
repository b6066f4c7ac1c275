"""Mistral's own tokenizer files, `tekken.json` and `tokenizer.model.v3`: made into a tokenizer of transformers.

transformers gives such a folder to mistral-common if that is installed, whose tokenizer has other methods
and no templates, and fails without it. Here the file is converted, and mistral-common, the publisher's own
reader, must give the same ids for texts of many kinds. Format: mistral_common.tokens.tokenizers.tekken.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from guard.base.messages import first_line
from guard.errors import MissingExtraError, ModelNotFoundError, TokenizerMismatchError
from guard.files.hub import transformers
from guard.vocabularies.probes import PROBES
from guard.vocabularies.sentencepiece_files import backend_of_pieces, plain_ids
from guard.vocabularies.vocabulary_files import byte_names

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

TEKKEN = "tekken.json"
_PIECES = re.compile(r"tokenizer\.model\.v\d+(m\d+)?")
# Version 3 of the format does not list its control tokens.
_FIRST_TOKENS = (
    "<unk>", "<s>", "</s>", "[INST]", "[/INST]", "[AVAILABLE_TOOLS]", "[/AVAILABLE_TOOLS]", "[TOOL_RESULTS]",
    "[/TOOL_RESULTS]", "[TOOL_CALLS]", "[IMG]", "<pad>", "[IMG_BREAK]", "[IMG_END]", "[PREFIX]", "[MIDDLE]",
    "[SUFFIX]", "[SYSTEM_PROMPT]", "[/SYSTEM_PROMPT]", "[TOOL_CONTENT]",
)  # fmt: skip


def mistral_file(names: Iterable[str]) -> str | None:
    """Which of a folder's files is a tokenizer that mistral-common reads: tekken before sentencepiece."""
    found = sorted((name for name in names if _PIECES.fullmatch(name)), reverse=True)
    return TEKKEN if TEKKEN in set(names) else next(iter(found), None)


def has_reader() -> bool:
    """Whether mistral-common is installed."""
    return find_spec("mistral_common") is not None


def reader() -> str:
    """mistral-common with its version."""
    return f"mistral-common {version('mistral-common')}"


def read_mistral(path: Path, template: str | None) -> PreTrainedTokenizerBase:
    """The tokenizer of one of Mistral's own files, BOS before every text as mistral-common puts it.

    Args:
        path: `tekken.json` or `tokenizer.model.vN`.
        template: A chat template that lies beside it.

    Raises:
        MissingExtraError: mistral-common, or what reads sentencepiece files, is not installed.
        ModelNotFoundError: The file is torn or of another format.
        TokenizerMismatchError: The conversion gives other ids than mistral-common.
    """
    if not has_reader():
        raise MissingExtraError(
            f"{path} is read by mistral-common, which is not installed",
            remedy="pip install mistral-common, or add the tokenizer.json of the same model",
        )
    try:
        tokenizer = (
            _from_tekken(path) if path.name == TEKKEN else _dressed(*backend_of_pieces(path))
        )
        expected = mistral_ids(path)
    except ImportError as error:
        raise MissingExtraError(
            f"{path} cannot be read: {first_line(error)}",
            remedy="pip install mistral-common sentencepiece protobuf",
        ) from error
    # mistral-common checks little: whatever its parts say of a torn file ends here.
    except Exception as error:
        raise ModelNotFoundError(
            f"{path} cannot be read as a tokenizer: {type(error).__name__}: {error}",
            remedy="fetch the file again",
        ) from error
    tokenizer.chat_template = template
    found = [plain_ids(tokenizer, text) for text in PROBES]
    wrong = [text for text, a, b in zip(PROBES, found, expected, strict=True) if a != b]
    if wrong:
        raise TokenizerMismatchError(
            f"{path} gives other ids here than {reader()} for {len(wrong)} of {len(PROBES)} texts",
            evidence={"texts": wrong},
            remedy="add the tokenizer.json of the same model",
        )
    return tokenizer


def mistral_ids(path: Path) -> list[list[int]]:
    """The ids, without BOS, that mistral-common gives for `PROBES`."""
    from mistral_common.tokens.tokenizers.mistral import MistralTokenizer

    inner: Any = MistralTokenizer.from_file(str(path)).instruct_tokenizer.tokenizer
    return [list(inner.encode(text, bos=False, eos=False)) for text in PROBES]


def _from_tekken(path: Path) -> PreTrainedTokenizerBase:
    from tokenizers import AddedToken, Regex, Tokenizer, decoders, pre_tokenizers
    from tokenizers.models import BPE

    content = json.loads(path.read_bytes())
    config = content["config"]
    special = int(config["default_num_special_tokens"])
    named = {token["rank"]: token["token_str"] for token in content.get("special_tokens") or ()}
    names = named or dict(enumerate(_FIRST_TOKENS))
    ranks = {
        base64.b64decode(token["token_bytes"]): int(token["rank"])
        for token in content["vocab"][: int(config["default_vocab_size"]) - special]
    }
    spelt = byte_names()
    vocabulary = {names.get(rank, f"<SPECIAL_{rank}>"): rank for rank in range(special)}
    vocabulary |= {spelt(token): rank + special for token, rank in ranks.items()}
    merges = [
        (spelt(token[:at]), spelt(token[at:]))
        for token in sorted(ranks, key=ranks.__getitem__)
        for at in range(1, len(token))
        if token[:at] in ranks and token[at:] in ranks
    ]
    backend = Tokenizer(BPE(vocabulary, merges, ignore_merges=True))
    split = pre_tokenizers.Split(Regex(config["pattern"]), behavior="isolated")
    bytewise = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    backend.pre_tokenizer = pre_tokenizers.Sequence([split, bytewise])
    backend.decoder = decoders.ByteLevel()
    backend.add_special_tokens(
        [
            AddedToken(name, special=True, normalized=False)
            for name in vocabulary
            if vocabulary[name] < special
        ]
    )
    return _dressed(backend, [names[at] for at in range(3)])


def _dressed(backend: Any, names: list[str]) -> PreTrainedTokenizerBase:
    """A backend with unk, BOS and EOS (ids 0, 1, 2) and BOS before every text."""
    from tokenizers import processors

    bos = names[1]
    backend.post_processor = processors.TemplateProcessing(
        single=f"{bos} $A", pair=f"{bos} $A {bos}:1 $B:1", special_tokens=[(bos, 1)]
    )
    pad = "<pad>" if backend.token_to_id("<pad>") is not None else None
    found: PreTrainedTokenizerBase = transformers.PreTrainedTokenizerFast(
        tokenizer_object=backend,
        bos_token=bos,
        eos_token=names[2],
        unk_token=names[0],
        pad_token=pad,
    )
    return found
