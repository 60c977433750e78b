"""The schedule of a rule: whether it is due in a minute, in UTC.

EventBridge User Guide, "Setting a schedule pattern for scheduled rules (legacy) in Amazon EventBridge". Not supported,
by name: the wildcards L, W and #.
"""

from __future__ import annotations

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
DAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
FIELDS = ((0, 59, ()), (0, 23, ()), (1, 31, ()), (1, 12, MONTHS), (1, 7, DAYS), (1970, 2199, ()))
PART = re.compile(r"(?P<first>\*|[0-9A-Z]+)(?:-(?P<last>[0-9A-Z]+))?(?:/(?P<step>[0-9]+))?")


@dataclass(frozen=True)
class Schedule:
    """minutes: of a rate; fields: of a cron expression, the values of each, None for any; since: when it began"""

    since: datetime
    minutes: int = 0
    fields: tuple[frozenset[int] | None, ...] = ()

    def due(self, moment: datetime) -> bool:
        """Whether it is due in the minute that begins with the moment."""
        if self.minutes:
            past = int((moment - self.since) / timedelta(minutes=1))
            return past > 0 and past % self.minutes == 0
        weekday = moment.isoweekday() % 7 + 1  # Sunday is the first
        now = (moment.minute, moment.hour, moment.day, moment.month, weekday, moment.year)
        return all(values is None or value in values for value, values in zip(now, self.fields, strict=True))


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
    if any(sign in text for sign in "LW#" for text in (texts[2], re.sub("WED", "", texts[4]))):
        raise NotSupported(f"L, W and # in the schedule {expression}")
    return Schedule(since, fields=tuple(values(text, *field) for text, field in zip(texts, FIELDS, strict=True)))


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
