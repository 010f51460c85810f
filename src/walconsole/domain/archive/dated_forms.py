"""How folders by time are named: a pattern a form, whose groups are named like the letters of `strftime`.

Besides those, `M`, `D` are month and day without a nought before them, `W` is what is not written for another
time (a month's name in another language), `rest` the minutes and seconds, `Y1`, `Y2`, `m1` what is written
once more, `log` a folder by log within.
"""

import re
from functools import cache
from typing import NamedTuple

MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October",
    "November", "December",
)  # fmt: skip
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
"""As `date` writes them in English and where no language is set; the short ones have three letters."""
_OF_OTHER_LANGUAGES = (
    r"januar|februar|märz|mai|juni|juli|oktober|dezember|mär|mrz|okt|dez|jän|jänner|feber|"
    r"janvier|février|mars|avril|juin|juillet|août|septembre|octobre|novembre|décembre|janv|"
    r"févr|avr|juil|sept|déc|enero|febrero|marzo|abril|mayo|junio|julio|agosto|septiembre|"
    r"octubre|noviembre|diciembre|ene|abr|ago|dic|gennaio|febbraio|aprile|maggio|giugno|"
    r"luglio|settembre|ottobre|dicembre|gen|mag|giu|lug|set|ott|janeiro|fevereiro|março|"
    r"maio|junho|julho|setembro|outubro|novembro|dezembro|fev|out|januari|februari|maart|"
    r"mei|augustus|mrt"
)
"""German, French, Spanish, Italian, Portuguese, Dutch, where they differ from English. A word that is none of
these, between a year and a day, may be a cluster's name."""

_KEY = r"(?:[A-Za-z_]+=)?"
_SEPARATOR = rf"(?:[-_.]|/{_KEY})?"
_BETWEEN = rf"(?:[-_. ]|/{_KEY})"
_YEAR = r"(?:19|20)\d\d"
_MONTH = r"(?:0[1-9]|1[0-2])"
_DAY = r"(?:0[1-9]|[12]\d|3[01])"
_HOUR = r"(?:[01]\d|2[0-3])"
_TIME = rf"(?:(?:{_SEPARATOR}|[T ])(?P<H>{_HOUR})(?P<rest>(?:[-_.:/h]?[0-5]\d){{0,2}})[hZ]?)?"
_LOG = r"(?P<log>(?:[0-9A-F]{16}/|0[0-9A-F]{7}/)?)"
_ROOT = r"(?P<root>(?:.*?/)??)"
_FLAGS = re.DOTALL | re.ASCII

_ORDERED = (
    rf"{_ROOT}(?P<Y>\d{{4}})/(?P<m>\d\d)/(?P<d>\d\d)/{_LOG}",
    # The larger units once more, in folders of their own.
    (
        rf"{_ROOT}{_KEY}(?P<Y1>{_YEAR})/(?:{_KEY}(?:(?P<Y2>{_YEAR})[-_.]?)?(?P<m1>{_MONTH})/)?"
        rf"{_KEY}(?P<Y>{_YEAR})[-_.]?(?P<m>{_MONTH})(?:[-_.]?(?P<d>{_DAY}){_TIME})?/{_LOG}"
    ),
    (
        rf"{_ROOT}{_KEY}(?P<Y>{_YEAR})(?:{_SEPARATOR}(?P<m>{_MONTH})"
        rf"(?:{_SEPARATOR}(?P<d>{_DAY}){_TIME})?)?/{_LOG}"
    ),
)


def _named(names: tuple[str, ...], full: str, short: str) -> str:
    """Their names in full or three letters of them, in any case. May is a short name."""
    whole = "|".join(name for name in names if len(name) > 3)
    begun = "|".join(name[:3] for name in names)
    return rf"(?i:(?P<{full}>{whole})|(?P<{short}>{begun})\.?)"


_NAME = rf"(?:(?P<m>{_MONTH})[-_. ]?)?{_named(MONTHS, 'B', 'b')}"
_FOREIGN = rf"(?i:(?P<W>(?:{_OF_OTHER_LANGUAGES}|(?:1[0-2]|0?[1-9])[月월])\.?))"
_WEEKDAY = _named(WEEKDAYS, "A", "a")
_AFTER_A_WEEKDAY = rf"(?:{_WEEKDAY}[-_. ])?"
_BEFORE_A_WEEKDAY = rf"(?:[-_. /]?{_WEEKDAY})?"
_WEEK = r"(?P<V>0[1-9]|[1-4]\d|5[0-3])"


def _form(pattern: str) -> str:
    return rf"{_ROOT}{_KEY}{pattern}/{_LOG}"


def _three(first: str, second: str, third: str) -> str:
    """Three numbers, with the same sign between them or none."""
    return _form(rf"{first}(?P<_s>[-_./]?){second}(?P=_s){third}{_TIME}")


_M, _D, _Y = rf"(?P<m>{_MONTH})", rf"(?P<d>{_DAY})", rf"(?P<Y>{_YEAR})"
_YY = r"(?P<y>[2-9]\d)"
"""Two digits are a year of now; 15 before a slash is more likely a version's folder."""
_BY_THE_LONG_YEAR = (_three(_D, _M, _Y), _three(_M, _D, _Y))
_BY_THE_SHORT_YEAR = (_three(_YY, _M, _D), _three(_D, _M, _YY), _three(_M, _D, _YY))
_ALIKE = (_BY_THE_LONG_YEAR, _BY_THE_SHORT_YEAR)
"""Forms of which one name may have several: 05-09-2026 is in May or in September."""

_FIRST = (
    *_BY_THE_LONG_YEAR,
    _form(rf"(?:{_D}/)?{_NAME}/{_Y}"),
)
"""Before those in order, for which what comes before the year would be no part of the date."""
_UNORDERED = (
    _three(_Y, _D, _M),
    _form(rf"(?P<m>{_MONTH})[-_.](?P<Y>{_YEAR})"),
    _form(rf"{_AFTER_A_WEEKDAY}(?P<Y>{_YEAR}){_SEPARATOR}{_NAME}(?:{_SEPARATOR}(?P<d>{_DAY}){_TIME})?"),
    _form(rf"{_AFTER_A_WEEKDAY}(?P<d>{_DAY}){_SEPARATOR}{_NAME}{_SEPARATOR}(?P<Y>{_YEAR}){_TIME}"),
    _form(rf"{_NAME}{_SEPARATOR}(?:(?P<d>{_DAY}){_SEPARATOR})?(?P<Y>{_YEAR})"),
    _form(rf"{_NAME}(?:{_BETWEEN}(?P<d>{_DAY}))?"),
    _form(  # a weekday before or after what is ordered but for it
        rf"{_AFTER_A_WEEKDAY}(?P<Y>{_YEAR}){_SEPARATOR}(?P<m>{_MONTH}){_SEPARATOR}(?P<d>{_DAY}){_TIME}"
    ),
    _form(rf"(?P<Y>{_YEAR}){_SEPARATOR}(?P<m>{_MONTH}){_SEPARATOR}(?P<d>{_DAY}){_BEFORE_A_WEEKDAY}{_TIME}"),
    _form(  # without noughts
        rf"(?P<Y>{_YEAR}){_BETWEEN}(?P<M>1[0-2]|[1-9])"
        rf"(?:{_BETWEEN}(?P<D>[12]\d|3[01]|[1-9])(?:{_BETWEEN}(?P<H>{_HOUR}))?)?"
    ),
    _form(rf"(?P<G>{_YEAR}){_SEPARATOR}(?:[Ww]|KW|kw|[Ww]eek)[-_]?{_WEEK}{_BEFORE_A_WEEKDAY}"),
    _form(rf"(?P<G>{_YEAR}){_BETWEEN}{_WEEK}{_BEFORE_A_WEEKDAY}"),
    _form(rf"(?P<Y>{_YEAR}){_SEPARATOR}(?P<j>[012]\d\d|3[0-5]\d|36[0-6]){_TIME}"),
    *_BY_THE_SHORT_YEAR,
    _form(_WEEKDAY),
    rf"{_ROOT}(?:month|week|day|hour)=(?P<W>\d\d)/{_LOG}",
    _form(rf"(?P<Y>{_YEAR}){_SEPARATOR}{_FOREIGN}(?:{_SEPARATOR}(?P<d>{_DAY}){_TIME})?"),
    _form(rf"(?:(?P<d>{_DAY}){_SEPARATOR})?{_FOREIGN}{_SEPARATOR}(?P<Y>{_YEAR})"),
)


class Form(NamedTuple):
    """`ordered`: such folders sort as time goes. `alike`: further patterns by which a name may be meant."""

    pattern: re.Pattern[str]
    ordered: bool
    alike: tuple[re.Pattern[str], ...]


@cache
def forms() -> tuple[Form, ...]:
    """In the order in which they count.

    They are compiled when the first is asked for: that takes long enough to be seen in a start.
    """
    written = dict.fromkeys((*_FIRST, *_ORDERED, *_UNORDERED))
    compiled = {form: re.compile(form, _FLAGS) for form in written}
    alike = {form: group for group in _ALIKE for form in group}
    return tuple(
        Form(
            pattern,
            form in _ORDERED,
            tuple(compiled[each] for each in alike.get(form, ()) if each != form),
        )
        for form, pattern in compiled.items()
    )
