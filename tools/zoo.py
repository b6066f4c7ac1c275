"""Runs tests/guard/zoo with several releases of transformers and sets of extras, and writes docs/families.md.

    python tools/zoo.py [NAME ...]           # all environments, or those named; `make zoo` runs them all
    python tools/zoo.py --again [NAME ...]   # only the tests that failed in the last run
    python tools/zoo.py --quick [NAME ...]   # only the small tokenizers, in minutes

Each environment is a venv under .zoo/ with packages of its own; torch is borrowed from the Python that runs
this. The first run fetches about 400 MB and takes an hour on two cores.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import sysconfig
import xml.etree.ElementTree as ET
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).parents[1]
HOME = ROOT / ".zoo"
EXTRAS = (
    "mistral-common==1.13.1",
    "tiktoken==0.14.0",
    "sentencepiece==0.2.3",
    "protobuf>=5",
    "gguf==0.19.0",
)
# Oldest that the product allows, one in the middle, the newest; without and with the extras.
ENVIRONMENTS: dict[str, tuple[str, ...]] = {
    "5.0.0": ("transformers==5.0.0",),
    "5.0.0 +extras": ("transformers==5.0.0", *EXTRAS),
    "5.12.1 +extras": ("transformers==5.12.1", *EXTRAS),
    "5.24.0": ("transformers==5.24.0",),
    "5.24.0 +extras": ("transformers==5.24.0", *EXTRAS),
}
NEEDED = (
    "safetensors",
    "accelerate",
    "jinja2",
    "pytest",
    "pytest-xdist",
    "click",
    "libcst",
    "pathspec",
    "rich",
)
BORROWED = ("torch", "torchgen", "functorch", "sympy", "mpmath", "networkx")
HEAD = """# Tokenizers of the zoo

Written by `make zoo` from `tests/guard/zoo/expected.json` (what the publishers say) and the runs of
`tests/guard/zoo` below; no line is made by hand. A cell holds the tests passed of those run, in that release of
transformers, with or without mistral-common, tiktoken and sentencepiece; `absent` where a package that the
tokenizer needs is not installed, or where that release's reader of the file loses text; the guard says either in one
sentence.

Each tokenizer is held against: BOS, control tokens, base or chat, a corpus of plain texts in 12 languages, code,
HTML, XML and maths (none may be flagged), the documented chat format and what its templates render (all refused),
the same ids from `encode`, a batch, `generate`, `complete` and `stream`, nine ways of storing it, and, where the
publisher's own reader is installed (mistral-common, sentencepiece), its ids for the whole corpus.
"""
TAIL = """
## Damaged folders

`python -m benchmarks.folders --cases 2000 --seed 0` makes 20 folders (published tokenizers, seven architectures,
shards, an adapter, templates in each place, two kinds of tokenizer files), damages one to three files of a copy
(deleted, emptied, cut, swapped, taken from another folder, values of another type, bytes changed) and loads it; now
and then it asks the doctor as well. A load counts as wrong if files, digests, BOS, control tokens, settings or any
tensor are not what its record says, or if attaching the adapter changes the base. `make slow` runs 120 cases.

FIGURES
"""
FIGURES = """
- First run (300 cases): 18 raw exceptions.
- 1,000 cases after those were mended: 9 raw exceptions (five of one kind: a tied head of another shape).
- 1,200 cases after those: 0 raw exceptions, 896 refused by name, 304 loaded. 16 loads of one folder seemed to
  differ: the checker did not know that transformers renames GPT-NeoX's head.
- The command above, first run: 1 raw exception (an `unk_token` that is no token), 1 load that seemed to differ (bytes
  changed to NaN, which the checker took for a difference).
- The same after that: 0 raw exceptions, 0 loads that differ; 1,533 refused by name, 467 loaded. 8 minutes.
- transformers 5.24.0, seed 7, first run: 0 raw exceptions; 1,560 refused by name, 437 loaded as recorded; 3 loads
  seemed to differ: an adapter's file without its config beside a model's shards gave the model its digest (mended,
  with a test), and twice an adapter seemed to have no effect on a base whose bytes were changed. Weights of 1e4 and
  more drown its update in float32; that this was so in those two was read and not shown. The checker leaves such
  bases out.
- The same on the code after it, 600 cases, seed 11: 1 raw exception (`architectures` that is a number, mended, with a
  test), 0 loads that differ; 474 refused by name, 125 loaded.
"""


def main() -> int:
    """Make the environments, run the tests in each, write the table; 1 if a test failed."""
    again, quick = (option in sys.argv[1:] for option in ("--again", "--quick"))
    chosen = [name for name in sys.argv[1:] if not name.startswith("--")] or list(ENVIRONMENTS)
    unknown = [name for name in chosen if name not in ENVIRONMENTS]
    if unknown:
        print(
            f"no environment {unknown[0]!r}; there are {', '.join(ENVIRONMENTS)}", file=sys.stderr
        )
        return 2
    HOME.mkdir(exist_ok=True)
    for name in chosen:
        run(name, make(name), again=again, quick=quick)
    done = {name: HOME / f"{slug(name)}.xml" for name in ENVIRONMENTS}
    results = {name: read(path) for name, path in done.items() if path.is_file()}
    page = ROOT / "docs" / "families.md"
    page.write_text(table(results, columns(page.read_text(encoding="utf-8"))), encoding="utf-8")
    failed = sum(bad for found in results.values() for _, bad, _ in found.values())
    print(f"docs/families.md: {len(results)} environments, {failed} failed")
    return 1 if failed else 0


def slug(name: str) -> str:
    """A file name for an environment."""
    return name.replace(" +", "-")


def make(name: str) -> Path:
    """The Python of an environment, made if it is not there."""
    folder = HOME / slug(name)
    python = folder / "bin" / "python"
    if (folder / "made").is_file():
        return python
    subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True)
    library = Path(
        subprocess.check_output(
            [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"], text=True
        ).strip()
    )
    ours = Path(sysconfig.get_path("purelib"))
    for package in BORROWED:
        for path in (ours / package, *ours.glob(f"{package}-*.dist-info")):
            (library / path.name).symlink_to(path)
    install = [python, "-m", "pip", "install", "-q", *ENVIRONMENTS[name], *NEEDED]
    subprocess.run(install, check=True)
    (folder / "made").touch()
    return python


def run(name: str, python: Path, *, again: bool, quick: bool) -> None:
    """Run the zoo's tests in an environment, or those that failed; the results are in its XML files."""
    first, second = (HOME / f"{slug(name)}{part}.xml" for part in ("", "-again"))
    tests = ["tests/guard/zoo/test_zoo.py"]
    if again:
        tests = [f"tests/guard/zoo/test_zoo.py::{c}" for c, end in cases(first).items() if end == 1]
    else:
        second.unlink(missing_ok=True)
    if not tests:
        return
    command = [
        *(
            str(python),
            "-m",
            "pytest",
            "-q",
            *tests,
            "-m",
            "not slow" if quick else "slow or not slow",
        ),
        f"--junitxml={second if again else first}",
    ]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    print(f"== transformers {name}", flush=True)
    subprocess.run(command, cwd=ROOT, env=environment, check=False)


def read(path: Path) -> dict[str, tuple[int, int, int]]:
    """Tests passed, failed and skipped per tokenizer."""
    found: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0])
    known = entries()
    for case, end in {**cases(path), **cases(path.with_name(f"{path.stem}-again.xml"))}.items():
        which = case.partition("[")[2].rstrip("]")
        name = next((n for n in sorted(known, key=len, reverse=True) if which.startswith(n)), None)
        if name is not None:
            found[name][end] += 1
    return {name: (passed, bad, skipped) for name, (passed, bad, skipped) in found.items()}


def cases(path: Path) -> dict[str, int]:
    """How each test of a run ended: 0 passed, 1 failed, 2 skipped; nothing where there is no run."""
    found: dict[str, int] = {}
    for case in ET.parse(path).getroot().iter("testcase") if path.is_file() else ():
        kinds = {child.tag for child in case}
        found[case.get("name", "")] = (
            1 if kinds & {"failure", "error"} else 2 if "skipped" in kinds else 0
        )
    return found


def entries() -> dict[str, dict[str, object]]:
    """The tokenizers with what their publishers say."""
    text = (ROOT / "tests" / "guard" / "zoo" / "expected.json").read_text(encoding="utf-8")
    loaded: dict[str, dict[str, object]] = json.loads(text)
    return loaded


def columns(page: str) -> dict[str, dict[str, str]]:
    """The cells of a page that was written before, by environment and tokenizer."""
    rows = [line.strip("| ").split(" | ") for line in page.splitlines() if line.startswith("| ")]
    names = rows[0][4:] if rows else []
    return {
        name: {row[0]: row[4 + at] for row in rows[1:] if len(row) > 4 + at}
        for at, name in enumerate(names)
        if name in ENVIRONMENTS
    }


def table(
    results: dict[str, dict[str, tuple[int, int, int]]], before: dict[str, dict[str, str]]
) -> str:
    """The page; of environments that were not run now, it keeps what it said before."""
    told = {
        name: {n: cell(found) for n, found in results[name].items()}
        if name in results
        else before[name]
        for name in ENVIRONMENTS
        if name in results or name in before
    }
    lines = [HEAD, "| tokenizer | vocabulary | BOS | standing | " + " | ".join(told) + " |"]
    lines.append("|---|---|---|---|" + "---|" * len(told))
    for name, entry in entries().items():
        cells = [found.get(name, "not run") for found in told.values()]
        standing = str(entry["standing"]) + (f" ({entry['reason']})" if "reason" in entry else "")
        row = [name, str(entry["vocabulary"]), str(entry["bos"]), f"`{standing}`", *cells]
        lines.append("| " + " | ".join(text.replace("|", "\\|") for text in row) + " |")
    lines += ["", "## Where BOS is from", ""]
    lines += [f"- {name}: {as_code(entry['bos_statement'])}" for name, entry in entries().items()]
    return "\n".join(lines) + "\n" + TAIL.replace("FIGURES", FIGURES.strip())


def as_code(text: str) -> str:
    """Tokens as code: Markdown takes `<bos>` for a tag and shows nothing."""
    return re.sub(r"(?<!`)<[^<>\s]+>(?!`)", r"`\g<0>`", text)


def cell(found: tuple[int, int, int]) -> str:
    """One tokenizer in one environment."""
    passed, bad, skipped = found
    if not passed + bad:
        return "absent" if skipped else "not run"
    return ("absent, " if skipped > 4 else "") + f"{passed}/{passed + bad}"


if __name__ == "__main__":
    sys.exit(main())
