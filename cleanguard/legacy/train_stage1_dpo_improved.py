#!/usr/bin/env python3
"""
Stage 1: DPO on top of the SFT model (improved).

The SFT adapter is merged into the base model, a fresh LoRA adapter is trained
with DPO on the preference pairs. The reference is the merged SFT model (the
new adapter switched off).

    python train_stage1_dpo_improved.py --sft-adapter checkpoints/stage1_sft/final
"""

import argparse
import json
import logging
import os
import random
from pathlib import Path

import torch
from datasets import Dataset
from peft import LoraConfig, PeftModel, prepare_model_for_kbit_training
from transformers import AutoModelForCausalLM, AutoTokenizer, BitsAndBytesConfig, set_seed
from trl import DPOConfig, DPOTrainer

logging.basicConfig(level=logging.INFO, format="%(asctime)s - %(message)s", datefmt="%H:%M:%S")
logging.getLogger("bitsandbytes").setLevel(logging.ERROR)
logger = logging.getLogger(__name__)

BASE_MODEL = os.environ.get("BASE_MODEL", "Qwen/Qwen2.5-32B")


def get_quantization_config():
    """8-bit so that 32B fits on one 80GB GPU."""
    return BitsAndBytesConfig(
        load_in_8bit=True,
        bnb_8bit_compute_dtype=torch.bfloat16,
        bnb_8bit_use_double_quant=True,
        bnb_8bit_quant_type="nf4",
    )


class Stage1DPOTrainer:
    """DPO with a merged SFT model as starting point and reference."""

    def __init__(self, sft_adapter, data_path, output_dir, beta=0.1, seed=42):
        self.base_model_name = BASE_MODEL
        self.sft_adapter = sft_adapter
        self.data_path = data_path
        self.output_dir = Path(output_dir)
        self.beta = beta
        self.seed = seed
        self.tokenizer = None
        self.model = None

    def setup_tokenizer(self):
        self.tokenizer = AutoTokenizer.from_pretrained(self.base_model_name, trust_remote_code=True)
        self.tokenizer.chat_template = None
        if hasattr(self.tokenizer, 'default_chat_template'):
            self.tokenizer.default_chat_template = None
        self.tokenizer.pad_token = self.tokenizer.eos_token
        self.tokenizer.padding_side = "right"
        logger.info(f"🔤 Tokenizer ready, pad token: {self.tokenizer.pad_token}")

    def setup_sft_model(self):
        """Base in 8-bit + SFT adapter, merged."""
        logger.info(f"📦 Loading base model: {self.base_model_name}")
        base_model = AutoModelForCausalLM.from_pretrained(
            self.base_model_name,
            quantization_config=get_quantization_config(),
            device_map="auto",
            trust_remote_code=True,
            torch_dtype=torch.bfloat16,
        )
        logger.info(f"📦 Loading SFT adapter: {self.sft_adapter}")
        sft_model = PeftModel.from_pretrained(base_model, self.sft_adapter)
        logger.info("🔀 Merging SFT adapter into base model")
        merged = sft_model.merge_and_unload()
        merged.config.use_cache = False
        self.model = prepare_model_for_kbit_training(merged, use_gradient_checkpointing=torch.cuda.is_available())

    def check_tokens(self, prompt):
        """Show what the model will see."""
        ids = self.tokenizer(prompt, add_special_tokens=False).input_ids
        logger.info(f"🔍 First 10 tokens of the first prompt: {self.tokenizer.convert_ids_to_tokens(ids[:10])}")
        chat_tokens = {"<|im_start|>", "<|im_end|>"}
        if chat_tokens & set(self.tokenizer.convert_ids_to_tokens(ids)):
            raise RuntimeError("❌ Chat tokens in DPO prompts!")

    def load_pairs(self, limit=None):
        """Read the pairs and split them 90/10."""
        pairs = []
        with open(self.data_path, encoding="utf-8") as f:
            for line in f:
                record = json.loads(line)
                pairs.append({key: record[key] for key in ("prompt", "chosen", "rejected")})
        random.Random(self.seed).shuffle(pairs)
        pairs = pairs[:limit]
        if len(pairs) < 2:
            raise ValueError(f"Need at least 2 preference pairs, {self.data_path} has {len(pairs)}")
        n_eval = max(1, len(pairs) // 10)
        logger.info(f"📚 {len(pairs) - n_eval} train pairs, {n_eval} eval pairs")
        return Dataset.from_list(pairs[n_eval:]), Dataset.from_list(pairs[:n_eval])

    def train(self, max_steps, learning_rate, batch_size, limit=None):
        train_dataset, eval_dataset = self.load_pairs(limit)
        self.check_tokens(train_dataset[0]["prompt"])

        peft_config = LoraConfig(
            r=16,
            lora_alpha=32,
            lora_dropout=0.05,
            bias="none",
            task_type="CAUSAL_LM",
            target_modules=["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"],
        )
        use_gpu = torch.cuda.is_available()
        config = DPOConfig(
            output_dir=str(self.output_dir),
            beta=self.beta,
            max_steps=max_steps,
            learning_rate=learning_rate,
            per_device_train_batch_size=batch_size,
            per_device_eval_batch_size=batch_size,
            lr_scheduler_type="cosine",
            warmup_steps=5,
            max_length=512,
            logging_steps=5,
            save_strategy="no",
            bf16=use_gpu,
            use_cpu=not use_gpu,
            gradient_checkpointing=use_gpu,
            report_to=[],
            seed=self.seed,
            disable_tqdm=True,
        )
        trainer = DPOTrainer(
            model=self.model,
            ref_model=None,  # the adapter is switched off for the reference
            args=config,
            train_dataset=train_dataset,
            eval_dataset=eval_dataset,
            processing_class=self.tokenizer,
            peft_config=peft_config,
        )
        logger.info("🚀 Starting DPO training")
        result = trainer.train()
        metrics = trainer.evaluate()
        self.model = trainer.model
        return {
            "train_pairs": len(train_dataset),
            "eval_pairs": len(eval_dataset),
            "steps": result.global_step,
            "train_loss": result.training_loss,
            "eval_loss": metrics["eval_loss"],
            "eval_accuracy": metrics["eval_rewards/accuracies"],
            "eval_margin": metrics["eval_rewards/margins"],
        }

    def save(self, metrics):
        adapter_dir = self.output_dir / "final"
        self.model.save_pretrained(adapter_dir)
        self.tokenizer.save_pretrained(adapter_dir)
        info = {
            "base_model": self.base_model_name,
            "sft_adapter": self.sft_adapter,
            "beta": self.beta,
            **metrics,
        }
        (self.output_dir / "dpo_training_info.json").write_text(json.dumps(info, indent=2))
        logger.info(f"💾 DPO adapter saved to {adapter_dir}")


def main():
    parser = argparse.ArgumentParser(description="Stage 1 DPO training (improved)")
    parser.add_argument("--sft-adapter", default="checkpoints/stage1_sft/final")
    parser.add_argument("--data", default="data/stage1_preference_pairs.jsonl")
    parser.add_argument("--output-dir", default="checkpoints/stage1_dpo_improved")
    parser.add_argument("--limit", type=int, default=None, help="Use only N pairs")
    parser.add_argument("--max-steps", type=int, default=80)
    parser.add_argument("--learning-rate", type=float, default=5e-6)
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--beta", type=float, default=0.1)
    parser.add_argument("--seed", type=int, default=42)
    args = parser.parse_args()

    set_seed(args.seed)
    trainer = Stage1DPOTrainer(args.sft_adapter, args.data, args.output_dir, args.beta, args.seed)
    trainer.setup_tokenizer()
    trainer.setup_sft_model()
    metrics = trainer.train(args.max_steps, args.learning_rate, args.batch_size, args.limit)
    trainer.save(metrics)

    logger.info(f"📊 Eval accuracy: {metrics['eval_accuracy']:.2f}, margin: {metrics['eval_margin']:.3f}")
    if metrics["eval_accuracy"] > 0.5:
        logger.info("🎉 DPO training successful!")
    else:
        logger.warning("⚠️  Model does not prefer the chosen responses")


if __name__ == "__main__":
    main()
