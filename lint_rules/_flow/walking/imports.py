"""What import statements bind: symbols of libraries, values of other modules of the run."""

from __future__ import annotations

from lint_rules._flow.state.program import Program
from lint_rules._flow.values.joins import Symbol, Value
from lint_rules._flow.values.scopes import Env
from lint_rules._flow.values.syntax import dotted
from lint_rules._light import tree as cst


def bind_import(program: Program, node: cst.Import, env: Env) -> bool:
    """Binds the names of `import a.b as c`."""
    for alias in node.names:
        path = dotted(alias.name) or ""
        program.imported_roots.add(path.partition(".")[0])
        if alias.asname is not None and isinstance(alias.asname.name, cst.Name):
            env.put(alias.asname.name.value, program.imported(path))
        else:
            root = path.partition(".")[0]
            env.put(root, program.imported(path) if root == path else Symbol(root))
    return True


def bind_import_from(program: Program, node: cst.ImportFrom, env: Env) -> bool:
    """Binds the names of `from a import b as c`."""
    name = "" if node.module is None else dotted(node.module) or ""
    module = "." * len(node.relative) + name
    program.imported_roots.add(module.partition(".")[0])
    if isinstance(node.names, cst.ImportStar):
        program.star_imports.append(module)
        return True
    for alias in node.names:
        imported = dotted(alias.name) or ""
        program.imported_names.add(imported)
        renamed = alias.asname.name if alias.asname is not None else None
        local = renamed.value if isinstance(renamed, cst.Name) else imported
        joint = "" if module.endswith(".") or not module else "."
        env.put(local, program.imported(f"{module}{joint}{imported}"))
    return True


def star_imported(program: Program, name: str) -> Value | None:
    """A name that a `from module import *` brought in; of a library's, classes and factories only."""
    for module in program.star_imports:
        joint = "" if module.endswith(".") else "."
        found = program.imported(f"{module}{joint}{name}")
        if not isinstance(found, Symbol) or not found.name.startswith((module, ".")):
            return found
        if name[:1].isupper() or module.startswith(("transformers", "peft", "trl")):
            return Symbol(f"{module}.{name}")
    return None
