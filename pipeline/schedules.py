"""What EventBridge refuses of a schedule expression: cron(...) or rate(...). Pure.

Amazon EventBridge User Guide, "Setting a schedule pattern for scheduled rules (legacy) in Amazon EventBridge": the six
fields of cron in UTC with their values and wildcards, one of both days a question mark; the units of rate.
"""

from __future__ import annotations

import re

RATE = re.compile(r"rate\(([1-9][0-9]{0,8}) (minute|hour|day)(s?)\)")
CRON = re.compile(r"cron\(([^()]+)\)")
MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
DAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
# Name, least and most value, words for values from the least on, and what the field alone may be beside them.
FIELDS: tuple[tuple[str, int, int, tuple[str, ...], str], ...] = (
    ("minutes", 0, 59, (), r"(?!)"),
    ("hours", 0, 23, (), r"(?!)"),
    ("day of the month", 1, 31, (), r"\?|L|LW|([1-9]|[12][0-9]|3[01])W"),
    ("month", 1, 12, MONTHS, r"(?!)"),
    ("day of the week", 1, 7, DAYS, r"\?|L|[1-7](L|#[1-5])|(SUN|MON|TUE|WED|THU|FRI|SAT)(L|#[1-5])"),
    ("year", 1970, 2199, (), r"(?!)"),
)
EXAMPLE = 'Write a schedule, such as "cron(0 3 * * ? *)" or "rate(1 day)"'
NUMBER = re.compile(r"[0-9]{1,4}")


def problem(expression: str) -> str:
    """What is wrong with an expression, with an example; "" for nothing, and for none."""
    if not expression:
        return ""
    if expression.startswith("rate"):
        return rate_problem(expression)
    found = CRON.fullmatch(expression)
    fields = found[1].split() if found else []
    if len(fields) != len(FIELDS):
        return f"cron has six fields: {', '.join(name for name, *_ in FIELDS)}. {EXAMPLE}"
    for given, (name, least, most, words, special) in zip(fields, FIELDS, strict=True):
        if not re.fullmatch(special, given) and not all(part(one, least, most, words) for one in given.split(",")):
            return f"the field {name} takes {least} to {most}, *, lists, ranges and steps, not {given}. {EXAMPLE}"
    if (fields[2] == "?") == (fields[4] == "?"):
        return f"exactly one of both days must be a question mark. {EXAMPLE}"
    return ""


def rate_problem(expression: str) -> str:
    found = RATE.fullmatch(expression)
    if not found:
        return f"rate has a number and minutes, hours or days. {EXAMPLE}"
    if (found[1] == "1") is bool(found[3]):
        return f"the unit is {found[2]} for 1, and {found[2]}s for more. {EXAMPLE}"
    return ""


def part(given: str, least: int, most: int, words: tuple[str, ...]) -> bool:
    """Whether one entry of a field is *, a value or a range, each with a step or without."""
    base, slash, step = given.partition("/")
    if slash and (not NUMBER.fullmatch(step) or not 1 <= int(step) <= most):
        return False
    if base == "*":
        return True
    ends = [value(one, least, words) for one in base.split("-")]
    return len(ends) <= 2 and all(end is not None and least <= end <= most for end in ends)


def value(given: str, least: int, words: tuple[str, ...]) -> int | None:
    if given.upper() in words:
        return words.index(given.upper()) + least
    return int(given) if NUMBER.fullmatch(given) else None
