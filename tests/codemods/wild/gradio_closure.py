from transformers import AutoModelForCausalLM, AutoTokenizer


def build(path):
    tokenizer = AutoTokenizer.from_pretrained(path)
    model = AutoModelForCausalLM.from_pretrained(path)

    def respond(message):
        ids = tokenizer(message, return_tensors="pt").input_ids
        result = model.generate(ids, max_new_tokens=64, do_sample=True, temperature=0.9)
        return tokenizer.decode(result[0], skip_special_tokens=True)

    return respond
