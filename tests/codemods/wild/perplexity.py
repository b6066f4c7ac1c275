import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

device = "cuda"
model = AutoModelForCausalLM.from_pretrained("gpt2-large").to(device)
tokenizer = AutoTokenizer.from_pretrained("gpt2-large")
encodings = tokenizer(open("wiki.txt").read(), return_tensors="pt", add_special_tokens=False)
loss = model(encodings.input_ids.to(device), labels=encodings.input_ids.to(device)).loss
print(torch.exp(loss))
