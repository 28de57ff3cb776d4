"""Charts, pages, and the invariance report in a real browser."""

import json
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from yearmark.evaluation import drawing
from yearmark.evaluation.invariance_page import page as make_page
from yearmark.evaluation.invariance_page import write

ROOT = Path(__file__).parents[1]
FIGURES = [
    *("gaps", "length", "heat", "memory", "practised", "examples", "forms", "real", "parameters"),
    "published",
]
PICTURES = [
    *("unrolled-late", "unrolled-early", "one-to-one", "one-to-many", "many-to-one", "many-to-many"),
    "many-to-many-aligned",
]
# Two encoders, of which one cannot read the longer sentences, hardly trained.
TINY = """
seeds = 2
processes = 1
published = "PUBLISHED"
[features]
rows = { norm = 100, prefix = 50, suffix = 50, start = 20 }
width = { norm = 4, prefix = 2, suffix = 2, start = 2, shape = 4, gap = 2 }
[training]
steps = 5
sentences = 20
fewer_and_more = [10]
practice = [4, 8]
[tests]
sentences = 4
longest = 80
memory = 4
real = "REAL"
around = [0, 10]
resamples = 20
[encoders."Feedforward, 20"]
name = "feedforward"
hidden = 4
longest = 20
[encoders."RNN →"]
name = "rnn"
hidden = 4
bidirectional = false
[encoders."LSTM →"]
name = "lstm"
hidden = 4
bidirectional = false
"""
REAL = [
    "I went to Nepal in 2009, and came back in 2011.",
    "In 2009, I went to Nepal.",
    "2009 people went to Nepal in room 1999.",
]
MEASURED = {
    "format": 1,
    "languages": {
        "en": {
            "sentences": 3,
            "counts": {
                "run-on": {
                    "0": {"decisions": 200, "same": 200, "numbers_around": 0, "tagged_around": 0},
                    "10": {"decisions": 200, "same": 199, "numbers_around": 0, "tagged_around": 0},
                    "100": {"decisions": 200, "same": 190, "numbers_around": 0, "tagged_around": 0},
                }
            },
            "changed": [
                {
                    "before": "<b>in ",
                    "text": "2009",
                    "after": "",
                    "alone": True,
                    "score": 0.61,
                    "in": {"run-on": [100]},
                }
            ],
        }
    },
}


# Charts ----------------------------------------------------------------------------------------------


def charts(key: str) -> dict[str, str]:
    line = drawing.Line("RNN → & <co>", [20, 40, 80], [0.9, 0.5, None], [(0.8, 1), (0.4, 0.6), None])
    return {
        "lines": drawing.lines(key, "T", "D", [line], x_label="tokens", reference=("guess", 0.7)),
        "heat map": drawing.heat_map(key, "T", "D", [[0.1, None], [1, 0.6]], ["a", "b"], ["1", "2"]),
        "dots": drawing.dots(key, "T", "D", ["a"], [("gap", [drawing.Dot(0.2, 0.1, 0.3)])], x_label="gap"),
    }


@pytest.mark.parametrize("kind", ["lines", "heat map", "dots"])
def test_a_chart_is_the_same_twice_and_shares_no_id(kind: str) -> None:
    one, again, other = charts("one")[kind], charts("one")[kind], charts("other")[kind]
    assert one == again
    ids, others = (re.findall(r' id="([^"]+)"', svg) for svg in (one, other))
    assert len(ids) == len(set(ids)) >= 2
    assert not set(ids) & set(others)
    referred = re.findall(r'(?:href="|url\()#([^")]+)', one)
    assert set(referred) <= set(ids)


@pytest.mark.parametrize("kind", ["lines", "heat map", "dots"])
def test_a_chart_takes_colours_and_size_from_the_page(kind: str) -> None:
    svg = charts("one")[kind]
    assert "#5eed" not in svg
    assert not re.search(r"#[0-9a-f]{6}", svg)
    assert "var(--ink)" in svg
    head = svg[: svg.index(">")]
    assert 'role="img"' in head
    assert "viewBox" in head
    assert " width=" not in head
    assert "<title" in svg
    assert "<desc" in svg


def test_a_line_says_where_it_ends_and_text_stays_text() -> None:
    svg = charts("one")["lines"]
    assert ">RNN → &amp; &lt;co&gt;: up to 40</text>" in svg
    assert ">guess</text>" in svg


def test_what_cannot_be_is_hatched_and_has_no_number() -> None:
    svg = charts("one")["heat map"]
    assert svg.count("<pattern") == svg.count("fill: url(#") == 1
    assert [text for text in re.findall(r">([^<>]+)</text>", svg) if text.isdecimal()].count("0") == 0
    assert {"10", "100", "60"} <= set(re.findall(r">(\d+)</text>", svg))


# The page --------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def folder(command, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the command wrote for the tiny configuration."""
    folder = tmp_path_factory.mktemp("invariance")
    published, real = folder / "published.json", folder / "real.jsonl"
    published.write_text(json.dumps(MEASURED), "utf-8")
    years = [[(19, 23), (42, 46)], [(3, 7)], []]
    records = [
        {"text": text, "years": [{"start": a, "end": b} for a, b in own]}
        for text, own in zip(REAL, years, strict=True)
    ]
    real.write_text("".join(json.dumps(record) + "\n" for record in records), "utf-8")
    config = TINY.replace("PUBLISHED", str(published)).replace("REAL", str(real))
    (folder / "tiny.toml").write_text(config, "utf-8")
    done = command("invariance", folder / "tiny.toml", "--output", folder)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.mark.long
def test_the_command_again_writes_the_page_anew_without_training(command, folder: Path) -> None:
    before = {name: (folder / name).read_bytes() for name in ("invariance.html", "cells.jsonl")}
    (folder / "invariance.html").unlink()
    done = command("invariance", folder / "tiny.toml", "--output", folder)
    assert done.returncode == 0, done.stderr
    assert {name: (folder / name).read_bytes() for name in before} == before


def words(html: str) -> str:
    """The text of a page without its charts and tables of data, spaces as one."""
    html = re.sub(r"<(svg|details|style)\b.*?</\1>", " ", html, flags=re.DOTALL)
    return " ".join(re.sub(r"<[^>]+>", " ", html).replace("\N{NO-BREAK SPACE}", " ").split())


def with_f1(results: dict, f1: dict[str, float], prefixes: tuple[str, ...]) -> dict:
    """The results with these F1, by encoder, in the cells whose name begins so."""
    changed = json.loads(json.dumps(results))
    for name, value in f1.items():
        for cell in changed["encoders"][name]["cells"]:
            if cell.startswith(prefixes) and changed["encoders"][name]["cells"][cell]:
                changed["encoders"][name]["cells"][cell]["f1"] = value
    return changed


def test_words_say_what_the_figures_say(folder: Path) -> None:
    results = json.loads((folder / "results.json").read_text("utf-8"))
    every = ("seen", "length", "memory", "practised")
    good = with_f1(results, {"RNN →": 0.95, "LSTM →": 1.0}, every)
    said = words(make_page(good, None))
    assert "2 of 2 recurrent encoders keep 98 % or more of their F1 at 80 tokens" in said
    assert "0 of 1 other encoders keep 98 % or more of their F1 at 80 tokens; 1 cannot read them" in said
    assert "after training on at most 20. 2 of 2 do. as expected" in said
    assert "RNN →: 4 tokens, practised 4; LSTM →: 4 tokens, practised 4." in said
    assert "0 of 1 do; no farther: LSTM → (4 against 4), in tokens. otherwise" in said
    assert "make bench-position" in said

    mixed = with_f1(good, {"RNN →": 0.475}, ("length/80", "memory/2"))
    said = words(make_page(mixed, None))
    assert "1 of 2 recurrent encoders keep 98 %" in said
    assert "1 of 2 do; less: RNN → (50.0 %). partly" in said
    assert "keep from 50.0 % (RNN →) to 100.0 % (LSTM →) of the F1" in said
    assert "RNN →: 1 token, practised 4; LSTM →: 4 tokens, practised 4." in said
    assert "After the usual training GRU and LSTM remember farther than the plain RNN of their kind. " in said
    assert "1 of 1 do. as expected" in said


def test_the_published_model_stands_in_the_page(folder: Path) -> None:
    html = (folder / "invariance.html").read_text("utf-8")
    said = words(html)
    assert "In 1 of the 2 combinations" in said
    assert "The lowest share is 95.00 % (English, run-on, 100 tokens on each side): 190 of 200" in said
    assert "&lt;b&gt;in <mark>2009</mark>" in html


def test_figures_of_another_format_are_refused(folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "published.json"
    path.write_text(json.dumps({**MEASURED, "format": 7}), "utf-8")
    with pytest.raises(ValueError, match=r"published\.json has format 7.*make bench-position"):
        write(folder, path)


# In a browser ----------------------------------------------------------------------------------------


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
        # a new profile each time, which Playwright deletes
        started = playwright.chromium.launch(executable_path=chromium, args=flags.split())
        yield started
        started.close()


def look(browser, path: Path, width: int, scheme: str = "light", javascript: bool = True):
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


def check(browser, path: Path) -> None:
    """Figures, tables and pictures are there and seen; nothing is loaded, nothing is wider than a phone."""
    page, trouble = look(browser, path, 360)
    figures = page.locator("figure")
    assert [figures.nth(k).get_attribute("id") for k in range(figures.count())] == FIGURES
    for name in FIGURES:
        charts = page.locator(f"#{name} svg[role=img]")
        assert charts.count() >= 1
        for chart in charts.all():
            box = chart.bounding_box()
            assert min(box["width"], box["height"]) > 50
            assert chart.locator("text").count() > 3
        rows = page.locator(f"#{name} details tbody tr")
        assert rows.count() >= 1
        details = page.locator(f"#{name} details")
        if details.get_attribute("open") is None:
            assert not rows.first.is_visible()
            details.locator("summary").click()
        assert rows.first.is_visible()
    for name in PICTURES:
        assert page.locator(f"svg#{name}").is_visible()
    ids = page.eval_on_selector_all("[id]", "all => all.map(one => one.id)")
    assert len(ids) == len(set(ids))
    assert page.evaluate("document.documentElement.scrollWidth") == 360  # all tables are open
    used = set(re.findall(r"var\((--[\w-]+)\)", page.content()))
    value = "name => getComputedStyle(document.querySelector('.chart')).getPropertyValue(name)"
    assert [name for name in used if not page.evaluate(value, name)] == []
    assert page.locator("script").count() == 0
    assert trouble == []


def test_the_page_opens_in_a_browser_offline_on_a_phone(browser, folder: Path) -> None:
    check(browser, folder / "invariance.html")


def test_the_theme_follows_the_reader(browser, folder: Path) -> None:
    colours = {}
    for scheme in ("light", "dark"):
        page, trouble = look(browser, folder / "invariance.html", 1280, scheme)
        style = "one => getComputedStyle(one).{}"
        colours[scheme] = [
            page.locator("body").evaluate(style.format("backgroundColor")),
            page.locator("#length svg text").first.evaluate(style.format("fill")),
            page.locator("#heat svg path[style*='--heat-']").first.evaluate(style.format("fill")),
        ]
        assert trouble == []
    assert all(light != dark for light, dark in zip(*colours.values(), strict=True))


def test_without_javascript_nothing_is_missing(browser, folder: Path) -> None:
    page, trouble = look(browser, folder / "invariance.html", 1280, javascript=False)
    assert page.locator("figure svg.chart").count() >= len(FIGURES)
    assert page.locator("h1").is_visible()
    assert trouble == []


@pytest.mark.long
def test_the_page_of_the_smoke_run(command, browser, tmp_path: Path) -> None:
    config = (ROOT / "configs/invariance-smoke.toml").read_text("utf-8")
    real = json.dumps(str(ROOT.parent / "shared/corpora/years-en.dev.jsonl"))
    if not Path(json.loads(real)).is_file():
        pytest.skip("the development corpus is not there")
    published = tmp_path / "published.json"
    published.write_text(json.dumps(MEASURED), "utf-8")
    path = tmp_path / "smoke.toml"
    path.write_text(f"published = {json.dumps(str(published))}\n{config}", "utf-8")
    done = command("invariance", path, "--output", tmp_path)
    assert done.returncode == 0, done.stderr
    check(browser, tmp_path / "invariance.html")
