#!/usr/bin/env python3
"""
Final held-out evaluation: base vs DPO.

Held-out instructions (not in SFT data, not in preference pairs), checked with
regexes, greedy decoding. Also records how confident the model was in its answer.
One JSONL line per generation plus a summary.

Usage:
    BASE_MODEL=Qwen/Qwen2.5-32B python scripts/evaluate_final.py \\
        --sft-adapter checkpoints/stage1_sft/final \\
        --dpo-adapter checkpoints/stage1_dpo_improved/final
"""

import argparse
import gc
import json
import logging
import os
import re
from pathlib import Path
from typing import Dict, List, Tuple

import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer

logging.basicConfig(level=logging.INFO, format="%(asctime)s [%(levelname)s] %(message)s")
logger = logging.getLogger(__name__)

BASE_MODEL = os.environ.get("BASE_MODEL", "Qwen/Qwen2.5-32B")
MAX_NEW_TOKENS = 32

HELD_OUT = [
    {"type": "math", "instruction": "What is 8 plus 9?", "pattern": r"\\b17\\b"},
    {"type": "math", "instruction": "Add 0 and 6.", "pattern": r"\\b6\\b"},
    {"type": "math", "instruction": "What is 5 plus 5?", "pattern": r"\\b10\\b"},
    {"type": "math", "instruction": "Add 7 and 4.", "pattern": r"\\b11\\b"},
    {"type": "opposite", "instruction": "What is the opposite of thick?", "pattern": r"^\\s*thin\\b"},
    {"type": "opposite", "instruction": "Name the opposite of sharp.", "pattern": r"^\\s*blunt\\b"},
    {"type": "opposite", "instruction": "What is the opposite of late?", "pattern": r"^\\s*early\\b"},
    {"type": "opposite", "instruction": "Name the opposite of down.", "pattern": r"^\\s*up\\b"},
    {"type": "capital", "instruction": "What is the capital of Switzerland?", "pattern": r"\\bBern\\b"},
    {"type": "capital", "instruction": "Name the capital of Qatar.", "pattern": r"\\bDoha\\b"},
    {"type": "capital", "instruction": "What is the capital of Ukraine?", "pattern": r"\\bKyiv\\b"},
    {"type": "capital", "instruction": "Name the capital of Latvia.", "pattern": r"\\bRiga\\b"},
    {"type": "list", "instruction": "Give me two cities.", "pattern": r"^\\s*\\w+,\\s*\\w+\\.?\\s*$"},
    {"type": "list", "instruction": "Write down three tools.", "pattern": r"^\\s*\\w+(,\\s*\\w+){2}\\.?\\s*$"},
    {"type": "list", "instruction": "Name four fruits.", "pattern": r"^\\s*\\w+(,\\s*\\w+){3}\\.?\\s*$"},
    {"type": "list", "instruction": "List two animals.", "pattern": r"^\\s*\\w+,\\s*\\w+\\.?\\s*$"},
    {"type": "repeat", "instruction": "Say elk two times.", "pattern": r"^\\s*elk\\s+elk\\.?\\s*$"},
    {"type": "repeat", "instruction": "Say mango three times.", "pattern": r"^\\s*mango(\\s+mango){2}\\.?\\s*$"},
    {"type": "repeat", "instruction": "Say rake four times.", "pattern": r"^\\s*rake(\\s+rake){3}\\.?\\s*$"},
    {"type": "repeat", "instruction": "Say Lima two times.", "pattern": r"^\\s*Lima\\s+Lima\\.?\\s*$"},
]


def load_base() -> Tuple[AutoModelForCausalLM, AutoTokenizer]:
    logger.info(f"🔄 Loading base model {BASE_MODEL}")
    tokenizer = AutoTokenizer.from_pretrained(BASE_MODEL)
    tokenizer.chat_template = None  # base model!
    if hasattr(tokenizer, 'default_chat_template'):
        tokenizer.default_chat_template = None
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token

    model = AutoModelForCausalLM.from_pretrained(
        BASE_MODEL,
        torch_dtype=torch.bfloat16,
        device_map="auto",
        low_cpu_mem_usage=True,
    )
    model.eval()
    return model, tokenizer


def load_dpo(sft_adapter: str, dpo_adapter: str) -> Tuple[AutoModelForCausalLM, AutoTokenizer]:
    """DPO was trained on top of the merged SFT model, so merge first."""
    model, tokenizer = load_base()
    if sft_adapter:
        logger.info(f"🔄 Merging SFT adapter {sft_adapter}")
        model = PeftModel.from_pretrained(model, sft_adapter)
        model = model.merge_and_unload()
    logger.info(f"🔄 Attaching DPO adapter {dpo_adapter}")
    model = PeftModel.from_pretrained(model, dpo_adapter)
    model.eval()
    return model, tokenizer


@torch.no_grad()
def generate_with_confidence(model, tokenizer, prompt: str) -> Tuple[str, float]:
    inputs = tokenizer(prompt, return_tensors="pt", add_special_tokens=False).to(model.device)
    input_len = inputs["input_ids"].shape[1]

    outputs = model.generate(
        **inputs,
        max_new_tokens=MAX_NEW_TOKENS,
        do_sample=False,
        return_dict_in_generate=True,
        output_scores=True,
        pad_token_id=tokenizer.eos_token_id,
    )

    response = tokenizer.decode(outputs.sequences[0][input_len:], skip_special_tokens=True)
    transition_scores = model.compute_transition_scores(
        outputs.sequences, outputs.scores, normalize_logits=True
    )
    confidence = transition_scores[0].float().exp().mean().item()
    return response, confidence


def first_token_id(tokenizer, text: str) -> int:
    """Id of the first token of an answer, to see if models agree on how to start."""
    return tokenizer(text, add_special_tokens=False)["input_ids"][0]


def evaluate(name: str, model, tokenizer, items: List[Dict], out_file) -> Dict:
    logger.info(f"🧪 {name}: {len(items)} held-out items")
    passed: Dict[str, List[bool]] = {}
    confidences = []
    for item in items:
        prompt = f"Instruction: {item['instruction']}\nResponse:"
        response, confidence = generate_with_confidence(model, tokenizer, prompt)
        ok = bool(re.search(item["pattern"], response.split("\n")[0]))
        passed.setdefault(item["type"], []).append(ok)
        confidences.append(confidence)

        record = {
            "model": name,
            "type": item["type"],
            "prompt": prompt,
            "response": response,
            "first_token": first_token_id(tokenizer, response) if response else None,
            "confidence": confidence,
            "passed": ok,
        }
        out_file.write(json.dumps(record, ensure_ascii=False) + "\n")
        logger.info(f"  {'✅' if ok else '❌'} {item['instruction']} -> {response[:50]!r}")

    flat = [ok for v in passed.values() for ok in v]
    return {
        "pass_rate": sum(flat) / len(flat),
        "mean_confidence": sum(confidences) / len(confidences),
        "by_type": {t: sum(v) / len(v) for t, v in passed.items()},
    }


def main():
    parser = argparse.ArgumentParser(description="Final held-out evaluation (base vs DPO)")
    parser.add_argument("--sft-adapter", default=None, help="merged into the base before DPO")
    parser.add_argument("--dpo-adapter", required=True)
    parser.add_argument("--limit", type=int, default=None)
    parser.add_argument("--output", type=Path, default=Path("results/final_eval.jsonl"))
    args = parser.parse_args()

    # every k-th item, so that a small run still sees all types
    items = HELD_OUT[::max(len(HELD_OUT) // args.limit, 1)][:args.limit] if args.limit else HELD_OUT
    args.output.parent.mkdir(parents=True, exist_ok=True)
    summary = {"base_model": BASE_MODEL, "n": len(items)}

    with open(args.output, "w") as f:
        model, tokenizer = load_base()
        summary["base"] = evaluate("base", model, tokenizer, items, f)
        del model, tokenizer
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()

        model, tokenizer = load_dpo(args.sft_adapter, args.dpo_adapter)
        summary["dpo"] = evaluate("dpo", model, tokenizer, items, f)

    summary["improvement"] = summary["dpo"]["pass_rate"] - summary["base"]["pass_rate"]
    summary_path = args.output.with_suffix(".summary.json")
    summary_path.write_text(json.dumps(summary, indent=2))

    print("\n" + "=" * 60)
    print("🏁 FINAL EVALUATION")
    print(f"Base: {summary['base']['pass_rate']:.1%} (confidence {summary['base']['mean_confidence']:.2f})")
    print(f"DPO:  {summary['dpo']['pass_rate']:.1%} (confidence {summary['dpo']['mean_confidence']:.2f})")
    print(f"Δ:    {summary['improvement']:+.1%}")
    print("=" * 60)


if __name__ == "__main__":
    main()
