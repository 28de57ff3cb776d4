"""The network: embeddings, encoder, and a head of tags for every layer of labels."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn

from yearmark.features import COLUMNS, GAPS, SHAPES
from yearmark.tags import tag_names
from yearmark.training.config import Config
from yearmark.training.encoders import make_encoder
from yearmark.training.vectors import WordVectors


class Network(nn.Module):
    """features (B, T, F), lengths (B,) -> {layer: logits (B, T, K)}.

    ``norm`` and ``stem`` are rows of one table, under two hashes, and summed: two words that share a row
    under one rarely do under both (Svenstrup et al. 2017, "Hash Embeddings"). ``vectors`` are those
    of known words; without them the column ``word`` is not read.
    """

    def __init__(self, config: Config, vectors: WordVectors | None = None) -> None:
        super().__init__()
        rows = {**config.features.rows, "shape": SHAPES, "gap": GAPS}
        width = config.features.width
        inputs = sum(width.values())
        self.tables = nn.ModuleDict(
            {name: nn.Embedding(rows[name], width[name]) for name in COLUMNS if name in rows}
        )
        for name in self.tables:
            nn.init.normal_(self.table(name).weight, std=0.3)
        if vectors is not None:
            inputs += vectors.width
        self.words = vectors
        self.unknown = config.training.unknown
        self.dropout = nn.Dropout(config.training.dropout)
        self.encoder = make_encoder(config.encoder, inputs)
        self.heads = nn.ModuleDict(
            {
                layer: nn.Linear(self.encoder.width, len(tag_names(labels)))
                for layer, labels in config.labels.items()
            }
        )

    def table(self, column: str) -> nn.Embedding:
        """A column's embeddings."""
        return cast(nn.Embedding, self.tables[column])

    def head(self, layer: str) -> nn.Linear:
        """A layer's map from the encoder's output to the logits of its tags."""
        return cast(nn.Linear, self.heads[layer])

    def embed(self, features: Tensor) -> Tensor:
        """(B, T, F) -> (B, T, I): the columns' embeddings side by side."""
        columns = dict(zip(COLUMNS, features.unbind(-1), strict=True))
        parts = []
        for name, table in self.tables.items():
            part = table(columns[name])
            if name == "norm":
                part = part + table(columns["stem"])
            parts.append(part)
        if self.words is not None:
            parts.append(self.words(columns["word"]))
        return torch.cat(parts, -1)

    @torch.no_grad()
    def halve(self) -> None:
        """Round the tables to the nearest 16-bit floats, as which a model file holds them."""
        for name in self.tables:
            weight = self.table(name).weight
            weight.copy_(weight.half())

    def forward(self, features: Tensor, lengths: Tensor) -> dict[str, Tensor]:
        if self.training and self.unknown:
            features = self._hide(features)
        encoded = self.encoder(self.dropout(self.embed(features)), lengths)
        encoded = self.dropout(encoded)
        return {layer: head(encoded) for layer, head in self.heads.items()}

    def _hide(self, features: Tensor) -> Tensor:
        """Hide the word of some tokens, and of fewer of them every spelling, so that the network
        learns to do with what is left, vectors above all: words of new texts are often new."""
        chance = torch.rand(features.shape[:2], device=features.device)
        word = chance < self.unknown
        spelling = chance < self.unknown / 3
        hidden = features.clone()
        for column, name in enumerate(COLUMNS):
            if name in ("norm", "stem"):
                hidden[..., column].masked_fill_(word, 0)
            elif name in ("prefix", "suffix", "start"):
                hidden[..., column].masked_fill_(spelling, 0)
        return hidden
