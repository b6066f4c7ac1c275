from transformers import AutoModelForCausalLM, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained("google/gemma-2-2b")
model = AutoModelForCausalLM.from_pretrained("google/gemma-2-2b")
inputs = tokenizer("Q: 1+1\nA:", return_tensors="pt")
out = model.generate(**inputs, max_new_tokens=32, stop_strings=["Q:"], tokenizer=tokenizer)
print(tokenizer.decode(out[0, inputs.input_ids.shape[-1]:], skip_special_tokens=True))
