"""The data science account: the kit's stacks, its roles, the external id, the starter, the approvals topic."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from scripts.kit.doctor.facts.protected import OF_PROJECTS, kit_roles
from scripts.kit.doctor.facts.regions import disabled
from scripts.kit.doctor.facts.roles import read_role
from scripts.kit.doctor.facts.stacks import EXTERNAL_ID_PARAMETER, RULES, STARTER, TOPIC, read_stack
from scripts.kit.doctor.reader import UNREAD, Reader
from scripts.kit.names import MODELS_STACK, PEOPLE_STACK
from scripts.kit.settings.model import Settings
from scripts.kit.stacks import model_regions
from scripts.kit.stacks.data_science import templates
from scripts.kit.together import together

DATA_SCIENTIST, APPROVER = "sagemaker-multi-account-data-scientist", "sagemaker-multi-account-approver"


@dataclass(frozen=True)
class DataScience:
    """stacks: of the account's own Region, by name; roles: the kit's, by name.

    studio_roles: the policies attached to each, None for a role that is missing; further: the stack of template 10,
    by further Region; disabled: the Regions that the account has not enabled
    """

    stacks: Mapping[str, Any] = field(default_factory=dict)
    roles: Mapping[str, Any] = field(default_factory=dict)
    studio_roles: Mapping[str, Any] = field(default_factory=dict)
    external_id: Any = UNREAD
    starter: Any = UNREAD
    rules: Mapping[str, Any] = field(default_factory=dict)
    topic: Any = UNREAD
    subscriptions: Any = UNREAD
    approvers: Any = UNREAD
    further: Mapping[str, Any] = field(default_factory=dict)
    disabled: tuple[str, ...] = ()

    @property
    def outputs(self) -> dict[str, str]:
        """The outputs of all stacks that exist."""
        return {name: value for stack in self.stacks.values() if stack for name, value in stack.outputs.items()}

    @property
    def hosting(self) -> bool:
        """Whether template 13 made what project templates in S3 need: what is gone of it was deleted by hand."""
        people = self.stacks[PEOPLE_STACK]
        return bool(people) and people.parameters["ProjectTemplatesInS3"] == "true"


def gather(reader: Reader, settings: Settings, partition: str) -> DataScience:
    account = settings.accounts.data_science
    topic_arn = f"arn:{partition}:sns:{reader.region}:{account}:{TOPIC}"
    starter_arn = f"arn:{partition}:states:{reader.region}:{account}:stateMachine:{STARTER}"
    approver_arn = f"arn:{partition}:iam::{account}:policy/{APPROVER}"
    names, own = [*kit_roles(OF_PROJECTS)], templates(settings)
    people, further = settings.studio.execution_roles, model_regions.further(settings)
    read_region = partial(read_stack, reader, account, MODELS_STACK, body=False)
    external_id, starter, topic, subscriptions, approvers, *roles = together(
        [
            partial(reader.ask, account, "ssm", "GetParameter", Name=EXTERNAL_ID_PARAMETER),
            partial(reader.ask, account, "stepfunctions", "DescribeStateMachine", stateMachineArn=starter_arn),
            partial(reader.ask, account, "sns", "GetTopicAttributes", TopicArn=topic_arn),
            partial(reader.pages, account, "sns", "ListSubscriptionsByTopic", "Subscriptions", TopicArn=topic_arn),
            partial(reader.ask, account, "iam", "ListEntitiesForPolicy", PolicyArn=approver_arn),
            *(partial(reader.ask, account, "events", "DescribeRule", Name=rule) for rule in RULES),
            *(partial(read_role, reader, account, name) for name in names),
            *(partial(attached_policies, reader, account, role.rsplit("/", 1)[-1]) for role in people),
            *(partial(read_region, region=region) for region in further),
            *(partial(read_stack, reader, account, name) for name in own),
        ]
    )
    rules, roles = roles[: len(RULES)], roles[len(RULES) :]
    roles, stacks = roles[: -len(own)], roles[-len(own) :]
    regions = roles[len(roles) - len(further) :]
    return DataScience(
        stacks=dict(zip(own, stacks, strict=True)),
        roles=dict(zip(names, roles[: len(names)], strict=True)),
        studio_roles=dict(zip(people, roles[len(names) : len(names) + len(people)], strict=True)),
        external_id=external_id["Parameter"]["Value"] if external_id else external_id,
        starter=starter,
        rules=dict(zip(RULES, rules, strict=True)),
        topic=topic,
        subscriptions=subscriptions,
        approvers=approvers,
        further=dict(zip(further, regions, strict=True)),
        disabled=disabled(reader, account, {reader.region, *further}),
    )


def attached_policies(reader: Reader, account: str, role: str) -> Any:
    """The names of the policies attached to a role; None where there is no such role."""
    listed = reader.pages(account, "iam", "ListAttachedRolePolicies", "AttachedPolicies", RoleName=role)
    return tuple(policy["PolicyName"] for policy in listed) if isinstance(listed, list) else listed
