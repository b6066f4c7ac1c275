"""Configurations: where values come from, what is refused and how it is said."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pytest

from cleanguard.errors import JobError
from cleanguard.settings.config_file import ConfigError
from stages.config import as_toml, option, options_of, resolve, section
from stages.config.source import load_data
from stages.registry import BY_NAME, STAGES, Stage


@dataclass(frozen=True)
class Inner:
    id: str = option("tiny", "Which.")
    rate: float = option(0.1, "How fast.", at_least=0, at_most=1)


@dataclass(frozen=True)
class Outer:
    out: Path = option(Path("runs/x"), "Where.")
    steps: int = option(10, "How many.", at_least=1)
    mode: Literal["fast", "slow"] = option("fast", "How.")
    top: float | None = option(None, "Cut.")
    names: tuple[str, ...] = option(("a", "b"), "Which ones.")
    flag: bool = option(False, "Whether.")
    model: Inner = section(Inner)

    def __post_init__(self) -> None:
        if self.steps == 13:
            raise JobError("steps: not thirteen")


PRESETS = {"tiny": {"steps": 3}, "large": {"steps": 99, "model.rate": 0.5}}


def made(text: str, tmp_path: Path, *, name: str = "c.toml", **overrides: str) -> Outer:
    (tmp_path / name).write_text(text, encoding="utf-8")
    given = {key.replace("__", "."): value for key, value in overrides.items()}
    return resolve(Outer, PRESETS, file=tmp_path / name, overrides=given)


def test_the_last_one_to_speak_wins(tmp_path: Path) -> None:
    file = 'preset = "large"\nmode = "slow"\n[model]\nrate = 0.25\n'
    assert made(file, tmp_path) == Outer(steps=99, mode="slow", model=Inner(rate=0.25))
    assert made(file, tmp_path, model__rate="0.3", steps="4").model.rate == 0.3


def test_tiny_stands_in_wherever_no_other_model_is_named(tmp_path: Path) -> None:
    assert resolve(Outer, PRESETS).steps == 3
    assert resolve(Outer, PRESETS, overrides={"model.id": "acme/base"}).steps == 10
    assert resolve(Outer, PRESETS, overrides={"model.id": "tiny"}).steps == 3
    # Half of the keys in a file, or the same half on the command line: one rule.
    assert made("", tmp_path) == resolve(Outer, PRESETS)
    half = made('mode = "slow"', tmp_path)
    assert half == resolve(Outer, PRESETS, overrides={"mode": "slow"})
    assert half.steps == 3
    assert made('[model]\nid = "acme/base"', tmp_path).steps == 10
    assert made('[model]\nid = "tiny"', tmp_path).steps == 3
    assert made('[model]\nid = "acme/base"', tmp_path, model__id="tiny").steps == 3


@pytest.mark.parametrize("stage", STAGES, ids=lambda stage: stage.name)
def test_a_file_with_one_key_runs_as_the_option_would(stage: Stage, tmp_path: Path) -> None:
    key = next(one for one in options_of(stage.config) if one.key == "out").key
    (tmp_path / "c.toml").write_text(f'{key} = "elsewhere"')
    by_file = resolve(stage.config, stage.presets, file=tmp_path / "c.toml")
    assert by_file == resolve(stage.config, stage.presets, overrides={key: "elsewhere"})


@pytest.mark.parametrize("name", ["c.yaml", "c.yml"])
def test_yaml_says_the_same(name: str, tmp_path: Path) -> None:
    found = made("names: [c]\nmodel:\n  rate: 0.25\n", tmp_path, name=name)
    assert found == Outer(steps=3, names=("c",), model=Inner(rate=0.25))


def test_what_is_shown_is_read_back(tmp_path: Path) -> None:
    config = Outer(top=0.5, names=("x\n", 'q"'), flag=True, model=Inner("Ünï", 1e-05))
    text = as_toml(config)
    assert made(text, tmp_path) == config
    assert made(as_toml(config, explained=False), tmp_path) == config
    assert "# How. (fast, slow)" in text
    assert "# top is not set" in as_toml(Outer())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("step = 3", "c.toml:1: unknown key 'step'; did you mean 'steps'?"),
        ("\n[model]\nrat = 1", "c.toml:3: unknown key 'model.rat'; did you mean 'model.rate'?"),
        ("rate = 1", "c.toml:1: unknown key 'rate'; did you mean 'model.rate'?"),
        ("steps = 0", "c.toml:1: steps: 0 is less than 1"),
        ("steps = 1.5", "c.toml:1: steps: 1.5 is not a whole number"),
        ("steps = true", "c.toml:1: steps: True is not a whole number"),
        ("[model]\nrate = 2", "c.toml:2: model.rate: 2.0 is more than 1"),
        ("[model]\nrate = nan", "c.toml:2: model.rate: nan is not a number"),
        ('mode = "fst"', "c.toml:1: mode: 'fst' is not one of fast, slow; did you mean 'fast'?"),
        ("flag = 1", "c.toml:1: flag: 1 is not true or false"),
        ("names = 3", "c.toml:1: names: 3 is not a list"),
        ("out = []", "c.toml:1: out: [] is not a path"),
        ("model = 3", "c.toml:1: unknown key 'model'"),
        ('preset = "larg"', "no preset 'larg' here (tiny, large); did you mean 'large'?"),
        ("steps = ", "c.toml: not valid TOML"),
        ("\nsteps = 13", "c.toml:2: steps: not thirteen"),
        ('"model.id" = "a"\n[model]\nid = "b"', "c.toml:1: model.id is set twice; keep one"),
        ("steps = 2020-01-01", "c.toml:1: steps: 2020-01-01 is not a whole number"),
        ("[model]\nrate = 07:32:00", "c.toml:2: model.rate: 07:32:00 is not a number"),
        ("[model]\nrate = 1" + "0" * 400, "c.toml:2: model.rate: 1000"),
        ("steps = 9" + "0" * 5000, "c.toml: not valid TOML"),
        ("steps = 99999999999999999999", "c.toml:1: steps: 99999999999999999999 is too large"),
        ('preset = ["tiny"]', "c.toml:1: preset ['tiny'] is not text; name one of tiny, large"),
        ("preset = {}", "c.toml:1: preset {} is not text"),
        ('out = "a\\u0000"', "c.toml:1: out: 'a\\x00' is not a path"),
        ("\nnames = " + "[" * 5000 + "]" * 5000, "c.toml:2: nested more than 100 deep"),
        ("steps = 2\n[" + "a." * 5000 + "a]\n", "c.toml:2: nested more than 100 deep"),
    ],
)
def test_a_complaint_says_where_and_what_instead(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as raised:
        made(text, tmp_path)
    assert message in str(raised.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("model:\n  rat: 1\n", "c.yaml:2: unknown key 'model.rat'"),
        ("a: [", "not valid YAML"),
        ("steps: 1\nmode: fast\nsteps: 2", "c.yaml:3: steps stands in line 1 already; keep one"),
        ("model:\n  id: a\n  id: a", "c.yaml:3: model.id stands in line 2 already"),
        ("model:\n  id: a\nmodel: {rate: 1}", "c.yaml:3: model stands in line 1 already"),
        ("model.id: a\nmodel: {id: b}", "c.yaml:2: model.id stands in line 1 already"),
        ("x:\n- {a: 1}\n- a: 1\n  a: 2", "c.yaml:4: x.1.a stands in line 3 already"),
        ("- a", "a mapping of keys"),
        ("steps: 2020-01-01", "c.yaml:1: steps: 2020-01-01 is not a whole number"),
        ("steps: 2020-13-45", "c.yaml: not valid YAML: month must be in 1..12"),
        ("a: &a\n  b: *a", "c.yaml:2: *a stands inside &a, so the value would hold itself"),
        ("\na: " + "[" * 5000 + "]" * 5000, "c.yaml:2: nested more than 100 deep; write it flat"),
        ("\n".join(" " * at + "a:" for at in range(200)), "c.yaml:101: nested more than 100 deep"),
        (
            "a: &a " + "[" * 90 + "]" * 90 + "\nb: " + "[" * 90 + "*a" + "]" * 90,
            "c.yaml: nested more than 100 deep",
        ),
    ],
)
def test_yaml_complaints(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"c\.yaml") as raised:
        made(text, tmp_path, name="c.yaml")
    assert message in str(raised.value)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such file"):
        resolve(Outer, PRESETS, file=tmp_path / "absent.toml")
    (tmp_path / "c.ini").write_text("")
    with pytest.raises(ConfigError, match=r"a \.toml, \.yaml or \.yml"):
        resolve(Outer, PRESETS, file=tmp_path / "c.ini")
    (tmp_path / "c.toml").write_bytes(b'a = "\xff"')
    with pytest.raises(ConfigError, match="UTF-8"):
        resolve(Outer, PRESETS, file=tmp_path / "c.toml")


def test_the_command_line_says_none_for_unset(tmp_path: Path) -> None:
    assert made("top = 0.5", tmp_path, top="none").top is None
    with pytest.raises(ConfigError, match="--steps: steps: 'none' is not a whole number"):
        made("", tmp_path, steps="none")
    assert made("", tmp_path, names="x, y").names == ("x", "y")


def test_a_seed_of_401_digits_is_named_without_all_of_them() -> None:
    with pytest.raises(ConfigError, match=r"--steps: steps: '9{59}… is too large") as raised:
        resolve(Outer, PRESETS, overrides={"steps": "9" * 401})
    assert len(str(raised.value)) < 200


@pytest.mark.parametrize("name", ["sft", "dpo", "chain"])
def test_training_takes_the_seeds_that_numpy_takes(name: str) -> None:
    stage = BY_NAME[name]
    with pytest.raises(ConfigError, match="seed: 4294967296 is more than 4294967295"):
        resolve(stage.config, stage.presets, overrides={"seed": "4294967296"})


def test_an_alias_beside_its_anchor_is_no_tangle(tmp_path: Path) -> None:
    found = made("names: &n [c]\nmodel: {id: &i d}\nout: *i\n", tmp_path, name="c.yaml")
    assert found == Outer(names=("c",), out=Path("d"), model=Inner("d"))


def test_merged_yaml_may_be_written_over(tmp_path: Path) -> None:
    (tmp_path / "t.yaml").write_text("a: &a {x: 1, y: 2}\nb: {<<: *a, x: 3}\n")
    assert load_data(tmp_path / "t.yaml")["b"] == {"x": 3, "y": 2}


@pytest.mark.parametrize("stage", STAGES, ids=lambda stage: stage.name)
def test_every_stage_explains_itself_and_its_presets_hold(stage: Stage, tmp_path: Path) -> None:
    assert list(stage.presets)[:2] == ["tiny", "qwen2.5-32b"]
    for one in options_of(stage.config):
        assert one.help.endswith("."), one.key
    for preset in stage.presets:
        config = resolve(stage.config, stage.presets, preset=preset)
        (tmp_path / f"{preset}.toml").write_text(as_toml(config), encoding="utf-8")
        again = resolve(stage.config, stage.presets, file=tmp_path / f"{preset}.toml")
        assert again == config
