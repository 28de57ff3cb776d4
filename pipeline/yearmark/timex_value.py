"""A time expression's value: the date in EDTF, or the duration in ISO 8601, that its text names.

EDTF is the Extended Date/Time Format, ISO 8601-2:2019 (https://www.loc.gov/standards/datetime/).
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable, Collection, Sequence
from itertools import pairwise
from typing import Any

from dateutil.relativedelta import FR, MO, SA, SU, TH, TU, WE, relativedelta

from yearmark.numerals import MONTHS, NUMBER_WORDS, Eras, english_year
from yearmark.value import values

_MONTH = (
    r"(?P<month>jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?"
    r"|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)\b\.?"
)
_WEEKDAYS = {
    name: weekday
    for names, weekday in zip(
        ("mon 월요일", "tue 화요일", "wed 수요일", "thu 목요일", "fri 금요일", "sat 토요일", "sun 일요일"),
        (MO, TU, WE, TH, FR, SA, SU),
        strict=True,
    )
    for name in names.split()
}
_WEEKDAY = r"(?P<weekday>mon|tue|wed|thu|fri|sat|sun)(?:day|s|nesday|r|rs|rsday|urday)?\b\.?"
# ISO 8601-2's numbers of what is less than a year, in the place of the month
_SEASONS = {
    "spring": 21, "summer": 22, "autumn": 23, "fall": 23, "winter": 24,
    "봄": 21, "여름": 22, "가을": 23, "겨울": 24,
}  # fmt: skip
_QUARTER, _HALF = 33, 40
_ORDINALS = {
    name: number
    for number, names in enumerate(("first 1st 1", "second 2nd 2", "third 3rd 3", "fourth 4th last 4"), 1)
    for name in names.split()
}
_CENTURY_NAMES = (
    "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth"
)
_CENTURY_NAMES += " fourteenth fifteenth sixteenth seventeenth eighteenth nineteenth twentieth twenty-first"
_CENTURIES = {name: number for number, name in enumerate(_CENTURY_NAMES.split(), 1)}

# unit: the period of ISO 8601 and how many of it the unit is
_UNITS = {
    "second": ("S", 1), "sec": ("S", 1), "초": ("S", 1),
    "minute": ("M", 1), "min": ("M", 1), "분": ("M", 1),
    "hour": ("H", 1), "hr": ("H", 1), "시간": ("H", 1),
    "day": ("D", 1), "일": ("D", 1), "night": ("D", 1),
    "week": ("W", 1), "wk": ("W", 1), "주": ("W", 1), "주일": ("W", 1), "fortnight": ("W", 2),
    "month": ("M", 1), "mo": ("M", 1), "개월": ("M", 1), "달": ("M", 1), "quarter": ("M", 3),
    "year": ("Y", 1), "yr": ("Y", 1), "년": ("Y", 1), "해": ("Y", 1),
    "decade": ("Y", 10), "century": ("Y", 100), "centurie": ("Y", 100), "세기": ("Y", 100),
}  # fmt: skip
_CLOCK = {"second", "sec", "초", "minute", "min", "분", "hour", "hr", "시간"}
_UNIT = "|".join(sorted((unit for unit in _UNITS if unit < "가"), key=len, reverse=True))
_NUMBER = r"(?P<number>\d{1,4}(?:\.\d)?|[a-z]+(?:[- ][a-z]+){0,4})"
_PERIOD = re.compile(rf"\b{_NUMBER}[\s-]+(?P<unit>{_UNIT})s?\b")
_KOREAN_NUMBERS = {
    "한": 1, "두": 2, "세": 3, "석": 3, "네": 4, "넉": 4,
    "다섯": 5, "여섯": 6, "일곱": 7, "여덟": 8, "아홉": 9, "열": 10,
}  # fmt: skip
_KOREAN_PERIOD = re.compile(
    r"(?P<number>\d{1,4}|[한두세석네넉]|다섯|여섯|일곱|여덟|아홉|열)\s?"
    r"(?P<unit>개월|시간|주일|세기|[초분일주달년해])(?:간|동안|여간)?"
)
_EVERY = {
    "hourly": "PT1H", "daily": "P1D", "nightly": "P1D", "everyday": "P1D", "weekly": "P1W", "monthly": "P1M",
    "quarterly": "P3M", "yearly": "P1Y", "annual": "P1Y", "annually": "P1Y", "매일": "P1D", "매주": "P1W",
    "매월": "P1M", "매달": "P1M", "매년": "P1Y", "해마다": "P1Y",
}  # fmt: skip
_DAYS = {
    "today": 0, "tonight": 0, "yesterday": -1, "tomorrow": 1, "오늘": 0, "어제": -1, "내일": 1,
    "그제": -2, "그저께": -2, "엊그제": -2, "모레": 2,
    "day before yesterday": -2, "day after tomorrow": 2,
}  # fmt: skip
_HOUR = r"\d{1,2}(?:[:.]\d\d)?\s?(?:[ap]\.?m\.?)?"
_DAY = re.compile(
    rf"(?:{_HOUR}\s)?(?:the\s)?(?:(?:early|earlier|late|later)\s)?(?P<day>{'|'.join(_DAYS)})"
    rf"(?:\s?(?:morning|afternoon|evening|night|오전|오후|아침|저녁|밤|새벽|낮))?"
    rf"(?:\s(?:at\s)?{_HOUR}|\s?\d{{1,2}}시(?:\s?\d{{1,2}}분)?)?"
)
_KOREAN_UNITS = {
    "지난해": ("year", -1), "작년": ("year", -1), "올해": ("year", 0), "금년": ("year", 0),
    "내년": ("year", 1), "재작년": ("year", -2), "후년": ("year", 2), "지난달": ("month", -1),
    "이달": ("month", 0),
    "이번달": ("month", 0), "다음달": ("month", 1), "지난주": ("week", -1), "이번주": ("week", 0),
    "다음주": ("week", 1),
}  # fmt: skip
_SIDES = {"last": -1, "past": -1, "previous": -1, "this": 0, "current": 0, "next": 1, "coming": 1}
# The year of an expression. Behind an apostrophe, or behind a month or a day, it may have two digits.
_ERA_BEHIND = r"(?:B\.?C\.?(?:E\.?)?|A\.?D\.?|C\.?E\.?)(?![A-Za-z])"
_YEAR = re.compile(
    rf"""
        (?:(?:A\.?D\.?|기원전|기원후|서기|단기)\s?)?
        (?<![\d.,:])\d{{3,4}}(?![\d:]|[.,]\d) (?:\s?{_ERA_BEHIND})?
      | (?<=\d\d\d\d[-‐‑–—])(?:1[3-9]|[2-9]\d)(?![\d-])
      | (?:(?<=\d\.\d\d\.)|(?<=\d\.\d\.))\d{{4}}(?!\d)
      | (?<!\w)['’]\d\d(?!\d)
      | (?<![\d.,:])\d{{1,3}}\s{_ERA_BEHIND}
      | (?<!\d)\d\d(?=\s?년(?:\s?\d|대|$|\s?[봄여가겨초말]))
    """,
    re.VERBOSE,
)
# Digits in a TIME are a year only where a date is with them: 1015 is a quarter past ten.
_DATED = re.compile(rf"\b{_MONTH}|년|\d[-/.]\d", re.IGNORECASE)

# The two ends of a range are expressions of their own: March 5|-|9, 1918.
_RANGE = re.compile(r"\s?[-‐‑–—−~]\s?|\s(?:to|through|until|till)\s")
_ENDS = tuple(
    re.compile(rf"{pattern}(?:,?\s(?P<year>\d{{4}}))?", re.IGNORECASE)
    for pattern in (
        rf"(?P<day>\d{{1,2}})(?:st|nd|rd|th)?(?:\s{_MONTH})?",
        rf"{_MONTH}(?:\s(?P<day>\d{{1,2}})(?:st|nd|rd|th)?)?",
    )
)

Span = tuple[int, int, str]  # start, end, TIMEX3 type


def timex_values(
    text: str,
    spans: Sequence[Span],
    eras: Eras,
    reference_year: int | None = None,
    reference_date: datetime.date | None = None,
) -> list[str | None]:
    """The values of a document's time expressions, given by spans ``[start, end)`` with their types.

    A date is as exact as its text: "March 2009" is 2009-03, "14 March" XXXX-03-14, "the 1990s" 199X.
    What is relative ("last year") is counted from ``reference_date``, and None without it. Years of two
    digits are read as `value.values` reads them. What one end of a range says holds for the other.
    """
    found = [
        [m.span() for m in _YEAR.finditer(text, start, end)]
        if kind != "TIME" or _DATED.search(text, start, end)
        else []
        for start, end, kind in spans
    ]
    named = iter(values(text, [year for years in found for year in years], eras, reference_year))
    results = []
    for (start, end, kind), years in zip(spans, found, strict=True):
        own = [((a - start, b - start), next(named)) for a, b in years]
        results.append(_value(text[start:end], kind, own, reference_date))
    for k, ((start, end, _), (after, last, _)) in enumerate(pairwise(spans)):
        if _RANGE.fullmatch(text, end, after) and (both := _ends_of_range(text[start:end], text[after:last])):
            results[k : k + 2] = both
    return results


def _ends_of_range(first: str, second: str) -> tuple[str, str] | None:
    """The values of both ends, a month or a year that only one names being that of both."""
    found = [next((m for end in _ENDS if (m := end.fullmatch(name))), None) for name in (first, second)]
    if found[0] is None or found[1] is None:
        return None
    a, b = (match.groupdict() for match in found if match)
    month_a, month_b = (MONTHS[m[:3].lower()] if m else None for m in (a["month"], b["month"]))
    day_a, day_b = (int(day) if day else None for day in (a["day"], b["day"]))
    month_a, month_b = month_a or month_b, month_b or month_a
    if month_a is None or month_b is None or (month_a == month_b and (day_a or 0) >= (day_b or 99)):
        return None
    year_b = b["year"] or a["year"] or "XXXX"
    year_a = a["year"] or (year_b if month_a <= month_b else "XXXX")  # December to January
    value_a, value_b = _date(year_a, month_a, day_a), _date(year_b, month_b, day_b)
    return (value_a, value_b) if value_a and value_b else None


def _value(
    name: str, kind: str, years: list[tuple[tuple[int, int], str | None]], today: datetime.date | None
) -> str | None:
    if any(value is None for _, value in years):
        return None
    numbers = [value for _, value in years if value is not None]
    # the years as one sign each, so that no rule reads their digits as another thing
    plain = name
    for (start, end), _ in reversed(years):
        plain = f"{plain[:start]}Ⓨ{plain[end:]}"
    plain = " ".join(plain.lower().replace("’", "'").split())
    rules: list[Callable[[], str | None]] = [
        lambda: _every(plain) if kind == "SET" else None,
        lambda: _period(plain) if kind == "DURATION" else None,
        lambda: _absolute(plain, numbers),
        lambda: _relative(plain, today) if not numbers else None,
        lambda: _in_words(plain) if not numbers else None,
        lambda: _clock(plain) if not numbers else None,
        lambda: _period(plain, _CLOCK) if kind == "TIME" else None,
        lambda: _undated(plain) if not numbers else None,
    ]
    if kind in ("SET", "DURATION"):
        rules = rules[:2]
    return next((value for rule in rules if (value := rule()) is not None), None)


def _every(plain: str) -> str | None:
    """A repeating interval of ISO 8601, R/ and its period."""
    for word in re.findall(r"[a-z가-힣]+", plain):
        if word in _EVERY:
            return f"R/{_EVERY[word]}"
    if re.search(rf"\b(?:every|each)\s+{_WEEKDAY}", plain):
        return "R/P1W"
    if found := re.search(
        rf"\b(?:every|each|an?|per)\s+(?:(?P<number>\d+|[a-z]+)\s+)?(?P<unit>{_UNIT})s?\b", plain
    ):
        number = "one" if found["number"] in (None, "single") else found["number"]
        period = _duration("2" if number == "other" else number, found["unit"])
        return f"R/{period}" if period else None
    return None


def _period(plain: str, units: Collection[str] = _UNITS) -> str | None:
    if re.search(r"half|\d/\d|[½¼¾]|\b(?:or|to|between)\b|\d\s?[-–—]\s?\d", plain):
        return None  # a fraction, or from one length to another
    if (found := _PERIOD.search(plain)) and found["unit"] in units:
        return _duration(found["number"], found["unit"])
    if (
        (found := _KOREAN_PERIOD.fullmatch(plain))
        and found["unit"] in units
        and not plain.endswith(("년", "일"))
    ):
        return _duration(found["number"], found["unit"])
    if found := re.fullmatch(
        rf"(?:(?:the|all|this|that|past|last|whole|entire)\s+)*(?P<unit>{_UNIT})", plain
    ):
        return _duration("one", found["unit"]) if units is _UNITS else None
    return None


def _duration(number: str, unit: str) -> str | None:
    """ISO 8601: "three", "week" is P3W."""
    designator, factor = _UNITS[unit]
    count = _count(number)
    if not count:
        return None
    time = "T" if unit in _CLOCK else ""
    length = count * factor
    return f"P{time}{length:.{0 if length.is_integer() else 1}f}{designator}"


def _count(number: str) -> float | None:
    """A number in digits or words; of other words before it ("the last two") nothing is read."""
    if number[0].isdigit():
        return float(number)
    if number in _KOREAN_NUMBERS:
        return float(_KOREAN_NUMBERS[number])
    words = number.replace("-", " ").split()
    first = len(words)
    while first and (words[first - 1] in NUMBER_WORDS or words[first - 1] == "and"):
        first -= 1
    if first < len(words):
        count = english_year(" ".join(words[first:]))
        return None if count is None else float(count)
    return 1.0 if words[-1] in ("a", "an", "one", "single", "full", "whole") else None


def _absolute(plain: str, years: list[str]) -> str | None:
    """A date with a year in it, or with a decade or a century."""
    about = (
        "~"
        if re.match(r"(?:about|around|circa|c\.|ca\.|approximately|roughly|some time around)\s?", plain)
        else ""
    )
    if found := re.search(r"(?P<number>\d{1,2})(?:st|nd|rd|th)[\s-]centur|(?P<korean>\d{1,2})\s?세기", plain):
        return _century(int(found["number"] or found["korean"]), plain)
    if (found := re.search(r"\b(?P<name>[a-z]+(?:-[a-z]+)?)[\s-]century", plain)) and found[
        "name"
    ] in _CENTURIES:
        return _century(_CENTURIES[found["name"]], plain)
    if not years:
        return None
    first = years[0]
    if len(years) == 2:
        between = re.fullmatch(
            r"(?:(?:from|between|the years)\s+)?ⓨ년?\s?"
            r"(?:[-‐‑–—−~∼～/]|to|through|and|until|till|부터|에서)\s?ⓨ년?(?:까지)?",
            plain,
        )
        return f"{first}/{years[1]}" if between and first < years[1] and first[0] != "-" else None
    if len(years) != 1:
        return None
    if re.search(r"ⓨ(?:'?s\b|년대)", plain):
        return f"{first[:-1]}X" if first[0] != "-" and first[-1] == "0" else None
    month = day = None
    if found := re.search(rf"\b{_MONTH}", plain):
        month = MONTHS[found["month"][:3]]
        rest = plain[: found.start()] + " " + plain[found.end() :]
        if re.search(rf"\b{_MONTH}", rest):
            return None  # two months
        day = _day(rest)
    elif found := re.search(r"ⓨ년?\s?(?P<month>\d{1,2})월(?:\s?(?P<day>\d{1,2})일)?", plain):
        month, day = int(found["month"]), int(found["day"]) if found["day"] else None
    elif found := re.search(r"ⓨ(?P<sign>[-./])\s?(?P<month>\d{1,2})(?:(?P=sign)\s?(?P<day>\d{1,2}))?", plain):
        month, day = int(found["month"]), int(found["day"]) if found["day"] else None
        if not day and month > int(first[-2:]):
            return None  # 2009-12 is a month or a range
    elif found := re.search(r"(?P<a>\d{1,2})(?P<sign>[-./])(?P<b>\d{1,2})(?P=sign)ⓨ", plain):
        a, b = int(found["a"]), int(found["b"])
        if found["sign"] == "." or a > 12 or a == b:
            day, month = a, b
        elif b > 12:
            month, day = a, b
        else:
            return None  # 03/04/2009 is in March or in April
    elif found := re.search("|".join(_SEASONS), plain):
        month = _SEASONS[found[0]]
    elif found := re.search(
        r"\bq(?P<q>[1-4])\b|\b(?P<name>\w+)[\s-]quarter|(?P<korean>[1-4])\s?(?:4\s?)?분기", plain
    ):
        number = found["q"] or found["korean"] or str(_ORDINALS.get(found["name"] or "", ""))
        month = _QUARTER - 1 + int(number) if number else None
    elif found := re.search(r"(?P<name>first|second|last|1st|2nd)\s+half|(?P<korean>상|하)반기", plain):
        later = found["korean"] == "하" or found["name"] in ("second", "last", "2nd")
        month = _HALF + later
    elif re.search(r"\d", plain):
        return None
    return _date(first, month, day, about)


def _century(number: int, plain: str) -> str | None:
    if number < 1 or number > 21 or re.search(r"b\.?c|기원전|/|-\s?\d|\bto\b|\band\b", plain):
        return None
    return f"{number - 1:02}XX"


def _day(rest: str) -> int | None:
    days = re.findall(r"(?<![\d:])(\d{1,2})(?:st|nd|rd|th)?(?![\d:])", rest)
    return int(days[0]) if len(days) == 1 else None


def _date(year: str, month: int | None, day: int | None, about: str = "") -> str | None:
    """EDTF, None where there is no such day."""
    if month is None:
        return year + about
    if not (1 <= month <= 12 or 21 <= month <= 41):
        return None
    if month > 12:  # EDTF's level 1 has no approximate seasons
        return f"{year}-{month:02}"
    if day is None:
        return f"{year}-{month:02}{about}"
    known = int(year) if year.isdecimal() and 1 <= int(year) <= 9999 else 2000  # a leap year
    try:
        datetime.date(known, month, day)
    except ValueError:
        return None
    return f"{year}-{month:02}-{day:02}{about}"


def _in_words(plain: str) -> str | None:
    """ "nineteen ninety-six", with or without a month."""
    rest = re.sub(rf"\b(?:in|the|year|of|late|early|mid|{_MONTH})\b|[,-]", " ", plain)
    year = english_year(" ".join(rest.split()))
    if year is None or not 1000 <= year <= 2999:
        return None
    found = re.search(rf"\b{_MONTH}", plain)
    return _date(str(year), MONTHS[found["month"][:3]] if found else None, None)


def _undated(plain: str) -> str | None:
    """A month or a day that names no year: XXXX-03-14."""
    plain = re.sub(r"^(?:지난해|작년|올해|금년|내년|이달|지난달|지난|오는)\s?(?=\d)", "", plain)
    if found := re.search(rf"\b{_MONTH}", plain):
        rest = plain[: found.start()] + " " + plain[found.end() :]
        if re.search(rf"\b{_MONTH}", rest) or re.search(r"\d\s?[-–—]\s?\d|:", rest):
            return None
        return _date("XXXX", MONTHS[found["month"][:3]], _day(rest))
    if found := re.fullmatch(
        r"(?P<month>\d{1,2})월(?:\s?(?P<day>\d{1,2})일)?(?:\s?[초중말]순?|경|쯤)?", plain
    ):
        return _date("XXXX", int(found["month"]), int(found["day"]) if found["day"] else None)
    if (found := re.fullmatch(r"(?P<day>\d{1,2})일", plain)) and 1 <= int(found["day"]) <= 31:
        return f"XXXX-XX-{int(found['day']):02}"
    return None


def _relative(plain: str, today: datetime.date | None) -> str | None:
    """What is counted from the reference date; None where that is before the year 1 or after 9999."""
    if today is None:
        return None
    try:
        return _counted(plain, today)
    except (ValueError, OverflowError):
        return None


def _counted(plain: str, today: datetime.date) -> str | None:
    if found := _DAY.fullmatch(plain):
        return (today + relativedelta(days=_DAYS[found["day"]])).isoformat()
    if plain in _KOREAN_UNITS:
        return _unit(today, *_KOREAN_UNITS[plain])
    if found := re.fullmatch(
        r"(?P<year>지난해|작년|올해|금년|내년|재작년)\s?(?P<month>\d{1,2})월(?:\s?(?P<day>\d{1,2})일)?", plain
    ):
        year = today + relativedelta(years=_KOREAN_UNITS[found["year"]][1])
        return _date(f"{year.year:04}", int(found["month"]), int(found["day"]) if found["day"] else None)
    if plain in ("this morning", "this afternoon", "this evening"):
        return today.isoformat()
    if plain == "last night":
        return (today - relativedelta(days=1)).isoformat()
    if found := re.fullmatch(
        rf"(?:(?:early|mid|late)[\s-])?{_MONTH}(?P<days>\s\d{{1,2}}(?:st|nd|rd|th)?)?,?\s(?:of\s)?"
        r"(?P<side>last|this|next)\syear",
        plain,
    ):
        year = today + relativedelta(years=_SIDES[found["side"]])
        return _date(f"{year.year:04}", MONTHS[found["month"][:3]], _day(found["days"] or ""))
    if found := re.fullmatch(rf"(?:the\s+)?(?P<side>last|this|next|past|coming)\s+{_WEEKDAY}", plain):
        return _weekday(today, _WEEKDAYS[found["weekday"]], found["side"])
    if found := re.fullmatch(r"(?P<side>지난|이번|다음)\s?주?\s?(?P<day>[월화수목금토일]요일)", plain):
        side = {"지난": "last", "이번": "this", "다음": "next"}[found["side"]]
        return _weekday(today, _WEEKDAYS[found["day"]], side)
    if found := re.fullmatch(
        r"(?:the\s+)?(?P<side>[a-z]+)\s+(?P<unit>week|month|quarter|year|decade)", plain
    ):
        if found["side"] in _SIDES:
            return _unit(today, found["unit"], _SIDES[found["side"]])
        return None
    if found := re.fullmatch(
        rf"(?P<in>in\s+)?(?:about|around|nearly|some)?\s?{_NUMBER}\s+(?P<unit>day|week|month|year|decade)s?(?P<ago>\s+ago)?",
        plain,
    ):
        count = _count(found["number"])
        if bool(found["in"]) == bool(found["ago"]) or count is None or count != int(count):
            return None
        return _shifted(today, found["unit"], int(count) * (-1 if found["ago"] else 1))
    if found := re.fullmatch(
        r"(?P<number>\d{1,4}|[한두세석네넉])\s?(?P<unit>개월|주일|[일주달년])\s?(?P<side>전|후|뒤)", plain
    ):
        units = {"일": "day", "주": "week", "주일": "week", "달": "month", "개월": "month", "년": "year"}
        count = _count(found["number"]) or 0
        return _shifted(today, units[found["unit"]], int(count) * (-1 if found["side"] == "전" else 1))
    return None


def _weekday(today: datetime.date, weekday: Callable[[int], Any], side: str) -> str:
    step = {"last": (-1, -1), "past": (-1, -1), "next": (1, 1), "coming": (1, 1), "this": (0, 1)}[side]
    return (today + relativedelta(days=step[0], weekday=weekday(step[1]))).isoformat()


def _shifted(today: datetime.date, unit: str, count: int) -> str:
    """So many units away: as exact as the unit."""
    match unit:
        case "day":
            return (today + relativedelta(days=count)).isoformat()
        case "week":
            return (today + relativedelta(weeks=count)).isoformat() + "~"
        case "month":
            return (today + relativedelta(months=count)).isoformat()[:7]
        case _:
            years = count * (10 if unit == "decade" else 1)
            return f"{(today + relativedelta(years=years)).year:04}"


def _unit(today: datetime.date, unit: str, side: int) -> str:
    """The week, month, quarter, year or decade that lies ``side`` of them from that of today."""
    match unit:
        case "week":
            monday = today + relativedelta(weekday=MO(-1), weeks=side)
            return f"{monday.isoformat()}/{(monday + relativedelta(days=6)).isoformat()}"
        case "quarter":
            then = today + relativedelta(months=3 * side)
            return f"{then.year:04}-{_QUARTER + (then.month - 1) // 3}"
        case "decade":
            return f"{(today + relativedelta(years=10 * side)).year // 10:03}X"
        case _:
            return _shifted(today, unit, side)


def _clock(plain: str) -> str | None:
    """A time of the day, in ISO 8601: T15:30."""
    found = re.fullmatch(
        r"(?:(?:at|around|about)\s)?(?P<hour>\d{1,2})(?:[:.](?P<minute>\d\d))?\s?(?:(?P<half>[ap])\.?\s?m\.?|o'clock)?(?:\s(?:e|c|m|p)?[sd]?t|\sgmt)?",
        plain,
    )
    korean = re.fullmatch(
        r"(?P<half>오전|오후|새벽|밤|저녁|아침|낮)?\s?(?P<hour>\d{1,2})시(?:\s?(?P<minute>\d{1,2})분)?", plain
    )
    match = found or korean
    if match is None:
        return {
            "noon": "T12:00",
            "midday": "T12:00",
            "midnight": "T00:00",
            "정오": "T12:00",
            "자정": "T00:00",
        }.get(plain)
    hour, minute, half = int(match["hour"]), int(match["minute"] or 0), match["half"]
    if half is None and match["minute"] is None:
        return None  # 3 o'clock is by day or by night
    if half is not None:
        if not 1 <= hour <= 12:
            return None
        late = (
            half in ("p", "오후")
            or (half in ("밤", "저녁") and 5 <= hour <= 11)
            or (half == "낮" and hour <= 5)
        )
        hour = hour % 12 + (12 if late or (half == "낮" and hour == 12) else 0)
    if hour > 23 or minute > 59:
        return None
    return f"T{hour:02}:{minute:02}"
