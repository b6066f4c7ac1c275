"""Which files a run looks at, and under which names."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from cleanguard.files import FilesError, UnlistedFolderError, discover
from cleanguard.settings.ignores import Patterns


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository to fill; it is the current folder."""
    (tmp_path / ".git").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def make(*names: str) -> None:
    for name in names:
        path = Path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("", encoding="utf-8")


def names(*paths: str, exclude: tuple[str, ...] = (), root: Path | None = None) -> list[str]:
    return [file.name for file in discover(paths, exclude, root)]


@pytest.mark.usefixtures("tree")
class TestWalk:
    def test_python_files_and_stubs_in_stable_order(self) -> None:
        make("b.py", "a/z.pyi", "a/b.py", "a/notes.txt", "script")
        assert names(".") == ["a/b.py", "a/z.pyi", "b.py"]

    @pytest.mark.parametrize(
        ("given", "expected"),
        [
            ("src", "src/a.py"),
            ("src/", "src/a.py"),
            ("./src", "./src/a.py"),
            ("src/../src", "src/../src/a.py"),
        ],
    )
    def test_names_begin_as_the_folder_was_given(self, given: str, expected: str) -> None:
        make("src/a.py")
        assert names(given) == [expected]

    def test_absolute_paths_stay_absolute(self, tree: Path) -> None:
        make("src/a.py")
        assert names(str(tree / "src")) == [str(tree / "src" / "a.py")]

    def test_built_in_folders_are_left_out(self) -> None:
        make(
            "a.py",
            ".venv/x.py",
            "node_modules/m/x.py",
            "p/__pycache__/x.py",
            ".ipynb_checkpoints/x.py",
            "build/x.py",
        )
        assert names(".") == ["a.py"]

    def test_a_named_folder_is_walked_whatever_it_is_called(self) -> None:
        make(
            ".venv/lib/site-packages/trl/a.py",
            ".venv/lib/site-packages/trl/__pycache__/b.py",
            ".gitignore",
        )
        Path(".gitignore").write_text(".venv/\n", encoding="utf-8")
        assert names(".venv/lib/site-packages/trl") == [".venv/lib/site-packages/trl/a.py"]
        assert names(".venv/lib/site-packages") == [".venv/lib/site-packages/trl/a.py"]

    def test_a_folder_called_like_a_python_file_is_walked(self) -> None:
        make("odd.py/a.py")
        assert names(".") == ["odd.py/a.py"]


@pytest.mark.usefixtures("tree")
class TestGitignore:
    def test_nested_files_and_negation(self) -> None:
        make("a.py", "gen_a.py", "sub/gen_b.py", "sub/keep/gen_c.py", "sub/local.py", "local.py")
        Path(".gitignore").write_text("gen_*.py\n", encoding="utf-8")
        Path("sub/.gitignore").write_text("/local.py\n", encoding="utf-8")
        Path("sub/keep/.gitignore").write_text("!gen_c.py\n", encoding="utf-8")
        assert names(".") == ["a.py", "local.py", "sub/keep/gen_c.py"]

    def test_files_above_the_named_folder_count_up_to_the_repository(self, tree: Path) -> None:
        make("sub/a.py", "sub/deep/a.py", "sub/deep/scratch.py")
        Path(".gitignore").write_text("scratch.py\n/sub/a.py\n", encoding="utf-8")
        assert names("sub") == ["sub/deep/a.py"]
        assert names("sub/deep") == ["sub/deep/a.py"]
        (tree / ".git").rmdir()
        if not any((parent / ".git").exists() for parent in tree.parents):
            assert names("sub/deep") == ["sub/deep/a.py", "sub/deep/scratch.py"]

    def test_an_ignored_folder_is_not_entered_so_nothing_in_it_comes_back(self) -> None:
        make("out/keep.py", "out/.gitignore")
        Path(".gitignore").write_text("out/\n", encoding="utf-8")
        Path("out/.gitignore").write_text("!keep.py\n", encoding="utf-8")
        assert names(".") == []

    def test_lines_that_git_cannot_use_are_skipped(self) -> None:
        make("a.py", "b.py")
        Path(".gitignore").write_bytes(b"# note\n\n!\n\xff\nb.py\n")
        assert names(".") == ["a.py"]

    def test_an_empty_one_says_nothing(self) -> None:
        make("a.py", ".gitignore")
        assert names(".") == ["a.py"]

    def test_a_folder_of_that_name_is_no_file(self) -> None:
        make("a.py", ".gitignore/x.py")
        assert names(".") == [".gitignore/x.py", "a.py"]


@pytest.mark.usefixtures("tree")
class TestExclude:
    def test_patterns_are_relative_to_the_root(self, tree: Path) -> None:
        make("a.py", "archived/a.py", "src/archived/b.py", "src/top.py", "top.py")
        assert names(".", exclude=("archived/", "/top.py"), root=tree) == ["a.py", "src/top.py"]
        assert names("src", exclude=("/src/top.py",), root=tree) == ["src/archived/b.py"]

    def test_negation_takes_back_what_gitignore_leaves_out(self, tree: Path) -> None:
        make("a.py", "b.py")
        Path(".gitignore").write_text("*.py\n", encoding="utf-8")
        assert names(".", exclude=("!a.py",), root=tree) == ["a.py"]

    def test_a_named_excluded_folder_is_walked_and_the_other_patterns_hold(
        self, tree: Path
    ) -> None:
        make("archived/a.py", "archived/old/b.py")
        assert names("archived", exclude=("archived/", "old/"), root=tree) == ["archived/a.py"]

    def test_a_folder_outside_the_root_takes_them_relative_to_itself(self, tree: Path) -> None:
        make("in/x.py", "out/archived/a.py", "out/b.py")
        assert names("out", exclude=("/archived/",), root=tree / "in") == ["out/b.py"]

    def test_a_named_file_is_always_taken(self, tree: Path) -> None:
        make("archived/a.py", "script", ".venv/x.py")
        given = ("archived/a.py", "script", ".venv/x.py")
        assert names(*given, exclude=("archived/",), root=tree) == sorted(given)


@pytest.mark.usefixtures("tree")
class TestIdentity:
    def test_a_file_named_twice_is_taken_once(self) -> None:
        make("src/a.py")
        assert names("src/a.py", "src", "./src/a.py") == ["src/a.py"]

    def test_links_to_files_are_taken_once_and_links_to_folders_are_not_entered(self) -> None:
        make("src/a.py", "other/b.py")
        Path("src/loop").symlink_to(Path("..").absolute())
        Path("src/alias.py").symlink_to("a.py")
        Path("src/elsewhere.py").symlink_to(Path("other/b.py").absolute())
        Path("src/dangling.py").symlink_to("gone.py")
        assert names("src") == ["src/a.py", "src/elsewhere.py"]

    def test_a_named_link_to_a_folder_is_walked(self) -> None:
        make("src/a.py")
        Path("link").symlink_to("src")
        assert names("link") == ["link/a.py"]
        assert names("src", "link") == ["src/a.py"]


@pytest.mark.usefixtures("tree")
class TestErrors:
    def test_a_path_that_does_not_exist(self) -> None:
        make("a.py")
        with pytest.raises(FilesError, match=r"^gone/b\.py: no such file or folder"):
            discover(["a.py", "gone/b.py"])

    @pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes")
    def test_a_pipe_is_no_file(self) -> None:
        make("src/a.py")
        os.mkfifo("src/pipe.py")
        assert names("src") == ["src/a.py"]
        with pytest.raises(FilesError, match=r"^src/pipe\.py: a pipe or a device and no file"):
            discover(["src/pipe.py"])

    def test_a_link_that_leads_to_itself_or_nowhere_is_no_file(self) -> None:
        make("src/a.py")
        Path("src/loop.py").symlink_to("loop.py")
        Path("src/gone.py").symlink_to("nowhere.py")
        assert names("src") == ["src/a.py"]

    def test_a_folder_that_cannot_be_listed(self, monkeypatch: pytest.MonkeyPatch) -> None:
        make("src/locked/a.py", "src/a.py", "src/z.py")
        scandir = os.scandir

        def refuse(path: str) -> Any:
            if path.endswith("locked"):
                raise PermissionError(13, "Permission denied", path)
            return scandir(path)

        monkeypatch.setattr(os, "scandir", refuse)
        assert names("src") == ["src/a.py", "src/locked", "src/z.py"]
        assert names("src/locked") == ["src/locked"]
        (folder,) = (one for one in discover(["src"]) if one.unlisted)
        with pytest.raises(UnlistedFolderError, match="Permission denied"):
            folder.read()
        assert names("src", exclude=("locked/",)) == ["src/a.py", "src/z.py"]


def test_nothing_found_is_an_empty_answer(tree: Path) -> None:
    assert discover([str(tree)]) == ()


def test_many_patterns_say_together_what_each_says_alone() -> None:
    lines = [
        "*.log",
        "!keep.log",
        "/build/",
        "a/**/z.py",
        "data[0-9].py",
        "doc?/",
        "!doc1/",
        "x\\ y.py",
        "**/gen/*.py",
    ]
    paths = ["a.log", "keep.log", "d/keep.log", "build/", "s/build/", "a/b/c/z.py", "a/z.py", "data7.py", "datax.py",
             "doc1/", "doc2/", "doc2/a.py", "x y.py", "p/gen/q.py", "p/gen/r/q.py", "plain.py", "e/plain.py"]  # fmt: skip
    whole = Patterns.of("/r", lines)
    assert not whole.may_match("plain.txt")
    one_by_one = Patterns(whole.base, whole.patterns, lambda _: True)
    said = [whole.verdict(f"/r/{path}") for path in paths]
    assert said == [one_by_one.verdict(f"/r/{path}") for path in paths]
    assert {True, False, None} == set(said)
