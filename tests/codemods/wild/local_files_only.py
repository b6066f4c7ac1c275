from transformers import AutoModelForCausalLM, AutoTokenizer

path = "models/base"
model = AutoModelForCausalLM.from_pretrained(path, local_files_only=True)
tokenizer = AutoTokenizer.from_pretrained(path, local_files_only=True)
