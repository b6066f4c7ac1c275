import transformers

tokenizer = transformers.AutoTokenizer.from_pretrained("gpt2", model_max_length=1024)
model = transformers.AutoModelForCausalLM.from_pretrained("gpt2", cache_dir="/data/cache")
