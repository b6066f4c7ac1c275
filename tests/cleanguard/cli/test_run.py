"""`cleanguard run`: options out of dataclasses, complaints with exit code 2."""

from __future__ import annotations

import importlib.util
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from cleanguard.installing import install
from stages.registry import BY_NAME, Outcome


def test_help_explains_stages_and_options(run: Any) -> None:
    listed = run("run", "--help")
    assert listed.code == 0
    for name in BY_NAME:
        assert f"  {name} " in listed.out
    explained = run("run", "generate", "--help")
    assert "--model.quant none|int8|nf4" in explained.out
    assert "Quantization with bitsandbytes." in " ".join(explained.out.split())


def test_show_config_prints_what_would_run(run: Any, tmp_path: Path) -> None:
    shown = run("run", "generate", "--preset", "qwen2.5-32b", "--show-config", "--seed", "7")
    assert shown.code == 0
    assert 'id = "Qwen/Qwen2.5-32B"' in shown.out
    assert "seed = 7" in shown.out
    (tmp_path / "c.toml").write_text(shown.out, encoding="utf-8")
    again = run("run", "generate", "--config", str(tmp_path / "c.toml"), "--show-config")
    assert again.out == shown.out


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("generat",), "There is no stage 'generat'; did you mean 'generate'?"),
        (("generate", "--sede", "1"), "No such option '--sede'; did you mean '--seed'?"),
        (("generate", "--batch-size", "0"), "--batch-size: batch_size: 0 is less than 1"),
        (("generate", "--quant", "nf4"), "did you mean '--model.quant'?"),
        (("generate", "--seed", "x"), "--seed: seed: 'x' is not a whole number"),
        (("generate", "--model.quant", "nf8"), "not one of none, int8, nf4; did you mean 'nf4'?"),
        (("generate", "--preset", "huge"), "--preset: there is no preset 'huge'"),
        (("generate", "--config", "absent.toml"), "absent.toml: cannot be read"),
        (("generate", "--source", "file"), '--source: source = "file" needs `file`'),
    ],
)
def test_bad_input_is_2_and_says_what_instead(
    run: Any, args: tuple[str, ...], message: str
) -> None:
    found = run("run", *args)
    assert found.code == 2
    assert message in found.err
    assert "internal error" not in found.err


def test_options_are_spelt_either_way(run: Any) -> None:
    for name in ("--max-new-tokens", "--max_new_tokens"):
        assert "max_new_tokens = 7" in run("run", "generate", name, "7", "--show-config").out
    assert "--max-new-tokens N" in run("run", "generate", "--help").out


def test_a_missing_extra_is_one_sentence(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    real = importlib.util.find_spec
    monkeypatch.setattr(
        "stages.registry.find_spec", lambda name: None if name == "torch" else real(name)
    )
    found = run("run", "generate")
    assert found.code == 2
    assert found.err == f"cleanguard: generate needs torch: {install('guard')}\n"


def test_a_check_that_failed_is_1(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stages.generate.run", lambda config: Outcome(("no",), passed=False))
    found = run("run", "generate")
    assert (found.code, found.out) == (1, "no\n")


def test_help_and_show_config_load_nothing_heavy() -> None:
    script = (
        "import sys\nfrom cleanguard.cli import main\n"
        "try:\n    main()\nfinally:\n    print(*sys.modules, file=sys.stderr)\n"
    )
    for last in ("--help", "--show-config"):
        done = subprocess.run(
            [sys.executable, "-c", script, "run", "generate", last],
            capture_output=True, text=True, check=True, env={**os.environ},
        )  # fmt: skip
        loaded = {name.partition(".")[0] for name in done.stderr.split()}
        assert not loaded & {"torch", "transformers", "numpy", "libcst", "lint_rules", "codemods"}


@pytest.mark.parametrize("stage", ["evaluate", "sft", "preferences"])
def test_help_shows_what_would_run(run: Any, stage: str) -> None:
    """The preset that runs unless told otherwise is what the brackets say, for every option."""
    from stages.config import as_plain, resolve

    found = BY_NAME[stage]
    text = " ".join(run("run", stage, "--help").out.split())
    assert "Without --preset the preset tiny runs" in text
    usual, plain = as_plain(resolve(found.config, found.presets)), as_plain(found.config())
    for key in ("max_new_tokens", "batch_size", "eval_share", "near"):
        for place, values in ((usual, plain), (usual.get("holdout", {}), plain.get("holdout", {}))):
            if key in place:
                differs = "" if place[key] == values[key] else f"; {values[key]} with another model"
                assert f"[{place[key]}{differs}]" in text


@pytest.mark.parametrize("stage", list(BY_NAME))
def test_help_beside_a_preset_shows_that_presets_values(run: Any, stage: str) -> None:
    from stages.config import as_plain, options_of, resolve

    found = BY_NAME[stage]
    for preset in found.presets:
        text = " ".join(run("run", stage, "--help", "--preset", preset).out.split())
        assert f"In brackets stands what runs with --preset {preset}." in text
        assert "with another model" not in text
        plain = as_plain(resolve(found.config, found.presets, preset=preset))
        for one in options_of(found.config):
            value: Any = plain
            for part in one.key.split("."):
                value = value[part]
            if isinstance(value, (int, float)) and not isinstance(value, bool):
                assert f"{one.help} [{value}]" in text, one.key


def test_help_beside_a_file_or_a_model_shows_what_would_run(run: Any, tmp_path: Path) -> None:
    file = tmp_path / "c.toml"
    file.write_text('batch_size = 7\n[model]\nid = "/somewhere"\n')
    for given, batch in (
        (["--config", str(file), "--help"], 7),
        (["--model.id=/somewhere", "--help"], 64),
        (["--help", "--preset", "qwen2.5-32b", "--config", str(file)], 7),
    ):
        text = " ".join(run("run", "evaluate", *given).out.split())
        assert f"Prompts at a time. [{batch}]" in text
    unknown = run("run", "evaluate", "--preset", "qwen2.5-33b", "--help")
    assert unknown.code == 2
    assert "did you mean 'qwen2.5-32b'?" in unknown.err


def test_control_c_says_how_to_go_on(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def stopped(config: Any) -> Outcome:
        raise KeyboardInterrupt

    monkeypatch.setattr("stages.generate.run", stopped)
    ran = run("run", "generate")
    assert ran.code == 130
    assert ran.err.strip() == "stopped; the same command goes on from here"


def test_a_scheduler_stops_a_run_as_control_c_does(
    run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def told(config: Any) -> Outcome:
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(30)
        return Outcome(())

    before = signal.getsignal(signal.SIGTERM)
    monkeypatch.setattr("stages.generate.run", told)
    ran = run("run", "generate")
    assert (ran.code, ran.err) == (143, "stopped; the same command goes on from here\n")
    assert signal.getsignal(signal.SIGTERM) == before
