"""The spaCy component: ``nlp.add_pipe("yearmark")`` marks the years of a pipeline's documents."""

from __future__ import annotations

import datetime
import tempfile
import warnings
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import resources
from itertools import chain, groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

import srsly
from spacy.language import Language
from spacy.pipeline import Pipe
from spacy.scorer import Scorer
from spacy.tokens import Doc, Span
from spacy.training import Example, validate_examples, validate_get_examples
from spacy.util import minibatch, registry

from yearmark.files import model_files
from yearmark.tagger import Tagger, load
from yearmark.timex import Timex
from yearmark.year import Year

if TYPE_CHECKING:
    from thinc.api import Optimizer

    from yearmark.training.finetune import FineTuner, Gradient, Scores

OVERLAPS = ("keep", "replace", "split")
ALIGNMENT_MODES = ("strict", "contract", "expand")
_STORE = "yearmark"  # the key of doc.user_data under which the years stand
_TIMEXES = "yearmark_timexes"  # and the time expressions

ScorerFunction = Callable[..., dict[str, Any]]


@Language.factory(
    "yearmark",
    assigns=["doc.spans", "doc._.years", "span._.years", "span._.year", "span._.timex_value"],
    default_config={"scorer": {"@scorers": "yearmark.years_scorer.v1"}},
    default_score_weights={"years_f": 1.0, "years_p": 0.0, "years_r": 0.0},
)
def make_yearmark(
    nlp: Language,
    name: str,
    scorer: ScorerFunction | None,
    model: str | None = None,
    spans_key: str = "years",
    label: str = "YEAR",
    min_score: float = 0.5,
    set_ents: bool = False,
    overlap: str = "keep",
    alignment_mode: str = "expand",
    batch_size: int = 256,
    layers: list[str] = ["years"],  # noqa: B006 (spaCy copies its configuration)
    reference_date: str | None = None,
) -> Yearmark:
    """The factory that spaCy finds by its entry point. The settings are those of `Yearmark`."""
    return Yearmark(
        name,
        scorer=scorer,
        model=model,
        spans_key=spans_key,
        label=label,
        min_score=min_score,
        set_ents=set_ents,
        overlap=overlap,
        alignment_mode=alignment_mode,
        batch_size=batch_size,
        layers=layers,
        reference_date=reference_date,
    )


class Yearmark(Pipe):
    """Marks the years of documents: the tagger's answer for ``doc.text``, on the user's tokens.

    ``doc._.years`` holds the exact years, ``doc.spans[spans_key]`` a span of label ``label`` for each;
    years that share a token share their span. ``span._.years`` are the years in any span of the
    document, ``span._.year``, ``span._.year_value`` and ``span._.year_score`` are of the first of them.

    ``model`` is a model folder (None: the published one), read at the first use: a pipeline that was
    saved brings its own. Years of a score below ``min_score`` are left out. ``alignment_mode`` says
    what becomes of a year that ends inside a token: ``expand`` its span to the token's end,
    ``contract`` it to whole tokens, or ``strict``: no span. With ``set_ents`` the spans become entities
    too; where one stands already, ``overlap`` says whether to ``keep`` it, ``replace`` it or ``split`` it
    around the year. At most ``batch_size`` documents are tagged together.

    With ``layers`` of ``["years", "timexes"]`` the time expressions are marked too: ``doc.spans["timexes"]``,
    each with its TIMEX3 type as label and its value as ``span._.timex_value``, which counts "last week"
    from ``reference_date`` (ISO 8601). Those that share a token share a span, of the first one's type.
    """

    model: FineTuner | None
    scorer: ScorerFunction | None

    def __init__(
        self,
        name: str = "yearmark",
        *,
        scorer: ScorerFunction | None = None,
        model: str | None = None,
        spans_key: str = "years",
        label: str = "YEAR",
        min_score: float = 0.5,
        set_ents: bool = False,
        overlap: str = "keep",
        alignment_mode: str = "expand",
        batch_size: int = 256,
        layers: Sequence[str] = ("years",),
        reference_date: str | None = None,
    ) -> None:
        _require(bool(spans_key), "spans_key", spans_key, "a key of doc.spans, such as 'years'")
        _require(bool(label), "label", label, "a label, such as 'YEAR'")
        _require(0 <= min_score <= 1, "min_score", min_score, "a probability from 0 to 1")
        _require(overlap in OVERLAPS, "overlap", overlap, f"one of {', '.join(OVERLAPS)}")
        modes = f"one of {', '.join(ALIGNMENT_MODES)}"
        _require(alignment_mode in ALIGNMENT_MODES, "alignment_mode", alignment_mode, modes)
        _require(batch_size >= 1, "batch_size", batch_size, "1 or more")
        some = sorted(set(layers)) in (["years"], ["timexes", "years"])
        _require(some, "layers", layers, "['years'] or ['years', 'timexes']")
        try:
            self._date = datetime.date.fromisoformat(reference_date) if reference_date else None
        except ValueError:
            _require(False, "reference_date", reference_date, "a date of ISO 8601, such as '2009-03-14'")
        self.layers = list(layers)
        self.name = name
        self.scorer = scorer
        self.spans_key = spans_key
        self.label = label
        self.min_score = min_score
        self.set_ents = set_ents
        self.overlap = overlap
        self.alignment_mode = alignment_mode
        self.batch_size = batch_size
        self.model = None  # the network in training; spaCy's name for it
        self._folder = model
        self._files: dict[str, bytes] = {}
        self._tagger: Tagger | None = None
        self._has_warned = False
        set_extensions()

    @property
    def labels(self) -> tuple[str, ...]:
        return (self.label,)

    # ---- annotation

    def __call__(self, doc: Doc) -> Doc:
        self.set_annotations([doc], self.predict([doc]))
        return doc

    def pipe(self, stream: Iterable[Doc], *, batch_size: int = 128) -> Iterator[Doc]:
        """The documents, annotated, in order; of a batch that fails all but the failing ones."""
        for docs in minibatch(stream, min(batch_size, self.batch_size)):  # type: ignore[no-untyped-call]
            try:
                self.set_annotations(docs, self.predict(docs))
            except Exception:
                # the same again, one by one, to report the document that is at fault
                yield from super().pipe(docs)
            else:
                yield from docs

    def predict(self, docs: Sequence[Doc]) -> list[Mapping[str, Sequence[Any]]]:
        """The years of each document, and what other layers it has; the document is not modified."""
        texts = [doc.text for doc in docs]
        dates = [self._date] * len(docs)
        found = self.tagger.pipe_layers(texts, self.layers, reference_dates=dates, batch_size=self.batch_size)
        return list(found)

    def set_annotations(self, docs: Sequence[Doc], found: Sequence[Mapping[str, Sequence[Any]]]) -> None:
        """Write what was found in each document into it."""
        lost = Counter[str]()
        for doc, layers in zip(docs, found, strict=True):
            for layer, found_there in layers.items():
                spans, unaligned = self._align(doc, found_there)
                lost[layer] += unaligned
                doc.spans[self.spans_key if layer == "years" else layer] = spans
                # plain values: spaCy serializes them with the document
                if layer == "years":
                    doc.user_data[_STORE] = [(y.start, y.end, y.text, y.value, y.score) for y in found_there]
                    if self.set_ents and spans:
                        doc.ents = tuple(self._entities(doc, spans))
                elif layer == "timexes":
                    doc.user_data[_TIMEXES] = [
                        (t.start, t.end, t.text, t.value, t.score, t.type) for t in found_there
                    ]
        if lost.total() and not self._has_warned:
            self._has_warned = True
            several = " and ".join(f"{count} {layer}" for layer, count in lost.items() if count)
            warnings.warn(
                f"{several} in this batch end inside of a token and have no span with alignment_mode="
                f"{self.alignment_mode!r}; doc._.years has all years. For spans use alignment_mode='expand'. "
                "This is said once.",
                stacklevel=2,
            )

    def _align(self, doc: Doc, found: Iterable[Year | Timex]) -> tuple[list[Span], int]:
        """What was found as disjoint spans of tokens, in order, and how many have none."""
        spans: list[Span] = []
        lost = 0
        for one in found:
            label = one.type if isinstance(one, Timex) else self.label
            span = doc.char_span(one.start, one.end, label, alignment_mode=self.alignment_mode)
            if span is None:
                lost += 1
            elif spans and span.start < spans[-1].end:
                spans[-1] = Span(doc, spans[-1].start, max(span.end, spans[-1].end), spans[-1].label)
            else:
                spans.append(span)
        return spans, lost

    def _entities(self, doc: Doc, years: Sequence[Span]) -> Iterable[Span]:
        """The document's entities with the years among them, none overlapping another."""
        if self.overlap == "keep":
            taken = _tokens(doc.ents)
            return chain(doc.ents, (year for year in years if taken.isdisjoint(range(year.start, year.end))))
        taken = _tokens(years)
        if self.overlap == "replace":
            return chain(years, (e for e in doc.ents if taken.isdisjoint(range(e.start, e.end))))
        return chain(years, *(_around(ent, taken) for ent in doc.ents))

    # ---- the model

    @property
    def tagger(self) -> Tagger:
        """The tagger of the current weights."""
        if self._tagger is None:
            with self._unpacked() as folder:
                # one thread: more would not live on in the processes that n_process forks, and a
                # session whose threads are gone hangs
                self._tagger = load(folder, min_score=self.min_score, threads=1)
                self._tagger.prepare(self.layers)
        return self._tagger

    def _current_files(self) -> dict[str, bytes]:
        """The files of the model folder, read at the first call; the network as trained since."""
        if not self._files:
            folder = Path(self._folder or str(resources.files("yearmark") / "model"))
            load(folder)  # refuses a folder that holds no model, or one of another format
            self._files = _read(folder)
        if self.model is not None:
            self._files["model.onnx"] = self.model.to_bytes()
        return self._files

    @contextmanager
    def _unpacked(self) -> Iterator[Path]:
        """The model folder, for as long as it takes to read it."""
        with tempfile.TemporaryDirectory() as name:
            _write(self._current_files(), Path(name))
            yield Path(name)

    def _replace(self, files: dict[str, bytes]) -> None:
        self._files = files
        self._tagger = self.model = None

    def to_disk(self, path: str | Path, *, exclude: Iterable[str] = ()) -> None:
        """Write the model folder, so that the pipeline needs no other to be loaded."""
        Path(path).mkdir(parents=True, exist_ok=True)
        if "model" not in exclude:
            _write(self._current_files(), Path(path))

    def from_disk(self, path: str | Path, *, exclude: Iterable[str] = ()) -> Yearmark:
        """Take the model of the folder instead of that of the settings."""
        if "model" not in exclude:
            self._replace(_read(Path(path)))
        return self

    def to_bytes(self, *, exclude: Iterable[str] = ()) -> bytes:
        """The model folder in one."""
        packed: bytes = srsly.msgpack_dumps({} if "model" in exclude else self._current_files())
        return packed

    def from_bytes(self, packed: bytes, *, exclude: Iterable[str] = ()) -> Yearmark:
        """Take the model of the bytes that `to_bytes` gave."""
        if "model" not in exclude:
            self._replace(srsly.msgpack_loads(packed))
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        # an ONNX session cannot be pickled; it is made anew from the files
        state = {**self.__dict__, "_files": self._current_files(), "_tagger": None, "model": None}
        return _rebuild, (type(self), state)

    # ---- training

    @property
    def is_trainable(self) -> bool:
        return True

    def initialize(
        self, get_examples: Callable[[], Iterable[Example]], *, nlp: Language | None = None
    ) -> None:
        """Make ready to train on from the present weights, if the examples have years to learn.

        Gold years are spans under ``doc.spans[spans_key]``, a key that a document without years has too.
        """
        validate_get_examples(get_examples, "Yearmark.initialize")
        gold = [eg.reference for eg in get_examples() if self.spans_key in eg.reference.spans]
        if not gold:
            warnings.warn(
                f"no example has doc.spans[{self.spans_key!r}]: {self.name!r} will not be trained. Put the "
                "gold years there, or name the component among training.frozen_components.",
                stacklevel=2,
            )
            return
        lost = self._trained().lost(gold)
        if lost:
            warnings.warn(
                f"{len(lost)} gold years cannot be learnt, because no number of at most four digits, number "
                f"word or era begins them, or they begin or end inside of one: {', '.join(lost[:5])}",
                stacklevel=2,
            )

    def update(
        self,
        examples: Iterable[Example],
        *,
        drop: float = 0.0,
        sgd: Optimizer | None = None,
        losses: dict[str, float] | None = None,
    ) -> dict[str, float]:
        """Learn from a batch; examples without gold years leave everything as it is."""
        losses = {} if losses is None else losses
        losses.setdefault(self.name, 0.0)
        examples = list(examples)
        validate_examples(examples, "Yearmark.update")
        if not any(self.spans_key in eg.reference.spans for eg in examples):
            return losses
        network = self._trained()
        if segments := network.segments(eg.reference for eg in examples):
            scores, backpropagate = network.begin_update(segments, drop)
            loss, gradient = self.get_loss(examples, scores)
            backpropagate(gradient)
            losses[self.name] += loss
            if sgd:
                self.finish_update(sgd)
        return losses

    def get_loss(self, examples: Iterable[Example], scores: Scores) -> tuple[float, Gradient]:
        """The loss of the scores that the network gave for the examples, and its gradient."""
        return self._trained().loss(scores)

    def finish_update(self, sgd: Optimizer) -> None:
        """Take the step that the gradients since the last one ask for."""
        if self.model is not None:
            self.model.finish_update(sgd)
            self._tagger = None

    def _trained(self) -> FineTuner:
        """The network in training, loaded at the first call."""
        if self.model is None:
            try:
                from yearmark.training.finetune import FineTuner
            except ModuleNotFoundError as error:
                raise ModuleNotFoundError(
                    f"to train {self.name!r} needs the package {error.name!r}; "
                    "install it with: pip install 'yearmark[train]'",
                    name=error.name,
                ) from None
            with self._unpacked() as folder:
                self.model = FineTuner(folder, self.spans_key)
        return self.model

    # ---- evaluation

    def score(self, examples: Iterable[Example], **kwargs: Any) -> dict[str, Any]:
        """``years_p``, ``years_r`` and ``years_f`` by the scorer of the settings."""
        return {} if self.scorer is None else self.scorer(examples, spans_key=self.spans_key, **kwargs)


def years_score(examples: Iterable[Example], *, spans_key: str = "years", **settings: Any) -> dict[str, Any]:
    """Precision, recall and F1 of the spans, strict; gold documents without ``spans_key`` do not count."""
    scores: dict[str, Any] = Scorer.score_spans(
        examples,
        "years",
        getter=lambda doc, _: doc.spans.get(spans_key, []),
        has_annotation=lambda doc: spans_key in doc.spans,
        labeled=False,
    )
    return scores


@registry.scorers("yearmark.years_scorer.v1")  # type: ignore[untyped-decorator]
def make_years_scorer() -> ScorerFunction:
    """The scorer by its name in a configuration."""
    return years_score


# ---- what documents and spans say of their years


def _years(rows: Iterable[Sequence[Any]]) -> list[Year]:
    return [Year(*row) for row in rows]


def _rows_in(span: Span, store: str = _STORE) -> list[Sequence[Any]]:
    """What is stored of a layer that overlaps a span; it is in order and disjoint."""
    rows = span.doc.user_data.get(store, [])
    first = bisect_right(rows, span.start_char, key=lambda row: row[1])
    last = bisect_right(rows, span.end_char - 1, key=lambda row: row[0])
    return rows[first:last]  # type: ignore[no-any-return]


def _first(span: Span, field: int) -> Any:
    rows = _rows_in(span)
    return rows[0][field] if rows else None


def _doc_years(doc: Doc) -> list[Year]:
    return _years(doc.user_data.get(_STORE, []))


def _span_years(span: Span) -> list[Year]:
    return _years(_rows_in(span))


def _span_year(span: Span) -> int | None:
    value = _first(span, 3)
    return None if value is None else int(value)


def _span_value(span: Span) -> str | None:
    value: str | None = _first(span, 3)
    return value


def _span_score(span: Span) -> float | None:
    score: float | None = _first(span, 4)
    return score


def _span_timex_value(span: Span) -> str | None:
    rows = _rows_in(span, _TIMEXES)
    value: str | None = rows[0][3] if rows else None
    return value


def set_extensions() -> None:
    """Define ``doc._.years`` and the attributes of spans, as every component does.

    Documents that were annotated elsewhere (a DocBin with its user data) have them after this call.
    """
    _set_extension(Doc, "years", _doc_years)
    _set_extension(Span, "years", _span_years)
    _set_extension(Span, "year", _span_year)
    _set_extension(Span, "year_value", _span_value)
    _set_extension(Span, "year_score", _span_score)
    _set_extension(Span, "timex_value", _span_timex_value)


def _set_extension(owner: type[Doc] | type[Span], name: str, getter: Callable[[Any], Any]) -> None:
    if owner.has_extension(name) and owner.get_extension(name)[2] is not getter:
        raise ValueError(
            f"{owner.__name__.lower()}._.{name} is defined by other code already, and yearmark sets it; "
            f"give the other another name, or remove it: {owner.__name__}.remove_extension({name!r})"
        )
    owner.set_extension(name, getter=getter, force=True)


# ---- helpers


def _rebuild(kind: type[Yearmark], state: dict[str, Any]) -> Yearmark:
    component = kind.__new__(kind)
    component.__dict__.update(state)
    set_extensions()
    return component


def _require(condition: bool, setting: str, got: object, expected: str) -> None:
    if not condition:
        raise ValueError(f"the setting {setting!r} of yearmark must be {expected}; got {got!r}")


def _read(folder: Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in model_files(folder)}


def _write(files: dict[str, bytes], folder: Path) -> None:
    for name, content in files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(content)


def _tokens(spans: Iterable[Span]) -> set[int]:
    return {i for span in spans for i in range(span.start, span.end)}


def _around(ent: Span, taken: Collection[int]) -> Iterator[Span]:
    """What is left of an entity outside of the taken tokens, without signs at its new ends."""
    if not any(token.i in taken for token in ent):
        yield ent
        return
    for is_taken, run in groupby(ent, key=lambda token: token.i in taken):
        words = [] if is_taken else [token.i for token in run if not (token.is_punct or token.is_space)]
        if words:
            yield Span(ent.doc, words[0], words[-1] + 1, ent.label, kb_id=ent.kb_id, span_id=ent.id)
