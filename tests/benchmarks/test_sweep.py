"""`make sweep`: how each template of a folder ends, and that no code of a template is run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from awslang.errors import NotSupported
from benchmarks import sweep
from localaws.cloud import Cloud
from localaws.cloudformation.provider import PROVIDERS, Context, Made, provider_for
from tests.support.stacks import QUEUE, FakeQueues

TOPIC = {"Type": "AWS::SNS::Topic"}
FUNCTION = {"Type": "Custom::Thing", "Properties": {"ServiceToken": "arn:aws:lambda:us-east-1:111111111111:function:f"}}


def template(resource: dict[str, Any], **sections: Any) -> str:
    return json.dumps({**sections, "Resources": {"One": TOPIC, "Two": resource}}, indent=1)


@pytest.mark.parametrize(
    ("body", "outcome"),
    [
        (template(TOPIC, Parameters={"P": {"Type": "String", "MinLength": 3, "AllowedPattern": "[0-9]+"}}), "created"),
        (template(FUNCTION), "checked"),
        (template({"Type": "AWS::EMR::Cluster"}), "not supported"),
        (template({**TOPIC, "DependsOn": "None"}), "refused"),
        (template(TOPIC, Parameters={"P": {"Type": "String", "AllowedPattern": "vpc-[0-9]{17}"}}), "no sample"),
        (
            template({"Type": "AWS::IAM::Group", "Properties": {"ManagedPolicyArns": ["arn:aws:iam::aws:policy/X"]}}),
            "failed",
        ),
    ],
)
def test_a_template_ends_as_the_page_says(cloud: Cloud, body: str, outcome: str) -> None:
    found, why = sweep.tried(cloud, "222222222222", body)
    assert found == outcome, why


class LateQueues(FakeQueues):
    def create(self, context: Context, properties: dict[str, Any]) -> Made:
        raise NotSupported("queues on a Monday") if properties.get("QueueName") == "late" else KeyError("a defect")


@pytest.mark.parametrize(("name", "outcome"), [("late", "late"), ("early", "broken")])
def test_what_is_said_too_late_and_a_traceback_are_faults(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch, name: str, outcome: str
) -> None:
    assert provider_for(QUEUE), "loads the providers, so that this one is replaced"
    monkeypatch.setitem(PROVIDERS, QUEUE, LateQueues())
    assert outcome in sweep.FAULTS
    assert (
        sweep.tried(cloud, "222222222222", template({"Type": QUEUE, "Properties": {"QueueName": name}}))[0] == outcome
    )
    cloud.faults.clear()  # the defect was asked for


def test_only_the_templates_of_a_folder_are_tried(cloud: Cloud, tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("Resources:\n  Topic:\n    Type: AWS::SNS::Topic\n")
    (tmp_path / "readme.json").write_text('{"no": "template"}')
    found = sweep.sweep(cloud, tmp_path, ())
    assert (found.total(), found["created"]) == (1, 1), found


@pytest.mark.parametrize(
    ("resource", "outcome", "wanted"),
    [
        ({"Type": "AWS::SNS::Topic", "Properties": {"DisplayName": {"Fn::ImportValue": "name"}}}, "failed",
         "values of Bucket; exports name"),
        ({"Type": "AWS::EMR::Cluster"}, "not supported",
         "values of Bucket; not supported: the resource type AWS::EMR::Cluster"),
        ({"Type": "AWS::NoSuch::Thing"}, "refused",
         "AWS refuses: Template format error: Unrecognized resource types: [AWS::NoSuch::Thing] (Two, line 18); "
         "values of Bucket"),
        (FUNCTION, "checked", "values of Bucket"),
    ],
)  # fmt: skip
def test_a_row_says_what_a_project_template_needs(
    cloud: Cloud,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    resource: dict[str, Any],
    outcome: str,
    wanted: str,
) -> None:
    names = {name: {"Type": "String"} for name in (*sweep.PROJECT, "Bucket")}
    (tmp_path / "project.json").write_text(template(resource, Parameters=names))
    (tmp_path / "other.json").write_text(template(resource))
    assert sweep.sweep(cloud, tmp_path, [], projects=True).total() == 1
    assert capsys.readouterr().out == f"| `project.json` | {outcome} | {wanted} |\n"
