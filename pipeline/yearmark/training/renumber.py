"""Real sentences with other numbers: what is no year is none when it looks like one, either."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator

from yearmark.training.document import Document

# A whole number that stands alone, or before a Korean counter or a sign of a unit.
_NUMBER = re.compile(r"(?<![\w.,:;/'’\-–—+])\d{1,5}(?![\d.,:;/'’\-–—]*\d|[A-Za-z'’/\-–—])")
_MONTH = r"(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\.?"
_TIME_BEFORE = re.compile(rf"(?:\b{_MONTH}|월|오전|오후|년)\s*$", re.IGNORECASE)
_TIME_BEHIND = re.compile(
    rf"\s*(?:(?:of\s+)?{_MONTH}\b|[ap]\.?\s?m\b|o['’]clock|bce?\b|b\.c|ad\b|a\.d"
    r"|년|월|일|시|분|초|세기|대|살|세|학번|기\b|[ 　]*여?\s*년)",
    re.IGNORECASE,
)
_BETWEEN = re.compile(r"[(\[,]\s?\d+\s?[)\],]")  # an age, a reference, a year: nothing tells
_SHARE = 0.7  # of the numbers that may get other digits


def renumber(document: Document, rng: random.Random) -> Document | None:
    """The document with other numbers; None where it has none that may change.

    A number that is in no year, no time expression and no doubt becomes one that looks like a year, but for
    those beside a month, an hour or a unit of time, which might become one.
    """
    changes = sorted(_changes(document, rng))
    return document.edited(changes) if changes else None


def _changes(document: Document, rng: random.Random) -> Iterator[tuple[int, int, str]]:
    """Start, end and new digits."""
    text = document.text
    taken = [(mark.start, mark.end) for marks in document.marks.values() for mark in marks]
    taken += [span for spans in document.unsure.values() for span in spans]
    for found in _NUMBER.finditer(text):
        start, end = found.span()
        if (
            any(a < end and start < b for a, b in taken)
            or _BETWEEN.search(text[max(0, start - 2) : end + 2])
            or _TIME_BEFORE.search(text[max(0, start - 12) : start])
            or _TIME_BEHIND.match(text, end)
            or rng.random() > _SHARE
        ):
            continue
        yield start, end, str(rng.randint(1500, 2099))
