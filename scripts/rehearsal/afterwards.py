"""The chapters after the first deployment: a second version, a push that the approver refuses, a rejected version."""

from __future__ import annotations

import json
from typing import Any

from scripts.kit.console import say
from scripts.rehearsal import deploying
from scripts.rehearsal.examples import commit
from scripts.rehearsal.playing import Playing

STAGING_CONFIG = "staging-config.json"
SETTING, VALUE = "ContainerStartupHealthCheckTimeoutInSeconds", 120  # it costs nothing, and is seen at the endpoint


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
    deploying.approval(story)
    deploying.production(story)
    deploying.predictions(story)


def push(story: Playing) -> None:
    """The setting reaches staging; the approver refuses it, and production stays as it is."""
    story.execution_id = deploying.started(story, lambda: commit_setting(story))
    story.require(bool(story.execution_id), f"the push to {deploy_repository(story)} started no pipeline")
    say(f"    {SETTING} of staging is {VALUE} in {STAGING_CONFIG}: the pipeline started ({story.execution_id})")
    status = story.wait_for_stage("DeployStaging")
    story.require(status == "Succeeded", f"DeployStaging ended {status}")
    deploying.give_approval(story, "Rejected", "The endpoint starts in time without it")
    status = story.wait_for_execution(story.execution_id)
    story.require(status == "Failed", f"the pipeline ended {status} although the approver refused")
    found = {stage: setting_of(story, stage) for stage in story.setting.targets}
    story.require(found == {"staging": VALUE, "prod": None}, f"{SETTING} at the endpoints of the stages: {found}")
    say("    staging has it; the approver refused it, and production stayed as it was")


def rejection(story: Playing) -> None:
    """The version that was approved before comes back in both stages, and no approver is asked."""
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


def commit_setting(story: Playing) -> None:
    """One more setting in the deploy repository's file, as the data scientist pushes it."""
    codecommit, repository = story.scientist.client("codecommit"), deploy_repository(story)
    held = codecommit.get_file(repositoryName=repository, filePath=STAGING_CONFIG)["fileContent"]
    config = json.loads(held)
    config["Parameters"][SETTING] = str(VALUE)
    content = f"{json.dumps(config, indent=2)}\n"
    commit(story, "modeldeploy", STAGING_CONFIG, content, "Give the container two minutes to start")


def setting_of(story: Playing, stage: str) -> Any:
    """The setting at a stage's endpoint, in the first of its accounts; None where the endpoint has none."""
    sagemaker = story.owner(story.setting.targets[stage]).client("sagemaker")
    endpoint = sagemaker.describe_endpoint(EndpointName=deploying.endpoint_name(story, stage))
    config = sagemaker.describe_endpoint_config(EndpointConfigName=endpoint["EndpointConfigName"])
    return config["ProductionVariants"][0].get(SETTING)
