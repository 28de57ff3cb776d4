"""A run from its inputs to its output: what is asked for, how it goes on, and how it ends."""

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
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from yearmark import __version__
from yearmark.archive.durable import sync_folder, whole_file, write_json
from yearmark.archive.formats import BY_SUFFIX, FORMATS, assemble
from yearmark.archive.journal import Journal
from yearmark.archive.progress import SAY_EVERY, Progress, Totals, say
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
        progress = stack.enter_context(Progress(totals, sum(source.size for source in sources)))
        rejects = stack.enter_context(whole_file(job.rejects)) if job.rejects else None
        for result in cluster.tag(sources, settings, job.output, job.shard_size, job.workers):
            if result.error is not None:
                raise InputError(f"{result.error}\n{_WAYS_ON}")
            if rejects is not None:
                rejects.write(result.rejects)
            totals.add(result)
            totals.seconds = time.monotonic() - began
            progress.tell(result, job.rejects is None)
    cluster.finish(job.output)
    say(f"{totals.line()}\n{job.output}" + _where(job.rejects, totals))
    if job.summary is not None:
        write_json(job.summary, _summary(job, totals))
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
        progress = stack.enter_context(Progress(totals, 0 if given.has_stdin else identity["bytes"]))
        rejects = stack.enter_context(whole_file(job.rejects)) if job.rejects else None
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
        say(totals.line() + _where(job.rejects, totals))
    if job.summary is not None:
        write_json(job.summary, _summary(job, totals))
    return totals.exit_code


_WAYS_ON = "To go on without such records give --errors skip, or --rejects FILE.jsonl to keep them."


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
        with Journal(work, key, form.head, job.force) as journal:
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
            write_json(done, {"key": key, "after": journal.after, "summary": _summary(job, totals)})
    except OSError as error:
        if error.errno is None:  # said by us
            raise
        where = error.filename or work
        raise OSError(
            f"{where}: {error.strerror}. What is tagged is kept in {work}: once this is mended, the same "
            "command goes on from there"
        ) from None
    shutil.rmtree(work)
    say(f"{totals.line()}\n{output}" + _where(job.rejects, totals))
    if job.summary is not None:
        write_json(job.summary, _summary(job, totals))
    return totals.exit_code


def _fill(job: Job, name: str, given: _Input, journal: Journal, stdin: IO[bytes]) -> None:
    """Tag what the journal does not have yet."""
    size = 0 if given.has_stdin else journal.key["input"]["bytes"]
    settings = _settings(job, name, journal.reference_year)
    before, began = journal.totals.seconds, time.monotonic()
    if journal.resumed:
        say(f"going on behind {journal.totals.documents:,} documents that are tagged")
    with contextlib.ExitStack() as stack:
        progress = stack.enter_context(Progress(journal.totals, size))
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


def _publish(job: Job, output: Path, journal: Journal) -> None:
    """Put what is finished in its places. Any part of it may have been done before a stop."""
    if job.rejects is not None and journal.rejects.exists():
        with whole_file(job.rejects) as file, journal.rejects.open("rb") as kept:
            shutil.copyfileobj(kept, file)
    if journal.final.exists():
        if output.is_dir():
            output.replace(journal.work / "replaced")
        journal.final.replace(output)
    sync_folder(output.parent)


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
    say(f"{job.output} is done already: {summary['documents']:,} documents; --force tags them again")
    if job.summary is not None:
        write_json(job.summary, summary)
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


def _where(rejects: Path | None, totals: Totals) -> str:
    if rejects is not None:
        return (
            f"\nrejected: {rejects}; once mended: yearmark tag --retry {rejects}" if totals.rejected else ""
        )
    return "\nto keep rejected records: --rejects FILE.jsonl" if totals.rejected else ""


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
