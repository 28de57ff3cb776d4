"""Text to segments: the pieces that are tagged on their own, by a rule on the raw text alone."""

from __future__ import annotations

import re
from collections.abc import Iterator

# Abbreviations that go before a number or a name, where their point ends no sentence.
_ABBREVIATIONS = (
    "No no pp vol Vol ca al cf fl St Mr Dr Mrs Ms vs Jr Jan Feb Mar Apr Jun Jul Aug Sep Sept Oct Nov Dec"
)
# A sentence's end, or an empty line. The first character is one of few, which makes the search fast;
# what stands before it is looked up only there.
_END = re.compile(
    r"""
      \n [ \t\r]{0,80} \n+
    | (?: [!?。！？]
        | \. (?: (?<=\d\d\d\.)
               | (?<!\d\.) (?<![\s.][A-Za-z]\.) (?<!^[A-Za-z]\.) ABBREVIATIONS ) )
      ["'”’)\]]{0,3} [ \t\r\n]{1,8} (?=[^\s\da-z])
    """.replace("ABBREVIATIONS", "".join(rf"(?<!\b{short}\.)" for short in _ABBREVIATIONS.split())),
    re.VERBOSE | re.MULTILINE,
)
_SPACE = re.compile(r"\s")
SOFT = 600  # characters after which a line's end ends the segment too (tables, lists)
HARD = 4_000  # characters after which any white space does, and at twice that any character


def segments(text: str) -> Iterator[tuple[int, int]]:
    """The segments ``[start, end)`` of a text, in order, without the white space around them."""
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
            space = _SPACE.search(text, start + HARD, start + 2 * HARD)
            cut = space.end() if space else start + 2 * HARD
        cut = min(cut, end)
        yield from _stripped(text, start, cut)
        start = cut
    yield from _stripped(text, start, end)


def _stripped(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    piece = text[start:end]
    left = piece.lstrip()
    if left:
        yield start + len(piece) - len(left), start + len(piece.rstrip())
