"""The trained network as an ONNX graph that the core runs without torch, and back again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor

from yearmark.features import COLUMNS
from yearmark.training.config import Config
from yearmark.training.encoders import UNITS, Recurrent
from yearmark.training.network import Network
from yearmark.training.vectors import ZERO, WordVectors, pack, unpack

# PyTorch stacks the gates of a unit in another order than ONNX.
_GATES = {"RNN": (0,), "GRU": (1, 0, 2), "LSTM": (0, 3, 1, 2)}
_OPSET, _IR = 17, 9


class _Graph:
    """Nodes and constants, collected."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def constant(self, name: str, value: Tensor | np.ndarray) -> str:
        array = value.detach().numpy() if isinstance(value, Tensor) else value
        self.constants.append(numpy_helper.from_array(np.array(array, order="C"), name))
        return name

    def node(self, operator: str, inputs: list[str], output: str, **attributes: Any) -> str:
        self.nodes.append(helper.make_node(operator, inputs, [output], **attributes))
        return output


def recurrent(network: Network) -> Recurrent:
    """The network's encoder. Raises ValueError where the core could not run it: it is not recurrent."""
    encoder = network.encoder
    if not isinstance(encoder, Recurrent):
        raise ValueError(
            f"a network whose encoder is a {type(encoder).__name__.lower()} cannot be exported, for the "
            f"tagger runs recurrent ones alone: set encoder.name to one of {', '.join(UNITS)}"
        )
    return encoder


def export_onnx(network: Network, path: Path, layers: list[str]) -> None:
    """Write the graph: features (B, T, F) and lengths (B,), both int32, to logits (B, T, K) by layer.

    The tables are written in 16 bits: exactly, if the network was halved.
    """
    graph = _Graph()
    encoded = _encoder(graph, network, _embeddings(graph, network))
    for layer in layers:
        head = network.head(layer)
        weight = graph.constant(f"{layer}.weight", head.weight.T)
        bias = graph.constant(f"{layer}.bias", head.bias)
        product = graph.node("MatMul", [encoded, weight], f"{layer}.product")
        graph.node("Add", [product, bias], layer)
    model = helper.make_model(
        helper.make_graph(
            graph.nodes,
            "yearmark",
            [
                helper.make_tensor_value_info("features", TensorProto.INT32, ["B", "T", len(COLUMNS)]),
                helper.make_tensor_value_info("lengths", TensorProto.INT32, ["B"]),
            ],
            [
                helper.make_tensor_value_info(
                    layer, TensorProto.FLOAT, ["B", "T", network.head(layer).out_features]
                )
                for layer in layers
            ],
            graph.constants,
        ),
        opset_imports=[helper.make_opsetid("", _OPSET)],
        ir_version=_IR,
        producer_name="yearmark",
    )
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, path)


def _embeddings(graph: _Graph, network: Network) -> str:
    """Features to (T, B, I), the order in which ONNX's units read."""
    steps = graph.node("Transpose", ["features"], "steps", perm=[1, 0, 2])
    parts: list[str] = []
    for column, name in enumerate(COLUMNS):
        index = graph.constant(f"{name}.column", np.array(column))
        ids = graph.node("Gather", [steps, index], f"{name}.ids", axis=2)
        if name == "stem":
            again = _rows(graph, "norm.table", ids, "stem")
            parts[0] = graph.node("Add", [parts[0], again], "norm.sum")
        elif name == "word":
            vectors = [_word_vectors(graph, ids, network.words)] if network.words else []
        else:
            table = graph.constant(f"{name}.table", network.table(name).weight.half())
            parts.append(_rows(graph, table, ids, name))
    return graph.node("Concat", [*parts, *vectors], "embedded", axis=-1)


def _rows(graph: _Graph, table: str, ids: str, name: str) -> str:
    """Rows of a table that the file holds in 16 bits."""
    return graph.node(
        "Cast", [graph.node("Gather", [table, ids], f"{name}.rows")], name, to=TensorProto.FLOAT
    )


def _word_vectors(graph: _Graph, ids: str, vectors: WordVectors) -> str:
    """Four bits a number in the file, unpacked for the words of the text alone."""
    table = graph.constant("word.packed", pack(vectors.codes))
    packed = graph.node("Gather", [table, ids], "word.rows")
    four, sixteen = (graph.constant(f"word.{n}", np.array(n, np.uint8)) for n in (4, 16))
    above = graph.node("BitShift", [packed, four], "word.above", direction="RIGHT")
    below = graph.node("Mod", [packed, sixteen], "word.below")
    codes = graph.node("Concat", [above, below], "word.codes", axis=-1)
    numbers = graph.node("Cast", [codes], "word.numbers", to=TensorProto.FLOAT)
    zero = graph.constant("word.zero", np.array(ZERO, np.float32))
    step = graph.constant("word.step", vectors.step)
    return graph.node("Mul", [graph.node("Sub", [numbers, zero], "word.centred"), step], "word.vectors")


def _encoder(graph: _Graph, network: Network, x: str) -> str:
    """(T, B, I) to (B, T, O)."""
    encoder = recurrent(network)
    unit = encoder.unit
    if encoder.projection is not None:
        weight = graph.constant("projection.weight", encoder.projection.weight.T)
        product = graph.node("MatMul", [x, weight], "projection.product")
        x = graph.node(
            "Add", [product, graph.constant("projection.bias", encoder.projection.bias)], "projected"
        )
    kind, hidden = unit.mode.removesuffix("_TANH"), unit.hidden_size
    directions = 2 if unit.bidirectional else 1
    keep = graph.constant("keep", np.array([0, 0, -1]))

    def stacked(name: str, layer: int) -> Tensor:
        """A weight of all directions, (D, gates * H, ...), the gates in ONNX's order."""
        rows = [
            torch.cat(
                [getattr(unit, f"{name}_l{layer}{way}").chunk(len(_GATES[kind]))[g] for g in _GATES[kind]]
            )
            for way in ("", "_reverse")[:directions]
        ]
        return torch.stack(rows)

    for layer in range(unit.num_layers):
        bias = torch.cat([stacked("bias_ih", layer), stacked("bias_hh", layer)], dim=1)
        inputs = [
            x,
            graph.constant(f"W{layer}", stacked("weight_ih", layer)),
            graph.constant(f"R{layer}", stacked("weight_hh", layer)),
            graph.constant(f"B{layer}", bias),
            "lengths",
        ]
        extra = {"linear_before_reset": 1} if kind == "GRU" else {}
        direction = "bidirectional" if directions == 2 else "forward"
        y = graph.node(kind, inputs, f"y{layer}", hidden_size=hidden, direction=direction, **extra)
        # (T, D, B, H) -> (T, B, D H)
        y = graph.node("Transpose", [y], f"y{layer}.steps", perm=[0, 2, 1, 3])
        x = graph.node("Reshape", [y, keep], f"x{layer + 1}")
    return graph.node("Transpose", [x], "encoded", perm=[1, 0, 2])


def load_network(folder: Path) -> Network:
    """The network of a model folder, as it was when `export_onnx` wrote it: the weights bit for bit."""
    described = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    config = Config.model_validate(described["training"])
    constants = {
        constant.name: torch.from_numpy(numpy_helper.to_array(constant).copy())
        for constant in onnx.load(folder / "model.onnx").graph.initializer
    }
    words = None
    if "word.packed" in constants:
        words = WordVectors(unpack(constants["word.packed"]), constants["word.step"])
    network = Network(config, words)
    state: dict[str, Tensor] = {}
    for name in network.tables:
        state[f"tables.{name}.weight"] = constants[f"{name}.table"].float()
    if words is not None:
        state |= {f"words.{name}": buffer for name, buffer in words.state_dict().items()}
    for layer in network.heads:
        state[f"heads.{layer}.weight"] = constants[f"{layer}.weight"].T
        state[f"heads.{layer}.bias"] = constants[f"{layer}.bias"]
    encoder = recurrent(network)
    if encoder.projection is not None:
        state["encoder.projection.weight"] = constants["projection.weight"].T
        state["encoder.projection.bias"] = constants["projection.bias"]
    unit = encoder.unit
    gates = _GATES[unit.mode.removesuffix("_TANH")]
    order = sorted(range(len(gates)), key=gates.__getitem__)
    for number in range(unit.num_layers):
        bias_ih, bias_hh = constants[f"B{number}"].chunk(2, dim=1)
        stacked = {
            "weight_ih": constants[f"W{number}"],
            "weight_hh": constants[f"R{number}"],
            "bias_ih": bias_ih,
            "bias_hh": bias_hh,
        }
        for name, directions in stacked.items():
            for way, weight in zip(("", "_reverse"), directions, strict=False):
                parts = weight.chunk(len(gates))
                state[f"encoder.unit.{name}_l{number}{way}"] = torch.cat([parts[k] for k in order])
    network.load_state_dict(state)
    return network.eval()
