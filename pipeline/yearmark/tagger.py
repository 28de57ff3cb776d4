"""The tagger: a model folder made into a function from texts to years."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from importlib import resources
from itertools import islice
from pathlib import Path

import numpy as np
import onnxruntime

from yearmark import tags
from yearmark.features import COLUMNS, Reader, Tokens, may_begin
from yearmark.numerals import Eras
from yearmark.segments import segments
from yearmark.value import values
from yearmark.year import Year

FORMAT = 1  # of a model folder


def load(model: str | Path | None = None, *, reference_year: int | None = None) -> Tagger:
    """The published model, or the one in the folder ``model``.

    ``reference_year`` is that of `Tagger`. Raises FileNotFoundError where the folder holds no model.
    """
    folder = Path(str(resources.files("yearmark"))) / "model" if model is None else Path(model)
    for name in ("config.json", "eras.toml", "model.onnx"):
        if not (folder / name).is_file():
            raise FileNotFoundError(
                f"{folder} is no model folder: it has no {name}. "
                "Give the folder that `yearmark train CONFIG --output FOLDER` wrote."
            )
    return Tagger(folder, reference_year=reference_year)


class Tagger:
    """Finds the years of texts.

    The answer for a text depends on nothing but the text: not on the texts around it, their order
    or the batch. ``reference_year`` settles the century of two-digit years that stand alone
    (default: the current year).
    """

    BATCH_TOKENS = 8_192  # at most so many in a run of the network, padding included, if segments allow

    def __init__(self, folder: Path, *, reference_year: int | None = None) -> None:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        if config.get("format") != FORMAT:
            raise ValueError(
                f"{folder}/config.json has format {config.get('format')!r}; "
                f"this version of yearmark reads format {FORMAT}. Train the model again with it."
            )
        self.labels: list[str] = config["labels"]["years"]
        self._temperature: float = config["temperature"]
        self._eras = Eras.read(folder / "eras.toml")
        self._reader = Reader(config["table_rows"], self._eras)
        self._reference_year = reference_year
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        self._network = onnxruntime.InferenceSession(
            folder / "model.onnx", options, providers=["CPUExecutionProvider"]
        )

    def __call__(self, text: str) -> list[Year]:
        """The years of one text, in order."""
        if not isinstance(text, str):
            raise TypeError(
                f"a tagger is called with one str, not {type(text).__name__}; "
                "for several texts use tagger.pipe(texts)"
            )
        return self._tag([text])[0]

    def pipe(self, texts: Iterable[str], batch_size: int = 256) -> Iterator[list[Year]]:
        """The years of each text, lazily and in order; ``batch_size`` texts are read ahead.

        The batch size has an effect on speed and memory, never on an answer.
        """
        if isinstance(texts, str):
            raise TypeError("pipe takes an iterable of texts, not one str; use tagger(text)")
        if batch_size < 1:
            raise ValueError(f"batch_size must be 1 or more, got {batch_size}")
        return self._pipe(iter(texts), batch_size)

    def _pipe(self, texts: Iterator[str], batch_size: int) -> Iterator[list[Year]]:
        while pending := list(islice(texts, batch_size)):
            for text in pending:
                if not isinstance(text, str):
                    raise TypeError(f"pipe takes texts of type str, but one of them is {type(text).__name__}")
            yield from self._tag(pending)

    def _tag(self, texts: Sequence[str]) -> list[list[Year]]:
        """Segments of all the texts through the network, then values over whole texts."""
        found: list[tuple[int, int, Tokens]] = []  # text, offset of the segment, its tokens
        for number, text in enumerate(texts):
            for start, end in segments(text):
                tokens = self._reader(text[start:end])
                if may_begin(tokens.role).any():
                    found.append((number, start, tokens))
        spans: list[list[tuple[int, int, float]]] = [[] for _ in texts]
        logits = self.logits([tokens.features for _, _, tokens in found])
        for (number, offset, tokens), scores in zip(found, logits, strict=True):
            allowed = may_begin(tokens.role)
            starts, ends, _, probabilities = tags.decode(scores, allowed, self._temperature)
            spans[number].extend(
                (offset + int(tokens.start[a]), offset + int(tokens.end[b - 1]), float(p))
                for a, b, p in zip(starts, ends, probabilities, strict=True)
            )
        return [self._years(text, own) for text, own in zip(texts, spans, strict=True)]

    def _years(self, text: str, spans: list[tuple[int, int, float]]) -> list[Year]:
        named = values(text, [span[:2] for span in spans], self._eras, self._reference_year)
        return [
            Year(start, end, text[start:end], value, round(score, 4))
            for (start, end, score), value in zip(spans, named, strict=True)
        ]

    def logits(self, features: Sequence[np.ndarray]) -> list[np.ndarray]:
        """The network's outputs (T, K) for segments of features (T, F), whatever their lengths.

        Segments of like length run together; padding is masked by the network itself.
        """
        order = sorted(range(len(features)), key=lambda i: len(features[i]))
        out: list[np.ndarray] = [np.empty(0)] * len(features)
        while order:
            size = max(1, self.BATCH_TOKENS // max(1, len(features[order[-1]])))
            batch, order = order[-size:], order[:-size]
            lengths = np.array([len(features[i]) for i in batch], np.int32)
            padded = np.zeros((len(batch), lengths.max(), len(COLUMNS)), np.int32)
            for row, i in enumerate(batch):
                padded[row, : lengths[row]] = features[i]
            (result,) = self._network.run(None, {"features": padded, "lengths": lengths})
            for row, i in enumerate(batch):
                out[i] = result[row, : lengths[row]]
        return out
