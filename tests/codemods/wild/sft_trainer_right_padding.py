from transformers import AutoModelForCausalLM, AutoTokenizer
from trl import SFTTrainer

tokenizer = AutoTokenizer.from_pretrained("Qwen/Qwen2.5-0.5B", padding_side="right")
model = AutoModelForCausalLM.from_pretrained("Qwen/Qwen2.5-0.5B", attn_implementation="flash_attention_2")
trainer = SFTTrainer(model=model, processing_class=tokenizer)
