"""The data science account: the kit's stack, its roles, the external id, the starter, the approvals topic."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from scripts.kit.doctor import kit
from scripts.kit.doctor.findings import Place, finding
from scripts.kit.doctor.reader import UNREAD, Reader, known
from scripts.kit.doctor.roles import read_role, service, trusts
from scripts.kit.settings.model import Settings
from scripts.kit.stacks import model_regions
from scripts.kit.together import together

if TYPE_CHECKING:
    from scripts.kit.doctor.snapshot import Snapshot

KIT_ROLES = {  # the role's name after the prefix, and the service that becomes it
    "PipelineRole": "codepipeline.amazonaws.com",
    "BuildRole": "codebuild.amazonaws.com",
    "TestRole": "codebuild.amazonaws.com",
    "StageRole": "cloudformation.amazonaws.com",
    "EventsRole": "events.amazonaws.com",
    "StarterRole": "states.amazonaws.com",
}
DATA_SCIENTIST, APPROVER = "sagemaker-multi-account-data-scientist", "sagemaker-multi-account-approver"


@dataclass(frozen=True)
class DataScience:
    """roles: the kit's, by name; studio_roles: the policies attached to each, None for a role that is missing."""

    stack: Any = UNREAD
    roles: Mapping[str, Any] = field(default_factory=dict)
    studio_roles: Mapping[str, Any] = field(default_factory=dict)
    external_id: Any = UNREAD
    starter: Any = UNREAD
    topic: Any = UNREAD
    subscriptions: Any = UNREAD
    approvers: Any = UNREAD
    further: Mapping[str, Any] = field(default_factory=dict)  # the stack of template 11, by region


# -- the facts ---------------------------------------------------------------------------------


def gather(reader: Reader, settings: Settings, partition: str) -> DataScience:
    account = settings.accounts.data_science
    topic_arn = f"arn:{partition}:sns:{reader.region}:{account}:{kit.TOPIC}"
    starter_arn = f"arn:{partition}:states:{reader.region}:{account}:stateMachine:{kit.STARTER}"
    approver_arn = f"arn:{partition}:iam::{account}:policy/{APPROVER}"
    names = [f"{kit.PREFIX}{name}" for name in KIT_ROLES]
    people, further = settings.studio.execution_roles, model_regions.further(settings)
    read_region = partial(kit.read_stack, reader, account, model_regions.STACK, body=False)
    stack, external_id, starter, topic, subscriptions, approvers, *roles = together(
        [
            partial(kit.read_stack, reader, account, kit.DATA_SCIENCE_STACK),
            partial(reader.ask, account, "ssm", "GetParameter", Name=kit.EXTERNAL_ID_PARAMETER),
            partial(reader.ask, account, "stepfunctions", "DescribeStateMachine", stateMachineArn=starter_arn),
            partial(reader.ask, account, "sns", "GetTopicAttributes", TopicArn=topic_arn),
            partial(reader.pages, account, "sns", "ListSubscriptionsByTopic", "Subscriptions", TopicArn=topic_arn),
            partial(reader.ask, account, "iam", "ListEntitiesForPolicy", PolicyArn=approver_arn),
            *(partial(read_role, reader, account, name) for name in names),
            *(partial(attached_policies, reader, account, role.rsplit("/", 1)[-1]) for role in people),
            *(partial(read_region, region=region) for region in further),
        ]
    )
    regions = roles[len(roles) - len(further) :]
    return DataScience(
        stack=stack,
        roles=dict(zip(names, roles[: len(names)], strict=True)),
        studio_roles=dict(zip(people, roles[len(names) : len(names) + len(people)], strict=True)),
        external_id=external_id["Parameter"]["Value"] if external_id else external_id,
        starter=starter,
        topic=topic,
        subscriptions=subscriptions,
        approvers=approvers,
        further=dict(zip(further, regions, strict=True)),
    )


def attached_policies(reader: Reader, account: str, role: str) -> Any:
    """The names of the policies attached to a role; None where there is no such role."""
    listed = reader.pages(account, "iam", "ListAttachedRolePolicies", "AttachedPolicies", RoleName=role)
    return tuple(policy["PolicyName"] for policy in listed) if isinstance(listed, list) else listed


# -- the checks --------------------------------------------------------------------------------


def here(it: Snapshot, resource: str, what: str, fix: str) -> Place:
    """A place in the data science account and the kit's region."""
    return Place(it.account, resource, what, fix, it.region)


@finding(
    "kit-stack-missing",
    "stops",
    "The data science account has not got the kit's stack",
    "It makes the buckets, the key and the roles that every project rests on.",
)
def kit_stack_missing(it: Snapshot) -> Iterator[Place]:
    if it.data_science.stack is None:
        yield here(it, f"stack {kit.DATA_SCIENCE_STACK}", "there is no such stack", it.make_accounts)


@finding(
    "kit-stack-failed",
    "stops",
    "The kit's stack in the data science account is broken",
    "`make accounts` cannot go on from this state.",
)
def kit_stack_failed(it: Snapshot) -> Iterator[Place]:
    stack = it.data_science.stack
    if stack and stack.broken:
        yield here(
            it,
            f"stack {stack.name}",
            f"{stack.status} {stack.reason}".rstrip(),
            f"aws cloudformation continue-update-rollback --stack-name {stack.name}"
            if stack.status == "UPDATE_ROLLBACK_FAILED"
            else f"aws cloudformation delete-stack --stack-name {stack.name} (buckets and keys stay)\n"
            f"then {it.make_accounts}",
        )


@finding(
    "kit-stack-differs",
    "warns",
    "The kit's stack in the data science account is not that of this bundle or environment file",
    "Roles may lack what this version needs, and units that changed may not read the models.",
)
def kit_stack_differs(it: Snapshot) -> Iterator[Place]:
    stack = it.data_science.stack
    if stack and not stack.broken:
        changed = kit.differences(stack, *kit.data_science_stack(it))
        if changed:
            yield here(it, f"stack {stack.name}", f"it differs in: {changed}", it.make_accounts)


@finding(
    "model-region-missing",
    "stops",
    "A further region of endpoints has not got the bucket and the key of its models",
    "The Build step copies the version there, because endpoints read models of their own region only.",
)
def model_region_missing(it: Snapshot) -> Iterator[Place]:
    for region, stack in it.data_science.further.items():
        if stack is None or (stack and stack.broken):
            what = f"{region}: {stack.status}" if stack else f"{region} has no stack {model_regions.STACK}"
            yield Place(it.account, f"stack {model_regions.STACK}", what, it.make_accounts, region)


@finding(
    "project-role-missing",
    "stops",
    "A role that every project uses is missing",
    "The product passes it to the project's pipeline, builds, stages or rules.",
)
def project_role_missing(it: Snapshot) -> Iterator[Place]:
    for name, role in it.data_science.roles.items():
        if role is None and it.data_science.stack:
            yield here(
                it,
                f"role service-role/{name}",
                "the stack is there, and its role is not",
                f"aws cloudformation detect-stack-drift --stack-name {kit.DATA_SCIENCE_STACK} shows what else is "
                "gone. It must come back as templates/10-data-science-account.yaml has it",
            )


@finding(
    "project-role-trust",
    "stops",
    "A role that every project uses does not trust its service",
    "The service is refused when it is to become the role.",
)
def project_role_trust(it: Snapshot) -> Iterator[Place]:
    for short, name in KIT_ROLES.items():
        role = it.data_science.roles.get(f"{kit.PREFIX}{short}")
        if role and not trusts(role, service(name)).allowed:
            yield here(
                it,
                f"role service-role/{kit.PREFIX}{short}",
                f"its trust policy does not allow {name}",
                f"aws iam update-assume-role-policy --role-name {kit.PREFIX}{short} --policy-document "
                '\'{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", '
                f'"Principal": {{"Service": "{name}"}}}}]}}\'',
            )


@finding(
    "studio-role-missing",
    "stops",
    "A data scientists' role does not exist",
    "`make accounts` attaches a policy to each of studio.execution_roles, `make publish` shows it the product.",
)
def studio_role_missing(it: Snapshot) -> Iterator[Place]:
    for role, policies in it.data_science.studio_roles.items():
        if policies is None:
            yield here(
                it,
                f"role {role}",
                "there is no role of this name",
                "aws sagemaker describe-domain --domain-id DOMAIN shows the execution roles; "
                "name them in studio.execution_roles",
            )


@finding(
    "studio-role-policy",
    "warns",
    "A data scientists' role has not got the kit's policy",
    "It may not use the models' key, so that training ends when it writes its model.",
)
def studio_role_policy(it: Snapshot) -> Iterator[Place]:
    for role, policies in it.data_science.studio_roles.items():
        if policies is not None and known(policies) and DATA_SCIENTIST not in policies and it.data_science.stack:
            arn = f"arn:{it.partition}:iam::{it.account}:policy/{DATA_SCIENTIST}"
            name = role.rsplit("/", 1)[-1]
            yield here(
                it,
                f"role {role}",
                f"{DATA_SCIENTIST} is not attached",
                f"aws iam attach-role-policy --role-name {name} --policy-arn {arn}",
            )


@finding(
    "external-id-missing",
    "stops",
    "The parameter with the tester's external id is missing",
    "The projects' tests read it when they start.",
)
def external_id_missing(it: Snapshot) -> Iterator[Place]:
    if it.data_science.external_id is None and it.data_science.stack:
        yield here(
            it,
            f"parameter {kit.EXTERNAL_ID_PARAMETER}",
            "the stack is there, and its parameter is not",
            f"aws ssm put-parameter --type String --name {kit.EXTERNAL_ID_PARAMETER} "
            f"--value {it.settings.tester_external_id}",
        )


@finding(
    "external-id-differs",
    "stops",
    "The tester's external id is not that of the environment file",
    "The test role states it, and the target accounts expect that of the environment file.",
)
def external_id_differs(it: Snapshot) -> Iterator[Place]:
    value = it.data_science.external_id
    if value and value != it.settings.tester_external_id:
        yield here(
            it,
            f"parameter {kit.EXTERNAL_ID_PARAMETER}",
            f"it holds {value!r}, the environment file says {it.settings.tester_external_id!r}",
            f"aws ssm put-parameter --overwrite --type String --name {kit.EXTERNAL_ID_PARAMETER} "
            f"--value {it.settings.tester_external_id}",
        )


@finding(
    "starter-missing",
    "stops",
    "The state machine that starts the pipelines is missing",
    "An approved version starts no pipeline: the event rules point at it.",
)
def starter_missing(it: Snapshot) -> Iterator[Place]:
    if it.data_science.starter is None and it.data_science.stack:
        yield here(
            it,
            f"state machine {kit.STARTER}",
            "the stack is there, and its state machine is not",
            f"aws cloudformation detect-stack-drift --stack-name {kit.DATA_SCIENCE_STACK} shows what else is gone. "
            "It must come back as templates/10-data-science-account.yaml has it (Starter)",
        )


@finding(
    "starter-role",
    "stops",
    "The state machine that starts the pipelines runs as another role",
    "Only the kit's starter role may start the projects' pipelines.",
)
def starter_role(it: Snapshot) -> Iterator[Place]:
    starter = it.data_science.starter
    wanted = f"{kit.PREFIX}StarterRole"
    if starter and starter["roleArn"].rsplit("/", 1)[-1] != wanted:
        arn = f"arn:{it.partition}:iam::{it.account}:role/service-role/{wanted}"
        yield here(
            it,
            f"state machine {kit.STARTER}",
            f"it runs as {starter['roleArn']}",
            f"aws stepfunctions update-state-machine --state-machine-arn {starter['stateMachineArn']} --role-arn {arn}",
        )


@finding(
    "approvals-topic-missing",
    "stops",
    "The topic that tells approvers is missing",
    "The pipeline's approval fails when it cannot publish to it.",
)
def approvals_topic_missing(it: Snapshot) -> Iterator[Place]:
    if it.data_science.topic is None and it.data_science.stack:
        yield here(it, f"topic {kit.TOPIC}", "there is no such topic", f"aws sns create-topic --name {kit.TOPIC}")


@finding(
    "approvals-unheard",
    "warns",
    "Nobody hears that a deployment waits for approval",
    "It waits for seven days, and then it fails.",
)
def approvals_unheard(it: Snapshot) -> Iterator[Place]:
    address, found = it.settings.notifications.approval_email, it.data_science.subscriptions
    if not address or not known(found) or not it.data_science.topic:
        return
    state = next((s["SubscriptionArn"] for s in found or [] if s["Endpoint"] == address), "none")
    if not state.startswith("arn:"):
        topic = f"arn:{it.partition}:sns:{it.region}:{it.account}:{kit.TOPIC}"
        what = f"{address} has not confirmed its subscription" if state != "none" else f"{address} is not subscribed"
        yield here(
            it,
            f"topic {kit.TOPIC}",
            what,
            f"aws sns subscribe --topic-arn {topic} --protocol email --notification-endpoint {address}\n"
            "then the link in the message that comes",
        )


@finding(
    "approvers-none",
    "warns",
    "Nobody has the approver's policy",
    "Only administrators can let a deployment through to production.",
)
def approvers_none(it: Snapshot) -> Iterator[Place]:
    found = it.data_science.approvers
    if found and not any(found.get(kind) for kind in ("PolicyRoles", "PolicyUsers", "PolicyGroups")):
        arn = f"arn:{it.partition}:iam::{it.account}:policy/{APPROVER}"
        yield here(
            it,
            f"policy {APPROVER}",
            "it is attached to no role, user or group",
            f"aws iam attach-role-policy --role-name ROLE --policy-arn {arn}",
        )
