from transformers import AutoModelForCausalLM, AutoTokenizer

base = "huggyllama/llama-7b"
model = AutoModelForCausalLM.from_pretrained(base, load_in_8bit=True, device_map="auto")
tokenizer = AutoTokenizer.from_pretrained(base)
