"""Tokens to numbers: what the network reads of each token, computed once a lexeme."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from zlib import crc32

import numpy as np
import numpy.typing as npt
from spacy.attrs import ID, IDX, LENGTH, SPACY

from yearmark.numerals import NUMBER_WORDS, Eras
from yearmark.tokenizer import SINO, make_tokenizer

Int = npt.NDArray[np.int32]
Bool = npt.NDArray[np.bool_]

# What a token can do in the name of a year; bits of a lexeme's role.
DIGITS, WORD, SINO_WORD, COUNTER, ERA, APOSTROPHE, HYPHEN = (1 << bit for bit in range(7))

COLUMNS = ("norm", "norm_again", "prefix", "suffix", "start", "shape", "gap")
_APOSTROPHES = "'’‘`´ʼ′＇"
_HYPHENS = "-‐‑‒–—−－"
SHAPES = 48  # rows of the tables of the two closed columns
GAPS = 3


@dataclass(frozen=True, slots=True)
class Tokens:
    """A segment's tokens, T of them; offsets count characters of the segment."""

    start: Int  # (T,)
    end: Int  # (T,)
    features: Int  # (T, F), F = len(COLUMNS)
    role: Int  # (T,) bits

    def __len__(self) -> int:
        return len(self.start)


class Reader:
    """Reads segments into features. Hashes are cached with spaCy's lexemes, by the bulk.

    ``sizes`` is the number of rows of each hashed table, by column; ``eras`` the eras it knows.
    """

    # spaCy keeps every lexeme it ever saw; beyond this many the cache starts afresh
    MOST_LEXEMES = 400_000

    def __init__(self, sizes: dict[str, int], eras: Eras) -> None:
        self.sizes = sizes
        self.eras = eras
        self._forget()

    def _forget(self) -> None:
        self._rows = np.zeros((1024, len(COLUMNS)), np.int32)  # features but gap; role in its place
        self._count = 0
        self._tokenizer = make_tokenizer({ID: self._learn})

    def _learn(self, token: str) -> int:
        """A new lexeme's row in the table; spaCy calls this once for each distinct token."""
        if self._count == len(self._rows):
            self._rows = np.concatenate([self._rows, np.zeros_like(self._rows)])
        self._rows[self._count] = (*lexeme_features(token, self.sizes), role(token, self.eras))
        self._count += 1
        return self._count - 1

    def __call__(self, segment: str) -> Tokens:
        """Tokenize and featurize one segment."""
        if self._count > self.MOST_LEXEMES:
            self._forget()
        found = self._tokenizer(segment).to_array([ID, IDX, LENGTH, SPACY]).astype(np.int32)
        features = self._rows[found[:, 0]]
        roles = features[:, -1].copy()
        features[0:1, -1] = 2  # nothing before
        features[1:, -1] = found[:-1, 3]  # 1: a space before
        return Tokens(found[:, 1], found[:, 1] + found[:, 2], features, roles)


def lexeme_features(token: str, sizes: dict[str, int]) -> tuple[int, ...]:
    """The columns of one token, without the gap: table rows.

    A number is read by its form only (see `number_form`): two years of one form have the same features.
    """
    norm = unicodedata.normalize("NFKC", token).lower()
    if token.isdecimal():
        norm = prefix = suffix = start = number_form(norm)
        shape = 1 + min(len(token), 9)
    else:
        norm = norm[:40]
        prefix, suffix, start = norm[:2], norm[-3:], norm[:1]
        shape = 16 + word_shape(token)
    return (
        _hash(norm, 0, sizes["norm"]),
        _hash(norm, 1, sizes["norm"]),
        _hash(prefix, 2, sizes["prefix"]),
        _hash(suffix, 3, sizes["suffix"]),
        _hash(start, 4, sizes["start"]),
        shape,
    )


# Classes of numbers: the greatest value and the name. A month, an hour, a day may be among the lower
# two digits; all years of living use are one class of four.
_TWO_DIGITS = ((0, "00"), (9, "0"), (12, "12"), (24, "24"), (31, "31"), (59, "59"), (99, "99"))
_FOUR_DIGITS = ((999, "0"), (1499, "1"), (2099, "year"), (2400, "24"), (9999, "9"))


def number_form(digits: str) -> str:
    """The class of a number that is written in digits, as the network sees it.

    >>> number_form("1987") == number_form("2009"), number_form("09"), number_form("12345")
    (True, '#2:0', '#5')
    """
    length, value = len(digits), int(digits[:4])
    match length:
        case 1:
            return "#1:0" if value == 0 else "#1"
        case 2:
            return "#2:" + next(name for most, name in _TWO_DIGITS if value <= most)
        case 3:
            return "#3:0" if digits[0] == "0" else "#3"
        case 4:
            return "#4:" + next(name for most, name in _FOUR_DIGITS if value <= most)
        case _:
            return f"#{min(length, 12)}"


def word_shape(token: str) -> int:
    """0 to 31: lower, upper, capitalised, mixed; Hangul, Han, other; sign, white space, line's end."""
    first = token[0]
    if first.isspace():
        return 1 if "\n" in token else 2
    if "가" <= first <= "힣" or "ᄀ" <= first <= "ᇿ" or "㄰" <= first <= "㆏":
        return 3 + min(len(token), 6)
    if "㐀" <= first <= "鿿":
        return 10
    if not first.isalpha():
        return 11
    if token.islower():
        return 12 + (len(token) == 1)
    if token.isupper():
        return 14 + min(len(token), 3)
    if first.isupper() and token[1:].islower():
        return 18
    return 19


def role(token: str, eras: Eras) -> int:
    """What the token can do in the name of a year."""
    if token.isdecimal():
        return DIGITS if len(token) <= 4 else 0
    if token in _APOSTROPHES:
        return APOSTROPHE
    if token in _HYPHENS:
        return HYPHEN
    bits = 0
    if token.lower() in NUMBER_WORDS:
        bits |= WORD
    if token.lower() in eras:
        bits |= ERA
    if len(token) >= 2 and not token.strip(SINO):
        bits |= SINO_WORD
    if token[0] == "년":
        bits |= COUNTER
    return bits


def may_begin(role: Int) -> Bool:
    """Which of the tokens, by their roles (T,), may be the first of a year: (T,).

    A number of up to four digits; an apostrophe or an era before one; a number word beside
    another; Sino-Korean numerals before 년. A text without digits and number words has none.
    """
    after = np.append(role[1:], [0, 0])[: len(role)]
    later = np.append(role[2:], [0, 0, 0])[: len(role)]
    numeral = DIGITS | WORD | SINO_WORD
    digits = role & DIGITS != 0
    shortened = (role & APOSTROPHE != 0) & (after & DIGITS != 0)
    era = (role & ERA != 0) & ((after | later) & numeral != 0)
    words = (role & WORD != 0) & ((after & WORD != 0) | ((after & HYPHEN != 0) & (later & WORD != 0)))
    sino = (role & SINO_WORD != 0) & ((after | later) & COUNTER != 0)
    begins: Bool = digits | shortened | era | words | sino
    return begins


def _hash(text: str, seed: int, size: int) -> int:
    return 1 + crc32(text.encode("utf-8", "surrogatepass"), seed) % (size - 1)  # 0: unknown
