"""The key of the volumes of an endpoint's instances: its caller's grant, and that it can be used.

SageMaker Developer Guide, "Amazon SageMaker AI API Permissions: Actions, Permissions, and Resources Reference": for
CreateEndpoint "kms:CreateGrant", where the configuration has a KmsKeyId; API Reference, CreateEndpointConfig: the key's
policy has to allow the role of CreateEndpoint and UpdateEndpoint. Which operations the grant is for, and what SageMaker
answers where the key cannot be used, no page says (docs/explanation/open-questions.md).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from awslang.errors import AwsError
from localaws.calls import Call
from localaws.service import Need
from localaws.services.kms.state import key_arn, through_service, usable_key
from localaws.services.sagemaker.base import invalid
from localaws.services.sagemaker.endpoint_configs import EndpointConfigs


def needs(call: Call) -> Iterator[Need]:
    """What the caller of CreateEndpoint or UpdateEndpoint has to be allowed of the key."""
    configs = call.cloud.state(EndpointConfigs, call.account, call.region).by_name
    config = configs.get(call.params.get("EndpointConfigName", ""), {})
    for need in through_service(call, config.get("KmsKeyId", ""), call.account, ("CreateGrant",)):
        yield replace(need, keys={**need.keys, "kms:grantisforawsresource": ("true",)})


def check(call: Call, config: Mapping[str, Any]) -> None:
    """ValidationException where there is no such key, or its state lets nothing be done with it."""
    if key := config.get("KmsKeyId"):
        try:
            usable_key(key_arn(call.account, call.region, key))
        except AwsError as error:
            raise invalid(f"The key {key} of the volumes cannot be used: {error.message}") from error
