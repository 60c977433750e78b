"""Lifecycle policies that ECR refuses and moto takes: whose rules do not say which tags they are for.

Amazon ECR User Guide, "Lifecycle policy properties in Amazon ECR".
"""

from __future__ import annotations

import json
from typing import Any

from awslang.errors import AwsError
from localaws.calls import Call
from localaws.services.ecr.service import ecr

LISTS = ("tagPatternList", "tagPrefixList")


@ecr.before("PutLifecyclePolicy")
def lifecycle_policy(call: Call) -> None:
    try:
        rules = json.loads(call.params["lifecyclePolicyText"])["rules"]
        wrong = not all(map(selects, rules))
    except (ValueError, KeyError, TypeError, AttributeError):
        return  # moto says what is malformed
    if wrong:
        message = "A rule for tagged images has tagPatternList or tagPrefixList, and no other rule has one"
        constraint = f"Invalid parameter at 'LifecyclePolicyText' failed to satisfy constraint: '{message}'"
        raise AwsError("InvalidParameterException", constraint)


def selects(rule: dict[str, Any]) -> bool:
    selection = rule["selection"]
    tagged: bool = selection["tagStatus"] == "tagged"
    return tagged == any(selection.get(name) for name in LISTS)
