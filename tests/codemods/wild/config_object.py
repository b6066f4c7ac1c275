from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

config = AutoConfig.from_pretrained("gpt2", output_hidden_states=True)
model = AutoModelForCausalLM.from_pretrained("gpt2", config=config)
tokenizer = AutoTokenizer.from_pretrained("gpt2")
