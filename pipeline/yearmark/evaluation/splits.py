"""The sentences of the experiments, by construction: what is seen in training, and what never is.

A constructed sentence is made of neutral words, decisive words and numbers, and one rule is true of it
without exception: a number is a year if the last decisive word before it is one of YEAR_WORDS, and none
if it is one of OTHER_WORDS. Everything else (where it stands, how long the sentence is, how far the word is
from the number, which number it is) is free, and so can be held back from training.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np

from yearmark.evaluation.config import Tests
from yearmark.features import COLUMNS, Reader
from yearmark.training.corpora import read
from yearmark.training.examples import UNKNOWN, Example, ExampleMaker
from yearmark.training.grammar import Grammar

SHORTEST, LONGEST = 5, 20  # tokens of a training sentence; its numbers are in the first half
FARTHEST = 9  # tokens from the decisive word to the number, at most, in training
LABELS = {"years": ["YEAR"]}
PLACES = ("beginning", "middle", "end")

YEAR_WORDS = ("since", "until", "during", "born", "founded", "dated")
OTHER_WORDS = ("room", "page", "gate", "flight", "weighs", "costs")
# One of each in turn: the old king followed her green river near the bridge …
_NEUTRAL = [
    words.split()
    for words in (
        "the a this that her our his their",
        "old green quiet small bright cold long empty famous narrow wooden gentle",
        "king river garden horse bridge window letter village song boat teacher cloud",
        "followed crossed painted found liked watched forgot praised opened sold drew kept",
        "the a this that her our his their",
        "road house tree lamp market tower field wall piano doctor island coat",
        "near behind with beside above without below beyond",
    )
]


@dataclass(frozen=True, slots=True)
class Form:
    """A way to write a number, and how many tokens it is."""

    name: str
    tokens: int
    write: Callable[[random.Random], str]


def _between(low: int, high: int, form: str = "{}") -> Callable[[random.Random], str]:
    return lambda rng: form.format(rng.randint(low, high))


def _words(rng: random.Random) -> str:
    tens, ones = rng.choice(["twenty", "thirty", "forty", "fifty"]), rng.choice(["one", "two", "six", "nine"])
    return f"nineteen {tens}-{ones}"


SEEN_FORMS = (Form("1500 to 1999", 1, _between(1500, 1999)), Form("'50 to '99", 2, _between(50, 99, "'{}")))
NEW_FORMS = (
    Form("2000 to 2099", 1, _between(2000, 2099)),
    Form("'10 to '49", 2, _between(10, 49, "'{}")),
    Form("1000 to 1499", 1, _between(1000, 1499)),
    Form("100 to 999", 1, _between(100, 999)),
    Form("AD 50 to AD 99", 2, _between(50, 99, "AD {}")),
    Form("nineteen twenty-one", 4, _words),
)


class Sentence(NamedTuple):
    """A test sentence and the cells in which it is scored: name, first token, last token + 1."""

    example: Example
    cells: Sequence[tuple[str, int, int]]


@dataclass(frozen=True, slots=True)
class Site:
    """A number at the tokens ``[start, end)`` and its decisive word."""

    word_at: int
    word: str
    start: int
    end: int
    number: str
    is_year: bool


class Splits:
    """Makes all sentences, the same for ``seed``."""

    def __init__(self, reader: Reader, grammar: Path, seed: int) -> None:
        self.reader, self.grammar, self.seed = reader, grammar, seed
        self._early = self._early_sentences()
        self._drawn: list[Example] = []

    # Constructed sentences ---------------------------------------------------------------------

    def _site(
        self,
        rng: random.Random,
        starts: Sequence[int],
        first: int,
        last: int,
        forms: Sequence[Form] = SEEN_FORMS,
        distance: int | None = None,
    ) -> Site:
        """A number that begins at one of ``starts``, all of it and its word in the tokens [first, last)."""
        start = rng.choice(starts)
        form = rng.choice([form for form in forms if start + form.tokens <= last] or SEEN_FORMS[:1])
        distance = distance or rng.randint(1, min(FARTHEST, start - first))
        is_year = rng.random() < 0.5
        word = rng.choice(YEAR_WORDS if is_year else OTHER_WORDS)
        return Site(start - distance, word, start, start + form.tokens, form.write(rng), is_year)

    def _compose(
        self, rng: random.Random, length: int, sites: Sequence[Site], cells: Sequence[tuple[str, int, int]]
    ) -> Sentence:
        """Neutral words with the sites in them, ``length`` tokens in all."""
        turn = rng.randrange(len(_NEUTRAL))
        words = [rng.choice(_NEUTRAL[(turn + k) % len(_NEUTRAL)]) for k in range(length)]
        tags = np.zeros(length, np.int64)
        for site in sites:
            words[site.word_at] = site.word
            words[site.start : site.end] = [site.number, *[""] * (site.end - site.start - 1)]
            if site.is_year:
                tags[site.start : site.end] = [1, *[2] * (site.end - site.start - 1)]
        text = " ".join(filter(None, words))
        tokens = self.reader([text])
        assert len(tokens) == length, text
        return Sentence(Example(text, tokens.features, tokens.begins, tokens.cues, {"years": tags}), cells)

    def seen(self, rng: random.Random, cell: str, forms: Sequence[Form] = SEEN_FORMS) -> Sentence:
        """A sentence as in training: short, with one number or two in its first half."""
        length = rng.randint(SHORTEST, LONGEST)
        half = (length + 1) // 2
        sites = [self._site(rng, range(1, half), 0, half, forms)]
        other = self._site(rng, range(1, half), 0, half, forms)
        if other.end <= sites[0].word_at or other.word_at >= sites[0].end:
            sites.append(other)
        return self._compose(rng, length, sites, [(cell, 0, length)])

    def _of_length(self, rng: random.Random, tests: Tests, high: int) -> Iterator[Sentence]:
        """Sentences of more than high / 2 up to ``high`` tokens, with numbers in every tenth."""
        low = SHORTEST if high == LONGEST else high // 2 + 1
        name = f"length/{high}"
        if high < 10 * 3 * FARTHEST:  # a tenth is too short for a word and its number: one a sentence
            for tenth in range(10):
                where = {n: [k for k in range(1, n) if 10 * k // n == tenth] for n in range(low, high + 1)}
                lengths = [n for n, starts in where.items() if starts]
                for k in np.linspace(0, len(lengths) - 1, tests.sentences).round().astype(int):
                    length = lengths[k]
                    site = self._site(rng, where[length], 0, length)
                    yield self._compose(rng, length, [site], [(f"{name}/{tenth + 1}", 0, length)])
        else:
            count = max(2, min(tests.sentences, tests.most_tokens // high))
            for length in np.linspace(low, high, count).round().astype(int).tolist():
                bounds = [-(-length * k // 10) for k in range(11)]
                parts = list(pairwise(bounds))
                sites = [self._site(rng, range(a + 1, b), a, b) for a, b in parts]
                cells = [(f"{name}/{k}", a, b) for k, (a, b) in enumerate(parts, 1)]
                yield self._compose(rng, length, sites, cells)

    def _remembered(self, rng: random.Random, distance: int) -> Sentence:
        """A number whose decisive word stands ``distance`` tokens before it."""
        site = self._site(rng, [distance + 2], 0, distance + 6, distance=distance)
        return self._compose(rng, distance + 6, [site], [(f"memory/{distance}", 0, distance + 6)])

    # Other sentences ---------------------------------------------------------------------------

    def _early_sentences(self) -> Iterator[Example]:
        """Sentences of the grammar that are as short, their numbers as early and in the same forms."""
        maker = ExampleMaker(self.reader, LABELS)
        for document in Grammar(self.grammar).sentences(10**9, self.seed):
            numbers = re.findall(r"\D?\d+", document.text)
            if not all(re.fullmatch(r"[^\d.,:/-]?1[5-9]\d\d|'[5-9]\d", number) for number in numbers):
                continue
            for example in maker([document]):
                early = np.flatnonzero(example.begins)[-1] < len(example) / 2
                if SHORTEST <= len(example) <= LONGEST and early:
                    yield example

    def training(self, seed: int, count: int, practice: tuple[int, int] | None = None) -> list[Example]:
        """``count`` sentences, half of them constructed and half drawn from the grammar.

        With ``practice``, three fifths of the constructed ones are such whose decisive word stands so many
        tokens before the number.
        """
        rng = random.Random(f"training {self.seed} {seed}")
        self._drawn += islice(self._early, max(0, count // 2 - len(self._drawn)))
        drawn = self._drawn[: count // 2]
        constructed = [self.seen(rng, "").example for _ in range(count - len(drawn))]
        if practice:
            few = len(constructed) // 5 * 2
            constructed[few:] = [
                self._remembered(rng, rng.randint(*practice)).example for _ in constructed[few:]
            ]
        return rng.sample(constructed + drawn, count)

    def _real(self, rng: random.Random, tests: Tests) -> dict[str, list[Sentence]]:
        """Real sentences, no longer than 30 tokens, alone and inside neutral text."""
        maker = ExampleMaker(self.reader, LABELS)
        found = [
            example
            for example in maker(read(tests.real))
            if SHORTEST <= len(example) <= 30 and not (example.tags["years"] == UNKNOWN).any()
        ]
        found = [found[k] for k in np.linspace(0, len(found) - 1, 2 * tests.sentences).round().astype(int)]
        groups: dict[str, list[Sentence]] = {}
        for example in found:
            neutral = self._compose(rng, max(tests.around) + 1, [], []).example
            for count in tests.around:
                for place in PLACES if count else ("alone",):
                    before = {"end": count, "middle": count // 2}.get(place, 0)
                    cell = f"real/{count}/{place}"
                    longer = _inside(example, neutral, before, count - before)
                    groups.setdefault(cell, []).append(Sentence(longer, [(cell, 0, len(longer))]))
        return groups

    def tests(self, tests: Tests) -> dict[str, list[Sentence]]:
        """All test sentences, in groups that are read together; the real ones where they are there."""
        rng = random.Random(f"tests {self.seed}")
        many = range(5 * tests.sentences)
        groups = {"seen": [self.seen(rng, "seen") for _ in many]}
        for form in NEW_FORMS:
            cell = f"years/{form.name}"
            groups[cell] = [self.seen(rng, cell, [form]) for _ in many]
        for high in doubling(LONGEST, tests.longest):
            groups[f"length/{high}"] = list(self._of_length(rng, tests, high))
        for distance in doubling(1, tests.memory):
            groups[f"memory/{distance}"] = [self._remembered(rng, distance) for _ in many]
        if tests.real.is_file():
            groups |= self._real(rng, tests)
        return groups


def _inside(example: Example, neutral: Example, before: int, after: int) -> Example:
    """The sentence with so many tokens of a neutral text before and after it."""
    own = example.features.copy()
    if before:
        own[0, COLUMNS.index("gap")] = 1  # a space
    behind = neutral.features[1 : after + 1]  # its first token has nothing before it
    features = np.concatenate([neutral.features[:before], own, behind])
    begins = np.pad(example.begins, (before, after))
    tags = np.pad(example.tags["years"], (before, after))
    cues = np.pad(example.cues, (before, after))
    return Example(example.document, features, begins, cues, {"years": tags})


def doubling(first: int, last: int) -> list[int]:
    """The numbers first, 2 first, 4 first, … up to ``last``."""
    return [first << k for k in range((last // first).bit_length())]
