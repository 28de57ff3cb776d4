"""Reports as one HTML file each: nothing is loaded from elsewhere, nothing needs JavaScript."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup


class Table(NamedTuple):
    """Figures in cells ready to be read; the first column names the row."""

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]


class Panel(NamedTuple):
    """One chart of a figure, by `drawing`, and its heading where there are several."""

    svg: Markup
    heading: str = ""


class Figure(NamedTuple):
    """Charts side by side, how to read them, and their data."""

    key: str  # also the first part of the ids in its charts
    title: str
    caption: str
    panels: Sequence[Panel]
    table: Table


def render(template: str, **content: Any) -> str:
    """A template of the folder ``templates`` as a whole page; the same content gives the same bytes."""
    environment = Environment(
        loader=PackageLoader("yearmark.evaluation"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    return environment.get_template(template).render(**content)
