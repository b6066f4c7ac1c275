"""Makes the documentation site: sources of docs/, and pages made from the catalogue and the code.

    python tools/site.py             # writes build/pages and builds build/site, strictly
    python tools/site.py --pages     # writes build/pages only

Every docs/*.md becomes a page. Those named in PARTS stand in that order; the others follow under "More".
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import fields
from html import escape
from inspect import cleandoc
from pathlib import Path
from typing import Any

import click

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from cleanguard.catalogue.explain import GROUPS, Page, as_markdown  # noqa: E402
from cleanguard.catalogue.hazards import CATALOGUE, Hazard  # noqa: E402
from cleanguard.cli.command_group import COMMANDS, group  # noqa: E402
from cleanguard.settings.config import Settings  # noqa: E402
from cleanguard.settings.config_values import PARSERS  # noqa: E402
from cleanguard.version import VERSION  # noqa: E402
from lint_rules.registry import RULES  # noqa: E402
from stages.config import Option, options_of  # noqa: E402
from stages.registry import STAGES  # noqa: E402
from tools.measured import MEASURED  # noqa: E402

DOCS = ROOT / "docs"
PAGES = ROOT / "build" / "pages"
SITE = ROOT / "build" / "site"

PARTS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("Start", ("index", "first-steps", "commands", "when", "teams")),
    ("What is true", ("truth", "border", "checkpoints", "families")),
    (
        "Work with it",
        (
            "checking",
            "migration",
            "trace",
            "scoring",
            "finetuning",
            "audit-and-equivalence",
            "gpu-session",
        ),
    ),
    ("Editors and CI", ("editors-and-ci",)),
    (
        "Evaluate and train",
        ("pipeline", "suites", "harnesses", "formats", "reliability", "scaling", "seed-map"),
    ),
)
_BAR = "\\|"
_MARK = "\n<!-- made by tools/site.py; edit what it is made from -->\n"


def pages() -> dict[str, str]:
    """Every page of the site by its path."""
    made = {
        f"{path.stem}.md": path.read_text(encoding="utf-8") for path in sorted(DOCS.glob("*.md"))
    }
    made |= {f"hazards/{page_name(hazard)}.md": _hazard(hazard) for hazard in CATALOGUE}
    made["hazards/index.md"] = _hazards()
    made["reference/cli.md"] = "\n".join(_commands()) + _MARK
    made["reference/stages.md"] = "\n".join(_stages()) + _MARK
    made["reference/configuration.md"] = "\n".join(_configuration()) + _MARK
    made["changes.md"] = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    return {path: _whole_options(_bars(_without_dead_ends(text))) for path, text in made.items()}


def page_name(hazard: Hazard) -> str:
    """What the page of a hazard is called."""
    return f"{hazard.code}-{hazard.name}"


def _without_dead_ends(text: str) -> str:
    """Links to files of the repository that are no pages, as their names."""
    return re.sub(r"\[([^\]]*)\]\((\.\./[^)]*)\)", r"`\1`", text)


def _bars(text: str) -> str:
    """Bars in code spans of tables: GitHub takes the backslash before them away, the generator would show it."""
    return re.sub(
        r"`([^`\n]*\\\|[^`\n]*)`",
        lambda span: f"<code>{escape(span[1], quote=False).replace(_BAR, '&#124;')}</code>",
        text,
    )


def _whole_options(text: str) -> str:
    """Options in a sentence are not broken behind their hyphens; extra.css knows the class."""
    parts = re.split(r"(^ *```.*?^ *```$)", text, flags=re.MULTILINE | re.DOTALL)
    parts[::2] = [re.sub(r"(`--?[\w.-]+`)(?!\{)", r"\1{ .whole }", part) for part in parts[::2]]
    return "".join(parts)


def _hazard(hazard: Hazard) -> str:
    rule = next((rule for rule in RULES if rule.hazard is hazard), None)
    page = as_markdown(Page(hazard, rule.bad, rule.good) if rule else Page(hazard))
    parts = {
        "`cleanguard check`": _checks(hazard),
        "`cleanguard trace`": "reports it where a run shows it"
        if hazard.traced
        else "does not see it",
        "`cleanguard migrate`": "rewrites it" if hazard.fix == "migrate" else "leaves it alone",
        "the runtime guard": "refuses or records it" if hazard.guarded else "does not look for it",
    }
    table = "\n".join(f"| {who} | {what} |" for who, what in parts.items())
    if hazard.code not in MEASURED:
        sys.exit(f"tools/measured.py names no test that measures {hazard.code}; name one")
    measured = "".join(f"pytest {node}\n" for node in MEASURED[hazard.code])
    shown = f"cleanguard explain {hazard.code}\n"
    if rule is not None:
        shown += f"pytest tests/lint_rules/test_examples.py -k {hazard.name}-  # its examples\n"
    return (
        f"{page}\n## What each part does\n\n| part | what it does |\n|---|---|\n{table}\n\n"
        f"## The measurement behind it\n\nIn a checkout of this project:\n\n```console\n{measured}```\n\n"
        f"## See for yourself\n\n```console\n{shown}```\n{_MARK}"
    )


def _checks(hazard: Hazard) -> str:
    if not hazard.linted:
        return "does not look for it"
    how = {
        "none": "reports it",
        "safe": "reports it, and `--fix` mends it",
        "unsafe": "reports it, and `--unsafe-fixes` mends it, which may change results",
        "migrate": "reports it",
    }[hazard.fix]
    return how if hazard.default else f"{how}, where it is selected"


def _hazards() -> str:
    lines = [
        "# Hazards",
        "",
        "The ways in which a base model's numbers are ruined without a word.",
    ]
    for prefix, title in GROUPS.items():
        lines += ["", f"## {title}", "", "| code | what | severity |", "|---|---|---|"]
        lines += [
            f"| [{hazard.code}]({page_name(hazard)}.md) | {hazard.summary} | {hazard.severity} |"
            for hazard in CATALOGUE
            if hazard.code.startswith(prefix)
        ]
    return "\n".join(lines) + "\n"


def _commands() -> Iterator[str]:
    yield "# Command line\n"
    yield "Exit codes of every command: 0 clean, 1 findings, 2 the job could not be done.\n"
    for name in COMMANDS:
        command = group.get_command(click.Context(group), name)
        assert command is not None
        yield f"## cleanguard {name}\n"
        yield from _command(command, f"cleanguard {name}")
    yield "The options of each stage stand on [a page of their own](stages.md).\n"


def _command(command: click.Command, path: str) -> Iterator[str]:
    # Below the group, whose settings say that -h is help too; a command remembers its first answer.
    above = click.Context(group, info_name="cleanguard", **group.context_settings)
    context = click.Context(command, info_name=path.removeprefix("cleanguard "), parent=above)
    yield f"```text\n{command.get_usage(context).removeprefix('Usage: ')}\n```\n"
    yield _text(cleandoc(command.help or "")) + "\n"
    options = [one for one in command.get_params(context) if isinstance(one, click.Option)]
    rows = [row for one in options if (row := one.get_help_record(context))]
    yield from _table(("option", "what it does"), rows)


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield "|" + "---|" * len(head)
    for first, *rest in rows:
        cells = [
            f"`{first}`".replace("|", "\\|"),
            *(_text(cell).replace("|", "\\|") for cell in rest),
        ]
        yield f"| {' | '.join(cells)} |"
    yield ""


def _text(help_text: str) -> str:
    """A help text as Markdown: what looks like a tag is none."""
    return help_text.replace("\b", "").replace("<", "&lt;").replace("*", "\\*").strip()


def _stages() -> Iterator[str]:
    yield "# Stages\n"
    yield (
        "Every stage runs on the small built-in model as it is. `--preset NAME` and `--config FILE` (TOML or "
        "YAML, keys as below) take other settings, and options win over both; `--show-config` prints what would "
        "run.\n"
    )
    for stage in STAGES:
        yield f"## cleanguard run {stage.name}\n"
        yield f"{_text(stage.summary)} Presets: {', '.join(f'`{name}`' for name in stage.presets)}.\n"
        rows = [
            (f"--{one.key.replace('_', '-')}", _default(one), one.help)
            for one in options_of(stage.config)
        ]
        yield from _table(("option", "default", "what it is"), rows)


def _default(option: Option) -> str:
    shown: Any = ",".join(map(str, option.default)) if option.many else option.default
    if shown in (None, ""):
        return ""
    text = str(shown).lower() if isinstance(shown, bool) else str(shown)
    return f"`{text if text.isprintable() else repr(text)}`"


def _configuration() -> Iterator[str]:
    yield "# Configuration\n"
    yield (
        "`[tool.cleanguard]` of a `pyproject.toml`. Each file has the configuration of the nearest folder at or "
        "above it that has one, up to the folder that holds `.git`; nothing is inherited from folders above unless "
        "it says `extend`. `--config FILE` holds for all files, `--isolated` reads none, `--config 'key = value'` "
        "and the other options win. An unknown key is an error with file, line and the nearest known key; it costs "
        "the files of its folder, which are then not checked, and the command leaves with 2. "
        "`cleanguard check --show-settings PATH` prints what holds.\n"
    )
    told, defaults = _attributes(Settings.__doc__ or ""), Settings()
    rows = []
    for key in sorted(PARSERS):
        name = key.replace("-", "_")
        default = getattr(defaults, name, None)
        shown = (
            ""
            if default in (None, "", ())
            else f"`{str(default).lower() if isinstance(default, bool) else default}`"
        )
        rows.append((key, shown, told.get(name, _EXTEND)))
    yield from _table(("key", "default", "what it is"), rows)


_EXTEND = (
    "Another file whose table this one starts from; keys that are given here replace its keys."
)


def _attributes(docstring: str) -> Mapping[str, str]:
    """What a docstring says of each attribute."""
    names = {one.name for one in fields(Settings)}
    _, _, part = docstring.partition("Attributes:")
    found: dict[str, str] = {}
    name = ""
    for line in part.splitlines():
        entry = re.match(r"\s+(\w+): (.*)", line)
        if entry and entry[1] in names:
            name = entry[1]
            found[name] = entry[2]
        elif name:
            found[name] += f" {line.strip()}"
    return {name: text.strip() for name, text in found.items()}


def navigation(made: Mapping[str, str]) -> list[dict[str, list[str]]]:
    """The pages in their parts; a new docs/*.md stands under "More" until somebody places it."""
    placed = {f"{stem}.md" for _, stems in PARTS for stem in stems}
    nav = [
        {title: [f"{stem}.md" for stem in stems if f"{stem}.md" in made]} for title, stems in PARTS
    ]
    nav.append(
        {"Hazards": ["hazards/index.md", *(f"hazards/{page_name(h)}.md" for h in CATALOGUE)]}
    )
    nav.append({"Reference": sorted(path for path in made if path.startswith("reference/"))})
    rest = [path for path in made if "/" not in path and path not in placed]
    nav.append({"More": rest})
    return nav


def write() -> Path:
    """Writes the pages and the generator's configuration; gives the path of the latter."""
    import yaml

    shutil.rmtree(PAGES, ignore_errors=True)
    made = pages()
    for path, text in made.items():
        target = PAGES / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
    for picture in [*DOCS.glob("*.svg"), *DOCS.glob("*.png"), *DOCS.glob("*.css")]:
        shutil.copy(picture, PAGES)
    config = yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))
    config |= {
        "docs_dir": str(PAGES),
        "site_dir": str(SITE),
        "nav": navigation(made),
        "copyright": f"cleanguard {VERSION}",
    }
    target = ROOT / "build" / "mkdocs.yml"
    target.write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")
    return target


def main() -> int:
    """Makes the site; the generator's exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pages", action="store_true", help="write the pages, and build nothing")
    config = write()
    if parser.parse_args().pages:
        return 0
    # --strict: a link or an anchor that leads nowhere is an error.
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "-f", str(config)]
    env = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    code = subprocess.run(command, cwd=ROOT, env=env, check=False).returncode
    if code == 0:
        print(f"the site is in {SITE.relative_to(ROOT)}")
    return code


if __name__ == "__main__":
    sys.exit(main())
