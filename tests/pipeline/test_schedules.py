"""Schedule expressions that EventBridge refuses: Build names what is wrong, and nothing that EventBridge takes."""

from __future__ import annotations

import pytest

from awslang.errors import AwsError
from localaws.services.events import schedule
from pipeline.schedules import problem

RIGHT = (
    "rate(1 minute)", "rate(5 minutes)", "rate(1 day)", "cron(0 10 * * ? *)", "cron(15 12 * * ? *)",
    "cron(0 18 ? * MON-FRI *)", "cron(0 8 1 * ? *)", "cron(0/15 * * * ? *)", "cron(0/10 * ? * MON-FRI *)",
    "cron(0/5 8-17 ? * MON-FRI *)", "cron(0 9 1 JAN,jul ? 2026-2030)",
    "cron(0 9 ? * 2#1 *)", "cron(0 9 L * ? *)", "cron(0 9 3W * ? *)", "cron(0 9 ? * 6L *)",
)  # fmt: skip
WRONG = {
    "rate(1 days)": "the unit is day for 1, and days for more",
    "rate(2 day)": "the unit is day for 1",
    "rate(0 days)": "rate has a number and minutes, hours or days",
    "rate(5 seconds)": "rate has a number",
    "cron(0 3 * * *)": "cron has six fields",
    "cron(0 3 * * * *)": "exactly one of both days must be a question mark",
    "cron(0 3 ? * ? *)": "exactly one of both days",
    "cron(60 3 * * ? *)": "the field minutes takes 0 to 59",
    "cron(0 24 * * ? *)": "the field hours takes 0 to 23",
    "cron(0 3 32 * ? *)": "the field day of the month takes 1 to 31",
    "cron(0 3 * 13 ? *)": "the field month takes 1 to 12",
    "cron(0 3 ? * MONDAY *)": "the field day of the week takes 1 to 7",
    "cron(0 3 * * ? 1969)": "the field year takes 1970 to 2199",
    "cron(0/0 3 * * ? *)": "the field minutes",
}


@pytest.mark.parametrize("expression", RIGHT)
def test_what_the_embedded_eventbridge_takes_is_right(expression: str) -> None:
    schedule.parse(expression)
    assert problem(expression) == ""


@pytest.mark.parametrize("expression", WRONG)
def test_what_it_refuses_is_named_with_an_example(expression: str) -> None:
    with pytest.raises(AwsError):
        schedule.parse(expression)
    found = problem(expression)
    assert WRONG[expression] in found
    assert "rate(1 day)" in found


def test_no_schedule_is_no_problem() -> None:
    assert problem("") == ""
