#!/usr/bin/env bash
# PEFT's `generate` with prompt tuning or p-tuning puts the learned embeddings before the padding of a left-padded row, and drops the
# positions that transformers has counted without it ("Position ids are not supported"). The model then counts the padding as
# places: the learned prompt stands further from a short text than from a long one, and what a text is continued with depends on the
# longest other row of its batch. Without an adapter, and with prefix tuning, the same row gives the same scores in a batch and
# alone. A batch of equal lengths is right.
#
# Seen with peft 0.21.2, transformers 5.23.0, torch 2.13.0 (CPU, float32), Python 3.11, a random Llama of two layers, a row of 3
# tokens alone and beside one of 9; the largest difference of the logits of its first new token:
#   base     0.000001
#   prefix   0.000002
#   prompt   0.470150
#   encoder  0.488809
# Exit code 1 if that changes.
set -euo pipefail
room=$(mktemp -d)
trap 'rm -rf "$room"' EXIT
python3 -m venv "$room/venv"
"$room/venv/bin/pip" install -q peft==0.21.2 transformers==5.23.0 torch==2.13.0
CUDA_VISIBLE_DEVICES= "$room/venv/bin/python" - <<'PY' 2>/dev/null
import sys
import warnings

import peft
import torch
from transformers import LlamaConfig, LlamaForCausalLM

warnings.simplefilter("ignore")
COMMON = {"task_type": "CAUSAL_LM", "num_virtual_tokens": 4}
KINDS = {
    "base": None,
    "prefix": peft.PrefixTuningConfig(**COMMON),
    "prompt": peft.PromptTuningConfig(**COMMON),
    "encoder": peft.PromptEncoderConfig(**COMMON, encoder_hidden_size=16),
}
short, long = [1, 5, 9], [1, 4, 8, 2, 6, 3, 7, 5, 9]


def first(model, rows):
    width = max(map(len, rows))
    ids = torch.tensor([[0] * (width - len(row)) + row for row in rows])
    mask = torch.tensor([[0] * (width - len(row)) + [1] * len(row) for row in rows])
    out = model.generate(input_ids=ids, attention_mask=mask, max_new_tokens=1, do_sample=False, pad_token_id=0,
                         return_dict_in_generate=True, output_logits=True)
    return out.logits[0][0]


seen = {}
for name, config in KINDS.items():
    torch.manual_seed(0)
    model = LlamaForCausalLM(
        LlamaConfig(vocab_size=64, hidden_size=32, intermediate_size=64, num_hidden_layers=2,
                    num_attention_heads=4, num_key_value_heads=2, eos_token_id=None, bos_token_id=None,
                    initializer_range=0.2)
    )
    if config is not None:
        torch.manual_seed(1)
        model = peft.get_peft_model(model, config)
        with torch.no_grad():
            for one in model.parameters():
                if one.requires_grad:
                    one.normal_(0, 0.5)
    model.eval()
    seen[name] = float((first(model, [short]) - first(model, [short, long])).abs().max())
    print(f"{name:<8} {seen[name]:.6f}")
small = max(seen["base"], seen["prefix"]) < 1e-4
large = min(seen["prompt"], seen["encoder"]) > 0.01
sys.exit(not (small and large))
PY
