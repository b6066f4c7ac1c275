#!/usr/bin/env bash
# A folder has no revisions, and every load of one takes any that it is asked for, without a word: model, config, tokenizer, generation config, and PEFT's
# adapter. Who follows a model through its training (`revision="step1000"`, `"step2000"`, … as Pythia, OLMo and their like are published) and has the
# repository in a folder, mirrored or cloned, gets the same weights at every step; nothing in the loaded model tells (`config._commit_hash` is None
# either way), and `name_or_path` is the folder.
#
# Seen with transformers 5.24.0, torch 2.13.0, peft 0.21.2, Python 3.11, a model and an adapter made here:
#   AutoModelForCausalLM step1      the folder's weights
#   AutoModelForCausalLM step143000 the folder's weights
#   AutoConfig           step1      loaded, commit None
#   GenerationConfig     step1      loaded
#   AutoTokenizer        step1      loaded
#   PeftModel            step1      the folder's adapter
# Exit code 1 if that changes.
set -euo pipefail
room=$(mktemp -d)
trap 'rm -rf "$room"' EXIT
python3 -m venv "$room/venv"
"$room/venv/bin/pip" install -q torch==2.13.0 transformers==5.24.0 peft==0.21.2 tokenizers==0.23.3
cat > "$room/look.py" <<'PY'
import sys
import warnings

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoTokenizer,
    GenerationConfig,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedTokenizerFast,
)

warnings.simplefilter("ignore")
folder, adapter = f"{sys.argv[1]}/model", f"{sys.argv[1]}/adapter"
torch.manual_seed(0)
sizes = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "vocab_size": 8}
plain = LlamaForCausalLM(LlamaConfig(**sizes))
plain.save_pretrained(folder)
words = Tokenizer(models.WordLevel({"<unk>": 0, "hello": 1}, unk_token="<unk>"))
words.pre_tokenizer = pre_tokenizers.Whitespace()
PreTrainedTokenizerFast(tokenizer_object=words, unk_token="<unk>").save_pretrained(folder)
seen = []


def show(kind, revision, what):
    print(f"{kind:20} {revision:10} {what}")
    seen.append(what)


weights = plain.state_dict()
for revision in ("step1", "step143000"):
    loaded = AutoModelForCausalLM.from_pretrained(folder, revision=revision).state_dict()
    same = all(torch.equal(loaded[name], weights[name]) for name in weights)
    show("AutoModelForCausalLM", revision, "the folder's weights" if same else "others")
config = AutoConfig.from_pretrained(folder, revision="step1")
show("AutoConfig", "step1", f"loaded, commit {getattr(config, '_commit_hash', None)}")
GenerationConfig.from_pretrained(folder, revision="step1")
show("GenerationConfig", "step1", "loaded")
AutoTokenizer.from_pretrained(folder, revision="step1")
show("AutoTokenizer", "step1", "loaded")
tuned = get_peft_model(plain, LoraConfig(target_modules=["q_proj"], init_lora_weights=False))
tuned.save_pretrained(adapter)
wanted = {name: value for name, value in tuned.state_dict().items() if "lora_" in name}
base = AutoModelForCausalLM.from_pretrained(folder)
found = PeftModel.from_pretrained(base, adapter, revision="step1").state_dict()
same = all(torch.equal(found[name], wanted[name]) for name in wanted)
show("PeftModel", "step1", "the folder's adapter" if same else "another")
sys.exit(seen != ["the folder's weights"] * 2 + ["loaded, commit None", "loaded", "loaded", "the folder's adapter"])
PY
HF_HUB_OFFLINE=1 "$room/venv/bin/python" "$room/look.py" "$room"
