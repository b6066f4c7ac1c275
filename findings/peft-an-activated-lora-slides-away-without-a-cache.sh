#!/usr/bin/env bash
# An activated LoRA (PEFT's alora_invocation_tokens) works from these tokens of the prompt to the end. PEFT's `generate` notes once how
# far from the end they begin, and passes that on to every step. With a cache a step is one token, and right. With use_cache=False, which
# trainers with gradient checkpointing set in the config, a step is the whole text, the distance from its end stays what it was, and with
# each new token the adapter leaves one more token of its own prompt to the base: the text is another one. A plain LoRA gives the same
# text both ways, and a forward pass over the whole text agrees with the cached one. Nothing is said.
#
# Seen with peft 0.21.2, transformers 5.24.0, torch 2.13.0 (CPU, float32), Python 3.11, a random Llama of two layers, 12 greedy tokens:
#   plain LoRA      like forward passes over the whole text: with a cache True, without True
#   activated LoRA  like forward passes over the whole text: with a cache True, without False
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
NEW = 12
ids = torch.tensor([[5, 9, 7, 3, 4]])
seen = {}
for name, tokens in (("plain LoRA", None), ("activated LoRA", [9, 7])):
    torch.manual_seed(0)
    base = LlamaForCausalLM(
        LlamaConfig(vocab_size=64, hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4,
                    num_key_value_heads=2, eos_token_id=None, bos_token_id=None, initializer_range=0.2)
    )
    config = peft.LoraConfig(target_modules=["q_proj", "v_proj"], alora_invocation_tokens=tokens, task_type="CAUSAL_LM")
    model = peft.get_peft_model(base, config).eval()
    torch.manual_seed(1)
    with torch.no_grad():
        for one in model.parameters():
            if one.requires_grad:
                one.normal_(0, 0.5)
        text = ids
        for _ in range(NEW):
            text = torch.cat([text, model(input_ids=text).logits[:, -1].argmax(-1, keepdim=True)], dim=1)
    assert not any(text[0, at : at + 2].tolist() == [9, 7] for at in range(ids.shape[1] - 1, text.shape[1]))
    seen[name] = [
        model.generate(input_ids=ids, max_new_tokens=NEW, do_sample=False, use_cache=cache).tolist() == text.tolist()
        for cache in (True, False)
    ]
    print(f"{name:<14}  like forward passes over the whole text: with a cache {seen[name][0]}, without {seen[name][1]}")
sys.exit(seen != {"plain LoRA": [True, True], "activated LoRA": [True, False]})
PY
CUDA_VISIBLE_DEVICES= "$room/venv/bin/python" "$room/look.py" 2>/dev/null
