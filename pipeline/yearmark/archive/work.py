"""Units of work to results: in this process, or by workers of which any may die."""

from __future__ import annotations

import contextlib
import datetime
import multiprocessing
import signal
import sys
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain
from multiprocessing.connection import Connection, wait
from typing import Any

from yearmark.archive.formats import FORMATS, Tagged
from yearmark.archive.reading import Content, Fields, Record, Reject, Spot, read
from yearmark.archive.sources import Piece, Place
from yearmark.lean import hide_unused_packages

Found = dict[str, list[Any]]  # spans by layer
Unit = list[Piece]
SAID = 5  # rejects of a unit that are told as they come
MOST_WAITING = 64 << 20  # bytes of results that wait for an earlier one
BIRTHS = 3  # workers in a row that may die before they can work


@dataclass(frozen=True, slots=True)
class Settings:
    """What a worker needs to know."""

    fields: Fields
    form: str
    model: str | None = None
    min_score: float = 0.5
    reference_year: int | None = None
    threads: int = 1
    layers: tuple[str, ...] = ("years",)
    reference_date: str | None = None  # a date of ISO 8601, or the field that holds one
    stops: bool = True  # at the first record that cannot be tagged
    colour: bool = False


@dataclass(slots=True)
class Result:
    """What became of a unit. ``error`` is the record at which a run that stops has to stop."""

    number: int
    after: Place
    weight: int
    output: bytes = b""
    rejects: bytes = b""
    documents: int = 0
    years: int = 0
    words: int = 0
    kinds: Counter[str] = field(default_factory=Counter)
    said: list[str] = field(default_factory=list)
    error: str | None = None
    replaced: str = ""  # a field of the input that has the name of a layer


class Tagging:
    """The model, loaded once, and how a unit is tagged with it."""

    def __init__(self, settings: Settings) -> None:
        from yearmark.tagger import load

        self.settings = settings
        self.form = FORMATS[settings.form]
        self.tagger = load(
            settings.model,
            min_score=settings.min_score,
            reference_year=settings.reference_year,
            threads=settings.threads,
        )

    def __call__(
        self,
        number: int,
        unit: Unit,
        guilty: dict[int, str] | None = None,
        at: Callable[[int, str], None] = lambda index, place: None,
    ) -> Result:
        """Tag a unit; where that fails, or records are known to be ``guilty``, one by one.

        ``guilty`` gives the reason why a record, by its index in the unit, is not to be tried again;
        ``at`` is told of each record before it is tried.
        """
        contents = [_read(piece, self.settings.fields) for piece in unit]
        if guilty is None:
            try:
                return self._result(number, unit, contents)
            except ModuleNotFoundError:
                raise
            except Exception:
                guilty = {}
        return self._result(number, unit, *self._tried(contents, guilty, at))

    def _found(self, records: Sequence[Record]) -> Iterator[Found]:
        settings = self.settings
        dates = None
        if settings.reference_date is not None:
            dates = (_date(settings.reference_date, record) for record in records)
        texts = (record.text for record in records)
        return self.tagger.pipe_layers(texts, settings.layers, reference_dates=dates)

    def _tried(
        self, contents: list[Content], guilty: dict[int, str], at: Callable[[int, str], None]
    ) -> tuple[list[Content], list[Found]]:
        """The same with those records rejected that fail alone, and what is found in the others."""
        index = -1
        tried = []
        answers = []
        for content in contents:
            kept: list[Record | Reject] = []
            for row, record in enumerate(content.records):
                index += 1
                if isinstance(record, Record) and index in guilty:
                    kept.append(Reject(record.spot, "crash", guilty[index]))
                elif isinstance(record, Record):
                    at(index, f"{content.piece.source.path}:{record.spot.line}")
                    try:
                        (found,) = self._found([record])
                        self.form.write(Tagged(content, [row], [record], [found]))
                        kept.append(record)
                        answers.append(found)
                    except Exception as error:
                        reason = f"it cannot be tagged: {type(error).__name__}: {error}"
                        kept.append(Reject(record.spot, "crash", reason))
                else:
                    kept.append(record)
            tried.append(Content(content.piece, kept, content.table, content.docs))
        return tried, answers

    def _result(
        self, number: int, unit: Unit, contents: list[Content], known: list[Found] | None = None
    ) -> Result:
        result = Result(number, unit[-1].after, sum(piece.weight for piece in unit))
        if self.settings.stops:
            contents = _up_to_reject(contents, result)
        good = [
            [(row, record) for row, record in enumerate(content.records) if isinstance(record, Record)]
            for content in contents
        ]
        answers = iter(known or self._found([record for pairs in good for _, record in pairs]))
        output = []
        for content, pairs in zip(contents, good, strict=True):
            rows, records = [row for row, _ in pairs], [record for _, record in pairs]
            found = [next(answers) for _ in records]
            output.append(self.form.write(Tagged(content, rows, records, found, self.settings.colour)))
            result.documents += len(records)
            result.years += sum(len(layers.get("years", ())) for layers in found)
            result.words += sum(r.text.count(" ") + r.text.count("\n") + 1 for r in records)
            for layer in self.settings.layers:
                if any(layer in record.fields for record in records):
                    result.replaced = result.replaced or layer
        result.output = b"".join(output)
        _note(result, contents)
        return result


def _date(name: str, record: Record) -> datetime.date | None:
    """The reference date of a record: the same for all, or its field of that name; None if it has none."""
    try:
        return datetime.date.fromisoformat(name[:10])
    except ValueError:
        pass
    value = record.fields.get(name)
    if isinstance(value, datetime.date):
        return value
    try:
        return datetime.date.fromisoformat(str(value)[:10])
    except ValueError:
        return None


def _note(result: Result, contents: Iterable[Content]) -> None:
    rejects = [
        (reject, content.piece)
        for content in contents
        for reject in content.records
        if isinstance(reject, Reject)
    ]
    result.rejects = b"".join(reject.to_json(piece) for reject, piece in rejects)
    result.kinds = Counter(reject.kind for reject, _ in rejects)
    result.said = [reject.message(piece) for reject, piece in rejects[:SAID]]


def _read(piece: Piece, fields: Fields) -> Content:
    try:
        return read(piece, fields)
    except ModuleNotFoundError:
        raise
    # a defect of ours or of a library that reads: it costs the piece, not the run
    except Exception as error:
        return Content(piece, [_whole(piece, f"it cannot be read: {type(error).__name__}: {error}")])


def _whole(piece: Piece, reason: str) -> Reject:
    return Reject(Spot(piece.start.line, piece.start.offset, piece.stop), "crash", reason)


def _up_to_reject(contents: list[Content], result: Result) -> list[Content]:
    """What stands before the first reject, which is the result's error."""
    before: list[Content] = []
    for content in contents:
        for row, record in enumerate(content.records):
            if isinstance(record, Reject):
                result.error = record.message(content.piece)
                return [*before, Content(content.piece, content.records[:row], content.table, content.docs)]
        before.append(content)
    return before


# ---- in this process


def tag_here(units: Iterable[tuple[int, Unit]], settings: Settings) -> Iterator[Result]:
    """The results of numbered units, in order."""
    tagging = Tagging(settings)
    for number, unit in units:
        yield tagging(number, unit)


# ---- by workers


def _work(connection: Connection, settings: Settings) -> None:
    """A worker's life: load the model, answer each unit, end when the other side is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    hide_unused_packages()
    with contextlib.suppress(EOFError, BrokenPipeError, ConnectionResetError):
        try:
            tagging = Tagging(settings)
        except (ValueError, OSError, ModuleNotFoundError) as error:
            connection.send(("failed", error))
            return
        connection.send(("ready", None))
        while True:
            number, unit, guilty = connection.recv()
            try:
                result = tagging(number, unit, guilty, lambda *at: connection.send(("at", at)))
            except ModuleNotFoundError as error:
                connection.send(("failed", error))
                return
            connection.send(("done", result))


@contextlib.contextmanager
def _no_interrupts() -> Iterator[None]:
    """Ctrl-C is for this process alone; what is blocked at its birth a child never hears."""
    if sys.platform == "win32":
        yield
        return
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)


@dataclass(slots=True)
class _Task:
    number: int
    unit: Unit
    guilty: dict[int, str] | None = None  # None: not tried yet
    at: tuple[int, str] | None = None


@dataclass(slots=True)
class _Worker:
    process: Any
    connection: Connection
    task: _Task | None = None
    is_ready: bool = False


class Pool:
    """Worker processes, replaced when they die.

    They are spawned: a forked copy of ONNX Runtime's threads would hang. Which unit a worker that dies
    had is known; its records are tried again, one by one, in a fresh worker, and the one at which that
    dies too is rejected.
    """

    def __init__(self, count: int, settings: Settings, say: Callable[[str], None]) -> None:
        self._settings = settings
        self._say = say
        self._context = multiprocessing.get_context("spawn")
        self._stillborn = 0
        self._workers: list[_Worker] = []
        self._count = count

    def __enter__(self) -> Pool:
        self._workers = [self._start() for _ in range(self._count)]
        return self

    def __exit__(self, *_: object) -> None:
        for worker in self._workers:
            worker.connection.close()
            worker.process.kill()
        for worker in self._workers:
            worker.process.join()

    def _start(self) -> _Worker:
        ours, theirs = self._context.Pipe()
        process = self._context.Process(target=_work, args=(theirs, self._settings), daemon=True)
        with _no_interrupts():
            process.start()
        theirs.close()
        return _Worker(process, ours)

    def run(self, units: Iterator[tuple[int, Unit]], ordered: bool = True) -> Iterator[Result]:
        """The results of numbered units, in order, or as they come."""
        queue: deque[_Task] = deque()
        again: deque[_Task] = deque()
        waiting: dict[int, Result] = {}  # done before an earlier one
        due: deque[int] = deque()  # numbers of all units that are not given out yet, in order
        has_more = True
        while True:
            for worker in self._workers:
                if worker.task is None and worker.is_ready and (again or queue):
                    self._give(worker, again.popleft() if again else queue.popleft(), again)
            held = sum(len(result.output) for result in waiting.values())
            may_pull = len(queue) < self._count and len(due) < 4 * self._count and held < MOST_WAITING
            if has_more and may_pull:
                pair = next(units, None)
                has_more = pair is not None
                if pair is not None:
                    queue.append(_Task(*pair))
                    due.append(pair[0])
            if not due and not has_more:
                return
            patience = 0 if has_more and may_pull else None
            by_connection = {worker.connection: worker for worker in self._workers}
            for connection in wait(list(by_connection), patience):
                result = self._hear(by_connection[connection], again)  # type: ignore[index]
                if result is not None and not ordered:
                    due.remove(result.number)
                    yield result
                elif result is not None:
                    waiting[result.number] = result
            while due and due[0] in waiting:
                yield waiting.pop(due.popleft())

    def _give(self, worker: _Worker, task: _Task, again: deque[_Task]) -> None:
        worker.task = task
        task.at = None
        try:
            worker.connection.send((task.number, task.unit, task.guilty))
        except (BrokenPipeError, ConnectionResetError):
            # it died while idle: nothing of the unit is at fault
            worker.task = None
            again.appendleft(task)
            self._bury(worker)

    def _hear(self, worker: _Worker, again: deque[_Task]) -> Result | None:
        """What a worker has to say; a death is an answer too."""
        try:
            kind, value = worker.connection.recv()
        except (EOFError, ConnectionResetError):
            return self._died(worker, again)
        match kind:
            case "ready":
                worker.is_ready, self._stillborn = True, 0
            case "failed":
                raise value
            case "at":
                assert worker.task is not None
                worker.task.at = value
            case "done":
                worker.task = None
                assert isinstance(value, Result)
                return value
        return None

    def _died(self, worker: _Worker, again: deque[_Task]) -> Result | None:
        task, how = worker.task, self._bury(worker)
        if not worker.is_ready:
            self._stillborn += 1
            if self._stillborn > BIRTHS:
                raise OSError(
                    f"workers end before they can work ({how}); if memory is short, give fewer: --workers 1"
                )
        if task is None:
            return None
        first, last = task.unit[0], task.unit[-1]
        if task.guilty is None:
            self._say(
                f"a worker died ({how}) between {first.source.path}:{first.start.line} and "
                f"{last.source.path}:{max(last.start.line, last.after.line - 1)}; "
                "it is tried again, record by record"
            )
            task.guilty = {}
        elif task.at is not None:
            index, place = task.at
            self._say(f"a worker died again ({how}) at {place}; the record is rejected")
            task.guilty[index] = f"the worker that tagged it died twice ({how})"
        else:
            self._say(f"a worker died again ({how}) reading {first.source.path}:{first.start.line}; rejected")
            result = Result(task.number, last.after, sum(piece.weight for piece in task.unit))
            reason = f"the worker that read it died twice ({how})"
            contents = [Content(piece, [_whole(piece, reason)]) for piece in task.unit]
            _note(result, contents)
            if self._settings.stops:
                result.error = result.said[0]
            return result
        again.append(task)
        return None

    def _bury(self, worker: _Worker) -> str:
        """Put a fresh worker in the place of one that died; gives what it died of."""
        worker.connection.close()
        worker.process.join()
        code = worker.process.exitcode
        self._workers[self._workers.index(worker)] = self._start()
        with contextlib.suppress(ValueError):
            return signal.Signals(-code).name if code < 0 else f"exit code {code}"
        return f"signal {-code}"


def is_small(units: Iterator[tuple[int, Unit]], most: int) -> tuple[bool, Iterator[tuple[int, Unit]]]:
    """Whether the units hold no more than ``most`` bytes, and the units."""
    taken = []
    size = 0
    for pair in units:
        taken.append(pair)
        size += sum(piece.weight if piece.data is None else len(piece.data) for piece in pair[1])
        if size > most:
            return False, chain(taken, units)
    return True, iter(taken)
