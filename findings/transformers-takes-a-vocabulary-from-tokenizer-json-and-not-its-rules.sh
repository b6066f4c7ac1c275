#!/usr/bin/env bash
# AutoTokenizer takes the vocabulary out of a folder's tokenizer.json and builds normaliser, pre-tokenizer and decoder anew by
# the rules of a class: that of config.json's model_type, or the one that tokenizer_config.json names, even where that is
# PreTrainedTokenizerFast. What the file says is dropped without a word: a file that lowercases gives other ids by tokenizers
# itself, by a server or a browser that reads it, and by PreTrainedTokenizerFast.from_pretrained.
#
# Seen with transformers 5.23.0, tokenizers 0.23.2, Python 3.11; what "The Cat 2024" is after encode and decode, in a folder
# whose config.json says model_type qwen2:
#   tokenizers, tokenizer.json                    the cat 2024
#   PreTrainedTokenizerFast.from_pretrained       the cat 2024
#   AutoTokenizer, PreTrainedTokenizerFast        The Cat 2024
#   AutoTokenizer, Qwen2Tokenizer                 The Cat 2024
#   AutoTokenizer, GPT2Tokenizer                  The Cat 2024
#   AutoTokenizer, no tokenizer_class             The Cat 2024
# Exit code 1 if that changes.
set -euo pipefail
room=$(mktemp -d)
trap 'rm -rf "$room"' EXIT
python3 -m venv "$room/venv"
"$room/venv/bin/pip" install -q transformers==5.23.0 tokenizers==0.23.2
HF_HUB_OFFLINE=1 "$room/venv/bin/python" - "$room" 2>/dev/null <<'PY'
import json
import sys
from pathlib import Path

from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers
from transformers import AutoTokenizer, PreTrainedTokenizerFast

text = "The Cat 2024"
alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
backend = Tokenizer(models.BPE(vocab={c: i for i, c in enumerate([*alphabet, "<end>"])}, merges=[]))
backend.normalizer = normalizers.Lowercase()
backend.pre_tokenizer = pre_tokenizers.Sequence(
    [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
)
backend.decoder = decoders.ByteLevel()
folder = Path(sys.argv[1]) / "model"
folder.mkdir()
backend.save(str(folder / "tokenizer.json"))
(folder / "config.json").write_text(json.dumps({"model_type": "qwen2"}))


def read(kind):
    settings = {"eos_token": "<end>"} | ({"tokenizer_class": kind} if kind else {})
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    return AutoTokenizer.from_pretrained(folder)


own = Tokenizer.from_file(str(folder / "tokenizer.json")).encode(text).ids
found = {"PreTrainedTokenizerFast.from_pretrained": PreTrainedTokenizerFast.from_pretrained(folder)(text)["input_ids"]}
for kind in ("PreTrainedTokenizerFast", "Qwen2Tokenizer", "GPT2Tokenizer", ""):
    found[f"AutoTokenizer, {kind or 'no tokenizer_class'}"] = read(kind)(text)["input_ids"]
print("tokenizers, tokenizer.json", backend.decode(own))
for name, ids in found.items():
    print(name, backend.decode(ids))
if [ids == own for ids in found.values()] != [True, False, False, False, False]:
    sys.exit("changed")
PY
