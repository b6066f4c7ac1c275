"""Doubts about models that a script looks into, changes or traces: the guard has hooks and passes of its own there."""

from __future__ import annotations

import re
from collections.abc import Iterator

from codemods.script.script import Script

_HOOKED = re.compile(
    r"\bregister_(module_)?(full_)?(forward|backward)\w*hook\b|\bregister_forward_pre_hook\b"
    r"|\bprofiler\.|\bprofile\(|\bcProfile\b|\b(FlopCounterMode|TorchDispatchMode|TorchFunctionMode|TraceDict|fast_nethook|nethook|named_hooks)\b"
    r"|^\s*(from|import)\s+(baukit|nnsight|pyvene|captum|transformer_lens|torchinfo|thop|fvcore|ptflops|calflops|torchlens)\b",
    re.MULTILINE,
)
_CHANGED = re.compile(
    r"\.forward\s*=(?!=)|\.__class__\s*=(?!=)|setattr\([^,\n]+,\s*[\"']forward[\"']"
    r"|\.(layers|h|blocks|block)\[[^\]\n]+\](\.\w+)*\s*=(?!=)"
    r"|(?<!\bself)\.(self_attn|attn|attention|mlp|q_proj|k_proj|v_proj|o_proj|c_attn|c_proj|embed_tokens|wte|lm_head|norm|ln_f)\s*=(?!=)"
    r"|\bsetattr\(\s*\w*(parent|module|block|layer|model|mlp|attn|child|net|owner|mod)\w*\s*,|\.act(_fn)?\s*=(?!=)"
    r"|\.(add_module|set_submodule|set_input_embeddings|set_output_embeddings)\(|\bmock\.patch\b|\bmonkeypatch\."
    r"|\b(functional|F|modeling_\w+)\.\w+\s*=(?!=)|\b_modules\[[^\]\n]+\]\s*=(?!=)",
)
_TRACED = re.compile(
    r"\btorch\.compile\b|(?<!\bre)(?<!regex)(?<!pattern)\.compile\(|\btorch\.(export|jit|onnx|fx)\b|\bjit\.(trace|script)\b|\bonnx\b|\bsymbolic_trace\b"
    r"|\bmake_fx\b|\bFakeTensorMode\b|\bvmap\b|\bCUDAGraph\b|\bcuda\.graph\b|\btorch_tensorrt\b"
)
_IMPORTED = re.compile(r"^\s*import\s+(transformers\.[\w.]+)\s+as\s+(\w+)", re.MULTILINE)
_TAKEN = re.compile(
    r"^\s*from\s+transformers[\w.]*\s+import\s+(modeling_\w+)(\s+as\s+(\w+))?", re.MULTILINE
)
# A word of which each match has one: to look for words costs a hundredth.
_HOOKED_WORDS = (
    "hook", "profile", "Profile", "FlopCounterMode", "TorchDispatchMode", "TorchFunctionMode", "TraceDict",
    "baukit", "nnsight", "pyvene", "captum", "transformer_lens", "torchinfo", "thop", "fvcore", "ptflops",
    "calflops", "torchlens",
)  # fmt: skip
_TRACED_WORDS = (
    "compile", "torch.export", "jit", "onnx", "torch.fx", "symbolic_trace", "make_fx", "FakeTensorMode", "vmap",
    "CUDAGraph", "cuda.graph", "torch_tensorrt",
)  # fmt: skip
_WHY = (
    (_HOOKED, _HOOKED_WORDS, "what looks into a model meets the guard's own passes there"),
    (_CHANGED, ("",), "a model that is changed inside is no longer the one that the guard knows"),
    (_TRACED, _TRACED_WORDS, "a model that is compiled or traced meets the guard's looks there"),
)


def within(script: Script) -> str | None:
    """Why a script's models are not to be guarded: it, or a file that it imports or that imports it, reaches into them.

    Returns:
        The line or the file, and what would differ; None for nothing of the kind.
    """
    text = script.bare
    for module in _modules_of(text):
        found = re.search(rf"^\s*{re.escape(module)}\.\w+\s*=(?!=)", text, re.MULTILINE)
        if found is not None:
            line = script.row_in_text(found.end())
            return (
                f"line {line}: what is put into the library's modules meets the guard's own passes"
            )
    for found, why in _reaching(text):
        return f"line {script.row_in_text(found.start())}: {why}"
    for path in script.others.near(script.path):
        for _, why in _reaching(script.others.bare(path)):
            return f"{path.name}: {why}"
    return None


def _reaching(text: str) -> Iterator[tuple[re.Match[str], str]]:
    """What of a text reaches into models, with what would differ."""
    for pattern, words, why in _WHY:
        found = pattern.search(text) if any(word in text for word in words) else None
        if found is not None:
            yield found, why


def _modules_of(text: str) -> set[str]:
    """The names by which a script has modules of transformers, and what it may put something of its own into."""
    found = {one[2] for one in _IMPORTED.finditer(text) if one[2]}
    return found | {one[3] or one[1] for one in _TAKEN.finditer(text)}
