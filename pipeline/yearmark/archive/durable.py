"""Files that outlive a stop and a power cut: whole or not there."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any


@contextlib.contextmanager
def whole_file(path: Path) -> Iterator[IO[bytes]]:
    """A file that appears only when it is whole."""
    partial = path.with_name(path.name + ".partial")
    try:
        with partial.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
        sync_folder(path.parent)
    finally:
        partial.unlink(missing_ok=True)


def write_all(file: IO[bytes], data: bytes) -> None:
    """An unbuffered file takes what it can."""
    view = memoryview(data)
    while view:
        view = view[file.write(view) :]


def write_json(path: Path, value: Any) -> None:
    """A whole file of JSON; what is no Unicode text in it is escaped."""
    with whole_file(path) as file:
        file.write(
            json.dumps(value, indent=2, ensure_ascii=False).encode("utf-8", "backslashreplace") + b"\n"
        )


def sync_folder(folder: Path) -> None:
    """So that a rename in it outlives a power cut."""
    if os.name == "posix":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
