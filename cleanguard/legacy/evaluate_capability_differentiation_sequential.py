#!/usr/bin/env python3
"""
Capability differentiation, memory-optimized version.

Same idea as evaluate_capability_differentiation.py, but loads ONE model at a
time (4-bit), runs all items, frees it, loads the next one. 50 items, fits on a
24GB card.

Each model's generations are written as soon as they are done, so a crash on the
third model doesn't lose the first two.

Usage:
    python scripts/evaluate_capability_differentiation_sequential.py \\
        --sft-adapter checkpoints/stage1_sft/final \\
        --dpo-adapter checkpoints/stage1_dpo_improved/final \\
        --output-dir results/differentiation
"""

import argparse
import gc
import json
import logging
from dataclasses import dataclass, field
from pathlib import Path
from typing import Dict, List, Optional

import peft
import torch
import transformers

logging.basicConfig(level=logging.INFO, format="%(asctime)s - %(levelname)s - %(message)s")
logger = logging.getLogger(__name__)


@dataclass
class EvalConfig:
    model_name: str = "Qwen/Qwen2.5-32B"
    adapters: Dict[str, Optional[str]] = field(default_factory=dict)
    temperature: float = 0.0
    max_new_tokens: int = 24
    seed: int = 0


def build_items() -> List[Dict]:
    items = []
    for a, b in [(1, 4), (2, 2), (3, 6), (5, 0), (6, 7), (7, 2), (8, 8), (9, 1), (4, 9), (0, 3)]:
        items.append({"capability": "math", "instruction": f"Add {a} and {b}.", "answer": str(a + b)})
    for word, answer in [("cold", "hot"), ("small", "big"), ("slow", "fast"), ("dry", "wet"), ("night", "day"),
                         ("soft", "hard"), ("dark", "light"), ("young", "old"), ("poor", "rich"), ("quiet", "loud")]:
        items.append({"capability": "opposite", "instruction": f"What is the opposite of {word}?", "answer": answer})
    for country, answer in [("France", "Paris"), ("Italy", "Rome"), ("Norway", "Oslo"), ("Egypt", "Cairo"),
                            ("Peru", "Lima"), ("India", "Delhi"), ("Japan", "Tokyo"), ("Switzerland", "Bern"),
                            ("Qatar", "Doha"), ("Ghana", "Accra")]:
        items.append({"capability": "capital", "instruction": f"Name the capital of {country}.", "answer": answer})
    for n, group in [("two", "colors"), ("three", "colors"), ("four", "colors"), ("two", "animals"),
                     ("three", "animals"), ("four", "animals"), ("two", "fruits"), ("three", "fruits"),
                     ("two", "tools"), ("three", "cities")]:
        items.append({"capability": "list", "instruction": f"Write down {n} {group}.", "answer": ","})
    for word, n in [("dog", 2), ("pear", 3), ("saw", 4), ("red", 2), ("owl", 3),
                    ("lime", 4), ("axe", 2), ("gold", 3), ("Rome", 4), ("bee", 2)]:
        number = {2: "two", 3: "three", 4: "four"}[n]
        items.append({"capability": "repeat", "instruction": f"Say {word} {number} times.",
                      "answer": " ".join([word] * n)})
    return items


def load_single_model(model_type: str, config: EvalConfig):
    """Load exactly one of base / sft / dpo. Returns (None, None) if that fails."""
    logger.info(f"🔄 Loading {model_type}...")
    try:
        tokenizer = transformers.AutoTokenizer.from_pretrained(config.model_name)
        tokenizer.chat_template = None
        if hasattr(tokenizer, 'default_chat_template'):
            tokenizer.default_chat_template = None
        if tokenizer.pad_token is None:
            tokenizer.pad_token = tokenizer.eos_token

        quant_config = transformers.BitsAndBytesConfig(
            load_in_4bit=True,
            bnb_4bit_quant_type="nf4",
            bnb_4bit_use_double_quant=True,
            bnb_4bit_compute_dtype=torch.bfloat16,
        )
        model = transformers.AutoModelForCausalLM.from_pretrained(
            config.model_name,
            quantization_config=quant_config,
            device_map="auto",
            torch_dtype=torch.bfloat16,
        )
        if model_type != "base":
            model = peft.PeftModel.from_pretrained(model, config.adapters[model_type])
        model.eval()
    except Exception as e:
        logger.error(f"❌ Could not load {model_type}: {e}")
        return None, None

    logger.info(f"✅ {model_type} loaded")
    return model, tokenizer


def free_model(model):
    del model
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
        torch.cuda.synchronize()


def generate_response(model, tokenizer, prompt: str, config: EvalConfig) -> str:
    encoded = tokenizer(prompt, add_special_tokens=False, return_tensors="pt")
    encoded = encoded.to(model.device)
    prompt_length = encoded.input_ids.shape[-1]

    with torch.inference_mode():
        generated = model.generate(
            **encoded,
            max_new_tokens=config.max_new_tokens,
            temperature=config.temperature,
            do_sample=config.temperature > 0,  # 0 = greedy
            pad_token_id=tokenizer.pad_token_id,
        )
    return tokenizer.decode(generated[0, prompt_length:], skip_special_tokens=True)


def is_correct(item: Dict, response: str) -> bool:
    answer = response.strip().split("\n")[0]
    return item["answer"] in answer


def evaluate_single(model_type: str, config: EvalConfig, items: List[Dict], output_dir: Path) -> Optional[Dict]:
    model, tokenizer = load_single_model(model_type, config)
    if model is None:
        return None

    # longest prompt decides the KV cache, log it before the run
    longest = max(len(tokenizer(x["instruction"], add_special_tokens=False).input_ids) for x in items)
    logger.info(f"   longest instruction: {longest} tokens")

    torch.manual_seed(config.seed)
    correct: Dict[str, List[bool]] = {}
    path = output_dir / f"generations_{model_type}.jsonl"
    with path.open("w") as f:
        for i, item in enumerate(items, 1):
            prompt = f"Instruction: {item['instruction']}\nResponse:"
            response = generate_response(model, tokenizer, prompt, config)
            ok = is_correct(item, response)
            correct.setdefault(item["capability"], []).append(ok)
            f.write(json.dumps({
                "model": model_type,
                "capability": item["capability"],
                "prompt": prompt,
                "response": response,
                "correct": ok,
            }) + "\n")
            if i % 10 == 0:
                logger.info(f"   {i}/{len(items)}")

    free_model(model)
    logger.info(f"💾 {path}")
    return {c: sum(v) / len(v) for c, v in correct.items()}


def main():
    parser = argparse.ArgumentParser(description="Capability differentiation, one model at a time")
    parser.add_argument("--model", default=EvalConfig.model_name)
    parser.add_argument("--sft-adapter", default=None)
    parser.add_argument("--dpo-adapter", default=None)
    parser.add_argument("--temperature", type=float, default=EvalConfig.temperature)
    parser.add_argument("--limit", type=int, default=None, help="Total number of items (default 50)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output-dir", type=Path, default=Path("results/differentiation_sequential"))
    args = parser.parse_args()

    config = EvalConfig(
        model_name=args.model,
        adapters={"sft": args.sft_adapter, "dpo": args.dpo_adapter},
        temperature=args.temperature,
        seed=args.seed,
    )
    items = build_items()
    if args.limit:
        items = items[::max(len(items) // args.limit, 1)][:args.limit]

    args.output_dir.mkdir(parents=True, exist_ok=True)
    scores = {}
    for model_type in ["base", "sft", "dpo"]:
        if model_type != "base" and not config.adapters[model_type]:
            logger.warning(f"⚠️  Skipping {model_type}, no adapter given")
            continue
        result = evaluate_single(model_type, config, items, args.output_dir)
        if result is not None:
            scores[model_type] = result

    averages = {m: sum(s.values()) / len(s) for m, s in scores.items()}
    order = [averages[m] for m in ["base", "sft", "dpo"] if m in averages]
    summary = {
        "model": config.model_name,
        "n_items": len(items),
        "temperature": config.temperature,
        "scores": scores,
        "averages": averages,
        "differentiated": order == sorted(order),
    }
    (args.output_dir / "summary.json").write_text(json.dumps(summary, indent=2))

    print("\n📊 SEQUENTIAL DIFFERENTIATION")
    for name, average in averages.items():
        print(f"   {name:<5} {average:.1%}   {scores[name]}")
    print("✅ DIFFERENTIATED" if summary["differentiated"] else "❌ NOT DIFFERENTIATED")


if __name__ == "__main__":
    main()
