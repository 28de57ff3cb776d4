"""Tagging an archive: every input, every output, bad records, stops and deaths."""

import base64
import bz2
import csv
import datetime
import gzip
import io
import json
import lzma
import os
import random
import re
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree
from collections import Counter
from decimal import Decimal
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet as pq
import pytest
import spacy
from click.testing import CliRunner, Result
from seqeval.metrics.sequence_labeling import get_entities
from spacy.tokens import DocBin

from yearmark.cli import main

YEARMARK = Path(sys.executable).with_name("yearmark")
TEXTS = [
    "In 2009, I went to Nepal.",
    "Founded in 480 BC & <lost>.\r\nBy 1914-18 \"all\" was over,\n\nsaid 'O'.",
    "2009 people went to Nepal in room 1999.",
    "이천구년에 네팔에 갔다. 2009년 3월 14일, 눈.",
    "",
    "😀 In 1987\tand 1999; # A\u2028line, and \x01 control.",
]
RECORDS = [
    {"id": f"r{k}", "text": text, "n": k, "deep": {"a": [k, None]}, "note": None if k % 2 else 'né,"x"'}
    for k, text in enumerate(TEXTS)
]


def invoke(*arguments: object) -> Result:
    """The command in this process."""
    handler = signal.getsignal(signal.SIGTERM)
    try:
        result = CliRunner().invoke(main, ["tag", *map(str, arguments)])
    finally:
        signal.signal(signal.SIGTERM, handler)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def tagged(*arguments: object, code: int = 0) -> list[dict]:
    """The rows of the JSON Lines on standard output."""
    result = invoke(*arguments)
    assert result.exit_code == code, result.stderr
    return [json.loads(line) for line in result.stdout_bytes.splitlines()]


def jsonl(records: list[dict]) -> bytes:
    return "".join(json.dumps(record) + "\n" for record in records).encode()


def delimited(records: list[dict], delimiter: str) -> bytes:
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, ["id", "text", "n"], delimiter=delimiter, extrasaction="ignore")
    writer.writeheader()
    writer.writerows(records)
    return out.getvalue().encode()


def table(records: list[dict]) -> pa.Table:
    return pa.Table.from_pylist(records)


def parquet(records: list[dict]) -> bytes:
    sink = io.BytesIO()
    pq.write_table(table(records), sink, row_group_size=4)
    return sink.getvalue()


def arrow(records: list[dict], make=pa.ipc.new_file) -> bytes:
    sink = io.BytesIO()
    with make(sink, table(records).schema) as writer:
        writer.write_table(table(records), max_chunksize=4)
    return sink.getvalue()


def docbin(records: list[dict]) -> bytes:
    nlp = spacy.blank("en")
    docs = [nlp.make_doc(record["text"]) for record in records]
    docs[0].cats = {"travel": 1.0}
    return DocBin(docs=docs, store_user_data=True).to_bytes()


INPUTS = {
    "txt": lambda records: records[0]["text"].encode(),
    "jsonl": jsonl,
    "ndjson": jsonl,
    "csv": lambda records: b"\xef\xbb\xbf" + delimited(records, ","),
    "tsv": lambda records: delimited(records, "\t"),
    "parquet": parquet,
    "arrow": arrow,
    "feather": lambda records: arrow(records, pa.ipc.new_stream),
    "spacy": docbin,
}
PACKINGS = {
    "": bytes,
    ".gz": gzip.compress,
    ".xz": lzma.compress,
    ".bz2": bz2.compress,
    ".zst": lambda data: pa.compress(data, "zstd", asbytes=True),
}


@pytest.fixture(scope="module")
def expected(tagger) -> list[list[dict]]:
    return [
        [{"start": y.start, "end": y.end, "text": y.text, "value": y.value, "score": y.score} for y in found]
        for found in tagger.pipe(TEXTS)
    ]


# ---- inputs


def test_every_input_in_every_packing(tmp_path: Path, expected: list) -> None:
    for kind, make in INPUTS.items():
        for packing, pack in PACKINGS.items():
            (tmp_path / f"a.{kind}{packing}").write_bytes(pack(make(RECORDS)))
    rows = tagged(tmp_path)
    seen = Counter()
    for row in rows:
        # rows of tables and JSON name themselves; the others are named by file and line
        file, _, line = str(row["id"]).rpartition(":")
        seen[file and Path(file).name] += 1
        index = int(row["id"][1:]) if not file else 0 if ".txt" in file else int(line) - 1
        assert row["text"] == TEXTS[index]
        assert row["years"] == expected[index]
        if "deep" in row:
            assert {k: v for k, v in row.items() if k != "years"} == RECORDS[index]
        elif "n" in row:
            assert row["n"] == str(index)
    packed = len(PACKINGS)
    assert seen.pop("") == 7 * packed * len(RECORDS)
    assert seen == {
        **{f"a.txt{packing}": 1 for packing in PACKINGS},
        **{f"a.spacy{packing}": len(RECORDS) for packing in PACKINGS},
    }


def test_packed_content_is_known_without_its_suffix(tmp_path: Path) -> None:
    for name, pack in PACKINGS.items():
        (tmp_path / f"a{name[1:]}.jsonl").write_bytes(pack(jsonl(RECORDS)))
    assert len(tagged(tmp_path)) == len(PACKINGS) * len(RECORDS)
    packed = gzip.compress(b"In 2009.\n1\n")
    run = subprocess.run([YEARMARK, "tag"], input=packed, capture_output=True)
    assert len(run.stdout.splitlines()) == 2


def test_folders_of_hugging_face(tmp_path: Path, expected: list) -> None:
    import datasets

    features = datasets.Features(
        {"text": datasets.Value("string"), "label": datasets.ClassLabel(names=["no", "yes"])}
    )
    rows = datasets.Dataset.from_dict({"text": TEXTS, "label": [k % 2 for k in range(6)]}, features=features)
    datasets.DatasetDict({"train": rows, "dev": rows.select([5, 0])}).save_to_disk(tmp_path / "set")
    found = tagged(tmp_path / "set")
    assert [row["text"] for row in found] == [*TEXTS, TEXTS[5], TEXTS[0]]
    assert [row["years"] for row in found] == [*expected, expected[5], expected[0]]
    assert invoke(tmp_path / "set/train", "-o", tmp_path / "out.parquet").exit_code == 0
    read = datasets.Dataset.from_parquet(str(tmp_path / "out.parquet"), cache_dir=str(tmp_path / "cache"))
    assert read.features["label"] == features["label"]
    assert [row["years"] for row in read] == expected


def test_glob_and_fields(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep/a.jsonl").write_text('{"body": "In 2009.", "key": 7}\n')
    (tmp_path / "b.csv").write_text("x\n1\n")
    (row,) = tagged(tmp_path, "--glob", "deep/*", "--text-field", "body", "--id-field", "key")
    assert row.keys() == {"body", "key", "years"}
    out = invoke(
        tmp_path, "--glob", "*.jsonl", "--text-field", "body", "--id-field", "key", "--format", "csv"
    )
    assert out.stdout.splitlines()[1].startswith("7,3,7,2009,2009,")
    assert "no file that matches *.xml" in invoke(tmp_path, "--glob", "*.xml").stderr


# ---- outputs


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "in.jsonl"
    path.write_bytes(jsonl(RECORDS))
    return path


def test_tables_of_years(source: Path, expected: list) -> None:
    for name, delimiter in (("csv", ","), ("tsv", "\t")):
        output = source.with_name(f"out.{name}")
        assert invoke(source, "-o", output).exit_code == 0
        with output.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file, delimiter=delimiter))
        years = [(f"r{k}", year) for k, found in enumerate(expected) for year in found]
        assert len(rows) == len(years)
        for row, (name_, year) in zip(rows, years, strict=True):
            assert row.pop("id") == name_
            assert year["text"] in row.pop("context")
            assert row.pop("type") == "YEAR"
            assert row == {key: str(value) for key, value in year.items()}


def test_parquet_keeps_types(tmp_path: Path, expected: list) -> None:
    when = datetime.datetime(2020, 1, 2, 3, 4, 5, 678901)
    columns = {
        "text": pa.array(TEXTS).dictionary_encode(),
        "date": pa.array([when.date()] * 6),
        "nano": pa.array([1577934245000000001] * 6, pa.timestamp("ns", "Asia/Seoul")),
        "price": pa.array([Decimal("1.10")] * 6),
        "raw": pa.array([b"\xff\x00"] * 6),
        "small": pa.array(range(6), pa.int8()),
        "map": pa.array([[("k", 1.5)]] * 6, pa.map_(pa.string(), pa.float32())),
        "nested": pa.array([{"at": when, "l": [1, None]}] * 6),
        "nothing": pa.nulls(6),
        "nan": pa.array([float("nan")] * 6),
    }
    original = pa.table(columns)
    path, output = tmp_path / "in.parquet", tmp_path / "out.parquet"
    pq.write_table(original, path, row_group_size=2)
    original = pq.read_table(path)
    assert invoke(path, "-o", output).exit_code == 0
    read = pq.read_table(output)
    assert read.column_names == ["id", *original.column_names, "years"]
    for name in original.column_names:
        if name != "nan":
            assert read.column(name).equals(original.column(name)), name
        assert read.schema.field(name).type == original.schema.field(name).type
    assert read.column("years").to_pylist() == expected
    row = tagged(path)[1]
    assert (row["date"], row["price"], row["raw"], row["small"]) == ("2020-01-02", "1.10", "/wA=", 1)
    assert row["nested"] == {"at": when.isoformat(), "l": [1, None]}
    assert row["nano"].startswith("2020-01-02")
    assert row["nano"].count("000000001")
    assert (row["nothing"], row["nan"]) == (None, None)


def test_parquet_from_values_of_several_types(tmp_path: Path) -> None:
    mixed = [
        {"text": "In 2009.", "a": 1, "b": "x", "c": {}, "d": [1], "e": 1, "f": 10**30},
        {"text": "In 1999.", "a": 1.5, "b": {"x": [1]}, "d": [None], "g": {"p": 1}},
        {"text": "x", "a": None, "b": None, "g": {"q": "z"}},
    ]
    path, output = tmp_path / "in.jsonl", tmp_path / "out.parquet"
    path.write_bytes(jsonl(mixed))
    assert invoke(path, "-o", output).exit_code == 0
    rows = pq.read_table(output).to_pylist()
    assert [row["a"] for row in rows] == [1, 1.5, None]
    assert [row["b"] and json.loads(row["b"]) for row in rows] == ["x", {"x": [1]}, None]
    assert [row["d"] for row in rows] == [[1], [None], None]
    assert json.loads(rows[0]["f"]) == 10**30
    assert [row["g"] for row in rows] == [None, {"p": 1, "q": None}, {"p": None, "q": "z"}]
    # of several inputs, whose types differ from piece to piece
    (tmp_path / "in2.jsonl").write_bytes(jsonl([{"text": "y", "a": "now text", "e": None, "new": True}]))
    assert invoke(path, tmp_path / "in2.jsonl", "-o", output, "--force").exit_code == 0
    rows = pq.read_table(output).to_pylist()
    assert [row["a"] and json.loads(row["a"]) for row in rows] == [1, 1.5, None, "now text"]
    assert [row["e"] for row in rows] == [1, None, None, None]
    assert [row["new"] for row in rows] == [None, None, None, True]


def test_conll_is_read_by_seqeval(source: Path, expected: list) -> None:
    output = source.with_name("out.conll")
    assert invoke(source, "-o", output).exit_code == 0
    documents = output.read_text("utf-8").split("-DOCSTART- ")[1:]
    assert [document.split("\t")[0] for document in documents] == [f"(r{k})" for k in range(6)]
    for document, years in zip(documents, expected, strict=True):
        found = []
        for sentence in document.split("\n\n")[1:]:
            lines = [line.split("\t") for line in sentence.split("\n") if line]
            words, tags = [line[0] for line in lines], [line[1] for line in lines]
            found += ["".join(words[a : b + 1]) for _, a, b in get_entities(tags)]
        assert found == [re.sub(r"\s", "", year["text"]) for year in years]


def test_docbin_is_read_by_spacy(source: Path, expected: list) -> None:
    output = source.with_name("out.spacy")
    assert invoke(source, "-o", output).exit_code == 0
    docs = list(DocBin().from_disk(output).get_docs(spacy.blank("xx").vocab))
    assert [doc.text for doc in docs] == TEXTS
    for doc, years in zip(docs, expected, strict=True):
        spans = [(span.start_char, span.end_char, span.label_) for span in doc.spans["years"]]
        assert spans == [(year["start"], year["end"], "YEAR") for year in years]
    again = source.with_name("again.spacy")
    (source.parent / "own.spacy").write_bytes(docbin(RECORDS))
    assert invoke(source.parent / "own.spacy", "-o", again).exit_code == 0
    own = list(DocBin().from_disk(again).get_docs(spacy.blank("en").vocab))
    assert own[0].cats == {"travel": 1.0}
    assert [token.text for token in own[0]] == [token.text for token in spacy.blank("en")(TEXTS[0])]
    assert [span.text for span in own[0].spans["years"]] == ["2009"]


def test_timeml_is_well_formed(source: Path, expected: list) -> None:
    output = source.with_name("out")
    assert invoke(source, "-o", output, "--format", "timeml").exit_code == 0
    files = sorted(output.iterdir())
    assert [file.name for file in files[:2]] == [f"000001-in.jsonl-00000000{k}.tml" for k in (1, 2)]
    for file, text, years in zip(files, TEXTS, expected, strict=True):
        root = ElementTree.fromstring(file.read_bytes())
        assert "".join(root.find("TEXT").itertext()) == text.replace("\x01", "\ufffd")
        marks = root.findall("TEXT/TIMEX3")
        assert [mark.text for mark in marks] == [year["text"] for year in years]
        assert {mark.get("type") for mark in marks} <= {"DATE"}
        for mark, year in zip(marks, years, strict=True):
            assert mark.get("value") == ("BC0480" if year["value"] == "-0479" else year["value"])


def test_brat_offsets_are_those_of_its_text(source: Path, expected: list) -> None:
    output = source.with_name("out")
    assert invoke(source, "-o", output, "--format", "brat").exit_code == 0
    texts = sorted(output.glob("*.txt"))
    assert [path.read_bytes().decode() for path in texts] == TEXTS
    for path, years in zip(texts, expected, strict=True):
        text = path.read_bytes().decode()
        marks = re.findall(
            r"^T\d+\tYear (\d+) (\d+)\t(.*)$", path.with_suffix(".ann").read_text("utf-8"), re.MULTILINE
        )
        assert [text[int(start) : int(end)] for start, end, _ in marks] == [mark[2] for mark in marks]
        assert [mark[2] for mark in marks] == [year["text"] for year in years]


def test_html_shows_the_texts_and_no_tags_of_theirs(source: Path, expected: list) -> None:
    class Reader(HTMLParser):
        def __init__(self) -> None:
            super().__init__()
            self.tags, self.texts, self.marks, self.into = Counter(), [], [], []

        def handle_starttag(self, tag: str, attrs: list) -> None:
            self.tags[tag] += 1
            if tag == "p":
                self.texts.append("")
            if tag == "mark":
                self.marks.append("")
            self.into.append(tag)

        def handle_endtag(self, tag: str) -> None:
            self.into.remove(tag)

        def handle_data(self, data: str) -> None:
            if "p" in self.into:
                self.texts[-1] += data
            if "mark" in self.into:
                self.marks[-1] += data

    reader = Reader()
    reader.feed(invoke(source, "--format", "html").stdout_bytes.decode())
    assert reader.texts == [text.replace("\x01", "\ufffd") for text in TEXTS]
    assert reader.marks == [year["text"] for years in expected for year in years]
    assert "lost" not in reader.tags


@pytest.mark.parametrize("form", ["jsonl", "csv", "parquet", "conll", "spacy", "html", "brat"])
def test_shards_hold_what_the_whole_holds(tmp_path: Path, form: str) -> None:
    for k in range(300):
        (tmp_path / f"{k:03}.txt").write_text(f"In {1700 + k}, we went.")
    output = tmp_path / "out"
    result = invoke(tmp_path, "--glob", "*.txt", "-o", output, "--format", form, "--shard-size", "1KB")
    assert result.exit_code == 0, result.stderr
    shards = sorted(output.iterdir())
    assert [shard.stem for shard in shards] == ["00000", "00001"]  # units are of 256 small files
    match form:
        case "jsonl":
            found = [
                json.loads(line)["years"][0]["text"] for s in shards for line in s.read_text().splitlines()
            ]
        case "csv":
            found = [
                row["text"] for shard in shards for row in csv.DictReader(shard.read_text().splitlines())
            ]
        case "parquet":
            found = [y[0]["text"] for s in shards for y in pq.read_table(s).column("years").to_pylist()]
        case "conll":
            found = [
                line.split("\t")[0] for s in shards for line in s.read_text().splitlines() if "YEAR" in line
            ]
        case "spacy":
            vocab = spacy.blank("xx").vocab
            found = [d.spans["years"][0].text for s in shards for d in DocBin().from_disk(s).get_docs(vocab)]
        case "html":
            found = [year for s in shards for year in re.findall("<mark.*?>(.*?)</mark>", s.read_text())]
            assert all(s.read_text().startswith("<!doctype") for s in shards)
            assert all(s.read_text().endswith("</html>\n") for s in shards)
        case _:
            found = [path.read_text().split()[4] for s in shards for path in sorted(s.glob("*.ann"))]
    assert found == [str(1700 + k) for k in range(300)]


# ---- trust


def test_an_output_is_not_overwritten_and_a_done_run_says_so(source: Path) -> None:
    output, summary = source.with_name("out.jsonl"), source.with_name("s.json")
    first = invoke(source, "-o", output, "--summary", summary)
    assert first.exit_code == 0
    assert re.match(r"6 documents, \d+ years, none rejected; \d", first.stderr.splitlines()[-2])
    about = json.loads(summary.read_text())
    assert about["documents"] == 6
    assert about["exit_code"] == about["rejected"] == 0
    content, stamp = output.read_bytes(), output.stat().st_mtime_ns
    summary.unlink()
    again = invoke(source, "-o", output, "--summary", summary)
    assert (again.exit_code, "is done already: 6 documents" in again.stderr) == (0, True)
    assert json.loads(summary.read_text()) == about
    other = invoke(source, "-o", output, "--min-score", "0.9")
    assert (other.exit_code, "exists already; give --force" in other.stderr) == (2, True)
    assert output.stat().st_mtime_ns == stamp
    assert invoke(source, "-o", output, "--force").exit_code == 0
    assert output.read_bytes() == content
    source.write_bytes(jsonl(RECORDS[:2]))
    assert invoke(source, "-o", output).exit_code == 2
    assert output.read_bytes() == content
    assert sorted(path.name for path in source.parent.iterdir()) == [
        *("in.jsonl", "out.jsonl", "out.jsonl.yearmark.json", "s.json")
    ]


def test_standard_input_again(tmp_path: Path, command) -> None:
    output = tmp_path / "out.jsonl"
    assert command("tag", "-o", output, stdin=b"In 2009.\n").returncode == 0
    done = command("tag", "-o", output, stdin=b"In 2009.\n")
    assert (done.returncode, b"is done already" in done.stderr) == (0, True)
    other = command("tag", "-o", output, stdin=b"In 2010.\n")
    assert (other.returncode, b"exists already" in other.stderr) == (2, True)


def test_the_output_is_no_input(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(jsonl(RECORDS))
    output, rejects = tmp_path / "years.jsonl", tmp_path / "bad.jsonl"
    for _ in range(2):
        result = invoke(tmp_path, "-o", output, "--rejects", rejects, "--force")
        assert (result.exit_code, len(output.read_bytes().splitlines())) == (0, 6)
    assert rejects.read_bytes() == b""


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("-o", "o.tml"), "--format timeml --output FOLDER"),
        (("-o", "o.jsonl.gz"), "is not written"),
        (("--format", "parquet"), "cannot go to standard output"),
        (("--shard-size", "1MB"), "cannot go to standard output"),
        (("-o", "o", "--shard-size", "12 apples"), "give for example 500MB"),
        (("-o", "no/such/o.jsonl"), "there is no folder no/such"),
        (("--errors", "stop", "--rejects", "r.jsonl"), "give one of them"),
        (("--retry", "r.jsonl"), "give no PATH with it"),
        (("-o", ".", "--format", "brat", "--force"), "no run of yearmark wrote"),
    ],
)
def test_what_cannot_be_is_said_before_anything_is_done(
    source: Path, arguments: tuple, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(source.parent)
    (source.parent / "r.jsonl").touch()
    result = invoke(source, *arguments)
    assert (result.exit_code, message in result.stderr) == (2, True), result.stderr
    assert sorted(path.name for path in source.parent.iterdir()) == ["in.jsonl", "r.jsonl"]


# ---- bad records

BAD = {
    "a.jsonl": (
        b'{"text": "In 2001."}\n{"text": \n{"text": "caf\xe9"}\n{"body": 1}\n[2]\n{"text": 7}\n'
        b'{"text": "' + b"x" * 300 + b'"}\n{"text": "\\ud800"}\n' + b"[" * 100_000 + b"\n"
        b'{"text": "1e999", "n": 1e999}\n{"text": "a\0b"}\n\n{"text": "In 2002.", "note": "\\udc00"}'
    ),
    "b.csv": (
        b'id,text,n\n1,In 2003,1\n2,"open,2\n3,"fine, in 2004",3\n4,a,b,c\n5\n6,caf\xe9,6\n\n'
        b'7,"two\nlines, in 2005",7\n8,last "open,8\n9,"never closed,9\n'
    ),
    "c.txt": b"In 2006\ncaf\xe9",
    "d.txt.gz": gzip.compress(os.urandom(1000))[:-300],
    "e.jsonl.gz": gzip.compress(jsonl([{"text": f"In 2007, {os.urandom(40).hex()}"} for _ in range(90)]))[
        :-999
    ],
    "f.parquet": b"PAR1 no",
    "g.arrow": b"",
    "h.spacy": b"no docbin",
    "i.csv": b"id,text,text\n1,2,3\n",
    "j.csv": b"id,text\n",
    "k.jsonl": b"",
}


@pytest.fixture
def bad(tmp_path: Path) -> Path:
    folder = tmp_path / "bad"
    folder.mkdir()
    for name, content in BAD.items():
        (folder / name).write_bytes(content)
    columns = {"text": pa.array(["In 2008.", None, "y" * 300])}
    pq.write_table(pa.table(columns), folder / "l.parquet")
    pq.write_table(pa.table({"text": pa.array([1, 2])}), folder / "m.parquet")
    return folder


def test_bad_records_are_set_aside_and_the_others_tagged(bad: Path) -> None:
    output, rejects = bad.parent / "out.jsonl", bad.parent / "rejects.jsonl"
    result = invoke(bad, "-o", output, "--rejects", rejects, "--max-chars", 200)
    assert result.exit_code == 1, result.stderr
    assert "Traceback" not in result.stderr
    good = [json.loads(line) for line in output.read_bytes().splitlines()]
    years = sorted(year["text"] for row in good for year in row["years"])
    assert Counter(years) >= Counter(["2001", "2002", "2003", "2004", "2005", "2008"])
    assert good[1]["note"] == "\udc00"
    found = [json.loads(line) for line in rejects.read_bytes().splitlines()]
    by_file: dict[str, list] = {}
    for row in found:
        by_file.setdefault(Path(row["file"]).name, []).append((row.get("line", row.get("row")), row["kind"]))
    assert by_file == {
        "a.jsonl": [
            *[(2, "json"), (3, "encoding"), (4, "field"), (5, "json"), (6, "field")],
            *[(7, "length"), (8, "encoding"), (9, "json"), (10, "json"), (11, "json")],
        ],
        "b.csv": [(3, "csv"), (5, "csv"), (6, "csv"), (7, "encoding"), (12, "csv")],
        "c.txt": [(2, "encoding")],
        "d.txt.gz": [(1, "file")],
        "e.jsonl.gz": [(by_file["e.jsonl.gz"][0][0], "file")],
        "f.parquet": [(1, "file")],
        "g.arrow": [(1, "file")],
        "h.spacy": [(1, "file")],
        "i.csv": [(2, "csv")],
        "l.parquet": [(2, "field"), (3, "length")],
        "m.parquet": [(1, "field"), (2, "field")],
    }
    for row in found:
        if "line" in row and ("raw" in row or "raw_base64" in row) and ".gz" not in row["file"]:
            raw = row["raw"].encode() if "raw" in row else base64.b64decode(row["raw_base64"])
            assert Path(row["file"]).read_bytes()[row["offset"] :].startswith(raw)
            assert len(raw) == row["length"]
    summary = json.loads((bad.parent / "out.jsonl.yearmark.json").read_text())["summary"]
    assert summary["rejected"] == len(found)
    again = invoke(bad, "-o", output, "--rejects", rejects, "--max-chars", 200)
    assert (again.exit_code, "is done already" in again.stderr) == (1, True)


def test_retry_tags_what_was_mended(bad: Path) -> None:
    rejects, output = bad.parent / "rejects.jsonl", bad.parent / "second.jsonl"
    good = invoke(bad, "--rejects", rejects, "--max-chars", 200)
    assert good.exit_code == 1
    rows = [json.loads(line) for line in rejects.read_bytes().splitlines()]
    for row in rows:  # by hand, as a user would
        if row["kind"] == "encoding" and "raw_base64" in row:
            row["raw"] = base64.b64decode(row.pop("raw_base64")).decode("latin-1")
    rejects.write_bytes(jsonl(rows))
    (bad / "f.parquet").write_bytes(parquet(RECORDS))
    (bad / "d.txt.gz").write_bytes(gzip.compress(b"In 2011"))
    still = bad.parent / "still.jsonl"
    result = invoke("--retry", rejects, "-o", output, "--rejects", still)
    assert result.exit_code == 1, result.stderr
    found = {row["id"]: row for row in map(json.loads, output.read_bytes().splitlines())}
    names = {str(name).replace(f"{bad}/", "") for name in found}
    assert {"a.jsonl:3", "a.jsonl:7", "6", "l.parquet:3", "c.txt:1", "d.txt.gz:1", "r0", "r5"} <= names
    assert found[f"{bad}/a.jsonl:7"]["text"] == "x" * 300
    assert found["6"] == {"id": "6", "text": "café", "n": "6", "years": []}
    left = [json.loads(line) for line in still.read_bytes().splitlines()]
    assert {row["kind"] for row in left} == {"json", "field", "encoding", "csv", "file"}
    assert len(found) - len(RECORDS) + len(left) == len(rows) - 1
    assert "not a line of the file that --rejects writes" in invoke("--retry", bad / "a.jsonl").stderr


def test_stop_names_the_first_bad_record(bad: Path) -> None:
    result = invoke(bad)
    assert result.exit_code == 2
    assert f"{bad}/a.jsonl:2: not valid JSON" in result.stderr
    assert "--errors skip" in result.stderr
    assert len(result.stdout.splitlines()) == 1
    skipped = invoke(bad, "--errors", "skip")
    assert skipped.exit_code == 1
    assert "skipped: " in skipped.stderr
    assert "to keep rejected records: --rejects" in skipped.stderr


def test_after_a_stop_it_goes_on_with_rejects(tmp_path: Path) -> None:
    source, output, rejects = tmp_path / "in.jsonl", tmp_path / "out.jsonl", tmp_path / "r.jsonl"
    documents(source, 15_000)
    with source.open("a") as file:
        file.write("no JSON\n")
    stopped = invoke(source, "-o", output)
    assert (stopped.exit_code, "the same command goes on from there" in stopped.stderr) == (2, True)
    assert not output.exists()
    result = invoke(source, "-o", output, "--rejects", rejects)
    assert result.exit_code == 1
    assert re.search(r"going on behind [\d,]+ documents", result.stderr)
    assert len(output.read_bytes().splitlines()) == 15_000
    assert json.loads(rejects.read_bytes())["line"] == 15_001


@pytest.mark.parametrize("name", ["a.parquet", "a.arrow", "a.jsonl.zst", "a.txt.zst", "out.parquet"])
def test_a_missing_package_is_named_with_its_extra(
    source: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = source.with_name(name)
    if name.startswith("a."):
        path.write_bytes(PACKINGS[path.suffix](b"In 2009.") if path.suffix == ".zst" else parquet(RECORDS))
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    result = invoke(path) if name.startswith("a.") else invoke(source, "-o", path)
    assert result.exit_code == 2
    assert "needs the package 'pyarrow'; install it with: pip install 'yearmark[archive]'" in result.stderr


def test_a_huge_line_costs_itself_only(tmp_path: Path) -> None:
    path, rejects = tmp_path / "in.jsonl", tmp_path / "r.jsonl"
    huge = b'{"text": "' + b"x" * 2_000_000 + b'"}\n'
    content = b'{"text": "In 2001."}\n' + huge + b'{"text": "In 2002."}\n'
    for suffix, pack in (("", bytes), (".gz", gzip.compress)):
        path.with_name(path.name + suffix).write_bytes(pack(content))
        file = path.with_name(path.name + suffix)
        rows = tagged(file, "--rejects", rejects, "--max-chars", 200_000, "--force", code=1)
        assert [row["years"][0]["text"] for row in rows] == ["2001", "2002"]
        (reject,) = map(json.loads, rejects.read_bytes().splitlines())
        assert (reject["line"], reject["kind"], reject["offset"]) == (2, "length", 21)
        assert reject["length"] == len(huge)
        (row,) = tagged("--retry", rejects)
        assert len(row["text"]) == 2_000_000
    csv_path = tmp_path / "in.csv"
    csv_path.write_bytes(b'text,n\nIn 2001,1\n"open' + (b"x" * 999 + b"\n") * 3_000 + b"In 2002,2\n")
    rows = tagged(csv_path, "--errors", "skip", "--max-chars", 100_000, code=1)
    assert [row["years"][0]["text"] for row in rows] == ["2001", "2002"]


# ---- stops


def start(*arguments: object, limits: str = "", stdin: int | None = None) -> subprocess.Popen:
    """The command as a process of its own, the head of a group; ``limits`` are ulimit's."""
    words = [str(word) for word in (YEARMARK, "tag", *arguments)]
    if limits:
        words = ["bash", "-c", f'ulimit {limits}; exec "$@"', "bash", *words]
    return subprocess.Popen(words, stdin=stdin, stderr=subprocess.PIPE, start_new_session=True)


def ended(process: subprocess.Popen) -> tuple[int, str]:
    with process:
        _, err = process.communicate(timeout=300)
        return process.returncode, err.decode()


def documents(path: Path, count: int, words: int = 15, seed: int = 1) -> None:
    rng = random.Random(seed)
    with path.open("w") as file:
        for k in range(count):
            text = " ".join(
                rng.choice(["In", str(rng.randint(1, 2100)), "we", "went.", "room"]) for _ in range(words)
            )
            file.write(json.dumps({"id": k, "text": text}) + "\n")


def journaled(output: Path) -> int:
    """How many units a run that was stopped has in its journal."""
    path = output.with_name(output.name + ".yearmark-run") / "journal.jsonl"
    return max(0, len(path.read_bytes().splitlines()) - 1) if path.exists() else 0


def wait_for_journal(process: subprocess.Popen, output: Path) -> None:
    before = journaled(output)
    while journaled(output) == before:
        assert process.poll() is None, ended(process)
        time.sleep(0.01)


def kill_until_done(arguments: list, output: Path, kills: int, rng: random.Random) -> int:
    """Start the run again and again, killing it soon after its journal has grown; gives the kills."""
    killed = 0
    while True:
        process = start(*arguments)
        before = journaled(output)
        while killed < kills and process.poll() is None and journaled(output) == before:
            time.sleep(0.01)
        if killed < kills:
            time.sleep(rng.random() / 20)
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                killed += 1
        code, err = ended(process)
        if code >= 0:
            assert code == 0, err
            return killed


@pytest.mark.long
@pytest.mark.parametrize("form", ["jsonl", "parquet"])
def test_a_run_that_is_killed_goes_on_to_the_same_bytes(tmp_path: Path, form: str) -> None:
    source, whole, output = tmp_path / "in.jsonl", tmp_path / f"whole.{form}", tmp_path / f"out.{form}"
    documents(source, 50_000)
    undisturbed = start(source, "-o", whole, "--workers", 1)
    assert kill_until_done([source, "-o", output, "--workers", 2], output, 1, random.Random(1)) == 1
    assert ended(undisturbed)[0] == 0
    assert output.read_bytes() == whole.read_bytes()
    assert not list(tmp_path.glob("*.yearmark-run"))


@pytest.mark.long
def test_ctrl_c_other_settings_and_a_full_disk(tmp_path: Path) -> None:
    source, output = tmp_path / "in.jsonl", tmp_path / "out.csv"
    documents(source, 50_000)
    process = start(source, "-o", output, "--workers", 2)
    wait_for_journal(process, output)
    os.killpg(process.pid, signal.SIGINT)
    code, err = ended(process)
    assert (code, err.splitlines()[-1]) == (130, "interrupted; the same command goes on from here")
    assert "Traceback" not in err
    assert not output.exists()
    other = invoke(source, "-o", output, "--text-field", "id")
    assert other.exit_code == 2
    assert "--text-field was 'text' and is 'id'" in other.stderr
    assert "--force to begin anew" in other.stderr
    kept = journaled(output)
    limit = (output.with_name("out.csv.yearmark-run") / "output").stat().st_size // 1024 + 8
    code, err = ended(start(source, "-o", output, "--workers", 2, limits=f"-f {limit}"))
    assert code == 2
    assert re.search(
        r"File too large. What is tagged is kept in .*: once this is mended, the same command", err
    )
    assert "Traceback" not in err
    assert journaled(output) >= kept
    code, err = ended(start(source, "-o", output, "--workers", 2))
    assert (code, "going on behind" in err) == (0, True)
    with output.open() as file:
        rows = list(csv.DictReader(file))
    (tmp_path / "part.jsonl").write_bytes(b"".join(source.read_bytes().splitlines(keepends=True)[-2000:]))
    last = [year | {"id": row["id"]} for row in tagged(tmp_path / "part.jsonl") for year in row["years"]]
    assert [(row["id"], row["start"], row["text"]) for row in rows[-len(last) :]] == [
        (str(year["id"]), str(year["start"]), year["text"]) for year in last
    ]


@pytest.mark.parametrize("form", ["csv", "html", "parquet", "brat"])
@pytest.mark.parametrize("step", ["assemble", "Journal.finish", "_publish", "write_json", "shutil.rmtree"])
def test_a_stop_while_the_output_is_put_in_place(
    source: Path, form: str, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    whole, output = source.with_name("whole"), source.with_name("out")
    assert invoke(source, "--format", form, "-o", whole).exit_code == 0
    arguments = (source, "--format", form, "--rejects", source.with_name("r.jsonl"), "-o")
    with monkeypatch.context() as patch:
        patch.setattr(f"yearmark.archive.run.{step}", stop)
        assert invoke(*arguments, output).exit_code == 130
    result = invoke(*arguments, output)
    assert result.exit_code == 0, result.stderr
    assert content(output) == content(whole)
    assert not list(source.parent.glob("*.yearmark-run"))


def content(path: Path) -> dict[str, bytes]:
    files = path.iterdir() if path.is_dir() else [path]
    return {file.name if path.is_dir() else "": file.read_bytes() for file in files}


def test_two_runs_do_not_share_an_output(tmp_path: Path) -> None:
    source, output = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    documents(source, 25_000)
    process = start(source, "-o", output, "--workers", 1)
    wait_for_journal(process, output)
    second = invoke(source, "-o", output)
    os.killpg(process.pid, signal.SIGKILL)
    ended(process)
    assert (second.exit_code, "another run is at work" in second.stderr) == (2, True)


# ---- workers that die


@pytest.mark.long
def test_a_record_that_kills_its_worker_is_rejected(tmp_path: Path) -> None:
    """Each process may use few seconds of its core: for start and all records enough, but for one record
    that needs several times as many."""
    source, output, rejects = tmp_path / "in.jsonl", tmp_path / "out.jsonl", tmp_path / "r.jsonl"
    documents(source, 4_000, words=60)
    lines = source.read_bytes().splitlines(keepends=True)
    lines.insert(2345, jsonl([{"id": "guilty", "text": "In 2009 and 1984, 17 men. " * 380_000}]))
    source.write_bytes(b"".join(lines))
    code, err = ended(start(source, "-o", output, "--rejects", rejects, "--workers", 2, limits="-t 6"))
    assert code == 1, err
    assert re.search(r"a worker died \(SIG\w+\) between .*in.jsonl:\d+ and .*in.jsonl:\d+", err)
    (reject,) = map(json.loads, rejects.read_bytes().splitlines())
    assert (reject["line"], reject["kind"]) == (2346, "crash")
    assert f"at {source}:2346; the record is rejected" in err
    assert [json.loads(line)["id"] for line in output.read_bytes().splitlines()] == list(range(4_000))


@pytest.mark.long
def test_workers_killed_from_outside_lose_nothing(tmp_path: Path) -> None:
    source, output = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    documents(source, 200_000)
    process = start(source, "-o", output, "--workers", 2)
    wait_for_journal(process, output)
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    workers = [pid for pid in children if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()]
    assert len(workers) == 2
    # not a newborn one: what it tries alone would be killed a second time, and rejected
    for pid in workers:
        os.kill(int(pid), signal.SIGKILL)
        wait_for_journal(process, output)
    code, err = ended(process)
    assert code == 0, err
    assert "a worker died (SIGKILL)" in err
    assert [json.loads(line)["id"] for line in output.read_bytes().splitlines()] == list(range(200_000))


# ---- damage


def damage(data: bytes, rng: random.Random) -> bytes:
    """One of the ways in which files go bad."""
    data_ = bytearray(data)
    match rng.randrange(8):
        case 0:
            return data[: rng.randrange(len(data))]
        case 1:
            for _ in range(rng.randint(1, 20)):
                data_[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
        case 2:
            return data.decode("latin-1").encode("utf-16") if rng.random() < 0.5 else data[::-1]
        case 3:
            place = rng.randrange(len(data))
            data_[place:place] = b"x" * 300_000
        case 4:
            place = rng.randrange(len(data))
            data_[place : place + 9] = b"\0" * 9
        case 5:
            place = rng.randrange(len(data))
            data_[place:place] = b"[" * 20_000
        case 6:
            return b""
        case 7:
            place = rng.randrange(len(data))
            del data_[place : place + rng.randint(1, 60)]
    return bytes(data_)


def check_damaged(folder: Path, count: int, seed: int) -> None:
    """Damage files; every record of the text formats is tagged or rejected, every other file answers."""
    rng = random.Random(seed)
    records = [
        {
            "id": f"r{k:03}",
            "text": f"Record {k:03}, {'quoted' if k % 2 else 'plain and'} in {1800 + k}.",
            "n": k,
        }
        for k in range(40)
    ]
    kinds = [(kind, packing) for kind in INPUTS for packing in ("", "", rng.choice(list(PACKINGS)))]
    damaged = {}
    for number in range(count):
        kind, packing = rng.choice(kinds)
        path = folder / f"{number:04}.{kind}{packing}"
        damaged[path] = damage(PACKINGS[packing](INPUTS[kind](records)), rng)
        path.write_bytes(damaged[path])
    output, rejects = folder / "out.jsonl", folder / "r.jsonl"
    result = invoke(folder, "-o", output, "--rejects", rejects, "--max-chars", 50_000)
    assert result.exit_code == 1, result.stderr
    assert "Traceback" not in result.stderr
    good = [json.loads(line) for line in output.read_bytes().splitlines()]
    bad = [json.loads(line) for line in rejects.read_bytes().splitlines()]
    answered = {row["file"] for row in bad} | {str(row["id"]).rpartition(":")[0] for row in good}
    for path, content in damaged.items():
        if path.suffix in (".jsonl", ".ndjson"):
            mine = [row for row in bad if row["file"] == str(path)]
            covered = sorted((row["offset"], row["length"]) for row in mine)
            assert all(a + n <= b for (a, n), (b, _) in pairwise(covered))
        if path.suffix in (".txt", ".spacy", ".parquet", ".arrow", ".feather") and content:
            assert str(path) in answered or path.suffix not in (".txt", ".spacy")
    check_nothing_is_lost(folder, records, damaged)


def check_nothing_is_lost(folder: Path, records: list[dict], damaged: dict[Path, bytes]) -> None:
    """File by file: each line that the damage has left whole is tagged, or stands in a reject."""
    for path, content in damaged.items():
        if path.suffix not in (".jsonl", ".ndjson", ".csv", ".tsv"):
            continue
        original = INPUTS[path.suffix[1:]](records).splitlines(keepends=True)
        whole = set(content.split(b"\n"))
        rejects = folder / "one.rejects"
        rows = [
            json.loads(line)
            for line in invoke(
                path, "--rejects", rejects, "--max-chars", 50_000, "--force"
            ).stdout_bytes.splitlines()
        ]
        # a damaged header may name the columns otherwise
        tagged_ids = {value for row in rows for value in row.values() if isinstance(value, str)}
        raw = b"".join(
            content[row["offset"] : row["offset"] + row["length"]]
            for row in map(json.loads, rejects.read_bytes().splitlines())
        )
        for record, line in zip(records, original[-len(records) :], strict=True):
            if line.rstrip(b"\n") in whole:
                assert record["id"] in tagged_ids or line.rstrip(b"\r\n") in raw, (path, record)


def test_damaged_files(tmp_path: Path) -> None:
    check_damaged(tmp_path, 60, seed=1)


@pytest.mark.long
def test_a_thousand_damaged_files(tmp_path: Path) -> None:
    for seed in range(2, 12):
        (tmp_path / str(seed)).mkdir()
        check_damaged(tmp_path / str(seed), 100, seed)


# ---- at length


@pytest.mark.long
def test_twenty_kills_over_200_000_documents(tmp_path: Path) -> None:
    source, whole, output = tmp_path / "in.jsonl", tmp_path / "whole.jsonl", tmp_path / "out.jsonl"
    documents(source, 200_000, words=30)
    assert ended(start(source, "-o", whole, "--workers", 2))[0] == 0
    assert kill_until_done([source, "-o", output, "--workers", 2], output, 20, random.Random(20)) == 20
    assert output.read_bytes() == whole.read_bytes()


@pytest.fixture
def disk(tmp_path: Path):
    """A disk of 12 MB; skips where one may not be mounted."""
    folder = tmp_path / "disk"
    folder.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=12m", "tmpfs", folder], capture_output=True)
    if done.returncode:
        pytest.skip("no disk can be mounted here")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


def remount(folder: Path, options: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{options}", folder], check=True)


@pytest.mark.long
def test_a_full_disk_and_one_that_is_read_only(tmp_path: Path, disk: Path) -> None:
    source, whole, output = tmp_path / "in.jsonl", tmp_path / "whole.jsonl", disk / "out.jsonl"
    documents(source, 200_000)
    assert ended(start(source, "-o", whole, "--workers", 2))[0] == 0
    code, err = ended(start(source, "-o", output, "--workers", 2))
    assert (code, "No space left on device" in err, "Traceback" in err) == (2, True, False)
    kept = journaled(output)
    assert kept > 1
    remount(disk, "ro")
    code, err = ended(start(source, "-o", output, "--workers", 2))
    assert (code, "Read-only file system" in err, "Traceback" in err) == (2, True, False)
    remount(disk, "rw,size=200m")
    assert journaled(output) == kept
    code, err = ended(start(source, "-o", output, "--workers", 2))
    assert (code, "going on behind" in err) == (0, True)
    assert output.read_bytes() == whole.read_bytes()


@pytest.mark.long
@pytest.mark.parametrize("kind", ["jsonl", "jsonl.gz", "parquet"])
def test_the_parents_memory_is_bounded(tmp_path: Path, kind: str) -> None:
    source, output = tmp_path / f"in.{kind}", tmp_path / "out.parquet"
    line = jsonl([{"text": "In 2009, " + "nothing of note happened there. " * 30}])
    if kind == "parquet":
        rows = pa.table({"text": pa.array([json.loads(line)["text"]] * 100_000)})
        pq.write_table(rows, source, use_dictionary=False)
    else:
        with gzip.open(source, "wb", 1) if kind == "jsonl.gz" else source.open("wb") as file:
            for _ in range(100):
                file.write(line * 1_000)
    process = start(source, "-o", output, "--workers", 2)
    peak = 0
    status = Path(f"/proc/{process.pid}/status")
    while process.poll() is None:
        found = re.search(r"VmHWM:\s+(\d+)", status.read_text())
        peak = max(peak, int(found[1]) if found else 0)
        time.sleep(0.05)
    assert ended(process)[0] == 0
    assert pq.read_metadata(output).num_rows == 100_000
    assert peak < 300 * 1024


def idle() -> float:
    """The share of all cores' time in the next seconds that nobody uses."""

    def read() -> tuple[int, int]:
        times = [int(number) for number in Path("/proc/stat").read_text().split("\n")[0].split()[1:9]]
        return times[3], sum(times)

    before = read()
    time.sleep(3)
    after = read()
    return (after[0] - before[0]) / (after[1] - before[1])


@pytest.mark.long
def test_two_workers_against_one(tmp_path: Path) -> None:
    """The median of three pairs, each side by side in time; a core that others use tells nothing."""
    corpus = Path(__file__).parents[2] / "shared/corpora/silver.jsonl"
    if not corpus.is_file():
        pytest.skip("the silver corpus is not here")
    if len(os.sched_getaffinity(0)) < 2 or idle() < 0.9:
        pytest.skip("it takes two idle cores")
    source = tmp_path / "in.jsonl"
    source.write_bytes(corpus.read_bytes() * 10)
    ratios = []
    for _ in range(3):
        seconds = []
        for workers in (1, 2):
            began = time.perf_counter()
            assert ended(start(source, "-o", tmp_path / "out.jsonl", "--force", "--workers", workers))[0] == 0
            seconds.append(time.perf_counter() - began)
        ratios.append(seconds[0] / seconds[1])
    assert sorted(ratios)[1] >= 1.7, ratios
