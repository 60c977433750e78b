"""Images of SageMaker Studio, of which an account here has none: CreateImage is not supported.

DescribeImage, DescribeImageVersion, ListImages and ListImageVersions (SageMaker API Reference, the page of each
operation). Public training pipelines ask for an image of their project, and take SageMaker's own where there is none.
"""

from __future__ import annotations

from typing import Any

from awslang.errors import AwsError
from localaws.calls import Call
from localaws.cloud import arn
from localaws.services.sagemaker.service import sagemaker


def missing(call: Call) -> AwsError:
    whole = arn("sagemaker", call.region, call.account, f"image/{call.params['ImageName']}")
    return AwsError("ResourceNotFound", f"Image {whole} does not exist.")


@sagemaker.operation("DescribeImage")
def describe_image(call: Call) -> dict[str, Any]:
    raise missing(call)


@sagemaker.operation("DescribeImageVersion")
def describe_image_version(call: Call) -> dict[str, Any]:
    raise missing(call)


@sagemaker.operation("ListImageVersions")
def list_image_versions(call: Call) -> dict[str, Any]:
    raise missing(call)


@sagemaker.operation("ListImages")
def list_images(_call: Call) -> dict[str, Any]:
    return {"Images": []}
