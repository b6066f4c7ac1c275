from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase


def complete(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, text: str) -> str:
    ids = tokenizer(text, return_tensors="pt").to(model.device)
    out = model.generate(**ids, max_new_tokens=10, do_sample=False)
    return tokenizer.decode(out[0][ids["input_ids"].shape[-1]:], skip_special_tokens=True)


def main():
    tokenizer = AutoTokenizer.from_pretrained("gpt2")
    model = AutoModelForCausalLM.from_pretrained("gpt2")
    print(complete(model, tokenizer, "x ="))
