"""Records in: the documents of files, folders and standard input, each with where it stands."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

SUFFIXES = (".txt", ".jsonl")


class InputError(ValueError):
    """An input that cannot be read; the message names the file, the line and the fix."""


@dataclass(frozen=True, slots=True)
class Record:
    """A document to tag: its text, and all fields of the output but the years."""

    text: str
    fields: dict[str, Any]


def read_records(paths: Iterable[str], text_field: str, stdin: IO[bytes]) -> Iterator[Record]:
    """The records of all paths, in order; ``-`` is standard input, a folder all its files, sorted.

    Raises InputError at the first record that cannot be read.
    """
    for name in paths:
        if name == "-":
            for number, line in _lines(stdin, "-"):
                yield Record(line, {"id": f"-:{number}", "text": line})
            continue
        path = Path(name)
        if not path.exists():
            raise InputError(f"{name}: there is no such file or folder")
        for file in _files(path):
            yield from _read_text(file) if file.suffix == ".txt" else _read_jsonl(file, text_field)


def _files(path: Path) -> list[Path]:
    if not path.is_dir():
        if path.suffix not in SUFFIXES:
            raise InputError(
                f"{path}: expected a file that ends in {' or '.join(SUFFIXES)}; "
                f"for plain text lines use: yearmark tag < {path}"
            )
        return [path]
    found = sorted(file for file in path.rglob("*") if file.suffix in SUFFIXES and file.is_file())
    if not found:
        raise InputError(f"{path}: the folder holds no file that ends in {' or '.join(SUFFIXES)}")
    return found


def _decode(content: bytes, where: str) -> str:
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        place = where if ":" in where else f"{where}:{line}"
        raise InputError(
            f"{place}: byte 0x{content[error.start]:02x} at offset {error.start} is not UTF-8; "
            "convert it, for example with: iconv -f LATIN1 -t UTF-8"
        ) from None


def _lines(file: IO[bytes], name: str) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(file, 1):
        yield number, _decode(line.rstrip(b"\r\n"), f"{name}:{number}")


def _read_text(path: Path) -> Iterator[Record]:
    text = _decode(path.read_bytes(), str(path))
    yield Record(text, {"id": f"{path}:1", "text": text})


def _read_jsonl(path: Path, text_field: str) -> Iterator[Record]:
    with path.open("rb") as file:
        for number, line in _lines(file, str(path)):
            if not line.strip():
                continue
            where = f"{path}:{number}"
            try:
                fields = json.loads(line)
            except (json.JSONDecodeError, RecursionError) as error:
                raise InputError(f"{where}: not valid JSON: {error}") from None
            if not isinstance(fields, dict):
                raise InputError(
                    f"{where}: expected a JSON object, got {type(fields).__name__}; one object a line"
                )
            text = fields.get(text_field)
            if not isinstance(text, str):
                has = ", ".join(map(repr, fields)) or "no field"
                got = "has no text" if text_field not in fields else f"holds {type(text).__name__}"
                raise InputError(
                    f"{where}: the field {text_field!r} {got}; the record has {has}. "
                    "Name the field of the text with --text-field"
                )
            yield Record(text, fields if "id" in fields else {"id": where, **fields})
