"""The schedule of a rule: whether it is due in a minute, in UTC.

EventBridge User Guide, "Setting a schedule pattern for scheduled rules (legacy) in Amazon EventBridge". Not supported,
by name: the wildcards L and W in a list.
"""

from __future__ import annotations

import calendar
import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from awslang.bounded import is_number
from awslang.errors import AwsError, NotSupported
from localaws.cloud import Cloud

RATE = re.compile(r"rate\((?P<value>[1-9][0-9]{0,8}) (?P<unit>minute|hour|day)(?P<plural>s?)\)")
CRON = re.compile(r"cron\((?P<fields>[^()]+)\)")
MINUTES = {"minute": 1, "hour": 60, "day": 1440}
MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
SATURDAY, SUNDAY = 6, 7  # as datetime counts
DAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
FIELDS = ((0, 59, ()), (0, 23, ()), (1, 31, ()), (1, 12, MONTHS), (1, 7, DAYS), (1970, 2199, ()))
PART = re.compile(r"(?P<first>\*|[0-9A-Z]+)(?:-(?P<last>[0-9A-Z]+))?(?:/(?P<step>[0-9]+))?")


# Days that a wildcard names: the last one (L) and the weekday closest to a day (3W) of a month; Saturday (L), the last
# Friday (6L) and the second Tuesday of a month (3#2).
OF_MONTH = re.compile(r"(?P<last>L)|(?P<near>[1-9]|[12][0-9]|3[01])W")
OF_WEEK = re.compile(rf"L|(?P<day>[1-7]|{'|'.join(DAYS)})(?:(?P<last>L)|#(?P<instance>[1-5]))")


@dataclass(frozen=True)
class Schedule:
    """minutes: of a rate; fields: of a cron expression, the values of each, None for any; since: when it began;
    day_of_month, day_of_week: a day that a wildcard names, "" without one
    """

    since: datetime
    minutes: int = 0
    fields: tuple[frozenset[int] | None, ...] = ()
    day_of_month: str = ""
    day_of_week: str = ""

    def due(self, moment: datetime) -> bool:
        """Whether it is due in the minute that begins with the moment."""
        if self.minutes:
            past = int((moment - self.since) / timedelta(minutes=1))
            return past > 0 and past % self.minutes == 0
        weekday = moment.isoweekday() % 7 + 1  # Sunday is the first
        now = (moment.minute, moment.hour, moment.day, moment.month, weekday, moment.year)
        if not all(values is None or value in values for value, values in zip(now, self.fields, strict=True)):
            return False
        return is_day_of_month(self.day_of_month, moment) and is_day_of_week(self.day_of_week, moment)


def is_day_of_month(text: str, moment: datetime) -> bool:
    """Whether the moment is on the last day, or on the weekday of the month closest to a day."""
    length = calendar.monthrange(moment.year, moment.month)[1]
    found = OF_MONTH.fullmatch(text)
    if not found:
        return True
    if found["last"]:
        return moment.day == length
    near = int(found["near"])
    if near > length:
        return False
    weekday = moment.replace(day=near).isoweekday()
    if weekday == SATURDAY:
        near += -1 if near > 1 else 2
    elif weekday == SUNDAY:
        near += 1 if near < length else -2
    return moment.day == near


def is_day_of_week(text: str, moment: datetime) -> bool:
    """Whether the moment is on the last day of the week, or on the last or a certain such day of the month."""
    found = OF_WEEK.fullmatch(text)
    if not found:
        return True
    if not found["day"]:
        return moment.isoweekday() == SATURDAY
    if moment.isoweekday() % 7 + 1 != number(found["day"], 1, 7, DAYS):
        return False
    if found["last"]:
        return moment.day + 7 > calendar.monthrange(moment.year, moment.month)[1]
    return (moment.day - 1) // 7 + 1 == int(found["instance"])


def parse(expression: str, now: datetime | None = None) -> Schedule:
    """The schedule of an expression, from now on; ValidationException for one that is none."""
    since = (now or datetime.now(UTC)).replace(second=0, microsecond=0)
    if found := RATE.fullmatch(expression):
        value = int(found["value"])
        if (value == 1) == bool(found["plural"]):
            raise wrong()
        return Schedule(since, value * MINUTES[found["unit"]])
    cron = CRON.fullmatch(expression)
    texts = cron["fields"].upper().split() if cron else []
    if len(texts) != len(FIELDS) or (texts[2] == "?") == (texts[4] == "?"):
        raise wrong()
    of_month, of_week = OF_MONTH.fullmatch(texts[2]), OF_WEEK.fullmatch(texts[4])
    if "," in texts[4] and "#" in texts[4]:  # "you can define only one expression in the day-of-week field"
        raise wrong()
    if any(sign in text for sign in "LW" for text in (texts[2], re.sub("WED", "", texts[4])) if "," in text):
        raise NotSupported(f"L and W in a list in the schedule {expression}")
    days = (texts[2] if of_month else "", texts[4] if of_week else "")
    texts = ["?" if text in days else text for text in texts] if any(days) else texts
    fields = tuple(values(text, *field) for text, field in zip(texts, FIELDS, strict=True))
    return Schedule(since, fields=fields, day_of_month=days[0], day_of_week=days[1])


def wrong() -> AwsError:
    return AwsError("ValidationException", "Parameter ScheduleExpression is not valid.")


def values(text: str, least: int, most: int, names: tuple[str, ...]) -> frozenset[int] | None:
    """The values of a field, such as 0/15, 8-17, MON-FRI or 20-2 (which goes on after the greatest); None for any."""
    if text == "?" and most in (31, 7):
        return None
    found: set[int] = set()
    for part in text.split(","):
        given = PART.fullmatch(part)
        if given is None:
            raise wrong()
        first = least if given["first"] == "*" else number(given["first"], least, most, names)
        last = number(given["last"], least, most, names) if given["last"] else first
        if given["first"] == "*" or (given["step"] and not given["last"]):
            last = most
        step = int(given["step"] or 1)
        if step < 1:
            raise wrong()
        span = (last - first) % (most - least + 1)
        found |= {(first - least + past) % (most - least + 1) + least for past in range(0, span + 1, step)}
    return frozenset(found)


def number(text: str, least: int, most: int, names: tuple[str, ...]) -> int:
    value = names.index(text) + 1 if text in names else int(text) if is_number(text) else least - 1
    if not least <= value <= most:
        raise wrong()
    return value


@dataclass
class Clock:
    """Calls back at every whole minute, of real time: only AWS's own waiting is shortened here.

    The thread is none of the cloud's work in the background, so that nothing waits for its end.
    """

    thread: threading.Thread | None = None

    def start(self, cloud: Cloud, tick: Callable[[Cloud, datetime], None]) -> None:
        if self.thread is None:
            self.thread = threading.Thread(target=self.run, args=(cloud, tick), name="schedules", daemon=True)
            self.thread.start()

    def run(self, cloud: Cloud, tick: Callable[[Cloud, datetime], None]) -> None:
        while not cloud.stopping.wait(60 - time.time() % 60):
            cloud.background("schedules", tick, cloud, datetime.now(UTC).replace(second=0, microsecond=0))
