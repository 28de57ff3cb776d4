"""Tagged records to bytes, and these to the files of the output.

A worker writes the records of one piece at a time. What it writes stands one behind the other in the
output, or, for the formats that cannot be joined like that, in frames that are gathered at the end.
"""

from __future__ import annotations

import csv
import dataclasses
import html
import io
import json
import re
import shutil
import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any
from xml.sax.saxutils import escape, quoteattr

from yearmark.archive.reading import Content, Record
from yearmark.timex import Timex
from yearmark.year import Year

if TYPE_CHECKING:
    import pyarrow as pa

Span = Year | Timex

CONTEXT = 40  # characters on each side of a span in a table
ROW_GROUP = 16 << 20  # bytes in memory of a row group of Parquet
MOST_DOCBIN = 256 << 20  # bytes of frames in one DocBin, which is read and written whole
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")  # what XML cannot hold
_JSON_COLUMN = {b"yearmark": b"json"}  # marks a column whose values have no one type


@dataclass(frozen=True, slots=True)
class Tagged:
    """The good records of a piece with what was found in them; ``rows`` are their indices in the piece."""

    content: Content
    rows: Sequence[int]
    records: Sequence[Record]
    found: Sequence[Mapping[str, Sequence[Any]]]  # of each record, spans by layer
    colour: bool = False  # for a terminal

    @property
    def spans(self) -> list[Sequence[Span]]:
        """Of each record, in order; of formats with one layer, that layer's."""
        return [
            sorted((span for own in layers.values() for span in own), key=lambda span: (span.start, span.end))
            for layers in self.found
        ]


@dataclass(frozen=True, slots=True)
class Staged:
    """Bytes ``[start, stop)`` of what the workers have written."""

    file: IO[bytes]
    start: int
    stop: int

    def frames(self) -> Iterator[bytes]:
        self.file.seek(self.start)
        while self.file.tell() < self.stop:
            (size,) = struct.unpack("<Q", self.file.read(8))
            yield self.file.read(size)

    def copy_to(self, target: IO[bytes]) -> None:
        self.file.seek(self.start)
        left = self.stop - self.start
        while left:
            block = self.file.read(min(left, 1 << 20))
            target.write(block)
            left -= len(block)


@dataclass(frozen=True, slots=True)
class Format:
    """A form of output: how a piece is written, and how what was written becomes a file."""

    suffix: str
    write: Callable[[Tagged], bytes]
    head: bytes = b""
    tail: bytes = b""
    gather: Callable[[Staged, Path], None] | None = None  # frames to the file, or folder, at the path
    is_folder: bool = False
    has_one_layer: bool = False  # whose spans are marked in the text, where they may not overlap
    layers: frozenset[str] | None = None  # those it can hold; None: any


# ---- one behind the other


def _jsonl(tagged: Tagged) -> bytes:
    return b"".join(
        _json(
            {**record.fields, **{layer: list(map(dataclasses.asdict, own)) for layer, own in found.items()}}
        )
        + b"\n"
        for record, found in zip(tagged.records, tagged.found, strict=True)
    )


def _json(value: Any) -> bytes:
    try:
        return json.dumps(value, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError:  # a lone surrogate in another field: it came escaped and stays so
        return json.dumps(value).encode("ascii")


COLUMNS = ("id", "start", "end", "text", "value", "score", "context", "type")


def _type(span: Span) -> str:
    return span.type if isinstance(span, Timex) else "YEAR"


def _table(delimiter: str) -> Format:
    def lines(rows: Iterator[Sequence[Any]]) -> bytes:
        out = io.StringIO()
        csv.writer(out, delimiter=delimiter, lineterminator="\n").writerows(rows)
        return out.getvalue().encode("utf-8", "backslashreplace")

    def write(tagged: Tagged) -> bytes:
        return lines(
            (record.id, one.start, one.end, one.text, one.value, one.score, _context(record, one), _type(one))
            for record, spans in zip(tagged.records, tagged.spans, strict=True)
            for one in spans
        )

    return Format("csv" if delimiter == "," else "tsv", write, head=lines(iter([COLUMNS])))


def _context(record: Record, span: Span) -> str:
    return " ".join(record.text[max(0, span.start - CONTEXT) : span.end + CONTEXT].split())


def _text(tagged: Tagged) -> bytes:
    """Each document with its spans marked, then these with type (but of years), value and score."""
    import click

    out = []
    for record, spans in zip(tagged.records, tagged.spans, strict=True):

        def mark(span: Span) -> str:
            return click.style(span.text, bold=True, reverse=True) if tagged.colour else f"⟦{span.text}⟧"

        name = f"── {record.id}"
        out += [
            click.style(name, fg="cyan") if tagged.colour else name,
            _marked(record.text, spans, mark).rstrip("\n"),
        ]
        nothing = "   no year" if tagged.found[0].keys() == {"years"} else "   nothing"
        out += [f"   {span.text}  {_told(span, '  ')}" for span in spans] or [nothing]
    return "".join(line + "\n" for line in out).encode("utf-8", "backslashreplace")


def _told(span: Span, between: str) -> str:
    kind = [span.type] if isinstance(span, Timex) else []
    return between.join([*kind, f"value {span.value or 'unknown'}", f"score {span.score:.3f}"])


def _marked(
    text: str, spans: Sequence[Span], mark: Callable[[Span], str], plain: Callable[[str], str] = str
) -> str:
    pieces, last = [], 0
    for span in spans:
        pieces += [plain(text[last : span.start]), mark(span)]
        last = span.end
    return "".join([*pieces, plain(text[last:])])


def _conll(tagged: Tagged) -> bytes:
    """A token and its tag a line, an empty line behind a sentence, each document behind -DOCSTART-.

    The tokens are those that the tagger reads, of which a year is always made whole; a time expression may
    end before the particle of its last token: 지난해|까지.
    """
    from yearmark.segments import segments
    from yearmark.tokenizer import make_tokenizer

    tokenizer = make_tokenizer({})
    out = []
    for record, spans in zip(tagged.records, tagged.spans, strict=True):
        out.append(f"-DOCSTART- ({' '.join(str(record.id).split())})\tO\n\n")
        tags = {}
        for span in spans:
            tags[span.start] = f"B-{_type(span)}"
            tags.update(dict.fromkeys(range(span.start + 1, span.end), f"I-{_type(span)}"))
        for start, end in segments(record.text):
            tokens = tokenizer(record.text[start:end])
            out += [
                f"{token.text}\t{tags.get(start + token.idx, 'O')}\n"
                for token in tokens
                if not token.text.isspace()
            ]
            out.append("\n")
    return "".join(out).encode("utf-8")


_PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Found by yearmark</title>
<style>
:root { color-scheme: light dark }
body { max-width: 46rem; margin: 2rem auto; padding: 0 1rem; font: 1rem/1.6 system-ui, sans-serif }
h2 { font-size: .9rem; font-weight: 600; margin: 2rem 0 .25rem; opacity: .7; overflow-wrap: anywhere }
p { margin: 0; white-space: pre-wrap; overflow-wrap: anywhere }
mark { background: #ffd166; color: #000; border-radius: .2em; padding: 0 .15em }
</style>
"""


def _html(tagged: Tagged) -> bytes:
    def mark(span: Span) -> str:
        return f'<mark title="{_escaped(_told(span, ", "))}">{_escaped(span.text)}</mark>'

    return "".join(
        f"<article><h2>{_escaped(str(record.id))}</h2>"
        f"<p>{_marked(record.text, spans, mark, _escaped)}</p></article>\n"
        for record, spans in zip(tagged.records, tagged.spans, strict=True)
    ).encode("utf-8", "backslashreplace")


def _escaped(text: str) -> str:
    return html.escape(_CONTROL.sub("\ufffd", text)).replace("\r", "&#13;")


# ---- in frames


def _frame(content: bytes) -> bytes:
    return struct.pack("<Q", len(content)) + content


def _documents(
    suffixes: Sequence[str], write: Callable[[Record, Sequence[Span]], Sequence[str]], **more: Any
) -> Format:
    """A folder with a file, or several, for each document; in frames: name, content, name, content."""

    def write_all(tagged: Tagged) -> bytes:
        source, number = tagged.content.piece.source, tagged.content.piece.start.source + 1
        out = []
        for record, spans in zip(tagged.records, tagged.spans, strict=True):
            line = "" if source.kind == "txt" else f"-{record.spot.line:09}"
            name = f"{number:06}-{re.sub('[^-.0-9A-Za-z_]', '_', Path(source.path).name)[:100]}{line}"
            for suffix, content in zip(suffixes, write(record, spans), strict=True):
                out += [_frame((name + suffix).encode()), _frame(content.encode("utf-8", "backslashreplace"))]
        return b"".join(out)

    def gather(staged: Staged, folder: Path) -> None:
        folder.mkdir()
        frames = staged.frames()
        for name in frames:
            (folder / name.decode()).write_bytes(next(frames))

    return Format(suffixes[-1].removeprefix("."), write_all, gather=gather, is_folder=True, **more)


def _timeml(record: Record, spans: Sequence[Span]) -> tuple[str]:
    """Time expressions or years as TIMEX3."""
    numbers = iter(range(1, len(spans) + 1))

    def mark(span: Span) -> str:
        if isinstance(span, Timex):
            kind, value = span.type, "" if span.value is None else f" value={quoteattr(_timeml_value(span))}"
        else:
            kind, value = "DATE", f" value={quoteattr(_timex_value(span.value))}"
        return f'<TIMEX3 tid="t{next(numbers)}" type="{kind}"{value}>{_xml(span.text)}</TIMEX3>'

    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<TimeML xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" '
        'xsi:noNamespaceSchemaLocation="http://timeml.org/timeMLdocs/TimeML_1.2.1.xsd">\n'
        f"<DOCID>{_xml(str(record.id))}</DOCID>\n"
        f"<TEXT>{_marked(record.text, spans, mark, _xml)}</TEXT>\n</TimeML>\n",
    )


def _timex_value(value: str | None) -> str:
    """TIMEX3 counts years before Christ as historians do: -0479 is BC0480."""
    if value is None:
        return "XXXX"
    return value if int(value) > 0 else f"BC{1 - int(value):04}"


_EDTF_SEASONS = {"21": "SP", "22": "SU", "23": "FA", "24": "WI"}
_EDTF_SEASONS |= {str(33 + number): f"Q{number + 1}" for number in range(4)} | {"40": "H1", "41": "H2"}


def _timeml_value(span: Timex) -> str:
    """TIMEX3's own writing of what EDTF says: 199 for 199X, 2009-SU for 2009-22, P1D for R/P1D."""
    value = (span.value or "").removeprefix("R/").rstrip("~")
    if found := re.fullmatch(r"(\d{4})-(2[1-4]|3[3-6]|4[01])", value):
        return f"{found[1]}-{_EDTF_SEASONS[found[2]]}"
    if found := re.fullmatch(r"(\d{2,3})X{1,2}", value):
        return found[1]
    if found := re.fullmatch(r"(-\d{4})(.*)", value):
        return _timex_value(found[1]) + found[2]
    return value


def _xml(text: str) -> str:
    return escape(_CONTROL.sub("\ufffd", text), {"\r": "&#13;"})


def _brat(record: Record, spans: Sequence[Span]) -> tuple[str, str]:
    lines = []
    for number, span in enumerate(spans, 1):
        # a line's end parts an annotation in two
        parts = [(span.start + m.start(), span.start + m.end()) for m in re.finditer(r"[^\n]+", span.text)]
        places = ";".join(f"{start} {end}" for start, end in parts)
        kind = _type(span).capitalize()
        lines.append(f"T{number}\t{kind} {places}\t{' '.join(span.text.split(chr(10)))}\n")
        if span.value is not None:
            lines.append(f"#{number}\tAnnotatorNotes T{number}\t{span.value}\n")
    return record.text, "".join(lines)


def _spacy(tagged: Tagged) -> bytes:
    """A DocBin a piece: the documents as they came, or made of the tagger's own tokens."""
    from spacy.tokens import DocBin

    from yearmark.component import Yearmark
    from yearmark.tokenizer import make_tokenizer

    if tagged.content.docs is not None:
        docs = [tagged.content.docs[row] for row in tagged.rows]
    else:
        tokenizer = make_tokenizer({})
        docs = [tokenizer(record.text) for record in tagged.records]
        for doc, record in zip(docs, tagged.records, strict=True):
            doc.user_data["id"] = record.id if isinstance(record.id, int) else str(record.id)
    Yearmark().set_annotations(docs, tagged.found)
    return _frame(DocBin(store_user_data=True, docs=docs).to_bytes()) if docs else b""


def _gather_spacy(staged: Staged, path: Path) -> None:
    from spacy.tokens import DocBin

    out = DocBin(store_user_data=True)
    size = 0
    for frame in staged.frames():
        size += len(frame)
        if size > MOST_DOCBIN:
            raise ValueError(
                f"this is too much for one DocBin, which spaCy reads whole: over "
                f"{MOST_DOCBIN >> 20} MB packed. "
                "Give the same command with --shard-size 100MB; nothing is tagged again"
            )
        out.merge(DocBin(store_user_data=True).from_bytes(frame))
    path.write_bytes(out.to_bytes())


# ---- Parquet


def _layer_type(layer: str) -> pa.DataType:
    import pyarrow as pa

    kind = [] if layer == "years" else [("type", pa.string())]
    fields = [("start", pa.int64()), ("end", pa.int64()), ("text", pa.string()), *kind]
    return pa.list_(pa.struct([*fields, ("value", pa.string()), ("score", pa.float64())]))


def _parquet(tagged: Tagged) -> bytes:
    """A stream of Arrow's a piece; tables keep their columns' types, other records have them inferred."""
    import pyarrow as pa

    if not tagged.records:
        return b""
    if (batch := tagged.content.table) is not None:
        table = pa.Table.from_batches([batch.take(pa.array(tagged.rows, pa.int64()))])
        table = table.drop_columns([layer for layer in tagged.found[0] if layer in table.column_names])
        if "id" in tagged.records[0].fields and "id" not in table.column_names:
            ids = pa.array([record.fields["id"] for record in tagged.records], pa.string())
            table = table.add_column(0, "id", ids)
    else:
        names = dict.fromkeys(
            name for record in tagged.records for name in record.fields if name not in tagged.found[0]
        )
        columns = [_inferred(name, [record.fields.get(name) for record in tagged.records]) for name in names]
        table = pa.table([array for array, _ in columns], schema=pa.schema([field for _, field in columns]))
    for layer in tagged.found[0]:
        spans = [[dataclasses.asdict(span) for span in found[layer]] for found in tagged.found]
        table = table.append_column(layer, pa.array(spans, _layer_type(layer)))
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return _frame(bytes(sink.getvalue()))


def _inferred(name: str, values: list[Any]) -> tuple[pa.Array, pa.Field]:
    """A column of values from JSON; as JSON's text where they have no one type."""
    import pyarrow as pa

    try:
        array = pa.array(values, from_pandas=False)
        if not _has_empty_struct(array.type):
            return array, pa.field(name, array.type)
    except (pa.ArrowException, ValueError, TypeError, OverflowError):
        pass
    return _as_json(values), pa.field(name, pa.string(), metadata=_JSON_COLUMN)


def _as_json(values: list[Any]) -> pa.Array:
    import pyarrow as pa

    texts = [None if value is None else _json(value).decode() for value in values]
    return pa.array(texts, pa.string())


def _has_empty_struct(type_: pa.DataType) -> bool:
    """Which Parquet has no place for."""
    import pyarrow as pa

    if pa.types.is_struct(type_):
        return type_.num_fields == 0 or any(_has_empty_struct(field.type) for field in type_.fields)
    return pa.types.is_list(type_) and _has_empty_struct(type_.value_type)


def _gather_parquet(staged: Staged, path: Path) -> None:
    """Read twice: first for the type that each column has in all pieces, then to write."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    fields: dict[str, pa.Field] = {}
    metadata: dict[bytes, bytes] = {}
    for frame in staged.frames():
        schema = pa.ipc.open_stream(frame).schema
        metadata = metadata or dict(schema.metadata or {})
        for field in schema:
            known = fields.get(field.name)
            fields[field.name] = field if known is None else _unified(known, field)
    years = pa.field("years", _layer_type("years"))
    ordered = [*(field for name, field in fields.items() if name != "years")]
    if "years" in fields or not fields:
        ordered.append(years)
    schema = pa.schema(ordered, _with_years(metadata, [field.name for field in ordered]))
    with pq.ParquetWriter(path, schema) as writer:
        pending: list[pa.Table] = []
        size = 0
        for frame in staged.frames():
            pending.append(_conformed(pa.ipc.open_stream(frame).read_all(), schema))
            size += pending[-1].nbytes
            if size >= ROW_GROUP:
                writer.write_table(pa.concat_tables(pending))
                pending, size = [], 0
        if pending:
            writer.write_table(pa.concat_tables(pending))


def _unified(one: pa.Field, other: pa.Field) -> pa.Field:
    import pyarrow as pa

    if _JSON_COLUMN in (one.metadata, other.metadata):
        return pa.field(one.name, pa.string(), metadata=_JSON_COLUMN)
    if one.type == other.type:
        return one
    try:
        schemas = [pa.schema([pa.field(one.name, field.type)]) for field in (one, other)]
        return pa.unify_schemas(schemas, promote_options="permissive").field(0)
    except (pa.ArrowException, TypeError):
        return pa.field(one.name, pa.string(), metadata=_JSON_COLUMN)


def _conformed(table: pa.Table, schema: pa.Schema) -> pa.Table:
    import pyarrow as pa

    columns = []
    for field in schema:
        if field.name not in table.column_names:
            columns.append(pa.nulls(table.num_rows, field.type))
            continue
        column, own = table.column(field.name), table.schema.field(field.name)
        if field.metadata == _JSON_COLUMN and own.metadata != _JSON_COLUMN:
            column = _as_json(column.to_pylist())
        elif column.type != field.type:
            column = pa.array(column.to_pylist(), field.type)
        columns.append(column)
    return pa.table(columns, schema=schema)


def _with_years(metadata: dict[bytes, bytes], columns: Sequence[str]) -> dict[bytes, bytes]:
    """The schema's metadata; where Hugging Face lists the columns in them, with the new ones."""
    if b"huggingface" not in metadata:
        return metadata
    about = json.loads(metadata[b"huggingface"])
    types = {"start": "int64", "end": "int64", "text": "string", "value": "string", "score": "float64"}
    known = about["info"]["features"]
    years = {name: _value(dtype) for name, dtype in types.items()}
    timexes = {
        name: years.get(name) or _value("string")
        for name in ("start", "end", "text", "type", "value", "score")
    }
    new = {"id": _value("string"), "years": [years], "timexes": [timexes]}
    features = {name: known.get(name) or new.get(name) or [timexes] for name in columns}
    about["info"]["features"] = features | {
        layer: new[layer] for layer in ("years", "timexes") if layer in columns
    }
    return {**metadata, b"huggingface": json.dumps(about).encode()}


def _value(dtype: str) -> dict[str, str]:
    return {"dtype": dtype, "_type": "Value"}


FORMATS = {
    "jsonl": Format("jsonl", _jsonl),
    "csv": _table(","),
    "tsv": _table("\t"),
    "parquet": Format("parquet", _parquet, gather=_gather_parquet),
    "conll": Format("conll", _conll, has_one_layer=True),
    "spacy": Format("spacy", _spacy, gather=_gather_spacy),
    "timeml": _documents([".tml"], _timeml, has_one_layer=True, layers=frozenset({"years", "timexes"})),
    "brat": _documents([".txt", ".ann"], _brat),
    "html": Format("html", _html, head=_PAGE.encode(), tail=b"</html>\n", has_one_layer=True),
    "text": Format("txt", _text, has_one_layer=True),
}
BY_SUFFIX = {
    **{".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "jsonl", ".csv": "csv", ".tsv": "tsv"},
    **{".parquet": "parquet", ".conll": "conll", ".iob2": "conll", ".spacy": "spacy"},
    **{".html": "html", ".htm": "html", ".txt": "text"},
}


def assemble(form: Format, staged: Path, ends: Sequence[int], shard_size: int | None, target: Path) -> None:
    """Make ``target`` of what was staged: the head, then units that end at ``ends`` (the head's first).

    With a ``shard_size`` it is a folder of files, each closed by the unit that fills it; without one
    the staged file itself may become the target.
    """
    if target.is_dir():
        shutil.rmtree(target)
    if shard_size is None and form.gather is None:
        with staged.open("ab") as out:
            out.write(form.tail)
        staged.replace(target)
        return
    with staged.open("rb") as file:
        if shard_size is None:
            _write_file(form, Staged(file, ends[0], ends[-1]), target)
            return
        target.mkdir()
        start, number = ends[0], 0
        for end in ends[1:] or ends:
            if end - start >= shard_size or end is ends[-1]:
                name = f"{number:05}" if form.is_folder else f"{number:05}.{form.suffix}"
                _write_file(form, Staged(file, start, end), target / name)
                start, number = end, number + 1


def _write_file(form: Format, staged: Staged, path: Path) -> None:
    if form.gather is not None:
        form.gather(staged, path)
        return
    with path.open("wb") as out:
        out.write(form.head)
        staged.copy_to(out)
        out.write(form.tail)
