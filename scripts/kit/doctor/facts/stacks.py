"""A stack as a fact, and the names that the kit's own stacks give."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from scripts.kit.doctor.reader import Reader
from scripts.kit.stacks import stack as stacks

PREFIX = "AmazonSageMakerServiceCatalogProductsMultiAccount"
TEST_ROLE, OWN_TESTS_ROLE = f"{PREFIX}TestRole", f"{PREFIX}OwnTestsRole"
EXTERNAL_ID_PARAMETER = "/sagemaker-multi-account/tester-external-id"
STARTER = "sagemaker-multi-account-starter"
RULES = tuple(f"sagemaker-multi-account-{what}" for what in ("approved", "rejected", "pushed"))
TOPIC, NOTICES = "sagemaker-multi-account-approvals", "sagemaker-multi-account-notices"
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
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def broken(self) -> bool:
        return self.status.endswith(BROKEN) and self.status not in stacks.SETTLED


def read_stack(reader: Reader, account: str, name: str, region: str = "", body: bool = True) -> Any:
    """The stack of this name; body: with its template."""
    answer = reader.ask(account, "cloudformation", "DescribeStacks", region, StackName=name)
    if not answer:
        return answer
    stack = answer["Stacks"][0]
    if stack["StackStatus"] == "DELETE_COMPLETE":  # shown to a caller that asks by id
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
        stacks.parameters(stack),
        stacks.outputs(stack),
        stacks.tags(stack),
    )
