"""CleanModelLoader: loads a base model checked, guarded and recorded, and generates with it."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from os import PathLike
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, NoReturn, overload

from guard import adapters, generation, prompts
from guard.assembly import assemble
from guard.errors import SettingsError
from guard.keywords import refuse_unknown
from guard.provenance import Provenance
from guard.request import LoadRequest, PaddingSide, path_text
from guard.tokenizer_load import load_tokenizer, save_tokenizer

if TYPE_CHECKING:
    import torch
    from transformers import BatchEncoding, PreTrainedModel, PreTrainedTokenizerBase
    from typing_extensions import Unpack

    from guard.completion import Completion
    from guard.generation import OnFinished
    from guard.settings import GenerationOptions, TextOptions
    from guard.streaming import TextStream

LOADER_KEYWORDS: frozenset[str] = frozenset(LoadRequest.__dataclass_fields__) - {"model_id"}


class Loaded(NamedTuple):
    """What `load()` returns: unpack it into three names."""

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    provenance: Provenance


class CleanModelLoader:
    """Loads a base model so that nothing of a chat format can reach it unnoticed.

    Args:
        model_id: A local directory or a hub id.
        load_in_8bit: Quantize to int8 with bitsandbytes.
        load_in_4bit: Quantize to nf4 with double quantization; the compute dtype follows `dtype`.
        dtype: A torch dtype or its name. The default `"auto"` keeps the dtype of the checkpoint,
            which is what transformers 5 gives to code that says nothing (transformers 4 gave
            float32).
        device_map, attn_implementation, max_memory: As in `from_pretrained`.
        revision: Branch, tag or commit of a hub repository; it is resolved to a commit and loaded
            by it.
        cache_dir, token, local_files_only, variant: As in `from_pretrained`.
        offload_folder, tp_plan, experts_implementation: As in `from_pretrained`.
        trust_remote_code: Run the repository's code; a hub repository needs a 40-hex `revision`
            then. For a model without code of its own it does nothing, and that is recorded.
        for_training: Pads on the right unless told otherwise,
            leaves the model in training mode, and takes the template off the tokenizer;
            saving that tokenizer saves the original files.
        padding_side: `left`; `right` only for training.
        allow_chat_model, allow_adapter, allow_pickle: Load what is refused otherwise; recorded.

    Raises:
        LoaderCallError: A keyword that does not exist, with the one that was meant.
        SettingsError: Keywords that contradict each other.
    """

    def __init__(
        self,
        model_id: str | PathLike[str],
        *,
        load_in_8bit: bool = False,
        load_in_4bit: bool = False,
        dtype: str | torch.dtype = "auto",
        device_map: str | dict[str, Any] | None = None,
        attn_implementation: str | None = None,
        revision: str | None = None,
        cache_dir: str | PathLike[str] | None = None,
        token: str | bool | None = None,
        max_memory: dict[int | str, int | str] | None = None,
        local_files_only: bool = False,
        variant: str | None = None,
        offload_folder: str | PathLike[str] | None = None,
        tp_plan: str | dict[str, str] | None = None,
        experts_implementation: str | None = None,
        trust_remote_code: bool = False,
        for_training: bool = False,
        padding_side: PaddingSide | None = None,
        allow_chat_model: bool = False,
        allow_adapter: bool = False,
        allow_pickle: bool = False,
        **unknown: NoReturn,
    ) -> None:
        refuse_unknown("CleanModelLoader", unknown, LOADER_KEYWORDS)
        self._request = LoadRequest(
            model_id=path_text(model_id, "the model"),
            load_in_8bit=load_in_8bit,
            load_in_4bit=load_in_4bit,
            dtype=dtype,
            device_map=device_map,
            attn_implementation=attn_implementation,
            revision=revision,
            cache_dir=cache_dir,
            token=token,
            max_memory=max_memory,
            local_files_only=local_files_only,
            variant=variant,
            offload_folder=offload_folder,
            tp_plan=tp_plan,
            experts_implementation=experts_implementation,
            trust_remote_code=trust_remote_code,
            for_training=for_training,
            padding_side=padding_side or ("right" if for_training else "left"),
            allow_chat_model=allow_chat_model,
            allow_adapter=allow_adapter,
            allow_pickle=allow_pickle,
        )

    @property
    def request(self) -> LoadRequest:
        """What was asked for."""
        return self._request

    def __repr__(self) -> str:
        return f"CleanModelLoader({self._request.model_id!r})"

    def load(self) -> Loaded:
        """Load the model and its tokenizer, check and guard them, and measure what was loaded.

        Returns:
            `(model, tokenizer, provenance)`, the model in evaluation mode unless for training.

        Raises:
            ModelNotFoundError, MissingWeightsError, PickleWeightsError, AdapterAsBaseError,
            ChatModelError, RemoteCodeError: What their names say; each names its override if it has
                one.
            MissingExtraError: bitsandbytes is needed and not installed.
        """
        return Loaded(*assemble(self._request))

    def load_tokenizer(self) -> PreTrainedTokenizerBase:
        """Load the checked, guarded tokenizer alone; no weights are needed or fetched.

        Returns:
            The tokenizer that `load()` returns: same ids, same padding, templates blocked.

        Raises:
            ModelNotFoundError, ChatModelError, RemoteCodeError: As `load()` does.
        """
        return load_tokenizer(self._request)

    def save_tokenizer(self, path: str | PathLike[str]) -> tuple[str, ...]:
        """Put the model's original tokenizer files, template included, beside what was trained.

        Args:
            path: A directory, such as an adapter's; stale template files in it are removed.

        Returns:
            The paths that were written.
        """
        return save_tokenizer(self._request, path)

    @staticmethod
    def encode(
        tokenizer: PreTrainedTokenizerBase,
        prompt: str | Sequence[str],
        *,
        max_length: int | None = None,
    ) -> BatchEncoding:
        """Tokenise for a base model; see `guard.prompts.encode`."""
        return prompts.encode(tokenizer, prompt, max_length=max_length)

    @overload
    @staticmethod
    def generate(
        model: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        prompt: str,
        *,
        num_return_sequences: Literal[1] | None = None,
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
        **options: Unpack[TextOptions],
    ) -> list[str]: ...

    @staticmethod
    def generate(
        model: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        prompt: str,
        **options: Any,
    ) -> str | list[str]:
        """Generate from one prompt, greedily unless sampling is asked for; nothing is added.

        Keywords are those of `guard.settings.GenerationOptions`, named as in transformers.
        `temperature > 0` or `do_sample=True` asks for sampling; `do_sample=False` wins.

        Returns:
            The generated text without the prompt; a list of texts if `num_return_sequences` is
            above 1.

        Raises:
            See `guard.generation.complete`.
        """
        _refuse_list(prompt)
        [found] = generation.complete(model, tokenizer, [prompt], options, call="generate")
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
        **options: Unpack[GenerationOptions],
    ) -> list[str]:
        """Generate from many prompts: batched by length, padded left, returned in their order.

        Args:
            model, tokenizer: As `load()` returned them.
            prompts: Plain texts.
            batch_size: Rows at a time; None begins with 64. Halved when memory is full.
            progress: Show a bar on standard error; None does on a terminal.
            on_finished: Called with the number of a prompt and its completions as soon as they are
                there: write records from it, and Ctrl-C or a full memory loses nothing.
            options: As in `generate`. With `num_return_sequences` the texts of a prompt follow each
                other.

        Returns:
            One text per prompt, times `num_return_sequences`.

        Raises:
            See `guard.generation.complete`. `MemoryFullError` and `GenerationInterrupted` (Ctrl-C)
            carry what was finished.
        """
        found = generation.complete(
            model,
            tokenizer,
            prompts,
            options,
            batch_size=batch_size,
            progress=progress,
            on_finished=on_finished,
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
        **options: Unpack[GenerationOptions],
    ) -> list[Completion]:
        """Like `generate_batch`, with ids, token counts, finish reason and seed for each text."""
        found = generation.complete(
            model,
            tokenizer,
            prompts,
            options,
            batch_size=batch_size,
            progress=progress,
            on_finished=on_finished,
        )
        return [completion for row in found for completion in row]

    @staticmethod
    def stream(
        model: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        prompt: str,
        **options: Unpack[TextOptions],
    ) -> TextStream:
        """Generate from one prompt and give the text out in pieces as it grows.

        Keywords are those of `generate`. Joined, the pieces are the text that `generate` returns;
        after the last one, the stream's `completion` says how it ended.
        """
        _refuse_list(prompt)
        from guard.streaming import stream

        return stream(model, tokenizer, prompt, options)

    @staticmethod
    def attach_adapter(
        model: PreTrainedModel,
        path: str | PathLike[str],
        *,
        name: str = "default",
        on: str | None = None,
        is_trainable: bool = False,
        in_place: bool = False,
    ) -> Any:
        """Put an adapter on a guarded model; see `guard.adapters.attach_adapter`."""
        return adapters.attach_adapter(
            model, path, name=name, on=on, is_trainable=is_trainable, in_place=in_place
        )

    @staticmethod
    def adapter(model: Any, name: str | Sequence[str]) -> AbstractContextManager[Any]:
        """Switch adapters for a `with` block; see `guard.adapters.select_adapter`."""
        return adapters.select_adapter(model, name)


def _refuse_list(prompt: object) -> None:
    if not isinstance(prompt, str):
        raise SettingsError(
            f"generate takes one prompt, not {type(prompt).__name__}",
            remedy="pass several prompts to generate_batch",
        )
