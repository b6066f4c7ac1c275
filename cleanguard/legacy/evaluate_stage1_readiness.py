#!/usr/bin/env python3
"""
Stage 1 readiness check: is the SFT model good enough to start DPO?

14 instructions, scored 0..1 each, base vs SFT. If SFT averages above the
threshold we go on to preference pairs and DPO, otherwise back to SFT data.

Usage:
    python scripts/evaluate_stage1_readiness.py --sft-adapter checkpoints/stage1_sft/final
"""

import argparse
import json
import logging
import os
import sys
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Dict, List, Optional

import torch
import torch.nn.functional as F
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer, BitsAndBytesConfig

logging.basicConfig(level=logging.INFO, format="%(levelname)s: %(message)s")
logger = logging.getLogger("readiness")
logging.getLogger("bitsandbytes").setLevel(logging.ERROR)  # MatMul8bitLt casting spam


@dataclass
class ReadinessConfig:
    model_name: str = os.environ.get("BASE_MODEL", "Qwen/Qwen2.5-32B")
    sft_adapter: Optional[str] = None
    max_new_tokens: int = 40
    min_length: int = 5
    threshold: float = 0.7


READINESS_ITEMS = [
    {"category": "math", "instruction": "What is 2 plus 6?", "answer": "8"},
    {"category": "math", "instruction": "Add 5 and 4.", "answer": "9"},
    {"category": "math", "instruction": "What is 7 plus 7?", "answer": "14"},
    {"category": "opposite", "instruction": "What is the opposite of wet?", "answer": "dry"},
    {"category": "opposite", "instruction": "Name the opposite of open.", "answer": "shut"},
    {"category": "opposite", "instruction": "What is the opposite of near?", "answer": "far"},
    {"category": "capital", "instruction": "What is the capital of Italy?", "answer": "Rome"},
    {"category": "capital", "instruction": "Name the capital of Egypt.", "answer": "Cairo"},
    {"category": "capital", "instruction": "What is the capital of India?", "answer": "Delhi"},
    {"category": "list", "instruction": "List two fruits.", "answer": "apple, pear"},
    {"category": "list", "instruction": "Name three animals.", "answer": "dog, cat, cow"},
    {"category": "list", "instruction": "Give me two tools.", "answer": "saw, axe"},
    {"category": "repeat", "instruction": "Say fox two times.", "answer": "fox fox"},
    {"category": "repeat", "instruction": "Say plum three times.", "answer": "plum plum plum"},
]


class ReadinessEvaluator:
    def __init__(self, config: ReadinessConfig):
        self.config = config
        self.device = "cuda" if torch.cuda.is_available() else "cpu"
        self.tokenizer = None
        self.base_model = None
        self.sft_model = None

    def setup_tokenizer(self):
        """Tokenizer with the chat template switched off."""
        self.tokenizer = AutoTokenizer.from_pretrained(self.config.model_name)

        # base model evaluation: NO chat template
        self.tokenizer.chat_template = None
        if hasattr(self.tokenizer, 'default_chat_template'):
            self.tokenizer.default_chat_template = None

        if self.tokenizer.pad_token is None:
            self.tokenizer.pad_token = self.tokenizer.eos_token
        logger.info(f"✅ Tokenizer ready ({len(self.tokenizer)} tokens)")

    def load_models(self):
        """Load the base model, put the SFT adapter on top."""
        logger.info(f"🔄 Loading {self.config.model_name}")
        self.base_model = AutoModelForCausalLM.from_pretrained(
            self.config.model_name,
            quantization_config=BitsAndBytesConfig(
                load_in_8bit=True,
                bnb_8bit_compute_dtype=torch.bfloat16,
            ),
            device_map="auto",
            torch_dtype=torch.bfloat16,
        )
        self.base_model.eval()

        if self.config.sft_adapter:
            # reuse the base weights, saves 35GB
            logger.info(f"🔄 Attaching SFT adapter: {self.config.sft_adapter}")
            self.sft_model = PeftModel.from_pretrained(self.base_model, self.config.sft_adapter)
            self.sft_model.eval()
        logger.info("✅ Models ready")

    def format_prompt(self, instruction: str) -> str:
        return f"Instruction: {instruction}\nResponse:"

    def generate(self, model, prompt: str) -> str:
        inputs = self.tokenizer(
            prompt, add_special_tokens=False, return_tensors="pt", truncation=True, max_length=1024
        )
        input_ids = inputs.input_ids.to(self.device)
        attention_mask = inputs.attention_mask.to(self.device)

        with torch.no_grad():
            output_ids = model.generate(
                input_ids=input_ids,
                attention_mask=attention_mask,
                max_new_tokens=self.config.max_new_tokens,
                do_sample=False,
                pad_token_id=self.tokenizer.pad_token_id,
                eos_token_id=self.tokenizer.eos_token_id,
            )
        return self.tokenizer.decode(output_ids[0, input_ids.shape[1]:], skip_special_tokens=True)

    def answer_logprob(self, model, prompt: str, answer: str) -> float:
        """Mean log-prob of the reference answer after the prompt."""
        n_answer = len(self.tokenizer(" " + answer, add_special_tokens=False)["input_ids"])
        inputs = self.tokenizer(prompt + " " + answer, return_tensors="pt", add_special_tokens=False).to(self.device)

        with torch.no_grad():
            logits = model(**inputs).logits

        logprobs = F.log_softmax(logits[0, :-1].float(), dim=-1)
        targets = inputs["input_ids"][0, 1:]
        token_logprobs = logprobs.gather(1, targets.unsqueeze(1)).squeeze(1)
        return token_logprobs[-n_answer:].mean().item()

    def score_response(self, item: Dict, response: str) -> float:
        """Half the points for saying something, half for the right thing."""
        score = 0.0
        if len(response.strip()) >= self.config.min_length:
            score += 0.5
        if item["answer"].split(",")[0].lower() in response.lower():
            score += 0.5
        return score

    def evaluate_model(self, name: str, model, items: List[Dict]) -> Dict:
        logger.info(f"🧪 Evaluating {name} on {len(items)} items")
        results = []
        for item in items:
            prompt = self.format_prompt(item["instruction"])
            response = self.generate(model, prompt)
            score = self.score_response(item, response)
            results.append({
                "model": name,
                "category": item["category"],
                "prompt": prompt,
                "response": response,
                "answer_logprob": self.answer_logprob(model, prompt, item["answer"]),
                "score": score,
            })
            logger.info(f"  {'✅' if score >= 0.5 else '❌'} {score:.1f} {item['instruction']} -> {response[:40]!r}")

        return {
            "avg_score": sum(r["score"] for r in results) / len(results),
            "avg_answer_logprob": sum(r["answer_logprob"] for r in results) / len(results),
            "results": results,
        }

    def run(self, limit: Optional[int] = None) -> Dict:
        items = READINESS_ITEMS[:limit]
        report = {"base": self.evaluate_model("base", self.base_model, items)}
        if self.sft_model is not None:
            report["sft"] = self.evaluate_model("sft", self.sft_model, items)
            report["improvement"] = report["sft"]["avg_score"] - report["base"]["avg_score"]
        candidate = report.get("sft", report["base"])
        report["ready_for_dpo"] = candidate["avg_score"] >= self.config.threshold
        return report


def main() -> int:
    parser = argparse.ArgumentParser(description="Is Stage 1 SFT ready for DPO?")
    parser.add_argument("--model", default=ReadinessConfig.model_name)
    parser.add_argument("--sft-adapter", default=None)
    parser.add_argument("--limit", type=int, default=None)
    parser.add_argument("--output", type=Path, default=Path("results/stage1_readiness.json"))
    args = parser.parse_args()

    config = ReadinessConfig(model_name=args.model, sft_adapter=args.sft_adapter)
    evaluator = ReadinessEvaluator(config)
    evaluator.setup_tokenizer()
    evaluator.load_models()
    report = evaluator.run(args.limit)
    report["config"] = asdict(config)
    report["timestamp"] = datetime.now().isoformat()

    args.output.parent.mkdir(parents=True, exist_ok=True)
    args.output.write_text(json.dumps(report, indent=2))

    print("\n" + "=" * 50)
    print(f"Base score: {report['base']['avg_score']:.2f}")
    if "sft" in report:
        print(f"SFT score:  {report['sft']['avg_score']:.2f} ({report['improvement']:+.2f})")
    print("🚀 READY FOR DPO" if report["ready_for_dpo"] else "🛑 NOT READY - more SFT data needed")
    print("=" * 50)
    return 0


if __name__ == "__main__":
    sys.exit(main())
