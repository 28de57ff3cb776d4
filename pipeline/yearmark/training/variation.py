"""The same sentence as other people would type it: case, signs, spaces, digits."""

from __future__ import annotations

import random
import re

_APOSTROPHES = ["'", "’", "‘", "`", "´"]
_DASHES = ["-", "–", "—", "‐", "−"]
_FULL_WIDTH = str.maketrans("0123456789", "０１２３４５６７８９")


def vary(text: str, rng: random.Random) -> str:
    """The text, sometimes with other case, signs, spaces or digits.

    Marks ⟦ ⟧ stay around what they were around.
    """
    text = recase(text, rng)
    if rng.random() < 0.12:
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


def _one_space(text: str, rng: random.Random) -> str:
    """One space more or less, but none less between two digits, which would be another number."""
    places = [found.start() for found in re.finditer(r"(?<!\d)(?<!\d⟧) | (?!⟦?\d)", text)]
    if not places:
        return text
    place = rng.choice(places)
    return text[:place] + rng.choice(["", "  "]) + text[place + 1 :]


def replace_signs(text: str, rng: random.Random) -> str:
    """The same text, every apostrophe and dash replaced by one other of its kind; length kept."""
    apostrophe, dash = rng.choice(_APOSTROPHES), rng.choice(_DASHES)
    text = re.sub(r"['’‘`´]", apostrophe, text)
    return re.sub(r"[-–—‐−](?=\s?⟦?\d)|(?<=\d)[-–—‐−]", dash, text)
