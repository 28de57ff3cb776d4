"""Fine-tuning: a trained network learns the years of a user's documents and keeps what it knew.

Nothing that it was trained on is there any more to be repeated. So it rehearses on the user's own
sentences, most of their words replaced at random: whatever it said of those, it shall say again
(Robins 1995, "Catastrophic forgetting, rehearsal and pseudorehearsal"). A weak pull towards the old
weights holds the rest.
"""

from __future__ import annotations

import copy
import json
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy.typing as npt
import torch
from spacy.tokens import Doc, Span
from torch import Tensor
from torch.nn.functional import cross_entropy, kl_div, log_softmax
from torch.nn.utils.rnn import pad_sequence

from yearmark.cues import Cues
from yearmark.features import COLUMNS, Reader
from yearmark.numerals import Eras
from yearmark.tagger import load
from yearmark.training.document import Document, Mark
from yearmark.training.examples import UNKNOWN, Example, ExampleMaker
from yearmark.training.export import export_onnx, load_network
from yearmark.training.train import collate
from yearmark.words import Words

if TYPE_CHECKING:
    from thinc.api import Optimizer

LAYER = "years"
REHEARSAL = 15.0  # weight of the old answers beside that of the gold years
PRACTISED = 0.3  # share of words replaced around the gold years, so that they are learnt in all contexts
PULL = 0.02  # of the old weights, against the gradient of the loss
LIKELY = 0.01  # a place of this score may be the year that a coarser gold span means

Gradient = dict[str, Tensor]  # of the loss by the logits, by layer


@dataclass(frozen=True, slots=True)
class Scores:
    """The network's logits (2B, T, K), by layer, for B segments: with their gold years, and rehearsing.

    ``tags`` (B, T) are those of the gold years, ``old`` (B, T, K) the old network's logits for the
    rehearsal, ``real`` (B, T) is false in the padding.
    """

    logits: dict[str, Tensor]
    tags: Tensor
    old: dict[str, Tensor]
    real: Tensor


class FineTuner:
    """The network of a model folder, to be trained on documents with ``doc.spans[spans_key]``."""

    def __init__(self, folder: Path, spans_key: str) -> None:
        described = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        self.network = load_network(folder)
        self._old = copy.deepcopy(self.network)
        self._likely = load(folder, min_score=LIKELY)
        reader = Reader(
            described["table_rows"],
            Eras.read(folder / "eras.toml"),
            Words.read(folder / "words.tsv"),
            Cues.read(folder / "cues.txt"),
        )
        self._maker = ExampleMaker(reader, described["labels"])
        self._spans_key = spans_key

    def lost(self, docs: Iterable[Doc]) -> list[str]:
        """The texts of the gold years that no tags can express."""
        lost = []
        for document in self._documents(docs):
            for mark in document.marks[LAYER]:
                alone = Document(document.id, document.text, marks={LAYER: [mark]})
                if not any((example.tags[LAYER] % 2 == 1).any() for example in self._maker([alone])):
                    lost.append(repr(document.text[mark.start : mark.end]))
        return lost

    def segments(self, docs: Iterable[Doc]) -> list[Example]:
        """The segments of documents where a year could stand, with their tags."""
        return list(self._maker(self._documents(docs)))

    def begin_update(
        self, examples: Sequence[Example], drop: float
    ) -> tuple[Scores, Callable[[Gradient], None]]:
        """The scores of the segments, and what takes their gradient to the weights."""
        features, lengths = collate(examples)  # (B, T, F), (B,)
        tags = _padded([example.tags[LAYER] for example in examples], UNKNOWN)  # (B, T)
        begins = _padded([example.begins for example in examples], False)
        gold = tags > 0
        practised = self._replaced(features, PRACTISED * ~(begins | gold))
        # Of each segment another share is replaced, from real contexts to none; but always the words of
        # a gold year: where it is of a new form, the old network would speak against it.
        share = torch.rand(len(examples), 1)
        rehearsed = self._replaced(features, torch.where(gold, 1.0, share) * ~begins)
        with torch.no_grad():
            old = self._old(rehearsed, lengths)
        self.network.train()
        self.network.dropout.p = drop
        logits = self.network(torch.cat([practised, rehearsed]), lengths.repeat(2))

        def backpropagate(gradient: Gradient) -> None:
            torch.autograd.backward([logits[layer] for layer in gradient], list(gradient.values()))

        real = torch.arange(features.shape[1]) < lengths[:, None]
        return Scores(logits, tags, old, real), backpropagate

    def loss(self, scores: Scores) -> tuple[float, Gradient]:
        """Cross entropy with the gold tags, and the divergence from the old answers of all layers."""
        logits = {layer: x.detach().requires_grad_() for layer, x in scores.logits.items()}
        count = len(scores.tags)
        found, wanted = logits[LAYER][:count].flatten(0, 1), scores.tags.flatten()
        known = max(1, int((wanted != UNKNOWN).sum()))
        loss = cross_entropy(found, wanted, ignore_index=UNKNOWN, reduction="sum") / known
        for layer, old in scores.old.items():
            now, before = log_softmax(logits[layer][count:], -1), log_softmax(old, -1)
            divergence = kl_div(now, before, log_target=True, reduction="none").sum(-1)  # (B, T)
            loss = loss + REHEARSAL * divergence[scores.real].mean()
        gradient = torch.autograd.grad(loss, list(logits.values()))
        return loss.item(), dict(zip(logits, gradient, strict=True))

    @torch.no_grad()
    def finish_update(self, optimizer: Optimizer) -> None:
        """One step of spaCy's optimizer, with the learning rate and decay that the user gave it."""
        for (name, weight), old in zip(self.network.named_parameters(), self._old.parameters(), strict=True):
            if weight.grad is None:
                continue
            gradient = weight.grad + PULL * (weight - old)
            stepped, _ = optimizer((id(self), name), weight.numpy(), gradient.numpy())  # type: ignore[arg-type]
            weight.copy_(torch.from_numpy(stepped))
            weight.grad = None

    def to_bytes(self) -> bytes:
        """The network as the ONNX file that the tagger reads."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "model.onnx"
            export_onnx(self.network, path, list(self.network.heads))
            return path.read_bytes()

    def _documents(self, docs: Iterable[Doc]) -> Iterator[Document]:
        """spaCy's documents with their gold years as exact marks."""
        docs = list(docs)
        for doc, likely in zip(docs, self._likely.pipe(doc.text for doc in docs), strict=True):
            if self._spans_key not in doc.spans:
                yield Document("", doc.text)
                continue
            marks: list[Mark] = []
            for span in doc.spans[self._spans_key]:
                inside = [y for y in likely if y.start < span.end_char and span.start_char < y.end]
                marks.extend(
                    [Mark(year.start, year.end) for year in inside]
                    if inside and _fill(inside[0].start, inside[-1].end, span)
                    else [Mark(span.start_char, span.end_char)]
                )
            yield Document("", doc.text, marks={LAYER: marks})

    def _replaced(self, features: Tensor, chance: Tensor) -> Tensor:
        """The features (B, T, F), the spellings of tokens drawn anew with their ``chance`` (B, T)."""
        drawn = torch.rand(chance.shape) < chance
        features = features.clone()
        for column, name in enumerate(COLUMNS):
            if name == "gap":
                continue
            if name == "word":
                count = self.network.words.num_embeddings if self.network.words else 1
            else:
                table = self.network.table(name if name in self.network.tables else "norm")
                count = table.num_embeddings
            rows = torch.randint(count, chance.shape, dtype=features.dtype)
            features[..., column] = torch.where(drawn, rows, features[..., column])
        return features


def _fill(start: int, end: int, span: Span) -> bool:
    """Whether the place is the span to all that its document's tokens can tell.

    Where ``2009년에`` is one token, the gold span is all of it, but the year is ``2009``.
    """
    placed = span.doc.char_span(start, end, alignment_mode="expand")
    return placed is not None and (placed.start, placed.end) == (span.start, span.end)


def _padded(rows: Iterable[npt.NDArray[Any]], value: int) -> Tensor:
    """(B, T), padded with the value."""
    return pad_sequence([torch.from_numpy(row) for row in rows], batch_first=True, padding_value=value)
