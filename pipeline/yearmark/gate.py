"""The gate: which segments can hold a year at all, by a scan of the raw text.

Every token that may begin a year (features.may_begin) is a digit or a number word, or stands beside
one; so a segment without them has no year, and needs neither tokens nor network. A wider gate costs
time and never changes an answer.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from yearmark.segments import segments
from yearmark.tokenizer import SINO

_DIGIT = re.compile(r"\d")
# One of two English number words in a row is ten or more.
_BIG_WORDS = (
    *("teen", "eleven", "twelve", "hundred", "thousand"),
    *("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"),
)
_TEN = re.compile(r"ten(?![a-z])(?<![a-z]ten)")  # begins with plain letters, which is fast to search
_SINO = re.compile(rf"[{SINO}]{{2}} ?년")


def segments_with_numbers(text: str) -> Iterator[tuple[int, int]]:
    """The segments ``[start, end)`` of a text that may hold a year, in order."""
    words = _has_number_words(text)
    if not words and not _DIGIT.search(text):
        return
    for start, end in segments(text):
        if _DIGIT.search(text, start, end) or (words and _has_number_words(text[start:end])):
            yield start, end


def _has_number_words(text: str) -> bool:
    lowered = text.lower()
    return (
        any(word in lowered for word in _BIG_WORDS)
        or _TEN.search(lowered) is not None
        or ("년" in text and _SINO.search(text) is not None)
    )
