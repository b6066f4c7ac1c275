#!/usr/bin/env bash
# A tokenizer_config.json of a Llama tokenizer that does not name `legacy`, as those from before the summer of 2023 do
# not, is read as `"legacy": true` by the sentencepiece tokenizers of transformers 4 (with a warning), and as
# `"legacy": false` by transformers 5, without a word. What stands behind a special token in a text then gets other
# ids: without the blank that the old ones put there. A file that names `legacy` is read alike by both.
#
# Seen with transformers 4.57.3 and 5.24.0, sentencepiece 0.2.3, mistral-common 1.13.1 (for its tokenizer.model), Python 3.11:
#   '</s>USER: a'  legacy missing  4: ['</s>', '▁US', 'ER', ':', '▁a']  5: ['</s>', 'USER', ':', '▁a']
#                  legacy true     4: ['</s>', '▁US', 'ER', ':', '▁a']  5: the same
#                  legacy false    4: ['</s>', 'USER', ':', '▁a']       5: the same
# Exit code 1 if that changes.
set -euo pipefail
room=$(mktemp -d)
trap 'rm -rf "$room"' EXIT
python3 -m venv "$room/four"
python3 -m venv "$room/five"
"$room/four/bin/pip" install -q transformers==4.57.3 sentencepiece==0.2.3 protobuf mistral-common==1.13.1
"$room/five/bin/pip" install -q transformers==5.24.0 sentencepiece==0.2.3 protobuf mistral-common==1.13.1
cat >"$room/look.py" <<'PY'
import json, shutil, sys
from pathlib import Path

import mistral_common
from transformers import LlamaTokenizer

room = Path(sys.argv[1])
data = Path(mistral_common.__file__).parent / "data"
for name, legacy in (("missing", None), ("true", True), ("false", False)):
    folder = room / name
    folder.mkdir(exist_ok=True)
    shutil.copy(data / "tokenizer.model.v1", folder / "tokenizer.model")
    said = {"tokenizer_class": "LlamaTokenizer", "bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"}
    said |= {} if legacy is None else {"legacy": legacy}
    (folder / "tokenizer_config.json").write_text(json.dumps(said))
    tokenizer = LlamaTokenizer.from_pretrained(folder)
    ids = tokenizer("</s>USER: a", add_special_tokens=False)["input_ids"]
    print(name, json.dumps(tokenizer.convert_ids_to_tokens(ids), ensure_ascii=False))
PY
for release in four five; do
  HF_HUB_OFFLINE=1 PYTHONIOENCODING=utf-8 "$room/$release/bin/python" "$room/look.py" "$room" 2>/dev/null >"$room/$release.txt"
  sed "s/^/$release: /" "$room/$release.txt"
done
grep -q '^missing .*"▁US"' "$room/four.txt" && grep -q '^missing .*"USER"' "$room/five.txt" || exit 1
for release in four five; do
  grep -q '^true .*"▁US"' "$room/$release.txt" && grep -q '^false .*"USER"' "$room/$release.txt" || exit 1
done
