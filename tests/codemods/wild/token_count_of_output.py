import time

from transformers import AutoModelForCausalLM, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained("gpt2")
model = AutoModelForCausalLM.from_pretrained("gpt2")
inputs = tokenizer("a b c", return_tensors="pt")
start = time.time()
outputs = model.generate(**inputs, max_new_tokens=128)
rate = (outputs.shape[1] - inputs.input_ids.shape[1]) / (time.time() - start)
print(rate, tokenizer.decode(outputs[0]))
