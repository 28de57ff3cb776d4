"""The training data of a configuration: generated text and corpora, as batches of examples."""

from __future__ import annotations

import random
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from datasets import Dataset

from yearmark.cues import Cues
from yearmark.extent import extent
from yearmark.features import Reader
from yearmark.training.config import Config
from yearmark.training.corpora import read
from yearmark.training.document import LAYERS, Document, Mark
from yearmark.training.examples import Example, ExampleMaker, from_dataset, to_dataset
from yearmark.training.grammar import Grammar
from yearmark.training.renumber import renumber
from yearmark.training.variation import recase, respace


def generate(config: Config, held_out: bool = False) -> Iterator[Document]:
    """The generated documents of a configuration; the same for its seed.

    The held-out ones, a twentieth as many, are drawn from templates that the others do not use.
    """
    for lang, count in sorted(config.generated.sentences.items()):
        grammar = Grammar(config.generated.grammars / f"{lang}.toml").parts()[held_out]
        yield from grammar.sentences(count // 20 if held_out else count, config.seed)


def write_generated(config: Config, path: Path) -> Iterator[str]:
    """Write the generated documents to a Parquet file; lines that say what was made."""
    kinds: dict[str, Counter[str]] = defaultdict(Counter)
    years = Counter[str]()
    rows = []
    for document in generate(config):
        spans = [
            {"start": mark.start, "end": mark.end, "text": document.text[mark.start : mark.end]}
            for mark in document.marks.get("years", ())
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


def _examples(maker: ExampleMaker, documents: Iterable[Document]) -> list[Example]:
    """Examples that have gone through a Hugging Face dataset, which holds them as Arrow."""
    return from_dataset(to_dataset(maker(documents)))


def _typed_by_value(document: Document) -> Document:
    """The document with its time expressions of the type of their value.

    Some corpora call every expression a DATE (WikiWars), be its value a duration or a time of day.
    """
    if "timexes" not in document.marks:
        return document
    marks = [replace(mark, label=_timex_type(mark)) for mark in document.marks["timexes"]]
    return replace(document, marks={**document.marks, "timexes": marks})


def _timex_type(mark: Mark) -> str:
    value = mark.value or ""
    if mark.label != "DATE":
        return mark.label
    if re.match(r"P[T\dX]", value):
        return "DURATION"
    return "TIME" if re.search(r"\dT|^T\d", value) else "DATE"


_WORD = re.compile(r"\d+|[^\W\d]+|[^\w\s]")


def _partial(document: Document, cues: Cues) -> Document:
    """The document, unsure of every cue of time that stands in no time expression, and of what is beside it.

    Systems that annotate leave out whole kinds: "a two-year option", "the 1975 agreement". A number that is
    no full year is no such cue, as most of them count. What they cut is made whole.
    """
    marks = [
        replace(mark, start=start, end=end)
        for mark in document.marks.get("timexes", ())
        for start, end in [extent(document.text, mark.start, mark.end)]
        if start < end
    ]
    words = list(_WORD.finditer(document.text))
    unsure = list(document.unsure.get("timexes", ()))
    for place, word in enumerate(words):
        if (
            word[0] not in cues
            or (word[0].isdecimal() and len(word[0]) != 4)
            or any(mark.start < word.end() and word.start() < mark.end for mark in marks)
        ):
            continue
        before, behind = words[max(0, place - 2)], words[min(len(words) - 1, place + 1)]
        unsure.append((before.start(), behind.end()))
    return replace(
        document,
        marks={**document.marks, "timexes": marks},
        unsure={**document.unsure, "timexes": unsure},
    )


_DASH = re.compile(r"(?:(?<=\d)|(?<=\dst)|(?<=\dnd)|(?<=\drd)|(?<=\dth))\s?[-–—]\s?(?=\d|[A-Z][a-z]+\.?\s\d)")


def _ends_apart(document: Document) -> Document:
    """The document with both ends of an English range as expressions of their own: 1980|-|1988.

    People annotate them so in every corpus, systems do not.
    """
    if "timexes" not in document.marks or document.lang == "ko":
        return document
    marks = []
    for mark in document.marks["timexes"]:
        dash = _DASH.search(document.text, mark.start, mark.end)
        if dash is None or re.match(r"\d+-\d+-\d", document.text[mark.start : mark.end]):
            marks.append(mark)
        else:
            marks.append(Mark(mark.start, dash.start(), mark.label))
            marks.append(Mark(dash.end(), mark.end, mark.label))
    return replace(document, marks={**document.marks, "timexes": marks})


@dataclass(frozen=True)
class Data:
    """Training parts with how often each is seen an epoch, and the held-out examples.

    Held out are sentences of templates of their own and a share of each corpus's documents.
    """

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
        parts = [(_examples(maker, generate(config)), 1.0)]
        held_out = _examples(maker, generate(config, held_out=True))
        say(f"generated: {len(parts[0][0]):,} segments; {len(held_out):,} of other templates held out")
        counts, licences = {"generated": len(parts[0][0])}, {"generated": ["MIT"]}
        for corpus in config.corpora:
            if not Path(corpus.path).exists():
                say(f"{corpus.path} is not there: training goes on without it")
                continue
            layers = {*LAYERS, *config.labels}  # those not learnt say where no other number may come
            documents = [_typed_by_value(_ends_apart(d)) for d in read(corpus.path, layers=layers)]
            if corpus.partial:
                documents = [_partial(document, reader.cues) for document in documents]
            random.Random(config.seed).shuffle(documents)
            cut = round(config.training.held_out * len(documents))
            held_out.extend(_examples(maker, documents[:cut]))
            # some in capitals or lower case, as headlines and chats are
            rng = random.Random(config.seed)
            rest = [replace(d, text=recase(d.text, rng)) for d in documents[cut:]]
            parts.append((_examples(maker, rest), corpus.repeat))
            other = [respace(changed, rng) for d in rest if (changed := renumber(d, rng))]
            parts.append((_examples(maker, other), corpus.repeat / 2))
            name = Path(corpus.path).name
            counts[name] = len(documents)
            licences[name] = sorted({document.license for document in documents if document.license})
            say(
                f"{name}: {len(documents):,} documents, {cut} held out; {len(parts[-2][0]):,} segments, "
                f"{len(other):,} documents again with other numbers"
            )
        if len(parts) == 1:
            say("training on generated text alone")
        if maker.lost:
            say(f"{maker.lost.total()} marks no tokens can carry, left out: {maker.lost.most_common(5)}")
        return cls(
            config,
            parts,
            held_out,
            counts,
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
