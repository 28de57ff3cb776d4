"""The configuration of a training run: TOML, checked; an unknown key is refused."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Generated(_Table):
    """Text drawn from the grammars: sentences by language, each sentence once."""

    grammars: Path = Path("data/grammar")
    sentences: dict[str, int] = {"en": 40_000, "ko": 40_000}


class Corpus(_Table):
    """A corpus (a file that `corpora.read` knows), seen ``repeat`` times in every epoch."""

    path: str
    repeat: float = Field(1.0, gt=0)


class Features(_Table):
    """Rows of the hashed tables and width of each column's embedding."""

    rows: dict[str, int] = {"norm": 12_000, "prefix": 3_000, "suffix": 4_000, "start": 1_500}
    width: dict[str, int] = {
        "norm": 48, "prefix": 16, "suffix": 16, "start": 12, "shape": 12, "gap": 4,
    }  # fmt: skip


class Encoder(_Table):
    """The encoder, one of `encoders.ENCODERS`; ``hidden`` is the width of one direction."""

    name: Literal["rnn", "gru", "lstm"] = "lstm"
    hidden: int = Field(96, ge=1)
    layers: int = Field(1, ge=1)
    bidirectional: bool = True


class Training(_Table):
    """The loop. ``unknown`` is the chance with which a token's spelling is hidden in training."""

    epochs: int = Field(12, ge=1)
    patience: int = Field(4, ge=1)
    batch_tokens: int = Field(4_000, ge=1)
    learning_rate: float = 3e-3
    weight_decay: float = 0.01
    dropout: float = Field(0.25, ge=0, lt=1)
    unknown: float = Field(0.12, ge=0, lt=1)
    label_smoothing: float = Field(0.0, ge=0, lt=1)
    held_out: float = Field(0.06, gt=0, lt=0.5)  # share of the documents, for stopping and calibration
    threads: int = Field(2, ge=1)


class Config(_Table):
    """A whole run. Paths are relative to the folder from which it is run."""

    seed: int = 1
    labels: dict[str, list[str]] = {"years": ["YEAR"]}
    eras: Path = Path("data/eras.toml")
    generated: Generated = Generated()
    corpora: list[Corpus] = []
    features: Features = Features()
    encoder: Encoder = Encoder()
    training: Training = Training()

    @classmethod
    def read(cls, path: Path) -> Config:
        """From a TOML file; a ValueError names the file, the key, and what was expected."""
        try:
            with path.open("rb") as file:
                return cls.model_validate(tomllib.load(file))
        except tomllib.TOMLDecodeError as error:
            raise ValueError(f"{path}: not valid TOML: {error}") from None
        except ValidationError as error:
            lines = [
                f"{path}: {'.'.join(map(str, one['loc']))}: {one['msg']} (got {one['input']!r:.60})"
                for one in error.errors()
            ]
            raise ValueError("\n".join(lines)) from None
