"""The configuration of a training run: TOML, checked; an unknown key is refused."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator


class Table(BaseModel):
    """A table of TOML: an unknown key is refused, and nothing changes once it is read."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @classmethod
    def read(cls, path: Path) -> Self:
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


class Generated(Table):
    """Text drawn from the grammars: sentences by language, each sentence once."""

    grammars: Path = Path("data/grammar")
    sentences: dict[str, int] = {"en": 40_000, "ko": 40_000}


class Corpus(Table):
    """A corpus (a file that `corpora.read` knows), seen ``repeat`` times in every epoch.

    Of a ``partial`` one it is learnt what its marks are, and not that a cue of time without a mark is none.
    """

    path: str
    repeat: float = Field(1.0, gt=0)
    partial: bool = False


class Features(Table):
    """Rows of the hashed tables and width of each column's embedding."""

    rows: dict[str, int] = {"norm": 12_000, "prefix": 3_000, "suffix": 4_000, "start": 1_500}
    width: dict[str, int] = {
        "norm": 48, "prefix": 16, "suffix": 16, "start": 12, "shape": 12, "gap": 4,
    }  # fmt: skip


class Encoder(Table):
    """The encoder, one of `encoders.ENCODERS`; ``hidden`` is its width, in one direction.

    ``longest`` is the longest segment it has weights for, ``reach`` how many tokens a window, or one layer
    of a convolution, sees to each side, ``heads`` how often a layer of a transformer attends. ``projection``
    is the width to which a linear map brings a recurrent one's input, 0 for no such map.
    """

    name: Literal[
        "feedforward", "window", "convolution", "rnn", "gru", "lstm", "transformer", "transformer_rotary"
    ] = "lstm"
    hidden: int = Field(96, ge=1)
    layers: int = Field(1, ge=1)
    bidirectional: bool = True
    carry: float = Field(0.0, ge=0, lt=1)
    projection: int = Field(0, ge=0)
    longest: int = Field(64, ge=1)
    reach: int = Field(4, ge=0)
    heads: int = Field(4, ge=1)

    @model_validator(mode="after")
    def _refuse_settings_without_effect(self) -> Self:
        """An encoder has settings that the others lack; one that it lacks must not be changed."""
        uses = {"name", "hidden", *SETTINGS[self.name]}
        for setting, field in type(self).model_fields.items():
            if setting not in uses and getattr(self, setting) != field.default:
                raise ValueError(f"{self.name} has no setting {setting!r}; it has {', '.join(sorted(uses))}")
        return self


# What each encoder is configured by, besides its width.
SETTINGS: dict[str, tuple[str, ...]] = {
    "feedforward": ("longest",),
    "window": ("reach",),
    "convolution": ("layers", "reach"),
    "rnn": ("layers", "bidirectional", "carry", "projection"),
    "gru": ("layers", "bidirectional", "carry", "projection"),
    "lstm": ("layers", "bidirectional", "carry", "projection"),
    "transformer": ("layers", "heads", "longest"),
    "transformer_rotary": ("layers", "heads"),
}


class Training(Table):
    """The loop. ``unknown`` is the chance with which a token's spelling is hidden in training."""

    epochs: int = Field(12, ge=1)
    batch_tokens: int = Field(4_000, ge=1)
    learning_rate: float = 3e-3
    weight_decay: float = 0.01
    dropout: float = Field(0.25, ge=0, lt=1)
    unknown: float = Field(0.12, ge=0, lt=1)
    label_smoothing: float = Field(0.0, ge=0, lt=1)
    held_out: float = Field(0.06, gt=0, lt=0.5)  # share of the documents, for stopping and calibration
    threads: int = Field(2, ge=1)


class Config(Table):
    """A whole run. Paths are relative to the folder from which it is run.

    ``labels`` are those of each layer. ``thresholds`` are the least scores with which the spans of a layer
    other than years are given, 0.5 by default: the score of a long span is that its text is exactly that, and
    a span with a word too much is better than none.
    """

    seed: int = 1
    labels: dict[str, list[str]] = {"years": ["YEAR"]}
    thresholds: dict[str, float] = {}
    eras: Path = Path("data/eras.toml")
    cues: Path = Path("data/cues.txt")
    words: Path | None = None  # the folder of the word vectors, `data/words`
    generated: Generated = Generated()
    corpora: list[Corpus] = []
    features: Features = Features()
    encoder: Encoder = Encoder()
    training: Training = Training()
