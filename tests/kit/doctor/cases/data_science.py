"""The data science account, broken."""

from __future__ import annotations

import json
from collections.abc import Iterator

from scripts.kit.doctor.facts import stacks
from scripts.kit.names import PEOPLE_STACK, ROLES_STACK, SHARED_STACK
from scripts.rehearsal import setting as people
from tests.kit.doctor.cases import case, swapped
from tests.kit.doctor.cases.targets import no_role, stack, trust
from tests.support.doctor_world import World

POLICY = "sagemaker-multi-account-data-scientist"
CATALOG = "catalog:\n"


@case("kit-stack-missing", "make accounts")
def _(world: World) -> Iterator[None]:
    with swapped(stack(world, world.account, SHARED_STACK), "status", "DELETE_COMPLETE"):
        yield


@case("kit-stack-failed", "continue-update-rollback --stack-name multi-account-deployment")
def _(world: World) -> Iterator[None]:
    with swapped(stack(world, world.account, ROLES_STACK), "status", "UPDATE_ROLLBACK_FAILED"):
        yield


@case("kit-stack-differs", "make accounts")
def _(world: World) -> Iterator[None]:
    old = stack(world, world.account, PEOPLE_STACK)
    with swapped(old, "body", old.body + "\n# as it was in the last version\n"):
        yield


@case("model-region-missing", "make accounts")
def _(world: World) -> Iterator[None]:
    with world.environment(CATALOG, f"regions: {{staging: [us-east-1, eu-west-1]}}\n{CATALOG}"):
        yield


@case("project-role-missing", "detect-stack-drift")
def _(world: World) -> Iterator[None]:
    with no_role(world, world.account, f"{stacks.PREFIX}BuildRole"):
        yield


@case("project-role-trust", '"Service": "codepipeline.amazonaws.com"')
def _(world: World) -> Iterator[None]:
    with trust(world, world.account, f"{stacks.PREFIX}PipelineRole", Service="lambda.amazonaws.com"):
        yield


@case("studio-role-missing", "studio.execution_roles")
def _(world: World) -> Iterator[None]:
    with world.environment("  domain:\n", "  execution_roles: [NoSuchRole]\n  domain:\n"):
        yield


@case("studio-role-policy", f"aws iam attach-role-policy --role-name {people.STUDIO_ROLE}")
def _(world: World) -> Iterator[None]:
    iam, arn = world.client("iam"), f"arn:aws:iam::{world.account}:policy/{POLICY}"
    iam.detach_role_policy(RoleName=people.STUDIO_ROLE, PolicyArn=arn)
    yield
    iam.attach_role_policy(RoleName=people.STUDIO_ROLE, PolicyArn=arn)


@case("external-id-missing", "aws ssm put-parameter --type String")
def _(world: World) -> Iterator[None]:
    ssm = world.client("ssm")
    ssm.delete_parameter(Name=stacks.EXTERNAL_ID_PARAMETER)
    yield
    ssm.put_parameter(Name=stacks.EXTERNAL_ID_PARAMETER, Type="String", Value="rehearsal-tester", Overwrite=True)


@case("external-id-differs", "aws ssm put-parameter --overwrite")
def _(world: World) -> Iterator[None]:
    ssm = world.client("ssm")
    ssm.put_parameter(Name=stacks.EXTERNAL_ID_PARAMETER, Value="another-word", Overwrite=True)
    yield
    ssm.put_parameter(Name=stacks.EXTERNAL_ID_PARAMETER, Value="rehearsal-tester", Overwrite=True)


def starter_arn(world: World) -> str:
    return f"arn:aws:states:us-east-1:{world.account}:stateMachine:{stacks.STARTER}"


@case("starter-missing", "detect-stack-drift")
def _(world: World) -> Iterator[None]:
    states, arn = world.client("stepfunctions"), starter_arn(world)
    before = states.describe_state_machine(stateMachineArn=arn)
    states.delete_state_machine(stateMachineArn=arn)
    yield
    states.create_state_machine(
        name=stacks.STARTER, definition=before["definition"], roleArn=before["roleArn"], type=before["type"]
    )


@case("starter-role", f"update-state-machine --state-machine-arn arn:aws:states:us-east-1:{people.DATA_SCIENCE}")
def _(world: World) -> Iterator[None]:
    states, arn, iam = world.client("stepfunctions"), starter_arn(world), world.client("iam")
    before = states.describe_state_machine(stateMachineArn=arn)["roleArn"]
    document = people.trust(Service="states.amazonaws.com")
    made = iam.create_role(RoleName="Other", AssumeRolePolicyDocument=document)["Role"]["Arn"]
    states.update_state_machine(stateMachineArn=arn, roleArn=made)
    yield
    states.update_state_machine(stateMachineArn=arn, roleArn=before)
    iam.delete_role(RoleName="Other")


@case("approvals-topic-missing", "aws sns create-topic")
def _(world: World) -> Iterator[None]:
    sns, arn = world.client("sns"), f"arn:aws:sns:us-east-1:{world.account}:{stacks.TOPIC}"
    policy = sns.get_topic_attributes(TopicArn=arn)["Attributes"]["Policy"]
    sns.delete_topic(TopicArn=arn)
    yield
    sns.delete_topic(TopicArn=arn)
    sns.create_topic(Name=stacks.TOPIC, Attributes={"Policy": policy})


@case("approvals-unheard", "aws sns subscribe")
def _(world: World) -> Iterator[None]:
    with world.environment(CATALOG, f"notifications:\n  approval_email: boss@example.com\n{CATALOG}"):
        yield


@case("approvers-none", "sagemaker-multi-account-approver")
def _(world: World) -> Iterator[None]:
    iam, arn = world.client("iam"), f"arn:aws:iam::{world.account}:policy/{people.APPROVER_POLICY}"
    iam.detach_role_policy(RoleName=people.APPROVER, PolicyArn=arn)
    yield
    iam.attach_role_policy(RoleName=people.APPROVER, PolicyArn=arn)


STOCK = "AmazonSageMakerServiceCatalogProductsLaunchRole"


@case("launch-role-missing", "make accounts")
def _(world: World) -> Iterator[None]:
    with no_role(world, world.account, STOCK):
        yield


@case("launch-role-trust", '"Service": "servicecatalog.amazonaws.com"')
def _(world: World) -> Iterator[None]:
    with trust(world, world.account, STOCK, Service="sagemaker.amazonaws.com"):
        yield


@case("launch-role-gaps", "AmazonSageMakerAdmin-ServiceCatalogProductsServiceRolePolicy")
def _(world: World) -> Iterator[None]:
    iam = world.client("iam")
    iam.detach_role_policy(RoleName=STOCK, PolicyArn=people.LAUNCH_POLICY)
    allowed = {"Effect": "Allow", "Action": ["s3:*", "events:*"], "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [allowed]})
    iam.put_role_policy(RoleName=STOCK, PolicyName="own", PolicyDocument=document)
    yield
    iam.delete_role_policy(RoleName=STOCK, PolicyName="own")
    iam.attach_role_policy(RoleName=STOCK, PolicyArn=people.LAUNCH_POLICY)
