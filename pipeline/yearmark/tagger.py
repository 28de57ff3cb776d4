"""The tagger: a model folder made into a function from texts to years and other layers of spans."""

from __future__ import annotations

import dataclasses
import datetime
import json
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from itertools import islice, repeat, tee
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime

from yearmark import tags
from yearmark.cues import Cues
from yearmark.features import Int, Reader, Tokens, bearers
from yearmark.files import layer_folders, model_folder
from yearmark.gate import segments_with_numbers
from yearmark.numerals import Eras
from yearmark.segments import segments
from yearmark.timex import Timex
from yearmark.value import values
from yearmark.words import Words
from yearmark.year import Year

Float = npt.NDArray[np.float32]
Chunk = list[tuple[int, int, str]]  # number of the text, offset, segment
Found = tuple[int, int, str, float]  # start, end, label, score
Text = tuple[str, datetime.date | None]  # with its reference date

FORMAT = 3  # of a model folder
YEARS = ("years",)


def load(
    model: str | Path | None = None,
    *,
    min_score: float = 0.5,
    reference_year: int | None = None,
    threads: int = 1,
) -> Tagger:
    """The published model, or the one in the folder ``model``.

    ``min_score``, ``reference_year`` and ``threads`` are those of `Tagger`. Raises FileNotFoundError
    where the folder holds no model.
    """
    folder = model_folder(model)
    return Tagger(folder, min_score=min_score, reference_year=reference_year, threads=threads)


class Tagger:
    """Finds the years of texts.

    The answer for a text depends on nothing but the text: not on the texts around it, their order
    or the batch. Years of a score below ``min_score`` are left out; the lower it is, the more are found
    and the more of them are wrong. (Other layers have thresholds of
    their own, in the model.) ``reference_year`` settles the century of two-digit years that stand alone
    (default: the current year). ``threads`` is how many it may use; the answers are the same. The others run
    the network while this one reads on.
    """

    # In a run of the network, padding included, if segments allow: what stays in a core's cache. Four times
    # as many take a third longer.
    BATCH_TOKENS = 1_024
    CHUNK = 50_000  # characters of segments that are tokenized together
    MOST_OPEN = 8  # chunks whose batches may wait for a thread: it bounds the memory of a long text

    def __init__(
        self,
        folder: Path,
        *,
        min_score: float = 0.5,
        reference_year: int | None = None,
        threads: int = 1,
    ) -> None:
        if not 0 <= min_score <= 1:
            raise ValueError(f"min_score is a probability from 0 to 1, got {min_score}")
        if threads < 1:
            raise ValueError(f"threads must be 1 or more, got {threads}")
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        if config.get("format") != FORMAT:
            raise ValueError(
                f"{folder}/config.json has format {config.get('format')!r}; "
                f"this version of yearmark reads format {FORMAT}. Train the model again with it."
            )
        self.labels: dict[str, list[str]] = config["labels"]
        self._thresholds: dict[str, float] = {
            layer: config["thresholds"].get(layer, 0.5) for layer in self.labels
        } | {"years": min_score}
        self._eras = Eras.read(folder / "eras.toml")
        self._reader = Reader(
            config["table_rows"],
            self._eras,
            Words.read(folder / "words.tsv"),
            Cues.read(folder / "cues.txt") if "timexes" in self.labels else None,
        )
        self._min_score = min_score
        self._reference_year = reference_year
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        options.intra_op_num_threads = 1
        self._network = onnxruntime.InferenceSession(
            folder / "model.onnx", options, providers=["CPUExecutionProvider"]
        )
        self._others = ThreadPoolExecutor(threads - 1, "yearmark") if threads > 1 else None
        self._folders = layer_folders(folder)
        self._parts: dict[Path, Tagger] = {folder: self}  # those loaded, by their folders

    def __call__(self, text: str) -> list[Year]:
        """The years of one text, in order."""
        return self.tag(text, YEARS)["years"]

    def tag(
        self,
        text: str,
        layers: Sequence[str] | None = None,
        *,
        reference_date: datetime.date | None = None,
    ) -> dict[str, list[Any]]:
        """The spans of one text by layer, in order: of ``layers``, or of every layer that the model has.

        ``years`` are `Year`s; other layers, such as ``timexes``, are `Timex`es. ``reference_date`` is the day
        from which "last Monday" is counted. What a layer holds does not depend on the others asked for.
        Raises ValueError at a layer that the model lacks.
        """
        if not isinstance(text, str):
            raise TypeError(
                f"a tagger is called with one str, not {type(text).__name__}; "
                "for several texts use tagger.pipe(texts)"
            )
        return next(self._pipe_parts(iter([(text, reference_date)]), 1, self._known(layers)))

    def pipe_layers(
        self,
        texts: Iterable[str],
        layers: Sequence[str] | None = None,
        *,
        reference_dates: Iterable[datetime.date | None] | None = None,
        batch_size: int = 256,
    ) -> Iterator[dict[str, list[Any]]]:
        """What `tag` gives of each text, lazily and in order; ``reference_dates`` are the texts' own.

        ``batch_size`` texts are read ahead, or twice as many: it has an effect on speed and memory, never on
        an answer.
        """
        if isinstance(texts, str):
            raise TypeError("pipe takes an iterable of texts, not one str; use tagger(text)")
        if batch_size < 1:
            raise ValueError(f"batch_size must be 1 or more, got {batch_size}")
        dates = repeat(None) if reference_dates is None else reference_dates
        pairs = zip(texts, dates, strict=reference_dates is not None)
        return self._pipe_parts(pairs, batch_size, self._known(layers))

    def prepare(self, layers: Sequence[str]) -> None:
        """Load the networks of these layers now, which else are loaded when they are first asked for."""
        for layer in self._known(layers):
            self._part(layer)

    def _known(self, layers: Sequence[str] | None) -> tuple[str, ...]:
        if layers is not None and not layers:
            raise ValueError(f"no layer is asked for; the model has {', '.join(self._folders)}")
        if unknown := [layer for layer in layers or () if layer not in self._folders]:
            raise ValueError(f"the model has no layer {unknown[0]!r}, only {', '.join(self._folders)}")
        return tuple(self._folders) if layers is None else tuple(dict.fromkeys(layers))

    def _part(self, layer: str) -> Tagger:
        """The tagger whose network has the layer: this one, or that of a folder inside the model's."""
        folder = self._folders[layer]
        if folder not in self._parts:
            part = Tagger(folder, min_score=self._min_score, reference_year=self._reference_year)
            part._others = self._others  # the same threads
            self._parts[folder] = part
        return self._parts[folder]

    def _pipe_parts(
        self, texts: Iterator[Text], batch_size: int, layers: tuple[str, ...]
    ) -> Iterator[dict[str, list[Any]]]:
        """What the networks of the layers give of each text, put together in the order of the layers."""
        own: dict[Tagger, list[str]] = {}
        for layer in layers:
            own.setdefault(self._part(layer), []).append(layer)
        streams = [
            part._pipe(stream, batch_size, tuple(names))
            for (part, names), stream in zip(own.items(), tee(texts, len(own)), strict=True)
        ]
        for several in zip(*streams, strict=True):
            found = {layer: spans for one in several for layer, spans in one.items()}
            yield {layer: found[layer] for layer in layers}

    def pipe(self, texts: Iterable[str], batch_size: int = 256) -> Iterator[list[Year]]:
        """The years of each text, lazily and in order; ``batch_size`` is that of `pipe_layers`."""
        return (found["years"] for found in self.pipe_layers(texts, YEARS, batch_size=batch_size))

    def map_batch(
        self, batch: Mapping[str, Any], text_field: str = "text", layers: Sequence[str] = YEARS
    ) -> dict[str, Any]:
        """A batch of columns with one more for each layer, ``years``: for each text a list of spans as dicts.

        This is what `datasets.Dataset.map`, Ray Data's ``map_batches`` and Spark's ``mapInPandas`` call, and
        what `yearmark tag` does with the records that it has read. A text that is None has none.
        Raises KeyError where there is no column ``text_field``.
        """
        if text_field not in batch:
            raise KeyError(
                f"the batch has no column {text_field!r}, only {', '.join(map(repr, batch))}; "
                "name the column of the text: map_batch(batch, text_field=...)"
            )
        texts = ("" if text is None else text for text in batch[text_field])
        tagged = list(self.pipe_layers(texts, layers))
        columns = {
            layer: [[dataclasses.asdict(span) for span in found[layer]] for found in tagged]
            for layer in layers
        }
        return {**batch, **columns}

    def _pipe(
        self, texts: Iterator[Text], batch_size: int, layers: tuple[str, ...]
    ) -> Iterator[dict[str, list[Any]]]:
        begun: deque[_Begun] = deque()
        while pending := list(islice(texts, batch_size)):
            try:
                begun.append(self._begin_texts(pending, layers))
            except (TypeError, ValueError):
                while begun:  # what was good before it
                    yield from self._end_texts(begun.popleft())
                raise
            # the other threads have work left while this one ends the batch before
            if len(begun) > (self._others is not None):
                yield from self._end_texts(begun.popleft())
        while begun:
            yield from self._end_texts(begun.popleft())

    def _begin_texts(self, texts: Sequence[Text], layers: tuple[str, ...]) -> _Begun:
        begun = _Begun(texts, layers, {layer: [[] for _ in texts] for layer in layers})
        gate = segments_with_numbers if layers == YEARS else segments
        chunk: Chunk = []
        size = 0
        for number, (text, _) in enumerate(texts):
            if not isinstance(text, str):
                raise TypeError(f"pipe takes texts of type str, but one of them is {type(text).__name__}")
            _refuse_surrogates(text)
            for start, end in gate(text):
                chunk.append((number, start, text[start:end]))
                size += end - start
                if size > self.CHUNK:
                    begun.chunks.append((chunk, *self._begin(chunk, layers)))
                    chunk, size = [], 0
                    if len(begun.chunks) == self.MOST_OPEN:
                        self._finish(begun)
        if chunk:
            begun.chunks.append((chunk, *self._begin(chunk, layers)))
        return begun

    def _end_texts(self, begun: _Begun) -> list[dict[str, list[Any]]]:
        self._finish(begun)
        return [
            {
                layer: self._years(text, begun.spans[layer][number])
                if layer == "years"
                else self._timexes(layer, text, begun.spans[layer][number], date)
                for layer in begun.layers
            }
            for number, (text, date) in enumerate(begun.texts)
        ]

    def _begin(self, chunk: Chunk, layers: tuple[str, ...]) -> tuple[Tokens, _Outputs]:
        tokens = self._reader([segment for _, _, segment in chunk])
        return tokens, self._outputs(tokens, layers)

    def _finish(self, begun: _Begun) -> None:
        """Add what was found in segments to the spans of their texts."""
        for *_, outputs in reversed(
            begun.chunks
        ):  # from the end, while other threads go on from the beginning
            outputs.finish()
        for chunk, tokens, outputs in begun.chunks:
            rows = outputs.rows
            first = np.ones(len(rows), bool)
            first[1:] = tokens.segment[rows[1:]] != tokens.segment[rows[:-1]]
            for layer, logits in outputs.logits.items():
                begins, holds = bearers(tokens, layer)
                starts, ends, labels, scores = tags.decode(
                    logits, first, begins[rows], holds[rows], self._thresholds[layer]
                )
                for a, b, label, score in zip(rows[starts], rows[ends - 1], labels, scores, strict=True):
                    number, offset, _ = chunk[tokens.segment[a]]
                    start, end = offset + int(tokens.start[a]), offset + int(tokens.end[b])
                    begun.spans[layer][number].append((start, end, self.labels[layer][label], float(score)))
        begun.chunks.clear()

    def _years(self, text: str, spans: list[Found]) -> list[Year]:
        named = values(text, [span[:2] for span in spans], self._eras, self._reference_year)
        return [
            Year(start, end, text[start:end], value, round(score, 4))
            for (start, end, _, score), value in zip(spans, named, strict=True)
        ]

    def _timexes(self, layer: str, text: str, spans: list[Found], date: datetime.date | None) -> list[Timex]:
        named: list[str | None] = [None] * len(spans)
        if layer == "timexes" and spans:
            # dateutil and the patterns are loaded for this layer alone
            from yearmark.extent import whole
            from yearmark.timex_value import timex_values

            spans = whole(text, spans)
            named = timex_values(text, [span[:3] for span in spans], self._eras, self._reference_year, date)
        return [
            Timex(start, end, text[start:end], label, value, round(score, 4))
            for (start, end, label, score), value in zip(spans, named, strict=True)
        ]

    def logits(self, tokens: Tokens) -> tuple[Float, Int]:
        """The network's outputs (M, K) for the tokens of segments where a year may begin.

        The second array (M,) says which tokens those are.
        """
        outputs = self._outputs(tokens, YEARS)
        outputs.finish()
        return outputs.logits["years"], outputs.rows

    def _outputs(self, tokens: Tokens, layers: tuple[str, ...]) -> _Outputs:
        """The outputs by layer, begun: segments of like length run together, in batches for any thread.

        Only those that may bear a span of one of the layers are run. Padding is masked by the network itself.
        """
        bounds = np.searchsorted(tokens.segment, np.arange(tokens.segment[-1] + 2 if len(tokens) else 1))
        bearing = np.zeros(len(tokens), bool)
        for layer in layers:
            bearing |= bearers(tokens, layer)[1]
        wanted = np.unique(tokens.segment[bearing])
        starts, lengths = bounds[wanted], bounds[wanted + 1] - bounds[wanted]
        rows = np.flatnonzero(np.isin(tokens.segment, wanted)).astype(np.int32)
        targets = np.cumsum(lengths) - lengths  # where each segment's outputs begin
        out = {
            layer: np.empty((len(rows), len(tags.tag_names(self.labels[layer]))), np.float32)
            for layer in layers
        }

        def run(batch: npt.NDArray[np.intp]) -> None:
            steps = np.arange(lengths[batch[0]])
            real = steps < lengths[batch, None]  # (B, T)
            features = tokens.features[np.where(real, starts[batch, None] + steps, 0)]
            features[~real] = 0
            inputs = {"features": features, "lengths": lengths[batch].astype(np.int32)}
            places = (targets[batch, None] + steps)[real]
            for layer, result in zip(layers, self._network.run(list(layers), inputs), strict=True):
                out[layer][places] = result[real]

        order = np.argsort(lengths, kind="stable")[::-1]
        jobs = []
        while len(order):
            count = max(1, self.BATCH_TOKENS // int(lengths[order[0]]))
            batch, order = order[:count], order[count:]
            job = partial(run, batch)
            jobs.append((self._others.submit(job) if self._others else None, job))
        return _Outputs(out, rows, jobs)


@dataclass(frozen=True, slots=True)
class _Begun:
    """Texts with the spans found in them by layer, and chunks of segments whose outputs are to come."""

    texts: Sequence[Text]
    layers: tuple[str, ...]
    spans: dict[str, list[list[Found]]]
    chunks: list[tuple[Chunk, Tokens, _Outputs]] = field(default_factory=list)


class _Outputs:
    """The network's outputs by layer, of which some are to come: each batch is run by who is free first."""

    def __init__(
        self,
        logits: dict[str, Float],
        rows: Int,
        jobs: Sequence[tuple[Future[None] | None, Callable[[], None]]],
    ) -> None:
        self.logits = logits
        self.rows = rows
        self._jobs = jobs

    def finish(self) -> None:
        """Run what no other thread has begun, and wait for the rest."""
        for future, job in reversed(self._jobs):
            if future is None or future.cancel():
                job()
        for future, _ in self._jobs:
            if future is not None and not future.cancelled():
                future.result()


def _refuse_surrogates(text: str) -> None:
    """Half a character is no text; spaCy and every output file would fail on it later."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise ValueError(
            f"the text has a lone surrogate, U+{ord(text[error.start]):04X}, at character {error.start}: "
            "it was not decoded as what it is. Decode it again, or put a '?' there: "
            "text.encode('utf-8', 'replace').decode()"
        ) from None
