"""Probes of the model registry; and the group and version that other probes need."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from functools import cache
from typing import Any

from botocore.exceptions import ClientError

from awslang.bounded import read_file
from scripts.kit.bundle.pack import ROOT
from scripts.kit.console import UserError
from scripts.kit.patience import code
from scripts.kit.probes.lab import ACCEPTED, Lab, paths, policy, statement
from scripts.kit.probes.probe import Answers, Cost, Probe
from scripts.kit.regions import url_suffix

LARGEST = 1_000_000  # bytes of the table of registries
DENIED = {"AccessDeniedException"}
SPREAD = 60.0  # seconds until a policy counts everywhere
OBJECT = Cost(0.001, "Amazon S3 pricing: one object of a few bytes; the model registry costs nothing")


def group(lab: Lab, purpose: str = "", **more: Any) -> str:
    """The name of a new model group."""
    name = lab.name + purpose
    lab.client("sagemaker").create_model_package_group(ModelPackageGroupName=name, **more)
    return name


def version(lab: Lab, name: str, **more: Any) -> str:
    """The ARN of a new version: SageMaker's own XGBoost and an archive without a model, which is never loaded.

    more: further members of CreateModelPackage
    """
    bucket, region = lab.bucket(), lab.here.region
    lab.client("s3").put_object(Bucket=bucket, Key="model.tar.gz", Body=b"no model")
    image = f"{registries()[region]}.dkr.ecr.{region}.{url_suffix(region)}/sagemaker-xgboost:3.0-5"
    specification = {
        "Containers": [{"Image": image, "ModelDataUrl": f"s3://{bucket}/model.tar.gz"}],
        "SupportedContentTypes": ["text/csv"],
        "SupportedResponseMIMETypes": ["text/csv"],
        "SupportedRealtimeInferenceInstanceTypes": ["ml.m5.large"],
    }
    made = lab.client("sagemaker").create_model_package(
        ModelPackageGroupName=name,
        InferenceSpecification=specification,
        ModelApprovalStatus="PendingManualApproval",
        **more,
    )
    arn = str(made["ModelPackageArn"])

    def completed() -> bool | None:
        described = lab.client("sagemaker").describe_model_package(ModelPackageName=arn)
        if described["ModelPackageStatus"] == "Failed":
            raise UserError(f"{arn}: {described.get('ModelPackageStatusDetails')}")
        return True if described["ModelPackageStatus"] == "Completed" else None

    lab.ended(f"version {arn}", completed)
    return arn


@cache
def registries() -> dict[str, str]:
    """The accounts of SageMaker's own images, by Region."""
    table: dict[str, str] = json.loads(read_file(ROOT / "pipeline" / "registries.json", LARGEST))
    return table


# -- probes ------------------------------------------------------------------------------------


def tags_at_once(lab: Lab) -> Answers:
    """Three groups: one refusal among them is an answer, too."""
    tags = [{"Key": "kit-probe", "Value": lab.token}]
    mine = {"StringEquals": {"aws:ResourceTag/kit-probe": lab.token}}
    person = lab.person("reader", statement("Allow", "sagemaker:GetModelPackageGroupPolicy", Condition=mine))
    ask = lab.client("sagemaker", person).get_model_package_group_policy
    settled = group(lab, "-settled", Tags=tags)
    lab.once_ready("the reader's right", lambda: _reach(ask, settled), DENIED)
    codes = []
    for number in range(3):
        name = group(lab, f"-{number}", Tags=tags)
        codes.append(lab.said(f"group {number}", ask, ModelPackageGroupName=name))
    return {"groups whose tags counted at once": sum(one not in DENIED for one in codes), "of": len(codes)}


def _reach(ask: Callable[..., object], name: str) -> None:
    """Raises the refusal of the right alone: the group has no policy, which is an error as well."""
    try:
        ask(ModelPackageGroupName=name)
    except ClientError as error:
        if code(error) in DENIED:
            raise


def version_members(lab: Lab) -> Answers:
    arn = version(lab, group(lab))
    role = lab.service_role("states", "states", statement("Allow", "sagemaker:DescribeModelPackage"))
    resource = f"arn:{lab.here.partition}:states:::aws-sdk:sagemaker:describeModelPackage"
    states = {"Describe": {"Type": "Task", "Resource": resource, "Parameters": {"ModelPackageName": arn}, "End": True}}
    done = lab.execution(lab.machine("describe", role, states), ready=lambda it: it["status"] == "SUCCEEDED")
    described = lab.client("sagemaker").describe_model_package(ModelPackageName=arn)
    described.pop("ResponseMetadata", None)
    api, machine = set(paths(described)), set(paths(json.loads(done["output"])))
    lab.words["the API"] = json.dumps(described, default=datetime.isoformat)
    lab.words["the state machine"] = done["output"]
    return {"only the API has": sorted(api - machine), "only the state machine has": sorted(machine - api)}


def arn_case(lab: Lab) -> Answers:
    name = group(lab, "-Capitals")
    described = lab.client("sagemaker").describe_model_package_group(ModelPackageGroupName=name)
    return {
        "the group's ARN has the name as given": described["ModelPackageGroupArn"].endswith(f"/{name}"),
        "the version's ARN has the name as given": f"/{name}/" in version(lab, name),
    }


def model_card(lab: Lab) -> Answers:
    """Of the members that the training repository's card.py writes; then with one that the page's schema lacks."""
    name = group(lab)
    metric = {"name": "rmse", "type": "number", "value": 1.5}
    given: dict[str, Any] = {
        "model_overview": {"model_creator": "probe"},
        "evaluation_details": [{"name": "probe", "metric_groups": [{"name": "all", "metric_data": [metric]}]}],
        "additional_information": {"custom_details": {"commit": "none"}},
    }

    def card(content: dict[str, Any]) -> dict[str, str]:
        return {"ModelCardContent": json.dumps(content), "ModelCardStatus": "Draft"}

    described = lab.client("sagemaker").describe_model_package(
        ModelPackageName=version(lab, name, ModelCard=card(given))
    )
    shown = described.get("ModelCard", {}).get("ModelCardContent", "{}")
    lab.words["the card"] = shown
    other = card({**given, "model_package_details": {}})
    return {
        "status": described.get("ModelCard", {}).get("ModelCardStatus", ""),
        "what SageMaker adds": sorted(set(paths(json.loads(shown))) - set(paths(given))),
        "what SageMaker leaves out": sorted(set(paths(given)) - set(paths(json.loads(shown)))),
        "a member that the schema lacks": lab.said("another member", lambda: version(lab, name, ModelCard=other)),
    }


def group_policy_paths(lab: Lab) -> Answers:
    """The group is empty, and the organization is made up: the policy lets no one do anything."""
    name, answers = group(lab), {}
    where = lab.arn("sagemaker", f"model-package-group/{name}")
    inside = {"ForAnyValue:StringLike": {"aws:PrincipalOrgPaths": ["o-a1b2c3d4e5/*"]}}
    for what, more in (
        ("an account", {"Principal": {"AWS": lab.root()}}),
        ("every principal in an organization's paths", {"Principal": "*", "Condition": inside}),
    ):
        text = policy(statement("Allow", "sagemaker:DescribeModelPackageGroup", where, Sid="Probe", **more))
        put = lab.client("sagemaker").put_model_package_group_policy
        answers[what] = lab.said(what, put, ModelPackageGroupName=name, ResourcePolicy=text)
    return answers


def target_lists_versions(lab: Lab) -> Answers:
    """As the Build step shares a version (pipeline/sharing.py), and then as AWS's example does."""
    assert lab.other is not None
    name = group(lab)
    arn, group_arn = version(lab, name), lab.arn("sagemaker", f"model-package-group/{name}")
    theirs = lab.client("sagemaker", lab.other)

    def listed(what: str) -> str:
        return lab.said(what, theirs.list_model_packages, ModelPackageGroupName=group_arn)

    _share(lab, name, group_arn, arn)
    lab.once_ready("the group's policy", lambda: theirs.describe_model_package(ModelPackageName=arn), DENIED)
    alone = listed("ListModelPackages, the version alone")
    _share(lab, name, group_arn, f"{arn.rpartition('/')[0]}/*")
    every = "ListModelPackages, model-package/GROUP/*"
    lab.perhaps("the group's other policy", lambda: True if listed(every) == ACCEPTED else None, SPREAD)
    return {
        "policy with the version alone": alone,
        "its refusal names": _named(lab.words.get("ListModelPackages, the version alone", "")),
        "policy with model-package/GROUP/*": listed(every),
    }


def _share(lab: Lab, name: str, group_arn: str, resource: str) -> None:
    reader = {"AWS": lab.root(lab.other)}
    versions = ["sagemaker:DescribeModelPackage", "sagemaker:ListModelPackages"]
    text = policy(
        statement("Allow", "sagemaker:DescribeModelPackageGroup", group_arn, Sid="Group", Principal=reader),
        statement("Allow", versions, resource, Sid="Versions", Principal=reader),
    )
    lab.client("sagemaker").put_model_package_group_policy(ModelPackageGroupName=name, ResourcePolicy=text)


def _named(words: str) -> str:
    """Which kind of ARN a refusal names."""
    kinds = ("model-package-group/", "model-package/")
    return next((kind.rstrip("/") for kind in kinds if f":{kind}" in words), "no ARN")


PROBES = (
    Probe(
        "tags-at-once",
        "How soon do the tags of a model group count, which were just set?",
        ("sagemaker:CreateModelPackageGroup", "sagemaker:GetModelPackageGroupPolicy"),
        ("model group", "role"),
        tags_at_once,
    ),
    Probe(
        "target-lists-versions",
        "Which ARN does ListModelPackages check for a caller of another account?",
        ("sagemaker:ListModelPackages", "sagemaker:DescribeModelPackage"),
        ("model group", "bucket"),
        target_lists_versions,
        OBJECT,
        accounts=2,
    ),
    Probe(
        "version-members",
        "Does Step Functions write members of DescribeModelPackage otherwise than the API?",
        ("sagemaker:DescribeModelPackage", "states:DescribeExecution"),
        ("model group", "bucket", "role", "state machine"),
        version_members,
        OBJECT,
    ),
    Probe(
        "model-card",
        "What does SageMaker make of the model card that a version is registered with?",
        ("sagemaker:CreateModelPackage", "sagemaker:DescribeModelPackage"),
        ("model group", "bucket"),
        model_card,
        OBJECT,
    ),
    Probe(
        "group-policy-paths",
        "Does a model group's policy take every principal within an organization's paths?",
        ("sagemaker:PutModelPackageGroupPolicy",),
        ("model group",),
        group_policy_paths,
    ),
    Probe(
        "arn-case",
        "Does SageMaker write names in lower case in the ARNs of model groups and model packages?",
        ("sagemaker:DescribeModelPackageGroup", "sagemaker:CreateModelPackage"),
        ("model group", "bucket"),
        arn_case,
        OBJECT,
    ),
)
