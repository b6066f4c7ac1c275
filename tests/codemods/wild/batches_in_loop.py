from transformers import AutoModelForCausalLM, AutoTokenizer


def run(path, prompts, batch_size=8):
    tokenizer = AutoTokenizer.from_pretrained(path, padding_side="left", trust_remote_code=False)
    model = AutoModelForCausalLM.from_pretrained(path, device_map="auto")
    answers = []
    for start in range(0, len(prompts), batch_size):
        batch = prompts[start : start + batch_size]
        inputs = tokenizer(batch, return_tensors="pt", padding=True, truncation=True, max_length=512)
        outputs = model.generate(inputs.input_ids.cuda(), attention_mask=inputs.attention_mask.cuda(), max_new_tokens=32)
        decoded = tokenizer.batch_decode(outputs, skip_special_tokens=True)
        answers.extend(decoded)
    return answers
