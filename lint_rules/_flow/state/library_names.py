"""Names of the libraries that a base model passes through, and what they are."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Literal

CallKind = Literal[
    "tokenizer-load",
    "model-load",
    "pair-load",
    "quant-config",
    "adapter-attach",
    "adapter-wrap",
    "loader",
    "loader-method",
    "pipeline",
]

_HF = ("transformers", "peft", "unsloth", "modelscope", "trl")
_OBJECTS = ("transformers", "trl", "vllm", "peft", "torch", "accelerate", "openai", "unsloth")
_LOADS = ("from_pretrained", "from_quantized")
# Nobody calls a class of another kind so: where it comes from is no matter.
_EVERYWHERE = frozenset(
    ["AutoTokenizer", "AutoModelForCausalLM", "AutoModelWithLMHead", "LlamaTokenizer", "LlamaTokenizerFast",
     "GPT2Tokenizer", "GPT2TokenizerFast", "GPTNeoXTokenizerFast", "Qwen2Tokenizer", "Qwen2TokenizerFast",
     "GemmaTokenizer", "GemmaTokenizerFast", "CodeLlamaTokenizer", "BloomTokenizerFast"]
)  # fmt: skip
# Calls that are loads by themselves, with what they are.
_LOADING_CALLS = frozenset({"nnsight.LanguageModel"})
LOADER_CLASSES = ("CleanModelLoader",)
# Stands for the module of a class of one's own that inherits from a causal LM's.
OWN_CAUSAL = "own causal"
CAUSAL_CLASSES = ("ForCausalLM", "LMHeadModel")
_LOADER_METHODS = (
    "load",
    "load_tokenizer",
    "generate",
    "generate_batch",
    "encode",
    "complete",
    "generate_ids",
    "attach_adapter",
    "load_watched",
    "generate_watched",
    "pipeline_watched",
)
# Classes of encoders, sequence-to-sequence, speech and vision models, by how their names begin.
_NOT_CAUSAL = (
    "Albert", "Bart", "Bert", "BigBird", "Blenderbot", "CLIP", "Camembert", "Deberta", "DistilBert",
    "Electra", "Layout", "Longformer", "M2M100", "MBart", "MPNet", "MT5", "Marian", "Mobile", "Pegasus",
    "Roberta", "SqueezeBert", "T5", "Wav2Vec2", "Whisper", "XLM", "XLNet",
)  # fmt: skip

_OTHER_HEADS = (
    "ForSequenceClassification", "ForTokenClassification", "ForMaskedLM", "ForSeq2SeqLM",
    "ForConditionalGeneration", "ForQuestionAnswering", "ForMultipleChoice", "ForVision2Seq",
)  # fmt: skip

# Returned unchanged by these methods: `.to("cuda").eval()` is still the same model or batch.
KEEPS_MODEL = frozenset(
    [
        "eval",
        "train",
        "to",
        "cuda",
        "cpu",
        "half",
        "float",
        "bfloat16",
        "double",
        "requires_grad_",
        "merge_and_unload",
        "unload",
        "tie_weights",
        "get_base_model",
        "bettertransformer",
        "compile",
        "share_memory",
    ]
)
KEEPS_ENCODED = frozenset(
    [
        "to",
        "cuda",
        "cpu",
        "copy",
        "convert_to_tensors",
        "pin_memory",
        "clone",
        "detach",
        "contiguous",
        "long",
        "int",
    ]
)
KEEPS_GENERATED = frozenset(
    ["to", "cuda", "cpu", "clone", "detach", "contiguous", "tolist", "numpy", "long", "int"]
)

SAMPLING_PARAMETERS = "vllm.SamplingParams"
# What vLLM's engines give for their model's generation_config.json.
DEFAULT_PARAMETERS = "vllm.LLM.get_default_sampling_params"
# Their `write…` methods put records into a file.
ROW_WRITERS = frozenset({"csv.writer", "csv.DictWriter", "jsonlines.open", "jsonlines.Writer"})
# Their `parse_…` methods give an object of each class that they are built with.
DATACLASS_PARSERS = ("transformers.HfArgumentParser", "trl.TrlParser")
# TRL's classes that put a value head on a causal LM, or around one, end so.
VALUE_HEAD = "WithValueHead"
TEMPLATE_ATTRIBUTES = frozenset({"chat_template", "default_chat_template"})
ENCODING_METHODS = frozenset({"__call__", "encode", "encode_plus", "batch_encode_plus"})
DECODING_METHODS = frozenset({"decode", "batch_decode"})


@lru_cache(maxsize=65536)
def kind_of_call(symbol: str) -> CallKind | None:
    """What calling an imported name does, None where it is not our business."""
    root, _, rest = symbol.partition(".")
    parts = rest.split(".") if rest else []
    name = parts[-1] if parts else root
    if name in LOADER_CLASSES:
        return "loader"
    if len(parts) >= 2 and parts[-2] in LOADER_CLASSES:
        return "loader-method" if name in _LOADER_METHODS else None
    if symbol in _LOADING_CALLS:
        return "model-load"
    if root not in _HF:
        return _kind_elsewhere(root, parts)
    if name == "pipeline" and root == "transformers":
        return "pipeline"
    if name == "BitsAndBytesConfig":
        return "quant-config"
    if name in ("get_peft_model", "prepare_model_for_kbit_training"):
        return "adapter-wrap"
    if name not in _LOADS or len(parts) < 2:
        return None
    return _kind_of_class(root, parts[-2])


def is_causal_class(name: str) -> bool:
    """Whether a class is a causal LM's by its name: `LlamaForCausalLM`, somebody's `LlamaForCausalLM_sparse`."""
    return "ForCausalLM" in name or name.endswith("LMHeadModel")


def _kind_elsewhere(root: str, parts: list[str]) -> CallKind | None:
    """A load by a class of another library, or one that somebody's own module hands on."""
    if len(parts) < 2 or parts[-1] not in _LOADS or root == "builtins":
        return None
    if root == OWN_CAUSAL:
        return "model-load"
    is_ours = parts[-2] in _EVERYWHERE or is_causal_class(parts[-2])
    return _kind_of_class("transformers", parts[-2]) if is_ours else None


def _kind_of_class(root: str, name: str) -> CallKind | None:
    if root == "unsloth" and name in ("FastLanguageModel", "FastModel"):
        return "pair-load"
    if name.startswith("PeftModel"):
        return "adapter-attach"
    if name.startswith(_NOT_CAUSAL):
        return None
    if name.endswith(("Tokenizer", "TokenizerFast")):
        return "tokenizer-load"
    if is_causal_class(name) or name.endswith("WithLMHead"):
        return "model-load"
    return None


_RENDERING = re.compile(
    r"(?:^|_)(render|apply_chat|apply_template|chat_template|chat_prompt|chatml|to_chat|build_chat|make_chat|"
    r"format_chat|format_messages|messages_to|conv)(?:_|$)"
)


@lru_cache(maxsize=65536)
def renders(symbol: str) -> bool:
    """Whether a function that is not in sight makes a chat of a prompt, by its name."""
    return _RENDERING.search(symbol.rsplit(".", 1)[-1]) is not None


@lru_cache(maxsize=65536)
def makes_object(symbol: str) -> bool:
    """Whether calling an imported name gives an object of a class that rules ask about."""
    if symbol in ROW_WRITERS:
        return True
    root, _, _ = symbol.partition(".")
    last = symbol.rsplit(".", 1)[-1]
    # A load of another kind of model gives an object as well: no causal LM, so nobody takes it for one.
    return root in _OBJECTS and (last[:1].isupper() or last in _LOADS or symbol == "torch.load")


def is_language_model_annotation(symbol: str) -> Literal["tokenizer", "model"] | None:
    """Whether an annotation names a tokenizer or a causal LM."""
    root, _, _ = symbol.partition(".")
    name = symbol.rsplit(".", 1)[-1]
    if root not in _HF:
        return None
    if name.endswith(("Tokenizer", "TokenizerFast", "TokenizerBase")):
        return "tokenizer"
    if name in ("PreTrainedModel", "GenerationMixin", "PeftModel") or name.endswith("ForCausalLM"):
        return "model"
    return None


def guess_by_name(name: str) -> Literal["tokenizer", "model"] | None:
    """What a parameter that nobody passes is most likely to be, by its name alone."""
    lowered = name.lower().lstrip("_")
    if lowered in ("tokenizer", "tok", "hf_tokenizer", "base_tokenizer"):
        return "tokenizer"
    if lowered in ("model", "base_model", "lm", "hf_model", "language_model"):
        return "model"
    return None


_CLASS_NAME = re.compile(r"(?:^|_)(?:class|cls|type)$|(?:class|cls)$")


@lru_cache(maxsize=4096)
def guess_class_by_name(name: str) -> Literal["tokenizer-load", "model-load"] | None:
    """What a variable that holds a class loads: `model_class`, `TokenizerCls`."""
    lowered = name.lower()
    if _CLASS_NAME.search(lowered) is None or re.search("reward|critic|value|vision", lowered):
        return None
    if "tokenizer" in lowered:
        return "tokenizer-load"
    return "model-load" if re.search(r"(?:^|_)(?:auto_?|hf_?)?(?:model|lm)", lowered) else None


def names_causal_model(imported: Iterable[str]) -> bool:
    """Whether a module imports a class of causal LMs, and none of another head."""
    names = [name.rsplit(".", 1)[-1] for name in imported]
    causal = any(name.endswith(CAUSAL_CLASSES) for name in names)
    return causal and not any(name.endswith(_OTHER_HEADS) for name in names)


def translates(imported: Iterable[str]) -> bool:
    """Whether a module imports sequence-to-sequence models: what is called `model` may be one."""
    marks = ("Seq2Seq", "ForConditionalGeneration", "Marian", "T5", "Bart")
    return any(mark in name for name in imported for mark in marks)
