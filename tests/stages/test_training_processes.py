"""Training in two processes: data parallel, FSDP and ZeRO come to the same adapter."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from safetensors.torch import load_file

from guard.records.verification import verify_file
from stages.training.launch import LAUNCH_FILES, launch_file

MAIN = "from cleanguard.cli import main; main()"
# accelerate takes FSDP for GPUs alone; torch does not. So it is told that its CPUs are some.
AS_IF_GPUS = """
import accelerate.state as state
made = state.PartialState.__init__
def make(self, *args, **kwargs):
    made(self, *args, **kwargs)
    if self._shared_state.get("distributed_type") == state.DistributedType.MULTI_CPU:
        self._shared_state["distributed_type"] = state.DistributedType.MULTI_GPU
        self.distributed_type = state.DistributedType.MULTI_GPU
state.PartialState.__init__ = make
"""
DEEPSPEED = pytest.mark.skipif(
    importlib.util.find_spec("deepspeed") is None, reason="DeepSpeed is not installed"
)


def launch(*args: str, code: str = MAIN, env: dict[str, str] | None = None) -> Any:
    launcher = [sys.executable, "-m", "torch.distributed.run", "--no-python", "--nproc-per-node"]
    return subprocess.run(
        [*launcher, "2", sys.executable, "-c", code, "run", *args],
        capture_output=True, text=True, check=False, timeout=300,
        env={**os.environ, "OMP_NUM_THREADS": "1", **(env or {})},
    )  # fmt: skip


def fsdp() -> dict[str, str]:
    """The environment that `accelerate launch` makes of the shipped file."""
    settings = yaml.safe_load(launch_file("fsdp").read_text())
    names = {name.upper(): str(value) for name, value in settings["fsdp_config"].items()}
    assert settings["distributed_type"] == "FSDP"
    return {"ACCELERATE_USE_FSDP": "true", **names}


def sft(data: Path, out: Path, *args: str) -> list[str]:
    short = ["--train.steps", "4", "--train.save-steps", "2", "--train.batch-size", "8"]
    return ["sft", "--data", str(data), "--out", str(out), *short, *args]


def difference(one: Path, other: Path) -> float:
    a, b = (load_file(path / "adapter" / "adapter_model.safetensors") for path in (one, other))
    assert a.keys() == b.keys()
    assert all(a[name].shape == b[name].shape for name in a)
    assert max(float(value.abs().max()) for value in a.values()) > 0.01
    return max(float((a[name] - b[name]).abs().max()) for name in a)


@pytest.fixture(scope="session")
def parallel(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An sft run of two processes that each keep the whole model."""
    out = tmp_path_factory.mktemp("parallel") / "sft"
    done = launch(*sft(data, out))
    assert done.returncode == 0, done.stderr
    return out


@pytest.mark.slow
def test_fsdp_trains_resumes_and_saves_what_data_parallel_does(
    data: Path, parallel: Path, tmp_path: Path
) -> None:
    out = tmp_path / "sft"
    for _ in range(2):
        done = launch(*sft(data, out), code=AS_IF_GPUS + MAIN, env=fsdp())
        assert done.returncode == 0, done.stderr
        # The optimizer of a sharded model has a file of another name: it was sharded indeed.
        assert (out / "checkpoints" / "checkpoint-4" / "optimizer.bin").exists()
        assert verify_file(out / "adapter" / "adapter_model.safetensors").problems == ()
        assert difference(out, parallel) < 1e-5
        for folder in ("adapter", "checkpoints/checkpoint-4"):
            (out / folder).rename(
                tmp_path / f"{folder.replace('/', '-')}-{len(list(tmp_path.iterdir()))}"
            )
    assert "going on from checkpoint-2" in done.stderr


@pytest.mark.slow
def test_fsdp_that_accelerate_drops_is_not_taken_for_granted(data: Path, tmp_path: Path) -> None:
    done = launch(*sft(data, tmp_path / "sft"), env=fsdp())
    assert done.returncode != 0
    assert "FSDP was asked for, and accelerate does not use it here" in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["parallel", "fsdp"])
def test_preferences_are_trained_in_two_processes(
    kind: str, sft_adapter: Path, tmp_path: Path
) -> None:
    pairs = tmp_path / "preferences"
    done = subprocess.run(
        [sys.executable, "-c", MAIN, "run", "preferences", "--adapter", str(sft_adapter),
         "--k", "4", "--out", str(pairs)], capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    args = [
        "dpo", "--data", str(pairs / "pairs.jsonl"), "--sft", str(sft_adapter),
        "--out", str(tmp_path / "dpo"), "--train.steps", "4", "--train.batch-size", "8",
    ]  # fmt: skip
    code, env = (AS_IF_GPUS + MAIN, fsdp()) if kind == "fsdp" else (MAIN, {})
    done = launch(*args, code=code, env=env)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("the reference is the sft model") == 1
    adapter = tmp_path / "dpo" / "adapter"
    assert verify_file(adapter / "adapter_model.safetensors").problems == ()
    lineage = json.loads((adapter / "lineage.json").read_text())
    assert lineage["data"]["reference"] == "sft"
    before, after = (load_file(p / "adapter_model.safetensors") for p in (sft_adapter, adapter))
    assert before.keys() == after.keys()
    assert max(float((before[name] - after[name]).abs().max()) for name in before) > 1e-4


@DEEPSPEED
@pytest.mark.slow
@pytest.mark.parametrize("name", ["zero2", "zero3"])
def test_zero_trains_what_data_parallel_does(
    name: str, data: Path, parallel: Path, tmp_path: Path
) -> None:
    args = sft(data, tmp_path / "sft", "--train.deepspeed", str(launch_file(name)))
    done = launch(*args, env={"DS_ACCELERATOR": "cpu"})
    assert done.returncode == 0, done.stderr
    assert list((tmp_path / "sft" / "checkpoints" / "checkpoint-4").glob("global_step4"))
    assert difference(tmp_path / "sft", parallel) < 1e-5


@pytest.mark.parametrize("name", LAUNCH_FILES)
def test_the_command_prints_where_a_shipped_file_is(name: str) -> None:
    from click.testing import CliRunner

    from cleanguard.cli.commands.run import command

    done = CliRunner().invoke(command, ["--launch-file", name])
    assert done.exit_code == 0
    assert Path(done.output.strip()) == launch_file(name)
    text = launch_file(name).read_text()
    assert json.loads(text) if name.startswith("zero") else yaml.safe_load(text)


def test_accelerate_reads_the_fsdp_file_as_it_is_meant() -> None:
    from accelerate.commands.config.config_args import load_config_from_file

    found = load_config_from_file(str(launch_file("fsdp")))
    assert found.distributed_type.value == "FSDP"
    assert found.fsdp_config["fsdp_version"] == 2
    assert found.mixed_precision == "bf16"
