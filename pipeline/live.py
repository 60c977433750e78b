"""What a stage is now: the state and the parameters of its stack, and where its stack set has endpoints.

The stages' stacks are deployed with REPLACE_ON_FAILURE, so that a first deployment that failed needs no hand: "If the
stack exists and is in a failed state, CloudFormation deletes the stack" (CodePipeline User Guide, "CloudFormation
deploy action reference"). A stack whose stack set has endpoints must not be deleted by that: its deployment is refused.

Before a stage's first deployment others may make a stack of its name. A stack keeps its role, and the kit's stages have
always had this one; who may not pass it makes none with it ("CloudFormation service role", CloudFormation User Guide).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from pipeline.console import UserError, counted

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_cloudformation.literals import CallAsType
    from mypy_boto3_cloudformation.type_defs import StackTypeDef

Place = tuple[str, str]  # account and Region
# The states in which REPLACE_ON_FAILURE deletes. The page above leaves ROLLBACK_COMPLETE out, "CloudFormation
# configuration properties reference" (CloudFormation User Guide) counts it; nothing is left of such a stack.
REPLACED = ("ROLLBACK_FAILED", "ROLLBACK_COMPLETE", "CREATE_FAILED", "DELETE_FAILED", "UPDATE_ROLLBACK_FAILED")
LEFT_OVER = (
    "ROLLBACK_COMPLETE",
    "ROLLBACK_FAILED",
    "CREATE_FAILED",
    "DELETE_FAILED",
)  # of a stack that was never there
UNDER_WAY = ("InProgress", "Stopping")  # of an execution of the pipeline, and of one of its stages
REPAIRED = "UPDATE_ROLLBACK_FAILED"  # ContinueUpdateRollback brings it back
STAGE_ROLE = ":role/service-role/AmazonSageMakerServiceCatalogProductsMultiAccountStageRole"  # 30-project.yaml
BEFORE = "before.json"  # of Build's artifact: the stages before production as Build found them
NAMED = 5  # differences that a message names


@dataclass(frozen=True)
class LiveStage:
    """status: of the stack, "" for none; places: sorted."""

    status: str = ""
    parameters: Mapping[str, str] = field(default_factory=dict)
    places: tuple[Place, ...] = ()

    @property
    def version(self) -> str:
        """The number of the version that the stack names, "" for none."""
        return version_in(self.parameters.get("ModelPackageName", ""))

    def document(self) -> dict[str, Any]:
        return {"parameters": dict(self.parameters), "places": [list(place) for place in self.places]}

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> LiveStage:
        """What document() wrote; its state is not in it."""
        return cls("", document["parameters"], tuple((account, region) for account, region in document["places"]))


def version_in(arn: str) -> str:
    """The number of a version by its ARN; "" for none."""
    return arn.rsplit("/", 1)[1] if "/" in arn else ""


def look(cloudformation: CloudFormationClient, stack: str, call_as: CallAsType) -> LiveStage:
    """A stage as it is. stack: the name of its stack, and of the stack set that it holds"""
    found = stack_of(cloudformation, stack)
    if found is None:
        return LiveStage()
    return LiveStage(found["StackStatus"], parameters_in(found), places_of(cloudformation, stack, call_as))


def before(folder: Path) -> dict[str, LiveStage]:
    """The stages before production as Build found them. folder: Build's artifact"""
    found = json.loads((folder / BEFORE).read_text(encoding="utf-8"))
    return {stage: LiveStage.of(document) for stage, document in found.items()}


def stack_of(cloudformation: CloudFormationClient, stack: str) -> StackTypeDef | None:
    """The stack of this name; None where there is none, UserError where no pipeline made it."""
    try:
        found = cloudformation.describe_stacks(StackName=stack)["Stacks"][0]
    except ClientError as error:
        if "does not exist" in error.response["Error"].get("Message", ""):
            return None
        raise
    role = found.get("RoleARN", "")
    if not role.endswith(STAGE_ROLE):
        raise UserError(
            f"the stack {stack} is not the pipeline's: its role is {role or 'none'}, not the kit's StageRole. Find out "
            "who made it (CloudTrail, CreateStack) and what it holds, and delete it: "
            f"aws cloudformation delete-stack --stack-name {stack}. Then release the change again"
        )
    return found


def parameters_of(cloudformation: CloudFormationClient, stack: str) -> dict[str, str]:
    """A stack's parameters; {} where there is no such stack."""
    found = stack_of(cloudformation, stack)
    return parameters_in(found) if found else {}


def deployed(cloudformation: CloudFormationClient, stack: str) -> dict[str, str]:
    """A stack's parameters; {} where there is none, or only what is left of one that failed."""
    found = stack_of(cloudformation, stack)
    return parameters_in(found) if found and found["StackStatus"] not in LEFT_OVER else {}


def parameters_in(stack: StackTypeDef) -> dict[str, str]:
    return {p["ParameterKey"]: p.get("ParameterValue", "") for p in stack.get("Parameters", [])}


def places_of(cloudformation: CloudFormationClient, stack_set: str, call_as: CallAsType) -> tuple[Place, ...]:
    """Where a stage's endpoints are now: the instances of its stack set."""
    pages = cloudformation.get_paginator("list_stack_instances").paginate(StackSetName=stack_set, CallAs=call_as)
    try:
        return tuple(sorted((found["Account"], found["Region"]) for page in pages for found in page["Summaries"]))
    except ClientError as error:
        if error.response["Error"]["Code"] == "StackSetNotFoundException":
            return ()
        raise


def not_deployable(stage: str, stack: str, live: LiveStage) -> str:
    """Why the stage must not be deployed now: it would be deleted first; "" for nothing."""
    if live.status not in REPLACED or not live.places:
        return ""
    endpoints = counted(len(live.places), "endpoint")
    way = (
        "Bring endpoints back that are missing (make repair), or end its rollback: "
        f"aws cloudformation continue-update-rollback --stack-name {stack}"
        if live.status == REPAIRED
        else f"Where its endpoints may go: aws cloudformation delete-stack --stack-name {stack}"
    )
    return (
        f"{stage}: the stack {stack} is {live.status}, and a deployment would delete it with {endpoints}. {way}. "
        "Then release the change again"
    )


def refuse_replacement(cloudformation: CloudFormationClient, stage: str, stack: str, call_as: CallAsType) -> str:
    """The same for a stage of which only the stack's state is known: the stack set is asked where that has failed."""
    found = stack_of(cloudformation, stack)
    if found is None or found["StackStatus"] not in REPLACED:
        return ""
    return not_deployable(stage, stack, LiveStage(found["StackStatus"], {}, places_of(cloudformation, stack, call_as)))


def differences(card: Mapping[str, Any], now: LiveStage, words: str = "on the card") -> list[str]:
    """How a stage differs from what a card says of it. card: see LiveStage.document"""
    was, is_now = card["parameters"], now.parameters
    found = [
        f"{name} is {is_now.get(name) or 'not set'}, {words} {was.get(name) or 'not set'}"
        for name in sorted({*was, *is_now})
        if was.get(name) != is_now.get(name)
    ]
    before, after = {tuple(place) for place in card["places"]}, set(now.places)
    for verb, places in (("joined", after - before), ("left", before - after)):
        if places:
            found.append(f"{counted(len(places), 'endpoint')} {verb}")
    more = len(found) - NAMED
    return found[:NAMED] + ([f"and {more} more"] if more > 0 else [])
