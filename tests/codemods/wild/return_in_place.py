from transformers import AutoModelForCausalLM, AutoTokenizer


def model_of(name):
    return AutoModelForCausalLM.from_pretrained(name, device_map="auto")


def tokenizer_of(name):
    return AutoTokenizer.from_pretrained(name)
