"""What a run remembers, so that the same command goes on where it was stopped."""

from __future__ import annotations

import contextlib
import datetime
import json
import os
import shutil
import time
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any

from yearmark.archive.durable import sync_folder, write_all
from yearmark.archive.progress import Totals
from yearmark.archive.sources import Place
from yearmark.archive.work import Result

COMMIT_EVERY = 0.5  # seconds: what a stop may lose beside the units in work
VERSION = 1  # of the journal


class Journal:
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

    def __enter__(self) -> Journal:
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
            write_all(self._file, json.dumps(head).encode() + b"\n")
            os.fsync(self._file.fileno())
        if not self.is_final:
            if self.final.is_file() and not self.staged.exists():
                self.final.replace(self.staged)  # a stop between the last rename and the line on it
            self._output = _at(self.staged, self.ends[-1], self._head)
            self._rejected = _at(self.rejects, self._rejects_end, b"")
            sync_folder(self.work)

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
        write_all(self._output, result.output)
        write_all(self._rejected, result.rejects)
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
        write_all(self._file, b"".join(self._lines))
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
        sync_folder(self.work)
        write_all(self._file, b'{"final": true}\n')
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
        write_all(file, head)
    return file


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
