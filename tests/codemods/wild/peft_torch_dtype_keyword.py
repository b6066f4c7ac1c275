import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM

base_model = AutoModelForCausalLM.from_pretrained("huggyllama/llama-7b", torch_dtype=torch.float16)
lora = PeftModel.from_pretrained(base_model, "out/lora", torch_dtype=torch.float16)
merged = lora.merge_and_unload()
merged.save_pretrained("merged")
