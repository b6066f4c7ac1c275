from transformers import AutoModelForCausalLM, AutoTokenizer


def sample(model, tokenizer, prompt, n):
    inputs = tokenizer(prompt, return_tensors="pt").to(model.device)
    outputs = model.generate(**inputs, do_sample=True, temperature=1.0, num_return_sequences=n, max_new_tokens=40)
    return [tokenizer.decode(o[inputs.input_ids.shape[1]:], skip_special_tokens=True) for o in outputs]


tokenizer = AutoTokenizer.from_pretrained("allenai/OLMo-1B-hf")
model = AutoModelForCausalLM.from_pretrained("allenai/OLMo-1B-hf")
print(sample(model, tokenizer, "2+2=", 4))
