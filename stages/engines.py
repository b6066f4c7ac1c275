"""What answers for a stage: transformers under the guard's hooks, or vLLM with the guard's ids."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol

from cleanguard.errors import JobError
from stages.config import option
from stages.models import ModelConfig, loader_of
from stages.processes.ranks import world_size

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from guard import Completion, Loaded, Perplexity, Provenance, Score
    from guard.files.request import SpecialTokens
    from guard.scoring.continuations import Asked

EngineName = Literal["transformers", "vllm"]
Questions = Sequence[tuple[str, Sequence[str]]]


@dataclass(frozen=True)
class VllmConfig:
    """Settings of vLLM itself."""

    tensor_parallel: int = option(1, "GPUs that share the model.", at_least=1)
    gpu_memory: float = option(0.9, "Share of each GPU's memory.", at_least=0.05, at_most=1)
    context: int = option(0, "Most positions; 0 is what the model was made for.", at_least=0)


# As `guard.settings.vllm_sampling` has them, which imports torch.
COLDEST, HOTTEST = 0.01, 2.0
NOT_STARTED = "every answer was there already: vLLM was not started"
# What a model section may ask for that vLLM does not follow, and what stands for nothing.
_NOT_FOLLOWED: Mapping[str, str | None] = {
    "quant": "none",
    "device_map": None,
    "attn_implementation": None,
}
LARGE_VLLM: Mapping[str, Any] = {
    "model.id": "Qwen/Qwen2.5-32B",
    "model.dtype": "bfloat16",
    "engine": "vllm",
    "vllm.tensor_parallel": 2,
    "vllm.context": 4096,
    "batch_size": 1024,
}


def refuse_with_vllm(
    engine: EngineName, model: ModelConfig, temperature: float, further: Mapping[str, str]
) -> None:
    """Raise JobError for what vLLM would not follow, before anything is loaded.

    Args:
        engine: The engine that was asked for.
        model, temperature: Of the stage; 0 is greedy.
        further: What else a stage was asked for that it cannot do with vLLM, and why.
    """
    if engine != "vllm":
        return
    if temperature and not COLDEST <= temperature <= HOTTEST:
        raise JobError(
            f"temperature is {temperature}, and vLLM samples with {COLDEST} to {HOTTEST:g}; "
            "0 is greedy"
        )
    for name, usual in _NOT_FOLLOWED.items():
        given = getattr(model, name)
        if given != usual:
            raise JobError(
                f'model.{name} is {given!r}: vLLM does not follow it here; with engine = "vllm" leave it out'
            )
    for name, why in further.items():
        raise JobError(f'{name}: {why}; with engine = "vllm" leave it out')


class Engine(Protocol):
    """Writes and scores texts, and says what it is.

    Attributes:
        source: What records are made with: a guarded model, or a guarded engine.
        name: The engine with its version where that decides texts.
        scored: What a record says of a text that it scored.
        tokenizer: The guarded tokenizer.
    """

    source: Any
    name: str
    scored: str
    tokenizer: PreTrainedTokenizerBase

    @property
    def started(self) -> bool:
        """Whether anything was loaded that answers."""

    @property
    def provenance(self) -> Provenance:
        """What was measured of the model, and what happened since."""

    def complete(self, prompts: Sequence[str], **options: Any) -> list[Completion]:
        """As `CleanModelLoader.complete`, `batch_size` included."""

    def score_batch(
        self,
        questions: Questions,
        *,
        batch_size: int,
        special_tokens: SpecialTokens | None = None,
    ) -> list[list[Score]]:
        """As `CleanModelLoader.score_batch`."""

    def perplexity(
        self, texts: Sequence[str], *, window: int | None, overlap: int | None, batch_size: int
    ) -> Perplexity:
        """As `CleanModelLoader.perplexity`."""

    def check_prompts(self, prompts: Sequence[str]) -> None:
        """Raise what `complete` would of its prompts; the model is not asked."""

    def check_questions(self, questions: Questions) -> Asked:
        """The questions as ids; raises what `score_batch` would, and the model is not asked."""

    def check_texts(self, texts: Sequence[str], *, window: int | None, overlap: int | None) -> None:
        """Raise what `perplexity` would of its texts; the model is not asked."""

    def bare(self) -> AbstractContextManager[Any]:
        """The base answers inside: adapters are off."""


class TransformersEngine:
    """A guarded model in this process.

    Args:
        loaded: The base, as `load()` returned it.
        model: The base with an adapter on it, which answers then; None for the base itself.
    """

    name = "transformers"
    scored = "scored"
    started = True

    def __init__(self, loaded: Loaded, model: Any = None) -> None:
        self.loaded = loaded
        self.model: Any = loaded.model if model is None else model
        self.source = loaded.model
        self.tokenizer = loaded.tokenizer

    @property
    def provenance(self) -> Provenance:
        """As the load has it."""
        return self.loaded.provenance

    def complete(self, prompts: Sequence[str], **options: Any) -> list[Completion]:
        """As the loader has it."""
        from guard import CleanModelLoader

        return CleanModelLoader.complete(self.model, self.tokenizer, prompts, **options)

    def score_batch(
        self,
        questions: Questions,
        *,
        batch_size: int,
        special_tokens: SpecialTokens | None = None,
    ) -> list[list[Score]]:
        """As the loader has it."""
        from guard import CleanModelLoader

        return CleanModelLoader.score_batch(
            self.model, self.tokenizer, questions,
            batch_size=batch_size, special_tokens=special_tokens,
        )  # fmt: skip

    def perplexity(
        self, texts: Sequence[str], *, window: int | None, overlap: int | None, batch_size: int
    ) -> Perplexity:
        """As the loader has it."""
        from guard import CleanModelLoader

        return CleanModelLoader.perplexity(
            self.model, self.tokenizer, texts,
            batch_size=batch_size, window=window, overlap=overlap,
        )  # fmt: skip

    def check_prompts(self, prompts: Sequence[str]) -> None:
        """As `encode` has it, with the model's context."""
        from guard import CleanModelLoader

        CleanModelLoader.encode(
            self.tokenizer, list(prompts), max_length=self.provenance.model.context
        )

    def check_questions(self, questions: Questions) -> Asked:
        """As the guard has it."""
        from guard.scoring.continuations import check_questions

        return check_questions(self.model, self.tokenizer, questions)

    def check_texts(self, texts: Sequence[str], *, window: int | None, overlap: int | None) -> None:
        """As the guard has it."""
        from guard.scoring.perplexity import check_texts

        check_texts(self.model, self.tokenizer, texts, window=window, overlap=overlap)

    def bare(self) -> AbstractContextManager[Any]:
        """PEFT switches the adapters off."""
        if hasattr(self.model, "peft_config"):
            return self.model.disable_adapter()  # type: ignore[no-any-return]  # PEFT's own
        return nullcontext()


class VllmEngine:
    """A model in vLLM, which makes its own batches: `batch_size` decides nothing there."""

    scored = "scored by vllm"

    def __init__(self, model: ModelConfig, config: VllmConfig, *, lazy: bool = False) -> None:
        if world_size() > 1:
            raise JobError(
                "engine: vllm starts its own processes; leave torchrun out and set "
                "vllm.tensor_parallel"
            )
        from guard import vllm_engine

        self._engine = vllm_engine.VllmEngine(
            loader_of(model).request,
            tensor_parallel=config.tensor_parallel,
            gpu_memory=config.gpu_memory,
            context=config.context or None,
            lazy=lazy,
        )
        self.source = self._engine
        self.tokenizer = self._engine.tokenizer
        self.name = f"vllm {self._engine.release}"

    @property
    def started(self) -> bool:
        """Whether vLLM runs."""
        return self._engine.started

    @property
    def provenance(self) -> Provenance:
        """As the guard's engine has it."""
        return self._engine.provenance

    def complete(self, prompts: Sequence[str], **options: Any) -> list[Completion]:
        """As vLLM has it."""
        options.pop("batch_size", None)
        return self._engine.complete(prompts, **options)

    def score_batch(
        self,
        questions: Questions,
        *,
        special_tokens: SpecialTokens | None = None,
        **_: Any,
    ) -> list[list[Score]]:
        """As vLLM has it."""
        return self._engine.score_batch(questions, special_tokens=special_tokens)

    def perplexity(
        self, texts: Sequence[str], *, window: int | None, overlap: int | None, **_: Any
    ) -> Perplexity:
        """As vLLM has it."""
        return self._engine.perplexity(texts, window=window, overlap=overlap)

    def check_prompts(self, prompts: Sequence[str]) -> None:
        """As the guard's engine has it."""
        self._engine.check_prompts(prompts)

    def check_questions(self, questions: Questions) -> Asked:
        """As the guard's engine has it."""
        return self._engine.check_questions(questions)

    def check_texts(self, texts: Sequence[str], *, window: int | None, overlap: int | None) -> None:
        """As the guard's engine has it."""
        self._engine.check_texts(texts, window=window, overlap=overlap)

    def bare(self) -> AbstractContextManager[Any]:
        """It has no adapters."""
        return nullcontext()


def engine_for(
    name: EngineName, model: ModelConfig, vllm: VllmConfig, *, lazy: bool = False
) -> Engine:
    """Load a model into an engine; raises as `CleanModelLoader.load`, or for a missing vLLM.

    Args:
        name, model, vllm: From the stage's settings.
        lazy: vLLM, which takes minutes to start, starts with the first text: a run that looks
            finished may not need it.
    """
    if name == "vllm":
        return VllmEngine(model, vllm, lazy=lazy)
    return TransformersEngine(loader_of(model).load())
