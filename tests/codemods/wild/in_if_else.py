import os

from transformers import AutoModelForCausalLM, AutoTokenizer

path = os.environ.get("MODEL", "tiiuae/falcon-7b")
if os.environ.get("HALF"):
    model = AutoModelForCausalLM.from_pretrained(path, torch_dtype="auto", device_map="auto")
else:
    model = AutoModelForCausalLM.from_pretrained(path)
tokenizer = AutoTokenizer.from_pretrained(path)
