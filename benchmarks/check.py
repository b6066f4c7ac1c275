"""Measures `cleanguard check` against ruff, semgrep, bandit, fixit and torchfix, in turn, in one run.

    python benchmarks/check.py --work .benchmarks [--rounds 3] [--without fixit,torchfix]
    python benchmarks/check.py --work .benchmarks --base CHECKOUT --tree FOLDER --rounds 5

With `--base`, a checkout of an earlier commit is measured as well, on a tree of your own, each command of it
right before the same command of this one; the peers are then ruff alone, with the rules S, B and NPY. The file
that changes is the one whose length is nearest to 1,000 lines among those that load a model or a tokenizer;
it is put back at the end.

The peers get a virtual environment of their own, the checked tree is packages installed without their
dependencies, and cleanguard is installed from this checkout. Times of one machine mean little; the
ratios, whose two sides are measured one after the other, are what is printed last.
"""

from __future__ import annotations

import argparse
import os
import platform
import resource
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PEERS = ("ruff", "semgrep", "bandit", "fixit", "torchfix", "flake8")
PACKAGES = (
    "trl", "peft", "lm-eval", "evalplus", "alpaca-eval", "axolotl", "accelerate", "datasets",
    "sentence-transformers", "setfit", "optimum", "llmcompressor", "diffusers", "lighteval",
)  # fmt: skip
FEWEST_FILES = 2_000
# A script that imports from its package, and a module that much of its package imports.
SCRIPT, MODULE = "trl/scripts/sft.py", "trl/trainer/sft_trainer.py"
SEMGREP_RULES = """
rules:
  - {id: raw-load, languages: [python], severity: ERROR, message: raw load, pattern: "$X.from_pretrained(...)"}
  - {id: no-specials, languages: [python], severity: ERROR, message: no specials,
     pattern: "$T(..., add_special_tokens=False, ...)"}
  - {id: template, languages: [python], severity: ERROR, message: template, pattern: "$T.chat_template = None"}
"""


@dataclass(frozen=True)
class Contender:
    """A command to time, and what to do before it outside the clock."""

    name: str
    command: Sequence[str]
    before: Callable[[], object] = lambda: None
    slow: bool = False


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", type=Path, default=ROOT / ".benchmarks")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(
        "--processor-time",
        action="store_true",
        help="count processor time, for a machine that others use as well",
    )
    parser.add_argument("--base", type=Path, help="a checkout of an earlier commit")
    parser.add_argument("--tree", type=Path, help="with --base: what is checked")
    parser.add_argument("--without", default="", help="contenders to leave out, by comma")
    options = parser.parse_args()
    work = options.work.resolve()
    if options.base is not None:
        if options.tree is None:
            parser.error("--base needs --tree FOLDER")
        compare(options, work, prepare_peers(work, ("ruff",), "ruff-venv"))
        return
    bin_folder = prepare_peers(work)
    tree, clean = prepare_trees(work)
    print(f"{platform.python_implementation()} {platform.python_version()}, {os.cpu_count()} cores")
    for folder in (tree, clean):
        print(f"{folder.name}: {describe(folder)}")
    left_out = set(options.without.split(","))
    contenders = [
        c for c in contenders_for(work, bin_folder, tree, clean) if c.name not in left_out
    ]
    times = measure(contenders, options.rounds, work, options.processor_time)
    for contender in contenders:
        each = times[contender.name]
        print(f"{contender.name:<28}{statistics.median(each):8.2f} s   (best {min(each):.2f})")
    print_ratios(times)


def prepare_peers(work: Path, peers: Sequence[str] = PEERS, name: str = "venv") -> Path:
    """A virtual environment with the peers, and another with this checkout's cleanguard."""
    venv = work / name
    python = venv / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", str(venv)], check=True)
        install = [str(python), "-m", "pip", "install", "-q"]
        subprocess.run([*install, "setuptools<81", *peers], check=True)
    # Semgrep pins an old click and rich: cleanguard has an environment of its own.
    own = work / "own"
    if not (own / "bin" / "python").exists():
        subprocess.run([sys.executable, "-m", "venv", str(own)], check=True)
    install = [str(own / "bin" / "python"), "-m", "pip", "install", "-q"]
    constraints = ["-c", str(ROOT / "constraints.txt")]
    subprocess.run(
        [*install, *constraints, "--force-reinstall", "--no-deps", str(ROOT)], check=True
    )
    subprocess.run([*install, *constraints, str(ROOT)], check=True)
    return venv / "bin"


def prepare_trees(work: Path) -> tuple[Path, Path]:
    """The installed packages, and those of their files that hold no trigger word."""
    tree, clean = work / "tree", work / "tree-without-triggers"
    if not tree.exists():
        for package in PACKAGES:
            command = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target"]
            subprocess.run([*command, str(tree), package], check=True)
        for cache in tree.rglob("__pycache__"):
            shutil.rmtree(cache)
    if not clean.exists():
        script = (
            "import sys, pathlib; from lint_rules._engine.gate import needs_check\n"
            "for p in pathlib.Path(sys.argv[1]).rglob('*.py'):\n"
            "    if not needs_check(p.read_bytes()): print(p)"
        )
        own = str(work / "own" / "bin" / "python")
        listed = subprocess.run(
            [own, "-c", script, str(tree)], capture_output=True, text=True, check=True
        )
        for line in listed.stdout.splitlines():
            target = clean / Path(line).relative_to(tree)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(line, target)
    if len(list(tree.rglob("*.py"))) < FEWEST_FILES:
        raise SystemExit(f"the tree has fewer than {FEWEST_FILES} files; add packages")
    return tree, clean


def describe(folder: Path) -> str:
    files = list(folder.rglob("*.py"))
    lines = sum(file.read_bytes().count(b"\n") for file in files)
    return f"{len(files):,} files, {lines:,} lines"


def contenders_for(work: Path, peers: Path, tree: Path, clean: Path) -> list[Contender]:
    rules = work / "semgrep.yml"
    rules.write_text(SEMGREP_RULES)
    cleanguard = str(work / "own" / "bin" / "cleanguard")
    ruff = [str(peers / "ruff"), "check", "--isolated", "--exit-zero", "-q"]
    cache, ruff_cache = work / "cache", work / "ruff-cache"
    check = [cleanguard, "check", "--exit-zero", "--output-format", "concise"]

    def forget() -> None:
        shutil.rmtree(cache, ignore_errors=True)
        shutil.rmtree(ruff_cache, ignore_errors=True)

    semgrep = [str(peers / "semgrep"), "scan", "--config", str(rules), "--metrics=off", "-q"]
    return [
        Contender("ruff cold", [*ruff, "--cache-dir", str(ruff_cache), str(tree)], forget),
        Contender("cleanguard cold", [*check, str(tree)], forget),
        Contender("ruff warm", [*ruff, "--cache-dir", str(ruff_cache), str(tree)]),
        Contender("cleanguard warm", [*check, str(tree)]),
        Contender("cleanguard, script edited", [*check, str(tree)], editor(tree / SCRIPT, work)),
        Contender("cleanguard, module edited", [*check, str(tree)], editor(tree / MODULE, work)),
        Contender("cleanguard, one file", [*check, "--no-cache", str(tree / MODULE)]),
        Contender("ruff no-triggers", [*ruff, "--no-cache", str(clean)]),
        Contender("cleanguard no-triggers", [*check, str(clean)], forget),
        Contender("cleanguard no-triggers warm", [*check, str(clean)]),
        Contender("semgrep", [*semgrep, "--disable-version-check", str(tree)], slow=True),
        Contender(
            "bandit",
            [str(peers / "bandit"), "-q", "-r", "-t", "B615", "--exit-zero", str(tree)],
            slow=True,
        ),
        Contender("fixit", [str(peers / "fixit"), "--quiet", "lint", str(tree)], slow=True),
        Contender(
            "torchfix",
            [str(peers / "flake8"), "--isolated", "--exit-zero", "--select=TOR", str(tree)],
            slow=True,
        ),
    ]


def compare(options: argparse.Namespace, work: Path, peers: Path) -> None:
    """Times an earlier checkout and this one, and ruff's rules S, B and NPY, on one tree."""
    tree: Path = options.tree.resolve()
    print(f"{platform.python_implementation()} {platform.python_version()}, {describe(tree)}")
    ruff = [str(peers / "ruff"), "check", "--isolated", "--exit-zero", "-q", "--select", "S,B,NPY"]
    kept = ["--cache-dir", str(work / "ruff-cache")]
    edited = middling(tree)
    print(f"the file that changes: {edited.relative_to(tree)}")
    contenders = [
        Contender("ruff cold", [*ruff, "--no-cache", str(tree)]),
        Contender("ruff warm", [*ruff, *kept, str(tree)]),
    ]
    (work / f"original-{edited.name}").unlink(missing_ok=True)  # perhaps of another tree
    change = editor(edited, work)
    of_each: list[list[Contender]] = []
    for name, checkout in (("base", options.base.resolve()), ("this", ROOT)):
        cache = work / f"cache-{name}"
        variables = [f"PYTHONPATH={checkout}", f"CLEANGUARD_CACHE_DIR={cache}"]
        command = ["env", *variables, str(work / "own" / "bin" / "cleanguard"), "check"]
        command += ["--exit-zero", "--output-format", "concise"]
        of_each.append(
            [
                Contender(
                    f"{name} cold", [*command, str(tree)], partial(shutil.rmtree, cache, True)
                ),
                Contender(f"{name} warm", [*command, str(tree)]),
                Contender(f"{name} one file", [*command, str(edited)], change),
                Contender(f"{name} tree, one changed", [*command, str(tree)], change),
            ]
        )
    contenders += [contender for pair in zip(*of_each, strict=True) for contender in pair]
    original = edited.read_bytes()
    try:
        times = measure(contenders, options.rounds, work, options.processor_time)
    finally:
        edited.write_bytes(original)
    middle = {name: statistics.median(each) for name, each in times.items()}
    for contender in contenders:
        print(f"{contender.name:<28}{middle[contender.name]:8.2f} s")
    for over, under, goal in (
        ("this cold", "base cold", 0.33),
        ("this cold", "ruff cold", 5),
        ("this warm", "ruff warm", 0.5),
        ("this one file", "base one file", 1),
        ("this tree, one changed", "base tree, one changed", 1),
    ):
        print(f"{over} / {under}: {middle[over] / middle[under]:.2f}   (goal at most {goal})")
    print(f"this one file: {middle['this one file']:.2f} s   (goal at most 0.25 s)")


def middling(tree: Path) -> Path:
    """The file nearest to 1,000 lines of those that load something."""
    loading = [
        (abs(text.count(b"\n") - 1_000), file)
        for file in sorted(tree.rglob("*.py"))
        if b".from_pretrained(" in (text := file.read_bytes())
    ]
    if not loading:
        raise SystemExit(f"{tree}: no file calls from_pretrained; name another tree")
    return min(loading)[1]


def editor(file: Path, work: Path) -> Callable[[], None]:
    """Gives a file another comment at its end each time."""
    original = work / f"original-{file.name}"
    if not original.exists():
        shutil.copyfile(file, original)

    def edit() -> None:
        file.write_bytes(original.read_bytes() + f"\n# edit {time.time_ns()}\n".encode())

    return edit


def measure(
    contenders: Sequence[Contender], rounds: int, work: Path, by_processor: bool
) -> dict[str, list[float]]:
    """Times in turn, so that a slow minute of the machine meets all; slow ones go once."""
    environment = {
        **os.environ,
        "CLEANGUARD_CACHE_DIR": str(work / "cache"),
        "PYTHONDONTWRITEBYTECODE": "",  # an installed program has its bytecode
        # Some peers call their own helpers by name.
        "PATH": f"{work / 'venv' / 'bin'}{os.pathsep}{os.environ['PATH']}",
    }
    times: dict[str, list[float]] = {contender.name: [] for contender in contenders}
    for number in range(rounds):
        for contender in contenders:
            if contender.slow and number:
                continue
            contender.before()
            used = processor_seconds()
            begin = time.perf_counter()
            done = subprocess.run(
                contender.command, env=environment, capture_output=True, check=False
            )
            elapsed = time.perf_counter() - begin
            processor = processor_seconds() - used
            taken = processor if by_processor else elapsed
            times[contender.name].append(taken)
            print(f"{contender.name}: {taken:.2f} s", file=sys.stderr, flush=True)
            # Fixit adds up what it met: 1 for findings, 2 for files that it could not parse.
            fine = (0, 1, 2, 3) if contender.name == "fixit" and done.stdout else (0, 1)
            if done.returncode not in fine:  # its time would say nothing
                tail = done.stderr.decode(errors="replace")[-400:]
                raise SystemExit(f"{contender.name}: exit code {done.returncode}\n{tail}")
    return times


def processor_seconds() -> float:
    """Processor time of all processes that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def print_ratios(times: dict[str, list[float]]) -> None:
    def ratio(over: str, under: str, goal: str) -> None:
        if times.get(over) and times.get(under):
            value = statistics.median(times[over]) / statistics.median(times[under])
            print(f"{over} / {under}: {value:.2f}   (goal {goal})")

    print()
    ratio("semgrep", "cleanguard cold", "at least 3")
    ratio("fixit", "cleanguard cold", "at least 50")
    ratio("torchfix", "cleanguard cold", "at least 50")
    ratio("bandit", "cleanguard cold", "none")
    ratio("cleanguard cold", "ruff cold", "at most 15")
    ratio("cleanguard warm", "ruff warm", "at most 1")
    ratio("cleanguard no-triggers", "ruff no-triggers", "at most 2")
    ratio("cleanguard no-triggers warm", "ruff no-triggers", "at most 2")


if __name__ == "__main__":
    main()
