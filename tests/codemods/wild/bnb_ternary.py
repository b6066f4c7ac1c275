from transformers import AutoModelForCausalLM, AutoTokenizer, BitsAndBytesConfig


def load(path, int8=False):
    model = AutoModelForCausalLM.from_pretrained(
        path,
        quantization_config=BitsAndBytesConfig(load_in_8bit=True) if int8 else None,
        device_map="auto",
    )
    tokenizer = AutoTokenizer.from_pretrained(path)
    return model, tokenizer
