"""The key of the volumes of instances: whose grant it needs, and that it can be used.

SageMaker Developer Guide, "Amazon SageMaker AI API Permissions: Actions, Permissions, and Resources Reference": for
CreateEndpoint "kms:CreateGrant", where the configuration has a KmsKeyId; for CreateTrainingJob and CreateTransformJob
likewise, unless the job's role may do it. API Reference, CreateEndpointConfig: the key's policy has to allow the role
of CreateEndpoint and UpdateEndpoint, and the key "does not encrypt instance local storage"; ResourceConfig,
TransformResources, ProcessingClusterConfig: instances with such storage take no key. Which operations the grant is
for, and what SageMaker answers where the key cannot be used, no page says (docs/explanation/open-questions.md); nor
whether a processing job needs the grant, which is taken to be as for the others.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from awslang.errors import AwsError
from localaws.calls import Call
from localaws.service import Need
from localaws.services.kms.state import key_arn, resource_aliases, through_service, usable_key
from localaws.services.sagemaker.base import has_own_disk, invalid, service_role
from localaws.services.sagemaker.endpoint_configs import EndpointConfigs


def needs(call: Call) -> Iterator[Need]:
    """What the caller of CreateEndpoint or UpdateEndpoint has to be allowed of the key."""
    configs = call.cloud.state(EndpointConfigs, call.account, call.region).by_name
    config = configs.get(call.params.get("EndpointConfigName", ""), {})
    for need in through_service(call, config.get("KmsKeyId", ""), call.account, ("CreateGrant",)):
        yield replace(need, keys={**need.keys, "kms:grantisforawsresource": ("true",)})


def check(call: Call, key: str | None) -> None:
    """ValidationException where there is no such key, or its state lets nothing be done with it."""
    if key:
        try:
            usable_key(key_arn(call.account, call.region, key))
        except AwsError as error:
            raise invalid(f"The key {key} of the volumes cannot be used: {error.message}") from error


def check_job(call: Call, role: str, resources: Mapping[str, Any]) -> None:
    """The same for a job, with the refusal of a grant to both its role and its caller.

    role: the ARN; resources: the member of the request that has InstanceType and VolumeKmsKeyId
    """
    key, kind = resources.get("VolumeKmsKeyId"), resources["InstanceType"]
    if not key:
        return
    if has_own_disk(kind):
        raise invalid(f"VolumeKmsKeyId is not supported for the instance type {kind}, which has local storage.")
    check(call, key)
    arn = key_arn(call.account, call.region, key)
    keys = {**resource_aliases(arn), "kms:grantisforawsresource": ("true",),
            "kms:viaservice": (f"sagemaker.{call.region}.amazonaws.com",)}  # fmt: skip
    try:
        service_role(call.cloud, role, call.region, call.account).permit(
            "kms:CreateGrant", arn, keys, arn.split(":")[4]
        )
    except AwsError:
        call.forward("sagemaker.amazonaws.com").permit("kms:CreateGrant", arn, keys, arn.split(":")[4])
