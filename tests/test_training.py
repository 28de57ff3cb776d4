"""Corpora, generated text, training and export."""

import hashlib
import json
import random
import re
import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import spacy
import torch
from datasets import Dataset
from spacy.tokens import DocBin

import yearmark
from yearmark.cues import Cues
from yearmark.features import COLUMNS, Reader
from yearmark.numerals import Eras
from yearmark.training.config import Config, Encoder
from yearmark.training.corpora import read
from yearmark.training.data import Data
from yearmark.training.document import Document, Mark
from yearmark.training.examples import UNKNOWN, ExampleMaker
from yearmark.training.export import export_onnx
from yearmark.training.grammar import Grammar
from yearmark.training.network import Network
from yearmark.training.renumber import renumber
from yearmark.training.scores import Counts, count
from yearmark.training.train import train
from yearmark.training.variation import respace
from yearmark.training.vectors import read_vectors, read_words, write
from yearmark.words import Words

ROOT = Path(__file__).parents[1]
ERAS = Eras.read(ROOT / "data/eras.toml")


# ---- corpora


def test_jsonl(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    spans = [{"start": 3, "end": 7, "text": "2009", "value": "2009", "optional": True}]
    path.write_text(json.dumps({"id": "x", "text": "In 2009", "years": spans, "years_unsure": [[0, 2]]}))
    (document,) = read(path)
    assert document.marks == {"years": [Mark(3, 7, "YEAR", "2009", optional=True)]}
    assert document.unsure == {"years": [(0, 2)]}


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "a.jsonl:2: not valid JSON"),
        ("[]", "a.jsonl:2: expected a JSON object"),
        ('{"text": 3}', "a.jsonl:2: expected a field 'text'"),
        ('{"text": "x", "years": [{"start": 0, "end": 9}]}', "a.jsonl:2: a span of 'years' goes from 0 to 9"),
        (
            '{"text": "2009", "years": [{"start": 0, "end": 4, "text": "2010"}]}',
            "a.jsonl:2: years 0:4 is '2009'",
        ),
    ],
)
def test_a_bad_row_is_named(tmp_path: Path, line: str, message: str) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"text": "ok"}\n' + line)
    with pytest.raises(ValueError, match="(?s)" + message.replace(".", r"\.")):
        list(read(path))


def test_timeml(tmp_path: Path) -> None:
    path = tmp_path / "doc.tml"
    path.write_text(
        """<?xml version="1.0"?><TimeML><DCT><TIMEX3 tid="t0" type="DATE" value="1998-08-07">x</TIMEX3>
</DCT><TEXT>He <EVENT eid="e1">left</EVENT> on
<TIMEX3 tid="t1" type="DATE" value="1989-11-02">Nov. 2, 1989</TIMEX3>
for <TIMEX3 tid="t2" type="DURATION" value="P3Y">three years</TIMEX3>, room 1984.</TEXT></TimeML>"""
    )
    (document,) = read(path)
    text = document.text
    assert [(text[m.start : m.end], m.label, m.value) for m in document.marks["timexes"]] == [
        ("Nov. 2, 1989", "DATE", "1989-11-02"),
        ("three years", "DURATION", "P3Y"),
    ]
    assert [text[m.start : m.end] for m in document.marks["years"]] == ["1989"]
    assert [text[a:b] for a, b in document.unsure["years"]] == ["1984"]
    path.write_text("<TimeML>\n<TEXT>")
    with pytest.raises(ValueError, match=r"doc\.tml:2: not well-formed"):
        list(read(path))


def test_klue(tmp_path: Path) -> None:
    path = tmp_path / "klue.tsv"
    sentence = "2009년 5명"
    tags = ["B-DT", "I-DT", "I-DT", "I-DT", "I-DT", "O", "B-QT", "I-QT"]
    rows = [f"{c}\t{t}" for c, t in zip(sentence, tags, strict=True)]
    path.write_text("\n".join(["## id-1\t<2009년:DT> <5명:QT>", *rows, "", "## id-2\t가", "가\tO"]), "utf-8")
    first, second = read(path)
    assert (first.id, first.text, second.text) == ("id-1", sentence, "가")
    assert first.marks["timexes"] == [Mark(0, 5, "DATE")]
    assert [first.text[m.start : m.end] for m in first.marks["years"]] == ["2009"]
    path.write_text("## id-1\tx\nab\tO")
    with pytest.raises(ValueError, match=r"klue\.tsv:2: expected one character"):
        list(read(path))


def test_conllu(tmp_path: Path) -> None:
    path = tmp_path / "a.conllu"
    row = "1\tNepal\tNepal\tPROPN\t_\t_\t0\troot\t_\t_"
    path.write_text(f"# sent_id = s1\n# text = Nepal\n{row}\n\n{row}\n")
    assert [(d.id, d.text) for d in read(path)] == [("s1", "Nepal"), (f"{path}:5", "Nepal")]
    path.write_text(f"{row}\n\n1 broken\n")
    with pytest.raises(ValueError, match=r"a\.conllu:3: not a CoNLL-U sentence"):
        list(read(path))


def test_docbin(tmp_path: Path) -> None:
    doc = spacy.blank("en")("In 2009, I went.")
    doc.spans["years"] = [doc[1:2]]
    DocBin(docs=[doc]).to_disk(tmp_path / "a.spacy")
    (document,) = read(tmp_path / "a.spacy")
    assert document.marks["years"] == [Mark(3, 7)]
    (tmp_path / "b.spacy").write_bytes(b"junk")
    with pytest.raises(ValueError, match=r"b\.spacy: not a spaCy DocBin"):
        list(read(tmp_path / "b.spacy"))


def test_hugging_face_datasets(tmp_path: Path) -> None:
    rows = [{"id": "x", "text": "In 2009", "years": [{"start": 3, "end": 7}]}]
    Dataset.from_list(rows).save_to_disk(tmp_path / "disk")
    Dataset.from_list(rows).to_parquet(tmp_path / "files" / "train.parquet")
    for folder in ("disk", "files"):
        (document,) = read(tmp_path / folder)
        assert document.marks["years"] == [Mark(3, 7)]


# ---- examples


def test_unknown_labels_are_masked_and_lost_marks_counted() -> None:
    maker = ExampleMaker(Reader(Config().features.rows, ERAS, Words()), {"years": ["YEAR"]})
    text = "In 2009, 1984 and 1999 or x12345."
    marks = {"years": [Mark(3, 7), Mark(9, 13, optional=True), Mark(27, 30)]}
    (example,) = maker([Document("x", text, marks=marks, unsure={"years": [(18, 22)]})])
    tags = dict(
        zip(
            ["In", "2009", ",", "1984", "and", "1999", "or", "x", "12345", "."],
            example.tags["years"],
            strict=True,
        )
    )
    assert tags["2009"] == 1
    assert tags["1984"] == tags["1999"] == tags["12345"] == UNKNOWN
    assert tags["In"] == tags["."] == 0
    assert maker.lost.total() == 1


def test_what_systems_left_out_is_not_learnt_to_be_none(tmp_path: Path) -> None:
    """Ends of their ranges are learnt apart, and what they cut whole; other corpora are learnt as is."""
    text = "We met in May of 1980-1988 for a two-year ban on 17 seats; three days later it fell."
    names = ["May of 1980-1988", "three days"]
    spans = [{"start": text.index(n), "end": text.index(n) + len(n), "type": "DATE"} for n in names]
    path = tmp_path / "a.jsonl"
    path.write_text(json.dumps({"id": "x", "lang": "en", "text": text, "timexes": spans}), encoding="utf-8")
    reader = Reader(Config().features.rows, ERAS, Words(), Cues.read(ROOT / "data/cues.txt"))
    words = re.findall(r"\w+|[^\w\s]", text)
    learnt = {}
    for partial in (True, False):
        config = Config(
            labels={"timexes": ["DATE", "TIME", "DURATION", "SET"]},
            generated={"grammars": ROOT / "data/timexes", "sentences": {"en": 20}},
            corpora=[{"path": str(path), "partial": partial}],
        )
        data = Data.build(config, reader, lambda line: None)
        (example,) = (one for examples, _ in data.parts[1:2] for one in examples)
        learnt[partial] = dict(zip(words, example.tags["timexes"].tolist(), strict=True))
    assert [learnt[False][word] for word in ("two", "year", "17", "seats", "later")] == [0] * 5
    assert [learnt[True][word] for word in ("two", "year", "17", "seats")] == [UNKNOWN, UNKNOWN, 0, 0]
    for tags in learnt.values():
        assert [tags[word] for word in ("May", "1980", "1988", "three", "days", "We")] == [1, 2, 1, 1, 2, 0]
    assert (learnt[True]["later"], learnt[False]["later"]) == (2, 0)


# ---- generated text


@pytest.mark.parametrize("lang", ["en", "ko"])
def test_grammars_cover_what_they_must(lang: str) -> None:
    grammar = Grammar(ROOT / f"data/grammar/{lang}.toml")
    assert len(grammar.years) + len(grammar.numbers) >= 300
    assert len({template.kind for template in grammar.numbers}) >= 25
    documents = list(grammar.sentences(3_000, seed=1))
    assert documents == list(grammar.sentences(3_000, seed=1))
    assert documents != list(grammar.sentences(3_000, seed=2))
    tenths, values = Counter(), Counter()
    for document in documents:
        assert "{" not in document.text
        assert not set("⟦⟧") & set(document.text)
        for mark in document.marks["years"]:
            assert document.text[mark.start : mark.end].strip()
            tenths[10 * mark.start // len(document.text)] += 1
            values[document.text[mark.start : mark.end]] += 1
    assert set(tenths) == set(range(10))
    assert values.most_common(1)[0][1] < 0.02 * values.total()
    # lengths from 3 tokens to 60
    reader = Reader(Config().features.rows, ERAS, Words())
    lengths = [len(reader([document.text.strip()])) for document in documents]
    longest = max((document.text.strip() for document in grammar.sentences(24_000, seed=1)), key=len)
    assert min(lengths) <= 3
    assert np.percentile(lengths, 5) <= 10
    assert np.percentile(lengths, 99) >= {"en": 35, "ko": 34}[lang]  # Korean writes more in a token
    assert len(reader([longest])) >= 60


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ('[year]\nplain = ["in {year}"]', "without ⟦"),
        ('[number]\ncount = ["⟦{n}⟧ men"]', "with ⟦"),
        ('[year]\nplain = ["⟦{year}⟧ in {nowhere}"]', r"unknown slot \{nowhere\}"),
        ("[extra]", "unknown table 'extra'"),
    ],
)
def test_a_wrong_grammar_is_refused(tmp_path: Path, table: str, message: str) -> None:
    path = tmp_path / "en.toml"
    path.write_text("[lexicon]\n" + "".join(f"[{t}]\n" for t in ("year", "number") if t not in table) + table)
    with pytest.raises(ValueError, match=f"en.toml: .*{message}"):
        Grammar(path)


# ---- scores


def test_counts_by_hand() -> None:
    gold = [Mark(0, 4, value="2009"), Mark(10, 14, value="1984"), Mark(20, 24), Mark(30, 34, optional=True)]
    found = [(0, 4, "2009"), (10, 14, "1985"), (19, 24, None), (30, 34, None), (40, 44, None)]
    counts = count(gold, found)
    assert counts == Counts(gold=3, predicted=4, strict=2, lenient=3, valued=2, value=1)
    assert counts.f1 == pytest.approx(2 * 0.5 * (2 / 3) / (0.5 + 2 / 3))


# ---- network and export


@pytest.mark.parametrize("name", ["rnn", "gru", "lstm"])
@pytest.mark.parametrize(("layers", "bidirectional"), [(1, True), (2, False), (2, True)])
def test_onnx_equals_torch(tmp_path: Path, name: str, layers: int, bidirectional: bool) -> None:
    torch.manual_seed(1)
    encoder = Encoder(name=name, hidden=20, layers=layers, bidirectional=bidirectional)
    write(tmp_path, [f"word{k}" for k in range(1_400)], torch.randn(1_400, 6), 0.3)
    network = Network(Config(encoder=encoder), read_vectors(tmp_path)).eval()
    network.halve()
    export_onnx(network, tmp_path / "model.onnx", ["years"])
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx", providers=["CPUExecutionProvider"])
    rng = np.random.default_rng(2)
    for size, longest in [(1, 1), (1, 40), (5, 17), (33, 60), (2, 3_000)]:
        lengths = rng.integers(1, longest + 1, size)
        lengths[0] = longest
        features = rng.integers(0, 3, (size, longest, len(COLUMNS)))
        features[..., :4] = rng.integers(0, 1_400, (size, longest, 4))
        features[..., COLUMNS.index("word")] = rng.integers(0, 1_401, (size, longest))
        (found,) = session.run(
            None, {"features": features.astype(np.int32), "lengths": lengths.astype(np.int32)}
        )
        with torch.no_grad():
            expected = network(torch.from_numpy(features), torch.from_numpy(lengths))["years"].numpy()
        for row, length in enumerate(lengths):
            np.testing.assert_allclose(found[row, :length], expected[row, :length], atol=1e-4)


def test_korean_particles_fit_what_they_follow(tmp_path: Path) -> None:
    """By the last syllable, also of a number: 1987로, 1983으로, 1986으로."""
    (tmp_path / "ko.toml").write_text('[lexicon]\n[year]\nplain = ["⟦{year}⟧년"]\n[number]\n', "utf-8")
    lines = [f"{number}{{으로/로}} {{n}}{{은/는}}" for number in range(1980, 1990)]
    (tmp_path / "ko-1.txt").write_text("\n".join(lines), "utf-8")
    found = {
        d.text.split()[0] for d in Grammar(tmp_path / "ko.toml").sentences(400, seed=1) if d.text[:3] == "198"
    }
    closed = {number for number in range(1980, 1990) if f"{number}으로" in found}
    opened = {number for number in range(1980, 1990) if f"{number}로" in found}
    assert (closed, opened) == ({1980, 1983, 1986}, set(range(1980, 1990)) - {1980, 1983, 1986})


def test_other_numbers_stay_what_they_are() -> None:
    text = "In 2009, 35 people came on March 14 at 7 p.m. to room 12. 3년 뒤 21명 [5] 1.5 '09 7-6 B12 50%"
    may_change = ["35", "12", "21"]

    def mark(piece: str) -> Mark:
        return Mark(text.index(piece), text.index(piece) + len(piece))

    marks = {"years": [mark("2009"), mark("'09")], "timexes": [mark("3년")]}
    unsure = {"years": [(mark("50").start, mark("50").end)]}
    shape = re.escape(text)
    for number in may_change:
        shape = re.sub(rf"\b{number}(?=\D)", rf"({number}|1[5-9]\\d\\d|20\\d\\d)", shape, count=1)
    changed = set[str]()
    for seed in range(60):
        other = renumber(Document("a", text, marks=marks, unsure=unsure), random.Random(seed))
        if other is None:
            continue
        found = re.fullmatch(shape, other.text)
        assert found
        changed |= set(found.groups())
        spans = [other.text[m.start : m.end] for layer in ("years", "timexes") for m in other.marks[layer]]
        assert spans == ["2009", "'09", "3년"]
        assert [other.text[a:b] for a, b in other.unsure["years"]] == ["50"]
    assert changed > set(may_change)
    assert len(changed) > 60
    born = Document("b", "Born on 3 May 1999", marks={"years": [Mark(14, 18)]})
    assert renumber(born, random.Random(1)) is None


def test_spaces_more_or_less_leave_the_marks_where_they_are() -> None:
    text = "By 480 BC and in 2009 we , 35 people 1 2 , had 3 년 동안 a space . " * 20
    years = [Mark(m.start(), m.end()) for m in re.finditer("480 BC|2009", text)]
    unsure = {"years": [m.span() for m in re.finditer("35", text)]}
    other = respace(Document("a", text, marks={"years": years}, unsure=unsure), random.Random(1))
    assert other.text != text
    assert other.text.replace(" ", "") == text.replace(" ", "")
    assert "1 2" in other.text  # 12 would be another number
    assert "12" not in other.text
    found = ["".join(other.text[m.start : m.end].split()) for m in other.marks["years"]]
    assert found == ["480BC", "2009"] * 20
    assert {other.text[a:b] for a, b in other.unsure["years"]} == {"35"}


def test_vectors_are_kept_to_half_a_step(tmp_path: Path) -> None:
    vectors = torch.tensor([[1.0, -2.0, 0.24, 0.0], [9.0, -9.0, 0.26, -0.1]])
    write(tmp_path, ["locker", "room"], vectors, 0.5)
    (tmp_path / "ko.tsv").write_text("객실\troom\n", encoding="utf-8")
    words, read = Words(read_words(tmp_path).splitlines()), read_vectors(tmp_path)
    rows = [words.row(word, word) for word in ("locker", "room", "객실", "tractor")]
    expected = [[1, -2, 0, 0], [3.5, -4, 0.5, 0], [3.5, -4, 0.5, 0], [0, 0, 0, 0]]  # -8 to 7 steps
    assert read(torch.tensor(rows)).tolist() == expected


def test_unknown_keys_and_values_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "c.toml"
    path.write_text("[training]\nepoch = 3\n")
    with pytest.raises(ValueError, match=r"c\.toml: training\.epoch: Extra inputs"):
        Config.read(path)
    path.write_text('[encoder]\nname = "perceptron"\n')
    with pytest.raises(ValueError, match=r"c\.toml: encoder\.name: Input should be"):
        Config.read(path)


class StoppedError(Exception):
    pass


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_training_from_configuration_to_tagger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    config = Config.read(Path("configs/smoke.toml"))
    said: list[str] = []
    metrics = train(config, tmp_path / "whole", said.append)
    assert "training on generated text alone" in said
    assert metrics["held_out"]["years"]["f1"] > 0.5
    assert metrics["held_out"]["years"]["seqeval_f1"] == pytest.approx(
        metrics["held_out"]["years"]["f1"], abs=0.02
    )

    def stop(line: str) -> None:
        if line.startswith("epoch 2:"):
            raise StoppedError

    with pytest.raises(StoppedError):
        train(config, tmp_path / "stopped", stop)
    shutil.rmtree(tmp_path / "other", ignore_errors=True)
    shutil.copytree(tmp_path / "stopped", tmp_path / "other")
    train(config, tmp_path / "stopped", said.append)
    assert "going on after epoch 1" in said
    # the same seed gives the same weights, stopped or not
    assert digest(tmp_path / "stopped/model.onnx") == digest(tmp_path / "whole/model.onnx")
    with pytest.raises(ValueError, match="another configuration"):
        train(config.model_copy(update={"seed": 99}), tmp_path / "other", said.append)

    tagger = yearmark.load(tmp_path / "whole")
    rng = random.Random(1)
    found = [tagger(f"She was born in {rng.randint(1500, 2099)}.") for _ in range(20)]
    assert sum(map(len, found)) >= 15
