"""Holds `check` against what scripts really do: each is traced on small models and compared, by code.

    python -m benchmarks.oracle legacy   --tokenizers FOLDER --out runs/oracle.jsonl
    python -m benchmarks.oracle programs --count 400 --out runs/oracle.jsonl
    python -m benchmarks.oracle field    --repositories FOLDER --tokenizers FOLDER --out runs/oracle.jsonl
    python -m benchmarks.oracle again    --repositories FOLDER --out runs/oracle.jsonl
    python -m benchmarks.oracle report   --out runs/oracle.jsonl

Each script is one line of the file, so a run that is stopped goes on where it was; the traces lie beside it, so
that `again` compares another day's `check` with them. `report` prints the table of docs/quality.md. Scripts
run offline in a copy of their folder. Every hub id that they name is laid into a hub cache of its own, as a
small model of that id's family, so that names, tokenizers and calls are real and the weights are not.
`--tokenizers` is what `python -m benchmarks.real_tokenizers` writes; a family without one gets the embedded
tokenizer, with BOS where the family has one.

`legacy` are the scripts of cleanguard/legacy with the command lines of legacy_arguments.txt, `programs`
those that tests/differential draws, with its models. `field` are scripts of public repositories, named in
field_scripts.txt and read from FOLDER/OWNER+NAME; their surroundings (a GPU, data sets, packages) are
those of benchmarks/standins. They are strangers: start that command without a network and with few rights,
behind `unshare -n setpriv --reuid=65534 --regid=65534 --clear-groups`, say.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks._oracle_forks import SAVED, forked
from benchmarks._oracle_models import Models
from benchmarks._oracle_surroundings import made_data, surround
from benchmarks._oracle_table import CODES, MORE, report
from cleanguard.cli.checking.with_trace import compared, read_trace
from cleanguard.files import SourceFile
from cleanguard.settings.config import Settings
from lint_rules._engine.checking import check_files

_HERE = Path(__file__).resolve().parent
_ID = re.compile(
    r"""["'= ]([A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*|(?:distil)?gpt2[\w-]*)(?=["' ]|$)"""
)
_WORK = "{WORK}"


@dataclass(frozen=True)
class Script:
    """One script of a source.

    Attributes:
        group: `legacy`, `programs` or `field`.
        name: What it is called in the results.
        copied: The folder that is copied for it.
        folder: Where it runs, below that.
        line: The script and its arguments.
    """

    group: str
    name: str
    copied: Path
    folder: str
    line: str

    @property
    def key(self) -> str:
        return f"{self.group} {self.name} {self.line}"


def legacy(_: argparse.Namespace) -> Iterator[Script]:
    """All legacy scripts run in one copy: each reads what those before it wrote."""
    folder = _HERE.parent / "cleanguard" / "legacy"
    for name, arguments in _lines(_HERE / "legacy_arguments.txt"):
        yield Script("legacy", name, folder, ".", f"{name} {arguments}")


def field(options: argparse.Namespace) -> Iterator[Script]:
    """Scripts of repositories: `OWNER+NAME[/FOLDER]: SCRIPT ARGUMENTS`, run in that folder."""
    for place, line in _lines(options.scripts):
        repository, _, folder = place.partition("/")
        copied = options.repositories / repository
        if copied.is_dir():
            yield Script("field", f"{place} {line.split()[0]}", copied, folder or ".", line)


def _lines(file: Path) -> Iterator[tuple[str, str]]:
    for line in file.read_text(encoding="utf-8").splitlines():
        name, colon, rest = line.partition(":")
        if colon and not line.startswith("#"):
            yield name.strip(), rest.strip()


def run(script: Script, work: Path, models: Models, options: argparse.Namespace) -> dict[str, Any]:
    """Trace one script in a copy of its folder; the line of the results."""
    cwd = work / script.folder
    source = cwd / script.line.split()[0]
    for model_id in ids_in(source, script.line):
        models.lay(model_id)
    (work / SAVED).unlink(missing_ok=True)
    print(f"{script.name} …", file=sys.stderr, flush=True)
    if script.group == "field":
        (cwd / "made_out").mkdir(exist_ok=True)
        for file, data in made_data(script.line):
            (cwd / file).parent.mkdir(parents=True, exist_ok=True)
            (cwd / file).write_text(data)
        code, said = forked(work, cwd, script.line, options.timeout)
    else:
        code, said = trace(script, cwd, work / SAVED, models, options)
    found: dict[str, Any] = {"key": script.key, "group": script.group, "name": script.name}
    found |= {"exit": code, "said": said, "counts": {}, "told": [], "reached": {}}
    if (work / SAVED).is_file():
        found |= comparison(work / SAVED, source, work, script.name)
        found["trace"] = keep(options.out, script.key, work)
    return found


def keep(out: Path, key: str, work: Path) -> str:
    """Put a trace beside the results, so that `again` needs no second run; gives its name."""
    folder = out.with_suffix(".traces")
    folder.mkdir(exist_ok=True)
    name = hashlib.sha256(key.encode()).hexdigest()[:20] + ".json"
    (folder / name).write_text((work / SAVED).read_text().replace(str(work), _WORK))
    return name


def again(options: argparse.Namespace) -> None:
    """Hold today's `check` against the traces that were kept."""
    lines = [json.loads(line) for line in options.out.read_text().splitlines()]
    places = {script.key: script for script in (*legacy(options), *field(options))}
    for line in lines:
        script = places.get(line["key"])
        if "trace" not in line or (script is None and line["group"] != "programs"):
            continue
        with tempfile.TemporaryDirectory(prefix="oracle-") as scratch:
            work, name = Path(scratch).resolve(), "main.py"
            if script is None:
                from tests.differential.grammar import program

                for file, text in program(line["key"].split()[1]).files.items():
                    (work / file).write_text(text)
            else:
                work, name = script.copied.resolve(), f"{script.folder}/{script.line.split()[0]}"
            saved = Path(scratch) / "kept.json"
            kept = options.out.with_suffix(".traces") / line["trace"]
            saved.write_text(kept.read_text().replace(_WORK, str(work)))
            line |= comparison(saved, (work / name).resolve(), work, line["name"])
    options.out.write_text("".join(json.dumps(line) + "\n" for line in lines))


def comparison(saved: Path, source: Path, work: Path, name: str) -> dict[str, Any]:
    """What `check` says about the files of a trace, held against it."""
    trace_of = read_trace(saved)
    paths = {
        source.resolve(),
        *(path for path in trace_of.digests if work.resolve() in path.parents),
    }
    files = [SourceFile(str(path.relative_to(work.resolve())), path) for path in sorted(paths)]
    files = [
        file for file in files if file.path.suffix in (".py", ".ipynb") and file.path.is_file()
    ]
    settings = Settings(select=("ALL",))
    findings = check_files(files, settings, edits=False).findings
    counts: Counter[str] = Counter()
    told: list[str] = []
    decided = {(f.filename, f.location.row) for f in findings if f.code == "CG303"}
    for found in compared(findings, [trace_of], files, settings):
        if found.traced is None or found.code not in (*CODES, *MORE):
            continue
        status: str = found.traced.status
        if status == "only the run" and found.code == "CG304":
            # Nobody said do_sample: `check` says at this place that the repository decides it.
            status = "as CG303" if (found.filename, found.location.row) in decided else status
        counts[f"{found.code} {status}"] += 1
        if status in ("contradicted", "only the run"):
            place = f"{found.filename}:{found.location.row}:{found.location.column}"
            told.append(f"{name}: {place}: {found.code} {status}: {found.message}")
    reached: Counter[str] = Counter()
    for one in json.loads(saved.read_text())["reached"]:
        reached[one["what"]] += one["count"]
    return {"counts": dict(counts), "told": told, "reached": dict(reached)}


def trace(
    script: Script, cwd: Path, saved: Path, models: Models, options: argparse.Namespace
) -> tuple[int, str]:
    """Run one script under `cleanguard trace`: its exit code and its last words if it failed."""
    command = [sys.executable, "-c", "from cleanguard.cli import main; main()", "trace"]
    command += ["--exit-zero", "--save", str(saved), *shlex.split(script.line)]
    env = {**os.environ, **models.environment()}
    with tempfile.TemporaryFile("w+") as words:
        process = subprocess.Popen(
            command, cwd=cwd, env=env, stdin=subprocess.DEVNULL, stdout=words, stderr=words,
            start_new_session=True,
        )  # fmt: skip
        try:
            code = process.wait(options.timeout)
        except subprocess.TimeoutExpired:
            code = _stopped(process)
        words.seek(0)
        return code, last_line(words.read()) if code else ""


def _stopped(process: subprocess.Popen[bytes]) -> int:
    """End a script that takes too long; the trace reports what it saw until then."""
    process.send_signal(signal.SIGTERM)  # trace hands it to the script
    try:
        process.wait(60)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    return 124


def last_line(text: str) -> str:
    """The last line of an error that is the script's and not the report's."""
    lines = [
        line
        for line in text.splitlines()
        if re.match(r"[\w.]*(Error|Exception|Exit)\b|.*: error:", line)
    ]
    return lines[-1][:300] if lines else text[-300:]


def ids_in(script: Path, line: str) -> list[str]:
    """Hub ids that a script or its command line spells out."""
    text = script.read_text(encoding="utf-8", errors="replace") if script.is_file() else ""
    text = text.replace('\\"', '"') if script.suffix == ".ipynb" else text
    return sorted(set(_ID.findall(text)) | set(_ID.findall(f" {line} ")))


def programs(options: argparse.Namespace) -> None:
    """Run generated programs and compare."""
    from benchmarks._oracle_programs import programs as drawn

    done = _done(options.out)
    with options.out.open("a") as stream:
        for found in drawn(
            options.count, options.seed, done, comparison, partial(keep, options.out)
        ):
            stream.write(json.dumps(found) + "\n")
            stream.flush()


def scripts(options: argparse.Namespace, found: Sequence[Script]) -> None:
    """Run scripts one after the other and write a line for each."""
    done = _done(options.out)
    with (
        tempfile.TemporaryDirectory(prefix="oracle-hub-") as hub,
        options.out.open("a") as stream,
        tempfile.TemporaryDirectory(prefix="oracle-chain-") as chain,
    ):
        models = Models(Path(hub).resolve(), options.tokenizers, options.as_family)
        if options.command == "legacy":
            shutil.copytree(found[0].copied, Path(chain) / "work")
        else:
            surround(Path(hub), models, options.packages)
        for script in found:
            if script.key in done or (
                options.only and not any(one in script.name for one in options.only)
            ):
                continue
            if options.command == "legacy":
                line = run(script, Path(chain).resolve() / "work", models, options)
            else:
                with tempfile.TemporaryDirectory(prefix="oracle-") as scratch:
                    work = Path(scratch).resolve() / "work"
                    shutil.copytree(script.copied, work, ignore=partial(_left_out, script))
                    line = run(script, work, models, options)
            stream.write(json.dumps(line) + "\n")
            stream.flush()
        print(f"tokenizers: {models.described()}", file=sys.stderr)


def _left_out(script: Script, _: str, names: list[str]) -> list[str]:
    """Other notebooks are not read by one."""
    own = script.line.split()[0]
    return [name for name in names if name == ".git" or (name.endswith(".ipynb") and name != own)]


def _done(out: Path) -> frozenset[str]:
    out.parent.mkdir(parents=True, exist_ok=True)
    if not out.is_file():
        return frozenset()
    return frozenset(json.loads(line)["key"] for line in out.read_text().splitlines())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("command", choices=["legacy", "programs", "field", "again", "report"])
    parser.add_argument("--out", type=Path, default=Path("runs/oracle.jsonl"))
    parser.add_argument("--tokenizers", type=Path)
    parser.add_argument(
        "--as",
        dest="as_family",
        metavar="FAMILY",
        help="Give every id the tokenizer of this family: what a script does with another model.",
    )
    parser.add_argument("--repositories", type=Path, help="Folder of OWNER+NAME (field).")
    parser.add_argument("--scripts", type=Path, default=_HERE / "field_scripts.txt")
    parser.add_argument("--packages", help="One more folder of packages for these scripts (field).")
    parser.add_argument("--only", action="append", help="Run only scripts with this in their name.")
    parser.add_argument("--timeout", type=int, default=300, help="Seconds a script may take.")
    parser.add_argument("--count", type=int, default=400, help="How many programs.")
    parser.add_argument("--seed", default="oracle", help="What the programs are drawn from.")
    parser.add_argument("--told", action="store_true", help="List contradictions and misses.")
    options = parser.parse_args()
    if options.command == "report":
        lines = [json.loads(line) for line in options.out.read_text().splitlines()]
        print(report(lines, told=options.told))
    elif options.command == "again":
        again(options)
    elif options.command == "programs":
        programs(options)
    else:
        scripts(options, [*{"legacy": legacy, "field": field}[options.command](options)])


if __name__ == "__main__":
    main()
