#!/usr/bin/env bash
# lm-evaluation-harness keeps logits between requests (logits_cache, on unless told otherwise) under the ids of context
# and continuation together. Where two requests of one call are the same text split at two places, the shorter
# continuation gets the score of another token: logits are kept from the longer continuation's place on, and the
# shorter one reads them from their beginning. Nothing is said. Requests alone, and all with logits_cache=False, are right.
#
# Seen with lm_eval 0.4.13, transformers 5.23.0, torch 2.13.0 (CPU), Python 3.11, on a small model with random weights:
#   pairs           ("2 plus 2? Answer:", " 4")   ("2 plus 2?", " Answer: 4")
#   by hand         -17.045                       -107.52
#   one at a time   -17.045                       -107.52
#   in one call     -22.925                       -107.52
#   without cache   -17.045                       -107.52
# Exit code 1 if that changes.
set -euo pipefail
room=$(mktemp -d)
trap 'rm -rf "$room"' EXIT
python3 -m venv "$room/venv"
"$room/venv/bin/pip" install -q "lm_eval[hf]==0.4.13" transformers==5.23.0 torch==2.13.0
HF_HUB_OFFLINE=1 CUDA_VISIBLE_DEVICES= "$room/venv/bin/python" - <<'PY'
import sys
import torch
from lm_eval.api.instance import Instance
from lm_eval.models.huggingface import HFLM
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
backend = Tokenizer(models.BPE(vocab={c: i for i, c in enumerate(["<end>", *alphabet])}, merges=[]))
backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
backend.decoder = decoders.ByteLevel()
tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend, eos_token="<end>", pad_token="<end>")
torch.manual_seed(0)
model = LlamaForCausalLM(
    LlamaConfig(vocab_size=len(tokenizer), hidden_size=64, intermediate_size=128, num_hidden_layers=2,
                num_attention_heads=4, num_key_value_heads=4, initializer_range=0.5)
).eval()

# The same text, split at two places.
pairs = [("2 plus 2? Answer:", " 4"), ("2 plus 2?", " Answer: 4")]


def scores(requests, **options):
    harness = HFLM(pretrained=model, tokenizer=tokenizer, batch_size=2, logits_cache=options.get("cache", True))
    made = [Instance("loglikelihood", {}, pair, number) for number, pair in enumerate(requests)]
    return [round(score, 3) for score, _ in harness.loglikelihood(made, disable_tqdm=True)]


def by_hand(context, continuation):
    ids = torch.tensor([tokenizer(context + continuation)["input_ids"]])
    with torch.no_grad():
        logs = model(ids).logits[0].log_softmax(-1)
    size = len(tokenizer(continuation)["input_ids"])
    return round(sum(logs[at - 1, ids[0, at]].item() for at in range(ids.shape[1] - size, ids.shape[1])), 3)


right = [by_hand(*pair) for pair in pairs]
alone = [scores([pair])[0] for pair in pairs]
together = scores(pairs)
without = scores(pairs, cache=False)
print("by hand       ", right)
print("one at a time ", alone)
print("in one call   ", together)
print("without cache ", without)
close = lambda one, other: all(abs(a - b) < 0.01 for a, b in zip(one, other, strict=True))
if not (close(alone, right) and close(without, right)) or close(together, right):
    sys.exit("changed")
PY
