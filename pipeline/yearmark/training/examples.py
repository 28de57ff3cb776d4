"""Documents to examples: segments as features and tags, held in a Hugging Face dataset."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from datasets import Dataset

from yearmark.features import COLUMNS, Reader, may_begin
from yearmark.segments import segments
from yearmark.tags import encode
from yearmark.training.document import Document

UNKNOWN = -100  # the tag of a token that is not learnt: PyTorch's ignore_index


@dataclass(frozen=True, slots=True)
class Example:
    """One segment: features (T, F), may_begin (T,), and tags (T,) by layer."""

    document: str
    features: np.ndarray
    may_begin: np.ndarray
    tags: Mapping[str, np.ndarray]

    def __len__(self) -> int:
        return len(self.features)


class ExampleMaker:
    """Encodes documents and counts what the tokens could not carry."""

    def __init__(self, reader: Reader, labels: Mapping[str, Sequence[str]]) -> None:
        self.reader = reader
        self.labels = labels
        self.lost: Counter[str] = Counter()

    def __call__(self, documents: Iterable[Document]) -> Iterator[Example]:
        """The examples of the segments that hold a token which could begin a year."""
        for document in documents:
            for start, end in segments(document.text):
                tokens = self.reader(document.text[start:end])
                allowed = may_begin(tokens.role)
                if not allowed.any():
                    continue
                starts = {int(s) + start: k for k, s in enumerate(tokens.start)}
                ends = {int(e) + start: k + 1 for k, e in enumerate(tokens.end)}
                tags = {}
                for layer, labels in self.labels.items():
                    if layer not in document.marks:
                        tags[layer] = np.full(len(tokens), UNKNOWN, np.int64)
                        continue
                    spans, masked = [], []
                    for mark in document.marks[layer]:
                        if mark.end <= start or mark.start >= end:
                            continue
                        a, b = starts.get(mark.start), ends.get(mark.end)
                        if a is None or b is None or (layer == "years" and not allowed[a]):
                            self.lost[f"{layer}: {document.text[mark.start : mark.end]!r}"] += 1
                            masked.append((mark.start, mark.end))
                        elif mark.optional:
                            masked.append((mark.start, mark.end))
                        else:
                            spans.append((a, b, mark.label))
                    masked += document.unsure.get(layer, ())
                    tagged = np.array(encode(spans, len(tokens), labels), np.int64)
                    for a, b in masked:
                        inside = (tokens.start + start < b) & (tokens.end + start > a)
                        tagged[inside & (tagged == 0)] = UNKNOWN
                    tags[layer] = tagged
                yield Example(document.id, tokens.features, allowed, tags)


def to_dataset(examples: Iterable[Example]) -> Dataset:
    """Examples as a Hugging Face dataset, features flattened."""
    rows = [
        {
            "document": example.document,
            "features": example.features.ravel(),
            "may_begin": example.may_begin,
            **{f"tags_{layer}": tags for layer, tags in example.tags.items()},
        }
        for example in examples
    ]
    return Dataset.from_list(rows)


def from_dataset(dataset: Dataset) -> list[Example]:
    """The examples of such a dataset."""
    layers = [name.removeprefix("tags_") for name in dataset.column_names if name[:5] == "tags_"]

    def example(row: Mapping[str, Any]) -> Example:
        return Example(
            row["document"],
            row["features"].reshape(-1, len(COLUMNS)),
            row["may_begin"],
            {layer: row[f"tags_{layer}"] for layer in layers},
        )

    return [example(row) for row in dataset.with_format("numpy")]
