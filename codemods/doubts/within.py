"""Doubts about models that a script looks into, changes or traces: the guard has hooks and passes of its own there."""

from __future__ import annotations

import re

from codemods.script.script import Script

_HOOKED = re.compile(
    r"\bregister_(module_)?(full_)?(forward|backward)\w*hook\b|\bregister_forward_pre_hook\b"
    r"|\b(FlopCounterMode|TorchDispatchMode|TorchFunctionMode|TraceDict|fast_nethook|nethook|named_hooks)\b"
    r"|^\s*(from|import)\s+(baukit|nnsight|pyvene|captum|transformer_lens|torchinfo|thop|fvcore|ptflops|calflops|torchlens)\b",
    re.MULTILINE,
)
_CHANGED = re.compile(
    r"\.forward\s*=(?!=)|\.__class__\s*=(?!=)|setattr\([^,\n]+,\s*[\"']forward[\"']"
    r"|\.(layers|h|blocks|block)\[[^\]\n]+\](\.\w+)*\s*=(?!=)"
    r"|(?<!\bself)\.(self_attn|attn|attention|mlp|q_proj|k_proj|v_proj|o_proj|c_attn|c_proj|embed_tokens|wte|lm_head|norm|ln_f)\s*=(?!=)"
    r"|\b_modules\[[^\]\n]+\]\s*=(?!=)",
)
_TRACED = re.compile(
    r"\btorch\.compile\b|(?<!\bre)(?<!regex)(?<!pattern)\.compile\(|\btorch\.(export|jit|onnx|fx)\b|\bjit\.(trace|script)\b|\bonnx\b|\bsymbolic_trace\b"
    r"|\bmake_fx\b|\bFakeTensorMode\b|\bvmap\b|\bCUDAGraph\b|\bcuda\.graph\b|\btorch_tensorrt\b"
)
_WHY = (
    (_HOOKED, "what looks into a model meets the guard's own passes there"),
    (_CHANGED, "a model that is changed inside is no longer the one that the guard knows"),
    (_TRACED, "a model that is compiled or traced meets the guard's looks there"),
)


def within(script: Script) -> str | None:
    """Why a script's models are not to be guarded: it, or a file that it imports or that imports it, reaches into them.

    Returns:
        The line or the file, and what would differ; None for nothing of the kind.
    """
    text = script.source.text
    for pattern, why in _WHY:
        found = pattern.search(text)
        if found is not None:
            line = text.count("\n", 0, found.start()) + 1
            return f"line {line}: {why}"
    others = script.others
    near = [*others.imported(script.path)]
    near += others.importers(script.path) if others.serves(script.path) else []
    for path in near:
        for pattern, why in _WHY:
            if pattern.search(others.text(path)):
                return f"{path.name}: {why}"
    return None
