"""The lineage that SageMaker writes by itself: of jobs, model packages and endpoints.

Which entities and associations there are: Developer Guide, "Amazon SageMaker AI-Created Tracking Entities". Their
types, directions and names, as far as AWS's own notebooks keep them in their outputs: aws/amazon-sagemaker-examples,
sagemaker-pipelines-preprocess-train-evaluate-batch-transform_outputs.ipynb (jobs and model packages) and
sagemaker-lineage-multihop-queries_outputs.ipynb (an endpoint's models, jobs and data). Artifacts have no names: the
notebooks show their sources. What neither shows is in docs/explanation/open-questions.md: the names of an endpoint's
context and action, when entities appear, and what their properties hold. Metrics of trial components are not kept.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from localaws.cloud import Cloud, arn
from localaws.services.sagemaker import base, lineage
from localaws.services.sagemaker.lineage import Entity, Lineage

DATA, IMAGE, MODEL, DEPLOYMENT = "DataSet", "Image", "Model", "ModelDeployment"


@dataclass
class Places:
    """What a job read and wrote. S3 URLs by the names of channels, inputs and outputs; model: whose data it used."""

    image: str
    inputs: dict[str, str]
    outputs: dict[str, str]
    output_type: str = DATA
    model: str = ""
    parameters: dict[str, Any] = field(default_factory=dict)


def training(cloud: Cloud, shown: Mapping[str, Any]) -> None:
    """A training job as it is now; its model once there is one."""
    inputs = {
        one["ChannelName"]: one["DataSource"]["S3DataSource"]["S3Uri"] for one in shown.get("InputDataConfig", [])
    }
    model = shown["ModelArtifacts"]["S3ModelArtifacts"]
    outputs = {"SageMaker.ModelArtifact": model} if model else {}
    resources = shown["ResourceConfig"]
    parameters = {name: value_of(value) for name, value in shown.get("HyperParameters", {}).items()} | {
        "SageMaker.InstanceCount": {"NumberValue": float(resources["InstanceCount"])},
        "SageMaker.InstanceType": {"StringValue": resources["InstanceType"]},
    }
    places = Places(shown["AlgorithmSpecification"]["TrainingImage"], inputs, outputs, MODEL, "", parameters)
    job(cloud, "TrainingJob", "training-job", shown, places)


def processing(cloud: Cloud, shown: Mapping[str, Any]) -> None:
    inputs = {one["InputName"]: one["S3Input"]["S3Uri"] for one in shown.get("ProcessingInputs", [])}
    written = shown.get("ProcessingOutputConfig", {}).get("Outputs", [])
    outputs = {one["OutputName"]: one["S3Output"]["S3Uri"] for one in written}
    places = Places(shown["AppSpecification"]["ImageUri"], inputs, outputs)
    job(cloud, "ProcessingJob", "processing-job", shown, places)


def transform(cloud: Cloud, shown: Mapping[str, Any], image: str, model: str) -> None:
    """image, model: of the job's model"""
    source = shown["TransformInput"]["DataSource"]["S3DataSource"]["S3Uri"]
    outputs = {"SageMaker.TransformOutput": shown["TransformOutput"]["S3OutputPath"]}
    places = Places(image, {"SageMaker.TransformInput": source}, outputs, DATA, model)
    job(cloud, "TransformJob", "transform-job", shown, places)


def value_of(text: str) -> dict[str, Any]:
    """A hyperparameter as a trial component has it: a number where it is one."""
    try:
        return {"NumberValue": float(text)}
    except ValueError:
        return {"StringValue": text}


def job(cloud: Cloud, prefix: str, path: str, shown: Mapping[str, Any], places: Places) -> None:
    """The trial component of a job and its artifacts, as far as the job has come. prefix: of the job's members"""
    whole, status, name = shown[f"{prefix}Arn"], shown[f"{prefix}Status"], shown[f"{prefix}Name"]
    account, region = base.owner(whole)
    kept = lineage.known(cloud, account, region)
    own = f"{name}-aws-{path}"
    component = kept.put(
        cloud,
        lineage.made(
            lineage.COMPONENT,
            arn("sagemaker", region, account, f"experiment-trial-component/{own}"),
            {
                "TrialComponentName": own,
                "DisplayName": own,
                "Source": {"SourceArn": whole, "SourceType": f"SageMaker{prefix}"},
                "Parameters": {"SageMaker.ImageUri": {"StringValue": places.image}, **places.parameters},
                "InputArtifacts": {key: {"Value": url} for key, url in places.inputs.items()},
            },
        ),
    )
    reason = shown.get("FailureReason", "")
    start, end = (shown.get(f"{prefix.removesuffix('Job')}{edge}Time") for edge in ("Start", "End"))
    changed = {"Status": {"PrimaryStatus": status} | ({"Message": reason} if reason else {})}
    changed |= {key: moment for key, moment in (("StartTime", start), ("EndTime", end)) if moment}
    component.shown.update({**changed, "LastModifiedTime": base.now()})
    for url in places.inputs.values():
        kept.associate(artifact(cloud, whole, url, DATA), component, "ContributedTo")
    kept.associate(artifact(cloud, whole, places.image, IMAGE), component, "ContributedTo")
    if places.model:
        kept.associate(artifact(cloud, whole, places.model, MODEL), component, "ContributedTo")
    if status == "Completed":
        component.shown["OutputArtifacts"] = {key: {"Value": url} for key, url in places.outputs.items()}
        for url in places.outputs.values():
            kept.associate(component, artifact(cloud, whole, url, places.output_type), "Produced")


def artifact(cloud: Cloud, whole: str, uri: str, kind: str, **members: Any) -> Entity:
    """The one artifact of a source; the type that it has stays. whole: an ARN of the account and Region"""
    account, region = base.owner(whole)
    shown = {"Source": {"SourceUri": uri}, "ArtifactType": kind, **members}
    new = lineage.made(lineage.ARTIFACT, lineage.artifact_arn(account, region, uri), shown)
    return lineage.known(cloud, account, region).put(cloud, new)


def named(cloud: Cloud, kind: str, whole: str, of: str, end: str, type_: str, **members: Any) -> Entity:
    """A new action or context of a resource, whose name is its own, the time and an end. whole: the resource's ARN"""
    account, region = base.owner(whole)
    name = f"{of}-{time.time_ns() // 10**6 if type_ == DEPLOYMENT else int(time.time())}-{end}"
    shown = {f"{kind}Name": name, f"{kind}Type": type_, "Source": {"SourceUri": whole, "SourceType": "ARN"}, **members}
    new = lineage.made(kind, arn("sagemaker", region, account, f"{lineage.PATHS[kind]}/{name}"), shown)
    return lineage.known(cloud, account, region).put(cloud, new)


def context_of(kept: Lineage, whole: str) -> Entity | None:
    """The context of a resource; None before there is one."""
    return next((one for one in kept.of(lineage.CONTEXT) if one.shown["Source"]["SourceUri"] == whole), None)


def group(cloud: Cloud, name: str, whole: str) -> None:
    """A new model package group."""
    named(cloud, lineage.CONTEXT, whole, name, "aws-model-package-group", "ModelGroup")


def package(cloud: Cloud, shown: Mapping[str, Any], group_arn: str) -> None:
    """A new model package: its containers, and where it is a version its group and its creation.

    group_arn: "" for one without a group
    """
    whole = shown["ModelPackageArn"]
    kept = lineage.known(cloud, *base.owner(whole))
    said = {"MetadataProperties": shown["MetadataProperties"]} if "MetadataProperties" in shown else {}
    version = artifact(cloud, whole, whole, MODEL, **said)
    for container in shown["InferenceSpecification"]["Containers"]:
        used = ((container.get("ModelDataUrl", ""), MODEL), (container["Image"], IMAGE))
        for uri, kind in used:
            if uri:
                kept.associate(artifact(cloud, whole, uri, kind), version, "ContributedTo")
    if not group_arn:
        return
    short = f"{shown['ModelPackageGroupName']}-{shown['ModelPackageVersion']}-{shown['ModelApprovalStatus']}"
    creation = named(cloud, lineage.ACTION, whole, short, "aws-model-package", "Approval", Status="Completed", **said)
    kept.associate(creation, version, "ContributedTo")
    if (of := context_of(kept, group_arn)) is not None:
        kept.associate(version, of, "AssociatedWith")


def deployed(cloud: Cloud, whole: str, name: str, containers: Sequence[Mapping[str, Any]]) -> None:
    """An endpoint that serves these containers since now.

    whole, name: of the endpoint; containers: of its models, each with Image, and with ModelDataUrl and ModelPackageName
    where it has them
    """
    kept = lineage.known(cloud, *base.owner(whole))
    context = context_of(kept, whole) or named(cloud, lineage.CONTEXT, whole, name, "aws-endpoint", "Endpoint")
    action = named(cloud, lineage.ACTION, whole, name, "aws-endpoint", DEPLOYMENT, Status="Completed")
    for container in containers:
        used = (("ModelPackageName", MODEL), ("ModelDataUrl", MODEL), ("Image", IMAGE))
        for uri, kind in ((container.get(member, ""), kind) for member, kind in used):
            if uri:
                kept.associate(artifact(cloud, whole, uri, kind), action, "ContributedTo")
    kept.associate(action, context, "AssociatedWith")
