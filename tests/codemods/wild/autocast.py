import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained("gpt2")
model = AutoModelForCausalLM.from_pretrained("gpt2").to("cuda")
inputs = tokenizer("a b c", return_tensors="pt").to("cuda")
with torch.autocast("cuda"):
    out = model.generate(**inputs, max_new_tokens=5)
text = tokenizer.decode(out[0])
