"""How fast (`make bench`): stages, whole runs, sizes and memory, as ratios to spaCy's tokenizer.

Every ratio is taken within one run, of medians of several; the yardstick is the warm tokenizer of
`spacy.blank("en")`, one process, one core.
"""

from __future__ import annotations

import json
import os
import platform
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict
from importlib.metadata import version
from itertools import islice
from pathlib import Path
from typing import Any

import click
import spacy
from rich.console import Console

import yearmark
from peers import PEERS
from tables import Table, markdown, show
from yearmark import tags
from yearmark.evaluation.drawing import Line, lines
from yearmark.gate import segments_with_numbers
from yearmark.training.grammar import Grammar

ROOT = Path(__file__).parents[1]
CORPORA = ROOT.parent / "shared/corpora"
OUTPUT = ROOT / "docs/speed"
REPEATS = 5
COPIES = (1, 10, 100)
HEAD = """# Speed

Written by `make bench`; the figures as data are in `speed.json`. Every ratio is taken within one run, of
medians; the yardstick is the warm tokenizer of `spacy.blank("en")`, one process, one core. Memory is that of
an installation without torch.

![Seconds of the command and of the tokenizer against words](time.svg)

"""
# A picture in a README has no page to take its colours from.
STYLE = """<style>
:root { --ink: #222; --muted: #666; --grid: #ddd; --series-1: #0a62b0; --series-2: #b0500a; background: #fff }
</style>"""


def words(texts: Iterable[str]) -> int:
    """How many, between white space."""
    return sum(len(text.split()) for text in texts)


def median(repeats: int, *runs: Callable[[], object]) -> list[float]:
    """Median seconds of each, the runs taking turns so that a noisy moment strikes all alike."""
    seconds: list[list[float]] = [[] for _ in runs]
    for _ in range(repeats):
        for mine, run in zip(seconds, runs, strict=True):
            start = time.perf_counter()
            run()
            mine.append(time.perf_counter() - start)
    return [statistics.median(mine) for mine in seconds]


def drain(answers: Iterable[object]) -> None:
    """Take all of them and keep none."""
    for _ in answers:
        pass


def corpus(name: str, fallback: Callable[[], list[str]]) -> list[str]:
    """The texts of a corpus where it is there, else built ones."""
    path = CORPORA / name
    if path.is_file():
        return [json.loads(line)["text"] for line in path.open(encoding="utf-8")]
    return fallback()


def news() -> list[str]:
    """Sparse: paragraphs of sentences without numbers, one in ten with."""
    grammar = Grammar(ROOT / "data/grammar/en.toml")
    sentences = [document.text for document in grammar.sentences(6_000, 1)]
    rng = random.Random(1)
    return [
        " ".join(
            rng.choice(sentences) if rng.random() < 0.1 else rng.choice(grammar.filler) for _ in range(25)
        )
        for _ in range(1_000)
    ]


def encyclopedia() -> list[str]:
    """Dense: every sentence from the grammar."""
    sentences = [document.text for document in Grammar(ROOT / "data/grammar/en.toml").sentences(6_000, 2)]
    return [" ".join(sentences[k : k + 60]) for k in range(0, len(sentences), 60)]


def numbers() -> list[str]:
    """Nothing but tables."""
    rng = random.Random(3)

    def row() -> str:
        return " | ".join(
            [
                str(rng.randint(1800, 2030)),
                *(f"{rng.randint(1, 99999):,}" for _ in range(4)),
                f"{rng.random():.3f}",
            ]
        )

    return ["Year | A | B | C | D | Share\n" + "\n".join(row() for _ in range(60)) for _ in range(200)]


def stages(texts: Sequence[str]) -> dict[str, float]:
    """Seconds of the stages of one pass over the texts, one after the other."""
    tagger = yearmark.load()
    tagged = list(tagger.pipe(texts))
    lines = [json.dumps({"text": text}, ensure_ascii=False) for text in texts]
    clock = [time.perf_counter()]
    drain(map(json.loads, lines))
    clock.append(time.perf_counter())
    chunk = [text[a:b] for text in texts for a, b in segments_with_numbers(text)]
    clock.append(time.perf_counter())
    batches = [list(islice(chunk, k, k + 400)) for k in range(0, len(chunk), 400)]
    tokens = [tagger._reader(batch) for batch in batches]
    clock.append(time.perf_counter())
    logits = [tagger.logits(one) for one in tokens]
    clock.append(time.perf_counter())
    for one, (scores, rows) in zip(tokens, logits, strict=True):
        first = one.segment[rows] != [-1, *one.segment[rows[:-1]]]
        tags.decode(scores, first, one.begins[rows], one.begins[rows])
    clock.append(time.perf_counter())
    for text, years in zip(texts, tagged, strict=True):
        json.dumps({"text": text, "years": [asdict(year) for year in years]}, ensure_ascii=False)
    clock.append(time.perf_counter())
    names = ("read", "gate", "tokens and features", "network", "decode", "write")
    return {name: end - start for name, start, end in zip(names, clock, clock[1:], strict=False)}


def peak_memory(code: str, *arguments: object) -> tuple[float, float]:
    """Seconds of Python code in a process of its own, and its peak memory or its greatest child's (MB)."""
    # torch, where training has installed it, is imported by spaCy itself: not so for who only tags
    head = "import sys; sys.modules['torch'] = None\n"
    # of its own memory, the greatest amount since its program was loaded: rusage counts the parent's before
    tail = """
import re, resource
own = int(re.search("VmHWM:\\\\s+(\\\\d+)", open("/proc/self/status").read())[1])
print(max(own, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss) / 1024)
"""
    start = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", head + code + tail, *map(str, arguments)],
        check=True,
        capture_output=True,
        text=True,
    )
    return time.perf_counter() - start, float(done.stdout.splitlines()[-1])


def whole_runs(quick: bool) -> dict[str, Any]:
    """The library on the three texts, with one thread and two, against tokenizer and ner."""
    nlp = spacy.blank("en")
    results: dict[str, Any] = {}
    taggers = {threads: yearmark.load(threads=threads) for threads in (1, 2)}
    texts_of = {
        "news": corpus("silver.jsonl", news),
        "encyclopedia": corpus("wikiwars-train.jsonl", encyclopedia),
        "numbers": numbers(),
    }
    for name, texts in texts_of.items():
        if quick:
            texts = texts[: len(texts) // 10 or 1]
        drain(nlp.pipe(texts))
        for tagger in taggers.values():
            drain(tagger.pipe(texts))
        yardstick, one, two, both = median(
            REPEATS,
            lambda texts=texts: drain(nlp.pipe(texts)),
            lambda texts=texts: drain(taggers[1].pipe(texts)),
            lambda texts=texts: drain(taggers[2].pipe(texts)),
            lambda texts=texts: drain(taggers[2].pipe_layers(texts)),
        )
        count = words(texts)
        results[name] = {
            "words": count,
            "tokenizer_words_per_s": count / yardstick,
            "ratio_1_thread": yardstick / one,
            "ratio_2_threads": yardstick / two,
            "ratio_both_layers": yardstick / both,
            "stages_s": stages(texts),
        }
    return results


def peers() -> dict[str, float]:
    """Words/s of this tool and of the peers that are installed, on some of the news."""
    texts = corpus("silver.jsonl", news)[:40]
    tagger = yearmark.load(threads=2)
    drain(tagger.pipe(texts))
    runs: dict[str, Callable[[], object]] = {"yearmark": lambda: drain(tagger.pipe(texts * 20))}
    for peer in PEERS:
        try:
            find = peer.make("en")
        except ImportError:
            continue
        find(texts[0])
        runs[peer.name] = lambda find=find: drain(map(find, texts))  # type: ignore[misc]
    seconds = dict(zip(runs, median(REPEATS, *runs.values()), strict=True))
    seconds["yearmark"] /= 20
    return {name: words(texts) / one for name, one in seconds.items()}


def command(quick: bool) -> list[dict[str, Any]]:
    """`yearmark tag` on JSON Lines, start-up included, for growing files."""
    texts = corpus("silver.jsonl", news)[: 250 if quick else None]
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        source, out = Path(folder) / "in.jsonl", Path(folder) / "out.jsonl"
        for copies in COPIES[: 2 if quick else 3]:
            with source.open("w", encoding="utf-8") as file:
                for _ in range(copies):
                    file.writelines(json.dumps({"text": text}, ensure_ascii=False) + "\n" for text in texts)
            tokenizer = """
import json, spacy, sys
nlp = spacy.blank("en")
for doc in nlp.tokenizer.pipe(json.loads(line)["text"] for line in open(sys.argv[1], encoding="utf-8")): pass
"""
            tag = """
import sys
from yearmark.cli import main
try: main(["tag", sys.argv[1], "-o", sys.argv[2], "--force", "--workers", "1"])
except SystemExit: pass
"""
            repeats = 1 if copies == COPIES[-1] else REPEATS
            pairs = [(peak_memory(tokenizer, source), peak_memory(tag, source, out)) for _ in range(repeats)]
            base, ours = (statistics.median(p[k][0] for p in pairs) for k in (0, 1))
            rows.append(
                {
                    "copies": copies,
                    "words": copies * words(texts),
                    "seconds": ours,
                    "tokenizer_s": base,
                    "ratio": base / ours,
                    "peak_mb": max(p[1][1] for p in pairs),
                }
            )
    return rows


def one_document(quick: bool) -> dict[str, float]:
    """One long document against the same text in small ones."""
    texts = corpus("silver.jsonl", news)
    small = (texts * (1 + (5 if quick else 50) * 1_000_000 // sum(map(len, texts))))[:]
    size = (5 if quick else 50) * 1_000_000
    whole = "\n\n".join(small)[:size]
    tagger = yearmark.load(threads=2)
    drain(tagger.pipe(texts[:300]))
    pieces = [whole[k : k + 2_000] for k in range(0, size, 2_000)]
    together, apart = median(1, lambda: tagger(whole), lambda: drain(tagger.pipe(pieces)))
    code = """
import sys, yearmark
text = open(sys.argv[1], encoding="utf-8").read()
yearmark.load(threads=2)(text)
"""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "whole.txt"
        path.write_text(whole, encoding="utf-8")
        _, peak = peak_memory(code, path)
        path.write_text(whole[:1_000], encoding="utf-8")
        _, base = peak_memory(code, path)
    return {
        "megabytes": size / 1e6,
        "seconds": together,
        "ratio_to_small": together / apart,
        "memory_times_text": (peak - base) / (size / 2**20),
    }


def start_up() -> dict[str, float]:
    """Seconds of the command's start."""

    def run(*arguments: str) -> Callable[[], object]:
        return lambda: subprocess.run(
            arguments, input=b"In 2009, I went to Nepal.\n", check=True, capture_output=True
        )

    program = str(Path(sys.executable).with_name("yearmark"))
    help_, tag, import_spacy = median(
        REPEATS, run(program, "--help"), run(program, "tag"), run(sys.executable, "-c", "import spacy")
    )
    return {"help_s": help_, "tag_one_sentence_s": tag, "ratio_to_import_spacy": tag / import_spacy}


def tables(found: dict[str, Any]) -> list[Table]:
    """The figures as tables."""
    whole = [
        [
            name,
            f"{row['words']:,}",
            f"{row['tokenizer_words_per_s']:,.0f}",
            f"{row['ratio_1_thread']:.2f}",
            f"{row['ratio_2_threads']:.2f}",
            f"{row['ratio_both_layers']:.2f}",
        ]
        for name, row in found["whole"].items()
    ]
    parts = [
        [name, *(f"{seconds:.3f}" for seconds in row["stages_s"].values())]
        for name, row in found["whole"].items()
    ]
    fastest = found["peers"]["yearmark"]
    others = [
        [name, f"{speed:,.0f}", "" if name == "yearmark" else f"{fastest / speed:,.1f}"]
        for name, speed in found["peers"].items()
    ]
    growing = [
        [
            f"{r['copies']}",
            f"{r['words']:,}",
            f"{r['seconds']:.1f}",
            f"{r['ratio']:.2f}",
            f"{r['peak_mb']:.0f}",
        ]
        for r in found["command"]
    ]
    single = [
        [name, f"{value:.2f}"] for part in ("document", "start_up") for name, value in found[part].items()
    ]
    machine = found["machine"]
    return [
        Table(
            "Library: words/s as a share of the tokenizer's",
            ("text", "words", "tokenizer words/s", "1 thread", "2 threads", "years and timexes, 2 threads"),
            whole,
            f"Python {machine['python']}, spaCy {machine['spacy']}, ONNX Runtime {machine['onnxruntime']}, "
            f"{machine['cores']} cores.",
        ),
        Table("On news, 2 threads", ("tool", "words/s", "yearmark is faster, times"), others),
        Table(
            "Stages, seconds",
            ("text", "read", "gate", "tokens, features", "network", "decode", "write"),
            parts,
        ),
        Table(
            "Command on JSON Lines: share of the tokenizer over the same file",
            ("copies", "words", "s", "ratio", "MB"),
            growing,
        ),
        Table("One long document; start-up", ("figure", "value"), single),
    ]


def _figures(found: dict[str, Any]) -> Iterator[tuple[str, float]]:
    """Names and values of the ratios that two runs can be compared by."""
    for name, row in found["whole"].items():
        yield f"{name}, 1 thread", row["ratio_1_thread"]
        yield f"{name}, 2 threads", row["ratio_2_threads"]
    for row in found["command"]:
        yield f"command, {row['copies']} copies", row["ratio"]
    for part in ("document", "start_up"):
        for name, value in found[part].items():
            yield name, value


def plot(rows: Sequence[dict[str, Any]]) -> str:
    """Seconds against words, of the command and of the tokenizer, as an SVG file of its own."""
    count = [round(row["words"] / 1e6, 1) for row in rows]
    chart = lines(
        "speed",
        "Time against size",
        "Seconds of yearmark tag and of the tokenizer alone, over files of growing size",
        [
            Line("yearmark tag", count, [row["seconds"] for row in rows]),
            Line("spaCy's tokenizer alone", count, [row["tokenizer_s"] for row in rows]),
        ],
        x_label="million words",
        y_label="seconds",
        log_y=True,
        y_range=None,
    )
    alone = str(chart).replace("<svg", '<svg xmlns="http://www.w3.org/2000/svg"', 1)
    return alone.replace("<title", STYLE + "<title", 1)


@click.command()
@click.option("--quick", is_flag=True, help="A tenth of the text.")
@click.option("-o", "--output", type=click.Path(path_type=Path), default=OUTPUT, show_default=True)
@click.option("--compare", is_flag=True, help="Say what changed against the JSON in the output folder.")
def main(quick: bool, output: Path, compare: bool) -> None:
    """Measure, print, and write speed.json and README.md to the output folder."""
    found = {
        "machine": {
            "python": platform.python_version(),
            "spacy": version("spacy"),
            "onnxruntime": version("onnxruntime"),
            "cores": len(os.sched_getaffinity(0)),
        },
        "whole": whole_runs(quick),
        "peers": peers(),
        "command": command(quick),
        "document": one_document(quick),
        "start_up": start_up(),
    }
    console = Console(width=80)
    for table in tables(found):
        show(console, table)
    path = output / "speed.json"
    if compare:
        old = dict(_figures(json.loads(path.read_text(encoding="utf-8"))))
        rows = [[name, f"{old[name]:.2f}", f"{now:.2f}"] for name, now in _figures(found) if name in old]
        show(console, Table("Against the committed figures", ("figure", "then", "now"), rows))
        return
    output.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    (output / "time.svg").write_text(plot(found["command"]), encoding="utf-8")
    page = HEAD + "\n".join(map(markdown, tables(found)))
    (output / "README.md").write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
