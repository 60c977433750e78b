"""The least request that the model of an operation takes."""

from __future__ import annotations

import re
from typing import Any

ACCOUNT, REGION = "111111111111", "us-east-1"
NEEDED = {  # what the API model does not require, and the service does
    "DescribeLogStreams": {"logGroupName": "x"},
    "DescribeMetricFilters": {"logGroupName": "x"},
    "FilterLogEvents": {"logGroupName": "x"},
    "GetLogEvents": {"logGroupName": "x"},
    "ListPipelineExecutionSteps": {
        "PipelineExecutionArn": f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:pipeline/x/execution/y"
    },
    "ListServiceQuotas": {"ServiceCode": "sagemaker"},
}


def sample(shape: Any, name: str) -> Any:
    """A value that the API model takes."""
    if shape.type_name == "structure":
        return {member: sample(shape.members[member], member) for member in shape.required_members}
    if shape.type_name == "list":
        return [sample(shape.member, name)] * max(1, shape.metadata.get("min", 0))
    if shape.type_name in ("boolean", "map"):
        return False if shape.type_name == "boolean" else {}
    if shape.type_name in ("integer", "long", "float", "double"):
        return shape.metadata.get("min", 1)
    if shape.type_name == "timestamp":
        return "2026-11-30T00:00:00Z"
    if "enum" in shape.metadata:
        return shape.metadata["enum"][0]
    named = re.search(":([a-z-]+):", shape.metadata.get("pattern", ""))  # the service in the pattern of an ARN
    text = f"arn:aws:{named[1] if named else 'x'}:{REGION}:{ACCOUNT}:x/x" if "arn" in name.lower() else "x"
    return text.ljust(shape.metadata.get("min", 1), "x")
