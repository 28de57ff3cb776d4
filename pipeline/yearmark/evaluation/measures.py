"""Figures of counts: ratios, their bootstrap intervals, and what the scores of answers are worth."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import astuple
from typing import Any

import numpy as np
import numpy.typing as npt

from yearmark.training.scores import Counts

Float = npt.NDArray[np.float64]

# `Counts`, and: documents without a year, those of them in which one is tagged
COUNTED = ("gold", "predicted", "strict", "lenient", "valued", "value", "empty", "tagged")
SEED = 0
RESAMPLES = 10_000
_DRAWS = 4_000_000  # numbers drawn at a time: 32 MB


def share(part: Float, whole: Float, nothing: float) -> Float:
    """Part of whole, ``nothing`` where there is nothing to divide by."""
    out: Float = np.divide(part, whole, out=np.full(np.shape(whole), nothing), where=np.asarray(whole) > 0)
    return out


def ratios(counts: Float) -> dict[str, Float]:
    """The figures of counts (..., 8), in the order of COUNTED.

    Where there is nothing to divide by: 1 for the scores, NaN for the others.
    """
    gold, predicted, strict, lenient, valued, value, empty, tagged = np.moveaxis(counts, -1, 0)
    return {
        "f1": share(2 * strict, gold + predicted, 1.0),
        "precision": share(strict, predicted, 1.0),
        "recall": share(strict, gold, 1.0),
        "lenient_f1": share(2 * lenient, gold + predicted, 1.0),
        "value_accuracy": share(value, valued, np.nan),
        "non_years_tagged": share(tagged, empty, np.nan),
    }


# The bootstrap ---------------------------------------------------------------------------------------


def resampled(rows: Float, times: Sequence[int] | npt.NDArray[np.intp] | None = None) -> Float:
    """The sums of documents' counts (documents, C) in each resample, (RESAMPLES, C).

    A row may stand for as many documents as ``times`` says: the draw is of the same distribution, and
    takes no longer for more of them. The same numbers of documents are drawn the same way.
    """
    repeated = np.ones(len(rows), int) if times is None else np.asarray(times)
    documents = int(repeated.sum())
    rng = np.random.default_rng(SEED)
    out = np.empty((RESAMPLES, rows.shape[1]))
    step = max(1, _DRAWS // max(1, len(rows)))
    for first in range(0, RESAMPLES, step):
        size = min(step, RESAMPLES - first)
        drawn = rng.multinomial(documents, repeated / max(1, documents), size=size)
        out[first : first + size] = drawn.astype(float) @ rows
    return out


def interval(values: Float) -> list[float]:
    """From 2.5 % to 97.5 % of resamples."""
    bounds: list[float] = np.nanpercentile(values, [2.5, 97.5]).tolist()
    return bounds


def two_sided(ours: Float, theirs: Float) -> float:
    """p of the difference of a figure, from its values (RESAMPLES,) in paired resamples."""
    less = min(np.count_nonzero(ours <= theirs), np.count_nonzero(ours >= theirs))
    return float(min(1.0, 2 * (less + 1) / (len(ours) + 1)))


def columns(counts: Sequence[Counts]) -> Float:
    """Each document's counts, (documents, 8), in the order of COUNTED."""
    rows = np.array([astuple(c) for c in counts], dtype=float)
    empty = rows[:, 0] == 0
    return np.column_stack([rows, empty, empty & (rows[:, 1] > 0)])


def figures(counts: Sequence[Counts], *names: str) -> dict[str, Any]:
    """Sums of documents' counts, and ratios (those named; else all) with their 95 % intervals."""
    rows = columns(counts)
    total, again = rows.sum(axis=0), ratios(resampled(rows))
    out: dict[str, Any] = {"documents": len(counts), **dict(zip(COUNTED, map(int, total), strict=True))}
    for name, ratio in ratios(total).items():
        if not names or name in names:
            known = not np.isnan(ratio)
            out[name] = float(ratio) if known else None
            out[f"{name}_interval"] = interval(again[name]) if known else None
    return out


def p_value(ours: Sequence[Counts], theirs: Sequence[Counts]) -> float:
    """Of the difference in strict F1, two-sided, by the paired bootstrap."""
    a, b = (ratios(resampled(columns(own)))["f1"] for own in (ours, theirs))
    return two_sided(a, b)


# Scores of answers -----------------------------------------------------------------------------------


def calibration_error(pairs: Float) -> float:
    """The expected calibration error of scores and whether they were right, (N, 2), in ten equal bins."""
    gaps = np.bincount(_bins(pairs), weights=pairs[:, 0] - pairs[:, 1])  # each bin's size times its gap
    return float(np.abs(gaps).sum() / max(1, len(pairs)))


def reliability(pairs: Float) -> list[dict[str, Any]]:
    """Of each of the ten bins that is not empty: its mean score and the share that is right."""
    bins = []
    for k in range(10):
        inside = pairs[_bins(pairs) == k]
        if len(inside):
            mean, right = map(float, inside.mean(axis=0))
            bins.append({"from": k / 10, "candidates": len(inside), "score": mean, "right": right})
    return bins


def thresholds(pairs: Float, gold: int, at: Iterable[float]) -> list[dict[str, float]]:
    """Precision, recall and F1 where only candidates of at least a score are answers."""
    rows = []
    for least in at:
        kept = pairs[pairs[:, 0] >= least]
        total = Counts(gold=gold, predicted=len(kept), strict=int(kept[:, 1].sum()))
        row = {"precision": total.precision, "recall": total.recall, "f1": total.f1}
        rows.append({"min_score": least, **row})
    return rows


def least_score(pairs: Float, gold: int, precision: float) -> dict[str, float] | None:
    """The lowest threshold at which the precision is reached, that is, the one of the highest recall."""
    scores, inverse = np.unique(pairs[:, 0], return_inverse=True)
    answers = np.cumsum(np.bincount(inverse)[::-1])[::-1]
    right = np.cumsum(np.bincount(inverse, weights=pairs[:, 1])[::-1])[::-1]
    reached = np.flatnonzero(right >= precision * answers - 1e-9)
    return thresholds(pairs, gold, [float(scores[reached[0]])])[0] if len(reached) else None


def _bins(pairs: Float) -> npt.NDArray[np.intp]:
    bins: npt.NDArray[np.intp] = np.minimum((pairs[:, 0] * 10).astype(int), 9)
    return bins


def rounded(data: Any) -> Any:
    """The same data with five digits behind the point of every float."""
    if isinstance(data, Mapping):
        return {key: rounded(value) for key, value in data.items()}
    if isinstance(data, list):
        return [rounded(value) for value in data]
    return round(data, 5) if isinstance(data, float) else data
