"""The encoders: many to many, (B, T, I) -> (B, T, O).

B is the batch, T the tokens of the longest segment, I the input's width, O the output's, H the
hidden width (of one direction), D the number of directions, N the number of layers. x(t) is the input
at step t, y(t) the output; outside a segment x(t) = 0.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import pad, scaled_dot_product_attention
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from yearmark.training.config import Encoder as Settings

UNITS: dict[str, type[nn.RNN] | type[nn.GRU] | type[nn.LSTM]] = {
    "rnn": nn.RNN,
    "gru": nn.GRU,
    "lstm": nn.LSTM,
}


class TooLongError(ValueError):
    """A segment is longer than the weights that the encoder has."""


class Encoder(nn.Module):
    """(B, T, I), lengths (B,) -> (B, T, O). Padding, behind a segment's length, has no effect.

    ``width`` is O; ``longest`` the longest segment that it can read, None where there is no such bound.
    """

    width: int
    longest: int | None = None

    def mask(self, x: Tensor, lengths: Tensor) -> Tensor:
        """Which of the steps (B, T) are tokens. Raises TooLongError where it cannot read so many."""
        total = x.shape[1]
        if self.longest is not None and total > self.longest:
            raise TooLongError(
                f"a segment of {total:,} tokens is longer than the {self.longest:,} positions for which this "
                "encoder has weights: cut the text shorter, train with a greater encoder.longest, or choose "
                "an encoder whose weights belong to no position, such as lstm"
            )
        return torch.arange(total, device=x.device) < lengths.to(x.device)[:, None]


class Feedforward(Encoder):
    """Fully connected: every position has weights of its own, up to the ``longest`` segment L.

    h = tanh(W [x(1); …; x(L)] + b),  y(t) = tanh(V(t) h + c(t)).

    What is learnt at one position is not known at another; past L there are no weights.
    Parameters: L I H + H + L (H H + H).
    """

    def __init__(self, settings: Settings, width: int) -> None:
        super().__init__()
        self.longest, self.width = settings.longest, settings.hidden
        self.inner = nn.Linear(settings.longest * width, settings.hidden)
        self.outer = nn.Linear(settings.hidden, settings.longest * settings.hidden)

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        x = x * self.mask(x, lengths)[..., None]
        size, total = x.shape[:2]
        longest = self.outer.out_features // self.width
        flat = pad(x, (0, 0, 0, longest - total)).flatten(1)  # (B, L I)
        y = torch.tanh(self.outer(torch.tanh(self.inner(flat))))  # (B, L H)
        return y.view(size, longest, self.width)[:, :total]


class Window(Encoder):
    """Fully connected over the 2k + 1 tokens around each, k = ``reach``; the same weights everywhere.

    h(t) = tanh(W [x(t-k); …; x(t+k)] + b),  y(t) = tanh(V h(t) + c).

    Where a token stands makes no difference to it; what is further away than k it cannot see.
    Parameters: (2k + 1) I H + H + H H + H.
    """

    def __init__(self, settings: Settings, width: int) -> None:
        super().__init__()
        self.width = settings.hidden
        # W slides along the sequence, which is what a convolution is
        self.inner = nn.Conv1d(width, settings.hidden, 2 * settings.reach + 1, padding=settings.reach)
        self.outer = nn.Linear(settings.hidden, settings.hidden)

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        x = x * self.mask(x, lengths)[..., None]
        h = torch.tanh(self.inner(x.transpose(1, 2)))  # (B, I, T) -> (B, H, T)
        y: Tensor = torch.tanh(self.outer(h.transpose(1, 2)))
        return y


class Convolution(Encoder):
    """Stacked convolutions over the 2k + 1 tokens around each, k = ``reach``; the same weights everywhere.

    z(0, t) = x(t),  z(n, t) = relu(W(n) [z(n-1, t-k); …; z(n-1, t+k)] + b(n)),  y(t) = z(N, t).

    It sees N k tokens to each side.
    Parameters: (2k + 1) I H + H + (N - 1) ((2k + 1) H H + H).
    """

    def __init__(self, settings: Settings, width: int) -> None:
        super().__init__()
        self.width = settings.hidden
        self.layers = nn.ModuleList(
            nn.Conv1d(before, settings.hidden, 2 * settings.reach + 1, padding=settings.reach)
            for before in [width, *[settings.hidden] * (settings.layers - 1)]
        )

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        mask = self.mask(x, lengths)[:, None]  # (B, 1, T)
        z = x.transpose(1, 2)  # (B, I, T)
        for layer in self.layers:
            z = torch.relu(layer(z * mask))  # (B, H, T)
        return z.transpose(1, 2)


class Recurrent(Encoder):
    """One unit applied at every step: h(t) = f(h(t-1), x(t)), so that no weight belongs to a position.

    ``rnn`` (Elman): h(t) = tanh(W x(t) + b + R h(t-1) + c).
    ``gru``: r, z = σ(W x(t) + b + R h(t-1) + c), each with its own W, b, R, c;
    n = tanh(W x(t) + b + r (R h(t-1) + c)); h(t) = (1 - z) n + z h(t-1).
    ``lstm``: i, f, o = σ(W x(t) + b + R h(t-1) + c); g = tanh(W x(t) + b + R h(t-1) + c);
    s(t) = f s(t-1) + i g; h(t) = o tanh(s(t)). Its f begins near 1: what is not forgotten at once can be
    learnt to be kept (Jozefowicz et al. 2015, "An Empirical Exploration of Recurrent Network Architectures").

    In both directions the outputs of the two are side by side: O = D H. Layers are stacked: y of one
    is x of the next. Parameters, with G = 1, 3, 4 weights W for rnn, gru, lstm:
    D G (I H + H H + 2 H) + (N - 1) D G (D H H + H H + 2 H). With a projection to
    P, x(t) is P x'(t) + p of the input x'(t), which adds I P + P; the width P stands for I in the rest.
    """

    def __init__(self, settings: Settings, width: int) -> None:
        super().__init__()
        self.projection = nn.Linear(width, settings.projection) if settings.projection else None
        self.unit = UNITS[settings.name](
            settings.projection or width,
            settings.hidden,
            num_layers=settings.layers,
            bidirectional=settings.bidirectional,
            batch_first=True,
        )
        if settings.name == "lstm":
            for name, parameter in self.unit.named_parameters():
                if name.startswith("bias_ih"):  # of i, f, g, o, one behind the other
                    parameter.data[settings.hidden : 2 * settings.hidden] += 1
        self.width = settings.hidden * (2 if settings.bidirectional else 1)
        self.carry = settings.carry
        self.last: tuple[Tensor, ...] = ()  # the states, each (N D, B, H), in which the last batch ended

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        total = x.shape[1]
        if self.projection is not None:
            x = self.projection(x)
        before = self._carried(len(x)) if self.training and self.carry else None
        if bool((lengths == total).all()):
            y, after = self.unit(x, before)
        else:
            packed = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
            packed, after = self.unit(packed, before)
            y, _ = pad_packed_sequence(packed, batch_first=True, total_length=total)
        if self.training:
            self.last = tuple(state.detach() for state in (after if isinstance(after, tuple) else (after,)))
        return y  # type: ignore[no-any-return]

    def _carried(self, size: int) -> tuple[Tensor, ...] | Tensor | None:
        """States to begin ``size`` texts with: by the chance ``carry`` that in which another text ended.

        Short texts alone never show the unit the states that it comes to far into a long one.
        """
        if not self.last:
            return None
        device = self.last[0].device
        others = torch.randint(self.last[0].shape[1], (size,), device=device)
        kept = torch.rand(size, 1, device=device) < self.carry
        states = tuple(state[:, others] * kept for state in self.last)
        return states if len(states) > 1 else states[0]


class Transformer(Encoder):
    """Attention: every token looks at every other, ``heads`` times in each layer.

    z(t) = x(t) + p(t), p learnt, for ``transformer``; z(t) = x(t) for ``transformer_rotary``. Each layer:
    a = z + attention(norm(z)),  z = a + V gelu(W norm(a) + b) + c;  y = norm(z).
    Attention: o(t) = Σ_s softmax_s(q(t)·k(s) / √d) v(s) in each head of width d, with q, k, v and the
    output linear in the input. Rotary: q(t) and k(s) are turned by angles t θ and s θ, so that
    q(t)·k(s) depends on t - s alone (Su et al. 2021, "RoFormer").

    Its width is the input's: O = I; H is the width inside a layer's W and V.
    Parameters: N (4 (I I + I) + 2 I H + H + I + 4 I) + 2 I, and L I for learnt positions up to ``longest`` L.
    """

    def __init__(self, settings: Settings, width: int) -> None:
        super().__init__()
        if width % (2 * settings.heads):
            raise ValueError(
                f"encoder.heads: {settings.heads} heads of even width need an input width that "
                f"is a multiple of {2 * settings.heads}; features.width sums to {width}"
            )
        self.width = width
        self.positions: nn.Parameter | None = None
        if settings.name == "transformer":
            self.longest = settings.longest
            self.positions = nn.Parameter(torch.randn(settings.longest, width) * 0.1)
        self.layers = nn.ModuleList(_Layer(settings, width) for _ in range(settings.layers))
        self.norm = nn.LayerNorm(width)

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        mask = self.mask(x, lengths)
        # without padding no mask: attention is then computed without the (T, T) matrix
        seen = None if bool(mask.all()) else mask[:, None, None]  # (B, 1, 1, T)
        if self.positions is not None:
            x = x + self.positions[: x.shape[1]]
        for layer in self.layers:
            x = layer(x, seen)
        y: Tensor = self.norm(x)
        return y


class _Layer(nn.Module):
    """One layer of a transformer, (B, T, I) -> (B, T, I)."""

    def __init__(self, settings: Settings, width: int) -> None:
        super().__init__()
        self.heads, self.rotary = settings.heads, settings.name == "transformer_rotary"
        self.norms = nn.ModuleList([nn.LayerNorm(width), nn.LayerNorm(width)])
        self.to_qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.inner, self.outer = nn.Linear(width, settings.hidden), nn.Linear(settings.hidden, width)

    def forward(self, z: Tensor, seen: Tensor | None) -> Tensor:
        qkv = self.to_qkv(self.norms[0](z)).unflatten(2, (3, self.heads, -1))  # (B, T, 3, heads, d)
        q, k, v = qkv.permute(2, 0, 3, 1, 4)  # (B, heads, T, d) each
        if self.rotary:
            q, k = _turned(q), _turned(k)
        o = scaled_dot_product_attention(q, k, v, attn_mask=seen)
        a = z + self.out(o.transpose(1, 2).flatten(2))
        return a + self.outer(nn.functional.gelu(self.inner(self.norms[1](a))))  # type: ignore[no-any-return]


def _turned(x: Tensor) -> Tensor:
    """The pairs of numbers of each step's vectors (B, heads, T, d), turned by the step's angles."""
    steps, half = torch.arange(x.shape[2], device=x.device), x.shape[3] // 2
    speeds = 10_000 ** (-torch.arange(half, device=x.device) / half)
    angles = steps[:, None] * speeds  # (T, d / 2)
    a, b = x.chunk(2, -1)
    sine, cosine = angles.sin(), angles.cos()
    return torch.cat([a * cosine - b * sine, b * cosine + a * sine], -1)


ENCODERS: dict[str, type[Encoder]] = {
    "feedforward": Feedforward,
    "window": Window,
    "convolution": Convolution,
    "rnn": Recurrent,
    "gru": Recurrent,
    "lstm": Recurrent,
    "transformer": Transformer,
    "transformer_rotary": Transformer,
}


def make_encoder(settings: Settings, width: int) -> Encoder:
    """The encoder of the settings for inputs of ``width``."""
    return ENCODERS[settings.name](settings, width)


def parameters(module: nn.Module) -> int:
    """How many numbers it learns."""
    return sum(parameter.numel() for parameter in module.parameters())
