from transformers import AutoModelForCausalLM, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained("Qwen/Qwen2.5-7B")
model = AutoModelForCausalLM.from_pretrained("Qwen/Qwen2.5-7B")


def gen(prompt: str, temperature: float = 0.0):
    inputs = tokenizer(prompt, return_tensors="pt").to(model.device)
    if temperature > 0:
        outputs = model.generate(**inputs, max_new_tokens=64, do_sample=True, temperature=temperature)
    else:
        outputs = model.generate(**inputs, max_new_tokens=64, do_sample=False)
    return tokenizer.decode(outputs[0], skip_special_tokens=True)
