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
    logits: npt.NDArray[np.float32],
    begins: npt.NDArray[np.bool_],
    first: npt.NDArray[np.bool_],
    min_score: float = 0.5,
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp], npt.NDArray[np.intp], npt.NDArray[np.float64]]:
    """The spans that the logits (N, K) give: first tokens, ends, label numbers and scores (S,).

    The tokens are those of segments one behind the other; ``first`` (N,) are the segments' first,
    ``begins`` (N,) those that may be the first of a span. A span goes on while the likeliest tag is
    the I of its label. Its score is the probability of exactly that: of its tags and of the tag
    behind it not being I. Spans of a score below ``min_score`` are left out.
    """
    scaled = logits.astype(np.float64)
    scaled[~begins, 1::2] = -np.inf
    scaled[first, 2::2] = -np.inf
    probability = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    probability /= probability.sum(axis=1, keepdims=True)
    likeliest = scaled.argmax(axis=1)
    starts: list[int] = []
    ends: list[int] = []
    labels: list[int] = []
    scores: list[float] = []
    end = 0
    # over tokens that are likely enough to begin a span, which are few
    for start in np.flatnonzero(probability[:, 1::2].max(axis=1) >= max(min_score, 1e-9)).tolist():
        if start < end:
            continue
        label = int(probability[start, 1::2].argmax())
        inside = 2 * label + 2
        score, stop = float(probability[start, inside - 1]), start + 1
        while stop < len(likeliest) and likeliest[stop] == inside:
            score *= probability[stop, inside]
            stop += 1
        if stop < len(likeliest):
            score *= 1 - probability[stop, inside]
        if score >= min_score:
            end = stop
            starts.append(start)
            ends.append(stop)
            labels.append(label)
            scores.append(score)
    return np.array(starts, int), np.array(ends, int), np.array(labels, int), np.array(scores, float)
