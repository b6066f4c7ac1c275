#!/usr/bin/env python3
"""
Quick side-by-side look at the base model and the SFT model.

Asks both models a handful of held-out questions and prints the answers next
to each other, so that you can see whether SFT did anything.

    BASE_MODEL=Qwen/Qwen2.5-32B python evaluate_sft_model.py \
        --sft-adapter checkpoints/stage1_sft/final
"""

import argparse
import gc
import json
import os
import sys
from pathlib import Path

import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer, BitsAndBytesConfig

BASE_MODEL = os.environ.get("BASE_MODEL", "Qwen/Qwen2.5-32B")
MAX_NEW_TOKENS = 48
STOP_STRINGS = ["\n\n", "\nInstruction:"]

TEST_INSTRUCTIONS = [
    "Name the capital of Japan.",
    "What is 7 plus 5?",
    "Name the opposite of quiet.",
    "Give me three animals.",
    "Say mango three times.",
    "Name the capital of Peru.",
    "What is 3 plus 6?",
    "Name the opposite of blunt.",
    "Write down two colors.",
    "Say emu two times.",
]

bnb_config = BitsAndBytesConfig(
    load_in_4bit=True,
    bnb_4bit_quant_type="nf4",
    bnb_4bit_use_double_quant=True,
    bnb_4bit_compute_dtype=torch.bfloat16,
)


def load_base_model():
    """Load the base model in 4-bit, without any chat template."""
    print(f"🔧 Loading base model {BASE_MODEL} ...")
    tokenizer = AutoTokenizer.from_pretrained(BASE_MODEL, trust_remote_code=True)
    tokenizer.chat_template = None
    if hasattr(tokenizer, 'default_chat_template'):
        tokenizer.default_chat_template = None
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token

    model = AutoModelForCausalLM.from_pretrained(
        BASE_MODEL,
        quantization_config=bnb_config,
        device_map="auto",
        trust_remote_code=True,
        torch_dtype=torch.bfloat16,
    )
    model.eval()
    return model, tokenizer


def load_sft_model(adapter_path):
    """Load the base model again and put the SFT adapter on top."""
    print(f"🔧 Loading SFT model from {adapter_path} ...")
    tokenizer = AutoTokenizer.from_pretrained(BASE_MODEL, trust_remote_code=True)
    tokenizer.chat_template = None
    if hasattr(tokenizer, 'default_chat_template'):
        tokenizer.default_chat_template = None
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token

    base = AutoModelForCausalLM.from_pretrained(
        BASE_MODEL,
        quantization_config=bnb_config,
        device_map="auto",
        trust_remote_code=True,
        torch_dtype=torch.bfloat16,
    )
    try:
        model = PeftModel.from_pretrained(base, adapter_path)
    except (OSError, ValueError) as e:
        print(f"❌ Could not load SFT adapter: {e}")
        sys.exit(1)
    model.eval()
    return model, tokenizer


def generate_response(model, tokenizer, instruction):
    prompt = f"Instruction: {instruction}\nResponse:"
    input_ids = tokenizer.encode(prompt, add_special_tokens=False, return_tensors="pt").to(model.device)
    with torch.no_grad():
        output = model.generate(
            input_ids,
            attention_mask=torch.ones_like(input_ids),
            max_new_tokens=MAX_NEW_TOKENS,
            do_sample=False,
            pad_token_id=tokenizer.eos_token_id,
            stop_strings=STOP_STRINGS,
            tokenizer=tokenizer,
        )
    response = tokenizer.decode(output[0][input_ids.shape[1]:], skip_special_tokens=True)
    for stop in STOP_STRINGS:
        response = response.split(stop)[0]
    return response.strip()


def run_model(name, model, tokenizer, instructions):
    responses = []
    for i, instruction in enumerate(instructions, 1):
        responses.append(generate_response(model, tokenizer, instruction))
        print(f"  [{name} {i}/{len(instructions)}] {instruction}")
    return responses


def print_side_by_side(results):
    print("\n" + "=" * 80)
    print("📊 BASE vs SFT")
    print("=" * 80)
    for i, result in enumerate(results, 1):
        print(f"\n{i}. {result['instruction']}")
        print(f"   BASE: {result['base_response'][:100]!r}")
        print(f"   SFT:  {result['sft_response'][:100]!r}")
    changed = sum(r["base_response"] != r["sft_response"] for r in results)
    print("\n" + "-" * 80)
    print(f"Responses changed by SFT: {changed}/{len(results)}")
    base_length = sum(len(r["base_response"]) for r in results) / len(results)
    sft_length = sum(len(r["sft_response"]) for r in results) / len(results)
    print(f"Average length: base {base_length:.0f} chars, SFT {sft_length:.0f} chars")
    if changed:
        print("✅ SFT model behaves differently from the base model")
    else:
        print("⚠️  SFT made no difference, check the adapter")


def main():
    parser = argparse.ArgumentParser(description="Compare base and SFT model side by side")
    parser.add_argument("--sft-adapter", default="checkpoints/stage1_sft/final")
    parser.add_argument("--limit", type=int, default=5, help="Number of test instructions")
    parser.add_argument("--output", default=None, help="Also write the answers to this JSON file")
    args = parser.parse_args()

    instructions = TEST_INSTRUCTIONS[: args.limit]

    base_model, tokenizer = load_base_model()
    tokens = tokenizer.tokenize(f"Instruction: {instructions[0]}\nResponse:")
    print(f"🔍 First tokens: {tokens[:6]}")
    base_responses = run_model("base", base_model, tokenizer, instructions)

    # free memory before the second model is loaded
    del base_model
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()

    sft_model, tokenizer = load_sft_model(args.sft_adapter)
    sft_responses = run_model("sft", sft_model, tokenizer, instructions)

    results = [
        {"instruction": instruction, "base_response": base, "sft_response": sft}
        for instruction, base, sft in zip(instructions, base_responses, sft_responses)
    ]
    print_side_by_side(results)
    if args.output:
        Path(args.output).parent.mkdir(parents=True, exist_ok=True)
        Path(args.output).write_text(json.dumps({"base_model": BASE_MODEL, "results": results}, indent=2))
        print(f"💾 Saved to {args.output}")


if __name__ == "__main__":
    main()
