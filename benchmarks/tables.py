"""Tables of figures, for a terminal of 80 columns and as Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from rich.console import Console
from rich.table import Table as RichTable


class Table(NamedTuple):
    """Figures under a title; the first column names the row, ``note`` stands below.

    The columns in ``code`` are quoted text: nothing in them is to be read as Markdown.
    """

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    note: str = ""
    code: Sequence[str] = ()


def show(console: Console, table: Table) -> None:
    """Print a table; what is too wide is folded."""
    rich = RichTable(title=table.title, title_justify="left")
    for k, name in enumerate(table.columns):
        rich.add_column(name, justify="right" if k else "left", overflow="fold")
    for row in table.rows:
        rich.add_row(*row)
    console.print(rich)
    if table.note:
        console.print(table.note, markup=False, highlight=False)
    console.print()


def markdown(table: Table) -> str:
    """The table as a section of a Markdown document."""

    def line(cells: Sequence[str]) -> str:
        return f"| {' | '.join(cells)} |"

    def cell(column: str, text: str) -> str:
        text = " ".join(text.split()).replace("|", "\\|")
        return "`" + text.replace("`", "'") + "`" if text and column in table.code else text

    rows = [line([cell(*pair) for pair in zip(table.columns, row, strict=True)]) for row in table.rows]
    rule = line(["---", *["---" if table.code else "---:"] * (len(table.columns) - 1)])
    note = [f"\n{table.note}"] if table.note else []
    return "\n".join([f"### {table.title}\n", line(table.columns), rule, *rows, *note]) + "\n"
