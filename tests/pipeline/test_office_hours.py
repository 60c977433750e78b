from __future__ import annotations

import pytest

from pipeline.office_hours import average, days, share


@pytest.mark.parametrize(
    ("start", "end", "hours"),
    [
        ("cron(0 7 ? * MON-FRI *)", "cron(0 19 ? * MON-FRI *)", 5 * 12),
        ("cron(30 7 ? * * *)", "cron(0 18 ? * * *)", 7 * 10.5),
        ("cron(0 22 ? * FRI-SUN *)", "cron(0 6 ? * SAT-MON *)", 3 * 8),
        ("cron(0 20 ? * SAT *)", "cron(0 4 ? * SUN *)", 8),
        ("cron(0 7 ? * MON *)", "cron(0 19 ? * FRI *)", 4 * 24 + 12),
        ("cron(0 7 ? * MON,WED *)", "cron(0 19 ? * WED *)", 2 * 24 + 12),
        ("", "", 0),
        ("cron(0 7 ? * MON *)", "", 0),
    ],
)
def test_a_share_is_the_time_between_a_start_and_the_end_that_follows_it(start: str, end: str, hours: float) -> None:
    assert share(start, end) == pytest.approx(hours / (7 * 24))


def test_days_go_around_the_week() -> None:
    assert days("FRI-MON") == {5, 6, 0, 1}
    assert days("SUN,TUE-WED") == {0, 2, 3}


def test_an_endpoint_keeps_more_instances_during_office_hours_alone() -> None:
    hours = {
        "OfficeHoursStart": "cron(0 0 ? * MON-FRI *)", "OfficeHoursEnd": "cron(0 12 ? * MON-FRI *)",
        "OfficeHoursInstanceCount": "8",
    }  # fmt: skip
    scaled = {"InitialInstanceCount": "1", "MaximumInstanceCount": "9"}
    assert average({**scaled, **hours}) == pytest.approx(1 + 7 * 60 / 168)
    assert average(scaled) == 1
    assert average({"InitialInstanceCount": "3", "MaximumInstanceCount": "0", **hours}) == 3, "nothing is scaled"
