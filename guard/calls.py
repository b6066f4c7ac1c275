"""What is done with a loaded model: encoding, generating, scoring, adapters; no loader is needed.

The libraries are imported when something is called: until then a script may set up their environment.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from os import PathLike
from typing import TYPE_CHECKING, Any, Literal, overload

from guard.errors import SettingsError

if TYPE_CHECKING:
    import torch
    from transformers import (
        BatchEncoding,
        GenerationConfig,
        PreTrainedModel,
        PreTrainedTokenizerBase,
    )
    from typing_extensions import Unpack

    from guard.decoding.graphs import Engine
    from guard.files.request import SpecialTokens
    from guard.generation.batches import OnFinished
    from guard.generation.completion import Completion
    from guard.generation.streaming import TextStream
    from guard.scoring.continuations import Score
    from guard.scoring.perplexity import Perplexity
    from guard.settings.id_options import IdOptions
    from guard.settings.settled import GenerationOptions, TextOptions


class GuardedCalls:
    """The static methods of CleanModelLoader: each takes the model and its tokenizer."""

    @staticmethod
    def encode(
        tokenizer: PreTrainedTokenizerBase,
        prompt: str | Sequence[str],
        *,
        max_length: int | None = None,
        special_tokens: SpecialTokens | None = None,
    ) -> BatchEncoding:
        """Tokenise for a base model; see `guard.prompts.encoding.encode`."""
        from guard.prompts import encoding

        return encoding.encode(
            tokenizer, prompt, max_length=max_length, special_tokens=special_tokens
        )

    @overload
    @staticmethod
    def generate(
        model: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        prompt: str,
        *,
        num_return_sequences: Literal[1] | None = None,
        engine: Engine = "auto",
        **options: Unpack[TextOptions],
    ) -> str: ...

    @overload
    @staticmethod
    def generate(
        model: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        prompt: str,
        *,
        num_return_sequences: int,
        engine: Engine = "auto",
        **options: Unpack[TextOptions],
    ) -> list[str]: ...

    @staticmethod
    def generate(
        model: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        prompt: str,
        *,
        engine: Engine = "auto",
        **options: Any,
    ) -> str | list[str]:
        """Generate from one prompt, greedily unless sampling is asked for; nothing is added.

        Keywords are those of `guard.settings.settled.GenerationOptions`, named as in transformers.
        `temperature > 0` or `do_sample=True` asks for sampling; `do_sample=False` wins. `engine` as
        in `generate_batch`.

        A list of one text is that text, as a tokenizer takes it.

        Returns:
            The generated text without the prompt; a list of texts if `num_return_sequences` is
            above 1.

        Raises:
            See `guard.generation.batches.complete`.
        """
        from guard.generation import batches

        [found] = batches.complete(
            model, tokenizer, [_one(prompt)], options, call="generate", engine=engine
        )
        texts = [completion.text for completion in found]
        return texts[0] if len(texts) == 1 else texts

    @staticmethod
    def generate_batch(
        model: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        prompts: Sequence[str],
        *,
        batch_size: int | None = None,
        progress: bool | None = None,
        on_finished: OnFinished | None = None,
        engine: Engine = "auto",
        batch_invariant: bool = False,
        **options: Unpack[GenerationOptions],
    ) -> list[str]:
        """Generate from many prompts: batched by length, padded left, returned in their order.

        Args:
            model, tokenizer: As `load()` returned them.
            prompts: Plain texts.
            batch_size: Rows at a time; None begins with 64, or 128 for a small model. Halved when
                memory is full.
            progress: Show a bar on standard error; None does on a terminal.
            on_finished: Called with the number of a prompt and its completions as soon as they are
                there: write records from it, and Ctrl-C or a full memory loses nothing.
            engine: `graphs` decodes with captured CUDA steps, `plain` with the library's
                `generate`; `auto` takes the faster one that model, settings and device allow.
            batch_invariant: A text does not depend on the other prompts, in bfloat16 neither; slower
                (docs/performance.md).
            options: As in `generate`. With `num_return_sequences` the texts of a prompt follow each
                other.

        Returns:
            One text per prompt, times `num_return_sequences`.

        Raises:
            See `guard.generation.batches.complete`. `MemoryFullError` and `GenerationInterrupted` (Ctrl-C)
            carry what was finished.
        """
        from guard.generation import batches

        found = batches.complete(
            model,
            tokenizer,
            prompts,
            options,
            batch_size=batch_size,
            progress=progress,
            on_finished=on_finished,
            engine=engine,
            batch_invariant=batch_invariant,
            call="generate_batch",
        )
        return [completion.text for row in found for completion in row]

    @staticmethod
    def complete(
        model: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        prompts: Sequence[str],
        *,
        batch_size: int | None = None,
        progress: bool | None = None,
        on_finished: OnFinished | None = None,
        engine: Engine = "auto",
        batch_invariant: bool = False,
        **options: Unpack[GenerationOptions],
    ) -> list[Completion]:
        """Like `generate_batch`, with ids, token counts, finish reason and seed for each text."""
        from guard.generation import batches

        found = batches.complete(
            model,
            tokenizer,
            prompts,
            options,
            batch_size=batch_size,
            progress=progress,
            on_finished=on_finished,
            engine=engine,
            batch_invariant=batch_invariant,
        )
        return [completion for row in found for completion in row]

    @staticmethod
    def generate_ids(
        model: PreTrainedModel,
        input_ids: torch.Tensor,
        attention_mask: torch.Tensor | None = None,
        *,
        generation_config: GenerationConfig | None = None,
        tokenizer: PreTrainedTokenizerBase | None = None,
        token_type_ids: torch.Tensor | None = None,
        logits_processor: Sequence[Any] | None = None,
        stopping_criteria: Sequence[Any] | None = None,
        streamer: Any = None,
        **options: Unpack[IdOptions],
    ) -> Any:
        """Generate from ids that a script made itself; see `guard.generation.ids.generate_ids`.

        Ids are judged as every prompt is. Texts are better given to `generate`: only there what they
        spell is told from what they are.
        """
        from guard.generation.ids import generate_ids

        return generate_ids(
            model, input_ids, attention_mask, options,
            generation_config=generation_config, tokenizer=tokenizer,
            logits_processor=logits_processor, stopping_criteria=stopping_criteria, streamer=streamer,
            also=None if token_type_ids is None else {"token_type_ids": token_type_ids},
        )  # fmt: skip

    @staticmethod
    def stream(
        model: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        prompt: str,
        *,
        engine: Engine = "auto",
        **options: Unpack[TextOptions],
    ) -> TextStream:
        """Generate from one prompt and give the text out in pieces as it grows.

        Keywords are those of `generate`. Joined, the pieces are the text that `generate` returns;
        after the last one, the stream's `completion` says how it ended.
        """
        from guard.generation.streaming import stream

        return stream(model, tokenizer, _one(prompt), options, engine=engine)

    @staticmethod
    def release(model: PreTrainedModel) -> None:
        """Give back the buffers and captured steps that fast generation keeps for a model on a GPU.

        Up to a sixteenth of the device's memory stays between two calls. A full memory, and the end
        of the model, give it back without this.

        Raises:
            UnguardedModelError: It is no model that the guard loaded.
        """
        from guard.decoding.graphs import release
        from guard.prompts.state import state_of

        state_of(model)
        release(model)

    @staticmethod
    def score(
        model: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        prompt: str,
        continuations: Sequence[str],
        *,
        batch_size: int | None = None,
        special_tokens: SpecialTokens | None = None,
    ) -> list[Score]:
        """Log-probabilities of continuations of a prompt; see `guard.scoring.continuations.score`."""
        from guard.scoring import continuations as scoring

        return scoring.score(
            model, tokenizer, prompt, continuations,
            batch_size=batch_size, special_tokens=special_tokens,
        )  # fmt: skip

    @staticmethod
    def score_batch(
        model: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        questions: Iterable[tuple[str, Sequence[str]]],
        *,
        batch_size: int | None = None,
        special_tokens: SpecialTokens | None = None,
    ) -> list[list[Score]]:
        """`score` for many prompts; see `guard.scoring.continuations.score_batch`."""
        from guard.scoring import continuations as scoring

        return scoring.score_batch(
            model, tokenizer, questions, batch_size=batch_size, special_tokens=special_tokens
        )

    @staticmethod
    def perplexity(
        model: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        texts: Sequence[str],
        *,
        window: int | None = None,
        overlap: int | None = None,
        batch_size: int | None = None,
        special_tokens: SpecialTokens | None = None,
    ) -> Perplexity:
        """How likely whole texts are; see `guard.scoring.perplexity.perplexity`."""
        from guard.scoring.perplexity import perplexity

        return perplexity(
            model, tokenizer, texts, window=window, overlap=overlap,
            batch_size=batch_size, special_tokens=special_tokens,
        )  # fmt: skip

    @staticmethod
    def attach_adapter(
        model: PreTrainedModel,
        path: str | PathLike[str],
        *,
        name: str = "default",
        on: str | None = None,
        is_trainable: bool = False,
        in_place: bool = False,
        revision: str | None = None,
        allow_pickle: bool = False,
    ) -> Any:
        """Put an adapter on a guarded model; see `guard.adapters.attaching.attach_adapter`."""
        from guard.adapters import attaching

        return attaching.attach_adapter(
            model, path, name=name, on=on, is_trainable=is_trainable, in_place=in_place,
            revision=revision, allow_pickle=allow_pickle,
        )  # fmt: skip

    @staticmethod
    def adapter(model: Any, name: str | Sequence[str]) -> AbstractContextManager[Any]:
        """Switch adapters for a `with` block; see `guard.adapters.selection`."""
        from guard.adapters import selection

        return selection.select_adapter(model, name)


def _one(prompt: object) -> str:
    if isinstance(prompt, (list, tuple)) and len(prompt) == 1:
        prompt = prompt[0]
    if not isinstance(prompt, str):
        raise SettingsError(
            f"generate takes one prompt, not {type(prompt).__name__}",
            remedy="pass several prompts to generate_batch",
        )
    return prompt
