from transformers import AutoModelForCausalLM, AutoTokenizer, TextStreamer

tokenizer = AutoTokenizer.from_pretrained("gpt2")
model = AutoModelForCausalLM.from_pretrained("gpt2")
inputs = tokenizer("One, two,", return_tensors="pt")
out = model.generate(**inputs, streamer=TextStreamer(tokenizer), max_new_tokens=20)
print(tokenizer.decode(out[0]))
