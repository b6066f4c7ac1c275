from transformers import AutoModelForCausalLM, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained("Qwen/Qwen2.5-1.5B", padding_side="left")
model = AutoModelForCausalLM.from_pretrained("Qwen/Qwen2.5-1.5B")
prompts = ["The sky is", "Grass is"]
enc = tokenizer(prompts, return_tensors="pt", padding=True)
outs = model.generate(**enc, max_new_tokens=8)
for prompt, out in zip(prompts, outs):
    print(prompt, "->", tokenizer.decode(out, skip_special_tokens=True))
