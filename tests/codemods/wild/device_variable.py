import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
tokenizer = AutoTokenizer.from_pretrained("gpt2")
model = AutoModelForCausalLM.from_pretrained("gpt2").to(device)
encoded = tokenizer.encode_plus("A lone astronaut", return_tensors="pt").to(device)
generated = model.generate(
    input_ids=encoded["input_ids"],
    attention_mask=encoded["attention_mask"],
    max_length=60,
    do_sample=True,
    top_k=0,
    repetition_penalty=1.2,
)
print(tokenizer.decode(generated[0], clean_up_tokenization_spaces=True))
