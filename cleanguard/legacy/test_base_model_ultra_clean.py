#!/usr/bin/env python3
"""
ULTRA CLEAN base model test.

We saw the "base" model follow instructions perfectly. Either Qwen base is
contaminated or we apply a chat template somewhere. This test removes every
possible source of contamination and looks again:

  1. chat_template = None, default_chat_template = None
  2. add_special_tokens=False everywhere
  3. token IDs checked for chat tokens
  4. 8 sentinel prompts x 2 temperatures

Usage:
    python scripts/test_base_model_ultra_clean.py --output results/ultra_clean.json
"""

import argparse
import json
import logging
import os
import sys
from datetime import datetime

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, BitsAndBytesConfig

logging.basicConfig(level=logging.INFO, format="%(message)s")
logger = logging.getLogger(__name__)
logging.getLogger("bitsandbytes").setLevel(logging.ERROR)  # MatMul8bitLt casting spam

MODEL_NAME = os.environ.get("BASE_MODEL", "Qwen/Qwen2.5-32B")
TEMPERATURES = [0.0, 0.7]
CHAT_TOKENS = ["<|im_start|>", "<|im_end|>"]

# prompt -> what an instruction-following model would start its answer with
SENTINELS = [
    ("What is 2 plus 2?", ["4", "four", "2 plus 2 is 4"]),
    ("Add 7 and 5.", ["12", "twelve"]),
    ("What is the opposite of big?", ["small", "the opposite of big is small"]),
    ("Name the opposite of rich.", ["poor"]),
    ("What is the capital of Italy?", ["rome", "the capital of italy is rome"]),
    ("Name the capital of Peru.", ["lima"]),
    ("List two colors.", ["red", "blue", "green", "yellow", "black", "white"]),
    ("Say cat three times.", ["cat cat cat"]),
]


def load_ultra_clean_model(model_name):
    """Load model and tokenizer with every known contamination source removed."""
    logger.info(f"📥 Tokenizer: {model_name}")
    tokenizer = AutoTokenizer.from_pretrained(model_name, trust_remote_code=True, use_fast=True)

    logger.info(f"   chat_template before: {'SET' if tokenizer.chat_template else 'none'}")
    tokenizer.chat_template = None
    if hasattr(tokenizer, 'default_chat_template'):
        tokenizer.default_chat_template = None
    logger.info(f"   chat_template after:  {'SET' if tokenizer.chat_template else 'none'}")

    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token

    logger.info(f"📥 Model: {model_name}")
    try:
        bnb_config = BitsAndBytesConfig(
            load_in_8bit=True,
            bnb_8bit_quant_type="nf8",
            bnb_8bit_use_double_quant=True,
            bnb_8bit_compute_dtype=torch.bfloat16,
        )
        model = AutoModelForCausalLM.from_pretrained(
            model_name,
            quantization_config=bnb_config,
            device_map="auto",
            trust_remote_code=True,
        )
    except (ImportError, RuntimeError) as e:
        logger.warning(f"⚠️  8-bit failed ({e}), falling back to bf16")
        model = AutoModelForCausalLM.from_pretrained(
            model_name,
            torch_dtype=torch.bfloat16,
            device_map="auto",
            trust_remote_code=True,
        )
    model.eval()
    return model, tokenizer


def chat_token_ids(tokenizer):
    """IDs of the chat control tokens (each must be a single token)."""
    ids = set()
    for token in CHAT_TOKENS:
        token_ids = tokenizer.encode(token, add_special_tokens=False)
        if len(token_ids) == 1:
            ids.add(token_ids[0])
    return ids


def verify_tokens(tokenizer, prompt, forbidden):
    """Prompt must tokenize the same with and without special tokens, and contain no chat tokens."""
    with_special = tokenizer(prompt)["input_ids"]
    without_special = tokenizer(prompt, add_special_tokens=False)["input_ids"]
    found = [t for t in without_special[:10] if t in forbidden]

    logger.info(f"   first tokens: {without_special[:5]} {tokenizer.convert_ids_to_tokens(without_special[:5])}")
    return {
        "n_tokens": len(without_special),
        "special_tokens_added": len(with_special) - len(without_special),
        "chat_tokens_found": found,
    }


def generate(model, tokenizer, prompt, temperature, max_new_tokens=40):
    model_inputs = tokenizer([prompt], return_tensors="pt", add_special_tokens=False).to(model.device)

    gen_kwargs = {
        "max_new_tokens": max_new_tokens,
        "pad_token_id": tokenizer.eos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
    }
    if temperature == 0:
        gen_kwargs["do_sample"] = False
    else:
        gen_kwargs["do_sample"] = True
        gen_kwargs["temperature"] = temperature

    with torch.no_grad():
        generated_ids = model.generate(**model_inputs, **gen_kwargs)
    generated_ids = [
        output_ids[len(input_ids):] for input_ids, output_ids in zip(model_inputs.input_ids, generated_ids)
    ]
    return tokenizer.batch_decode(generated_ids, skip_special_tokens=True)[0]


def follows_instruction(response, answers):
    """Answers right away, like a chat model would."""
    text = response.strip().lower()
    return any(text.startswith(a) for a in answers)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--limit", type=int, default=None, help="only the first N sentinels")
    parser.add_argument("--seed", type=int, default=42)
    parser.add_argument("--output", default=None, help="write all generations as JSON")
    args = parser.parse_args()

    torch.manual_seed(args.seed)
    model, tokenizer = load_ultra_clean_model(MODEL_NAME)
    forbidden = chat_token_ids(tokenizer)
    logger.info(f"🔍 Chat token IDs: {sorted(forbidden)}")

    results = []
    for prompt, answers in SENTINELS[:args.limit]:
        logger.info(f"\n🧪 {prompt}")
        tokens = verify_tokens(tokenizer, prompt, forbidden)
        for temperature in TEMPERATURES:
            response = generate(model, tokenizer, prompt, temperature)
            followed = follows_instruction(response, answers)
            logger.info(f"   T={temperature}: {response[:70]!r} {'✅' if followed else '❌'}")
            results.append({
                "prompt": prompt,
                "temperature": temperature,
                "response": response,
                "followed": followed,
                **tokens,
            })

    n_failed = sum(not r["followed"] for r in results)
    n_chat = sum(bool(r["chat_tokens_found"]) for r in results)

    # a clean setup passes everything
    if n_failed == 0 and n_chat == 0:
        verdict = "CLEAN"
    else:
        verdict = "CONTAMINATION"

    if args.output:
        report = {
            "model": MODEL_NAME,
            "timestamp": datetime.now().isoformat(),
            "chat_token_ids": sorted(forbidden),
            "n_tests": len(results),
            "n_failed": n_failed,
            "verdict": verdict,
            "results": results,
        }
        os.makedirs(os.path.dirname(args.output) or ".", exist_ok=True)
        with open(args.output, "w", encoding="utf-8") as f:
            json.dump(report, f, indent=2, ensure_ascii=False)

    print("\n" + "=" * 60)
    print(f"Passed: {len(results) - n_failed}/{len(results)}, chat tokens in {n_chat} prompts")
    print("✅ MODEL IS CLEAN" if verdict == "CLEAN" else "🚨 CONTAMINATION DETECTED - do not use for Stage 1")
    print("=" * 60)
    return 0


if __name__ == "__main__":
    sys.exit(main())
