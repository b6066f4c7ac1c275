#!/usr/bin/env bash
# `tokenizer.pad_token = tokenizer.eos_token`, a Trainer that gets the tokenizer, `save_model`, `from_pretrained`, train on: the embedding of
# EOS learns in the first training and no longer in the second. Trainer writes the tokenizer's pad token into the model's config by itself; a
# loaded Llama (Mistral, Qwen 2, … too) makes that id the `padding_idx` of its embedding, which gets no gradient, wherever the token
# stands and whatever the attention mask and the labels say. So training twice is not training once for longer, and a checkpoint that is
# resumed through `from_pretrained` is another model to the optimizer than the one in memory. Nothing is said of the embedding.
#
# Seen with transformers 5.24.0, accelerate 1.15.0, torch 2.13.0 (CPU), Python 3.11, a random Llama of one layer, rows that end with EOS:
#   in memory after a step: config.pad_token_id 2, padding_idx None, gradient of EOS's row: some
#   saved and loaded:       config.pad_token_id 2, padding_idx 2, gradient of EOS's row: none
#   the same weights, the pad token taken out of the saved config: padding_idx None, gradient of EOS's row: some
# Exit code 1 if that changes.
set -euo pipefail
room=$(mktemp -d)
trap 'rm -rf "$room"' EXIT
cat > "$room/look.py" <<'PY'
import json
import sys
import warnings
from pathlib import Path

import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast, Trainer, TrainingArguments

warnings.simplefilter("ignore")
room = Path(sys.argv[1])
words = Tokenizer(models.WordLevel({"<unk>": 0, "<s>": 1, "</s>": 2, "a": 3, "b": 4, "c": 5}, unk_token="<unk>"))
words.pre_tokenizer = pre_tokenizers.Whitespace()
tokenizer = PreTrainedTokenizerFast(tokenizer_object=words, bos_token="<s>", eos_token="</s>", unk_token="<unk>")
tokenizer.pad_token = tokenizer.eos_token
torch.manual_seed(0)
model = LlamaForCausalLM(
    LlamaConfig(vocab_size=8, hidden_size=16, intermediate_size=32, num_hidden_layers=1, num_attention_heads=2,
                num_key_value_heads=2, tie_word_embeddings=False, pad_token_id=None)
)
# EOS stands between two texts, as where rows are packed, with labels and mask of its own.
row = {"input_ids": [1, 3, 4, 2, 5, 3], "attention_mask": [1] * 6, "labels": [1, 3, 4, 2, 5, 3]}
arguments = TrainingArguments(str(room / "out"), max_steps=1, per_device_train_batch_size=1, report_to=[], use_cpu=True,
                              save_strategy="no", disable_tqdm=True, logging_strategy="no")
trainer = Trainer(model=model, args=arguments, train_dataset=[row], processing_class=tokenizer)
trainer.train()
trainer.save_model(str(room / "saved"))


def look(one):
    one.train()
    one.zero_grad()
    one(**{name: torch.tensor([value]) for name, value in row.items()}).loss.backward()
    table = one.get_input_embeddings()
    return one.config.pad_token_id, table.padding_idx, bool(table.weight.grad[2].abs().sum() > 0)


def say(what, seen):
    print(f"{what}: config.pad_token_id {seen[0]}, padding_idx {seen[1]}, gradient of EOS's row: {'some' if seen[2] else 'none'}")


memory = look(model)
say("in memory after a step", memory)
loaded = look(LlamaForCausalLM.from_pretrained(room / "saved"))
say("saved and loaded", loaded)
config = room / "saved" / "config.json"
said = json.loads(config.read_text())
said["pad_token_id"] = None
config.write_text(json.dumps(said))
without = look(LlamaForCausalLM.from_pretrained(room / "saved"))
say("the same weights, the pad token taken out of the saved config", without)
sys.exit((memory, loaded, without) != ((2, None, True), (2, 2, False), (None, None, True)))
PY
python3 -m venv "$room/venv"
"$room/venv/bin/pip" install -q transformers==5.24.0 accelerate==1.15.0 torch==2.13.0
CUDA_VISIBLE_DEVICES= "$room/venv/bin/python" "$room/look.py" "$room" 2>/dev/null
