"""What other files do to a module by texts: through another name for it, in quotes, by a magic that runs it."""

from __future__ import annotations

import re

from codemods.others.handing import import_spans

# A name in quotes that stands alone; any other is made when it runs.
_LITERAL = r"\s*[\"'][^\"'\n]*[\"']\s*[,)]"
# What gives all of a file, or what only the run names.
_WHOLE = re.compile(
    r"\b(exec|execfile|run_path|run_module|getattr|vars)\(|\.__dict__\b|^\s*%(run|load)\b",
    re.MULTILINE,
)
_RUNS = re.compile(r"^\s*%(run|load)\b", re.MULTILINE)
_CONFIG = r"(quantization_config|generation_config)\s*=\s*([\w.]+\.)?$"
_READ = r"\.\w+\b(?!\s*(\(|[-+*/|%]?=(?!=)))"


def aliases(text: str, stem: str) -> list[str]:
    """The names by which a text has a module of this last name."""
    if stem not in text:
        return []
    named = rf"^\s*(?:from\s+\S+\s+)?import\s[^\n]*?\b{re.escape(stem)}\b(?:\s+as\s+(\w+))?"
    return [found[1] or stem for found in re.finditer(named, text, re.MULTILINE)]


def asks_by_name(text: str, stem: str, functions: str, attribute: str) -> bool:
    """Whether a text calls one of some functions with a module and a name that only the run knows.

    Args:
        text: The other file's.
        stem: The module's last name.
        functions: Their names, as a pattern: `getattr|vars`.
        attribute: What of the module gives any name as well: `__dict__`.
    """
    own = "|".join(map(re.escape, aliases(text, stem)))
    asks = own and re.compile(
        rf"\b({functions})\(\s*({own})\s*(\)|,(?!{_LITERAL}))|\b({own})\.{attribute}\b"
    )
    return bool(asks and asks.search(text))


def takes_by_text(text: str, stem: str, name: str) -> bool:
    """Whether a text takes a name by texts: `mock.patch("module.name")`, `%run module.py` beside the name, any name."""
    word = re.escape(stem)
    names = re.compile(
        rf"[\"'][^\"'\n]*\b{word}\.(py\b|{re.escape(name)}\b)"
        rf"|(import_module\(|__import__\(|run_module\(|modules\[)\s*[\"'][\w.]*\b{word}[\"']"
        rf"|^\s*%(run|load)\s[^\n]*\b{word}\b",
        re.MULTILINE,
    )
    if stem not in text or not names.search(text):
        return asks_by_name(text, stem, "getattr|vars|dir|setattr", "__dict__")
    return re.search(rf"\b{re.escape(name)}\b", text) is not None or bool(_WHOLE.search(text))


def runs_files(text: str) -> bool:
    """Whether a notebook's magic runs another file, which may use the notebook's names and make them anew."""
    return _RUNS.search(text) is not None


def only_reads(text: str, name: str) -> bool:
    """Whether a text that takes a config hands it to loads and generations, and asks for parts of it, alone."""
    spans = import_spans(text)
    uses = list(re.finditer(rf"\b{re.escape(name)}\b", text))
    for found in uses:
        line = text[text.rfind("\n", 0, found.start()) + 1 : found.start()]
        if any(start <= found.start() < end for start, end in spans) or re.search(_CONFIG, line):
            continue
        if re.match(_READ, text[found.end() : found.end() + 80]) is None:
            return False
    return bool(uses)  # else by a name that only the run knows
