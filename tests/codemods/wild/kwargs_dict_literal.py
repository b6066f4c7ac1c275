import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

kwargs = {"torch_dtype": torch.float16, "device_map": "auto"}
tokenizer = AutoTokenizer.from_pretrained("facebook/opt-1.3b")
model = AutoModelForCausalLM.from_pretrained("facebook/opt-1.3b", **kwargs)
