"""What the code of another template's project could try as one of AWS's roles for projects.

Each attack is a request of a session. Those that would go on for long, or leave something behind, once they are allowed
are sent so that the service refuses them for another reason then: JSON that is none, a stack that is protected, an
update without a change, a variable that the pipeline lacks.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from botocore.exceptions import ClientError

from localaws.cloud import Session
from scripts.kit.names import OTHERS_POLICY, bundle_bucket
from scripts.kit.stacks.project_roles import PATH, PREFIX
from tests.support.attacks import DENIED
from tests.support.doctor_world import REGION, World

RULE, STARTER = "sagemaker-multi-account-approved", "sagemaker-multi-account-starter"
BUILDSPEC = "version: 0.2\nphases: {build: {commands: ['echo mine']}}\n"
BUILD = {"sourceTypeOverride": "NO_SOURCE", "artifactsOverride": {"type": "NO_ARTIFACTS"}}
EVERYTHING = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]})
Request = Callable[[Session], object]
STACKS, BUILDS, PIPELINES = "ChangeNoStacks", "StartNoBuilds", "ChangeNoPipelines"
STARTS, PUBLISHED, ROLES = "ChangeNoStarts", "PublishNothing", "TakeNoRoles"
VERSIONS, PUSHED, PEOPLE = "ChangeNoVersions", "LeaveTheBuildsPipelines", "KeepProjectsAndPeople"
REPOSITORIES = "LeaveRepositories"


def session(world: World, kind: str) -> Session:
    """A service that runs code of another template as this role."""
    service = "codebuild" if kind == "Use" else {"Execution": "sagemaker"}.get(kind, kind.lower())
    role = f"arn:aws:iam::{world.account}:role{PATH}{PREFIX}{kind}Role"
    return world.cloud.service_role(role, "attack", f"{service}.amazonaws.com", REGION)


def of_stack(project: str, stage: str) -> Mapping[str, Request]:
    """Changing the stack of a stage, which keeps its role: nothing has to be passed."""
    parameters = [{"ParameterKey": "ModelPackageName", "UsePreviousValue": True}]
    same = {"UsePreviousTemplate": True, "Parameters": parameters}

    def call(operation: str, **request: Any) -> Request:
        name = f"sagemaker-{project}-deploy-{stage}"
        return lambda session: getattr(session.client("cloudformation"), operation)(StackName=name, **request)

    return {
        f"UpdateStack {stage}": call("update_stack", **same),
        f"DeleteStack {stage}": call("delete_stack"),
        f"CreateChangeSet {stage}": call("create_change_set", ChangeSetName="theirs", **same),
        f"SetStackPolicy {stage}": call("set_stack_policy", StackPolicyBody="{"),
    }


def attacks(world: World) -> Mapping[str, tuple[str, Request]]:
    """The requests by name, each with the statement that denies it; "": the bucket's policy does."""
    name, account = f"sagemaker-{world.project}", world.account
    artifacts, bundle = f"sagemaker-project-{world.story.project_id}", bundle_bucket(account, REGION)
    machine = f"arn:aws:states:{REGION}:{account}:stateMachine:{STARTER}"
    role = f"{PREFIX}MultiAccountGateRole"
    pipeline = {"name": f"{name}-deploy"}
    action = {"pipelineName": f"{name}-deploy", "stageName": "ApproveDeployment", "actionName": "ApproveDeployment"}
    approved = {"summary": "", "status": "Approved"}
    nothing = [{"Id": "theirs", "Arn": "nothing"}]

    def call(service: str, operation: str, **request: Any) -> Request:
        return lambda session: getattr(session.client(service), operation)(**request)

    found: dict[str, tuple[str, Request]] = {}
    for stage in ("staging", "prod"):
        found |= {key: (STACKS, request) for key, request in of_stack(world.project, stage).items()}
    for kind in ("build", "gate", "own-tests", "test"):
        start = call("codebuild", "start_build", projectName=f"{name}-{kind}", buildspecOverride=BUILDSPEC, **BUILD)
        found[f"StartBuild {kind}"] = BUILDS, start
    found["UpdateProject"] = BUILDS, call("codebuild", "update_project", name=f"{name}-gate", description="theirs")
    shown = world.client("codepipeline").get_pipeline(name=pipeline["name"])["pipeline"]
    found["UpdatePipeline"] = PIPELINES, call("codepipeline", "update_pipeline", pipeline=shown)
    variables = [{"name": "Theirs", "value": "1"}]
    for operation, request in (
        ("start_pipeline_execution", {**pipeline, "variables": variables}),
        ("stop_pipeline_execution", {"pipelineName": pipeline["name"], "pipelineExecutionId": "0" * 36}),
        ("delete_pipeline", pipeline),
        ("put_approval_result", {**action, "result": approved, "token": "0" * 36}),
    ):
        found[operation] = PIPELINES, call("codepipeline", operation, **request)
    found |= on_models(world, call)
    found |= {
        "PutRule": (STARTS, call("events", "put_rule", Name=RULE, EventPattern="{")),
        "PutTargets": (STARTS, call("events", "put_targets", Rule=RULE, Targets=nothing)),
        "RemoveTargets": (STARTS, call("events", "remove_targets", Rule=RULE, Ids=["none"])),
        "StartExecution": (STARTS, call("stepfunctions", "start_execution", stateMachineArn=machine, input="{")),
        "UpdateStateMachine": (
            STARTS, call("stepfunctions", "update_state_machine", stateMachineArn=machine, definition="{"),
        ),
        "write code": (PUBLISHED, call("s3", "put_object", Bucket=bundle, Key="bundle/0/pipeline.zip", Body=b"")),
        "write an artifact": ("", call("s3", "put_object", Bucket=artifacts, Key="iris/BuildOutp/1", Body=b"")),
        "write a record": ("", call("s3", "put_object", Bucket=artifacts, Key="record/approvals/1.json", Body=b"")),
        "delete the artifacts": ("", call("s3", "delete_bucket", Bucket=artifacts)),
        "delete a role": (ROLES, call("iam", "delete_role", RoleName=role)),
        "take off the policy": (
            ROLES, call("iam", "delete_policy", PolicyArn=f"arn:aws:iam::{account}:policy/{OTHERS_POLICY}")
        ),
    }  # fmt: skip
    return found


def on_models(world: World, call: Callable[..., Request]) -> Mapping[str, tuple[str, Request]]:
    """Deciding on versions, deleting models, and what else SageMaker and the repositories hold of a project."""
    name = world.story.project_name
    here, group = f"arn:aws:sagemaker:{REGION}:{world.account}", {"ModelPackageGroupName": name}
    arn, version = f"{here}:model-package-group/{name}", f"{here}:model-package/{name}"
    pending = {"ModelPackageArn": f"{version}/1", "ModelApprovalStatus": "PendingManualApproval"}
    pushed = f"{world.project}-on-push"
    file = {"filePath": "mine", "fileContent": b"", "branchName": "main", "parentCommitId": "0" * 40}
    repository = f"sagemaker-{world.project}-modeldeploy"

    def sagemaker(operation: str, **request: Any) -> Request:
        return call("sagemaker", operation, **request)

    return {
        "UpdateModelPackage": (VERSIONS, sagemaker("update_model_package", **pending)),
        "DeleteModelPackage": (VERSIONS, sagemaker("delete_model_package", ModelPackageName=f"{version}/999")),
        "CreateModelPackage": (VERSIONS, sagemaker("create_model_package", **group)),
        "DeleteModelPackageGroup": (VERSIONS, sagemaker("delete_model_package_group", **group)),
        "PutModelPackageGroupPolicy": (
            VERSIONS, sagemaker("put_model_package_group_policy", **group, ResourcePolicy="{")
        ),
        "DeleteTags": (VERSIONS, sagemaker("delete_tags", ResourceArn=arn, TagKeys=["none"])),
        "UpdatePipeline on-push": (PUSHED, sagemaker("update_pipeline", PipelineName=pushed)),
        "DeleteProject": (PEOPLE, sagemaker("delete_project", ProjectName="none-such")),
        "push": (REPOSITORIES, call("codecommit", "put_file", repositoryName=repository, **file)),
        "delete a model": (PUBLISHED, call("s3", "delete_object", Bucket=world.models, Key="none/models/1")),
    }  # fmt: skip


def refusal(request: Request, of: Session) -> str:
    """What denied it; "" where the request was allowed, whatever became of it."""
    try:
        request(of)
    except ClientError as error:
        return str(error) if error.response["Error"]["Code"] in DENIED else ""
    return ""


@contextmanager
def unlimited(world: World, kind: str) -> Iterator[None]:
    """The role without the kit's policy, as SageMaker's console makes it."""
    iam, arn = world.client("iam"), f"arn:aws:iam::{world.account}:policy/{OTHERS_POLICY}"
    iam.detach_role_policy(RoleName=f"{PREFIX}{kind}Role", PolicyArn=arn)
    try:
        yield
    finally:
        iam.attach_role_policy(RoleName=f"{PREFIX}{kind}Role", PolicyArn=arn)


@contextmanager
def administrator(world: World, kind: str) -> Iterator[None]:
    """The role with every right beside the kit's policy."""
    iam = world.client("iam")
    iam.put_role_policy(RoleName=f"{PREFIX}{kind}Role", PolicyName="everything", PolicyDocument=EVERYTHING)
    try:
        yield
    finally:
        iam.delete_role_policy(RoleName=f"{PREFIX}{kind}Role", PolicyName="everything")


@contextmanager
def protected(world: World) -> Iterator[None]:
    """The stacks of the stages cannot be deleted, also by a principal that is allowed to."""
    client = world.client("cloudformation")
    stacks = [f"sagemaker-{world.project}-deploy-{stage}" for stage in ("staging", "prod")]
    for stack in stacks:
        client.update_termination_protection(StackName=stack, EnableTerminationProtection=True)
    try:
        yield
    finally:
        for stack in stacks:
            client.update_termination_protection(StackName=stack, EnableTerminationProtection=False)
