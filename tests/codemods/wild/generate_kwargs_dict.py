from transformers import AutoModelForCausalLM, AutoTokenizer

gen_kwargs = {"max_new_tokens": 100, "do_sample": True, "temperature": 0.7, "top_p": 0.9}
tokenizer = AutoTokenizer.from_pretrained("mistralai/Mistral-7B-v0.1")
model = AutoModelForCausalLM.from_pretrained("mistralai/Mistral-7B-v0.1")
inputs = tokenizer("Dear", return_tensors="pt")
outputs = model.generate(**inputs, **gen_kwargs)
print(tokenizer.decode(outputs[0], skip_special_tokens=True))
