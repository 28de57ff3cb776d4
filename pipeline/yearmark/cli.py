"""The command: a thin shell over functions that return data."""

from __future__ import annotations

import contextlib
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import click

from yearmark.lean import hide_unused_packages

FORMS = ("jsonl", "csv", "tsv", "parquet", "conll", "spacy", "timeml", "brat", "html", "text")


class Failure(click.ClickException):
    """A clear message on standard error and exit code 2: the command could not run."""

    exit_code = 2


@contextlib.contextmanager
def _failures(extra: str | None = None) -> Iterator[None]:
    """Errors that a user can mend, as messages; a missing package names the extra that has it."""
    try:
        yield
    except ModuleNotFoundError as error:
        if extra is None:
            raise
        raise Failure(
            f"this needs the package {error.name!r}; install it with: pip install 'yearmark[{extra}]'"
        ) from None
    except BrokenPipeError:
        raise
    except (ValueError, OSError) as error:
        raise Failure(str(error)) from None


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="yearmark")
def main() -> None:
    """Find the calendar years in text and tell them from all other numbers by their context."""


def console() -> None:
    """The command as a process of its own."""
    if sys.argv[1:2] in (["tag"], ["evaluate"]):
        hide_unused_packages()
    main()


class _Size(click.ParamType[int]):
    """A number of bytes, such as 500MB."""

    name = "size"
    UNITS: ClassVar[dict[str, int]] = {"": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9}

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        number = str(value).upper().rstrip("KMGB")
        unit = str(value).upper()[len(number) :]
        if not number.isdecimal() or int(number) == 0 or unit not in self.UNITS:
            self.fail(f"{value!r} is no size; give for example 500MB", param, ctx)
        return int(number) * self.UNITS[unit]


_FILE = click.Path(dir_okay=False, path_type=Path)


@main.command()
@click.argument("paths", nargs=-1, metavar="[PATH]...")
@click.option("-o", "--output", metavar="PATH", help="Write to PATH, whole or not at all.")
@click.option(
    "--format", "form", type=click.Choice(FORMS), help="Default: by the output's suffix, else jsonl."
)
@click.option("--glob", metavar="PATTERN", help="Of the files in folders, such as '*.jsonl.gz'.")
@click.option("--text-field", default="text", show_default=True, help="Field or column of the text.")
@click.option("--id-field", default="id", show_default=True, help="Field or column that names a document.")
@click.option("--model", type=click.Path(path_type=Path), help="A model folder instead of the published one.")
@click.option(
    "--min-score",
    type=click.FloatRange(0, 1),
    default=0.5,
    show_default=True,
    help="Leave out years of a lower probability.",
)
@click.option("--reference-year", type=int, help="Settles the century of '09; default: this year.")
@click.option(
    "--layers",
    default="years",
    show_default=True,
    metavar="NAMES",
    help="Such as years,timexes; of text, html, conll, timeml one.",
)
@click.option(
    "--reference-date",
    metavar="DATE|FIELD",
    help="From which 'last week' is counted: 2009-03-14, or the field that holds it.",
)
@click.option(
    "--threads", type=click.IntRange(1), default=1, show_default=True, help="Of a worker's network."
)
@click.option("--workers", type=click.IntRange(1), help="Processes; default: the cores that it may use.")
@click.option(
    "--errors", type=click.Choice(["stop", "skip"]), help="At what cannot be tagged; default: stop."
)
@click.option("--rejects", type=_FILE, help="Go on, and write what cannot be tagged to FILE, as JSON Lines.")
@click.option("--retry", type=_FILE, help="Tag what such a FILE lists, instead of PATHs.")
@click.option(
    "--max-chars",
    type=click.IntRange(1),
    default=10_000_000,
    show_default=True,
    help="A longer text cannot be tagged.",
)
@click.option("--shard-size", type=_Size(), help="Write a folder of files of about this size, such as 500MB.")
@click.option("--unordered", is_flag=True, help="Do not keep the input's order on standard output.")
@click.option("--summary", type=_FILE, help="Write the run's figures to FILE, as JSON.")
@click.option("--force", is_flag=True, help="Overwrite the output.")
@click.option(
    "--engine", type=click.Choice(["local", "ray"]), default="local", show_default=True, help="What runs it."
)
@click.option("--ray-address", help="Of a Ray cluster, or auto; default: one on this machine alone.")
def tag(**options: Any) -> None:
    """Tag the years of texts: files, folders of them, or standard input, one document a line.

    \b
    Files: .txt (a document a file), .jsonl, .ndjson, .csv, .tsv, .parquet,
    .arrow, .spacy, folders of Hugging Face datasets; also in .gz, .zst, .xz, .bz2.
    The output is JSON Lines: the input's fields and "years", a list of
    {start, end, text, value, score}; or another format.

    A run that was stopped goes on when the same command is given again.

    Exit codes: 0 all is tagged; 1 some records were rejected; 2 it could not run, or had to stop;
    130 interrupted.
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    local = options["engine"] == "local"
    with _failures("archive" if local else "ray"):
        from yearmark.archive.run import Job
        from yearmark.archive.run import tag as run

        try:
            code = run(Job(**options), sys.stdin.buffer, sys.stdout.buffer)
        except KeyboardInterrupt:
            goes_on = "; the same command goes on from here" if local and options["output"] else ""
            click.echo("interrupted" + goes_on, err=True)
            code = 130
    if code:
        raise SystemExit(code)


@main.command()
@click.argument("config", type=click.Path(dir_okay=False, path_type=Path))
@click.option("-o", "--output", type=click.Path(file_okay=False, path_type=Path), required=True)
def train(config: Path, output: Path) -> None:
    """Train a model from CONFIG (TOML) to the folder OUTPUT. Given again after a stop, it goes on."""
    with _failures("train"):
        from yearmark.training.config import Config
        from yearmark.training.train import train as run

        metrics = run(Config.read(config), output, lambda line: click.echo(line, err=True))
    for layer, scores in metrics["held_out"].items():
        click.echo(f"{layer}: held-out F1 {scores['f1']:.4f} over {scores['gold']} spans; model in {output}")


@main.group()
def data() -> None:
    """Training data."""


@data.command()
@click.argument("config", type=click.Path(dir_okay=False, path_type=Path))
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Default: data/generated/NAME.parquet.",
)
def build(config: Path, output: Path | None) -> None:
    """Write the generated text of CONFIG as Parquet, the same for its seed, and say what was made."""
    with _failures("train"):
        from yearmark.training.config import Config
        from yearmark.training.data import write_generated

        target = output or Path("data/generated") / f"{config.stem}.parquet"
        for line in write_generated(Config.read(config), target):
            click.echo(line)


@main.command()
@click.argument("config", type=click.Path(dir_okay=False, path_type=Path))
@click.option("-o", "--output", type=click.Path(file_okay=False, path_type=Path), required=True)
@click.option("--device", default="cpu", show_default=True, help="Where torch trains, such as cuda.")
def invariance(config: Path, output: Path, device: str) -> None:
    """Compare encoders on lengths and positions never seen; given again after a stop, it goes on.

    It writes results.json and, from it, the report invariance.html.
    """
    with _failures("eval"):
        from yearmark.evaluation.config import Invariance
        from yearmark.evaluation.invariance import run
        from yearmark.evaluation.invariance_page import write

        settings = Invariance.read(config)
        run(settings, output, device)
        page = write(output, settings.published)
    click.echo(f"results in {output / 'results.json'}, report in {page}")


@main.command()
@click.argument("gold", nargs=-1, required=True, metavar="GOLD...")
@click.option(
    "-o",
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    required=True,
    help="Folder for report.html, report.json and report.md.",
)
@click.option("--model", type=click.Path(path_type=Path), help="A model folder instead of the published one.")
@click.option(
    "--layer", default="years", show_default=True, metavar="NAME", help="Such as timexes: what is evaluated."
)
@click.option(
    "--predictions",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Score the spans of this JSON Lines file, of any tool, instead of a model's.",
)
@click.option("--baseline", metavar="FILE|regex|MODEL", help="Compare with it, item by item.")
@click.option("--min", "least", multiple=True, metavar="NAME=VALUE", help="Fail below it, as in f1=0.97.")
@click.option("--max-drop", type=click.FloatRange(0, 1), help="Fail if F1 is so much below the baseline.")
@click.option(
    "--min-score",
    type=click.FloatRange(0, 1),
    help="Of the model; default: 0.5 for years, else what the model holds for the layer.",
)
@click.option("--reference-year", type=int, help="Settles the century of '09; default: this year.")
@click.option("--precision", type=click.FloatRange(0, 1), multiple=True, help="Find the threshold for it.")
@click.option(
    "--context",
    type=click.IntRange(0),
    default=40,
    show_default=True,
    help="Characters shown beside an error.",
)
@click.option("--split", default="test", show_default=True, help="Of a saved Hugging Face dataset.")
@click.pass_context
def evaluate(
    context_of_click: click.Context,
    gold: tuple[str, ...],
    output: Path,
    model: Path | None,
    layer: str,
    predictions: Path | None,
    baseline: str | None,
    least: tuple[str, ...],
    max_drop: float | None,
    min_score: float | None,
    reference_year: int | None,
    precision: tuple[float, ...],
    context: int,
    split: str,
) -> None:
    """Report how well years, or another layer, are found on GOLD: files, folders, in every format that
    training reads.

    The exit code is 1 if a gate fails: --min, or --max-drop against the baseline.
    """
    if model and predictions:
        raise click.UsageError("give --model or --predictions, not both: one system is scored")
    if max_drop is not None and baseline is None:
        raise click.UsageError("--max-drop needs a --baseline to compare with")
    with _failures("eval"):
        from yearmark.evaluation import evaluate as run
        from yearmark.evaluation.evaluate_page import terminal, write

        began = time.perf_counter()
        gates = [run.Gate.read(one) for one in least]
        if max_drop is not None:
            gates.append(run.Gate("f1", max_drop, is_drop=True))
        precisions = tuple(sorted({*run.PRECISIONS, *precision}))
        settings = run.Settings(layer, min_score, reference_year, context, precisions, split)
        golds = run.read_gold(gold, layer, split)
        documents = [document for one in golds for document in one.documents]
        ours = (
            run.predictions(predictions, golds, layer)
            if predictions
            else run.model(model, documents, settings)
        )
        against = run.system(baseline, golds, settings) if baseline else None
        report = run.evaluate(golds, ours, against, settings, gates)
        cost = run.cost(documents, ours, began)
        write(output, report, cost)
    click.echo(terminal(report, cost))
    click.echo(f"report in {output / 'report.html'}")
    failed = [gate for gate in report["gates"] if not gate["passed"]]
    for gate in failed:
        click.echo(f"{gate['gate']} failed: {gate['line']}", err=True)
    context_of_click.exit(1 if failed else 0)
