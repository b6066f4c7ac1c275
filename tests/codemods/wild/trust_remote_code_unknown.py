from transformers import AutoModelForCausalLM, AutoTokenizer

path = "checkpoints/custom"
tokenizer = AutoTokenizer.from_pretrained(path, trust_remote_code=True)
model = AutoModelForCausalLM.from_pretrained(path, trust_remote_code=True, torch_dtype="auto").half().cuda()
