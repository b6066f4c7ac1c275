"""Patches are what `git apply` takes, for every kind of line end."""

from __future__ import annotations

import subprocess

import pytest

from cleanguard.editing.patch import unified


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param(b"a\nb\nc\n", b"a\nB\nc\n", id="plain"),
        pytest.param(b"a\r\nb\r\nc\r\n", b"a\r\nB\r\nc\r\n", id="crlf"),
        pytest.param(b"a\nb\nc", b"a\nB\nc", id="no newline at the end"),
        pytest.param(b"a\nb", b"a\nb\n", id="a newline arrives at the end"),
        pytest.param(b"a\nb\n", b"a\nb", id="a newline leaves the end"),
        pytest.param(b"\xe9\n", b"\xe9\nx\n", id="bytes that are no utf-8"),
        pytest.param(b"\n" * 50 + b"a\n" + b"\n" * 50, b"\n" * 50 + b"b\n" + b"\n" * 50, id="far in"),
        pytest.param(b"a\x0cb\nc\x0bd\n", b"a\x0cb\nC\x0bd\n", id="form feeds inside lines"),
    ],
)  # fmt: skip
def test_git_applies_it(before, after, tmp_path):
    (tmp_path / "sub dir").mkdir()
    file = tmp_path / "sub dir/script.py"
    file.write_bytes(before)
    for command in (["init", "-q"], ["config", "core.autocrlf", "false"]):
        subprocess.run(["git", *command], cwd=tmp_path, check=True)
    patch = unified("sub dir/script.py", before, after)
    done = subprocess.run(
        ["git", "apply", "-"], input=patch, cwd=tmp_path, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert file.read_bytes() == after


def test_no_change_is_an_empty_patch():
    assert unified("a.py", b"x\n", b"x\n") == b""


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("src/a.py", b"--- a/src/a.py\n"),
        ("ä b.py", "--- a/ä b.py\n".encode()),
        ("a\tb.py", b'--- "a/a\\011b.py"\n'),
        ('ä#"b.py', b'--- "a/\xc3\xa4#\\042b.py"\n'),
        ('a"b.py', b'--- "a/a\\042b.py"\n'),
        ("a##[group]ä.py", b'--- "a/a\\043\\043[group]\\303\\244.py"\n'),  # a runner would obey it
        ("a\u202eyp.b", b'--- "a/a\\342\\200\\256yp.b"\n'),  # shown the other way round
        ("/root/a.py", b"--- a/root/a.py\n"),
    ],
)
def test_a_name_is_written_as_git_does(name, written):
    assert unified(name, b"x\n", b"y\n").startswith(written)


def test_three_lines_around_a_change_are_shown():
    before = b"".join(b"%d\n" % number for number in range(20))
    patch = unified("a.py", before, before.replace(b"10\n", b"x\n"))
    assert patch.count(b"\n ") == 6
    assert patch.endswith(b" 13\n")
