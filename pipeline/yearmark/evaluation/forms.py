"""How years and other numbers are written, read off the text around them."""

from __future__ import annotations

import re
from collections.abc import Iterator

FORMS = ("plain", "two digits", "words", "era", "in a date", "in a range", "other")
NUMBERS = (
    "1000 to 2099", "other four digits", "one or two digits", "three digits", "five digits or more",
    "after an apostrophe", "with a point or comma", "a decade", "joined to letters",
    "with a sign of money or share", "no digits",
)  # fmt: skip

_MONTH = (
    r"(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?"
    r"|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)\.?"
)
_DAY = r"\d{1,2}(?:st|nd|rd|th)?"
_DATE_BEFORE = re.compile(
    rf"(?:\b{_MONTH}(?:\s+{_DAY})?,?\s+(?:of\s+)?|(?<!\d)\d{{1,2}}([./-])\d{{1,2}}\1)$", re.IGNORECASE
)
_DATE_AFTER = re.compile(
    rf"([./-])\d{{1,2}}\1\d{{1,2}}(?!\d)|\.\s?\d{{1,2}}\.\s?\d{{1,2}}|\s?년\s?\d{{1,2}}\s?월|,?\s+{_MONTH}\s+{_DAY}\b",
    re.IGNORECASE,
)
_RANGE_BEFORE = re.compile(r"(?<!\d)\d{2,4}\s?년?\s?[-–—~/]\s?$")
_RANGE_AFTER = re.compile(r"\s?년?\s?[-–—~/]\s?['’]?\d{2,4}(?!\d)")
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
_APOSTROPHES = "'’‘`´ʼ′＇"
_REACH = 24  # characters: "September 30th, " and some spaces


def form(year: str) -> str:
    """How a year is written.

    >>> [form(year) for year in ("2009", "'09", "nineteen eighty-four", "480 BC", "890")]
    ['four digits', 'two digits', 'words', 'era', 'other']
    """
    plain = year.lstrip(_APOSTROPHES)
    if plain.isdecimal():
        return {4: "four digits", 2: "two digits"}.get(len(plain), "other")
    if not any(c.isdigit() for c in plain):
        return "words"
    return "era" if any(c.isalpha() for c in plain) else "other"


def form_in_text(text: str, start: int, end: int) -> str:
    """One of FORMS: in a date, in a range, else how the year itself is written.

    >>> [form_in_text("on 1 May 2009, 1914-18, in 2010", *span) for span in ((9, 13), (20, 22), (27, 31))]
    ['in a date', 'in a range', 'plain']
    """
    before, after = text[max(0, start - _REACH) : start], text[end : end + _REACH]
    if _DATE_BEFORE.search(before) or _DATE_AFTER.match(after):
        return "in a date"
    if _RANGE_BEFORE.search(before) or _RANGE_AFTER.match(after):
        return "in a range"
    alone = form(text[start:end])
    return "plain" if alone == "four digits" else alone


def numbers(text: str) -> Iterator[tuple[int, int, str]]:
    """The numbers of a text that are written in digits: start, end, and which of NUMBERS each is.

    >>> [kind for *_, kind in numbers("2009 of 7.5, the 1990s, $400")]
    ['1000 to 2099', 'with a point or comma', 'a decade', 'with a sign of money or share']
    """
    for found in _NUMBER.finditer(text):
        yield *found.span(), _kind(text, *found.span())


def number_kind(text: str, start: int, end: int) -> str:
    """Which of NUMBERS the first number that begins in the span is."""
    found = _NUMBER.search(text, start)
    return _kind(text, *found.span()) if found and found.start() < end else "no digits"


def _kind(text: str, start: int, end: int) -> str:
    before, after = text[start - 1 : start], text[end : end + 1]
    if before in tuple("$€£¥₩") or after in tuple("%€£¥₩‰"):
        return "with a sign of money or share"
    if re.match(r"['’]?s\b", text[end : end + 3]) and text[end - 1] == "0":
        return "a decade"
    if (before.isascii() and before.isalpha()) or (after.isascii() and after.isalpha()):
        return "joined to letters"
    digits = text[start:end]
    if not digits.isdecimal():
        return "with a point or comma"
    if before and before in _APOSTROPHES:
        return "after an apostrophe"
    match len(digits):
        case 1 | 2:
            return "one or two digits"
        case 3:
            return "three digits"
        case 4:
            return "1000 to 2099" if 1000 <= int(digits) <= 2099 else "other four digits"
        case _:
            return "five digits or more"
