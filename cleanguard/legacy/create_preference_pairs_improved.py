#!/usr/bin/env python3
"""
Create preference pairs for Stage 1 DPO (improved version).

For every instruction in the SFT data:
  1. chosen   = answer of the SFT model
  2. rejected = a negative that fits the instruction type
  3. both are scored with the SFT model's log-probability
  4. pairs whose margin is too small are dropped

Improvements over v1: model-based scoring, several negatives per instruction,
margin filter, and a report with the margins.
"""

import argparse
import json
import logging
import os
import random
import statistics
from pathlib import Path
from typing import Dict, List, Optional, Tuple

import torch
from peft import PeftModel
from tqdm import tqdm
from transformers import AutoModelForCausalLM, AutoTokenizer, BitsAndBytesConfig

logging.basicConfig(level=logging.INFO, format="%(message)s")
logging.getLogger("bitsandbytes").setLevel(logging.ERROR)
logger = logging.getLogger(__name__)

BASE_MODEL = os.environ.get("BASE_MODEL", "Qwen/Qwen2.5-32B")
STOP_STRINGS = ["\\n\\n", "\\nInstruction:", "Instruction:", "\\nEND"]

GENERIC_NEGATIVES = [
    "I don't know.",
    "That is a very interesting question and there are many ways to look at it.",
    "As an AI language model, I cannot help with that.",
]
NEGATIVES_BY_TYPE = {
    "capital": ["The capital is London.", "It is a big city with many people."],
    "opposite": ["It means the same.", "There is no opposite."],
    "math": ["The answer is a number.", "100."],
    "list": ["There are many of them.", "red, red, red, red, red, red, red, red, red."],
    "repeat": ["No.", "The child said it."],
}


def load_sft_model(adapter_path: Optional[str]):
    """Load base + SFT adapter for answering and scoring."""
    logger.info(f"📥 Loading tokenizer: {BASE_MODEL}")
    tokenizer = AutoTokenizer.from_pretrained(BASE_MODEL)
    tokenizer.chat_template = None
    if hasattr(tokenizer, "default_chat_template"):
        tokenizer.default_chat_template = None
    tokenizer.pad_token = tokenizer.eos_token

    quantization_config = BitsAndBytesConfig(
        load_in_8bit=True,
        bnb_8bit_quant_type="nf4",
        bnb_8bit_use_double_quant=True,
        bnb_8bit_compute_dtype=torch.bfloat16,
    )
    logger.info(f"📥 Loading base model in 8-bit: {BASE_MODEL}")
    base_model = AutoModelForCausalLM.from_pretrained(
        BASE_MODEL,
        quantization_config=quantization_config,
        torch_dtype=torch.bfloat16,
        device_map="auto",
        low_cpu_mem_usage=True,
    )
    if adapter_path is None:
        logger.warning("⚠️  No SFT adapter given, answers come from the base model")
        model = base_model
    else:
        logger.info(f"📥 Loading SFT adapter: {adapter_path}")
        model = PeftModel.from_pretrained(base_model, adapter_path)
    model.eval()
    return model, tokenizer


def generate_response(model, tokenizer, instruction: str, max_new_tokens: int = 48) -> str:
    """Answer one instruction with the SFT model."""
    prompt = f"Instruction: {instruction}\nResponse:"
    inputs = tokenizer(prompt, return_tensors="pt", add_special_tokens=False, truncation=True, max_length=512)
    inputs = inputs.to(model.device)
    with torch.no_grad():
        outputs = model.generate(
            **inputs,
            max_new_tokens=max_new_tokens,
            temperature=0.7,
            pad_token_id=tokenizer.pad_token_id,
            eos_token_id=tokenizer.eos_token_id,
        )
    full_text = tokenizer.decode(outputs[0], skip_special_tokens=True)
    response = full_text[len(prompt):]
    for stop in STOP_STRINGS:
        if stop in response:
            response = response.split(stop)[0]
    return response.strip()


def score_response(model, tokenizer, instruction: str, response: str) -> float:
    """Average log-probability of the response."""
    text = f"Instruction: {instruction}\nResponse: {response}"
    encoded = tokenizer(text, return_tensors="pt", add_special_tokens=False).to(model.device)
    with torch.no_grad():
        loss = model(**encoded, labels=encoded["input_ids"]).loss
    return -loss.item()


def count_tokens(tokenizer, text: str) -> int:
    return len(tokenizer.encode(text, add_special_tokens=False))


def load_instructions(path: str, limit: Optional[int]) -> List[Dict]:
    """Instructions of the SFT data, each of them once."""
    seen, instructions = set(), []
    with open(path, encoding="utf-8") as f:
        for line in f:
            record = json.loads(line)
            if record["instruction"] not in seen:
                seen.add(record["instruction"])
                instructions.append(record)
    return instructions[:limit]


def pick_negatives(instruction_type: str, count: int) -> List[str]:
    pool = NEGATIVES_BY_TYPE.get(instruction_type, []) + GENERIC_NEGATIVES
    return random.sample(pool, min(count, len(pool)))


def create_pairs(model, tokenizer, records: List[Dict], min_margin: float, negatives: int) -> Tuple[List[Dict], Dict]:
    pairs, margins, dropped = [], [], 0
    for record in tqdm(records, desc="Creating pairs"):
        instruction = record["instruction"]
        chosen = generate_response(model, tokenizer, instruction)
        if not chosen:
            dropped += 1
            continue
        chosen_score = score_response(model, tokenizer, instruction, chosen)
        for rejected in pick_negatives(record.get("instruction_type", ""), negatives):
            rejected_score = score_response(model, tokenizer, instruction, rejected)
            margin = abs(chosen_score - rejected_score)
            if margin < min_margin:
                dropped += 1
                continue
            margins.append(margin)
            pairs.append(
                {
                    "prompt": f"Instruction: {instruction}\nResponse:",
                    "chosen": " " + chosen,
                    "rejected": " " + rejected,
                    "instruction_type": record.get("instruction_type"),
                    "chosen_score": chosen_score,
                    "rejected_score": rejected_score,
                    "margin": margin,
                    "chosen_tokens": count_tokens(tokenizer, chosen),
                    "rejected_tokens": count_tokens(tokenizer, rejected),
                }
            )
    report = {
        "instructions": len(records),
        "pairs": len(pairs),
        "dropped": dropped,
        "mean_margin": statistics.mean(margins) if margins else 0.0,
        "max_margin": max(margins, default=0.0),
    }
    return pairs, report


def main():
    parser = argparse.ArgumentParser(description="Create improved preference pairs")
    parser.add_argument("--data", default="data/stage1_sft_data.jsonl", help="SFT data (JSONL)")
    parser.add_argument("--sft-adapter", default=None, help="Path to the SFT LoRA adapter")
    parser.add_argument("--output", default="data/stage1_preference_pairs.jsonl")
    parser.add_argument("--limit", type=int, default=None, help="Max number of instructions")
    parser.add_argument("--negatives", type=int, default=2, help="Negatives per instruction")
    parser.add_argument("--min-margin", type=float, default=0.1)
    parser.add_argument("--seed", type=int, default=42)
    args = parser.parse_args()

    random.seed(args.seed)
    records = load_instructions(args.data, args.limit)
    logger.info(f"📚 {len(records)} unique instructions from {args.data}")

    model, tokenizer = load_sft_model(args.sft_adapter)
    preview = tokenizer("Instruction: Add 4 and 6.\nResponse:", add_special_tokens=False)["input_ids"]
    logger.info(f"🔍 Token preview: {preview[:5]} -> {tokenizer.convert_ids_to_tokens(preview[:5])}")

    pairs, report = create_pairs(model, tokenizer, records, args.min_margin, args.negatives)

    output = Path(args.output)
    output.parent.mkdir(parents=True, exist_ok=True)
    with output.open("w", encoding="utf-8") as f:
        for pair in pairs:
            f.write(json.dumps(pair, ensure_ascii=False) + "\n")
    output.with_suffix(".report.json").write_text(json.dumps(report, indent=2))

    logger.info(f"✅ {report['pairs']} pairs, {report['dropped']} dropped")
    logger.info(f"📊 Mean margin: {report['mean_margin']:.3f}")
    logger.info(f"💾 Saved to {output}")


if __name__ == "__main__":
    main()
