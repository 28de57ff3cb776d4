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
    kind = rng.random()
    if kind < 0.05:
        text = text.upper() if len(text.upper()) == len(text) else text
    elif kind < 0.12:
        text = text.lower() if len(text.lower()) == len(text) else text
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


def replace_signs(text: str, rng: random.Random) -> str:
    """The same text, every apostrophe and dash replaced by one other of its kind; length kept."""
    apostrophe, dash = rng.choice(_APOSTROPHES), rng.choice(_DASHES)
    text = re.sub(r"['’‘`´]", apostrophe, text)
    return re.sub(r"[-–—‐−](?=\s?⟦?\d)|(?<=\d)[-–—‐−]", dash, text)
