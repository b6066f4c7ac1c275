"""CleanModelLoader: loads a base model checked, guarded and recorded, and generates with it."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

from guard.base.keywords import refuse_unknown
from guard.calls import GuardedCalls
from guard.files.request import (
    BosChoice,
    DeviceMap,
    LoadRequest,
    PaddingChoice,
    PaddingSide,
    SpecialTokens,
    path_text,
)
from guard.watched_calls import WatchedCalls

if TYPE_CHECKING:
    import torch
    from torch.distributed import DeviceMesh
    from transformers import PreTrainedConfig, PreTrainedModel, PreTrainedTokenizerBase

    from guard.provenance.record import Provenance

LOADER_KEYWORDS: frozenset[str] = frozenset(LoadRequest.__dataclass_fields__) - {
    "model_id",
    "side_said",
}


class Loaded(NamedTuple):
    """What `load()` returns: unpack it into three names."""

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    provenance: Provenance


_OTHER_NAMES = {"half": "float16", "float": "float32", "double": "float64"}


class CleanModelLoader(GuardedCalls, WatchedCalls):
    """Loads a base model so that nothing of a chat format can reach it unnoticed.

    Args:
        model_id: A local directory or a hub id.
        load_in_8bit: Quantize to int8 with bitsandbytes; None, as False, does not.
        load_in_4bit: Quantize to nf4 with double quantization, computing in the dtype of the rest of
            the model.
        llm_int8_threshold: From which magnitude a column of inputs is computed in 16 bit; 6.0.
        llm_int8_skip_modules: Modules to leave alone, in 8 and in 4 bit, beside those that are left
            alone anyway (the output head): names from the root (`model.layers.0`), regular
            expressions, or ends of names (`down_proj`).
        llm_int8_has_fp16_weight: Keep 16-bit weights and quantize at each forward, for training.
        llm_int8_enable_fp32_cpu_offload: Leave modules that `device_map` puts on the CPU in float32.
        bnb_4bit_quant_type: `nf4`, the default, or `fp4`.
        bnb_4bit_use_double_quant: Quantize the scales as well; True.
        bnb_4bit_compute_dtype: What 4-bit layers compute in; the dtype of the rest of the model.
        bnb_4bit_quant_storage: The dtype that packed weights are stored as; uint8. FSDP needs that
            of the rest.
        dtype: A torch dtype or one of its names (`"half"` too). The default `"auto"`, and None, keep the dtype of the
            checkpoint, which is what transformers 5 gives to code that says nothing (transformers 4
            gave float32).
        device_map, attn_implementation, max_memory: As in `from_pretrained`.
        revision: Branch, tag or commit of a hub repository; it is resolved to a commit and loaded
            by it.
        cache_dir, token, local_files_only, force_download, variant: As in `from_pretrained`.
        subfolder: The folder that holds the model, its tokenizer included.
        offload_folder, offload_buffers, disable_mmap, key_mapping: As in `from_pretrained`.
        tp_plan, tp_size, device_mesh, distributed_config: As in `from_pretrained`.
        experts_implementation: As in `from_pretrained`.
        trust_remote_code: Run the repository's code; a hub repository needs a 40-hex `revision`
            then, and code that it takes from another repository a 40-hex `code_revision`. A kernel
            from the hub as `attn_implementation` needs its commit behind an `@`. For a model
            without code of its own it does nothing, and that is recorded.
        for_training: Pads on the right unless told otherwise,
            leaves the model in training mode, and takes the template off the tokenizer;
            saving that tokenizer saves the original files.
        padding_side: `left`; `right` only for training. A side that is said is saved with the tokenizer.
        allow_chat_model, allow_adapter, allow_pickle: Load what is refused otherwise; recorded.
        allow_missing_bos: Let rows be scored, and generated from with `generate_ids`, that do not begin
            with BOS, such as windows of a long text; recorded. A model's own `generate` refuses them
            all the same.
        model_class: The class to load with, in the place of AutoModelForCausalLM; recorded.
        config: A configuration in the place of the model's own, as in `from_pretrained`; recorded.
        bos: What prompts begin with. `auto` follows what the tokenizer does, then what its family
            needs; `add` puts before them the BOS that the files name (the whole of it, where it is
            several tokens), `none` puts nothing. What was weighed is recorded in each case.
        special_tokens: `refuse` a prompt that spells a special token, or read the spelling as plain
            `text`; recorded. What the chat template writes as ordinary text is refused either way.
        padding: `auto` fills batches with a token that is not EOS where the vocabulary has one to
            spare. `files` leaves the token that the files name, perhaps none, to a script that adds
            one of its own; for training also their side.

    Raises:
        LoaderCallError: A keyword that does not exist, with the one that was meant.
        SettingsError: Keywords that contradict each other.
    """

    def __init__(
        self,
        model_id: str | PathLike[str],
        *,
        load_in_8bit: bool | None = False,
        load_in_4bit: bool | None = False,
        llm_int8_threshold: float | None = None,
        llm_int8_skip_modules: Sequence[str] | None = None,
        llm_int8_has_fp16_weight: bool | None = None,
        llm_int8_enable_fp32_cpu_offload: bool | None = None,
        bnb_4bit_quant_type: str | None = None,
        bnb_4bit_use_double_quant: bool | None = None,
        bnb_4bit_compute_dtype: str | torch.dtype | None = None,
        bnb_4bit_quant_storage: str | torch.dtype | None = None,
        dtype: str | torch.dtype | None = "auto",
        device_map: DeviceMap = None,
        attn_implementation: str | dict[str, str] | None = None,
        revision: str | None = None,
        cache_dir: str | PathLike[str] | None = None,
        token: str | bool | None = None,
        max_memory: dict[int | str, int | str] | None = None,
        local_files_only: bool = False,
        variant: str | None = None,
        offload_folder: str | PathLike[str] | None = None,
        tp_plan: str | dict[str, str] | None = None,
        experts_implementation: str | None = None,
        subfolder: str = "",
        force_download: bool = False,
        code_revision: str | None = None,
        offload_buffers: bool = False,
        tp_size: int | None = None,
        device_mesh: DeviceMesh | None = None,
        distributed_config: Any = None,
        disable_mmap: bool | None = None,
        key_mapping: dict[str, str] | None = None,
        trust_remote_code: bool | None = False,
        for_training: bool = False,
        padding_side: PaddingSide | None = None,
        allow_chat_model: bool = False,
        allow_adapter: bool = False,
        allow_pickle: bool = False,
        bos: BosChoice = "auto",
        special_tokens: SpecialTokens = "refuse",
        padding: PaddingChoice = "auto",
        model_class: type | None = None,
        config: PreTrainedConfig | None = None,
        allow_missing_bos: bool = False,
        **unknown: NoReturn,
    ) -> None:
        refuse_unknown("CleanModelLoader", unknown, LOADER_KEYWORDS)
        self._request = LoadRequest(
            model_id=path_text(model_id, "the model"),
            load_in_8bit=False if load_in_8bit is None else load_in_8bit,
            load_in_4bit=False if load_in_4bit is None else load_in_4bit,
            llm_int8_threshold=llm_int8_threshold,
            llm_int8_skip_modules=llm_int8_skip_modules,
            llm_int8_has_fp16_weight=llm_int8_has_fp16_weight,
            llm_int8_enable_fp32_cpu_offload=llm_int8_enable_fp32_cpu_offload,
            bnb_4bit_quant_type=bnb_4bit_quant_type,
            bnb_4bit_use_double_quant=bnb_4bit_use_double_quant,
            bnb_4bit_compute_dtype=bnb_4bit_compute_dtype,
            bnb_4bit_quant_storage=bnb_4bit_quant_storage,
            dtype=_named_dtype(dtype),
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
            subfolder=subfolder,
            force_download=force_download,
            code_revision=code_revision,
            offload_buffers=offload_buffers,
            tp_size=tp_size,
            device_mesh=device_mesh,
            distributed_config=distributed_config,
            disable_mmap=disable_mmap,
            key_mapping=key_mapping,
            trust_remote_code=False if trust_remote_code is None else trust_remote_code,
            for_training=for_training,
            padding_side=padding_side or _side(padding, for_training=for_training),
            side_said=padding_side is not None,
            allow_chat_model=allow_chat_model,
            allow_adapter=allow_adapter,
            allow_pickle=allow_pickle,
            bos=bos,
            special_tokens=special_tokens,
            padding=padding,
            model_class=model_class,
            config=config,
            allow_missing_bos=allow_missing_bos,
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
        from guard.loading.assembly import assemble

        return Loaded(*assemble(self._request))

    def load_tokenizer(self) -> PreTrainedTokenizerBase:
        """Load the checked, guarded tokenizer alone; no weights are needed or fetched.

        Returns:
            The tokenizer that `load()` returns: same ids, same padding, templates blocked.

        Raises:
            ModelNotFoundError, ChatModelError, RemoteCodeError: As `load()` does.
        """
        from guard.loading.tokenizer_load import load_tokenizer

        return load_tokenizer(self._request)

    def save_tokenizer(self, path: str | PathLike[str]) -> tuple[str, ...]:
        """Put the model's original tokenizer files, template included, beside what was trained.

        Args:
            path: A directory, such as an adapter's; stale template files in it are removed.

        Returns:
            The paths that were written.
        """
        from guard.loading.tokenizer_load import save_tokenizer

        return save_tokenizer(self._request, path)


def _named_dtype(dtype: str | torch.dtype | None) -> str | torch.dtype:
    """A dtype by the name that torch prints; `half`, `float` and `double` are torch's other names for three of them."""
    if dtype is None:
        return "auto"
    return _OTHER_NAMES.get(dtype, dtype) if isinstance(dtype, str) else dtype


def _side(padding: str, *, for_training: bool) -> PaddingSide | None:
    if not for_training:
        return "left"
    return None if padding == "files" else "right"
