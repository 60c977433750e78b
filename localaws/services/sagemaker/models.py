"""Models: an image, the data of a trained model, and the role that the container acts as.

CreateModel, DescribeModel, ListModels and DeleteModel (SageMaker API Reference, the page of
each operation; Developer Guide, "Deploy a Model from the Registry"). One container, which runs
SageMaker's own XGBoost or scikit-learn image; a model package may belong to another account, and must be approved.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import ClientError

from awslang.errors import NotSupported
from localaws.calls import Call
from localaws.cloud import Session, arn
from localaws.services.ecr.images import TAGS, XGBOOST
from localaws.services.sagemaker import base, images, storage
from localaws.services.sagemaker.base import invalid
from localaws.services.sagemaker.registry import find_package
from localaws.services.sagemaker.service import sagemaker

# Variables by which the container would do something that is not supported.
NOT_SUPPORTED = frozenset({"SAGEMAKER_INFERENCE_OUTPUT", "SAGEMAKER_BATCH", "SAGEMAKER_INFERENCE_ENSEMBLE"})


@dataclass(frozen=True)
class Container:
    """What runs: the image, the S3 URL of the model's data, the environment, the repository of SageMaker's own that the
    image comes from; isolated: from the network, so without credentials.

    form: of the data: archive (a tar.gz), object (a file as it is) or prefix (all objects beneath it)
    deployed: the image as DescribeEndpoint shows it, with its digest when the model was created
    """

    image: str
    data_url: str
    environment: dict[str, str]
    origin: str = XGBOOST
    isolated: bool = False
    form: str = "archive"
    deployed: dict[str, Any] = field(default_factory=dict, compare=False)


@dataclass
class Model:
    """A model: as DescribeModel shows it, and the container that it comes to."""

    shown: dict[str, Any]
    container: Container

    @property
    def role(self) -> str:
        return str(self.shown["ExecutionRoleArn"])

    def sources(self) -> dict[str, str]:
        """What it is made of, as far as it has it: Image, ModelDataUrl, ModelPackageName (an ARN)."""
        given = self.shown.get("PrimaryContainer") or self.shown["Containers"][0]
        name = given.get("ModelPackageName", "")
        if name and not name.startswith("arn:"):
            name = self.shown["ModelArn"].rsplit(":", 1)[0] + f":model-package/{name}"
        return {"Image": self.container.image, "ModelDataUrl": self.container.data_url, "ModelPackageName": name}


@dataclass
class Models:
    """The models of an account in a Region."""

    by_name: dict[str, Model] = field(default_factory=dict)
    lock: threading.RLock = field(default_factory=threading.RLock)


@sagemaker.operation("CreateModel")
def create_model(call: Call) -> dict[str, Any]:
    params = call.params
    base.only(
        params, "CreateModel", "ModelName", "PrimaryContainer", "Containers", "ExecutionRoleArn", "Tags",
        "EnableNetworkIsolation", "VpcConfig",
    )  # fmt: skip
    containers = params.get("Containers", []) + ([params["PrimaryContainer"]] if "PrimaryContainer" in params else [])
    if not containers or ("Containers" in params and "PrimaryContainer" in params):
        raise invalid("Exactly one of PrimaryContainer and Containers must be provided.")
    if len(containers) > 1:
        raise NotSupported("CreateModel with several containers (an inference pipeline)")
    if "ExecutionRoleArn" not in params:
        raise invalid("ExecutionRoleArn is required.")
    container = resolved(call, containers[0])
    whole = arn("sagemaker", call.region, call.account, f"model/{params['ModelName']}")
    session = base.service_role(call.cloud, params["ExecutionRoleArn"], call.region, call.account)
    if container.data_url:
        check_data(session, params["ExecutionRoleArn"], container)
    models = call.cloud.state(Models, call.account, call.region)
    shown = {name: value for name, value in params.items() if name != "Tags"}
    shown |= {"ModelArn": whole, "CreationTime": base.now()}
    shown.setdefault("EnableNetworkIsolation", False)
    with models.lock:
        if params["ModelName"] in models.by_name:
            raise invalid(f'Cannot create already existing model "{whole}".')
        models.by_name[params["ModelName"]] = Model(shown, container)
        base.put_tags(call.cloud, whole, params.get("Tags", []))
    base.announce(
        call.cloud, call.account, call.region, "SageMaker Model State Change", [whole],
        {"ModelName": params["ModelName"], "ModelArn": whole, "CreationTime": shown["CreationTime"]},
    )  # fmt: skip
    return {"ModelArn": whole}


def resolved(call: Call, container: dict[str, Any]) -> Container:
    """The container that a definition comes to; refused where it could not run."""
    base.only(
        container, "ContainerDefinition", "Image", "ModelDataUrl", "ModelDataSource", "Environment", "ModelPackageName",
        "Mode",
    )  # fmt: skip
    if container.get("Mode", "SingleModel") != "SingleModel":
        raise NotSupported("multi-model containers")
    environment = dict(container.get("Environment", {}))
    if "ModelPackageName" in container:
        if {"Image", "ModelDataUrl", "ModelDataSource"} & set(container):
            raise invalid("ModelPackageName cannot be given together with Image, ModelDataUrl or ModelDataSource.")
        of_package = packaged(call, container["ModelPackageName"])
        image, (data_url, form) = of_package["Image"], data_of(of_package)
        environment = {**of_package.get("Environment", {}), **environment}
    elif "Image" in container:
        image, (data_url, form) = container["Image"], data_of(container)
    else:
        raise invalid("Either Image or ModelPackageName must be provided for a container.")
    origin = images.check_image(call.cloud, image, call.region)
    if not data_url and origin in TAGS:
        raise NotSupported("a model without model data")
    if asked := sorted(NOT_SUPPORTED & set(environment)):
        raise NotSupported(f"the container variables {', '.join(asked)}")
    isolated = call.params.get("EnableNetworkIsolation", False)
    return Container(image, data_url, environment, origin, isolated, form, images.deployed(call.cloud, image))


def data_of(container: dict[str, Any]) -> tuple[str, str]:
    """The URL of a container's data and its form (API Reference, S3ModelDataSource)."""
    if "ModelDataSource" not in container:
        return container.get("ModelDataUrl", ""), "archive"
    if "ModelDataUrl" in container:
        raise invalid("Only one of ModelDataUrl and ModelDataSource can be given.")
    source = container["ModelDataSource"].get("S3DataSource", {})
    base.only(source, "S3ModelDataSource", "S3Uri", "S3DataType", "CompressionType")
    url, kind, packed = source["S3Uri"], source["S3DataType"], source["CompressionType"] == "Gzip"
    if kind == "S3Prefix" and (packed or not url.endswith("/")):
        raise invalid(f"The model data {url} with S3DataType S3Prefix must end with a slash, and be uncompressed.")
    return url, "prefix" if kind == "S3Prefix" else "archive" if packed else "object"


def packaged(call: Call, name: str) -> dict[str, Any]:
    """The container of a model package; ValidationException unless the package may be deployed."""
    package = find_package(call, name)
    status = package.get("ModelApprovalStatus", "Approved")
    if status != "Approved":
        raise invalid(
            f"Model package {package['ModelPackageArn']} cannot be deployed: its ModelApprovalStatus is {status}. "
            "Only an Approved model package can be deployed."
        )
    containers: list[dict[str, Any]] = package["InferenceSpecification"]["Containers"]
    if len(containers) > 1:
        raise NotSupported("a model package with several containers")
    return containers[0]


def check_data(session: Session, role_arn: str, container: Container) -> None:
    """ValidationException unless the role can read the model data, as AWS makes sure."""
    url = container.data_url
    bucket, key = storage.split(url)
    try:
        keys = storage.keys_under(session, url) if container.form == "prefix" else [key]
        for one in keys[:1] or [key]:  # of a prefix without objects, the one that is missing
            session.client("s3").head_object(Bucket=bucket, Key=one)
    except ClientError as error:
        raise invalid(
            f'Could not access model data at {url}. Please ensure that the role "{role_arn}" exists and that its '
            'trust relationship policy allows the action "sts:AssumeRole" for the service principal '
            f'"{base.PRINCIPAL}". Also ensure that the role has "s3:GetObject" permissions and that the object is '
            f"located in {session.region}."
        ) from error


def find_model(call: Call) -> Model:
    name = call.params["ModelName"]
    models = call.cloud.state(Models, call.account, call.region).by_name
    if name not in models:
        raise invalid(f'Could not find model "{arn("sagemaker", call.region, call.account, f"model/{name}")}".')
    return models[name]


@sagemaker.operation("DescribeModel")
def describe_model(call: Call) -> dict[str, Any]:
    return dict(find_model(call).shown)


@sagemaker.operation("ListModels")
def list_models(call: Call) -> dict[str, Any]:
    models = call.cloud.state(Models, call.account, call.region).by_name
    items = [
        {name: model.shown[name] for name in ("ModelName", "ModelArn", "CreationTime")} for model in models.values()
    ]
    return base.page(base.selected(items, call.params, "ModelName"), call.params, "Models")


@sagemaker.operation("DeleteModel")
def delete_model(call: Call) -> dict[str, Any]:
    whole = find_model(call).shown["ModelArn"]
    del call.cloud.state(Models, call.account, call.region).by_name[call.params["ModelName"]]
    base.drop_tags(call.cloud, whole)
    detail = {"ModelName": call.params["ModelName"], "ModelArn": whole}
    base.announce(call.cloud, call.account, call.region, "SageMaker Model State Change", [whole], detail)
    return {}
