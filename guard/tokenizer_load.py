"""Loads a tokenizer checked and guarded: the first half of a load, or all that a script needs."""

from __future__ import annotations

import re
from os import PathLike
from typing import TYPE_CHECKING, Any

from cleanguard import hazards
from guard.checks import CheckList
from guard.errors import ModelNotFoundError, RemoteCodeError
from guard.hub import transformers
from guard.padding import settle_padding
from guard.policy import PromptPolicy, policy_of
from guard.provenance import PadRecord, TokenizerRecord
from guard.request import LoadRequest
from guard.sentinels import run_token_sentinels
from guard.source import ModelSource, open_source
from guard.standing import refuse_chat_model
from guard.templates import block_templates, template_hashes
from guard.tokenizer_files import copy_tokenizer, strip_for_training

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

_COMMIT = re.compile(r"[0-9a-f]{40}")


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


def check_pin(request: LoadRequest, source: ModelSource, checks: CheckList) -> None:
    """Raise RemoteCodeError for code that is not pinned; an unpinned model is noted."""
    pinned = source.kind == "local" or bool(_COMMIT.fullmatch(request.revision or ""))
    runs = runs_code(request, source)
    if runs and not pinned:
        raise RemoteCodeError(
            f"trust_remote_code=True with revision={request.revision!r}",
            remedy=f"read the code and pass revision={source.revision!r}",
        )
    if request.trust_remote_code:
        said = "" if runs else "trust_remote_code=True, but the model has no code of its own"
        checks.add("no-remote-code", hazards.REMOTE_CODE, said, "overridden" if runs else "pass")
    else:
        checks.add("no-remote-code", hazards.REMOTE_CODE)
    if pinned:
        checks.add("pinned-revision", hazards.UNPINNED_REVISION)
    else:
        said = (
            f"{request.revision or 'the default branch'} stood for {source.revision} at this load"
        )
        checks.add("pinned-revision", hazards.UNPINNED_REVISION, said, "recorded")


def runs_code(request: LoadRequest, source: ModelSource) -> bool:
    """Whether code of the model's repository is to run: it has some, and it is trusted."""
    return request.trust_remote_code and any(
        source.read_json(name).get("auto_map") for name in ("config.json", "tokenizer_config.json")
    )


def refuse_code(error: BaseException, request: LoadRequest, source: ModelSource) -> None:
    """Raise RemoteCodeError if transformers failed because it may not run the repository's code."""
    if not request.trust_remote_code and "trust_remote_code" in str(error):
        pin = "" if source.revision is None else f" and revision={source.revision!r}"
        raise RemoteCodeError(
            f"{request.model_id} is no model that transformers knows; it brings its own code",
            remedy=f"read the code, then pass trust_remote_code=True{pin}",
        ) from error


def read_tokenizer(
    request: LoadRequest, source: ModelSource, checks: CheckList, *, look_only: bool = False
) -> PreTrainedTokenizerBase:
    """The tokenizer as its files have it, not yet guarded; a chat model's only if `look_only`."""
    remedy = "the directory needs tokenizer.json or the files of its tokenizer class"
    if "tokenizer.model" in source.names() and "tokenizer.json" not in source.names():
        remedy = "pip install sentencepiece protobuf tiktoken, which read its tokenizer.model"
    try:
        tokenizer = transformers.AutoTokenizer.from_pretrained(
            source.load_from,
            trust_remote_code=runs_code(request, source),
            **place(request, source),
        )
    except (OSError, ValueError) as error:
        refuse_code(error, request, source)
        raise ModelNotFoundError(
            f"the tokenizer of {request.model_id} cannot be loaded: {first_line(error)}",
            remedy=remedy,
        ) from error
    # transformers makes an empty tokenizer, silently, where a directory has no tokenizer files.
    if not tokenizer("a", add_special_tokens=False)["input_ids"]:
        raise ModelNotFoundError(
            f"the tokenizer of {request.model_id} has an empty vocabulary", remedy=remedy
        )
    if not look_only:
        refuse_chat_model(source, tokenizer, checks, allowed=request.allow_chat_model)
    return tokenizer


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
