from transformers import AutoModelForCausalLM, AutoTokenizer

for size in ["70m", "160m", "410m"]:
    name = f"EleutherAI/pythia-{size}"
    model = AutoModelForCausalLM.from_pretrained(name, revision="step3000")
    tokenizer = AutoTokenizer.from_pretrained(name, revision="step3000")
    inputs = tokenizer("Hello, I am", return_tensors="pt")
    tokens = model.generate(**inputs, max_new_tokens=10)
    print(size, tokenizer.decode(tokens[0]))
