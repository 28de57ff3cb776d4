"""Does the published model answer the same wherever a sentence stands (`make bench-position`)?

Every sentence of the gold files is tagged alone, and again with neutral text on both sides of it.
"""

from __future__ import annotations

import json
import random
import re
import tomllib
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import tee
from pathlib import Path
from typing import Any, NamedTuple

import click
from rich.console import Console
from tqdm import tqdm

import yearmark
from tables import Table, show
from yearmark.tokenizer import make_tokenizer
from yearmark.training.corpora import read
from yearmark.training.document import Document

ROOT = Path(__file__).parents[1]
LANGUAGES = ("en", "ko")
CORPORA = ROOT.parent / "shared/corpora"
OUTPUT = ROOT / "docs/invariance/published.json"
FORMAT = 1  # of published.json
DISTANCES = (0, 10, 100, 1_000, 5_000)  # tokens before the sentence, and as many after it
_NUMBER = re.compile(r"\d+")
REACH = 20  # characters of context on each side of a changed decision
SEED = 0


class Kind(NamedTuple):
    """A kind of neutral text: with sentence ends or none, with numbers that are no years or none."""

    name: str
    has_ends: bool
    has_numbers: bool


KINDS = (
    Kind("sentences", True, False),
    Kind("sentences, numbers", True, True),
    Kind("run-on", False, False),
    Kind("run-on, numbers", False, True),
)


class Neutral:
    """A long neutral text, from which pieces of so many tokens are cut at the bounds of its clauses."""

    def __init__(self, words: dict[str, Any], kind: Kind) -> None:
        rng = random.Random(SEED)
        clauses: list[str] = words["plain"] + (words["numbers"] if kind.has_numbers else [])
        pieces, size, most = [], 0, max(DISTANCES)
        while size < 4 * most:
            for clause in rng.sample(clauses, len(clauses)):
                clause = clause.format(n=rng.randint(1500, 2099))
                if kind.has_ends:
                    piece = clause[0].upper() + clause[1:] + words["stop"]
                else:
                    piece = words["and"] + clause + words["go_on"]
                pieces.append(piece)
                size += len(piece.split())
        self.text = "".join(pieces)
        tokens = make_tokenizer({})(self.text)
        self.starts = [token.idx for token in tokens]
        self.ends = [token.idx + len(token) for token in tokens]
        bounds, at = set(), 0
        for piece in pieces:
            bounds.add(at)
            at += len(piece)
        # tokens at which a clause begins, with enough text on both sides
        self.bounds = [
            k for k, at in enumerate(self.starts) if at in bounds and most <= k < len(tokens) - most
        ]

    def around(self, rng: random.Random, distance: int) -> tuple[str, str]:
        """``distance`` tokens up to the end of a clause, and as many from the beginning of another."""
        before, after = rng.choices(self.bounds, k=2)
        if not distance:
            return "", ""
        return (
            self.text[self.starts[before - distance] : self.starts[before]],
            " " + self.text[self.starts[after] : self.ends[after + distance - 1]],
        )


def embedded(documents: Sequence[Document], neutral: Neutral, distance: int) -> Iterator[tuple[int, str]]:
    """The texts with neutral text around them, each with the offset of the sentence in it."""
    for number, document in enumerate(documents):
        # as often as it is called, the same for a sentence; the farther text continues the nearer one
        before, after = neutral.around(random.Random(f"{SEED} {number}"), distance)
        yield len(before), before + document.text + after


class Decision(NamedTuple):
    """A span of a sentence, by the sentence's number, that is tagged as a year alone or embedded."""

    sentence: int
    start: int
    end: int


def measure(tagger: yearmark.Tagger, language: str, documents: Sequence[Document]) -> dict[str, Any]:
    """Counts of a language by kind and distance, and its changed decisions."""
    with (ROOT / "data/neutral.toml").open("rb") as file:
        words = tomllib.load(file)[language]
    alone = [
        {(year.start, year.end): year.score for year in years}
        for years in tagger.pipe(document.text for document in documents)
    ]
    counts: dict[str, dict[str, dict[str, int]]] = {}
    changed: dict[Decision, dict[str, Any]] = {}
    bar = tqdm(total=len(KINDS) * len(DISTANCES) * len(documents), desc=language, disable=None)
    for kind in KINDS:
        neutral = Neutral(words, kind)
        counts[kind.name] = {}
        for distance in DISTANCES:
            row = Counter[str]()
            here, texts = tee(embedded(documents, neutral, distance))
            answers = tagger.pipe(text for _, text in texts)
            for number, ((offset, text), years) in enumerate(zip(here, answers, strict=True)):
                own = documents[number].text
                spans = {(year.start - offset, year.end - offset): year.score for year in years}
                found = {span: score for span, score in spans.items() if span[1] > 0 and span[0] < len(own)}
                row["decisions"] += len(alone[number].keys() | found.keys())
                row["same"] += len(alone[number].keys() & found.keys())
                row["numbers_around"] += len(_NUMBER.findall(text)) - len(_NUMBER.findall(own))
                row["tagged_around"] += len(spans) - len(found)
                for span in alone[number].keys() ^ found.keys():
                    score = alone[number].get(span, found.get(span))
                    note = changed.setdefault(
                        Decision(number, *span), {"alone": span in alone[number], "score": score, "in": {}}
                    )
                    note["in"].setdefault(kind.name, []).append(distance)
                bar.update()
            counts[kind.name][str(distance)] = dict(row)
    bar.close()
    return {
        "sentences": len(documents),
        "counts": counts,
        "changed": [
            {**_context(documents[decision.sentence].text, decision), **note}
            for decision, note in sorted(changed.items())
        ],
    }


def _context(text: str, decision: Decision) -> dict[str, str]:
    start, end = max(0, decision.start), decision.end
    return {
        "before": text[max(0, start - REACH) : start],
        "text": text[start:end],
        "after": text[end : end + REACH],
    }


def tables(found: dict[str, Any]) -> list[Table]:
    """Shares and counts of each language; around are the numbers of the neutral text, all no years."""
    result = []
    for language, figures in found["languages"].items():
        rows = [
            [
                kind,
                f"{int(distance):,}",
                f"{row['decisions']:,}",
                f"{row['same']:,}",
                f"{row['same'] / row['decisions']:.4f}" if row["decisions"] else "",
                f"{row['tagged_around']:,} of {row['numbers_around']:,}" if row["numbers_around"] else "",
            ]
            for kind, by_distance in figures["counts"].items()
            for distance, row in by_distance.items()
        ]
        result.append(
            Table(
                f"{language}: {figures['sentences']:,} sentences, alone and inside neutral text",
                ("neutral text", "tokens", "decisions", "same", "share", "tagged around"),
                rows,
                f"{len(figures['changed']):,} decisions changed anywhere.",
            )
        )
    return result


@click.command()
@click.option("--gold", multiple=True, type=(str, click.Path(path_type=Path)), help="Language and file.")
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), default=OUTPUT)
def main(gold: tuple[tuple[str, Path], ...], output: Path) -> None:
    """Measure, print, and write published.json, which the invariance report shows."""
    files = gold or [(language, CORPORA / f"years-{language}.dev.jsonl") for language in LANGUAGES]
    tagger = yearmark.load(reference_year=2026)
    languages = {}
    for language, path in files:
        if not path.is_file():
            click.echo(f"{path} is skipped: there is no such file", err=True)
            continue
        languages[language] = measure(tagger, language, list(read(path)))
    if not languages:
        raise click.ClickException("there is no file of sentences; give one with --gold en FILE")
    found = {"format": FORMAT, "distances": DISTANCES, "languages": languages}
    console = Console(width=80)
    for table in tables(found):
        show(console, table)
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(json.dumps(found, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    click.echo(f"written: {output}")


if __name__ == "__main__":
    main()
