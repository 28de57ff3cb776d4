"""Pieces of sources to records: what there is to tag, and what cannot be, with the reason."""

from __future__ import annotations

import base64
import datetime
import io
import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from yearmark.archive.sources import (
    BOM,
    DELIMITERS,
    ROWS,
    InputError,
    Piece,
    Stream,
    csv_rows,
    has_surrogates,
    open_source,
)

if TYPE_CHECKING:
    import pyarrow as pa
    from spacy.tokens import Doc

MOST_RAW = 1 << 20  # bytes of a rejected record that are kept; a longer one is read again from its file


@dataclass(frozen=True, slots=True)
class Spot:
    """Where a record stands: its line or row from 1 on, and bytes or rows ``[start, stop)`` of its source."""

    line: int
    start: int
    stop: int


@dataclass(frozen=True, slots=True)
class Record:
    """A document to tag: its text, and all fields of the output but the years."""

    spot: Spot
    text: str
    id: Any
    fields: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Reject:
    """A record that cannot be tagged. ``stop`` of the spot is -1 where it goes to the source's end."""

    spot: Spot
    kind: str
    reason: str

    def message(self, piece: Piece) -> str:
        return f"{piece.source.path}:{self.spot.line}: {self.reason}"

    def to_json(self, piece: Piece) -> bytes:
        """A line of the file of rejects."""
        spot, kind = self.spot, piece.source.kind
        line: dict[str, Any] = {
            "file": piece.source.path,
            "format": kind,
            "row" if kind in ROWS else "line": spot.line,
            "offset": spot.start,
            "length": None if spot.stop < 0 else spot.stop - spot.start,
            "kind": self.kind,
            "reason": self.reason,
        }
        if piece.header is not None:
            line["header"] = piece.header
        raw = _raw(piece, spot)
        if raw is not None and len(raw) <= MOST_RAW:
            try:
                line["raw"] = raw.decode("utf-8")
            except UnicodeDecodeError:
                line["raw_base64"] = base64.b64encode(raw).decode()
        return json.dumps(line, ensure_ascii=False).encode("utf-8", "backslashreplace") + b"\n"


@dataclass(frozen=True, slots=True)
class Content:
    """What was read of a piece: its records and rejects, in order.

    ``table`` (Arrow) or ``docs`` (spaCy) hold the records as they came, those of one row each.
    """

    piece: Piece
    records: Sequence[Record | Reject]
    table: pa.RecordBatch | None = None
    docs: Sequence[Doc] | None = None


@dataclass(frozen=True, slots=True)
class Fields:
    """How records are read: the fields of text and id, and how many characters a text may have."""

    text: str = "text"
    id: str = "id"
    most_chars: int = 10_000_000


def read(piece: Piece, fields: Fields) -> Content:
    """The records of a piece; nothing that the input holds raises an exception."""
    if piece.problem is not None:
        stop = -1 if piece.problem[0] == "file" and piece.after.source > piece.start.source else piece.stop
        spot = Spot(piece.start.line, piece.start.offset, stop)
        return Content(piece, [Reject(spot, *piece.problem)])
    match piece.source.kind:
        case "parquet" | "arrow":
            return _read_table(piece, fields)
        case "spacy":
            return _read_docs(piece, fields)
        case "txt":
            return Content(piece, [_read_txt(piece, fields)])
    data = _data(piece)
    if data is None:
        spot = Spot(piece.start.line, piece.start.offset, piece.stop)
        return Content(piece, [Reject(spot, "file", "the file is no longer what it was when the run began")])
    if piece.source.kind in DELIMITERS:
        return Content(piece, list(_read_csv(piece, data, fields)))
    read_line = _read_json if piece.source.kind == "jsonl" else _read_plain
    return Content(piece, list(_read_lines(piece, data, fields, read_line)))


class _BadError(Exception):
    """A record's kind of defect and the reason."""


def _data(piece: Piece) -> bytes | None:
    """The bytes of the piece; None where the file has become shorter."""
    if piece.data is not None:
        return piece.data
    try:
        with open_source(piece.source) as file:
            file.seek(piece.start.offset)
            data = file.read(piece.stop - piece.start.offset)
    except OSError:
        return None
    return data if len(data) == piece.stop - piece.start.offset else None


def _raw(piece: Piece, spot: Spot) -> bytes | None:
    if piece.source.kind in ROWS or spot.stop < 0 or spot.stop - spot.start > MOST_RAW:
        return None
    if piece.data is not None:
        return piece.data[spot.start - piece.start.offset : spot.stop - piece.start.offset]
    if piece.source.kind == "txt" and piece.source.packed:
        return None
    try:
        with open_source(piece.source) as file:
            file.seek(spot.start)
            return file.read(spot.stop - spot.start)
    except OSError:
        return None


def _decode(content: bytes, start: int = 0) -> str:
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise _BadError(
            "encoding",
            f"byte 0x{content[error.start]:02x} at offset {start + error.start} is not UTF-8; "
            "convert it, for example with: iconv -f LATIN1 -t UTF-8",
        ) from None


def _checked(text: Any, has: Sequence[str], fields: Fields) -> str:
    """The text of a record, as it can be tagged and written."""
    if not isinstance(text, str):
        got = f"holds {type(text).__name__}" if fields.text in has else "has no text"
        raise _BadError(
            "field",
            f"the field {fields.text!r} {got}; the record has {', '.join(map(repr, has)) or 'no field'}. "
            "Name the field of the text with --text-field",
        )
    if len(text) > fields.most_chars:
        raise _BadError(
            "length", f"a text of {len(text):,} characters; --max-chars allows {fields.most_chars:,}"
        )
    if has_surrogates(text):
        raise _BadError("encoding", "the text has a lone surrogate, half of a character")
    return text


def _record(spot: Spot, text: str, piece: Piece, values: dict[str, Any], fields: Fields) -> Record:
    if fields.id in values:
        return Record(spot, text, values[fields.id], values)
    place = f"{piece.source.path}:{spot.line}"
    return Record(spot, text, place, values if "id" in values else {"id": place, **values})


# ---- text


def _read_txt(piece: Piece, fields: Fields) -> Record | Reject:
    most = 4 * fields.most_chars
    spot = Spot(1, 0, -1)
    if piece.data is not None:
        data, broken = piece.data, None
    else:
        try:
            with Stream(piece.source) as stream:
                blocks = []
                size = 0
                while size <= most and (block := stream.read(most + 1 - size)):
                    blocks.append(block)
                    size += len(block)
                data, broken = b"".join(blocks), stream.broken
        except OSError as error:
            return Reject(spot, "file", f"it cannot be read: {error.strerror}")
    if broken:
        return Reject(spot, "file", broken)
    if len(data) > most:
        return Reject(spot, "length", "a text of more than four times --max-chars bytes")
    spot = Spot(1, 0, len(data))
    data = data.removeprefix(BOM)
    try:
        text = _checked(_decode(data), (), fields)
    except _BadError as bad:
        kind, reason = bad.args
        if kind == "encoding":
            spot = Spot(data.count(b"\n", 0, _first_bad(data)) + 1, 0, spot.stop)
        return Reject(spot, kind, reason)
    return _record(spot, text, piece, {fields.text: text}, fields)


def _first_bad(data: bytes) -> int:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as error:
        return error.start
    return 0


def _read_lines(piece: Piece, data: bytes, fields: Fields, read_line: Any) -> Iterator[Record | Reject]:
    start = piece.start.offset
    for line, raw in enumerate(io.BytesIO(data), piece.start.line):
        spot = Spot(line, start, start + len(raw))
        start += len(raw)
        raw = raw.rstrip(b"\r\n")
        if spot.start == 0:
            raw = raw.removeprefix(BOM)
        try:
            if (values := read_line(_decode(raw), fields)) is not None:
                text = _checked(values.get(fields.text), tuple(values), fields)
                yield _record(spot, text, piece, values, fields)
        except _BadError as bad:
            yield Reject(spot, *bad.args)


def _read_plain(line: str, fields: Fields) -> dict[str, Any]:
    return {fields.text: line}


def _float(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise ValueError(f"the number {text} is too large to be kept")
    return value


def _read_json(line: str, fields: Fields) -> dict[str, Any] | None:
    if not line.strip():
        return None
    try:
        values = json.loads(line, parse_float=_float)
    except (ValueError, RecursionError) as error:
        raise _BadError("json", f"not valid JSON: {error}") from None
    if not isinstance(values, dict):
        raise _BadError("json", f"expected a JSON object, got {type(values).__name__}; one object a line")
    return values


def _read_csv(piece: Piece, data: bytes, fields: Fields) -> Iterator[Record | Reject]:
    header = piece.header or ()
    first, begin = piece.start.line, piece.start.offset
    for line, start, stop, row in csv_rows(
        data, DELIMITERS[piece.source.kind], len(header) or None, final=True
    ):
        if not row:
            continue
        spot = Spot(first + line, begin + start, begin + stop)
        try:
            yield _record(spot, *_csv_text(row, header, data[start:stop], piece, fields), fields)
        except _BadError as bad:
            yield Reject(spot, *bad.args)


def _csv_text(
    row: list[str] | str, header: Sequence[str], raw: bytes, piece: Piece, fields: Fields
) -> tuple[str, Piece, dict[str, Any]]:
    if not header:
        raise _BadError(
            "csv", "the header, the file's first row, cannot be read or names a column twice; mend it first"
        )
    if isinstance(row, str):
        raise _BadError("csv", row)
    if len(row) != len(header):
        raise _BadError("csv", f"expected {len(header)} fields as in the header, got {len(row)}")
    _decode(raw)
    values = dict(zip(header, row, strict=True))
    return _checked(values.get(fields.text), header, fields), piece, values


# ---- tables


def _read_table(piece: Piece, fields: Fields) -> Content:
    import pyarrow as pa

    assert piece.data is not None
    (batch,) = pa.ipc.open_stream(piece.data)
    names = batch.schema.names
    first = piece.start
    spots = [Spot(first.line + k, first.offset + k, first.offset + k + 1) for k in range(batch.num_rows)]
    if len(set(names)) < len(names):
        reason = "two columns have one name"
        return Content(piece, [Reject(spot, "field", reason) for spot in spots], batch)
    columns = {name: _values(batch.column(k)) for k, name in enumerate(names)}
    records: list[Record | Reject] = []
    for k, spot in enumerate(spots):
        values = {name: column[k] for name, column in columns.items()}
        try:
            text = _checked(values.get(fields.text), names, fields)
            records.append(_record(spot, text, piece, values, fields))
        except _BadError as bad:
            records.append(Reject(spot, *bad.args))
    return Content(piece, records, batch)


def _values(column: pa.Array) -> list[Any]:
    """A column as Python's values; as text those that Python's types would cut."""
    import pyarrow as pa

    if pa.types.is_temporal(column.type) and getattr(column.type, "unit", "") == "ns":
        column = (
            column.cast(pa.string()) if not pa.types.is_duration(column.type) else column.cast(pa.int64())
        )
    return [plain(value) for value in column.to_pylist()]


def plain(value: Any) -> Any:
    """A value of a table as JSON has it: dates in ISO 8601, bytes in base64, what is no number null."""
    match value:
        case None | str() | bool() | int():
            return value
        case float():
            return value if math.isfinite(value) else None
        case dict():
            return {str(key): plain(item) for key, item in value.items()}
        case list() | tuple():
            return [plain(item) for item in value]
        case datetime.date() | datetime.time():
            return value.isoformat()
        case datetime.timedelta():
            return value.total_seconds()
        case bytes():
            return base64.b64encode(value).decode()
        case Decimal():
            return str(value)
        case _:
            return str(value)


def _read_docs(piece: Piece, fields: Fields) -> Content:
    from spacy.tokens import DocBin
    from spacy.vocab import Vocab

    first, stop = piece.start.offset, piece.stop
    try:
        with Stream(piece.source) as stream:
            blocks = []
            while block := stream.read(1 << 20):
                blocks.append(block)
            if stream.broken:
                raise InputError(stream.broken)
        docs = list(DocBin().from_bytes(b"".join(blocks)).get_docs(Vocab()))[first:stop]
        texts = [doc.text for doc in docs]
    # what msgpack, NumPy and spaCy say of damaged content is of every kind
    except Exception as error:
        spot = Spot(piece.start.line, first, -1)
        return Content(piece, [Reject(spot, "file", f"it cannot be read as a spaCy DocBin: {error}")])
    records: list[Record | Reject] = []
    for k, text in enumerate(texts):
        spot = Spot(piece.start.line + k, first + k, first + k + 1)
        try:
            values = {fields.text: _checked(text, (fields.text,), fields)}
            records.append(_record(spot, text, piece, values, fields))
        except _BadError as bad:
            records.append(Reject(spot, *bad.args))
    return Content(piece, records, docs=docs)
