"""Documents to examples: segments as features and tags, held in a Hugging Face dataset."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from datasets import Dataset

from yearmark.features import COLUMNS, Reader, bearers, without_particle
from yearmark.segments import segments
from yearmark.tags import encode
from yearmark.training.document import Document

UNKNOWN = -100  # the tag of a token that is not learnt: PyTorch's ignore_index


@dataclass(frozen=True, slots=True)
class Example:
    """One segment: features (T, F), begins and cues (T,), and tags (T,) by layer."""

    document: str
    features: np.ndarray
    begins: np.ndarray
    cues: np.ndarray
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
        """The examples of the segments that may hold a span of one of the document's layers."""
        for document in documents:
            bounds = list(segments(document.text))
            tokens = self.reader([document.text[start:end] for start, end in bounds])
            wanted = np.zeros(len(tokens), bool)
            for layer in self.labels:
                if layer in document.marks:
                    wanted |= bearers(tokens, layer)[1]
            for number in np.unique(tokens.segment[wanted]):
                here = tokens.segment == number
                offset = bounds[number][0]
                spans = np.stack([tokens.start[here], tokens.end[here]], axis=1) + offset
                begins = tokens.begins[here]
                tags = {layer: self._tags(document, layer, spans, begins) for layer in self.labels}
                yield Example(document.id, tokens.features[here], begins, tokens.cues[here], tags)

    def _tags(self, document: Document, layer: str, tokens: np.ndarray, begins: np.ndarray) -> np.ndarray:
        """The tags (T,) of a segment's tokens (T, 2: start and end in the document's text)."""
        if layer not in document.marks:
            return np.full(len(tokens), UNKNOWN, np.int64)
        starts = {int(start): k for k, start in enumerate(tokens[:, 0])}
        ends = {int(end): k + 1 for k, end in enumerate(tokens[:, 1])}
        if layer == "timexes":
            for k, (start, end) in enumerate(tokens.tolist()):
                ends.setdefault(start + without_particle(document.text[start:end]), k + 1)
        spans, masked = [], list(document.unsure.get(layer, ()))
        for mark in document.marks[layer]:
            if mark.end <= tokens[0, 0] or mark.start >= tokens[-1, 1]:
                continue
            a, b = starts.get(mark.start), ends.get(mark.end)
            if a is None or b is None or (layer == "years" and not begins[a]):
                self.lost[f"{layer}: {document.text[mark.start : mark.end]!r}"] += 1
                masked.append((mark.start, mark.end))
            elif mark.optional:
                masked.append((mark.start, mark.end))
            else:
                spans.append((a, b, mark.label))
        tags = np.array(encode(spans, len(tokens), self.labels[layer]), np.int64)
        for a, b in masked:
            tags[(tokens[:, 0] < b) & (tokens[:, 1] > a) & (tags == 0)] = UNKNOWN
        return tags


def to_dataset(examples: Iterable[Example]) -> Dataset:
    """Examples as a Hugging Face dataset, features flattened."""
    rows = [
        {
            "document": example.document,
            "features": example.features.ravel(),
            "begins": example.begins,
            "cues": example.cues,
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
            row["begins"],
            row["cues"],
            {layer: row[f"tags_{layer}"] for layer in layers},
        )

    return [example(row) for row in dataset.with_format("numpy")]
