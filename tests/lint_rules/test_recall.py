"""Small real-looking reproductions in odd shapes: nine in ten must be found, and no legitimate use.

`recall/*.cases` holds them: `--- title` begins a case, `%name` stands for a prelude, and `#> CODE` (or
`CODE:severity`) marks the line where the hazard must be reported.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from cleanguard.settings.config import Settings
from lint_rules._engine.checking import check_source

_MARK = re.compile(r"#>\s*(?P<codes>CG\d+(?::\w+)?(?:\s+CG\d+(?::\w+)?)*)")
_IMPORTS = "from transformers import AutoModelForCausalLM, AutoTokenizer\n"
_PAIR = (
    _IMPORTS
    + "tokenizer = AutoTokenizer.from_pretrained('{0}')\n"
    + "model = AutoModelForCausalLM.from_pretrained('{0}')\n"
)
_PRELUDES = {
    "%imports": _IMPORTS,
    "%qwen": _PAIR.format("Qwen/Qwen2.5-7B"),
    "%llama": _PAIR.format("meta-llama/Llama-3.1-8B"),
    "%llamachat": _PAIR.format("meta-llama/Llama-3.1-8B-Instruct"),
    "%guard": (
        "from guard import CleanModelLoader\n"
        "loader = CleanModelLoader('Qwen/Qwen2.5-7B')\n"
        "model, tokenizer, provenance = loader.load()\n"
    ),
}


def marked(source: str) -> set[tuple[int, str]]:
    """Row and code (perhaps `code:severity`) of each finding that the marks ask for."""
    return {
        (row, code)
        for row, line in enumerate(source.split("\n"), start=1)
        if (match := _MARK.search(line))
        for code in match["codes"].split()
    }


@dataclass(frozen=True)
class Case:
    title: str
    source: str

    def missed(self) -> set[str]:
        """The marks that no finding answers."""
        wanted = marked(self.source)
        codes = {code[:5] for _, code in wanted}
        settings = Settings(select=tuple(codes), target_versions=("transformers>=5", "trl>=1.16"))
        found = {
            (finding.location.row, text)
            for finding in check_source("script.py", self.source.encode(), settings)
            for text in (finding.code, f"{finding.code}:{finding.severity}")
        }
        return {f"{self.title}: row {row} {code}" for row, code in wanted - found}


def _cases(folder: str) -> Iterator[Case]:
    for path in sorted((Path(__file__).parent / folder).glob("*.cases")):
        for block in path.read_text(encoding="utf-8").split("--- ")[1:]:
            title, _, body = block.partition("\n")
            for name, prelude in _PRELUDES.items():
                body = body.replace(f"{name}\n", prelude)
            yield Case(f"{path.stem}: {title}", body)


CASES = list(_cases("recall"))
QUIET = list(_cases("legitimate"))


def test_there_are_enough_cases():
    assert len(CASES) >= 150
    assert len({case.title for case in CASES}) == len(CASES)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.title)
def test_a_case_is_python_and_says_what_to_find(case):
    compile(case.source, case.title, "exec")
    assert marked(case.source)


def test_nine_in_ten_are_found():
    wanted = sum(len(marked(case.source)) for case in CASES)
    missed = sorted(miss for case in CASES for miss in case.missed())
    share = 1 - len(missed) / wanted
    print(f"{wanted - len(missed)} of {wanted} found in {len(CASES)} cases\n" + "\n".join(missed))  # noqa: T201
    assert share >= 0.9, missed


def test_what_was_missed_in_the_field_is_found():
    """`recall/field.cases`: kinds that unseen repositories showed, none of them left."""
    assert not [miss for case in CASES if case.title.startswith("field") for miss in case.missed()]


@pytest.mark.parametrize("case", QUIET, ids=lambda case: case.title)
def test_a_legitimate_use_is_quiet(case):
    """`legitimate/*.cases`: the title begins with the code that must not be reported."""
    code = case.title.split(": ")[1].split(" ")[0]
    assert check_source("script.py", case.source.encode(), Settings(select=(code,))) == ()
