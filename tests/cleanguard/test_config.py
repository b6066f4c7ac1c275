"""Where settings come from, and what is said about settings that cannot be used."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from cleanguard.catalogue.hazards import CATALOGUE
from cleanguard.settings.config import ConfigError, Settings, load_settings, selected


def write(folder: Path, table: str, name: str = "pyproject.toml") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text(table, encoding="utf-8")
    return path


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository of its own, so that nothing above it counts."""
    (tmp_path / ".git").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_without_any_file_the_defaults_hold(project: Path) -> None:
    assert load_settings(project) == Settings(root=project)


def test_every_key_is_read(project: Path) -> None:
    write(
        project,
        """
        [tool.cleanguard]
        select = ["CG1", "raw-generate"]
        ignore = ["CG104"]
        exclude = ["archived/"]
        scope = "all"
        base-models = ["acme/base-*"]
        chat-models = ["acme/*-talk"]
        loader-modules = ["src/loader.py"]
        """,
    )
    assert load_settings(project) == Settings(
        select=("CG1", "raw-generate"),
        ignore=("CG104",),
        exclude=("archived/",),
        scope="all",
        base_models=("acme/base-*",),
        chat_models=("acme/*-talk",),
        loader_modules=("src/loader.py",),
        root=project,
    )


def test_the_nearest_table_counts_and_files_without_one_are_passed_over(project: Path) -> None:
    write(project, "[tool.cleanguard]\nignore = ['CG101']\n")
    write(project / "a", "[tool.cleanguard]\nignore = ['CG102']\n")
    write(project / "a" / "b", "[project]\nname = 'x'\n")
    settings = load_settings(project / "a" / "b" / "c.py")
    assert (settings.ignore, settings.root) == (("CG102",), project / "a")


def test_the_search_ends_at_the_repository(tmp_path: Path) -> None:
    write(tmp_path, "[tool.cleanguard]\nignore = ['CG101']\n")
    (tmp_path / "repo" / ".git").mkdir(parents=True)
    (tmp_path / "repo" / "src").mkdir()
    assert load_settings(tmp_path / "repo" / "src") == Settings(root=tmp_path / "repo")


def test_a_named_file_wins_and_its_patterns_are_relative_to_the_current_folder(
    project: Path,
) -> None:
    write(project, "[tool.cleanguard]\nignore = ['CG101']\n")
    named = write(project / "ci", "[tool.cleanguard]\nselect = ['ALL']\n", "strict.toml")
    assert load_settings(project, named) == Settings(select=("ALL",), root=project)


@pytest.mark.parametrize(
    ("table", "parts"),
    [
        pytest.param(
            "[tool.cleanguard]\n\nselct = []\n",
            [":3: ", "unknown key 'selct'", "'select'"],
            id="misspelt-key",
        ),
        pytest.param(
            "[tool.cleanguard]\nbase_models = []\n",
            [":2: ", "did you mean 'base-models'"],
            id="underscore",
        ),
        pytest.param(
            "[tool.cleanguard]\nxyzzy = 1\n", [":2: ", "known keys: base-models"], id="no-near-key"
        ),
        pytest.param(
            "[tool.cleanguard]\nignore = 'CG101'\n",
            [":2: ", "list of strings", "'CG101'"],
            id="string-for-list",
        ),
        pytest.param(
            "[tool.cleanguard]\nexclude = [1]\n", [":2: ", "list of strings"], id="number-in-list"
        ),
        pytest.param(
            "[tool.cleanguard]\nscope = 'bases'\n",
            [":2: ", '"base" or "all"', "mean 'base'"],
            id="bad-scope",
        ),
        pytest.param(
            "[tool.cleanguard]\n\n[tool.cleanguard.per-file-ignore]\n'a.py' = ['CG1']\n",
            [":3: ", "unknown key 'per-file-ignore'", "mean 'per-file-ignores'"],
            id="misspelt-table",
        ),
        pytest.param(
            "[tool.cleanguard]\ntarget-versions = ['trl>=1',\n 'transfomers>=5']\n",
            [":3: ", "'transfomers'; did you mean 'transformers'", "(known: "],
            id="unknown-library",
        ),
        pytest.param(
            "[tool.cleanguard]\nscope = []\n", [":2: ", "not []"], id="scope-of-wrong-type"
        ),
        pytest.param(
            "[tool.cleanguard]\nselect = []\n",
            [":2: ", "`select` names nothing", "leave it out for the defaults"],
            id="empty-select",
        ),
        pytest.param(
            "[tool.cleanguard]\nselect = [\n  'CG101',\n  'CG110x',\n]\n",
            [":4: ", "`select`", "'CG110x' is not a hazard", "did you mean"],
            id="unknown-code",
        ),
        pytest.param(
            "[tool.cleanguard]\nignore = ['raw-generat']\n",
            [":2: ", "did you mean 'raw-generate'"],
            id="unknown-name",
        ),
        pytest.param(
            "[tool.cleanguard]\nexclude = ['!']\n",
            [":2: ", "not a gitignore pattern"],
            id="bad-pattern",
        ),
        pytest.param("[tool]\ncleanguard = 3\n", [":2: ", "must be a table"], id="not-a-table"),
        pytest.param("[tool.cleanguard\n", ["not valid TOML", "line 1"], id="broken-toml"),
        pytest.param(
            "[other]\nselct = 1\n[tool.cleanguard]\nselct = 1\n",
            [":4: "],
            id="line-in-the-right-table",
        ),
        pytest.param("tool.cleanguard.selct = 1\n", [":1: ", "unknown key"], id="dotted-key"),
        pytest.param(
            "tool = {cleanguard = {selct = 1}}\n", [":1: ", "unknown key"], id="inline-table"
        ),
    ],
)
def test_a_setting_that_cannot_be_used_is_named(
    project: Path, table: str, parts: list[str]
) -> None:
    write(project, table)
    with pytest.raises(ConfigError) as caught:
        load_settings(project)
    message = str(caught.value)
    assert message.startswith("pyproject.toml:")
    for part in parts:
        assert part in message


def test_a_named_file_without_the_table_is_an_error(project: Path) -> None:
    named = write(project, "select = ['ALL']\n", "cg.toml")
    with pytest.raises(ConfigError, match=r"cg\.toml: there is no \[tool\.cleanguard\] table"):
        load_settings(project, named)


def test_a_named_file_that_is_not_there_is_an_error(project: Path) -> None:
    with pytest.raises(
        ConfigError, match=r"gone\.toml: cannot read the configuration: no such file"
    ):
        load_settings(project, Path("gone.toml"))


def test_a_file_outside_the_current_folder_is_named_in_full(tmp_path: Path, project: Path) -> None:
    elsewhere = tmp_path.parent / "elsewhere.toml"
    with pytest.raises(ConfigError) as caught:
        load_settings(project, elsewhere)
    assert str(caught.value).startswith(str(elsewhere))


def test_bytes_that_are_not_utf8_are_an_error(project: Path) -> None:
    (project / "pyproject.toml").write_bytes(b"# \xff\n[tool.cleanguard]\n")
    with pytest.raises(ConfigError, match="not UTF-8"):
        load_settings(project)


def test_a_byte_order_mark_is_no_obstacle(project: Path) -> None:
    (project / "pyproject.toml").write_bytes(b"\xef\xbb\xbf[tool.cleanguard]\nscope = 'all'\n")
    assert load_settings(project).scope == "all"


def test_a_tool_that_is_no_table_is_somebody_elses_problem(project: Path) -> None:
    write(project, "tool = 1\n")
    assert load_settings(project) == Settings(root=project)


LINTED = {hazard.code for hazard in CATALOGUE if hazard.linted}


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        pytest.param(
            Settings(),
            {hazard.code for hazard in CATALOGUE if hazard.linted and hazard.default},
            id="defaults",
        ),
        pytest.param(Settings(select=("ALL",)), LINTED, id="all"),
        pytest.param(
            Settings(select=("CG201",)), {"CG201", "CG900"}, id="code-and-what-was-not-checked"
        ),
        pytest.param(Settings(select=("raw-generate",)), {"CG301", "CG900"}, id="name"),
        pytest.param(
            Settings(select=("CG1",)),
            {code for code in LINTED if code.startswith("CG1")} | {"CG900"},
            id="prefix",
        ),
        pytest.param(Settings(select=("CG101",), ignore=("CG1",)), {"CG900"}, id="ignore-wins"),
        pytest.param(Settings(ignore=("ALL",)), {"CG900"}, id="unreadable-cannot-be-ignored"),
    ],
)
def test_selected(settings: Settings, expected: set[str]) -> None:
    assert selected(settings) == expected


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        pytest.param(Settings(select=("cg101",)), "did you mean 'CG101'", id="lower-case"),
        pytest.param(Settings(ignore=("",)), "'' is not a hazard", id="empty"),
        pytest.param(Settings(select=("C",)), "'C' is not a hazard", id="half-a-prefix"),
        pytest.param(Settings(select=("CG109",)), "'CG109' has no lint rule", id="not-linted"),
    ],
)
def test_selected_refuses(settings: Settings, problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        selected(settings)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        pytest.param("min-items = " + "9" * 5_000, "not valid TOML", id="a number of 5,000 digits"),
        pytest.param("select = " + "[" * 5_000 + "]" * 5_000, "more than 100 deep", id="arrays"),
        pytest.param("select = " + "[" * 120 + "]" * 120, "more than 100 deep", id="120 arrays"),
        pytest.param("a." * 150 + "b = 1", "more than 100 deep", id="dotted keys"),
        pytest.param('extend = "a\\u0000b"', "holds a NUL", id="NUL"),
        pytest.param(
            f'extend = "{"a/" * 4_000}"', "there is no file", id="a path of 8,000 letters"
        ),
        pytest.param("# " + "x" * (1 << 20), "larger than 1 MiB", id="large"),
    ],
)
def test_a_hostile_configuration_is_told(project: Path, content: str, words: str) -> None:
    (project / "pyproject.toml").write_text(f"[tool.cleanguard]\n{content}\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=rf"pyproject\.toml.*{words}"):
        load_settings(project)


def test_a_pipe_is_no_configuration(project: Path) -> None:
    os.mkfifo(project / "pipe.toml")
    with pytest.raises(ConfigError, match=r"pipe\.toml: cannot read .* no regular file"):
        load_settings(project, project / "pipe.toml")
    (project / "pyproject.toml").write_text('[tool.cleanguard]\nextend = "pipe.toml"\n')
    with pytest.raises(ConfigError, match="no regular file"):
        load_settings(project)
    (project / "pyproject.toml").unlink()
    os.mkfifo(project / "pyproject.toml")
    with pytest.raises(ConfigError, match=r"pyproject\.toml: .* no regular file"):
        load_settings(project)


def test_a_long_chain_of_extends_is_told(project: Path) -> None:
    for number in range(40):
        below = f'extend = "{number + 1}.toml"\n' if number < 39 else ""
        (project / f"{number}.toml").write_text(f"[tool.cleanguard]\n{below}")
    (project / "pyproject.toml").write_text('[tool.cleanguard]\nextend = "35.toml"\n')
    load_settings(project)
    (project / "pyproject.toml").write_text('[tool.cleanguard]\nextend = "0.toml"\n')
    with pytest.raises(ConfigError, match=r"14\.toml:2: more than 16 files extend each other"):
        load_settings(project)
