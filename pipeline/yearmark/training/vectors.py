"""Vectors of words, four bits a number, and the words that have them.

A folder of vectors holds `en.txt`, a word a line; `vectors.safetensors`, with the vectors of these words
in order; and `LANG.tsv`, words of other languages with the English word whose vector is theirs.
"""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

ZERO = 8  # the code of the number 0; the codes are 0 to 15


class WordVectors(nn.Module):
    """Rows (...) -> vectors (..., D), never trained: ``step`` times the ``codes`` (V, D) less ZERO."""

    codes: Tensor
    step: Tensor

    def __init__(self, codes: Tensor, step: Tensor) -> None:
        super().__init__()
        self.register_buffer("codes", codes)
        self.register_buffer("step", step)

    @property
    def num_embeddings(self) -> int:
        """V."""
        return len(self.codes)

    @property
    def width(self) -> int:
        """D."""
        return self.codes.shape[1]

    def forward(self, rows: Tensor) -> Tensor:
        vectors: Tensor = (self.codes[rows].float() - ZERO) * self.step
        return vectors


def pack(codes: Tensor) -> Tensor:
    """Codes (V, D) as bytes (V, D / 2): the first half of a row above, the second half below."""
    above, below = codes.chunk(2, dim=1)
    return above << 4 | below


def unpack(packed: Tensor) -> Tensor:
    """The codes (V, D) of such bytes."""
    return torch.cat([packed >> 4, packed & 15], dim=1)


def write(folder: Path, words: list[str], vectors: Tensor, step: float) -> None:
    """Write the English words and their vectors (V, D), D even, in multiples of ``step`` from -8 to 7."""
    (folder / "en.txt").write_text("\n".join(words) + "\n", encoding="utf-8")
    codes = ((vectors / step).round() + ZERO).clamp(0, 15).to(torch.uint8)
    save_file({"packed": pack(codes), "step": torch.tensor(step)}, folder / "vectors.safetensors")


def read_words(folder: Path) -> str:
    """The words of all languages, as a model's `words.tsv` holds them."""
    files = [folder / "en.txt", *sorted(folder.glob("*.tsv"))]
    return "".join(file.read_text(encoding="utf-8") for file in files)


def read_vectors(folder: Path) -> WordVectors:
    """The vectors of these words behind row 0, which is 0 and for all others."""
    tensors = load_file(folder / "vectors.safetensors")
    codes = unpack(tensors["packed"])
    none = torch.full((1, codes.shape[1]), ZERO, dtype=torch.uint8)
    return WordVectors(torch.cat([none, codes]), tensors["step"])
