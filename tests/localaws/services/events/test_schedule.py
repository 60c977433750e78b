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
    ],
)  # fmt: skip
def test_what_is_no_schedule(wrong: str) -> None:
    with pytest.raises(AwsError, match="ScheduleExpression is not valid"):
        parse(wrong)


@pytest.mark.parametrize(
    "other", ["cron(0 10 L * ? *)", "cron(0 10 3W * ? *)", "cron(15 10 ? * 6L *)", "cron(0 1 ? * 3#2 *)"]
)
def test_some_wildcards_are_refused_by_name(other: str) -> None:
    with pytest.raises(AwsError, match="Not supported by the embedded AWS: L, W and #"):
        parse(other)
