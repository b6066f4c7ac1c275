#!/usr/bin/env bash
# transformers makes a tokenizer of a sentencepiece file, tokenizer.model, that gives other ids than sentencepiece
# itself does with the same file: where two spaces follow each other, or a text begins with spaces. The merges are
# not ranked by the scores in the file (runs of spaces have the lowest there, and are merged first), and a text
# that begins with a space gets no dummy prefix. Nothing is said. No tokenizer.json is in the folder; the files are
# Mistral's own, v1 and v3 (Apache-2.0, from mistral-common).
#
# Seen with transformers 5.23.0, tokenizers 0.23.3, sentencepiece 0.2.3, mistral-common 1.13.1, Python 3.11, for v1 and v3:
#   'x  y'       sentencepiece ['▁x', '▁', '▁y']     transformers ['▁x', '▁▁', 'y']
#   '   spaces'  sentencepiece ['▁▁▁', '▁spaces']    transformers ['▁▁', '▁spaces']
#   'x y'        the same
# Exit code 1 if that changes.
set -euo pipefail
room=$(mktemp -d)
trap 'rm -rf "$room"' EXIT
python3 -m venv "$room/venv"
"$room/venv/bin/pip" install -q transformers==5.23.0 tokenizers==0.23.3 sentencepiece==0.2.3 protobuf mistral-common==1.13.1
HF_HUB_OFFLINE=1 "$room/venv/bin/python" - "$room" <<'PY'
import json, shutil, sys
from pathlib import Path

import mistral_common
import sentencepiece
from transformers import AutoTokenizer

room, data = Path(sys.argv[1]), Path(mistral_common.__file__).parent / "data"
settings = {"tokenizer_class": "LlamaTokenizer", "bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"}
changed = []
for version, file in (("v1", "tokenizer.model.v1"), ("v3", "mistral_instruct_tokenizer_240323.model.v3")):
    folder = room / version
    folder.mkdir()
    shutil.copy(data / file, folder / "tokenizer.model")
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    reader = sentencepiece.SentencePieceProcessor(model_file=str(folder / "tokenizer.model"))
    tokenizer = AutoTokenizer.from_pretrained(folder)
    for text, same in (("x  y", False), ("   spaces", False), ("x y", True)):
        theirs = reader.encode(text)
        ours = tokenizer(text, add_special_tokens=False)["input_ids"]
        print(version, repr(text), "sentencepiece", reader.id_to_piece(theirs), "transformers", reader.id_to_piece(ours))
        if (theirs == ours) is not same:
            changed.append((version, text))
sys.exit(f"changed: {changed}" if changed else 0)
PY
