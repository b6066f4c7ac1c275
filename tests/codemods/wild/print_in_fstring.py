from transformers import AutoModelForCausalLM, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained("gpt2")
model = AutoModelForCausalLM.from_pretrained("gpt2")
inputs = tokenizer("x =", return_tensors="pt")
out = model.generate(**inputs, max_new_tokens=10)
print(f"Output: {tokenizer.decode(out[0])}")
