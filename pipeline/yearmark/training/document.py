"""What every corpus reader gives and training and evaluation take: a text with its marks."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

LAYERS = ("years", "timexes")


@dataclass(frozen=True, slots=True)
class Mark:
    """A labelled span of a text, ``[start, end)`` in code points.

    ``optional`` marks (the honest doubt) are neither learnt nor scored.
    """

    start: int
    end: int
    label: str = "YEAR"
    value: str | None = None
    optional: bool = False


@dataclass(frozen=True, slots=True)
class Document:
    """A text, its marks by layer (a layer that is not annotated is absent), and where it is from.

    ``unsure`` are spans ``[start, end)``, by layer, whose label is not known: not learnt, not scored.
    """

    id: str
    text: str
    source: str = ""
    license: str = ""
    lang: str = ""
    marks: Mapping[str, Sequence[Mark]] = field(default_factory=dict)
    unsure: Mapping[str, Sequence[tuple[int, int]]] = field(default_factory=dict)

    @classmethod
    def from_record(cls, record: Mapping[str, Any], where: str, layers: Collection[str] = LAYERS) -> Document:
        """From a record with ``text`` and, in fields of their names, the ``layers``: lists of spans.
        ``where`` (file and line) starts the message of the ValueError that a bad record raises.
        """
        text = record.get("text")
        if not isinstance(text, str):
            raise ValueError(f"{where}: expected a field 'text' with a string, got {text!r:.60}")
        marks: dict[str, list[Mark]] = {}
        unsure: dict[str, list[tuple[int, int]]] = {}
        for layer in layers:
            if record.get(layer) is None:
                continue
            fallback = "YEAR" if layer == "years" else None
            marks[layer] = [_mark(row, text, layer, fallback, where) for row in record[layer]]
            unsure[layer] = [
                _span(row, text, f"{layer}_unsure", where) for row in record.get(f"{layer}_unsure") or []
            ]
        return cls(
            id=str(record.get("id", where)),
            text=text,
            source=record.get("source") or "",
            license=record.get("license") or "",
            lang=record.get("lang") or "",
            marks=marks,
            unsure=unsure,
        )

    def edited(self, changes: Sequence[tuple[int, int, str]]) -> Document:
        """With other text in places ``[start, end)``, in order; the marks move along."""
        text = self.text
        for start, end, new in reversed(changes):
            text = text[:start] + new + text[end:]

        def moved(offset: int) -> int:
            return offset + sum(len(new) - (end - start) for start, end, new in changes if end <= offset)

        return replace(
            self,
            text=text,
            marks={
                layer: [replace(mark, start=moved(mark.start), end=moved(mark.end)) for mark in marks]
                for layer, marks in self.marks.items()
            },
            unsure={
                layer: [(moved(start), moved(end)) for start, end in spans]
                for layer, spans in self.unsure.items()
            },
        )


def _mark(row: Any, text: str, layer: str, fallback: str | None, where: str) -> Mark:
    if not isinstance(row, dict):
        raise ValueError(f"{where}: expected an object with start and end in {layer!r}, got {row!r:.60}")
    start, end = _span(row, text, layer, where)
    if "text" in row and row["text"] != text[start:end]:
        raise ValueError(
            f"{where}: {layer} {start}:{end} is {text[start:end]!r} in the text, "
            f"but the span says {row['text']!r}; offsets count code points, end exclusive"
        )
    label = row.get("label") or row.get("type") or fallback
    if not isinstance(label, str):
        raise ValueError(f"{where}: expected a 'type' or 'label' for {layer} {start}:{end}")
    return Mark(start, end, label, row.get("value") or None, bool(row.get("optional")))


def _span(row: Any, text: str, layer: str, where: str) -> tuple[int, int]:
    start, end = (row.get("start"), row.get("end")) if isinstance(row, dict) else row
    if not (isinstance(start, int) and isinstance(end, int) and 0 <= start < end <= len(text)):
        raise ValueError(
            f"{where}: a span of {layer!r} goes from {start!r} to {end!r}; "
            f"expected 0 <= start < end <= {len(text)}, the length of the text in code points"
        )
    return start, end
