"""What generates for a stage: transformers under the guard's hooks, or vLLM with the guard's ids."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol

from cleanguard.errors import JobError
from stages.config import option
from stages.models import ModelConfig, loader_of
from stages.ranks import world_size

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from guard import Completion, Loaded

EngineName = Literal["transformers", "vllm"]


@dataclass(frozen=True)
class VllmConfig:
    """Settings of vLLM itself."""

    tensor_parallel: int = option(1, "GPUs that share the model.", at_least=1)
    gpu_memory: float = option(0.9, "Share of each GPU's memory.", at_least=0.05, at_most=1)
    context: int = option(0, "Most positions; 0 is what the model was made for.", at_least=0)


class Engine(Protocol):
    """Generates from prompts, and says what it is.

    Attributes:
        source: What records are made with: a guarded model, or its provenance.
        name: The engine with its version where that decides texts.
        tokenizer: The guarded tokenizer.
    """

    source: Any
    name: str
    tokenizer: PreTrainedTokenizerBase

    @property
    def started(self) -> bool:
        """Whether anything was loaded that generates."""

    def complete(self, prompts: Sequence[str], **options: Any) -> list[Completion]:
        """As `CleanModelLoader.complete`, `batch_size` included."""


class TransformersEngine:
    """A guarded model in this process."""

    name = "transformers"
    started = True

    def __init__(self, loaded: Loaded) -> None:
        self.loaded = loaded
        self.source = loaded.model
        self.tokenizer = loaded.tokenizer

    def complete(self, prompts: Sequence[str], **options: Any) -> list[Completion]:
        """As the loader has it."""
        from guard import CleanModelLoader

        return CleanModelLoader.complete(
            self.loaded.model, self.loaded.tokenizer, prompts, **options
        )


class VllmEngine:
    """A model in vLLM, which makes its own batches."""

    def __init__(self, model: ModelConfig, config: VllmConfig, *, lazy: bool = False) -> None:
        from guard import vllm_engine

        if world_size() > 1:
            raise JobError(
                "engine: vllm starts its own processes; leave torchrun out and set "
                "vllm.tensor_parallel"
            )
        self._engine = vllm_engine.VllmEngine(
            loader_of(model).request,
            tensor_parallel=config.tensor_parallel,
            gpu_memory=config.gpu_memory,
            context=config.context or None,
            lazy=lazy,
        )
        self.source = self._engine.provenance
        self.tokenizer = self._engine.tokenizer
        self.name = f"vllm {self._engine.release}"

    @property
    def started(self) -> bool:
        """Whether vLLM runs."""
        return self._engine.started

    def complete(self, prompts: Sequence[str], **options: Any) -> list[Completion]:
        """As vLLM has it; `batch_size` decides nothing there."""
        options.pop("batch_size", None)
        return self._engine.complete(prompts, **options)


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
