"""Monitors in a whole story: the baseline of a training, two Regions, a stage between, drift, notices, a new training.

What a monitor says of requests in detail is in test_every_setting.py, on one endpoint without a pipeline.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from localaws.services.events.service import deliveries
from scripts.rehearsal.chapters import play
from scripts.rehearsal.embedded import embedded_aws
from scripts.rehearsal.story import Story
from scripts.rehearsal.teams.repositories import DEPLOY, SEED, TRAINING, read
from tests.support import ROOT, monitoring, notices
from tests.support.waiting import until

HOME, IRELAND = "us-east-1", "eu-west-1"
MONITORED = {
    "InstanceType": "ml.m5.large", "DataCaptureS3Uri": "account", "MonitorHours": "1", "MonitorQualityHours": "1",
    "MonitorQualityMetric": "accuracy", "MonitorQualityBound": "0.8",
}  # fmt: skip
# What makes the pipeline of the iris a full one: it evaluates, and so has a baseline.
FULL = {
    'pipeline = "short"     # "short"': 'pipeline = "full"\nprocessing_instance = "ml.t3.medium"  # "short"',
    '"validation:merror" = { goal = "minimize", bound = 0.15 }': 'accuracy = { goal = "maximize", bound = 0.8 }',
    '"validation:mlogloss" = { goal = "minimize" }\n': "",
    '"train:merror" = { goal = "minimize" }\n': "",
}


@dataclass(frozen=True)
class Watched:
    """The endpoint of production in one Region."""

    story: Story
    region: str

    def there(self, service: str) -> Any:
        return self.story.owner(self.story.setting.targets["prod"], self.region).client(service)

    def name(self, project: str) -> str:
        return f"{self.story.project_name}-{self.story.project_id}-prod"

    @property
    def data(self) -> str:
        return f"endpoint-data-{self.story.setting.targets['prod']}-{self.region}"

    @property
    def captured(self) -> str:
        return f"s3://{self.data}/capture/{self.name('')}"


def repositories(folder: Path) -> dict[str, Path]:
    """A full pipeline of the iris, and monitors in production alone."""
    ignore = shutil.ignore_patterns("__pycache__", "build")
    made = {option: Path(shutil.copytree(SEED[option], folder / option[2:], ignore=ignore)) for option in SEED}
    text = (made[TRAINING] / "project.toml").read_text()
    for before, after in FULL.items():
        assert before in text
        text = text.replace(before, after, 1)
    (made[TRAINING] / "project.toml").write_text(text)
    (made[DEPLOY] / "prod-config.json").write_text(json.dumps({"Parameters": MONITORED}))
    return made


def train_on_drift(story: Story) -> None:
    """The stack of docs/reference/notices.md, "Drift", word for word."""
    page = (ROOT / "docs/reference/notices.md").read_text(encoding="utf-8")
    body = re.findall(r"```yaml\n(.*?)```", page.split("\n## Drift\n")[1].split("\n## ")[0], re.DOTALL)[0]
    cloudformation = story.owner(story.setting.data_science).client("cloudformation")
    given = {"ProjectName": story.project_name, "ProjectId": story.project_id}
    cloudformation.create_stack(
        StackName="train-on-drift", TemplateBody=body, Capabilities=["CAPABILITY_IAM"],
        Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in given.items()],
    )  # fmt: skip
    cloudformation.get_waiter("stack_create_complete").wait(StackName="train-on-drift", WaiterConfig={"Delay": 1})


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    """Version 1 is live in two Regions, with both monitors, after a stage between."""
    folder = tmp_path_factory.mktemp("monitors")
    with embedded_aws(folder) as cloud:
        played = Story(cloud, folder, regions=(HOME, IRELAND), between=("qa",))
        played.repositories = read(repositories(folder), [], HOME, (HOME, IRELAND))
        play(played, until="production")
        notices.listen(played)
        train_on_drift(played)
        yield played
    assert not cloud.faults, "\n".join(f"{fault.where}\n{fault.traceback}" for fault in cloud.faults)


def drifts(story: Story, count: int) -> list[dict[str, Any]]:
    """So many notices of drift, in the order of their alarms."""
    found: list[dict[str, Any]] = []

    def there() -> Any:
        details = [json.loads(body)["detail"] for body in notices.arrived(story, notices.EVENTS)]
        found.extend(one for one in details if one["notice"] != "deployed")
        return len(found) >= count

    until(there)
    for one in found:
        jsonschema.validate(one, notices.schema())
    return found


def trainings(story: Story) -> list[dict[str, Any]]:
    """The executions of the training pipeline, the oldest first, each with its parameters."""
    sagemaker = story.scientist.client("sagemaker")
    name = f"{story.project_name}-{story.project_id}-train"
    listed = sagemaker.list_pipeline_executions(PipelineName=name, SortOrder="Ascending")["PipelineExecutionSummaries"]
    for one in listed:
        given = sagemaker.list_pipeline_parameters_for_execution(PipelineExecutionArn=one["PipelineExecutionArn"])
        one["given"] = {item["Name"]: item["Value"] for item in given["PipelineParameters"]}
    return list(listed)


def test_requests_like_the_training_data_raise_no_alarm_in_either_region(story: Story) -> None:
    for region in (HOME, IRELAND):
        place = Watched(story, region)
        monitoring.ask(place, "", 0.0)
        monitoring.execution(place, "", "Completed")
        assert monitoring.alarm(place, "") == "OK"
    monitoring.label(Watched(story, HOME), "", "right", lambda true: true)
    monitoring.execution(Watched(story, HOME), "", "Completed", "CompletedWithViolations", of="q")
    assert monitoring.alarm(Watched(story, HOME), "", "quality") == "OK"
    assert {one["notice"] for one in notices.received(story)} <= {"deployed"}
    assert len(trainings(story)) == 1


def test_drift_in_one_region_becomes_a_notice_and_starts_a_training_with_the_place_of_the_data(story: Story) -> None:
    place = Watched(story, IRELAND)
    monitoring.ask(place, "", 2.0)
    found = monitoring.execution(place, "", "CompletedWithViolations")
    assert "baseline_drift_check" in monitoring.violations(place, found).values()
    (notice,) = drifts(story, 1)
    assert (notice["notice"], notice["action"]) == ("drift", f"{place.name('')}-drift")
    assert (notice["account"], notice["region"]) == (story.setting.targets["prod"], IRELAND)
    assert notice["data"] == place.captured
    assert monitoring.alarm(Watched(story, HOME), "") == "OK"
    second = until(lambda: next(iter(trainings(story)[1:]), None))
    assert second["given"]["CapturedData"] == place.captured
    assert place.there("s3").list_objects_v2(Bucket=place.data, Prefix=f"capture/{place.name('')}/")["KeyCount"]

    def registered() -> Any:
        group = {"ModelPackageGroupName": story.project_name, "SortBy": "CreationTime", "SortOrder": "Descending"}
        newest = story.scientist.client("sagemaker").list_model_packages(**group)["ModelPackageSummaryList"][0]
        return newest["ModelPackageArn"] if newest["ModelPackageVersion"] == 2 else None

    version = story.scientist.client("sagemaker").describe_model_package(ModelPackageName=until(registered, 60))
    metadata = version["CustomerMetadataProperties"]
    assert (metadata["captured-data"], metadata["author"]) == (place.captured, "drift")
    assert version["ModelApprovalStatus"] == "PendingManualApproval"


def test_answers_that_became_wrong_are_a_notice_of_drift_too(story: Story) -> None:
    place = Watched(story, HOME)
    monitoring.label(place, "", "wrong", lambda true: f"{(float(true) + 1) % 3}")
    monitoring.execution(place, "", "CompletedWithViolations", of="q")
    notice = until(lambda: next((one for one in drifts(story, 1) if one["region"] == HOME), None))
    assert (notice["notice"], notice["action"]) == ("drift", f"{place.name('')}-quality")
    assert notice["data"] == place.captured

    def begun() -> list[str]:
        return [one["given"].get("CapturedData", "") for one in trainings(story)]

    until(lambda: begun().count(place.captured) == 1)
    again = {"Source": notices.SOURCE, "DetailType": "Model Deployment Notice"}
    placeless = json.dumps({**notice, "data": ""})  # as of a stage that an earlier bundle deployed
    story.owner(story.setting.data_science).client("events").put_events(Entries=[{**again, "Detail": placeless}])
    story.until("everything to settle", story.idle)
    assert begun() == ["none", Watched(story, IRELAND).captured, place.captured], "an alarm starts one training"
    assert deliveries(story.cloud, failed=True) == []
