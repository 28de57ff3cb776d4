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
    first: npt.NDArray[np.bool_],
    begins: npt.NDArray[np.bool_],
    holds: npt.NDArray[np.bool_],
    min_score: float = 0.5,
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp], npt.NDArray[np.intp], npt.NDArray[np.float64]]:
    """The spans that the logits (N, K) give: first tokens, ends, label numbers and scores (S,).

    The tokens are those of segments one behind the other; ``first`` (N,) are the segments' first,
    ``begins`` (N,) those that may be the first of a span, ``holds`` (N,) those of which a span has one
    (see `features.bearers`). Where a span is, B and I decide, of whatever label; which label it has, all its
    tokens together. A span goes on while I is likelier than O and B. Its score is the probability of
    exactly that span: of its tags and of the tag behind it not being I. Spans of a score below
    ``min_score`` are left out.
    """
    scaled = logits.astype(np.float64)
    scaled[~begins, 1::2] = -np.inf
    scaled[first, 2::2] = -np.inf
    probability = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    probability /= probability.sum(axis=1, keepdims=True)
    begin, inside = probability[:, 1::2].sum(axis=1), probability[:, 2::2].sum(axis=1)
    goes_on = inside > np.maximum(begin, probability[:, OUTSIDE])
    starts: list[int] = []
    ends: list[int] = []
    labels: list[int] = []
    scores: list[float] = []
    end = 0
    # over tokens that are likely enough to begin a span, which are few
    for start in np.flatnonzero(begin >= max(min_score, 1e-9)).tolist():
        if start < end:
            continue
        score, stop = float(begin[start]), start + 1
        label = probability[start, 1::2].copy()
        while stop < len(goes_on) and goes_on[stop]:
            score *= inside[stop]
            label += probability[stop, 2::2]
            stop += 1
        if stop < len(goes_on):
            score *= 1 - inside[stop]
        if score >= min_score and holds[start:stop].any():
            end = stop
            starts.append(start)
            ends.append(stop)
            labels.append(int(label.argmax()))
            scores.append(score)
    return np.array(starts, int), np.array(ends, int), np.array(labels, int), np.array(scores, float)
