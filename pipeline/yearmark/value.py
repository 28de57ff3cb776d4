"""A year's value: the ISO 8601 year that its text names, read with the rest of the document."""

from __future__ import annotations

import datetime
import re
import unicodedata
from collections.abc import Sequence

from yearmark.numerals import Eras, english_year, sino_korean

_APOSTROPHES = "’‘`´ʼ′＇"
# An era of letters or Hangul before or behind the number; 10,000 BC has a comma.
_NUMBER = re.compile(r"(?P<before>[^\d]*?)(?P<number>\d+(?:,\d{3})*)(?P<after>.*)", re.DOTALL)
# What stands between the two ends of a range or a list: "1914-18", "1914 to 18", "82, 83 and 84".
_BETWEEN = re.compile(r"\s*(?:[-‐‑–—−~∼～/]|to|through|and|or|,|&|·|년|부터|에서|\s|년도)+\s*", re.IGNORECASE)
_BACKWARDS = re.compile(r"(?:b\.?\s?c\.?|bce|b\.c\.e\.)$", re.IGNORECASE)
WINDOW = 20  # years: how far after the reference year a two-digit year may lie
NEAR = 25  # years: how far from a full year of the document a two-digit year may lie to be of its time


def values(
    text: str, spans: Sequence[tuple[int, int]], eras: Eras, reference_year: int | None = None
) -> list[str | None]:
    """The values of a document's years, given by their spans ``[start, end)`` in order.

    A year of two digits takes the century of the year before it in a range or a list
    ("1914-18", "1999/00"); else it is the one within 25 years of the full year nearest in the
    document, where there is one; else the last such year up to ``reference_year + WINDOW``
    (default: the current year). What is written in no way known here has the value None.
    """
    reference = reference_year or datetime.date.today().year
    read = [_read(text[start:end], eras) for start, end in spans]
    years: list[int | None] = [year for year, _ in read]
    # the era of "264 to 241 BC" stands behind the second only
    for k in range(len(spans) - 2, -1, -1):
        (_, end), (start, last) = spans[k], spans[k + 1]
        later, earlier = years[k + 1], years[k]
        if earlier is None or later is None or later > 0 or "0" > text[end - 1] > "9":
            continue
        shares = _BACKWARDS.search(text[start:last]) and _BETWEEN.fullmatch(text, end, start)
        if shares and text[spans[k][0] : end].isdecimal() and 1 - earlier < later:
            years[k] = 1 - earlier
    for k, (year, short) in enumerate(read):
        if not short or year is None:
            continue
        start = spans[k][0]
        before = years[k - 1] if k else None
        if before is not None and before > 99 and _BETWEEN.fullmatch(text, spans[k - 1][1], start):
            span = 10 if spans[k][1] - start == 1 else 100  # 1592-3: the decade too
            first = before // span * span + year
            is_range = not re.search(r"[,&·]|and|or", text[spans[k - 1][1] : start])
            years[k] = first + (span if is_range and first < before else 0)
        else:
            years[k] = _in_century(year, reference + WINDOW)
            if full := [(abs(spans[i][0] - start), y) for i, (y, cut) in enumerate(read) if y and not cut]:
                near = _in_century(year, min(full)[1] + NEAR)
                if min(full)[1] - near <= NEAR:
                    years[k] = near
    return [None if year is None else iso(year) for year in years]


def _in_century(short: int, last: int) -> int:
    """The last year up to ``last`` that ends in the two digits ``short``."""
    return (last - short) // 100 * 100 + short


def iso(year: int) -> str:
    """An astronomical year in ISO 8601: four digits at least, a sign before the year 0000.

    >>> iso(2009), iso(79), iso(0), iso(-479)
    ('2009', '0079', '0000', '-0479')
    """
    return f"{year:04d}" if year >= 0 else f"-{-year:04d}"


def _read(name: str, eras: Eras) -> tuple[int | None, bool]:
    """The number that a year's text names, and whether its century is missing."""
    for apostrophe in _APOSTROPHES:  # before NFKC, which makes a space and an accent of some
        name = name.replace(apostrophe, "'")
    plain = unicodedata.normalize("NFKC", name).strip()
    found = _NUMBER.fullmatch(plain)
    if not found:
        words = english_year(plain)
        if words is None:
            words = sino_korean(plain.replace(" ", ""))
        return words, words is not None and words < 100
    number = int("".join(str(int(digit)) for digit in found["number"].replace(",", "")))
    before, after = found["before"].strip(), found["after"].strip()
    if before.rstrip("'") == "" and not after:
        # the least that a full year may have is three digits; '09 and 09 lack the century
        return number, len(found["number"]) <= 2
    if mark := before or after:
        return eras.year(re.sub(r"\s", "", mark), number), False
    return None, False
