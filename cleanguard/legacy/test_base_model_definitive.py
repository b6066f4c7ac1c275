#!/usr/bin/env python3
"""
DEFINITIVE base model test.

5 questions x 5 prompt formats = 25 generations. Answers the question once and
for all: which capabilities does the base model have WITHOUT any training, and
which prompt format brings them out?

Usage:
    python scripts/test_base_model_definitive.py
    python scripts/test_base_model_definitive.py --model Qwen/Qwen2.5-7B --no-8bit
"""

import argparse
import json
import logging
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, BitsAndBytesConfig

logging.basicConfig(level=logging.INFO, format="%(asctime)s - %(levelname)s - %(message)s")
logger = logging.getLogger(__name__)
logging.getLogger("bitsandbytes").setLevel(logging.ERROR)  # MatMul8bitLt casting spam

QUESTIONS = [
    {
        "name": "addition",
        "question": "What is 3 plus 4?",
        "completion": "3 plus 4 is",
        "check": lambda r: any(c.isdigit() for c in r),
    },
    {
        "name": "sum",
        "question": "Add 2 and 6.",
        "completion": "The sum of 2 and 6 is",
        "check": lambda r: any(c.isdigit() for c in r),
    },
    {
        "name": "opposite",
        "question": "What is the opposite of hot?",
        "completion": "The opposite of hot is",
        "check": lambda r: any(w in r.lower() for w in ["cold", "cool", "warm", "hot"]),
    },
    {
        "name": "capital",
        "question": "What is the capital of Japan?",
        "completion": "The capital of Japan is",
        "check": lambda r: any(w in r for w in ["Tokyo", "Japan", "capital"]),
    },
    {
        "name": "list",
        "question": "List three colors.",
        "completion": "Here are three colors:",
        "check": lambda r: any(w in r.lower() for w in ["red", "blue", "green", "yellow", "color", ","]),
    },
]

FORMATS = {
    "raw": "{question}",
    "instruction": "Instruction: {question}\nResponse:",
    "qa": "Q: {question}\nA:",
    "fewshot": "Q: What is 1 plus 1?\nA: 2.\n\nQ: What is the opposite of up?\nA: down.\n\nQ: {question}\nA:",
    "completion": "{completion}",
}


class DefinitiveBaseModelTest:
    def __init__(self, model_name="Qwen/Qwen2.5-32B", load_in_8bit=True):
        self.model_name = model_name
        self.load_in_8bit = load_in_8bit
        self.model = None
        self.tokenizer = None
        self.results = []

    def load(self):
        logger.info(f"🔄 Loading {self.model_name}")
        self.tokenizer = AutoTokenizer.from_pretrained(self.model_name)
        # no chat template, this is a BASE model
        self.tokenizer.chat_template = None
        if hasattr(self.tokenizer, 'default_chat_template'):
            self.tokenizer.default_chat_template = None
        if self.tokenizer.pad_token is None:
            self.tokenizer.pad_token = self.tokenizer.eos_token

        model_kwargs = {"device_map": "auto", "torch_dtype": torch.bfloat16}
        if self.load_in_8bit:
            model_kwargs["quantization_config"] = BitsAndBytesConfig(
                load_in_8bit=True,
                bnb_8bit_quant_type="nf8",
                bnb_8bit_use_double_quant=True,
                bnb_8bit_compute_dtype=torch.bfloat16,
            )
        self.model = AutoModelForCausalLM.from_pretrained(self.model_name, **model_kwargs).eval()
        logger.info("✅ Loaded")

    def preview_tokens(self, prompt):
        """Log the first tokens of the prompt so that we SEE there is no template."""
        ids = self.tokenizer(prompt, add_special_tokens=False).input_ids
        logger.info(f"   🔍 {len(ids)} tokens, first 5: {ids[:5]} -> {self.tokenizer.decode(ids[:5])!r}")

    def generate(self, prompt, max_new_tokens=40):
        inputs = self.tokenizer(prompt, return_tensors="pt", add_special_tokens=False)
        inputs = inputs.to(self.model.device)
        with torch.no_grad():
            outputs = self.model.generate(
                **inputs,
                max_new_tokens=max_new_tokens,
                do_sample=False,
                pad_token_id=self.tokenizer.pad_token_id,
                eos_token_id=self.tokenizer.eos_token_id,
            )
        new_tokens = outputs[0][len(inputs["input_ids"][0]):]
        return self.tokenizer.decode(new_tokens, skip_special_tokens=True)

    def run(self, limit=None):
        tests = [(f, q) for f in FORMATS for q in QUESTIONS]
        if limit:
            # every format at least once if possible
            tests = tests[::max(len(tests) // limit, 1)][:limit]

        for i, (format_name, q) in enumerate(tests, 1):
            prompt = FORMATS[format_name].format(**q)
            logger.info(f"🧪 [{i}/{len(tests)}] {q['name']} / {format_name}")
            self.preview_tokens(prompt)
            response = self.generate(prompt)
            passed = q["check"](response)
            logger.info(f"   {'✅' if passed else '❌'} {response[:60]!r}")
            self.results.append({
                "question": q["name"],
                "format": format_name,
                "prompt": prompt,
                "response": response,
                "passed": passed,
            })

    def report(self):
        by_format = {}
        for r in self.results:
            by_format.setdefault(r["format"], []).append(r["passed"])
        passed = sum(r["passed"] for r in self.results)
        return {
            "model": self.model_name,
            "passed": passed,
            "total": len(self.results),
            "by_format": {f: f"{sum(v)}/{len(v)}" for f, v in by_format.items()},
            "conclusion": "BASE MODEL HAS CAPABILITIES" if passed / len(self.results) >= 0.5 else "NO CAPABILITIES",
            "results": self.results,
        }


def main():
    parser = argparse.ArgumentParser(description="Definitive base model test")
    parser.add_argument("--model", default="Qwen/Qwen2.5-32B")
    parser.add_argument("--no-8bit", action="store_true", help="bf16 instead of 8-bit")
    parser.add_argument("--limit", type=int, default=None)
    parser.add_argument("--output", default="results/base_model_definitive.json")
    args = parser.parse_args()

    test = DefinitiveBaseModelTest(args.model, load_in_8bit=not args.no_8bit)
    test.load()
    test.run(args.limit)
    report = test.report()

    Path(args.output).parent.mkdir(parents=True, exist_ok=True)
    Path(args.output).write_text(json.dumps(report, indent=2))

    print("\n" + "=" * 60)
    print(f"📊 {report['passed']}/{report['total']} passed")
    for name, counts in report["by_format"].items():
        print(f"   {name:<12} {counts}")
    print(f"🏁 {report['conclusion']}")
    print("=" * 60)


if __name__ == "__main__":
    main()
