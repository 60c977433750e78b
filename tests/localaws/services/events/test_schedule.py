"""When a rule is due (EventBridge User Guide, "Setting a schedule pattern for scheduled rules (legacy)")."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from awslang.errors import AwsError
from localaws.services.events.schedule import parse

SINCE = datetime(2026, 11, 30, 9, 58, 30, tzinfo=UTC)  # a Monday


def moment(text: str) -> datetime:
    return datetime.fromisoformat(f"{text}:00+00:00")


@pytest.mark.parametrize(
    ("expression", "due", "not_due"),
    [
        ("rate(1 minute)", "2026-11-30T09:59", "2026-11-30T09:58"),
        ("rate(5 minutes)", "2026-11-30T10:03", "2026-11-30T10:04"),
        ("rate(2 days)", "2026-12-02T09:58", "2026-12-01T09:58"),
        ("cron(0 10 * * ? *)", "2026-11-30T10:00", "2026-11-30T10:01"),
        ("cron(0 18 ? * MON-FRI *)", "2026-12-04T18:00", "2026-12-05T18:00"),
        ("cron(0 8 1 * ? *)", "2026-12-01T08:00", "2026-12-02T08:00"),
        ("cron(0/15 * * * ? *)", "2026-11-30T10:45", "2026-11-30T10:50"),
        ("cron(1/10 * * * ? *)", "2026-11-30T10:11", "2026-11-30T10:10"),
        ("cron(0/30 20-2 ? * MON-FRI *)", "2026-12-01T01:30", "2026-12-01T03:30"),
        ("cron(5,35 14 * * ? *)", "2026-11-30T14:35", "2026-11-30T14:30"),
        ("cron(15 10 ? JUL 6 2019-2027)", "2027-07-02T10:15", "2027-07-03T10:15"),
        ("cron(0 10 L * ? *)", "2026-11-30T10:00", "2026-12-30T10:00"),
        ("cron(0 10 ? * L *)", "2026-12-05T10:00", "2026-12-06T10:00"),
        ("cron(0 10 5W * ? *)", "2026-12-04T10:00", "2026-12-05T10:00"),  # the fifth is a Saturday
        ("cron(0 10 6W * ? *)", "2026-12-07T10:00", "2026-12-06T10:00"),  # and the sixth a Sunday
        ("cron(0 10 1W * ? *)", "2027-05-03T10:00", "2027-04-30T10:00"),  # none of another month
        ("cron(0 10 31W * ? *)", "2026-12-31T10:00", "2026-11-30T10:00"),
        ("cron(15 10 ? * 6L *)", "2026-12-25T10:15", "2026-12-18T10:15"),
        ("cron(0 1 ? * TUE#2 *)", "2026-12-08T01:00", "2026-12-15T01:00"),
        ("cron(0 1 ? * 3#2 *)", "2026-12-08T01:00", "2026-12-01T01:00"),
    ],
)
def test_a_schedule_is_due(expression: str, due: str, not_due: str) -> None:
    schedule = parse(expression, SINCE)
    assert schedule.due(moment(due))
    assert not schedule.due(moment(not_due))


@pytest.mark.parametrize(
    "wrong",
    [
        "rate(1 hours)", "rate(5 hour)", "rate(0 minutes)", "daily", "cron(0 10 * * *)", "cron(0 10 * * * *)",
        "cron(60 10 * * ? *)", "cron(0 10 ? * ? *)", "cron(0 10 0 * ? *)", "cron(a 10 * * ? *)", "cron(0/0 1 * * ? *)",
        "cron(0 1 ? * 3#1,6#3 *)", "cron(0 1 ? * 3#6 *)", "cron(0 1 LW * ? *)", "cron(0 1 32W * ? *)",
    ],
)  # fmt: skip
def test_what_is_no_schedule(wrong: str) -> None:
    with pytest.raises(AwsError, match="ScheduleExpression is not valid"):
        parse(wrong)


def test_wildcards_in_a_list_are_refused_by_name() -> None:
    with pytest.raises(AwsError, match="Not supported by the embedded AWS: L and W in a list"):
        parse("cron(0 10 1,L * ? *)")
