from transformers import AutoModelForCausalLM, AutoTokenizer


def load(name, **kwargs):
    tokenizer = AutoTokenizer.from_pretrained(name)
    model = AutoModelForCausalLM.from_pretrained(name, **kwargs)
    return tokenizer, model
