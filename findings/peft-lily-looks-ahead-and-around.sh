#!/usr/bin/env bash
# PEFT's Lily mixes experts by weights that are the mean of a router's choice over all tokens of all rows that are in the layer at
# once. In a causal model the logits at a position therefore depend on the tokens after it and on the other rows of the batch, so a
# log-likelihood has seen its own answer, and decoding with a cache (one token at a time) writes another text than without. LoRA, and the
# other kinds of adapters tried, give the same numbers each time. Nothing is said.
#
# Seen with peft 0.21.2, transformers 5.23.0 and 5.24.0, torch 2.13.0 (CPU, float32), Python 3.11, a random Llama of two layers; the largest
# difference of the logits at the first of three tokens:
#   LoraConfig  other tokens after it: 0.000000   another row beside it: 0.000001   same text with and without a cache: True
#   LilyConfig  other tokens after it: 2.152988   another row beside it: 2.152671   same text with and without a cache: False
# Exit code 1 if that changes.
set -euo pipefail
room=$(mktemp -d)
trap 'rm -rf "$room"' EXIT
python3 -m venv "$room/venv"
"$room/venv/bin/pip" install -q peft==0.21.2 transformers==5.24.0 torch==2.13.0
cat > "$room/look.py" <<'PY'
import sys
import warnings

import peft
import torch
from transformers import LlamaConfig, LlamaForCausalLM

warnings.simplefilter("ignore")
seen = {}
for kind in (peft.LoraConfig, peft.LilyConfig):
    torch.manual_seed(0)
    base = LlamaForCausalLM(
        LlamaConfig(vocab_size=64, hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4,
                    num_key_value_heads=2, eos_token_id=None, bos_token_id=None, initializer_range=0.2)
    )
    model = peft.get_peft_model(base, kind(target_modules=["q_proj", "v_proj"], task_type="CAUSAL_LM")).eval()
    with torch.no_grad():
        for one in model.parameters():
            if one.requires_grad:
                one.add_(torch.randn_like(one))

        def first(*rows):
            return model(torch.tensor(rows)).logits[0, 0]

        plain = first([5, 6, 7])
        after = float((plain - first([5, 8, 9])).abs().max())
        beside = float((plain - first([5, 6, 7], [50, 60, 61])).abs().max())
        texts = [
            model.generate(input_ids=torch.tensor([[5, 6, 7]]), max_new_tokens=12, do_sample=False, use_cache=cache).tolist()
            for cache in (True, False)
        ]
    name = kind.__name__
    seen[name] = (after > 1e-3, beside > 1e-3, texts[0] == texts[1])
    print(f"{name}  other tokens after it: {after:.6f}   another row beside it: {beside:.6f}   "
          f"same text with and without a cache: {texts[0] == texts[1]}")
sys.exit(seen != {"LoraConfig": (False, False, True), "LilyConfig": (True, True, False)})
PY
CUDA_VISIBLE_DEVICES= "$room/venv/bin/python" "$room/look.py" 2>/dev/null
