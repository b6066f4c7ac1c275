"""Holds `check` against what scripts really do: each is traced on small models and compared, by code.

    python benchmarks/oracle.py FOLDER… [--arguments FILE] [--tokenizers FOLDER] [--only NAME] [--json FILE]

The scripts run in a copy of their folder, offline. Every hub id that they spell out is laid into a hub
cache of its own, as a small model of that id's family, so that names, tokenizers and calls are real and
the weights are not. `--tokenizers` has a folder for each family (qwen2, llama3, gemma, mistral, …), as
`python -m benchmarks.real_tokenizers FOLDER` writes them; a family without one gets the embedded
tokenizer, with BOS where the family has one. `--arguments` names scripts in the order in which they
run, each with its command line: `SCRIPT.py: ARGUMENTS`. Without it every .py file runs without any.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks._oracle_models import Models
from cleanguard.cli.checking.with_trace import compared, read_trace
from cleanguard.files import SourceFile
from cleanguard.settings.config import Settings
from lint_rules._engine.checking import check_files

CODES = (
    *("CG201", "CG202", "CG203", "CG204", "CG205", "CG302", "CG303", "CG304"),
    *("CG401", "CG402", "CG403"),
)
MORE = ("CG101", "CG102", "CG104", "CG106", "CG110", "CG301")
STATUSES = ("confirmed", "contradicted", "only the run", "not reached")
_ID = re.compile(r"""["']([A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*|(?:distil)?gpt2[\w-]*)["']""")


@dataclass
class Table:
    """How often each code was confirmed, contradicted, missed, not reached.

    Attributes:
        counts: By code and status.
        ran: Scripts by how they left: 0, or what was wrong.
        told: A line for each contradiction and each miss.
    """

    counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    ran: Counter[str] = field(default_factory=Counter)
    told: list[str] = field(default_factory=list)


def compare(
    folder: Path, lines: Sequence[tuple[str, str]], models: Models, table: Table, timeout: int
) -> None:
    """Trace the scripts of a folder in a copy of it and add what comes to the table."""
    with tempfile.TemporaryDirectory(prefix="oracle-") as scratch:
        work = Path(scratch) / "work"
        shutil.copytree(folder, work)
        for name, arguments in lines:
            script = work / name
            for model_id in ids_in(script):
                models.lay(model_id)
            saved = work / "trace.json"
            saved.unlink(missing_ok=True)
            print(f"{name} …", file=sys.stderr, flush=True)
            code = trace(script, arguments, saved, models, timeout)
            table.ran["0" if code == 0 else f"exit {code}"] += 1
            if not saved.is_file():
                table.told.append(f"{name}: no trace")
                continue
            files = [SourceFile(name, script)]
            settings = Settings(select=("ALL",))
            findings = check_files(files, settings, edits=False).findings
            for found in compared(findings, [read_trace(saved)], files, settings):
                if found.traced is None or found.code not in (*CODES, *MORE):
                    continue
                status = found.traced.status
                table.counts[found.code, status] += 1
                if status in ("contradicted", "only the run"):
                    said = f"{name}:{found.location}: {found.code} {status}: {found.message}"
                    table.told.append(said)


def trace(script: Path, arguments: str, saved: Path, models: Models, timeout: int) -> int:
    """Run one script under `cleanguard trace`; its own exit code, 124 where it took too long."""
    command = [sys.executable, "-c", "from cleanguard.cli import main; main()", "trace"]
    command += ["--exit-zero", "--save", str(saved), script.name, *shlex.split(arguments)]
    env = {**os.environ, **models.environment()}
    try:
        done = subprocess.run(
            command,
            cwd=script.parent,
            env=env,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return 124
    if done.returncode:
        print(f"{script.name}: exit {done.returncode}: {last_line(done.stderr)}", file=sys.stderr)
    return done.returncode


def last_line(text: str) -> str:
    """The last line of an error that is the script's and not the report's."""
    lines = [line for line in text.splitlines() if re.match(r"\w*(Error|Exception|Exit)\b", line)]
    return lines[-1][:200] if lines else ""


def ids_in(script: Path) -> list[str]:
    """Hub ids that a script spells out."""
    return sorted(set(_ID.findall(script.read_text(encoding="utf-8", errors="replace"))))


def lines_of(folder: Path, arguments: Path | None) -> list[tuple[str, str]]:
    """The scripts of a folder in their order, each with its command line."""
    if arguments is None:
        return [(path.name, "") for path in sorted(folder.glob("*.py"))]
    found: list[tuple[str, str]] = []
    for line in arguments.read_text(encoding="utf-8").splitlines():
        name, colon, rest = line.partition(":")
        if colon and not line.startswith("#") and (folder / name).is_file():
            found.append((name, rest.strip()))
    return found


def rows(table: Table, codes: Iterable[str]) -> list[str]:
    """The table as markdown."""
    lines = [
        "| code | confirmed | contradicted | missed (only the run saw it) | not reached |",
        "|---|---|---|---|---|",
    ]
    for code in codes:
        cells = [str(table.counts[code, status]) for status in STATUSES]
        lines.append(f"| {code} | {' | '.join(cells)} |")
    return lines


def counted(table: Table) -> str:
    """The counts as JSON."""
    counts = {f"{code} {status}": number for (code, status), number in table.counts.items()}
    content = {"counts": counts, "ran": dict(table.ran), "told": table.told}
    return json.dumps(content, indent=2, sort_keys=True) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--arguments", type=Path)
    parser.add_argument("--tokenizers", type=Path)
    parser.add_argument(
        "--as",
        dest="as_family",
        metavar="FAMILY",
        help="Give every id the tokenizer of this family: what a script does with another model.",
    )
    parser.add_argument("--only", action="append", help="Run only these scripts.")
    parser.add_argument("--timeout", type=int, default=300, help="Seconds a script may take.")
    parser.add_argument(
        "--apart",
        action="store_true",
        help="Give every script a copy of the folder: none reads what another wrote.",
    )
    parser.add_argument("--json", type=Path, help="Write the counts to this file.")
    parser.add_argument("--told", action="store_true", help="List contradictions and misses.")
    options = parser.parse_args()
    table = Table()
    with tempfile.TemporaryDirectory(prefix="oracle-hub-") as hub:
        models = Models(Path(hub), options.tokenizers, options.as_family)
        for folder in options.folders:
            lines = lines_of(folder, options.arguments)
            lines = [line for line in lines if not options.only or line[0] in options.only]
            for line in [[one] for one in lines] if options.apart else [lines]:
                compare(folder, line, models, table, options.timeout)
                if options.json:  # a run that is stopped leaves what it counted
                    options.json.write_text(counted(table))
    print("\n".join(rows(table, CODES)))
    print()
    print("\n".join(rows(table, MORE)))
    left = ", ".join(f"{number} with {code}" for code, number in sorted(table.ran.items()))
    print(f"\nscripts that ran: {left}; tokenizers: {models.described()}")
    if options.told:
        print("\n".join(table.told))


if __name__ == "__main__":
    main()
