#!/usr/bin/env python3
"""
Evaluate instruction following of the BASE model (before any training).

Gives the raw base model 12 held-out instructions with no chat template and no
system prompt, and counts how many it follows. This is the "before" number that
the Stage 1 SFT has to beat.

Usage:
    python scripts/evaluate_instruction_following.py --output results/base_instruction_following.json
"""

import argparse
import json
import logging
import os
import re
from datetime import datetime
from pathlib import Path
from typing import Dict, List, Tuple

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, BitsAndBytesConfig

logging.basicConfig(level=logging.INFO, format="%(asctime)s - %(levelname)s - %(message)s")
logger = logging.getLogger(__name__)
logging.getLogger("bitsandbytes").setLevel(logging.ERROR)  # MatMul8bitLt casting spam

BASE_MODEL = os.environ.get("BASE_MODEL", "Qwen/Qwen2.5-32B")

# A real answer is longer than this, anything shorter is the model dodging
MIN_RESPONSE_CHARS = 15

TEST_INSTRUCTIONS = [
    {"id": "add_1", "type": "math", "instruction": "What is 3 plus 5?", "expected": ["8", "eight"]},
    {"id": "add_2", "type": "math", "instruction": "Add 6 and 2.", "expected": ["8", "eight"]},
    {"id": "add_3", "type": "math", "instruction": "What is 4 plus 4?", "expected": ["8", "eight"]},
    {"id": "opp_1", "type": "opposite", "instruction": "What is the opposite of hot?", "expected": ["cold"]},
    {"id": "opp_2", "type": "opposite", "instruction": "Name the opposite of early.", "expected": ["late"]},
    {"id": "cap_1", "type": "factual", "instruction": "What is the capital of France?", "expected": ["paris"]},
    {"id": "cap_2", "type": "factual", "instruction": "Name the capital of Japan.", "expected": ["tokyo"]},
    {"id": "list_1", "type": "list", "instruction": "List three colors.",
     "expected": ["red", "blue", "green", "yellow", "black", "white", "pink", "brown", "gray", "purple"]},
    {"id": "list_2", "type": "list", "instruction": "Name two animals.",
     "expected": ["dog", "cat", "cow", "pig", "hen", "fox", "owl", "bat", "bee", "ant", "rat"]},
    {"id": "list_3", "type": "list", "instruction": "Write down four fruits.",
     "expected": ["apple", "pear", "plum", "fig", "lime", "kiwi", "mango", "peach", "grape"]},
    {"id": "rep_1", "type": "repeat", "instruction": "Say owl two times.", "expected": ["owl owl"]},
    {"id": "rep_2", "type": "repeat", "instruction": "Say hammer three times.", "expected": ["hammer hammer hammer"]},
]


def load_base_model(model_name: str = BASE_MODEL) -> Tuple[AutoModelForCausalLM, AutoTokenizer]:
    """Load the base model in 8-bit with the chat template disabled."""
    logger.info(f"🔄 Loading base model: {model_name}")

    tokenizer = AutoTokenizer.from_pretrained(model_name, trust_remote_code=True)

    # Disable chat template! Otherwise we measure the template, not the model
    tokenizer.chat_template = None
    if hasattr(tokenizer, 'default_chat_template'):
        tokenizer.default_chat_template = None

    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token

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
        torch_dtype=torch.bfloat16,
        trust_remote_code=True,
    )
    model.eval()

    logger.info("✅ Base model loaded (8-bit, chat template disabled)")
    return model, tokenizer


def generate_response(model, tokenizer, instruction: str, max_new_tokens: int = 64) -> str:
    """Generate a completion for the raw instruction."""
    inputs = tokenizer(
        instruction,
        return_tensors="pt",
        add_special_tokens=False,
        truncation=True,
        max_length=512,
    )
    inputs = {k: v.to(model.device) for k, v in inputs.items()}

    with torch.no_grad():
        outputs = model.generate(
            **inputs,
            max_new_tokens=max_new_tokens,
            temperature=0.7,
            do_sample=True,
            top_p=0.9,
            pad_token_id=tokenizer.eos_token_id,
        )

    response = tokenizer.decode(outputs[0][inputs["input_ids"].shape[1]:], skip_special_tokens=True)
    return response


def evaluate_response(item: Dict, response: str) -> Dict:
    """Did the model follow the instruction?"""
    text = response.strip().lower()

    # too short to be a real answer -> count as refusal
    if len(text) < MIN_RESPONSE_CHARS:
        return {"followed": False, "reason": "refused"}

    hits = [w for w in item["expected"] if re.search(rf"\b{re.escape(w)}\b", text)]
    if hits:
        return {"followed": True, "reason": f"contains {hits[0]!r}"}
    return {"followed": False, "reason": "wrong_content"}


def run_evaluation(model, tokenizer, items: List[Dict], max_new_tokens: int) -> List[Dict]:
    results = []
    for i, item in enumerate(items, 1):
        response = generate_response(model, tokenizer, item["instruction"], max_new_tokens)
        verdict = evaluate_response(item, response)

        n_tokens = len(tokenizer.encode(response, add_special_tokens=False))
        status = "✅" if verdict["followed"] else "❌"
        logger.info(f"{status} [{i}/{len(items)}] {item['id']}: {response[:60]!r} ({n_tokens} tokens)")

        results.append({
            "id": item["id"],
            "type": item["type"],
            "prompt": item["instruction"],
            "response": response,
            "response_tokens": n_tokens,
            **verdict,
        })
    return results


def main():
    parser = argparse.ArgumentParser(description="Evaluate base model instruction following")
    parser.add_argument("--output", type=Path, default=Path("results/instruction_following_base.json"))
    parser.add_argument("--limit", type=int, default=None, help="Only the first N instructions")
    parser.add_argument("--max-new-tokens", type=int, default=64)
    parser.add_argument("--seed", type=int, default=42)
    args = parser.parse_args()

    torch.manual_seed(args.seed)

    items = TEST_INSTRUCTIONS[:args.limit] if args.limit else TEST_INSTRUCTIONS
    model, tokenizer = load_base_model()
    results = run_evaluation(model, tokenizer, items, args.max_new_tokens)

    followed = sum(r["followed"] for r in results)
    refused = sum(r["reason"] == "refused" for r in results)
    rate = followed / len(results)

    by_type: Dict[str, List[bool]] = {}
    for r in results:
        by_type.setdefault(r["type"], []).append(r["followed"])

    report = {
        "model": BASE_MODEL,
        "timestamp": datetime.now().isoformat(),
        "n": len(results),
        "temperature": 0.7,
        "instruction_following_rate": rate,
        "refusal_rate": refused / len(results),
        "by_type": {t: sum(v) / len(v) for t, v in by_type.items()},
        "results": results,
    }
    args.output.parent.mkdir(parents=True, exist_ok=True)
    args.output.write_text(json.dumps(report, indent=2))

    print("\n" + "=" * 60)
    print("📊 BASE MODEL INSTRUCTION FOLLOWING")
    print("=" * 60)
    print(f"Followed: {followed}/{len(results)} ({rate:.1%})")
    print(f"Refused:  {refused}/{len(results)}")
    for t, v in sorted(by_type.items()):
        print(f"  {t:<10} {sum(v)}/{len(v)}")
    print(f"\n💾 Saved to {args.output}")


if __name__ == "__main__":
    main()
