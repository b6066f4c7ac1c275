#!/usr/bin/env bash
# A model that `from_pretrained` or `.eval()` has put into evaluation mode gets layers in training mode from PEFT's `get_peft_model`: the
# base stays in evaluation mode, the new layers and the wrapper around it do not. `lora_dropout` is then drawn anew at each forward pass, so that
# greedy `generate` of one prompt gives several texts, and scores of one text differ, although the script never calls
# `.train()`. The same adapter saved and read back by `PeftModel.from_pretrained` is in evaluation mode. Nothing is said.
#
# Seen with peft 0.21.2, transformers 5.24.0, torch 2.13.0 (CPU), Python 3.11, a random Llama of two layers, lora_dropout=0.5:
#   base before: training False  base within: training False  lora_dropout: training True  wrapper: training True
#   greedy texts of one prompt in 20 calls: 20 different (get_peft_model), 1 (after .eval()), 1 (read back)
# Exit code 1 if that changes.
set -euo pipefail
room=$(mktemp -d)
trap 'rm -rf "$room"' EXIT
cat > "$room/look.py" <<'PY'
import sys
import warnings

import peft
import torch
from transformers import LlamaConfig, LlamaForCausalLM

warnings.simplefilter("ignore")
ids = torch.tensor([[1, 5, 9, 7, 3]])
room = sys.argv[1]


def base():
    torch.manual_seed(0)
    return LlamaForCausalLM(
        LlamaConfig(vocab_size=64, hidden_size=32, intermediate_size=64, num_hidden_layers=2,
                    num_attention_heads=4, num_key_value_heads=2, eos_token_id=None, bos_token_id=None,
                    initializer_range=0.2)
    ).eval()


def texts(model):
    found = set()
    for _ in range(20):
        out = model.generate(input_ids=ids, attention_mask=torch.ones_like(ids), max_new_tokens=8, do_sample=False)
        found.add(tuple(out[0].tolist()))
    return len(found)


plain = base()
before = plain.training
config = peft.LoraConfig(task_type="CAUSAL_LM", r=4, lora_dropout=0.5, target_modules=["q_proj", "v_proj"],
                         init_lora_weights=False)
model = peft.get_peft_model(plain, config)
layer = model.base_model.model.model.layers[0].self_attn.q_proj
modes = (before, layer.base_layer.training, layer.lora_dropout["default"].training, model.training)
print("base before: training {}  base within: training {}  lora_dropout: training {}  wrapper: training {}".format(*modes))
drawn = texts(model)
model.save_pretrained(f"{room}/adapter")
evaluated = texts(model.eval())
again = texts(peft.PeftModel.from_pretrained(base(), f"{room}/adapter"))
print(f"greedy texts of one prompt in 20 calls: {drawn} different (get_peft_model), {evaluated} (after .eval()), {again} (read back)")
sys.exit(not (modes == (False, False, True, True) and drawn > 1 and (evaluated, again) == (1, 1)))
PY
python3 -m venv "$room/venv"
"$room/venv/bin/pip" install -q peft==0.21.2 transformers==5.24.0 torch==2.13.0
CUDA_VISIBLE_DEVICES= "$room/venv/bin/python" "$room/look.py" "$room" 2>/dev/null
