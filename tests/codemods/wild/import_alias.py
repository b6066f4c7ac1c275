import transformers as hf

name = "facebook/opt-125m"
tok = hf.AutoTokenizer.from_pretrained(name)
net = hf.OPTForCausalLM.from_pretrained(name)
net.eval()
