"""A config.json that lies: told by field and value, before or after the library stumbles on it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers

from guard import CleanModelLoader
from guard.doctor import diagnose
from guard.errors import BrokenModelError, GuardError, MissingExtraError, ModelNotFoundError

Edited = Callable[..., Path]
THREE = 3  # layers of the embedded model


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"hidden_act": "swigloo"}, r"makes no model: hidden_act is 'swigloo', which transformers"),
        ({"rope_parameters": {"rope_type": "spiral"}}, "rope_type is 'spiral', which transformers"),
        ({"rope_scaling": {"type": "yarnn", "factor": 2.0}}, "rope_scaling.type is 'yarnn'"),
        ({"rope_scaling": {"rope_type": "yarn"}}, "Missing required keys.*factor"),
        ({"rope_scaling": {"rope_type": "linear", "factor": "2"}}, "rope_scaling.factor is '2'"),
        ({"rope_scaling": {"rope_type": "linear", "factor": -2.0}}, "factor is -2.0"),
        ({"rope_theta": "big"}, "rope_theta is 'big'"),
        ({"rope_parameters": {"rope_type": "default", "rope_theta": 0}}, "rope_theta is 0"),
        ({"num_attention_heads": 0}, "num_attention_heads is 0"),
        ({"num_key_value_heads": -2}, "num_key_value_heads is -2"),
        ({"num_hidden_layers": 0, "layer_types": []}, "num_hidden_layers is 0"),
        ({"vocab_size": 0}, "vocab_size is 0"),
        ({"max_position_embeddings": -1}, "max_position_embeddings is -1"),
        (
            {"layer_types": ["sliding_attention"] * THREE, "sliding_window": 0, "use_sliding_window": True},
            "sliding_window is 0",
        ),
        ({"dtype": "float17"}, "dtype is 'float17'"),
        ({"dtype": "float8_e4m3fn"}, "dtype is 'float8_e4m3fn'"),
        ({"dtype": 16}, "dtype is 16"),
        ({"torch_dtype": "int8"}, "torch_dtype is 'int8'"),
        ({"hidden_act": None}, "field 'hidden_act':.*None"),
        ({"layer_types": ["full_attention"]}, r"num_hidden_layers` \(3\)"),
        ({"head_dim": 7}, "even rotary dimension"),
        ({"pad_token_id": 99_999}, "pad_token_id is 99999, vocab_size 702"),
        ({"model_type": "qwen99"}, "`qwen99`"),
        ({"model_type": "vit"}, "model_type 'vit' has no causal language model"),
        ({"text_config": {"vocab_size": 5}}, "config.json makes no model"),
    ],
)  # fmt: skip
def test_a_value_is_named(edited: Edited, config: dict[str, Any], said: str) -> None:
    with pytest.raises(ModelNotFoundError, match=said) as caught:
        CleanModelLoader(edited(config=config)).load()
    assert caught.value.remedy


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"is_encoder_decoder": True}, "is an encoder-decoder"),
        ({"model_type": "t5"}, "is an encoder-decoder"),
        ({"architectures": ["Qwen2ForSequenceClassification"]}, "Qwen2ForSequenceClassification"),
        ({"architectures": ["Qwen2ForTokenClassification"]}, "Qwen2ForTokenClassification"),
        ({"architectures": "Qwen2ForRewardModel"}, "Qwen2ForRewardModel"),
    ],
)
def test_another_kind_of_model(edited: Edited, config: dict[str, Any], said: str) -> None:
    with pytest.raises(ModelNotFoundError, match=f"{said}.*no causal language model"):
        CleanModelLoader(edited(config=config)).load()


def small(kind: str) -> Any:
    ids = {"vocab_size": 702, "bos_token_id": None, "eos_token_id": 0, "pad_token_id": 0}
    both = {"encoder_layers": 1, "decoder_layers": 1, "encoder_ffn_dim": 16, "decoder_ffn_dim": 16}
    both |= {"d_model": 16, "encoder_attention_heads": 2, "decoder_attention_heads": 2}
    one = {
        "hidden_size": 16,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "intermediate_size": 16,
    }
    if kind == "BartForConditionalGeneration":
        return transformers.BartForConditionalGeneration(transformers.BartConfig(**ids, **both))
    config = transformers.BertConfig(**ids, **one, is_decoder=kind == "BertLMHeadModel")
    return getattr(transformers, kind)(config)


@pytest.mark.parametrize(
    ("kind", "named"),
    [
        pytest.param("BartForConditionalGeneration", True, id="its-decoder-alone-would-be-read"),
        pytest.param("BertForMaskedLM", True, id="a-masked-model"),
        pytest.param("BertForMaskedLM", False, id="a-masked-model-that-does-not-say-so"),
    ],
)
def test_a_real_checkpoint_of_another_kind(
    tiny_dir: Path, tmp_path: Path, edited: Edited, kind: str, named: bool
) -> None:
    target = edited()
    small(kind).save_pretrained(target)
    if not named:
        edited_config = target / "config.json"
        edited_config.write_text(edited_config.read_text().replace(f'"{kind}"', ""))
    with pytest.raises(ModelNotFoundError, match="no causal language model"):
        CleanModelLoader(target).load()


def test_a_decoder_of_such_a_family_is_loaded(edited: Edited) -> None:
    target = edited()
    small("BertLMHeadModel").save_pretrained(target)
    (target / "generation_config.json").unlink(missing_ok=True)
    assert CleanModelLoader(target).load().provenance.model.architecture == "BertLMHeadModel"


@pytest.mark.parametrize("named", [3, {"a": 1}, [3, None], True, ""])
def test_classes_that_are_no_names_are_none(edited: Edited, named: Any) -> None:
    path = edited(config={"architectures": named})
    assert not diagnose(CleanModelLoader(path).request).architecture
    assert CleanModelLoader(path).load().provenance.model.architecture == "Qwen2ForCausalLM"


def test_another_class_than_the_file_names_is_recorded(edited: Edited, tiny: Any) -> None:
    loaded = CleanModelLoader(edited(config={"architectures": ["LlamaForCausalLM"]})).load()
    said = {check.name: (check.verdict, check.detail) for check in loaded.provenance.checks}
    assert said["class-as-named"] == (
        "recorded", "config.json names LlamaForCausalLM, and Qwen2ForCausalLM was loaded",
    )  # fmt: skip
    usual = {check.name: check.verdict for check in tiny.provenance.checks}
    assert (usual["class-as-named"], usual["ends-have-rows"]) == ("pass", "pass")


def test_an_end_beyond_the_vocabulary_is_recorded(edited: Edited) -> None:
    loaded = CleanModelLoader(edited(config={"eos_token_id": [0, 99_999]})).load()
    [check] = [check for check in loaded.provenance.checks if check.name == "ends-have-rows"]
    assert (check.verdict, "[99999]" in check.detail) == ("recorded", True)


def test_a_dtype_that_is_not_computed_in_does_not_matter_beside_another(edited: Edited) -> None:
    path = edited(config={"dtype": "float8_e4m3fn"})
    assert CleanModelLoader(path, dtype="float32").load().provenance.dtype == "float32"


def test_outputs_that_are_no_objects(edited: Edited) -> None:
    model, tokenizer, _ = CleanModelLoader(edited(config={"return_dict": False})).load()
    assert CleanModelLoader.generate(model, tokenizer, "The cat", max_new_tokens=2)


def test_a_model_that_loads_and_cannot_compute(edited: Edited) -> None:
    """Layers of a kind that its code has no cache for."""
    config = {"layer_types": ["linear_attention"] * THREE}
    model, tokenizer, _ = CleanModelLoader(edited(config=config)).load()
    for call in (
        lambda: CleanModelLoader.generate(model, tokenizer, "The cat", max_new_tokens=2),
        lambda: CleanModelLoader.score(model, tokenizer, "The cat", [" sat"]),
        lambda: CleanModelLoader.perplexity(model, tokenizer, ["The cat sat."]),
    ):
        with pytest.raises(BrokenModelError, match="cannot compute") as caught:
            call()
        assert "line" in str(caught.value.evidence["where"])


def test_what_a_callers_hook_raises_is_the_callers(fresh: Any) -> None:
    def own(*_: Any) -> None:
        raise ZeroDivisionError("mine")

    handle = fresh.model.model.layers[0].register_forward_pre_hook(own)
    with pytest.raises(ZeroDivisionError, match="mine"):
        CleanModelLoader.generate(fresh.model, fresh.tokenizer, "The cat", max_new_tokens=2)
    handle.remove()


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("tokenizer.json", b"half"),
        ("tokenizer.json", b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 5\n"),
        ("tokenizer.json", b'{"model": {"type": "Odd"}}'),
        ("tokenizer.json", b"[" * 100_000),
        ("tokenizer_config.json", b'{"eos'),
        ("special_tokens_map.json", b"[]"),
        ("added_tokens.json", b""),
        ("model.safetensors", b"version https://git-lfs.github.com/spec/v1\n"),
        ("config.json", b"[" * 100_000),
    ],
)
def test_a_torn_file_is_named(edited: Edited, name: str, content: bytes) -> None:
    target = edited()
    whole = (target / name).read_bytes() if (target / name).is_file() else b""
    (target / name).write_bytes(whole[: len(whole) // 2] if content == b"half" else content)
    with pytest.raises(ModelNotFoundError) as caught:
        CleanModelLoader(target).load()
    assert name in str(caught.value)
    assert "fetch" in caught.value.remedy


def test_a_folder_without_a_tokenizer(tiny_dir: Path, tmp_path: Path) -> None:
    for name in ("config.json", "model.safetensors"):
        shutil.copy(tiny_dir / name, tmp_path)
    with pytest.raises(ModelNotFoundError):
        CleanModelLoader(tmp_path).load()


@pytest.mark.parametrize(
    ("stored", "error", "said"),
    [
        ({"quant_method": "gptq", "bits": 4}, MissingExtraError, "gptq.*optimum"),
        ({"quant_method": "gptq"}, ModelNotFoundError, "gptq.*bits"),
        ({"quant_method": "awq", "bits": 4, "version": "gemmm"}, ModelNotFoundError, "awq.*gemmm"),
        ({"quant_method": "GPTQ", "bits": 4}, ModelNotFoundError, "GPTQ(?s:.*)did you mean 'gptq'"),
        ({"quant_method": "hqq", "quant_config": {}}, GuardError, "hqq"),
        ({"quant_method": "bitnet"}, GuardError, "bitnet"),
        ({"quant_method": "modelopt"}, ModelNotFoundError, "modelopt.*does not know"),
    ],
)
def test_a_stored_quantization_is_refused_by_name(
    edited: Edited, stored: dict[str, Any], error: type[GuardError], said: str
) -> None:
    with pytest.raises(error, match=said) as caught:
        CleanModelLoader(edited(config={"quantization_config": stored})).load()
    assert caught.value.remedy


def test_packed_weights_that_are_unpacked_are_told(edited: Edited) -> None:
    """DeepSeek's 8-bit floats: on a CPU the layers are plain ones, and the record says so."""
    from safetensors.torch import load_file, save_file

    stored = {
        "quant_method": "fp8",
        "activation_scheme": "dynamic",
        "weight_block_size": [128, 128],
    }
    path = edited(config={"quantization_config": stored})
    tensors = load_file(path / "model.safetensors")
    for name in [name for name in tensors if name.endswith("_proj.weight")]:
        rows, columns = tensors[name].shape
        scale = tensors[name].float().abs().max() / 448
        tensors[name] = (tensors[name].float() / scale).to(torch.float8_e4m3fn)
        tensors[f"{name}_scale_inv"] = scale.repeat(-(-rows // 128), -(-columns // 128))
    save_file(tensors, path / "model.safetensors", {"format": "pt"})
    if torch.cuda.is_available():
        pytest.skip("a GPU keeps them packed")
    record = CleanModelLoader(path).load().provenance
    [check] = [check for check in record.checks if check.name == "quantized-as-stored"]
    assert (record.quantization, check.verdict) == ("none", "recorded")
    assert "fp8" in check.detail
