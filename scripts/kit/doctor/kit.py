"""The kit's own stacks, 10 in the data science account and 20 in every target, and how they should be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from scripts.kit.doctor.reader import Reader
from scripts.kit.organization.state import SeenOrganization
from scripts.kit.stacks import stack as stacks
from scripts.kit.stacks import target_roles
from scripts.kit.stacks.target_roles import DATA_SCIENCE_STACK, TARGET_STACK, TARGET_TEMPLATE, template

if TYPE_CHECKING:
    from scripts.kit.doctor.snapshot import Snapshot

__all__ = ["DATA_SCIENCE_STACK", "TARGET_STACK", "TARGET_TEMPLATE", "template"]

PREFIX = "AmazonSageMakerServiceCatalogProductsMultiAccount"
TEST_ROLE = f"{PREFIX}TestRole"
EXTERNAL_ID_PARAMETER = "/sagemaker-multi-account/tester-external-id"
STARTER = "sagemaker-multi-account-starter"
TOPIC = "sagemaker-multi-account-approvals"
BROKEN = ("_FAILED", "ROLLBACK_COMPLETE")  # but for UPDATE_ROLLBACK_COMPLETE, from which a stack goes on


@dataclass(frozen=True)
class Stack:
    """A stack with its template, parameters and outputs."""

    name: str
    status: str
    reason: str
    body: str
    parameters: Mapping[str, str]
    outputs: Mapping[str, str]

    @property
    def broken(self) -> bool:
        return self.status.endswith(BROKEN) and self.status not in stacks.SETTLED


def read_stack(reader: Reader, account: str, name: str, region: str = "", body: bool = True) -> Any:
    """The stack of this name; body: with its template."""
    answer = reader.ask(account, "cloudformation", "DescribeStacks", region, StackName=name)
    if not answer:
        return answer
    stack = answer["Stacks"][0]
    if stack["StackStatus"] == "DELETE_COMPLETE":  # which is shown to who asks by id
        return None
    template: Any = ""
    if body:
        asked = reader.ask(account, "cloudformation", "GetTemplate", region, StackName=name, TemplateStage="Original")
        template = asked["TemplateBody"] if asked else ""
    return Stack(
        stack["StackName"],
        stack["StackStatus"],
        stack.get("StackStatusReason", ""),
        template if isinstance(template, str) else "",
        {p["ParameterKey"]: p.get("ParameterValue", "") for p in stack.get("Parameters", [])},
        stacks.outputs(stack),
    )


def differences(found: Stack, want: stacks.WantedStack, known: Mapping[str, str]) -> str:
    """What differs from the bundle's template and the environment file: `template`, parameters by name.

    known: the parameters whose right values are known
    """
    wanted = stacks.WantedStack(want.account, want.name, want.body, known, want.file)
    return ", ".join(stacks.changes(wanted, found.body or want.body, found.parameters))


def data_science_stack(it: Snapshot) -> tuple[stacks.WantedStack, Mapping[str, str]]:
    """Template 10 as the environment file wants it, and the parameters that are known of it."""
    paths = tuple(path for stage in ("staging", "production") if (path := it.organization.path(stage)))
    want = target_roles.data_science_stack(it.settings, SeenOrganization(paths=paths))
    unknown = set() if it.settings.administrator == "self-managed" or len(paths) == 2 else {"OrganizationalUnitPaths"}
    if it.data_science.stack and not it.data_science.stack.parameters.get("ImageRepositoryPrefix"):
        unknown.add("ImageRepositoryPrefix")  # rules of somebody else's may do it: finding image-replication looks
    return want, {k: v for k, v in want.parameters.items() if k not in unknown}


def target_stack(it: Snapshot, stage: str, account: str) -> tuple[stacks.WantedStack, Mapping[str, str]]:
    """Template 20 in an account of a stage, and the parameters that are known of it."""
    outputs = dict.fromkeys(target_roles.MODELS, "") | {"TestRoleArn": it.test_role_arn}
    outputs |= it.data_science.stack.outputs if it.data_science.stack else {}
    where = target_roles.TargetStage(stage, getattr(it.settings.roles.suffix, stage), "", ())
    want = target_roles.target_stack(it.settings, where, account, outputs)
    return want, {name: value for name, value in want.parameters.items() if value}
