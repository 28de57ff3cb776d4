"""The training loop: from a configuration to a model folder."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from scipy.optimize import minimize
from seqeval.metrics import f1_score
from seqeval.scheme import IOB2
from torch import Tensor
from torch.nn.functional import cross_entropy
from tqdm import tqdm

from yearmark import tags
from yearmark.cues import Cues
from yearmark.features import COLUMNS, Reader, bearers
from yearmark.numerals import Eras
from yearmark.tagger import FORMAT
from yearmark.training.config import Config
from yearmark.training.data import Data
from yearmark.training.encoders import parameters
from yearmark.training.examples import UNKNOWN, Example
from yearmark.training.export import export_onnx, recurrent
from yearmark.training.network import Network
from yearmark.training.vectors import read_vectors, read_words
from yearmark.words import Words

Say = Callable[[str], None]


def train(config: Config, output: Path, say: Say) -> dict[str, Any]:
    """Train to the folder ``output`` and return the metrics that are written there too.

    A checkpoint is kept after every epoch in ``output/checkpoint``; the same call goes on from it
    with the result of an undisturbed run. Raises ValueError where it is of another configuration.
    """
    torch.set_num_threads(config.training.threads)
    output.mkdir(parents=True, exist_ok=True)
    lines = read_words(config.words) if config.words else ""
    reader = Reader(
        config.features.rows, Eras.read(config.eras), Words(lines.splitlines()), Cues.read(config.cues)
    )
    data = Data.build(config, reader, say)
    torch.manual_seed(config.seed)
    network = Network(config, read_vectors(config.words) if config.words else None)
    recurrent(network)  # what could not be exported is refused before it is trained
    say(f"network: {parameters(network):,} parameters")
    run = _Run(config, network, output / "checkpoint", steps=len(data.batches(0)))
    run.resume(say)
    while run.epoch < config.training.epochs:
        run.train_epoch(data.batches(run.epoch))
        run.judge(data.held_out, config.labels, say)
    network.eval()
    network.halve()
    layers = list(config.labels)
    calibration = {layer: calibrate(network, data.held_out, layer) for layer in layers}
    scores = held_out_scores(network, data.held_out, config.labels, config.thresholds)
    metrics = {
        "held_out": scores,
        "calibration": calibration,
        "epochs": run.epoch,
        "parameters": parameters(network),
        "data": data.counts,
        "lost": data.lost,
    }
    export_onnx(network, output / "model.onnx", layers)
    shutil.copy(config.eras, output / "eras.toml")
    shutil.copy(config.cues, output / "cues.txt")
    (output / "words.tsv").write_text(lines, encoding="utf-8")
    described = {
        "format": FORMAT,
        "labels": config.labels,
        "thresholds": config.thresholds,
        "table_rows": config.features.rows,
        "encoder": config.encoder.model_dump(),
        "corpora": data.licences,
        "training": json.loads(config.model_dump_json()),
    }
    _write_json(output / "config.json", described)
    _write_json(output / "metrics.json", metrics)
    shutil.rmtree(run.folder)
    return metrics


def _write_json(path: Path, content: Any) -> None:
    path.write_text(json.dumps(content, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")


class _Run:
    """Network, optimizer and progress; what a checkpoint keeps."""

    def __init__(self, config: Config, network: Network, folder: Path, steps: int) -> None:
        self.config = config
        self.network = network
        self.folder = folder
        settings = config.training
        self.optimizer = torch.optim.AdamW(
            network.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay
        )
        self.total = max(1, steps * settings.epochs)
        self.steps = self.epoch = 0
        self.loss = math.nan

    def _learning_rate(self) -> float:
        """Linear warm-up over a fiftieth of the run, then a half cosine to 0."""
        done = self.steps / self.total
        return min(1.0, 50 * done + 1e-3) * 0.5 * (1 + math.cos(math.pi * min(1.0, done)))

    def train_epoch(self, batches: Sequence[Sequence[Example]]) -> None:
        torch.manual_seed(self.config.seed * 1_000_003 + self.epoch)
        self.network.train()
        total = count = 0.0
        bar = tqdm(batches, desc=f"epoch {self.epoch + 1}", unit="batch", mininterval=1.0)
        for batch in bar:
            for group in self.optimizer.param_groups:
                group["lr"] = self.config.training.learning_rate * self._learning_rate()
            loss = self._loss(batch)
            self.optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
            self.optimizer.step()
            self.steps += 1
            total, count = total + loss.item(), count + 1
            bar.set_postfix(loss=f"{total / count:.4f}", refresh=False)
        self.loss = total / max(count, 1)
        self.epoch += 1

    def _loss(self, batch: Sequence[Example]) -> Tensor:
        features, lengths = collate(batch)
        logits = self.network(features, lengths)
        loss = torch.zeros(())
        for layer, scores in logits.items():
            wanted = torch.full(scores.shape[:2], UNKNOWN)
            for row, example in enumerate(batch):
                wanted[row, : len(example)] = torch.from_numpy(example.tags[layer])
            if (wanted != UNKNOWN).any():
                loss = loss + cross_entropy(
                    scores.flatten(0, 1),
                    wanted.flatten(),
                    ignore_index=UNKNOWN,
                    label_smoothing=self.config.training.label_smoothing,
                )
        return loss

    def judge(self, held_out: Sequence[Example], labels: dict[str, list[str]], say: Say) -> None:
        """Score the epoch on the held-out documents, and write the checkpoint."""
        scores = held_out_scores(self.network, held_out, labels)
        f1 = ", ".join(f"{layer} {score['f1']:.4f}" for layer, score in scores.items())
        say(f"epoch {self.epoch}: loss {self.loss:.4f}, held-out F1 {f1}")
        self.folder.mkdir(exist_ok=True)
        self._save()

    def _save(self) -> None:
        tensors = {f"network.{name}": value for name, value in self.network.state_dict().items()}
        for number, state in self.optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer.{number}.{name}": value for name, value in state.items()}
        progress = {
            "config": json.loads(self.config.model_dump_json()),
            "epoch": self.epoch,
            "steps": self.steps,
        }
        # both names change at once: the progress is a header of the one file
        partial = self.folder / "last.partial"
        save_file(tensors, partial, metadata={"progress": json.dumps(progress)})
        partial.replace(self.folder / "last.safetensors")

    def resume(self, say: Say) -> None:
        """Go on from the checkpoint where there is one."""
        from safetensors import safe_open

        path = self.folder / "last.safetensors"
        if not path.is_file():
            return
        with safe_open(path, "pt") as file:
            progress = json.loads(file.metadata()["progress"])
        if progress.pop("config") != json.loads(self.config.model_dump_json()):
            raise ValueError(
                f"{self.folder} holds the checkpoint of another configuration; "
                "delete it or choose another --output"
            )
        for name, value in progress.items():
            setattr(self, name, value)
        tensors = load_file(path)
        network: dict[str, Tensor] = {}
        state: dict[int, dict[str, Tensor]] = {}
        for name, value in tensors.items():
            kind, _, rest = name.partition(".")
            if kind == "network":
                network[rest] = value
            else:
                number, _, key = rest.partition(".")
                state.setdefault(int(number), {})[key] = value
        self.network.load_state_dict(network)
        groups = self.optimizer.state_dict()["param_groups"]
        self.optimizer.load_state_dict({"state": state, "param_groups": groups})
        say(f"going on after epoch {self.epoch}")


def collate(batch: Sequence[Example]) -> tuple[Tensor, Tensor]:
    """Features (B, T, F), padded with 0, and lengths (B,)."""
    lengths = torch.tensor([len(example) for example in batch])
    features = torch.zeros(len(batch), int(lengths.max()), len(COLUMNS), dtype=torch.int32)
    for row, example in enumerate(batch):
        features[row, : len(example)] = torch.from_numpy(example.features)
    return features, lengths


@torch.no_grad()
def predict(network: Network, examples: Sequence[Example]) -> Iterator[tuple[Example, dict[str, np.ndarray]]]:
    """Each example with its logits (T, K) by layer, the network in evaluation mode."""
    network.eval()
    order = sorted(examples, key=len)
    for start in range(0, len(order), 64):
        batch = order[start : start + 64]
        logits = network(*collate(batch))
        for row, example in enumerate(batch):
            yield example, {layer: x[row, : len(example)].numpy() for layer, x in logits.items()}


def held_out_scores(
    network: Network,
    examples: Sequence[Example],
    labels: dict[str, list[str]],
    thresholds: Mapping[str, float] | None = None,
) -> dict[str, dict[str, float]]:
    """Strict F1 by layer: of spans (characters and tokens agree on it), and seqeval's (IOB2, strict).

    A span that covers a token of unknown tag is left out.
    """
    results = {}
    scored = list(predict(network, examples))
    for layer, names in labels.items():
        gold_tags, found_tags = [], []
        hits = gold_count = found_count = 0
        tag_names = tags.tag_names(names)
        for example, logits in scored:
            known = example.tags[layer] != UNKNOWN
            starts, ends, label, _ = tags.decode(
                logits[layer],
                _first(len(example)),
                *bearers(example, layer),
                min_score=(thresholds or {}).get(layer, 0.5),
            )
            found = tags.encode(
                [(a, b, names[k]) for a, b, k in zip(starts, ends, label, strict=True)],
                len(example),
                names,
            )
            pairs = [(g, f) for g, f, k in zip(example.tags[layer], found, known, strict=True) if k]
            gold_tags.append([tag_names[g] for g, _ in pairs])
            found_tags.append([tag_names[f] for _, f in pairs])
            gold_spans, found_spans = _spans(example.tags[layer]), _spans(found)
            found_spans = {s for s in found_spans if known[s[0] : s[1]].all()}
            hits += len(gold_spans & found_spans)
            gold_count += len(gold_spans)
            found_count += len(found_spans)
        results[layer] = {
            "f1": 2 * hits / max(1, gold_count + found_count),
            "seqeval_f1": float(f1_score(gold_tags, found_tags, mode="strict", scheme=IOB2)),
            "gold": gold_count,
        }
    return results


def _first(length: int) -> np.ndarray:
    """The first of a segment's tokens, as a mask (T,)."""
    mask = np.zeros(length, bool)
    mask[:1] = True
    return mask


def _spans(sequence: Iterable[int]) -> set[tuple[int, int, int]]:
    """The spans (first, last + 1, tag) of a tag sequence."""
    spans, start, inside = set(), None, 0
    numbers = [int(tag) for tag in sequence]
    for position, tag in enumerate([*numbers, 0]):
        if start is not None and tag != inside:
            spans.add((start, position, inside))
            start = None
        if tag % 2 == 1 and tag > 0:
            start, inside = position, tag + 1
    return spans


def calibrate(network: Network, examples: Sequence[Example], layer: str) -> dict[str, float]:
    """Make the probabilities of a layer those of real text, by two numbers fitted on held-out examples.

    Logits z become (z + bias off the tag O) / temperature (Platt 1999; Guo et al. 2017, "On Calibration
    of Modern Neural Networks"), over the tokens that may begin a span: generated text has more
    numbers that are none than real text, which the bias mends. Written into the layer's head.
    Fitted on corpora where their examples have 200 such tokens, else on generated text too.
    """
    logits, wanted, real = [], [], []
    for example, scores in predict(network, examples):
        allowed = bearers(example, layer)[0]
        use = allowed & (example.tags[layer] != UNKNOWN)
        logits.append(scores[layer][use])
        wanted.append(example.tags[layer][use])
        real.append(np.full(use.sum(), not example.document.startswith("generated")))
    chosen = np.concatenate(real)
    if chosen.sum() < 200:
        chosen[:] = True
    x = torch.from_numpy(np.concatenate(logits)[chosen])
    y = torch.from_numpy(np.concatenate(wanted)[chosen])
    tagged = torch.ones(x.shape[1])
    tagged[0] = 0

    def loss(at: np.ndarray) -> float:
        return float(cross_entropy((x + at[1] * tagged) / math.exp(at[0]), y))

    best = minimize(loss, [0.0, 0.0], method="Nelder-Mead").x
    temperature, bias = math.exp(best[0]), float(best[1])
    head = network.head(layer)
    with torch.no_grad():
        head.bias.copy_((head.bias + bias * tagged) / temperature)
        head.weight.div_(temperature)
    return {"temperature": temperature, "bias": bias, "tokens": int(chosen.sum())}
