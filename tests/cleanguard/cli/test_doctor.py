"""`cleanguard doctor`: what it prints, and how it leaves."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

from cleanguard.installing import install
from stages.tiny import model_path
from tests.cleanguard.cli.conftest import Run


def test_the_embedded_model_in_words(run: Run) -> None:
    ran = run("doctor", str(model_path()))
    assert ran.code == 0
    for said in (
        "nothing says chat",
        "qwen2, Qwen2ForCausalLM",
        "681,344 parameters (BF16)",
        "none, and none is added",
        "<|im_start|> 1, <|im_end|> 2",
        "default (167 characters",
        "no surprises",
        "apache-2.0 (README.md)",
    ):
        assert said in ran.out


def test_a_chat_model_as_json(run: Run, tmp_path: Path) -> None:
    target = tmp_path / "model"
    shutil.copytree(model_path(), target)
    settings = {"do_sample": True, "temperature": 0.7, "eos_token_id": [2, 0]}
    (target / "generation_config.json").write_text(json.dumps(settings))
    (target / "adapter_config.json").write_text("{}")
    (target / "LICENSE").write_text("words")
    ran = run("doctor", str(target), "--format", "json")
    assert ran.code == 1
    found = json.loads(ran.out)
    assert (found["standing"], found["refused"]) == ("chat", True)
    assert found["generation"] == settings
    assert "LICENSE" in found["licence"]
    codes = {remark["code"]: remark["refused"] for remark in found["remarks"]}
    assert codes == {"CG108": True, "CG109": True, "CG303": False, "CG401": False}


def test_a_secret_in_the_models_path_is_not_said(run: Run, tmp_path: Path) -> None:
    secret = "hf" + "_" + "aBcDeFgHiJ" * 3
    (tmp_path / secret).mkdir()
    shutil.copytree(model_path(), tmp_path / secret / "m")
    for form in ("text", "json"):
        ran = run("doctor", str(tmp_path / secret / "m"), "--format", form)
        assert "[redacted]/m" in ran.out
        assert secret not in ran.out + ran.err


def test_behaviour_on_request(run: Run) -> None:
    assert "base (advice, no verdict)" in run("doctor", str(model_path()), "--behaviour").out


def test_what_cannot_be_examined(run: Run, tmp_path: Path) -> None:
    ran = run("doctor", str(tmp_path / "none"))
    assert ran.code == 2
    assert "is no model directory" in ran.err
    target = tmp_path / "torn"
    shutil.copytree(model_path(), target)
    (target / "model.safetensors").write_bytes(b"torn")
    ran = run("doctor", str(target))
    assert ran.code == 2
    assert "a torn one" in ran.err


def test_without_torch_it_names_the_extra() -> None:
    code = (
        "import sys; sys.modules['torch'] = None; sys.argv = ['cleanguard', 'doctor', 'x'];"
        "from cleanguard.cli import main; main()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert install("guard") in done.stderr
    assert "Traceback" not in done.stderr


def test_tiny_is_the_embedded_model(run: Run) -> None:
    assert run("doctor", "tiny").out == run("doctor", str(model_path())).out
