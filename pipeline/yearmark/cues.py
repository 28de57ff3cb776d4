"""The cues of time: the words of which every time expression has one."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from yearmark.numerals import NUMBER_WORDS


class Cues:
    """The words without which no time expression is told; every number is one too, in digits or words.

    ``words`` are in lower case. A Korean one of two syllables or more counts anywhere in a word, for
    endings and other nouns are written to it; of one syllable, at the word's beginning.
    """

    def __init__(self, words: Iterable[str]) -> None:
        korean = set[str]()
        self._words = set(NUMBER_WORDS) - {"o", "oh"}
        for word in words:
            (korean if "가" <= word[0] <= "힣" else self._words).add(word)
        self._inside = tuple(sorted(word for word in korean if len(word) > 1))
        self._first = frozenset(word for word in korean if len(word) == 1)

    @classmethod
    def read(cls, path: Path) -> Cues:
        """Of a file with words between white space; a line that begins with # is a comment."""
        lines = path.read_text(encoding="utf-8").splitlines()
        return cls(word for line in lines if not line.startswith("#") for word in line.split())

    def __contains__(self, token: str) -> bool:
        if "가" <= token[0] <= "힣":
            return token[0] in self._first or any(word in token for word in self._inside)
        return token.isdecimal() or token.lower() in self._words
