"""What other files of a run change of what a script loads, and names that a star import binds anew."""

from __future__ import annotations

import builtins
import re
from collections.abc import Iterator
from pathlib import Path

import libcst as cst

from codemods.facts.load_targets import target_of
from codemods.facts.purposes import trains
from codemods.script.closures import closure_text, imports_of, stars_of
from codemods.script.handing import imported_modules
from codemods.script.looking import Looking
from codemods.script.model_uses import Calls, reaches
from codemods.script.script import Script
from lint_rules._flow.values.events import ModelLoad, TokenizerLoad
from lint_rules._flow.values.syntax import dotted

_Load = ModelLoad | TokenizerLoad
# What a tokenizer puts around a text.
_AROUND = re.compile(
    r"\.(add_bos_token|add_eos_token|post_processor)\s*=(?!=)|[\"'](add_bos_token|add_eos_token|post_processor)[\"']"
)
_BY_NAME = re.compile(r"setattr\(|__dict__|vars\(")
# What a model generates by; pad tokens and settings that are taken back reach no guarded call either way.
_CONFIGS = re.compile(
    r"\.generation_config\.(?!pad_token_id\b)\w+\s*=(?!=)\s*(?!None\b)|\.generation_config\s*=(?!=)"
    r"|\.generation_config\.update\(|^\s*\w+\s*=\s*[\w.]+\.generation_config\s*$|setattr\([^\n]*generation_config",
    re.MULTILINE,
)
# Methods of the library that a guarded call is made of, or goes past.
_ENTRIES = "from_pretrained|generate|_sample|_beam_search|__call__|encode|encode_plus|tokenize|decode|batch_decode"
_PATCHES = re.compile(
    rf"(?<!\bself)(?<!\bcls)\.({_ENTRIES})\s*=(?!=)|setattr\([^\n]*[\"']({_ENTRIES})[\"']"
)


def changed_elsewhere(
    script: Script, nodes: frozenset[cst.CSTNode]
) -> Iterator[tuple[cst.CSTNode, str]]:
    """What of a script's models and tokenizers another file changes, or may put another thing for.

    Args:
        script: The script.
        nodes: The loads.

    Yields:
        A load that cannot be the loader's, and the reason.
    """
    kinds: tuple[type[_Load], ...] = (ModelLoad, TokenizerLoad)
    loads: list[_Load] = [
        load for kind in kinds for load in script.flow.events(kind) if load.node in nodes
    ]
    if not loads:
        return
    anew = script.once(_bound_anew)
    if anew is not None:
        yield loads[0].node, anew
    patched = script.once(_patched)
    if patched is not None:
        yield loads[0].node, patched
    why = None if trains(script) else script.once(_set_elsewhere)
    if why is not None:
        yield loads[0].node, why
    for load in loads:
        name = script.once(_others_chosen).get(load.node)
        if name is not None:
            yield load.node, name


def _bound_anew(script: Script) -> str | None:
    """Why a name may be another thing than the script's own lines say: a star import behind them brings one."""
    stars = script.look(_Stars)
    first: dict[str, int] = {}
    for at, name in sorted((script.span(node).start, name) for node, name in stars.imported):
        first.setdefault(name, at)
    for star in stars.found:
        line, at = script.line_of(star), script.span(star).start
        for name, own in stars_of(script, star):
            uses = script.uses(name, None)
            if not uses or (own is not None and own == stars.origins.get(name)):
                continue
            stored = [use.offset for use in script.stores_of(name, None) if use.offset < at]
            if (name in first and first[name] < at) or stored or hasattr(builtins, name):
                return f"line {line} takes everything out of a file, and its `{name}` with it"
        for name, _ in stars_of(script, star):
            first.setdefault(name, at)
    return None


class _Stars(Looking):
    """The star imports of a script, and what else it imports or defines by name.

    Attributes:
        found: The star imports.
        imported: Imports and definitions, with the names.
        origins: For names that come from a library, what they are there.
    """

    def __init__(self) -> None:
        self.found: list[cst.ImportFrom] = []
        self.imported: list[tuple[cst.CSTNode, str]] = []
        self.origins: dict[str, str] = {}

    def visit_ImportFrom(self, node: cst.ImportFrom) -> None:
        if isinstance(node.names, cst.ImportStar):
            self.found.append(node)
            return
        module = "" if node.module is None or node.relative else dotted(node.module) or ""
        for alias in node.names:
            renamed = None if alias.asname is None else alias.asname.name
            name = dotted(alias.name) or ""
            local = renamed.value if isinstance(renamed, cst.Name) else name
            self.imported.append((node, local))
            self.origins[local] = f"{module.partition('.')[0]}.{name}"

    def visit_FunctionDef(self, node: cst.FunctionDef) -> bool:
        self.imported.append((node, node.name.value))
        return False

    def visit_ClassDef(self, node: cst.ClassDef) -> bool:
        self.imported.append((node, node.name.value))
        return False


def _near(script: Script) -> list[Path]:
    """The files that a script imports, those that import it, and what these import."""
    others = script.others
    found = {
        path for name in imports_of(script).modules for path in others.modules(script.path, name)
    }
    if others.serves(script.path):
        for path in others.importers(script.path):
            found.add(path)
            named = imported_modules(others.text(path))
            found.update(one for name in named for one in others.modules(path, name))
    return sorted(found - {script.path, script.path.absolute()})


def _texts(script: Script) -> list[tuple[str, str]]:
    return [(path.name, script.others.text(path)) for path in script.once(_near)]


def _patched(script: Script) -> str | None:
    """Why the library may not do what it does by itself."""
    own = ("it", script.source.text)
    for name, text in (own, *script.once(_texts)):
        found = _PATCHES.search(text)
        if found is not None:
            return f"{name} puts something of its own for `{found[1] or found[2]}`"
    return None


def _set_elsewhere(script: Script) -> str | None:
    """Why a model may generate, or a tokenizer encode, by what another file sets."""
    for name, text in script.once(_texts):
        if _CONFIGS.search(text):
            return f"{name} sets a `generation_config`, which the guard replaces"
        if _AROUND.search(text):
            return f"{name} sets what a tokenizer puts around a text"
    members = {local: (module, real) for local, module, real in imports_of(script).members}
    tokenizers = list(script.flow.events(TokenizerLoad))
    for call in script.look(Calls, None).found if members and tokenizers else ():
        found = members.get((dotted(call.func) or "").partition(".")[0])
        if found is None or not any(_gives(script, one, call) for one in tokenizers):
            continue
        does = closure_text(script.others, script.path, *found)
        if does is not None and (_AROUND.search(does) or _BY_NAME.search(does)):
            return f"`{script.code(call.func)}` may set what the tokenizer puts around a text"
    return None


def _gives(script: Script, tokenizer: TokenizerLoad, call: cst.Call) -> bool:
    return any(reaches(script, tokenizer, one.value) for one in call.args)


def _others_chosen(script: Script) -> dict[cst.CSTNode, str]:
    """Loads whose class, or whose result, another file may put another thing for."""
    found: dict[cst.CSTNode, str] = {}
    if not script.others.serves(script.path):
        return found
    stem = re.escape(script.others.stem(script.path))
    texts = script.once(_texts)
    kinds: tuple[type[_Load], ...] = (ModelLoad, TokenizerLoad)
    for kind in kinds:
        for load in script.flow.events(kind):
            owner = load.node.func.value if isinstance(load.node.func, cst.Attribute) else None
            code = "" if owner is None else script.code(owner)
            own = not code.isidentifier() and not code.startswith("transformers.")
            held = isinstance(owner, cst.Name) and bool(script.stores_of(code, None))
            if (own or held) and _names_class(owner):
                found[load.node] = f"a file that uses this one may put another class for `{code}`"
            target = target_of(script, load)
            names = [rf"\b{stem}\.{re.escape(code)}"] if code.isidentifier() else []
            if target is not None and target.text.startswith("self."):
                names.append(rf"\b(?!self\b|cls\b)\w+\.{re.escape(target.text[5:])}")
            for pattern in names:
                for name, text in texts:
                    if re.search(rf"{pattern}\s*=(?!=)", text):
                        found[load.node] = f"{name} puts another thing for what is loaded here"
    return found


def _names_class(node: cst.BaseExpression | None) -> bool:
    return isinstance(node, (cst.Name, cst.Attribute, cst.Subscript))
