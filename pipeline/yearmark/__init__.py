"""Find the calendar years in text and tell them from all other numbers by their context."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from yearmark.tagger import Tagger, load
    from yearmark.timex import Timex
    from yearmark.year import Year

__all__ = ["Tagger", "Timex", "Year", "load"]
__version__ = "0.1.0"

_HOMES = {
    "Tagger": "yearmark.tagger",
    "load": "yearmark.tagger",
    "Timex": "yearmark.timex",
    "Year": "yearmark.year",
}


def __getattr__(name: str) -> Any:
    """Load spaCy and ONNX Runtime only when a tagger is asked for."""
    if name not in _HOMES:
        raise AttributeError(f"module 'yearmark' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)
