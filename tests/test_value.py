"""What a year's text names; the examples of the guidelines and their kinds."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from num2words import num2words

from yearmark.numerals import Eras, english_year, sino_korean
from yearmark.value import values

ERAS = Eras.read(Path(__file__).parents[1] / "data/eras.toml")


def named(marked: str, reference_year: int = 2026) -> list[str | None]:
    """The values of the years that a text marks with ⟦ and ⟧."""
    text, spans = "", []
    for piece in marked.replace("⟧", "⟦").split("⟦"):
        spans.append((len(text), len(text) + len(piece)))
        text += piece
    return values(text, spans[1::2], ERAS, reference_year)


@pytest.mark.parametrize(
    ("marked", "expected"),
    [
        ("in ⟦2009⟧", ["2009"]),
        ("March 14, ⟦'09⟧", ["2009"]),
        ("the class of ⟦’84⟧", ["1984"]),
        ("3/14/⟦09⟧", ["2009"]),
        ("⟦1914⟧-⟦18⟧", ["1914", "1918"]),
        ("the ⟦2009⟧/⟦10⟧ season", ["2009", "2010"]),
        ("⟦1999⟧/⟦00⟧", ["1999", "2000"]),
        ("⟦1888⟧ – ⟦89⟧", ["1888", "1889"]),
        ("⟦1662⟧~⟦67⟧년", ["1662", "1667"]),
        ("⟦1995⟧년과 ⟦97⟧년", ["1995", "1997"]),
        ("⟦1592⟧–⟦3⟧", ["1592", "1593"]),
        ("⟦´49⟧ ⟦＇49⟧", ["1949", "1949"]),
        ("born ⟦1901⟧, left in ⟦'23⟧", ["1901", "1923"]),
        ("opened in ⟦1931⟧, mended in ⟦'88⟧", ["1931", "1988"]),
        ("⟦'98⟧ and later ⟦2004⟧", ["1998", "2004"]),
        ("in ⟦1443⟧, then in ⟦'88⟧", ["1443", "1988"]),
        ("⟦480 BC⟧", ["-0479"]),
        ("⟦480 B.C.⟧", ["-0479"]),
        ("⟦1 BC⟧", ["0000"]),
        ("⟦AD 79⟧", ["0079"]),
        ("⟦79 CE⟧", ["0079"]),
        ("⟦264⟧ to ⟦241 BC⟧", ["-0263", "-0240"]),
        ("⟦10,000 BC⟧", ["-9999"]),
        ("⟦기원전 480⟧년", ["-0479"]),
        ("⟦서기 79⟧년", ["0079"]),
        ("⟦단기 4288⟧년", ["1955"]),
        ("⟦令和3⟧年", ["2021"]),
        ("⟦세종 25⟧년", ["1443"]),
        ("⟦세종10⟧년", ["1428"]),
        ("⟦Heisei 12⟧", ["2000"]),
        ("⟦nineteen eighty-four⟧", ["1984"]),
        ("⟦Two thousand and nine⟧", ["2009"]),
        ("⟦이천구⟧년", ["2009"]),
        ("⟦구십팔⟧년", ["1998"]),
        ("⟦２００９⟧", ["2009"]),
        ("⟦476⟧", ["0476"]),
        ("⟦Zork 12⟧", [None]),
    ],
)
def test_values(marked: str, expected: list[str | None]) -> None:
    assert named(marked) == expected


def test_the_window_of_two_digits_moves_with_the_reference_year() -> None:
    assert named("⟦'46⟧, ⟦'47⟧", 2026)[0] == "2046"
    assert named("'⟦47⟧", 2026) == ["1947"]
    assert named("'⟦47⟧", 1950) == ["1947"]
    assert named("'⟦75⟧", 1950) == ["1875"]


@given(st.integers(1000, 2999))
def test_english_words_are_read_back(year: int) -> None:
    assert english_year(num2words(year, to="year")) == year


@given(st.integers(1000, 2999))
def test_korean_words_are_read_back(year: int) -> None:
    assert sino_korean(num2words(year, lang="ko").replace(" ", "")) == year
