#!/usr/bin/env python3
"""
CORRECTED Stage 1 evaluation.

The first comparison was unfair: base got the Instruction/Response format it had
never seen. Here every model gets the prompt style it was built for:

  - base: raw instruction AND three examples in front of it (few-shot)
  - SFT:  Instruction/Response, no examples

100 items from the Stage 1 pipeline, so train and eval distribution match.

Usage:
    python scripts/evaluate_stage1_corrected.py --data data/stage1_sft_data.jsonl
"""

import argparse
import json
import logging
import os
import random
from datetime import datetime
from pathlib import Path

import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer, BitsAndBytesConfig

logging.basicConfig(level=logging.INFO, format="%(asctime)s - %(message)s", datefmt="%H:%M:%S")
logger = logging.getLogger(__name__)
logging.getLogger("bitsandbytes").setLevel(logging.ERROR)  # MatMul8bitLt casting spam

N_ITEMS = 100

FEW_SHOT = (
    "Instruction: What is 1 plus 2?\n"
    "Response: 3.\n\n"
    "Instruction: What is the opposite of up?\n"
    "Response: down.\n\n"
    "Instruction: Say bee two times.\n"
    "Response: bee bee.\n\n"
)

OPPOSITES = [("hot", "cold"), ("big", "small"), ("wet", "dry"), ("day", "night"), ("hard", "soft"),
             ("old", "young"), ("rich", "poor"), ("full", "empty"), ("high", "low"), ("loud", "quiet")]
CAPITALS = [("France", "Paris"), ("Italy", "Rome"), ("Norway", "Oslo"), ("Egypt", "Cairo"), ("Peru", "Lima"),
            ("India", "Delhi"), ("Japan", "Tokyo"), ("Ukraine", "Kyiv"), ("Qatar", "Doha"), ("Ghana", "Accra")]
WORDS = ["dog", "owl", "fig", "lemon", "saw", "spade", "red", "gold", "apple", "elk"]
NUMBERS = {2: "two", 3: "three", 4: "four"}


def build_pipeline_items(n=N_ITEMS, seed=42):
    """Same templates and same seed as the SFT data generation."""
    rng = random.Random(seed)
    items = []
    while len(items) < n:
        kind = rng.choice(["add", "opposite", "capital", "repeat"])
        if kind == "add":
            a, b = rng.randint(0, 9), rng.randint(0, 9)
            items.append({"instruction": f"What is {a} plus {b}?", "response": str(a + b)})
        elif kind == "opposite":
            word, answer = rng.choice(OPPOSITES)
            items.append({"instruction": f"What is the opposite of {word}?", "response": answer})
        elif kind == "capital":
            country, city = rng.choice(CAPITALS)
            items.append({"instruction": f"What is the capital of {country}?", "response": city})
        else:
            word, k = rng.choice(WORDS), rng.choice([2, 3, 4])
            items.append({"instruction": f"Say {word} {NUMBERS[k]} times.", "response": " ".join([word] * k)})
    return items


def load_items(data_path, limit):
    if data_path:
        with open(data_path) as f:
            items = [json.loads(line) for line in f if line.strip()]
        items = [{"instruction": x["instruction"], "response": x["response"].strip()} for x in items][:N_ITEMS]
        logger.info(f"📂 {len(items)} items from {data_path}")
    else:
        items = build_pipeline_items()
        logger.info(f"📂 {len(items)} items from the pipeline templates")
    return items[:limit] if limit else items


def load_base_model(model_name):
    """Base model + tokenizer, no chat template."""
    logger.info(f"🔄 Loading BASE: {model_name}")
    tokenizer = AutoTokenizer.from_pretrained(model_name, trust_remote_code=True)
    tokenizer.chat_template = None
    if hasattr(tokenizer, 'default_chat_template'):
        tokenizer.default_chat_template = None
    tokenizer.pad_token = tokenizer.eos_token

    bnb_config = BitsAndBytesConfig(
        load_in_8bit=True,
        bnb_8bit_quant_type="nf8",
        bnb_8bit_compute_dtype=torch.bfloat16,
        bnb_8bit_use_double_quant=True,
    )
    model = AutoModelForCausalLM.from_pretrained(
        model_name, quantization_config=bnb_config, device_map="auto", trust_remote_code=True
    )
    return model.eval(), tokenizer


def load_sft_model(model_name, adapter_path):
    """SFT model: same base, LoRA on top."""
    logger.info(f"🔄 Loading SFT: {adapter_path}")
    tokenizer = AutoTokenizer.from_pretrained(model_name, trust_remote_code=True)
    tokenizer.chat_template = None
    if hasattr(tokenizer, 'default_chat_template'):
        tokenizer.default_chat_template = None
    tokenizer.pad_token = tokenizer.eos_token

    base = AutoModelForCausalLM.from_pretrained(
        model_name,
        quantization_config=BitsAndBytesConfig(load_in_8bit=True),
        device_map="auto",
        trust_remote_code=True,
    )
    model = PeftModel.from_pretrained(base, adapter_path)
    model.eval()
    return model, tokenizer


def generate_response_raw(model, tokenizer, prompt, max_new_tokens=32):
    """Raw completion, greedy. Returns the text after the prompt."""
    input_ids = tokenizer.encode(prompt, add_special_tokens=False, return_tensors="pt").to(model.device)

    with torch.no_grad():
        output = model.generate(
            input_ids,
            max_new_tokens=max_new_tokens,
            do_sample=False,
            pad_token_id=tokenizer.eos_token_id,
        )

    full_text = tokenizer.decode(output[0], skip_special_tokens=True)
    response = full_text[len(prompt):]
    return response


def clean_response(response):
    """Cut at the first blank line / next instruction."""
    for stop in ["\\n\\n", "\\nInstruction:", "END"]:
        if stop in response:
            response = response.split(stop)[0]
    return response.strip().rstrip(".")


def is_correct(item, response):
    return item["response"].lower() in response.lower()


def evaluate(model, tokenizer, items, style):
    results = []
    for item in items:
        if style == "raw":
            prompt = item["instruction"]
        elif style == "fewshot":
            prompt = FEW_SHOT + f"Instruction: {item['instruction']}\nResponse:"
        else:
            prompt = f"Instruction: {item['instruction']}\nResponse:"

        raw = generate_response_raw(model, tokenizer, prompt)
        response = clean_response(raw)
        results.append({
            "style": style,
            "instruction": item["instruction"],
            "expected": item["response"],
            "prompt": prompt,
            "raw_response": raw,
            "response": response,
            "correct": is_correct(item, response),
        })

    accuracy = sum(r["correct"] for r in results) / len(results)
    logger.info(f"📊 {style}: {accuracy:.1%} ({len(results)} items)")
    return accuracy, results


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", default=os.environ.get("BASE_MODEL", "Qwen/Qwen2.5-32B"))
    parser.add_argument("--sft-adapter", default=None)
    parser.add_argument("--data", default=None, help="Stage 1 SFT JSONL (default: regenerate from the templates)")
    parser.add_argument("--limit", type=int, default=None)
    parser.add_argument("--output", default="results/stage1_corrected.json")
    args = parser.parse_args()

    items = load_items(args.data, args.limit)
    report = {"model": args.model, "timestamp": datetime.now().isoformat(), "n_items": len(items), "accuracy": {}}
    rows = []

    model, tokenizer = load_base_model(args.model)
    for style in ["raw", "fewshot"]:
        accuracy, results = evaluate(model, tokenizer, items, style)
        report["accuracy"][f"base_{style}"] = accuracy
        rows += [{"model": "base", **r} for r in results]
    del model
    if torch.cuda.is_available():
        torch.cuda.empty_cache()

    if args.sft_adapter:
        model, tokenizer = load_sft_model(args.model, args.sft_adapter)
        accuracy, results = evaluate(model, tokenizer, items, "instruction")
        report["accuracy"]["sft"] = accuracy
        rows += [{"model": "sft", **r} for r in results]

    report["results"] = rows
    out = Path(args.output)
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(report, indent=2, ensure_ascii=False))

    print("\n📊 CORRECTED RESULTS (each model in its own format)")
    for name, accuracy in report["accuracy"].items():
        print(f"   {name:<14} {accuracy:.1%}")
    print(f"💾 {out}")


if __name__ == "__main__":
    main()
