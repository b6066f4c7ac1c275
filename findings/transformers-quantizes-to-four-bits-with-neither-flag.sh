#!/usr/bin/env bash
# A BitsAndBytesConfig that sets neither `load_in_8bit` nor `load_in_4bit` says nothing that its documentation calls quantization, and
# `is_quantizable()` answers False; a model that is loaded with it is quantized to 4 bits (fp4) all the same, whatever was false:
# `load_in_8bit=args.eight` without the option, or `load_in_4bit=bits == 4, load_in_8bit=bits == 8` for 16. The model's own config goes on to say that
# neither is set, and what it saves is refused by the next load, since the stored shapes are those of 4 bits and the config asks for none. Nothing is said.
#
# Seen with transformers 5.23.0 and 5.24.0, bitsandbytes 0.50.2, accelerate 1.15.0, torch 2.13.0 (CPU), Python 3.11, a random Llama:
#   no quantization_config                 Linear      torch.float32  is_quantizable -
#   BitsAndBytesConfig()                   Linear4bit  torch.uint8    is_quantizable False
#   BitsAndBytesConfig(load_in_8bit=False) Linear4bit  torch.uint8    is_quantizable False
#   BitsAndBytesConfig(load_in_4bit=False) Linear4bit  torch.uint8    is_quantizable False
#   saved and loaded again: RuntimeError
# Exit code 1 if that changes.
set -euo pipefail
room=$(mktemp -d)
trap 'rm -rf "$room"' EXIT
python3 -m venv "$room/venv"
"$room/venv/bin/pip" install -q transformers==5.24.0 bitsandbytes==0.50.2 accelerate==1.15.0 torch==2.13.0
cat > "$room/look.py" <<'PY'
import sys
import warnings

from transformers import AutoModelForCausalLM, BitsAndBytesConfig, LlamaConfig, LlamaForCausalLM

warnings.simplefilter("ignore")
room = sys.argv[1]
LlamaForCausalLM(
    LlamaConfig(vocab_size=64, hidden_size=64, intermediate_size=128, num_hidden_layers=1, num_attention_heads=2)
).save_pretrained(f"{room}/plain")
seen = []
for said in (None, {}, {"load_in_8bit": False}, {"load_in_4bit": False}):
    config = None if said is None else BitsAndBytesConfig(**said)
    model = AutoModelForCausalLM.from_pretrained(f"{room}/plain", quantization_config=config)
    layer = model.model.layers[0].self_attn.q_proj
    quantizable = "-" if config is None else config.is_quantizable()
    name = "no quantization_config" if said is None else f"BitsAndBytesConfig({', '.join(f'{k}={v}' for k, v in said.items())})"
    print(f"{name:38} {type(layer).__name__:11} {layer.weight.dtype}  is_quantizable {quantizable}")
    seen.append((type(layer).__name__, quantizable))
model.save_pretrained(f"{room}/saved")
try:
    AutoModelForCausalLM.from_pretrained(f"{room}/saved")
    again = "loaded"
except Exception as error:
    again = type(error).__name__
print("saved and loaded again:", again)
sys.exit(seen != [("Linear", "-"), *[("Linear4bit", False)] * 3] or again != "RuntimeError")
PY
CUDA_VISIBLE_DEVICES= "$room/venv/bin/python" "$room/look.py" "$room" 2>/dev/null
