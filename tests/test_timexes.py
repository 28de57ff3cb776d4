"""Whole dates and times: the layer of time expressions, in the library, the command and the component."""

from __future__ import annotations

import csv
import datetime
import json
import re
import shutil
from collections import Counter
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree

import pyarrow.parquet as pq
import pytest
import spacy
from edtf import parse_edtf
from edtf.parser.edtf_exceptions import EDTFParseException
from hypothesis import given, settings
from hypothesis import strategies as st
from seqeval.metrics.sequence_labeling import get_entities
from spacy.tokens import DocBin
from spacy.vocab import Vocab

import yearmark
from yearmark.cues import Cues
from yearmark.extent import whole
from yearmark.numerals import Eras
from yearmark.timex_value import timex_values
from yearmark.tokenizer import make_tokenizer
from yearmark.training.corpora import read_timeml
from yearmark.training.grammar import Grammar

ERAS = Eras.read(Path(__file__).parents[1] / "data/eras.toml")
WEDNESDAY = datetime.date(2026, 11, 25)
TEXT = (
    "The ferry sank on 14 March 2009. Two weeks ago a diver found it, and every day we dive. "
    "지난해 3월 14일에 갔다."
)


def value(name: str, kind: str = "DATE", day: datetime.date | None = None) -> str | None:
    return timex_values(name, [(0, len(name), kind)], ERAS, 2026, day)[0]


def is_valid(value: str) -> bool:
    """EDTF by the library edtf; else a duration, a repetition or a time of the day of ISO 8601."""
    duration = r"P(?=.)(\d+(\.\d+)?[YMWD])*(T(?=\d)(\d+(\.\d+)?[HMS])+)?"
    if re.fullmatch(rf"(R/)?{duration}|T([01]\d|2[0-3]):[0-5]\d", value):
        return True
    try:
        parse_edtf(value)
    except EDTFParseException:
        return False
    return True


@pytest.mark.parametrize(
    ("name", "kind", "expected"),
    [
        ("14 March 2009", "DATE", "2009-03-14"),
        ("March 14th, 2009", "DATE", "2009-03-14"),
        ("2009년 3월 14일", "DATE", "2009-03-14"),
        ("2009-03-14", "DATE", "2009-03-14"),
        ("03/14/2009", "DATE", "2009-03-14"),
        ("14.03.2009", "DATE", "2009-03-14"),
        ("03/04/2009", "DATE", None),  # in March or in April
        ("30 February 2009", "DATE", None),
        ("March 2009", "DATE", "2009-03"),
        ("summer 2009", "DATE", "2009-22"),
        ("the third quarter of 2009", "DATE", "2009-35"),
        ("the 1990s", "DATE", "199X"),
        ("1990년대", "DATE", "199X"),
        ("the 19th century", "DATE", "18XX"),
        ("the nineteenth century", "DATE", "18XX"),
        ("circa 1450", "DATE", "1450~"),
        ("circa spring 1450", "DATE", "1450-21"),
        ("1914-18", "DATE", "1914/1918"),
        ("from 1914 to 1918", "DATE", "1914/1918"),
        ("480 BC", "DATE", "-0479"),
        ("14 March", "DATE", "XXXX-03-14"),
        ("3월 14일", "DATE", "XXXX-03-14"),
        ("last Monday", "DATE", None),
        ("Friday", "DATE", None),
        ("two weeks", "DURATION", "P2W"),
        ("twenty-five years", "DURATION", "P25Y"),
        ("half an hour", "DURATION", None),
        ("several days", "DURATION", None),
        ("one hundred twenty days", "DURATION", "P120D"),
        ("two or three weeks", "DURATION", None),
        ("three to four years", "DURATION", None),
        ("3-4 years", "DURATION", None),
        ("ninety thousand centuries", "DURATION", "P9000000Y"),
        ("three decades", "DURATION", "P30Y"),
        ("90 minutes", "DURATION", "PT90M"),
        ("every Monday", "SET", "R/P1W"),
        ("daily", "SET", "R/P1D"),
        ("10:30 p.m.", "TIME", "T22:30"),
        ("오후 3시 30분", "TIME", "T15:30"),
        ("3 o'clock", "TIME", None),
        ("2시간", "TIME", "PT2H"),
    ],
)
def test_values_that_stand_in_the_text(name: str, kind: str, expected: str | None) -> None:
    assert value(name, kind) == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("today", "2026-11-25"),
        ("yesterday", "2026-11-24"),
        ("last Monday", "2026-11-23"),
        ("next Wednesday", "2026-12-02"),
        ("last week", "2026-11-16/2026-11-22"),
        ("next month", "2026-12"),
        ("last quarter", "2026-35"),
        ("a year ago", "2025"),
        ("three days ago", "2026-11-22"),
        ("March last year", "2025-03"),
        ("어제", "2026-11-24"),
        ("지난해", "2025"),
        ("지난 월요일", "2026-11-23"),
        ("3년 전", "2023"),
        ("지난해 3월 14일", "2025-03-14"),
        ("오는 14일", "XXXX-XX-14"),
        ("14 March 2009", "2009-03-14"),
        ("soon", None),
        ("late yesterday", "2026-11-24"),
        ("yesterday evening", "2026-11-24"),
        ("7 p.m. tonight", "2026-11-25"),
        ("the day after tomorrow", "2026-11-27"),
        ("the day before yesterday", "2026-11-23"),
        ("two days after tomorrow", None),
        ("a week from today", None),
        ("March or April last year", None),
    ],
)
def test_values_relative_to_a_day(name: str, expected: str | None) -> None:
    assert value(name, "DATE", WEDNESDAY) == expected


@pytest.mark.parametrize(
    ("first", "between", "second", "expected"),
    [
        ("1914", "-", "18", ["1914", "1918"]),
        ("1914", "–", "1918", ["1914", "1918"]),
        ("6", "-", "7 January 1916", ["1916-01-06", "1916-01-07"]),
        ("31 May", " – ", "1 June 1916", ["1916-05-31", "1916-06-01"]),
        ("30 December", "-", "2 January 1916", ["XXXX-12-30", "1916-01-02"]),  # of the year before
        ("March 5", "-", "9, 1918", ["1918-03-05", "1918-03-09"]),
        ("June 16", "-", "17", ["XXXX-06-16", "XXXX-06-17"]),
        ("June 16", " to ", "19", ["XXXX-06-16", "XXXX-06-19"]),
        ("17", "-", "14 June 1916", [None, "1916-06-14"]),  # backwards: no range
        ("June 16", " or ", "19", ["XXXX-06-16", None]),
        ("10", "-", "12 hours", [None, None]),
        ("March", "-", "May 2001", ["2001-03", "2001-05"]),
    ],
)
def test_what_one_end_of_a_range_says_holds_for_both(
    first: str, between: str, second: str, expected: list[str | None]
) -> None:
    text = f"From {first}{between}{second}."
    start = 5 + len(first) + len(between)
    spans = [(5, 5 + len(first), "DATE"), (start, start + len(second), "DATE")]
    assert timex_values(text, spans, ERAS, 2026, None) == expected


@pytest.mark.parametrize("day", [datetime.date.min, datetime.date.max])
def test_the_first_and_the_last_day_have_neighbours_without_a_value(day: datetime.date) -> None:
    for name in (
        "yesterday",
        "tomorrow",
        "last Monday",
        "next Monday",
        "last week",
        "next week",
        "a week ago",
    ):
        found = value(name, "DATE", day)
        assert found is None or is_valid(found), name
    for name in ("last year", "last decade", "last quarter", "next month", "March last year", "지난해 3월"):
        found = value(name, "DATE", day)
        assert found is None or is_valid(found), name


WORDS = (
    "14 3 31 29 1999 2009 '09 0 99 1914 1918 - / . , : of the in ago last next every this two twenty five "
    "half March february Dec. Monday week weeks years decade century quarter 1990s spring BC AD circa from "
    "to p.m. am 년 월 일 시 분 전 후 세기 년대 오후 지난 다음 개월 주일 오늘 지난해"
)


@settings(max_examples=600, deadline=None)
@given(
    st.lists(st.sampled_from(WORDS.split()), min_size=1, max_size=6),
    st.sampled_from(["", " "]),
    st.sampled_from(["DATE", "TIME", "DURATION", "SET"]),
    st.none() | st.dates(),
)
def test_every_value_is_valid(words: list[str], glue: str, kind: str, day: datetime.date | None) -> None:
    found = value(glue.join(words), kind, day)
    assert found is None or is_valid(found), found


def test_both_layers_of_a_text(tagger: yearmark.Tagger) -> None:
    found = tagger.tag(TEXT, reference_date=WEDNESDAY)
    assert [year.text for year in found["years"]] == ["2009"]
    timexes = {one.text: (one.type, one.value) for one in found["timexes"]}
    assert timexes["14 March 2009"] == ("DATE", "2009-03-14")
    assert timexes["every day"] == ("SET", "R/P1D")
    assert all(TEXT[one.start : one.end] == one.text for one in found["timexes"])


PIECES = st.sampled_from(
    [
        "In 2009",
        "two weeks ago",
        "room 1999",
        "she sang",
        "on Friday",
        "지난해",
        "3월 14일에",
        "갔다",
        "5 p.m.",
        ". ",
        "\n\n",
        "!",
        ", ",
    ]
)


@settings(max_examples=60, deadline=None)
@given(st.lists(PIECES, max_size=12))
def test_layers_do_not_depend_on_each_other(tagger: yearmark.Tagger, pieces: list[str]) -> None:
    text = " ".join(pieces)
    both = tagger.tag(text)
    assert tagger.tag(text, ["years"])["years"] == both["years"] == tagger(text)
    assert tagger.tag(text, ["timexes"])["timexes"] == both["timexes"]
    assert next(tagger.pipe_layers([text], ["timexes", "years"])) == both


def test_a_segment_without_a_cue_changes_nothing(tagger: yearmark.Tagger) -> None:
    """The gate: what is between the sentences is not read, and would not be tagged if it were."""
    plain = "The harbour was quiet and nobody sang."
    alone = tagger.tag("We met on Friday.", ["timexes"])["timexes"]
    (both,) = tagger.pipe_layers([f"{plain} We met on Friday. {plain}"], ["timexes"])
    assert (
        [(one.text, one.score) for one in both["timexes"]] == [(one.text, one.score) for one in alone] != []
    )


def test_the_cues_are_of_the_model(tmp_path: Path) -> None:
    """A span without a cue is not given, be the network as sure of it as it may."""
    folder = tmp_path / "model"
    shutil.copytree(Path(yearmark.__file__).parent / "model", folder)
    (folder / "timexes" / "cues.txt").write_text("# none but numbers\n", encoding="utf-8")
    found = yearmark.load(folder).tag("We met on Friday. We met on 14 March.", ["timexes"])["timexes"]
    assert [one.text for one in found] == ["14 March"]


def test_what_cannot_be_asked_is_said(tagger: yearmark.Tagger) -> None:
    with pytest.raises(TypeError, match="not one str"):
        tagger.pipe_layers("In 2009")
    with pytest.raises(ValueError, match="batch_size must be 1 or more"):
        tagger.pipe_layers(["In 2009"], batch_size=0)
    with pytest.raises(ValueError, match="no layer is asked for"):
        tagger.tag("In 2009", [])
    with pytest.raises(ValueError, match="shorter"):
        list(tagger.pipe_layers(["today", "today"], reference_dates=[WEDNESDAY]))


def test_an_unknown_layer_is_named(tagger: yearmark.Tagger) -> None:
    with pytest.raises(ValueError, match="no layer 'dates', only years, timexes"):
        tagger.tag("In 2009", ["dates"])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("회의는 오후 7시 20분께 끝났다.", ("오후 7시 20분", "T19:20")),
        ("경기는 오후 6시 19분쯤에 시작됐다.", ("오후 6시 19분", "T18:19")),
        ("그는 2009년 3월 6일밤 귀국했다.", ("2009년 3월 6일", "2009-03-06")),
    ],
)
def test_what_is_written_to_a_korean_unit_is_left_out(
    tagger: yearmark.Tagger, text: str, expected: tuple[str, str]
) -> None:
    (one,) = tagger.tag(text, ["timexes"])["timexes"]
    assert (one.text, one.value) == expected


@pytest.mark.parametrize(
    ("marked", "expected"),
    [
        ("a deadly [6]-month siege", ["6-month"]),
        ("the next [12 to] 18 months", ["12"]),
        ("a [three] hour talk", ["three hour"]),
        ("he came [three days] later", ["three days later"]),
        ("took effect [Aug.] 9 pending", ["Aug. 9"]),
        ("declared [24] March 1918 a holiday", ["24 March 1918"]),
        ("in [May] 10 p.m. was late", ["May"]),
        ("on [the 20]th", ["the 20th"]),
        ("for at [least several years].", ["several years"]),
        ("after [two months of] siege", ["two months"]),
        ("for about [a week] before", ["about a week"]),
        ("over [1984] pages", ["1984"]),
        ("C$307.[2] a year", []),
        ("closed at [2082].1, down", []),
        ("2.[5 hours] of it", ["2.5 hours"]),
        ("on [27.03.15] we", ["27.03.15"]),
        ("at [9]:30 p.m. on", ["9:30 p.m."]),
        ("open 9:[30am] on", ["9:30am"]),
        ("at the end of [May]", ["the end of May"]),
        ("asked for [28] visas", []),
        ("On 8 March [3],500 Marines", []),
        ("open [10]-[12 October]", ["10", "12 October"]),
        ("on [October 20. A few days later], he", ["October 20", "A few days later"]),
        ("(카난[23])은", []),
        ("they left at [noon] [Thursday].", ["noon Thursday"]),
        ("on [Monday], March 9, 1998, he", ["Monday, March 9, 1998"]),
        ("on 3rd [March 1917]", ["3rd March 1917"]),
        ("died in [323] B.C.", ["323 B.C."]),
        ("a long [march]", []),
        ("[later] he left", []),
        ("[17세기 후반부터 18세기] 초반", ["17세기 후반", "18세기 초반"]),
        ("[9월과 10월]", ["9월", "10월"]),
        ("from [1914]-[1918]", ["1914", "1918"]),
        ("지난 [27일] [오후 7시] 20분께 끝났다", ["지난 27일", "오후 7시 20분"]),
        ("[지난] [1991년 10월]에서", ["지난 1991년 10월"]),
        ("[40년] 전이라니", ["40년 전"]),
        ("[70년대영화마냥] 끊긴다", ["70년대"]),
        ("[97년 가을]", ["97년 가을"]),
        ("[이틀째] 비", ["이틀째"]),
        ("[지난해까지] 있었다", ["지난해"]),
    ],
)
def test_expressions_are_whole(marked: str, expected: list[str]) -> None:
    """The brackets are what a network might say."""
    text, spans = "", []
    for piece in re.split(r"([\[\]])", marked):
        if piece == "[":
            spans.append(len(text))
        elif piece == "]":
            start = spans.pop()
            spans.append((start, len(text), "TIME" if "시" in text[start:] else "DATE", 0.9))
        else:
            text += piece
    found = whole(text, spans)
    assert [text[start:end] for start, end, *_ in found] == expected


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.sampled_from([*WORDS.split(), "[", "]", "지난", "째", "약", "least"]), max_size=14), st.data()
)
def test_whole_expressions_follow_each_other(words: list[str], data: st.DataObject) -> None:
    text = data.draw(st.sampled_from([" ", ""])).join(words)
    places = sorted(data.draw(st.sets(st.integers(0, len(text)), max_size=8)))
    spans = [(start, end, "DATE", 0.5) for start, end in pairwise(places)]
    found = whole(text, spans)
    bounds = [at for start, end, *_ in found for at in (start, end)]
    assert bounds == sorted(bounds)
    assert all(0 <= start < end <= len(text) for start, end, *_ in found)


# ---- the command


def test_the_command_gives_both_layers(command, tmp_path: Path) -> None:
    path = tmp_path / "in.jsonl"
    path.write_text(json.dumps({"id": 1, "text": TEXT, "when": "2026-11-25"}), encoding="utf-8")
    done = command("tag", path, "--layers", "years,timexes", "--reference-date", "when")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert [year["text"] for year in found["years"]] == ["2009"]
    values = {one["text"]: one["value"] for one in found["timexes"]}
    assert values["14 March 2009"] == "2009-03-14"
    assert values["Two weeks ago"] == "2026-11-11~"
    alone = json.loads(command("tag", path).stdout)
    assert alone == {key: content for key, content in found.items() if key != "timexes"}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--layers", "years,dates"], b"the model has no layer 'dates', only years, timexes"),
        (["--layers", "years,timexes", "--format", "html"], b"choose jsonl, csv, tsv, parquet, spacy, brat"),
        (["--layers", ","], b"names no layer"),
        (["--layers", "timexes", "--reference-date", "2009-13-01"], b"give a date such as 2009-03-14"),
    ],
)
def test_what_cannot_be_done_is_said(options: list[str], message: bytes, command) -> None:
    done = command("tag", *options, "-", stdin=b'{"text": "In 2009"}\n')
    assert done.returncode == 2
    assert message in done.stderr


def test_timeml_comes_back_as_it_went(command, tagger: yearmark.Tagger, tmp_path: Path) -> None:
    path = tmp_path / "in.jsonl"
    path.write_text(json.dumps({"id": "a", "text": f"<1 & 2> {TEXT}\r\nIn the 1990s."}), encoding="utf-8")
    done = command("tag", path, "--layers", "timexes", "--format", "timeml", "-o", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    (file,) = (tmp_path / "out").glob("*.tml")
    (document,) = read_timeml(file)
    text = json.loads(path.read_text(encoding="utf-8"))["text"]
    assert document.text == text
    expected = [(one.start, one.end, one.type) for one in tagger.tag(text, ["timexes"])["timexes"]]
    assert [(mark.start, mark.end, mark.label) for mark in document.marks["timexes"]] == expected != []


@pytest.mark.parametrize("layers", ["years,timexes", "timexes"])
def test_parquet_holds_what_jsonl_does(layers: str, command, tmp_path: Path) -> None:
    path = tmp_path / "in.jsonl"
    rows = [{"id": "a", "text": TEXT, "timexes": "mine"}, {"id": "b", "text": "Nothing."}]
    path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    for name in ("out.jsonl", "out.parquet"):
        done = command("tag", path, "--layers", layers, "-o", tmp_path / name)
        assert done.returncode == 0, done.stderr
    expected = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text("utf-8").splitlines()]
    assert pq.read_table(tmp_path / "out.parquet").to_pylist() == expected
    again = tmp_path / "again.parquet"
    assert command("tag", tmp_path / "out.parquet", "--layers", layers, "-o", again).returncode == 0
    assert pq.read_table(again).to_pylist() == expected


def test_other_formats_hold_what_jsonl_does(command, tmp_path: Path) -> None:
    path, text = tmp_path / "in.jsonl", TEXT.partition(" 지난해")[0]  # no particle, which ends inside a token
    path.write_text(json.dumps({"id": "a", "text": text}), encoding="utf-8")

    def tag(name: str, layers: str, *options: str) -> Path:
        done = command("tag", path, "--layers", layers, "-o", tmp_path / name, *options)
        assert done.returncode == 0, done.stderr
        return tmp_path / name

    record = json.loads(tag("out.jsonl", "years,timexes").read_text("utf-8"))
    timexes = [(one["start"], one["end"], one["type"]) for one in record["timexes"]]
    both = sorted([*timexes, *((one["start"], one["end"], "YEAR") for one in record["years"])])
    assert {"YEAR", "DATE"} <= {kind for *_, kind in both}
    with tag("out.csv", "years,timexes").open(encoding="utf-8", newline="") as file:
        assert [(int(row["start"]), int(row["end"]), row["type"]) for row in csv.DictReader(file)] == both
    (doc,) = DocBin().from_bytes(tag("out.spacy", "years,timexes").read_bytes()).get_docs(Vocab())
    spans = [(one.start_char, one.end_char, one.label_) for key in doc.spans for one in doc.spans[key]]
    assert sorted(spans) == both
    notes = next(tag("brat", "years,timexes", "--format", "brat").glob("*.ann")).read_text("utf-8")
    marks = [line.split("\t")[1].split() for line in notes.splitlines() if line.startswith("T")]
    assert [(int(start), int(end), kind.upper()) for kind, start, end in marks] == both
    lines = tag("out.conll", "timexes").read_text("utf-8").splitlines()
    tags = [line.split("\t")[1] for line in lines if line and not line.startswith("-DOCSTART-")]
    assert [kind for kind, *_ in get_entities(tags)] == [kind for *_, kind in timexes]
    page = tag("out.html", "timexes").read_text("utf-8")
    article = ElementTree.fromstring(page[page.index("<article>") : page.rindex("</html>")])
    assert [one.text for one in article.iter("mark")] == [text[start:end] for start, end, _ in timexes]
    shown = tag("out.txt", "timexes").read_text("utf-8")
    assert all(f"⟦{text[start:end]}⟧" in shown for start, end, _ in timexes)
    assert "   14 March 2009  DATE  value 2009-03-14  score " in shown


# ---- the component


def test_the_component_marks_both_layers() -> None:
    nlp = spacy.blank("en")
    nlp.add_pipe("yearmark", config={"layers": ["years", "timexes"], "reference_date": "2026-11-25"})
    doc = nlp("On 14 March 2009 the ferry sank; we dive every day.")
    spans = {span.text: (span.label_, span._.timex_value) for span in doc.spans["timexes"]}
    assert spans["14 March 2009"] == ("DATE", "2009-03-14")
    assert spans["every day"] == ("SET", "R/P1D")
    assert [span.text for span in doc.spans["years"]] == ["2009"]
    again = spacy.tokens.Doc(nlp.vocab).from_bytes(doc.to_bytes())
    assert [span._.timex_value for span in again.spans["timexes"]] == [
        span._.timex_value for span in doc.spans["timexes"]
    ]


def test_time_expressions_without_a_span_are_not_lost_in_silence() -> None:
    nlp = spacy.blank("xx")
    nlp.add_pipe("yearmark", config={"layers": ["years", "timexes"], "alignment_mode": "strict"})
    with pytest.warns(UserWarning, match="1 timexes in this batch end inside of a token"):
        doc = nlp("지난해까지 살았다.")
    assert len(doc.spans["timexes"]) == 0


def test_the_component_refuses_what_is_no_layer_or_date() -> None:
    nlp = spacy.blank("en")
    with pytest.raises(ValueError, match="'layers' of yearmark must be"):
        nlp.add_pipe("yearmark", config={"layers": ["dates"]})
    with pytest.raises(ValueError, match="'reference_date' of yearmark must be"):
        nlp.add_pipe("yearmark", config={"reference_date": "soon"})


# ---- generated text


@pytest.mark.parametrize("lang", ["en", "ko"])
def test_the_grammars_of_time_expressions(lang: str) -> None:
    grammar = Grammar(Path(__file__).parents[1] / f"data/timexes/{lang}.toml")
    documents = list(grammar.sentences(2_000, seed=1))
    assert documents == list(grammar.sentences(2_000, seed=1))
    labels = Counter(mark.label for document in documents for mark in document.marks["timexes"])
    assert set(labels) == {"en": {"DATE", "TIME", "DURATION", "SET"}, "ko": {"DATE", "TIME"}}[lang]
    assert min(labels.values()) >= 100
    cues = Cues.read(Path(__file__).parents[1] / "data/cues.txt")
    tokens = make_tokenizer({})
    bare: list[bool] = []  # without a cue: words run together by a space less
    for document in documents:
        assert not re.search("[⟦⟧{}\ue000-\uf8ff]", document.text)
        for mark in document.marks["timexes"]:
            own = document.text[mark.start : mark.end]
            assert own.strip() == own != ""
            bare.append(not any(token.text in cues for token in tokens(own)))
    assert sum(bare) < 0.01 * len(bare)
    plain = sum(not document.marks["timexes"] for document in documents)
    assert 0.2 < plain / len(documents) < 0.6


# ---- a layer of one's own


@pytest.mark.long
def test_a_layer_of_ones_own_needs_no_code(command, tmp_path: Path) -> None:
    names, verbs = ["Anna", "2009", "Clara", "Dmitri", "Emil"], ["won", "lost"]
    rows = []
    for number in range(200):
        name, verb = names[number % 5], verbs[number // 5 % 2]
        text = f"Yesterday {name} {verb} the match."
        mark = {"start": 10, "end": 10 + len(name), "label": "WINNER" if verb == "won" else "LOSER"}
        other = [{"start": 900, "end": 2, "label": "X"}]  # no layer of the configuration
        rows.append(json.dumps({"id": number, "text": text, "players": [mark], "tokens": other}))
    (tmp_path / "players.jsonl").write_text("\n".join(rows), encoding="utf-8")
    root = Path(__file__).parents[1]
    (tmp_path / "players.toml").write_text(
        f"""
        eras = "{root}/data/eras.toml"
        cues = "{root}/data/cues.txt"
        [labels]
        players = ["WINNER", "LOSER"]
        [generated]
        grammars = "{root}/data/grammar"
        sentences = {{}}
        [[corpora]]
        path = "{tmp_path}/players.jsonl"
        repeat = 40
        """,
        encoding="utf-8",
    )
    done = command("train", tmp_path / "players.toml", "--output", tmp_path / "model")
    assert done.returncode == 0, done.stderr
    tagger = yearmark.load(tmp_path / "model")
    (one,) = tagger.tag("Yesterday Clara lost the match.")["players"]
    assert (one.text, one.type, one.value) == ("Clara", "LOSER", None)
    (one,) = tagger.tag("Yesterday 2009 won the match.")["players"]
    assert (one.text, one.type, one.value) == ("2009", "WINNER", None)
    with pytest.raises(ValueError, match="no layer 'years', only players"):
        tagger("In 2009")
    path = tmp_path / "in.jsonl"
    path.write_text('{"text": "Yesterday Clara lost the match."}', encoding="utf-8")
    options = ("--model", tmp_path / "model", "--layers", "players")
    found = json.loads(command("tag", path, *options).stdout)["players"]
    assert [(span["text"], span["type"]) for span in found] == [("Clara", "LOSER")]
    done = command("tag", path, *options, "--format", "timeml", "-o", tmp_path / "out")
    assert done.returncode == 2
    assert b"choose jsonl, csv, tsv, parquet, conll, spacy, brat, html, text" in done.stderr
