import time

from transformers import AutoModelForCausalLM, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained("gpt2")
model = AutoModelForCausalLM.from_pretrained("gpt2")
inputs = tokenizer("a b c", return_tensors="pt")
start = time.time()
outputs = model.generate(**inputs, max_new_tokens=128, use_cache=True)
print(f"{time.time() - start:.2f} s")
print(tokenizer.decode(outputs[0], skip_special_tokens=True))
