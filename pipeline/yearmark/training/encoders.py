"""The encoders: many to many, (B, T, I) -> (B, T, O).

B is the batch, T the tokens of the longest segment, I the input's width, O the output's, H the
hidden width of one direction, D the number of directions.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from yearmark.training.config import Encoder as Settings

UNITS: dict[str, type[nn.RNN] | type[nn.GRU] | type[nn.LSTM]] = {
    "rnn": nn.RNN,
    "gru": nn.GRU,
    "lstm": nn.LSTM,
}


class Recurrent(nn.Module):
    """One unit applied at every step: h(t) = f(h(t-1), x(t)), so that no weight belongs to a position.

    ``rnn`` (Elman): h(t) = tanh(W x(t) + b + R h(t-1) + c). ``gru`` and ``lstm`` are PyTorch's, with
    gates. In both directions the outputs of the two are side by side: O = D H. Layers are stacked.
    """

    def __init__(self, settings: Settings, width: int) -> None:
        super().__init__()
        self.unit = UNITS[settings.name](
            width,
            settings.hidden,
            num_layers=settings.layers,
            bidirectional=settings.bidirectional,
            batch_first=True,
        )
        self.width = settings.hidden * (2 if settings.bidirectional else 1)

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """Padding, behind each segment's ``lengths`` (B,), is never read."""
        total = x.shape[1]
        if bool((lengths == total).all()):
            return self.unit(x)[0]  # type: ignore[no-any-return]
        packed = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
        out, _ = self.unit(packed)
        return pad_packed_sequence(out, batch_first=True, total_length=total)[0]


def make_encoder(settings: Settings, width: int) -> Recurrent:
    """The encoder of the settings for inputs of ``width``."""
    return Recurrent(settings, width)


def parameters(module: nn.Module) -> int:
    """How many numbers it learns."""
    return sum(parameter.numel() for parameter in module.parameters())
