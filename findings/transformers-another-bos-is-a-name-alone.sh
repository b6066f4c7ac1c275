#!/usr/bin/env bash
# A tokenizer that is told another BOS says that one from then on (`bos_token`, `bos_token_id`, `special_tokens_map`), and goes on to put the old one before
# every text: `tokenizer.bos_token = …`, `add_special_tokens({"bos_token": …})` and `from_pretrained(…, bos_token=…)` alike, and a copy that is saved and
# loaded does so too. Setting `add_bos_token` of a LlamaTokenizer to the True that it has is what puts the new one there. Training scripts of the Llama family name
# another BOS, train on rows that begin with the old one, and count or cut by an id that no row begins with.
#
# Seen with transformers 5.24.0, tokenizers 0.23.3, Python 3.11, vocabularies made here (1 is <s>, 2 is </s>):
#   TokenizersBackend: as made        [1, 3]                     bos_token_id 1
#   TokenizersBackend: bos_token set  [1, 3]                     bos_token_id 2
#   TokenizersBackend: saved, loaded  [1, 3]                     bos_token_id 2
#   LlamaTokenizer: as made           [1, 4, 5, 6, 7, 7, 8]      bos_token_id 1
#   LlamaTokenizer: special added     [1, 4, 5, 6, 7, 7, 8]      bos_token_id 2
#   LlamaTokenizer: saved, loaded     [1, 4, 5, 6, 7, 7, 8]      bos_token_id 2
#   LlamaTokenizer: asked in the load [1, 4, 5, 6, 7, 7, 8]      bos_token_id 2
#   LlamaTokenizer: True to True      [2, 4, 5, 6, 7, 7, 8]      bos_token_id 2
# Exit code 1 if that changes.
set -euo pipefail
room=$(mktemp -d)
trap 'rm -rf "$room"' EXIT
python3 -m venv "$room/venv"
"$room/venv/bin/pip" install -q transformers==5.24.0 tokenizers==0.23.3
cat > "$room/look.py" <<'PY'
import sys
import warnings

from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import AutoTokenizer, LlamaTokenizer, PreTrainedTokenizerFast

warnings.simplefilter("ignore")
room = sys.argv[1]
seen = []


def show(kind, what, tokenizer):
    ids = tokenizer("hello").input_ids
    print(f"{kind + ': ' + what:33} {str(ids):26} bos_token_id {tokenizer.bos_token_id}")
    seen.append((ids[0], tokenizer.bos_token_id))


words = Tokenizer(models.WordLevel({"<unk>": 0, "<s>": 1, "</s>": 2, "hello": 3}, unk_token="<unk>"))
words.pre_tokenizer = pre_tokenizers.Whitespace()
words.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
plain = PreTrainedTokenizerFast(tokenizer_object=words, bos_token="<s>", eos_token="</s>", unk_token="<unk>")
kind = type(plain).__name__
show(kind, "as made", plain)
plain.bos_token = "</s>"
show(kind, "bos_token set", plain)
plain.save_pretrained(f"{room}/plain")
show(kind, "saved, loaded", AutoTokenizer.from_pretrained(f"{room}/plain"))

pieces = {"<unk>": 0, "<s>": 1, "</s>": 2, "▁hello": 3, "▁": 4, "h": 5, "e": 6, "l": 7, "o": 8}
llama = LlamaTokenizer(vocab=pieces, merges=[], add_bos_token=True)
llama.save_pretrained(f"{room}/first")
show("LlamaTokenizer", "as made", llama)
llama.add_special_tokens({"bos_token": "</s>"})
show("LlamaTokenizer", "special added", llama)
llama.save_pretrained(f"{room}/llama")
show("LlamaTokenizer", "saved, loaded", AutoTokenizer.from_pretrained(f"{room}/llama"))
show("LlamaTokenizer", "asked in the load", AutoTokenizer.from_pretrained(f"{room}/first", bos_token="</s>"))
llama.add_bos_token = True
show("LlamaTokenizer", "True to True", llama)
sys.exit(seen != [(1, 1), (1, 2), (1, 2), (1, 1), (1, 2), (1, 2), (1, 2), (2, 2)])
PY
HF_HUB_OFFLINE=1 "$room/venv/bin/python" "$room/look.py" "$room"
