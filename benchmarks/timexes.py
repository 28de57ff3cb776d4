"""Cross-validate the time expressions on whole documents, to docs/accuracy/timexes.json and timexes.md.

For every fold a network is trained as the published one is, without the fold's documents, and tags these. The
silver corpus, which systems annotated, is only trained on. Gold and answers are left in runs/timexes, for
`yearmark evaluate --layer timexes`.
"""

from __future__ import annotations

import json
import random
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from itertools import repeat
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import click

import yearmark
from yearmark.training.config import Config
from yearmark.training.corpora import read
from yearmark.training.document import Document
from yearmark.training.scores import Counts, count
from yearmark.training.train import train

Pairs = list[tuple[Document, Sequence[yearmark.Timex]]]  # documents and what was found in them

FOLDS = 5
SCORED = ("timebank", "aquaint", "wikiwars-train", "tweets-train", "klue")
# strict / lenient F1 of others on the test sets that go with these corpora, as published
PUBLISHED = {
    "timebank": "TempEval-3: PTime 0.855 / 0.915, TEI2GO 0.824 / 0.906, HeidelTime 0.818 / 0.907",
    "wikiwars-train": "WikiWars: TEI2GO 0.908 / 0.967, PTime 0.880 / 0.958, HeidelTime 0.836 / 0.914",
    "tweets-train": "Tweets: PTime 0.933 / 0.983",
}


def record(document: Document) -> str:
    """The document as a line of our JSON Lines, with its layers."""
    layers: dict[str, Any] = {}
    for layer, marks in document.marks.items():
        layers[layer] = [
            {"start": m.start, "end": m.end, "label": m.label, "value": m.value, "optional": m.optional}
            for m in marks
        ]
        layers[f"{layer}_unsure"] = [{"start": a, "end": b} for a, b in document.unsure.get(layer, ())]
    about = {"id": document.id, "source": document.source, "license": document.license, "lang": document.lang}
    return json.dumps({**about, "text": document.text, **layers}, ensure_ascii=False)


def answer(document: Document, found: Sequence[yearmark.Timex]) -> str:
    """What was found in a document, as `yearmark tag` writes it."""
    return json.dumps({"id": document.id, "timexes": [asdict(one) for one in found]}, ensure_ascii=False)


def scores(pairs: Pairs) -> dict[str, Any]:
    """Strict and lenient figures, per type of the gold, and how many strict hits have the gold's type."""
    total, types = Counts(), defaultdict[str, Counts](Counts)
    typed = hits = 0
    for document, found in pairs:
        gold = document.marks["timexes"]
        spans = [(one.start, one.end, one.value) for one in found]
        total += count(gold, spans)
        for kind in {mark.label for mark in gold}:
            types[kind] += count([mark for mark in gold if mark.label == kind], spans)
        kinds = {(one.start, one.end): one.type for one in found}
        exact = [(mark, kinds[mark.start, mark.end]) for mark in gold if (mark.start, mark.end) in kinds]
        hits += len(exact)
        typed += sum(mark.label == kind for mark, kind in exact)
    return {
        "expressions": total.gold,
        "strict": round(total.f1, 4),
        "lenient": round(total.lenient_f1, 4),
        "precision": round(total.precision, 4),
        "recall": round(total.recall, 4),
        "type": round(typed / max(1, hits), 4),
        "recall_by_type": {
            kind: {
                "expressions": one.gold,
                "strict": round(one.recall, 4),
                "lenient": round(one.lenient / one.gold, 4),
            }
            for kind, one in sorted(types.items())
        },
    }


def table(results: dict[str, Any], folds: int) -> str:
    """The results of the first folds in Markdown."""
    lines = [
        "# Time expressions, cross-validated",
        "",
        f"`make bench-timexes`: {folds} of {FOLDS} folds of whole documents, tagged by networks that never "
        "saw them.",
        "Figures of others are for the test sets, which are other documents than these.",
        "",
        "| corpus | expressions | strict F1 | lenient F1 | precision | recall | type right | others |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name, one in results.items():
        lines.append(
            f"| {name} | {one['expressions']:,} | **{one['strict']:.3f}** | **{one['lenient']:.3f}** "
            f"| {one['precision']:.3f} | {one['recall']:.3f} | {one['type']:.3f} "
            f"| {PUBLISHED.get(name, '')} |"
        )
    lines += [
        "",
        "Recall by type of the gold:",
        "",
        "| corpus | type | expressions | strict | lenient |",
        "|---|---|---|---|---|",
    ]
    for name, one in results.items():
        for kind, own in one["recall_by_type"].items():
            lines.append(
                f"| {name} | {kind} | {own['expressions']:,} | {own['strict']:.3f} | {own['lenient']:.3f} |"
            )
    return "\n".join(lines) + "\n"


def tagged(config: Path, fold: int) -> dict[str, Pairs]:
    """Gold and answers for the documents of a fold, by corpus, by a network that never saw them."""
    settings = Config.read(config)
    pairs: dict[str, Pairs] = {}
    held_out: dict[str, list[Document]] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        parts = []
        for corpus in settings.corpora:
            stem, path = Path(corpus.path).stem, folder / Path(corpus.path).name
            documents = list(read(corpus.path))
            random.Random(settings.seed).shuffle(documents)
            if stem in SCORED:
                held_out[stem] = documents[fold::FOLDS]
                del documents[fold::FOLDS]
            write_lines(path, map(record, documents))
            parts.append(corpus.model_copy(update={"path": str(path)}))
        train(settings.model_copy(update={"corpora": parts}), folder / "model", click.echo)
        tagger = yearmark.load(folder / "model")
        for stem, own in held_out.items():
            found = tagger.pipe_layers((document.text for document in own), ["timexes"])
            pairs[stem] = [(d, one["timexes"]) for d, one in zip(own, found, strict=True)]
    return pairs


def write_lines(path: Path, lines: Iterable[str]) -> None:
    """A file of one line each."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


@click.command()
@click.option(
    "--config", type=click.Path(path_type=Path), default=Path("configs/timexes.toml"), show_default=True
)
@click.option("--output", type=click.Path(path_type=Path), default=Path("docs/accuracy"), show_default=True)
@click.option("--workers", default=2, show_default=True, help="Folds that are trained side by side.")
def main(config: Path, output: Path, workers: int) -> None:
    """Cross-validate the layer of time expressions."""
    pairs: dict[str, Pairs] = defaultdict(list)
    with ProcessPoolExecutor(workers, get_context("spawn")) as pool:
        for done, own in enumerate(pool.map(tagged, repeat(config), range(FOLDS)), 1):
            for stem, more in own.items():
                pairs[stem] += more
            results = {stem: scores(all_of_it) for stem, all_of_it in pairs.items()}
            click.echo(table(results, done))
            (output / "timexes.json").write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
            (output / "timexes.md").write_text(table(results, done), encoding="utf-8")
            scored = [pair for all_of_it in pairs.values() for pair in all_of_it]
            write_lines(Path("runs/timexes/gold.jsonl"), (record(document) for document, _ in scored))
            write_lines(Path("runs/timexes/found.jsonl"), (answer(*pair) for pair in scored))


if __name__ == "__main__":
    main()
