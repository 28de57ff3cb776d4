"""How well a layer is found: a system's answers on gold documents, counted, with every error as an item.

A system is a model, a file of predictions, or, of years, the regular expression for four-digit numbers.
"""

from __future__ import annotations

import hashlib
import json
import re
import resource
import sys
import time
from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from spacy.attrs import IDX, LENGTH
from spacy.tokenizer import Tokenizer

import yearmark
from yearmark.evaluation.forms import FORMS, NUMBERS, form_in_text, number_kind, numbers
from yearmark.evaluation.measures import (
    RESAMPLES,
    SEED,
    Float,
    calibration_error,
    interval,
    least_score,
    reliability,
    resampled,
    rounded,
    share,
    thresholds,
    two_sided,
)
from yearmark.files import model_files
from yearmark.segments import segments
from yearmark.tokenizer import make_tokenizer
from yearmark.training import corpora
from yearmark.training.document import Document, Mark
from yearmark.training.scores import count

FORMAT = 2  # of report.json
REGEX = re.compile(r"(?<!\d)(?:1\d|20)\d\d(?!\d)")
LABEL = "YEAR"
OUTCOMES = ("correct", "missed", "false", "boundary", "type", "value")
THRESHOLDS = (*(k / 20 for k in range(1, 20)), 0.98, 0.99)
PRECISIONS = (0.9, 0.95, 0.98, 0.99, 0.995)
LENGTHS = (10, 20, 40, 80, 160, 320)  # tokens in the sentence, at most; the last one holds the rest too
FIFTHS = ("1st fifth", "2nd fifth", "3rd fifth", "4th fifth", "5th fifth")

# What is counted of a document, and the three counts of each way of scoring.
COUNTED = (
    "gold", "predicted", "strict", "lenient", "with_value", "valued", "value",
    "token_gold", "token_predicted", "token_strict", "typed",
)  # fmt: skip
WAYS = {  # of scoring: hits, predicted, gold
    "strict": (2, 1, 0),
    "lenient": (3, 1, 0),
    "type": (10, 1, 0),
    "value": (4, 1, 0),
    "tokens": (9, 8, 7),
}
# Figures that a gate may name.
GATES = {
    f"{prefix}{figure}": (way, figure)
    for way, prefix in (
        ("strict", ""),
        ("lenient", "lenient_"),
        ("type", "type_"),
        ("value", "value_"),
        ("tokens", "token_"),
    )
    for figure in ("precision", "recall", "f1")
}
CORRECT = 500  # spans found correctly that are listed, the least sure

Row = tuple[int, ...]  # in the order of COUNTED
Span = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Settings:
    """How the report is made; ``context`` is the number of characters shown on each side of a span.

    ``min_score`` None is 0.5 for years, and for another layer the threshold that the model has for it.
    """

    layer: str = "years"
    min_score: float | None = None
    reference_year: int | None = None
    context: int = 40
    precisions: tuple[float, ...] = PRECISIONS
    split: str = "test"

    @property
    def least(self) -> float:
        """The score of the weakest answer that counts."""
        return self.min_score if self.min_score is not None else 0.5 if self.layer == "years" else 0.0


class Answer(NamedTuple):
    """A span that a system gives; value, score and type (of years: YEAR) only where it gives them."""

    start: int
    end: int
    value: str | None = None
    score: float | None = None
    type: str | None = None


# Gold ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Gold:
    """The documents of one source and its hash; `where` finds the line of one of them."""

    path: Path
    documents: Sequence[Document]
    sha256: str

    def where(self, number: int) -> str:
        """File and line of a document, else its id, for messages."""
        if self.path.suffix == ".jsonl":
            with self.path.open("rb") as file:
                lines = (line for line, content in enumerate(file, 1) if content.strip())
                for _ in range(number):
                    next(lines)
                return f"{self.path}:{next(lines)}"
        return f"{self.path}, document {self.documents[number].id!r}"


def read_gold(paths: Iterable[str | Path], layer: str = "years", split: str = "test") -> list[Gold]:
    """The gold of files, of folders of files, and of saved Hugging Face datasets.

    Raises ValueError, with file and line, at documents without the layer, at spans that cross or
    touch nothing of the text, at labels of years that are another, and at an id that comes twice.
    """
    golds = []
    for path in _files(map(Path, paths)):
        documents = list(corpora.read(path, split, layers=(layer,)))
        if not documents:
            raise ValueError(f"{path}: there is no document in it")
        golds.append(Gold(path, documents, _digest(path)))
    if not golds:
        raise ValueError("there is no gold; name at least one file")
    seen: dict[str, tuple[Gold, int]] = {}
    for gold in golds:
        for number, document in enumerate(gold.documents):
            _check(gold, number, layer)
            if document.id in seen:
                first, at = seen[document.id]
                raise ValueError(
                    f"{gold.where(number)}: the id {document.id!r} is that of {first.where(at)} too; "
                    "errors and predictions are found by it: give every document its own"
                )
            seen[document.id] = gold, number
    return golds


def _files(paths: Iterable[Path]) -> Iterator[Path]:
    for path in paths:
        if not path.exists():
            raise FileNotFoundError(f"{path}: there is no such file or folder")
        is_dataset = any((path / name).exists() for name in ("dataset_info.json", "dataset_dict.json"))
        if path.is_file() or is_dataset:
            yield path
            continue
        found = sorted(one for one in path.rglob("*") if one.suffix in corpora.READERS and one.is_file())
        if not found:
            raise ValueError(f"{path}: the folder holds no file that ends in {', '.join(corpora.READERS)}")
        yield from found


def _check(gold: Gold, number: int, layer: str) -> None:
    document = gold.documents[number]
    if layer not in document.marks:
        raise ValueError(
            f"{gold.where(number)}: document {document.id!r} has no {layer!r}, so that nothing can be "
            "scored; where there is none in it, say so with an empty list"
        )
    end = 0
    for mark in sorted(document.marks[layer], key=lambda mark: (mark.start, mark.end)):
        if layer == "years" and mark.label != LABEL:
            raise ValueError(
                f"{gold.where(number)}: years {mark.start}:{mark.end} has the label {mark.label!r}; "
                f"expected {LABEL!r} or none"
            )
        if mark.start < end:
            raise ValueError(
                f"{gold.where(number)}: {layer} {mark.start}:{mark.end} begins before the one in front of it "
                f"ends, at {end}; gold spans may not overlap"
            )
        end = mark.end


def _digest(path: Path) -> str:
    """Of a file's bytes; of a folder's files in the order of their names."""
    digest = hashlib.sha256()
    for file in sorted(one for one in path.rglob("*") if one.is_file()) if path.is_dir() else [path]:
        with file.open("rb") as content:
            digest.update(hashlib.file_digest(content, "sha256").digest())
    return digest.hexdigest()


# Systems ---------------------------------------------------------------------------------------------


@dataclass(slots=True)
class System:
    """Whose answers are scored: one list for each document, and how long they took to make.

    ``candidates`` are all spans with a score, those below the threshold too; None where there are no scores.
    """

    name: str
    kind: str  # model, predictions, regex
    sha256: str | None
    answers: list[list[Answer]]
    candidates: list[list[Answer]] | None = None
    has_values: bool = True
    seconds: float | None = None


def regex(documents: Sequence[Document]) -> System:
    """Every four-digit number from 1000 to 2099 is a year."""
    began = time.perf_counter()
    answers = [
        [Answer(*found.span(), found[0], type=LABEL) for found in REGEX.finditer(document.text)]
        for document in documents
    ]
    return System("regex", "regex", None, answers, seconds=time.perf_counter() - began)


def model(folder: Path | None, documents: Sequence[Document], settings: Settings) -> System:
    """The published model, or that of a folder. Raises ValueError where it lacks the layer."""
    layer = settings.layer

    def tag(least: float) -> list[list[Answer]]:
        tagger = yearmark.load(folder, min_score=least, reference_year=settings.reference_year)
        found = tagger.pipe_layers((document.text for document in documents), (layer,))
        return [
            [
                Answer(one.start, one.end, one.value, one.score, getattr(one, "type", LABEL))
                for one in own[layer]
                if one.score >= least  # layers but years are given from the model's own threshold
            ]
            for own in found
        ]

    began = time.perf_counter()
    answers = tag(settings.least)
    seconds = time.perf_counter() - began
    place = folder or Path(str(resources.files("yearmark"))) / "model"
    digest = hashlib.sha256()
    for name in model_files(place):
        digest.update(hashlib.sha256((place / name).read_bytes()).digest())
    name = folder.resolve().name if folder else "yearmark"
    # candidates are asked for anew: what is too weak an answer may lie in a better one's way
    return System(name, "model", digest.hexdigest(), answers, tag(0), layer == "years", seconds)


def predictions(path: Path, golds: Sequence[Gold], layer: str = "years") -> System:
    """The answers of a JSON Lines file: an ``id`` and the layer a line, as `yearmark tag` writes them.

    Raises ValueError, with file and line, where it does not fit the gold.
    """
    numbers_of = {
        document.id: number
        for number, document in enumerate(document for gold in golds for document in gold.documents)
    }
    documents = [document for gold in golds for document in gold.documents]
    found: list[list[Answer] | None] = [None] * len(documents)
    has_values = has_scores = False
    with path.open("rb") as file:
        for line, content in enumerate(file, 1):
            if not content.strip():
                continue
            where = f"{path}:{line}"
            try:
                record = json.loads(content.decode("utf-8"))
            except ValueError as error:
                raise ValueError(f"{where}: expected a JSON object in UTF-8: {error}") from None
            if not isinstance(record, dict) or not isinstance(record.get(layer), list):
                raise ValueError(f"{where}: expected a JSON object with an 'id' and a list {layer!r}")
            number = numbers_of.get(str(record.get("id")))
            if number is None:
                raise ValueError(
                    f"{where}: the id {record.get('id')!r} is that of no gold document; "
                    "predictions and gold are matched by it"
                )
            if found[number] is not None:
                raise ValueError(f"{where}: the id {record['id']!r} comes a second time")
            text = documents[number].text
            if "text" in record and record["text"] != text:
                raise ValueError(f"{where}: the text of {record['id']!r} is another one than in the gold")
            # read like gold: the same checks, the same messages
            read = Document.from_record({"text": text, layer: record[layer]}, where, (layer,)).marks[layer]
            scores = [one.get("score") for one in record[layer]]
            for score in scores:
                if score is not None and not (isinstance(score, int | float) and 0 <= score <= 1):
                    raise ValueError(f"{where}: a score is a probability from 0 to 1, got {score!r}")
            found[number] = [
                Answer(mark.start, mark.end, mark.value, score, LABEL if layer == "years" else mark.label)
                for mark, score in zip(read, scores, strict=True)
            ]
            has_values |= layer == "years" and any(mark.value is not None for mark in read)
            has_scores |= any(score is not None for score in scores)
    number = 0
    for gold in golds:
        for at, document in enumerate(gold.documents):
            if found[number] is None:
                raise ValueError(
                    f"{gold.where(at)}: there is no prediction for {document.id!r} in {path}; "
                    "where nothing was found, say so with an empty list"
                )
            number += 1
    answers = [own for own in found if own is not None]
    if has_scores and any(answer.score is None for own in answers for answer in own):
        raise ValueError(
            f"{path}: some {layer} have a score and some have none; give all of them one, or none"
        )
    candidates = answers if has_scores else None
    return System(path.name, "predictions", _digest(path), answers, candidates, has_values)


def system(name: str, golds: Sequence[Gold], settings: Settings) -> System:
    """A baseline by its name: ``regex``, a file of predictions, or a model's folder."""
    documents = [document for gold in golds for document in gold.documents]
    if name == "regex":
        if settings.layer != "years":
            raise ValueError(f"the baseline regex finds years, not {settings.layer}; give a model or a file")
        return regex(documents)
    path = Path(name)
    if path.is_dir():
        return model(path, documents, settings)
    if path.is_file():
        return predictions(path, golds, settings.layer)
    raise FileNotFoundError(f"{name}: expected 'regex', a file of predictions or a model's folder")


# Places in the text ----------------------------------------------------------------------------------


class Place(NamedTuple):
    """Where a span stands: how many tokens its sentence has, which of them it is, if it is whole tokens."""

    tokens: int
    first: int
    carried: tuple[int, int, int] | None  # number of the sentence, first token, last token + 1


class Sentences:
    """The sentences of a text, as the tagger cuts it, tokenized where they are asked for."""

    def __init__(self, text: str, tokenizer: Tokenizer) -> None:
        self._text = text
        self._tokenizer = tokenizer
        self._bounds = list(segments(text)) or [(0, len(text))]
        self._starts = [start for start, _ in self._bounds]
        self._tokens: dict[int, tuple[list[int], dict[int, int]]] = {}

    def place(self, start: int, end: int) -> Place:
        number = max(0, bisect_right(self._starts, start) - 1)
        if number not in self._tokens:
            a, b = self._bounds[number]
            found = self._tokenizer(self._text[a:b]).to_array([IDX, LENGTH]).astype(int)
            starts = (found[:, 0] + a).tolist()
            ends = {int(one): k + 1 for k, one in enumerate(found.sum(axis=1) + a)}
            self._tokens[number] = starts, ends
        starts, ends = self._tokens[number]
        first = max(0, bisect_right(starts, start) - 1)
        last = ends.get(end)
        whole = bool(starts) and starts[first] == start and last is not None
        return Place(len(starts), first, (number, first, last) if whole and last else None)


def length_group(place: Place) -> str:
    """The lengths among which a sentence is.

    >>> [length_group(Place(tokens, 0, None)) for tokens in (5, 20, 400)]
    ['1–10', '11–20', '161 and more']
    """
    low = 1
    for high in LENGTHS[:-1]:
        if place.tokens <= high:
            return f"{low}–{high}"
        low = high + 1
    return f"{low} and more"


LENGTH_GROUPS = tuple(dict.fromkeys(length_group(Place(tokens, 0, None)) for tokens in LENGTHS))


def fifth(place: Place) -> str:
    """The fifth of its sentence in which a span begins."""
    return FIFTHS[min(4, 5 * place.first // max(1, place.tokens))]


# Counts ----------------------------------------------------------------------------------------------


class Item(NamedTuple):
    """A gold span or an answer, and what became of it; ``document`` is its number.

    ``form`` is how a year is written, of other layers the type."""

    document: int
    outcome: str
    start: int
    end: int
    gold: Mark | None
    answer: Answer | None
    form: str
    number: str
    confidence: float | None  # how sure the system was of what it did

    @property
    def key(self) -> tuple[int, bool, int, int]:
        """What is the same thing in the answers of two systems."""
        return self.document, self.gold is not None, self.start, self.end


@dataclass(slots=True)
class Counted:
    """What is counted of all systems: by group and its name, by document, a row for each system."""

    rows: dict[str, dict[str, dict[int, list[Row]]]] = field(
        default_factory=lambda: defaultdict(lambda: defaultdict(dict))
    )
    items: list[list[Item]] = field(default_factory=list)  # of each system
    numbers: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    not_carried: Counter[str] = field(default_factory=Counter)  # gold spans that are not whole tokens
    members: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))  # documents


def count_all(documents: Sequence[Document], systems: Sequence[System], layer: str = "years") -> Counted:
    """Count every document's answers, of all systems, in all groups."""
    out = Counted(items=[[] for _ in systems])
    tokenizer = make_tokenizer({})
    for number, document in enumerate(documents):
        source, language = document.source or "not named", document.lang or "not named"
        whole = {"all": "all", "sources": source, "languages": language}
        for group, name in whole.items():
            out.members[group][name] += 1
        must, free = _gold(document, layer)
        answers = [_counted(system.answers[number], must, free) for system in systems]
        _count_numbers(out.numbers, document.text, must, free, answers[0])
        if not must and not any(answers):
            continue
        sentences = Sentences(document.text, tokenizer)
        spans = {(mark.start, mark.end) for mark in must}
        spans |= {(answer.start, answer.end) for own in answers for answer in own}
        places = {span: sentences.place(*span) for span in spans}
        if layer == "years":
            forms = {span: form_in_text(document.text, *span) for span in spans}
        else:
            forms = _types_there(must, answers)
        kinds = {span: number_kind(document.text, *span) for span in spans}
        for mark in must:
            if places[mark.start, mark.end].carried is None:
                out.not_carried[document.text[mark.start : mark.end]] += 1
        lengths = {span: length_group(place) for span, place in places.items()}
        fifths = {span: fifth(place) for span, place in places.items()}
        names = {
            **{group: dict.fromkeys(spans, name) for group, name in whole.items()},
            "forms": forms,
            "numbers": kinds,
            "lengths": lengths,
            "positions": fifths,
            "cells": {span: f"{lengths[span]}, {fifths[span]}" for span in spans},
        }
        for group, name_of in names.items():
            for name in set(name_of.values()):
                gold = [mark for mark in must if name_of[mark.start, mark.end] == name]
                out.rows[group][name][number] = [
                    _row(gold, [one for one in own if name_of[one.start, one.end] == name], places)
                    for own in answers
                ]
        for k, one in enumerate(systems):
            candidates = one.candidates[number] if one.candidates is not None else None
            for item in _items(number, must, answers[k], candidates, one.has_values):
                span = item.start, item.end
                out.items[k].append(item._replace(form=forms[span], number=kinds[span]))
    return out


def _gold(document: Document, layer: str) -> tuple[list[Mark], list[Span]]:
    """The gold spans that must be found, and those that count neither way."""
    marks = document.marks[layer]
    free = [(mark.start, mark.end) for mark in marks if mark.optional]
    return [mark for mark in marks if not mark.optional], [*free, *document.unsure.get(layer, ())]


def _types_there(must: Sequence[Mark], answers: Sequence[Sequence[Answer]]) -> dict[Span, str]:
    """Of each span the type of the gold that is there; where there is none, that of the first answer."""
    types = {(mark.start, mark.end): mark.label for mark in must}
    for answer in (one for own in answers for one in own):
        if (span := (answer.start, answer.end)) not in types:
            there = (mark.label for mark in must if _overlap(mark, answer))
            types[span] = next(there, answer.type or "")
    return types


def _overlap(a: Any, b: Any) -> bool:
    return bool(a.start < b.end and b.start < a.end)


def _counted(answers: Sequence[Answer], must: Sequence[Mark], free: Sequence[Span]) -> list[Answer]:
    """The answers that count, each span once: not those on doubtful spans alone."""
    once = {(answer.start, answer.end): answer for answer in answers}
    return [
        answer
        for (start, end), answer in once.items()
        if any(_overlap(answer, mark) for mark in must) or not any(start < b and a < end for a, b in free)
    ]


def _row(gold: Sequence[Mark], answers: Sequence[Answer], places: Mapping[Span, Place]) -> Row:
    counts = count(gold, [answer[:3] for answer in answers])
    given = {(answer.start, answer.end): answer for answer in answers}
    with_value = sum(
        (found := given.get((mark.start, mark.end))) is not None and mark.value in (None, found.value)
        for mark in gold
    )
    typed = sum(
        (found := given.get((mark.start, mark.end))) is not None and mark.label == found.type for mark in gold
    )
    # a span that the tokens cannot carry is out of the count on tokens, and so is its answer
    lost = [mark for mark in gold if places[mark.start, mark.end].carried is None]
    answered = [
        places[answer.start, answer.end].carried
        for answer in answers
        if not any(_overlap(answer, mark) for mark in lost)
    ]
    carried = {places[mark.start, mark.end].carried for mark in gold} - {None}
    return (
        *(
            counts.gold,
            counts.predicted,
            counts.strict,
            counts.lenient,
            with_value,
            counts.valued,
            counts.value,
        ),
        *(len(carried), len(answered), len(carried & set(answered)), typed),
    )


def _items(
    document: int,
    must: Sequence[Mark],
    answers: Sequence[Answer],
    candidates: Sequence[Answer] | None,
    has_values: bool,
) -> Iterator[Item]:
    """What became of each gold span, in order, then the answers that belong to none."""
    left = {(answer.start, answer.end): answer for answer in answers}
    exact = {span: left.pop(span) for mark in must if (span := (mark.start, mark.end)) in left}
    for mark in sorted(must, key=lambda mark: mark.start):
        span = mark.start, mark.end
        answer = exact.get(span)
        if answer is not None:
            outcome, sure = "correct", answer.score
            if answer.type != mark.label:
                outcome = "type"
            elif has_values and mark.value is not None and answer.value != mark.value:
                outcome = "value"
        else:
            answer = next((one for one in left.values() if _overlap(one, mark)), None)
            if answer is not None:
                left.pop((answer.start, answer.end))
                outcome, sure = "boundary", answer.score
            else:
                weak = (one.score or 0 for one in candidates or () if (one.start, one.end) == span)
                outcome, sure = "missed", None if candidates is None else 1 - next(weak, 0)
        yield Item(document, outcome, *span, mark, answer, "", "", sure)
    for span, answer in left.items():
        yield Item(document, "false", *span, None, answer, "", "", answer.score)


def _count_numbers(
    out: dict[str, Counter[str]],
    text: str,
    must: Sequence[Mark],
    free: Sequence[Span],
    answers: Sequence[Answer],
) -> None:
    """Numbers in the text by kind: all, those in no gold span, and how many of these are tagged."""
    for start, end, kind in numbers(text):
        span = Answer(start, end)
        if any(a < end and start < b for a, b in free):
            continue
        out[kind]["numbers"] += 1
        if not any(_overlap(mark, span) for mark in must):
            out[kind]["no_years"] += 1
            out[kind]["tagged"] += any(_overlap(answer, span) for answer in answers)


# Figures ---------------------------------------------------------------------------------------------


def score(
    rows: Mapping[int, list[Row]], documents: int, values: Sequence[bool], layer: str = "years"
) -> dict[str, Any]:
    """The figures of a group: of the system, of the baseline, and their difference.

    ``rows`` are those of documents with anything to count, of ``documents`` in all; ``values`` says which
    systems give values.
    """
    width = len(COUNTED)
    every = np.array([[*sum(own, ())] for own in rows.values()], float).reshape(-1, width * len(values))
    distinct, times = np.unique(every, axis=0, return_counts=True)
    rest = documents - len(rows)
    if rest:
        distinct, times = np.vstack([distinct, np.zeros(every.shape[1])]), np.append(times, rest)
    again, total = resampled(distinct, times), every.sum(axis=0)
    out: dict[str, Any] = {"documents": documents}
    f1 = []
    for k, (name, has_values) in enumerate(zip(("system", "baseline"), values, strict=False)):
        here = slice(k * width, (k + 1) * width)
        out[name], own = _figures(total[here], again[:, here], has_values, layer)
        f1.append(own)
    if len(values) > 1:
        (ours, ours_again), (theirs, theirs_again) = f1
        out["difference"] = {
            "f1": ours - theirs,
            "f1_interval": interval(ours_again - theirs_again),
            "p": two_sided(ours_again, theirs_again),
        }
    return out


def _figures(
    total: Float, again: Float, has_values: bool, layer: str
) -> tuple[dict[str, Any], tuple[float, Float]]:
    """Counts and ratios of one system, and its strict F1 with that of each resample."""
    counts = dict(zip(COUNTED, map(int, total), strict=True))
    out: dict[str, Any] = {"counts": counts}
    for way, (hits, predicted, gold) in WAYS.items():
        known = {"value": has_values and counts["valued"], "type": layer != "years"}
        if not known.get(way, True):
            out[way] = None
            continue
        for_total, for_again = (
            _ratios(c[..., hits], c[..., predicted], c[..., gold]) for c in (total, again)
        )
        out[way] = {}
        for name, ratio in for_total.items():
            out[way] |= {name: float(ratio), f"{name}_interval": interval(for_again[name])}
        if way == "strict":
            f1 = float(for_total["f1"]), for_again["f1"]
    return out, f1


def _ratios(hits: Float, predicted: Float, gold: Float) -> dict[str, Float]:
    return {
        "precision": share(hits, predicted, 1.0),
        "recall": share(hits, gold, 1.0),
        "f1": share(2 * hits, gold + predicted, 1.0),
    }


# The report as data ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Gate:
    """A bound for a figure of the system: the least it may be, or the most it may be below the baseline."""

    name: str
    bound: float
    is_drop: bool = False

    @classmethod
    def read(cls, said: str) -> Gate:
        """From NAME=VALUE, as in ``f1=0.97``."""
        name, _, value = said.partition("=")
        try:
            bound = float(value)
        except ValueError:
            bound = -1
        if name not in GATES or not 0 <= bound <= 1:
            raise ValueError(
                f"{said!r}: expected NAME=VALUE, a value from 0 to 1 and a name of {', '.join(GATES)}"
            )
        return cls(name, bound)

    def judge(self, scores: Mapping[str, Any]) -> dict[str, Any]:
        """The figure and whether it keeps the bound, from the scores of all documents."""
        way, figure = GATES[self.name]
        own = scores["system"][way]
        if own is None:
            raise ValueError(
                f"{self.name} cannot be judged: there are no {way}s in the gold or in the answers"
            )
        value, against = own[figure], self.bound
        if self.is_drop:
            against = scores["baseline"][way][figure] - self.bound
        # what differs by less than rounding does not differ
        passed = value >= against - 1e-9
        what = f"{self.name} {value:.4f}"
        told = f"{what}, the baseline's minus {self.bound:g} is {against:.4f}" if self.is_drop else what
        return {
            "gate": f"max-drop {self.bound:g}" if self.is_drop else f"min {self.name}={self.bound:g}",
            "value": value,
            "bound": against,
            "passed": passed,
            "line": told if passed or self.is_drop else f"{what} is below {self.bound:g}",
        }


def evaluate(
    golds: Sequence[Gold],
    ours: System,
    baseline: System | None = None,
    settings: Settings | None = None,
    gates: Sequence[Gate] = (),
) -> dict[str, Any]:
    """Everything about the system's answers, as data: what is written to ``report.json``.

    The same input gives the same data; docs/evaluation/README.md says what each part is.
    """
    settings = settings or Settings()
    documents = [document for gold in golds for document in gold.documents]
    systems = [ours] if baseline is None else [ours, baseline]
    counted = count_all(documents, systems, settings.layer)
    values = [one.has_values for one in systems]
    groups = {
        group: {
            name: score(
                counted.rows[group].get(name, {}),
                counted.members[group][name] if group in counted.members else len(counted.rows[group][name]),
                values,
                settings.layer,
            )
            for name in _order(group, counted)
        }
        for group in ("all", "sources", "languages", "forms", "numbers", "lengths", "positions", "cells")
    }
    everything = groups.pop("all")["all"]
    groups["numbers"] = {
        kind: groups["numbers"].get(kind, {})
        | {
            "in_texts": counted.numbers[kind]["numbers"],
            "no_years": counted.numbers[kind]["no_years"],
            "no_years_tagged": counted.numbers[kind]["tagged"],
        }
        for kind in NUMBERS
        if kind in groups["numbers"] or kind in counted.numbers
    }
    items = counted.items[0]
    wrong = [item for item in items if item.outcome != "correct"]
    right = [item for item in items if item.outcome == "correct"]
    chosen = asdict(settings) | {"min_score": settings.least, "seed": SEED, "resamples": RESAMPLES}
    chosen["precisions"] = list(settings.precisions)

    def listed(some: Iterable[Item]) -> list[dict[str, Any]]:
        return [_listed(item, documents[item.document], settings.context) for item in some]

    report = {
        "format": FORMAT,
        "yearmark": yearmark.__version__,
        "gold": [
            {"name": gold.path.name, "sha256": gold.sha256, "documents": len(gold.documents)}
            for gold in golds
        ],
        "licenses": {d.source: d.license for d in documents if d.license},
        "system": _named(ours),
        "baseline": _named(baseline) if baseline else None,
        "settings": chosen,
        "settings_sha256": hashlib.sha256(json.dumps(chosen, sort_keys=True).encode()).hexdigest(),
        "gates": [gate.judge(everything) for gate in gates],
        "all": everything,
        **groups,
        "not_carried": [
            {"text": text, "times": times} for text, times in sorted(counted.not_carried.items(), key=_most)
        ],
        "outcomes": {name: sum(item.outcome == name for item in items) for name in OUTCOMES},
        "confusion": {
            name: {
                outcome: sum(i.form == name and i.outcome == outcome for i in items) for outcome in OUTCOMES
            }
            for name in _order("forms", counted)
        },
        "surfaces": _surfaces(wrong, documents),
        "calibration": _calibration(documents, ours, settings),
        "types": _types(items) if settings.layer != "years" else None,
        "comparison": _comparison(counted.items, values, listed) if baseline else None,
        "errors": listed(sorted(wrong, key=_surest)),
        "correct": listed(sorted(right, key=_surest, reverse=True)[:CORRECT]),
    }
    result: dict[str, Any] = rounded(report)
    return result


def cost(documents: Sequence[Document], ours: System, began: float) -> dict[str, Any]:
    """What the run took; ``began`` is when, by `time.perf_counter`. It is another one every time."""
    words = sum(len(document.text.split()) for document in documents)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {
        "words": words,
        "seconds": time.perf_counter() - began,
        "words_per_second": words / ours.seconds if ours.seconds else None,
        "peak_memory": peak if sys.platform == "darwin" else peak * 1024,  # bytes; Linux counts in KiB
    }


def _named(one: System) -> dict[str, Any]:
    return {"name": one.name, "kind": one.kind, "sha256": one.sha256, "values": one.has_values}


def _order(group: str, counted: Counted) -> list[str]:
    """The names of a group in the order in which they are told."""
    known = {
        "forms": FORMS,
        "numbers": NUMBERS,
        "lengths": LENGTH_GROUPS,
        "positions": FIFTHS,
        "cells": [f"{length}, {place}" for length in LENGTH_GROUPS for place in FIFTHS],
    }
    if group in known:
        found = counted.rows[group]
        # the forms of layers but years are their types
        return [name for name in known[group] if name in found] or sorted(found)
    return sorted(counted.members[group])


def _surest(item: Item) -> tuple[float, int, int]:
    """The surest first; where there are no scores, in the order of the texts."""
    return -(item.confidence or 0), item.document, item.start


def _most(pair: tuple[Any, int]) -> tuple[int, Any]:
    return -pair[1], pair[0]


def _listed(item: Item, document: Document, context: int) -> dict[str, Any]:
    text, answer = document.text, item.answer
    return {
        "id": document.id,
        "start": item.start,
        "end": item.end,
        "outcome": item.outcome,
        "form": item.form,
        "number": item.number,
        "text": text[item.start : item.end],
        "before": text[max(0, item.start - context) : item.start],
        "after": text[item.end : item.end + context],
        "type": item.gold.label if item.gold else None,
        "value": item.gold.value if item.gold else None,
        "answer": None if answer is None else {**answer._asdict(), "text": text[answer.start : answer.end]},
        "confidence": item.confidence,
    }


def _surfaces(wrong: Sequence[Item], documents: Sequence[Document]) -> list[dict[str, Any]]:
    """Errors by what stands there, the most frequent first."""
    found = Counter(
        (item.form, documents[item.document].text[item.start : item.end], item.outcome) for item in wrong
    )
    return [
        {"form": form, "text": text, "outcome": outcome, "times": times}
        for (form, text, outcome), times in sorted(found.items(), key=_most)
    ]


def _types(items: Sequence[Item]) -> list[dict[str, Any]]:
    """How often which type of the gold (None: no gold) was given as which (None: nothing was)."""
    found = Counter(
        (item.gold.label if item.gold else None, item.answer.type if item.answer else None) for item in items
    )
    return [
        {"gold": gold, "answer": answer, "times": times}
        for (gold, answer), times in sorted(found.items(), key=lambda pair: tuple(x or "" for x in pair[0]))
    ]


def _calibration(documents: Sequence[Document], ours: System, settings: Settings) -> dict[str, Any] | None:
    """What the scores are worth; None where there are none."""
    if ours.candidates is None:
        return None
    pairs, gold = [], 0
    for document, candidates in zip(documents, ours.candidates, strict=True):
        must, free = _gold(document, settings.layer)
        right = {(mark.start, mark.end) for mark in must}
        gold += len(must)
        pairs += [(one.score, (one.start, one.end) in right) for one in _counted(candidates, must, free)]
    table = np.array(pairs, float).reshape(-1, 2)
    return {
        "candidates": len(table),
        "error": calibration_error(table),
        "error_of_answers": calibration_error(table[table[:, 0] >= settings.least]),
        "bins": reliability(table),
        "thresholds": thresholds(table, gold, THRESHOLDS),
        "wanted": [
            {"wanted": wanted, "found": least_score(table, gold, wanted)} for wanted in settings.precisions
        ],
    }


def _comparison(
    items: Sequence[Sequence[Item]],
    values: Sequence[bool],
    listed: Callable[[Iterable[Item]], list[dict[str, Any]]],
) -> dict[str, Any]:
    """What the system does right where the baseline errs, and the other way round."""
    # a wrong value is an error of both only if both give values
    right = ("correct",) if all(values) else ("correct", "value")
    ours, theirs = ({i.key: i for i in own if i.outcome not in right} for own in items)
    return {
        "fixed": listed(item for key, item in sorted(theirs.items()) if key not in ours),
        "broken": listed(item for key, item in sorted(ours.items()) if key not in theirs),
        "both": len(ours.keys() & theirs.keys()),
    }
