"""The command: a thin shell over functions that return data."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import sys
from collections.abc import Iterable, Iterator
from itertools import tee
from pathlib import Path
from typing import IO, TYPE_CHECKING

import click

if TYPE_CHECKING:
    from yearmark.records import Record
    from yearmark.year import Year


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


@main.command()
@click.argument("paths", nargs=-1, metavar="[PATH]...")
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="Write to FILE.")
@click.option("--format", "form", type=click.Choice(["jsonl", "text"]), default="jsonl", show_default=True)
@click.option("--text-field", default="text", show_default=True, help="Field of JSON Lines with the text.")
@click.option("--model", type=click.Path(path_type=Path), help="A model folder instead of the published one.")
@click.option(
    "--min-score",
    type=click.FloatRange(0, 1),
    default=0.5,
    show_default=True,
    help="Leave out years of a lower probability.",
)
@click.option("--reference-year", type=int, help="Settles the century of '09; default: this year.")
@click.option("--threads", type=click.IntRange(1), default=1, show_default=True, help="Of the network.")
def tag(
    paths: tuple[str, ...],
    output: Path | None,
    form: str,
    text_field: str,
    model: Path | None,
    min_score: float,
    reference_year: int | None,
    threads: int,
) -> None:
    """Tag the years of texts: .txt (a document a file), .jsonl (one a line), folders of these.

    Without PATH, or with -, standard input is read, one document a line. The output is JSON Lines:
    the input's fields and "years", a list of {start, end, text, value, score}.
    """
    with _failures():
        from yearmark.records import read_records
        from yearmark.tagger import load

        records = read_records(paths or ("-",), text_field, sys.stdin.buffer)
        tagger = load(model, min_score=min_score, reference_year=reference_year, threads=threads)
        with _destination(output) as file:
            # the tagger reads a little ahead; tee keeps what it has read and is not written yet
            kept, texts = tee(records)
            tagged = zip(kept, tagger.pipe(record.text for record in texts), strict=True)
            if form == "text":
                _write_text(tagged, file, colour=output is None and os.isatty(1))
            else:
                _write_jsonl(tagged, file)


@contextlib.contextmanager
def _destination(output: Path | None) -> Iterator[IO[bytes]]:
    """Standard output, or a file that appears only when it is whole."""
    if output is None:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    partial = output.with_name(output.name + ".partial")
    try:
        with partial.open("wb") as file:
            yield file
        partial.replace(output)
    finally:
        partial.unlink(missing_ok=True)


def _write_jsonl(tagged: Iterable[tuple[Record, list[Year]]], file: IO[bytes]) -> None:
    said = False
    for record, years in tagged:
        if "years" in record.fields and not said:
            said = True
            click.echo("the input's field 'years' is replaced by the years found", err=True)
        line = {**record.fields, "years": [dataclasses.asdict(year) for year in years]}
        file.write(json.dumps(line, ensure_ascii=False).encode("utf-8") + b"\n")


def _write_text(tagged: Iterable[tuple[Record, list[Year]]], file: IO[bytes], colour: bool) -> None:
    """Each document with its years marked, then its years with value and score."""
    for record, years in tagged:
        pieces, last = [], 0
        for year in years:
            pieces.append(record.text[last : year.start])
            pieces.append(click.style(year.text, bold=True, reverse=True) if colour else f"⟦{year.text}⟧")
            last = year.end
        pieces.append(record.text[last:])
        name = f"── {record.fields['id']}"
        lines = [click.style(name, fg="cyan") if colour else name, "".join(pieces).rstrip("\n")]
        lines += [
            f"   {year.text}  value {year.value or 'unknown'}  score {year.score:.3f}" for year in years
        ] or ["   no year"]
        file.write(("\n".join(lines) + "\n").encode("utf-8"))


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
    """Compare encoders on lengths and positions never seen; given again after a stop, it goes on."""
    with _failures("train"):
        from yearmark.evaluation.config import Invariance
        from yearmark.evaluation.invariance import run

        run(Invariance.read(config), output, device)
    click.echo(f"results in {output / 'results.json'}")
