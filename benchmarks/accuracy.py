"""The scoreboard: this tool and its peers on gold files, side by side (`make bench-accuracy`).

Everything that is counted is counted a document, so that the intervals are drawn over documents.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import click
import numpy as np
from rich.console import Console
from tqdm import tqdm

import yearmark
from peers import EXPRESSIONS, PEERS, Finder, Peer
from tables import Table, markdown, show
from yearmark.evaluation.forms import form
from yearmark.evaluation.measures import (
    RESAMPLES,
    SEED,
    calibration_error,
    figures,
    p_value,
    reliability,
    rounded,
    thresholds,
)
from yearmark.training.document import Document, Mark
from yearmark.training.scores import Counts, Span, count

Answer = tuple[int, int, str | None]  # start, end, value

ROOT = Path(__file__).parents[1]
_DEV, _TRAPS = ROOT.parent / "shared/corpora", ROOT / "data/traps"
GOLD = (_DEV / "years-en.dev.jsonl", _DEV / "years-ko.dev.jsonl", _TRAPS / "en.jsonl", _TRAPS / "ko.jsonl")
OUTPUT = ROOT / "docs/accuracy"
OURS = "yearmark"
DRAWS = 5  # variants of each year, and of each text's spaces
REACH = 20  # characters of context on each side of an error: enough to see its kind, no text copied
THRESHOLDS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99)


@dataclass(frozen=True, slots=True)
class Case:
    """A gold document, and the group of its file in which it is counted: its kind, else its source."""

    document: Document
    group: str
    is_trap: bool

    @property
    def text(self) -> str:
        return self.document.text

    @property
    def years(self) -> Sequence[Mark]:
        return self.document.marks["years"]


def read_cases(path: Path) -> list[Case]:
    """The documents of a gold file; those of the traps name their ``kind``."""
    cases = []
    with path.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            if line.strip():
                record = json.loads(line)
                document = Document.from_record({"years": [], **record}, f"{path}:{number}")
                kind = record.get("kind")
                cases.append(Case(document, kind or document.source or "unnamed", kind is not None))
    return cases


# Figures ---------------------------------------------------------------------------------------


def count_each(
    cases: Sequence[Case], answers: Sequence[Sequence[Answer]], only: str | None = None
) -> list[Counts]:
    """The counts of each document, of all years or of those, gold and answered, of one form."""
    return [
        count(
            [m for m in case.years if m.optional or only in (None, form(case.text[m.start : m.end]))],
            [a for a in answer if only in (None, form(case.text[a[0] : a[1]]))],
        )
        for case, answer in zip(cases, answers, strict=True)
    ]


def score(cases: Sequence[Case], answers: Sequence[Sequence[Answer]]) -> dict[str, Any]:
    """A system's figures on one gold file: all, by group, by form."""
    counts = count_each(cases, answers)
    groups: dict[str, list[Counts]] = {}
    for case, own in zip(cases, counts, strict=True):
        groups.setdefault(case.group, []).append(own)
    forms = Counter(form(case.text[m.start : m.end]) for case in cases for m in case.years if not m.optional)
    return {
        "all": figures(counts),
        "groups": {name: figures(own, "f1") for name, own in groups.items()},
        "forms": {name: figures(count_each(cases, answers, name), "f1") for name, _ in forms.most_common()},
    }


# Scores and thresholds -------------------------------------------------------------------------


def scored(case: Case, years: Iterable[yearmark.Year]) -> Iterator[tuple[yearmark.Year, bool]]:
    """The answers that count (not those on optional years), each with whether it is right."""
    for year in years:
        one = count(case.years, [(year.start, year.end, None)])
        if one.predicted:
            yield year, bool(one.strict)


def calibration(cases: Sequence[Case], candidates: Sequence[Sequence[yearmark.Year]]) -> dict[str, Any]:
    """Reliability of the scores of all candidates (``min_score=0``), and what a threshold on them gives."""
    pairs = np.array(
        [
            (y.score, right)
            for case, own in zip(cases, candidates, strict=True)
            for y, right in scored(case, own)
        ],
        dtype=float,
    ).reshape(-1, 2)
    gold = sum(not mark.optional for case in cases for mark in case.years)
    return {
        "candidates": len(pairs),
        "error": calibration_error(pairs),
        "error_of_answers": calibration_error(pairs[pairs[:, 0] >= 0.5]),
        "bins": reliability(pairs),
        "thresholds": thresholds(pairs, gold, THRESHOLDS),
    }


# Invariance ------------------------------------------------------------------------------------


class Variant(NamedTuple):
    """A text changed: behind ``place`` everything lies ``shift`` further; ``year`` is the one changed."""

    case: int
    text: str
    place: int = 0
    shift: int = 0
    year: Span | None = None

    def moved(self, span: Span) -> Span:
        start, end = (at + self.shift if at > self.place else at for at in span)
        return start, end


def variants(cases: Sequence[Case]) -> dict[str, list[Variant]]:
    """The texts with each year of digits replaced, in capitals, in lower case, with a space more or less.

    A space between two digits stays: without it there would be another number.
    """
    rng = np.random.default_rng(SEED)
    out: dict[str, list[Variant]] = {
        name: []
        for name in ("four digits", "two digits", "capitals", "lower case", "space more", "space less")
    }
    for k, case in enumerate(cases):
        text = case.text
        for mark in case.years:
            digits = re.search(r"[0-9]+$", text[mark.start : mark.end])
            written = form(text[mark.start : mark.end])
            if mark.optional or digits is None or written not in ("four digits", "two digits"):
                continue
            least, most = (1500, 2080) if written == "four digits" else (0, 99)
            others = [year for year in range(least, most + 1) if year != int(digits[0])]
            for year in rng.choice(others, DRAWS, replace=False):
                changed = f"{text[: mark.start + digits.start()]}{year:02d}{text[mark.end :]}"
                out[written].append(Variant(k, changed, year=(mark.start, mark.end)))
        for name, change in (("capitals", str.upper), ("lower case", str.lower)):
            same_length = (new if len(new := change(c)) == 1 else c for c in text)
            out[name].append(Variant(k, "".join(same_length)))
        spaces = [m.start() for m in re.finditer(r"\s(?!(?<=\d\s)\d)", text)]
        for place in rng.choice(spaces, min(DRAWS, len(spaces)), replace=False) if spaces else ():
            out["space more"].append(Variant(k, f"{text[:place]} {text[place:]}", int(place), 1))
            out["space less"].append(Variant(k, text[:place] + text[place + 1 :], int(place), -1))
    return out


def invariance(
    cases: Sequence[Case], found: Sequence[Sequence[yearmark.Year]], tagger: yearmark.Tagger
) -> dict[str, dict[str, Any]]:
    """How many decisions stay under each kind of change.

    Where a year is replaced, the decision is whether that year is tagged; else the decisions of a
    text are all spans that are gold or tagged before or after the change.
    """
    out = {}
    for name, changed in variants(cases).items():
        decisions = kept = 0
        for variant, years in zip(changed, tagger.pipe(v.text for v in changed), strict=True):
            before = {variant.moved((y.start, y.end)) for y in found[variant.case]}
            after = {(y.start, y.end) for y in years}
            gold = {variant.moved((m.start, m.end)) for m in cases[variant.case].years if not m.optional}
            about = {variant.year} if variant.year else before | after | gold
            decisions += len(about)
            kept += sum((span in before) == (span in after) for span in about)
        out[name] = {"decisions": decisions, "stay": kept, "share": kept / decisions if decisions else None}
    return out


# Errors ----------------------------------------------------------------------------------------


def errors(
    cases: Sequence[Case], found: Sequence[Sequence[yearmark.Year]], kinds: Mapping[str, str]
) -> list[dict[str, Any]]:
    """Every year missed, tagged wrongly or read with another value; ``kinds`` maps "id:start" to a kind."""
    out = []
    for case, own in zip(cases, found, strict=True):
        text, answered = case.text, {(y.start, y.end): y for y in own}
        wrong = [("false", y.start, y.end, "") for y, right in scored(case, own) if not right]
        for mark in (m for m in case.years if not m.optional):
            year = answered.get((mark.start, mark.end))
            if year is None:
                wrong.append(("missed", mark.start, mark.end, ""))
            elif mark.value is not None and year.value != mark.value:
                said = f"{year.value or 'none'} for {mark.value}"
                wrong.append(("value", mark.start, mark.end, said))
        for what, start, end, said in sorted(wrong, key=lambda row: row[1:3]):
            name = case.document.id
            context = f"{text[max(0, start - REACH) : start]}⟦{text[start:end]}⟧{text[end : end + REACH]}"
            row = {"id": name, "start": start, "error": what, "value": said, "context": context}
            out.append({**row, "kind": kinds.get(f"{name}:{start}", "")})
    return out


# One gold file ---------------------------------------------------------------------------------


def ask(name: str, find: Finder, cases: Sequence[Case]) -> tuple[list[list[Answer]], int]:
    """A peer's answers; where it raises it has none, and that is counted."""
    answers: list[list[Answer]] = []
    raised = 0
    for case in tqdm(cases, desc=name, leave=False, disable=None):
        try:
            answers.append([(start, end, None) for start, end in find(case.text)])
        except Exception:  # whatever a peer raises is its own failure
            answers.append([])
            raised += 1
    return answers, raised


def measure(
    cases: Sequence[Case], model: Path | None, finders: Mapping[str, Finder], kinds: Mapping[str, str]
) -> dict[str, Any]:
    """Everything about one gold file, as data."""
    tagger = yearmark.load(model)
    candidates = list(yearmark.load(model, min_score=0).pipe(case.text for case in cases))
    found = list(tagger.pipe(case.text for case in cases))
    answers: dict[str, list[list[Answer]]] = {
        OURS: [[(y.start, y.end, y.value) for y in own] for own in found]
    }
    raised = {}
    for name, find in finders.items():
        answers[name], failures = ask(name, find, cases)
        if failures:
            raised[name] = failures
    systems = {name: score(cases, own) for name, own in answers.items()}
    for name in finders:  # no peer names a year's value in our form
        systems[name]["all"]["value_accuracy"] = None
    best = max(finders, key=lambda name: systems[name]["all"]["f1"])
    return {
        "traps": any(case.is_trap for case in cases),
        "systems": systems,
        "raised": raised,
        "best_peer": best,
        "p_value": p_value(count_each(cases, answers[OURS]), count_each(cases, answers[best])),
        "calibration": calibration(cases, candidates),
        "invariance": invariance(cases, found, tagger),
        "errors": errors(cases, found, kinds),
        "licenses": {case.document.source: case.document.license for case in cases if case.document.license},
    }


# The report ------------------------------------------------------------------------------------


def number(value: float | None) -> str:
    """Three digits behind the point."""
    return "–" if value is None else f"{value:.3f}"


def with_interval(own: Mapping[str, Any], name: str) -> tuple[str, str]:
    """A ratio and its 95 % interval."""
    bounds = own[f"{name}_interval"]
    return number(own[name]), "–" if bounds is None else "–".join(map(number, bounds))


def tables(measured: Mapping[str, Any], wide: bool) -> Iterator[Table]:
    """The tables of one gold file; ``wide``: with all systems by kind of trap, and with the errors."""
    systems, best = measured["systems"], measured["best_peer"]
    whole = {name: system["all"] for name, system in systems.items()}
    raised = "".join(f" {name} raised on {n} documents." for name, n in measured["raised"].items())
    others = ("precision", "recall", "lenient_f1", "value_accuracy")
    yield Table(
        "Strict",
        ("system", "F1", "95 %", "P", "R", "lenient", "value"),
        [(name, *with_interval(w, "f1"), *(number(w[key]) for key in others)) for name, w in whole.items()],
        f"{OURS} against {best}, the best of the others: p = {measured['p_value']:.4f}.{raised}",
    )
    if measured["traps"]:
        yield Table(
            "Traps",
            ("system", "non-years tagged", "95 %", "years found", "95 %"),
            [
                (name, *with_interval(w, "non_years_tagged"), *with_interval(w, "recall"))
                for name, w in whole.items()
            ],
        )
        yield kind_table(systems, [*systems] if wide else [OURS, best])
    else:
        yield part_table("By source, strict F1", "groups", systems)
    yield part_table("By form, strict F1", "forms", systems)
    yield from score_tables(measured["calibration"])
    yield Table(
        "Decisions that stay when the text is changed",
        ("change", "decisions", "stay", "share"),
        [
            (name, str(own["decisions"]), str(own["stay"]), number(own["share"]))
            for name, own in measured["invariance"].items()
        ],
    )
    if wide:
        rows = measured["errors"]
        kinds = Counter(error["kind"] or "not named" for error in rows).most_common()
        notes = [f"By kind: {', '.join(f'{kind} {n}' for kind, n in kinds)}."] if rows else []
        if measured["licenses"]:
            sources = ", ".join(f"{source} ({license})" for source, license in measured["licenses"].items())
            notes.append(f"The contexts are excerpts of {sources}.")
        yield Table(
            f"Errors: {len(rows)}",
            ("id:start", "error", "context", "value", "kind"),
            [(f"{e['id']}:{e['start']}", e["error"], e["context"], e["value"], e["kind"]) for e in rows],
            " ".join(notes),
            code=("id:start", "context"),
        )


def part_table(title: str, part: str, systems: Mapping[str, Any]) -> Table:
    """F1 of every system in every group or form, behind whose name is its number of gold years."""
    names = systems[OURS][part]
    return Table(
        title,
        ("system", *(f"{name} ({own['gold']})" for name, own in names.items())),
        [(system, *(number(own[part][name]["f1"]) for name in names)) for system, own in systems.items()],
    )


def kind_table(systems: Mapping[str, Any], shown: Sequence[str]) -> Table:
    """By kind of trap: texts without a year in which one is tagged, and years found."""

    def cell(own: Mapping[str, Any]) -> str:
        return f"{own['tagged']}/{own['empty']} {own['strict']}/{own['gold']}"

    ours = systems[OURS]["groups"]
    bad = [
        kind
        for kind, own in ours.items()
        if own["tagged"] > own["empty"] / 10 or own["strict"] < own["gold"] * 9 / 10
    ]
    return Table(
        "By kind of trap: non-years tagged, years found",
        ("kind", *shown),
        [(kind, *(cell(systems[name]["groups"][kind]) for name in shown)) for kind in ours],
        f"Worse than 10 % ({OURS}): {', '.join(bad) or 'no kind'}.",
    )


def score_tables(own: Mapping[str, Any]) -> Iterator[Table]:
    """Reliability and thresholds."""
    yield Table(
        "Scores",
        ("from", "candidates", "mean score", "right"),
        [
            (f"{b['from']:.1f}", str(b["candidates"]), number(b["score"]), number(b["right"]))
            for b in own["bins"]
        ],
        f"Expected calibration error: {own['error']:.4f} over the {own['candidates']} candidates, "
        f"{own['error_of_answers']:.4f} over those with a score of 0.5 or more.",
    )
    yield Table(
        "By threshold",
        ("min score", "P", "R", "F1"),
        [
            (f"{t['min_score']:.2f}", number(t["precision"]), number(t["recall"]), number(t["f1"]))
            for t in own["thresholds"]
        ],
    )


INTRODUCTION = f"""\
# Accuracy

Written by `make bench-accuracy`; the figures as data are in `accuracy.json`. Peers: {{peers}}.

- A peer whose answers are dates gets the four-digit numbers and the '09 forms inside them as its
  years. `1000-2099` is the regular expression for every such number, `before 년` one made for Korean.
- *Strict*: the same start and end; *lenient*: overlapping; *value*: strict, with the gold's value, which
  only {OURS} gives. Optional gold years count neither way.
- Intervals are 95 % bootstrap intervals over documents ({RESAMPLES:,} resamples, seed {SEED}); p is the
  two-sided paired bootstrap of the difference in strict F1 against the best of the others.
- *Form* is how a year is written; answers and gold years are both sorted by it.
- *Scores*: of every candidate, that is, all that `min_score=0` gives; ten bins of equal width.
- *Changes*: every gold year of digits becomes {DRAWS} others of its form (1500 to 2080; 00 to 99): the
  decision is that year's. All capitals, all lower case, and one space more or less at {DRAWS} places of
  each text: the decisions are all spans that are gold, or tagged before or after.
- *Errors* are all that remain. Their kind is named by a person, in `kinds.toml` beside this file:
  `"id:start" = "kind"`.
"""


def write(output: Path, measured: Mapping[str, Any]) -> None:
    """The figures as JSON and Markdown."""
    used = {name for own in measured.values() for name in own["systems"]}
    peers = {p.name: f"{p.package} {version(p.package)}" for p in PEERS if p.package and p.name in used}
    output.mkdir(parents=True, exist_ok=True)
    data = rounded({"seed": SEED, "resamples": RESAMPLES, "peers": peers, "gold": measured})
    (output / "accuracy.json").write_text(json.dumps(data, ensure_ascii=False, indent=1) + "\n", "utf-8")
    named = ", ".join(f"{name} ({package})" for name, package in peers.items()) or "none"
    parts = [INTRODUCTION.format(peers=named)]
    for name, own in measured.items():
        parts += [f"## {name}\n", *(markdown(table) for table in tables(own, wide=True))]
    (output / "README.md").write_text("\n".join(parts), "utf-8")


def installed(peers: Sequence[Peer], lang: str) -> dict[str, Finder]:
    """The peers that read the language, by name; who is not installed is named on standard error."""
    finders = {}
    for peer in peers:
        if not peer.languages or lang in peer.languages:
            try:
                finders[peer.name] = peer.make(lang)
            except ImportError as error:
                click.echo(f"{peer.name} is skipped: {error}; the extra 'bench' has it", err=True)
    return finders


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--gold", multiple=True, type=click.Path(path_type=Path), help="A gold file; may be repeated.")
@click.option("--no-peers", is_flag=True, help="Only this tool and the regular expressions.")
@click.option("-o", "--output", type=click.Path(file_okay=False, path_type=Path), default=OUTPUT)
@click.option("--model", type=click.Path(path_type=Path), help="A model folder instead of the published one.")
def main(gold: tuple[Path, ...], no_peers: bool, output: Path, model: Path | None) -> None:
    """Score this tool and its peers on gold files; print tables, write JSON and Markdown to OUTPUT."""
    named = output / "kinds.toml"
    kinds = tomllib.loads(named.read_text("utf-8")) if named.exists() else {}
    console = Console(width=80)
    measured: dict[str, Any] = {}
    for path in gold or GOLD:
        cases = read_cases(path) if path.is_file() else []
        if not cases:
            click.echo(f"{path} is skipped: there is no such file, or no document in it", err=True)
            continue
        finders = installed(EXPRESSIONS if no_peers else EXPRESSIONS + PEERS, cases[0].document.lang or "en")
        name = f"{path.parent.name}/{path.name}"
        measured[name] = measure(cases, model, finders, kinds)
        console.rule(name)
        for table in tables(measured[name], wide=False):
            show(console, table)
        click.echo(f"{len(measured[name]['errors'])} errors: {output / 'README.md'}\n")
    if not measured:
        raise click.ClickException("there is no gold file to score; name one with --gold")
    write(output, measured)


if __name__ == "__main__":
    main()
