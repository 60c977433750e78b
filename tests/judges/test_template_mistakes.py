"""The judges of the templates: nothing to say of the kit's own, and every member of their kind of mistake is found."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from awslang.template.template import Template
from tests.support.judges import JUDGES, findings, lasting, literals, metrics, protections
from tests.support.judges.edits import ENDPOINT, PATHS, TEMPLATES, changed, drop, put
from tests.support.judges.values import of_type, walk


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.name)
def test_the_judges_have_nothing_to_say_of_a_template(path: Path) -> None:
    assert findings(path.name, TEMPLATES[path.name]) == []


# -- alarms and units ----------------------------------------------------------------------------


def alarm_edits() -> Iterator[tuple[str, Callable[[Any], object]]]:
    metrics_of_drift = ("Drift", "Properties", "Metrics", 3, "MetricStat", "Metric")
    for key in ("MetricName", "Namespace", "Dimensions"):
        wrong = [] if key == "Dimensions" else "another"
        yield f"Drift metric {key}", partial(put, path=(*metrics_of_drift, key), value=wrong)
    for name in of_type(TEMPLATES[ENDPOINT], "AWS::CloudWatch::Alarm"):
        if name == "Drift":
            continue
        for key, value in {
            "MetricName": "Errors",
            "Namespace": "AWS/Sagemaker",
            "Dimensions": [],
            "Unit": "Seconds",
            "ActionsEnabled": False,
        }.items():
            yield f"{name} {key}", partial(put, path=(name, "Properties", key), value=value)
        for place in range(len(TEMPLATES[ENDPOINT].resources[name]["Properties"].get("Dimensions", []))):
            for key in ("Name", "Value"):
                yield (
                    f"{name} dimension {place} {key}",
                    partial(put, path=(name, "Properties", "Dimensions", place, key), value="another"),
                )
            yield (
                f"{name} without dimension {place}",
                partial(drop, path=(name, "Properties", "Dimensions", place)),
            )


# Without EndpointConfigName an alarm watches both fleets, which SageMaker publishes as well (decision 34).
ROLLBACK_ALARMS = ("ServerErrors", "ClientErrors", "Latency")
PUBLISHED_TOO = {f"{name} without dimension 2" for name in ROLLBACK_ALARMS}


def test_an_alarm_on_what_nothing_publishes_is_found_whatever_is_wrong_with_it() -> None:
    missed = {what for what, edit in alarm_edits() if not list(metrics.alarms(ENDPOINT, changed(ENDPOINT, edit)))}
    assert missed == PUBLISHED_TOO


def test_an_alarm_on_a_statistic_that_says_nothing_is_found() -> None:
    broken = changed(ENDPOINT, lambda r: r["ServerErrors"]["Properties"].update(Statistic="Maximum"))
    assert list(metrics.alarms(ENDPOINT, broken)) == [
        "50-endpoint.yaml: ServerErrors: Maximum of Invocation5XXErrors says nothing (Average, Sum do)"
    ]


def test_an_alarm_of_a_rollback_that_is_silent_or_too_late_or_rings_when_all_is_well_is_found() -> None:
    """Which alarms those are, the endpoint says."""
    wrong = {
        "ComparisonOperator": "LessThanThreshold",
        "TreatMissingData": "breaching",
        "EvaluationPeriods": 2,
        "Period": 120,
    }
    for key, value in wrong.items():
        edit = {name: partial(put, path=(name, "Properties", key), value=value) for name in ROLLBACK_ALARMS}
        found = {name: list(metrics.alarms(ENDPOINT, changed(ENDPOINT, one))) for name, one in edit.items()}
        assert [name for name, said in found.items() if len(said) != 1] == [], key


def test_an_alarm_of_a_rollback_needs_the_least_that_an_update_is_watched() -> None:
    paths = [path for path, _ in walk(TEMPLATES[ENDPOINT].resources["Endpoint"]) if path and path[-1] in metrics.WAITS]
    assert paths
    for path in paths:
        said = metrics.alarms(ENDPOINT, changed(ENDPOINT, partial(put, path=("Endpoint", *path), value=60)))
        assert sorted(said) == [
            f"50-endpoint.yaml: {name}: needs 60 s and 60 s for its data, and is watched for 60 s at least"
            for name in sorted(ROLLBACK_ALARMS)
        ]


@pytest.mark.parametrize("function", ["Ref", "Fn::Sub"])
def test_a_parameter_in_another_unit_is_found_wherever_it_stands(function: str) -> None:
    """Each parameter with a unit in its name, in the place of each other one."""
    wrong = ["MaximumModelLatencyMicroseconds", "BakeSeconds", "ServerlessMemorySizeInMB", "TrafficStepPercentage"]
    missed = []
    for logical_id, resource in TEMPLATES[ENDPOINT].resources.items():
        for path, node in walk(resource["Properties"]):
            if not (
                isinstance(node, dict)
                and node.get("Ref") in {*wrong, "MaximumServerErrorsPerMinute", "MaximumClientErrorsPerMinute"}
            ):
                continue
            for other in wrong:
                if other != node["Ref"]:
                    broken = changed(
                        ENDPOINT, partial(put, path=(logical_id, "Properties", *path), value=given(other, function))
                    )
                    if not list(metrics.units(ENDPOINT, broken)):
                        missed.append((logical_id, path, other))
    assert missed == []


def given(parameter: str, function: str) -> dict[str, str]:
    return {function: parameter if function == "Ref" else f"${{{parameter}}}"}


@pytest.mark.parametrize("name", TEMPLATES)
def test_a_number_in_another_unit_is_found_wherever_it_stands(name: str) -> None:
    """Each number of a property with limits, in a unit that is sixty times larger, and smaller."""
    missed = []
    for logical_id, resource in TEMPLATES[name].resources.items():
        for path, node in walk(resource.get("Properties", {})):
            if str(node).isdigit() and {*map(str, path)} & set(metrics.LIMITS):
                for wrong in (int(node) * 60, int(node) // 60):
                    edit = partial(put, path=(logical_id, "Properties", *path), value=wrong)
                    if not list(metrics.units(name, changed(name, edit))):
                        missed.append((logical_id, path, wrong))
    assert missed == []


def test_a_scaling_policy_on_what_nothing_publishes_is_found() -> None:
    path = ("BacklogScaling", "Properties", "TargetTrackingScalingPolicyConfiguration", "CustomizedMetricSpecification")
    broken = changed(ENDPOINT, partial(put, path=(*path, "MetricName"), value="InvocationsPerInstance"))
    assert len(list(metrics.alarms(ENDPOINT, broken))) == 2  # the dimensions and the statistic are another metric's


# -- literals and names ------------------------------------------------------------------------


@pytest.mark.parametrize("name", TEMPLATES)
def test_an_account_a_region_or_a_partition_is_found_wherever_it_is_written(name: str) -> None:
    """In place of AWS's own pseudo parameter, each one by itself."""
    missed = []
    for path, node in walk(dict(TEMPLATES[name].document["Resources"])):
        for pseudo, literal in (("AccountId", "111111111111"), ("Region", "eu-west-1"), ("Partition", "aws")):
            parts = node.split(f"${{AWS::{pseudo}}}") if isinstance(node, str) else [""]
            for place in range(1, len(parts)):
                wrong = f"${{AWS::{pseudo}}}".join(parts[:place]) + literal + f"${{AWS::{pseudo}}}".join(parts[place:])
                if not list(literals.literals(name, Template("", {"Resources": {"It": wrong}}, {}))):
                    missed.append((path, wrong))
    assert missed == []


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("account id", "123456789012"),
        ("DNS suffix", "s3.${AWS::Region}.amazonaws.com"),
        ("DNS suffix", "${Registry}.dkr.ecr.${AWS::Region}.amazonaws.com/churn"),
        ("DNS suffix", "https://sts.amazonaws.com"),
        ("Region", "us-east-1a"),
        ("key", "arn:${AWS::Partition}:kms:*:${AWS::AccountId}:key/1234abcd-12ab-34cd-56ef-1234567890ab"),
        ("network", "subnet-0a1b2c3d"),
        ("network", "vpc-0a1b2c3d4e5f67890"),
        ("organization", "o-a1b2c3d4e5/r-ab12/*"),
        ("organizational unit", "stackset-target/sagemaker-*/ou-ab12-cd34ef56"),
        ("partition", "arn:aws-cn:s3:::mine"),
    ],
)
def test_what_differs_between_installations_is_found_as_a_value_and_as_a_key(kind: str, value: str) -> None:
    for written in ({"It": value}, {"It": [value]}, {"It": {value: "of a mapping"}}):
        (said,) = literals.literals("a.yaml", Template("", {"Resources": written}, {}))
        assert f"has the {kind} " in said


def test_names_of_services_are_no_literals() -> None:
    names = ["sagemaker.amazonaws.com", "sagemaker.application-autoscaling.amazonaws.com", "sagemaker-o-deploy"]
    assert list(literals.literals("a.yaml", Template("", {"Resources": {"It": names}}, {}))) == []


@pytest.mark.parametrize("protection", protections.PROTECTIONS, ids=lambda one: one.property)
def test_a_property_that_opens_what_is_closed_is_found_in_every_resource_of_its_type(
    protection: protections.Protection,
) -> None:
    *parents, last = protection.property.split(".")
    tried = 0
    for name, template in TEMPLATES.items():
        for resource in of_type(template, protection.type):
            value: Any = {last: True}
            for parent in reversed(parents):
                value = {parent: [value] if parent == "Rules" else value}
            edit = partial(
                put, path=(resource, "Properties"), value={**template.resources[resource]["Properties"], **value}
            )
            said = list(protections.protections(name, changed(name, edit)))
            assert any(f"{resource}.{protection.property} is true" in one for one in said), (name, resource)
            tried += 1
    assert tried


def test_a_bucket_that_keeps_no_versions_is_found() -> None:
    name = "11-shared-resources.yaml"
    lost = changed(name, partial(drop, path=("BundleBucket", "Properties", "VersioningConfiguration")))
    assert [said.split(",")[0] for said in protections.protections(name, lost)] == [
        f"{name}: BundleBucket keeps no versions"
    ]


def test_every_name_of_the_last_release_is_missed_when_it_changes() -> None:
    for name, before in lasting.released()["templates"].items():
        lost = {
            said.split(": ")[1].split(" was ")[0]
            for said in lasting.lost_names(name, Template("", {"Resources": {}}, {}))
        }
        given_up = {place.split(" ")[1] for place in lasting.released()["given_up"] if place.startswith(name)}
        assert {
            *before["resources"],
            *before["exports"],
            *(f"the output {one} of 0.2.0 is gone" for one in before["outputs"]),
            *(f"the parameter {one} of 0.2.0 is gone" for one in before["parameters"] if one not in given_up),
        } == (lost | (given_up & set(before["resources"])))


def test_a_key_with_another_logical_id_and_a_parameter_with_another_default_are_missed() -> None:
    renamed = changed("10-model-storage.yaml", lambda r: r.update(Models=r.pop("ModelKey")))
    assert list(lasting.lost_names("10-model-storage.yaml", renamed)) == [
        "10-model-storage.yaml: ModelKey.Type was AWS::KMS::Key in 0.2.0, and is gone"
    ]
    document = copy.deepcopy(dict(TEMPLATES[ENDPOINT].document))
    document["Parameters"]["MaximumModelLatencyMicroseconds"]["Default"] = 5000
    (said,) = lasting.lost_names(ENDPOINT, Template("", document, {}))
    assert said.endswith("MaximumModelLatencyMicroseconds of 0.2.0 had the default '5000000', and has '5000'")


def test_every_judge_is_used() -> None:
    kinds = {"alarms", "units", "literals", "names", "protections", "production", "actions", "resources"}
    assert set(JUDGES) == kinds
