"""Tokens to numbers: what the network reads of each token, computed once a lexeme."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol
from zlib import crc32

import numpy as np
import numpy.typing as npt
from spacy.attrs import ID, IDX, LENGTH, SPACY

from yearmark.cues import Cues
from yearmark.numerals import MEASURES, MONTHS, NUMBER_WORDS, Eras
from yearmark.tokenizer import SINO, make_tokenizer
from yearmark.words import Words

Int = npt.NDArray[np.int32]
Bool = npt.NDArray[np.bool_]

# Korean particles and the copula, and the English plural: 년에도, 칼로리를, leagues.
_ENDING = re.compile(
    """(?<=[가-힣])(?:
      (?:에서|에게서|에게|부터|까지|에|으로|로|이나|나|만|마다|보다|처럼|밖에|이라도|라도|과|와|이랑|랑)(?:는|도|만|의|나|야)?
      |은|는|이|가|을|를|의|도|이라는|라는|이라고|라고|이라서|라서|이라|라|이며|며|이고|이면|면|이지만|지만
      |이다|이었다|였다|이었으나|이었던|였던|입니다|이었습니다|였습니다|이에요|예요|이래|래|이야|야|인|인데|째|짜리|씩
    )$ | (?<=[a-z]{3})s$""",
    re.VERBOSE,
)

# What a token can do in the name of a year; bits of a lexeme's role.
DIGITS, DIGIT, SHORT, THREE, MONTH_NUMBER, DAY, WORD, BIG_WORD, SINO_WORD, COUNTER, ERA = (
    1 << bit for bit in range(11)
)
APOSTROPHE, HYPHEN, COMMA, POINT, COLON, CURRENCY, LETTERS, MEASURE, MONTH, CUE = (
    1 << bit for bit in range(11, 21)
)

COLUMNS = ("norm", "stem", "prefix", "suffix", "start", "shape", "word", "gap")
_APOSTROPHES = "'’‘`´ʼ′＇"
_HYPHENS = "-‐‑‒–—−－"
SHAPES = 48  # rows of the tables of the two closed columns
GAPS = 3


@dataclass(frozen=True, slots=True)
class Tokens:
    """The tokens of several segments one behind the other, N in all.

    ``segment`` says of which segment each is; offsets count characters of its segment.
    ``begins`` says which of them may be the first of a year, ``cues`` which are cues of time (see `Cues`).
    """

    segment: Int  # (N,)
    start: Int  # (N,)
    end: Int  # (N,)
    features: Int  # (N, F), F = len(COLUMNS)
    begins: Bool  # (N,)
    cues: Bool  # (N,)

    def __len__(self) -> int:
        return len(self.start)


class Reader:
    """Reads segments into features. Hashes are cached with spaCy's lexemes, by the bulk.

    ``sizes`` is the number of rows of each hashed table, by column; ``eras`` the eras it knows, ``words``
    the words that have vectors, ``cues`` the cues of time.
    """

    # spaCy keeps every lexeme it ever saw; beyond this many the cache starts afresh
    MOST_LEXEMES = 400_000

    def __init__(self, sizes: dict[str, int], eras: Eras, words: Words, cues: Cues | None = None) -> None:
        self.sizes = sizes
        self.eras = eras
        self.words = words
        self.cues = cues or Cues(())
        self._forget()

    def _forget(self) -> None:
        self._rows = np.zeros((1024, len(COLUMNS)), np.int32)  # features but gap; role in its place
        self._count = 0
        self._tokenizer = make_tokenizer({ID: self._learn})

    def _learn(self, token: str) -> int:
        """A new lexeme's row in the table; spaCy calls this once for each distinct token."""
        if self._count == len(self._rows):
            self._rows = np.concatenate([self._rows, np.zeros_like(self._rows)])
        columns = lexeme_features(token, self.sizes, self.eras, self.words)
        cue = CUE if token in self.cues else 0
        self._rows[self._count] = (*columns, role(token, self.eras) | cue)
        self._count += 1
        return self._count - 1

    def __call__(self, segments: Sequence[str]) -> Tokens:
        """Tokenize and featurize segments, which neither begin nor end with white space."""
        if self._count > self.MOST_LEXEMES:
            self._forget()
        # One text, with a line's end between the segments: a token of its own, that is dropped again.
        found = self._tokenizer("\n".join(segments)).to_array([ID, IDX, LENGTH, SPACY])
        offsets = np.cumsum([0, *(len(segment) + 1 for segment in segments)])
        segment = np.searchsorted(offsets, found[:, 1], "right") - 1
        inside = found[:, 1] < offsets[segment + 1] - 1
        found, segment = found[inside].astype(np.int32), segment[inside].astype(np.int32)
        first = np.ones(len(found), bool)
        first[1:] = segment[1:] != segment[:-1]
        features = self._rows[found[:, 0]]
        roles = features[:, -1].copy()
        features[1:, -1] = found[:-1, 3]  # 1: a space before
        features[first, -1] = 2  # nothing before
        start = found[:, 1] - offsets[segment].astype(np.int32)
        begins = may_begin(roles, first, features[:, -1] == 0)
        return Tokens(segment, start, start + found[:, 2], features, begins, roles & CUE != 0)


def without_particle(token: str) -> int:
    """The length of a Korean word less the particle or copula it ends in; of another word, its length.

    The particle belongs to the sentence and not to the time expression: 지난해|까지. So do 께 and 쯤, which
    say about.
    """
    if not "가" <= token[0] <= "힣":
        return len(token)
    word = _ENDING.sub("", token)
    return len(word.rstrip("께쯤") or word)


class Bearing(Protocol):
    """Tokens of which one knows which may begin a year and which are cues of time."""

    @property
    def begins(self) -> Bool: ...

    @property
    def cues(self) -> Bool: ...


def bearers(tokens: Bearing, layer: str) -> tuple[Bool, Bool]:
    """The tokens (N,) that may be the first of a layer's span, and those of which every span holds one.

    A segment without any of the second has no span. A year begins with such a token, a time expression
    holds a cue; of other layers nothing is known.
    """
    every = np.ones(len(tokens.cues), bool)
    match layer:
        case "years":
            return tokens.begins, tokens.begins
        case "timexes":
            return every, tokens.cues
        case _:
            return every, every


def lexeme_features(token: str, sizes: dict[str, int], eras: Eras, words: Words) -> tuple[int, ...]:
    """The columns of one token, without the gap: table rows.

    A number is read by its form only (see `number_form`): two years of one form have the same features.
    """
    norm = unicodedata.normalize("NFKC", token).lower()
    if token.isdecimal():
        norm = stem = prefix = suffix = start = number_form(norm)
        shape, row = 1 + min(len(token), 9), 0
    else:
        norm = norm[:40]
        stem = _ENDING.sub("", norm)
        prefix, suffix, start = norm[:2], norm[-3:], norm[:1]
        shape = 16 + (20 if token in eras else word_shape(token))  # an era is read as one, by the table
        row = words.row(norm, stem)
    return (
        _hash(norm, 0, sizes["norm"]),
        _hash(stem, 1, sizes["norm"]),
        _hash(prefix, 2, sizes["prefix"]),
        _hash(suffix, 3, sizes["suffix"]),
        _hash(start, 4, sizes["start"]),
        shape,
        row,
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
    """0 to 19: lower, upper, capitalised, mixed; Hangul, Han, other; sign, white space, line's end."""
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
        bits = 0
        if len(token) <= 2:
            bits |= MONTH_NUMBER if 1 <= int(token) <= 12 else 0
            bits |= DAY if 1 <= int(token) <= 31 and int(token[0]) > 0 else 0
        match len(token):
            case 1:
                return bits | DIGIT
            case 2:
                return bits | DIGITS | SHORT
            case 3:
                return DIGITS | SHORT | THREE
            case 4:
                return DIGITS
            case _:
                return 0
    if token in _APOSTROPHES:
        return APOSTROPHE
    if token in _HYPHENS:
        return HYPHEN
    if token == ",":
        return COMMA
    if token == ".":
        return POINT
    if token == ":":
        return COLON
    if unicodedata.category(token[0]) == "Sc":
        return CURRENCY
    bits = LETTERS if token.isascii() and token[0].isalpha() else 0
    if token[: without_particle(token)].lower() in MEASURES:
        bits |= MEASURE
    if token.lower() in MONTHS:
        bits |= MONTH
    if (number := NUMBER_WORDS.get(token.lower())) is not None:
        bits |= WORD | BIG_WORD if number >= 10 else WORD
    if token.lower() in eras:
        bits |= ERA
    if len(token) >= 2 and not token.strip(SINO):
        bits |= SINO_WORD
    if token[0] == "년":
        bits |= COUNTER
    return bits


def may_begin(role: Int, first: Bool, glued: Bool) -> Bool:
    """Which tokens, by their roles (N,), may be the first of a year; ``first`` (N,) begin a segment, and
    ``glued`` (N,) stand right behind the token before.

    A number of two to four digits that does not count (see `_counts`); one digit behind a number and a
    hyphen, before an era (5 BC), or before a comma, a number and an era (3,000 BC); an apostrophe or an era
    before a number; a number word before another, one of them ten or more;
    Sino-Korean numerals before 년. A segment without digits and number words has none.
    """
    after, before = _shift(role, first, 1), _shift(role, first, -1)
    later, earlier = _shift(after, first, 1), _shift(before, first, -1)
    hyphenated = (before & HYPHEN != 0) & (earlier & DIGITS != 0)
    thousands = (after & COMMA != 0) & (later & DIGITS != 0) & (_shift(later, first, 1) & ERA != 0)
    digit = (role & DIGIT != 0) & (hyphenated | (after & ERA != 0) | thousands)
    shortened = (role & APOSTROPHE != 0) & (after & DIGITS != 0)
    next_word = np.where(after & HYPHEN != 0, later, after)
    words = (role & next_word & WORD != 0) & ((role | next_word) & BIG_WORD != 0)
    sino = (role & SINO_WORD != 0) & (after & COUNTER != 0)
    number = np.where(role & (DIGITS | DIGIT | BIG_WORD) != 0, 1, sino)
    next_number = _shift(number, first, 1)
    era = (role & ERA != 0) & (next_number | _shift(next_number, first, 1) != 0)
    digits = (role & DIGITS != 0) & (thousands | ~_counts(role, first, glued))
    begins: Bool = digits | digit | shortened | era | words | sino
    return begins


def _counts(role: Int, first: Bool, glued: Bool) -> Bool:
    """Which numbers (N,) of two or three digits name no year, by the tokens beside them alone.

    $84; 84 percent; 84th; an 84-page book (but 84-May); 10:84; 3,084; 84.31 and 31.84 (but 84.12, 12.84);
    March 28. In news most numbers are such ones, and a segment that holds no other need not be run through
    the network.
    """
    after, before = _shift(role, first, 1), _shift(role, first, -1)
    later, earlier = _shift(after, first, 1), _shift(before, first, -1)
    # glued to the token behind, that to the next, and the one before to the one before it
    behind, further = _shift(glued, first, 1) != 0, _shift(_shift(glued, first, 1), first, 1) != 0
    earlier_glued = glued & (_shift(glued, first, -1) != 0)
    some = DIGITS | DIGIT
    compound = behind & further & (after & HYPHEN != 0) & (later & (LETTERS | MONTH) == LETTERS)
    grouped = earlier_glued & (before & COMMA != 0) & (earlier & some != 0) & (role & THREE != 0)
    groups = behind & further & (after & COMMA != 0) & (later & THREE != 0)
    clock = (behind & further & (after & COLON != 0) & (later & some != 0)) | (
        earlier_glued & (before & COLON != 0) & (earlier & some != 0)
    )
    dated = _shift(earlier, first, -1) & POINT != 0  # 12.31.84
    # a point parts a year from a month at most
    decimal = (
        behind & further & (after & POINT != 0) & (later & some != 0) & (later & MONTH_NUMBER == 0)
    ) | (
        earlier_glued & (before & POINT != 0) & (earlier & some != 0) & (earlier & MONTH_NUMBER == 0) & ~dated
    )
    day = (before & MONTH != 0) & (role & DAY != 0) & (earlier & DAY == 0)  # but not 12 March 18
    measured = (before & CURRENCY != 0) | (after & (MEASURE | ERA) == MEASURE)
    counts: Bool = (role & SHORT != 0) & (measured | compound | grouped | groups | clock | decimal | day)
    return counts


def _shift(values: npt.NDArray[Any], first: Bool, by: int) -> npt.NDArray[Any]:
    """What the next tokens have (1) or those before (-1), of the same segment, else 0."""
    out = np.zeros_like(values)
    if by == 1:
        out[:-1] = np.where(first[1:], 0, values[1:])
    else:
        out[1:] = np.where(first[1:], 0, values[:-1])
    return out


def _hash(text: str, seed: int, size: int) -> int:
    return 1 + crc32(text.encode("utf-8", "surrogatepass"), seed) % (size - 1)  # 0: unknown
