#!/usr/bin/env python3
"""
Comprehensive Stage 1 evaluation: base vs SFT vs DPO.

45 test items in 5 categories. All three models are loaded at once so that every
prompt goes to base, SFT and DPO back to back. Needs ~3x the memory of one model
(fits on an 80GB card in 8-bit with 32B... barely).

Usage:
    python scripts/evaluate_stage1_comprehensive.py \\
        --sft-adapter checkpoints/stage1_sft/final \\
        --dpo-adapter checkpoints/stage1_dpo_improved/final \\
        --output results/stage1_comprehensive.json
"""

import argparse
import json
import logging
import time
from datetime import datetime
from pathlib import Path
from typing import Dict, List, Optional

import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer, BitsAndBytesConfig

logging.basicConfig(level=logging.INFO, format="%(asctime)s - %(levelname)s - %(message)s")
logger = logging.getLogger(__name__)
logging.getLogger("bitsandbytes").setLevel(logging.ERROR)  # MatMul8bitLt casting spam

TEST_ITEMS = {
    "factual": [
        "What is the capital of France?", "Name the capital of Italy.", "What is the capital of Norway?",
        "Name the capital of Egypt.", "What is the capital of Peru?", "Name the capital of India.",
        "What is the capital of Japan?", "Name the capital of Latvia.", "What is the capital of Ghana?",
    ],
    "math": [
        "What is 2 plus 3?", "Add 4 and 4.", "What is 7 plus 1?",
        "Add 9 and 5.", "What is 6 plus 6?", "Add 0 and 8.",
        "What is 5 plus 2?", "Add 3 and 9.", "What is 1 plus 1?",
    ],
    "language": [
        "What is the opposite of hot?", "Name the opposite of big.", "What is the opposite of fast?",
        "Name the opposite of day.", "What is the opposite of rich?", "Name the opposite of empty.",
        "What is the opposite of loud?", "Name the opposite of clean.", "What is the opposite of true?",
    ],
    "lists": [
        "List two colors.", "Name three colors.", "Give me four colors.",
        "List two animals.", "Name three animals.", "Write down four fruits.",
        "List two tools.", "Name three cities.", "Give me two fruits.",
    ],
    "exact": [
        "Say dog two times.", "Say owl three times.", "Say lemon four times.",
        "Say red two times.", "Say saw three times.", "Say Oslo four times.",
        "Say fig two times.", "Say ape three times.", "Say gold four times.",
    ],
}

STOP_STRINGS = ["\nInstruction:", "\n\n", "END"]


class Stage1Evaluator:
    """Holds base, SFT and DPO models and runs all items through them."""

    def __init__(self, model_name: str, sft_adapter: Optional[str] = None, dpo_adapter: Optional[str] = None):
        self.model_name = model_name
        self.sft_adapter = sft_adapter
        self.dpo_adapter = dpo_adapter
        self.tokenizer = None
        self.models = {}

    def load_models(self):
        """Load the tokenizer and all three models."""
        logger.info(f"🔄 Loading tokenizer: {self.model_name}")
        self.tokenizer = AutoTokenizer.from_pretrained(self.model_name)
        self.tokenizer.chat_template = None
        if hasattr(self.tokenizer, 'default_chat_template'):
            self.tokenizer.default_chat_template = None
        self.tokenizer.pad_token = self.tokenizer.eos_token

        bnb_config = BitsAndBytesConfig(
            load_in_8bit=True,
            bnb_8bit_quant_type="nf8",
            bnb_8bit_use_double_quant=True,
            bnb_8bit_compute_dtype=torch.bfloat16,
        )

        logger.info("🔄 Loading base model...")
        self.models['base'] = AutoModelForCausalLM.from_pretrained(
            self.model_name,
            quantization_config=bnb_config,
            device_map="auto",
            torch_dtype=torch.bfloat16,
        )
        self.models['base'].eval()

        if self.sft_adapter and Path(self.sft_adapter).exists():
            logger.info(f"🔄 Loading SFT model: {self.sft_adapter}")
            sft_base = AutoModelForCausalLM.from_pretrained(
                self.model_name,
                quantization_config=bnb_config,
                device_map="auto",
                torch_dtype=torch.bfloat16,
            )
            self.models['sft'] = PeftModel.from_pretrained(sft_base, self.sft_adapter)
            self.models['sft'].eval()
        else:
            logger.warning("⚠️  No SFT adapter, skipping SFT model")

        if self.dpo_adapter and Path(self.dpo_adapter).exists():
            logger.info(f"🔄 Loading DPO model: {self.dpo_adapter}")
            dpo_base = AutoModelForCausalLM.from_pretrained(
                self.model_name,
                quantization_config=bnb_config,
                device_map="auto",
                torch_dtype=torch.bfloat16,
            )
            self.models['dpo'] = PeftModel.from_pretrained(dpo_base, self.dpo_adapter)
            self.models['dpo'].eval()
        else:
            logger.warning("⚠️  No DPO adapter, skipping DPO model")

        # log how the stop strings tokenize, they must not merge with the answer
        for stop in STOP_STRINGS:
            stop_ids = self.tokenizer.encode(stop, add_special_tokens=False)
            logger.info(f"   stop {stop!r} -> {stop_ids}")

        logger.info(f"✅ Models in memory: {list(self.models)}")

    def generate_response(self, model_key: str, prompt: str, max_new_tokens: int = 48,
                          stop_strings: Optional[List[str]] = None) -> Dict:
        """Greedy generation, cut at the first stop string."""
        model = self.models[model_key]
        inputs = self.tokenizer(prompt, return_tensors="pt", add_special_tokens=False).to(model.device)

        start = time.time()
        with torch.no_grad():
            outputs = model.generate(
                **inputs,
                max_new_tokens=max_new_tokens,
                do_sample=False,
                stop_strings=stop_strings,
                tokenizer=self.tokenizer,
                pad_token_id=self.tokenizer.eos_token_id,
            )
        elapsed = time.time() - start

        raw = self.tokenizer.decode(outputs[0][inputs['input_ids'].shape[1]:], skip_special_tokens=True)
        response = raw
        for stop in stop_strings or []:
            if stop in response:
                response = response.split(stop)[0]
        return {"raw": raw, "response": response.strip(), "seconds": elapsed}

    def score(self, prompt: str, response: str) -> Dict:
        """Success = gave a real answer. Relevance = word overlap with the prompt."""
        success = len(response) > 10
        prompt_words = set(prompt.lower().strip("?.").split())
        response_words = set(response.lower().strip("?.").split())
        relevance = len(prompt_words & response_words) / max(len(prompt_words), 1)
        return {"success": success, "relevance": relevance, "length": len(response)}

    def evaluate(self, limit: Optional[int] = None) -> Dict:
        results = []
        items = [(cat, q) for cat, qs in TEST_ITEMS.items() for q in qs]
        if limit:
            # spread over the categories instead of taking 9 capitals
            items = items[::max(len(items) // limit, 1)][:limit]

        for i, (category, instruction) in enumerate(items, 1):
            prompt = f"Instruction: {instruction}\nResponse:"
            for model_key in self.models:
                out = self.generate_response(model_key, prompt, stop_strings=STOP_STRINGS)
                scores = self.score(instruction, out["response"])
                results.append({
                    "model": model_key,
                    "category": category,
                    "instruction": instruction,
                    "prompt": prompt,
                    **out,
                    **scores,
                })
            logger.info(f"📝 [{i}/{len(items)}] {instruction}")
        return self.summarize(results)

    def summarize(self, results: List[Dict]) -> Dict:
        summary = {}
        for model_key in self.models:
            rows = [r for r in results if r["model"] == model_key]
            categories = sorted({r["category"] for r in rows})
            summary[model_key] = {
                "n": len(rows),
                "success_rate": sum(r["success"] for r in rows) / len(rows),
                "avg_relevance": sum(r["relevance"] for r in rows) / len(rows),
                "avg_length": sum(r["length"] for r in rows) / len(rows),
                "by_category": {
                    c: sum(r["success"] for r in rows if r["category"] == c)
                    / sum(r["category"] == c for r in rows)
                    for c in categories
                },
            }
        return {
            "model_name": self.model_name,
            "timestamp": datetime.now().isoformat(),
            "summary": summary,
            "results": results,
        }


def main():
    parser = argparse.ArgumentParser(description="Comprehensive Stage 1 evaluation")
    parser.add_argument("--model", type=str, default="Qwen/Qwen2.5-32B")
    parser.add_argument("--sft-adapter", type=str, default="checkpoints/stage1_sft/final")
    parser.add_argument("--dpo-adapter", type=str, default="checkpoints/stage1_dpo_improved/final")
    parser.add_argument("--output", type=str, default="results/stage1_comprehensive.json")
    parser.add_argument("--limit", type=int, default=None, help="Number of items (default: all 45)")
    args = parser.parse_args()

    evaluator = Stage1Evaluator(args.model, args.sft_adapter, args.dpo_adapter)
    evaluator.load_models()
    report = evaluator.evaluate(args.limit)

    output = Path(args.output)
    output.parent.mkdir(parents=True, exist_ok=True)
    with open(output, "w") as f:
        json.dump(report, f, indent=2)

    print("\n" + "=" * 60)
    print("📊 STAGE 1 COMPREHENSIVE EVALUATION")
    print("=" * 60)
    for name, s in report["summary"].items():
        print(f"{name:<5} success {s['success_rate']:.1%}  relevance {s['avg_relevance']:.2f}  "
              f"avg length {s['avg_length']:.0f}")
    print(f"💾 {output}")


if __name__ == "__main__":
    main()
