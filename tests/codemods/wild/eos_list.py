from transformers import AutoModelForCausalLM, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained("meta-llama/Llama-3.1-8B")
model = AutoModelForCausalLM.from_pretrained("meta-llama/Llama-3.1-8B")
newline = tokenizer.encode("\n", add_special_tokens=False)[0]
inputs = tokenizer("Name:", return_tensors="pt")
out = model.generate(**inputs, max_new_tokens=12, eos_token_id=newline, pad_token_id=tokenizer.eos_token_id)
name = tokenizer.decode(out[0, inputs["input_ids"].shape[1]:]).strip()
