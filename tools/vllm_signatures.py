"""Reads from vLLM's wheel, without installing it, the names that guard/vllm_engine.py relies on.

    pip download vllm --no-deps -d DIR
    python tools/vllm_signatures.py DIR/vllm-*.whl > tests/guard/vllm_signatures.json

The stand-in for vLLM in the tests takes what these tables allow and nothing else.
"""

from __future__ import annotations

import ast
import json
import sys
import zipfile
from pathlib import Path

_CALLS = {
    "LLM.__init__": ("vllm/entrypoints/llm.py", "LLM", "__init__"),
    "LLM.generate": ("vllm/entrypoints/llm.py", "LLM", "generate"),
}
_FIELDS = {
    "EngineArgs": ("vllm/engine/arg_utils.py", "EngineArgs"),
    "SamplingParams": ("vllm/sampling_params.py", "SamplingParams"),
    "TokensPrompt": ("vllm/inputs/llm.py", "TokensPrompt"),
    "CompletionOutput": ("vllm/outputs.py", "CompletionOutput"),
}


def tables(wheel: Path) -> dict[str, object]:
    """Parameter and field names by class, with the version and what the package exports."""
    with zipfile.ZipFile(wheel) as archive:

        def tree(name: str) -> ast.Module:
            return ast.parse(archive.read(name))

        found: dict[str, object] = {"version": wheel.name.split("-")[1]}
        for title, (path, owner, name) in _CALLS.items():
            found[title] = _parameters(_method(_class(tree(path), owner), name))
        for title, (path, owner) in _FIELDS.items():
            found[title] = [
                node.target.id
                for node in _class(tree(path), owner).body
                if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)
            ]
        output = _method(_class(tree("vllm/outputs.py"), "RequestOutput"), "__init__")
        found["RequestOutput"] = _parameters(output)
        exports = next(
            node.value
            for node in tree("vllm/__init__.py").body
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "MODULE_ATTRS"
        )
        found["vllm"] = sorted(ast.literal_eval(exports))
        return found


def _class(module: ast.Module, name: str) -> ast.ClassDef:
    return next(n for n in module.body if isinstance(n, ast.ClassDef) and n.name == name)


def _method(owner: ast.ClassDef, name: str) -> ast.FunctionDef:
    return next(n for n in owner.body if isinstance(n, ast.FunctionDef) and n.name == name)


def _parameters(function: ast.FunctionDef) -> list[str]:
    args = function.args
    return [one.arg for one in (*args.posonlyargs, *args.args, *args.kwonlyargs)][1:]


if __name__ == "__main__":
    print(json.dumps(tables(Path(sys.argv[1])), indent=1))
