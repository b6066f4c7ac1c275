"""Configuration that is broken, odd, or of the wrong types."""

from __future__ import annotations

import os
import random
import tempfile
import time
from pathlib import Path

from benchmarks.fuzz.outcomes import Outcome
from cleanguard.errors import JobError
from cleanguard.files import SourceFile, discover
from cleanguard.settings.config import load_settings, selected
from cleanguard.settings.config_values import PARSERS
from lint_rules._engine.checking import check_files

_SCRIPT = 'from transformers import AutoModelForCausalLM\nm = AutoModelForCausalLM.from_pretrained("gpt2")\n'
_VALUES = (
    '"CG101"', '["CG101", "CG2"]', '["ALL"]', "[]", '""', "true", "1", "-1.5e300", "nan", "inf", "1979-05-27T07:32:00Z", "07:32:00",
    "{}", '{ "a.py" = ["CG1"] }', '{ "**/*.py" = "CG1", x = [1] }', "[[]]", '["\\u0000"]', '["[", "!", "**/**/**/*", "\\\\"]',
    '["a{b,c}[!d]*?"]', '"../x.toml"', '"pyproject.toml"', '"/dev/null"', '"."', "'''\n'''", '["*' + "a*" * 30 + '"]',
    "0x7fffffffffffffffffff", "[1, 'a', true]", '["CG101" , ]', '"\\ud7ff"', "9" * 400, '["qwen*"]', '{ model = "base" }', '"error"',
    '{ CG101 = "warning" }', '{ CG101 = "off", CG2 = 1 }',
)  # fmt: skip
_BYTES = (
    b"\x00",
    b"\xff",
    b"=",
    b"[",
    b"]",
    b'"',
    b"'''",
    b"\n",
    b"\r",
    b"#",
    b".",
    b"{",
    b"}",
    b"\xef\xbb\xbf",
    b"\\",
    b"e9",
)


def configuration(rng: random.Random) -> bytes:
    """A table of known and unknown keys with values of any type, perhaps with broken bytes."""
    keys = [*PARSERS, "extend", "selct", "per-file-ignores", "a b", "é", "x.y"]
    chosen = rng.sample(keys, min(len(keys), rng.randrange(1, 7)))
    table = rng.choice(
        ("[tool.cleanguard]",) * 8
        + ("[tool]", "[[tool.cleanguard]]", "[tool.cleanguard.select]", "")
    )
    lines = [table, *(f"{_key(key, rng)} = {rng.choice(_VALUES)}" for key in chosen)]
    if rng.random() < 0.2:
        lines.insert(0, '[project]\nname = "x"')
    raw = "\n".join(lines).encode("utf-8", "surrogatepass") + b"\n"
    for _ in range(rng.choice((0, 0, 0, 1, 3))):
        at = rng.randrange(len(raw) + 1)
        raw = raw[:at] + rng.choice(_BYTES) + raw[at + rng.randrange(2) :]
    return raw


def _key(key: str, rng: random.Random) -> str:
    return key if key.replace("-", "").isidentifier() and rng.random() < 0.9 else f'"{key}"'


def read(file: SourceFile) -> Outcome:
    """Reads the configuration and checks a script under it."""
    raw, began = file.read(), time.process_time()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "pyproject.toml").write_bytes(raw)
        (folder / "a.py").write_text(_SCRIPT, encoding="utf-8")
        (folder / ".git").mkdir()
        os.chdir(folder)
        try:
            settings = load_settings(folder)
            selected(settings)
            check_files(discover(["."], settings.exclude, settings.root), settings)
            said = Outcome("taken", time.process_time() - began)
        except JobError as error:
            said = Outcome("refused", time.process_time() - began, str(error))
        finally:
            os.chdir("/")
    return said
