import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

path = "mistralai/Mistral-7B-v0.3"
model = AutoModelForCausalLM.from_pretrained(path, use_flash_attention_2=True, torch_dtype=torch.bfloat16)
tokenizer = AutoTokenizer.from_pretrained(path)
