"""The tag codec: spans to the network's tags (BIO, IOB2) and its logits back to spans."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

Span = tuple[int, int, str]  # first token, last token + 1, label

OUTSIDE = 0


def tag_names(labels: Sequence[str]) -> list[str]:
    """The tags of the labels, in the order of the network's outputs.

    >>> tag_names(["YEAR"])
    ['O', 'B-YEAR', 'I-YEAR']
    """
    return ["O", *(f"{prefix}-{label}" for label in labels for prefix in "BI")]


def encode(spans: Iterable[Span], length: int, labels: Sequence[str]) -> list[int]:
    """The tags, by number, of a segment of ``length`` tokens with these spans."""
    tags = [OUTSIDE] * length
    for start, end, label in spans:
        begin = 1 + 2 * labels.index(label)
        tags[start:end] = [begin] + [begin + 1] * (end - start - 1)
    return tags


def decode(
    logits: npt.NDArray[np.float32], may_begin: npt.NDArray[np.bool_], temperature: float
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp], npt.NDArray[np.intp], npt.NDArray[np.float64]]:
    """The spans that the logits (T, K) give: first tokens, ends, label numbers and scores (N,).

    A span begins where a B tag is the likeliest of those allowed (``may_begin`` (T,)), and goes on
    while the likeliest tag is the I of its label. Its score is the probability of exactly that:
    of its tags and of the tag behind it not being I.
    """
    scaled = logits.astype(np.float64) / temperature
    scaled[~may_begin, 1::2] = -np.inf
    likeliest = scaled.argmax(axis=1)
    starts = np.flatnonzero(likeliest % 2 == 1)
    if not len(starts):
        return starts, starts, starts, np.zeros(0)
    scaled -= scaled.max(axis=1, keepdims=True)
    probability = np.exp(scaled)
    probability /= probability.sum(axis=1, keepdims=True)
    ends, scores = starts + 1, np.empty(len(starts))
    for k, start in enumerate(starts):  # over spans, which are few
        inside = likeliest[start] + 1
        score, end = probability[start, inside - 1], start + 1
        while end < len(likeliest) and likeliest[end] == inside:
            score *= probability[end, inside]
            end += 1
        if end < len(likeliest):
            score *= 1 - probability[end, inside]
        ends[k], scores[k] = end, score
    return starts, ends, likeliest[starts] // 2, scores
