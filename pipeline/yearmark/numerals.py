"""Numbers in words and eras: the closed vocabularies in which years are written."""

from __future__ import annotations

import tomllib
from pathlib import Path

_ONES = "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen"
_ONES += " sixteen seventeen eighteen nineteen"
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety"
NUMBER_WORDS: dict[str, int] = (
    {word: number for number, word in enumerate(_ONES.split())}
    | {word: 10 * number for number, word in enumerate(_TENS.split(), 2)}
    | {"oh": 0, "o": 0, "hundred": 100, "thousand": 1000}
)
# Words before which a number of two or three digits counts or measures something, and names no year.
_MEASURES = """
% percent per million billion trillion thousand dozen st nd rd th
seconds minute minutes hour hours day days week weeks month months year years decades centuries
people persons men women children boys girls members others times points votes seats cases pages words
dollar dollars cent cents pound pounds euro euros yen yuan franc francs kronor kroner rupees rubles pesos
mile miles kilometer kilometers kilometre kilometres km meter meters metre metres cm mm foot feet inch inches
yard yards acre acres hectares ton tons tonne tonnes kg kilo kilos kilograms gram grams lb lbs ounces
liters litres gallons barrels degrees volts watts mph kph mhz ghz kb mb gb am pm
퍼센트 월 일 시 분 초 주 개월 시간 주일 주년 주기 명 사람 마리 개 원 달러 엔 유로 위안 살 세 배 대 장 권 쪽
미터 킬로미터 센티미터 킬로그램 그램 톤 도 평 층 동
"""
MEASURES = frozenset(_MEASURES.split())
_MONTHS = "january february march april may june july august september october november december"
MONTHS = {name: n for n, full in enumerate(_MONTHS.split(), 1) for name in (full, full[:3])} | {"sept": 9}
_SINO_DIGITS = {"영": 0, "공": 0, "령": 0} | {c: n for n, c in enumerate("일이삼사오육칠팔구", 1)} | {"륙": 6}
_SINO_UNITS = {"십": 10, "백": 100, "천": 1000}


def english_year(words: str) -> int | None:
    """The number of a year in English words, None if the words name none.

    >>> english_year("nineteen eighty-four"), english_year("two thousand and nine")
    (1984, 2009)
    >>> english_year("twenty oh five"), english_year("eighteen hundred"), english_year("green")
    (2005, 1800, None)
    """
    names = words.lower().replace("-", " ").split()
    numbers = [NUMBER_WORDS.get(name) for name in names if name != "and"]
    # pairs: the century and the rest, each below a hundred; else thousands, hundreds, ones
    groups: list[int] = []
    total = 0
    for number in numbers:
        if number is None:
            return None
        if number in (100, 1000):
            if not groups:
                return None
            total += groups.pop() * number
        elif groups and groups[-1] >= 20 and groups[-1] % 10 == 0 and 0 < number < 10:
            groups[-1] += number
        elif groups and groups[-1] == 0 and number < 10:  # "oh five"
            groups[-1] = number
        else:
            groups.append(number)
    match groups:
        case []:
            return total or None
        case [rest]:
            return total + rest
        case [century, rest] if not total and 10 <= century < 100 and rest < 100:
            return century * 100 + rest
        case _:
            return None


def sino_korean(numerals: str) -> int | None:
    """The number of Sino-Korean numerals, by place value or digit by digit; None if it is none.

    >>> sino_korean("이천구"), sino_korean("천구백팔십사"), sino_korean("일구구칠"), sino_korean("구팔")
    (2009, 1984, 1997, 98)
    """
    if not numerals:
        return None
    if all(c in _SINO_DIGITS for c in numerals):
        return int("".join(str(_SINO_DIGITS[c]) for c in numerals))
    total = digit = 0
    for c in numerals:
        if c in _SINO_DIGITS:
            digit = _SINO_DIGITS[c]
        elif c in _SINO_UNITS:
            total += (digit or 1) * _SINO_UNITS[c]
            digit = 0
        else:
            return None
    return total + digit


class Eras:
    """The eras that a model knows, from a TOML table ``name = [year before its first, +1 or -1]``.

    Names compare without case. An era that counts backwards (BC) has -1.
    """

    def __init__(self, table: dict[str, tuple[int, int]]) -> None:
        self._table = {name.lower(): rule for name, rule in table.items()}

    @classmethod
    def read(cls, path: Path) -> Eras:
        with path.open("rb") as file:
            tables = tomllib.load(file)
        return cls({name: rule for table in tables.values() for name, rule in table.items()})

    def __contains__(self, name: str) -> bool:
        return name.lower() in self._table

    def year(self, name: str, number: int) -> int | None:
        """The astronomical year of the era's year ``number`` (from 1); None for an unknown era."""
        if number < 1 or name.lower() not in self._table:
            return None
        before, direction = self._table[name.lower()]
        return before + direction * number
