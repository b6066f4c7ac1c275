"""What other files of a run change of what a script loads, and names that a star import binds anew."""

from __future__ import annotations

import builtins
import re
from collections.abc import Iterator
from functools import partial

import libcst as cst

from codemods.facts.load_targets import target_of
from codemods.facts.purposes import trains
from codemods.script.around import texts_around, texts_run_with
from codemods.script.closures import closure_text, imports_of, made_elsewhere, stars_of
from codemods.script.definitions import Functions, local_name
from codemods.script.looking import Looking
from codemods.script.model_uses import Calls, holds, reaches
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
    r"\.generation_config\.(?!pad_token_id\b)\w+\s*=(?!=)(?!\s*None\b)|\.generation_config\s*=(?!=)"
    r"|\.generation_config\.update\(|^\s*\w+\s*=\s*[\w.]+\.generation_config\s*$|setattr\([^\n]*generation_config",
    re.MULTILINE,
)
# What is taken for transformers' own where it is imported by this name.
_LIBRARY = ("AutoTokenizer", "AutoModelForCausalLM", "GenerationConfig", "AutoConfig", "PeftModel")
_QUOTED = r"[\"'](Auto(Tokenizer|ModelForCausalLM)|\w+ForCausalLM|\w+Tokenizer(Fast)?|GenerationConfig)[\"']"
# What a file says that gives ids to models.
_GIVES = re.compile(r"\.generate(_watched)?\(|\.logits\b|\.loss\b")
_STEPS = 3
# Methods of the library that a guarded call is made of, or goes past.
_ENTRIES = "from_pretrained|generate|_sample|_beam_search|__call__|encode|encode_plus|tokenize|decode|batch_decode"
_PATCHES = re.compile(
    rf"(?<!\bself)(?<!\bcls)\.({_ENTRIES})\s*=(?!=)|setattr\([^\n]*[\"']({_ENTRIES})[\"']"
)
_SWAPS = re.compile(
    rf"(setattr|patch|vars|globals|__dict__|sys\.modules)[^\n]*{_QUOTED}"
    r"|patch\([\"'][\w.]+\.(Auto\w+|\w+ForCausalLM|\w+Tokenizer)[\"']"
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
    loads = [load for load in loads_of(script) if load.node in nodes]
    if not loads:
        return
    anew = None if script.others.alone else script.once(_bound_anew)
    if anew is not None:
        yield loads[0].node, anew
    for known in () if script.others.alone else _LIBRARY:
        if script.uses(known, None) and made_elsewhere(script, known):
            yield (
                loads[0].node,
                f"`{known}` comes from a file of the run that may make it another thing",
            )
    library = script.once(patched)
    if library is not None:
        yield loads[0].node, library
    if script.others.alone:
        return
    swapped = script.once(_sets_modules)
    if swapped is not None:
        yield loads[0].node, swapped
    why = None if trains(script) else script.once(_set_elsewhere)
    if why is not None:
        yield loads[0].node, why
    for load in loads:
        name = script.once(_others_chosen).get(load.node)
        if name is not None:
            yield load.node, name


def loads_of(script: Script) -> list[_Load]:
    """The loads of a script: models first, then tokenizers."""
    kinds: tuple[type[_Load], ...] = (ModelLoad, TokenizerLoad)
    return [load for kind in kinds for load in script.flow.events(kind)]


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
            local = local_name(alias)
            self.imported.append((node, local))
            self.origins[local] = f"{module.partition('.')[0]}.{dotted(alias.name) or ''}"

    def visit_FunctionDef(self, node: cst.FunctionDef) -> bool:
        self.imported.append((node, node.name.value))
        return False

    def visit_ClassDef(self, node: cst.ClassDef) -> bool:
        self.imported.append((node, node.name.value))
        return False


def patched(script: Script) -> str | None:
    """Why the library may not do what it does by itself."""
    every = [("it", script.source.text), *script.once(texts_run_with)]
    for name, text in every:
        if _SWAPS.search(text):
            return f"{name} puts something of its own for a class of the library"
    for name, text in every:
        found = _PATCHES.search(text)
        if found is not None:
            return f"{name} puts something of its own for `{found[1] or found[2]}`"
    return None


def _sets_modules(script: Script) -> str | None:
    """Why what other files do may not be what they say: the script puts something of its own into one."""
    taken = imports_of(script)
    members = {local for local, _, _ in taken.members}
    for node, name in script.look(_Attributes).found:
        made = isinstance(node.value, cst.Lambda) or (
            isinstance(node.value, cst.Name) and node.value.value in script.look(Functions).named
        )
        whole = name not in members or name[:1].isupper()  # a module, or a class
        if (whole or made) and (_is_of_run(script, name) or (made and _is_object(script, name))):
            return f"line {script.line_of(node)} puts something of its own into `{name}`, which another file makes"
    return None


def _is_object(script: Script, name: str) -> bool:
    """Whether a name is what something of a file of the run gives."""
    values = script.assigned_values(name, None)
    return any(isinstance(v, cst.Call) and _is_of_run(script, _innermost(v)) for v in values)


class _Attributes(Looking):
    """Where attributes are set, with the names that what they are set on begins with."""

    def __init__(self) -> None:
        self.found: list[tuple[cst.Assign, str]] = []

    def visit_Assign(self, node: cst.Assign) -> None:
        for one in node.targets:
            if isinstance(one.target, cst.Attribute) and isinstance(one.target.value, cst.Name):
                self.found.append((node, one.target.value.value))


def _set_elsewhere(script: Script) -> str | None:
    """Why a model may generate, or a tokenizer encode, by what another file sets."""
    for name, text in script.once(texts_around):
        if _CONFIGS.search(text):
            return f"{name} sets a `generation_config`, which the guard replaces"
        if _AROUND.search(text):
            return f"{name} sets what a tokenizer puts around a text"
    tokenizers = list(script.flow.events(TokenizerLoad))
    hidden = [call for call in script.look(Calls, None).found if _is_hidden(script, call)]
    beside = script.others.beside(script.path) if hidden else []
    if any(_AROUND.search(script.others.text(path)) for path in beside):
        for call in hidden:
            if any(_gives(script, one, call) for one in tokenizers):
                return f"`{script.code(call.func)}` may set what the tokenizer puts around a text"
    members = imports_of(script).by_name
    for call in script.look(Calls, None).found if members and tokenizers else ():
        found = members.get((dotted(call.func) or "").partition(".")[0])
        if found is None or not any(_gives(script, one, call) for one in tokenizers):
            continue
        does = closure_text(script.others, script.path, *found)
        if does is not None and (_AROUND.search(does) or _BY_NAME.search(does)):
            return f"`{script.code(call.func)}` may set what the tokenizer puts around a text"
    return None


def _base(call: cst.Call) -> cst.BaseExpression:
    """What the method that is called, or its attributes, are taken of."""
    base = call.func
    while isinstance(base, cst.Attribute):
        base = base.value
    return base


def _is_hidden(script: Script, call: cst.Call) -> bool:
    """Whether what is called comes out of a table or another call that a file of the run gives."""
    base = _base(call)
    return not isinstance(base, cst.Name) and _is_of_run(script, _innermost(base))


def _gives(script: Script, tokenizer: TokenizerLoad, call: cst.Call) -> bool:
    return any(reaches(script, tokenizer, one.value) for one in call.args)


def _others_chosen(script: Script) -> dict[cst.CSTNode, str]:
    """Loads whose class, or whose result, another file may put another thing for."""
    found: dict[cst.CSTNode, str] = {}
    if not script.others.serves(script.path):
        return found
    stem = re.escape(script.others.stem(script.path))
    texts = script.once(texts_around)
    for load in loads_of(script):
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


def hidden_calls(script: Script) -> Iterator[cst.Call]:
    """Calls that are given a model, of what a table, a loop or another call gives that comes from a file of the run."""
    gives = not script.others.alone and script.once(_others_give)
    models = list(script.flow.events(ModelLoad)) if gives else []
    looped = script.look(_Looped).found if models else {}
    for node in script.look(Calls, None).found if models else ():
        base = _base(node)
        named = isinstance(base, cst.Name)
        roots = looped.get(_innermost(base), set()) if named else {_innermost(base)}
        if any(map(partial(_is_of_run, script), roots)) and any(
            holds(script, model, arg.value) for model in models for arg in node.args
        ):
            yield node


def _innermost(node: cst.BaseExpression) -> str:
    """The name that an expression begins with."""
    while isinstance(node, (cst.Attribute, cst.Subscript, cst.Call)):
        node = node.func if isinstance(node, cst.Call) else node.value
    return node.value if isinstance(node, cst.Name) else ""


def _is_of_run(script: Script, name: str) -> bool:
    """Whether a name is imported from a file of the run, or imports one by a name that is made up."""
    if name in ("importlib", "__import__", "import_module"):
        return True
    return any(
        local == name and bool(script.others.modules(script.path, module))
        for local, module, _ in imports_of(script).found
    )


class _Looped(Looking):
    """The names that loops go through, with what the things that they go through begin with."""

    def __init__(self) -> None:
        self.found: dict[str, set[str]] = {}

    def visit_For(self, node: cst.For) -> None:
        self._tell(node.target, _innermost(node.iter))

    def visit_CompFor(self, node: cst.CompFor) -> None:
        self._tell(node.target, _innermost(node.iter))

    def _tell(self, target: cst.BaseExpression, over: str) -> None:
        if isinstance(target, cst.Name):
            self.found.setdefault(target.value, set()).add(over)
        elif isinstance(target, (cst.Tuple, cst.List)):
            for element in target.elements:
                self._tell(element.value, over)


def _others_give(script: Script) -> bool:
    """Whether a file that a script imports, or may import by a name that it makes up, gives ids to models."""
    others = script.others
    if "import_module" in script.source.text or "__import__" in script.source.text:
        return any(_GIVES.search(others.text(path)) for path in others.beside(script.path))
    seen, now = {script.path.absolute()}, [script.path.absolute()]
    for _ in range(_STEPS):
        now = [one for path in now for one in others.imported(path) if one not in seen]
        if any(_GIVES.search(others.text(path)) for path in now):
            return True
        seen.update(now)
    return False
