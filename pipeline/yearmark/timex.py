"""A span of a layer that names no year alone: a time expression, or what a layer of one's own marks."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Timex:
    """A time expression; ``text[start:end]`` of the whole is ``text``.

    ``start`` and ``end`` count code points, ``end`` exclusive. ``type`` is TIMEX3's: DATE, TIME, DURATION or
    SET (in a layer of one's own, its label). ``value`` is a date in EDTF or a duration in ISO 8601, None
    where it cannot be known. ``score`` is the probability of this span, of whatever type.
    """

    start: int
    end: int
    text: str
    type: str
    value: str | None
    score: float
