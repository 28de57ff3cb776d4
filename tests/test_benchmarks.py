"""The benchmarks, as processes, against figures counted by hand."""

import importlib
import json
import subprocess
import sys
import tomllib
from itertools import product
from pathlib import Path

import numpy as np
import pytest

import yearmark
from yearmark.segments import segments
from yearmark.tokenizer import make_tokenizer
from yearmark.training.document import Document

ROOT = Path(__file__).parents[1]
DEEP = " deep" * 12  # more than an error shows of its context


def year(start: int, text: str, value: str, **more: bool) -> dict:
    return {"start": start, "end": start + len(text), "text": text, "value": value, **more}


# The gold of b, c and d is wrong on purpose: a miss, a false alarm and a wrong value.
DEV = [
    {"id": "a", "source": "one", "text": "I went to Nepal in 2009.", "years": [year(19, "2009", "2009")]},
    {
        "id": "b",
        "source": "one",
        "text": f"2009 people went to Nepal in room 1999,{DEEP}.",
        "years": [year(34, "1999", "1999")],
    },
    {"id": "c", "source": "two", "text": "In 2009, I went to Nepal.", "years": []},
    {"id": "d", "source": "two", "text": "I went to Nepal in 2009.", "years": [year(19, "2009", "1909")]},
    {
        "id": "e",
        "source": "two",
        "text": "In 2009, I went to Nepal.",
        "years": [year(3, "2009", "2009", optional=True)],
    },
]
TRAPS = [
    {"id": "x", "kind": "room", "text": "2009 people went to Nepal in room 1999.", "years": []},
    {"id": "y", "kind": "room", "text": "In 2009, I went to Nepal.", "years": [year(3, "2009", "2009")]},
]


def accuracy(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, ROOT / "benchmarks/accuracy.py", "--no-peers", *map(str, arguments)],
        capture_output=True,
        encoding="utf-8",
        timeout=120,
    )


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str, dict, str]:
    """Standard output and error of one run, the JSON and the Markdown that it wrote."""
    folder = tmp_path_factory.mktemp("accuracy")
    output = folder / "out"
    output.mkdir()
    (output / "kinds.toml").write_text('"b:34" = "room number"\n')
    for name, documents in (("dev", DEV), ("traps", TRAPS)):
        lines = "".join(json.dumps({"lang": "en", **document}) + "\n" for document in documents)
        (folder / f"{name}.jsonl").write_text(lines)
    gold = [part for name in ("dev", "none", "traps") for part in ("--gold", folder / f"{name}.jsonl")]
    done = accuracy(*gold, "--output", output)
    assert done.returncode == 0, done.stderr
    data = json.loads((output / "accuracy.json").read_text("utf-8"))["gold"]
    files = {name.split("/")[1].removesuffix(".jsonl"): measured for name, measured in data.items()}
    return done.stdout, done.stderr, files, (output / "README.md").read_text("utf-8")


def test_figures_are_those_counted_by_hand(run) -> None:
    out, err, files, _ = run
    assert "none.jsonl is skipped" in err
    assert "\x1b" not in out
    assert all(len(line) <= 80 for line in out.splitlines() if not line.endswith("README.md"))
    dev = files["dev"]["systems"]
    ours, expression = dev["yearmark"]["all"], dev["1000-2099"]["all"]
    counted = ("gold", "predicted", "strict", "valued", "value", "empty", "tagged")
    assert [ours[name] for name in counted] == [3, 3, 2, 3, 1, 2, 1]
    assert [expression[name] for name in counted[:3]] == [3, 5, 3]
    assert ours["f1"] == ours["precision"] == ours["recall"] == pytest.approx(2 / 3, abs=1e-5)
    assert ours["value_accuracy"] == pytest.approx(1 / 3, abs=1e-5)
    assert (expression["f1"], expression["value_accuracy"]) == (0.75, None)
    assert files["dev"]["best_peer"] == "1000-2099"
    groups = dev["yearmark"]["groups"]
    assert (groups["one"]["f1"], groups["two"]["f1"]) == (pytest.approx(2 / 3, abs=1e-5),) * 2
    assert list(dev["yearmark"]["forms"]) == ["four digits"]
    room = files["traps"]["systems"]["yearmark"]["groups"]["room"]
    assert [room[name] for name in ("tagged", "empty", "strict", "gold")] == [0, 1, 1, 1]
    assert "Worse than 10 % (yearmark): no kind." in out


def test_intervals_and_significance_are_those_of_all_resamples(run) -> None:
    """All 5^5 resamples of five documents can be enumerated."""
    dev = run[2]["dev"]
    ours = np.array([(1, 1, 1), (0, 1, 0), (0, 0, 1), (1, 1, 1), (0, 0, 0)])  # strict, gold, predicted
    theirs = np.array([(1, 1, 1), (1, 1, 2), (0, 0, 1), (1, 1, 1), (0, 0, 0)])
    f1 = []
    for counts in (ours, theirs):
        strict, gold, predicted = counts[list(product(range(5), repeat=5))].sum(axis=1).T
        f1.append(np.where(gold + predicted > 0, 2 * strict / np.maximum(1, gold + predicted), 1.0))
    for name, values in zip(("yearmark", "1000-2099"), f1, strict=True):
        bounds = dev["systems"][name]["all"]["f1_interval"]
        assert bounds == pytest.approx(np.percentile(values, [2.5, 97.5]), abs=0.01)
    exact = 2 * min((f1[0] <= f1[1]).mean(), (f1[0] >= f1[1]).mean())
    assert dev["p_value"] == pytest.approx(min(1, exact), abs=0.03)


def test_scores_and_thresholds(run) -> None:
    measured = run[2]["dev"]["calibration"]
    tagger = yearmark.load(min_score=0)
    pairs = []
    for document in DEV[:4]:  # of e every candidate is optional
        right = {(mark["start"], mark["end"]) for mark in document["years"]}
        pairs += [(y.score, (y.start, y.end) in right) for y in tagger(document["text"])]
    bins: dict[int, list[float]] = {}
    for score, is_right in pairs:
        bins.setdefault(min(int(score * 10), 9), []).append(score - is_right)
    error = sum(abs(sum(gaps)) for gaps in bins.values()) / len(pairs)
    assert measured["candidates"] == len(pairs)
    assert measured["error"] == pytest.approx(error, abs=1e-5)
    at = {row["min_score"]: row for row in measured["thresholds"]}
    assert at[0.5]["precision"] == pytest.approx(2 / 3, abs=1e-5)
    assert len(at) >= 10


def test_changes_of_the_text(run) -> None:
    measured = run[2]["dev"]["invariance"]
    # three gold years, five others each; numbers of one form are one to the network
    assert measured["four digits"] == {"decisions": 15, "stay": 15, "share": 1.0}
    assert measured["two digits"] == {"decisions": 0, "stay": 0, "share": None}
    # a, c, d, e: the year that is tagged; b: the gold year that is not
    assert measured["capitals"]["decisions"] >= 5
    assert {"lower case", "space more", "space less"} <= set(measured)


def test_errors_stand_in_the_report_with_their_kinds(run) -> None:
    _, _, files, report = run
    found = [(e["id"], e["start"], e["error"], e["value"], e["kind"]) for e in files["dev"]["errors"]]
    assert found == [
        ("b", 34, "missed", "", "room number"),
        ("c", 3, "false", "", ""),
        ("d", 19, "value", "2009 for 1909", ""),
    ]
    assert "`b:34` | missed | `nt to Nepal in room ⟦1999⟧" in report
    assert DEEP not in report
    assert files["traps"]["errors"] == []


def test_without_gold_it_is_an_error(tmp_path: Path) -> None:
    done = accuracy("--gold", tmp_path / "none.jsonl", "--output", tmp_path / "out")
    assert done.returncode == 1
    assert "there is no gold file to score" in done.stderr
    assert not (tmp_path / "out").exists()


# Position --------------------------------------------------------------------------------------------


@pytest.fixture
def position(monkeypatch: pytest.MonkeyPatch):
    """The benchmark as a module."""
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    return importlib.import_module("position")


def test_neutral_text_is_as_long_as_asked_and_of_its_kind(position) -> None:
    tokenizer = make_tokenizer({})
    words = tomllib.loads((ROOT / "data/neutral.toml").read_text("utf-8"))
    document = Document("a", "In 2009, I went to Nepal.")
    for language, kind in product(position.LANGUAGES, position.KINDS):
        neutral = position.Neutral(words[language], kind)
        for distance in (10, 100):
            ((offset, text),) = position.embedded([document], neutral, distance)
            assert text[offset:].startswith(document.text)
            around = [text[:offset].strip(), text[offset + len(document.text) :].strip()]
            assert [len(tokenizer(part)) for part in around] == [distance, distance]
            if distance == 100:
                assert any(map(str.isdigit, "".join(around))) == kind.has_numbers
                assert all((len(list(segments(part))) > 1) == kind.has_ends for part in around)


@pytest.mark.long
def test_decisions_alone_and_embedded_are_counted(position, tmp_path: Path) -> None:
    texts = [
        "I went to Nepal in 2009.",
        "The Plan 2000",
        "Oral question by Ms Lund (H-0311/98)",
        "1994",
        "Gate 7",
    ]
    gold, output = tmp_path / "dev.jsonl", tmp_path / "out/published.json"
    gold.write_text("".join(json.dumps({"text": text, "years": []}) + "\n" for text in texts), "utf-8")
    done = subprocess.run(
        [sys.executable, ROOT / "benchmarks/position.py", "--gold", "en", gold, "--output", output],
        capture_output=True,
        encoding="utf-8",
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert "5 sentences, alone and inside neutral text" in done.stdout
    found = json.loads(output.read_text("utf-8"))["languages"]["en"]
    words = tomllib.loads((ROOT / "data/neutral.toml").read_text("utf-8"))["en"]
    tagger, documents = yearmark.load(), [Document(text, text) for text in texts]
    changed = set()
    for kind, distance in product(position.KINDS, position.DISTANCES):
        row, tagged, same, decisions = found["counts"][kind.name][str(distance)], 0, 0, 0
        placed = position.embedded(documents, position.Neutral(words, kind), distance)
        for text, (offset, whole) in zip(texts, placed, strict=True):
            alone = {(year.start, year.end) for year in tagger(text)}
            years = [(year.start - offset, year.end - offset) for year in tagger(whole)]
            inside = {(start, end) for start, end in years if 0 <= start < len(text)}
            tagged += len(years) - len(inside)
            same += len(alone & inside)
            decisions += len(alone | inside)
            changed |= {(text[start:end], kind.name, distance) for start, end in alone ^ inside}
        assert [row["decisions"], row["same"], row["tagged_around"]] == [decisions, same, tagged]
        assert (row["numbers_around"] > 0) == (kind.has_numbers and distance > 0)
    assert changed
    assert changed == {
        (note["text"], kind, distance)
        for note in found["changed"]
        for kind, distances in note["in"].items()
        for distance in distances
    }
