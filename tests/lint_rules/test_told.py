"""A file that only writes about models is told without a tree, and never one in whose code a word stands."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from lint_rules._engine.gate import needs_check
from lint_rules._run import told
from lint_rules._run.exports import Exports
from lint_rules._run.screen import is_told, screened

TOLD = [
    '"""Use `model.generate(ids)` and from_pretrained."""\n',
    "# tokenizer.apply_chat_template\nx = 1\n",
    "x = 'call generate first'  # or pipeline\n",
    "def f():\n    r'''A \"pipeline\" of vllm\\d'''\n    return \"it's # no comment: trl\"\n",
    "pipelines = generated = 1\n",
    's = "a\\" generate"\n',
    "x = ('one generate '\n     'two')\n",
]
IN_CODE = [
    "model.generate(ids)\n",
    "x = 'generate'\n",
    "x = f'{model.generate(ids)}'\n",
    "x = 'transformers.AutoModel.from_pretrained'\n",
    "x = 'a.' 'from_pretrained'\n",
    'x = """\\\ngenerate"""\n',
    "x = '\\N{FULL STOP}from_pretrained'\n",
    '"""generate"""; import trl\n',
    "# generate\nfrom trl import SFTTrainer\n",
    "x = '#'; model.generate(ids)\n",
    "x = '''it's'''; model.generate('''it's''')\n",
    'x = "a\\\\"; model.generate("b")\n',
    "f(chat_template=None)\n",
]


@pytest.mark.parametrize("text", TOLD)
def test_words_in_texts_alone(text: str) -> None:
    assert is_told(text)
    said = screened(ast.parse(text), text)
    assert (said.matters, said.exports) == (False, False)


@pytest.mark.parametrize("text", TOLD)
def test_the_gate_is_the_end_of_what_only_writes_about_models(text: str) -> None:
    assert not needs_check(text.encode())
    assert needs_check(f"{text}x = (\n".encode())  # does not parse
    assert needs_check(f"{text}x = 1  # cleanguard: ignore[CG101]\n".encode())
    assert needs_check(f"{text}model.generate(ids)\n".encode())
    assert needs_check(text.encode() + b"# from_pretrained \xff\n")  # no text


@pytest.mark.parametrize("text", IN_CODE)
def test_words_in_code(text: str) -> None:
    assert needs_check(f"# from_pretrained\n{text}".encode())
    ast.parse(text)
    assert not is_told(text)


@pytest.mark.parametrize(
    "text",
    [
        "x = f'{d['a']}'; model.generate('b')\n",
        "x = f'{d['}']}{e['a']}'; model.generate('b')\n",
        "x = f'}}{ {'a': 1}['a']}'; y = 'b'; model.generate('c')\n",
    ],
)
def test_quotes_within_f_strings_of_newer_grammars(
    text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(told, "_NESTED", True)
    assert not is_told(text)


def test_what_is_told_is_told_rightly_of_every_module_of_the_interpreter() -> None:
    """A tree tells the same, and the plain names are those of the tree."""
    folder = Path(ast.__file__).parent
    found = 0
    for path in sorted(folder.glob("*.py"))[::3]:
        text = path.read_text(encoding="utf-8")
        text = f"# from_pretrained\n{text}"
        if not is_told(text):
            continue
        found += 1
        said = screened(ast.parse(text), text)
        assert (said.matters, said.exports) == (False, False), path
        exact = Exports(raw=text.encode(), guess=False)
        names = dict(exact._names())
        lazy = Exports(raw=text.encode(), guess=False)
        for name in (*names, "main", "Any", "os", "nothing"):
            if name != "*" and lazy._has_none(name):
                assert name not in names, (path, name)
    assert found > 20


PLAIN = '"""Texts of from_pretrained."""\n'


@pytest.mark.parametrize(
    "module",
    [
        f"{PLAIN}NAME = 'gpt2'\n",
        f"{PLAIN}def NAME(): pass\nNAME = 'gpt2'\n",
        f"{PLAIN}class NAME: pass\nfrom other import (\n    A, NAME,\n)\n",
        f"{PLAIN}from other import *\n",
    ],
)
def test_what_such_a_module_has_for_others_is_found(tmp_path: Path, module: str) -> None:
    from cleanguard.files import SourceFile
    from cleanguard.settings.config import Settings
    from lint_rules._engine.checking import check_files

    (tmp_path / "other.py").write_text("NAME = A = 'gpt2'\n")
    (tmp_path / "names.py").write_text(module)
    (tmp_path / "load.py").write_text(
        "from names import NAME\nfrom transformers import AutoModelForCausalLM\n"
        "model = AutoModelForCausalLM.from_pretrained(NAME)\n"
    )
    files = [SourceFile(name, tmp_path / name) for name in ("load.py", "names.py", "other.py")]
    for order in (files, files[::-1]):
        (found,) = [one for one in check_files(order, Settings()).findings if one.code == "CG101"]
        assert "gpt2" in found.message or "*" in module
