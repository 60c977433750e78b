"""AddTags, ListTags and DeleteTags (SageMaker API Reference, the page of each operation)."""

from __future__ import annotations

from typing import Any

from localaws.calls import Call
from localaws.services.sagemaker import base
from localaws.services.sagemaker.service import sagemaker


def tagged(call: Call) -> dict[str, str]:
    """The tags of the resource that a tag operation names."""
    resource_arn = call.params["ResourceArn"]
    found = call.cloud.state(base.Tags, *base.owner(resource_arn)).by_arn
    if resource_arn not in found:
        raise base.invalid(f"Resource {resource_arn} does not exist.")
    return found[resource_arn]


@sagemaker.operation("AddTags")
def add_tags(call: Call) -> dict[str, Any]:
    tagged(call)
    base.put_tags(call.cloud, call.params["ResourceArn"], call.params["Tags"])
    return {"Tags": base.as_list(tagged(call))}


@sagemaker.operation("ListTags")
def list_tags(call: Call) -> dict[str, Any]:
    return base.page(base.as_list(tagged(call)), call.params, "Tags", 50)


@sagemaker.operation("DeleteTags")
def delete_tags(call: Call) -> dict[str, Any]:
    found = tagged(call)
    for key in call.params["TagKeys"]:
        found.pop(key, None)
    return {}
