"""What there is to read: files, folders and standard input, cut into pieces of work.

Where the cuts fall depends on nothing but the input, so that a run that goes on makes the same ones.
"""

from __future__ import annotations

import base64
import csv
import fnmatch
import io
import json
import lzma
import os
import sys
import tempfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from itertools import accumulate
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.fs

KINDS = {
    ".txt": "txt",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".csv": "csv",
    ".tsv": "tsv",
    ".parquet": "parquet",
    ".arrow": "arrow",
    ".feather": "arrow",
    ".spacy": "spacy",
}
PACKED = {".gz": b"\x1f\x8b", ".zst": b"\x28\xb5\x2f\xfd", ".xz": b"\xfd7zXZ\0", ".bz2": b"BZh"}
DELIMITERS = {"csv": ",", "tsv": "\t"}
ROWS = ("parquet", "arrow", "spacy")  # kinds whose places count rows, not bytes
PIECE = 1 << 20  # bytes: tagged in a fraction of a second, which is what a stop may lose
MOST_PIECES = 256  # of small files in one unit
RUN_SUFFIX, DONE_SUFFIX = ".yearmark-run", ".yearmark.json"  # what a run leaves beside its output
# What damaged data raises: some of pyarrow's are ValueErrors, and a damaged size asks for too much memory.
_DAMAGE = (OSError, EOFError, ValueError, MemoryError, zlib.error, lzma.LZMAError)
BOM = b"\xef\xbb\xbf"


class InputError(ValueError):
    """An input that cannot be read; the message names the file, the line and the fix."""


class Source(NamedTuple):
    """One file, or standard input (``-``); ``modified`` in nanoseconds."""

    path: str  # or an address that pyarrow's file systems reach, such as s3://bucket/notes.jsonl
    kind: str
    packed: str = ""  # a suffix of PACKED; where there is none the content may still say so
    size: int = 0
    modified: int = 0
    root: str = ""  # where a relative path begins, for workers that run elsewhere


class Place(NamedTuple):
    """A place in the whole input: the source's number, and in it a byte (or row) and the line (or row).

    Lines and rows are counted from 1. ``check`` is the CRC-32 of standard input up to here.
    """

    source: int = 0
    offset: int = 0
    line: int = 1
    check: int = 0


@dataclass(frozen=True, slots=True)
class Piece:
    """A range of one source, from ``start`` to the byte or row ``stop``; ``after`` is where to go on.

    ``data`` is its content, None where the reader opens the source itself. A ``problem`` is the kind
    and the reason why nothing in it can be read.
    """

    source: Source
    start: Place
    stop: int
    after: Place
    weight: int  # bytes as they lie on the disk
    data: bytes | None = None
    header: tuple[str, ...] | None = None
    problem: tuple[str, str] | None = None


# ---- finding


def find(paths: Iterable[str], pattern: str | None, leave_out: frozenset[str]) -> Iterator[Source]:
    """The sources of all paths, in order; of a folder all files of a known kind, sorted by name.

    ``pattern`` selects among the files of folders. ``leave_out`` holds the real paths of the run's own
    files. A folder that Hugging Face's ``save_to_disk`` wrote gives its Arrow files, in their order.
    """
    for name in paths:
        if name == "-":
            yield Source("-", "lines")
            continue
        if is_remote(name):
            yield from _find_remote(name, pattern)
            continue
        path = Path(name)
        if not path.exists():
            raise InputError(f"{name}: there is no such file or folder")
        if not path.is_dir():
            yield _source(path)
            continue
        found = False
        for file in _walk(path):
            selected = _is_selected(file.relative_to(path).as_posix(), pattern)
            if selected and _kind(file)[0] and os.path.realpath(file) not in leave_out:
                found = True
                yield _source(file)
        if not found:
            raise _nothing(str(path), pattern)


def _is_selected(relative: str, pattern: str | None) -> bool:
    parts = (relative, relative.rpartition("/")[2])
    return pattern is None or any(fnmatch.fnmatchcase(part, pattern) for part in parts)


def _nothing(folder: str, pattern: str | None) -> InputError:
    which = f"no file that matches {pattern} and" if pattern else "no file that"
    return InputError(f"{folder}: the folder holds {which} ends in {_known()}")


def is_remote(name: str) -> bool:
    """Whether a name is an address, of which pyarrow knows the file system."""
    return "://" in name


def file_system(name: str) -> tuple[pyarrow.fs.FileSystem, str]:
    """The file system of a path or an address, and the path in it."""
    from pyarrow.fs import FileSystem

    found: tuple[pyarrow.fs.FileSystem, str] = FileSystem.from_uri(
        name if is_remote(name) else Path(name).absolute().as_uri()
    )
    return found


def _find_remote(name: str, pattern: str | None) -> Iterator[Source]:
    """The same of an address: a file, or a folder with all that is in it."""
    from pyarrow.fs import FileSelector, FileType

    system, path = file_system(name)
    about = system.get_file_info(path)
    if about.type == FileType.NotFound:
        raise InputError(f"{name}: there is no such file or folder")
    folder = about.type == FileType.Directory
    found = False
    infos = system.get_file_info(FileSelector(path, recursive=True)) if folder else [about]
    for info in sorted(infos, key=lambda info: info.path):
        kind, packed = _kind(Path(info.path))
        relative = info.path[len(path) :].lstrip("/")
        if info.type != FileType.File or not kind or (folder and not _is_selected(relative, pattern)):
            continue
        found = True
        address = f"{name.rstrip('/')}/{relative}" if folder else name
        yield Source(address, kind, packed, info.size, info.mtime_ns or 0)
    if not found:
        raise (
            _nothing(name, pattern)
            if folder
            else InputError(f"{name}: expected a file that ends in {_known()}")
        )


def open_source(source: Source) -> IO[bytes]:
    """The bytes of a source as they lie on the disk, buffered."""
    if is_remote(source.path):
        system, path = file_system(source.path)
        return io.BufferedReader(system.open_input_file(path))
    return (Path(source.root) / source.path).open("rb")


def _walk(folder: Path) -> Iterator[Path]:
    splits = folder / "dataset_dict.json"
    if splits.is_file():
        for split in _listed(splits, "splits"):
            yield from _walk(folder / split)
        return
    state = folder / "state.json"
    if state.is_file() and (folder / "dataset_info.json").is_file():
        yield from (folder / file["filename"] for file in _listed(state, "_data_files"))
        return
    for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
        if entry.is_dir(follow_symlinks=False):
            if not entry.name.endswith(RUN_SUFFIX):
                yield from _walk(Path(entry.path))
        elif entry.is_file():
            yield Path(entry.path)


def _listed(path: Path, key: str) -> list[Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))[key]
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path}: not what Hugging Face's save_to_disk writes: {error!r}") from None
    if not isinstance(found, list):
        raise InputError(f"{path}: not what Hugging Face's save_to_disk writes: {key} is no list")
    return found


def _kind(path: Path) -> tuple[str, str]:
    """Kind and packing by the suffixes; no kind where they say none."""
    packed = path.suffix if path.suffix in PACKED else ""
    suffix = Path(path.stem).suffix if packed else path.suffix
    return KINDS.get(suffix, ""), packed


def _source(path: Path) -> Source:
    kind, packed = _kind(path)
    if not kind:
        raise InputError(
            f"{path}: expected a file that ends in {_known()}; "
            f"for plain text lines use: yearmark tag < {path}"
        )
    status = path.stat()
    return Source(str(path), kind, packed, status.st_size, status.st_mtime_ns)


def _known() -> str:
    first, *rest = KINDS
    return f"{first} or {', '.join(rest)}, also with {', '.join(PACKED)} behind"


# ---- reading bytes


class Stream:
    """The bytes of a source, decompressed where they are packed.

    ``broken`` says why it ended before its end; what comes before that is good.
    """

    def __init__(self, source: Source, stdin: IO[bytes] | None = None) -> None:
        self._own = source.path != "-"
        self.raw: Any = open_source(source) if self._own else stdin
        self.packed = source.packed or self._packing()
        self.broken: str | None = None
        try:
            self._file = self._unpacked()
        except ModuleNotFoundError:
            self.__exit__()
            raise

    def _packing(self) -> str:
        begin = bytes(self.raw.peek(16)[:16])
        for suffix, magic in PACKED.items():
            if begin.startswith(magic) and (suffix != ".bz2" or begin[4:10] == b"1AY&SY"):
                return suffix
        return ""

    def _unpacked(self) -> Any:
        match self.packed:
            case ".gz":
                import gzip

                return gzip.GzipFile(fileobj=self.raw)
            case ".bz2":
                import bz2

                return bz2.BZ2File(self.raw)
            case ".xz":
                return lzma.LZMAFile(self.raw)
            case ".zst":
                import pyarrow

                return pyarrow.CompressedInputStream(pyarrow.PythonFile(self.raw, "r"), "zstd")
            case _:
                return self.raw

    def read(self, size: int) -> bytes:
        """Up to ``size`` bytes; none at the end, or where it is broken."""
        read = getattr(self._file, "read1", self._file.read) if self.packed else self._file.read
        try:
            return bytes(read(size)) if self.broken is None else b""
        except _DAMAGE as error:
            what = f"the {self.packed} data is cut off or damaged" if self.packed else "it cannot be read"
            self.broken = f"{what}: {str(error) or type(error).__name__}"
            return b""

    def seek(self, offset: int) -> None:
        """Go forward to a byte of a file that is not packed."""
        self.raw.seek(offset)

    def position(self) -> int:
        """How far the file on the disk has been read."""
        return int(self.raw.tell()) if self.raw.seekable() else 0

    def __enter__(self) -> Stream:
        return self

    def __exit__(self, *_: object) -> None:
        if self._own:
            self.raw.close()


class _Window:
    """What has been read of a stream and not been cut off yet; reads no further than byte ``stop``."""

    def __init__(self, stream: Stream, stop: int | None) -> None:
        self.stream = stream
        self.data = bytearray()
        self.ended = False
        self._left = stop

    def fill(self, size: int) -> None:
        while len(self.data) < size and not self.ended:
            wanted = size - len(self.data)
            block = self.stream.read(wanted if self._left is None else min(wanted, self._left))
            self.ended = not block
            self.data += block
            if self._left is not None:
                self._left -= len(block)

    def take(self, size: int) -> bytes:
        taken = bytes(self.data[:size])
        del self.data[:size]
        return taken

    def skip(self, size: int) -> int:
        """Drop the next bytes; gives their CRC-32."""
        check = 0
        while size and (self.data or not self.ended):
            self.fill(min(size, PIECE))
            block = self.take(min(size, PIECE))
            size -= len(block)
            check = zlib.crc32(block, check)
        return check


# ---- cutting


def pieces(sources: Iterable[Source], most_chars: int, at: Place, stdin: IO[bytes] | None) -> Iterator[Piece]:
    """All sources from ``at`` on, cut into pieces; records over four bytes a character are left uncut."""
    for number, source in enumerate(sources):
        if number >= at.source:
            yield from _cut(source, at if number == at.source else Place(number), None, most_chars, stdin)


def units(pieces: Iterable[Piece]) -> Iterator[list[Piece]]:
    """Pieces in groups that are worth a worker's while."""
    unit: list[Piece] = []
    size = 0
    for piece in pieces:
        unit.append(piece)
        size += piece.weight if piece.data is None else len(piece.data)
        if size >= PIECE // 2 or len(unit) == MOST_PIECES:
            yield unit
            unit, size = [], 0
    if unit:
        yield unit


def _cut(
    source: Source, start: Place, stop: int | None, most_chars: int, stdin: IO[bytes] | None
) -> Iterator[Piece]:
    following = Place(start.source + 1)
    if source.kind in ROWS[:2]:
        yield from _cut_rows(source, start, stop)
    elif source.kind == "txt":
        yield Piece(source, start, source.size, following, source.size)
    elif source.kind == "spacy":
        yield Piece(source, start, sys.maxsize if stop is None else stop, following, source.size)
    else:
        try:
            stream = Stream(source, stdin)
        except OSError as error:
            problem = ("file", f"it cannot be read: {error.strerror}")
            yield Piece(source, start, source.size, following, source.size, problem=problem)
            return
        with stream:
            yield from _cut_text(source, stream, start, stop, max(PIECE, 4 * most_chars))


def _cut_text(source: Source, stream: Stream, start: Place, stop: int | None, most: int) -> Iterator[Piece]:
    """Cut at lines' ends, or where rows of CSV end; a line of over ``most`` bytes is a problem."""
    window = _Window(stream, stop)
    delimiter = DELIMITERS.get(source.kind)
    header = None
    place = start
    cut: Callable[[bytearray, bool], int] = _last_line
    if delimiter is not None:
        header, size = _header(window, delimiter)
        cut = partial(_last_row, delimiter=delimiter, width=len(header) or None)
        if not place.offset:
            place = place._replace(offset=size, line=place.line + window.data.count(b"\n", 0, size))
    if stream.packed or source.path == "-":
        check = window.skip(place.offset)
        if source.path == "-" and check != place.check and start.offset:
            raise InputError(
                "standard input is not what it was when the run was stopped; give the same again, "
                "or begin anew with --force"
            )
    elif place.offset:
        stream.seek(place.offset)
        window = _Window(stream, None if stop is None else stop - place.offset)
    position = start.offset and (stream.position() if stream.packed else place.offset)

    def piece(size: int, data: bytes | None, problem: tuple[str, str] | None = None, lines: int = 1) -> Piece:
        nonlocal place, position
        end = place.offset + size
        check = zlib.crc32(data, place.check) if source.path == "-" and data else place.check
        after = Place(place.source, end, place.line + lines, check)
        now = stream.position() if stream.packed else end
        made = Piece(source, place, end, after, now - position, data, header, problem)
        place, position = after, now
        return made

    keep = bool(stream.packed) or source.path == "-"  # a range of it cannot be read again
    while True:
        size = PIECE
        window.fill(size)
        while not (end := cut(window.data, window.ended and not stream.broken)):
            if window.ended or size >= most:
                break
            size = min(2 * size, most)
            window.fill(size)
        if not end and not window.ended and delimiter is not None:
            # quotes that do not close: the row's first line is the one at fault
            complete = window.data[: window.data.rfind(b"\n") + 1]
            end = cut(complete, True)
        if end:
            data = window.take(end)
            yield piece(end, data if keep else None, lines=data.count(b"\n"))
        elif window.ended:
            break
        else:
            length, check = _skip_line(window, place.check)
            reason = f"a line of {length:,} bytes, over four times --max-chars"
            yield piece(length, None, ("length", reason))
            place = place._replace(check=check)
    if stream.broken:
        data = bytes(window.data)
        yield replace(piece(len(data), data, ("file", stream.broken)), after=Place(place.source + 1))


def _last_line(data: bytearray, final: bool) -> int:
    return len(data) if final else data.rfind(b"\n") + 1


def _skip_line(window: _Window, check: int) -> tuple[int, int]:
    """Drop a line of any length; gives its length and the CRC-32 with it."""
    length = 0
    while window.data:
        end = window.data.find(b"\n") + 1
        block = window.take(end or len(window.data))
        length += len(block)
        check = zlib.crc32(block, check)
        if end:
            break
        window.fill(PIECE)
    return length, check


def _header(window: _Window, delimiter: str) -> tuple[tuple[str, ...], int]:
    """The names of the columns, none where they cannot be read, and how many bytes they take."""
    window.fill(PIECE)
    data = bytes(window.data)
    begin = len(BOM) if data.startswith(BOM) else 0
    for _, _, end, row in csv_rows(data[begin:], delimiter, None, window.ended):
        if not row:
            continue
        bad = isinstance(row, str) or len(set(row)) < len(row) or any(map(has_surrogates, row))
        return () if bad else tuple(row), begin + end
    return (), 0


def _last_row(data: bytearray, final: bool, delimiter: str, width: int | None) -> int:
    """Where the last whole row of the data ends."""
    end = 0
    for _, _, stop, _ in csv_rows(bytes(data), delimiter, width, final):
        end = stop
    return end


def csv_rows(
    data: bytes, delimiter: str, width: int | None, final: bool
) -> Iterator[tuple[int, int, int, list[str] | str]]:
    """Rows as (line, start, end, fields); for a broken one what is wrong in place of the fields.

    Lines count from 0. A row of several lines that does not hold together (its quotes do not close, it
    has not ``width`` fields) is broken in its first line only, and reading goes on with the next: one
    stray quote costs one line. Unless the data is ``final``, it ends before a row that may go on.
    Bytes that are not UTF-8 are surrogates in the fields.
    """
    lines = list(io.BytesIO(data))
    ends = list(accumulate(map(len, lines), initial=0))
    first = taken = 0

    def feed() -> Iterator[str]:
        nonlocal taken
        while taken < len(lines):
            taken += 1
            yield lines[taken - 1].decode("utf-8", "surrogateescape")

    csv.field_size_limit(max(csv.field_size_limit(), len(data) + 1))
    while first < len(lines):
        taken = first
        try:
            for row in csv.reader(feed(), delimiter=delimiter, strict=True):
                if not final and taken == len(lines) and not data.endswith(b"\n"):
                    return
                if taken - first > 1 and width is not None and len(row) != width:
                    break
                yield first, ends[first], ends[taken], row
                first = taken
            else:
                return
            reason = f"a quoted field over several lines does not leave a row of {width} fields"
        except csv.Error as error:
            if not final and taken == len(lines):
                return
            reason = "a quote is not closed" if "unexpected end" in str(error) else str(error)
        yield first, ends[first], ends[first + 1], reason
        first += 1


def has_surrogates(text: str) -> bool:
    """Whether some of it is no character, so that it cannot be written."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return True
    return False


# ---- tables


def _cut_rows(source: Source, start: Place, stop: int | None) -> Iterator[Piece]:
    """Batches of Parquet and Arrow as pieces, each a stream of Arrow's own."""
    import pyarrow as pa

    place = start
    weight = 0

    def piece(rows: int, data: bytes | None, problem: tuple[str, str] | None = None) -> Piece:
        nonlocal place, weight
        after = Place(place.source, place.offset + rows, place.line + rows)
        made = Piece(source, place, after.offset, after, weight, data, None, problem)
        place, weight = after, 0
        return made

    batches = _parquet if source.kind == "parquet" else _arrow
    try:
        with _seekable(source) as file:
            for first, rows, found, read in batches(file, source.size):
                weight += read
                if first + rows <= place.offset:
                    continue
                if stop is not None and first >= stop:
                    break
                if isinstance(found, str):
                    yield piece(first + rows - place.offset, None, ("file", found))
                    continue
                last = rows if stop is None else min(rows, stop - first)
                batch = found.slice(place.offset - first, first + last - place.offset)
                step = max(1, batch.num_rows * PIECE // max(PIECE, batch.nbytes))
                for begin in range(0, batch.num_rows, step):
                    for good, reason in _validated(batch.slice(begin, step)):
                        data = None if reason else _ipc(good)
                        yield piece(good.num_rows, data, ("file", reason) if reason else None)
    except (*_DAMAGE, pa.ArrowException) as error:
        reason = f"it cannot be read as {source.kind.capitalize()}: {error}"
        yield replace(piece(0, None, ("file", reason)), after=Place(start.source + 1), weight=weight)


@contextmanager
def _seekable(source: Source) -> Iterator[IO[bytes]]:
    """The file, unpacked where it is packed: these formats are read from their end."""
    with Stream(source) as stream:
        if not stream.packed:
            yield stream.raw
            return
        with tempfile.TemporaryFile() as file:
            while block := stream.read(PIECE):
                file.write(block)
            if stream.broken:
                raise ValueError(stream.broken)
            file.seek(0)
            yield file


def _parquet(file: IO[bytes], size: int) -> Iterator[tuple[int, int, pa.RecordBatch | str, int]]:
    """Batches as (first row, rows, batch, bytes read), or why the rest of a row group cannot be read."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pq.ParquetFile(file, pre_buffer=False, buffer_size=PIECE)
    row = 0
    for group in range(table.num_row_groups):
        about = table.metadata.row_group(group)
        end = row + about.num_rows
        share = size // max(1, table.metadata.num_rows)
        rows = max(1, min(10_000, PIECE * about.num_rows // max(1, about.total_byte_size)))
        try:
            for batch in table.iter_batches(rows, row_groups=[group]):
                yield row, batch.num_rows, batch, share * batch.num_rows
                row += batch.num_rows
        except (*_DAMAGE, pa.ArrowException) as error:
            yield row, end - row, f"the row group cannot be read on: {error}", share * (end - row)
        row = end


def _arrow(file: IO[bytes], size: int) -> Iterator[tuple[int, int, pa.RecordBatch | str, int]]:
    """The same of an Arrow file, in the file format or the stream's."""
    import pyarrow as pa

    try:
        table = pa.ipc.open_file(file)
        batches = (table.get_batch(k) for k in range(table.num_record_batches))
    except pa.ArrowInvalid:  # not the file format
        file.seek(0)
        batches = iter(pa.ipc.open_stream(file))
    row = position = 0
    for batch in batches:
        now = min(file.tell(), size)
        yield row, batch.num_rows, batch, max(0, now - position)
        row, position = row + batch.num_rows, now


def _validated(batch: pa.RecordBatch) -> Iterator[tuple[pa.RecordBatch, str | None]]:
    """The batch, or parts of it, each with what is wrong with it; of damaged ones single rows."""
    import pyarrow as pa

    try:
        batch.validate(full=True)
    except pa.ArrowInvalid as error:
        if batch.num_rows <= 1:
            yield batch, f"the row is damaged: {error}"
            return
        half = batch.num_rows // 2
        yield from _validated(batch.slice(0, half))
        yield from _validated(batch.slice(half))
    else:
        yield batch, None


def _ipc(batch: pa.RecordBatch) -> bytes:
    import pyarrow as pa

    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    return bytes(sink.getvalue())


# ---- once more


def retried(path: str, most_chars: int, at: Place) -> Iterator[Piece]:
    """The records that a file of rejects lists, from its line ``at.source`` on (counted from 0).

    What it holds raw is taken from there, so that it may have been mended; the rest is read again from
    the file it came from.
    """
    with Path(path).open("rb") as file:
        for number, line in enumerate(file):
            if number < at.source or not line.strip():
                continue
            try:
                found = _reject(json.loads(line), number)
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                raise InputError(
                    f"{path}:{number + 1}: not a line of the file that --rejects writes: {error!r}"
                ) from None
            begin = at if number == at.source and at.offset else found.start
            if found.data is None and found.problem is None:
                stop = None if found.stop < 0 else found.stop
                yield from _cut(found.source, begin, stop, most_chars, None)
            else:
                yield replace(found, weight=len(line))


def _reject(reject: dict[str, Any], number: int) -> Piece:
    """A line of rejects as a piece; without data it is to be read again, to its end where stop is -1."""
    name, length = reject["file"], reject["length"]
    start = Place(number, reject["offset"], reject["row" if "row" in reject else "line"])
    stop = -1 if length is None else start.offset + length
    data = problem = None
    source = Source(name, reject["format"])
    if reject["kind"] != "file" and "raw" in reject:
        data = reject["raw"].encode()
    elif reject["kind"] != "file" and "raw_base64" in reject:
        data = base64.b64decode(reject["raw_base64"])
    elif name == "-":
        problem = (reject["kind"], f"{reject['reason']}; standard input cannot be read again")
    else:
        try:
            source = _source(Path(name))
        except (OSError, InputError) as error:
            problem = (reject["kind"], str(error))
    if data is not None:
        stop = start.offset + len(data)
    header = tuple(reject["header"]) if "header" in reject else None
    return Piece(source, start, stop, Place(number + 1), 0, data, header, problem)
