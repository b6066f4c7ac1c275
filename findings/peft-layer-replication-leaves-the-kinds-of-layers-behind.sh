#!/usr/bin/env bash
# PEFT's LoRA with layer_replication makes a deeper model of a base by repeating its layers. It sets the config's
# num_hidden_layers to the new depth and leaves layer_types, which transformers has for every layer of a Qwen2 or Gemma, as
# it was: the config contradicts itself, and the first forward pass raises IndexError in transformers. A Llama, whose config has
# no kinds of layers, works. Nothing is said when the adapter is put on.
#
# Seen with peft 0.21.2, transformers 5.24.0, torch 2.13.0 (CPU), Python 3.11, 3 layers made 4 by [[0, 2], [1, 3]]:
#   LlamaForCausalLM    num_hidden_layers 4   kinds in the config 0   layers 4   forward: works
#   Qwen2ForCausalLM    num_hidden_layers 4   kinds in the config 3   layers 4   forward: IndexError
# Exit code 1 if that changes.
set -euo pipefail
room=$(mktemp -d)
trap 'rm -rf "$room"' EXIT
python3 -m venv "$room/venv"
"$room/venv/bin/pip" install -q peft==0.21.2 transformers==5.24.0 torch==2.13.0
CUDA_VISIBLE_DEVICES= "$room/venv/bin/python" - <<'PY' 2>/dev/null
import sys

import torch
from peft import LoraConfig, get_peft_model
from transformers import LlamaConfig, LlamaForCausalLM, Qwen2Config, Qwen2ForCausalLM

seen = {}
for kind, config in ((LlamaForCausalLM, LlamaConfig), (Qwen2ForCausalLM, Qwen2Config)):
    base = kind(
        config(vocab_size=50, hidden_size=16, intermediate_size=32, num_hidden_layers=3,
               num_attention_heads=2, num_key_value_heads=2)
    )
    lora = LoraConfig(task_type="CAUSAL_LM", layer_replication=[[0, 2], [1, 3]], target_modules=["q_proj"], r=2)
    model = get_peft_model(base, lora).eval()
    try:
        model(torch.tensor([[1, 2, 3]]))
        said = "works"
    except IndexError:
        said = "IndexError"
    kinds = len(getattr(model.config, "layer_types", None) or ())
    layers = len(model.base_model.model.model.layers)
    seen[kind.__name__] = (model.config.num_hidden_layers, kinds, layers, said)
    print(f"{kind.__name__:<18}  num_hidden_layers {seen[kind.__name__][0]}   kinds in the config {kinds}   "
          f"layers {layers}   forward: {said}")
expected = {"LlamaForCausalLM": (4, 0, 4, "works"), "Qwen2ForCausalLM": (4, 3, 4, "IndexError")}
sys.exit(seen != expected)
PY
