#!/usr/bin/env bash
# An activated LoRA (PEFT's alora_invocation_tokens) works behind certain tokens of the prompt. Only PeftModel's own forward and generate
# look for them. transformers attaches such an adapter as any LoRA, by AutoModelForCausalLM.from_pretrained(ADAPTER FOLDER) or by
# model.load_adapter, and from then on gives the base's numbers bit for bit, whatever the prompt holds. Nothing is said.
#
# Seen with peft 0.21.2, transformers 5.24.0, torch 2.13.0 (CPU), Python 3.11, a random Llama and a prompt that holds the tokens; the
# largest difference to the base's logits:
#   plain LoRA      PeftModel 0.598495   load_adapter 0.598495   AutoModel 0.598495
#   activated LoRA  PeftModel 0.497392   load_adapter 0.000000   AutoModel 0.000000
# Exit code 1 if that changes.
set -euo pipefail
room=$(mktemp -d)
trap 'rm -rf "$room"' EXIT
python3 -m venv "$room/venv"
"$room/venv/bin/pip" install -q peft==0.21.2 transformers==5.24.0 torch==2.13.0
cat > "$room/look.py" <<'PY'
import sys
import tempfile
import warnings

import peft
import torch
from transformers import AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM

warnings.simplefilter("ignore")
ids = torch.tensor([[5, 9, 7, 3, 4]])
torch.manual_seed(0)
first = LlamaForCausalLM(
    LlamaConfig(vocab_size=64, hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4,
                num_key_value_heads=2)
)
room = tempfile.mkdtemp()
first.save_pretrained(room)
seen = {}
for name, tokens in (("plain LoRA", None), ("activated LoRA", [9, 7])):
    config = peft.LoraConfig(target_modules=["q_proj", "v_proj"], alora_invocation_tokens=tokens, task_type="CAUSAL_LM")
    trained = peft.get_peft_model(LlamaForCausalLM.from_pretrained(room), config).eval()
    torch.manual_seed(1)
    with torch.no_grad():
        for one in trained.parameters():
            if one.requires_grad:
                one.normal_(0, 0.5)
        folder = tempfile.mkdtemp()
        trained.save_pretrained(folder)
        loaded = LlamaForCausalLM.from_pretrained(room).eval()
        loaded.load_adapter(folder)
        auto = AutoModelForCausalLM.from_pretrained(folder).eval()
        plain = LlamaForCausalLM.from_pretrained(room).eval()(ids).logits
        moved = [float((model(ids).logits - plain).abs().max()) for model in (trained, loaded, auto)]
    seen[name] = [one > 0 for one in moved]
    print(f"{name:<14}  PeftModel {moved[0]:.6f}   load_adapter {moved[1]:.6f}   AutoModel {moved[2]:.6f}")
sys.exit(seen != {"plain LoRA": [True, True, True], "activated LoRA": [True, False, False]})
PY
CUDA_VISIBLE_DEVICES= HF_HUB_OFFLINE=1 "$room/venv/bin/python" "$room/look.py" 2>/dev/null
