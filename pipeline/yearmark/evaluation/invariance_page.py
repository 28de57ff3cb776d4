"""The report of the invariance experiments: figures, and words that state what the figures say.

No result is written down here: every sentence about one is made from the results that are given.
"""

from __future__ import annotations

import json
import textwrap
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from yearmark.evaluation import drawing
from yearmark.evaluation.config import Invariance
from yearmark.evaluation.page import Figure, Panel, Table, render
from yearmark.evaluation.splits import FARTHEST, LONGEST, PLACES, SHORTEST, doubling
from yearmark.training.encoders import UNITS

ENOUGH = 0.9  # the F1 up to which a memory is said to reach, and for which the sentences are counted
FALL = 0.02  # a position gap that is no accident
KEPT = 0.98  # of its F1 a recurrent encoder is expected to keep at the longest length
STAYS = 0.99  # of the published model's decisions are to be the same everywhere
# Half of the numbers are years: "a year" to all of them has precision 1/2 and recall 1.
GUESS = ("“year” to every number", 2 / 3)
FORMAT = 1  # of published.json
_WHERE = dict(zip(PLACES, ("at the beginning", "in the middle", "at the end"), strict=True))


def write(output: Path, published: Path) -> Path:
    """Write the page of ``output/results.json`` beside it.

    ``published`` is the file of `benchmarks/position.py`; without it the page says how to make it.
    """
    results = json.loads((output / "results.json").read_text(encoding="utf-8"))
    measured = json.loads(published.read_text(encoding="utf-8")) if published.is_file() else None
    if measured and measured.get("format") != FORMAT:
        raise ValueError(
            f"{published} has format {measured.get('format')!r}; this version of yearmark reads format "
            f"{FORMAT}. Write it anew with: make bench-position"
        )
    path = output / "invariance.html"
    path.write_text(page(results, measured), encoding="utf-8")
    return path


def page(results: Mapping[str, Any], published: Mapping[str, Any] | None) -> str:
    """The whole page."""
    run = Run(results)
    model = Published(published) if published else None
    return render(
        "invariance.html",
        run=run,
        tiles=[*tiles(run), *(model.tiles() if model else [])],
        farthest=FARTHEST,
        enough=ENOUGH,
        training=run.config.training,
        tests=run.config.tests,
        length_words=length_words(run),
        position_words=position_words(run),
        memory_words=memory_words(run),
        example_words=example_words(run),
        form_words=form_words(run),
        real_words=real_words(run),
        parameter_words=parameter_words(run),
        expectations=expectations(run),
        gaps=gaps(run),
        lengths=lengths(run),
        heat=heat(run),
        memory=memory(run, "memory", ""),
        practised=memory(run, "practised", "practised "),
        examples=examples(run),
        forms=forms(run),
        real=real(run) if run.has("real/0") else None,
        parameters=parameters(run),
        published=model,
    )


class Run:
    """The results, by encoder and cell, and the encoders in families."""

    def __init__(self, results: Mapping[str, Any]) -> None:
        self.config = Invariance.model_validate(results["config"])
        self.encoders: Mapping[str, Mapping[str, Any]] = results["encoders"]
        self.names = list(self.encoders)
        settings = self.config.encoders
        self.recurrent = [name for name in self.names if settings[name].name in UNITS]
        self.others = [name for name in self.names if name not in self.recurrent]
        self.carried = [name for name in self.names if settings[name].carry]
        self.lengths = doubling(LONGEST, self.config.tests.longest)
        self.longest = self.lengths[-1]

    def has(self, cell: str) -> bool:
        """Whether it was tested at all."""
        return cell in self.encoders[self.names[0]]["cells"]

    def cell(self, name: str, cell: str) -> Mapping[str, Any] | None:
        """An encoder's figures; None where it cannot read."""
        found: Mapping[str, Any] | None = self.encoders[name]["cells"][cell]
        return found

    def f1(self, name: str, cell: str) -> float | None:
        found = self.cell(name, cell)
        return None if found is None else found["f1"]

    def kept(self, name: str, cell: str, of: str = "seen") -> float | None:
        """The share of its F1 in the cell ``of`` that an encoder has in another one."""
        base, found = self.f1(name, of), self.f1(name, cell)
        return found / base if base and found is not None else None

    def of(self, names: Iterable[str], value: Callable[[str], float | None]) -> dict[str, float]:
        """The values of those encoders that have one."""
        return {name: found for name in names if (found := value(name)) is not None}

    @property
    def families(self) -> dict[str, list[str]]:
        """Encoders that are drawn together, by the heading of their panel."""
        families: dict[str, list[str]] = {}
        for name in self.names:
            families.setdefault(self._family(name), []).append(name)
        return families

    def _family(self, name: str) -> str:
        settings = self.config.encoders[name]
        if name not in self.recurrent:
            return "Not recurrent"
        parts = ["Recurrent, both directions" if settings.bidirectional else "Recurrent, one direction"]
        if settings.layers > 1:
            parts.append(f"{settings.layers} layers")
        if self.carried and not settings.carry:
            parts.append("always from the state 0")
        return ", ".join(parts)


# Figures -------------------------------------------------------------------------------------------


def gaps(run: Run) -> Figure:
    """Both gaps of every encoder, mean and range of the seeds."""
    series = []
    for which in ("position", "length"):
        found = [run.encoders[name]["gaps"][which] for name in run.names]
        row = [gap and drawing.Dot(gap["gap"], min(gap["seeds"]), max(gap["seeds"])) for gap in found]
        series.append((f"{which} gap", row))
    title = "The two gaps of every encoder"
    rows = []
    for name in run.names:
        encoder = run.encoders[name]
        position, length = (encoder["gaps"][which] for which in ("position", "length"))
        rows.append(
            [
                name,
                f"{encoder['parameters']:,}",
                _seeds(run.cell(name, "seen")),
                _gap(position),
                position["worst"].rpartition("/")[2] if position else "",
                _gap(length),
                _tokens(length["worst"]) if length else "",
                _f1(run.f1(name, f"length/{run.longest}")),
                _share(run.kept(name, f"length/{run.longest}")),
            ]
        )
    columns = (
        "encoder", "parameters", "F1 as in training", "position gap", "worst tenth", "length gap",
        "worst length", f"F1 at {run.longest:,} tokens", "kept there",
    )  # fmt: skip
    return Figure(
        "gaps",
        title,
        "F1 on what was seen in training minus the worst F1 on what was not: the nearer to 0, the better. "
        f"The dot is the mean of {_count(run.config.seeds, 'training')} with different seeds, the line, and "
        "in the table the bracket, their range. Lengths and positions that an encoder cannot read at all are "
        "not counted.",
        [Panel(drawing.dots("gaps", title, f"{_list(run.names)}.", run.names, series, x_label="gap in F1"))],
        Table(columns, rows),
    )


def lengths(run: Run) -> Figure:
    """F1 against length."""
    return _curves(
        run,
        "length",
        "F1 against the length of the sentence",
        f"Training never goes past {LONGEST} tokens, the first point. Each point stands for lengths above "
        "half of its own up to its own. Bands are 95 % intervals; a line that ends in a bar is an encoder "
        "that can read no further.",
        {length: f"length/{length}" for length in run.lengths},
        "tokens in the sentence, at most",
    )


def memory(run: Run, key: str, prefix: str) -> Figure:
    """F1 against the distance from the decisive word."""
    low, high = run.config.training.practice
    title, caption = {
        "memory": (
            "F1 against memory, after the usual training",
            "In training the word stands at most 9 tokens before its number. Here it stands farther.",
        ),
        "practised": (
            "F1 against memory, after training that practises it",
            f"The same encoders, trained on sentences of which three in ten have their word {low} to {high} "
            "tokens before the number.",
        ),
    }[key]
    return _curves(
        run,
        key,
        title,
        caption + " The dotted line is what one gets who does not know the word and calls every number a "
        "year.",
        {distance: f"{prefix}memory/{distance}" for distance in doubling(1, run.config.tests.memory)},
        "tokens from the decisive word to the number",
    )


def examples(run: Run) -> Figure:
    """F1 against the number of training sentences."""
    loop = run.config.training
    counts = sorted({loop.sentences, *loop.fewer_and_more})
    return _curves(
        run,
        "examples",
        "F1 against the number of training sentences",
        f"On sentences as in training. Every training has {loop.steps:,} steps of {loop.batch} sentences, "
        "however few there are to draw from.",
        {count: f"sentences/{count}" for count in counts},
        "training sentences",
    )


def _curves(run: Run, key: str, title: str, caption: str, cells: Mapping[int, str], x_label: str) -> Figure:
    """A panel of lines for each family; the x of each point and its cell."""
    panels = []
    for number, (family, names) in enumerate(run.families.items(), 1):
        series = []
        for name in names:
            found = [run.cell(name, cell) for cell in cells.values()]
            y = [None if one is None else one["f1"] for one in found]
            intervals = [None if one is None else one["interval"] for one in found]
            series.append(drawing.Line(name, list(cells), y, intervals))
        svg = drawing.lines(
            f"{key}-{number}",
            f"{title}: {family}",
            f"{_list(names)}; the data are in the table below.",
            series,
            x_label=x_label,
            reference=GUESS,
        )
        panels.append(Panel(svg, family))
    rows = [[name, *(_interval(run.cell(name, cell)) for cell in cells.values())] for name in run.names]
    return Figure(key, title, caption, panels, Table(["encoder", *(f"{x:,}" for x in cells)], rows))


def heat(run: Run) -> Figure:
    """A heat map of length × position for every encoder."""
    title, tenths = "Where in the sentence: length × position", range(1, 11)
    names = [_tokens(f"length/{length}") for length in run.lengths]
    panels, rows = [], []
    for number, name in enumerate(run.names, 1):
        values = [[run.f1(name, f"length/{length}/{tenth}") for tenth in tenths] for length in run.lengths]
        svg = drawing.heat_map(
            f"heat-{number}",
            f"{title}: {name}",
            "A row for each length, a column for each tenth; the data are in the table below.",
            values,
            names,
            [str(tenth) for tenth in tenths],
            x_label="tenth of the sentence",
            y_label="tokens",
            outlined=(5, 1),
        )
        panels.append(Panel(svg, f"{name} · {run.encoders[name]['parameters']:,} parameters"))
        for length, own in zip(run.lengths, names, strict=True):
            cells = (run.cell(name, f"length/{length}/{tenth}") for tenth in tenths)
            rows.append([f"{name}, {own} tokens", *map(_interval, cells)])
    return Figure(
        "heat",
        title,
        "F1 in per cent, for a number in each tenth of sentences of each length. The outline holds what was "
        "seen in training: short sentences, numbers in their first half. Hatched: the encoder has no weights "
        "for such a length and cannot read it.",
        panels,
        Table(["encoder and length", *(f"tenth {tenth}" for tenth in tenths)], rows),
    )


def forms(run: Run) -> Figure:
    """F1 on years never seen, by form."""
    cells = {cell.removeprefix("years/"): cell for cell in _cells(run, "years/")}
    columns = {"as in training": "seen", **cells}
    title = "Years never seen in training, by form"
    svg = drawing.heat_map(
        "forms",
        title,
        "A row for each encoder, a column for each form of the number; the data are in the table below.",
        [[run.f1(name, cell) for cell in columns.values()] for name in run.names],
        run.names,
        [textwrap.fill(name, 10) for name in columns],
        cell=(64, 22),
    )
    return Figure(
        "forms",
        title,
        "F1 in per cent, in sentences that are otherwise as in training. Training has four-digit years from "
        "1500 to 1999 and two-digit ones from '50 to '99; none of the other columns was ever shown.",
        [Panel(svg)],
        Table(["encoder", *columns], _interval_rows(run, columns.values())),
    )


def real(run: Run) -> Figure:
    """F1 on real sentences inside neutral text, by place and distance."""
    title = "Real sentences inside neutral text"
    around = [count for count in run.config.tests.around if count]
    panels = []
    for number, place in enumerate(_WHERE, 1):
        cells = ["real/0", *(f"real/{count}/{place}" for count in around)]
        svg = drawing.heat_map(
            f"real-{number}",
            f"{title}: {_WHERE[place]}",
            "A row for each encoder, a column for each number of tokens; the data are in the table below.",
            [[run.f1(name, cell) for cell in cells] for name in run.names],
            run.names,
            ["alone", *(f"{count:,}" for count in around)],
            x_label="neutral tokens around it",
            cell=(40, 22),
        )
        panels.append(Panel(svg, f"{_WHERE[place]} of the text".capitalize()))
    columns = {"alone": "real/0"} | {
        f"{count:,} tokens, {place}": f"real/{count}/{place}" for count in around for place in PLACES
    }
    return Figure(
        "real",
        title,
        "F1 in per cent on sentences of up to 30 tokens from a development corpus, with so many neutral "
        "tokens before and behind them together. The encoders saw no real sentence in training: what counts "
        "is the change from left to right, not the height.",
        panels,
        Table(["encoder", *columns], _interval_rows(run, columns.values())),
    )


def parameters(run: Run) -> Figure:
    """Parameters an encoder needs to read sentences up to a length."""
    counts = {name: list(run.encoders[name]["parameters_up_to"].values()) for name in run.names}
    series = [drawing.Line(name, run.lengths, own) for name, own in counts.items() if len(set(own)) > 1]
    for kind, names in (("other", run.others), ("recurrent", run.recurrent)):
        constant = [counts[name][0] for name in names if len(set(counts[name])) == 1]
        if constant:
            bands = [(min(constant), max(constant))] * len(run.lengths)
            middle = [sorted(constant)[len(constant) // 2]] * len(run.lengths)
            label = f"constant: {_count(len(constant), f'{kind} encoder')}"
            series.append(drawing.Line(label, run.lengths, middle, bands))
    title = "Parameters against the longest sentence that can be read"
    svg = drawing.lines(
        "parameters",
        title,
        f"{_list(line.name for line in series)}; the data are in the table below.",
        series,
        x_label="longest sentence, tokens",
        y_label="parameters",
        log_y=True,
        y_range=None,
    )
    rows = [[name, *(f"{count:,}" for count in own)] for name, own in counts.items()]
    return Figure(
        "parameters",
        title,
        "Both axes are logarithmic. Computed, not trained: what each encoder would need at the width that it "
        "has in the experiment. Encoders whose count is constant share a line, their median, with a band "
        "from the least to the greatest.",
        [Panel(svg)],
        Table(["encoder", *(f"{length:,}" for length in run.lengths)], rows),
    )


# Words ---------------------------------------------------------------------------------------------


def length_words(run: Run) -> list[str]:
    """What the lengths never seen say."""
    cell = f"length/{run.longest}"
    times = f"{run.longest // LONGEST:,} times the longest training sentence"
    words = []
    for names, kind in ((run.recurrent, "recurrent"), (run.others, "other")):
        kept = run.of(names, lambda name: run.kept(name, cell))
        if kept:
            good = [name for name, share in kept.items() if share >= KEPT]
            words.append(
                f"At {run.longest:,} tokens, {times}, {_of_them(len(kept), len(names), kind)} can read and "
                f"keep {_spread(kept, _percent)} of the F1 that they have on sentences as in training; "
                f"{_how_many(len(good), len(kept))} {_percent(KEPT, 0)} or more."
            )
    for name in run.names:
        readable = [length for length in run.lengths if run.cell(name, f"length/{length}")]
        if readable[-1:] != [run.longest]:
            weights = f"{name} has weights for {run.config.encoders[name].longest:,} tokens"
            words.append(f"{weights}; what is longer it cannot read.")
    return words


def position_words(run: Run) -> list[str]:
    """What the positions never seen say."""
    words = []
    for names, kind in ((run.recurrent, "recurrent encoders"), (run.others, "others")):
        found = run.of(names, lambda name: _value(run.encoders[name]["gaps"]["position"]))
        if found:
            words.append(f"The position gap of the {kind} is {_spread(found)}.")
    return words


def memory_words(run: Run) -> list[str]:
    """How far each memory reaches."""
    words = []
    for family, names in run.families.items():
        parts = [
            f"{name}: {_count(_reach(run, name), 'token')}, practised {_reach(run, name, 'practised '):,}"
            for name in names
        ]
        words.append(f"{family}. {_list(parts)}.")
    return words


def example_words(run: Run) -> list[str]:
    """How few sentences are enough."""
    loop = run.config.training
    needed: dict[int, list[str]] = {}
    for name in run.names:
        counts = sorted({loop.sentences, *loop.fewer_and_more})
        enough = [n for n in counts if (run.f1(name, f"sentences/{n}") or 0) >= ENOUGH]
        needed.setdefault(min(enough, default=0), []).append(name)
    never = needed.pop(0, [])
    words = [
        f"{n:,} sentences are the fewest tried that give an F1 of {ENOUGH} to: {_list(names)}."
        for n, names in sorted(needed.items())
    ]
    return words + ([f"No number tried gives it to: {_list(never)}."] if never else [])


def form_words(run: Run) -> list[str]:
    """Which forms never seen are read, and which are not."""
    means = {}
    for cell in _cells(run, "years/"):
        found = [f1 for name in run.names if (f1 := run.f1(name, cell)) is not None]
        means[cell.removeprefix("years/")] = sum(found) / max(1, len(found))
    parts = [f"{form} ({means[form]:.2f})" for form in sorted(means, key=lambda form: -means[form])]
    return [f"From the best read to the worst, with the mean F1 of all encoders: {', '.join(parts)}."]


def real_words(run: Run) -> list[str]:
    """What neutral text does to real sentences."""
    if not run.has("real/0"):
        return []
    most = max(run.config.tests.around)
    words = []
    for names, kind in ((run.recurrent, "recurrent encoders"), (run.others, "others")):
        kept = run.of(names, lambda name: run.kept(name, f"real/{most}", "real/0"))
        if kept:
            words.append(
                f"With {most:,} neutral tokens around them, {len(kept)} of the {len(names)} {kind} keep "
                f"{_spread(kept, _percent)} of the F1 that they have on the sentences alone."
            )
        if cannot := [name for name in names if run.f1(name, f"real/{most}") is None]:
            words.append(f"{_list(cannot)} cannot read so much.")
    return words


def parameter_words(run: Run) -> list[str]:
    """How equal the budgets are, and which of them grow."""
    counts = {name: run.encoders[name]["parameters"] for name in run.names}
    more = max(counts.values()) / min(counts.values()) - 1
    words = [
        f"The encoders as trained have {_spread(counts, '{:,}'.format)} parameters: the greatest has "
        f"{_percent(more, 0)} more than the least."
    ]
    for name in run.names:
        by_length = list(run.encoders[name]["parameters_up_to"].values())
        if len(set(by_length)) > 1:
            words.append(
                f"For {run.longest:,} tokens instead of {LONGEST}, {name} needs {by_length[-1]:,} parameters "
                f"instead of {by_length[0]:,}."
            )
    return words


class Tile(NamedTuple):
    """A figure for the top of the page, and what it is."""

    value: str
    words: str


def tiles(run: Run) -> list[Tile]:
    """The result in a few figures."""
    cell, found = f"length/{run.longest}", []
    for names, kind in ((run.recurrent, "recurrent"), (run.others, "other")):
        if not names:
            continue
        kept = run.of(names, lambda name: run.kept(name, cell))
        good = sum(share >= KEPT for share in kept.values())
        cannot = sum(run.f1(name, cell) is None for name in names)
        words = f"{kind} encoders keep {_percent(KEPT, 0)} or more of their F1 at {run.longest:,} tokens"
        found.append(
            Tile(f"{good} of {len(names)}", words + (f"; {cannot} cannot read them." if cannot else "."))
        )
    lost = {
        kind: f"{_signed(min(gaps))} … {_signed(max(gaps))}"
        for names, kind in ((run.recurrent, "recurrent encoders"), (run.others, "others"))
        if (gaps := run.of(names, lambda name: _value(run.encoders[name]["gaps"]["position"])).values())
    }
    if lost:
        (kind, value), *rest = lost.items()
        words = f"of F1 is what the {kind} lose at positions never seen"
        found.append(Tile(value, "; ".join([words, *(f"the {other} {own}" for other, own in rest)]) + "."))
    return found


class Expectation(NamedTuple):
    """What was expected before the run, what came out, and whether it is so."""

    expected: str
    found: str
    verdict: str


def expectations(run: Run) -> list[Expectation]:
    """The project's expectations beside what was found."""
    rows = []
    gaps = run.of(run.names, lambda name: _value(run.encoders[name]["gaps"]["position"]))
    cell = f"length/{run.longest}"
    if run.recurrent:
        kept = {name: run.kept(name, cell) or 0.0 for name in run.recurrent}
        less = [f"{name} ({_percent(share)})" for name, share in kept.items() if share < KEPT]
        count = len(kept) - len(less)
        rows.append(
            Expectation(
                f"The recurrent encoders keep at least {_percent(KEPT, 0)} of their F1 at {run.longest:,} "
                f"tokens after training on at most {LONGEST}.",
                f"{count} of {len(kept)} do" + (f"; less: {_list(less)}." if less else "."),
                _verdict(count, len(kept)),
            )
        )
    least = min((gaps[name] for name in run.recurrent if name in gaps), default=0.0)
    for name in run.names:
        if run.config.encoders[name].name == "feedforward":
            stops, gap = run.f1(name, cell) is None, gaps.get(name)
            loses = gap is not None and gap > max(least, FALL)
            can = f"It {'cannot' if stops else 'can'} read {run.longest:,} tokens."
            lost = "It reads no such position." if gap is None else f"Its position gap is {_signed(gap)}."
            rows.append(
                Expectation(
                    f"{name} cannot read past its {run.config.encoders[name].longest:,} positions, and falls "
                    "at positions never seen within them.",
                    f"{can} {lost}",
                    _verdict(stops + loses, 2),
                )
            )
    rivals = [pair for names in run.families.values() for pair in _rivals(run, names)]
    for prefix, training in (("", "the usual training"), ("practised ", "practice")):
        pairs = [(gated, _reach(run, plain, prefix), _reach(run, gated, prefix)) for plain, gated in rivals]
        if pairs:
            not_longer = [f"{gated} ({own:,} against {its:,})" for gated, its, own in pairs if own <= its]
            count = len(pairs) - len(not_longer)
            rows.append(
                Expectation(
                    f"After {training} GRU and LSTM remember farther than the plain RNN of their kind.",
                    f"{count} of {len(pairs)} do"
                    + (f"; no farther: {_list(not_longer)}, in tokens." if not_longer else "."),
                    _verdict(count, len(pairs)),
                )
            )
    return rows


def _rivals(run: Run, names: Iterable[str]) -> list[tuple[str, str]]:
    """The plain RNN of a family with each of its gated encoders."""
    by_unit: dict[str, list[str]] = {}
    for name in names:
        by_unit.setdefault(run.config.encoders[name].name, []).append(name)
    gated = [*by_unit.get("gru", []), *by_unit.get("lstm", [])]
    return [(plain, other) for plain in by_unit.get("rnn", []) for other in gated]


# The published model -------------------------------------------------------------------------------


class Published:
    """What `benchmarks/position.py` measured, as tables, a figure and words."""

    def __init__(self, measured: Mapping[str, Any]) -> None:
        self.languages: Mapping[str, Any] = measured["languages"]
        self.words = list(self._words())
        self.figure = self._figure()

    def tiles(self) -> Iterable[Tile]:
        """The share of decisions that stay, where it is lowest."""
        cells = self._cells()
        if cells:
            lowest, enough = min(cell[3] for cell in cells), sum(cell[3] >= STAYS for cell in cells)
            yield Tile(
                _percent(lowest),
                "of the published model's year decisions stay the same inside neutral text, at the least; "
                f"in {enough} of {len(cells)} cases {_percent(STAYS, 0)} or more.",
            )

    def _cells(self) -> list[tuple[str, str, int, float, Mapping[str, int]]]:
        """Language, kind of text, distance, share and counts of every cell with neutral text in it."""
        return [
            (language, kind, int(distance), row["same"] / row["decisions"], row)
            for language, own in self.languages.items()
            for kind, by_distance in own["counts"].items()
            for distance, row in by_distance.items()
            if row["decisions"] and int(distance)
        ]

    def _words(self) -> Iterable[str]:
        cells = self._cells()
        if not cells:
            return
        language, kind, distance, share, row = min(cells, key=lambda cell: cell[3])
        enough = sum(cell[3] >= STAYS for cell in cells)
        yield (
            f"In {enough} of the {len(cells)} combinations of language, kind of text and distance at least "
            f"{_percent(STAYS, 0)} of the year decisions stay the same. The lowest share is "
            f"{_percent(share, 2)} ({_name(language)}, {kind}, {distance:,} tokens on each side): "
            f"{row['same']:,} of {row['decisions']:,} decisions."
        )
        for language, own in self.languages.items():
            decisions = max(row["decisions"] for at, _, _, _, row in cells if at == language)
            yield (
                f"{_name(language)}: {own['sentences']:,} sentences, up to {decisions:,} decisions in each; "
                f"{_count(len(own['changed']), 'decision')} changed in at least one of them."
            )

    def _figure(self) -> Figure:
        title = "Decisions of the published model that stay the same"
        cells = self._cells()
        lowest = min((cell[3] for cell in cells), default=1.0)
        panels = []
        for number, (language, own) in enumerate(self.languages.items(), 1):
            series = []
            for kind in own["counts"]:
                points = [(cell[2], cell[3]) for cell in cells if cell[:2] == (language, kind)]
                if points:
                    series.append(drawing.Line(kind, *zip(*points, strict=True)))
            svg = drawing.lines(
                f"published-{number}",
                f"{title}: {_name(language)}",
                f"{_list(own['counts'])}; the data are in the table below.",
                series,
                x_label="neutral tokens on each side",
                y_label="same decisions",
                y_range=(min(lowest, 0.98), 1),
                reference=(f"{STAYS}", STAYS),
            )
            panels.append(Panel(svg, _name(language)))
        rows = [
            [
                f"{_name(language)}, {kind}, {distance:,}",
                f"{row['decisions']:,}",
                f"{row['same']:,}",
                f"{share:.4f}",
                f"{row['numbers_around']:,}",
                f"{row['tagged_around']:,}",
            ]
            for language, kind, distance, share, row in cells
        ]
        columns = (
            "language, neutral text, tokens", "decisions", "the same", "share",
            "numbers in the neutral text", "of them tagged",
        )  # fmt: skip
        return Figure(
            "published",
            title,
            "Every sentence of the development files is tagged alone and again with so many neutral tokens "
            "before it and as many behind it. A decision is a span tagged in either case; it stays if it is "
            "tagged in both. Note where the axis begins.",
            panels,
            Table(columns, rows),
        )

    @property
    def changed(self) -> list[dict[str, Any]]:
        """The decisions that are another one somewhere, in both directions."""
        return [
            {
                **note,
                "language": _name(language),
                "where": "; ".join(
                    f"{kind}: {', '.join(f'{distance:,}' for distance in distances)}"
                    for kind, distances in note["in"].items()
                ),
            }
            for language, own in self.languages.items()
            for note in own["changed"]
        ]


# Small parts ---------------------------------------------------------------------------------------


def _reach(run: Run, name: str, prefix: str = "") -> int:
    """The greatest distance up to which F1 is never under ENOUGH; 0 where it is so at once."""
    reach = 0
    for distance in doubling(1, run.config.tests.memory):
        if (run.f1(name, f"{prefix}memory/{distance}") or 0) < ENOUGH:
            break
        reach = distance
    return reach


def _cells(run: Run, prefix: str) -> list[str]:
    return [cell for cell in run.encoders[run.names[0]]["cells"] if cell.startswith(prefix)]


def _interval_rows(run: Run, cells: Iterable[str]) -> list[list[str]]:
    cells = list(cells)
    return [[name, *(_interval(run.cell(name, cell)) for cell in cells)] for name in run.names]


def _interval(cell: Mapping[str, Any] | None) -> str:
    if cell is None:
        return "cannot"
    low, high = cell["interval"]
    return f"{cell['f1']:.3f} ({low:.3f}–{high:.3f})"


def _seeds(cell: Mapping[str, Any] | None) -> str:
    if cell is None:
        return "cannot"
    return f"{cell['f1']:.3f} ({min(cell['seeds']):.3f}–{max(cell['seeds']):.3f})"


def _gap(gap: Mapping[str, Any] | None) -> str:
    if gap is None:
        return "cannot"
    return f"{_signed(gap['gap'])} ({_signed(min(gap['seeds']))}…{_signed(max(gap['seeds']))})"


def _value(gap: Mapping[str, Any] | None) -> float | None:
    return None if gap is None else gap["gap"]


def _f1(value: float | None) -> str:
    return "cannot" if value is None else f"{value:.3f}"


def _share(value: float | None) -> str:
    return "" if value is None else _percent(value)


def _percent(share: float, digits: int = 1) -> str:
    return f"{100 * share:.{digits}f}\N{NO-BREAK SPACE}%"


def _signed(value: float) -> str:
    return f"{value:.3f}".replace("-", "−")


def _tokens(cell: str) -> str:
    """The lengths for which a cell stands.

    >>> _tokens("length/20"), _tokens("length/10240")
    ('5–20', '5,121–10,240')
    """
    length = int(cell.split("/")[1])
    return f"{SHORTEST if length == LONGEST else length // 2 + 1:,}–{length:,}"


def _name(language: str) -> str:
    return {"en": "English", "ko": "Korean"}.get(language, language)


def _list(names: Iterable[str]) -> str:
    return "; ".join(names)  # there are commas in the names of encoders


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _of_them(number: int, total: int, kind: str) -> str:
    encoders = "encoder" if total == 1 else "encoders"
    return f"{number} of the {total} {kind} {encoders}"


def _how_many(number: int, total: int) -> str:
    if number == total:
        return "all of them keep" if total > 1 else "it keeps"
    return f"{number} of {total} keep" if number else "none of them keeps"


def _spread(values: Mapping[str, float], form: Callable[[float], str] = _signed) -> str:
    """From the least to the greatest, each with its name."""
    low, high = (pick(values, key=lambda name: values[name]) for pick in (min, max))
    if form(values[low]) == form(values[high]):
        return form(values[low])
    return f"from {form(values[low])} ({low}) to {form(values[high])} ({high})"


def _verdict(number: int, total: int) -> str:
    return "as expected" if number == total else "partly" if number else "otherwise"
