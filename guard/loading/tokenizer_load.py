"""Loads a tokenizer checked and guarded: the first half of a load, or all that a script needs."""

from __future__ import annotations

from dataclasses import replace
from os import PathLike
from typing import TYPE_CHECKING

from guard.base.checks import CheckList
from guard.base.vocabulary import encodes
from guard.errors import ModelNotFoundError, TokenizerMismatchError
from guard.files.hub import transformers
from guard.files.remote_code import check_pin, refuse_code, runs_code
from guard.files.request import LoadRequest
from guard.files.source import ModelSource, open_source
from guard.loading.architecture import refuse_other_kind
from guard.loading.config_values import reason, refuse_senseless, refuse_window
from guard.loading.tokenizer_files import (
    copy_tokenizer,
    keep_files,
    settle_own,
    strip_for_training,
)
from guard.loading.tokenizer_read import (
    compare_siblings,
    place,
    remedy_for,
    tokenizer_of_files,
)
from guard.prompts.choice import PromptChoice, choice_of, choose, said_in
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
    rows = rows_by_config(source, tokenizer)
    _, own = settle_own(tokenizer, request, rows)
    refuse_prefix_beyond(policy_of(tokenizer), rows, request)
    block_templates(tokenizer, request.model_id)
    run_token_sentinels(tokenizer, policy_of(tokenizer), checks)
    keep_files(tokenizer, source.directory, own)
    if request.for_training:
        strip_for_training(tokenizer)
    return tokenizer


def refuse_prefix_beyond(policy: PromptPolicy, rows: int, request: LoadRequest) -> None:
    """Raise TokenizerMismatchError if prompts begin with ids that the embedding has no row for."""
    beyond = [index for index in policy.prefix if index >= rows]
    if beyond:
        raise TokenizerMismatchError(
            f"every prompt of {request.model_id} begins with id {beyond[0]}, and the model's embedding has {rows} rows",
            evidence={
                "prefix": list(policy.prefix),
                "rows": rows,
                "weighed": list(policy.bos_evidence),
            },
            remedy='the files name a BOS that the model does not know; fetch them again, or say bos="none"',
        )


def save_tokenizer(request: LoadRequest, path: str | PathLike[str]) -> tuple[str, ...]:
    """Copy the model's own tokenizer files to a directory; see `copy_tokenizer`."""
    return copy_tokenizer(open_source(request, weights=False).directory, path)


def read_config(request: LoadRequest, source: ModelSource) -> PreTrainedConfig | None:
    """The model's configuration, read once for tokenizer and weights.

    None where transformers must find it by itself: behind an adapter, or not at all, which it then
    says in its own words.

    Raises:
        ModelNotFoundError: It holds a value that no model can have, or is of another kind of model.
    """
    refuse_senseless(request, source)
    if request.allow_adapter:
        return None
    try:
        found: PreTrainedConfig = transformers.AutoConfig.from_pretrained(
            source.load_from,
            trust_remote_code=runs_code(request, source),
            **place(request, source),
        )
    except (OSError, ValueError):
        return None
    # Each configuration class checks its fields in its own way, and raises what it likes.
    except Exception as error:
        refuse_code(error, request, source)
        raise ModelNotFoundError(
            f"{source.directory / 'config.json'} is no configuration of a model: {reason(error, source)}",
            evidence={"error": type(error).__name__},
            remedy="fetch the file again, or look at the value that is named",
        ) from error
    refuse_other_kind(found, source)
    refuse_window(found, source)
    found.return_dict = True  # the models of transformers 5 ask one another for nothing else
    return found


def read_tokenizer(
    request: LoadRequest,
    source: ModelSource,
    checks: CheckList,
    *,
    look_only: bool = False,
    config: PreTrainedConfig | None = None,
) -> PreTrainedTokenizerBase:
    """The tokenizer as its files have it, not yet guarded; a chat model's only if `look_only`.

    Raises:
        ModelNotFoundError: No file of a tokenizer, or none that can be read.
        MissingExtraError: A package that reads its file is not installed.
        TokenizerMismatchError: Two tokenizers lie there that disagree.
        ChatModelError, RemoteCodeError: See their classes.
    """
    tokenizer, used = tokenizer_of_files(request, source, config)
    # transformers makes an empty tokenizer, silently, where a directory has no tokenizer files.
    if not encodes(tokenizer):
        raise ModelNotFoundError(
            f"the tokenizer of {request.model_id} has an empty vocabulary",
            remedy=remedy_for(source),
        )
    said = compare_siblings(tokenizer, source, used)
    told = said or ";" in used
    checks.add("one-tokenizer", None, "; ".join((used, *said)), "recorded" if told else "pass")
    choose(tokenizer, _choice(request, source, used))
    if not look_only:
        refuse_chat_model(source, tokenizer, checks, allowed=request.allow_chat_model)
    return tokenizer


def _choice(request: LoadRequest, source: ModelSource, used: str) -> PromptChoice:
    return replace(
        said_in(source.read_json("tokenizer_config.json")),
        bos=request.bos,
        special_tokens=request.special_tokens,
        read_from=used,
    )


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
        bos_asked=policy.bos_asked,
        bos_evidence=policy.bos_evidence,
        special_tokens_spelt=policy.special_tokens,
        read_from=choice_of(tokenizer).read_from,
    )


def rows_by_config(source: ModelSource, tokenizer: PreTrainedTokenizerBase) -> int:
    """Rows of the embedding as `config.json` says; without a config, the vocabulary's size."""
    config = source.read_json("config.json")
    inner = config.get("text_config")
    for part in (inner if isinstance(inner, dict) else {}, config):
        if isinstance(part.get("vocab_size"), int):
            return int(part["vocab_size"])
    return len(tokenizer)
