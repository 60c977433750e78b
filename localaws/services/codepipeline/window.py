"""The cron expressions of the DeploymentWindow rule.

AWS CodePipeline User Guide, "DeploymentWindow": six fields and an optional year, separated by white space
(seconds, minutes, hours, day of the month, month, day of the week, year), and the time zone's forms.
"""

from __future__ import annotations

import calendar
import re
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

MONTHS = {name.upper(): number for number, name in enumerate(calendar.month_abbr) if name}
DAYS = {name: number for number, name in enumerate(("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"), 1)}
ABBREVIATIONS = {  # Java's, as far as one place stands for them ("TimeZoneID values")
    "EST": "America/New_York", "CST": "America/Chicago", "MST": "America/Denver", "PST": "America/Los_Angeles",
    "IST": "Asia/Kolkata", "JST": "Asia/Tokyo", "GMT": "UTC", "CET": "Europe/Paris", "EET": "Europe/Athens",
}  # fmt: skip
FARTHEST = 366  # days that are searched for the window's next opening


class WrongWindow(ValueError):
    """What is wrong with the expression or the time zone."""


def zone(name: str) -> tzinfo:
    """A time zone as Region/City, UTC with an offset, or an abbreviation."""
    if found := re.fullmatch(r"UTC(?:([+-])([0-9]{2}):([0-9]{2}))?", name):
        sign, hours, minutes = found.groups()
        offset = timedelta(hours=int(hours or 0), minutes=int(minutes or 0))
        return timezone(-offset if sign == "-" else offset)
    try:
        return ZoneInfo(ABBREVIATIONS.get(name, name))
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise WrongWindow(f"{name} is not a time zone") from error


@dataclass(frozen=True)
class Window:
    minutes: str
    hours: str
    days: str
    months: str
    weekdays: str
    years: str

    def open_at(self, moment: datetime) -> bool:
        return (
            moment.minute in numbers(self.minutes, 0, 59)
            and moment.hour in numbers(self.hours, 0, 23)
            and self._on_date(moment)
        )

    def _on_date(self, moment: datetime) -> bool:
        return (
            moment.year in numbers(self.years, 1970, 2199)
            and moment.month in numbers(self.months, 1, 12, MONTHS)
            and moment.day in days_of_month(self.days, moment)
            and moment.day in days_of_week(self.weekdays, moment)
        )

    def opens_in(self, moment: datetime) -> float | None:
        """Seconds until it opens; None for a window that stays closed for a year."""
        at = moment.replace(second=0, microsecond=0)
        end = at + timedelta(days=FARTHEST)
        while at < end:
            if not self._on_date(at):
                at = (at + timedelta(days=1)).replace(hour=0, minute=0)
            elif at.hour not in numbers(self.hours, 0, 23):
                at = (at + timedelta(hours=1)).replace(minute=0)
            elif not self.open_at(at):
                at += timedelta(minutes=1)
            else:
                return max(0.0, (at - moment).total_seconds())
        return None


def window(text: str) -> Window:
    """The expression, checked in every field."""
    fields = text.upper().split()
    if len(fields) not in (6, 7):
        raise WrongWindow(f"{text!r} has {len(fields)} fields; it must have 6, and the year if need be")
    seconds, minutes, hours, days, months, weekdays, years = [*fields, "*"][:7]
    sample = datetime(2026, 1, 1)
    try:
        numbers(seconds, 0, 59)
        numbers(minutes, 0, 59)
        numbers(hours, 0, 23)
        days_of_month(days, sample)
        numbers(months, 1, 12, MONTHS)
        days_of_week(weekdays, sample)
        numbers(years, 1970, 2199)
    except (ValueError, KeyError) as error:
        raise WrongWindow(f"{text!r} is not valid: {error}") from error
    return Window(minutes, hours, days, months, weekdays, years)


def numbers(field: str, least: int, most: int, names: dict[str, int] | None = None) -> set[int]:
    """The numbers that a field with , - / * stands for."""

    def number(text: str) -> int:
        value = (names or {}).get(text)
        value = int(text) if value is None else value
        if not least <= value <= most:
            raise ValueError(f"{text} in the field {field}")
        return value

    found: set[int] = set()
    for part in field.split(","):
        span, _, step = part.partition("/")
        first, _, last = span.partition("-")
        begin = least if first == "*" else number(first)
        end = number(last) if last else most if first == "*" or step else begin
        found.update(range(begin, end + 1, int(step or 1)))
    return found


def days_of_month(field: str, moment: datetime) -> set[int]:
    """With ? L W: L the last day, L-3 the third before it, 15W the weekday nearest the 15th, LW the last weekday."""
    last = calendar.monthrange(moment.year, moment.month)[1]
    if field in ("?", "*"):
        return set(range(1, last + 1))
    if found := re.fullmatch(r"L(?:-([0-9]+))?", field):
        return {last - int(found.group(1) or 0)}
    if found := re.fullmatch(r"([0-9]+|L)W", field):
        day = last if found.group(1) == "L" else min(int(found.group(1)), last)
        weekday = datetime(moment.year, moment.month, day).weekday()
        if weekday == 5:
            day = day - 1 if day > 1 else day + 2
        elif weekday == 6:
            day = day + 1 if day < last else day - 2
        return {day}
    return numbers(field, 1, 31)


def days_of_week(field: str, moment: datetime) -> set[int]:
    """The days of the moment's month that fit; 6L the last Friday, 6#3 the third Friday, L Saturday."""
    last = calendar.monthrange(moment.year, moment.month)[1]
    by_weekday: dict[int, list[int]] = {}
    for day in range(1, last + 1):
        by_weekday.setdefault((datetime(moment.year, moment.month, day).weekday() + 1) % 7 + 1, []).append(day)
    if field in ("?", "*"):
        return set(range(1, last + 1))
    if field == "L":
        field = "7"
    if found := re.fullmatch(r"([a-zA-Z0-9_]+)(?:L|#([0-9]))", field):
        days = by_weekday[DAYS.get(found.group(1)) or int(found.group(1))]
        nth = int(found.group(2)) - 1 if found.group(2) else -1
        return {days[nth]} if nth < len(days) else set()
    return {day for number in numbers(field, 1, 7, DAYS) for day in by_weekday[number]}
