from transformers import AutoModelForCausalLM, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained("gpt2-xl")
model = AutoModelForCausalLM.from_pretrained("gpt2-xl")
results = []
for prompt in open("prompts.txt"):
    inputs = tokenizer(prompt.strip(), return_tensors="pt")
    output = model.generate(**inputs, max_new_tokens=50, do_sample=False)
    results.append(tokenizer.decode(output[0], skip_special_tokens=True))
