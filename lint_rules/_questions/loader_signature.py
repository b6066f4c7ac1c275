"""The keywords of CleanModelLoader, copied because this side never imports torch.

A test compares them with the loader itself.
"""

from __future__ import annotations

LOADER_KEYWORDS: frozenset[str] = frozenset(
    [
        "model_id",
        "load_in_8bit",
        "load_in_4bit",
        "llm_int8_threshold",
        "llm_int8_skip_modules",
        "llm_int8_has_fp16_weight",
        "llm_int8_enable_fp32_cpu_offload",
        "bnb_4bit_quant_type",
        "bnb_4bit_use_double_quant",
        "bnb_4bit_compute_dtype",
        "bnb_4bit_quant_storage",
        "dtype",
        "device_map",
        "attn_implementation",
        "revision",
        "cache_dir",
        "token",
        "max_memory",
        "local_files_only",
        "variant",
        "offload_folder",
        "tp_plan",
        "experts_implementation",
        "subfolder",
        "force_download",
        "code_revision",
        "offload_buffers",
        "tp_size",
        "device_mesh",
        "distributed_config",
        "disable_mmap",
        "key_mapping",
        "trust_remote_code",
        "for_training",
        "padding_side",
        "allow_chat_model",
        "allow_adapter",
        "allow_pickle",
        "bos",
        "special_tokens",
        "padding",
        "model_class",
        "config",
        "allow_missing_bos",
    ]
)
# Settings of transformers' own generate that the loader's generate takes as well.
SETTINGS: frozenset[str] = frozenset(
    [
        "max_new_tokens",
        "max_length",
        "min_new_tokens",
        "do_sample",
        "temperature",
        "top_p",
        "top_k",
        "min_p",
        "num_beams",
        "length_penalty",
        "early_stopping",
        "repetition_penalty",
        "no_repeat_ngram_size",
        "eos_token_id",
        "use_cache",
        "stop_strings",
    ]
)
_OPTIONS = SETTINGS | frozenset(
    [
        "pad_token_id",
        "skip_special_tokens",
        "clean_up_tokenization_spaces",
        "return_full_text",
        "seed",
        "special_tokens",
        "num_return_sequences",
    ]
)
_BATCH = frozenset(
    [
        "model",
        "tokenizer",
        "prompts",
        "batch_size",
        "progress",
        "on_finished",
        "engine",
        "batch_invariant",
    ]
)
# What `generate_ids` takes of transformers' own generate besides.
IDS_SETTINGS: frozenset[str] = frozenset(
    [
        "num_return_sequences",
        "pad_token_id",
        "min_length",
        "bad_words_ids",
        "max_time",
        "suppress_tokens",
        "begin_suppress_tokens",
        "sequence_bias",
        "remove_invalid_values",
        "return_dict_in_generate",
        "output_scores",
        "output_logits",
        "output_attentions",
        "output_hidden_states",
        "prefix_allowed_tokens_fn",
        "synced_gpus",
        "logits_processor",
        "stopping_criteria",
        "streamer",
        "tokenizer",
    ]
)
METHOD_KEYWORDS: dict[str, frozenset[str]] = {
    "load": frozenset(),
    "load_tokenizer": frozenset(),
    "encode": frozenset(["tokenizer", "prompt", "max_length", "special_tokens"]),
    "generate": _OPTIONS | {"model", "tokenizer", "prompt", "engine"},
    "generate_batch": _OPTIONS | _BATCH,
    "complete": _OPTIONS | _BATCH,
    "generate_ids": SETTINGS
    | IDS_SETTINGS
    | {"model", "input_ids", "attention_mask", "token_type_ids", "generation_config", "seed"},
    "attach_adapter": frozenset(
        ["model", "path", "name", "is_trainable", "on", "in_place", "revision", "allow_pickle"]
    ),
}
# How many values may be given by position; the rest is keyword-only.
POSITIONS: dict[str, int] = {
    "CleanModelLoader": 1,
    "load": 0,
    "load_tokenizer": 0,
    "encode": 2,
    "generate": 3,
    "generate_batch": 3,
    "complete": 3,
    "generate_ids": 3,
    "attach_adapter": 2,
    "adapter": 2,
    "save_tokenizer": 1,
}
