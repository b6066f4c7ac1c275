"""Notebooks are planned as one module and written cell by cell; all else keeps its bytes."""

from __future__ import annotations

import json
import random
import subprocess
from pathlib import Path
from typing import Any

import pytest

from cleanguard.files import SourceFile
from cleanguard.settings.config import Settings
from codemods.migration import Migration, migrate_source
from codemods.plan.edits import Edit, apply
from codemods.plan.notebook_document import NotebookDocument
from codemods.plan.options import WATCHING
from codemods.planning import Planner
from lint_rules._run.source import SourceError
from tests.cleanguard.cli.conftest import run as run

IMPORTS = "import torch\nfrom transformers import AutoModelForCausalLM, AutoTokenizer\n"
ONE = "from transformers import AutoModelForCausalLM\n"
TOKENIZER = 'tokenizer = AutoTokenizer.from_pretrained("gpt2")\n'
MODEL = 'model = AutoModelForCausalLM.from_pretrained("gpt2")\n'
LOADED = 'loader = CleanModelLoader("gpt2")\nmodel, tokenizer, provenance = loader.load()'
GENERATE = """\
ids = tokenizer("a", return_tensors="pt")
out = model.generate(**ids, max_new_tokens=5, do_sample=False)
print(tokenizer.decode(out[0], skip_special_tokens=True))
"""


def cell(text: str, kind: str = "code", **more: Any) -> dict[str, Any]:
    found = {"cell_type": kind, "id": f"c{abs(hash(text)) % 10**8}", "metadata": {}}
    found["source"] = text.splitlines(keepends=True)
    if kind == "code":
        found |= {"execution_count": 3, "outputs": []}
    return found | more


def notebook(*cells: str | dict[str, Any], indent: int | None = 1, **options: Any) -> bytes:
    found = [one if isinstance(one, dict) else cell(one.removesuffix("\n")) for one in cells]
    spec = {"display_name": "Python 3", "language": "python", "name": "python3"}
    data = {"cells": found, "metadata": {"kernelspec": spec}, "nbformat": 4, "nbformat_minor": 5}
    return (json.dumps(data, indent=indent, ensure_ascii=False, **options) + "\n").encode()


def plan(raw: bytes) -> Migration:
    found = migrate_source("n.ipynb", raw, Settings())
    assert found.refusal is None
    again = migrate_source("n.ipynb", found.after, Settings())
    assert not again.changed
    assert len(again.left) == len(found.left)
    return found


def sources(raw: bytes) -> list[str]:
    data = json.loads(raw)
    return ["".join(one["source"]) for one in data["cells"]]


def test_cells_are_rewritten_and_lie_where_they_lay() -> None:
    found = plan(notebook("# Title", IMPORTS, TOKENIZER, MODEL, GENERATE))
    assert sources(found.after)[:4] == [
        "# Title",
        "import torch\nfrom guard import CleanModelLoader",
        "",
        LOADED,
    ]
    assert "loader.generate(" in sources(found.after)[4]
    assert {(site.code, site.line) for site in found.sites} >= {
        ("CG102", "cell 3:1"),
        ("CG101", "cell 4:1"),
    }
    assert found.unread == ()


def test_the_loaders_import_stays_in_the_cell_of_theirs() -> None:
    """What is inserted where a cell begins would end the cell above."""
    theirs = "from transformers import GPT2LMHeadModel"
    load = 'model = GPT2LMHeadModel.from_pretrained("gpt2", attn_pdrop=0.1)'
    raw = notebook("import torch\n# done", theirs, load)
    found = sources(migrate_source("n.ipynb", raw, Settings(), wishes=WATCHING).after)
    assert found[:2] == ["import torch\n# done", f"from guard import CleanModelLoader\n{theirs}"]


_FORMATS = [
    pytest.param({"indent": 1}, id="as Jupyter writes it"),
    pytest.param({"indent": 4}, id="four blanks"),
    pytest.param({"indent": None}, id="one line"),
    pytest.param({"indent": None, "separators": (",", ":")}, id="compact"),
    pytest.param({"sort_keys": True}, id="sorted"),
]


@pytest.mark.parametrize("options", _FORMATS)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-8-sig"])
def test_bytes_outside_the_edited_strings_stay(options: dict[str, Any], encoding: str) -> None:
    output = {"output_type": "stream", "name": "stdout", "text": ["é ☃ \\n\n", "\u2028 1e5"]}
    odd = cell("print('é')", outputs=[output], metadata={"a.b": [1.50, 1e-7, None, "\u0000"]})
    raw = notebook(ONE, odd, MODEL + "x = 'ü'  # " + "☃", **options)
    raw = raw.decode().encode(encoding)
    found = plan(raw)
    text, after = raw.decode(encoding), found.after.decode(encoding)
    for old, new in (
        (
            json.dumps(ONE.strip()),
            '"from guard import CleanModelLoader"',
        ),
        (json.dumps(MODEL), None),
    ):
        assert old in text
        if new is not None:
            text = text.replace(old, new)
    start = text.index(json.dumps(MODEL))
    end = start + len(json.dumps(MODEL))
    assert after.startswith(text[:start])
    assert after.endswith(text[end:])
    assert found.after == after.encode(encoding)


def test_sources_that_are_one_string_stay_one() -> None:
    data = json.loads(notebook(IMPORTS, MODEL, "x = 'a \\\\ \"b\"'"))
    for one in data["cells"]:
        one["source"] = "".join(one["source"])
    found = plan(json.dumps(data, indent=2).encode())
    after = json.loads(found.after)["cells"]
    assert [type(one["source"]) for one in after] == [str, str, str]
    assert (
        after[1]["source"]
        == 'loader = CleanModelLoader("gpt2")\nmodel, _, provenance = loader.load()'
    )
    assert after[2] == data["cells"][2]


@pytest.mark.parametrize(
    "lines",
    [
        pytest.param(["import torch\nfrom transformers import AutoModelForCausalLM\n", MODEL], id="two lines in one"),
        pytest.param(["import torch\n", "from transformers ", "import AutoModelForCausalLM\n", MODEL], id="a line in two"),
        pytest.param(["import torch\r\n", "from transformers import AutoModelForCausalLM\r\n", MODEL.strip() + "\r\n"], id="old line ends"),
        pytest.param(["from transformers import AutoModelForCausalLM\n", "s = '\ud83d\ude42'\n", MODEL], id="surrogates"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("ascii_only", [True, False])
def test_arrays_of_any_kind(lines: list[str], ascii_only: bool) -> None:
    data = json.loads(notebook("x"))
    data["cells"][0]["source"] = lines
    text = json.dumps(data, ensure_ascii=True)
    raw = (text if ascii_only else json.dumps(json.loads(text), ensure_ascii=False)).encode()
    found = plan(raw)
    (source,) = sources(found.after)
    assert "loader.load()" in source
    assert ("\r\n" in source) == ("\r\n" in lines[0])
    assert source.count("\n") == source.count("\r\n") or "\r\n" not in source
    assert found.after.isascii() == raw.isascii()


_MAGICS = [
    "%%capture\n!pip install -q transformers",
    "!nvidia-smi",
    "%load_ext autoreload\n%autoreload 2",
    "pip install x",
    ">>> import os",
    "%%bash\nls",
]


@pytest.mark.parametrize("magic", _MAGICS)
def test_magics_stay(magic: str) -> None:
    found = plan(notebook(magic, IMPORTS + magic if "%%" not in magic and ">" not in magic else IMPORTS,
                          magic, TOKENIZER + MODEL, magic, GENERATE))  # fmt: skip
    after = sources(found.after)
    assert [after[at] for at in (0, 2, 4)] == [magic] * 3
    assert after[3] == LOADED
    assert len(found.automatic) >= 3


def test_an_import_that_arrives_stands_with_the_others() -> None:
    rest = "from transformers import AutoModelForCausalLM\nprint(AutoModelForCausalLM)"
    found = plan(notebook("!pip install x", rest, "%%time\n" + MODEL))
    after = sources(found.after)
    assert after[0] == "!pip install x"
    assert after[1].startswith("from guard import CleanModelLoader\nfrom transformers import")
    assert after[2].startswith("%%time\nloader = ")


def test_an_import_never_stands_above_the_magic_of_a_cell() -> None:
    text = f"%%time\nimport transformers\n{MODEL.replace('Auto', 'transformers.Auto')}print(transformers)"
    (after,) = sources(plan(notebook(text)).after)
    assert after.startswith("%%time\n")
    assert "from guard import CleanModelLoader\n" in after


def test_a_line_with_a_magic_is_left_to_a_person() -> None:
    timed = notebook(IMPORTS, "%time " + MODEL)
    found = migrate_source("n.ipynb", timed, Settings())
    assert not found.changed
    assert [(site.code, site.line) for site in found.left] == [("CG101", "cell 2:1")]


@pytest.mark.parametrize(
    "cells",
    [
        (TOKENIZER + MODEL, "%timeit -n1 model.generate(**ids)\n" + GENERATE),
        (MODEL, "%%writefile e.py\n" + ONE + "x = 1; " + MODEL, "%time " + MODEL),
    ],
    ids=["a magic", "a file that a cell writes"],
)
def test_what_one_run_leaves_the_next_leaves_too(cells: tuple[str, ...]) -> None:
    first = migrate_source("n.ipynb", notebook(IMPORTS, *cells), Settings(), WATCHING)
    assert first.changed
    second = migrate_source("n.ipynb", first.after, Settings(), WATCHING)
    assert (second.changed, first.refusal, second.refusal) == (False, None, None)
    assert [one.code for one in second.left] == [one.code for one in first.left] != []


def test_a_broken_cell_costs_only_itself() -> None:
    found = plan(notebook(IMPORTS, "def f(:", MODEL))
    assert sources(found.after)[1] == "def f(:"
    assert "loader.load()" in sources(found.after)[2]
    (told,) = found.unread
    assert told.startswith("cell 2:1:7: the cell was not checked: syntax error")


@pytest.mark.parametrize(
    "user",
    ["show(tokenizer, AutoTokenizer.from_pretrained", "!run {ids}", "raise E\nprint(ids)"],
)
def test_what_an_unread_line_names_is_not_taken_away(user: str) -> None:
    found = migrate_source(
        "n.ipynb", notebook(IMPORTS, TOKENIZER + MODEL, GENERATE, user), Settings()
    )
    after = "\n".join(sources(found.after))
    if "ids" in user:
        assert "ids = " in after
    else:
        assert "tokenizer" in after.replace(user, "")
        assert "import AutoTokenizer" in after or "AutoModelForCausalLM, AutoTokenizer" in after


def test_what_libcst_refuses_is_told_with_its_cell() -> None:
    raw = notebook(IMPORTS, MODEL + "assert(a if b else True)")
    with pytest.raises(SourceError, match="libcst") as refused:
        migrate_source("n.ipynb", raw, Settings())
    place = refused.value.position
    assert (place.cell, place.row) == (2, 2)


def test_a_file_that_a_cell_writes_is_migrated_by_itself() -> None:
    text = "%%writefile eval.py\nfrom transformers import AutoModelForCausalLM\n" + MODEL
    found = plan(notebook(IMPORTS, MODEL, text))
    after = sources(found.after)
    assert after[2] == (
        "%%writefile eval.py\nfrom guard import CleanModelLoader\n"
        'loader = CleanModelLoader("gpt2")\nmodel, _, provenance = loader.load()'
    )
    assert "loader.load()" in after[1]


def test_worksheets_of_format_3() -> None:
    cells = [
        {"cell_type": "code", "input": text.splitlines(keepends=True), "language": "python"}
        for text in (IMPORTS, MODEL)
    ]
    data = {"metadata": {}, "nbformat": 3, "worksheets": [{"cells": [one]} for one in cells]}
    after = json.loads(plan(json.dumps(data).encode()).after)
    assert "loader.load()" in "".join(after["worksheets"][1]["cells"][0]["input"])


def test_nbformat_validates_what_is_written() -> None:
    nbformat = pytest.importorskip("nbformat", reason="comes with the dev extra")
    raw = notebook(cell("# Text", "markdown"), "!ls", IMPORTS, TOKENIZER, MODEL, GENERATE)
    raw = raw.replace(
        b'"execution_count": 3,\n   "outputs": []', b'"execution_count": 3,\n   "outputs": []'
    )
    found = plan(raw)
    data = nbformat.reads(found.after.decode(), as_version=4)
    nbformat.validate(data)
    for minor in (4, 2):
        old = json.loads(raw)
        old["nbformat_minor"] = minor
        for one in old["cells"]:
            del one["id"]
        nbformat.validate(
            nbformat.reads(plan(json.dumps(old).encode()).after.decode(), as_version=4)
        )


@pytest.mark.parametrize("seed", range(300))
def test_edits_of_the_module_become_the_same_edits_of_cells(seed: int) -> None:
    """Any edits of whole lines or within one: applied to the module, or written and read again."""
    chance = random.Random(seed)
    letters = ["a = 1", "b = 'é☃'", "", "# é", "c = [1]", "d = '''x'''", "\t", "if 1: pass"]
    texts = [
        "\n".join(chance.choice(letters).strip("\t") for _ in range(chance.randint(1, 5)))
        for _ in range(chance.randint(1, 4))
    ]
    raw = notebook(
        *({"cell_type": "code", "metadata": {}, "source": _shape(text, chance)} for text in texts),
        indent=chance.choice([None, 1, 3]),
    )
    document = NotebookDocument(raw)
    utf8 = document.source.text.encode()
    lines = [0, *(at + 1 for at in range(len(utf8)) if utf8[at : at + 1] == b"\n")]
    edits: list[Edit] = []
    at = 0
    while at < len(lines) - 1 and chance.random() < 0.8:
        start = chance.randint(at, len(lines) - 1)
        end = min(start + chance.choice([0, 1, 1, 2]), len(lines) - 1)
        text = chance.choice(["", "new = 'ü'\n", "x\ny\n"]) if end > start else "put\n"
        if text or end > start:
            edits.append(Edit(lines[start], lines[end], text))
        at = end + 1
    try:
        fitted = document.fitted(edits)
    except SourceError:  # a text that would reach from one cell into the next
        return
    after = document.written(fitted)
    assert document.again(after).source.text.encode() == apply(utf8, fitted)
    # The same lines, but for empty ones where cells meet.
    wanted = [line for line in apply(utf8, edits).decode().split("\n") if line.strip()]
    assert [x for x in document.again(after).source.text.split("\n") if x.strip()] == wanted
    data, new = json.loads(raw), json.loads(after)
    assert [type(one["source"]) for one in new["cells"]] == [
        type(one["source"]) for one in data["cells"]
    ]


def _shape(text: str, chance: random.Random) -> Any:
    kind = chance.randint(0, 3)
    if kind == 0:
        return text
    if kind == 1 and text:
        cut = chance.randint(0, len(text))
        return [part for part in (text[:cut], text[cut:]) if part]
    return text.splitlines(keepends=True)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "n.ipynb").write_bytes(notebook(IMPORTS, TOKENIZER, MODEL, GENERATE))
    return tmp_path


def test_the_command_shows_cells_and_writes_them(run: Any, folder: Path) -> None:
    ran = run("migrate")
    assert ran.code == 1
    assert "--- a/n.ipynb:cell 3" in ran.out
    assert "+loader = CleanModelLoader" in ran.out
    assert "cell 3:1  CG101" in ran.out
    assert run("status").out.startswith("pending    n.ipynb  3 automatic, 0 left to you")
    assert run("migrate", "--write", "--notice", "NOTICE.md").code == 0
    assert "cell 3, line 1, CG101" in (folder / "NOTICE.md").read_text()
    assert run("migrate").code == 0
    assert run("status").out.startswith("migrated   n.ipynb")
    assert run("check").code == 0


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-32", "utf-8-sig"])
def test_the_status_of_other_encodings(encoding: str, run: Any, folder: Path) -> None:
    raw = notebook(ONE, MODEL, "CleanModelLoader.load_watched('gpt2')").decode()
    (folder / "n.ipynb").write_bytes(raw.encode(encoding))
    assert run("migrate", "--write").code == 0
    assert run("status").out.startswith("migrated   n.ipynb  1 watched")


def test_the_patch_is_what_git_applies(run: Any, folder: Path) -> None:
    subprocess.run(["git", "init", "-q"], check=True)
    patch = run("migrate", "--diff").out
    subprocess.run(["git", "apply", "-"], input=patch.encode(), check=True)
    assert "loader.load()" in (folder / "n.ipynb").read_text()


def test_each_place_is_asked_for_with_its_cell(
    run: Any, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    answers = iter(["y", "y", "n"])
    monkeypatch.setattr("click.prompt", lambda *_, **__: next(answers))
    ran = run("migrate", "--interactive", "--write")
    assert "n.ipynb:cell 4:2: CG301" in ran.out
    assert "    out = model.generate(" in ran.out
    after = sources((folder / "n.ipynb").read_bytes())
    assert "loader.load()" in after[2]
    assert after[3] == GENERATE.removesuffix("\n")


def test_a_broken_cell_is_told_and_leaves_with_2(run: Any, folder: Path) -> None:
    (folder / "n.ipynb").write_bytes(notebook(IMPORTS, "def f(:", MODEL))
    ran = run("migrate", "--write")
    assert ran.code == 2
    assert "n.ipynb:cell 2:1:7: the cell was not checked" in ran.err
    assert "loader.load()" in (folder / "n.ipynb").read_text()
    assert run("status").code == 1


@pytest.mark.parametrize(
    "raw", [b"{", b"[]", b"\xff\xfe", b'{"cells": 1, "metadata": {}}', b'{"nbformat": 1, "metadata": {}}']
)  # fmt: skip
def test_what_is_no_notebook_is_told_by_name(raw: bytes, run: Any, folder: Path) -> None:
    (folder / "bad.ipynb").write_bytes(raw)
    ran = run("migrate", "--write")
    assert ran.code == 2
    assert "bad.ipynb:1: " in ran.err
    assert "CG900" in ran.err
    assert (folder / "bad.ipynb").read_bytes() == raw
    assert "loader.load()" in (folder / "n.ipynb").read_text()
    assert "internal error" not in ran.err


CODE = {"cell_type": "code", "metadata": {}}


@pytest.mark.parametrize(
    ("found", "told"),
    [
        ([], "a list where an object should be"),
        (None, "null where an object should be"),
        ({"cells": []}, "it has no `metadata`"),
        ({"metadata": {}}, "it has no `cells`"),
        ({"metadata": {}, "cells": 1}, "`cells` is a number, not a list"),
        ({"metadata": {}, "cells": ["x"]}, "cell 1 is a text, not an object"),
        ({"metadata": {}, "cells": [{}]}, "cell 1 has no `cell_type`"),
        ({"metadata": {}, "cells": [CODE | {"source": ""}, CODE]}, "cell 2 has no `source`"),
        ({"metadata": {}, "cells": [CODE | {"source": None}]}, "cell 1 has null as its `source`"),
        ({"metadata": {}, "cells": [CODE | {"source": 1}]}, "cell 1 has a number as its `source`"),
        (
            {"metadata": {}, "worksheets": [{"cells": [CODE | {"input": ["a", None]}]}]},
            "cell 1 has null among the lines of its `input`",
        ),
    ],
    ids=str,
)
def test_why_json_is_no_notebook(found: Any, told: str) -> None:
    with pytest.raises(SourceError) as refused:
        NotebookDocument(json.dumps(found).encode())
    assert str(refused.value) == f"JSON, but no notebook: {told}"


def test_the_gate_names_all_that_it_cannot_read(run: Any, folder: Path) -> None:
    for number in range(22):
        (folder / f"bad{number:02}.ipynb").write_bytes(b"[]")
    ran = run("gate", "--no-model")
    assert ran.code == 2
    assert ran.err.count("(CG900)") == 20
    assert "bad19.ipynb:1: JSON, but no notebook" in ran.err
    assert "and 2 more; the gate was not held" in ran.err


def test_the_gate_counts_notebooks(run: Any, folder: Path) -> None:
    pytest.importorskip("torch")
    ran = run("gate", "--no-model")
    assert ran.code == 1
    assert "n.ipynb:cell 2:1" in ran.out
    assert "n.ipynb" in json.loads((folder / "gate.json").read_text())["scripts"]
    (folder / "n.ipynb").write_bytes(
        notebook("x = 1\n!ls", "await f()", "from __future__ import annotations")
    )
    assert run("gate", "--no-model").code == 0


def test_a_cell_that_imports_for_itself_goes_on_doing_so() -> None:
    """People restart the kernel and go on below."""
    load = ONE + 'm = AutoModelForCausalLM.from_pretrained("gpt2")\n'
    found = sources(plan(notebook(load, "print(m)\n", ONE, MODEL)).after)
    assert [text.count("from guard import CleanModelLoader") for text in found] == [1, 0, 1, 0]


def test_the_loaders_import_comes_into_the_section_of_the_call() -> None:
    cells = [
        "from transformers import pipeline",
        "print(pipeline('ner')('a'))",
        "import torch\nfrom transformers import GPT2LMHeadModel",
        "m = GPT2LMHeadModel.from_pretrained('gpt2', rope_theta=3)",
    ]
    found = sources(migrate_source("n.ipynb", notebook(*cells), Settings(), wishes=WATCHING).after)
    assert ["import CleanModelLoader" in text for text in found] == [False, False, True, False]


def test_a_cell_that_is_run_after_those_below_has_an_import_of_its_own() -> None:
    cells = [
        'import time\n\ninputs = tok("a", return_tensors="pt")\n'
        "out = model.generate(**inputs, max_new_tokens=10, do_sample=False)\nprint(tok.decode(out[0]))",
        "from transformers import AutoModelForCausalLM, AutoTokenizer",
        "name = 'gpt2'\ntok = AutoTokenizer.from_pretrained(name)\nmodel = AutoModelForCausalLM.from_pretrained(name)",
    ]
    found = sources(migrate_source("n.ipynb", notebook(*cells), Settings(), wishes=WATCHING).after)
    assert found[0].startswith("import time\nfrom guard import CleanModelLoader\n\ninputs = ")
    assert "CleanModelLoader.generate_watched(" in found[0]
    assert found[1].startswith("from guard import CleanModelLoader\n")


def test_torch_alone_begins_no_section() -> None:
    cells = [
        "from transformers import AutoModelForCausalLM, Trainer",
        "import torch\nm = AutoModelForCausalLM.from_pretrained('gpt2', rope_theta=3)",
    ]
    found = sources(migrate_source("n.ipynb", notebook(*cells), Settings(), wishes=WATCHING).after)
    assert ["import CleanModelLoader" in text for text in found] == [True, False]


def test_a_cell_whose_import_nobody_needs_gets_none() -> None:
    """Each cell that loads has an import of its own."""
    theirs = "from transformers import AutoModelForCausalLM"
    load = f"{theirs}\n\n{{}} = AutoModelForCausalLM.from_pretrained('gpt2', rope_theta=3)"
    cells = [load.format("a"), f"import torch\n{theirs}, Trainer", load.format("b")]
    found = sources(migrate_source("n.ipynb", notebook(*cells), Settings(), wishes=WATCHING).after)
    assert ["CleanModelLoader" in text for text in found] == [True, False, True]
    assert found[1] == "import torch\nfrom transformers import Trainer"


@pytest.mark.parametrize(
    ("line", "version"),
    [
        ('%pip install "transformers==4.44.2" trl', "4.44.2"),
        ("!pip install -q peft transformers[torch]<=4.30", "4.30"),
        ("%pip install transformers==5.1", None),
        ("%pip install transformers", None),
        ("# %pip install transformers==4.1", None),
    ],
)
def test_a_notebook_that_installs_an_older_transformers(line: str, version: str | None) -> None:
    found = plan(notebook(line, IMPORTS + MODEL))
    said = [
        note.text for site in found.done for note in site.notes if "cleanguard needs" in note.text
    ]
    told = f"cell 1 installs transformers {version}, and cleanguard needs 5: install that there"
    assert said == ([] if version is None else [told])


def test_reasons_name_cells(tmp_path):
    cells = [
        "from transformers import AutoModelForCausalLM, AutoTokenizer",
        'tokenizer = AutoTokenizer.from_pretrained("gpt2")\nmodel = AutoModelForCausalLM.from_pretrained("gpt2")',
        "text = tokenizer.apply_chat_template(MESSAGES)",
    ]
    held = [
        {
            "cell_type": "code",
            "metadata": {},
            "execution_count": None,
            "outputs": [],
            "source": cell,
        }
        for cell in cells
    ]
    raw = json.dumps({"cells": held, "metadata": {}, "nbformat": 4, "nbformat_minor": 2})
    plan = migrate_source("a.ipynb", raw.encode(), Settings())
    reasons = {site.reason for site in plan.manual if site.code == "CG101"}
    assert reasons == {
        "all of a model or none: cell 3, line 1 stays, it renders a chat template, which the guard blocks"
    }


def test_a_notebook_that_hands_its_model_to_a_file_of_the_run(tmp_path):
    score = "def score(model, ids):\n    return model(ids[:, 1:]).logits\n"
    code = (
        "from transformers import AutoModelForCausalLM\n{}\n"
        'model = AutoModelForCausalLM.from_pretrained("gpt2")\nprint(score(model, IDS))\n'
    )
    (tmp_path / "scoring.py").write_text(score)
    for head, word in (("from scoring import score", "scoring.py may score"), ("", "")):
        cell = {
            "cell_type": "code",
            "metadata": {},
            "execution_count": None,
            "outputs": [],
            "source": code.format(head),
        }
        raw = json.dumps({"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 2})
        (tmp_path / "a.ipynb").write_text(raw)
        given = [SourceFile(name, tmp_path / name) for name in ("a.ipynb", "scoring.py")]
        (plan,) = [one for one in Planner(given, Settings()).plans() if one.filename == "a.ipynb"]
        reasons = " ".join(site.reason or "" for site in plan.manual)
        assert word in reasons
        assert plan.changed is not bool(word)


@pytest.mark.parametrize(
    ("installs", "told"),
    [
        ("!pip install -q transformers accelerate", True),
        ("%pip install transformers cleanguard", False),
        ("!pip install pandas", False),
    ],
)
def test_what_a_notebook_installs(installs: str, *, told: bool) -> None:
    load = 'from transformers import AutoModelForCausalLM\nm = AutoModelForCausalLM.from_pretrained("gpt2", rope_theta=3)\n'
    made = [
        {
            "cell_type": "code",
            "metadata": {},
            "outputs": [],
            "execution_count": None,
            "source": text,
        }
        for text in (installs, load)
    ]
    raw = json.dumps({"cells": made, "metadata": {}, "nbformat": 4, "nbformat_minor": 4}).encode()
    plan = migrate_source("a.ipynb", raw, Settings(), WATCHING)
    notes = [note.text for site in plan.sites for note in site.notes]
    assert any("and not cleanguard" in text for text in notes) is told
