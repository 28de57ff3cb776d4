"""The evaluation report: a page, Markdown for a pull request, and a table for the terminal.

No result is written down here: all of it is made from the data of `evaluate`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from yearmark.evaluation import drawing
from yearmark.evaluation.evaluate import FIFTHS, LENGTH_GROUPS, LENGTHS, OUTCOMES, WAYS
from yearmark.evaluation.page import Figure, Panel, Table, render

MOST = 1_000  # rows of a list in the page; the rest is in report.json
MOST_SURFACES = 100
LONGEST = 80  # characters of a span that are shown
IN_MARKDOWN = 20  # errors
_OUTCOMES = {
    "correct": "correct",
    "missed": "missed",
    "false": "false",
    "boundary": "wrong boundary",
    "type": "wrong type",
    "value": "wrong value",
}
_NOUNS = {"years": ("year", "years"), "timexes": ("time expression", "time expressions")}
_GROUPS = {
    "sources": "source",
    "languages": "language",
    "numbers": "kind of number",
    "lengths": "tokens in the sentence",
    "positions": "place in the sentence",
}


def write(output: Path, report: Mapping[str, Any], cost: Mapping[str, Any]) -> None:
    """Write ``report.json``, ``report.html`` and ``report.md`` into a folder."""
    output.mkdir(parents=True, exist_ok=True)
    text = json.dumps(report, ensure_ascii=False, indent=1)
    (output / "report.json").write_text(text + "\n", encoding="utf-8")
    (output / "report.html").write_text(page(report, cost), encoding="utf-8")
    (output / "report.md").write_text(markdown(report, cost), encoding="utf-8")


def page(report: Mapping[str, Any], cost: Mapping[str, Any]) -> str:
    """The whole page."""
    comparison = report["comparison"]
    noun, nouns = _nouns(report)
    return render(
        "evaluate.html",
        report=report,
        noun=noun,
        nouns=nouns,
        form=_form(report),
        names=_systems(report),
        tiles=_tiles(report, cost),
        whole=whole(report),
        groups=groups(report),
        numbers=numbers(report),
        length=lengths(report),
        positions=positions(report),
        calibration=calibration(report["calibration"]) if report["calibration"] else None,
        wanted=wanted(report["calibration"]) if report["calibration"] else None,
        confusion=confusion(report),
        surfaces=surfaces(report),
        most_surfaces=MOST_SURFACES,
        errors=Items.of(report["errors"]),
        correct=Items.of(report["correct"]),
        fixed=Items.of(comparison["fixed"]) if comparison else None,
        broken=Items.of(comparison["broken"]) if comparison else None,
        types=types(report["types"]) if report["types"] is not None else None,
        outcomes=[_OUTCOMES[key] for key in _outcome_keys(report) if key != "correct"],
        not_carried=sum(row["times"] for row in report["not_carried"]),
        cost=_cost(cost),
    )


# Lists of items --------------------------------------------------------------------------------------


class Line(NamedTuple):
    """One item as it is shown."""

    id: str
    before: str
    text: str
    after: str
    outcome: str
    form: str
    said: str
    confidence: str


class Items(NamedTuple):
    """The first of a list, and how long it is."""

    rows: Sequence[Line]
    total: int

    @classmethod
    def of(cls, items: Sequence[Mapping[str, Any]]) -> Items:
        return cls([_line(item) for item in items[:MOST]], len(items))


def _line(item: Mapping[str, Any]) -> Line:
    return Line(
        f"{item['id']}:{item['start']}",
        item["before"],
        _short(item["text"]),
        item["after"],
        _OUTCOMES[item["outcome"]],
        item["form"],
        _said(item),
        "" if item["confidence"] is None else f"{item['confidence']:.2f}",
    )


def _said(item: Mapping[str, Any]) -> str:
    answer = item["answer"]
    match item["outcome"]:
        case "value":
            return f"{answer['value'] or 'none'} for {item['value']}"
        case "type":
            return f"{answer['type']} for {item['type']}"
        case "boundary":
            return f"“{_short(answer['text'])}”"
        case _:
            return ""


def _short(text: str) -> str:
    return text if len(text) <= LONGEST else text[:LONGEST] + "…"


# Tables and figures ----------------------------------------------------------------------------------


def whole(report: Mapping[str, Any]) -> Table:
    """All ways of scoring, of the system and of the baseline."""
    rows = []
    for which, name in _systems(report).items():
        for way in WAYS:
            if way == "type" and report["types"] is None:
                continue
            own = report["all"][which][way]
            cells = (
                ["no values"] * 3 if own is None else [_with(own, f) for f in ("f1", "precision", "recall")]
            )
            rows.append([f"{name}, {way}", *cells])
    return Table(("way of scoring", "F1", "precision", "recall"), rows)


def groups(report: Mapping[str, Any]) -> list[Figure]:
    """Strict F1 by source, language and form."""
    figures = []
    for group in ("sources", "languages", "forms"):
        own = report[group]
        title = f"Strict F1 by {_group(report, group)}"
        series = [
            (name, [_dot(one.get(which)) for one in own.values()]) for which, name in _systems(report).items()
        ]
        svg = drawing.dots(
            group,
            title,
            "The data are in the table below.",
            [_short(name) for name in own],
            series,
            x_label="F1",
        )
        caption = "The dot is the F1, the line its 95 % interval. "
        if group == "forms":
            caption += (
                "Gold years and answers are both sorted by how they are written and what stands beside."
                if report["types"] is None
                else "An answer is sorted by the gold's type where there is gold, else by its own."
            )
        figures.append(Figure(group, title, caption, [Panel(svg)], _table(report, group)))
    return figures


def numbers(report: Mapping[str, Any]) -> Table:
    """Every kind of number: how often it is in the gold, and how often it is wrongly tagged."""
    noun, nouns = _nouns(report)
    rows = []
    for name, own in report["numbers"].items():
        counts = own["system"]["counts"] if "system" in own else None
        no_years, tagged = own.get("no_years", 0), own.get("no_years_tagged", 0)
        rows.append(
            [
                name,
                f"{own.get('in_texts', 0):,}",
                f"{no_years:,}",
                f"{tagged:,}",
                f"{100 * tagged / no_years:.2f} %" if no_years else "",
                f"{counts['gold']:,}" if counts else "0",
                f"{counts['strict']:,}" if counts else "0",
                _with(own["system"]["strict"], "f1") if counts else "",
            ]
        )
    return Table(
        (
            "kind of number", "in the texts", f"in no gold {noun}", "of these tagged", "share",
            f"gold {nouns}", "found", "F1",
        ),
        rows,
    )  # fmt: skip


def lengths(report: Mapping[str, Any]) -> Figure:
    """Strict F1 against the length of the sentence."""
    title, own = "Strict F1 against the length of the sentence", report["lengths"]
    known = [(x, own[name]) for x, name in zip(LENGTHS, LENGTH_GROUPS, strict=True) if name in own]
    series = [
        drawing.Line(
            name,
            [x for x, _ in known],
            [one[which]["strict"]["f1"] for _, one in known],
            [tuple(one[which]["strict"]["f1_interval"]) for _, one in known],
        )
        for which, name in _systems(report).items()
    ]
    svg = drawing.lines(
        "lengths",
        title,
        "The data are in the table below.",
        series or [drawing.Line(f"no {_nouns(report)[0]}", [1], [None])],
        x_label="tokens in the sentence, at most",
    )
    return Figure(
        "lengths",
        title,
        "Sentences are those in which the tagger reads. The last point holds all longer ones too; bands are "
        "95 % intervals.",
        [Panel(svg)],
        _table(report, "lengths"),
    )


def positions(report: Mapping[str, Any]) -> Figure:
    """Strict F1 by length and place, as shades."""
    title, cells = "Strict F1 by length and place in the sentence", report["cells"]
    noun, nouns = _nouns(report)
    rows = [name for name in LENGTH_GROUPS if name in report["lengths"]] or [LENGTH_GROUPS[0]]
    panels = []
    for which, name in _systems(report).items():
        values = [
            [
                cells[key][which]["strict"]["f1"] if (key := f"{length}, {place}") in cells else None
                for place in FIFTHS
            ]
            for length in rows
        ]
        svg = drawing.heat_map(
            f"positions-{which}",
            f"{title}: {name}",
            "A row for each length, a column for each fifth; the data are in the table below.",
            values,
            rows,
            ["1", "2", "3", "4", "5"],
            x_label="fifth of the sentence",
            y_label="tokens",
            cell=(44, 24),
        )
        panels.append(Panel(svg, name))
    table = _table(report, "positions")
    detail = _table(report, "cells")
    return Figure(
        "positions",
        title,
        f"F1 in per cent. A {noun} is one wherever it stands: all places should be alike. Cells of few "
        f"{nouns} (see the table) say little; hatched ones hold none.",
        panels,
        Table(("place; length and place", *table.columns[1:]), [*table.rows, *detail.rows]),
    )


def calibration(own: Mapping[str, Any]) -> Figure:
    """Whether scores are probabilities, and what a threshold on them gives."""
    bins, steps = own["bins"], own["thresholds"]
    reliability = drawing.lines(
        "calibration-1",
        "Share of candidates that are right against their score",
        "The data are in the table below.",
        [
            drawing.Line("candidates", [b["score"] for b in bins], [b["right"] for b in bins]),
            drawing.Line("as it ought to be", [0, 1], [0, 1]),
        ],
        x_label="mean score",
        y_label="share that is right",
        log_x=False,
    )
    at = [step["min_score"] for step in steps]
    curves = drawing.lines(
        "calibration-2",
        "Precision and recall against the threshold",
        "The data are in the table below.",
        [
            drawing.Line(name, at, [step[name.lower()] for step in steps])
            for name in ("precision", "recall", "F1")
        ],
        x_label="min_score",
        y_label="precision, recall, F1",
        log_x=False,
    )
    rows = [
        [
            f"scores from {b['from']:.1f}",
            f"{b['candidates']:,}",
            f"{b['score']:.3f}",
            f"{b['right']:.3f}",
            "",
            "",
            "",
        ]
        for b in bins
    ]
    rows += [
        [
            f"min_score {s['min_score']:.2f}",
            "",
            "",
            "",
            *(f"{s[n]:.3f}" for n in ("precision", "recall", "f1")),
        ]
        for s in steps
    ]
    return Figure(
        "calibration",
        "Scores and thresholds",
        f"Expected calibration error, in ten bins of equal width: {own['error']:.4f} over "
        f"{own['candidates']:,} candidates, {own['error_of_answers']:.4f} over the answers. A candidate is "
        "every span with a score.",
        [Panel(reliability, "Are scores probabilities?"), Panel(curves, "What a threshold gives")],
        Table(("", "candidates", "mean score", "right", "precision", "recall", "F1"), rows),
    )


def wanted(own: Mapping[str, Any]) -> Table:
    """The threshold for each wanted precision."""
    rows = []
    for row in own["wanted"]:
        found = row["found"]
        cells = [f"{found[n]:.4f}" for n in ("min_score", "precision", "recall")] if found else ["none"] * 3
        rows.append([f"{row['wanted']:g}", *cells])
    return Table(("wanted precision", "least min_score", "precision there", "recall there"), rows)


def confusion(report: Mapping[str, Any]) -> Table:
    """Form against outcome."""
    keys = _outcome_keys(report)
    rows = [[form, *(f"{own[key]:,}" for key in keys)] for form, own in report["confusion"].items()]
    total = ["all", *(f"{report['outcomes'][key]:,}" for key in keys)]
    return Table((_form(report), *(_OUTCOMES[key] for key in keys)), [*rows, total])


def types(pairs: Sequence[Mapping[str, Any]]) -> Table:
    """The gold's type against the answer's."""
    times = {(pair["gold"], pair["answer"]): pair["times"] for pair in pairs}
    golds, answers = ({pair[side] for pair in pairs} - {None} for side in ("gold", "answer"))
    columns = [*sorted(answers), None]
    rows = [
        [
            gold or "no gold",
            *("" if gold is one is None else f"{times.get((gold, one), 0):,}" for one in columns),
        ]
        for gold in [*sorted(golds), None]
    ]
    return Table(("gold", *(f"answer {one}" if one else "no answer" for one in columns)), rows)


def surfaces(report: Mapping[str, Any]) -> Table:
    """What errs most often."""
    rows = [
        [_short(row["text"]), row["form"], _OUTCOMES[row["outcome"]], f"{row['times']:,}"]
        for row in report["surfaces"][:MOST_SURFACES]
    ]
    return Table(("text", _form(report), "outcome", "times"), rows)


def _table(report: Mapping[str, Any], group: str) -> Table:
    """A group's figures in full, its documents and years, and the difference to the baseline."""
    systems = _systems(report)
    rows = []
    for name, own in report[group].items():
        if "system" not in own:
            continue
        row = [_short(name), f"{own['documents']:,}", f"{own['system']['counts']['gold']:,}"]
        for which in systems:
            row += [_with(own[which]["strict"], figure) for figure in ("f1", "precision", "recall")]
        if "difference" in own:
            row.append(_difference(own["difference"]))
        rows.append(row)
    columns = [_group(report, group), "documents", f"gold {_nouns(report)[1]}"]
    for name in systems.values():
        columns += [f"{figure}, {name}" for figure in ("F1", "precision", "recall")]
    return Table([*columns, "difference in F1"] if report["baseline"] else columns, rows)


# Words -----------------------------------------------------------------------------------------------


def _systems(report: Mapping[str, Any]) -> dict[str, str]:
    """The part of the data that belongs to each system, and its name."""
    baseline = report["baseline"]
    named = {"system": report["system"]["name"]}
    return named | {"baseline": f"{baseline['name']} (baseline)"} if baseline else named


def _nouns(report: Mapping[str, Any]) -> tuple[str, str]:
    """What one span of the layer is called, and several."""
    layer = report["settings"]["layer"]
    return _NOUNS.get(layer, (f"span of {layer}", layer))


def _form(report: Mapping[str, Any]) -> str:
    """What the forms of the layer are called."""
    return "form" if report["types"] is None else "type"


def _group(report: Mapping[str, Any], group: str) -> str:
    return _form(report) if group == "forms" else _GROUPS.get(group, "length and place")


def _outcome_keys(report: Mapping[str, Any]) -> list[str]:
    """The outcomes that the layer can have: a year has one type only, and values are those of years."""
    never = "type" if report["types"] is None else "value"
    return [key for key in OUTCOMES if key != never]


def _tiles(report: Mapping[str, Any], cost: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
    strict = report["all"]["system"]["strict"]
    low, high = strict["f1_interval"]
    yield (
        f"{strict['f1']:.3f}",
        f"strict F1 of {report['system']['name']}; 95 % interval {low:.3f} to {high:.3f}",
    )
    yield (
        f"{strict['precision']:.3f}",
        "precision: the share of its answers that are right, bounds and all",
    )
    yield (
        f"{strict['recall']:.3f}",
        f"recall: the share of the {_nouns(report)[1]} that it finds, with exact bounds",
    )
    if difference := report["all"].get("difference"):
        low, high = difference["f1_interval"]
        yield (
            f"{difference['f1']:+.3f}".replace("-", "−"),
            f"against {report['baseline']['name']}; 95 % interval {low:+.3f} to {high:+.3f}, "
            f"p = {difference['p']:.4f}".replace("-", "−"),
        )
    if cost["words_per_second"]:
        yield f"{cost['words_per_second']:,.0f}", "words a second, tagging"
    yield f"{cost['peak_memory'] / 2**20:,.0f} MB", "memory of the whole run, at its peak"


def _cost(cost: Mapping[str, Any]) -> str:
    speed = f"{cost['words_per_second']:,.0f} words/s tagging, " if cost["words_per_second"] else ""
    return (
        f"{speed}{cost['peak_memory'] / 2**20:,.0f} MB at the peak, {cost['seconds']:.1f} s in all "
        f"for {cost['words']:,} words"
    )


def _dot(own: Mapping[str, Any] | None) -> drawing.Dot | None:
    return None if own is None else drawing.Dot(own["strict"]["f1"], *own["strict"]["f1_interval"])


def _with(own: Mapping[str, Any], figure: str) -> str:
    low, high = own[f"{figure}_interval"]
    return f"{own[figure]:.3f} ({low:.3f}–{high:.3f})"


def _difference(own: Mapping[str, Any]) -> str:
    low, high = own["f1_interval"]
    return f"{own['f1']:+.3f} ({low:+.3f}…{high:+.3f})".replace("-", "−")


# Markdown and the terminal ---------------------------------------------------------------------------


def summary(report: Mapping[str, Any]) -> Table:
    """What is to be known at a glance."""
    rows = []
    for group in ("all", "languages", "sources", "forms"):
        for name, own in report[group].items() if group != "all" else [("all", report["all"])]:
            strict = own["system"]["strict"]
            row = [
                name if group == "all" else f"{_group(report, group)} {_short(name)}",
                f"{own['system']['counts']['gold']:,}",
                _with(strict, "f1"),
                f"{strict['precision']:.3f}",
                f"{strict['recall']:.3f}",
            ]
            if report["baseline"]:
                row += [f"{own['baseline']['strict']['f1']:.3f}", _difference(own["difference"])]
            rows.append(row)
    columns = ["", "gold", "F1 (95 %)", "P", "R"]
    return Table(
        [*columns, report["baseline"]["name"], "difference"] if report["baseline"] else columns, rows
    )


def terminal(report: Mapping[str, Any], cost: Mapping[str, Any]) -> str:
    """A short table, the outcomes, the gates and the cost."""
    table = summary(report)
    cells = [[str(cell) for cell in row] for row in (table.columns, *table.rows)]
    widths = [max(len(row[k]) for row in cells) for k in range(len(table.columns))]
    lines = [
        "  ".join(
            cell.rjust(width) if k else cell.ljust(width)
            for k, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in cells
    ]
    lines += [_outcomes(report), _cost(cost)]
    return "\n".join([*lines, *(_gate(gate) for gate in report["gates"])])


def markdown(report: Mapping[str, Any], cost: Mapping[str, Any]) -> str:
    """The report in short, to be put into a pull request."""
    table = summary(report)
    rule = ["---", *["---:"] * (len(table.columns) - 1)]
    against = f" against {_plain(report['baseline']['name'])}" if report["baseline"] else ""
    parts = [
        f"## {_nouns(report)[1].capitalize()} found by {_plain(report['system']['name'])}{against}\n",
        f"Strict: the same start and end. {_outcomes(report)} {_cost(cost)}.\n",
        *(f"- {_gate(gate)}" for gate in report["gates"]),
        "" if report["gates"] else None,
        *(_row(map(_plain, row)) for row in (table.columns, rule, *table.rows)),
        f"\n### The {min(IN_MARKDOWN, len(report['errors']))} surest of {len(report['errors']):,} errors\n",
    ]
    if report["errors"]:
        parts += [_row(("id:start", "outcome", _form(report), "context", "said")), _row(["---"] * 5)]
    for item in report["errors"][:IN_MARKDOWN]:
        line = _line(item)
        context = _code(f"{line.before}⟦{line.text}⟧{line.after}")
        parts.append(_row((_code(line.id), line.outcome, line.form, context, _code(line.said))))
    return "\n".join(part for part in parts if part is not None) + "\n"


def _outcomes(report: Mapping[str, Any]) -> str:
    told = ", ".join(f"{report['outcomes'][key]:,} {_OUTCOMES[key]}" for key in _outcome_keys(report))
    lost = sum(row["times"] for row in report["not_carried"])
    carried = f" {lost:,} gold {_nouns(report)[1]} are not whole tokens." if lost else ""
    return f"{told}.{carried}"


def _gate(gate: Mapping[str, Any]) -> str:
    return f"{'passed' if gate['passed'] else 'FAILED'} {gate['gate']}: {gate['line']}"


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _plain(text: str) -> str:
    """Text that Markdown does not read as anything else."""
    return " ".join(text.split()).replace("<", "&lt;").replace("|", "\\|")


def _code(text: str) -> str:
    text = " ".join(text.split()).replace("|", "\\|").replace("`", "'")
    return f"`{text}`" if text else ""
