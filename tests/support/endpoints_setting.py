"""Models and endpoints of a target account, from a version that another account shares."""

from __future__ import annotations

import io
import tarfile
from typing import Any

from localaws.cloud import Cloud
from tests.support.sagemaker_world import (
    ACCOUNT,
    BUCKET,
    OTHER,
    REGION,
    client,
)
from tests.support.waiting import until

GROUP = "Iris"
ROLE = f"arn:aws:iam::{OTHER}:role/serving"
PACKAGE = f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:model-package/{GROUP}"
VARIANT = {"VariantName": "AllTraffic", "InitialInstanceCount": 1, "InstanceType": "ml.t2.medium"}


def there(world: Cloud, service: str = "sagemaker") -> Any:
    return client(world, service, OTHER)


def make_model(world: Cloud, name: str, **container: Any) -> None:
    there(world).create_model(
        ModelName=name,
        PrimaryContainer=container or {"ModelPackageName": f"{PACKAGE}/1"},
        ExecutionRoleArn=ROLE,
    )


def make_config(world: Cloud, name: str, model: str, **changed: Any) -> None:
    variant = {**VARIANT, "ModelName": model, **changed.pop("variant", {})}
    there(world).create_endpoint_config(EndpointConfigName=name, ProductionVariants=[variant], **changed)


def make_endpoint(world: Cloud, name: str, **changed: Any) -> dict[str, Any]:
    """DescribeEndpoint's answer once the endpoint is there, with a model and a configuration of the same name."""
    make_model(world, name)
    make_config(world, name, name, **changed)
    there(world).create_endpoint(EndpointName=name, EndpointConfigName=name)
    return settled(world, name)


def settled(world: Cloud, name: str) -> dict[str, Any]:
    def look() -> Any:
        shown = there(world).describe_endpoint(EndpointName=name)
        return shown if shown["EndpointStatus"] not in {"Creating", "Updating", "RollingBack"} else None

    found: dict[str, Any] = until(look)
    return found


def ask(world: Cloud, name: str, body: bytes, **more: Any) -> dict[str, Any]:
    given = {"ContentType": "text/csv", **more}
    answer: dict[str, Any] = there(world, "sagemaker-runtime").invoke_endpoint(EndpointName=name, Body=body, **given)
    return answer | {"Text": answer["Body"].read().decode()}


def put_archive(world: Cloud, key: str, content: bytes) -> str:
    """An archive that holds one file named xgboost-model, in the model bucket."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        entry = tarfile.TarInfo("xgboost-model")
        entry.size = len(content)
        archive.addfile(entry, io.BytesIO(content))
    client(world, "s3").put_object(Bucket=BUCKET, Key=key, Body=buffer.getvalue())
    return f"s3://{BUCKET}/{key}"
