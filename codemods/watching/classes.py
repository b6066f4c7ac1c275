"""Whether a class is certainly transformers' own AutoModelForCausalLM, so that a watched load need not name it."""

from __future__ import annotations

import re
import sys

import libcst as cst

from codemods.doubts.outside import puts_by_name
from codemods.facts.changed_elsewhere import patched
from codemods.script.around import texts_around
from codemods.script.closures import stars_of
from codemods.script.definitions import local_name, module_of
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
        or any(_may_bring(script, star, bound.owns, root) for star in bound.stars)
        or script.stores_of(root, script.module)
        or _puts_another(script, "AutoModelForCausalLM")
    )


class _Bound(Looking):
    """Whether a module may bind a name to something else than transformers, or what that has under it."""

    def __init__(self, name: str) -> None:
        self._name = name
        self.otherwise = False
        self.stars: list[cst.ImportFrom] = []
        self.owns: list[cst.ImportFrom] = []

    def visit_ImportFrom(self, node: cst.ImportFrom) -> bool:
        module = "" if node.module is None or node.relative else dotted(node.module)
        if isinstance(node.names, cst.ImportStar):
            root = (module or "").partition(".")[0]
            if root not in (*sys.stdlib_module_names, "transformers", "torch"):
                self.stars.append(node)
            return False
        for alias in node.names:
            own = module == "transformers" and dotted(alias.name) == self._name
            self.otherwise |= local_name(alias) == self._name and not own
            self.owns += [node] if own else []
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


def _may_bring(script: Script, star: cst.ImportFrom, owns: list[cst.ImportFrom], name: str) -> bool:
    """Whether a star import may put another thing under a name: it takes one so called, or is not seen."""
    at = script.span(star).start
    if any(at < script.span(line).start for line in _lines(script, owns)):
        return False  # the name is imported anew behind it
    seen = script.others.modules(script.path, module_of(star))
    return not seen or name in {one for one, _ in stars_of(script, star)}


def _lines(script: Script, owns: list[cst.ImportFrom]) -> list[cst.SimpleStatementLine]:
    return [
        line
        for line in script.module.body
        if isinstance(line, cst.SimpleStatementLine) and any(part in owns for part in line.body)
    ]


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
