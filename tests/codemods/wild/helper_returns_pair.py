import torch
from transformers import AutoModelForCausalLM, AutoTokenizer


def get_model(path, device="cuda"):
    tokenizer = AutoTokenizer.from_pretrained(path, use_fast=False)
    model = AutoModelForCausalLM.from_pretrained(path, torch_dtype=torch.float16, low_cpu_mem_usage=True).to(device)
    return model, tokenizer


model, tokenizer = get_model("meta-llama/Llama-2-7b-hf")
batch = tokenizer(["A", "B"], return_tensors="pt", padding=True).to("cuda")
gen = model.generate(**batch, max_new_tokens=32, num_beams=4)
for text in tokenizer.batch_decode(gen, skip_special_tokens=True):
    print(text)
