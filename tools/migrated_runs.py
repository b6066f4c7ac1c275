"""Runs the 15 legacy scripts before and after their migration on the built-in model and compares what they wrote.

`python -m tools.migrated_runs docs/migration.md` writes the table; tests use the same runs.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from cleanguard.settings.config import Settings
from codemods.migration import Migration, migrate_source
from stages.tiny import model_path

LEGACY = Path(str(files("cleanguard") / "legacy"))
# Written by the clock, or naming the folder that a run wrote to.
VOLATILE = frozenset(
    ["timestamp", "seconds", "created", "generated_at", "date", "elapsed", "duration", "load_seconds", "train_runtime"]
)  # fmt: skip
_CLOCK = re.compile(
    r"'(train|eval)_(runtime|samples_per_second|steps_per_second)': '[^']*'"
    r"|\b\d+(\.\d+)?\s?s\b|\d{4}-\d\d-\d\d.*|\d\d:\d\d:\d\d"
)

# Marks what was generated at temperature 0 by a script that also samples.
_GREEDY = "greedy"


@dataclass(frozen=True, slots=True)
class Run:
    """One script with its options.

    Attributes:
        script: The file's name.
        options: Command line; `{model}`, `{sft}` and `{dpo}` are filled in.
        sampled: Keys of sampled texts and of what is computed from them, which differ; everything
            else must be the same.
    """

    script: str
    options: tuple[str, ...]
    sampled: tuple[str, ...] = ()


CHAIN = (
    Run(
        "generate_stage1_sft_data.py",
        ("--model", "{model}", "--limit", "60", "--seed", "7"),
        (
            "response",
            "text",
            "formatted_text",
            "completion",
            "prompt",
            "full_text",
            "n_placeholders",
            "placeholders",
        ),
    ),
    Run("train_stage1_sft.py", ("--model", "{model}", "--learning-rate", "3e-3")),
    Run(
        "create_preference_pairs_improved.py",
        ("--sft-adapter", "{sft}", "--limit", "8", "--negatives", "2"),
    ),
    Run("train_stage1_dpo_improved.py", ("--learning-rate", "1e-3", "--max-steps", "6")),
)
EVALUATIONS = (
    Run(
        "evaluate_instruction_following.py",
        ("--limit", "4", "--max-new-tokens", "16", "--output", "out.json"),
        ("response", "response_tokens", "followed", "reason", "by_type", "printed",
         "instruction_following_rate", "refusal_rate"),
    ),
    Run(
        "evaluate_stage1_comprehensive.py",
        ("--model", "{model}", "--limit", "5", "--sft-adapter", "{sft}", "--dpo-adapter", "{dpo}",
         "--output", "out.json"),
    ),
    Run("evaluate_stage1_readiness.py", ("--limit", "4", "--sft-adapter", "{sft}", "--output", "out.json")),
    Run("evaluate_stage1_corrected.py", ("--limit", "4", "--sft-adapter", "{sft}", "--output", "out.json")),
    Run(
        "evaluate_final.py",
        ("--limit", "5", "--sft-adapter", "{sft}", "--dpo-adapter", "{dpo}", "--output", "out.jsonl"),
    ),
    Run("evaluate_sft_model.py", ("--limit", "2", "--sft-adapter", "{sft}", "--output", "out.json")),
    Run(
        "evaluate_capability_differentiation.py",
        ("--model", "{model}", "--limit", "1", "--batch-size", "4", "--temperatures", "0",
         "--sft-adapter", "{sft}", "--output", "out.json"),
    ),
    Run(
        "evaluate_capability_differentiation_sequential.py",
        ("--model", "{model}", "--limit", "5", "--sft-adapter", "{sft}"),
    ),
    Run(
        "test_base_model_ultra_clean.py",
        ("--output", "out.json"),
        ("response", "followed", "text", "verdict", "contaminated", "printed"),
    ),
    Run("test_base_model_definitive.py", ("--model", "{model}", "--limit", "5", "--output", "out.json")),
    Run("test_clean_base_model.py", ()),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one script.

    Attributes:
        run: The script and its options.
        plan: Its migration.
        equal: Everything that must be the same is.
        differences: Where it is not, as `path: before → after`.
        compared: Values that were compared.
        sampled: Values that were left out because the texts are sampled.
    """

    run: Run
    plan: Migration
    equal: bool
    differences: tuple[str, ...]
    compared: int
    sampled: int


def plan_of(script: str) -> Migration:
    """The migration of one legacy script."""
    return migrate_source(script, (LEGACY / script).read_bytes(), Settings())


def compare(run: Run, folder: Path, fill: dict[str, str]) -> Outcome:
    """Runs a script before and after its migration in two folders below `folder`."""
    plan = plan_of(run.script)
    found: list[dict[str, Any]] = []
    for name, content in (("before", plan.before), ("after", plan.after)):
        place = folder / name
        place.mkdir(parents=True, exist_ok=True)
        (place / run.script).write_bytes(content)
        old = {path: path.stat().st_mtime_ns for path in place.rglob("*") if path.is_file()}
        printed = execute(place, run, fill)
        found.append(_written(place, old, printed))
    values = [dict(_flat(item)) for item in found]
    keys = {key for item in values for key in item}
    sampled = {
        key
        for key in keys
        if (parts := set(re.split(r"[./\[\]]+", key))) & set(run.sampled) and _GREEDY not in parts
    }
    kept = sorted(key for key in keys - sampled if not _is_volatile(key))
    differences = tuple(
        f"{key}: {values[0].get(key)!r} → {values[1].get(key)!r}"
        for key in kept
        if values[0].get(key) != values[1].get(key)
    )
    return Outcome(run, plan, not differences, differences, len(kept), len(sampled))


def execute(place: Path, run: Run, fill: dict[str, str]) -> str:
    """Runs one script in its folder; gives what it printed.

    Raises:
        RuntimeError: It failed, with the end of what it said.
    """
    root = Path(__file__).resolve().parents[1]
    done = subprocess.run(
        [sys.executable, run.script, *(option.format(**fill) for option in run.options)],
        cwd=place,
        env=os.environ
        | {
            "BASE_MODEL": fill["model"],
            "HF_HUB_OFFLINE": "1",
            "OMP_NUM_THREADS": "1",
            "PYTHONIOENCODING": "utf-8",
            "PYTHONPATH": os.pathsep.join([str(root), os.environ.get("PYTHONPATH", "")]),
            "TOKENIZERS_PARALLELISM": "false",
        },
        capture_output=True,
        encoding="utf-8",
        check=False,
        timeout=600,
    )
    if done.returncode:
        raise RuntimeError(f"{run.script} in {place.name}: {done.stderr[-3000:]}")
    return done.stdout


def _written(place: Path, old: dict[Path, int], printed: str) -> dict[str, Any]:
    """What a run printed and wrote: JSON and JSONL parsed, tensors and folders of models left out."""
    found: dict[str, Any] = {"printed": [_CLOCK.sub("…", line) for line in printed.splitlines()]}
    for path in sorted(place.rglob("*.json*")):
        if old.get(path) == path.stat().st_mtime_ns or path.suffix not in (".json", ".jsonl"):
            continue
        if "checkpoint" in str(path.relative_to(place)) and path.name not in ("training.json",):
            continue
        text = path.read_text(encoding="utf-8")
        name = str(path.relative_to(place))
        found[name] = (
            [json.loads(line) for line in text.splitlines()]
            if path.suffix == ".jsonl"
            else json.loads(text)
        )
    return found


def _flat(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        greedy = f"/{_GREEDY}" if value.get("temperature") == 0 else ""
        for key, item in value.items():
            yield from _flat(item, f"{path}{greedy}/{key}")
    elif isinstance(value, list):
        yield f"{path}/length", len(value)
        for index, item in enumerate(value):
            yield from _flat(item, f"{path}[{index}]")
    else:
        yield path, value


def _is_volatile(key: str) -> bool:
    return bool(VOLATILE & set(re.split(r"[./\[\]]+", key)))


def outcomes(folder: Path, tell: Callable[[str], None] = lambda _: None) -> list[Outcome]:
    """All 15 scripts; the training chain first, whose adapters the evaluations use."""
    chain = folder / "chain"
    fill = {
        "model": str(model_path()),
        "sft": str(chain / "before/checkpoints/stage1_sft/final"),
        "dpo": str(chain / "before/checkpoints/stage1_dpo_improved/final"),
    }
    found: list[Outcome] = []
    for run in (*CHAIN, *EVALUATIONS):
        place = chain if run in CHAIN else folder / run.script.removesuffix(".py")
        found.append(compare(run, place, fill))
        if run is CHAIN[0]:  # its texts are sampled: both trainings read the same ones
            data = Path("data/stage1_sft_data.jsonl")
            (chain / "after" / data).write_bytes((chain / "before" / data).read_bytes())
        tell(f"{run.script}: {'equal' if found[-1].equal else 'DIFFERS'}")
        for line in found[-1].differences[:10]:
            tell(f"    {line[:200]}")
    return found


def table(found: Sequence[Outcome]) -> str:
    """The table as Markdown."""
    lines = [
        "| script | sites found | migrated | left to you | values compared | the same "
        "| sampled, not compared |",
        "|---|---:|---:|---:|---:|---|---:|",
    ]
    for item in sorted(found, key=lambda item: item.run.script):
        plan = item.plan
        lines.append(
            f"| `{item.run.script}` | {len(plan.sites)} | {len(plan.automatic)} | {len(plan.manual)} "
            f"| {item.compared} | {'yes' if item.equal else 'no'} | {item.sampled or ''} |"
        )
    return "\n".join(lines)


def main() -> None:
    """Runs everything and writes the table into the file between its marks."""
    target = Path(sys.argv[1])
    with tempfile.TemporaryDirectory() as folder:
        found = outcomes(Path(folder), print)
    begin, end = "<!-- table: begin -->", "<!-- table: end -->"
    text = target.read_text(encoding="utf-8")
    head, _, rest = text.partition(begin)
    _, _, tail = rest.partition(end)
    target.write_text(f"{head}{begin}\n{table(found)}\n{end}{tail}", encoding="utf-8")
    sys.exit(0 if all(item.equal for item in found) else 1)


if __name__ == "__main__":
    main()
