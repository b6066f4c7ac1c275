"""Carries out one load, step by step: files, tokenizer, weights, settings, guard, record."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from cleanguard.catalogue import hazards
from guard.base.checks import CheckList
from guard.base.shards import rows_of
from guard.decoding.support import by_position
from guard.enforcing.enforcement import install
from guard.errors import AdapterAsBaseError
from guard.files.remote_code import check_pin
from guard.files.request import LoadRequest
from guard.files.source import fetch_weights, open_source
from guard.loading.architecture import check_class
from guard.loading.leftovers import check_use
from guard.loading.model_load import read_model, refuse_strange_tokenizer
from guard.loading.stored_quantization import check_stored
from guard.loading.tokenizer_files import keep_files, settle_own, strip_for_training
from guard.loading.tokenizer_load import (
    read_config,
    read_tokenizer,
    refuse_prefix_beyond,
    tokenizer_record,
)
from guard.loading.weight_files import check_weight_files
from guard.prompts.names import ends_a_turn
from guard.prompts.policy import PromptPolicy, policy_of
from guard.prompts.sentinels import run_token_sentinels
from guard.prompts.standing import ids_in
from guard.prompts.state import GuardState
from guard.prompts.templates import block_templates
from guard.provenance.environment import installed, measure_environment
from guard.provenance.measure import check_hub_files, model_record
from guard.provenance.record import SCHEMA, GenerationRecord, Provenance, utc_now
from guard.settings.inherited import NO_SETTING, UNSET
from guard.settings.inherited import effective as effective_settings
from guard.settings.saved_config import saved_as_found
from guard.settings.settled import greedy_config

if TYPE_CHECKING:
    from transformers import (
        GenerationConfig,
        PreTrainedConfig,
        PreTrainedModel,
        PreTrainedTokenizerBase,
    )


def assemble(request: LoadRequest) -> tuple[PreTrainedModel, PreTrainedTokenizerBase, Provenance]:
    """Load what was asked for; raises as `CleanModelLoader.load` does."""
    checks = CheckList()
    source = open_source(request)
    check_pin(request, source, checks)
    config = read_config(request, source)
    tokenizer = read_tokenizer(request, source, checks, config=config)
    fetch_weights(request, source)
    check_weight_files(request, source, checks)
    model, unused = read_model(request, source, config)
    _check_adapter(model, request, checks)
    checks.add(
        "safetensors-only",
        hazards.PICKLE_WEIGHTS,
        verdict="overridden" if request.allow_pickle else "pass",
    )
    if request.idle_options:
        said = f"{', '.join(request.idle_options)}: no effect with {request.quantization}"
        checks.add("quantization-options", None, said, "recorded")
    _note_what_was_given(request, config, checks)
    check_use(model, source, unused, checks, request.variant)
    rows = rows_of(model.get_input_embeddings().weight)
    check_class(model, source, checks, rows)
    refuse_strange_tokenizer(tokenizer, rows, request)
    pad, own = settle_own(tokenizer, request, rows)
    checks.add(
        "pad-is-not-eos",
        hazards.EOS_MASKED,
        "" if pad.distinct_from_eos else pad.note,
        "pass" if pad.distinct_from_eos else "recorded",
    )
    policy = policy_of(tokenizer)
    refuse_prefix_beyond(policy, rows, request)
    filler = getattr(getattr(model, "generation_config", None), "pad_token_id", None)
    settings = _replace_generation_config(model, policy, tokenizer, checks)
    block_templates(tokenizer, request.model_id)
    run_token_sentinels(tokenizer, policy, checks)
    record = tokenizer_record(tokenizer, policy, pad)
    _keep_unpacked(model)
    keep_files(tokenizer, source.directory, own)
    if request.for_training:
        model.train()
        strip_for_training(tokenizer)
    else:
        model.eval()
    measured = model_record(model, source, request.revision, request.variant, unused)
    check_stored(source, measured.quantization, checks)
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
    install(model, tokenizer, GuardState(policy, provenance, filler=filler))
    return model, tokenizer, provenance


def _note_what_was_given(
    request: LoadRequest, config: PreTrainedConfig | None, checks: CheckList
) -> None:
    """Record a class or a configuration in the place of the model's own."""
    if request.model_class is not None:
        named = f"{request.model_class.__module__}.{request.model_class.__qualname__}"
        checks.add("class-given", None, f"loaded with {named}", "recorded")
    if request.config is not None:
        given, own = request.config.to_dict(), {} if config is None else config.to_dict()
        other = sorted(name for name in given.keys() | own if given.get(name) != own.get(name))
        said = f"other than config.json: {', '.join(other)}" if other else "as config.json has it"
        checks.add("config-given", None, said, "recorded")


def _check_adapter(model: PreTrainedModel, request: LoadRequest, checks: CheckList) -> None:
    attached = bool(getattr(model, "_hf_peft_config_loaded", False))
    if attached and not request.allow_adapter:
        raise AdapterAsBaseError(f"loading {request.model_id} attached an adapter")
    lame = [one for one in getattr(model, "peft_config", {}).values() if not by_position(one)]
    if attached and lame:
        raise AdapterAsBaseError(
            f"loading {request.model_id} attached an adapter ({type(lame[0]).__name__}) that works through PEFT's own "
            "model alone: what runs would be the base",
            remedy="load the base by its own name and call `loader.attach_adapter(model, path)`",
        )
    checks.add("no-adapter", hazards.ADAPTER_AS_BASE, verdict="overridden" if attached else "pass")


def _replace_generation_config(
    model: PreTrainedModel,
    policy: PromptPolicy,
    tokenizer: PreTrainedTokenizerBase,
    checks: CheckList,
) -> GenerationRecord:
    named = model.config.get_text_config().eos_token_id
    # A class of a script's own may be one that does not generate.
    own = getattr(model, "generation_config", None)
    found, record = explicit_generation(
        own.to_diff_dict() if own is not None else {}, named, policy, tokenizer, checks
    )
    if own is not None:
        model.generation_config = saved_as_found(found, own)
    return record


def explicit_generation(
    inherited: Mapping[str, Any],
    named_eos: int | list[int] | None,
    policy: PromptPolicy,
    tokenizer: PreTrainedTokenizerBase,
    checks: CheckList,
) -> tuple[GenerationConfig, GenerationRecord]:
    """An explicit greedy config; keeps EOS ids, except those that end a chat turn.

    Args:
        inherited: What the model's own generation config says beyond transformers' defaults.
        named_eos: The EOS ids of the model's config, where that says none.
        policy, tokenizer: Of the model.
        checks: Gets the verdict.
    """
    old = {n: v for n, v in inherited.items() if n not in NO_SETTING and v is not None}
    named = old.get("eos_token_id", named_eos)
    listed = ids_in(named)
    ends = dict.fromkeys([*([] if policy.eos_id is None else [policy.eos_id]), *listed])
    kept = tuple(
        i for i in ends if i == policy.eos_id or not ends_a_turn(tokenizer.convert_ids_to_tokens(i))
    )
    config = greedy_config(kept, policy.bos_id, policy.pad_id)
    effective = effective_settings(config)
    dropped = {k: v for k, v in old.items() if effective.get(k, UNSET.get(k)) != v}
    said = ", ".join(f"{name}={value}" for name, value in sorted(dropped.items()))
    checks.add(
        "explicit-generation-config",
        hazards.INHERITED_SAMPLING,
        said,
        "recorded" if dropped else "pass",
    )
    return config, GenerationRecord(effective, dropped)


def _keep_unpacked(model: PreTrainedModel) -> None:
    """Keeps 4-bit layers off a CPU path that repacks their weights at the first eval-mode forward.

    The repacked weights have no gradients, and `state_dict()` (saving, attaching an adapter) unpacks
    them with loss: the same prompt then has other logits.
    """
    for module in model.modules():
        if "support_avx512bf16_for_cpu" in vars(module):
            module.support_avx512bf16_for_cpu = False
