"""Keywords of a load that come out of a dict: built, changed, chosen, and what cannot be followed."""

from __future__ import annotations

import pytest

HEAD = "import torch\nfrom transformers import AutoModelForCausalLM, BitsAndBytesConfig\n"
LOAD = 'model = AutoModelForCausalLM.from_pretrained("gpt2", **kw)\n'
LOADED = 'loader = CleanModelLoader("gpt2", **kw)\nmodel, _, provenance = loader.load()\n'
IMPORTS = "import torch\nfrom guard import CleanModelLoader\n"
BITS = "from transformers import BitsAndBytesConfig\n"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param('kw = {"torch_dtype": torch.bfloat16, "device_map": "auto"}\n' + LOAD, IMPORTS + BITS + 'kw = {"dtype": torch.bfloat16, "device_map": "auto"}\n' + LOADED, id='literal'),
        pytest.param('kw = dict(torch_dtype=torch.bfloat16, low_cpu_mem_usage=True)\n' + LOAD, IMPORTS + BITS + 'kw = {"dtype": torch.bfloat16}\n' + LOADED, id='dict call'),
        pytest.param('kw = {"torch_dtype": torch.bfloat16, "low_cpu_mem_usage": True}\n' + LOAD, IMPORTS + BITS + 'kw = {"dtype": torch.bfloat16}\n' + LOADED, id='dropped in literal'),
        pytest.param('kw = {}\n' + 'kw["torch_dtype"] = torch.float16\n' + 'kw["low_cpu_mem_usage"] = True\n' + 'kw["revision"] = "abc"\n' + LOAD, IMPORTS + BITS + 'kw = {}\n' + 'kw["dtype"] = torch.float16\n' + 'kw["revision"] = "abc"\n' + LOADED, id='put'),
        pytest.param('import sys\n' + 'kw = {"device_map": "auto"}\n' + 'if len(sys.argv) > 1:\n' + '    kw["quantization_config"] = BitsAndBytesConfig(load_in_8bit=True)\n' + LOAD, IMPORTS + 'import sys\n' + 'kw = {"device_map": "auto"}\n' + 'if len(sys.argv) > 1:\n' + '    kw["load_in_8bit"] = True\n' + LOADED, id='put quant'),
        pytest.param('kw = {"device_map": "auto"}\n' + 'kw["quantization_config"] = BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_quant_type="nf4")\n' + LOAD, IMPORTS + 'kw = {"device_map": "auto"}\n' + 'kw.update({"load_in_4bit": True, "bnb_4bit_use_double_quant": False, "bnb_4bit_compute_dtype": "float32"})\n' + LOADED, id='put quant 4'),
        pytest.param('bits = BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_compute_dtype=torch.bfloat16)\n' + 'kw = {"quantization_config": bits}\n' + LOAD, IMPORTS + 'bits = {"load_in_4bit": True, "bnb_4bit_quant_type": "fp4", "bnb_4bit_use_double_quant": False, "bnb_4bit_compute_dtype": torch.bfloat16}\n' + 'kw = {**bits}\n' + LOADED, id='named quant'),
        pytest.param('bits = BitsAndBytesConfig(load_in_8bit=True)\n' + 'kw = {}\n' + 'kw["quantization_config"] = bits\n' + LOAD, IMPORTS + 'bits = {"load_in_8bit": True}\n' + 'kw = {}\n' + 'kw.update(bits)\n' + LOADED, id='put named quant'),
        pytest.param('import sys\n' + 'q = len(sys.argv) > 1\n' + 'kw = {"quantization_config": BitsAndBytesConfig(load_in_8bit=True) if q else None}\n' + LOAD, IMPORTS + 'import sys\n' + 'q = len(sys.argv) > 1\n' + 'kw = {**({"load_in_8bit": True} if q else {})}\n' + LOADED, id='cond quant'),
        pytest.param('kw = {"device_map": "auto"}\n' + 'kw.update({"torch_dtype": torch.float16})\n' + LOAD, IMPORTS + BITS + 'kw = {"device_map": "auto"}\n' + 'kw.update({"dtype": torch.float16})\n' + LOADED, id='update dict'),
        pytest.param('kw = {"device_map": "auto"}\n' + 'kw.update(torch_dtype=torch.float16, low_cpu_mem_usage=True)\n' + LOAD, IMPORTS + BITS + 'kw = {"device_map": "auto"}\n' + 'kw.update({"dtype": torch.float16})\n' + LOADED, id='update keywords'),
        pytest.param('import sys\n' + 'if len(sys.argv) > 1:\n' + '    kw = {"torch_dtype": torch.float16}\n' + 'else:\n' + '    kw = {"torch_dtype": torch.float32}\n' + LOAD, IMPORTS + BITS + 'import sys\n' + 'if len(sys.argv) > 1:\n' + '    kw = {"dtype": torch.float16}\n' + 'else:\n' + '    kw = {"dtype": torch.float32}\n' + LOADED, id='two ways'),
        pytest.param('def load(name):\n' + '    kw = dict(torch_dtype="auto")\n' + '    kw["device_map"] = "auto"\n' + '    return AutoModelForCausalLM.from_pretrained(name, **kw)\n' + 'model = load("gpt2")\n', IMPORTS + BITS + 'def load(name):\n' + '    kw = dict(dtype="auto")\n' + '    kw["device_map"] = "auto"\n' + '    return CleanModelLoader(name, **kw).load().model\n' + 'model = load("gpt2")\n', id='in function'),
        pytest.param("kw = {'torch_dtype': torch.float16}\n" + LOAD, IMPORTS + BITS + 'kw = {"dtype": torch.float16}\n' + LOADED, id='single quotes'),
        pytest.param('kw = {"torch_dtype": torch.float16}\n' + LOAD + 'other = AutoModelForCausalLM.from_pretrained("gpt2-medium", **kw)\n', IMPORTS + BITS + 'kw = {"dtype": torch.float16}\n' + LOADED + 'other_loader = CleanModelLoader("gpt2-medium", **kw)\n' + 'other, _, other_provenance = other_loader.load()\n', id='two loads'),
    ],
)  # fmt: skip
def test_its_entries_become_the_loaders(before, after, check_transformed):
    check_transformed(HEAD + before, after)


@pytest.mark.parametrize(
    ("before", "reason"),
    [
        pytest.param('kw = {"use_cache": False}\n' + LOAD, 'the keyword `use_cache` in a dict has no place in the loader', id='use cache'),
        pytest.param('base = {"device_map": "auto"}\n' + 'kw = {**base, "torch_dtype": torch.float16}\n' + LOAD, 'what the `**` arguments of the load hold cannot be seen here; write them out', id='spread'),
        pytest.param('key = "torch_" + "dtype"\n' + 'kw = {key: torch.float16}\n' + LOAD, 'what the `**` arguments of the load hold cannot be seen here; write them out', id='computed key'),
        pytest.param('kw = {}\n' + 'for name in ("device_map",):\n' + '    kw[name] = "auto"\n' + LOAD, 'what the `**` arguments of the load hold cannot be seen here; write them out', id='put computed'),
        pytest.param('more = {"device_map": "auto"}\n' + 'kw = {}\n' + 'kw.update(more)\n' + LOAD, 'what the `**` arguments of the load hold cannot be seen here; write them out', id='update name'),
        pytest.param('kw = {}\n' + 'kw.update([("device_map", "auto")])\n' + LOAD, 'what the `**` arguments of the load hold cannot be seen here; write them out', id='update pairs'),
        pytest.param('def make():\n' + '    return {"device_map": "auto"}\n' + 'kw = make()\n' + LOAD, 'what the `**` arguments of the load hold cannot be seen here; write them out', id='from function'),
        pytest.param('model = AutoModelForCausalLM.from_pretrained("gpt2", **dict(torch_dtype=torch.float16))\n', 'what the `**` arguments of the load hold cannot be seen here; write them out', id='expression'),
        pytest.param('model = AutoModelForCausalLM.from_pretrained("gpt2", **{"torch_dtype": torch.float16})\n', 'what the `**` arguments of the load hold cannot be seen here; write them out', id='literal spread'),
        pytest.param('kw = {"torch_dtype": torch.float16}\n' + 'print(kw)\n' + LOAD, '`kw` is also used where nothing is migrated', id='used elsewhere'),
        pytest.param('kw = {"torch_dtype": torch.float16, "x": 1}\n' + 'kw.pop("x")\n' + LOAD, 'the keyword `x` of the load has no place in CleanModelLoader', id='pop'),
    ],
)  # fmt: skip
def test_what_cannot_be_followed_stays(before, reason, check_noop):
    (site,) = check_noop(HEAD + before).manual
    assert site.reason == reason
