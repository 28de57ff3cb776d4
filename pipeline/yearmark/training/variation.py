"""The same sentence as other people would type it: case, signs, spaces, digits."""

from __future__ import annotations

import random
import re

from yearmark.training.document import Document

_APOSTROPHES = ["'", "’", "‘", "`", "´"]
_DASHES = ["-", "–", "—", "‐", "−"]
# Korean particles and endings that stand behind years and counters alike: 년조차, 호뿐이었다.
_ENDINGS = [
    "뿐이었다", "조차", "마저", "까지도", "까지만", "부터였다", "이라더니", "이라니",
    "이라서", "이라도", "이라고는", "이라며", "이라던", "이야말로", "에서조차", "이었을",
    "이었다가", "이든", "이건", "이랑", "하고", "이고", "이지만", "인데도",
    "인지라", "임을", "처럼", "보다는", "대로", "으로는", "이기도", "뿐",
    "이었고", "이었지만", "이란", "이라는데", "이라지만", "이면", "이어서", "이더라",
    "이네", "입니까", "이잖아", "이랬다", "이라기보다", "이라기엔", "에는", "에도",
    "의", "은", "을", "이", "으로",
]  # fmt: skip
_FULL_WIDTH = str.maketrans("0123456789", "０１２３４５６７８９")


def vary(text: str, rng: random.Random) -> str:
    """The text, sometimes with other case, signs, spaces or digits.

    Marks ⟦ ⟧ stay around what they were around.
    """
    text = recase(text, rng)
    if rng.random() < 0.1:
        text = re.sub(r"(?<=\d)(⟧?[가-힣]{1,5})(?=[\s.,]|$)", lambda m: m[1] + rng.choice(_ENDINGS), text)
    if rng.random() < 0.25:
        text = _one_space(text, rng)
    if rng.random() < 0.10:
        text = text.rstrip(".。!?")
    if rng.random() < 0.04:  # as tokenized corpora have it
        text = re.sub(r"(?<=\w)([,.;:!?)])(?=[\s⟧]|$)", r" \1", text)
    if rng.random() < 0.15:
        text = replace_signs(text, rng)
    if rng.random() < 0.03:
        text = text.translate(_FULL_WIDTH)
    if rng.random() < 0.04:
        space = rng.choice(["\u00a0", "\u2009", "\u202f", "  "])
        text = re.sub(r" (?=⟦?\d)|(?<=\d) ", space, text)
    return text


def recase(text: str, rng: random.Random) -> str:
    """The same text, sometimes in capitals or in lower case; length kept."""
    kind = rng.random()
    other = text.upper() if kind < 0.06 else text.lower() if kind < 0.13 else text
    return other if len(other) == len(text) else text


# Where a space may come or go, but none that parts two numbers, which would be another number.
_SPACE = re.compile(r"(?<!\d)(?<!\d⟧) | (?!⟦?\d)")
_NEAR = re.compile(r"\d\D{0,8}$")


def _one_space(text: str, rng: random.Random) -> str:
    """One space more or less; every other time it is one just behind a number, if there is any."""
    places = [found.start() for found in _SPACE.finditer(text)]
    near = [place for place in places if _NEAR.search(text, max(0, place - 10), place)]
    if near and rng.random() < 0.5:
        places = near
    if not places:
        return text
    place = rng.choice(places)
    return text[:place] + rng.choice(["", "  "]) + text[place + 1 :]


def respace(document: Document, rng: random.Random) -> Document:
    """The document with a space in fifty more or less, and one in ten just behind a number."""
    changes = []
    for found in _SPACE.finditer(document.text):
        place = found.start()
        near = _NEAR.search(document.text, max(0, place - 10), place)
        if rng.random() < (0.1 if near else 0.02):
            changes.append((place, place + 1, rng.choice(["", "  "])))
    return document.edited(changes)


def replace_signs(text: str, rng: random.Random) -> str:
    """The same text, every apostrophe and dash replaced by one other of its kind; length kept."""
    apostrophe, dash = rng.choice(_APOSTROPHES), rng.choice(_DASHES)
    text = re.sub(r"['’‘`´]", apostrophe, text)
    return re.sub(r"[-–—‐−](?=\s?⟦?\d)|(?<=\d)[-–—‐−]", dash, text)
