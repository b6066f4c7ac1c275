"""vLLM behind the guard: it gets token ids that the guard made and checked, never text.

vLLM loads the weights itself, so no hook of ours sits in its model. What holds is this: the files are
those that the guard checked and measured, vLLM has no tokenizer and no chat template, every prompt
goes through the checks of `CleanModelLoader.encode`, the settings are explicit, and what vLLM says it
was given is compared with what it was to be given.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from cleanguard.catalogue import hazards
from guard.base.checks import CheckList
from guard.errors import ContaminationError, SettingsError
from guard.files import hub
from guard.files.remote_code import check_pin
from guard.files.request import LoadRequest
from guard.files.source import ModelSource, fetch_weights, open_source
from guard.generation.completion import Completion, decode, emitted_control, trim
from guard.loading.assembly import explicit_generation
from guard.loading.padding import settle_padding
from guard.loading.tokenizer_load import read_tokenizer, rows_by_config, tokenizer_record
from guard.prompts.encoding import encode_rows
from guard.prompts.policy import policy_of
from guard.prompts.sentinels import run_token_sentinels
from guard.prompts.state import GuardState
from guard.prompts.templates import block_templates
from guard.provenance.environment import installed, measure_environment
from guard.provenance.measure import check_hub_files, file_records
from guard.provenance.record import SCHEMA, ModelRecord, Provenance, QuantizationRecord, utc_now
from guard.provenance.tensors import weights_record
from guard.settings.jobs import Job, make_jobs
from guard.settings.settled import Settings, refuse_ends_beyond, settle

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

# What would be needed is a logits processor or text of ours inside vLLM.
_UNKNOWN_THERE = ("no_repeat_ngram_size", "length_penalty", "early_stopping", "return_full_text")


class VllmEngine:
    """A model in vLLM, with the checks, seeds and completions of `CleanModelLoader`.

    Args:
        request: As `CleanModelLoader(…).request` has it; neither quantized nor for training.
        tensor_parallel: How many GPUs share the model.
        gpu_memory: Share of each GPU's memory that vLLM may take.
        context: Most positions of prompt and answer; None for what the model was made for.

    Attributes:
        tokenizer: The guarded tokenizer; vLLM has none.
        provenance: What was measured of the files, and which vLLM reads them.
        release: vLLM's version.

    Raises:
        MissingExtraError: vLLM is not installed.
        SettingsError: The request asks for what vLLM is not given here.
        GuardError: As `CleanModelLoader.load`, on the model's files.
    """

    def __init__(
        self,
        request: LoadRequest,
        *,
        tensor_parallel: int = 1,
        gpu_memory: float = 0.9,
        context: int | None = None,
    ) -> None:
        _refuse_request(request)
        self._vllm = hub.need("vllm", "vllm")
        self.release = str(self._vllm.__version__)
        checks = CheckList()
        source = open_source(request)
        check_pin(request, source, checks)
        self.tokenizer: PreTrainedTokenizerBase = read_tokenizer(request, source, checks)
        fetch_weights(request, source)
        checks.add("no-adapter", hazards.ADAPTER_AS_BASE)
        checks.add("safetensors-only", hazards.PICKLE_WEIGHTS)
        dtype = _dtype(request, source)
        self.provenance = self._measured(request, source, checks, dtype, context)
        self._rows = rows_by_config(source, self.tokenizer)
        self._state = GuardState(policy_of(self.tokenizer), self.provenance)
        self._llm = self._vllm.LLM(
            model=str(source.directory),
            skip_tokenizer_init=True,
            trust_remote_code=False,
            load_format="safetensors",
            generation_config="vllm",
            dtype=dtype,
            tensor_parallel_size=tensor_parallel,
            gpu_memory_utilization=gpu_memory,
            max_model_len=context,
        )

    def complete(self, prompts: Sequence[str], **options: Any) -> list[Completion]:
        """Generate from many prompts; keywords and result as in `CleanModelLoader.complete`.

        A prompt's text depends on the run's seed, its ids and the sample's number, as it does there;
        the texts themselves are others, since vLLM draws and rounds in its own way.

        Raises:
            See `guard.generation.batches.complete`. SettingsError: a setting that vLLM does not have.
        """
        settings = settle("complete", options)
        _refuse_settings(settings)
        refuse_ends_beyond(settings, self._rows)
        policy = self._state.policy
        room = self.provenance.model.context
        rows = encode_rows(self.tokenizer, policy, prompts, max_length=room)
        jobs = sorted(make_jobs(self._state, rows, settings), key=lambda job: job.place)
        eos = settings.eos_token_id or self._ends
        outputs = self._llm.generate(
            [self._vllm.TokensPrompt(prompt_token_ids=job.row) for job in jobs],
            [self._vllm.SamplingParams(**sampling_of(job, settings, eos)) for job in jobs],
            use_tqdm=False,
        )
        return [
            self._completion(job, output, settings, eos, len(jobs))
            for job, output in zip(jobs, outputs, strict=True)
        ]

    @property
    def _ends(self) -> tuple[int, ...]:
        found = self.provenance.generation.effective.get("eos_token_id")
        return () if found is None else (found,) if isinstance(found, int) else tuple(found)

    def _completion(
        self, job: Job, output: Any, settings: Settings, eos: tuple[int, ...], rows: int
    ) -> Completion:
        if list(output.prompt_token_ids) != job.row:
            raise ContaminationError(
                f"vLLM says that prompt {job.place} had other ids than it was given",
                evidence={"given": job.row, "reported": list(output.prompt_token_ids)},
            )
        ids, reason = trim(self.tokenizer, list(output.outputs[0].token_ids), eos, None, ())
        return Completion(
            text=decode(self.tokenizer, ids, settings),
            ids=tuple(ids),
            prompt_tokens=len(job.row),
            finish_reason=reason,
            seed=job.seed,
            control_tokens=emitted_control(self.tokenizer, self._state.policy.control, ids),
            batch=rows,
            ignored=settings.ignored,
        )

    def _measured(
        self,
        request: LoadRequest,
        source: ModelSource,
        checks: CheckList,
        dtype: str,
        context: int | None,
    ) -> Provenance:
        tokenizer, config = self.tokenizer, source.read_json("config.json")
        pad = settle_padding(tokenizer, "left", rows_by_config(source, tokenizer))
        policy = policy_of(tokenizer)
        _, generation = explicit_generation(
            source.read_json("generation_config.json"), config.get("eos_token_id"), policy,
            tokenizer, checks,
        )  # fmt: skip
        block_templates(tokenizer, request.model_id)
        run_token_sentinels(tokenizer, policy, checks)
        files, weights = file_records(source.directory), weights_record(source.directory)
        check_hub_files(files, checks)
        said = f"vllm {self.release} reads the weights and generates"
        checks.add("engine", None, said, "recorded")
        environment = measure_environment()
        made_for = config.get("max_position_embeddings")
        numbers = weights.numbers if weights else 0
        return Provenance(
            schema=SCHEMA,
            loader_version=environment.loader_source_sha256,
            cleanguard_version=installed("cleanguard"),
            created=utc_now(),
            model_id=request.model_id,
            quantization="none",
            dtype=dtype,
            revision=source.revision,
            model=ModelRecord(
                kind=source.kind,
                path=str(source.directory),
                revision_requested=request.revision,
                revision=source.revision,
                architecture=str((config.get("architectures") or ["unknown"])[0]),
                parameters=numbers,
                dtypes={dtype: numbers},
                devices=(),
                attention=None,
                context=context or (int(made_for) if made_for else None),
                quantization=QuantizationRecord("none", 0),
                files=files,
                weights=weights,
            ),
            tokenizer=tokenizer_record(tokenizer, policy, pad),
            generation=generation,
            environment=environment,
            for_training=False,
            overrides=request.overrides,
            checks=checks.done(),
        )


def sampling_of(job: Job, settings: Settings, eos: tuple[int, ...]) -> dict[str, Any]:
    """The keywords of `vllm.SamplingParams` for one text; greedy unless sampling was asked for."""
    return {
        "n": 1,
        "max_tokens": job.budget,
        "min_tokens": settings.min_new_tokens or 0,
        "temperature": settings.temperature if settings.sampling else 0.0,
        "top_p": 1.0 if settings.top_p is None else settings.top_p,
        "top_k": settings.top_k or 0,
        "min_p": settings.min_p or 0.0,
        "repetition_penalty": settings.repetition_penalty or 1.0,
        "seed": job.seed,
        "stop_token_ids": list(eos),
        "detokenize": False,
    }


def _refuse_request(request: LoadRequest) -> None:
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


def _refuse_settings(settings: Settings) -> None:
    asked = [name for name in _UNKNOWN_THERE if getattr(settings, name)]
    asked += ["stop_strings"] if settings.stop_strings else []
    asked += ["num_beams"] if settings.num_beams > 1 else []
    if asked:
        raise SettingsError(
            f"{', '.join(asked)}: not available with vLLM, which is given ids alone",
            remedy="leave it out, or generate with transformers",
        )


def _dtype(request: LoadRequest, source: ModelSource) -> str:
    """The dtype by name; vLLM itself would make float16 of a float32 checkpoint."""
    if request.dtype != "auto":
        return str(request.dtype).removeprefix("torch.")
    config = source.read_json("config.json")
    return str(config.get("dtype") or config.get("torch_dtype") or "float32")
