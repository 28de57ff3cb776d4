"""Charts as SVG to stand inside a page: drawn by matplotlib, coloured by the page's CSS variables.

The same data gives the same bytes. A chart has no size of its own: it is as wide as its box.
"""

from __future__ import annotations

import io
import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Sequence
from typing import Any, NamedTuple

from markupsafe import Markup
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import EngFormatter, FixedFormatter, FixedLocator, NullFormatter, NullLocator

LEVELS = 11  # shades of a heat map, for the values 0, 0.1, … 1
# Every colour that is drawn stands for a CSS variable, which templates/base.html sets for both themes.
_VARIABLES = (
    *("ink", "muted", "grid", "outline", "hatch"),
    *(f"series-{k}" for k in range(1, 7)),
    *(f"heat-{k}" for k in range(LEVELS)),
    *(f"heat-ink-{k}" for k in range(LEVELS)),
)
_COLOURS = {name: f"#5eed{k:02x}" for k, name in enumerate(_VARIABLES)}
_NAMES = {colour: name for name, colour in _COLOURS.items()}
INK, MUTED, GRID = (_COLOURS[name] for name in ("ink", "muted", "grid"))
# Lines differ in colour, in marker and in dashes.
_LOOKS: list[dict[str, Any]] = [
    {"color": _COLOURS[f"series-{k + 1}"], "marker": marker, "linestyle": dashes}
    for k, (marker, dashes) in enumerate(
        [
            ("o", "-"),
            ("s", (0, (5, 1.5))),
            ("^", (0, (1.2, 1.2))),
            ("D", (0, (7, 1.5, 1.2, 1.5))),
            ("v", (0, (3, 1))),
            ("P", (0, (7, 1.5, 1.2, 1.5, 1.2, 1.5))),
        ]
    )
]
_STYLE: Any = {  # matplotlib's names, matplotlib's types
    "svg.fonttype": "none",  # text stays text
    "font.family": "DejaVu Sans",  # matplotlib's own: the same measures on every machine
    "font.size": 10,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": MUTED,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "hatch.color": _COLOURS["hatch"],
    "hatch.linewidth": 1.2,
}
_POINT = 1 / 72  # inches; one unit of the SVG
_LEFT, _RIGHT, _TOP, _BOTTOM = 38, 14, 24, 36  # room around the axes, in units
_LEGEND_ROW = 15


class Line(NamedTuple):
    """A line of a chart; ``y``, and with it its interval, is None where there is no value."""

    name: str
    x: Sequence[float]
    y: Sequence[float | None]
    intervals: Sequence[tuple[float, float] | None] = ()


def lines(
    key: str,
    title: str,
    description: str,
    series: Sequence[Line],
    *,
    x_label: str,
    y_label: str = "F1",
    log_x: bool = True,
    log_y: bool = False,
    y_range: tuple[float, float] | None = (0, 1),
    reference: tuple[str, float] | None = None,
) -> Markup:
    """Lines with their intervals over an x axis, logarithmic or from 0 to 1, the legend below.

    A line that ends before the last x ends in a bar, and the legend says where. ``reference`` is a thin
    level line with a name. ``key`` begins every id in the SVG.
    """
    legend = _LEGEND_ROW * (len(series) + (reference is not None)) + 4
    width, height = 340, 215 + legend
    with rc_context({**_STYLE, "svg.hashsalt": key}):
        figure = Figure((width * _POINT, height * _POINT))
        axes = _axes(figure, _LEFT, legend + _BOTTOM, width - _RIGHT, height - _TOP)
        ticks = sorted({x for line in series for x in line.x})
        last = ticks[-1]
        for k, line in enumerate(series):
            look = _LOOKS[k % len(_LOOKS)]
            known = [(x, y) for x, y in zip(line.x, line.y, strict=True) if y is not None]
            name = line.name
            if not known:
                name += ": cannot"
            elif log_x and known[-1][0] < last:
                name += f": up to {known[-1][0]:,}"
                axes.plot(
                    *known[-1],
                    color=look["color"],
                    linestyle="none",
                    marker="|",
                    markersize=15,
                    markeredgewidth=2,
                )
            axes.plot(*zip(*known, strict=True) if known else ([], []), label=name, **look, **_WEIGHT)
            banded = [(x, one) for x, one in zip(line.x, line.intervals, strict=False) if one]
            axes.fill_between(
                [x for x, _ in banded],
                [low for _, (low, _) in banded],
                [high for _, (_, high) in banded],
                color=look["color"],
                alpha=0.16,
                linewidth=0,
            )
        if reference is not None:
            name, level = reference
            axes.axhline(level, color=MUTED, linewidth=1, linestyle=(0, (2, 2)), zorder=1, label=name)
        if log_x:
            axes.set_xscale("log")
            _ticks(axes, ticks)
        else:
            axes.set_xlim(-0.03, 1.03)
        if log_y:
            axes.set_yscale("log")
            axes.yaxis.set_major_formatter(EngFormatter(sep=""))
        if y_range:
            margin = (y_range[1] - y_range[0]) * 0.04
            axes.set_ylim(y_range[0] - margin, y_range[1] + margin)
        axes.set_xlabel(x_label)
        figure.text(2 / width, 1 - 12 / height, y_label)
        axes.grid(color=GRID, linewidth=0.8)
        axes.set_axisbelow(True)
        figure.legend(
            loc="lower left",
            bbox_to_anchor=(_LEFT / width, 0),
            frameon=False,
            borderaxespad=0,
            borderpad=0,
            handlelength=3.4,
            labelspacing=0.45,
        )
        return _svg(figure, key, title, description)


_WEIGHT: dict[str, Any] = {"linewidth": 1.7, "markersize": 4.5, "markeredgewidth": 0}


def heat_map(
    key: str,
    title: str,
    description: str,
    values: Sequence[Sequence[float | None]],
    rows: Sequence[str],
    columns: Sequence[str],
    *,
    x_label: str = "",
    y_label: str = "",
    cell: tuple[int, int] = (28, 20),
    outlined: tuple[int, int] = (0, 0),
) -> Markup:
    """Values from 0 to 1 as shades with the per cent in them; None, what cannot be, is hatched.

    ``cell`` is the width and the height of one; so many columns and rows from the upper left corner are
    ``outlined``.
    """
    left = max(map(len, rows)) * 5.6 + 10 + (18 if y_label else 0)
    top = 18 + 11 * max(name.count("\n") for name in columns) + (14 if x_label else 0)
    width, height = left + len(columns) * cell[0] + 4, top + len(rows) * cell[1] + 4
    with rc_context({**_STYLE, "svg.hashsalt": key, "font.size": 9}):
        figure = Figure((width * _POINT, height * _POINT))
        axes = _axes(figure, left, 4, width - 4, height - top)
        axes.set(xlim=(0, len(columns)), ylim=(len(rows), 0), xlabel=x_label, ylabel=y_label)
        for row, own in enumerate(values):
            for column, value in enumerate(own):
                _cell(axes, column, row, value)
        if all(outlined):
            outline: Any = {
                "facecolor": "none",
                "edgecolor": _COLOURS["outline"],
                "linewidth": 2.4,
                "clip_on": False,
            }
            axes.add_patch(Rectangle((0, 0), *outlined, **outline))
        axes.spines[:].set_visible(False)
        axes.tick_params(length=0)
        axes.xaxis.tick_top()
        axes.xaxis.set_label_position("top")
        axes.set_xticks([k + 0.5 for k in range(len(columns))], columns)
        axes.set_yticks([k + 0.5 for k in range(len(rows))], rows)
        return _svg(figure, key, title, description)


def _cell(axes: Axes, column: int, row: int, value: float | None) -> None:
    box: Any = {
        "xy": (column + 0.03, row + 0.04),
        "width": 0.94,
        "height": 0.92,
        "linewidth": 0,
        "clip_on": False,
    }
    if value is None:
        axes.add_patch(Rectangle(**box, facecolor=_COLOURS["grid"], hatch="////"))
        return
    level = round(value * (LEVELS - 1))
    axes.add_patch(Rectangle(**box, facecolor=_COLOURS[f"heat-{level}"]))
    axes.text(
        column + 0.5,
        row + 0.5,
        f"{100 * value:.0f}",
        ha="center",
        va="center_baseline",
        color=_COLOURS[f"heat-ink-{level}"],
    )


class Dot(NamedTuple):
    """A value with its range, None where there is none."""

    value: float
    low: float
    high: float


def dots(
    key: str,
    title: str,
    description: str,
    rows: Sequence[str],
    series: Sequence[tuple[str, Sequence[Dot | None]]],
    *,
    x_label: str,
) -> Markup:
    """A row for each name, in it the dot and the range of each series, the legend on top."""
    left, top = max(map(len, rows)) * 6 + 14, 24
    width, height = left + 400 + _RIGHT, top + 22 * len(rows) + _BOTTOM
    with rc_context({**_STYLE, "svg.hashsalt": key}):
        figure = Figure((width * _POINT, height * _POINT))
        axes = _axes(figure, left, _BOTTOM, width - _RIGHT, height - top)
        for k, (name, own) in enumerate(series):
            look = {**_LOOKS[k], "linestyle": "none"}
            shift = (k - (len(series) - 1) / 2) * 0.3
            known = [(row + shift, dot) for row, dot in enumerate(own) if dot is not None]
            y = [at for at, _ in known]
            low, high = [dot.low for _, dot in known], [dot.high for _, dot in known]
            axes.hlines(y, low, high, color=look["color"], linewidth=1.7)
            axes.plot([dot.value for _, dot in known], y, label=name, **look, **_WEIGHT)
        axes.set(ylim=(len(rows) - 0.5, -0.5), xlabel=x_label)
        axes.set_yticks(range(len(rows)), rows)
        axes.tick_params(axis="y", length=0)
        axes.axvline(0, color=MUTED, linewidth=0.8)
        axes.spines["left"].set_visible(False)
        axes.grid(color=GRID, linewidth=0.8)
        axes.set_axisbelow(True)
        figure.legend(
            loc="upper left",
            bbox_to_anchor=(left / width, 1),
            ncols=len(series),
            frameon=False,
            borderaxespad=0,
            borderpad=0,
        )
        return _svg(figure, key, title, description)


def _axes(figure: Figure, left: float, bottom: float, right: float, top: float) -> Axes:
    """Axes between these bounds, in units from the lower left corner."""
    width, height = figure.get_size_inches() / _POINT
    return figure.add_axes((left / width, bottom / height, (right - left) / width, (top - bottom) / height))


def _ticks(axes: Axes, values: Sequence[float]) -> None:
    """A tick at every value, the last one named and, where they are many, every second before it."""
    step = 1 if len(values) <= 6 else 2
    named = values[::-1][::step][::-1]
    axes.xaxis.set_major_locator(FixedLocator(list(named)))
    axes.xaxis.set_major_formatter(FixedFormatter([f"{value:,}" for value in named]))
    axes.xaxis.set_minor_locator(FixedLocator(list(values)) if step > 1 else NullLocator())
    axes.xaxis.set_minor_formatter(NullFormatter())


# From matplotlib's file to an element of a page ------------------------------------------------------


def _svg(figure: Figure, key: str, title: str, description: str) -> Markup:
    """The figure as an element; every id in it begins with ``key``."""
    file = io.BytesIO()
    figure.savefig(file, format="svg", transparent=True)
    root = ElementTree.fromstring(file.getvalue())
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
        for name in list(element.attrib):
            element.set(name.rpartition("}")[2], element.attrib.pop(name))
    used = set(re.findall(r"""(?:href="|url\()#([^")]+)""", ElementTree.tostring(root, encoding="unicode")))
    for element in root.iter():
        _tidy(element, key, used)
    _unwrap(root)
    width, height = (float(root.attrib[name].removesuffix("pt")) for name in ("width", "height"))
    root.attrib = {
        "class": "chart",
        "viewBox": f"0 0 {width:g} {height:g}",
        "style": f"--width: {width:g}px",
        "role": "img",
        "aria-labelledby": f"{key}-title {key}-desc",
    }
    for place, (tag, words) in enumerate((("title", title), ("desc", description))):
        named = ElementTree.Element(tag, id=f"{key}-{tag}")
        named.text = words
        root.insert(place, named)
    return Markup(ElementTree.tostring(root, encoding="unicode"))


def _tidy(element: ElementTree.Element, key: str, used: set[str]) -> None:
    """Ids of its own, the page's colours and font, and no more digits than can be seen."""
    element.text = (element.text or "").strip() or None
    element.tail = None
    if element.attrib.get("id") not in used:
        element.attrib.pop("id", None)
    if element.attrib.get("transform", "").startswith("rotate(-0 "):
        element.attrib.pop("transform")
    if fill := element.attrib.pop("fill", None):
        element.set("style", f"fill: {fill}")
    for name, value in element.attrib.items():
        value = re.sub(r"#5eed\w\w", lambda found: f"var(--{_NAMES[found[0]]})", value)
        value = re.sub(r"font-family: [^;]+; |font: ([\d.]+px) [^;]+", _font_size, value)
        value = re.sub(r"(\d\.\d\d)\d+", r"\1", value)
        if name == "id":
            value = f"{key}-{value}"
        elif name == "href" or "url(" in value:
            value = value.replace("#", f"#{key}-")
        element.set(name, " ".join(value.split()))


def _font_size(found: re.Match[str]) -> str:
    return f"font-size: {found[1]}" if found[1] else ""


def _unwrap(element: ElementTree.Element) -> None:
    """Groups that say nothing give way to what is in them; what is not seen goes."""
    children = []
    for child in element:
        _unwrap(child)
        if child.tag == "g" and not child.attrib:
            children += list(child)
        elif child.tag not in ("metadata", "style") and child.get("style") != "fill: none":
            children.append(child)
    element[:] = [child for child in children if child.tag != "defs" or len(child)]
