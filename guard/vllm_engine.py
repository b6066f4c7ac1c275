"""vLLM behind the guard: it gets token ids that the guard made and checked, never text.

vLLM loads the weights itself, so no hook of ours sits in its model. What holds is this: the files are
those that the guard checked and measured, and hold every tensor that config.json asks for; vLLM has no
tokenizer and no chat template, every prompt goes through the checks of `CleanModelLoader.encode`, the
settings are explicit, and what vLLM says it was given is compared with what it was to be given.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from cleanguard.catalogue import hazards
from guard.base.checks import CheckList
from guard.base.script import refuse_unguarded_script
from guard.errors import EngineStartError, SettingsError
from guard.files import hub
from guard.files.remote_code import check_pin
from guard.files.request import LoadRequest, SpecialTokens
from guard.files.source import fetch_weights, open_source
from guard.generation.batches import listed
from guard.generation.completion import Completion
from guard.generation.vllm_texts import completion_of, fitted, refuse_ids
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
from guard.prompts.state import GuardState, provenance_of, put_state
from guard.scoring.continuations import Asked, Score, asked_of
from guard.scoring.perplexity import Perplexity, Windows, windows_of
from guard.scoring.rows import Row, RowScore
from guard.scoring.vllm_scores import SCORING, row_score
from guard.settings.jobs import make_jobs
from guard.settings.settled import refuse_ends_beyond, settle
from guard.settings.vllm_sampling import params_of, refuse_settings, sampling_of

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from guard.provenance.record import Provenance


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
        provenance: What was measured of the files, which vLLM reads them, and what happened since; to
            a `JsonlWriter` give the engine itself, as a model.
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
        provenance = measured(
            request, source, self.tokenizer, checks, shape, release=self.release, room=self._room
        )
        self._state = GuardState(policy_of(self.tokenizer), provenance)
        for owner in (self, self.tokenizer):
            put_state(owner, self._state)

    @property
    def provenance(self) -> Provenance:
        """The load, with what happened since."""
        return provenance_of(self)

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
        jobs = fitted(jobs, settings, self._room, self._state)
        eos = settings.eos_token_id or self._ends
        params = [
            params_of(self._vllm.SamplingParams, sampling_of(job, settings, eos)) for job in jobs
        ]
        outputs = self._generate([job.row for job in jobs], params)
        return [
            completion_of(self.tokenizer, self._state.policy, job, output, settings, eos, len(jobs))
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
        asked = self._asked(questions, special_tokens)
        return asked.scores(self._scored(asked.rows))

    def perplexity(
        self,
        texts: Sequence[str],
        *,
        window: int | None = None,
        overlap: int | None = None,
        special_tokens: SpecialTokens | None = None,
    ) -> Perplexity:
        """Score whole texts; as `CleanModelLoader.perplexity`, with a window of two positions less.

        vLLM also reads a window's last token, and must be able to write one behind it.

        Raises:
            See `guard.scoring.perplexity.perplexity`. EngineStartError: vLLM ended.
        """
        read = self._windows(texts, window, overlap, special_tokens)
        return read.perplexity(self._scored(read.rows))

    def check_prompts(self, prompts: Sequence[str]) -> None:
        """Raise what `complete` would of its prompts, without asking the model."""
        most = None if self._room is None else self._room - 1
        rows = encode_rows(self.tokenizer, self._state.policy, prompts, max_length=most)
        self._refuse_ids(rows)

    def check_questions(self, questions: Iterable[tuple[str, Sequence[str]]]) -> Asked:
        """The questions as ids; raises what `score_batch` would, without asking the model."""
        asked = self._asked(questions, None)
        self._refuse_ids([row.ids for row in asked.rows])
        return asked

    def check_texts(
        self, texts: Sequence[str], *, window: int | None = None, overlap: int | None = None
    ) -> None:
        """Raise what `perplexity` would of its texts, without asking the model."""
        self._refuse_ids([row.ids for row in self._windows(texts, window, overlap, None).rows])

    def _asked(
        self,
        questions: Iterable[tuple[str, Sequence[str]]],
        special_tokens: SpecialTokens | None,
    ) -> Asked:
        policy = with_special_tokens(self.tokenizer, self._state.policy, special_tokens)
        most = None if self._room is None else self._room - 1
        return asked_of(self.tokenizer, policy, questions, most=most)

    def _windows(
        self,
        texts: Sequence[str],
        window: int | None,
        overlap: int | None,
        special_tokens: SpecialTokens | None,
    ) -> Windows:
        policy = with_special_tokens(self.tokenizer, self._state.policy, special_tokens)
        most = None if self._room is None else self._room - 2
        return windows_of(
            self.tokenizer, policy, texts, window, overlap, most=most, reads="vLLM can score"
        )

    def _scored(self, rows: Sequence[Row]) -> list[RowScore]:
        """What vLLM says of rows, each of which it reads once."""
        once = list(dict.fromkeys(row.ids for row in rows))
        self._refuse_ids(once)
        params = params_of(self._vllm.SamplingParams, SCORING)
        outputs = self._generate([list(ids) for ids in once], [params] * len(once))
        told = dict(zip(once, outputs, strict=True))
        return [row_score(row, told[row.ids]) for row in rows]

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
        refuse_ids(self.tokenizer, rows, self._rows)

    @property
    def _ends(self) -> tuple[int, ...]:
        found = self.provenance.generation.effective.get("eos_token_id")
        return () if found is None else (found,) if isinstance(found, int) else tuple(found)


def _room(shape: Shape, context: int | None) -> int | None:
    if context and shape.context and context > shape.context:
        raise SettingsError(
            f"context={context}, and the model was made for {shape.context} positions",
            remedy=f"context={shape.context} or less, or leave it out",
        )
    return context or shape.context
