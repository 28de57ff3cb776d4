"""Text to tokens: spaCy's Tokenizer with rules under which a year is always whole tokens."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from spacy.tokenizer import Tokenizer
from spacy.vocab import Vocab

SINO = "영공령일이삼사오육륙칠팔구십백천"  # the numerals of which Sino-Korean years are made
_HANGUL = "가-힣ᄀ-ᇿ㄰-㆏"
_HAN = "㐀-䶿一-鿿豈-﫿"

# Tried in this order at every place. Each alternative is a run of one class or of bounded length, so
# the scan is linear on any input.
_TOKEN = re.compile(
    rf"""
      [BbAa]\.[CcDd]\.(?:[Ee]\.)? | [Cc]\.[Ee]\.   # eras written with points
    | (?<!\d)(?:1[5-9]|20)\d\d(?=(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])(?!\d))  # 2009|0314
    | \d+
    | [{SINO}]{{2,12}}(?=\s?년)                    # 이천구|년, but not the 이 of 이전
    | (?:(?![{SINO}]{{2,12}}년)[{_HANGUL}])+
    | [{_HAN}]+
    | (?:[^\W\d_{_HANGUL}{_HAN}])+
    | ([-.=*~·…])\1+                               # a drawn line is one token
    | .
    """,
    re.VERBOSE | re.DOTALL,
)


def make_tokenizer(lex_attr_getters: dict[Any, Callable[[str], Any]]) -> Tokenizer:
    """spaCy's tokenizer, splitting digits from letters, Hangul and signs, and signs from each other.

    The lexeme attributes are computed once for each distinct token (see features.py).
    """
    vocab = Vocab(lex_attr_getters=lex_attr_getters)
    return Tokenizer(vocab, infix_finditer=_TOKEN.finditer)
