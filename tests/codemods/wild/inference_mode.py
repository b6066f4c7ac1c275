import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained("gpt2")
model = AutoModelForCausalLM.from_pretrained("gpt2")
with torch.inference_mode():
    inputs = tokenizer("a b c", return_tensors="pt")
    out = model.generate(**inputs, max_new_tokens=5)
    text = tokenizer.decode(out[0])
