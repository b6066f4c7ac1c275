"""Secrets planted wherever a session has them: none may turn up in anything that is written."""

from __future__ import annotations

import json
import os
import random
import string
import subprocess
import sys
from pathlib import Path

import pytest

from stages.tiny import model_path

_RANDOM = random.Random(0)


def word(length: int = 20, letters: str = string.ascii_letters + string.digits) -> str:
    return "".join(_RANDOM.choice(letters) for _ in range(length))


def planted() -> tuple[list[str], dict[str, str], list[tuple[str, str]], list[str]]:
    """A command line, an environment, git settings, and the secrets that are in them."""
    secrets: list[str] = []

    def new(prefix: str = "", length: int = 20, letters: str = "") -> str:
        value = prefix + word(length, letters or string.ascii_letters + string.digits)
        secrets.append(value)
        return value

    def hexes(length: int) -> str:
        return new("", length, "0123456789abcdef")

    argv: list[str] = []
    for option in (
        "--token", "--hf-token", "--hub_token", "--wandb-key", "--api-key", "--password",
        "--client-secret", "--auth", "--github-pat", "--db.password",
    ):  # fmt: skip
        argv += [option, new()]
    for option in (
        "--token", "--openai_api_key", "--wandb_api_key", "--aws_secret_access_key", "hf_token",
        "model.api_key", "+logger.wandb_key", "--my-token-for-ci", "--license-key",
    ):  # fmt: skip
        argv.append(f"{option}={new()}")
    for prefix, length in (
        ("hf_", 34), ("sk-", 40), ("sk-ant-", 40), ("ghp_", 36), ("gho_", 36), ("github_pat_", 40),
        ("glpat-", 20), ("xoxb-", 30), ("AIza", 35), ("pypi-", 40), ("npm_", 36), ("r8_", 36),
        ("nvapi-", 40), ("gsk_", 40), ("sk_live_", 24), ("api_org_", 30),
    ):  # fmt: skip
        argv.append(f"value-{len(argv)}={new(prefix, length)}")
    argv.append(new("AKIA", 16, string.ascii_uppercase + string.digits))
    argv += ["--wandb-key", hexes(40)]
    argv += [
        f"https://{new()}@host/a",
        f"https://me:{new()}@host/b",
        f"s3://{new()}:{new()}@bucket",
    ]
    argv += [f"https://host/x?access_token={new()}&page=2", f"https://host/?sig={new()}"]
    argv += ["-H", f"Authorization: Bearer {new()}", "-H", f"Cookie: session={new()}"]
    argv += ["--config", json.dumps({"lr": 1, "hub": {"token": new(), "api_key": new()}})]
    environment = {
        name: new()
        for name in (
            "HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "OPENAI_API_KEY", "ANTHROPIC_API_KEY", "WANDB_API_KEY",
            "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "GITHUB_TOKEN", "DB_PASSWORD", "CI_JOB_TOKEN",
            "MY_UNKNOWN_THING",
        )
    }  # fmt: skip
    environment["HF_ENDPOINT"] = f"https://me:{new()}@mirror"
    environment["DATABASE_URL"] = f"postgres://me:{new()}@db/x"
    # A secret of the environment that strays into places where nothing tells what it is.
    stray = environment["WANDB_API_KEY"]
    environment["SLURM_JOB_ID"] = f"run-{stray}"
    argv += ["--run-name", f"name-{stray}", stray]
    settings = [
        ("remote.origin.url", f"https://me:{new()}@host/me/x.git?private_token={new()}"),
        ("remote.other.url", f"https://{new()}@host/me/x.git"),
        ("http.extraheader", f"Authorization: Basic {new()}"),
        (f"url.https://me:{new()}@host/.insteadof", "https://host/"),
        ("user.email", "me@host"),
        ("user.name", "me"),
    ]
    return argv, environment, settings, secrets


SESSION = """
import sys, torch
from guard import CleanModelLoader, JsonlWriter, attest, provenance_of, unguarded
torch.set_num_threads(1)
model, tokenizer, provenance = CleanModelLoader(sys.argv[1]).load()
params = {"argv": sys.argv[2:], "api_key": sys.argv[4], "limit": 3}
with JsonlWriter("out.jsonl", model, params=params) as out:
    out.write("a", {"text": CleanModelLoader.generate(model, tokenizer, "A dog", max_new_tokens=2)})
    with unguarded(model, reason="key " + " ".join(sys.argv[2:])):
        out.write("b", {})
open("report.md", "w").write("x")
attest("report.md", model, params=params)
print(provenance, provenance.to_dict(), provenance_of(model).to_dict())
from guard.provenance.environment import session
import json
json.dump(session(), open("session.json", "w"))
from cleanguard.cli import main
sys.argv = ["cleanguard", "verify", "--output-format", "json", "out.jsonl", "report.md"]
main()
"""


def test_no_planted_secret_is_written_anywhere(tmp_path: Path) -> None:
    argv, environment, settings, secrets = planted()
    assert len(secrets) >= 60
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    for name, value in settings:
        subprocess.run(["git", "-C", str(tmp_path), "config", name, value], check=True)
    ran = subprocess.run(
        [sys.executable, "-c", SESSION, str(model_path()), *argv],
        cwd=tmp_path,
        env={
            **os.environ,
            **environment,
            "PYTHONPATH": os.pathsep.join([str(Path.cwd()), os.environ.get("PYTHONPATH", "")]),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 1, ran.stderr  # the record that was written after the guard was lifted
    written = [path for path in tmp_path.iterdir() if path.is_file()]
    assert len(written) == 5
    artefacts = {path.name: path.read_text() for path in written}
    artefacts |= {"stdout": ran.stdout, "stderr": ran.stderr}
    leaks = [(n, s) for n, text in artefacts.items() for s in secrets if s in text]
    shown = [
        (n, artefacts[n][max(0, artefacts[n].find(s) - 60) : artefacts[n].find(s) + 30])
        for n, s in leaks
    ]
    assert shown == []
    session = json.loads(artefacts["session.json"])
    assert "--run-name" in session["argv"]
    assert session["git"]["remote"].startswith("https://[redacted]@host/me/x.git")
    assert '"kind": "secret"' not in ran.stdout


@pytest.mark.parametrize("place", ["argv", "remote"])
def test_what_is_no_secret_stays(tmp_path: Path, place: str) -> None:
    commit = "d149729398750b98c0af14eb82c78cfe92750796"
    code = "import json, guard.provenance.environment as e; print(json.dumps(e.session()))\n"
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    url = "git@host:me/my-project.git"
    subprocess.run(["git", "-C", str(tmp_path), "config", "remote.origin.url", url], check=True)
    ran = subprocess.run(
        [sys.executable, "-c", code, "--revision", commit, "--max-new-tokens", "128"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(Path.cwd())},
        capture_output=True,
        text=True,
        check=True,
    )
    session = json.loads(ran.stdout)
    if place == "argv":
        assert session["argv"][1:] == ["--revision", commit, "--max-new-tokens", "128"]
    else:
        assert session["git"]["remote"] == url
