#!/usr/bin/env python3
"""
Stage 1: supervised fine-tuning with LoRA on the 8-bit base model.

Trains on Instruction/Response examples; the loss is only computed on the
response (everything up to "Response:" is masked).

Usage:
    python train_stage1_sft.py --data data/stage1_sft_data.jsonl \
        --output-dir checkpoints/stage1_sft
"""

import argparse
import json
import logging
import random
import time
from pathlib import Path

import torch
from datasets import Dataset
from peft import LoraConfig, TaskType, get_peft_model, prepare_model_for_kbit_training
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    BitsAndBytesConfig,
    DataCollatorForSeq2Seq,
    Trainer,
    TrainingArguments,
    set_seed,
)

logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
logging.getLogger("bitsandbytes").setLevel(logging.ERROR)
logger = logging.getLogger("stage1_sft")


class Stage1SFTTrainer:
    def __init__(self, args):
        self.args = args
        self.output_dir = Path(args.output_dir)
        self.output_dir.mkdir(parents=True, exist_ok=True)
        self.model = None
        self.tokenizer = None

    def setup_model(self):
        """Load tokenizer and base model, add the LoRA adapter."""
        model_name = self.args.model
        logger.info(f"🔧 Setting up {model_name}")

        self.tokenizer = AutoTokenizer.from_pretrained(
            model_name,
            trust_remote_code=True,
            padding_side="right",
        )
        # No chat template for base model training!
        self.tokenizer.chat_template = None
        if hasattr(self.tokenizer, 'default_chat_template'):
            self.tokenizer.default_chat_template = None
        if self.tokenizer.pad_token is None:
            self.tokenizer.pad_token = self.tokenizer.eos_token
            self.tokenizer.pad_token_id = self.tokenizer.eos_token_id

        bnb_config = BitsAndBytesConfig(
            load_in_8bit=True,
            bnb_8bit_use_double_quant=True,
            bnb_8bit_quant_type="nf8",
            bnb_8bit_compute_dtype=torch.bfloat16,
        )
        model = AutoModelForCausalLM.from_pretrained(
            model_name,
            quantization_config=bnb_config,
            device_map="auto",
            trust_remote_code=True,
            torch_dtype=torch.bfloat16,
            use_cache=False,
        )
        model = prepare_model_for_kbit_training(model, use_gradient_checkpointing=torch.cuda.is_available())

        lora_config = LoraConfig(
            r=self.args.lora_r,
            lora_alpha=2 * self.args.lora_r,
            target_modules=["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"],
            lora_dropout=0.05,
            bias="none",
            task_type=TaskType.CAUSAL_LM,
        )
        self.model = get_peft_model(model, lora_config)
        trainable, total = self.model.get_nb_trainable_parameters()
        logger.info(f"✅ LoRA added: {trainable:,} of {total:,} parameters trainable")

    def format_example(self, example):
        return f"Instruction: {example['instruction']}\nResponse: {example['response']}\n\n"

    def load_data(self):
        """Read the JSONL file and split it 90/10."""
        examples = []
        with open(self.args.data, encoding="utf-8") as f:
            for line in f:
                if line.strip():
                    examples.append(json.loads(line))
        if self.args.limit:
            examples = examples[: self.args.limit]
        random.Random(self.args.seed).shuffle(examples)
        n_eval = max(1, int(0.1 * len(examples)))
        logger.info(f"📚 {len(examples) - n_eval} train / {n_eval} eval examples")
        return examples[n_eval:], examples[:n_eval]

    def tokenize(self, example):
        """Tokenize one example; mask everything up to and including "Response:"."""
        encoded = self.tokenizer(
            self.format_example(example),
            truncation=True,
            max_length=self.args.max_length,
            add_special_tokens=False,
        )
        input_ids = encoded["input_ids"]
        labels = list(input_ids)
        marker = self.tokenizer.encode("Response:", add_special_tokens=False)
        for start in range(len(input_ids) - len(marker) + 1):
            if input_ids[start : start + len(marker)] == marker:
                end = start + len(marker)
                labels[:end] = [-100] * end
                break
        return {"input_ids": input_ids, "attention_mask": encoded["attention_mask"], "labels": labels}

    def show_example(self, dataset):
        row = dataset[0]
        logger.info(f"🔍 First token ids: {row['input_ids'][:10]}")
        logger.info(f"🔍 Text: {self.tokenizer.decode(row['input_ids'])!r}")
        learned = [t for t in row["labels"] if t != -100]
        logger.info(f"🔍 Trained on: {self.tokenizer.decode(learned)!r}")

    def train(self):
        train_examples, eval_examples = self.load_data()
        train_dataset = Dataset.from_list([self.tokenize(e) for e in train_examples])
        eval_dataset = Dataset.from_list([self.tokenize(e) for e in eval_examples])
        self.show_example(train_dataset)

        on_gpu = torch.cuda.is_available()
        training_args = TrainingArguments(
            output_dir=str(self.output_dir / "runs"),
            max_steps=self.args.max_steps,
            per_device_train_batch_size=self.args.batch_size,
            per_device_eval_batch_size=self.args.batch_size,
            learning_rate=self.args.learning_rate,
            lr_scheduler_type="cosine",
            warmup_steps=5,
            logging_steps=10,
            eval_strategy="no",
            save_strategy="no",
            bf16=on_gpu,
            use_cpu=not on_gpu,
            optim="paged_adamw_8bit" if on_gpu else "adamw_torch",
            report_to=[],
            seed=self.args.seed,
            disable_tqdm=True,
        )
        trainer = Trainer(
            model=self.model,
            args=training_args,
            train_dataset=train_dataset,
            eval_dataset=eval_dataset,
            processing_class=self.tokenizer,
            data_collator=DataCollatorForSeq2Seq(self.tokenizer, padding=True, label_pad_token_id=-100),
        )
        logger.info("🚀 Starting training")
        start = time.time()
        result = trainer.train()
        eval_loss = trainer.evaluate()["eval_loss"]
        logger.info(f"✅ Done in {time.time() - start:.0f}s: train loss {result.training_loss:.3f}, eval loss {eval_loss:.3f}")
        return {
            "train_examples": len(train_examples),
            "eval_examples": len(eval_examples),
            "steps": result.global_step,
            "train_loss": result.training_loss,
            "eval_loss": eval_loss,
        }

    def save(self, metrics):
        adapter_dir = self.output_dir / "final"
        self.model.save_pretrained(adapter_dir)
        self.tokenizer.save_pretrained(adapter_dir)
        info = {"base_model": self.args.model, "lora_r": self.args.lora_r, "data": self.args.data, **metrics}
        (self.output_dir / "training_info.json").write_text(json.dumps(info, indent=2))
        logger.info(f"💾 Adapter saved to {adapter_dir}")


def main():
    parser = argparse.ArgumentParser(description="Stage 1 SFT")
    parser.add_argument("--model", default="Qwen/Qwen2.5-32B")
    parser.add_argument("--data", default="data/stage1_sft_data.jsonl")
    parser.add_argument("--output-dir", default="checkpoints/stage1_sft")
    parser.add_argument("--limit", type=int, default=None, help="Use only the first N examples")
    parser.add_argument("--max-steps", type=int, default=60)
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--learning-rate", type=float, default=2e-4)
    parser.add_argument("--lora-r", type=int, default=16)
    parser.add_argument("--max-length", type=int, default=512)
    parser.add_argument("--seed", type=int, default=42)
    args = parser.parse_args()

    set_seed(args.seed)
    trainer = Stage1SFTTrainer(args)
    trainer.setup_model()
    metrics = trainer.train()
    trainer.save(metrics)
    logger.info("🎉 Stage 1 SFT complete!")


if __name__ == "__main__":
    main()
