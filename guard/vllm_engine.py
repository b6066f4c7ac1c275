"""vLLM behind the guard: it gets token ids that the guard made and checked, never text.

vLLM loads the weights itself, so no hook of ours sits in its model. What holds is this: the files are
those that the guard checked and measured, and hold every tensor that config.json asks for; vLLM has no
tokenizer and no chat template, every prompt goes through the checks of `CleanModelLoader.encode`, the
settings are explicit, and what vLLM says it was given is compared with what it was to be given.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from cleanguard.catalogue import hazards
from guard.base.checks import CheckList
from guard.base.script import refuse_unguarded_script
from guard.errors import (
    ContaminationError,
    EngineStartError,
    GuardWarning,
    SettingsError,
    TokenizerMismatchError,
    TruncatedPromptError,
)
from guard.files import hub
from guard.files.remote_code import check_pin
from guard.files.request import LoadRequest, SpecialTokens
from guard.files.source import fetch_weights, open_source
from guard.generation.batches import listed
from guard.generation.completion import Completion, decode, emitted_control, trim
from guard.loading.tokenizer_load import read_config, read_tokenizer
from guard.loading.vllm_record import measured
from guard.loading.vllm_start import (
    Shape,
    kept_apart,
    refuse_request,
    settle_environment,
    shape_of,
    start_failure,
)
from guard.prompts.encoding import encode_rows, with_special_tokens
from guard.prompts.policy import policy_of
from guard.prompts.state import GuardState
from guard.scoring.boundary import pair_of
from guard.scoring.continuations import Score, texts_of
from guard.scoring.vllm_scores import SCORING, in_order, score_from
from guard.settings.jobs import Job, make_jobs
from guard.settings.settled import Settings, refuse_ends_beyond, settle
from guard.settings.vllm_sampling import params_of, refuse_settings, sampling_of

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


class VllmEngine:
    """A model in vLLM, with the checks, seeds and completions of `CleanModelLoader`.

    Args:
        request: As `CleanModelLoader(…).request` has it; neither quantized nor for training.
        tensor_parallel: How many GPUs share the model.
        gpu_memory: Share of each GPU's memory that vLLM may take.
        context: Most positions of prompt and answer; None for what the model was made for.
        lazy: Start vLLM with the first text, not now.

    Attributes:
        tokenizer: The guarded tokenizer; vLLM has none.
        provenance: What was measured of the files, and which vLLM reads them.
        release: vLLM's version.
        started: Whether vLLM runs.

    Raises:
        MissingExtraError: vLLM is not installed.
        SettingsError: The request asks for what vLLM is not given here.
        EngineStartError: vLLM could not start, with its reason; raised before weights are measured.
        GuardError: As `CleanModelLoader.load`, on the model's files.
    """

    def __init__(
        self,
        request: LoadRequest,
        *,
        tensor_parallel: int = 1,
        gpu_memory: float = 0.9,
        context: int | None = None,
        lazy: bool = False,
    ) -> None:
        refuse_request(request)
        refuse_unguarded_script(tensor_parallel)
        environment = settle_environment(tensor_parallel)
        with kept_apart():
            self._vllm = hub.need("vllm", "vllm")
        self.release = str(self._vllm.__version__)
        checks = CheckList()
        source = open_source(request)
        check_pin(request, source, checks)
        config = read_config(request, source)
        self.tokenizer: PreTrainedTokenizerBase = read_tokenizer(
            request, source, checks, config=config
        )
        fetch_weights(request, source)
        shape = shape_of(request, source, config, self.tokenizer, checks)
        checks.add("no-adapter", hazards.ADAPTER_AS_BASE)
        checks.add("safetensors-only", hazards.PICKLE_WEIGHTS)
        self._rows = shape.rows
        self._room = _room(shape, context)
        self._settings: dict[str, Any] = {
            "model": str(source.directory),
            "config_format": "hf",
            "skip_tokenizer_init": True,
            "trust_remote_code": False,
            "load_format": "safetensors",
            "generation_config": "vllm",
            "dtype": shape.dtype,
            "tensor_parallel_size": tensor_parallel,
            "gpu_memory_utilization": gpu_memory,
            "max_model_len": context,
        }
        self._llm: Any = None
        if not lazy:
            self._start()
        said = ", ".join(f"{name}={value}" for name, value in environment.items())
        checks.add("engine-environment", None, said, "recorded")
        self.provenance = measured(
            request, source, self.tokenizer, checks, shape, release=self.release, room=self._room
        )
        self._state = GuardState(policy_of(self.tokenizer), self.provenance)

    @property
    def started(self) -> bool:
        """Whether vLLM runs."""
        return self._llm is not None

    def complete(self, prompts: Sequence[str], **options: Any) -> list[Completion]:
        """Generate from many prompts; keywords and result as in `CleanModelLoader.complete`.

        A prompt's text depends on the run's seed, its ids and the sample's number, as it does there;
        the texts themselves are others, since vLLM draws and rounds in its own way. A text ends where
        the context ends, which is warned of and recorded.

        Raises:
            See `guard.generation.batches.complete`. SettingsError: a setting that vLLM does not have,
            or takes another value for. EngineStartError: vLLM ended.
        """
        settings = settle("complete", options)
        refuse_settings(settings)
        refuse_ends_beyond(settings, self._rows)
        policy = with_special_tokens(self.tokenizer, self._state.policy, settings.special_tokens)
        rows = encode_rows(
            self.tokenizer, policy, listed(prompts, "complete"), max_length=self._room
        )
        self._refuse_ids(rows)
        jobs = sorted(make_jobs(self._state, rows, settings), key=lambda job: job.place)
        jobs = self._fitted(jobs, settings)
        eos = settings.eos_token_id or self._ends
        params = [
            params_of(self._vllm.SamplingParams, sampling_of(job, settings, eos)) for job in jobs
        ]
        outputs = self._generate([job.row for job in jobs], params)
        return [
            self._completion(job, output, settings, eos, len(jobs))
            for job, output in zip(jobs, outputs, strict=True)
        ]

    def score_batch(
        self,
        questions: Iterable[tuple[str, Sequence[str]]],
        *,
        special_tokens: SpecialTokens | None = None,
    ) -> list[list[Score]]:
        """Log-probabilities of continuations; as `CleanModelLoader.score_batch`, read off vLLM's prompts.

        A text must leave room for one token, since vLLM reads it as a prompt.

        Raises:
            See `guard.scoring.continuations.score`. EngineStartError: vLLM ended.
        """
        policy = with_special_tokens(self.tokenizer, self._state.policy, special_tokens)
        asked = [(prompt, texts_of(texts)) for prompt, texts in questions]
        most = None if self._room is None else self._room - 1
        flat = [(prompt, text) for prompt, texts in asked for text in texts]
        pairs = [pair_of(self.tokenizer, policy, *one, most=most) for one in flat]
        self._refuse_ids([pair.ids for pair in pairs])
        params = params_of(self._vllm.SamplingParams, SCORING)
        outputs = self._generate([list(pair.ids) for pair in pairs], [params] * len(pairs))
        scores = [
            score_from(pair, text, output)
            for pair, (_, text), output in zip(pairs, flat, outputs, strict=True)
        ]
        return in_order(scores, [len(texts) for _, texts in asked])

    def _start(self) -> None:
        with kept_apart():
            try:
                self._llm = self._vllm.LLM(**self._settings)
            except Exception as error:
                raise start_failure(error, self.release) from error

    def _generate(self, rows: Sequence[list[int]], params: Sequence[Any]) -> Any:
        if not rows:
            return []
        if not self.started:
            self._start()
        asked = [self._vllm.TokensPrompt(prompt_token_ids=row) for row in rows]
        with kept_apart():
            try:
                return self._llm.generate(asked, params, use_tqdm=False)
            except Exception as error:
                said = " ".join(str(error).split()) or "no reason given"
                raise EngineStartError(
                    f"vLLM {self.release} gave up: {type(error).__name__}: {said}",
                    remedy="what it wrote stands above, on standard error; what was recorded stays, "
                    "and the same command goes on",
                ) from error

    def _refuse_ids(self, rows: Sequence[Sequence[int]]) -> None:
        """vLLM takes some ids that the embedding has no row for, and ends at others."""
        for place, row in enumerate(rows):
            beyond = [index for index in row if index >= self._rows]
            if beyond:
                raise TokenizerMismatchError(
                    f"prompt {place} has id {beyond[0]} ({self.tokenizer.convert_ids_to_tokens(beyond[0])!r}), "
                    f"and the model's embedding has {self._rows} rows",
                    evidence={"prompt": place, "ids": beyond[:20], "rows": self._rows},
                    remedy="take that token out of the prompt: the tokenizer has it and the model does not",
                )

    def _fitted(self, jobs: Sequence[Job], settings: Settings) -> list[Job]:
        """The jobs with no more tokens than fit behind their prompts; less is warned of and recorded."""
        room = self._room
        if room is None:
            return list(jobs)
        found, short = [], 0
        for job in jobs:
            left = room - len(job.row)
            if left < max(1, settings.min_new_tokens or 0):
                raise TruncatedPromptError(
                    f"prompt {job.place} has {len(job.row)} tokens, and vLLM reads {room}: there is room "
                    f"for {left} new ones, and {max(1, settings.min_new_tokens or 0)} are asked for",
                    evidence={"prompt": job.place, "tokens": len(job.row), "limit": room},
                    remedy="shorten the prompt, lower min_new_tokens, or raise vllm.context",
                )
            short += left < job.budget
            found.append(replace(job, budget=min(job.budget, left)))
        if short and not any(event.kind == "warning" for event in self._state.events):
            longest = max(len(job.row) + job.budget for job in jobs)
            self._state.note("warning", hazards.SILENT_TRUNCATION, positions=longest, context=room)
            warnings.warn(
                f"prompt and answer may reach {longest} positions and vLLM reads {room}; "
                f"{short} texts end there",
                GuardWarning,
                stacklevel=3,
            )
        return found

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
            engine="vllm",
        )


def _room(shape: Shape, context: int | None) -> int | None:
    if context and shape.context and context > shape.context:
        raise SettingsError(
            f"context={context}, and the model was made for {shape.context} positions",
            remedy=f"context={shape.context} or less, or leave it out",
        )
    return context or shape.context
