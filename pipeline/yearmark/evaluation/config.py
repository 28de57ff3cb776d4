"""The configuration of the invariance experiments: TOML, checked; an unknown key is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Self

from pydantic import Field, model_validator

from yearmark.training.config import Encoder, Features, Table


class Loop(Table):
    """How each encoder is trained: the same number of steps however few the sentences are."""

    steps: int = Field(500, ge=1)
    batch: int = Field(64, ge=1)  # sentences
    learning_rate: float = 5e-3
    weight_decay: float = 0.01
    dropout: float = Field(0.1, ge=0, lt=1)
    unknown: float = Field(0.05, ge=0, lt=1)
    sentences: int = Field(3_000, ge=1)
    fewer_and_more: tuple[int, ...] = (100, 300, 1_000, 10_000)  # to see how many sentences each needs
    practice: tuple[int, int] = (16, 32)  # tokens from word to number in the training that practises memory


class Tests(Table):
    """What is tested, and how much: an interval is the wider the fewer ``sentences`` a cell has."""

    sentences: int = Field(40, ge=1)
    most_tokens: int = Field(200_000, ge=1)  # of all sentences of one length; the longest are fewer
    longest: int = 10_240  # tokens; the lengths double up to it
    memory: int = 512  # tokens from the decisive word to the number; they double up to it
    real: Path = Path("../shared/corpora/years-en.dev.jsonl")
    around: tuple[int, ...] = (0, 10, 100, 1_000, 5_000)  # neutral tokens around a real sentence
    resamples: int = Field(1_000, ge=1)


class Invariance(Table):
    """All encoders, by the name that the report gives them. Paths are relative to the folder of the run."""

    seed: int = 1
    seeds: int = Field(3, ge=1)  # trainings of each encoder, each with sentences and weights of its own
    processes: int = Field(2, ge=1)
    eras: Path = Path("data/eras.toml")
    grammar: Path = Path("data/grammar/en.toml")
    published: Path = Path("docs/invariance/published.json")
    features: Features = Features()
    training: Loop = Loop()
    tests: Tests = Tests()
    encoders: dict[str, Encoder]

    @model_validator(mode="after")
    def _has_encoders(self) -> Self:
        if not self.encoders:
            raise ValueError("there is no encoder to compare; add a table [encoders.NAME]")
        return self
