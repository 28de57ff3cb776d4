"""The files of a model: what a model folder holds."""

from __future__ import annotations

import json
from importlib import resources
from pathlib import Path

MODEL_FILES = ("config.json", "eras.toml", "cues.txt", "words.tsv", "model.onnx")


def model_folder(model: str | Path | None) -> Path:
    """The folder of the published model, or ``model``. Raises FileNotFoundError where it holds none."""
    folder = Path(str(resources.files("yearmark"))) / "model" if model is None else Path(model)
    for name in MODEL_FILES:
        if not (folder / name).is_file():
            raise FileNotFoundError(
                f"{folder} is no model folder: it has no {name}. "
                "Give the folder that `yearmark train CONFIG --output FOLDER` wrote."
            )
    return folder


def layer_folders(folder: Path) -> dict[str, Path]:
    """The folder of each layer's network: the model folder, or the one inside it that has the layer's name.

    A folder inside is a model folder too.
    """
    folders = dict.fromkeys(_labels(folder), folder)
    for inside in sorted(path.parent for path in folder.glob("*/config.json")):
        if inside.name in _labels(inside):
            folders.setdefault(inside.name, inside)
    return folders


def _labels(folder: Path) -> dict[str, list[str]]:
    labels: dict[str, list[str]] = json.loads((folder / "config.json").read_text(encoding="utf-8"))["labels"]
    return labels


def model_files(folder: Path) -> list[str]:
    """The paths, from the folder, of all files of a model."""
    folders = dict.fromkeys([folder, *layer_folders(folder).values()])
    return [(one / name).relative_to(folder).as_posix() for one in folders for name in MODEL_FILES]
