"""Makes a tokenizer of a folder's files, always of the same ones, whatever packages are installed."""

from __future__ import annotations

import json
import re
from fnmatch import fnmatchcase
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import tokenizers

from guard.errors import GuardError, MissingExtraError, ModelNotFoundError, TokenizerMismatchError
from guard.files.hub import transformers
from guard.files.remote_code import refuse_code, runs_code
from guard.files.request import LoadRequest
from guard.files.source import ModelSource
from guard.loading.config_values import summary
from guard.provenance.digests import remembered
from guard.vocabularies.mistral_files import (
    TEKKEN,
    has_reader,
    mistral_file,
    mistral_ids,
    read_mistral,
    reader,
)
from guard.vocabularies.probes import PROBES, hash_of_probes
from guard.vocabularies.sentencepiece_files import differing_texts, settle_pieces
from guard.vocabularies.vocabulary_files import differing, sibling_vocabularies

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from transformers import PreTrainedConfig, PreTrainedTokenizerBase

_MISTRAL = re.compile("mistral|mixtral|ministral|pixtral|voxtral|devstral")
_IS_ONES = re.compile(r"token|vocab|merges|tekken|\.(model|spm|gguf|tiktoken)$")
_MOST_DIFFERING = 0.05  # of a sample's tokens; another model's file differs in nearly all


def tokenizer_of_files(
    request: LoadRequest, source: ModelSource, config: PreTrainedConfig | None
) -> tuple[PreTrainedTokenizerBase, str]:
    """The tokenizer of a model's files, and which of them it was made of, in words.

    Raises:
        ModelNotFoundError, MissingExtraError, TokenizerMismatchError: See `read_tokenizer`.
    """
    names = source.names()
    theirs = mistral_file(names)
    common = {"tokenizer.json", "tokenizer.model"} & set(names)
    # transformers reads tekken.json beside a tokenizer.model as well; the two are never one tokenizer.
    if theirs is not None and (not common or (theirs == TEKKEN and "tokenizer.json" not in common)):
        template = source.directory / "chat_template.jinja"
        text = template.read_text(encoding="utf-8") if template.is_file() else None
        tokenizer = read_mistral(source.directory / theirs, text)
        return tokenizer, f"{theirs}, checked against {reader()}"
    try:
        found = _by_transformers(request, source, config, theirs is not None)
        said = ""
        if "tokenizer.model" in common and "tokenizer.json" not in names:
            found, said = settle_pieces(found, source.directory / "tokenizer.model")
        found.decode(found("a b")["input_ids"])  # some settings are read only when it is used
        # Where `unk` has no id, transformers asks itself for one without end.
        found.convert_tokens_to_ids("\0")
    except ImportError as error:
        raise MissingExtraError(
            f"the tokenizer of {request.model_id} needs a package that is absent: {summary(error)}",
            remedy="pip install sentencepiece protobuf tiktoken mistral-common",
        ) from error
    except GuardError:
        raise
    # tokenizers raises plain Exceptions and panics, and transformers whatever half a file leads to.
    except BaseException as error:
        if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
            raise
        refuse_code(error, request, source)
        said = "there is no file of one" if not any(map(_IS_ONES.search, names)) else summary(error)
        if isinstance(error, RecursionError):
            raise ModelNotFoundError(
                f"the tokenizer of {request.model_id} cannot be loaded: its unknown token is no token of its "
                "vocabulary (tokenizer.json), and transformers looks for it without end",
                remedy="name in tokenizer_config.json the `unk_token`, `bos_token` and `eos_token` that the vocabulary "
                'has (in Llama 1 "<unk>", "<s>" and "</s>"), or fetch the files again',
            ) from error
        raise ModelNotFoundError(
            f"the tokenizer of {request.model_id} cannot be loaded: {said}",
            remedy=remedy_for(source),
        ) from error
    if "tokenizer.json" in names:
        said = _compare_file(found, source.directory / "tokenizer.json")
        return found, "; ".join(filter(None, (f"tokenizer.json, as {type(found).__name__}", said)))
    if "tokenizer.model" in common:
        return found, "; ".join(filter(None, (f"tokenizer.model, as {type(found).__name__}", said)))
    return found, f"files of its class, as {type(found).__name__}"


def _compare_file(found: PreTrainedTokenizerBase, path: Path) -> str:
    """What to say where the file by itself gives other ids: transformers 5 makes some classes by rules of its own."""
    if not found.is_fast:
        return ""
    # Building a large vocabulary twice would be felt, so what the file gives is remembered as digests are.
    real = path.resolve()
    what = f"{hash_of_probes()} by tokenizers {tokenizers.__version__}"
    expected, _ = remembered(real, what, lambda: _ids_of_file(real))
    if not expected:
        return ""
    other = differing_texts(found, expected)
    if not other:
        return ""
    return (
        f"the file by itself gives other ids for {other} of {len(PROBES)} texts than transformers "
        f"{transformers.__version__}, whose ids are used"
    )


def _ids_of_file(path: Path) -> list[list[int]]:
    """The ids of `PROBES` by a tokenizer.json itself; empty where it is of an older form that transformers repairs."""
    try:
        own = tokenizers.Tokenizer.from_file(str(path))
    except Exception:  # noqa: BLE001 - what transformers made of it can be read
        return []
    return [own.encode(text, add_special_tokens=False).ids for text in PROBES]


def _by_transformers(
    request: LoadRequest, source: ModelSource, config: PreTrainedConfig | None, theirs: bool
) -> PreTrainedTokenizerBase:
    where: dict[str, Any] = place(request, source)
    kind = str(source.read_json("config.json").get("model_type", ""))
    if has_reader() and (theirs or _MISTRAL.match(kind)):
        # transformers would give the folder to mistral-common, only because that is installed.
        found: PreTrainedTokenizerBase = transformers.PreTrainedTokenizerFast.from_pretrained(
            source.load_from, **where
        )
        return found
    path = source.load_from
    if source.kind == "hub" and config is None and "config.json" not in source.names():
        # Of a repository transformers wants the model's configuration, of a folder it does without.
        path, where = str(source.directory), {}
    found = transformers.AutoTokenizer.from_pretrained(
        path, config=config, trust_remote_code=runs_code(request, source), **where
    )
    found.name_or_path = source.load_from
    if callable(getattr(found, "added_tokens_decoder", None)):
        raise ModelNotFoundError(
            f"the tokenizer of {request.model_id} is a {type(found).__name__}, which has other methods",
            remedy="add the tokenizer.json of the same model",
        )
    return found


def compare_siblings(
    tokenizer: PreTrainedTokenizerBase, source: ModelSource, used: str
) -> tuple[str, ...]:
    """What the other tokenizer files of the folder would have given, where that differs.

    Args:
        tokenizer: What was made of the files.
        source: Where they are.
        used: What it was made of, as `tokenizer_of_files` said.

    Raises:
        TokenizerMismatchError: One of them is another tokenizer.
    """
    names = source.names()
    found: list[str] = []
    known = tokenizer.get_vocab()
    if not tokenizer.is_fast:  # its vocabulary may be spelt in any way
        names = ()
    for name, sample in sibling_vocabularies(source.directory, names):
        wrong = differing(known, sample)
        if len(wrong) > _MOST_DIFFERING * len(sample):
            raise TokenizerMismatchError(
                f"{source.directory} holds two tokenizers that disagree: {len(wrong)} of {len(sample)} tokens "
                f"of {name} have another id in {used.partition(',')[0]}, or none",
                evidence={"file": name, "differing": wrong[:10], "compared": len(sample)},
                remedy="fetch the files of one model again, and remove those of the other",
            )
        if wrong:
            found.append(f"{name} has other ids for {len(wrong)} of {len(sample)} tokens")
    theirs = mistral_file(names)
    if theirs is not None and not used.startswith(theirs):
        found.append(_compare_texts(tokenizer, source, theirs))
    return tuple(found)


def _compare_texts(tokenizer: PreTrainedTokenizerBase, source: ModelSource, name: str) -> str:
    said = f"{name} lies beside it, which others read"
    if not has_reader():
        return f"{said}; not compared, mistral-common is not installed"
    try:
        expected = mistral_ids(source.directory / name)
    except Exception as error:  # noqa: BLE001 - a file that was not used must not stop the load
        return f"{said}; not compared, {reader()} cannot read it ({type(error).__name__})"
    other = differing_texts(tokenizer, expected)
    return f"{said}: {reader()} gives other ids for {other} of {len(PROBES)} texts"


def remedy_for(source: ModelSource) -> str:
    """What a folder whose tokenizer cannot be read needs."""
    names = source.names()
    torn = _torn(source, names)
    if torn:
        return f"fetch {torn} again: it is torn, or is another file under that name"
    if "tokenizer.model" in names and "tokenizer.json" not in names:
        if all(find_spec(package) for package in ("sentencepiece", "tiktoken")):
            return "fetch tokenizer.model and tokenizer_config.json again"
        return "pip install sentencepiece protobuf tiktoken, which read its tokenizer.model"
    if any(name.endswith(".gguf") for name in names) and "tokenizer.json" not in names:
        return "its tokenizer is inside the GGUF file, which is not loaded here; name the original checkpoint"
    return "the directory needs tokenizer.json or the files of its tokenizer class"


def _torn(source: ModelSource, names: Sequence[str]) -> str:
    """The first file of a tokenizer that cannot be read as what its name says; empty where each can be."""
    for name in names:
        if not fnmatchcase(name, "*token*.json") and name not in ("vocab.json", TEKKEN):
            continue
        try:
            if not isinstance(json.loads((source.directory / name).read_bytes()), dict):
                return name
        except (ValueError, OSError, RecursionError):
            return name
    if "tokenizer.json" in names:
        from tokenizers import Tokenizer

        try:
            Tokenizer.from_file(str(source.directory / "tokenizer.json"))
        # tokenizers raises plain Exceptions, and panics, which are none.
        except BaseException as error:
            if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
                raise
            return "tokenizer.json"
    return ""


def place(request: LoadRequest, source: ModelSource) -> dict[str, Any]:
    """The keywords of `from_pretrained` that say where the files are."""
    found = {"cache_dir": request.cache_dir, "token": request.token, "revision": source.revision}
    if request.local_files_only:
        found["local_files_only"] = True
    if source.kind == "hub":
        found["subfolder"] = request.subfolder
    if runs_code(request, source):
        found["code_revision"] = request.code_revision
    return {name: value for name, value in found.items() if value is not None}
