"""The long run: shards share the numbers, a run that was stopped goes on, a seed gives the same program again."""

from __future__ import annotations

import json

from tests.differential.grammar import program
from tests.differential.run import read, report


def test_a_seed_gives_the_same_program_again():
    assert program("x-7") == program("x-7")
    assert program("x-7").files != program("x-8").files


def test_every_program_is_python():
    for number in range(150):
        for name, text in program(f"compiles-{number}").files.items():
            compile(text, name, "exec")


def test_the_grammar_draws_all_that_it_has():
    tags = {tag for number in range(3000) for tag in program(f"draws-{number}").tags}
    for part, least in {"bos": 14, "encode": 14, "settings_dict": 14, "config": 13, "decode": 15, "prompt": 14,
                        "config_form": 9, "quantization": 9, "layout": 7, "after_loads": 8, "early": 5}.items():  # fmt: skip
        assert len({tag for tag in tags if tag.startswith(f"{part}=")}) >= least, part


def test_shards_and_going_on(started, tmp_path):
    for shard in ("0/2", "1/2"):
        started("run", "--programs", "4", "--seed", "s", "--shard", shard, "--out", str(tmp_path))
    target = tmp_path / "s-shard-0-of-2.jsonl"
    whole = target.read_text()
    first = whole.splitlines()[0]
    target.write_text(f'{first}\n{{"number": 2, "se')  # killed while it wrote
    started("run", "--programs", "4", "--seed", "s", "--shard", "0/2", "--out", str(tmp_path))
    assert target.read_text() == whole
    lines = read(tmp_path)
    assert sorted(line["number"] for line in lines) == [0, 1, 2, 3]
    assert report(lines).startswith("4 programs: ")
    assert json.loads(first)["seed"] == "s-0"
