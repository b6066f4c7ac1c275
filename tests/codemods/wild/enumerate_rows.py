from transformers import AutoModelForCausalLM, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained("gpt2")
model = AutoModelForCausalLM.from_pretrained("gpt2")
input_ids = tokenizer.encode("I enjoy walking with my dog", return_tensors="pt")
sample_outputs = model.generate(input_ids, do_sample=True, max_length=50, top_k=50, top_p=0.95, num_return_sequences=3)
for i, sample_output in enumerate(sample_outputs):
    print("{}: {}".format(i, tokenizer.decode(sample_output, skip_special_tokens=True)))
