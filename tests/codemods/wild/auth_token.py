import os

from transformers import AutoModelForCausalLM, AutoTokenizer

token = os.environ["HF_TOKEN"]
tokenizer = AutoTokenizer.from_pretrained("meta-llama/Llama-3.1-8B", use_auth_token=token)
model = AutoModelForCausalLM.from_pretrained("meta-llama/Llama-3.1-8B", use_auth_token=token, use_cache=False)
