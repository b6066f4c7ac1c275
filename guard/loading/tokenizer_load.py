"""Loads a tokenizer checked and guarded: the first half of a load, or all that a script needs."""

from __future__ import annotations

from os import PathLike
from typing import TYPE_CHECKING, Any

from guard.base.checks import CheckList
from guard.errors import ModelNotFoundError
from guard.files.hub import transformers
from guard.files.remote_code import check_pin, refuse_code, runs_code
from guard.files.request import LoadRequest
from guard.files.source import ModelSource, open_source
from guard.loading.padding import settle_padding
from guard.loading.tokenizer_files import copy_tokenizer, strip_for_training
from guard.prompts.policy import PromptPolicy, policy_of
from guard.prompts.sentinels import run_token_sentinels
from guard.prompts.standing import refuse_chat_model
from guard.prompts.templates import block_templates, template_hashes
from guard.provenance.record import PadRecord, TokenizerRecord

if TYPE_CHECKING:
    from transformers import PreTrainedConfig, PreTrainedTokenizerBase


def load_tokenizer(request: LoadRequest) -> PreTrainedTokenizerBase:
    """The guarded tokenizer of a model whose weights are neither read nor fetched.

    The padding token is chosen by the rows that `config.json` says the embedding has, so that it is
    the one that a full load chooses; without a config every token of the vocabulary counts.

    Raises:
        ModelNotFoundError, ChatModelError, RemoteCodeError: As `CleanModelLoader.load` does.
    """
    checks = CheckList()
    source = open_source(request, weights=False)
    check_pin(request, source, checks)
    tokenizer = read_tokenizer(request, source, checks)
    settle_padding(tokenizer, request.padding_side, rows_by_config(source, tokenizer))
    block_templates(tokenizer, request.model_id)
    run_token_sentinels(tokenizer, policy_of(tokenizer), checks)
    if request.for_training:
        strip_for_training(tokenizer, source.directory)
    return tokenizer


def save_tokenizer(request: LoadRequest, path: str | PathLike[str]) -> tuple[str, ...]:
    """Copy the model's own tokenizer files to a directory; see `copy_tokenizer`."""
    return copy_tokenizer(open_source(request, weights=False).directory, path)


def read_config(request: LoadRequest, source: ModelSource) -> PreTrainedConfig | None:
    """The model's configuration, read once for tokenizer and weights.

    None where transformers must find it by itself: behind an adapter, or not at all, which it then
    says in its own words.
    """
    source.read_json("config.json")  # says itself what is wrong with the file
    if request.allow_adapter:
        return None
    try:
        found: PreTrainedConfig = transformers.AutoConfig.from_pretrained(
            source.load_from,
            trust_remote_code=runs_code(request, source),
            **place(request, source),
        )
    except (OSError, ValueError, KeyError):
        return None
    return found


def read_tokenizer(
    request: LoadRequest,
    source: ModelSource,
    checks: CheckList,
    *,
    look_only: bool = False,
    config: PreTrainedConfig | None = None,
) -> PreTrainedTokenizerBase:
    """The tokenizer as its files have it, not yet guarded; a chat model's only if `look_only`."""
    try:
        tokenizer = transformers.AutoTokenizer.from_pretrained(
            source.load_from,
            config=config,
            trust_remote_code=runs_code(request, source),
            **place(request, source),
        )
    except (OSError, ValueError) as error:
        refuse_code(error, request, source)
        raise ModelNotFoundError(
            f"the tokenizer of {request.model_id} cannot be loaded: {first_line(error)}",
            remedy=_remedy(source),
        ) from error
    # transformers makes an empty tokenizer, silently, where a directory has no tokenizer files.
    backend = getattr(tokenizer, "backend_tokenizer", None)
    found = (
        tokenizer("a", add_special_tokens=False)["input_ids"]
        if backend is None
        else backend.encode("a", add_special_tokens=False).ids
    )
    if not found:
        raise ModelNotFoundError(
            f"the tokenizer of {request.model_id} has an empty vocabulary",
            remedy=_remedy(source),
        )
    if not look_only:
        refuse_chat_model(source, tokenizer, checks, allowed=request.allow_chat_model)
    return tokenizer


def _remedy(source: ModelSource) -> str:
    names = source.names()
    if "tokenizer.model" in names and "tokenizer.json" not in names:
        return "pip install sentencepiece protobuf tiktoken, which read its tokenizer.model"
    return "the directory needs tokenizer.json or the files of its tokenizer class"


def tokenizer_record(
    tokenizer: PreTrainedTokenizerBase, policy: PromptPolicy, pad: PadRecord
) -> TokenizerRecord:
    """What provenance says about a guarded tokenizer."""
    return TokenizerRecord(
        kind=type(tokenizer).__name__,
        digest=policy.digest,
        size=len(tokenizer),
        family=policy.family,
        bos_prefix=policy.prefix,
        bos_source=policy.bos_source,
        special_tokens={name: str(token) for name, token in tokenizer.special_tokens_map.items()},
        pad=pad,
        padding_side=tokenizer.padding_side,
        templates=template_hashes(tokenizer),
        control_ids=policy.control.ids,
        control_markers=policy.control.markers,
    )


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


def first_line(error: BaseException) -> str:
    """The first line of an error's message, or its class where there is none."""
    if isinstance(error, KeyError):
        return f"one of its JSON files lacks {error}"
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__


def rows_by_config(source: ModelSource, tokenizer: PreTrainedTokenizerBase) -> int:
    """Rows of the embedding as `config.json` says; without a config, the vocabulary's size."""
    config = source.read_json("config.json")
    inner = config.get("text_config")
    for part in (inner if isinstance(inner, dict) else {}, config):
        if isinstance(part.get("vocab_size"), int):
            return int(part["vocab_size"])
    return len(tokenizer)
