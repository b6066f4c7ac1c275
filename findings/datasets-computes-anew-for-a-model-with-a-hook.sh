#!/usr/bin/env bash
# `map` of datasets looks for what it computed before under a hash of the function and of all that it reaches. A function
# that scores rows with a model finds its results again when the same weights are loaded once more. With a forward hook on
# the model (one that records activations, say) it does not: torch numbers hooks by a counter of the whole process, the
# number is the hook's key in the module, and the key goes into the hash. The same weights, hook and rows are computed
# anew for each load, and after every hook that anything else registered before.
#
# Seen with datasets 5.2.0, torch 2.13.0, dill 0.4.1, Python 3.11 (rows computed at the first and at the second load):
#   without a hook   4 0
#   with a hook      4 4
# Exit code 1 if that changes.
set -euo pipefail
room=$(mktemp -d)
trap 'rm -rf "$room"' EXIT
python3 -m venv "$room/env"
"$room/env/bin/pip" install -q datasets==5.2.0 torch==2.13.0 dill==0.4.1 numpy
cat >"$room/recorder.py" <<'PY'
def record(module, args, output):
    """What a recorder of activations does, without keeping them."""
PY
cat >"$room/score.py" <<'PY'
import sys
from pathlib import Path

import datasets
import torch

import recorder

hooked, cache = sys.argv[1] == "hook", sys.argv[2]
datasets.config.HF_DATASETS_CACHE = Path(cache)
Path(cache, "rows.jsonl").write_text('{"x": 1.0}\n{"x": 2.0}\n{"x": 3.0}\n{"x": 4.0}\n')
rows = datasets.load_dataset("json", data_files=f"{cache}/rows.jsonl", split="train", cache_dir=cache)


def load():
    torch.manual_seed(0)
    model = torch.nn.Linear(1, 1)
    if hooked:
        model.register_forward_hook(recorder.record)
    return model


for _ in range(2):
    log = Path(cache, "calls")
    log.write_text("")
    model = load()

    def score(row):
        with open(f"{cache}/calls", "a") as calls:
            calls.write("x")
        return {"score": model(torch.tensor([row["x"]])).item()}

    rows.map(score)
    print(len(log.read_text()), end=" ")
PY
export HF_HUB_OFFLINE=1
plain=$(mkdir "$room/a"; cd "$room"; "$room/env/bin/python" score.py plain "$room/a" 2>/dev/null)
hook=$(mkdir "$room/b"; cd "$room"; "$room/env/bin/python" score.py hook "$room/b" 2>/dev/null)
echo "without a hook   $plain"
echo "with a hook      $hook"
[[ $plain == "4 0 " && $hook == "4 4 " ]] || { echo changed; exit 1; }
