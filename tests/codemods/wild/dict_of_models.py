from transformers import AutoModelForCausalLM, AutoTokenizer

MODELS = {"small": "gpt2", "large": "gpt2-large"}
models = {}
for key, name in MODELS.items():
    models[key] = AutoModelForCausalLM.from_pretrained(name)
tokenizer = AutoTokenizer.from_pretrained("gpt2")
