from transformers import AutoModelForCausalLM, AutoTokenizer, GenerationConfig

tokenizer = AutoTokenizer.from_pretrained("huggyllama/llama-7b")
model = AutoModelForCausalLM.from_pretrained("huggyllama/llama-7b")
inputs = tokenizer("Below is an instruction", return_tensors="pt")
generation_config = GenerationConfig(temperature=0.1, top_p=0.75, top_k=40, num_beams=4)
out = model.generate(input_ids=inputs["input_ids"], generation_config=generation_config, max_new_tokens=128)
print(tokenizer.decode(out[0]))
