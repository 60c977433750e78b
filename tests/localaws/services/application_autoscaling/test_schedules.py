"""Scheduled actions (User Guide, "How scheduled scaling for Application Auto Scaling works")."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from localaws.cloud import Cloud
from localaws.services.application_autoscaling.schedules import tick
from tests.support.corrections_world import World, refusal
from tests.support.corrections_world import target as names_of

MORNING = "cron(0 7 ? * MON-FRI *)"


class Scaled:
    """A variant with one to three instances, and what Application Auto Scaling shows of it."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud, world = cloud, World(cloud)
        self.names = world.endpoint("ml.m5.large")
        self.scaling, self.sagemaker = world.client("application-autoscaling"), world.client("sagemaker")
        self.register(MinCapacity=1, MaxCapacity=3)

    def register(self, **more: Any) -> None:
        self.scaling.register_scalable_target(**self.names, **more)

    def put(self, name: str = "a", **more: Any) -> None:
        given = {"Schedule": MORNING, "ScalableTargetAction": {"MinCapacity": 2}} | more
        self.scaling.put_scheduled_action(**self.names, ScheduledActionName=name, **given)

    def at(self, *moment: int) -> tuple[int, int, int]:
        """The target's numbers and the instances after this minute, in UTC."""
        tick(self.cloud, datetime(*moment, tzinfo=UTC))  # type: ignore[misc,arg-type]
        (one,) = self.scaling.describe_scalable_targets(
            ServiceNamespace="sagemaker", ResourceIds=[self.names["ResourceId"]]
        )["ScalableTargets"]
        name = self.names["ResourceId"].split("/")[1]
        (variant,) = self.sagemaker.describe_endpoint(EndpointName=name)["ProductionVariants"]
        return one["MinCapacity"], one["MaxCapacity"], variant["CurrentInstanceCount"]


@pytest.fixture
def scaled(cloud: Cloud) -> Scaled:
    return Scaled(cloud)


def test_an_action_sets_the_numbers_of_its_target_by_its_time_zone(scaled: Scaled) -> None:
    scaled.put("start", Timezone="Europe/Zurich")
    scaled.put("end", Schedule="cron(0 19 ? * MON-FRI *)", ScalableTargetAction={"MinCapacity": 1, "MaxCapacity": 1})
    assert scaled.at(2027, 1, 4, 7, 0) == (1, 3, 1), "that is eight o'clock there"
    assert scaled.at(2027, 1, 4, 6, 0) == (2, 3, 2)
    assert scaled.at(2027, 1, 4, 19, 0) == (1, 1, 1), "without a time zone it is UTC"
    scaled.register(MaxCapacity=3)
    assert scaled.at(2027, 7, 4, 5, 0) == (1, 3, 1), "a Sunday"
    assert scaled.at(2027, 7, 5, 5, 0) == (2, 3, 2), "summer time"


def test_an_action_does_nothing_before_its_start_after_its_end_while_suspended_and_without_its_target(
    scaled: Scaled,
) -> None:
    scaled.put(StartTime=datetime(2027, 1, 5, tzinfo=UTC), EndTime=datetime(2027, 1, 7, tzinfo=UTC))
    assert [scaled.at(2027, 1, day, 7, 0)[0] for day in (4, 8)] == [1, 1]
    scaled.register(SuspendedState={"ScheduledScalingSuspended": True})
    assert scaled.at(2027, 1, 6, 7, 0) == (1, 3, 1)
    scaled.register(SuspendedState={"ScheduledScalingSuspended": False})
    assert scaled.at(2027, 1, 6, 7, 0) == (2, 3, 2)
    scaled.scaling.deregister_scalable_target(**scaled.names)
    assert scaled.scaling.describe_scheduled_actions(ServiceNamespace="sagemaker")["ScheduledActions"] == []


def test_an_action_whose_number_does_not_fit_its_target_fails_and_shows_it(scaled: Scaled) -> None:
    scaled.put(ScalableTargetAction={"MinCapacity": 9})
    assert scaled.at(2027, 1, 4, 7, 0) == (1, 3, 1)
    (activity,) = scaled.scaling.describe_scaling_activities(**scaled.names)["ScalingActivities"]
    assert activity["StatusCode"] == "Failed"
    assert activity["Cause"] == "scheduled action name a was triggered"


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({"ScalableTargetAction": {"MinCapacity": 4, "MaxCapacity": 3}}, "ValidationException"),
        ({"ScalableTargetAction": {}}, "ValidationException"),
        ({"Schedule": "0 7 * * MON-FRI"}, "ValidationException"),
        ({"Schedule": "cron(0 7 * * MON-FRI *)"}, "ValidationException"),
        ({"Schedule": "rate(1 days)"}, "ValidationException"),
        ({"Timezone": "Central"}, "ValidationException"),
        ({"Schedule": "at(2027-01-01T00:00:00)"}, "NotSupported"),
        ({"Schedule": "rate(2 hours)"}, ""),
    ],
)
def test_what_is_no_action_is_refused(scaled: Scaled, given: dict[str, Any], code: str) -> None:
    assert refusal(lambda: scaled.put(**given)) == code


def test_an_action_needs_its_target_and_is_known_by_its_name(scaled: Scaled) -> None:
    scaled.put(Timezone="Asia/Tokyo")
    scaled.put(Schedule="cron(30 7 ? * * *)")
    (action,) = scaled.scaling.describe_scheduled_actions(**scaled.names)["ScheduledActions"]
    assert (action["Schedule"], action["Timezone"]) == ("cron(30 7 ? * * *)", "Asia/Tokyo")
    scaled.scaling.delete_scheduled_action(**scaled.names, ScheduledActionName="a")
    gone = refusal(lambda: scaled.scaling.delete_scheduled_action(**scaled.names, ScheduledActionName="a"))
    scaled.names = names_of("none")
    assert (gone, refusal(scaled.put)) == ("ObjectNotFoundException", "ObjectNotFoundException")
