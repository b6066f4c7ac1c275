#!/usr/bin/env bash
# PEFT's learned prompts (prefix tuning, prompt tuning, p-tuning) are put into a decoding loop by the name `past_key_values`.
# transformers 5.24 calls the cache `cache` there. With it, `generate` of a model with a prefix gives the text of the base without
# it, token for token, and one with a prompt of embeddings gets that prompt again before every new token. A forward pass
# over the whole text is right in both releases, so scores and texts of one adapter no longer belong together. Nothing is raised; a
# FutureWarning of two names, one of which is ignored, is all that is said for a prefix, and nothing for a prompt.
#
# Seen with peft 0.21.2, torch 2.13.0 (CPU), Python 3.11, a random Llama of two layers; "scored" is greedy, by forward passes
# over the whole text; tokens in the cache are those behind 5 prompt tokens, 6 new ones and 4 learned ones (14 are right):
#   transformers 5.23.0  prefix  generated like scored: True   like the base: False  in the cache: 14
#   transformers 5.23.0  prompt  generated like scored: True   like the base: False  in the cache: 14
#   transformers 5.24.0  prefix  generated like scored: False  like the base: True   in the cache: 10
#   transformers 5.24.0  prompt  generated like scored: False  like the base: False  in the cache: 34
# Exit code 1 if that changes.
set -euo pipefail
room=$(mktemp -d)
trap 'rm -rf "$room"' EXIT
cat > "$room/look.py" <<'PY'
import sys
import warnings

import peft
import torch
import transformers
from transformers import LlamaConfig, LlamaForCausalLM

warnings.simplefilter("ignore")
NEW, LEARNED = 6, 4
KINDS = {
    "prefix": peft.PrefixTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=LEARNED),
    "prompt": peft.PromptEncoderConfig(task_type="CAUSAL_LM", num_virtual_tokens=LEARNED, encoder_hidden_size=16),
}
ids = torch.tensor([[1, 5, 9, 7, 3]])


def base():
    torch.manual_seed(0)
    return LlamaForCausalLM(
        LlamaConfig(vocab_size=64, hidden_size=32, intermediate_size=64, num_hidden_layers=2,
                    num_attention_heads=4, num_key_value_heads=2, eos_token_id=None, bos_token_id=None,
                    initializer_range=0.2)
    ).eval()


@torch.no_grad()
def scored(model):
    text = ids
    for _ in range(NEW):
        last = model(input_ids=text, attention_mask=torch.ones_like(text)).logits[:, -1]
        text = torch.cat([text, last.argmax(-1, keepdim=True)], dim=1)
    return text[0, ids.shape[1]:].tolist()


seen = {}
for name, config in KINDS.items():
    plain = scored(base())
    torch.manual_seed(1)
    model = peft.get_peft_model(base(), config).eval()
    with torch.no_grad():
        for one in model.parameters():
            if one.requires_grad:
                one.normal_(0, 1.0)
    out = model.generate(input_ids=ids, attention_mask=torch.ones_like(ids), max_new_tokens=NEW, do_sample=False,
                         return_dict_in_generate=True)
    cache = out["cache"] if "cache" in out else out["past_key_values"]
    text = out.sequences[0, ids.shape[1]:].tolist()
    seen[name] = (text == scored(model), text == plain, cache.get_seq_length())
    print(f"transformers {transformers.__version__}  {name}  generated like scored: {seen[name][0]!s:<5}  "
          f"like the base: {seen[name][1]!s:<5}  in the cache: {seen[name][2]}")
right = {"prefix": (True, False, 14), "prompt": (True, False, 14)}
wrong = {"prefix": (False, True, 10), "prompt": (False, False, 34)}
sys.exit(seen != (right if transformers.__version__ == "5.23.0" else wrong))
PY
python3 -m venv "$room/venv"
for release in 5.23.0 5.24.0; do
  "$room/venv/bin/pip" install -q peft==0.21.2 transformers==$release torch==2.13.0
  CUDA_VISIBLE_DEVICES= "$room/venv/bin/python" "$room/look.py" 2>/dev/null
done
