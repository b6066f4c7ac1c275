#!/usr/bin/env bash
# `generate` takes a model that drafts (`assistant_model=`) and, for drafts out of the prompt itself,
# `prompt_lookup_num_tokens=`. Given both, transformers drops the model without an error or a warning: it is never run, and
# what is timed as speculative decoding with that model is prompt lookup.
#
# Seen with transformers 5.24.0, torch 2.13.0, Python 3.11 (passes of the assistant, texts equal, warnings that name it):
#   assistant alone           11 True 0
#   with prompt lookup        0 True 0
# Exit code 1 if that changes.
set -euo pipefail
room=$(mktemp -d)
trap 'rm -rf "$room"' EXIT
python3 -m venv "$room/env"
"$room/env/bin/pip" install -q transformers==5.24.0 torch==2.13.0
cat >"$room/draft.py" <<'PY'
import warnings

import torch
from transformers import LlamaConfig, LlamaForCausalLM

SHAPE = dict(
    vocab_size=64, hidden_size=32, intermediate_size=32, num_hidden_layers=1, num_attention_heads=2,
    num_key_value_heads=2, max_position_embeddings=256, bos_token_id=1, eos_token_id=2, pad_token_id=0,
)
torch.manual_seed(0)
model, assistant = (LlamaForCausalLM(LlamaConfig(**SHAPE)).eval() for _ in range(2))
passes = []
assistant.register_forward_pre_hook(lambda *_: passes.append(1))
ids = torch.arange(3, 13).repeat(3)[None]  # a prompt that repeats itself
asked = dict(attention_mask=torch.ones_like(ids), max_new_tokens=12, do_sample=False)
alone = model.generate(ids, **asked)
for name, more in (("assistant alone", {}), ("with prompt lookup", {"prompt_lookup_num_tokens": 5})):
    passes.clear()
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        found = model.generate(ids, assistant_model=assistant, **more, **asked)
    named = sum("assistant" in str(one.message) or "lookup" in str(one.message) for one in told)
    print(f"{name:24}", len(passes), torch.equal(found, alone), named)
PY
HF_HUB_OFFLINE=1 "$room/env/bin/python" "$room/draft.py" 2>/dev/null | tee "$room/seen"
diff <(sed -E 's/ +/ /g' "$room/seen") - <<'SEEN'
assistant alone 11 True 0
with prompt lookup 0 True 0
SEEN
