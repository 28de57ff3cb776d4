"""Text to segments: the pieces that are tagged on their own, by a rule on the raw text alone."""

from __future__ import annotations

import re
from collections.abc import Iterator

# A sentence's end (not behind an initial or an abbreviation that goes before a number or a name), or
# an empty line.
_END = re.compile(
    r"""
      (?: (?<![\s.][A-Za-z])(?<!^[A-Za-z])
          (?<!\bNo)(?<!\bno)(?<!\bpp)(?<!\bvol)(?<!\bVol)(?<!\bca)(?<!\bal)(?<!\bcf)(?<!\bfl)
          (?<!\bSt)(?<!\bMr)(?<!\bDr)(?<!\bMrs)(?<!\bMs)(?<!\bvs)(?<!\bJr)
          (?<!\bJan)(?<!\bFeb)(?<!\bMar)(?<!\bApr)(?<!\bJun)(?<!\bJul)(?<!\bAug)(?<!\bSep)(?<!\bSept)
          (?<!\bOct)(?<!\bNov)(?<!\bDec)(?<!\d)
          \. | \d{3}\. | [!?。！？] )
      ["'”’)\]]{0,3} [ \t\r\n]{1,8} (?=[^\s\da-z])
    | \n[ \t\r]{0,80}\n+
    """,
    re.VERBOSE | re.MULTILINE,
)
SOFT = 600  # characters after which a line's end ends the segment too (tables, lists)
HARD = 4_000  # characters after which any white space does, and at twice that any character


def segments(text: str) -> Iterator[tuple[int, int]]:
    """The segments ``[start, end)`` of a text, in order; together they are the whole text."""
    start = 0
    for found in _END.finditer(text):
        yield from _cut(text, start, found.end())
        start = found.end()
    yield from _cut(text, start, len(text))


def _cut(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Cut what no sentence end divides."""
    while end - start > SOFT:
        cut = text.find("\n", start + SOFT, start + HARD) + 1
        if not cut:
            if end - start <= HARD:
                break
            space = re.compile(r"\s").search(text, start + HARD, start + 2 * HARD)
            cut = space.end() if space else start + 2 * HARD
        cut = min(cut, end)
        yield start, cut
        start = cut
    if start < end:
        yield start, end
