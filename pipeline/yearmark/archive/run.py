"""A run from its inputs to its output: what it says, what it remembers, and how it ends."""

from __future__ import annotations

import contextlib
import datetime
import hashlib
import importlib.util
import json
import os
import shutil
import sys
import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, Any

from yearmark import __version__
from yearmark.archive.formats import BY_SUFFIX, FORMATS, assemble
from yearmark.archive.reading import Fields
from yearmark.archive.sources import (
    DONE_SUFFIX,
    PIECE,
    RUN_SUFFIX,
    InputError,
    Place,
    Source,
    Stream,
    find,
    is_remote,
    pieces,
    retried,
    units,
)
from yearmark.archive.work import Pool, Result, Settings, Unit, is_small, tag_here
from yearmark.files import layer_folders, model_files, model_folder

SMALL = 2 << 20  # bytes of input for which no workers are started
COMMIT_EVERY = 0.5  # seconds: what a stop may lose beside the units in work
SAY_EVERY = 10.0  # seconds, where there is no terminal
VERSION = 1  # of the journal


@dataclass(frozen=True, slots=True)
class Job:
    """What is asked for; the command's options under their names."""

    paths: tuple[str, ...] = ()
    output: str | None = None  # a path; with Ray also an address
    form: str | None = None
    glob: str | None = None
    text_field: str = "text"
    id_field: str = "id"
    model: Path | None = None
    min_score: float = 0.5
    reference_year: int | None = None
    reference_date: str | None = None
    layers: str = "years"
    threads: int = 1
    workers: int | None = None
    errors: str | None = None
    rejects: Path | None = None
    retry: Path | None = None
    max_chars: int = 10_000_000
    summary: Path | None = None
    shard_size: int | None = None
    unordered: bool = False
    force: bool = False
    engine: str = "local"
    ray_address: str | None = None


@dataclass(slots=True)
class Totals:
    """What a run has done, the parts before a stop with it."""

    documents: int = 0
    years: int = 0
    words: int = 0
    kinds: dict[str, int] = field(default_factory=dict)  # of rejects
    weight: int = 0
    seconds: float = 0.0

    @property
    def rejected(self) -> int:
        return sum(self.kinds.values())

    @property
    def exit_code(self) -> int:
        return 1 if self.rejected else 0

    def add(self, result: Result) -> None:
        self.documents += result.documents
        self.years += result.years
        self.words += result.words
        for kind, count in result.kinds.items():
            self.kinds[kind] = self.kinds.get(kind, 0) + count
        self.weight += result.weight

    def line(self) -> str:
        """The end of a run in one line."""
        kinds = ", ".join(f"{count:,} {kind}" for kind, count in sorted(self.kinds.items()))
        rejected = f"{self.rejected:,} rejected ({kinds})" if kinds else "none rejected"
        speed = f"{self.words / max(self.seconds, 1e-9):,.0f} words/s"
        return (
            f"{self.documents:,} documents, {self.years:,} years, {rejected}; {_time(self.seconds)}, {speed}"
        )


def tag(job: Job, stdin: IO[bytes], stdout: IO[bytes]) -> int:
    """Run a job; gives the exit code, 0 where all is tagged and 1 where some records were rejected.

    Raises ValueError, OSError or ModuleNotFoundError, with a message for the user, where it cannot run
    or has to stop.
    """
    form = _form(job)
    if job.rejects and job.errors == "stop":
        raise ValueError("--rejects takes what cannot be tagged, --errors stop stops there: give one of them")
    if job.retry and job.paths:
        raise ValueError(f"--retry reads again what {job.retry} lists; give no PATH with it")
    if job.engine == "ray":
        return _on_cluster(job, form)
    if job.ray_address is not None:
        raise ValueError("--ray-address needs --engine ray")
    if remote := next((name for name in (*job.paths, str(job.output or "")) if is_remote(name)), None):
        raise ValueError(f"{remote}: addresses are read and written with --engine ray alone")
    if job.output is None:
        return _stream(job, form, stdin, stdout)
    return _journaled(job, form, Path(job.output), stdin)


def _form(job: Job) -> str:
    """The name of the output's format: asked for, or by the suffix."""
    suffix = Path(job.output).suffix.lower() if job.output else ""
    if job.form is None and suffix in (".tml", ".ann", ".gz", ".zst", ".xz", ".bz2"):
        raise ValueError(
            f"--output {job.output}: a file that ends in {suffix} is not written. "
            + (
                f"A document a file needs a folder: --format {'timeml' if suffix == '.tml' else 'brat'} "
                "--output FOLDER"
                if suffix in (".tml", ".ann")
                else "Write it uncompressed, or to standard output and through a compressor"
            )
        )
    name = job.form or BY_SUFFIX.get(suffix, "jsonl")
    if job.output is None and (FORMATS[name].gather or job.shard_size):
        what = "--shard-size" if job.shard_size else f"--format {name}"
        raise ValueError(f"{what} cannot go to standard output; give --output")
    if name == "parquet" and importlib.util.find_spec("pyarrow") is None:
        raise ModuleNotFoundError(name="pyarrow")
    return name


def _layers(job: Job, form: str) -> tuple[str, ...]:
    """The layers asked for. Raises ValueError where the format cannot hold them."""
    layers = tuple(dict.fromkeys(name.strip() for name in job.layers.split(",") if name.strip()))
    if not layers:
        raise ValueError("--layers names no layer; give for example years,timexes")
    known = layer_folders(model_folder(job.model))
    if unknown := [layer for layer in layers if layer not in known]:
        raise ValueError(f"--layers: the model has no layer {unknown[0]!r}, only {', '.join(known)}")
    able = [
        name
        for name, one in FORMATS.items()
        if (one.layers is None or one.layers.issuperset(layers)) and not (one.has_one_layer and layers[1:])
    ]
    if form not in able:
        raise ValueError(f"--format {form} cannot hold --layers {job.layers}; choose {', '.join(able)}")
    return layers


def _reference_date(job: Job) -> str | None:
    """A date, or the name of a field that holds one. Raises ValueError at a date that there is not."""
    given = job.reference_date
    if given is not None and given[:1].isdigit():
        try:
            datetime.date.fromisoformat(given[:10])
        except ValueError as error:
            raise ValueError(
                f"--reference-date {given}: {error}; give a date such as 2009-03-14, or the field of it"
            ) from None
    return given


def _settings(job: Job, form: str, reference_year: int | None, colour: bool = False) -> Settings:
    return Settings(
        Fields(job.text_field, job.id_field, job.max_chars),
        form,
        None if job.model is None else str(job.model),
        job.min_score,
        reference_year,
        job.threads,
        _layers(job, form),
        _reference_date(job),
        stops=job.errors != "skip" and job.rejects is None,
        colour=colour,
    )


def _results(
    job: Job, settings: Settings, units: Iterator[tuple[int, Unit]], say: Callable[[str], None]
) -> Generator[Result, None, None]:
    """The results of the units: of little input from here, else from workers."""
    small, units = is_small(units, SMALL)
    if small:
        yield from tag_here(units, settings)
        return
    with Pool(job.workers or _cores(), settings, say) as pool:
        yield from pool.run(units, ordered=not job.unordered or job.output is not None)


def _cores() -> int:
    """How many this process may use."""
    if sys.platform == "linux":
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class _Input:
    """The sources of a job, walked anew each time: there may be more than memory holds."""

    def __init__(self, job: Job, own: frozenset[str]) -> None:
        self._job = job
        self._own = own
        self.has_stdin = not job.retry and "-" in (job.paths or ("-",))

    def sources(self) -> Iterator[Source]:
        if self._job.retry is not None:
            status = self._job.retry.stat()
            yield Source(str(self._job.retry), "rejects", "", status.st_size, status.st_mtime_ns)
        else:
            yield from find(self._job.paths or ("-",), self._job.glob, self._own)

    def identity(self) -> dict[str, Any]:
        """How many files and bytes, and a digest of all paths, sizes and times of modification."""
        digest = hashlib.sha256()
        count = size = 0
        for source in self.sources():
            digest.update(json.dumps([source.path, source.size, source.modified]).encode())
            count += 1
            size += source.size
        return {"files": count, "bytes": size, "digest": digest.hexdigest()}

    def units(self, at: Place, first: int, stdin: IO[bytes]) -> Iterator[tuple[int, Unit]]:
        most = self._job.max_chars
        if self._job.retry is not None:
            cut = retried(str(self._job.retry), most, at)
        else:
            cut = pieces(self.sources(), most, at, stdin)
        return enumerate(units(cut), first)


# ---- on a cluster


def _on_cluster(job: Job, name: str) -> int:
    """Into a folder of parts, by Ray, which does again what is lost; with nothing remembered."""
    if importlib.util.find_spec("ray") is None:
        raise ModuleNotFoundError(name="ray")
    from yearmark.archive import cluster

    if job.output is None or name not in cluster.FORMS or job.retry or "-" in (job.paths or ("-",)):
        raise ValueError(
            f"--engine ray reads files and folders, and writes {' or '.join(cluster.FORMS)} into the folder "
            "that --output names; it takes neither standard input nor --retry"
        )
    _refuse_existing(job.rejects, job.force)
    here = str(Path.cwd())
    sources = [source._replace(root=here) for source in _Input(job, _own_files(job)).sources()]
    cluster.prepare(job.output, job.force)
    cluster.start(job.ray_address)
    settings = _settings(job, name, job.reference_year or datetime.date.today().year)
    totals = Totals()
    began = time.monotonic()
    with contextlib.ExitStack() as stack:
        progress = stack.enter_context(_Progress(totals, sum(source.size for source in sources)))
        rejects = stack.enter_context(_partial(job.rejects)) if job.rejects else None
        for result in cluster.tag(sources, settings, job.output, job.shard_size, job.workers):
            if result.error is not None:
                raise InputError(f"{result.error}\n{_WAYS_ON}")
            if rejects is not None:
                rejects.write(result.rejects)
            totals.add(result)
            totals.seconds = time.monotonic() - began
            progress.tell(result, job.rejects is None)
    cluster.finish(job.output)
    _say(f"{totals.line()}\n{job.output}" + _where(job.rejects, totals))
    if job.summary is not None:
        _write_json(job.summary, _summary(job, totals))
    return totals.exit_code


# ---- to standard output


def _stream(job: Job, name: str, stdin: IO[bytes], stdout: IO[bytes]) -> int:
    """Results as they come, with nothing remembered."""
    form = FORMATS[name]
    _refuse_existing(job.rejects, job.force)
    given = _Input(job, _own_files(job))
    identity = given.identity()
    settings = _settings(job, name, job.reference_year, colour=name == "text" and stdout.isatty())
    totals = Totals()
    began = time.monotonic()
    with contextlib.ExitStack() as stack:
        progress = stack.enter_context(_Progress(totals, 0 if given.has_stdin else identity["bytes"]))
        rejects = stack.enter_context(_partial(job.rejects)) if job.rejects else None
        stdout.write(form.head)
        todo = given.units(Place(), 0, stdin)
        results = stack.enter_context(contextlib.closing(_results(job, settings, todo, progress.say)))
        for result in results:
            stdout.write(result.output)
            stdout.flush()
            if rejects is not None:
                rejects.write(result.rejects)
            totals.add(result)
            totals.seconds = time.monotonic() - began
            progress.tell(result, job.rejects is None)
            if result.error is not None:
                raise InputError(f"{result.error}\n{_WAYS_ON}")
        stdout.write(form.tail)
        stdout.flush()
    totals.seconds = time.monotonic() - began
    if totals.rejected or totals.seconds > SAY_EVERY:
        _say(totals.line() + _where(job.rejects, totals))
    if job.summary is not None:
        _write_json(job.summary, _summary(job, totals))
    return totals.exit_code


_WAYS_ON = "To go on without such records give --errors skip, or --rejects FILE.jsonl to keep them."


@contextlib.contextmanager
def _partial(path: Path) -> Iterator[IO[bytes]]:
    """A file that appears only when it is whole."""
    partial = path.with_name(path.name + ".partial")
    try:
        with partial.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
        _sync_folder(path.parent)
    finally:
        partial.unlink(missing_ok=True)


# ---- to a file, with a journal


def _journaled(job: Job, name: str, output: Path, stdin: IO[bytes]) -> int:
    output = output if output.name else output.resolve()
    given = _Input(job, _own_files(job))
    key = _key(job, name, given)
    done = output.with_name(output.name + DONE_SUFFIX)
    work = output.with_name(output.name + RUN_SUFFIX)
    if not job.force and (code := _is_done(job, done, key, stdin)) is not None:
        shutil.rmtree(work, ignore_errors=True)
        return code
    if not output.parent.is_dir():
        raise FileNotFoundError(f"--output {output}: there is no folder {output.parent}")
    if not work.exists():
        _refuse_existing(output, job.force)
        _refuse_existing(job.rejects, job.force)
    form = FORMATS[name]
    try:
        with _Journal(work, key, form.head, job.force) as journal:
            if not journal.is_final:
                _refuse_existing(output, job.force)
                _refuse_existing(job.rejects, job.force)
                if output.is_dir() and not done.is_file():
                    raise FileExistsError(
                        f"{output} is a folder that no run of yearmark wrote; remove it yourself"
                    )
                _fill(job, name, given, journal, stdin)
                journal.commit()
                assemble(form, journal.staged, journal.ends, job.shard_size, journal.final)
                journal.finish()
            _publish(job, output, journal)
            totals = journal.totals
            _write_json(done, {"key": key, "after": journal.after, "summary": _summary(job, totals)})
    except OSError as error:
        if error.errno is None:  # said by us
            raise
        where = error.filename or work
        raise OSError(
            f"{where}: {error.strerror}. What is tagged is kept in {work}: once this is mended, the same "
            "command goes on from there"
        ) from None
    shutil.rmtree(work)
    _say(f"{totals.line()}\n{output}" + _where(job.rejects, totals))
    if job.summary is not None:
        _write_json(job.summary, _summary(job, totals))
    return totals.exit_code


def _fill(job: Job, name: str, given: _Input, journal: _Journal, stdin: IO[bytes]) -> None:
    """Tag what the journal does not have yet."""
    size = 0 if given.has_stdin else journal.key["input"]["bytes"]
    settings = _settings(job, name, journal.reference_year)
    before, began = journal.totals.seconds, time.monotonic()
    if journal.resumed:
        _say(f"going on behind {journal.totals.documents:,} documents that are tagged")
    with contextlib.ExitStack() as stack:
        progress = stack.enter_context(_Progress(journal.totals, size))
        todo = given.units(journal.after, len(journal.ends) - 1, stdin)
        results = stack.enter_context(contextlib.closing(_results(job, settings, todo, progress.say)))
        for result in results:
            if result.error is not None:
                kept = (
                    "What is tagged is kept: the same command goes on from there. "
                    if journal.ends[1:]
                    else ""
                )
                raise InputError(f"{result.error}\n{kept}{_WAYS_ON}")
            journal.totals.seconds = before + time.monotonic() - began
            journal.append(result)
            progress.tell(result, job.rejects is None)


def _publish(job: Job, output: Path, journal: _Journal) -> None:
    """Put what is finished in its places. Any part of it may have been done before a stop."""
    if job.rejects is not None and journal.rejects.exists():
        with _partial(job.rejects) as file, journal.rejects.open("rb") as kept:
            shutil.copyfileobj(kept, file)
    if journal.final.exists():
        if output.is_dir():
            output.replace(journal.work / "replaced")
        journal.final.replace(output)
    _sync_folder(output.parent)


class _Journal:
    """What a run remembers, in a folder beside its output.

    ``journal.jsonl`` has the run's key, then a line for each unit whose output and rejects are on the
    disk: where they end, where the input goes on, and the totals. What is torn or lies behind the last
    line is dropped when the run goes on.
    """

    def __init__(self, work: Path, key: dict[str, Any], head: bytes, force: bool) -> None:
        self.work = work
        self.key = key
        self.staged, self.rejects, self.final = work / "output", work / "rejects", work / "final"
        self.totals = Totals()
        self.ends = [len(head)]
        self.after = Place()
        self.is_final = False
        self.resumed = False
        self.reference_year = key["settings"]["reference_year"] or datetime.date.today().year
        self._head = head
        self._force = force
        self._rejects_end = 0
        self._lines: list[bytes] = []
        self._committed = time.monotonic()

    def __enter__(self) -> _Journal:
        self.work.mkdir(exist_ok=True)
        self._file = (self.work / "journal.jsonl").open("a+b", buffering=0)
        try:
            _lock(self._file, self.work)
            self._begin()
        except BaseException:
            self._file.close()
            raise
        return self

    def _begin(self) -> None:
        """Take up what is there, or begin anew."""
        self._file.seek(0)
        lines = self._file.read().splitlines(keepends=True)
        if not lines or not self._takes_up(lines):
            for path in self.work.iterdir():
                if path.name != "journal.jsonl":
                    shutil.rmtree(path) if path.is_dir() else path.unlink()
            self._file.truncate(0)
            head = {"version": VERSION, "key": self.key, "reference_year": self.reference_year}
            _write_all(self._file, json.dumps(head).encode() + b"\n")
            os.fsync(self._file.fileno())
        if not self.is_final:
            if self.final.is_file() and not self.staged.exists():
                self.final.replace(self.staged)  # a stop between the last rename and the line on it
            self._output = _at(self.staged, self.ends[-1], self._head)
            self._rejected = _at(self.rejects, self._rejects_end, b"")
            _sync_folder(self.work)

    def __exit__(self, *_: object) -> None:
        if not self.is_final:
            with contextlib.suppress(OSError, ValueError):  # the disk is full, or all is closed already
                self.commit()
            self._output.close()
            self._rejected.close()
            if len(self.ends) == 1:  # nothing to go on from
                shutil.rmtree(self.work, ignore_errors=True)
        self._file.close()

    def _takes_up(self, lines: list[bytes]) -> bool:
        """Read what an earlier run left; False where this one begins anew."""
        try:
            head = json.loads(lines[0])
            known = head["key"] if head["version"] == VERSION else None
        except (ValueError, KeyError):
            return False  # it was stopped while it wrote its first line
        if known != self.key:
            if self._force:
                return False
            raise ValueError(
                f"{self.work} holds a run that was stopped, and this is not the same run: "
                f"{_difference(known, self.key)}. Give the same command to go on with it, or --force to "
                "begin anew without what it has"
            )
        self.reference_year = head["reference_year"]
        size = len(lines[0])
        for raw in lines[1:]:
            try:
                line = json.loads(raw)
            except ValueError:
                break
            if not raw.endswith(b"\n"):
                break
            size += len(raw)
            self.is_final = "final" in line
            if not self.is_final:
                self.ends.append(line["output"])
                self._rejects_end = line["rejects"]
                self.after = Place(*line["after"])
                self.totals = Totals(**line["totals"])
        self._file.truncate(size)
        self.resumed = len(self.ends) > 1
        return True

    def append(self, result: Result) -> None:
        """Take a unit's result; it is on the disk after the next commit."""
        _write_all(self._output, result.output)
        _write_all(self._rejected, result.rejects)
        self.ends.append(self.ends[-1] + len(result.output))
        self._rejects_end += len(result.rejects)
        self.after = result.after
        self.totals.add(result)
        line = {
            "output": self.ends[-1],
            "rejects": self._rejects_end,
            "after": self.after,
            "totals": asdict(self.totals),
        }
        self._lines.append(json.dumps(line).encode() + b"\n")
        if time.monotonic() - self._committed > COMMIT_EVERY:
            self.commit()

    def commit(self) -> None:
        """Bring all that was appended to the disk, and then the lines that say so."""
        os.fsync(self._output.fileno())
        os.fsync(self._rejected.fileno())
        _write_all(self._file, b"".join(self._lines))
        os.fsync(self._file.fileno())
        self._lines = []
        self._committed = time.monotonic()

    def finish(self) -> None:
        """The output is whole and has only to be put in its place."""
        self._output.close()
        self._rejected.close()
        if self.final.is_file():
            with self.final.open("rb") as file:
                os.fsync(file.fileno())
        else:
            os.sync()
        _sync_folder(self.work)
        _write_all(self._file, b'{"final": true}\n')
        os.fsync(self._file.fileno())
        self.is_final = True


def _at(path: Path, size: int, head: bytes) -> IO[bytes]:
    """A file to go on writing at ``size``; what lies behind is dropped."""
    file = path.open("r+b" if path.exists() else "w+b", buffering=0)
    present = file.seek(0, os.SEEK_END)
    if size > len(head) and present < size:
        raise OSError(f"{path} is shorter than its journal says; remove {path.parent} to begin anew")
    file.truncate(size if present >= size else 0)
    file.seek(0, os.SEEK_END)
    if file.tell() < len(head):
        _write_all(file, head)
    return file


def _key(job: Job, form: str, given: _Input) -> dict[str, Any]:
    """What makes two runs the same."""
    model = hashlib.sha256()
    folder = model_folder(job.model)
    for name in model_files(folder):
        model.update((folder / name).read_bytes())
    settings = {
        "paths": list(job.paths),
        "glob": job.glob,
        "retry": None if job.retry is None else str(job.retry),
        "format": form,
        "text_field": job.text_field,
        "id_field": job.id_field,
        "min_score": job.min_score,
        "reference_year": job.reference_year,
        "layers": job.layers,
        "reference_date": job.reference_date,
        "max_chars": job.max_chars,
    }
    return {
        "yearmark": __version__,
        "model": model.hexdigest(),
        "settings": settings,
        "input": given.identity(),
    }


def _difference(one: dict[str, Any] | None, other: dict[str, Any]) -> str:
    if one is None or one.keys() != other.keys():
        return "it is of another version of yearmark"
    parts = [
        f"--{name.replace('_', '-')} was {value!r} and is {other['settings'].get(name)!r}"
        for name, value in one["settings"].items()
        if value != other["settings"].get(name)
    ]
    if one["yearmark"] != other["yearmark"]:
        parts.append(f"yearmark was {one['yearmark']} and is {other['yearmark']}")
    if one["model"] != other["model"]:
        parts.append("the model has changed")
    if one["input"] != other["input"]:
        was, now = one["input"], other["input"]
        parts.append(
            f"the input has changed ({was['files']:,} files of {was['bytes']:,} bytes then, "
            f"{now['files']:,} of {now['bytes']:,} now; or one was modified)"
        )
    return "; ".join(parts)


def _is_done(job: Job, done: Path, key: dict[str, Any], stdin: IO[bytes]) -> int | None:
    """The exit code of the run that has written the output, if it was this one."""
    assert job.output is not None
    if not Path(job.output).exists() or not done.is_file():
        return None
    try:
        about = json.loads(done.read_text(encoding="utf-8"))
        summary = about["summary"]
        same = about["key"] == key
        if same and "-" in (job.paths or ("-",)) and job.retry is None:
            same = _is_same_stdin(about["after"], stdin)
    except (ValueError, KeyError, TypeError):
        return None
    if not same:
        return None
    _say(f"{job.output} is done already: {summary['documents']:,} documents; --force tags them again")
    if job.summary is not None:
        _write_json(job.summary, summary)
    return int(summary["exit_code"])


def _is_same_stdin(after: list[int], stdin: IO[bytes]) -> bool:
    import zlib

    place = Place(*after)
    size = check = 0
    stream = Stream(Source("-", "lines"), stdin)
    while block := stream.read(PIECE):
        size += len(block)
        check = zlib.crc32(block, check)
    return (size, check) == (place.offset, place.check)


def _own_files(job: Job) -> frozenset[str]:
    own = [path for path in (job.output, job.rejects, job.summary) if path is not None]
    return frozenset(os.path.realpath(path) for path in own)


def _refuse_existing(path: Path | None, force: bool) -> None:
    if path is not None and path.exists() and not force:
        raise FileExistsError(f"{path} exists already; give --force to overwrite it, or another name")


# ---- what is said


def _say(line: str) -> None:
    with contextlib.suppress(OSError):  # nobody listens any more; the run goes on
        print(line, file=sys.stderr, flush=True)


def _where(rejects: Path | None, totals: Totals) -> str:
    if rejects is not None:
        return (
            f"\nrejected: {rejects}; once mended: yearmark tag --retry {rejects}" if totals.rejected else ""
        )
    return "\nto keep rejected records: --rejects FILE.jsonl" if totals.rejected else ""


def _time(seconds: float) -> str:
    whole = round(seconds)
    return f"{seconds:.1f} s" if whole < 60 else f"{whole // 3600}:{whole % 3600 // 60:02}:{whole % 60:02}"


def _summary(job: Job, totals: Totals) -> dict[str, Any]:
    return {
        "documents": totals.documents,
        "years": totals.years,
        "words": totals.words,
        "rejected": totals.rejected,
        "rejected_by_kind": dict(sorted(totals.kinds.items())),
        "seconds": round(totals.seconds, 3),
        "words_per_s": round(totals.words / max(totals.seconds, 1e-9)),
        "output": None if job.output is None else str(job.output),
        "rejects": None if job.rejects is None else str(job.rejects),
        "exit_code": totals.exit_code,
    }


class _Progress:
    """A bar on a terminal, now and then a line elsewhere, on standard error."""

    def __init__(self, totals: Totals, size: int) -> None:
        self._totals = totals
        self._size = size
        self._start = totals.weight, totals.words
        self._began = self._said = time.monotonic()
        self._bar: Any = None
        self._told = 0
        self._told_replaced = False

    def __enter__(self) -> _Progress:
        if sys.stderr.isatty():
            from tqdm import tqdm

            shape = "{percentage:3.0f}% |{bar}| {desc} [{elapsed}<{remaining}]"
            self._bar = tqdm(
                total=self._size or None,
                initial=self._start[0],
                bar_format=shape if self._size else "{desc} [{elapsed}]",
                delay=0.5,
                leave=False,
                dynamic_ncols=True,
            )
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            with contextlib.suppress(OSError):
                self._bar.close()

    def say(self, line: str) -> None:
        """A line of its own, above the bar."""
        if self._bar is not None:
            with contextlib.suppress(OSError):
                self._bar.clear()
        _say(line)

    def tell(self, result: Result, names_rejects: bool) -> None:
        """What a unit has brought."""
        if result.replaced and not self._told_replaced:
            self._told_replaced = True
            self.say(f"the input's field {result.replaced!r} is replaced by the {result.replaced} found")
        if names_rejects:
            for message in result.said[: max(0, 5 - self._told)]:
                self._told += 1
                self.say(f"skipped: {message}")
        totals, now = self._totals, time.monotonic()
        seconds = max(now - self._began, 1e-9)
        speed = (totals.words - self._start[1]) / seconds
        line = f"{totals.documents:,} documents, {speed:,.0f} words/s"
        if self._bar is not None:
            with contextlib.suppress(OSError):  # the terminal is gone
                self._bar.set_description_str(line, refresh=False)
                self._bar.update(result.weight)
        elif now - self._said > SAY_EVERY:
            self._said = now
            done = totals.weight - self._start[0]
            if self._size and done:
                share = min(1.0, totals.weight / self._size)
                line += f", {share:.0%}, {_time(seconds * (self._size - totals.weight) / done)} left"
            self.say(line)


# ---- files


def _write_all(file: IO[bytes], data: bytes) -> None:
    """An unbuffered file takes what it can."""
    view = memoryview(data)
    while view:
        view = view[file.write(view) :]


def _write_json(path: Path, value: Any) -> None:
    with _partial(path) as file:
        file.write(
            json.dumps(value, indent=2, ensure_ascii=False).encode("utf-8", "backslashreplace") + b"\n"
        )


def _sync_folder(folder: Path) -> None:
    """So that a rename in it outlives a power cut."""
    if os.name == "posix":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _lock(file: IO[bytes], work: Path) -> None:
    """For this process alone, until it ends, in whatever way."""
    try:
        import fcntl
    except ModuleNotFoundError:  # Windows, where the file that is open cannot be removed
        return
    try:
        fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise ValueError(f"another run is at work in {work}; wait until it is done") from None
    if not os.fstat(file.fileno()).st_nlink:
        raise ValueError(f"another run has just ended in {work}; give the command again")
