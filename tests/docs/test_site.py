"""The documentation site: everything has its page, commands exist, and what is shown is what is printed."""

from __future__ import annotations

import importlib.util
import json
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest

from cleanguard.catalogue.hazards import CATALOGUE
from cleanguard.cli.command_group import COMMANDS, group
from cleanguard.settings.config import Settings
from cleanguard.settings.config_values import PARSERS
from lint_rules._engine.checking import check_source
from stages.config import options_of
from stages.registry import BY_NAME
from stages.suites.user import read_suite

ROOT = Path(__file__).resolve().parents[2]
SOURCES = {
    path.name: path.read_text(encoding="utf-8") for path in sorted((ROOT / "docs").glob("*.md"))
}


@pytest.fixture(scope="module")
def site() -> Any:
    spec = importlib.util.spec_from_file_location("site_of_cleanguard", ROOT / "tools" / "site.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def pages(site: Any) -> dict[str, str]:
    made: dict[str, str] = site.pages()
    return made


def test_code_blocks_are_opened_as_the_generator_reads_them(pages: dict[str, str]) -> None:
    """It takes no fence whose info it cannot read, and then the next one opens where this one closes."""
    for name, text in pages.items():
        for info in re.findall(r"^ *```(.*)$", text, re.MULTILINE):
            assert re.fullmatch(r'(\w+( title="[^"]+")?)?', info), (name, info)


def test_no_token_is_taken_for_a_tag_and_each_page_has_one_title(pages: dict[str, str]) -> None:
    for name, text in pages.items():
        words = re.sub(r"^ *```.*?^ *```$", "", text, flags=re.MULTILINE | re.DOTALL)
        words = re.sub(r"<!--.*?-->|<code>.*?</code>|`[^`\n]*`", "", words, flags=re.DOTALL)
        assert re.findall(r"<[A-Za-z/|][^>\n]*>", words) == [], name
        assert len(re.findall(r"^# ", words, re.MULTILINE)) == 1, name


def block(page: str, title: str) -> str:
    found = re.search(
        rf'^```\w+ title="{title}"\n(.*?)^```', SOURCES[page], re.MULTILINE | re.DOTALL
    )
    assert found is not None, title
    return found[1]


def test_every_source_every_hazard_and_every_command_has_its_place(
    site: Any, pages: dict[str, str]
) -> None:
    placed = [page for part in site.navigation(pages) for names in part.values() for page in names]
    assert sorted(placed) == sorted(pages)
    assert set(SOURCES) <= set(pages)
    for hazard in CATALOGUE:
        page = pages[f"hazards/{hazard.code}-{hazard.name}.md"]
        assert hazard.why.split(".")[0][1:] in page
        assert f"cleanguard explain {hazard.code}" in page
        assert re.search(
            r"## The measurement behind it\n.*^pytest tests/", page, re.DOTALL | re.MULTILINE
        )


def test_the_references_hold_every_option_key_and_setting(pages: dict[str, str]) -> None:
    for name in COMMANDS:
        command = group.get_command(click.Context(group), name)
        assert command is not None
        section = (
            pages["reference/cli.md"].partition(f"## cleanguard {name}\n")[2].partition("\n## ")[0]
        )
        for param in command.params:
            if isinstance(param, click.Option) and not param.hidden:
                assert all(opt in section for opt in param.opts), (name, param.opts)
        if name != "lm-eval":  # its help is lm-evaluation-harness's
            assert "`-h, --help`" in section, name
    for stage in BY_NAME.values():
        section = pages["reference/stages.md"].partition(f"## cleanguard run {stage.name}\n")[2]
        for option in options_of(stage.config):
            assert f"`--{option.key.replace('_', '-')}`" in section
    for key in PARSERS:
        row = next(
            line
            for line in pages["reference/configuration.md"].splitlines()
            if line.startswith(f"| `{key}` |")
        )
        assert len(row.split("|")[3].strip()) > 20, key


def commands() -> Iterator[tuple[str, str]]:
    """Each command line of ours in a code block or a sentence, with the page that it stands on."""
    texts = {**SOURCES, "README.md": (ROOT / "README.md").read_text(encoding="utf-8")}
    for name, text in texts.items():
        sentences = re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)
        yield from ((name, line) for line in re.findall(r"`(cleanguard [^`\n]+)`", sentences))
        for body in re.findall(
            r"^```(?:console|sh|make|text)\b.*?\n(.*?)^```", text, re.MULTILINE | re.DOTALL
        ):
            for line in body.replace("\\\n", " ").splitlines():
                for part in re.split(r"&&|\|\||;| \| |<\(", line):
                    found = re.match(
                        r"\s*(?:\$ )?(?:[A-Z_]+=\S+ )*(?:torchrun .*--no-python |\.venv/bin/)?(cleanguard .*)",
                        part,
                    )
                    if found:
                        yield name, found[1]


def test_every_command_that_is_shown_exists_with_its_options() -> None:
    seen = 0
    for page, line in commands():
        words = shlex.split(line.partition(" #")[0].replace(")", "").replace("…", ""))[1:]
        if not words or words[0].startswith("-"):
            continue
        seen += 1
        assert words[0] in COMMANDS, (page, line)
        command = group.get_command(click.Context(group), words[0])
        assert command is not None
        if words[0] == "run" and words[1:] and words[1] in BY_NAME:
            stage = BY_NAME[words[1]]
            known = {f"--{one.key.replace('_', '-')}" for one in options_of(stage.config)}
            known |= {"--config", "--preset", "--show-config", "--help"}
        else:
            shown = [one for one in command.params if not getattr(one, "hidden", False)]
            known = {opt for one in shown for opt in (*one.opts, *one.secondary_opts)} | {"--help"}
        if words[0] == "lm-eval":  # its options are lm-evaluation-harness's
            continue
        if words[0] == "trace":  # from the script on, options are the script's
            words = words[
                : next(
                    (at for at, word in enumerate(words) if word.endswith(".py") or word == "-m"), 0
                )
            ]
        for word in words[1:]:
            if re.fullmatch(r"--[\w.-]+(=.*)?", word):
                assert word.partition("=")[0].replace("_", "-") in known, (page, line, word)
    assert seen > 30


def test_what_check_prints_is_what_the_page_shows(tmp_path: Path) -> None:
    page = SOURCES["first-steps.md"]
    shown = re.search(
        r"^```console\n\$ cleanguard check evaluate.py .*?\n(.*?)^```",
        page,
        re.MULTILINE | re.DOTALL,
    )
    script = re.search(r"^of this script:\n\n```python\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    assert shown is not None
    assert script is not None
    (tmp_path / "evaluate.py").write_text(script[1], encoding="utf-8")
    command = [sys.executable, "-c", "from cleanguard.cli import main; main()"]
    ran = subprocess.run(
        [*command, "check", "evaluate.py", "--output-format", "concise", "--no-cache"],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ran.stdout == shown[1]


def test_the_examples_of_formats_are_read(tmp_path: Path) -> None:
    suite = tmp_path / "mine.jsonl"
    suite.write_text(block("formats.md", "suite"), encoding="utf-8")
    read = read_suite(suite)
    assert [item.prompt for item in read.items] == ["The capital of France is", "2 + 3 ="]
    assert len(read.shots) == 1
    for line in block("formats.md", "source").splitlines():
        assert json.loads(line)["instruction"]


def test_the_finding_that_is_shown_is_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shown = json.loads(block("formats.md", "finding"))
    comment = "# cleanguard: ignore[CG201] the BOS is in it"
    source = tmp_path / "a.py"
    source.write_text(f"x = 1  {comment}\n", encoding="utf-8")
    (found,) = check_source("a.py", source.read_bytes(), Settings())
    assert found.code == shown["code"]
    assert (found.message, found.remedy) == (shown["message"], shown["remedy"])
    assert shown["end_location"]["column"] == 8 + len(comment)


def test_configurations_that_are_shown_are_toml() -> None:
    tomllib = pytest.importorskip("tomllib")
    for name, text in SOURCES.items():
        for body in re.findall(r"^```toml\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
            assert tomllib.loads(body), name


@pytest.mark.slow
def test_the_site_is_built_strictly_and_fetches_nothing(site: Any) -> None:
    pytest.importorskip("mkdocs", reason="comes with the docs extra")
    done = subprocess.run(
        [sys.executable, "tools/site.py"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    front = (site.SITE / "index.html").read_text(encoding="utf-8")
    for attribute, address in re.findall(r'<(?:script|link|img)[^>]*?(src|href)="([^"]+)"', front):
        assert not address.startswith(("http:", "https:", "//")), (attribute, address)


def test_the_picture_is_what_check_prints() -> None:
    done = subprocess.run(
        [sys.executable, "tools/pictures.py", "--check"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "http" not in re.sub(
        r'xmlns(:\w+)?="[^"]*"', "", (ROOT / "docs" / "check.svg").read_text(encoding="utf-8")
    )


def test_links_of_the_pages_beside_the_site_lead_somewhere() -> None:
    """`mkdocs --strict` looks at those of docs/; these are read on a forge only."""
    pages = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md")]
    for page in [*pages, *sorted((ROOT / "docs").glob("*.md"))]:
        for address in re.findall(r"\]\(([^)#\s]+)", page.read_text(encoding="utf-8")):
            if "://" in address or address.startswith("mailto:"):
                continue
            made = (ROOT / "docs").joinpath(address).relative_to(ROOT / "docs").parts[0]
            if page.parent.name == "docs" and made in ("hazards", "reference", "changes.md"):
                continue  # made from the code
            assert (page.parent / address).exists(), (page.name, address)
        for address, anchor in re.findall(
            r"\]\(([^)#\s]+\.md)#([^)\s]+)\)", page.read_text("utf-8")
        ):
            if (page.parent / address).is_file():
                heads = re.findall(
                    r"^#+ (.+)$", (page.parent / address).read_text("utf-8"), re.MULTILINE
                )
                slugs = {re.sub(r"[^\w -]", "", head.lower()).replace(" ", "-") for head in heads}
                assert anchor in slugs, (page.name, address, anchor)
