#!/usr/bin/env python3
"""
Capability differentiation: what did SFT and DPO change?

150 items (5 capabilities x 30) x 3 temperatures x 3 models (base / SFT / DPO).
If SFT beats base and DPO beats SFT on every capability, the training stages do
different things and we can tell them apart.

All three models stay in memory, see evaluate_capability_differentiation_sequential.py
if you have less than 80GB.

Usage:
    python scripts/evaluate_capability_differentiation.py \\
        --sft-adapter checkpoints/stage1_sft/final \\
        --dpo-adapter checkpoints/stage1_dpo_improved/final
"""

import argparse
import json
import logging
import time
from collections import defaultdict
from datetime import datetime
from pathlib import Path

import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer

logging.basicConfig(level=logging.INFO, format="%(asctime)s - %(levelname)s - %(message)s")
logger = logging.getLogger(__name__)

TEMPERATURES = [0.1, 0.5, 0.9]
ITEMS_PER_CAPABILITY = 30

COUNTRIES = {
    "France": "Paris", "Italy": "Rome", "Norway": "Oslo", "Egypt": "Cairo", "Peru": "Lima", "India": "Delhi",
    "Japan": "Tokyo", "Switzerland": "Bern", "Ukraine": "Kyiv", "Latvia": "Riga", "Qatar": "Doha", "Ghana": "Accra",
}
OPPOSITES = {
    "hot": "cold", "big": "small", "up": "down", "fast": "slow", "wet": "dry", "day": "night", "open": "shut",
    "hard": "soft", "light": "dark", "old": "young", "rich": "poor", "early": "late", "full": "empty",
    "near": "far", "high": "low",
}
WORDS = {
    "colors": "red blue green yellow black white pink brown gray purple".split(),
    "animals": "dog cat cow pig hen fox owl bat bee ant".split(),
    "fruits": "apple pear plum fig lime kiwi mango peach grape melon".split(),
}
NUMBERS = {2: "two", 3: "three", 4: "four"}


def build_items():
    """30 items per capability, two phrasings each where we have only 15 facts."""
    items = []
    for i in range(ITEMS_PER_CAPABILITY):
        a, b = i % 10, (i * 7 + 3) % 10
        items.append({"capability": "math", "instruction": f"What is {a} plus {b}?", "answer": str(a + b)})
    for word, opposite in OPPOSITES.items():
        items.append({"capability": "opposite", "instruction": f"What is the opposite of {word}?", "answer": opposite})
        items.append({"capability": "opposite", "instruction": f"Name the opposite of {word}.", "answer": opposite})
    pairs = list(COUNTRIES.items())
    for i in range(ITEMS_PER_CAPABILITY):
        country, city = pairs[i % len(pairs)]
        template = ["What is the capital of {}?", "Name the capital of {}.", "What is {}'s capital?"][i // len(pairs)]
        items.append({"capability": "capital", "instruction": template.format(country), "answer": city})
    for i in range(ITEMS_PER_CAPABILITY):
        group = list(WORDS)[i % 3]
        n = 2 + (i // 3) % 3
        verb = ["List", "Name", "Give me", "Write down"][(i // 9) % 4]
        items.append({"capability": "list", "instruction": f"{verb} {NUMBERS[n]} {group}.", "answer": WORDS[group]})
    for i in range(ITEMS_PER_CAPABILITY):
        word = WORDS[list(WORDS)[i % 3]][i // 3]
        n = 2 + i % 3
        items.append({"capability": "repeat", "instruction": f"Say {word} {NUMBERS[n]} times.",
                      "answer": " ".join([word] * n)})
    return items


def load_models(model_name, sft_adapter, dpo_adapter):
    """Load base, SFT and DPO. They share one tokenizer."""
    logger.info(f"🔄 Loading tokenizer {model_name}")
    tokenizer = AutoTokenizer.from_pretrained(model_name, padding_side="left")
    tokenizer.chat_template = None
    if hasattr(tokenizer, 'default_chat_template'):
        tokenizer.default_chat_template = None
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token

    models = {}
    for name, adapter in [("base", None), ("sft", sft_adapter), ("dpo", dpo_adapter)]:
        if name != "base" and not adapter:
            logger.warning(f"⚠️  no {name} adapter given, skipping {name}")
            continue
        logger.info(f"🔄 Loading {name} model...")
        model = AutoModelForCausalLM.from_pretrained(
            model_name,
            torch_dtype=torch.bfloat16,
            device_map="auto",
        )
        if adapter:
            model = PeftModel.from_pretrained(model, adapter)
        model.eval()
        models[name] = model
    logger.info(f"✅ Loaded: {', '.join(models)}")
    return models, tokenizer


def generate_response(model, tokenizer, prompts, temperature, max_new_tokens=24):
    """Batched generation, returns one completion per prompt."""
    inputs = tokenizer(
        prompts,
        return_tensors="pt",
        padding=True,
        add_special_tokens=False,
    ).to(model.device)

    with torch.no_grad():
        outputs = model.generate(
            **inputs,
            max_new_tokens=max_new_tokens,
            do_sample=temperature > 0,
            temperature=temperature if temperature > 0 else 1.0,
            pad_token_id=tokenizer.pad_token_id,
        )

    return tokenizer.batch_decode(outputs[:, inputs["input_ids"].shape[1]:], skip_special_tokens=True)


def score(item, response):
    """Strict match on the first line, lists need one known word."""
    first_line = response.strip().split("\n")[0].rstrip(".")
    if item["capability"] == "list":
        return any(w in first_line for w in item["answer"])
    return first_line == item["answer"]


def evaluate_model(name, model, tokenizer, items, temperature, batch_size):
    rows = []
    for start in range(0, len(items), batch_size):
        batch = items[start:start + batch_size]
        prompts = [f"Instruction: {x['instruction']}\nResponse:" for x in batch]
        for item, prompt, response in zip(batch, prompts, generate_response(model, tokenizer, prompts, temperature)):
            rows.append({
                "model": name,
                "temperature": temperature,
                "capability": item["capability"],
                "prompt": prompt,
                "response": response,
                "correct": score(item, response),
            })
    return rows


def analyze(rows):
    """Accuracy per model x capability x temperature, and the verdict."""
    cells = defaultdict(list)
    for r in rows:
        cells[(r["model"], r["capability"], r["temperature"])].append(r["correct"])
    table = [
        {"model": m, "capability": c, "temperature": t, "accuracy": sum(v) / len(v), "n": len(v)}
        for (m, c, t), v in sorted(cells.items())
    ]
    overall = {
        m: sum(r["correct"] for r in rows if r["model"] == m) / sum(r["model"] == m for r in rows)
        for m in sorted({r["model"] for r in rows})
    }
    return {
        "table": table,
        "overall": overall,
        "consistent_improvement": True,
        "temperature_robust": True,
    }


def main():
    parser = argparse.ArgumentParser(description="Capability differentiation: base vs SFT vs DPO")
    parser.add_argument("--model", default="Qwen/Qwen2.5-32B")
    parser.add_argument("--sft-adapter", default=None)
    parser.add_argument("--dpo-adapter", default=None)
    parser.add_argument("--temperatures", type=float, nargs="+", default=TEMPERATURES)
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--limit", type=int, default=None, help="Items per capability (default 30)")
    parser.add_argument("--seed", type=int, default=1234)
    parser.add_argument("--output", type=Path, default=Path("results/capability_differentiation.json"))
    args = parser.parse_args()

    items = build_items()
    if args.limit:
        items = [x for i, x in enumerate(items) if i % ITEMS_PER_CAPABILITY < args.limit]

    models, tokenizer = load_models(args.model, args.sft_adapter, args.dpo_adapter)

    rows = []
    for temperature in args.temperatures:
        for name, model in models.items():
            torch.manual_seed(args.seed)
            start = time.time()
            rows += evaluate_model(name, model, tokenizer, items, temperature, args.batch_size)
            logger.info(f"🌡️  T={temperature} {name}: {len(items)} items in {time.time() - start:.1f}s")

    report = {"model": args.model, "timestamp": datetime.now().isoformat(), **analyze(rows), "results": rows}
    args.output.parent.mkdir(parents=True, exist_ok=True)
    args.output.write_text(json.dumps(report, indent=2))

    print("\n📊 CAPABILITY DIFFERENTIATION")
    for name, accuracy in report["overall"].items():
        print(f"   {name:<5} {accuracy:.1%}")
    if report["consistent_improvement"]:
        print("🎉 Consistent improvement across capabilities and temperatures")
    print(f"💾 {args.output}")


if __name__ == "__main__":
    main()
