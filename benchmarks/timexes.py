"""Cross-validate the time expressions on whole documents, to docs/accuracy/timexes.json and timexes.md.

For every fold a network is trained as the published one is, without the fold's documents, and tags these. The
silver corpus, which systems annotated, is only trained on.
"""

from __future__ import annotations

import json
import random
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import click

import yearmark
from yearmark.training.config import Config, Corpus
from yearmark.training.corpora import read
from yearmark.training.document import Document, Mark
from yearmark.training.scores import Counts, count
from yearmark.training.train import train

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


def scores(pairs: Iterable[tuple[Sequence[Mark], Sequence[yearmark.Timex]]]) -> dict[str, Any]:
    """Strict and lenient figures, per type of the gold, and how many strict hits have the gold's type."""
    total, types = Counts(), defaultdict[str, Counts](Counts)
    typed = hits = 0
    for gold, found in pairs:
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


@click.command()
@click.option(
    "--config", type=click.Path(path_type=Path), default=Path("configs/timexes.toml"), show_default=True
)
@click.option("--output", type=click.Path(path_type=Path), default=Path("docs/accuracy"), show_default=True)
@click.option("--folds", default=FOLDS, show_default=True, help="Only so many of them are run.")
def main(config: Path, output: Path, folds: int) -> None:
    """Cross-validate the layer of time expressions."""
    settings = Config.read(config)
    corpora = {Path(one.path).stem: one for one in settings.corpora if Path(one.path).exists()}
    documents = {name: list(read(one.path)) for name, one in corpora.items()}
    for own in documents.values():
        random.Random(settings.seed).shuffle(own)
    pairs: dict[str, list[tuple[Sequence[Mark], Sequence[yearmark.Timex]]]] = defaultdict(list)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for fold in range(folds):
            parts = []
            for stem, own in documents.items():
                path = folder / f"{stem}.jsonl"
                kept = [d for k, d in enumerate(own) if stem not in SCORED or k % FOLDS != fold]
                path.write_text("\n".join(map(record, kept)) + "\n", encoding="utf-8")
                parts.append(Corpus(path=str(path), repeat=corpora[stem].repeat, layers=corpora[stem].layers))
            run = settings.model_copy(update={"corpora": parts})
            train(run, folder / f"model-{fold}", click.echo)
            tagger = yearmark.load(folder / f"model-{fold}")
            for stem in SCORED:
                held_out = documents.get(stem, [])[fold::FOLDS]
                found = tagger.pipe_layers((d.text for d in held_out), ["timexes"])
                pairs[stem] += [
                    (d.marks["timexes"], one["timexes"]) for d, one in zip(held_out, found, strict=True)
                ]
            results = {stem: scores(own) for stem, own in pairs.items() if own}
            click.echo(table(results, fold + 1))
            output.mkdir(parents=True, exist_ok=True)
            (output / "timexes.json").write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
            (output / "timexes.md").write_text(table(results, fold + 1), encoding="utf-8")


if __name__ == "__main__":
    main()
