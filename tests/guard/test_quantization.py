"""bitsandbytes' options: all of them are taken, none is invented, and what came of them is measured."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, BitsAndBytesConfig

from guard import CleanModelLoader, Loaded
from guard.errors import (
    LoaderCallError,
    MissingExtraError,
    MissingWeightsError,
    ModelNotFoundError,
    SettingsError,
)
from guard.loader import LOADER_KEYWORDS


def quantized(model: Any) -> set[str]:
    kinds = ("Linear4bit", "Linear8bitLt")
    return {name for name, m in model.named_modules() if type(m).__name__ in kinds}


def test_every_option_of_the_library_is_a_keyword() -> None:
    parameters = inspect.signature(BitsAndBytesConfig).parameters.values()
    theirs = {p.name for p in parameters if p.kind is not p.VAR_KEYWORD}
    assert theirs <= LOADER_KEYWORDS


@pytest.mark.parametrize(
    ("keyword", "hint"),
    [
        ("bnb_8bit_quant_type", "did you mean `bnb_4bit_quant_type`, for 4 bit?"),
        ("bnb_8bit_use_double_quant", "no library has such an option"),
        ("bnb_8bit_block_size", "no library has such an option"),
        ("bnb_4bit_quant_typ", "did you mean `bnb_4bit_quant_type`?"),
        ("bnb_4bit_compute_type", "did you mean `bnb_4bit_compute_dtype`?"),
        ("llm_int8_skip_module", "did you mean `llm_int8_skip_modules`?"),
        ("llm_int8_has_fp16_weights", "did you mean `llm_int8_has_fp16_weight`?"),
        ("llm_int8_treshold", "did you mean `llm_int8_threshold`?"),
        ("quantization_config", "each option by its own name"),
    ],
)
def test_an_invented_option_is_refused(keyword: str, hint: str) -> None:
    with pytest.raises(LoaderCallError, match="CG602") as caught:
        CleanModelLoader("someone/model", load_in_4bit=True, **{keyword: None})
    assert hint in caught.value.remedy


@pytest.mark.parametrize(
    ("options", "hint"),
    [
        ({"bnb_4bit_quant_type": "NF4"}, "did you mean 'nf4'?"),
        ({"bnb_4bit_quant_type": "int4"}, "'nf4' or 'fp4'"),
        ({"bnb_4bit_quant_type": 4}, "'nf4' or 'fp4'"),
        ({"bnb_4bit_use_double_quant": "yes"}, "True or False"),
        ({"bnb_4bit_compute_dtype": "bf16"}, "did you mean 'bfloat16'?"),
        ({"bnb_4bit_compute_dtype": torch.int8}, "one of bfloat16"),
        ({"bnb_4bit_compute_dtype": "auto"}, "one of bfloat16"),
        ({"bnb_4bit_quant_storage": "int4"}, "one of uint8"),
        ({"llm_int8_threshold": -1}, "a number from 0"),
        ({"llm_int8_threshold": float("nan")}, "a number from 0"),
        ({"llm_int8_threshold": True}, "a number from 0"),
        ({"llm_int8_threshold": "6"}, "a number from 0"),
        ({"llm_int8_skip_modules": "lm_head"}, "a list of modules"),
        ({"llm_int8_skip_modules": ["("]}, "a list of modules"),
        ({"llm_int8_skip_modules": [" "]}, "a list of modules"),
        ({"llm_int8_skip_modules": [3]}, "a list of modules"),
        ({"llm_int8_has_fp16_weight": 1}, "True or False"),
        ({"llm_int8_enable_fp32_cpu_offload": "cpu"}, "True or False"),
    ],
)
def test_a_value_that_an_option_does_not_take_is_refused(
    options: dict[str, Any], hint: str
) -> None:
    with pytest.raises(SettingsError) as caught:
        CleanModelLoader("someone/model", load_in_4bit=True, **options)
    assert hint in caught.value.remedy


def test_no_dtype_is_auto(tiny_dir: Path) -> None:
    assert CleanModelLoader(tiny_dir, dtype=None).request.dtype == "auto"
    assert CleanModelLoader(tiny_dir, dtype=None).load().provenance.dtype == "bfloat16"


def test_options_reach_the_layers(tiny_dir: Path) -> None:
    model = CleanModelLoader(
        tiny_dir,
        load_in_4bit=True,
        bnb_4bit_quant_type="fp4",
        bnb_4bit_use_double_quant=False,
        bnb_4bit_compute_dtype="float32",
        bnb_4bit_quant_storage=torch.bfloat16,
    ).load().model  # fmt: skip
    layer = model.model.layers[0].mlp.up_proj
    assert layer.weight.quant_type == "fp4"
    assert layer.weight.quant_state.nested is False
    assert layer.compute_dtype == torch.float32
    assert layer.weight.dtype == torch.bfloat16
    model = CleanModelLoader(tiny_dir, load_in_8bit=True, llm_int8_threshold=3).load().model
    assert model.model.layers[0].mlp.up_proj.state.threshold == 3.0
    model = (
        CleanModelLoader(tiny_dir, load_in_8bit=True, llm_int8_has_fp16_weight=True).load().model
    )
    assert model.model.layers[0].mlp.up_proj.state.has_fp16_weights is True


@pytest.mark.parametrize("bits", ["load_in_8bit", "load_in_4bit"])
@pytest.mark.parametrize(
    ("names", "left"),
    [
        pytest.param(["model.layers.1"], "layers.1.", id="a-block"),
        pytest.param([r"model\.layers\.\d+\.mlp"], ".mlp.", id="a-pattern"),
        pytest.param(["down_proj"], "down_proj", id="an-end"),
        pytest.param(("lm_head", "o_proj"), "o_proj", id="the-head-and-more"),
        pytest.param(["embed_tokens"], "nothing", id="what-is-no-linear-layer"),
    ],
)
def test_modules_are_left_alone_beside_the_head(
    tiny_dir: Path, bits: str, names: Any, left: str
) -> None:
    usual = quantized(CleanModelLoader(tiny_dir, **{bits: True}).load().model)
    assert "lm_head" not in usual
    loader = CleanModelLoader(tiny_dir, llm_int8_skip_modules=names, **{bits: True})
    found = quantized(loader.load().model)
    assert found == {name for name in usual if left not in name}
    assert found


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("layers.1", "did you mean 'model.layers.1'?"),
        ("mlp", "did you mean 'model.layers.0.mlp'?"),
        ("model.layers.7", "it takes names from the root"),
        ("dwn_proj", "did you mean 'down_proj'?"),
    ],
)
def test_a_name_that_leaves_nothing_alone_is_refused(tiny_dir: Path, name: str, hint: str) -> None:
    loader = CleanModelLoader(tiny_dir, load_in_8bit=True, llm_int8_skip_modules=["lm_head", name])
    with pytest.raises(SettingsError, match="leaves no module of this model alone") as caught:
        loader.load()
    assert hint in caught.value.remedy


def test_options_of_another_kind_are_recorded(tiny_dir: Path) -> None:
    # As QLoRA's script does: one config for 4, 8 and 16 bit.
    every: dict[str, Any] = {
        "llm_int8_threshold": 6.0,
        "llm_int8_has_fp16_weight": False,
        "bnb_4bit_compute_dtype": torch.bfloat16,
        "bnb_4bit_use_double_quant": True,
        "bnb_4bit_quant_type": "nf4",
    }

    def idle(loaded: Loaded) -> str:
        said = [c.detail for c in loaded.provenance.checks if c.name == "quantization-options"]
        return said[0] if said else ""

    assert "bnb_4bit_quant_type" in idle(CleanModelLoader(tiny_dir, **every).load())
    eight = idle(CleanModelLoader(tiny_dir, load_in_8bit=True, **every).load())
    assert "bnb_4bit_quant_type" in eight
    assert "llm_int8" not in eight
    four = idle(CleanModelLoader(tiny_dir, load_in_4bit=True, **every).load())
    assert four == "llm_int8_threshold, llm_int8_has_fp16_weight: no effect with nf4"
    assert idle(CleanModelLoader(tiny_dir, load_in_4bit=True).load()) == ""


def test_a_load_that_would_quantize_nothing_is_refused(tiny_dir: Path) -> None:
    loader = CleanModelLoader(
        tiny_dir, load_in_4bit=True, device_map={"": "cpu"}, llm_int8_enable_fp32_cpu_offload=True
    )
    with pytest.raises(SettingsError, match="no layer was quantized"):
        loader.load()


def test_which_layers_are_quantized_is_recorded(tiny_dir: Path) -> None:
    loader = CleanModelLoader(
        tiny_dir,
        load_in_8bit=True,
        llm_int8_skip_modules=["model.layers.1", "down_proj"],
        llm_int8_threshold=4,
    )
    model, _, provenance = loader.load()
    found = provenance.model.quantization
    assert (found.kind, found.threshold, found.fp16_weight) == ("int8", 4.0, False)
    assert found.layers == len(quantized(model)) == 12
    assert "model.layers.0,2.mlp.up_proj" in found.modules
    assert "model.layers.0-2.mlp.down_proj" in found.left
    assert "model.layers.1.self_attn.q_proj" in found.left
    assert "lm_head" in found.left


def test_folded_names_say_what_they_fold() -> None:
    from guard.provenance.quantization import folded

    names = [f"m.{n}.experts.{e}.up" for n in (0, 1, 2, 5) for e in range(4) if (n, e) != (5, 3)]
    assert folded(names) == ("m.0-2.experts.0-3.up", "m.5.experts.0-2.up")
    assert folded(["head", "m.10.up", "m.9.up", "m.up"]) == ("head", "m.9-10.up", "m.up")
    assert folded([]) == ()


@pytest.fixture(scope="module")
def stored(tiny_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Saves a checkpoint that bitsandbytes quantized, as people publish them."""

    def make(tied: bool = True, **options: Any) -> Path:
        target = tmp_path_factory.mktemp("stored")
        base: Any = tiny_dir
        if not tied:
            base = tmp_path_factory.mktemp("untied")
            plain = AutoModelForCausalLM.from_pretrained(tiny_dir)
            plain.config.tie_word_embeddings = False
            plain.lm_head.weight = torch.nn.Parameter(plain.lm_head.weight.clone())
            plain.save_pretrained(base)
        model = AutoModelForCausalLM.from_pretrained(
            base, quantization_config=BitsAndBytesConfig(**options)
        )
        model.save_pretrained(target)
        AutoTokenizer.from_pretrained(tiny_dir).save_pretrained(target)
        return target

    return make


def test_a_stored_quantization_is_measured(stored: Callable[..., Path]) -> None:
    path = stored(
        tied=False, load_in_4bit=True, bnb_4bit_quant_type="nf4", llm_int8_skip_modules=[]
    )
    loaded = CleanModelLoader(path).load()
    found = loaded.provenance.model.quantization
    assert (found.kind, found.double, found.compute_dtype) == ("nf4", False, "float32")
    # The head as well, which is quantized by no default.
    assert "lm_head" in found.modules
    assert found.left == ()
    assert CleanModelLoader.generate(loaded.model, loaded.tokenizer, "A dog", max_new_tokens=3)


def test_a_quantized_head_that_is_tied_again_is_refused(stored: Callable[..., Path]) -> None:
    # transformers ties the head to the embedding on reading, and the layer has no scales for it.
    path = stored(load_in_4bit=True, bnb_4bit_quant_type="nf4", llm_int8_skip_modules=[])
    with pytest.raises(MissingWeightsError, match=r"lm_head"):
        CleanModelLoader(path).load()


@pytest.mark.parametrize(
    ("options", "differs"),
    [
        ({"load_in_8bit": True}, "load_in_8bit=True"),
        ({"load_in_4bit": True, "bnb_4bit_use_double_quant": True}, "bnb_4bit_use_double_quant"),
        ({"load_in_4bit": True, "bnb_4bit_quant_type": "fp4"}, "bnb_4bit_quant_type='fp4'"),
        ({"load_in_4bit": True, "llm_int8_skip_modules": ["o_proj"]}, "llm_int8_skip_modules"),
        ({"bnb_4bit_compute_dtype": "bfloat16"}, "bnb_4bit_compute_dtype"),
    ],
)
def test_another_quantization_than_the_stored_one_is_refused(
    stored: Callable[..., Path], options: dict[str, Any], differs: str
) -> None:
    path = stored(load_in_4bit=True, bnb_4bit_quant_type="nf4")
    with pytest.raises(SettingsError, match="quantized already") as caught:
        CleanModelLoader(path, **options).load()
    assert differs in str(caught.value)
    same = {"load_in_4bit": True, "bnb_4bit_quant_type": "nf4", "bnb_4bit_compute_dtype": "float32"}
    for asked in (same, {"load_in_4bit": True}, {}):
        found = CleanModelLoader(path, **asked).load().provenance.model.quantization
        assert (found.kind, found.compute_dtype) == ("nf4", "float32")


@pytest.mark.parametrize(
    ("method", "error", "said"),
    [
        ("gptq", MissingExtraError, "gptqmodel"),
        ("awq", MissingExtraError, "gptqmodel"),
        ("torchao", MissingExtraError, "pip install torchao"),
        ("aqlm", MissingExtraError, "aqlm"),
        ("higgs", ModelNotFoundError, "only supported on GPU"),
        ("fp_quant", ModelNotFoundError, "GPU"),
        ("zipquant", ModelNotFoundError, "does not know"),
        ("gptqq", ModelNotFoundError, "did you mean 'gptq'"),
        (None, ModelNotFoundError, "quant_method None"),
        (5, ModelNotFoundError, "quant_method 5"),
    ],
)
def test_a_checkpoint_that_cannot_be_loaded_here_is_refused_by_name(
    edited: Callable[..., Path], method: Any, error: type[Exception], said: str
) -> None:
    import importlib.util

    if method in ("torchao", "aqlm") and importlib.util.find_spec(method):
        pytest.skip(f"{method} is installed here")
    if torch.cuda.is_available() and error is ModelNotFoundError and "GPU" in said:
        pytest.skip("these want a GPU, and there is one")
    config = {"quantization_config": {"quant_method": method, "bits": 4}}
    with pytest.raises(error) as caught:
        CleanModelLoader(edited(config=config)).load()
    assert said in str(caught.value)
    assert str(method) in str(caught.value)
    if isinstance(method, str):
        with pytest.raises((error, SettingsError)):
            CleanModelLoader(edited(config=config), load_in_8bit=True).load()


@pytest.mark.parametrize("bits", ["load_in_8bit", "load_in_4bit"])
def test_plain_weights_under_a_config_that_says_quantized_are_refused(
    edited: Callable[..., Path], bits: str
) -> None:
    config = {"quantization_config": {"quant_method": "bitsandbytes", bits: True}}
    with pytest.raises(MissingWeightsError, match="says that its weights are quantized"):
        CleanModelLoader(edited(config=config)).load()


def test_a_checkpoint_of_torchao_is_measured(tiny_dir: Path, tmp_path: Path) -> None:
    quantization = pytest.importorskip("torchao.quantization")
    from transformers import TorchAoConfig

    config = TorchAoConfig(quantization.Int8WeightOnlyConfig())
    model = AutoModelForCausalLM.from_pretrained(tiny_dir, quantization_config=config)
    model.save_pretrained(tmp_path)
    AutoTokenizer.from_pretrained(tiny_dir).save_pretrained(tmp_path)
    found = CleanModelLoader(tmp_path).load().provenance.model.quantization
    assert found.kind == "torchao Int8Tensor"
    assert found.layers == 21
    assert found.left == ("lm_head",)


def test_four_bit_layers_compute_in_the_checkpoints_dtype(edited: Callable[..., Path]) -> None:
    path = edited()
    config = json.loads((path / "config.json").read_text())
    for name in ("dtype", "torch_dtype"):
        config.pop(name, None)
    (path / "config.json").write_text(json.dumps(config))
    model, _, provenance = CleanModelLoader(path, load_in_4bit=True).load()
    assert provenance.model.quantization.compute_dtype == "bfloat16"
    assert model.model.norm.weight.dtype == torch.bfloat16
    ids = torch.tensor([[271, 319]], device=model.device)
    assert model(ids).logits.dtype == torch.bfloat16
    other = CleanModelLoader(path, load_in_4bit=True, dtype="float32").load().provenance
    assert other.model.quantization.compute_dtype == "float32"
