"""Whether a class is certainly transformers' own AutoModelForCausalLM, so that a watched load need not name it."""

from __future__ import annotations

import re
import sys

import libcst as cst

from codemods.doubts.outside import puts_by_name
from codemods.facts.changed_elsewhere import patched, texts_around
from codemods.script.definitions import local_name
from codemods.script.looking import Looking
from codemods.script.script import Script
from lint_rules._flow.values.syntax import dotted


def is_automatic(script: Script, node: cst.BaseExpression) -> bool:
    """Whether a class is certainly transformers' own, so that it need not be named."""
    name = dotted(node) or ""
    if name not in ("AutoModelForCausalLM", "transformers.AutoModelForCausalLM"):
        return False
    root = name.partition(".")[0]
    bound = script.look(_Bound, root)
    return not (
        bound.otherwise
        or script.stores_of(root, script.module)
        or _puts_another(script, "AutoModelForCausalLM")
    )


class _Bound(Looking):
    """Whether a module may bind a name to something else than transformers, or what that has under it."""

    def __init__(self, name: str) -> None:
        self._name = name
        self.otherwise = False

    def visit_ImportFrom(self, node: cst.ImportFrom) -> bool:
        module = "" if node.module is None or node.relative else dotted(node.module)
        if isinstance(node.names, cst.ImportStar):
            root = (module or "").partition(".")[0]
            self.otherwise |= root not in (*sys.stdlib_module_names, "transformers", "torch")
            return False
        for alias in node.names:
            own = module == "transformers" and dotted(alias.name) == self._name
            self.otherwise |= local_name(alias) == self._name and not own
        return False

    def visit_Import(self, node: cst.Import) -> bool:
        for alias in node.names:
            if alias.asname is not None:
                self.otherwise |= local_name(alias) == self._name != dotted(alias.name)
        return False

    def visit_ClassDef(self, node: cst.ClassDef) -> None:
        self.otherwise |= node.name.value == self._name

    def visit_FunctionDef(self, node: cst.FunctionDef) -> None:
        self.otherwise |= node.name.value == self._name

    def visit_Param(self, node: cst.Param) -> None:
        self.otherwise |= node.name.value == self._name


def _puts_another(script: Script, name: str) -> bool:
    """Whether something may put another thing for a class of transformers: the library is patched, or a name is set."""
    aliases = re.findall(
        r"^\s*import\s+transformers\s+as\s+(\w+)", script.source.text, re.MULTILINE
    )
    library = "|".join(["transformers", "sys", "importlib", "module", "mod", "lib", *aliases])
    sets = re.compile(rf"\b{name}\s*=(?!=)|setattr\(\s*({library})\b[^,\n]*,\s*(?![\"'])")
    texts = [script.source.text, *(text for _, text in script.once(texts_around))]
    put = script.once(patched) or script.once(puts_by_name)
    return put is not None or any(map(sets.search, texts))
