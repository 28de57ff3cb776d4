"""The training data of a configuration: generated text and corpora, as batches of examples."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from datasets import Dataset

from yearmark.features import Reader
from yearmark.training.config import Config
from yearmark.training.corpora import read
from yearmark.training.document import Document
from yearmark.training.examples import Example, ExampleMaker, from_dataset, to_dataset
from yearmark.training.grammar import Grammar


def generate(config: Config) -> Iterable[Document]:
    """The generated documents of a configuration; the same for its seed."""
    for lang, count in sorted(config.generated.sentences.items()):
        yield from Grammar(config.generated.grammars / f"{lang}.toml").sentences(count, config.seed)


def write_generated(config: Config, path: Path) -> Iterator[str]:
    """Write the generated documents to a Parquet file; lines that say what was made."""
    kinds: dict[str, Counter[str]] = defaultdict(Counter)
    years = Counter[str]()
    rows = []
    for document in generate(config):
        spans = [
            {"start": mark.start, "end": mark.end, "text": document.text[mark.start : mark.end]}
            for mark in document.marks["years"]
        ]
        kind = document.source.partition(":")[2]
        kinds[document.lang][kind] += 1
        years[document.lang] += len(spans)
        rows.append(
            {
                "id": document.id,
                "lang": document.lang,
                "kind": kind,
                "source": document.source,
                "license": document.license,
                "text": document.text,
                "years": spans,
            }
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    Dataset.from_list(rows).to_parquet(path)
    for lang, counts in kinds.items():
        yield f"{lang}: {counts.total():,} sentences, {years[lang]:,} years, {len(counts)} kinds"
        for kind, count in counts.most_common():
            yield f"  {kind:28} {count:7,}"
    yield f"written to {path}"


@dataclass(frozen=True)
class Data:
    """Training parts with how often each is seen an epoch, and the held-out examples of all parts."""

    config: Config
    parts: list[tuple[list[Example], float]]
    held_out: list[Example]
    counts: dict[str, int]
    lost: dict[str, int]
    licences: dict[str, list[str]]

    @classmethod
    def build(cls, config: Config, reader: Reader, say: Callable[[str], None]) -> Data:
        """Read or generate everything; say what is there, what is missing and what was left out."""
        maker = ExampleMaker(reader, config.labels)
        sources: list[tuple[str, list[Document], float]] = [("generated", list(generate(config)), 1.0)]
        for corpus in config.corpora:
            if Path(corpus.path).exists():
                sources.append((corpus.path, list(read(corpus.path)), corpus.repeat))
            else:
                say(f"{corpus.path} is not there: training goes on without it")
        if len(sources) == 1:
            say("training on generated text alone")
        parts, held_out, counts = [], [], Counter[str]()
        licences: dict[str, list[str]] = {}
        for name, documents, repeat in sources:
            split = to_dataset(maker(documents)).train_test_split(config.training.held_out, seed=config.seed)
            parts.append((from_dataset(split["train"]), repeat))
            held_out.extend(from_dataset(split["test"]))
            counts[name] = len(documents)
            licences[Path(name).name] = sorted({d.license for d in documents if d.license})
            say(f"{name}: {len(documents):,} documents, {len(parts[-1][0]):,} segments with a candidate")
        if maker.lost:
            say(f"{maker.lost.total()} marks no tokens can carry, left out: {maker.lost.most_common(5)}")
        return cls(
            config,
            parts,
            held_out,
            dict(counts),
            dict(maker.lost),
            licences,
        )

    def batches(self, epoch: int) -> list[list[Example]]:
        """An epoch's batches of segments of like length, in an order drawn from seed and epoch."""
        rng = np.random.default_rng([self.config.seed, epoch])
        drawn: list[Example] = []
        for examples, repeat in self.parts:
            whole, rest = divmod(repeat, 1)
            drawn.extend(examples * int(whole))
            extra = rng.permutation(len(examples))[: round(rest * len(examples))]
            drawn.extend(examples[i] for i in extra)
        noise = rng.uniform(0.9, 1.1, len(drawn))
        order = sorted(range(len(drawn)), key=lambda i: len(drawn[i]) * noise[i])
        batches: list[list[Example]] = [[]]
        longest = 0
        for i in order:
            longest = max(longest, len(drawn[i]))
            if batches[-1] and longest * (len(batches[-1]) + 1) > self.config.training.batch_tokens:
                batches.append([])
                longest = len(drawn[i])
            batches[-1].append(drawn[i])
        return [batches[i] for i in rng.permutation(len(batches))]
