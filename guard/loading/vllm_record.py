"""The provenance of a model that vLLM reads: what was measured of its files, and what is not known."""

from __future__ import annotations

from typing import TYPE_CHECKING

from guard.base.checks import CheckList
from guard.files.request import LoadRequest
from guard.files.source import ModelSource
from guard.loading.assembly import explicit_generation
from guard.loading.padding import settle_padding
from guard.loading.tokenizer_load import tokenizer_record
from guard.loading.vllm_start import Shape
from guard.prompts.policy import policy_of
from guard.prompts.sentinels import run_token_sentinels
from guard.prompts.templates import block_templates
from guard.provenance.environment import installed, measure_environment
from guard.provenance.measure import check_hub_files, file_records
from guard.provenance.record import SCHEMA, ModelRecord, Provenance, QuantizationRecord, utc_now
from guard.provenance.tensors import weights_record

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


def measured(
    request: LoadRequest,
    source: ModelSource,
    tokenizer: PreTrainedTokenizerBase,
    checks: CheckList,
    shape: Shape,
    *,
    release: str,
    room: int | None,
) -> Provenance:
    """Guard the tokenizer, and measure what vLLM reads.

    Args:
        request, source: What was asked for, and where it lies.
        tokenizer: As its files have it; its templates are blocked.
        checks: The verdicts so far; gets the rest.
        shape: The model without its weights.
        release: vLLM's version.
        room: Most positions that it reads.

    Raises:
        GuardError: As `CleanModelLoader.load`.
    """
    pad = settle_padding(tokenizer, "left", shape.rows)
    policy = policy_of(tokenizer)
    _, generation = explicit_generation(
        source.read_json("generation_config.json"), shape.eos, policy, tokenizer, checks,
    )  # fmt: skip
    block_templates(tokenizer, request.model_id)
    run_token_sentinels(tokenizer, policy, checks)
    files, weights = file_records(source.directory), weights_record(source.directory)
    check_hub_files(files, checks)
    said = f"vllm {release} reads the weights and generates"
    checks.add("engine", None, said, "recorded")
    environment = measure_environment()
    numbers = weights.numbers if weights else 0
    return Provenance(
        schema=SCHEMA,
        loader_version=environment.loader_source_sha256,
        cleanguard_version=installed("cleanguard"),
        created=utc_now(),
        model_id=request.model_id,
        quantization="none",
        dtype=shape.dtype,
        revision=source.revision,
        model=ModelRecord(
            kind=source.kind,
            path=str(source.directory),
            revision_requested=request.revision,
            revision=source.revision,
            architecture=shape.architecture,
            parameters=numbers,
            dtypes={shape.dtype: numbers},
            devices=(),
            attention=None,
            context=room,
            quantization=QuantizationRecord("none", 0),
            files=files,
            weights=weights,
            unused=shape.unused,
        ),
        tokenizer=tokenizer_record(tokenizer, policy, pad),
        generation=generation,
        environment=environment,
        for_training=False,
        overrides=request.overrides,
        checks=checks.done(),
    )
