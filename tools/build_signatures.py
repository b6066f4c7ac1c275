"""Builds lint_rules/_questions/signatures.json from installed versions of the libraries.

Usage: python tools/build_signatures.py SITE_PACKAGES… — one folder for each set of installed versions;
`FIRST:SECOND` looks in the second for the libraries that the first lacks.
The sources are read with `ast`; nothing is imported, so torch need not be there.
"""

from __future__ import annotations

import ast
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

OUTPUT = Path(__file__).parents[1] / "lint_rules" / "_questions" / "signatures.json"
# Classes and functions by library; a star takes every class whose name ends so.
WANTED: dict[str, tuple[str, ...]] = {
    "transformers": (
        "TrainingArguments",
        "Seq2SeqTrainingArguments",
        "Trainer",
        "Seq2SeqTrainer",
        "GenerationConfig",
        "BitsAndBytesConfig",
        "DataCollatorForLanguageModeling",
        "DataCollatorForSeq2Seq",
        "DataCollatorWithPadding",
        "set_seed",
    ),
    "trl": ("*Config", "*Trainer", "clone_chat_template", "setup_chat_format"),
    "peft": ("LoraConfig", "PromptTuningConfig", "PrefixTuningConfig", "IA3Config", "AdaLoraConfig",
             "get_peft_model", "prepare_model_for_kbit_training"),
    "bitsandbytes": ("Linear4bit", "Linear8bitLt", "AdamW8bit", "PagedAdamW8bit", "PagedAdamW32bit", "Adam8bit"),
}  # fmt: skip
# Methods that pass keywords on: only their known keywords are kept, to tell slips of the pen.
METHODS = {
    "model.from_pretrained": ("transformers/modeling_utils.py", "from_pretrained"),
    "tokenizer.from_pretrained": ("transformers/tokenization_utils_base.py", "from_pretrained"),
    "tokenizer.__call__": ("transformers/tokenization_utils_base.py", "__call__"),
    "tokenizer.apply_chat_template": (
        "transformers/tokenization_utils_base.py",
        "apply_chat_template",
    ),
}


class Index:
    """The classes and functions of installed libraries by name."""

    def __init__(self, folders: dict[str, Path]) -> None:
        self.classes: dict[str, dict[str, ast.ClassDef]] = {}
        self.functions: dict[str, dict[str, ast.FunctionDef]] = {}
        for library in WANTED:
            self.classes[library], self.functions[library] = {}, {}
            folder = folders[library] / library
            # Experimental copies and shims only where nothing else has the name.
            for path in sorted(
                folder.rglob("*.py"), key=lambda path: ("experimental" in path.parts, path)
            ):
                if library == "transformers" and "models" in path.parts:
                    continue
                for node in ast.parse(path.read_text(encoding="utf-8")).body:
                    if isinstance(node, ast.ClassDef):
                        self.classes[library].setdefault(node.name, node)
                    elif isinstance(node, ast.FunctionDef):
                        self.functions[library].setdefault(node.name, node)

    def find(self, library: str, name: str) -> tuple[str, ast.ClassDef] | None:
        """A class by its name, in its own library first."""
        for place in (library, *WANTED):
            if name in self.classes[place]:
                return place, self.classes[place][name]
        return None

    def signature(self, library: str, node: ast.ClassDef) -> tuple[list[str], bool]:
        """The keywords of a class, and whether it takes others."""
        initializer = next(
            (item for item in node.body if isinstance(item, ast.FunctionDef) and item.name == "__init__"),
            None,
        )  # fmt: skip
        if initializer is not None:
            names, is_open = parameters(initializer)
            if is_open:
                names += [name for name in popped(initializer) if name not in names]
            if is_open and passes_on(initializer):
                below = self._bases(library, node)
                return [*names, *(name for name in below[0] if name not in names)], below[1]
            return names, is_open and node.name != "BitsAndBytesConfig"
        own = [
            item.target.id
            for item in node.body
            if isinstance(item, ast.AnnAssign)
            and isinstance(item.target, ast.Name)
            and "ClassVar" not in ast.dump(item.annotation)
            and "init=False" not in ast.unparse(item)
        ]
        below, is_open = self._bases(library, node)
        return list(dict.fromkeys([*below, *own])), is_open

    def _bases(self, library: str, node: ast.ClassDef) -> tuple[list[str], bool]:
        names: list[str] = []
        is_open = False
        for base in node.bases:
            text = ast.unparse(base).rsplit(".", 1)[-1]
            found = self.find(library, text)
            if found is not None:
                below, opened = self.signature(*found)
                names += [name for name in below if name not in names]
                is_open = is_open or opened
            elif text not in ("ABC", "object", "PushToHubMixin", "Generic"):
                is_open = True
        return names, is_open


def parameters(node: ast.FunctionDef) -> tuple[list[str], bool]:
    """The parameter names of a function, and whether it takes `**kwargs`."""
    arguments = node.args
    every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    names = [argument.arg for argument in every if argument.arg not in ("self", "cls")]
    return names, arguments.kwarg is not None


def passes_on(node: ast.FunctionDef) -> bool:
    """Whether `**kwargs` goes to super().__init__."""
    return any(
        isinstance(call, ast.Call) and "super().__init__" in ast.unparse(call.func)
        for call in ast.walk(node)
    )


def popped(node: ast.FunctionDef) -> Iterator[str]:
    """The names that a function takes out of its `**kwargs`."""
    for call in ast.walk(node):
        if (
            isinstance(call, ast.Call)
            and isinstance(call.func, ast.Attribute)
            and call.func.attr in ("pop", "get")
            and ast.unparse(call.func.value).endswith("kwargs")
            and call.args
            and isinstance(call.args[0], ast.Constant)
            and isinstance(call.args[0].value, str)
        ):
            yield call.args[0].value


def version(folder: Path, library: str) -> str:
    """The installed version of a library."""
    found = sorted(folder.glob(f"{library}-*.dist-info"))
    return found[0].name.removesuffix(".dist-info").split("-", 1)[1]


def build(given: str) -> dict[str, Any]:
    """The tables of one set of installed versions."""
    places = [Path(part) for part in given.split(":")]
    folders = {
        library: next(place for place in places if (place / library).is_dir()) for library in WANTED
    }
    index = Index(folders)
    tables: dict[str, Any] = {}
    for library, wanted in WANTED.items():
        table: dict[str, Any] = {}
        endings = tuple(name[1:] for name in wanted if name.startswith("*"))
        for name, node in index.classes[library].items():
            if name in wanted or (endings and name.endswith(endings) and not name.startswith("_")):
                names, is_open = index.signature(library, node)
                if names:
                    table[name] = {"keywords": sorted(names), "open": is_open}
        for name, function in index.functions[library].items():
            if name in wanted:
                names, is_open = parameters(function)
                table[name] = {"keywords": sorted(names), "open": is_open}
        if library == "transformers":
            table.update(methods(folders[library]))
        tables[library] = {version(folders[library], library): table}
    return tables


def methods(folder: Path) -> dict[str, Any]:
    """The known keywords of the methods that pass others on."""
    table: dict[str, Any] = {}
    for key, (file, name) in METHODS.items():
        path = folder / file
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef) and node.name == name:
                names = {*parameters(node)[0], *popped(node)}
                table[key] = {"keywords": sorted(names), "open": True}
    return table


def main(folders: list[str]) -> None:
    """Merges the tables of all folders and writes them."""
    merged: dict[str, dict[str, Any]] = {library: {} for library in WANTED}
    for folder in folders:
        for library, tables in build(folder).items():
            for number, table in tables.items():
                merged[library].setdefault(number, table)
    text = json.dumps(merged, indent=None, separators=(",", ":"), sort_keys=True)
    OUTPUT.write_text(text.replace('},"', '},\n"') + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
