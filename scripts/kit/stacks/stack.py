"""One CloudFormation stack from a template of the kit: look, plan, apply, wait."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypedDict

from botocore.exceptions import ClientError

from scripts.kit.bundle.pack import VERSION_PARAMETER
from scripts.kit.connect import pages
from scripts.kit.console import UserError, explain
from scripts.kit.patience import until
from scripts.kit.plan import PlanStep
from scripts.kit.stacks import adoption
from scripts.kit.stacks.ways_out import way_out

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_cloudformation.literals import CapabilityType
    from mypy_boto3_cloudformation.type_defs import ParameterTypeDef, StackTypeDef, TagTypeDef

INLINE_LIMIT = 51_200  # bytes of a template in a request (CloudFormation User Guide, "CloudFormation quotas")
PARAMETER_LIMIT = 4_096  # bytes of a parameter's value (the same page)
PATIENCE = 1800.0  # seconds for a stack to settle
SETTLED = (
    "CREATE_COMPLETE",
    "UPDATE_COMPLETE",
    "UPDATE_ROLLBACK_COMPLETE",
    "IMPORT_COMPLETE",
    "IMPORT_ROLLBACK_COMPLETE",
)
LEFTOVER = {"ROLLBACK_COMPLETE", "DELETE_IN_PROGRESS"}  # of a failed first deployment
NO_REASON = re.compile(r"The following resource\(s\) failed to |^User Initiated$")  # of a stack's own events
BEGUN = {"CREATE_IN_PROGRESS", "IMPORT_IN_PROGRESS", "UPDATE_IN_PROGRESS"}
TAGS = {"multi-account-sagemaker": "accounts"}  # so that the stacks are known as the kit's


@dataclass(frozen=True)
class WantedStack:
    """A stack as it should be.

    file: its template in this repository; version: of the bundle, which a stack shows as its output
    BundleVersion. It is sent with a change but does not count as one: an unchanged stack is not deployed again.
    tags: of the organization; CloudFormation passes a stack's tags on to its resources (CloudFormation User Guide,
    "Resource tag")
    """

    account: str
    name: str
    body: str
    parameters: Mapping[str, str]
    file: str = ""
    version: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)

    def place(self, logical_id: str) -> str:
        """Where a resource stands: templates/12-project-roles.yaml:72."""
        return place(self.file, self.body, logical_id)

    @property
    def sent(self) -> dict[str, str]:
        """The parameters of a request."""
        return {**self.parameters, **({VERSION_PARAMETER: self.version} if self.version else {})}

    @property
    def tag_list(self) -> list[TagTypeDef]:
        """The tags of a request, the kit's own among them."""
        return [{"Key": key, "Value": value} for key, value in {**self.tags, **TAGS}.items()]


class StackRequest(TypedDict):
    """What CreateStack and UpdateStack both take."""

    StackName: str
    TemplateBody: str
    Parameters: list[ParameterTypeDef]
    Capabilities: list[CapabilityType]
    Tags: list[TagTypeDef]


@dataclass
class PlannedStack:
    """A stack that is planned: its step, and where it is to be made (None where the account cannot be entered)."""

    want: WantedStack
    step: PlanStep
    cloudformation: CloudFormationClient = None  # type: ignore[assignment]  # without it the step writes nothing


@dataclass(frozen=True)
class FoundStack:
    """A stack as it is; status "" when there is none."""

    status: str = ""
    body: str = ""
    parameters: Mapping[str, str] | None = None
    tags: Mapping[str, str] = field(default_factory=dict)


def describe_stack(cloudformation: CloudFormationClient, name: str) -> StackTypeDef | None:
    """A stack as DescribeStacks shows it; None when there is none."""
    try:
        return cloudformation.describe_stacks(StackName=name)["Stacks"][0]
    except ClientError as error:
        if "does not exist" in str(error):
            return None
        raise


def resource_status(cloudformation: CloudFormationClient, name: str, logical_id: str) -> str:
    """The status of a stack's resource; "" where there is no such stack or resource."""
    try:
        found = cloudformation.describe_stack_resource(StackName=name, LogicalResourceId=logical_id)
    except ClientError as error:
        if "does not exist" in str(error):
            return ""
        raise
    return str(found["StackResourceDetail"]["ResourceStatus"])


def parameters(stack: Mapping[str, Any]) -> dict[str, str]:
    return {p["ParameterKey"]: p.get("ParameterValue", "") for p in stack.get("Parameters", [])}


def tags(stack: Mapping[str, Any]) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in stack.get("Tags", [])}


def look(cloudformation: CloudFormationClient, want: WantedStack) -> FoundStack:
    if (stack := describe_stack(cloudformation, want.name)) is None:
        return FoundStack()
    body = cloudformation.get_template(StackName=want.name, TemplateStage="Original")["TemplateBody"]
    return FoundStack(stack["StackStatus"], body if isinstance(body, str) else "", parameters(stack), tags(stack))


def make_plan(want: WantedStack, found: FoundStack, region: str = "") -> PlanStep:
    """Create, change or leave alone; UserError where a person must look first. region: for the commands of messages"""
    place = f"{want.name} in {want.account}"
    if len(want.body.encode()) > INLINE_LIMIT:
        raise UserError(f"the template of {want.name} has more than {INLINE_LIMIT:,} bytes")
    for name, value in want.parameters.items():
        if (size := len(value.encode())) > PARAMETER_LIMIT:
            raise UserError(
                f"the parameter {name} of {place} has {size:,} bytes, and CloudFormation takes {PARAMETER_LIMIT:,}, "
                "which is 315 accounts in a list. In an organization the units take its place"
            )
    if not found.status or found.status == "REVIEW_IN_PROGRESS":
        return PlanStep("create", "stack", place)
    if found.status in LEFTOVER:
        return PlanStep("create", "stack", place, "in place of its failed first deployment", {"clear": True})
    if found.status.endswith("_FAILED"):
        raise UserError(
            f"the stack {place} is in state {found.status}. Look at its events in the CloudFormation console, fix what "
            f"they say, run `{way_out(want.name, found.status, region)}`, and then this command again. A stack that is "
            "deleted leaves its buckets and keys, and the next one takes them over"
        )
    changed = ", ".join(changes(want, found.body, found.parameters or {}, found.tags))
    if found.status == "IMPORT_IN_PROGRESS":
        return PlanStep("change", "stack", place, "once its import is done", {"importing": True})
    if found.status not in SETTLED:
        return PlanStep("keep", "stack", place, f"{found.status}: waiting for it")
    return PlanStep("change" if changed else "keep", "stack", place, changed)


def adopting(
    cloudformation: CloudFormationClient,
    want: WantedStack,
    found: FoundStack,
    step: PlanStep,
    look: Callable[[], tuple[adoption.Retained, ...]],
) -> PlanStep:
    """The step of a stack that is not there yet, or of which only a failed import is left: it takes over what look()
    finds. Any other step is as it was."""
    failed = found.status == "IMPORT_ROLLBACK_COMPLETE" and adoption.is_empty(cloudformation, want.name)
    if (step.action != "create" and not failed) or not (retained := look()):
        return step
    clear = {"clear": True} if failed or step.request.get("clear") else {}
    detail = f"takes over the {' and the '.join(map(str, retained))}"
    return replace(step, action="create", detail=detail, request={"adopt": retained, **clear})


def changes(want: WantedStack, body: str, parameters: Mapping[str, str], tags: Mapping[str, str]) -> list[str]:
    """What differs: the template, parameters by name, tags by key. Tags that others gave the stack do not count."""
    names = [name for name, value in want.parameters.items() if parameters.get(name) != value]
    keys = [f"tag {key}" for key, value in want.tags.items() if tags.get(key) != value]
    return [*(["template"] if body.strip() != want.body.strip() else []), *names, *keys]


def apply(cloudformation: CloudFormationClient, want: WantedStack, step: PlanStep) -> dict[str, str]:
    """Carry the step out and wait; the stack's outputs."""
    if id := begin(cloudformation, want, step):
        return wait(cloudformation, want, id)
    return outputs(cloudformation.describe_stacks(StackName=want.name)["Stacks"][0])


def begin(cloudformation: CloudFormationClient, want: WantedStack, step: PlanStep) -> str:
    """Ask for what the step says; the stack's id, or its name where it is at work already, or "" for no change."""
    request: StackRequest = {
        "StackName": want.name,
        "TemplateBody": want.body,
        "Parameters": [{"ParameterKey": k, "ParameterValue": v} for k, v in want.sent.items()],
        "Capabilities": ["CAPABILITY_NAMED_IAM"],
        "Tags": want.tag_list,
    }
    try:
        if step.action == "create":
            if step.request.get("clear"):
                clear(cloudformation, want.name)
            if retained := step.request.get("adopt"):
                adoption.take_over(cloudformation, want.name, retained, want.tag_list)
                return str(cloudformation.update_stack(**request)["StackId"])
            return str(cloudformation.create_stack(**request)["StackId"])
        if step.action == "change":
            if step.request.get("importing"):
                adoption.settled(cloudformation, want.name)
            return str(cloudformation.update_stack(**request)["StackId"])
    except ClientError as error:
        if "No updates are to be performed" in str(error):
            return ""
        raise UserError(f"{want.file}: {explain(error)}") from error
    return want.name


def clear(cloudformation: CloudFormationClient, name: str) -> None:
    """Take away what a failed first deployment left: a stack in ROLLBACK_COMPLETE, which nothing can update.

    The deployment is rolled back rather than deleted, so that RetainExceptOnCreate takes named buckets back with
    it (CloudFormation Template Reference, "DeletionPolicy attribute": "If the stack operation … is rolled back").
    """
    if (stack := describe_stack(cloudformation, name)) is None:
        return
    id = stack["StackId"]
    if stack["StackStatus"] in {"ROLLBACK_COMPLETE", "IMPORT_ROLLBACK_COMPLETE"}:
        cloudformation.delete_stack(StackName=id)

    def status() -> str | None:
        now = str(cloudformation.describe_stacks(StackName=id)["Stacks"][0]["StackStatus"])
        return None if now.endswith("_IN_PROGRESS") else now

    if (ended := until(f"{name}, which is deleted", status, PATIENCE)) != "DELETE_COMPLETE":
        raise UserError(f"the stack {name} could not be deleted: {ended}. Look at its events in the console")


def outputs(stack: Mapping[str, Any]) -> dict[str, str]:
    return {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}


def wait(cloudformation: CloudFormationClient, want: WantedStack, id: str) -> dict[str, str]:
    """The outputs of the stack once it is done; UserError with the reasons when it failed. id: or its name."""
    stack: dict[str, Any] = {"StackId": id}

    def done() -> dict[str, str] | None:
        stack.update(cloudformation.describe_stacks(StackName=stack["StackId"])["Stacks"][0])
        return ended(cloudformation, want, stack)

    def late() -> UserError:
        return UserError(
            f"the stack {want.name} in {want.account} is still {stack['StackStatus']} after {PATIENCE / 60:.0f} "
            "minutes. Run this command again: it continues from here"
        )

    return until(f"{want.name} in {want.account}", done, PATIENCE, lambda: str(stack["StackStatus"]), late)


def ended(cloudformation: CloudFormationClient, want: WantedStack, stack: Mapping[str, Any]) -> dict[str, str] | None:
    """The outputs of a stack that is done, None while it is at work; UserError with the reasons when it failed."""
    status = stack["StackStatus"]
    if status in {"CREATE_COMPLETE", "UPDATE_COMPLETE"}:
        return outputs(stack)
    if status.endswith("_IN_PROGRESS"):
        return None
    why = reasons(cloudformation, stack["StackId"], want.place)
    raise UserError(f"the stack {want.name} in {want.account} ended {status}:\n{why}")


def reasons(cloudformation: CloudFormationClient, id: str, place: Callable[[str], str]) -> str:
    """Why the newest operation on a stack failed, oldest first, and where its resources stand."""
    found = failures(newest_operation(cloudformation, id))
    lines = [f"    {place(name)} {name}: {reason}" if name else f"    {reason}" for name, reason in found]
    return "\n".join(lines) or "    its events say no reason"


def failures(events: Iterable[Mapping[str, Any]]) -> list[tuple[str, str]]:
    """What a stack's events say of failures: logical id and reason, the oldest first. events: the newest first.

    The logical id is "" for the stack itself, whose reason stands on an event of the rollback as well
    (ROLLBACK_IN_PROGRESS). One that only lists the resources that failed is left out.
    """
    found: list[tuple[str, str]] = []
    for event in events:
        status, reason = event["ResourceStatus"], event.get("ResourceStatusReason", "")
        own = event.get("PhysicalResourceId") == event["StackId"]
        if own and reason and status.endswith(("_FAILED", "ROLLBACK_IN_PROGRESS")) and not NO_REASON.search(reason):
            found.append(("", reason))
        elif not own and status.endswith("_FAILED"):
            found.append((event["LogicalResourceId"], reason))
    return found[::-1]


def newest_operation(cloudformation: CloudFormationClient, id: str) -> Iterator[Mapping[str, Any]]:
    """The events of the newest operation on a stack, the newest first."""
    for event in pages(cloudformation, "describe_stack_events", "StackEvents", StackName=id):
        yield event
        if event.get("PhysicalResourceId") == event["StackId"] and event["ResourceStatus"] in BEGUN:
            return


def place(file: str, body: str, logical_id: str) -> str:
    """A resource's place in a template: FILE:LINE, or the file alone."""
    found = re.search(rf"^  {re.escape(logical_id)}:", body, re.MULTILINE)
    return f"{file}:{body.count(chr(10), 0, found.start()) + 1}" if found else file
