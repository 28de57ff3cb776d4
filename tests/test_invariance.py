"""The encoders and the experiment that compares them."""

from pathlib import Path

import numpy as np
import pytest
import torch

from yearmark.training.config import Encoder
from yearmark.training.encoders import TooLongError, make_encoder, parameters

ROOT = Path(__file__).parents[1]
WIDTH, HIDDEN = 8, 6


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def step(name: str, x: np.ndarray, h: np.ndarray, s: np.ndarray, w: dict[str, np.ndarray]):
    """One step of the equations in the docstring, gates in PyTorch's order."""
    a = w["weight_ih_l0"] @ x + w["bias_ih_l0"]
    b = w["weight_hh_l0"] @ h + w["bias_hh_l0"]
    if name == "rnn":
        return np.tanh(a + b), s
    if name == "gru":
        (ra, za, na), (rb, zb, nb) = np.split(a, 3), np.split(b, 3)
        z = sigmoid(za + zb)
        return (1 - z) * np.tanh(na + sigmoid(ra + rb) * nb) + z * h, s
    i, f, g, o = np.split(a + b, 4)
    s = sigmoid(f) * s + sigmoid(i) * np.tanh(g)
    return sigmoid(o) * np.tanh(s), s


@pytest.mark.parametrize("name", ["rnn", "gru", "lstm"])
def test_a_recurrent_encoder_is_one_unit_applied_at_every_step(name: str) -> None:
    torch.manual_seed(0)
    encoder = make_encoder(Encoder(name=name, hidden=HIDDEN, bidirectional=False), WIDTH).eval()
    weights = {k: v.detach().numpy() for k, v in encoder.unit.named_parameters()}
    x = torch.randn(1, 30, WIDTH)
    h = s = np.zeros(HIDDEN)
    expected = []
    for t in range(30):
        h, s = step(name, x[0, t].numpy(), h, s, weights)
        expected.append(h)
    with torch.no_grad():
        found = encoder(x, torch.tensor([30]))[0].numpy()
    np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize(
    ("settings", "count"),
    [
        ({"name": "feedforward", "longest": 20}, 20 * WIDTH * HIDDEN + HIDDEN + 20 * (HIDDEN**2 + HIDDEN)),
        ({"name": "window", "reach": 3}, 7 * WIDTH * HIDDEN + HIDDEN + HIDDEN**2 + HIDDEN),
        ({"name": "convolution", "reach": 2, "layers": 3}, 5 * WIDTH * HIDDEN + 10 * HIDDEN**2 + 3 * HIDDEN),
        ({"name": "lstm"}, 2 * 4 * (WIDTH * HIDDEN + HIDDEN**2 + 2 * HIDDEN)),
        ({"name": "gru", "bidirectional": False}, 3 * (WIDTH * HIDDEN + HIDDEN**2 + 2 * HIDDEN)),
    ],
)
def test_parameters_are_as_many_as_the_docstring_says(settings: dict, count: int) -> None:
    assert parameters(make_encoder(Encoder(hidden=HIDDEN, **settings), WIDTH)) == count


@pytest.mark.parametrize(
    "name",
    ["window", "convolution", "rnn", "gru", "lstm", "transformer", "transformer_rotary", "feedforward"],
)
def test_padding_has_no_effect(name: str) -> None:
    torch.manual_seed(0)
    encoder = make_encoder(Encoder(name=name, hidden=HIDDEN), WIDTH).eval()
    x = torch.randn(2, 12, WIDTH)
    with torch.no_grad():
        alone = encoder(x[:1, :7], torch.tensor([7]))
        padded = encoder(x, torch.tensor([7, 12]))
    torch.testing.assert_close(padded[:1, :7], alone)


def test_feedforward_cannot_read_past_its_weights() -> None:
    encoder = make_encoder(Encoder(name="feedforward", hidden=HIDDEN, longest=20), WIDTH)
    with pytest.raises(TooLongError, match="21 tokens is longer than the 20 positions"):
        encoder(torch.randn(1, 21, WIDTH), torch.tensor([21]))


@pytest.mark.long
def test_the_experiment_gives_the_same_twice_and_goes_on_where_it_was_stopped(
    command, tmp_path: Path
) -> None:
    results = []
    for folder in ("one", "two"):
        done = command("invariance", "configs/invariance-smoke.toml", "--output", tmp_path / folder)
        assert done.returncode == 0, done.stderr
        results.append((tmp_path / folder / "results.json").read_bytes())
    assert results[0] == results[1]
    cells = tmp_path / "two/cells.jsonl"
    lines = cells.read_text("utf-8").splitlines(keepends=True)
    cells.write_text("".join(lines[:-1]), "utf-8")
    assert (
        command("invariance", "configs/invariance-smoke.toml", "--output", tmp_path / "two").returncode == 0
    )
    assert (tmp_path / "two/results.json").read_bytes() == results[0]
