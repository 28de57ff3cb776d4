"""Counts of found and missed years, and the figures they give."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from yearmark.training.document import Mark

Span = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Counts:
    """Counts of spans; they add. ``strict``: same start and end; ``lenient``: overlapping, one to one.

    ``valued`` counts the gold spans that have a value, ``value`` those found strictly with it.
    """

    gold: int = 0
    predicted: int = 0
    strict: int = 0
    lenient: int = 0
    valued: int = 0
    value: int = 0

    def __add__(self, other: Counts) -> Counts:
        return Counts(
            self.gold + other.gold,
            self.predicted + other.predicted,
            self.strict + other.strict,
            self.lenient + other.lenient,
            self.valued + other.valued,
            self.value + other.value,
        )

    @property
    def precision(self) -> float:
        """Strict; 1 where nothing was predicted."""
        return self.strict / self.predicted if self.predicted else 1.0

    @property
    def recall(self) -> float:
        """Strict; 1 where there was nothing to find."""
        return self.strict / self.gold if self.gold else 1.0

    @property
    def f1(self) -> float:
        """Strict."""
        return _f1(self.strict, self.predicted, self.gold)

    @property
    def lenient_f1(self) -> float:
        return _f1(self.lenient, self.predicted, self.gold)

    @property
    def value_accuracy(self) -> float | None:
        return self.value / self.valued if self.valued else None


def _f1(hits: int, predicted: int, gold: int) -> float:
    """2PR / (P + R) with P and R as 1 where they are 0/0."""
    if not predicted and not gold:
        return 1.0
    return 2 * hits / (predicted + gold) if predicted + gold else 0.0


def _overlaps(a: Span, b: Span) -> bool:
    return a[0] < b[1] and b[0] < a[1]


def count(
    gold: Iterable[Mark],
    predicted: Iterable[tuple[int, int, str | None]],
    ignored: Collection[Span] = (),
) -> Counts:
    """One document's counts. Predictions are (start, end, value).

    Optional marks and ``ignored`` spans count neither way: a prediction that overlaps one of them
    and no other gold mark is left out.
    """
    gold = list(gold)
    must = [mark for mark in gold if not mark.optional]
    free = [*((mark.start, mark.end) for mark in gold if mark.optional), *ignored]
    spans: dict[Span, str | None] = {}
    for start, end, value in predicted:
        span = (start, end)
        if any(_overlaps(span, (mark.start, mark.end)) for mark in must) or not any(
            _overlaps(span, other) for other in free
        ):
            spans[span] = value
    exact = [mark for mark in must if (mark.start, mark.end) in spans]
    return Counts(
        gold=len(must),
        predicted=len(spans),
        strict=len(exact),
        lenient=_one_to_one([(mark.start, mark.end) for mark in must], list(spans)),
        valued=sum(mark.value is not None for mark in must),
        value=sum(mark.value is not None and spans[mark.start, mark.end] == mark.value for mark in exact),
    )


def _one_to_one(gold: Sequence[Span], predicted: Sequence[Span]) -> int:
    """How many gold spans overlap a prediction of their own, taken in order."""
    left = sorted(predicted)
    hits = 0
    for span in sorted(gold):
        match = next((other for other in left if _overlaps(span, other)), None)
        if match is not None:
            left.remove(match)
            hits += 1
    return hits
