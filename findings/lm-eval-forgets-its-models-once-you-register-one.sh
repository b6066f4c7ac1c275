#!/usr/bin/env bash
# lm-evaluation-harness registers its own models (hf, vllm, dummy, …) at the first look-up, and only while nothing is
# registered. A program that registers a model of its own with register_model, as the documentation shows, and then asks
# for "hf" or any other of the harness' models by name is told that there is no such model: the harness only knows the
# one that was added. Importing lm_eval.models first gives all of them.
#
# Seen with lm_eval 0.4.13, torch 2.13.0 (CPU), Python 3.11:
#   nothing registered              dummy: DummyLM      hf: HFLM
#   one model registered before     dummy: ValueError   hf: ValueError   (Supported model names: mine)
#   the same, lm_eval.models first  dummy: DummyLM      hf: HFLM         mine: Mine
# Exit code 1 if that changes.
set -euo pipefail
room=$(mktemp -d)
trap 'rm -rf "$room"' EXIT
python3 -m venv "$room/venv"
"$room/venv/bin/pip" install -q "lm_eval[hf]==0.4.13" transformers==5.24.0 torch==2.13.0
cat > "$room/look.py" <<'PY'
import sys

if sys.argv[1] == "imported":
    import lm_eval.models
from lm_eval.api.model import LM
from lm_eval.api.registry import get_model, register_model

if sys.argv[1] != "nothing":

    @register_model("mine")
    class Mine(LM):
        def loglikelihood(self, requests):
            return []

        loglikelihood_rolling = generate_until = loglikelihood


found = []
for name in ("dummy", "hf", "mine"):
    try:
        found.append(f"{name}: {get_model(name).__name__}")
    except ValueError:
        found.append(f"{name}: ValueError")
print("  ".join(found))
PY
look() { HF_HUB_OFFLINE=1 CUDA_VISIBLE_DEVICES= "$room/venv/bin/python" "$room/look.py" "$1" 2>/dev/null | tail -1; }
nothing=$(look nothing) registered=$(look registered) imported=$(look imported)
printf 'nothing registered              %s\n' "$nothing"
printf 'one model registered before     %s\n' "$registered"
printf 'the same, lm_eval.models first  %s\n' "$imported"
[ "$nothing" = "dummy: DummyLM  hf: HFLM  mine: ValueError" ]
[ "$registered" = "dummy: ValueError  hf: ValueError  mine: Mine" ]
[ "$imported" = "dummy: DummyLM  hf: HFLM  mine: Mine" ]
