"""Text to segments and tokens."""

import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from yearmark.features import Reader, number_form
from yearmark.numerals import Eras
from yearmark.segments import HARD, segments
from yearmark.words import Words

SIZES = {"norm": 500, "prefix": 100, "suffix": 100, "start": 100}
ERAS = Eras({"AD": (0, 1), "BC": (1, -1), "기원전": (1, -1), "令和": (2018, 1)})
texts = st.text(
    st.one_of(
        st.sampled_from("0129 .\n\t'-–/,()년월일이천구가ABCa\u00a0"), st.characters(exclude_categories=["Cs"])
    )
)


@pytest.fixture(scope="module")
def reader() -> Reader:
    return Reader(SIZES, ERAS, Words())


@given(texts)
def test_segments_cover_the_text_in_order(text: str) -> None:
    last, rest = 0, ""
    for start, end in segments(text):
        assert last <= start < end
        assert text[start:end] == text[start:end].strip()
        rest += text[last:start]
        last = end
    assert not (rest + text[last:]).strip()


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("It rained. Nobody came.", ["It rained.", "Nobody came."]),
        ("On Jan. 3 and with Mr. Smith.", ["On Jan. 3 and with Mr. Smith."]),
        ("J. R. Smith came in 1950. The end.", ["J. R. Smith came in 1950.", "The end."]),
        ("2009. 3. 14. 오늘", ["2009. 3. 14. 오늘"]),
        ("첫째 문장이다. 둘째 문장이다.", ["첫째 문장이다.", "둘째 문장이다."]),
        ("one line\nand the next", ["one line\nand the next"]),
        ("a title\n\nthe text", ["a title", "the text"]),
    ],
)
def test_segments_end_with_sentences(text: str, pieces: list[str]) -> None:
    assert [text[a:b] for a, b in segments(text)] == pieces


@pytest.mark.long
@pytest.mark.parametrize("piece", ["a ", "1", "1-", "x\n", ". ", "'", "\n \n", "년", "(", "!)"])
def test_segments_are_bounded_and_linear(piece: str) -> None:
    def seconds(count: int) -> float:
        text, reader = piece * count, Reader(SIZES, ERAS, Words())  # nothing cached
        start = time.process_time()
        for a, b in segments(text):
            assert b - a <= 3 * HARD
            reader([text[a:b]])
        return time.process_time() - start

    seconds(1_000)
    # the best of three: other work on the machine slows single runs
    assert min(seconds(32_000) for _ in range(3)) < 32 * max(seconds(4_000), 0.003)


@given(texts)
def test_tokens_are_the_text_without_single_spaces(text: str) -> None:
    text = text.strip()
    tokens = Reader(SIZES, ERAS, Words())([text])
    covered = np.zeros(len(text), bool)
    for start, end in zip(tokens.start, tokens.end, strict=True):
        assert not covered[start:end].any()
        covered[start:end] = True
    assert all(c == " " for c, seen in zip(text, covered, strict=True) if not seen)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2009년에", ["2009", "년에"]),
        ("FY09", ["FY", "09"]),
        ("1914-18", ["1914", "-", "18"]),
        ("03/14/2009", ["03", "/", "14", "/", "2009"]),
        ("'09", ["'", "09"]),
        ("480 B.C. or A.D. 79", ["480", "B.C.", "or", "A.D.", "79"]),
        ("이천구년에 이전에는", ["이천구", "년에", "이전에는"]),
        ("令和3年", ["令和", "3", "年"]),
        ("<br>2009&nbsp;년", ["<", "br", ">", "2009", "&", "nbsp", ";", "년"]),
        ("２００９年", ["２００９", "年"]),
        ("20090314 20091350 120090314", ["2009", "0314", "20091350", "120090314"]),
    ],
)
def test_years_are_whole_tokens(text: str, expected: list[str], reader: Reader) -> None:
    tokens = reader([text])
    assert [text[a:b] for a, b in zip(tokens.start, tokens.end, strict=True)] == expected


@given(st.integers(1500, 2099), st.integers(1500, 2099))
def test_a_year_is_read_by_its_form_alone(one: int, other: int) -> None:
    reader = Reader(SIZES, ERAS, Words())
    assert number_form(str(one)) == number_form(str(other))
    assert (reader([f"in {one}."]).features == reader([f"in {other}."]).features).all()


@pytest.mark.parametrize(
    ("text", "first_tokens"),
    [
        ("in 2009 or 12345", ["2009"]),
        ("class of '84", ["'", "84"]),
        ("AD 79", ["AD", "79"]),
        ("an AD for it", []),
        ("nineteen eighty-four", ["nineteen", "eighty"]),
        ("one day in nineteen cities", []),
        ("기원전 480년", ["기원전", "480"]),
        ("이천구년 이천구명", ["이천구"]),
        ("nothing here", []),
        ("3 of 1592-3 and 5 BC or 7", ["1592", "3", "5", "BC"]),
        ("3,000 BC and 3,5", ["3", "BC"]),
        ("12,000 BC or 12,000 men", ["12", "BC"]),
        ("$84, 84 percent, 84%, the 84th, 84 people", []),
        ("an 84-page book of 84-May, 84-85 and 984-", ["84", "84", "85", "984"]),
        ("at 10:84, 84:31 or in '84: 31 who", ["'", "84", "31"]),
        ("84.31 or 31.84 or 84.12 or 12.84 or 3.5.84", ["84", "84", "84"]),
        ("on March 28, May 69 and Mar 09", ["69", "09"]),
        ("on 12 March 18, 12.31.84 and 31.12.84", ["12", "18", "84", "31", "84"]),
        ("98월 98일 98명이 98년에 98대회", ["98", "98"]),
        ("1984 people, $1984, March 1984", ["1984", "1984", "1984"]),
        ("one two, two thousand", ["two"]),
    ],
)
def test_only_what_could_name_a_year_may_begin_one(
    text: str, first_tokens: list[str], reader: Reader
) -> None:
    tokens = reader([text])
    starts = zip(tokens.start, tokens.end, tokens.begins, strict=True)
    assert [text[a:b] for a, b, begins in starts if begins] == first_tokens


@given(st.lists(texts.map(str.strip).filter(bool), min_size=1, max_size=5))
def test_segments_read_together_are_those_read_alone(pieces: list[str]) -> None:
    reader = Reader(SIZES, ERAS, Words())
    together = reader(pieces)
    for number, piece in enumerate(pieces):
        alone, here = reader([piece]), together.segment == number
        for name in ("start", "end", "features", "begins"):
            assert (getattr(together, name)[here] == getattr(alone, name)).all()


def test_the_cache_of_lexemes_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Reader, "MOST_LEXEMES", 100)
    small, fresh = Reader(SIZES, ERAS, Words()), Reader(SIZES, ERAS, Words())
    for number in range(500):
        text = f"word{number} in 2009, x{number}"
        assert (small([text]).features == fresh([text]).features).all()
    assert small._count < 110


def test_words_share_rows_with_their_stem_their_translation_and_their_longest_beginning(
    tmp_path: Path,
) -> None:
    words = Words(["room", "pilgrim", "€", "객실\troom", "순례\tpilgrim", "순례자\tpilgrim"])
    assert words.count == 3
    assert [words.row(word, word) for word in ("room", "pilgrim", "객실", "kiosk", "")] == [1, 2, 1, 0, 0]
    assert (
        words.row("rooms", "room")
        == words.row("객실에서", "객실")
        == words.row("객실번호는", "객실번호")
        == 1
    )
    assert words.row("순례자들이", "순례자들") == 2
    path = tmp_path / "words.tsv"
    path.write_text("room\n객실\troom\n호실\tsuite\n", encoding="utf-8")
    with pytest.raises(ValueError, match=r"words\.tsv, line 3: '호실' shares the row of 'suite'"):
        Words.read(path)
