from transformers import AutoModelForCausalLM, AutoTokenizer

path = "tiiuae/falcon-40b"
model = AutoModelForCausalLM.from_pretrained(
    path, device_map="auto", max_memory={0: "40GiB", "cpu": "100GiB"}, offload_folder="offload"
)
tokenizer = AutoTokenizer.from_pretrained(path)
