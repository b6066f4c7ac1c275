"""Refuses keywords that a call does not have, and says which one was meant."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from difflib import get_close_matches

from cleanguard.catalogue.spellings import MEANT
from guard.errors import LoaderCallError

_GUARDS = "leave it out: the guard decides it"
_CONFIGS = "leave it out: the model's own config.json decides it, and another makes another model"
_HUB_CODE = "leave it out: it fetches code from the hub, at no fixed commit, and runs it"
# Keywords of transformers that are refused, and what to do instead.
_REFUSED: Mapping[str, str] = {
    "quantization_config": "say `load_in_8bit=True` or `load_in_4bit=True`, and each option by its own "
    "name, such as `bnb_4bit_quant_type`",
    "quantization_method": "say `load_in_8bit=True` or `load_in_4bit=True`",
    "pretrained_model_name_or_path": "name the model as the first argument, without a keyword",
    "low_cpu_mem_usage": "leave it out: transformers loads that way anyway",
    "resume_download": "leave it out: transformers resumes anyway",
    "offload_state_dict": "leave it out: transformers 5 has it no more",
    "mirror": "leave it out: transformers 5 has it no more",
    "from_tf": "convert the weights to safetensors: transformers 5 reads no others",
    "from_flax": "convert the weights to safetensors: transformers 5 reads no others",
    "tqdm_class": "leave it out: it changes nothing but the progress bar",
    "use_fast": "leave it out: transformers 5 has one tokenizer for both",
    "use_safetensors": "leave it out: only safetensors are read, unless allow_pickle=True",
    "weights_only": "leave it out: nothing else is ever unpickled",
    "gguf_file": "name the original checkpoint: GGUF weights are quantized for another runtime",
    "proxies": "leave it out and set HTTPS_PROXY: huggingface_hub itself takes none",
    "config": _CONFIGS,
    "max_position_embeddings": _CONFIGS,
    "rope_parameters": _CONFIGS,
    "rope_scaling": _CONFIGS,
    "fusion_config": "leave it out: it changes what the model computes",
    "state_dict": "save them as safetensors and load that: provenance measures files",
    "ignore_mismatched_sizes": "leave it out: what does not fit would be filled with random numbers",
    "output_loading_info": "leave it out: load() checks it, and refuses weights that lack tensors",
    "generation_config": "leave it out: pass its settings to generate",
    "adapter_name": "load the base, then call `loader.attach_adapter(model, path, name=…)`",
    "adapter_kwargs": "load the base, then call `loader.attach_adapter(model, path, name=…)`",
    "use_kernels": _HUB_CODE,
    "kernel_config": _HUB_CODE,
    "allow_all_kernels": _HUB_CODE,
    "chat_template": "leave it out: templates are blocked",
    "add_bos_token": 'say `bos="add"` or `bos="none"`; without it every prompt gets what its family needs',
    "add_eos_token": "leave it out: a prompt that ends is no prompt",
    "split_special_tokens": 'say `special_tokens="text"`; without it control tokens in a prompt are refused',
    "model_max_length": "leave it out: nothing is cut; a prompt that does not fit raises",
    "attention_mask": _GUARDS,
    "input_ids": _GUARDS,
    "truncation": _GUARDS,
    "padding": _GUARDS,
    "add_special_tokens": _GUARDS,
    "return_tensors": _GUARDS,
}


def refuse_unknown(call: str, given: Mapping[str, object], known: Iterable[str]) -> None:
    """Raise LoaderCallError for the first keyword of `given` that is not in `known`.

    Args:
        call: The call's name as the user writes it.
        given: The keywords that were passed.
        known: The keywords that exist.
    """
    names = sorted(known)
    for keyword in given:
        if keyword in names:
            continue
        if keyword in _REFUSED:
            hint = _REFUSED[keyword]
        elif MEANT.get(keyword) in names:
            hint = f"write `{MEANT[keyword]}=`"
        elif keyword.startswith("bnb_8bit_"):
            hint = "leave it out: no library has such an option"
            other = keyword.replace("8", "4", 1)
            hint += f" for 8 bit; did you mean `{other}`, for 4 bit?" if other in names else ""
        else:
            close = get_close_matches(keyword, names, n=1, cutoff=0.6)
            hint = f"did you mean `{close[0]}`?" if close else f"it takes {', '.join(names)}"
        raise LoaderCallError(
            f"{call} has no keyword {keyword!r}", evidence={"keyword": keyword}, remedy=hint
        )
