"""Where a time expression begins and ends: rules that hardly an annotated one breaks, where a network may."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from yearmark.features import without_particle
from yearmark.numerals import NUMBER_WORDS

_KOREAN = re.compile("[가-힣]+$")
_NO_PARTICLE = ("년도", "가을", "째")  # what looks like one at their end is none
_APART = "(?=[에의인이만은]|부터|까지|[^가-힣]|$)"  # no noun is written to it
_KOREAN_UNIT = re.compile(
    r"(?:개월|시간|주년|주기|주일|분기|학기|세기|학년도|년대|(?:(?<=\d\d\d\d)|(?<=[05-9]\d))년도"
    r"|월(?!드)|시(?!즌)|분(?!의)|[년일초주])"
    rf"(?:간(?!지)|째|여|차|생(?!각)|(?:전|후|뒤){_APART}"
    r"|[초중하]순|[초중후]반|말(?!고)|초)?"
)
_COUNT = rf"(?:\d|\b(?:{'|'.join(NUMBER_WORDS)}|several|few|half)|\d(?:st|nd|rd|th))"
_UNIT = r"(?:second|minute|hour|day|night|week|month|quarter|year|decade|centur(?:y|ie)|moment)s?"
_MONTH = (
    r"(?:january|february|march|april|may|june|july|august|september|october|november|december"
    r"|(?:jan|feb|mar|apr|jun|jul|aug|sept?|oct|nov|dec)\b\.?)"
)
_WEEKDAY = r"(?:(?:mon|tues|wednes|thurs|fri|satur|sun)day|mon|tues?|wed|thurs?|fri|sat|sun)"
_DAY = r"(?<!\d)\d{1,2}(?:st|nd|rd|th)?"
_YEAR = r"(?:,?\s(?:1\d|20)\d\d(?![\d.,]\d))"
# What an expression that ends so goes on with.
_GOES_ON = [
    (re.compile(f"(?:{before})$", re.IGNORECASE), re.compile(behind, re.IGNORECASE))
    for before, behind in (
        (r"\d\d\d\d년", r"\s?\d{1,2}월"),
        (r"\d월", r"\s?\d{1,2}일"),
        (r"\d시", r"\s?(?:\d{1,2}분|반(?![가-힣]))"),  # 7시| 20분
        (r"(?:년|월|년대|세기)", rf"\s?(?:[말초]|[초중하]순|[초중후]반){_APART}"),
        (r"(?:개월|시간|[년일주달간분])", rf"\s?(?:[전후]{_APART}|동안)"),  # 40년| 전
        (r"\d", r"(?:st|nd|rd|th)\b"),  # the 20|th
        (r"\d0", r"s\b"),
        (r"(?<!\d)\d{1,2}", r":\d\d(?!\d)(?:\s?[ap]\.?m\b\.?)?|\s?[ap]\.?m\b\.?"),  # at 9|:30 p.m.
        (r"\d", r"\s?B\.?C\b(?:\.?E\b)?\.?"),
        (r"day", rf",\s{_MONTH}\s\d{{1,2}}\b{_YEAR}?"),  # Monday|, March 9
        (rf"\b{_MONTH}(?:\s\d{{1,2}})?", _YEAR),
        (rf"\b(?:{_WEEKDAY}|yesterday|tomorrow)", r"\s(?:morning|afternoon|evening|night)\b"),
        (_COUNT, rf"[\s-]{_UNIT}\b"),  # a four|-month ordeal, 40| years
        (rf"\b{_UNIT}", r"\s(?:ago|earlier|later|old)\b|-old\b"),  # three days| later
        (rf"\b{_MONTH}", rf"\s\d{{1,2}}(?:st|nd|rd|th)?\b(?![.,:]?\d|\s?[ap]\.?m\b|[\s-]{_UNIT}){_YEAR}?"),
        (rf"^(?:the\s)?{_DAY}", rf"\s(?:of\s)?{_MONTH}\b{_YEAR}?"),  # 24| March
    )
]
# What an expression that begins so has before it.
_BEFORE = [
    (re.compile(before + r"\s$", re.IGNORECASE), re.compile(begin, re.IGNORECASE))
    for before, begin in (
        (r"(?<![가-힣])지난", r"\d"),
        (r"\bthe", r"(?:next|previous|following)\b"),
        (
            r"\bthe",
            rf"(?:past|last|next|first)\s(?:\S+\s)?{_UNIT}\b|(?:(?:early|mid|late)[\s-])?(?:['’]|\d\d)\d0s\b",
        ),
        (r"\bthe", r"(?:(?:early|mid|late)[\s-])?(?:\d\d(?:th|st)|[a-z]+th|twenty-first)\scentury\b"),
        (r"(?<![\d.,:])\d{1,2}(?:st|nd|rd|th)?", rf"{_MONTH}\b"),  # 9| October
        (r"\bthe", rf"{_DAY}\s{_MONTH}\b"),
        (r"\bright", r"now\b"),
        (
            r"\bthe (?:end|start|beginning|middle|rest) of",
            rf"(?:(?:the|this|last|next)\s)?{_UNIT}\b|{_MONTH}\b|(?:1\d|20)\d\d\b",
        ),
        (r"\b(?:this|last|next)", rf"(?:{_UNIT}|{_WEEKDAY})\b"),
        (r"\b(?:early|mid|late)", rf"(?:{_MONTH}|(?:1\d|20)\d\ds?\b(?![,.]?\d))"),
        (
            r"\b(?:about|around|nearly|almost|over|(?:more|less) than|approximately|roughly)",
            rf"(?:{_COUNT}\S*|an?)[\s-](?:.*\s)?{_UNIT}\b",
        ),
        (r"\b(?:about|around)", rf"(?:(?:early|mid|late)[\s-])?{_MONTH}\b|{_DAY}\s{_MONTH}\b"),
    )
]
_LOOSE_BEGIN = re.compile(r"(?:least|of|and|to|약)\s", re.IGNORECASE)
_LOOSE_END = re.compile(r"[\s,;:\-–—]+$|(?<=\d)\.$|\s(?:of|and|or|to|in|the|an?)$", re.IGNORECASE)
# The two of a range, and what one sentence ends with and another begins with, are two.
_BETWEEN = re.compile(r"(?<=\d)\.\s+(?=[A-Z])|(?<=[년월일시분기반])(?:부터\s|\s?[과와/,]\s?)(?=\d)")
# Words that no corpus marks when they stand alone; a month's name has a capital.
_NONE = re.compile(r"[Ee]arlier|[Ll]ater|[Hh]alf|march|may")
_DIGITS_BEFORE = re.compile(r"\d[\d,]*[.,:]$")
_NUMBER = re.compile(r"\d{1,3}(?:,\d\d\d)+|\d+\.\d{3,}")
# A number alone is a time only at an end of a range or in a list of days: 10|-12 October, May 2, 9.
_BEFORE_BARE = re.compile(r"(?:[-–—~∼,]|\b(?:from|to|and))\s?$")
_BEHIND_BARE = re.compile(
    rf"\s?[-–—~∼]|\sto\b|,\s\d|\s?B\.?C\b|:\d\d(?!\d)|\s?[ap]\.?m\b|{_KOREAN_UNIT.pattern}|\s?{_MONTH}\b|[\s-]{_UNIT}\b",
    re.IGNORECASE,
)

Found = tuple[int, int, str, float]  # start, end, label, score


def whole(text: str, spans: Sequence[Found]) -> list[Found]:
    """The time expressions that the network found, whole and with nothing too much.

    Those that are one are put together, with the lesser score, and of two that overlap the first stays.
    """
    found: list[Found] = []
    parts = [
        (start, end, label, score)
        for first, last, label, score in spans
        for start, end in _parts(text, first, last)
    ]
    for start, end, label, score in parts:
        start, end = extent(text, start, end)
        if start == end:
            continue
        kept = len(found)
        while kept and start <= found[kept - 1][0]:  # it takes in those before
            kept -= 1
        if kept and start < found[kept - 1][1]:
            continue
        del found[kept:]
        if found and _are_one(text, found[-1], (start, end, label, score)):
            first = found.pop()
            found.append((first[0], end, max(first[2], label), min(first[3], score)))  # DATE, TIME: TIME
        else:
            found.append((start, end, label, score))
    return found


def extent(text: str, start: int, end: int) -> tuple[int, int]:
    """The time expression that the network found at ``[start, end)``, whole and with nothing too much.

    Without a Korean particle, without a word or a sign that joins it to what is beside it, and never cut
    between a number and its unit, a month and its day. It is empty where it is none: a number's fraction, a
    number alone, "later". Korean writes other nouns to the unit (70년대|영화), in more ways than a network
    has met.
    """
    if _NONE.fullmatch(text, start, end) or _is_number(text, start, end):
        return start, start
    if text[start].isdecimal() and (cut := _DIGITS_BEFORE.search(text, max(0, start - 9), start)):
        start = cut.start()  # 2.|5 hours
    if loose := _LOOSE_BEGIN.match(text, start, end):
        start = loose.end()
    while loose := _LOOSE_END.search(text[start:end]):
        end = start + loose.start()
    korean = _KOREAN.search(text[start:end])
    place = start + korean.start() if korean else end
    if place > start and text[place - 1].isdecimal() and (unit := _KOREAN_UNIT.match(text, place)):
        end = unit.end()
    elif korean and not korean[0].endswith(_NO_PARTICLE):
        end = place + without_particle(korean[0])
    for before, behind in _GOES_ON:
        if (more := behind.match(text, end)) and before.search(text[start:end]):
            end = more.end()
    for before, begin in _BEFORE:
        if begin.match(text, start, end) and (more := before.search(text[max(0, start - 20) : start])):
            start -= len(more[0])
    return start, end


def _is_number(text: str, start: int, end: int) -> bool:
    """Whether it is a number that names no time: part of another, or short and no end of a range or list."""
    if _NUMBER.fullmatch(text, start, end):
        return True
    if not text[start:end].isdecimal():
        return False
    return bool(
        _DIGITS_BEFORE.search(text, max(0, start - 9), start)
        or re.match(r"[.,]\d", text[end : end + 2])
        or (
            end - start <= 3
            and not _BEFORE_BARE.search(text[max(0, start - 6) : start])
            and not _BEHIND_BARE.match(text, end)
        )
    )


def _parts(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """The expressions that are run together in one."""
    while between := _BETWEEN.search(text, start, end):
        yield start, between.start()
        start = between.end()
    yield start, end


def _are_one(text: str, first: Found, second: Found) -> bool:
    """Whether two expressions with one space between them are one: noon| Thursday.

    In English always; in Korean where they are of one type, a day (9일) and an hour (오전 10시) being two.
    """
    if text[first[1] : second[0]] != " ":
        return False
    korean = re.search("[가-힣]", text[first[0] : second[1]])
    return not korean or first[2] == second[2]
