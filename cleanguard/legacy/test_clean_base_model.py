#!/usr/bin/env python3
"""
Quick smoke test: is the base model really a base model?

Loads Qwen2.5-32B with the chat template disabled and prints what it does with
four prompts. Read the output by eye: a base model CONTINUES the text, a chat
model ANSWERS.

Usage (on the pod):
    python scripts/test_clean_base_model.py
    BASE_MODEL=Qwen/Qwen2.5-7B python scripts/test_clean_base_model.py
"""

import logging
import os
import time

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, BitsAndBytesConfig

logging.basicConfig(level=logging.INFO, format="%(asctime)s - %(levelname)s - %(message)s")
logger = logging.getLogger(__name__)
logging.getLogger("bitsandbytes").setLevel(logging.ERROR)  # MatMul8bitLt casting spam

BASE_MODEL = os.environ.get("BASE_MODEL", "Qwen/Qwen2.5-32B")
MAX_NEW_TOKENS = 40

PROMPTS = [
    # completion: should just continue
    ("completion", "The capital of France is"),
    # arithmetic in prose: should just continue
    ("arithmetic", "3 plus 4 is"),
    # instruction without any format: base model should NOT answer this cleanly
    ("instruction", "Say dog three times."),
    # our Stage 1 format
    ("stage1 format", "Instruction: What is the opposite of hot?\nResponse:"),
]

logger.info("=" * 60)
logger.info("🧪 CLEAN BASE MODEL TEST")
logger.info("=" * 60)

# --- tokenizer -------------------------------------------------------------
logger.info(f"📥 Loading tokenizer: {BASE_MODEL}")
tokenizer = AutoTokenizer.from_pretrained(BASE_MODEL, trust_remote_code=True)

# CRITICAL: without this the chat template gets applied and the base model looks
# like it follows instructions
tokenizer.chat_template = None
if hasattr(tokenizer, 'default_chat_template'):
    tokenizer.default_chat_template = None

if tokenizer.pad_token is None:
    tokenizer.pad_token = tokenizer.eos_token

logger.info(f"   vocab size: {len(tokenizer)}, eos: {tokenizer.eos_token!r}, pad: {tokenizer.pad_token!r}")

# --- model -----------------------------------------------------------------
logger.info(f"📥 Loading model in 8-bit: {BASE_MODEL}")
start = time.time()

bnb_config = BitsAndBytesConfig(
    load_in_8bit=True,
    bnb_8bit_quant_type="nf8",
    bnb_8bit_use_double_quant=True,
    bnb_8bit_compute_dtype=torch.bfloat16,
)

model = AutoModelForCausalLM.from_pretrained(
    BASE_MODEL,
    quantization_config=bnb_config,
    device_map="auto",
    torch_dtype=torch.bfloat16,
    trust_remote_code=True,
)
model.eval()
logger.info(f"✅ Model loaded in {time.time() - start:.1f}s on {model.device}")

if torch.cuda.is_available():
    logger.info(f"   GPU memory: {torch.cuda.memory_allocated() / 1e9:.1f} GB")

# --- prompts ---------------------------------------------------------------
for i, (kind, prompt) in enumerate(PROMPTS, 1):
    # what does the tokenizer really see? (sanity check, nothing is fed from here)
    preview = tokenizer.encode(prompt, add_special_tokens=False)[:8]

    inputs = tokenizer(prompt, return_tensors="pt", add_special_tokens=False).to(model.device)

    with torch.no_grad():
        outputs = model.generate(
            **inputs,
            max_new_tokens=MAX_NEW_TOKENS,
            temperature=0.7,
            pad_token_id=tokenizer.eos_token_id,
        )

    input_len = inputs["input_ids"].shape[1]
    response = tokenizer.decode(outputs[0][input_len:], skip_special_tokens=True)

    print()
    print("-" * 60)
    print(f"[{i}/{len(PROMPTS)}] {kind}")
    print(f"Prompt:       {prompt!r}")
    print(f"First tokens: {preview} {[tokenizer.decode([t]) for t in preview]}")
    print(f"Response:     {response!r}")

print()
print("=" * 60)
print("👀 Look at the instruction prompts above:")
print("   continues / rambles / makes up more questions -> base model ✅")
print("   one clean answer, then stops                  -> chat template leaked 🚨")
print("=" * 60)
