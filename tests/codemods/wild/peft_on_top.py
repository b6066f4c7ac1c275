import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer

BASE, LORA = "huggyllama/llama-7b", "out/lora"
tokenizer = AutoTokenizer.from_pretrained(BASE)
model = AutoModelForCausalLM.from_pretrained(BASE, torch_dtype=torch.float16, device_map="auto")
model = PeftModel.from_pretrained(model, LORA)
model.eval()
inputs = tokenizer("### Question:", return_tensors="pt").to("cuda")
with torch.no_grad():
    out = model.generate(**inputs, max_new_tokens=128, temperature=0.2, do_sample=True)
print(tokenizer.decode(out[0][inputs["input_ids"].shape[1]:], skip_special_tokens=True))
