"""How many instances a stage keeps on average, with its office hours. Pure.

A start and an end are expressions such as cron(0 7 ? * MON-FRI *): 40-stage.yaml takes no others.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

DAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
DAY, WEEK = 24 * 60, 7 * 24 * 60  # minutes
EXPRESSION = re.compile(r"cron\(([0-9]+) ([0-9]+) \? \* ([A-Z,*-]+) \*\)")


def minutes(expression: str) -> Iterator[int]:
    """The minutes of a week, from Sunday's first on, at which an expression is due; none for one that is none."""
    found = EXPRESSION.fullmatch(expression)
    for day in days(found[3]) if found else ():
        yield day * DAY + int(found[2]) * 60 + int(found[1])  # type: ignore[index]  # no day without a match


def days(text: str) -> set[int]:
    """The days of a field such as *, MON-FRI, FRI-MON or SAT,SUN."""
    if text == "*":
        return set(range(len(DAYS)))
    found = set()
    for part in text.split(","):
        ends = [DAYS.index(name) for name in part.split("-")]
        span = (ends[-1] - ends[0]) % len(DAYS)
        found |= {(ends[0] + past) % len(DAYS) for past in range(span + 1)}
    return found


def share(start: str, end: str) -> float:
    """The part of a week that lies between a start and the end that follows it, from 0 to 1."""
    starts, ends = sorted(minutes(start)), sorted(minutes(end))
    if not starts or not ends:
        return 0.0
    open_since, total = None, 0
    moments = sorted([(at, True) for at in starts] + [(at, False) for at in ends])
    for at, begins in moments + [(at + WEEK, begins) for at, begins in moments]:
        if begins and open_since is None:
            open_since = at
        elif not begins and open_since is not None:
            total += max(0, at - max(open_since, WEEK))  # the second week, into which the first one leads
            open_since = None
    if open_since is not None:
        total += 2 * WEEK - max(open_since, WEEK)
    return total / WEEK


def average(parameters: Mapping[str, str]) -> float:
    """The instances of an endpoint with these parameters, without those that autoscaling adds or takes away."""
    least = int(parameters.get("InitialInstanceCount") or 1)
    if parameters.get("MaximumInstanceCount", "0") == "0":
        return least
    within = int(parameters.get("OfficeHoursInstanceCount") or 1)
    part = share(parameters.get("OfficeHoursStart", ""), parameters.get("OfficeHoursEnd", ""))
    return least + part * max(0, within - least)
