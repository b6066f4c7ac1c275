"""Carries out one load, step by step: files, tokenizer, weights, settings, guard, record."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cleanguard import hazards
from guard import hub
from guard.checks import CheckList
from guard.control_tokens import ends_a_turn
from guard.enforcement import install
from guard.environment import installed, measure_environment
from guard.errors import AdapterAsBaseError, ModelNotFoundError
from guard.hub import torch, transformers
from guard.measure import check_hub_files, model_record
from guard.padding import settle_padding
from guard.policy import PromptPolicy, policy_of
from guard.provenance import SCHEMA, GenerationRecord, Provenance, utc_now
from guard.request import LoadRequest
from guard.sentinels import run_token_sentinels
from guard.settings import greedy_config
from guard.source import ModelSource, fetch_weights, open_source
from guard.state import GuardState
from guard.templates import block_templates
from guard.tokenizer_files import strip_for_training
from guard.tokenizer_load import (
    check_pin,
    first_line,
    place,
    read_tokenizer,
    refuse_code,
    runs_code,
    tokenizer_record,
)

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

_PASSED_ON = (
    *("device_map", "attn_implementation", "max_memory", "variant", "offload_folder"),
    *("tp_plan", "experts_implementation"),
)
# Not settings of a text: BOS is only used without a prompt, and padding has a record of its own.
_NO_SETTING = frozenset(
    {"_from_model_config", "transformers_version", "bos_token_id", "pad_token_id"}
)


def assemble(request: LoadRequest) -> tuple[PreTrainedModel, PreTrainedTokenizerBase, Provenance]:
    """Load what was asked for; raises as `CleanModelLoader.load` does."""
    checks = CheckList()
    source = open_source(request)
    check_pin(request, source, checks)
    tokenizer = read_tokenizer(request, source, checks)
    fetch_weights(request, source)
    model = _read_model(request, source)
    _check_adapter(model, request, checks)
    checks.add(
        "safetensors-only",
        hazards.PICKLE_WEIGHTS,
        verdict="overridden" if request.allow_pickle else "pass",
    )
    rows = model.get_input_embeddings().weight.shape[0]
    pad = settle_padding(tokenizer, request.padding_side, rows)
    policy = policy_of(tokenizer)
    settings = _replace_generation_config(model, policy, tokenizer, checks)
    block_templates(tokenizer, request.model_id)
    run_token_sentinels(tokenizer, policy, checks)
    record = tokenizer_record(tokenizer, policy, pad)
    if request.for_training:
        _keep_trainable(model)
        model.train()
        strip_for_training(tokenizer, source.directory)
    else:
        model.eval()
    measured = model_record(model, source, request.revision)
    check_hub_files(measured.files, checks)
    environment = measure_environment()
    provenance = Provenance(
        schema=SCHEMA,
        loader_version=environment.loader_source_sha256,
        cleanguard_version=installed("cleanguard"),
        created=utc_now(),
        model_id=request.model_id,
        quantization=measured.quantization.kind,
        dtype=max(measured.dtypes, key=lambda name: measured.dtypes[name]),
        revision=source.revision,
        model=measured,
        tokenizer=record,
        generation=settings,
        environment=environment,
        for_training=request.for_training,
        overrides=request.overrides,
        checks=checks.done(),
    )
    install(model, tokenizer, GuardState(policy, provenance))
    return model, tokenizer, provenance


def _read_model(request: LoadRequest, source: ModelSource) -> PreTrainedModel:
    options: dict[str, Any] = {
        "dtype": request.dtype,
        "use_safetensors": None if request.allow_pickle else True,
        "trust_remote_code": runs_code(request, source),
    }
    for name in _PASSED_ON:
        if getattr(request, name) is not None:
            options[name] = getattr(request, name)
    if request.quantization != "none":
        hub.need("bitsandbytes", "train")
        options["quantization_config"] = _quantization_config(request, source)
    try:
        return transformers.AutoModelForCausalLM.from_pretrained(
            source.load_from, **options, **place(request, source)
        )
    except (OSError, ValueError) as error:
        refuse_code(error, request, source)
        raise ModelNotFoundError(
            f"{request.model_id} cannot be loaded as a causal language model: {first_line(error)}",
            remedy="look at its config.json and weight files; the full error stands above",
        ) from error


def _quantization_config(request: LoadRequest, source: ModelSource) -> Any:
    if request.load_in_8bit:
        return transformers.BitsAndBytesConfig(load_in_8bit=True)
    config = source.read_json("config.json")
    named = config.get("dtype") or config.get("torch_dtype") or "float32"
    compute = named if request.dtype == "auto" else request.dtype
    return transformers.BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=getattr(torch, compute) if isinstance(compute, str) else compute,
    )


def _check_adapter(model: PreTrainedModel, request: LoadRequest, checks: CheckList) -> None:
    attached = bool(getattr(model, "_hf_peft_config_loaded", False))
    if attached and not request.allow_adapter:
        raise AdapterAsBaseError(f"loading {request.model_id} attached an adapter")
    checks.add("no-adapter", hazards.ADAPTER_AS_BASE, verdict="overridden" if attached else "pass")


def _replace_generation_config(
    model: PreTrainedModel,
    policy: PromptPolicy,
    tokenizer: PreTrainedTokenizerBase,
    checks: CheckList,
) -> GenerationRecord:
    """Set an explicit greedy config; keeps EOS ids, except those that end a chat turn."""
    old = {
        name: value
        for name, value in model.generation_config.to_diff_dict().items()
        if name not in _NO_SETTING and value is not None
    }
    named = old.get("eos_token_id", model.config.get_text_config().eos_token_id)
    listed = [] if named is None else [named] if isinstance(named, int) else list(named)
    ends = dict.fromkeys([*([] if policy.eos_id is None else [policy.eos_id]), *listed])
    kept = tuple(
        i for i in ends if i == policy.eos_id or not ends_a_turn(tokenizer.convert_ids_to_tokens(i))
    )
    model.generation_config = greedy_config(kept, policy.bos_id, policy.pad_id)
    effective = {
        k: v for k, v in model.generation_config.to_diff_dict().items() if k not in _NO_SETTING
    }
    unset = {"use_cache": True, "output_attentions": False, "output_hidden_states": False}
    dropped = {k: v for k, v in old.items() if effective.get(k, unset.get(k)) != v}
    said = ", ".join(f"{name}={value}" for name, value in sorted(dropped.items()))
    checks.add(
        "explicit-generation-config",
        hazards.INHERITED_SAMPLING,
        said,
        "recorded" if dropped else "pass",
    )
    return GenerationRecord(effective, dropped)


def _keep_trainable(model: PreTrainedModel) -> None:
    """Keeps 4-bit layers off a CPU path without autograd that an eval-mode forward switches on."""
    for module in model.modules():
        if hasattr(module, "support_avx512bf16_for_cpu"):
            module.support_avx512bf16_for_cpu = False
