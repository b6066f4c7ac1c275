#!/usr/bin/env bash
# Dynamic quantization replaces layers by quantized ones and registers each layer's hooks on the new one again, but plainly:
# a pre-hook that was registered with `with_kwargs=True` is called without the keywords from then on. One that takes three
# arguments makes every call of the quantized model raise; one whose third argument has a default sees no keywords any
# more, in silence.
#
# Seen with torch 2.13.0, Python 3.11:
#   three arguments            TypeError: count() missing 1 required positional argument: 'kwargs'
#   a default, which it sees   before: {} after: None
# Exit code 1 if that changes.
set -euo pipefail
room=$(mktemp -d)
trap 'rm -rf "$room"' EXIT
python3 -m venv "$room/env"
"$room/env/bin/pip" install -q torch==2.13.0 numpy 2>/dev/null
cat >"$room/quantize.py" <<'PY'
import torch
from torch.ao.quantization import quantize_dynamic

torch.backends.quantized.engine = "qnnpack" if "qnnpack" in torch.backends.quantized.supported_engines else "fbgemm"
seen = []


def count(module, args, kwargs):
    return None


def tell(module, args, kwargs=None):
    seen.append(kwargs)


def quantized(hook):
    model = torch.nn.Sequential(torch.nn.Linear(2, 2))
    model[0].register_forward_pre_hook(hook, with_kwargs=True)
    model(torch.zeros(1, 2))
    return quantize_dynamic(model, {torch.nn.Linear})


try:
    quantized(count)(torch.zeros(1, 2))
    print("three arguments            called")
except TypeError as error:
    print(f"three arguments            TypeError: {error}")
quantized(tell)(torch.zeros(1, 2))
print(f"a default, which it sees   before: {seen[0]} after: {seen[1]}")
PY
found=$("$room/env/bin/python" "$room/quantize.py" 2>/dev/null)
echo "$found"
[[ $found == *"TypeError: count() missing 1 required positional argument: 'kwargs'"* && $found == *"before: {} after: None"* ]] || { echo changed; exit 1; }
