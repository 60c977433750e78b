"""What authorization asks of CloudFormation: the stacks and stack sets that a request acts on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache

from localaws.authorization.needs import need_of
from localaws.authorization.state import organization_of
from localaws.calls import Call
from localaws.cloud import arn
from localaws.cloudformation.goals import read
from localaws.cloudformation.requests import given_tags, tag_needs, template_body
from localaws.cloudformation.service import cloudformation
from localaws.cloudformation.stacks import stacks_of
from localaws.cloudformation.stacksets.state import sets_of
from localaws.service import Access, Need


def resources(call: Call, types: list[str]) -> list[str]:
    params = call.params
    if "stack" in types or "changeset" in types:
        name = params.get("StackName") or params.get("StackId") or ""
        if not name and str(params.get("ChangeSetName", "")).startswith("arn:"):
            return [params["ChangeSetName"]]
        if name:
            return [name if name.startswith("arn:") else _arn(call, f"stack/{name}/*")]
        if call.operation in ("DescribeStacks", "DescribeStackResources", "DescribeEvents"):
            return [_arn(call, "stack/*/*")]
        if call.operation == "GetTemplateSummary" and "StackSetName" not in params:
            return ["*"]
    if "stackset" in types:
        name = params.get("StackSetName", "")
        if name:
            owner = _stack_set_owner(call)
            full = arn("cloudformation", call.region, owner, f"stackset/{name}")
            found = [full if ":" in name else f"{full}:*"]
            if "stackset-target" in types:
                found += [*_stack_set_targets(call), *_stack_set_types(call, owner)]
            return found
    return []


def _arn(call: Call, resource: str) -> str:
    return arn("cloudformation", call.region, call.account, resource)


def _stack_set_owner(call: Call) -> str:
    """A delegated administrator's stack sets belong to the management account."""
    organization = organization_of(call.account)
    delegated = call.params.get("CallAs") == "DELEGATED_ADMIN"
    return organization.management if delegated and organization else call.account


def _stack_set_targets(call: Call) -> list[str]:
    targets = call.params.get("DeploymentTargets", {})
    accounts = call.params.get("Accounts", []) or targets.get("Accounts", [])
    names = targets.get("OrganizationalUnitIds") or accounts
    if not names and call.operation == "UpdateStackSet":
        return []
    owner = _stack_set_owner(call)
    return [
        arn("cloudformation", call.region, owner, f"stackset-target/{call.params['StackSetName']}/{n}") for n in names
    ]


def _stack_set_types(call: Call, owner: str) -> list[str]:
    """The resource types in the set's template, or in the one that it is to have.

    CloudFormation User Guide, "Example IAM identity-based policies for CloudFormation" (Restrict stack set operations
    based on Region and resource types): "Stack set operations fail if the stack set template contains resource types
    other than those specified in the policy".
    """
    found = sets_of(call.cloud, owner, call.region).find(str(call.params["StackSetName"]))
    if any(call.params.get(name) for name in ("TemplateBody", "TemplateURL")):
        body = template_body(call, call.params)
    elif found is None:
        return []
    else:
        body = found.body
    return [
        arn("cloudformation", call.region, owner, f"type/resource/{name.replace('::', '-')}") for name in types_of(body)
    ]


@lru_cache(64)
def types_of(body: str) -> tuple[str, ...]:
    """The resource types of a template, in order: several requests speak of one template."""
    return tuple(sorted({str(one["Type"]) for one in read(body).resources.values()}))


def further(call: Call, arns: list[str], keys: Mapping[str, tuple[str, ...]]) -> Iterator[Need]:
    """An update that sets a stack policy needs the action of SetStackPolicy too; tags need those of tagging.

    Drift detection needs two actions more (User Guide, "Detect unmanaged configuration changes …", Considerations).
    """
    if call.operation in ("DetectStackDrift", "DetectStackResourceDrift"):
        yield from (need_of(call, "cloudformation", "DetectStackResourceDrift", stack, keys) for stack in arns)
        yield need_of(call, "cloudformation", "BatchDescribeTypeConfigurations", "*", keys)
    if call.operation == "UpdateStack" and any("StackPolicy" in name for name in call.params):
        yield from (need_of(call, "cloudformation", "SetStackPolicy", stack, keys) for stack in arns)
    if call.operation in ("CreateStack", "UpdateStack", "CreateChangeSet") and "Tags" in call.params:
        yield from (need for stack in arns for need in _tagging(call, stack))


def _tagging(call: Call, stack_arn: str) -> Iterator[Need]:
    """What a request with tags needs besides.

    IAM User Guide, "AWS global condition context keys": aws:ResourceTag is also "in requests that create a resource
    with an attached tag".
    """
    stack = stacks_of(call.cloud, call.account, call.region).find(call.params.get("StackName", ""))
    made = {} if stack else {f"aws:resourcetag/{key.lower()}": (v,) for key, v in given_tags(call.params).items()}
    for action, keys in tag_needs(call, stack.tags if stack else {}):
        yield need_of(call, "cloudformation", action, stack_arn, {**keys, **made})


cloudformation.access = Access(resources=resources, further=further)
