"""The data science account: the kit's stacks, its roles, the external id, the starter, the approvals topic."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator

from scripts.kit.doctor.checks import own_stacks
from scripts.kit.doctor.checks.roles import service, trust_fix, trusts
from scripts.kit.doctor.facts.data_science import APPROVER, DATA_SCIENTIST
from scripts.kit.doctor.facts.protected import OF_PROJECTS, kit_roles, of_account, topic_policy
from scripts.kit.doctor.facts.stacks import EXTERNAL_ID_PARAMETER, PREFIX, STARTER, TOPIC
from scripts.kit.doctor.findings import Place, Request, check, here
from scripts.kit.doctor.reader import known
from scripts.kit.doctor.snapshot import Snapshot
from scripts.kit.names import MODELS_STACK, SHARED_STACK, STUDIO_ROLE, STUDIO_STACK
from scripts.kit.stacks.data_science import TEMPLATES, stack_of, templates
from scripts.kit.stacks.ways_out import way_out


def come_back(stack: str) -> str:
    """What to do where a stack of the kit stands and something of it does not: no update looks for what is gone."""
    return (
        f"aws cloudformation detect-stack-drift --stack-name {stack} shows what else is gone. "
        f"It must come back as {TEMPLATES[stack]} has it"
    )


@check(
    "kit-stack-missing",
    "error",
    "The data science account lacks a stack of the kit",
    "They hold the buckets, the key, the roles and the policies that every project needs.",
)
def kit_stack_missing(facts: Snapshot) -> Iterator[Place]:
    for name, stack in facts.data_science.stacks.items():
        if stack is None:
            yield here(facts, f"stack {name}", f"no stack holds {templates(facts.settings)[name]}", facts.make_accounts)


@check(
    "kit-stack-failed",
    "error",
    "A stack of the kit in the data science account is broken",
    "`make accounts` cannot continue from this state. Buckets and keys of a deleted stack stay, for the next one.",
)
def kit_stack_failed(facts: Snapshot) -> Iterator[Place]:
    for stack in facts.data_science.stacks.values():
        if stack and stack.broken:
            yield here(
                facts,
                f"stack {stack.name}",
                f"{stack.status} {stack.reason}".rstrip(),
                f"{way_out(stack.name, stack.status)}\nthen {facts.make_accounts}",
            )


@check(
    "kit-stack-differs",
    "warning",
    "A stack of the kit in the data science account differs from this bundle or environment file",
    "Roles may lack what this version needs, and accounts of a changed OU may not read the models.",
)
def kit_stack_differs(facts: Snapshot) -> Iterator[Place]:
    for name, stack in facts.data_science.stacks.items():
        if stack and not stack.broken:
            changed = own_stacks.differences(stack, *own_stacks.data_science_stack(facts, name))
            if changed:
                yield here(facts, f"stack {name}", f"it differs in: {changed}", facts.make_accounts)


@check(
    "model-region-missing",
    "error",
    "A further Region of endpoints lacks the bucket and the key of its models",
    "The Build step copies the version there, because endpoints read models of their own Region only.",
)
def model_region_missing(facts: Snapshot) -> Iterator[Place]:
    for region, stack in facts.data_science.further.items():
        if stack is None or (stack and stack.broken):
            what = f"{region}: {stack.status}" if stack else f"{region} has no stack {MODELS_STACK}"
            yield Place(facts.account, f"stack {MODELS_STACK}", what, facts.make_accounts, region)


@check(
    "project-role-missing",
    "error",
    "A role that every project uses is missing",
    "The product passes it to the project's pipeline, builds, stages or rules.",
)
def project_role_missing(facts: Snapshot) -> Iterator[Place]:
    for name, role in kit_roles(OF_PROJECTS).items():
        if facts.data_science.roles[name] is None:
            yield here(facts, f"role service-role/{name}", "there is no such role", come_back(stack_of(role.template)))


@check(
    "project-role-trust",
    "error",
    "A role that every project uses does not trust its service",
    "The service is refused when it assumes the role.",
)
def project_role_trust(facts: Snapshot) -> Iterator[Place]:
    for name, declared in kit_roles(OF_PROJECTS).items():
        role = facts.data_science.roles.get(name)
        for one in declared.services:
            if role and not trusts(role, service(one)).allowed:
                what, fix = f"its trust policy does not allow {one}", trust_fix(name, {"Service": one})
                yield here(facts, f"role service-role/{name}", what, fix)


@check(
    "studio-role-missing",
    "error",
    "A data scientists' role does not exist",
    "`make accounts` attaches a policy to each of studio.execution_roles, and `make publish` shows it the product.",
)
def studio_role_missing(facts: Snapshot) -> Iterator[Place]:
    for role, policies in facts.data_science.studio_roles.items():
        if policies is None:
            yield here(
                facts,
                f"role {role}",
                "there is no role of this name",
                facts.make_accounts
                if role == STUDIO_ROLE and not facts.data_science.stacks.get(STUDIO_STACK)
                else "aws sagemaker describe-domain --domain-id DOMAIN shows the execution roles; "
                "name them in studio.execution_roles",
            )


@check(
    "studio-role-policy",
    "warning",
    "A data scientists' role lacks the kit's policy",
    "It may not use the models' key, so training fails when it writes its model.",
)
def studio_role_policy(facts: Snapshot) -> Iterator[Place]:
    for role, policies in facts.data_science.studio_roles.items():
        if policies is not None and known(policies) and DATA_SCIENTIST not in policies:
            arn = f"arn:{facts.partition}:iam::{facts.account}:policy/{DATA_SCIENTIST}"
            name = role.rsplit("/", 1)[-1]
            yield here(
                facts,
                f"role {role}",
                f"{DATA_SCIENTIST} is not attached",
                f"aws iam attach-role-policy --role-name {name} --policy-arn {arn}",
            )


@check(
    "external-id-missing",
    "error",
    "The parameter with the tester's external id is missing",
    "The projects' tests read it when they start.",
)
def external_id_missing(facts: Snapshot) -> Iterator[Place]:
    if facts.data_science.external_id is None:
        yield here(
            facts,
            f"parameter {EXTERNAL_ID_PARAMETER}",
            "there is no such parameter",
            f"aws ssm put-parameter --type String --name {EXTERNAL_ID_PARAMETER} "
            f"--value {facts.settings.tester_external_id}",
        )


@check(
    "external-id-differs",
    "error",
    "The tester's external id differs from the environment file",
    "The test role sends it, and the target accounts expect the one of the environment file.",
)
def external_id_differs(facts: Snapshot) -> Iterator[Place]:
    value = facts.data_science.external_id
    if value and value != facts.settings.tester_external_id:
        yield here(
            facts,
            f"parameter {EXTERNAL_ID_PARAMETER}",
            f"it is {value!r}, the environment file says {facts.settings.tester_external_id!r}",
            f"aws ssm put-parameter --overwrite --type String --name {EXTERNAL_ID_PARAMETER} "
            f"--value {facts.settings.tester_external_id}",
        )


@check(
    "starter-missing",
    "error",
    "The state machine that starts the pipelines is missing",
    "An approved version starts no pipeline: the event rules point at it.",
)
def starter_missing(facts: Snapshot) -> Iterator[Place]:
    if facts.data_science.starter is None:
        yield here(
            facts,
            f"state machine {STARTER}",
            "there is no such state machine",
            f"{come_back(SHARED_STACK)} (Starter)",
        )


@check(
    "starter-role",
    "error",
    "The state machine that starts the pipelines runs as another role",
    "Only the kit's starter role may start the projects' pipelines.",
)
def starter_role(facts: Snapshot) -> Iterator[Place]:
    starter = facts.data_science.starter
    wanted = f"{PREFIX}StarterRole"
    if starter and starter["roleArn"].rsplit("/", 1)[-1] != wanted:
        arn = f"arn:{facts.partition}:iam::{facts.account}:role/service-role/{wanted}"
        yield here(
            facts,
            f"state machine {STARTER}",
            f"it runs as {starter['roleArn']}",
            f"aws stepfunctions update-state-machine --state-machine-arn {starter['stateMachineArn']} --role-arn {arn}",
        )


@check(
    "rule-missing",
    "error",
    "An event rule of the kit is missing",
    "The rules start the pipelines when a version is approved or rejected, or a commit is pushed.",
)
def rule_missing(facts: Snapshot) -> Iterator[Place]:
    for name, rule in facts.data_science.rules.items():
        if rule is None:
            yield here(facts, f"rule {name}", "there is no such rule", come_back(SHARED_STACK))


@check(
    "rule-disabled",
    "error",
    "An event rule of the kit is switched off",
    "Approved versions, rejections or commits start nothing, in every project.",
    safe=True,
)
def rule_disabled(facts: Snapshot) -> Iterator[Place]:
    for name, rule in facts.data_science.rules.items():
        if rule and rule["State"] == "DISABLED":
            request = Request(facts.account, facts.region, "events", "EnableRule", {"Name": name})
            yield request.fixes(f"rule {name}", "it is disabled")


@check(
    "approvals-topic-missing",
    "error",
    "The topic that notifies approvers is missing",
    "The pipeline's approval fails when it cannot publish to it.",
)
def approvals_topic_missing(facts: Snapshot) -> Iterator[Place]:
    if facts.data_science.topic is None:
        arn = f"arn:{facts.partition}:sns:{facts.region}:{facts.account}:{TOPIC}"
        policy = topic_policy(arn, of_account(facts.partition, facts.account, facts.region))
        attributes = json.dumps({"Policy": policy})
        fix = f"aws sns create-topic --name {TOPIC} --attributes {shlex.quote(attributes)}"
        yield here(facts, f"topic {TOPIC}", "there is no such topic", fix)


@check(
    "approvals-unheard",
    "warning",
    "No one is notified that a deployment waits for approval",
    "It waits for seven days and then fails.",
)
def approvals_unheard(facts: Snapshot) -> Iterator[Place]:
    address, found = facts.settings.notifications.approval_email, facts.data_science.subscriptions
    if not address or not known(found) or not facts.data_science.topic:
        return
    state = next((s["SubscriptionArn"] for s in found or [] if s["Endpoint"] == address), "none")
    if not state.startswith("arn:"):
        topic = f"arn:{facts.partition}:sns:{facts.region}:{facts.account}:{TOPIC}"
        what = f"{address} has not confirmed its subscription" if state != "none" else f"{address} is not subscribed"
        yield here(
            facts,
            f"topic {TOPIC}",
            what,
            f"aws sns subscribe --topic-arn {topic} --protocol email --notification-endpoint {address}\n"
            "then choose the link in the message that arrives",
        )


@check(
    "approvers-none",
    "warning",
    "No principal has the approver's policy",
    "Only administrators can approve a deployment to production.",
)
def approvers_none(facts: Snapshot) -> Iterator[Place]:
    found = facts.data_science.approvers
    if found and not any(found.get(kind) for kind in ("PolicyRoles", "PolicyUsers", "PolicyGroups")):
        arn = f"arn:{facts.partition}:iam::{facts.account}:policy/{APPROVER}"
        yield here(
            facts,
            f"policy {APPROVER}",
            "it is attached to no role, user or group",
            f"aws iam attach-role-policy --role-name ROLE --policy-arn {arn}",
        )
