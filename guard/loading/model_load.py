"""Reads a model's weights, all of them and no others, and says what is wrong with the files."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from cleanguard.installing import install
from guard.base.quiet import quiet_bitsandbytes
from guard.errors import (
    GuardError,
    MissingExtraError,
    MissingWeightsError,
    ModelNotFoundError,
    ModelTooLargeError,
    SettingsError,
    TokenizerMismatchError,
)
from guard.files import hub
from guard.files.devices import memory_is_full, refuse_absent_device
from guard.files.hub import transformers
from guard.files.remote_code import refuse_code, runs_code
from guard.files.request import LoadRequest
from guard.files.source import ModelSource
from guard.loading.config_values import reason, summary
from guard.loading.leftovers import makes_no_model, misshapen, torn_weights, unused_tensors
from guard.loading.quantization import (
    bitsandbytes_config,
    refuse_unquantized,
    settle_compute_dtype,
)
from guard.loading.stored_quantization import refuse_stored, stored_failure
from guard.loading.tokenizer_read import place
from guard.provenance.tensors import weight_files

if TYPE_CHECKING:
    from transformers import PreTrainedConfig, PreTrainedModel, PreTrainedTokenizerBase

_PASSED_ON = (
    *("device_map", "attn_implementation", "max_memory", "variant", "offload_folder"),
    *("tp_plan", "tp_size", "device_mesh", "distributed_config", "experts_implementation"),
    *("disable_mmap", "key_mapping"),
)


class ReadModel(NamedTuple):
    """A model as its files gave it, and the stored tensors that no part of it takes."""

    model: PreTrainedModel
    unused: tuple[str, ...]


def read_model(
    request: LoadRequest, source: ModelSource, config: PreTrainedConfig | None = None
) -> ReadModel:
    """Load the weights as asked for; a `config` that was read before is not read again.

    Raises:
        ModelNotFoundError: A file is torn or absent, or the configuration is of no causal model, or
            of one that is quantized in a way that cannot be loaded here.
        MissingWeightsError: Tensors are absent, and transformers would make them up; or tensors are
            there that belong to the model and that its configuration leaves out.
        ModelTooLargeError: The memory does not suffice.
        SettingsError: The installed transformers does not know a keyword yet; a device or an
            attention package is not here; the checkpoint is quantized otherwise already.
        MissingExtraError: bitsandbytes is needed and not installed.
    """
    stored = refuse_stored(request, source)
    options: dict[str, Any] = {
        "dtype": request.dtype,
        "use_safetensors": None if request.allow_pickle else True,
        "trust_remote_code": runs_code(request, source),
        # Only so that what does not fit is reported by name; it is refused below.
        "ignore_mismatched_sizes": True,
    }
    for name in _PASSED_ON:
        if getattr(request, name) is not None:
            options[name] = getattr(request, name)
    if request.offload_buffers:
        options["offload_buffers"] = True
    refuse_absent_device(request.device_map)
    if request.quantization != "none" and stored is None:
        quiet_bitsandbytes()
        hub.need("bitsandbytes", "train")
        options["quantization_config"] = bitsandbytes_config(
            request, config, trusted=options["trust_remote_code"]
        )
    # A class reads its own configuration, which may be of another kind than the automatic one.
    usual = config if request.model_class is None else None
    given = usual if request.config is None else request.config
    try:
        model, report = (request.model_class or transformers.AutoModelForCausalLM).from_pretrained(
            source.load_from,
            config=given,
            output_loading_info=True,
            **options,
            **place(request, source),
        )
    except ImportError as error:
        if stored is not None:
            raise stored_failure(error, stored, request) from error
        if "ttention" in str(error):
            raise _no_attention(request, source, error) from error
        raise MissingExtraError(
            f"a package that this load needs is absent: {summary(error)}",
            remedy=install("train"),
        ) from error
    # Each class of model builds itself of a config in its own way, and raises what it likes.
    except Exception as error:
        if memory_is_full(error):
            raise ModelTooLargeError(
                f"{request.model_id} does not fit: {summary(error)}",
                remedy='load_in_8bit=True or load_in_4bit=True, device_map="auto", max_memory=…, or '
                "another process still holds the memory",
            ) from error
        refuse_code(error, request, source)
        if stored is not None:
            raise stored_failure(error, stored, request) from error
        raise _cannot_load(request, source, config, options, error) from error
    _refuse_invented(report, request.model_id, stored)
    refuse_unquantized(model, request)
    if stored is None:
        settle_compute_dtype(model, request)
    return ReadModel(model, unused_tensors(model, report, request.model_id))


def _cannot_load(
    request: LoadRequest,
    source: ModelSource,
    config: PreTrainedConfig | None,
    options: dict[str, Any],
    error: Exception,
) -> GuardError:
    """What to say of a load that transformers broke off: a keyword, shapes, or its own words."""
    old = [name for name in _PASSED_ON if name in options and f"'{name}'" in str(error)]
    if isinstance(error, TypeError) and old:
        return SettingsError(
            f"transformers {transformers.__version__} has no keyword {old[0]!r}",
            remedy="leave it out, or install a newer transformers",
        )
    trusted = bool(options["trust_remote_code"])
    wrong = misshapen(source.directory, request.variant, config, trusted=trusted)
    if wrong:
        return _invented(request.model_id, (), wrong)
    torn = torn_weights(source.directory, request.variant)
    if torn and type(error).__name__ == "SafetensorError":
        return ModelNotFoundError(
            f"the weight files of {request.model_id} cannot be read: {torn}",
            remedy="fetch that file again (a Git LFS pointer: `git lfs pull`)",
        )
    absent = [p.name for p in weight_files(source.directory, request.variant) if not p.is_file()]
    if absent and isinstance(error, FileNotFoundError):
        return ModelNotFoundError(
            f"the index of the weights of {request.model_id} lists what is not there: "
            f"{', '.join(absent[:4])}{', …' if len(absent) > 4 else ''}",
            evidence={"absent": absent},
            remedy="fetch those files again",
        )
    if "attn_implementation" in str(error):
        return _no_attention(request, source, error)
    said = reason(error, source)
    if not isinstance(error, (OSError, ValueError, ImportError, KeyError)):
        said = f"{type(error).__name__}: {said}"
    barren = config is not None and makes_no_model(config, trusted=trusted)
    return ModelNotFoundError(
        f"{source.directory / 'config.json'} makes no model: {said}"
        if barren
        else f"{request.model_id} cannot be loaded as a causal language model: {said}",
        evidence={"error": type(error).__name__},
        remedy="correct what is named there, or fetch the file again; the full error stands above"
        if barren
        else "look at its config.json, generation_config.json and weight files, and at the "
        "keywords of the call; the full error stands above",
    )


def _no_attention(request: LoadRequest, source: ModelSource, error: Exception) -> GuardError:
    asked = request.attn_implementation
    names = ("_attn_implementation", "attn_implementation", "_attn_implementation_internal")
    stored = next(filter(None, map(source.read_json("config.json").get, names)), None)
    who = (
        f"attn_implementation={asked!r}" if asked else f"config.json asks for attention {stored!r}"
    )
    kind = MissingExtraError if isinstance(error, ImportError) else SettingsError
    return kind(
        f"{who}: {summary(error)}",
        remedy='install it, or take attn_implementation="sdpa", the default',
    )


def refuse_strange_tokenizer(
    tokenizer: PreTrainedTokenizerBase, rows: int, request: LoadRequest
) -> None:
    """Raise TokenizerMismatchError if plain text can give ids that the embedding has no row for."""
    if len(tokenizer) <= rows:
        return
    added = tokenizer.added_tokens_decoder
    beyond = [i for i in tokenizer.get_vocab().values() if i >= rows and i not in added]
    if beyond:
        raise TokenizerMismatchError(
            f"the tokenizer of {request.model_id} has ids up to {max(beyond)}, and the model's "
            f"embedding has {rows} rows",
            evidence={"highest": max(beyond), "rows": rows, "ids": len(beyond)},
            remedy="the directory holds another model's tokenizer; fetch its files again",
        )


def _refuse_invented(report: dict[str, Any], model_id: str, stored: str | None) -> None:
    absent = sorted(report.get("missing_keys") or ())
    wrong = sorted(str(key[0]) for key in report.get("mismatched_keys") or ())
    if absent or wrong:
        raise _invented(model_id, absent, wrong, stored)


def _invented(
    model_id: str, absent: Sequence[str], wrong: Sequence[str], stored: str | None = None
) -> MissingWeightsError:
    what = f"lack {len(absent)}" if absent else f"have another shape for {len(wrong)}"
    return MissingWeightsError(
        f"the weight files of {model_id} {what} of the model's tensors "
        f"({', '.join((absent or wrong)[:3])}, …); transformers would fill in random numbers",
        evidence={"missing": list(absent[:50]), "mismatched": list(wrong[:50])},
        remedy="fetch the files again, or name the checkpoint that config.json belongs to"
        + (f"; it says that the weights are quantized with {stored}" if stored else ""),
    )
