"""The invariance experiments: every encoder trained on the same sentences and tested on all splits."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from functools import cache
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from seqeval.scheme import IOB2, Entities
from torch.nn.functional import cross_entropy
from tqdm import tqdm

from yearmark.evaluation.config import Invariance
from yearmark.evaluation.splits import LABELS, LONGEST, Sentence, Splits, doubling
from yearmark.features import Reader
from yearmark.numerals import Eras
from yearmark.tags import tag_names
from yearmark.training.config import Config, Encoder, Training
from yearmark.training.encoders import TooLongError, make_encoder, parameters
from yearmark.training.examples import UNKNOWN, Example
from yearmark.training.network import Network
from yearmark.training.train import collate
from yearmark.words import Words

FORMAT = 1  # of results.json
BATCH_TOKENS = 50_000  # at most so many tokens in a batch of test sentences, padding included

# A sentence in a cell: its number in the group, gold years, years found, those of them that are right.
Row = tuple[int, int, int, int]
Rows = dict[str, list[Row] | None]  # by cell; None: the encoder cannot read it


class Job(NamedTuple):
    """One training: an encoder, by name, a seed from 1 on, a number of sentences, and of what kind."""

    encoder: str
    seed: int
    sentences: int
    practice: bool = False


def run(config: Invariance, output: Path, device: str = "cpu") -> dict[str, Any]:
    """Do what is not yet done, and return the results that are written to ``output/results.json``.

    Every finished job is a line of ``output/cells.jsonl``; the same call goes on behind the last. Raises
    ValueError where they are of another configuration.
    """
    output.mkdir(parents=True, exist_ok=True)
    done = _Done(output / "cells.jsonl", config)
    todo = [job for job in jobs(config) if job not in done.rows]
    if todo:
        with (
            tqdm(total=len(jobs(config)), initial=len(done.rows), desc="trainings", disable=None) as bar,
            # processes of their own: one thread each gives the same weights on any number of cores
            get_context("spawn").Pool(config.processes, torch.set_num_threads, (1,)) as pool,
        ):
            for job, rows in pool.imap_unordered(_measure, [(config, job, device) for job in todo]):
                done.add(job, rows)
                bar.set_postfix_str(job.encoder, refresh=False)
                bar.update()
    results = summary(config, done.rows)
    text = json.dumps(results, ensure_ascii=False, indent=1)
    (output / "results.json").write_text(text + "\n", encoding="utf-8")
    return results


def jobs(config: Invariance) -> list[Job]:
    """All trainings."""
    loop = config.training
    counts = (loop.sentences, *loop.fewer_and_more)
    kinds = [*((count, False) for count in counts), (loop.sentences, True)]
    seeds = range(1, config.seeds + 1)
    return [Job(encoder, seed, *kind) for seed in seeds for kind in kinds for encoder in config.encoders]


class _Done:
    """The finished jobs in a file: its first line is the configuration, each other one a job."""

    def __init__(self, path: Path, config: Invariance) -> None:
        self.path = path
        self.rows: dict[Job, Rows] = {}
        header = config.model_dump_json() + "\n"
        lines = path.read_text(encoding="utf-8").splitlines(keepends=True) if path.is_file() else []
        if lines and lines[0] != header:
            raise ValueError(
                f"{path} holds the cells of another configuration; delete it or choose another --output"
            )
        whole = [line for line in lines if line.endswith("\n")]  # the last may have been cut off
        path.write_text("".join(whole or [header]), encoding="utf-8")
        for line in whole[1:]:
            *job, rows = json.loads(line)
            self.rows[Job(*job)] = rows

    def add(self, job: Job, rows: Rows) -> None:
        self.rows[job] = rows
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps([*job, rows], ensure_ascii=False, separators=(",", ":")) + "\n")


# One training --------------------------------------------------------------------------------------


def _measure(work: tuple[Invariance, Job, str]) -> tuple[Job, Rows]:
    """Train, and test as far as the training is for: all groups, memory, or what is like training alone."""
    config, job, device = work
    splits, tests = _splits(config.model_dump_json())
    practice = config.training.practice if job.practice else None
    examples = splits.training(job.seed, job.sentences, practice)
    network = fit(config, config.encoders[job.encoder], examples, job.seed, device)
    for_all = job.sentences == config.training.sentences
    wanted = "memory" if job.practice else "" if for_all else "seen"
    rows: Rows = {}
    for group, sentences in tests.items():
        if group.startswith(wanted):
            rows |= score(network, sentences, device)
    return job, rows


@cache
def _splits(config_as_json: str) -> tuple[Splits, dict[str, list[Sentence]]]:
    """All test sentences, made once a process."""
    config = Invariance.model_validate_json(config_as_json)
    reader = Reader(config.features.rows, Eras.read(config.eras), Words())
    splits = Splits(reader, config.grammar, config.seed)
    return splits, splits.tests(config.tests)


def fit(config: Invariance, encoder: Encoder, examples: Sequence[Example], seed: int, device: str) -> Network:
    """A network with this encoder, trained on the examples."""
    loop = config.training
    torch.manual_seed(1_000 * config.seed + seed)
    network = Network(
        Config(
            labels=LABELS,
            features=config.features,
            encoder=encoder,
            training=Training(dropout=loop.dropout, unknown=loop.unknown),
        )
    ).to(device)
    optimizer = torch.optim.AdamW(network.parameters(), lr=loop.learning_rate, weight_decay=loop.weight_decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, loop.learning_rate, total_steps=loop.steps, pct_start=0.1
    )
    network.train()
    for batch in _batches(examples, loop.batch, loop.steps):
        features, lengths = collate(batch)
        wanted = torch.full(features.shape[:2], UNKNOWN)
        for row, example in enumerate(batch):
            wanted[row, : len(example)] = torch.from_numpy(example.tags["years"])
        logits = network(features.to(device), lengths)["years"]
        loss = cross_entropy(logits.flatten(0, 1), wanted.flatten().to(device), ignore_index=UNKNOWN)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        schedule.step()
    return network.eval()


def _batches(examples: Sequence[Example], size: int, count: int) -> Iterator[list[Example]]:
    """``count`` batches, the examples in an order drawn anew each time all were seen."""
    order: list[int] = []
    for _ in range(count):
        while len(order) < size:
            order += torch.randperm(len(examples)).tolist()
        yield [examples[k] for k in order[:size]]
        del order[:size]


@torch.no_grad()
def score(network: Network, sentences: Sequence[Sentence], device: str = "cpu") -> Rows:
    """The cells of a group of sentences; all are None where the encoder cannot read one of them."""
    rows: dict[str, list[Row]] = defaultdict(list)
    names = np.array(tag_names(LABELS["years"]))
    order = sorted(range(len(sentences)), key=lambda k: len(sentences[k].example))
    while order:
        longest = len(sentences[order[-1]].example)
        size = max(1, BATCH_TOKENS // longest)
        batch, order = order[-size:], order[:-size]
        features, lengths = collate([sentences[k].example for k in batch])
        try:
            logits = network(features.to(device), lengths)["years"]
        except TooLongError:
            return {cell: None for sentence in sentences for cell, _, _ in sentence.cells}
        for number, found in zip(batch, logits.argmax(-1).cpu().numpy(), strict=True):
            example, cells = sentences[number]
            for cell, first, last in cells:
                gold = names[example.tags["years"][first:last]]
                rows[cell].append((number, *count(gold, names[found[first:last]])))
    return {cell: sorted(own) for cell, own in sorted(rows.items())}


def count(gold: npt.NDArray[np.str_], found: npt.NDArray[np.str_]) -> tuple[int, int, int]:
    """The years of a sentence's tags (T,), those found, and those of them that are right.

    By seqeval: IOB2, strict.
    """
    # seqeval reads tag by tag: of what both leave untagged it needs one token behind each year
    tagged = (gold != "O") | (found != "O")
    needed = tagged | np.append(False, tagged[:-1])
    wanted, answered = (
        {entity.to_tuple() for entity in Entities([tags[needed].tolist()], IOB2).entities[0]}
        for tags in (gold, found)
    )
    return len(wanted), len(answered), len(wanted & answered)


# All trainings -------------------------------------------------------------------------------------


def summary(config: Invariance, done: dict[Job, Rows]) -> dict[str, Any]:
    """The results of all jobs: for every encoder its parameters, its cells and its gaps."""
    return {
        "format": FORMAT,
        "config": json.loads(config.model_dump_json()),
        "encoders": {name: _encoder(config, name, done) for name in config.encoders},
    }


def _encoder(config: Invariance, name: str, done: dict[Job, Rows]) -> dict[str, Any]:
    settings, loop = config.encoders[name], config.training
    seeds = range(1, config.seeds + 1)
    lengths = doubling(LONGEST, config.tests.longest)
    trained = [done[Job(name, seed, loop.sentences)] for seed in seeds]
    by_seed = {cell: [rows[cell] for rows in trained] for cell in trained[0]}
    for n in sorted({loop.sentences, *loop.fewer_and_more}):
        by_seed[f"sentences/{n}"] = [done[Job(name, seed, n)]["seen"] for seed in seeds]
    practised = [done[Job(name, seed, loop.sentences, True)] for seed in seeds]
    by_seed |= {f"practised {cell}": [rows[cell] for rows in practised] for cell in practised[0]}
    for group in [*(f"length/{n}" for n in lengths), *(f"real/{n}" for n in config.tests.around)]:
        parts = [cell for cell in trained[0] if cell.startswith(f"{group}/")]
        if parts:
            by_seed[group] = [_together([rows[cell] for cell in parts]) for rows in trained]
    cells = {cell: _cell(rows, config.tests.resamples) for cell, rows in by_seed.items()}
    return {
        "parameters": _parameters(config, settings),
        "parameters_up_to": {
            n: _parameters(config, settings.model_copy(update={"longest": n})) for n in lengths
        },
        "gaps": {
            "length": _gap(cells, [f"length/{n}" for n in lengths[1:]]),
            "position": _gap(cells, [f"length/{LONGEST}/{tenth}" for tenth in range(6, 11)]),
        },
        "cells": cells,
    }


def _parameters(config: Invariance, settings: Encoder) -> int:
    """Of the encoder alone; nothing is stored for them."""
    with torch.device("meta"):
        return parameters(make_encoder(settings, sum(config.features.width.values())))


def _together(parts: Sequence[list[Row] | None]) -> list[Row] | None:
    """Several cells as one; it cannot be read where one of them cannot."""
    rows = [row for part in parts if part is not None for row in part]
    return None if None in parts else rows


def _cell(by_seed: Sequence[list[Row] | None], resamples: int) -> dict[str, Any] | None:
    """Micro F1 of each seed, its mean, and the mean's 95 % interval by bootstrap over the sentences."""
    counts = np.array([_by_sentence(rows) for rows in by_seed if rows is not None])  # (seeds, S, 3)
    if len(counts) < len(by_seed):
        return None
    seeds = _f1(counts.sum(axis=1))
    again = _f1(_drawn(counts.shape[1], resamples) @ counts).mean(axis=0)  # (R, S) @ (seeds, S, 3)
    low, high = np.percentile(again, [2.5, 97.5])
    return {
        "f1": round(float(seeds.mean()), 4),
        "interval": [round(float(low), 4), round(float(high), 4)],
        "seeds": [round(float(one), 4) for one in seeds],
    }


def _by_sentence(rows: Sequence[Row]) -> npt.NDArray[np.float64]:
    """Gold years, years found and right ones of each sentence, (S, 3)."""
    table = np.array(rows)
    numbers, places = np.unique(table[:, 0], return_inverse=True)
    counts = np.zeros((len(numbers), 3))
    np.add.at(counts, places, table[:, 1:])
    return counts


@cache
def _drawn(sentences: int, resamples: int) -> npt.NDArray[np.float64]:
    """How often each sentence is in each resample, (R, S): the same for all encoders."""
    evenly = np.full(sentences, 1 / sentences)
    return np.random.default_rng(0).multinomial(sentences, evenly, size=resamples).astype(float)


def _f1(counts: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Of counts (..., 3); 1 where there was nothing to find and nothing was found."""
    gold, found, right = np.moveaxis(counts, -1, 0)
    both = gold + found
    f1: npt.NDArray[np.float64] = np.divide(2 * right, both, out=np.ones_like(both), where=both > 0)
    return f1


def _gap(cells: dict[str, Any], unseen: Sequence[str]) -> dict[str, Any] | None:
    """F1 on what was seen in training minus the worst F1 on what was not, by seed and on average.

    Of the cells that the encoder can read; None where it can read none.
    """
    able = [name for name in unseen if cells[name]]
    if not able:
        return None
    seen = cells["seen"]["seeds"]
    gaps = [round(one - min(cells[name]["seeds"][k] for name in able), 4) for k, one in enumerate(seen)]
    return {
        "gap": round(sum(gaps) / len(gaps), 4),
        "seeds": gaps,
        "worst": min(able, key=lambda name: cells[name]["f1"]),
        "cannot": [name for name in unseen if not cells[name]],
    }
