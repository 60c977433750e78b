"""Which variants of SageMaker endpoints may become scalable targets.

Application Auto Scaling API Reference, "RegisterScalableTarget"; SageMaker Developer Guide, "Auto scaling
prerequisites", "Autoscale an asynchronous endpoint" (only these go down to no instance); that burstable instances
cannot be scaled: aws/aws-cdk#22886. In which words AWS refuses is not documented.
"""

from __future__ import annotations

from typing import Any

from botocore.exceptions import ClientError

from awslang.errors import AwsError, NotSupported
from localaws.calls import Call
from localaws.services.application_autoscaling.service import application_autoscaling
from localaws.services.application_autoscaling.targets import BURSTABLE, DIMENSION, held
from localaws.variants import variants_of


def invalid(message: str) -> AwsError:
    return AwsError("ValidationException", message)


def configuration(call: Call, endpoint: str) -> dict[str, Any]:
    """The configuration that an endpoint runs on; {} where there is no such endpoint."""
    sagemaker = call.cloud.root(call.account, call.region).client("sagemaker")
    try:
        name = sagemaker.describe_endpoint(EndpointName=endpoint)["EndpointConfigName"]
        found: dict[str, Any] = sagemaker.describe_endpoint_config(EndpointConfigName=name)
    except ClientError:
        return {}
    return found


@application_autoscaling.before("RegisterScalableTarget")
def check_target(call: Call) -> None:
    params = call.params
    if params["ServiceNamespace"] != "sagemaker":
        return
    if params["ScalableDimension"] != DIMENSION:
        raise NotSupported(f"a scalable target with the dimension {params['ScalableDimension']}")
    resource = params["ResourceId"]
    name, _, variant = resource.removeprefix("endpoint/").partition("/variant/")
    config = configuration(call, name)
    variants = {one["VariantName"]: one for one in variants_of(config)}
    if variant not in variants:
        raise invalid(f"No SageMaker endpoint variant found for resource ID: {resource}")
    known = held(call.account, call.region).get(resource)
    least, most = (
        params.get(member, getattr(known, attribute, None))
        for member, attribute in (("MinCapacity", "min_capacity"), ("MaxCapacity", "max_capacity"))
    )
    if least is None or most is None:
        raise invalid("MinCapacity and MaxCapacity are required for a new scalable target.")
    if least > most:
        raise invalid("Minimum capacity cannot be greater than maximum capacity.")
    kind = variants[variant].get("InstanceType", "")
    if not kind:
        raise invalid(f"A serverless variant has no {DIMENSION}.")
    if kind.startswith(BURSTABLE):
        raise invalid(f"Automatic scaling is not supported for burstable instances, such as {kind}.")
    if least == 0 and "AsyncInferenceConfig" not in config:
        raise invalid("MinCapacity 0 is supported for asynchronous endpoints only.")
