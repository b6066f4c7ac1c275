from transformers import AutoModelForCausalLM, AutoTokenizer

name = "EleutherAI/pythia-1.4b"
tok = AutoTokenizer.from_pretrained(name)
lm = AutoModelForCausalLM.from_pretrained(name).eval().cuda()
ids = tok.encode("def fib(n):", return_tensors="pt").cuda()
out = lm.generate(ids, max_length=64, num_return_sequences=3, do_sample=True, temperature=0.8)
for i in range(3):
    print(tok.decode(out[i], skip_special_tokens=True))
