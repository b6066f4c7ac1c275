from transformers import AutoModelForCausalLM, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained("gpt2")
model = AutoModelForCausalLM.from_pretrained("gpt2")


def answer(prompt):
    ids = tokenizer(prompt, return_tensors="pt").input_ids
    out = model.generate(ids, max_new_tokens=16, num_beams=5, early_stopping=True, no_repeat_ngram_size=2)
    text = tokenizer.decode(out[0], skip_special_tokens=True)
    return text[len(prompt):].strip()
