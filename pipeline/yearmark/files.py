"""The files of a model: what a model folder holds."""

from __future__ import annotations

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
