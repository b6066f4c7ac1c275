"""One door for source: what is read, what is refused, and what one file may cost."""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from pathlib import Path

import pytest

from cleanguard.catalogue.findings import Position
from cleanguard.editing import read as reading
from cleanguard.editing.edits import Edit, apply
from cleanguard.files import SourceFile
from cleanguard.settings.config import Settings
from lint_rules._engine import worker
from lint_rules._engine.checking import check_source
from lint_rules._engine.each import Each, Unread
from lint_rules._engine.gate import needs_check
from lint_rules._run.source import SourceError, decode

LOAD = 'from transformers import AutoModelForCausalLM\nm = AutoModelForCausalLM.from_pretrained("gpt2")\n'


def cookie(name: str, body: bytes) -> bytes:
    return b"# coding: " + name.encode() + b"\n" + body


@pytest.mark.parametrize(
    "name",
    ["base64", "hex", "rot13", "zip", "bz2", "uu", "quopri", "punycode", "idna", "unicode_escape",
     "raw_unicode_escape", "undefined", "utf-16", "utf-32-le", "no-such-codec", "mbcs"],
)  # fmt: skip
def test_a_codec_of_no_text_is_told(name: str) -> None:
    raw = cookie(name, LOAD.encode() + rb"s = '\u00e9 \n'" + b"\n")
    (finding,) = check_source("a.py", raw, Settings())
    assert finding.code == "CG900"
    with pytest.raises(SourceError):
        decode(raw)


@pytest.mark.parametrize(
    ("name", "body"),
    [
        pytest.param("utf-7", b"s = '+AGE-'\n", id="a letter written in another way"),
        pytest.param("big5", "s = '許功'\n".encode("big5") + b"t = '\xa1\xc3'\n", id="two bytes for one letter"),
        pytest.param("cp950", b"t = '\xa1\xc3 \xa2\xcc'\n", id="twice in the table"),
        pytest.param("iso2022_jp", b"s = '\x1b(B\x1b(B'\n", id="needless shifts"),
        pytest.param("hz", b"s = '~{~}'\n", id="empty shifts"),
    ],
)  # fmt: skip
def test_bytes_that_do_not_come_back_are_refused(name: str, body: bytes) -> None:
    raw = cookie(name, body)
    text = raw.decode(name, errors="ignore")
    if text.encode(name, errors="ignore") == raw:
        pytest.skip("this Python writes them back")
    with pytest.raises(SourceError, match=r"does not give the same bytes|is not"):
        decode(raw)
    (finding,) = check_source("a.py", raw, Settings())
    assert (finding.code, "save it as UTF-8" in finding.message or "is not" in finding.message) == (
        "CG900",
        True,
    )


def test_a_second_byte_order_mark_is_told() -> None:
    bom = "\ufeff".encode()
    assert check_source("a.py", bom + LOAD.encode(), Settings())[0].code == "CG101"
    (finding,) = check_source("a.py", bom + bom + LOAD.encode(), Settings())
    assert (finding.code, "second byte order mark" in finding.message) == ("CG900", True)


@pytest.mark.parametrize("name", ["utf-8", "latin-1", "cp1252", "shift_jis", "euc_jp", "gb18030", "koi8-r",
                                  "big5", "iso2022_jp", "hz", "utf-7"])  # fmt: skip
def test_edits_leave_all_other_bytes(name: str) -> None:
    letters = {"shift_jis": "日本", "euc_jp": "日本", "gb18030": "中文🙂", "koi8-r": "ж", "big5": "中文",
               "iso2022_jp": "日本", "hz": "中文", "utf-7": "é日", "utf-8": "é日🙂"}.get(name, "é")  # fmt: skip
    text = f"# coding: {name}\ns = '{letters}'  # {letters}\nx = 1\ny = '{letters}'\n"
    try:
        source = decode(text.encode(name))
    except SourceError:
        assert name in ("hz", "utf-7")  # whose shifts Python writes in another way
        return
    chance = random.Random(name)
    utf8 = text.encode()
    for _ in range(50):
        cuts = sorted(chance.sample(range(len(text) + 1), 4))
        offsets = [len(text[:cut].encode()) for cut in cuts]
        edits = [Edit(offsets[0], offsets[1], "new"), Edit(offsets[2], offsets[3], letters[:1])]
        edits = [edit for edit in edits if edit.start >= len(f"# coding: {name}\n")]
        try:
            after = source.edited(edits)
        except SourceError:
            assert name in ("iso2022_jp", "hz", "utf-7")
            continue
        assert after.decode(name) == apply(utf8, edits).decode()
        for piece in {text[: cuts[0]], text[cuts[3] :]} if len(edits) == 2 else ():
            assert piece.encode(name) in after


def test_what_an_encoding_cannot_write_is_refused() -> None:
    source = decode(cookie("latin-1", b"x = 1\n"))
    with pytest.raises(SourceError, match="cannot write"):
        source.edited([Edit(20, 21, "☃")])


@pytest.fixture
def fifo(tmp_path: Path) -> Path:
    if not hasattr(os, "mkfifo"):
        pytest.skip("no pipes here")
    os.mkfifo(tmp_path / "pipe.py")
    return tmp_path / "pipe.py"


def test_no_pipe_and_no_device_is_read(fifo: Path) -> None:
    for path in (fifo, Path("/dev/zero"), Path("/dev/tty")):
        if path.exists():
            with pytest.raises(OSError, match="a pipe or a device and no file"):
                SourceFile("x.py", path).read()
    with pytest.raises(IsADirectoryError):
        reading.read_file(fifo.parent)


def test_a_file_that_is_far_too_large_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "LARGEST", 1 << 20)
    with (tmp_path / "a.py").open("wb") as file:
        file.truncate((1 << 20) + 1)
    with pytest.raises(OSError, match="larger than 1 MB"):
        SourceFile("a.py", tmp_path / "a.py").read()


def _first_letter(file: SourceFile) -> str:
    """A harmless stand-in for what a hostile file does to a parser."""
    text = file.read().decode()
    if text == "dies":
        os.kill(os.getpid(), signal.SIGSEGV)
    if text == "spins":
        while True:
            pass
    if text == "waits":
        time.sleep(60)
    if text == "fills":
        raise MemoryError
    if text == "falls":
        raise RecursionError
    if text == "stumbles":
        raise KeyError("x")
    if text == "refuses":
        raise SourceError("no", Position(3, 4))
    return text[0]


@pytest.mark.parametrize("jobs", [1, 3])
def test_each_file_costs_only_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, jobs: int, fifo: Path
) -> None:
    monkeypatch.setattr(worker, "SECONDS", 1.0)
    monkeypatch.setattr(worker, "WALL_SECONDS", 6.0)
    words = [
        "alpha",
        "dies",
        "beta",
        "spins",
        "waits",
        "fills",
        "falls",
        "stumbles",
        "refuses",
        "gamma",
    ]
    files = []
    for index, word in enumerate(words):
        (tmp_path / f"{index}.py").write_text(word)
        files.append(SourceFile(f"{index}.py", tmp_path / f"{index}.py"))
    files += [SourceFile("gone.py", tmp_path / "gone.py"), SourceFile("pipe.py", fifo)]
    seen: list[tuple[int, int]] = []
    with Each(_first_letter, "reading", jobs=jobs) as each:
        found = each.run(files, lambda done, total: seen.append((done, total)))
    told = {
        file.name: one.reason
        for file, one in zip(files, found, strict=True)
        if isinstance(one, Unread)
    }
    assert [one for one in found if not isinstance(one, Unread)] == ["a", "b", "g"]
    assert told == {
        "1.py": "the parser crashes on it (signal 11)",
        "3.py": "reading it takes longer than 1 s",
        "4.py": "reading it takes longer than 1 s",
        "5.py": "reading it takes more than 1 GB",
        "6.py": "nested too deeply to be followed",
        "7.py": "7.py: reading it crashed (KeyError: 'x'); please report it",
        "8.py": "no",
        "gone.py": "cannot read it: no such file or directory",
        "pipe.py": "cannot read it: a pipe or a device and no file",
    }
    assert [one.crashed for one in found if isinstance(one, Unread)].count(True) == 1
    assert seen[-1] == (len(files), len(files))
    assert found[8].line == "8.py:3"  # type: ignore[union-attr]


def test_threads_of_the_caller_do_not_matter(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("alpha")
    stop = threading.Event()
    beside = threading.Thread(target=stop.wait)
    beside.start()
    try:
        with Each(_first_letter, "reading") as each:
            assert each.run([SourceFile("a.py", tmp_path / "a.py")] * 1) == ["a"]
    finally:
        stop.set()
        beside.join()


@pytest.mark.parametrize("word", ["", "import transformers\n"], ids=["no word", "a word"])
def test_a_comment_that_is_no_utf8_is_told_at_its_line(word: str) -> None:
    raw = word.encode() + b"x = 1\ny = 2  # caf\xe9\n"
    assert needs_check(raw)
    (finding,) = check_source("a.py", raw, Settings())
    assert (finding.code, finding.location.row) == ("CG900", 2 + bool(word))
    assert not needs_check(b"x = 1  # caf\xc3\xa9\n")
