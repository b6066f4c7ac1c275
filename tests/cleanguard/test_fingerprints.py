"""Fingerprints survive what does not concern the finding."""

from __future__ import annotations

from cleanguard.catalogue.findings import Finding, Position
from cleanguard.catalogue.fingerprints import fingerprints
from cleanguard.catalogue.hazards import RAW_GENERATE


def of(text: str, *rows: int, name: str = "a.py") -> list[str]:
    found = [
        Finding(
            hazard=RAW_GENERATE,
            severity="error",
            confidence="followed",
            filename=name,
            location=Position(row, 1),
            end_location=Position(row, 2),
            message="",
            remedy="",
        )
        for row in rows
    ]
    return fingerprints(found, lambda _: text.split("\n"))


def test_other_lines_and_indentation_do_not_count() -> None:
    assert of("x()", 1) == of("import y\n\n    x()", 3)


def test_the_line_and_the_path_count() -> None:
    assert len({*of("x()", 1), *of("y()", 1), *of("x()", 1, name="b.py")}) == 3


def test_equal_lines_are_told_apart_by_their_number() -> None:
    first, second = of("x()\nx()", 1, 2)
    assert first != second
    assert of("x()\n\nx()", 1, 3) == [first, second]


def test_a_line_that_cannot_be_read_has_a_fingerprint() -> None:
    assert len(of("", 7)) == 1
