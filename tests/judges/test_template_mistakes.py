"""The judges of the templates: nothing to say of the kit's own, and every member of their kind of mistake is found."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from awslang.template.template import Template, parse
from tests.support import ROOT
from tests.support.judges import JUDGES, findings, lasting, literals, metrics, sequence
from tests.support.judges.values import of_type, walk

PATHS = sorted((ROOT / "templates").glob("*.yaml"))
TEMPLATES = {path.name: parse(path.read_text(encoding="utf-8")) for path in PATHS}
PRODUCT, ENDPOINT = "30-project.yaml", "50-endpoint.yaml"
STAGES = ("Pipeline", "Properties", "Stages")


def changed(name: str, edit: Callable[[Any], object]) -> Template:
    """A template with an edit of its resources."""
    document = copy.deepcopy(dict(TEMPLATES[name].document))
    edit(document["Resources"])
    return Template("", document, {})


def put(node: Any, path: tuple[str | int, ...], value: Any) -> None:
    for part in path[:-1]:
        node = node[part]
    node[path[-1]] = value


def drop(node: Any, path: tuple[str | int, ...]) -> None:
    for part in path[:-1]:
        node = node[part]
    del node[path[-1]]


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.name)
def test_the_judges_have_nothing_to_say_of_a_template(path: Path) -> None:
    assert findings(path.name, TEMPLATES[path.name]) == []


# -- alarms and units ----------------------------------------------------------------------------


def alarm_edits() -> Iterator[tuple[str, Callable[[Any], object]]]:
    for name in of_type(TEMPLATES[ENDPOINT], "AWS::CloudWatch::Alarm"):
        for key, value in {"MetricName": "Errors", "Namespace": "AWS/Sagemaker", "Dimensions": []}.items():
            yield f"{name} {key}", partial(put, path=(name, "Properties", key), value=value)
        for place in range(len(TEMPLATES[ENDPOINT].resources[name]["Properties"]["Dimensions"])):
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
PUBLISHED_TOO = {f"{name} without dimension 2" for name in ("ServerErrors", "ClientErrors", "Latency")}


def test_an_alarm_on_what_nothing_publishes_is_found_whatever_is_wrong_with_it() -> None:
    missed = {what for what, edit in alarm_edits() if not list(metrics.alarms(ENDPOINT, changed(ENDPOINT, edit)))}
    assert missed == PUBLISHED_TOO


def test_an_alarm_on_a_statistic_that_says_nothing_is_found() -> None:
    broken = changed(ENDPOINT, lambda r: r["ServerErrors"]["Properties"].update(Statistic="Maximum"))
    assert list(metrics.alarms(ENDPOINT, broken)) == [
        "50-endpoint.yaml: ServerErrors: Maximum of Invocation5XXErrors says nothing (Average, Sum do)"
    ]


def test_a_parameter_in_another_unit_is_found_wherever_it_stands() -> None:
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
                        ENDPOINT, partial(put, path=(logical_id, "Properties", *path), value={"Ref": other})
                    )
                    if not list(metrics.units(ENDPOINT, broken)):
                        missed.append((logical_id, path, other))
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
        } == (lost | (given_up & set(before["resources"])))


# -- production, and order ---------------------------------------------------------------------


def stages_of(resources: Any) -> list[Any]:
    stages: list[Any] = resources["Pipeline"]["Properties"]["Stages"]
    return stages


def test_no_order_of_the_stages_gets_past_the_approver() -> None:
    """Of all orders of the pipeline's stages, those in which everything stands where it must are the kit's own."""
    number = len(stages_of(TEMPLATES[PRODUCT].resources))
    passed = []
    for order in itertools.permutations(range(number)):
        moved = changed(
            PRODUCT, partial(put, path=STAGES, value=[stages_of(TEMPLATES[PRODUCT].resources)[n] for n in order])
        )
        if not [*sequence.production(PRODUCT, moved), *sequence.actions(PRODUCT, moved)]:
            passed.append(order)
    assert passed == [tuple(range(number))]


def action_places() -> Iterator[tuple[int, int, str]]:
    for number, stage in enumerate(stages_of(TEMPLATES[PRODUCT].resources)):
        for place, action in enumerate(stage["Actions"]):
            yield number, place, action["Name"]


def test_an_action_that_is_gone_or_runs_with_the_first_is_found() -> None:
    missed = set()
    for number, place, name in action_places():
        gone = changed(PRODUCT, partial(drop, path=(*STAGES, number, "Actions", place)))
        if not sequence_findings(gone):
            missed.add(f"{name} gone")
        early = changed(PRODUCT, partial(put, path=(*STAGES, number, "Actions", place, "RunOrder"), value=1))
        if not sequence_findings(early):
            missed.add(f"{name} first")
    # What is first anyway; and nothing in the pipeline but the Build step itself rests on the commit and on the kit's
    # code.
    assert missed == {f"{name} first" for name in ("Source", "Kit", "Build", "DeployResourcesStaging", "Card", "Gate")}


def sequence_findings(template: Template) -> list[str]:
    return [*sequence.production(PRODUCT, template), *sequence.actions(PRODUCT, template)]


def test_an_approval_that_the_repository_could_skip_is_found() -> None:
    def skip(resources: Any) -> None:
        rule = stages_of(resources)[3]["BeforeEntry"]["Conditions"][0]["Rules"][0]
        rule["Configuration"]["Variable"] = "#{TestStaging.DEPLOY}"

    assert any(
        "ApproveDeployment is skipped unless" in said for said in sequence.production(PRODUCT, changed(PRODUCT, skip))
    )


def test_every_dependency_that_is_only_stated_is_missed() -> None:
    missed = []
    for name, template in TEMPLATES.items():
        for logical_id, resource in template.resources.items():
            if "DependsOn" in resource and not list(
                sequence.resources(name, changed(name, partial(drop, path=(logical_id, "DependsOn"))))
            ):
                missed.append((name, logical_id))
    assert missed == []


def test_a_role_whose_policy_may_come_later_is_found() -> None:
    def apart(resources: Any) -> None:
        policies = resources["StarterRole"]["Properties"].pop("Policies")
        properties = {"RoleName": {"Ref": "StarterRole"}, **policies[0]}
        resources["StarterPolicy"] = {"Type": "AWS::IAM::RolePolicy", "Properties": properties}

    name = "11-shared-resources.yaml"
    assert (
        "Starter runs as StarterRole, and may be made before its policy StarterPolicy: add DependsOn: StarterPolicy"
        in (" ".join(sequence.resources(name, changed(name, apart))))
    )


def test_every_judge_is_used() -> None:
    assert set(JUDGES) == {"alarms", "units", "literals", "names", "production", "actions", "resources"}
