import sys

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, BitsAndBytesConfig

load_8bit = "--8bit" in sys.argv
kwargs = dict(device_map="auto", torch_dtype=torch.float16)
if load_8bit:
    kwargs["quantization_config"] = BitsAndBytesConfig(load_in_8bit=True)
else:
    kwargs["low_cpu_mem_usage"] = True
tokenizer = AutoTokenizer.from_pretrained(sys.argv[1])
model = AutoModelForCausalLM.from_pretrained(sys.argv[1], **kwargs)
