"""The mutants of the rewriter stand where its functions are, and what their shards find is put together."""

from __future__ import annotations

import importlib
import json
import tempfile

import pytest

from tests.differential.rewriter_mutants import REWRITER, Mutant
from tests.differential.rewriter_run import read


@pytest.mark.parametrize("mutant", REWRITER, ids=[one.what for one in REWRITER])
def test_a_mutant_is_known_wherever_its_function_is(mutant: Mutant) -> None:
    module = importlib.import_module(mutant.module)
    plain = getattr(module, mutant.name)
    undo = mutant.put()
    assert getattr(module, mutant.name) is not plain
    undo()
    assert getattr(module, mutant.name) is plain


def test_what_a_mutant_would_answer_otherwise_is_written_down() -> None:
    from codemods.script import closures

    mutant = Mutant("codemods.script.closures", "made_elsewhere", lambda *_: False)
    plain = closures.made_elsewhere
    answers = [False, True, True]
    closures.made_elsewhere = lambda *_: answers.pop(0)  # type: ignore[assignment]
    try:
        with tempfile.TemporaryFile(buffering=0) as apart:
            undo = mutant.listen(apart.fileno())
            heard = []
            for _ in range(3):
                answer = closures.made_elsewhere(None, None)  # type: ignore[arg-type]
                apart.seek(0)
                heard.append((answer, apart.read().decode()))
            undo()
    finally:
        closures.made_elsewhere = plain
    told = f"{mutant.what}\n"
    assert heard == [(False, ""), (True, told), (True, told)]


def test_what_one_shard_has_caught_is_caught(tmp_path) -> None:
    one, two, three = (mutant.what for mutant in REWRITER[:3])
    for shard, lines in enumerate(
        (
            [(one, "got through", 2), (two, "never applied", 0)],
            [(one, "caught", 1), (two, "got through", 3)],
        )
    ):
        text = "".join(
            json.dumps({"what": what, "verdict": verdict, "programs": tried}) + "\n"
            for what, verdict, tried in lines
        )
        (tmp_path / f"shard-{shard}-of-2.jsonl").write_text(text)
    found = {line["what"]: (line["verdict"], line["programs"]) for line in read(tmp_path)}
    assert found[one] == ("caught", 3)
    assert found[two] == ("got through", 3)
    assert found[three] == ("not tried", 0)
