"""Numbers as people write them."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.numbers import UnreadableNumberError, last_number_in, numbers_in, value_of


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("13", 13), ("-13", -13), ("−13", -13), ("–5", -5), ("+5", 5), ("13.0", 13), (".5", "1/2"),
        ("-.5", "-1/2"), ("0.10", "1/10"), ("1,300", 1300), ("1,300.25", "1300.25"), ("12,345,678", 12345678),
        ("1'300", 1300), ("1’300", 1300), ("1\u202f300", 1300), ("1\u00a0300", 1300), ("½", "1/2"),
        ("5½", "11/2"), ("-5½", "-11/2"), ("3/4", "3/4"), ("1 3/4", "7/4"), ("-1 3/4", "-7/4"),
        ("1 ½", "3/2"), ("3⁄4", "3/4"), ("⅔", "2/3"), ("1e3", 1000), ("1.5E-2", "0.015"), (" 7 ", 7),
        ("007", 7), ("٤٢", 42), ("0", 0), ("-0", 0), ("⅒", "1/10"),
    ],
)  # fmt: skip
def test_one_number(text: str, value: object) -> None:
    wanted = Fraction(str(value))
    assert value_of(text) == wanted
    assert numbers_in(f"It is {text.strip()}.") == [wanted]
    assert numbers_in(f"({text.strip()})") == [wanted]
    assert numbers_in(f"{text.strip()} apples, please") == [wanted]


@pytest.mark.parametrize(
    "text",
    ["1,3", "1,30", "13,00", "1,2,3", "12,34,567", "1.300.000", "1,300,00", "1/2/2026", "5²", "x5", "B12",
     "1/0", "1,300'000", "3_000", "10:30x5", "9" * 500, "1e9999", "5⁵", "1,3/2"],
)  # fmt: skip
def test_no_number_or_several(text: str) -> None:
    assert value_of(text) is None
    with pytest.raises(UnreadableNumberError):
        numbers_in(f"It is {text}.")


@pytest.mark.parametrize(
    "text", ["", " ", "-", "five", "5 km", "5%", "1 300", "3-5", "5.", "--5", "$5"]
)
def test_more_than_a_number_is_none(text: str) -> None:
    assert value_of(text) is None


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("3-5", [3, 5]), ("3 - 5", [3, 5]), ("3 – 5", [3, 5]), ("pages 3–5", [3, 5]), ("- 5", [5]),
        ("4, 6", [4, 6]), ("1 300", [1, 300]), ("5 km and 3 mi", [5, 3]), ("50%", [50]), ("$1,300", [1300]),
        ("none", []), ("10:30", [10, 30]), ("(a)-5", [5]), ("2 1/2 of 3", ["5/2", 3]), ("5.", [5]),
        ("the 5th", [5]), ("It is -5, not 5", [-5, 5]), ("x = -5", [-5]), ("2026-11-28", [2026, 11, 28]),
    ],
)  # fmt: skip
def test_numbers_in_a_text(text: str, values: list[object]) -> None:
    assert numbers_in(text) == [Fraction(str(value)) for value in values]


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("－5", [-5]), ("﹣5", [-5]), ("➖5", [-5]), ("−$5", [-5]), ("$-5", [-5]), ("− 5", [-5]), ("x − 5", [5]),
        ("7 − 5", [7, 5]), ("−\u20095", [-5]), ("minus 5", [-5]), ("It is Minus 5.", [-5]), ("- $5", [5]),
        ("2 million", [2_000_000]), ("1.5-billion", [1_500_000_000]), ("three dozen or 2 dozen", [24]),
        ("2 1/2 thousand", [2500]), ("minus 3 hundred", [-300]), ("5 millionaires", [5]), ("'5'", [5]),
        ("page\u00a05", [5]), ("5 men", [5]), ("5 kg", [5]), ("5 Mb", [5]), ("<b>5</b>", [5]), ("-> 5", [5]),
    ],
)  # fmt: skip
def test_signs_apart_and_words_of_scale(text: str, values: list[object]) -> None:
    assert numbers_in(text) == [Fraction(str(value)) for value in values]


@pytest.mark.parametrize(
    "text",
    ["5k", "5 k", "5K.", "5bn", "5 mln", "5M", "±5", "√5", "≠ 5", "⁻5", "-(5)", "−[5]", "5 and a half", "5 and three quarters"],
)  # fmt: skip
def test_what_stands_beside_a_number_and_changes_it_makes_it_none(text: str) -> None:
    with pytest.raises(UnreadableNumberError):
        numbers_in(f"It is {text}")


@given(st.integers(-(10**30), 10**30), st.sampled_from(["{}", "{:,}"]))
def test_integers_come_back(number: int, style: str) -> None:
    assert value_of(style.format(number)) == number


@given(
    st.decimals(
        allow_nan=False, allow_infinity=False, places=6, min_value=-(10**9), max_value=10**9
    )
)
def test_decimals_come_back(number: object) -> None:
    assert value_of(str(number)) == Fraction(str(number))


@given(st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    value_of(text)
    try:
        found = numbers_in(text)
    except UnreadableNumberError:
        return
    assert all(isinstance(value, Fraction) for value in found)


@pytest.mark.parametrize(
    ("text", "value"),
    [("x5 plus 7 is 12", 12), ("1,3 or rather −5.", -5), ("it makes 1 3/4", "7/4"), ("3-5", 5), ("12-5", 5),
     ("so 10:30", 30), ("a 5½", "11/2"), ("f(2)-5", 5), ("= -5", -5)],
)  # fmt: skip
def test_the_last_number(text: str, value: object) -> None:
    assert last_number_in(text) == Fraction(str(value))


@pytest.mark.parametrize("text", ["", "none", "12 and 1,3", "12, or x5"])
def test_no_last_number(text: str) -> None:
    assert last_number_in(text) is None
