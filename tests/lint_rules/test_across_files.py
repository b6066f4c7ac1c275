"""What one file imports from another of the same run is followed; order and cycles change nothing."""

from __future__ import annotations

import itertools

import pytest

from cleanguard.files import SourceFile
from cleanguard.settings.config import Settings
from lint_rules._engine.checking import check_files

_LOADER = """\
from transformers import AutoModelForCausalLM, AutoTokenizer

def load_model(name):
    tokenizer = AutoTokenizer.from_pretrained(name)
    model = AutoModelForCausalLM.from_pretrained(name)
    return model.eval(), tokenizer
"""
_SCRIPT = """\
model, tokenizer = load_model("Qwen/Qwen2.5-7B")
inputs = tokenizer("Hello", add_special_tokens=False, return_tensors="pt")
print(tokenizer.decode(model.generate(**inputs)[0]))
"""
_FOUND = ["3 CG201 error", "4 CG301 error"]

_LAYOUTS = [
    pytest.param("utils/model_loader.py", "run.py", "from utils.model_loader import load_model", id="beside-without-init"),
    pytest.param("utils/model_loader.py", "scripts/deep/run.py", "from utils.model_loader import load_model", id="above"),
    pytest.param("src/pkg/loading.py", "scripts/run.py", "from pkg.loading import load_model", id="through-some-sys-path"),
    pytest.param("pkg/loading.py", "pkg/run.py", "from .loading import load_model", id="relative"),
    pytest.param("pkg/loading.py", "pkg/sub/run.py", "from ..loading import load_model", id="relative-above"),
    pytest.param("pkg/loading.py", "pkg/run.py", "from . import loading; load_model = loading.load_model", id="relative-module"),
    pytest.param("loading.py", "run.py", "import loading; load_model = loading.load_model", id="module"),
    pytest.param("loading.py", "run.py", "import loading as l; load_model = l.load_model", id="module-alias"),
    pytest.param("a/b/loading.py", "run.py", "import a.b.loading; load_model = a.b.loading.load_model", id="dotted-module"),
    pytest.param("loading.py", "run.py", "from loading import load_model as lm; load_model = lm", id="alias"),
]  # fmt: skip


@pytest.mark.parametrize(("library", "script", "statement"), _LAYOUTS)
def test_an_imported_helper_is_followed(check_tree, library, script, statement):
    found = check_tree({library: _LOADER, script: f"{statement}\n{_SCRIPT}"}, Settings(select=("CG201", "CG301")))  # fmt: skip
    assert found[script] == _FOUND


_HELPERS = """\
def encode(tokenizer, prompt):
    return tokenizer(prompt, return_tensors="pt", add_special_tokens=False)

def encode_with_bos(tokenizer, prompt):
    return tokenizer(tokenizer.bos_token + prompt, return_tensors="pt", add_special_tokens=False)
"""
_ASKS = """\
from loading import load_model
from helpers import encode, encode_with_bos
model, tokenizer = load_model("google/gemma-2-9b")
print(tokenizer.decode(model.generate(**{})[0]))
"""


@pytest.mark.parametrize(
    ("encoded", "expected"),
    [
        pytest.param("encode(tokenizer, 'Hello')", ["4 CG201 error", "4 CG301 error"], id="bare"),
        pytest.param("encode_with_bos(tokenizer, 'Hello')", ["4 CG301 error"], id="bos"),
        pytest.param("encode(tokenizer, tokenizer.apply_chat_template(messages, tokenize=False))", [], id="chat"),
    ],
)  # fmt: skip
def test_what_a_helper_of_another_file_tokenises_is_reported_where_it_is_used(
    check_tree, encoded, expected
):
    files = {"loading.py": _LOADER, "helpers.py": _HELPERS, "run.py": _ASKS.format(encoded)}
    found = check_tree(files, Settings(select=("CG201", "CG301")))
    assert found["run.py"] == expected
    assert found.get("helpers.py", []) == []


def test_reexports_are_followed(check_tree):
    files = {
        "pkg/__init__.py": "from .loading import load_model\n",
        "pkg/loading.py": _LOADER,
        "run.py": f"from pkg import load_model\n{_SCRIPT}",
    }
    assert check_tree(files, Settings(select=("CG201", "CG301")))["run.py"] == _FOUND


def test_constants_of_a_plain_module_are_followed(check_tree):
    files = {
        "config.py": 'MODEL = "Qwen/Qwen2.5-7B"\nMODELS = {"chat": "Qwen/Qwen2.5-7B-Instruct"}\n',
        "run.py": (
            "from transformers import AutoModelForCausalLM\nfrom config import MODEL, MODELS\n"
            "AutoModelForCausalLM.from_pretrained(MODEL)\n"
            'AutoModelForCausalLM.from_pretrained(MODELS["chat"])\n'
        ),
    }
    assert check_tree(files, Settings(select=("CG101",)))["run.py"] == ["3 CG101 error"]


def test_a_class_of_another_file_keeps_its_attributes(check_tree):
    files = {
        "base.py": (
            "from transformers import AutoModelForCausalLM, AutoTokenizer\n"
            "class Base:\n    def load(self, name):\n"
            "        self.tokenizer = AutoTokenizer.from_pretrained(name)\n"
            "        self.model = AutoModelForCausalLM.from_pretrained(name)\n"
        ),
        "run.py": (
            "from base import Base\nclass Runner(Base):\n    def run(self, prompt):\n"
            '        x = self.tokenizer(prompt, return_tensors="pt")\n'
            "        return self.tokenizer.decode(self.model.generate(**x)[0])\n"
        ),
    }
    assert check_tree(files, Settings(select=("CG301",)))["run.py"] == ["5 CG301 warning"]


def test_callers_with_different_models_are_told_apart(check_tree):
    script = (
        "from loading import load_model\n"
        'model, tokenizer = load_model("Qwen/Qwen2.5-7B")\n'
        'chat, chat_tokenizer = load_model("Qwen/Qwen2.5-7B-Instruct")\n'
        'print(tokenizer.decode(model.generate(**tokenizer("x", return_tensors="pt"))[0]))\n'
        'print(chat_tokenizer.decode(chat.generate(**chat_tokenizer("x", return_tensors="pt"))[0]))\n'
    )
    found = check_tree({"loading.py": _LOADER, "run.py": script}, Settings(select=("CG301",)))
    assert found["run.py"] == ["4 CG301 error"]


def test_a_library_keeps_its_name_although_a_file_is_called_so(check_tree):
    files = {"torch.py": "x = 1\n", "transformers.py": "x = 1\n", "run.py": "from transformers import AutoModelForCausalLM\nAutoModelForCausalLM.from_pretrained('gpt2')\n"}  # fmt: skip
    assert check_tree(files, Settings(select=("CG101",)))["run.py"] == ["2 CG101 error"]


_CYCLE = {
    "a.py": "from b import load_b\nfrom transformers import AutoTokenizer\n"
    "def load_a(name):\n    return AutoTokenizer.from_pretrained(name)\n"
    "tokenizer = load_b('gpt2')\ntokenizer.chat_template = None\n",
    "b.py": "from c import load_c\ndef load_b(name):\n    return load_c(name)\nuse.from_pretrained\n",
    "c.py": "from a import load_a\ndef load_c(name):\n    return load_a(name)\n"
    "tokenizer = load_c('gpt2')\ntokenizer.chat_template = None\n",
}


def test_an_import_cycle_gives_the_same_findings_in_any_order(tmp_path):
    for name, text in _CYCLE.items():
        (tmp_path / name).write_text(text)
    outcomes = set()
    for order in itertools.permutations(_CYCLE):
        files = [SourceFile(name, tmp_path / name) for name in order]
        outcomes.add(check_files(files, Settings()).findings)
    assert len(outcomes) == 1
    assert {finding.filename for finding in outcomes.pop()} >= {"a.py", "c.py"}


def test_a_loader_module_may_load_raw(check_tree):
    settings = Settings(loader_modules=("utils/*.py",), select=("CG1",))
    files = {"utils/loading.py": _LOADER, "other/loading.py": _LOADER}
    found = check_tree(files, settings)
    assert found["other/loading.py"]
    assert found["utils/loading.py"] != []  # the patterns are relative to the root, not to the file


def test_loader_modules_are_relative_to_the_root(tmp_path):
    (tmp_path / "utils").mkdir()
    for name in ("utils/loading.py", "loading.py"):
        (tmp_path / name).write_text(_LOADER)
    files = [SourceFile(name, tmp_path / name) for name in ("loading.py", "utils/loading.py")]
    run = check_files(files, Settings(loader_modules=("utils/",), root=tmp_path))
    assert {finding.filename for finding in run.findings} == {"loading.py"}


_HANDED_ON = [
    pytest.param("from transformers import AutoModelForCausalLM as LM\n", "from common import LM\nLM", id="a-name"),
    pytest.param("from transformers import AutoModelForCausalLM as LM\n", "from common import *\nLM", id="all-names"),
    pytest.param("from transformers import AutoModelForCausalLM as LM\n", "import common\ncommon.LM", id="an-attribute"),
    pytest.param("import transformers\n", "from common import transformers\ntransformers.AutoModelForCausalLM", id="a-module"),
    pytest.param("import transformers as hf\n", "from common import hf\nhf.AutoModelForCausalLM", id="a-module-alias"),
    pytest.param("try:\n    from transformers import *\nexcept ImportError:\n    pass\n", "from common import GPT2LMHeadModel\nGPT2LMHeadModel", id="a-star-of-a-star"),
]  # fmt: skip


@pytest.mark.parametrize(("common", "script"), _HANDED_ON)
def test_a_class_that_a_module_of_the_run_hands_on(common, script, check_tree):
    files = {"common.py": common, "run.py": f"{script}.from_pretrained('gpt2')\n"}
    assert check_tree(files, Settings(select=("CG101",)))["run.py"] == ["2 CG101 error"]
