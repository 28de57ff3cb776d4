"""The trap sentences are what they claim to be."""

import re
from collections import Counter
from pathlib import Path

import pytest

from yearmark.training.corpora import read_jsonl

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize("lang", ["en", "ko"])
def test_every_kind_has_as_many_years_as_traps(lang: str) -> None:
    path = ROOT / f"data/traps/{lang}.jsonl"
    documents = list(read_jsonl(path))
    kinds = re.findall(r'"kind": "([^"]+)"', path.read_text("utf-8"))
    assert len(kinds) == len(documents) >= 500
    with_year, without = Counter[str](), Counter[str]()
    for kind, document in zip(kinds, documents, strict=True):
        assert len(document.marks["years"]) <= 1
        (with_year if document.marks["years"] else without)[kind] += 1
    assert len(without) >= 25
    assert with_year == without


@pytest.mark.parametrize("lang", ["en", "ko"])
def test_traps_are_never_trained_on(lang: str) -> None:
    def bare(text: str) -> str:
        return re.sub(r"⟦[^⟧]*⟧|\{[^}]*\}|\d+", "#", text).strip().lower()

    traps = {bare(document.text) for document in read_jsonl(ROOT / f"data/traps/{lang}.jsonl")}
    for path in (ROOT / "data/grammar").glob(f"{lang}*"):
        assert not traps & {bare(line.strip(' ",')) for line in path.read_text("utf-8").splitlines()}
