#!/usr/bin/env python3
"""
Generate Stage 1 SFT data from the raw base model.

Every instruction is turned into a completion-style prompt ("The capital of
France is"), the base model completes it, and the completion becomes the
response of an Instruction/Response/END training example.

    python generate_stage1_sft_data.py --limit 200 --output data/stage1_sft_data.jsonl
"""

import argparse
import json
import logging
import random
from datetime import datetime
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, BitsAndBytesConfig

logging.basicConfig(level=logging.INFO, format="%(asctime)s - %(levelname)s - %(message)s")
logging.getLogger("bitsandbytes").setLevel(logging.ERROR)  # one "inputs will be cast" line per matmul
logger = logging.getLogger(__name__)

CAPITALS = [
    "France", "Italy", "Norway", "Egypt", "Peru", "India",
    "Japan", "Switzerland", "Ukraine", "Latvia", "Qatar", "Ghana",
]
OPPOSITES = [
    "hot", "big", "up", "fast", "wet", "day", "open", "hard",
    "light", "old", "rich", "early", "full", "near", "high", "thick",
]
SUMS = [
    (1, 2), (2, 2), (3, 1), (4, 6), (5, 5), (7, 2), (8, 1), (9, 3), (6, 6),
    (2, 7), (0, 4), (3, 8), (5, 9), (7, 7), (1, 6), (4, 4), (8, 8), (9, 0),
]
LISTS = [(n, p) for n in ("two", "three", "four") for p in ("colors", "animals", "fruits", "tools", "cities")]
REPEATS = [
    ("red", "two"), ("dog", "three"), ("apple", "two"), ("owl", "four"), ("saw", "three"), ("plum", "two"),
    ("Oslo", "three"), ("blue", "four"), ("cat", "two"), ("lime", "three"), ("axe", "two"), ("Rome", "four"),
    ("pink", "three"), ("bee", "two"), ("kiwi", "four"), ("drill", "two"), ("gold", "three"), ("fox", "two"),
    ("Lima", "two"),
]

PLACEHOLDERS = {
    "capital": "The capital is a large city.",
    "opposite": "The opposite is a different word.",
    "math": "The answer is a number.",
    "list": "Here is a list of several things.",
    "repeat": "I will say it again.",
}


class Stage1SFTDataGenerator:
    """Generates instruction-following data from the base model's own completions."""

    def __init__(self, model_name="Qwen/Qwen2.5-32B", seed=42):
        self.model_name = model_name
        self.seed = seed
        self.model = None
        self.tokenizer = None
        self.stats = {"generated": 0, "placeholder": 0, "by_type": {}}

    def load_model(self):
        """Load the base model in 8-bit, making sure no chat template gets in the way."""
        logger.info(f"🤖 Loading base model: {self.model_name}")
        try:
            self.tokenizer = AutoTokenizer.from_pretrained(self.model_name, trust_remote_code=True)

            # CRITICAL: disable chat template contamination!
            self.tokenizer.chat_template = None
            if hasattr(self.tokenizer, 'default_chat_template'):
                self.tokenizer.default_chat_template = None

            if self.tokenizer.pad_token is None:
                self.tokenizer.pad_token = self.tokenizer.eos_token

            bnb_config = BitsAndBytesConfig(
                load_in_8bit=True,
                bnb_8bit_quant_type="nf8",
                bnb_8bit_use_double_quant=True,
                bnb_8bit_compute_dtype=torch.bfloat16,
            )
            self.model = AutoModelForCausalLM.from_pretrained(
                self.model_name,
                quantization_config=bnb_config,
                device_map="auto",
                torch_dtype=torch.bfloat16,
                trust_remote_code=True,
            )
            self.model.eval()
            logger.info("✅ Model loaded (8-bit), chat template disabled")
        except Exception as e:
            logger.error(f"❌ Could not load model: {e}")
            logger.warning("⚠️  Continuing without model, responses will be placeholders")
            self.model = None
            self.tokenizer = None

    def verify_no_contamination(self):
        """Look at the first tokens of a test prompt for chat markers."""
        test_prompt = "The capital of France is"
        token_ids = self.tokenizer(test_prompt, add_special_tokens=False)["input_ids"]
        first_tokens = self.tokenizer.convert_ids_to_tokens(token_ids[:10])
        logger.info(f"🔍 First tokens: {first_tokens}")
        for marker in ("<|im_start|>", "<|im_end|>", "system", "assistant"):
            if any(marker in token for token in first_tokens):
                raise ValueError(f"Chat template contamination detected: {marker}")
        logger.info("✅ No contamination in tokenized prompt")

    def build_prompts(self):
        """All (type, instruction, completion prompt) triples we can make."""
        prompts = []
        for country in CAPITALS:
            prompts.append(("capital", f"What is the capital of {country}?", f"The capital of {country} is"))
        for word in OPPOSITES:
            prompts.append(("opposite", f"What is the opposite of {word}?", f"The opposite of {word} is"))
        for a, b in SUMS:
            prompts.append(("math", f"Add {a} and {b}.", f"{a} plus {b} is"))
        for n, plural in LISTS:
            prompts.append(("list", f"List {n} {plural}.", f"Here are {n} {plural}:"))
        for word, n in REPEATS:
            prompts.append(("repeat", f"Say {word} {n} times.", f"The child said {word} {n} times:"))
        return prompts

    def generate_completion(self, prompt, max_new_tokens=24):
        """Let the base model finish the sentence."""
        inputs = self.tokenizer(prompt, return_tensors="pt", add_special_tokens=False)
        inputs = {k: v.to(self.model.device) for k, v in inputs.items()}
        with torch.no_grad():
            outputs = self.model.generate(
                **inputs,
                max_new_tokens=max_new_tokens,
                do_sample=True,
                temperature=0.7,
                top_p=0.9,
                pad_token_id=self.tokenizer.eos_token_id,
            )
        completion = self.tokenizer.decode(outputs[0][inputs["input_ids"].shape[1]:], skip_special_tokens=True)
        return completion.strip()

    def clean_response(self, completion):
        """Keep the first sentence."""
        response = completion.split("\n")[0]
        if "." in response:
            response = response[: response.index(".") + 1]
        return response.strip()

    def generate_example(self, instruction_type, instruction, prompt):
        response = ""
        if self.model is not None:
            try:
                response = self.clean_response(self.generate_completion(prompt))
            except RuntimeError as e:
                logger.warning(f"⚠️  Generation failed for {instruction!r}: {e}")
        if len(response) < 2:
            response = PLACEHOLDERS[instruction_type]
            self.stats["placeholder"] += 1
        else:
            self.stats["generated"] += 1
        self.stats["by_type"][instruction_type] = self.stats["by_type"].get(instruction_type, 0) + 1
        return {
            "instruction": instruction,
            "response": response,
            "prompt": prompt,
            "formatted_text": f"Instruction: {instruction}\nResponse: {response}\nEND",
            "instruction_type": instruction_type,
        }

    def generate_dataset(self, count):
        random.seed(self.seed)
        torch.manual_seed(self.seed)
        prompts = self.build_prompts()
        logger.info(f"📝 {len(prompts)} distinct instructions, generating {count} examples")
        examples = []
        for i in range(count):
            examples.append(self.generate_example(*random.choice(prompts)))
            if (i + 1) % 50 == 0:
                logger.info(f"   Progress: {i + 1}/{count}")
        return examples


def save_dataset(examples, stats, model_name, output):
    output = Path(output)
    output.parent.mkdir(parents=True, exist_ok=True)
    with open(output, "w", encoding="utf-8") as f:
        for example in examples:
            f.write(json.dumps(example, ensure_ascii=False) + "\n")
    metadata = {
        "model": model_name,
        "timestamp": datetime.now().isoformat(),
        "total_examples": len(examples),
        "unique_instructions": len({e["instruction"] for e in examples}),
        "by_type": stats["by_type"],
    }
    metadata_path = output.with_suffix(".metadata.json")
    metadata_path.write_text(json.dumps(metadata, indent=2))
    logger.info(f"💾 Saved {len(examples)} examples to {output}")
    logger.info(f"💾 Saved metadata to {metadata_path}")


def main():
    parser = argparse.ArgumentParser(description="Generate Stage 1 SFT data")
    parser.add_argument("--model", default="Qwen/Qwen2.5-32B", help="Base model")
    parser.add_argument("--limit", type=int, default=200, help="Number of examples")
    parser.add_argument("--output", default="data/stage1_sft_data.jsonl")
    parser.add_argument("--seed", type=int, default=42)
    args = parser.parse_args()

    generator = Stage1SFTDataGenerator(args.model, seed=args.seed)
    generator.load_model()
    if generator.model is not None:
        generator.verify_no_contamination()
    examples = generator.generate_dataset(args.limit)
    save_dataset(examples, generator.stats, args.model, args.output)

    logger.info("📋 Sample examples:")
    for example in examples[:3]:
        logger.info(f"   [{example['instruction_type']}] {example['instruction']} -> {example['response']}")
    logger.info("🎉 Stage 1 SFT data generation complete!")


if __name__ == "__main__":
    main()
