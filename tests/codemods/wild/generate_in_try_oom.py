import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained("gpt2")
model = AutoModelForCausalLM.from_pretrained("gpt2")


def run(prompt):
    inputs = tokenizer(prompt, return_tensors="pt")
    try:
        output = model.generate(**inputs, max_new_tokens=20)
    except torch.cuda.OutOfMemoryError:
        return None
    return tokenizer.decode(output[0], skip_special_tokens=True)
