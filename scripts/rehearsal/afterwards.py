"""The chapters after the first deployment: a second version, a push that the approver refuses, a rejected version."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from scripts.kit.console import say
from scripts.rehearsal import deploying, shadowing
from scripts.rehearsal.examples import commit
from scripts.rehearsal.playing import Playing


@dataclass(frozen=True)
class Pushed:
    """A setting that costs nothing and that AWS shows of an endpoint's configuration.

    shown: where in the production variant; values: of which the first that differs is pushed
    """

    name: str
    shown: tuple[str, ...]
    values: tuple[int, int]


OF_INSTANCES = Pushed(
    "ContainerStartupHealthCheckTimeoutInSeconds", ("ContainerStartupHealthCheckTimeoutInSeconds",), (120, 180)
)
OF_SERVERLESS = Pushed("ServerlessMaxConcurrency", ("ServerlessConfig", "MaxConcurrency"), (3, 4))


def second_version(story: Playing) -> None:
    """The artifact is registered once more, so that nothing is trained; what is deployed is another version."""
    sagemaker = story.scientist.client("sagemaker")
    first = sagemaker.describe_model_package(ModelPackageName=story.model_package_arn)
    story.model_package_arn = sagemaker.create_model_package(
        ModelPackageGroupName=story.project_name,
        InferenceSpecification=first["InferenceSpecification"],
        ModelApprovalStatus="PendingManualApproval",
        CustomerMetadataProperties=first.get("CustomerMetadataProperties", {}),
    )["ModelPackageArn"]
    say(f"    registered {story.model_package_arn}")
    deploying.approve(story, lambda: set_status(story, story.model_package_arn, "Approved"))
    deploying.staging(story)
    if story.shadow:
        shadowing.observe(story)
    deploying.approval(story)
    deploying.production(story)
    if story.shadow:
        shadowing.check_record(story)
    deploying.predictions(story)


def push(story: Playing) -> None:
    """The setting reaches the first stage; the approver refuses it, and production stays as it is."""
    before = variants(story)
    first = story.stages[0]
    pushed = OF_SERVERLESS if "ServerlessConfig" in before[first] else OF_INSTANCES
    now = value_at(before[first], pushed)
    value = story.only((one for one in pushed.values if one != now), f"{pushed.name} has one value: {now}")
    story.execution_id = deploying.started(story, lambda: commit_setting(story, first, pushed.name, value))
    story.require(bool(story.execution_id), f"the push to {deploy_repository(story)} started no pipeline")
    say(f"    {pushed.name} of {first} is {value} in {first}-config.json: the pipeline started ({story.execution_id})")
    deploying.before_production(story)
    deploying.give_approval(story, "Rejected", "The endpoint answers well without it")
    status = story.wait_for_execution(story.execution_id)
    story.require(status == "Failed", f"the pipeline ended {status} although the approver refused")
    after = variants(story)
    story.require(after["prod"] == before["prod"], "production changed although the approver refused")
    if story.production_alone:
        say("    the approver refused it, and production stayed as it was")
        take_back(story, pushed.name)
        return
    found = value_at(after[first], pushed)
    story.require(found == value, f"{pushed.name} of {first} is {found}, not {value}")
    say(f"    {first} has it; the approver refused it, and production stayed as it was")


def take_back(story: Playing, name: str) -> None:
    """The refused setting leaves production's file: with it, no version would come back without an approver."""
    story.execution_id = deploying.started(story, lambda: commit_setting(story, "prod", name, None))
    deploying.approval(story)
    deploying.production(story)
    say(f"    {name} is out of prod-config.json again")


def rejection(story: Playing) -> None:
    """The version that was approved before comes back in every stage, and no approver is asked."""
    rejected = story.model_package_arn
    story.execution_id = deploying.started(story, lambda: set_status(story, rejected, "Rejected"))
    version = rejected.rsplit("/", 1)[1]
    story.require(bool(story.execution_id), f"the rejection of version {version} started no pipeline")
    say(f"    version {version} is rejected: the pipeline started ({story.execution_id})")
    status = story.wait_for_execution(story.execution_id)
    story.require(status == "Succeeded", f"the pipeline ended {status}")
    story.model_package_arn = f"{rejected.rsplit('/', 1)[0]}/{int(version) - 1}"
    deploying.predictions(story)


def set_status(story: Playing, arn: str, status: str) -> None:
    """What Studio asks for when the data scientist sets a version's approval."""
    story.scientist.client("sagemaker").update_model_package(ModelPackageArn=arn, ModelApprovalStatus=status)


def deploy_repository(story: Playing) -> str:
    return f"sagemaker-{story.project_name}-{story.project_id}-modeldeploy"


def commit_setting(story: Playing, stage: str, name: str, value: int | None) -> None:
    """One more setting in the deploy repository's file of a stage, as the data scientist pushes it. None: one less"""
    codecommit, repository = story.scientist.client("codecommit"), deploy_repository(story)
    file = f"{stage}-config.json"
    held = codecommit.get_file(repositoryName=repository, filePath=file)["fileContent"]
    config = json.loads(held)
    parameters = {**config.get("Parameters", {}), name: str(value)}
    config["Parameters"] = {key: one for key, one in parameters.items() if key != name or value is not None}
    content = f"{json.dumps(config, indent=2)}\n"
    commit(story, "modeldeploy", file, content, f"Try {value} as {name}" if value else f"Without {name}")


def variants(story: Playing) -> dict[str, Any]:
    """The production variant of each stage's endpoint, in the first of the stage's accounts."""
    found = {}
    for stage, account in story.setting.targets.items():
        sagemaker = story.owner(account).client("sagemaker")
        endpoint = sagemaker.describe_endpoint(EndpointName=deploying.endpoint_name(story, stage))
        config = sagemaker.describe_endpoint_config(EndpointConfigName=endpoint["EndpointConfigName"])
        found[stage] = config["ProductionVariants"][0]
    return found


def value_at(variant: Any, pushed: Pushed) -> Any:
    """What a variant has of a setting; None for nothing."""
    for name in pushed.shown:
        variant = variant.get(name, {})
    return variant or None
