#!/usr/bin/env bash
# `add_eos_token=True`, which fine-tuning scripts ask for so that a model learns to stop, takes BOS away: of a folder with a tokenizer.json whose post-processor
# puts BOS before every text, the rows end with EOS then, and no longer begin with BOS. By keyword and by attribute, for AutoTokenizer and every class, and where
# tokenizer_config.json says `add_bos_token: true` as well. Asking for `add_bos_token=True` in the same breath keeps it. The model is trained on rows without
# BOS, and prompted with one.
#
# Seen with transformers 5.24.0, tokenizers 0.23.3, Python 3.11, vocabularies made here (1 is <s>, 2 is </s>):
#   tokenizer_class          add_bos_token  as it is        add_eos_token   set afterwards  with add_bos_token
#   LlamaTokenizer           not said       [1, 3, 4, 5]    [3, 4, 5, 2]    [3, 4, 5, 2]    [1, 3, 4, 5, 2]
#   LlamaTokenizer           true           [1, 3, 4, 5]    [3, 4, 5, 2]    [3, 4, 5, 2]    [1, 3, 4, 5, 2]
#   PreTrainedTokenizerFast  not said       [1, 3, 4, 5]    [3, 4, 5, 2]    [3, 4, 5, 2]    [1, 3, 4, 5, 2]
#   PreTrainedTokenizerFast  true           [1, 3, 4, 5]    [3, 4, 5, 2]    [3, 4, 5, 2]    [1, 3, 4, 5, 2]
# Exit code 1 if that changes.
set -euo pipefail
room=$(mktemp -d)
trap 'rm -rf "$room"' EXIT
python3 -m venv "$room/venv"
"$room/venv/bin/pip" install -q transformers==5.24.0 tokenizers==0.23.3
cat > "$room/look.py" <<'PY'
import json
import sys
import warnings
from pathlib import Path

from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import AutoTokenizer

warnings.simplefilter("ignore")
room = Path(sys.argv[1])
backend = Tokenizer(models.BPE({"<unk>": 0, "<s>": 1, "</s>": 2, "▁": 3, "h": 4, "i": 5}, [], unk_token="<unk>"))
backend.add_special_tokens(["<unk>", "<s>", "</s>"])
backend.pre_tokenizer = pre_tokenizers.Metaspace()
backend.post_processor = processors.TemplateProcessing(
    single="<s> $A", pair="<s> $A <s> $B", special_tokens=[("<s>", 1)]
)
seen = []
for kind in ("LlamaTokenizer", "PreTrainedTokenizerFast"):
    for says in ({}, {"add_bos_token": True}):
        folder = room / f"{kind}{len(says)}"
        folder.mkdir()
        backend.save(str(folder / "tokenizer.json"))
        names = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"}
        (folder / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": kind, **names, **says}))
        later = AutoTokenizer.from_pretrained(folder)
        row = [later("hi").input_ids, AutoTokenizer.from_pretrained(folder, add_eos_token=True)("hi").input_ids]
        later.add_eos_token = True
        row.append(later("hi").input_ids)
        both = AutoTokenizer.from_pretrained(folder, add_eos_token=True, add_bos_token=True)
        row.append(both("hi").input_ids)
        print(f"{kind:24} {str(bool(says)):6}", *(f"{str(ids):16}" for ids in row))
        seen.append(row)
bare, ended, whole = [1, 3, 4, 5], [3, 4, 5, 2], [1, 3, 4, 5, 2]
sys.exit(seen != [[bare, ended, ended, whole]] * 4)
PY
HF_HUB_OFFLINE=1 "$room/venv/bin/python" "$room/look.py" "$room"
