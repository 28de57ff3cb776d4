"""The words that the network has vectors for."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

_LONGEST_PREFIX = 8  # syllables


class Words:
    """Rows of the table of word vectors, from 1 on, by word; row 0 is that of all other words.

    ``lines`` are a word each, in lower case, and take one row after the other; or a word, a tab and the
    word before it whose row it shares: a translation.
    """

    def __init__(self, lines: Iterable[str] = ()) -> None:
        self._rows: dict[str, int] = {}
        self.count = 0  # of rows, without row 0
        for number, line in enumerate(lines, start=1):
            word, tab, other = line.partition("\t")
            if not tab:
                self.count += 1
                self._rows[word] = self.count
            elif other in self._rows:
                self._rows[word] = self._rows[other]
            else:
                raise ValueError(
                    f"line {number}: {word!r} shares the row of {other!r}, which no line before has"
                )

    @classmethod
    def read(cls, path: Path) -> Words:
        """Of a file with a word a line. Raises ValueError that names file and line."""
        try:
            return cls(path.read_text(encoding="utf-8").splitlines())
        except ValueError as error:
            raise ValueError(f"{path}, {error}") from None

    def row(self, norm: str, stem: str) -> int:
        """The row of a word, else of its stem, else of the longest Korean word it begins with, else 0."""
        if row := self._rows.get(norm) or self._rows.get(stem):
            return row
        if "가" <= norm[:1] <= "힣":
            for end in range(min(len(norm) - 1, _LONGEST_PREFIX), 0, -1):
                if row := self._rows.get(norm[:end]):
                    return row
        return 0
