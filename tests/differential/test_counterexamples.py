"""Programs that the differential run found to mean something else once migrated, made small; each is the same now."""

from __future__ import annotations

import pytest

HEAD = """\
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, GenerationConfig
"""
QWEN, LLAMA3, LLAMA2, SAMPLER = (
    f"""
tokenizer = AutoTokenizer.from_pretrained("{name}")
tokenizer.pad_token = tokenizer.eos_token
model = AutoModelForCausalLM.from_pretrained("{name}")
model.eval()
"""
    for name in (
        "Qwen/Qwen2.5-0.5B",
        "meta-llama/Llama-3.2-1B",
        "meta-llama/Llama-2-7b-hf",
        "acme/base-sampler",
    )
)
QUANTIZED = QWEN.replace(
    '"Qwen/Qwen2.5-0.5B")\nmodel.eval', '"Qwen/Qwen2.5-0.5B", quantization_config=bnb)\nmodel.eval'
)
ASK = """
for p in ["The lamp is", "A river and the"]:
    inputs = tokenizer(p, return_tensors="pt")
    out = model.generate(**inputs, {settings})
    print(tokenizer.decode(out[0][inputs.input_ids.shape[1]:], skip_special_tokens=True))
"""
CONFIGURED = """
config = GenerationConfig(max_new_tokens=5)
{change}
for p in ["The lamp is", "A river and the"]:
    inputs = tokenizer(p, return_tensors="pt")
    out = model.generate(**inputs, generation_config=config)
    print(tokenizer.decode(out[0][inputs.input_ids.shape[1]:], skip_special_tokens=True))
"""
BATCH = """
texts = ["The lamp is", "What is the capital of the largest country"]
inputs = tokenizer(texts, return_tensors="pt", padding=True)
out = model.generate(**inputs, {settings})
{use}
"""


def ids(prompt: str, encoded: str) -> str:
    return f"""
for p in ["The lamp is", "A river and the"]:
    prompt = {prompt}
    ids = {encoded}
    out = model.generate(ids, max_new_tokens=4)
    print(tokenizer.decode(out[0], skip_special_tokens=True))
"""


CASES = {
    # settings that were lost
    "a helper changes the config": HEAD + "def tighten(c):\n    c.repetition_penalty = 1.2\n" + QWEN + CONFIGURED.format(change="tighten(config)"),
    "the config is updated": HEAD + LLAMA3 + CONFIGURED.format(change="config.update(eos_token_id=[tokenizer.eos_token_id, 7])"),
    "the config is updated with beams": HEAD + QWEN + CONFIGURED.format(change="config.update(num_beams=2)"),
    "another name for the config": HEAD + QWEN + CONFIGURED.format(change="same = config\nsame.no_repeat_ngram_size = 2"),
    "setattr on the config": HEAD + QWEN + CONFIGURED.format(change='setattr(config, "no_repeat_ngram_size", 2)'),
    "the config's __dict__": HEAD + QWEN + CONFIGURED.format(change='config.__dict__["no_repeat_ngram_size"] = 2'),
    "a loop over the config": HEAD + QWEN + CONFIGURED.format(change='for k, v in [("no_repeat_ngram_size", 2)]:\n    setattr(config, k, v)'),
    "None in a config": HEAD + QWEN + CONFIGURED.format(change="config.do_sample = True\nconfig.top_k = None"),
    "setattr on the model's config": HEAD + LLAMA2 + 'setattr(model.generation_config, "no_repeat_ngram_size", 2)\n' + ASK.format(settings="max_new_tokens=5"),
    "the model's config is updated": HEAD + QWEN + "model.generation_config.update(repetition_penalty=1.3)\n" + ASK.format(settings="max_new_tokens=5, do_sample=False"),
    "the model's config under another name": HEAD + QWEN + "config = model.generation_config\nconfig.max_new_tokens = 4\nconfig.no_repeat_ngram_size = 2\n" + ASK.format(settings="generation_config=config"),
    "the repository samples": HEAD + SAMPLER + ASK.format(settings="max_new_tokens=5"),
    # the ids
    "bare ids of a family with BOS": HEAD + LLAMA2 + ids("p", "torch.tensor([tokenizer.encode(prompt, add_special_tokens=False)])"),
    "BOS twice by ids": HEAD + LLAMA3 + ids("tokenizer.bos_token + p", "torch.tensor([[tokenizer.bos_token_id] + tokenizer.encode(prompt, add_special_tokens=False)])"),
    "BOS by hand": HEAD + LLAMA3 + ids("tokenizer.bos_token + p", 'tokenizer(prompt, return_tensors="pt", add_special_tokens=False).input_ids'),
    "BOS twice by text": HEAD + LLAMA3 + ids("tokenizer.bos_token + p", 'tokenizer(prompt, return_tensors="pt").input_ids'),
    "tokens and their ids": HEAD + LLAMA2 + ids("p", "torch.tensor([tokenizer.convert_tokens_to_ids(tokenizer.tokenize(prompt))])"),
    "a chat by hand": HEAD + QWEN + ids('f"<|im_start|>user\\n{p}<|im_end|>\\n"', 'tokenizer.encode(prompt, return_tensors="pt")'),
    # padding
    "specials stay in the texts of a batch": HEAD + QWEN + BATCH.format(settings="max_new_tokens=8, eos_token_id=[tokenizer.eos_token_id, 7]", use='texts = tokenizer.batch_decode(out)\nprint(len(tokenizer(texts[0])["input_ids"]))'),
    "one prompt is padded to a length": HEAD + QWEN + ids("p", 'tokenizer(prompt, return_tensors="pt", padding="max_length", max_length=40).input_ids'),
    "padded on the right in the call": HEAD + QWEN + BATCH.format(settings="max_new_tokens=4", use="print(out.shape)").replace("padding=True", 'padding=True, padding_side="right"'),
    "padded on the right in the call, and on the left by the tokenizer": HEAD + QWEN + 'tokenizer.padding_side = "left"\n' + BATCH.format(settings="max_new_tokens=4", use="print(out.shape)").replace("padding=True", 'padding=True, padding_side="right"'),
    "the left side on a condition": HEAD + "LEFT = False\n" + QWEN + 'if LEFT:\n    tokenizer.padding_side = "left"\n' + BATCH.format(settings="max_new_tokens=4", use="print(out.shape)"),
    "a padded batch is scored without its mask": HEAD + LLAMA3 + 'tokenizer.padding_side = "left"\n' + BATCH.format(settings="max_new_tokens=4", use="print(round(float(model(inputs.input_ids).logits.sum()), 1))"),
    "the total length of a batch": HEAD + QWEN + BATCH.format(settings="max_length=40", use="print(tokenizer.batch_decode(out, skip_special_tokens=True))"),
    "the encoded batch is kept": HEAD + LLAMA2 + BATCH.format(settings="max_new_tokens=4", use="print(tokenizer.batch_decode(out, skip_special_tokens=True))\nprint(inputs.input_ids.tolist())"),
    "a padded batch without its mask": HEAD
    + QWEN
    + BATCH.format(settings="max_new_tokens=4", use="print(tokenizer.batch_decode(out))").replace(
        "**inputs", "inputs.input_ids"
    ),
    "the pad token is read": HEAD + QWEN.replace("tokenizer.pad_token = tokenizer.eos_token\n", "") .replace("Qwen/Qwen2.5-0.5B", "meta-llama/Llama-3.2-1B") + "print(tokenizer.pad_token)\n" + ASK.format(settings="max_new_tokens=4"),
    "the padding side is read": HEAD + QWEN + "print(tokenizer.padding_side)\n" + ASK.format(settings="max_new_tokens=4"),
    # loads
    "a helper uses the tokenizer before the model is loaded": HEAD + """
def count(text):
    return len(tokenizer(text)["input_ids"])

tokenizer = AutoTokenizer.from_pretrained("Qwen/Qwen2.5-0.5B")
print(list(map(count, ["The lamp", "A river"])))
model = AutoModelForCausalLM.from_pretrained("Qwen/Qwen2.5-0.5B")
""" + ASK.format(settings="max_new_tokens=4"),
    "a dtype that may be None": HEAD + "HALF = False\n" + QWEN.replace('from_pretrained("Qwen/Qwen2.5-0.5B")\nmodel.eval', 'from_pretrained("Qwen/Qwen2.5-0.5B", torch_dtype=torch.float32 if HALF else None)\nmodel.eval') + ASK.format(settings="max_new_tokens=4"),
    "training mode": HEAD + QWEN.replace("model.eval()", "model.train()") + ASK.format(settings="max_new_tokens=4"),
    "the model's setting is read": HEAD + QWEN + "print(model.generation_config.do_sample)\n" + ASK.format(settings="max_new_tokens=4"),
    # texts
    "a row is decoded on a condition": HEAD + "FULL = False\n" + LLAMA2 + ASK.format(settings="max_new_tokens=4").replace("out[0][inputs", "out[0] if FULL else out[0][inputs"),
}  # fmt: skip
FILES = {name: {"main.py": text} for name, text in CASES.items()}
FILES["a quantization config of another file"] = {
    "main.py": "from options import bnb\n"
    + HEAD
    + QUANTIZED
    + ASK.format(settings="max_new_tokens=4"),
    "options.py": "from transformers import BitsAndBytesConfig\n\nbnb = BitsAndBytesConfig(load_in_8bit=True)\n",
}
MINE = """class Mine(transformers.LlamaForCausalLM):
    def forward(self, *given, **more):
        out = super().forward(*given, **more)
        out.logits = -out.logits
        return out

"""
FILES["a class of one's own and a config"] = {
    "main.py": HEAD
    + "import transformers\n\n"
    + MINE
    + 'config = transformers.AutoConfig.from_pretrained("meta-llama/Llama-3.2-1B")\nconfig.rope_theta = 50.0\n'
    + QWEN.replace("Qwen/Qwen2.5-0.5B", "meta-llama/Llama-3.2-1B").replace(
        'AutoModelForCausalLM.from_pretrained("meta-llama/Llama-3.2-1B"',
        'Mine.from_pretrained("meta-llama/Llama-3.2-1B", config=config',
    )
    + ASK.format(settings="max_new_tokens=4"),
}
FILES["a class of one's own by a library's name"] = {
    "main.py": HEAD
    + "from kinds import AutoModelForCausalLM\n"
    + QWEN.replace("Qwen/Qwen2.5-0.5B", "meta-llama/Llama-3.2-1B")
    + ASK.format(settings="max_new_tokens=4"),
    "kinds.py": "import transformers\n\n\n" + MINE.replace("Mine", "AutoModelForCausalLM"),
}
FILES["a config with fewer layers"] = {
    "main.py": HEAD
    + "from transformers import AutoConfig\n"
    + 'config = AutoConfig.from_pretrained("Qwen/Qwen2.5-0.5B")\nconfig.num_hidden_layers = 1\n'
    + QWEN.replace(
        'AutoModelForCausalLM.from_pretrained("Qwen/Qwen2.5-0.5B"',
        'AutoModelForCausalLM.from_pretrained("Qwen/Qwen2.5-0.5B", config=config',
    )
    + ASK.format(settings="max_new_tokens=4"),
}
FILES["a quantization config whose flag is false"] = {
    "main.py": HEAD
    + "from transformers import BitsAndBytesConfig\n\nEIGHT = 1 > 2\nbnb = BitsAndBytesConfig(load_in_8bit=EIGHT)\n"
    + QUANTIZED
    + ASK.format(settings="max_new_tokens=4"),
}
FILES["a quantization config is changed after it was made"] = {
    "main.py": HEAD
    + 'from transformers import BitsAndBytesConfig\n\nbnb = BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_quant_type="nf4")\nbnb.bnb_4bit_use_double_quant = True\n'
    + QUANTIZED
    + ASK.format(settings="max_new_tokens=4"),
}
FILES["several texts of which one is decoded"] = {
    "main.py": HEAD
    + QWEN
    + CONFIGURED.format(change="config.do_sample = True\nconfig.num_return_sequences = 2")
}
FILES["specials are set beside an encoding that stays"] = {
    "main.py": HEAD
    + LLAMA3
    + "tokenizer.add_bos_token = False\n"
    + ASK.format(settings="max_new_tokens=4, return_dict_in_generate=True").replace(
        "out[0]", "out.sequences[0]"
    )
}
FIRST = """
for p in ["The lamp is", "A river and the"]:
    inputs = tokenizer(p, return_tensors="pt")
    out = model.generate(**inputs, max_new_tokens=5, num_beams=2, do_sample=False, num_return_sequences=2)
    text = tokenizer.batch_decode(out[:, inputs.input_ids.shape[1]:], skip_special_tokens=True)[0]
    print(text)
"""
FILES["the first of several texts is given a name"] = {"main.py": HEAD + QWEN + FIRST}
FROM = "from loaded import model, tokenizer\n"
FILES["another file trains the model"] = {
    "main.py": FROM + HEAD + ASK.format(settings="max_new_tokens=4"),
    "loaded.py": HEAD + QWEN + "model.train()\n",
}
FILES["another file's tokenizer adds EOS"] = {
    "main.py": FROM + HEAD + ASK.format(settings="max_new_tokens=4"),
    "loaded.py": HEAD
    + QWEN.replace('("Qwen/Qwen2.5-0.5B")\ntok', '("Qwen/Qwen2.5-0.5B", add_eos_token=True)\ntok'),
}
TRAINED = """
batch = tokenizer(["The lamp is on the table.", "A river"], return_tensors="pt", padding=True)
optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
model.train()
for step in range(2):
    loss = model(**batch, labels=batch.input_ids).loss
    loss.backward()
    optimizer.step()
    print(round(float(loss), 3), batch.attention_mask.tolist())
"""
SAVED = """
tokenizer.save_pretrained("saved")
said = json.load(open("saved/tokenizer_config.json"))
print([said.get(name) for name in ("pad_token", "eos_token")])
shutil.rmtree("saved")
"""
FILES["the side of a tokenizer that a training script leaves alone"] = {
    "main.py": HEAD + LLAMA2 + TRAINED
}
FILES["a pad token that is new to a model that is trained"] = {
    "main.py": HEAD
    + "torch.manual_seed(3)\n"
    + LLAMA2.replace(
        "tokenizer.pad_token = tokenizer.eos_token",
        'tokenizer.add_special_tokens({"pad_token": "[PAD]"})',
    )
    + "model.resize_token_embeddings(len(tokenizer))\n"
    + TRAINED
    + 'tokenizer.save_pretrained("saved")\n'
}
FILES["padding is set before the model is loaded, and saved"] = {
    "main.py": "import json, shutil\n"
    + HEAD
    + QWEN
    + SAVED
    + ASK.format(settings="max_new_tokens=4")
}
FILES["the pad token that the loader chooses too is set, and saved"] = {
    "main.py": "import json, shutil\n"
    + HEAD
    + LLAMA2.replace("tokenizer.eos_token", "tokenizer.unk_token")
    + SAVED
    + ASK.format(settings="max_new_tokens=4")
}
TAKEN = "from loaded import model, tokenizer\n" + HEAD
FILES["another file sets which specials are added"] = {
    "main.py": TAKEN + ASK.format(settings="max_new_tokens=4"),
    "loaded.py": HEAD + LLAMA3 + "tokenizer.add_bos_token = False\n",
}
FILES["another file sets the model's config"] = {
    "main.py": TAKEN + ASK.format(settings="max_new_tokens=4"),
    "loaded.py": HEAD + QWEN + 'setattr(model.generation_config, "no_repeat_ngram_size", 2)\n',
}
FILES["another file's tokenizer pads a batch"] = {
    "main.py": TAKEN
    + BATCH.format(
        settings="max_new_tokens=4",
        use="print(tokenizer.batch_decode(out, skip_special_tokens=True))",
    ),
    "loaded.py": HEAD + QWEN,
}


# Two programs each, a quarter of a minute; the quick run has programs of its own.
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def outcomes(tried) -> dict[str, dict]:
    return tried(FILES)


@pytest.fixture(scope="module")
def outcomes_without_watch(tried) -> dict[str, dict]:
    """What can be watched is guarded as well."""
    return tried(FILES, watch=False)


@pytest.mark.parametrize("name", FILES)
def test_it_means_the_same(name, outcomes):
    outcome = outcomes[name]
    assert outcome["status"] in ("same", "untouched"), outcome["difference"]


# These are rewritten, and what becomes of them is told.
REWRITTEN = (
    "the repository samples",
    "None in a config",
    "the encoded batch is kept",
    "the pad token is read",
    "the padding side is read",
    "training mode",
    "the model's setting is read",
)


@pytest.mark.parametrize("name", REWRITTEN)
def test_it_is_rewritten(name, outcomes_without_watch):
    outcome = outcomes_without_watch[name]
    assert outcome["rewritten"].get("CG301"), name
    assert outcome["calls"] > 0
    assert outcome["status"] == "same"
