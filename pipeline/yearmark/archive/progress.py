"""What a run has done, and how it is told while it goes on."""

from __future__ import annotations

import contextlib
import sys
import time
from dataclasses import dataclass, field
from typing import Any

from yearmark.archive.work import Result

SAY_EVERY = 10.0  # seconds, where there is no terminal


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
            f"{self.documents:,} documents, {self.years:,} years, {rejected}; {clock(self.seconds)}, {speed}"
        )


class Progress:
    """A bar on a terminal, now and then a line elsewhere, on standard error."""

    def __init__(self, totals: Totals, size: int) -> None:
        self._totals = totals
        self._size = size
        self._start = totals.weight, totals.words
        self._began = self._said = time.monotonic()
        self._bar: Any = None
        self._told = 0
        self._told_replaced = False

    def __enter__(self) -> Progress:
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
        say(line)

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
                line += f", {share:.0%}, {clock(seconds * (self._size - totals.weight) / done)} left"
            self.say(line)


def say(line: str) -> None:
    """A line on standard error."""
    with contextlib.suppress(OSError):  # nobody listens any more; the run goes on
        print(line, file=sys.stderr, flush=True)


def clock(seconds: float) -> str:
    """Seconds, or hours, minutes and seconds."""
    whole = round(seconds)
    return f"{seconds:.1f} s" if whole < 60 else f"{whole // 3600}:{whole % 3600 // 60:02}:{whole % 60:02}"
