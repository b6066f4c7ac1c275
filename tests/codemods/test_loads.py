"""Loads by hand: what becomes of every shape and keyword."""

from __future__ import annotations

import pytest

from tests.codemods.conftest import Migrate

CHANGED = [
    pytest.param(
        """\
from transformers import AutoModelForCausalLM, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained("gpt2")
model = AutoModelForCausalLM.from_pretrained("gpt2")
""",
        """\
from guard import CleanModelLoader

loader = CleanModelLoader("gpt2")
model, tokenizer, provenance = loader.load()
""",
        id="tokenizer and model in a row",
    ),
    pytest.param(
        """\
from transformers import AutoModelForCausalLM

AutoModelForCausalLM.from_pretrained("gpt2", torch_dtype=None, cache_dir=None)
""",
        """\
from guard import CleanModelLoader

CleanModelLoader("gpt2").load()
""",
        id="a load that only fills the cache",
    ),
    pytest.param(
        """\
from transformers import AutoModelForCausalLM, AutoTokenizer

model = AutoModelForCausalLM.from_pretrained("gpt2")
tokenizer = AutoTokenizer.from_pretrained("gpt2")
""",
        """\
from guard import CleanModelLoader

loader = CleanModelLoader("gpt2")
model, tokenizer, provenance = loader.load()
""",
        id="model before tokenizer",
    ),
    pytest.param(
        """\
from transformers import AutoModelForCausalLM, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained("gpt2")
print(len(tokenizer))
model = AutoModelForCausalLM.from_pretrained("gpt2")
""",
        """\
from guard import CleanModelLoader

tokenizer = CleanModelLoader("gpt2").load_tokenizer()
print(len(tokenizer))
loader = CleanModelLoader("gpt2")
model, _, provenance = loader.load()
""",
        id="tokenizer used between",
    ),
    pytest.param(
        """\
from transformers import AutoModelForCausalLM


def load():
    base_model = AutoModelForCausalLM.from_pretrained("gpt2")
    sft_model = AutoModelForCausalLM.from_pretrained("gpt2-xl")
    return base_model, sft_model
""",
        """\
from guard import CleanModelLoader


def load():
    loader = CleanModelLoader("gpt2")
    base_model, _, provenance = loader.load()
    sft_loader = CleanModelLoader("gpt2-xl")
    sft_model, _, sft_provenance = sft_loader.load()
    return base_model, sft_model
""",
        id="two models in one function",
    ),
    pytest.param(
        """\
from transformers import AutoModelForCausalLM

loader, provenance = 1, 2
model = AutoModelForCausalLM.from_pretrained("gpt2")
""",
        """\
from guard import CleanModelLoader

loader, provenance = 1, 2
clean_loader = CleanModelLoader("gpt2")
model, _, clean_provenance = clean_loader.load()
""",
        id="loader and provenance are taken",
    ),
    pytest.param(
        """\
from transformers import AutoModelForCausalLM


class Job:
    def load(self):
        self.provenance = "lab"
        self.model = AutoModelForCausalLM.from_pretrained("gpt2")
""",
        """\
from guard import CleanModelLoader


class Job:
    def load(self):
        self.provenance = "lab"
        loader = CleanModelLoader("gpt2")
        self.model, _, self.clean_provenance = loader.load()
""",
        id="an attribute provenance is taken",
    ),
    pytest.param(
        """\
from transformers import AutoModelForCausalLM

model = AutoModelForCausalLM.from_pretrained("gpt2").to("cuda").eval()
""",
        """\
from guard import CleanModelLoader

loader = CleanModelLoader("gpt2")
model, _, provenance = loader.load()
model = model.to("cuda")
""",
        id="to a device, chained",
    ),
    pytest.param(
        """\
from transformers import AutoModelForCausalLM

model = AutoModelForCausalLM.from_pretrained("gpt2").half()
""",
        """\
from guard import CleanModelLoader

loader = CleanModelLoader("gpt2")
model, _, provenance = loader.load()
model = model.half()
""",
        id="half precision is not the loader's",
    ),
    pytest.param(
        """\
from transformers import AutoModelForCausalLM

model = AutoModelForCausalLM.from_pretrained("gpt2")
model = wrap(model)
model.eval()
""",
        """\
from guard import CleanModelLoader

loader = CleanModelLoader("gpt2")
model, _, provenance = loader.load()
model = wrap(model)
model.eval()
""",
        id="eval of a model that was wrapped stays",
    ),
    pytest.param(
        """\
from transformers import AutoModelForCausalLM

model = AutoModelForCausalLM.from_pretrained("gpt2", use_cache=False)
""",
        """\
from guard import CleanModelLoader

loader = CleanModelLoader("gpt2")
model, _, provenance = loader.load()
model.config.use_cache = False
""",
        id="use_cache is a setting of the config",
    ),
    pytest.param(
        """\
from transformers import AutoModelForCausalLM

model = AutoModelForCausalLM.from_pretrained("Qwen/Qwen2.5-7B", trust_remote_code=True)
""",
        """\
from guard import CleanModelLoader

loader = CleanModelLoader("Qwen/Qwen2.5-7B")
model, _, provenance = loader.load()
""",
        id="remote code of a family that transformers has",
    ),
    pytest.param(
        """\
from transformers import AutoModelForCausalLM

model = AutoModelForCausalLM.from_pretrained("./runs/mine", trust_remote_code=True)
""",
        """\
from guard import CleanModelLoader

loader = CleanModelLoader("./runs/mine", trust_remote_code=True)
model, _, provenance = loader.load()
""",
        id="remote code of an unknown model",
    ),
    pytest.param(
        """\
from transformers import AutoModelForCausalLM

model = AutoModelForCausalLM.from_pretrained(
    "gpt2",  # small
    device_map="auto",
)  # loaded
""",
        """\
from guard import CleanModelLoader

# small
loader = CleanModelLoader("gpt2", device_map="auto")
model, _, provenance = loader.load()  # loaded
""",
        id="a comment in the call",
    ),
    pytest.param(
        """\
from transformers import AutoModelForCausalLM

model = AutoModelForCausalLM.from_pretrained("gpt2"); model.eval()
""",
        """\
from guard import CleanModelLoader

model = CleanModelLoader("gpt2").load().model; model.eval()
""",
        id="several statements on one line",
    ),
    pytest.param(
        """\
from transformers import AutoModelForCausalLM, AutoTokenizer, Trainer

tokenizer = AutoTokenizer.from_pretrained("gpt2", padding_side="right")
tokenizer.pad_token = tokenizer.eos_token
model = AutoModelForCausalLM.from_pretrained("gpt2")
Trainer(model=model)
""",
        """\
from guard import CleanModelLoader
from transformers import Trainer

tokenizer = CleanModelLoader("gpt2", padding_side="right", for_training=True).load_tokenizer()
tokenizer.pad_token = tokenizer.eos_token
loader = CleanModelLoader("gpt2", for_training=True)
model, _, provenance = loader.load()
Trainer(model=model)
""",
        id="a training script pads on the right",
    ),
    pytest.param(
        """\
from transformers import AutoModelForCausalLM

kwargs = {"torch_dtype": "float16", "low_cpu_mem_usage": True}
model = AutoModelForCausalLM.from_pretrained("gpt2", **kwargs)
""",
        """\
from guard import CleanModelLoader

kwargs = {"dtype": "float16"}
loader = CleanModelLoader("gpt2", **kwargs)
model, _, provenance = loader.load()
""",
        id="a dict of keywords",
    ),
    pytest.param(
        """\
from transformers import AutoModelForCausalLM, BitsAndBytesConfig

kwargs = {"device_map": "auto"}
if INT8:
    kwargs["quantization_config"] = BitsAndBytesConfig(load_in_8bit=True)
model = AutoModelForCausalLM.from_pretrained("gpt2", **kwargs)
""",
        """\
from guard import CleanModelLoader

kwargs = {"device_map": "auto"}
if INT8:
    kwargs["load_in_8bit"] = True
loader = CleanModelLoader("gpt2", **kwargs)
model, _, provenance = loader.load()
""",
        id="a dict with a quantization on a condition",
    ),
    pytest.param(
        """\
from transformers import AutoModelForCausalLM, BitsAndBytesConfig

config = None
if INT8:
    config = BitsAndBytesConfig(load_in_8bit=True)
model = AutoModelForCausalLM.from_pretrained("gpt2", quantization_config=config)
""",
        """\
from guard import CleanModelLoader

config = {}
if INT8:
    config = {"load_in_8bit": True}
loader = CleanModelLoader("gpt2", **config)
model, _, provenance = loader.load()
""",
        id="a config on a condition",
    ),
    pytest.param(
        """\
from transformers import AutoModelForCausalLM, BitsAndBytesConfig

model = AutoModelForCausalLM.from_pretrained(
    "gpt2", quantization_config=BitsAndBytesConfig(load_in_8bit=True) if INT8 else None
)
""",
        """\
from guard import CleanModelLoader

loader = CleanModelLoader("gpt2", **({"load_in_8bit": True} if INT8 else {}))
model, _, provenance = loader.load()
""",
        id="a config in a conditional expression",
    ),
    pytest.param(
        """\
from transformers import AutoModelForCausalLM, BitsAndBytesConfig


def config():
    return BitsAndBytesConfig(load_in_8bit=True)


model = AutoModelForCausalLM.from_pretrained("gpt2", quantization_config=config())
""",
        """\
from guard import CleanModelLoader


def config():
    return {"load_in_8bit": True}


loader = CleanModelLoader("gpt2", **config())
model, _, provenance = loader.load()
""",
        id="a config from a helper",
    ),
    pytest.param(
        """\
from transformers import AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained("gpt2", revision="abc")
""",
        """\
from guard import CleanModelLoader

tokenizer = CleanModelLoader("gpt2", revision="abc").load_tokenizer()
""",
        id="a tokenizer alone",
    ),
    pytest.param(
        """\
from transformers import AutoModelForCausalLM

try:
    model = AutoModelForCausalLM.from_pretrained("gpt2")
except OSError:
    model = None
""",
        """\
from guard import CleanModelLoader

try:
    loader = CleanModelLoader("gpt2")
    model, _, provenance = loader.load()
except OSError:
    model = None
""",
        id="in try",
    ),
]
SAME = [
    pytest.param(
        """\
from transformers import AutoModelForCausalLM

model = AutoModelForCausalLM.from_pretrained("Qwen/Qwen2.5-7B-Instruct")
""",
        None,
        id="a chat model",
    ),
    pytest.param(
        """\
from transformers import AutoModelForSequenceClassification

model = AutoModelForSequenceClassification.from_pretrained("gpt2")
""",
        None,
        id="a classifier",
    ),
    pytest.param(
        """\
class AutoModelForCausalLM:
    pass


model = AutoModelForCausalLM.from_pretrained("gpt2")
""",
        None,
        id="a class of the same name",
    ),
    pytest.param(
        """\
from transformers import AutoConfig, AutoModelForCausalLM

model = AutoModelForCausalLM.from_pretrained("gpt2", config=AutoConfig.for_model("gpt2"))
""",
        "the `config` of the load may say something else than the model's own",
        id="a config object",
    ),
    pytest.param(
        """\
from transformers import AutoModelForCausalLM, BitsAndBytesConfig

model = AutoModelForCausalLM.from_pretrained("gpt2", quantization_config=BitsAndBytesConfig(**options))
""",
        "the quantization config is not written out",
        id="options from outside",
    ),
    pytest.param(
        """\
from transformers import AutoModelForCausalLM


def load(**kwargs):
    return AutoModelForCausalLM.from_pretrained("gpt2", **kwargs)
""",
        "what the `**` arguments of the load hold cannot be seen here; write them out",
        id="keywords that come from outside",
    ),
    pytest.param(
        """\
from transformers import AutoModelForCausalLM

kwargs = {"output_loading_info": True}
model = AutoModelForCausalLM.from_pretrained("gpt2", **kwargs)
""",
        "the keyword `output_loading_info` of the load has no place in CleanModelLoader",
        id="an unknown key in a dict of keywords",
    ),
    pytest.param(
        """\
from transformers import AutoModelForCausalLM

kwargs = {"torch_dtype": "float16"}
model = AutoModelForCausalLM.from_pretrained("gpt2", **kwargs)
print(kwargs)
""",
        "`kwargs` is also used where nothing is migrated",
        id="a dict of keywords that is used elsewhere",
    ),
    pytest.param(
        """\
from transformers import AutoModelForCausalLM, BitsAndBytesConfig

config = None
if INT8:
    config = BitsAndBytesConfig(load_in_8bit=True)
model = AutoModelForCausalLM.from_pretrained("gpt2", quantization_config=config)
if config is not None:
    print("quantized")
""",
        "`config` is also used where nothing is migrated",
        id="a config on a condition that is used elsewhere",
    ),
    pytest.param(
        """\
from transformers import AutoModelForCausalLM, AutoTokenizer

model = AutoModelForCausalLM.from_pretrained("gpt2")
tokenizer = AutoTokenizer.from_pretrained("gpt2")
tokenizer.add_special_tokens({"additional_special_tokens": turns})
model.resize_token_embeddings(len(tokenizer))
print(model(ids))
""",
        "line 5 adds `additional_special_tokens` to the tokenizer, which the guard would take for a chat's",
        id="tokens are added",
    ),
    pytest.param(
        """\
from accelerate import init_empty_weights
from transformers import AutoModelForCausalLM

with init_empty_weights():
    model = AutoModelForCausalLM.from_pretrained("gpt2")
""",
        "it stands in `with init_empty_weights(…)`: what has no weights, or is placed by hand, cannot be checked",
        id="a model without weights",
    ),
    pytest.param(
        """\
x = 1
""",
        None,
        id="nothing of ours",
    ),
    pytest.param(
        """\
""",
        None,
        id="an empty file",
    ),
]


@pytest.mark.parametrize(("before", "after"), CHANGED)
def test_is_rewritten(before, after, check_transformed):
    assert check_transformed(before, after).manual == ()


@pytest.mark.parametrize(("before", "reason"), SAME)
def test_stays(before, reason, check_noop):
    plan = check_noop(before)
    assert [site.reason for site in plan.manual if site.code == "CG101"] == (
        [] if reason is None else [reason]
    )


def test_what_an_import_tells_linters_stays(migrate: Migrate) -> None:
    text = "import sys\nfrom transformers import AutoConfig, AutoModelForCausalLM  # noqa: E402\n"
    text += 'model = AutoModelForCausalLM.from_pretrained("gpt2")\nprint(AutoConfig)\n'
    assert migrate(text).after.decode().count("  # noqa: E402\n") == 2


def test_comments_of_keywords_stay_with_them(migrate: Migrate) -> None:
    text = """\
from transformers import AutoModelForCausalLM

model = AutoModelForCausalLM.from_pretrained(
    "gpt2",
    # half of the memory
    torch_dtype="auto",
    device_map="auto",  # all GPUs
)
"""
    assert """\
loader = CleanModelLoader(
    "gpt2",
    # half of the memory
    dtype="auto",
    device_map="auto",  # all GPUs
)
""" in migrate(text).after.decode()
