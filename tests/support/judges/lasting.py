"""Names that must survive from version to version, compared with those of the last release (released-names.yaml).

A project, an account or an endpoint that is there keeps the name of what it holds. Another physical name replaces the
resource, and another logical id with the same name cannot be created beside it (CloudFormation User Guide, "Name
type" and
"Update behaviors of stack resources"). SageMaker matches the variants of an update by name (UpdateEndpoint), and other
stacks and commands read outputs by name. A parameter that an installation does not set has its default: another one
changes every installation with its next update.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from awslang.template.template import Template, parse
from tests.support import ROOT
from tests.support.judges.values import walk

PLACE = Path(__file__).with_name("released-names.yaml")
# The properties that name a resource, or a part of it that is matched by name.
NAMED = {
    "AWS::CloudFormation::StackSet": "StackSetName",
    "AWS::CodeBuild::Project": "Name",
    "AWS::CodeCommit::Repository": "RepositoryName",
    "AWS::CodePipeline::Pipeline": "Name",
    "AWS::Events::Rule": "Name",
    "AWS::IAM::ManagedPolicy": "ManagedPolicyName",
    "AWS::IAM::Role": "RoleName",
    "AWS::KMS::Alias": "AliasName",
    "AWS::S3::Bucket": "BucketName",
    "AWS::SNS::Topic": "TopicName",
    "AWS::SSM::Parameter": "Name",
    "AWS::SageMaker::Endpoint": "EndpointName",
    "AWS::StepFunctions::StateMachine": "StateMachineName",
    "AWS::CloudWatch::Alarm": "AlarmName",
    "AWS::ApplicationAutoScaling::ScalingPolicy": "PolicyName",
}


# What is lost, or cannot be read any more, with a resource that another logical id replaces.
HOLDS = {
    "AWS::CodeCommit::Repository",
    "AWS::KMS::Key",
    "AWS::S3::Bucket",
    "AWS::SageMaker::Domain",
    "AWS::SageMaker::ModelPackageGroup",
}


def names(template: Template) -> dict[str, Any]:
    """What a template names: resources, those that hold something, variants, outputs, and parameters with defaults."""
    resources: dict[str, str] = {}
    for logical_id, resource in template.resources.items():
        values = resource.get("Properties", {})
        if resource["Type"] in HOLDS:
            resources[f"{logical_id}.Type"] = resource["Type"]
        if (property := NAMED.get(resource["Type"])) and property in values:
            resources[f"{logical_id}.{property}"] = written(values[property])
        if "Path" in values:
            resources[f"{logical_id}.Path"] = written(values["Path"])
        for path, node in walk(values):
            if path[-1:] == ("VariantName",) or (path[-1:] == ("Name",) and "ProductionVariants" in path):
                resources[f"{logical_id}.{'.'.join(map(str, path))}"] = written(node)
    exports = {name: written(one["Export"]["Name"]) for name, one in template.outputs.items() if "Export" in one}
    defaults = {one: str(declared.get("Default", "no default")) for one, declared in template.parameters.items()}
    return {"resources": resources, "outputs": sorted(template.outputs), "exports": exports, "parameters": defaults}


def written(value: Any) -> str:
    """A value as the template has it, without the form of the function."""
    if isinstance(value, dict):
        ((function, given),) = value.items()
        return f"${{{given}}}" if function == "Ref" else str(given)
    return str(value)


@cache
def released() -> Mapping[str, Any]:
    """The names of the last release, with those that were given up on purpose."""
    found: Mapping[str, Any] = yaml.safe_load(PLACE.read_text(encoding="utf-8"))
    return found


def lost_names(name: str, template: Template) -> Iterator[str]:
    """Names of the last release that the template gives something else, or to nothing."""
    before = released()["templates"].get(name)
    if before is None:
        return
    now, given_up = names(template), released().get("given_up", {})
    for kind in ("resources", "exports"):
        for place, value in before[kind].items():
            there = now[kind].get(place)
            if there != value and f"{name} {place}" not in given_up:
                yield f"{name}: {place} was {value} in {released()['version']}, and is {there or 'gone'}"
    for parameter, value in before["parameters"].items():
        there = now["parameters"].get(parameter)
        if there != value and f"{name} {parameter}" not in given_up:
            said = "is gone" if there is None else f"had the default {value!r}, and has {there!r}"
            yield f"{name}: the parameter {parameter} of {released()['version']} {said}"
    for output in before["outputs"]:
        if output not in now["outputs"] and f"{name} {output}" not in given_up:
            yield f"{name}: the output {output} of {released()['version']} is gone"


def write(version: str, texts: Mapping[str, str]) -> None:
    """Keep the names of a release (RELEASING.md); what was given up before is not needed any more."""
    templates = {name: names(parse(text)) for name, text in texts.items()}
    PLACE.write_text(
        "# Names of the last release, which every later version keeps (lasting.py). Written by\n"
        "#   python -m tests.support.judges.lasting VERSION      when a version is released\n"
        "# given_up: names of it that are gone on purpose, each with the reason.\n"
        + yaml.safe_dump({"version": version, "given_up": {}, "templates": templates}, sort_keys=True, width=120),
        encoding="utf-8",
    )


if __name__ == "__main__":
    import sys

    write(
        sys.argv[1],
        {path.name: path.read_text(encoding="utf-8") for path in sorted((ROOT / "templates").glob("*.yaml"))},
    )
