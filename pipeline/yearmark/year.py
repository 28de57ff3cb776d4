"""The one kind of answer: a year found in a text."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Year:
    """A place in a text that names one calendar year; ``text[start:end]`` of the whole is ``text``.

    ``start`` and ``end`` count code points, ``end`` exclusive. ``value`` is the ISO 8601 year
    (astronomical: 1 BC is ``"0000"``), None where it cannot be known. ``score`` is the
    probability that this span is a year.
    """

    start: int
    end: int
    text: str
    value: str | None
    score: float
