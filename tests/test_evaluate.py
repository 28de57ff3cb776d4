"""`yearmark evaluate`: figures against hand counts and other people's tools, gates, the page in a browser."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from yearmark.evaluation import evaluate as evaluation
from yearmark.evaluation import measures
from yearmark.evaluation.evaluate_page import page as make_page
from yearmark.tokenizer import make_tokenizer

ROOT = Path(__file__).parents[1]
SHARED = ROOT.parent / "shared"


def span(text: str, year: str, value: str | None = None, **more: object) -> dict:
    start = text.index(year)
    valued = {"value": value} if value else {}
    return {"start": start, "end": start + len(year), **valued, **more}


NEPAL, RANGE, HOSTILE = (
    "I went to Nepal in 2009.",
    "From 1914-18 to 12 May 1920, room 1999.",
    "<script>document.title = 'run'</script> in 2001 <b>& so</b>",
)
GOLD = [
    {"id": "a", "lang": "en", "source": "one", "text": NEPAL, "years": [span(NEPAL, "2009", "2009")]},
    {
        "id": "b",
        "lang": "en",
        "source": "one",
        "text": RANGE,
        "years": [span(RANGE, "1914", "1914"), span(RANGE, "18", "1918"), span(RANGE, "1920", "1920")],
    },
    {"id": "c", "lang": "ko", "source": "two", "text": HOSTILE, "years": [span(HOSTILE, "2001", "2001")]},
    {
        "id": "d",
        "lang": "ko",
        "source": "two",
        "text": "서기 890년 또는 1200",
        "years": [{"start": 3, "end": 6, "optional": True}],
    },
    {"id": "e", "lang": "ko", "source": "two", "text": "No number.", "years": []},
]
# b: 1914 right, 18 missed, 1920 with too much, 1999 false; c: another value; d: only on what is optional
FOUND = {
    "a": [span(NEPAL, "2009", "2009", score=0.99)],
    "b": [
        span(RANGE, "1914", "1914", score=0.9),
        span(RANGE, "May 1920", "1920", score=0.7),
        span(RANGE, "1999", "1999", score=0.95),
    ],
    "c": [span(HOSTILE, "2001", "1901", score=0.6)],
    "d": [{"start": 3, "end": 6, "score": 0.8}],
    "e": [],
}


def write_lines(path: Path, rows: list[dict]) -> Path:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), "utf-8")
    return path


def found_rows(found: dict[str, list[dict]]) -> list[dict]:
    return [{"id": name, "years": years} for name, years in found.items()]


@pytest.fixture(scope="module")
def folder(command, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the command wrote for the documents above, against the regular expression."""
    folder = tmp_path_factory.mktemp("evaluate")
    write_lines(folder / "gold.jsonl", GOLD)
    write_lines(folder / "found.jsonl", found_rows(FOUND))
    arguments = (folder / "gold.jsonl", "--predictions", folder / "found.jsonl", "--baseline", "regex")
    done = command("evaluate", *arguments, "--output", folder / "out")
    assert done.returncode == 0, done.stderr.decode()
    (folder / "stdout").write_bytes(done.stdout)
    return folder


@pytest.fixture(scope="module")
def report(folder: Path) -> dict:
    return json.loads((folder / "out/report.json").read_text("utf-8"))


# Figures ---------------------------------------------------------------------------------------------


def test_figures_are_those_counted_by_hand(report: dict) -> None:
    own, baseline = report["all"]["system"], report["all"]["baseline"]
    assert report["all"]["documents"] == 5
    names = ("gold", "predicted", "strict", "lenient", "with_value", "valued", "value")
    assert [own["counts"][name] for name in names] == [5, 5, 3, 4, 2, 5, 2]
    # 2009, 1914, 1920, 1999, 2001 and, in d, 1200: all but 1999 and 1200 right
    assert [baseline["counts"][name] for name in names[:3]] == [5, 6, 4]
    assert own["strict"]["f1"] == own["strict"]["precision"] == own["strict"]["recall"] == 0.6
    assert own["lenient"]["f1"] == 0.8
    assert own["value"]["f1"] == 0.4
    assert report["all"]["difference"]["f1"] == pytest.approx(0.6 - 8 / 11, abs=1e-5)
    assert report["outcomes"] == {"correct": 2, "missed": 1, "false": 1, "boundary": 1, "type": 0, "value": 1}
    by_form = {name: one["system"]["counts"] for name, one in report["forms"].items()}
    assert {name: (one["gold"], one["strict"]) for name, one in by_form.items()} == {
        "plain": (2, 2),
        "in a date": (1, 0),
        "in a range": (2, 1),
        "era": (0, 0),  # the answer May 1920
    }
    assert [report["sources"][name]["system"]["counts"]["gold"] for name in ("one", "two")] == [4, 1]
    assert [report["languages"][name]["documents"] for name in ("en", "ko")] == [2, 3]
    numbers = report["numbers"]["1000 to 2099"]
    assert [numbers[name] for name in ("in_texts", "no_years", "no_years_tagged")] == [6, 2, 1]


def test_every_error_is_listed_the_surest_first(report: dict) -> None:
    errors = [(e["id"], e["text"], e["outcome"], e["confidence"]) for e in report["errors"]]
    assert errors == [
        ("b", "18", "missed", 1.0),
        ("b", "1999", "false", 0.95),
        ("b", "1920", "boundary", 0.7),
        ("c", "2001", "value", 0.6),
    ]
    comparison = report["comparison"]
    assert [(e["text"], e["outcome"]) for e in comparison["fixed"]] == [("1200", "false")]
    assert [(e["text"], e["outcome"]) for e in comparison["broken"]] == [
        ("1920", "boundary"),
        ("2001", "value"),
    ]
    assert comparison["both"] == 2


def test_tokens_are_counted_as_seqeval_does(report: dict) -> None:
    from seqeval.metrics import classification_report
    from seqeval.scheme import IOB2

    tokenizer, tags = make_tokenizer({}), {"gold": [], "found": []}
    for document in GOLD:
        tokens = tokenizer(document["text"])
        must = [year for year in document["years"] if not year.get("optional")]
        found = FOUND[document["id"]] if document["id"] != "d" else []
        for name, years in (("gold", must), ("found", found)):
            row = ["O"] * len(tokens)
            for year in years:
                inside = tokens.char_span(year["start"], year["end"])
                row[inside.start : inside.end] = ["B-YEAR"] + ["I-YEAR"] * (len(inside) - 1)
            tags[name].append(row)
    theirs = classification_report(
        tags["gold"], tags["found"], mode="strict", scheme=IOB2, output_dict=True, zero_division=0
    )["YEAR"]
    own = report["all"]["system"]["tokens"]
    assert [own["precision"], own["recall"], own["f1"]] == pytest.approx(
        [theirs["precision"], theirs["recall"], theirs["f1-score"]]
    )


def test_a_gold_year_that_is_no_whole_token_is_counted(tmp_path: Path) -> None:
    text = "The year 20091 and 2001."
    rows = [{"id": "a", "text": text, "years": [{"start": 9, "end": 13}, span(text, "2001")]}]
    golds = evaluation.read_gold([write_lines(tmp_path / "gold.jsonl", rows)])
    report = evaluation.evaluate(golds, evaluation.regex(golds[0].documents))
    assert report["not_carried"] == [{"text": "2009", "times": 1}]
    counts = report["all"]["system"]["counts"]
    assert [counts[name] for name in ("gold", "token_gold", "token_strict")] == [2, 1, 1]
    assert report["all"]["system"]["value"] is None  # no gold year has a value
    assert "1 gold year is not made of whole tokens" in " ".join(make_page(report, COST).split())


COST = {"words": 1, "seconds": 1.0, "words_per_second": None, "peak_memory": 1}


def test_intervals_are_those_of_scipy() -> None:
    from scipy.stats import bootstrap

    rng = np.random.default_rng(7)
    gold = rng.integers(0, 4, 60)
    hits = rng.binomial(gold, 0.8)
    predicted = hits + rng.integers(0, 2, 60)

    def f1(hits, predicted, gold, axis=-1):
        return 2 * hits.sum(axis) / (predicted + gold).sum(axis)

    theirs = bootstrap(
        (hits, predicted, gold),
        f1,
        paired=True,
        vectorized=True,
        method="percentile",
        n_resamples=10_000,
        rng=np.random.default_rng(1),
    ).confidence_interval
    rows = {
        k: [(int(gold[k]), int(predicted[k]), int(hits[k]), *[0] * 8)]
        for k in range(60)
        if gold[k] + predicted[k]
    }
    own = evaluation.score(rows, 60, [False])["system"]["strict"]
    assert own["f1"] == pytest.approx(f1(hits, predicted, gold))
    assert own["f1_interval"] == pytest.approx([theirs.low, theirs.high], abs=0.004)


def test_calibration_worked_by_hand() -> None:
    pairs = np.array([(0.95, 1), (0.91, 1), (0.85, 0), (0.82, 1), (0.15, 0)])
    bins = measures.reliability(pairs)
    assert [(one["from"], one["candidates"], one["right"]) for one in bins] == [
        (0.1, 1, 0.0),
        (0.8, 2, 0.5),
        (0.9, 2, 1.0),
    ]
    assert [one["score"] for one in bins] == pytest.approx([0.15, 0.835, 0.93])
    # of 5: 1 off by 0.15, 2 by 0.335, 2 by 0.07
    assert measures.calibration_error(pairs) == pytest.approx((0.15 + 2 * 0.335 + 2 * 0.07) / 5)
    at = measures.thresholds(pairs, 4, [0.5])[0]
    assert [at["precision"], at["recall"]] == [0.75, 0.75]
    assert measures.least_score(pairs, 4, 0.75) == pytest.approx(
        {"min_score": 0.82, "precision": 0.75, "recall": 0.75, "f1": 0.75}
    )
    assert measures.least_score(pairs, 4, 1)["min_score"] == 0.91
    assert measures.least_score(pairs[[2, 4]], 4, 0.5) is None


def test_scores_of_predictions_are_calibrated(report: dict) -> None:
    own = report["calibration"]
    assert own["candidates"] == 5
    # bins 0.6: 0.6, right; 0.7: 0.7, wrong; 0.9: 0.9, 0.95 and 0.99, of which 0.95 is wrong
    assert own["error"] == pytest.approx((0.4 + 0.7 + abs(2.84 - 2)) / 5, abs=1e-5)


@pytest.mark.skipif(not (SHARED / "tools/score.py").is_file(), reason="the shared scorer is not there")
@pytest.mark.parametrize("lang", ["en", "ko"])
def test_figures_are_those_of_the_shared_scorer(lang: str, tmp_path: Path) -> None:
    gold = SHARED / f"corpora/years-{lang}.dev.jsonl"
    golds = evaluation.read_gold([gold])
    answers = evaluation.regex(golds[0].documents)
    rows = [
        {"id": document.id, "years": [answer._asdict() for answer in own]}
        for document, own in zip(golds[0].documents, answers.answers, strict=True)
    ]
    predicted = write_lines(tmp_path / "found.jsonl", rows)
    theirs = json.loads(
        subprocess.check_output(
            [sys.executable, SHARED / "tools/score.py", gold, predicted, "--by", "source", "--json"]
        )
    )
    report = evaluation.evaluate(golds, evaluation.predictions(predicted, golds))
    for name, own in {"all": report["all"], **report["sources"]}.items():
        system, counts = own["system"], own["system"]["counts"]
        assert [counts["gold"], counts["predicted"]] == [theirs[name]["gold"], theirs[name]["pred"]]
        for layer in ("strict", "lenient"):
            for figure, short in (("precision", "p"), ("recall", "r"), ("f1", "f1")):
                assert system[layer][figure] == pytest.approx(theirs[name][f"{layer}_{short}"], abs=1e-4)
        if counts["valued"]:
            accuracy = counts["value"] / counts["valued"]
            assert accuracy == pytest.approx(theirs[name]["value_accuracy"], abs=1e-4)


# The command -----------------------------------------------------------------------------------------


def test_the_same_input_gives_the_same_bytes(command, folder: Path, tmp_path: Path) -> None:
    arguments = (folder / "gold.jsonl", "--predictions", folder / "found.jsonl", "--baseline", "regex")
    assert command("evaluate", *arguments, "--output", tmp_path).returncode == 0
    assert (tmp_path / "report.json").read_bytes() == (folder / "out/report.json").read_bytes()


def test_gates_decide_the_exit_code(command, folder: Path, tmp_path: Path) -> None:
    arguments = ("evaluate", folder / "gold.jsonl", "--predictions", folder / "found.jsonl", "-o", tmp_path)
    done = command(*arguments, "--min", "f1=0.6", "--min", "lenient_f1=0.8", "--min", "recall=0.61")
    assert done.returncode == 1
    assert done.stderr.decode() == "min recall=0.61 failed: recall 0.6000 is below 0.61\n"
    assert "passed min f1=0.6" in done.stdout.decode()
    assert "FAILED min recall=0.61" in (tmp_path / "report.md").read_text("utf-8")
    dropped = command(*arguments, "--baseline", "regex", "--max-drop", "0.1")
    assert dropped.returncode == 1
    assert "max-drop 0.1 failed: f1 0.6000" in dropped.stderr.decode()
    assert command(*arguments, "--baseline", "regex", "--max-drop", "0.13").returncode == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--min", "beauty=1"), "'beauty=1': expected NAME=VALUE"),
        (("--min", "f1=97"), "'f1=97': expected NAME=VALUE, a value from 0 to 1"),
        (("--max-drop", "0.1"), "--max-drop needs a --baseline"),
        (("--model", "x"), "not both"),
        (("--baseline", "nothing"), "nothing: expected 'regex', a file of predictions or a model's folder"),
    ],
)
def test_a_wrong_option_is_refused(command, folder: Path, tmp_path: Path, arguments, message: str) -> None:
    files = (folder / "gold.jsonl", "--predictions", folder / "found.jsonl", "--output", tmp_path / "out")
    done = command("evaluate", *files, *arguments)
    assert done.returncode == 2
    assert message in " ".join(done.stderr.decode().split())
    assert not (tmp_path / "out").exists()


BAD_GOLD = [
    ({"years": [{"start": 0, "end": 99}]}, "a span of 'years' goes from 0 to 99"),
    ({"years": [{"start": 0, "end": 5}, {"start": 4, "end": 9}]}, "gold spans may not overlap"),
    ({"years": [{"start": 0, "end": 5, "label": "PLACE"}]}, "has the label 'PLACE'; expected 'YEAR'"),
    ({}, "has no 'years'"),
    ({"years": [], "id": "a"}, "the id 'a' is that of"),
]


@pytest.mark.parametrize(("record", "message"), BAD_GOLD)
def test_gold_that_does_not_fit_is_refused_with_its_line(tmp_path: Path, record: dict, message: str) -> None:
    path = tmp_path / "gold.jsonl"
    good, bad = {**GOLD[0]}, {"id": "bad", "text": NEPAL, **record}
    path.write_text(f"{json.dumps(good)}\n\n{json.dumps(bad)}\n", "utf-8")
    with pytest.raises(ValueError, match=re.escape(message)) as raised:
        evaluation.read_gold([path])
    assert str(raised.value).startswith(f"{path}:3: ")


BAD_FOUND = [
    ([{"id": "x", "years": []}], ":1: the id 'x' is that of no gold document"),
    (found_rows(FOUND)[:2], "gold.jsonl:3: there is no prediction for 'c'"),
    ([*found_rows(FOUND), {"id": "a", "years": []}], ":6: the id 'a' comes a second time"),
    ([{"id": "a", "years": [{"start": 0, "end": 99}]}], ":1: a span of 'years' goes from 0 to 99"),
    ([{"id": "a", "text": "Other", "years": []}], ":1: the text of 'a' is another one"),
    ([{"id": "a"}], ":1: expected a JSON object with an 'id' and a list 'years'"),
    ([{"id": "a", "years": [{"start": 0, "end": 1, "score": 2}]}], ":1: a score is a probability"),
]


@pytest.mark.parametrize(("rows", "message"), BAD_FOUND)
def test_predictions_that_do_not_fit_are_refused(folder: Path, tmp_path: Path, rows, message: str) -> None:
    path = write_lines(tmp_path / "found.jsonl", rows)
    with pytest.raises(ValueError, match=re.escape(message)):
        evaluation.predictions(path, evaluation.read_gold([folder / "gold.jsonl"]))


def test_gold_comes_in_other_formats_and_in_folders(tmp_path: Path) -> None:
    (tmp_path / "one.tml").write_text(
        '<TimeML><TEXT>In <TIMEX3 tid="t1" type="DATE" value="2009">2009</TIMEX3>.</TEXT></TimeML>', "utf-8"
    )
    import spacy
    from spacy.tokens import DocBin

    doc = spacy.blank("en")("Since 1999 in 2001")
    doc.spans["years"] = [doc[1:2], doc[3:4]]
    DocBin(docs=[doc], store_user_data=True).to_disk(tmp_path / "two.spacy")
    golds = evaluation.read_gold([tmp_path])
    documents = [document for gold in golds for document in gold.documents]
    report = evaluation.evaluate(golds, evaluation.regex(documents))
    assert [gold["name"] for gold in report["gold"]] == ["one.tml", "two.spacy"]
    counts = report["all"]["system"]["counts"]
    assert [counts[name] for name in ("gold", "strict", "valued")] == [3, 3, 1]


def test_the_published_model_is_scored(command, folder: Path, tmp_path: Path) -> None:
    done = command(
        "evaluate", folder / "gold.jsonl", "--baseline", folder / "found.jsonl", "--output", tmp_path
    )
    assert done.returncode == 0, done.stderr.decode()
    report = json.loads((tmp_path / "report.json").read_text("utf-8"))
    assert report["system"]["name"] == "yearmark"
    assert re.fullmatch("[0-9a-f]{64}", report["system"]["sha256"])
    assert report["all"]["system"]["counts"]["strict"] >= 4
    assert report["calibration"]["candidates"] >= 5
    assert "words/s" in done.stdout.decode()


def test_time_expressions_are_scored_with_their_types(command, browser, tmp_path: Path) -> None:
    text = "Every Monday in March 2009 we met for two hours at noon. Room 1999."
    gold = [
        span(text, "Every Monday", type="SET"),
        span(text, "March 2009", type="DATE"),
        span(text, "two hours", type="DURATION"),
        span(text, "noon", type="TIME"),
    ]
    # right; the type wrong; too short, and of another type; missed; invented
    found = [
        span(text, "Every Monday", type="SET", score=0.9),
        span(text, "March 2009", type="TIME", score=0.8),
        span(text, "hours", type="SET", score=0.7),
        span(text, "1999", type="DATE", score=0.6),
    ]
    write_lines(tmp_path / "gold.jsonl", [{"id": "a", "text": text, "timexes": gold}])
    write_lines(tmp_path / "found.jsonl", [{"id": "a", "timexes": found}])
    arguments = ("evaluate", tmp_path / "gold.jsonl", "--layer", "timexes", "--output", tmp_path / "out")
    done = command(*arguments, "--predictions", tmp_path / "found.jsonl", "--min", "type_f1=0.3")
    assert done.returncode == 1, done.stderr.decode()
    assert "type_f1 0.2500 is below 0.3" in done.stderr.decode()
    report = json.loads((tmp_path / "out/report.json").read_text("utf-8"))
    scores = report["all"]["system"]
    assert [scores[way]["f1"] for way in ("strict", "lenient", "type")] == [0.5, 0.75, 0.25]
    assert report["outcomes"] == {
        "correct": 1, "missed": 1, "false": 1, "boundary": 1, "type": 1, "value": 0
    }  # fmt: skip
    assert {(one["gold"], one["answer"], one["times"]) for one in report["types"]} == {
        ("SET", "SET", 1),
        ("DATE", "TIME", 1),
        ("DURATION", "SET", 1),
        ("TIME", None, 1),
        (None, "DATE", 1),
    }
    by_type = {name: one["system"]["counts"] for name, one in report["forms"].items()}
    assert {name: (one["gold"], one["predicted"], one["strict"]) for name, one in by_type.items()} == {
        "SET": (1, 1, 1),
        "DATE": (1, 2, 1),
        "DURATION": (1, 1, 0),
        "TIME": (1, 0, 0),
    }
    page, trouble = look(browser, tmp_path / "out/report.html")
    assert page.title() == "Time expressions found by found.jsonl"
    wrong = page.locator("#errors tbody tr", has_text="TIME for DATE")
    assert wrong.count() == 1
    assert "wrong type" in wrong.inner_text()
    assert page.get_by_label("Outcome").locator("option", has_text="wrong value").count() == 0
    assert trouble == []


def test_the_published_model_is_scored_on_time_expressions(command, tmp_path: Path) -> None:
    text = "We met on 14 March 2009 and left two weeks later."
    gold = [span(text, "14 March 2009", type="DATE"), span(text, "two weeks later", type="DATE")]
    path = write_lines(tmp_path / "gold.jsonl", [{"id": "a", "text": text, "timexes": gold}])
    done = command("evaluate", path, "--layer", "timexes", "--output", tmp_path / "out")
    assert done.returncode == 0, done.stderr.decode()
    report = json.loads((tmp_path / "out/report.json").read_text("utf-8"))
    assert report["all"]["system"]["counts"]["strict"] == 2
    refused = command("evaluate", path, "--layer", "timexes", "--baseline", "regex", "--output", tmp_path)
    assert refused.returncode == 2
    assert "the baseline regex finds years" in refused.stderr.decode()
    unknown = command("evaluate", path, "--layer", "places", "--output", tmp_path)
    assert unknown.returncode == 2
    assert "has no 'places'" in unknown.stderr.decode()


def test_markdown_cannot_be_broken_by_a_text(folder: Path) -> None:
    lines = (folder / "out/report.md").read_text("utf-8").splitlines()
    assert any(line.startswith("| `c:") and "⟦2001⟧" in line for line in lines)
    outside = re.sub(r"`[^`]*`", "", "\n".join(lines))
    assert "<script" not in outside


# In a browser ----------------------------------------------------------------------------------------


def test_long_lists_are_cut_and_it_is_said(tmp_path: Path) -> None:
    rows = [
        {"id": f"{k}", "text": f"{'가나다 ' * 12}{1000 + k % 1000} {'라마바 ' * 12}", "years": []}
        for k in range(10_000)
    ]
    golds = evaluation.read_gold([write_lines(tmp_path / "gold.jsonl", rows)])
    documents = golds[0].documents
    nothing = evaluation.System("nothing", "predictions", None, [[] for _ in documents])
    report = evaluation.evaluate(golds, evaluation.regex(documents), nothing)
    html = make_page(report, COST)
    assert len(report["errors"]) == 10_000
    assert "The first 1,000 of 10,000 are listed" in " ".join(html.split())
    assert "The 100 most frequent of 1,000" in html
    assert len(html.encode()) < 3_000_000


@pytest.fixture(scope="module")
def browser() -> Iterator:
    chromium = shutil.which("chromium")
    if chromium is None:
        message = "there is no chromium to open the pages in; install it with: apt-get install chromium"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    from playwright.sync_api import sync_playwright

    flags = (
        "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
        "--disable-component-update --disable-sync"
    )
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=chromium, args=flags.split())
        yield started
        started.close()


def look(browser, path: Path, width: int = 1280, scheme: str = "light", javascript: bool = True):
    """The page opened offline, and what went wrong: messages of the console, requests for anything else."""
    context = browser.new_context(
        viewport={"width": width, "height": 800},
        color_scheme=scheme,
        offline=True,
        java_script_enabled=javascript,
    )
    page, trouble = context.new_page(), []
    page.on("console", lambda message: trouble.append(message.text))
    page.on("pageerror", lambda error: trouble.append(str(error)))
    page.on("request", lambda request: None if request.url == path.as_uri() else trouble.append(request.url))
    page.goto(path.as_uri())
    return page, trouble


def test_the_page_opens_offline_on_a_phone_and_every_figure_has_its_table(browser, folder: Path) -> None:
    page, trouble = look(browser, folder / "out/report.html", 390)
    figures = page.locator("figure")
    names = [figures.nth(k).get_attribute("id") for k in range(figures.count())]
    assert names == ["sources", "languages", "forms", "lengths", "positions", "calibration"]
    for name in names:
        for chart in page.locator(f"#{name} svg[role=img]").all():
            assert min(chart.bounding_box()[side] for side in ("width", "height")) > 50
        page.locator(f"#{name} summary").click()
        assert page.locator(f"#{name} details tbody tr").first.is_visible()
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    ids = page.eval_on_selector_all("[id]", "all => all.map(one => one.id)")
    assert len(ids) == len(set(ids))
    assert trouble == []


def test_a_hostile_text_is_shown_and_does_nothing(browser, folder: Path) -> None:
    page, trouble = look(browser, folder / "out/report.html")
    assert page.title() == "Years found by found.jsonl"
    assert "title = 'run'</script> in 2001 <b>& so</b>" in page.locator("#errors").inner_text()
    assert page.locator("script").count() == 1
    assert trouble == []


def test_search_narrows_the_errors(browser, folder: Path) -> None:
    page, trouble = look(browser, folder / "out/report.html")
    shown = page.locator("#errors tbody tr:visible")
    assert shown.count() == 4
    page.get_by_label("Search the errors").fill("FALSE b:")
    assert shown.count() == 1
    assert "1999" in shown.inner_text()
    assert page.locator("output").inner_text() == "1 of 4"
    page.get_by_label("Search the errors").fill("")
    page.get_by_label("Outcome").select_option("wrong value")
    assert shown.count() == 1
    assert "1901 for 2001" in shown.inner_text()
    assert trouble == []


def test_without_javascript_all_errors_are_there_and_no_dead_search(browser, folder: Path) -> None:
    page, _ = look(browser, folder / "out/report.html", javascript=False)
    assert page.locator("#errors tbody tr:visible").count() == 4
    assert not page.locator(".search").is_visible()


def test_the_theme_follows_the_reader(browser, folder: Path) -> None:
    colours = []
    for scheme in ("light", "dark"):
        page, _ = look(browser, folder / "out/report.html", scheme=scheme)
        style = "one => getComputedStyle(one).{}"
        colours.append(
            [
                page.locator("body").evaluate(style.format("backgroundColor")),
                page.locator("#forms svg text").first.evaluate(style.format("fill")),
            ]
        )
    assert all(light != dark for light, dark in zip(*colours, strict=True))
