"""What is settled before vLLM reads a model: that it reads what was measured, whole, and says why not."""

from __future__ import annotations

import os
import random
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stdout, suppress
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING

from guard.base.checks import CheckList
from guard.errors import EngineStartError, SettingsError
from guard.files.hub import torch
from guard.files.request import LoadRequest
from guard.files.source import ModelSource
from guard.loading.leftovers import check_use
from guard.loading.model_load import read_model, refuse_strange_tokenizer
from guard.loading.stored_quantization import stored_method
from guard.loading.tokenizer_load import refuse_prefix_beyond
from guard.loading.weight_files import check_weight_files
from guard.prompts.policy import policy_of
from guard.provenance.measure import context_of
from guard.provenance.tensors import weight_files

if TYPE_CHECKING:
    from transformers import PreTrainedConfig, PreTrainedTokenizerBase

# What the road through vLLM follows; everything else that can be asked of a load is refused.
_FOLLOWED = frozenset(
    {"model_id", "dtype", "revision", "cache_dir", "token", "local_files_only", "subfolder"}
    | {"force_download", "padding_side", "allow_chat_model", "bos", "special_tokens"}
)
# vLLM reports its use to its makers unless told not to, and writes to standard output.
_SETTINGS: Mapping[str, str] = {
    "VLLM_NO_USAGE_STATS": "1",
    "VLLM_LOGGING_STREAM": "ext://sys.stderr",
}
# With one device all of vLLM runs in this process: it ends when this ends, and its errors are raised here.
_IN_PROCESS = {"VLLM_ENABLE_V1_MULTIPROCESSING": "0"}


@dataclass(frozen=True, slots=True)
class Shape:
    """A model as transformers has it, without its weights.

    Attributes:
        dtype: The dtype that transformers loads it in, by name.
        rows: Rows of the embedding: ids are below it.
        context: Most positions that it was made for, as its config says.
        architecture: Its class.
        eos: The EOS ids that its config names.
        unused: Stored tensors that no part of it takes.
    """

    dtype: str
    rows: int
    context: int | None
    architecture: str
    eos: int | list[int] | None
    unused: tuple[str, ...]


def refuse_request(request: LoadRequest) -> None:
    """Raise SettingsError for anything that was asked for and that vLLM would not follow."""
    if request.quantization != "none" or request.for_training or request.allow_pickle:
        asked = "training" if request.for_training else request.quantization
        raise SettingsError(
            f"vLLM was asked for with {'pickled weights' if request.allow_pickle else asked}",
            remedy="it gets safetensors in 16 or 32 bits here, for generation; leave that out",
        )
    if request.trust_remote_code:
        raise SettingsError(
            "vLLM was asked for with trust_remote_code=True",
            remedy="a model with code of its own is loaded by CleanModelLoader alone",
        )
    asked_for = [
        field.name
        for field in fields(request)
        if field.name not in _FOLLOWED
        and getattr(request, field.name) not in (None, False, "")
        and not (field.name == "padding" and request.padding == "auto")
    ]
    if asked_for:
        raise SettingsError(
            f"vLLM was asked for with {', '.join(asked_for)}, which it does not follow here",
            remedy="leave it out, or generate with transformers",
        )


def shape_of(
    request: LoadRequest,
    source: ModelSource,
    config: PreTrainedConfig | None,
    tokenizer: PreTrainedTokenizerBase,
    checks: CheckList,
) -> Shape:
    """Compare the weight files with the model that config.json describes; no weight is read.

    Raises:
        MissingWeightsError: Tensors are absent, of another shape, or left out by config.json.
        SettingsError: vLLM would read files that are not measured, or quantize.
        ModelNotFoundError, TokenizerMismatchError: As `CleanModelLoader.load`.
    """
    method = stored_method(source)
    if method is not None:
        raise SettingsError(
            f"config.json of {request.model_id} says {method}, which vLLM would follow by itself",
            remedy="name the unquantized checkpoint, or generate with transformers",
        )
    check_weight_files(request, source, checks)
    _refuse_further_files(request, source)
    model, unused = read_model(replace(request, device_map="meta"), source, config)
    check_use(model, source, unused, checks)
    rows = int(model.get_input_embeddings().weight.shape[0])
    refuse_strange_tokenizer(tokenizer, rows, request)
    refuse_prefix_beyond(policy_of(tokenizer), rows, request)
    return Shape(
        dtype=str(model.dtype).removeprefix("torch."),
        rows=rows,
        context=context_of(model),
        architecture=type(model).__name__,
        eos=model.config.get_text_config().eos_token_id,
        unused=unused,
    )


def settle_environment(devices: int) -> dict[str, str]:
    """Set what vLLM reads from the environment, where the user did not; returns what holds now."""
    chosen = {**_SETTINGS, **(_IN_PROCESS if devices == 1 else {})}
    for name, value in chosen.items():
        os.environ.setdefault(name, value)
    return {name: os.environ[name] for name in chosen}


@contextmanager
def kept_apart() -> Iterator[None]:
    """What vLLM prints goes to standard error, and torch's, numpy's and Python's random states stay."""
    before, drawn = random.getstate(), torch.get_rng_state()
    numpy = sys.modules.get("numpy")
    state = numpy.random.get_state() if numpy is not None else None
    with suppress(OSError, ValueError):
        sys.stdout.flush()
    try:
        kept = os.dup(1)
        os.dup2(2, 1)
    except OSError:
        kept = None
    try:
        with redirect_stdout(sys.stderr):
            yield
    finally:
        if kept is not None:
            os.dup2(kept, 1)
            os.close(kept)
        random.setstate(before)
        torch.set_rng_state(drawn)
        if numpy is not None:
            numpy.random.set_state(state)


def start_failure(error: Exception, release: str) -> EngineStartError:
    """What to say where vLLM could not start: the first cause, in its words."""
    first: BaseException = error
    while first.__cause__ is not None or first.__context__ is not None:
        first = first.__cause__ or first.__context__ or first
    said = " ".join(str(first).split()) or type(first).__name__
    return EngineStartError(
        f"vLLM {release} could not start: {type(first).__name__}: {said}",
        evidence={"error": type(error).__name__, "cause": said},
        remedy="what it wrote stands above, on standard error; gpu_memory and context decide how much "
        "memory it takes, and transformers generates without it",
    )


def _refuse_further_files(request: LoadRequest, source: ModelSource) -> None:
    """vLLM reads every safetensors file that no index leaves out."""
    if (source.directory / "model.safetensors.index.json").is_file():
        return
    measured = {path.name for path in weight_files(source.directory)}
    further = sorted(
        name for name in source.names() if name.endswith(".safetensors") and name not in measured
    )
    if further:
        raise SettingsError(
            f"{request.model_id} holds {', '.join(further[:4])} beside {', '.join(sorted(measured)[:4])}; "
            "vLLM reads all of them, and one set overwrites the other",
            evidence={"measured": sorted(measured), "further": further},
            remedy="remove what is not meant, or generate with transformers",
        )
