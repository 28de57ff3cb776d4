"""Labelled sentences drawn from the grammars in data/grammar (its README describes the format)."""

from __future__ import annotations

import random
import re
import tomllib
from collections.abc import Iterator, Sequence
from copy import copy
from dataclasses import dataclass
from pathlib import Path
from zlib import crc32

from num2words import num2words

from yearmark.training.document import Document, Mark
from yearmark.training.variation import vary

_SLOT = re.compile(r"\{([^{}]*)\}")
_MARKS = re.compile("[⟦⟧]")
_LABEL = re.compile("⟦([A-Z]+):")
_BEGIN = re.compile("^((?:⟦[A-Z]+:)?)([a-z])")
_LABELS = 0xE000  # the first of the private characters that stand for labels while a sentence is varied
_RANGE = re.compile(r"(-?\d+)\.\.(-?\d+)")
_VARIABLE = re.compile(r"(year|n)(_[a-z])?([+-]\d*)?")
_DIGITS_WITH_FINAL = "013678"  # whose Korean names end in a consonant: 영 일 삼 육 칠 팔
_DIGITS_WITH_L = "178"  # in ㄹ


@dataclass(frozen=True, slots=True)
class Template:
    """A sentence with slots; ``kind`` is the form of its year or the kind of its number."""

    kind: str
    text: str


class Grammar:
    """One language's grammar. Every error in it is a ValueError that names file and template."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with path.open("rb") as file:
            tables = tomllib.load(file)
        if unknown := set(tables) - {"lexicon", "year", "timex", "number", "context"}:
            raise ValueError(f"{path}: unknown table {sorted(unknown)[0]!r}; see its README")
        self.lang = path.stem
        self.lexicon: dict[str, list[str]] = tables["lexicon"]
        # a grammar of time expressions has their labels with the marks, in the lexicon too: ⟦DATE:{month}⟧
        self.layer = "timexes" if "timex" in tables else "years"
        marked = tables["timex"] if "timex" in tables else tables["year"]
        self.years = [Template(k, t) for k, texts in marked.items() for t in texts]
        self.numbers = [Template(k, t) for k, texts in tables["number"].items() for t in texts]
        for sentences in sorted(path.parent.glob(f"{path.stem}-*.txt")):
            for template in _sentences(sentences):
                (self.years if "⟦" in template.text else self.numbers).append(template)
        context = tables.get("context", {})
        self.lead: list[str] = context.get("lead", [])
        self.tail: list[str] = context.get("tail", [])
        self.filler: list[str] = context.get("filler", [])
        texts = [template.text for template in self.years]
        texts += [text for entries in self.lexicon.values() for text in entries]
        self.labels = sorted({label for text in texts for label in _LABEL.findall(text)})
        self.lowers = tuple(word + " " for word in context.get("lowers", []))
        self._check()

    def _check(self) -> None:
        entries = [text for texts in self.lexicon.values() for text in texts]
        others = [*entries, *self.lead, *self.tail, *self.filler]
        texts = [template.text for template in (*self.years, *self.numbers)]
        for text in (*texts, *others):
            for slot in _SLOT.findall(text):
                if slot not in self.lexicon and not _is_known(slot):
                    raise ValueError(f"{self.path}: unknown slot {{{slot}}} in {text!r}")
        if self.layer != "years":
            return
        for text in (template.text for template in self.years):
            if not re.search("⟦[^⟦⟧]+⟧", text):
                raise ValueError(f"{self.path}: a [year] template without ⟦…⟧: {text!r}")
        for text in (template.text for template in self.numbers):
            if _MARKS.search(text):
                raise ValueError(f"{self.path}: a [number] template with ⟦…⟧: {text!r}")

    def parts(self) -> tuple[Grammar, Grammar]:
        """The grammar with most of its templates, and with those held out: a twentieth, by their text.

        Sentences of the second tell how the network does in contexts that it never saw.
        """
        most, held_out = copy(self), copy(self)
        for name in ("years", "numbers"):
            split: tuple[list[Template], list[Template]] = ([], [])
            for template in getattr(self, name):
                split[crc32(template.text.encode()) % 20 == 0].append(template)
            if not split[True]:  # of few
                split[True].append(split[False].pop())
            setattr(most, name, split[False])
            setattr(held_out, name, split[True])
        return most, held_out

    def sentences(self, count: int, seed: int) -> Iterator[Document]:
        """``count`` documents, half of them from templates without a year; the same for a seed."""
        rng = random.Random(f"{self.lang} {seed}")
        for place in range(count):
            template = self._choose(rng)
            marked = _Draw(self, rng).expand(template.text)
            if self.layer == "timexes" and rng.random() < 0.7:  # "{date}, they left" begins in lower case
                marked = _BEGIN.sub(lambda m: m[1] + m[2].upper(), marked)
            marked = self._in_context(marked, rng)
            for number, label in enumerate(self.labels):
                marked = marked.replace(f"⟦{label}:", f"⟦{chr(_LABELS + number)}")
            text, marks = _unmark(vary(marked, rng), self.labels)
            yield Document(
                id=f"generated-{self.lang}:{place}",
                text=text,
                source=f"generated:{template.kind}",
                license="MIT",
                lang=self.lang,
                marks={self.layer: marks},
            )

    def _choose(self, rng: random.Random) -> Template:
        templates = self.years if rng.random() < 0.55 else self.numbers
        return rng.choice(templates)

    def _in_context(self, sentence: str, rng: random.Random) -> str:
        """Make it longer: a lead before it, a tail behind it, other sentences around it or joined to it."""
        draw = _Draw(self, rng)
        if self.lead and rng.random() < 0.25:
            if sentence.startswith(self.lowers):
                sentence = sentence[0].lower() + sentence[1:]
            sentence = draw.expand(rng.choice(self.lead)) + sentence
        if self.tail and rng.random() < 0.2 and sentence.endswith("."):
            sentence = sentence[:-1] + draw.expand(rng.choice(self.tail)) + "."
        while rng.random() < 0.3:  # joined so that no sentence ends between them
            other = _Draw(self, rng).expand(
                self._choose(rng).text if rng.random() < 0.5 else self._filler(rng)
            )
            parts = [sentence, other] if rng.random() < 0.5 else [other, sentence]
            parts[0] = parts[0].rstrip(".")
            sentence = rng.choice(["; ", " - ", ", ", "\n", ": ", " "]).join(parts)
        if rng.random() < 0.3:
            other = _Draw(self, rng).expand(self._filler(rng))
            sentence = rng.choice([f"{other} {sentence}", f"{sentence} {other}"])
        return sentence

    def _filler(self, rng: random.Random) -> str:
        return rng.choice(self.filler) if self.filler else ""


def _sentences(path: Path) -> Iterator[Template]:
    """The templates of a file of sentences, one a line under headings ``# kind``."""
    kind = path.stem
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.startswith("#"):
            kind = line.lstrip("# ").strip()
        elif line.strip():
            yield Template(kind, line.strip().replace("\\n", "\n").replace("\\t", "\t"))


class _Draw:
    """The slots of one sentence, filled; a variable keeps its value in it."""

    def __init__(self, grammar: Grammar, rng: random.Random) -> None:
        self.grammar = grammar
        self.rng = rng
        self.variables: dict[str, int] = {}

    def expand(self, text: str) -> str:
        out = ""
        last = 0
        for slot in _SLOT.finditer(text):
            out += text[last : slot.start()]
            out += self._fill(slot[1], out)
            last = slot.end()
        return out + text[last:]

    def _fill(self, slot: str, before: str) -> str:
        if slot in self.grammar.lexicon:
            return self.expand(self.rng.choice(self.grammar.lexicon[slot]))
        if "/" in slot:
            return _particle(slot, before)
        name, _, form = slot.partition(":")
        if bounds := _RANGE.fullmatch(name):
            return format(self.rng.randint(int(bounds[1]), int(bounds[2])), form)
        variable = _VARIABLE.fullmatch(name)
        assert variable, slot  # the grammar was checked
        number = self._variable(variable[1], variable[2] or "")
        if variable[3]:
            number += self._step(variable[3], variable[2] or "")
        if form == "2":
            return f"{number % 100:02d}"
        if form == "1":
            return str(number % 10)
        if form == "words":
            return self._words(number, is_year=variable[1] == "year")
        return format(number, form)

    def _variable(self, kind: str, name: str) -> int:
        key = kind + name
        if key not in self.variables:
            self.variables[key] = _year(self.rng) if kind == "year" else _number(self.rng)
        return self.variables[key]

    def _step(self, step: str, name: str) -> int:
        if step == "+":
            return self.variables.setdefault(f"step{name}", self.rng.randint(1, 30))
        return int(step)

    def _words(self, number: int, is_year: bool) -> str:
        if self.grammar.lang == "ko":
            return str(num2words(number, lang="ko")).replace(" ", "")
        words = str(num2words(number, to="year" if is_year else "cardinal"))
        if is_year and 2001 <= number <= 2099 and self.rng.random() < 0.3:
            words = words.replace(" and ", " ")
        return words


def _year(rng: random.Random) -> int:
    low, high = rng.choices([(1900, 2035), (1500, 1899), (1000, 2099)], [55, 30, 15])[0]
    return rng.randint(low, high)


def _number(rng: random.Random) -> int:
    kind = rng.random()
    if kind < 0.75:
        return _year(rng)
    if kind < 0.85:
        return rng.randint(10, 99) * 100
    return rng.randint(1, 10 ** rng.randint(1, 5) - 1)


def _is_known(slot: str) -> bool:
    name, _, form = slot.partition(":")
    if "/" in slot:
        return re.fullmatch("[가-힣]*/[가-힣]+", slot) is not None
    if _RANGE.fullmatch(name) and form != "words":
        return True
    return _VARIABLE.fullmatch(name) is not None


def _particle(slot: str, before: str) -> str:
    """은/는, 이/가, 을/를, 과/와, 으로/로, 이/: the first behind a final consonant."""
    closed, opened = slot.split("/")
    last = before.rstrip("⟦⟧\"')’”」』》〉").strip()[-1:]
    if "가" <= last <= "힣":
        final = (ord(last) - ord("가")) % 28
        if closed == "으로" and final == 8:  # ㄹ
            return opened
        return closed if final else opened
    if closed == "으로" and last in _DIGITS_WITH_L:
        return opened
    if last.isdecimal():
        return closed if last in _DIGITS_WITH_FINAL else opened
    return closed if last.lower() in set("lmnr") else opened


def _unmark(marked: str, labels: Sequence[str]) -> tuple[str, list[Mark]]:
    """Text without ⟦ and ⟧, and the marks they were: years, or of the label that the first sign is for."""
    marks: list[Mark] = []
    pieces: list[str] = []
    length = start = 0
    label = "YEAR"
    for piece in re.split("([⟦⟧])", marked):
        if piece == "⟦":
            start = length
        elif piece == "⟧":
            marks.append(Mark(start, length, label))
        else:
            if labels and (number := ord(piece[:1] or " ") - _LABELS) in range(len(labels)):
                label, piece = labels[number], piece[1:]
            pieces.append(piece)
            length += len(piece)
    return "".join(pieces), marks
