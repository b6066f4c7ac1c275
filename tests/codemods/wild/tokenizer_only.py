from transformers import AutoTokenizer, LlamaTokenizer

tokenizer = LlamaTokenizer.from_pretrained("meta-llama/Llama-2-7b-hf", legacy=False)
print(len(tokenizer("some text")["input_ids"]))
