"""Small stand-ins for AWS clients: they answer from plain data and remember what they were asked."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import ClientError

ACCOUNT, REGION = "111111111111", "us-east-1"
VERSIONS = f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:model-package/Iris"
GROUP_ARN = f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:model-package-group/Iris"
IMAGE = f"683313688378.dkr.ecr.{REGION}.amazonaws.com/sagemaker-xgboost:3.0-5"
STAGE_ROLE = f"arn:aws:iam::{ACCOUNT}:role/service-role/AmazonSageMakerServiceCatalogProductsMultiAccountStageRole"

WRITTEN = datetime(2026, 1, 1, tzinfo=UTC)  # before every approval
MODEL = {  # ListObjectsV2 of its bucket
    "Contents": [{"Key": "iris/model.tar.gz", "ETag": '"e1"', "LastModified": WRITTEN}]
}


def error(operation: str, code: str, message: str = "") -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": message}}, operation)


class Fake:
    """Each operation is a function given by name; a list is what its pages hold; calls are kept."""

    def __init__(self, **operations: Any) -> None:
        self.operations = operations
        self.calls: list[tuple[str, dict[str, Any]]] = []

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name not in self.operations:
            raise AttributeError(f"nothing should call {name}")

        def call(**arguments: Any) -> Any:
            self.calls.append((name, arguments))
            answer = self.operations[name]
            answer = answer(**arguments) if callable(answer) else answer
            if isinstance(answer, Exception):
                raise answer
            return answer

        return call

    def called(self, name: str) -> list[dict[str, Any]]:
        return [arguments for operation, arguments in self.calls if operation == name]

    def get_paginator(self, name: str) -> Any:
        fake = self

        class Pages:
            def paginate(self, **arguments: Any) -> Iterator[Any]:
                yield from getattr(fake, name)(**arguments)

        return Pages()


def package(number: int, status: str = "Approved", **more: Any) -> dict[str, Any]:
    """An answer of DescribeModelPackage. Its newest change, an edit by bob, says nothing of its approval."""
    return {
        "ModelPackageGroupName": "Iris",
        "ModelPackageVersion": number,
        "ModelPackageArn": f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:model-package/Iris/{number}",
        "ModelPackageStatus": "Completed",
        "ModelApprovalStatus": status,
        "CreationTime": datetime(2026, 1, number, tzinfo=UTC),
        "LastModifiedTime": datetime(2027, 1, 31 - number, tzinfo=UTC),
        "LastModifiedBy": {"UserProfileName": "bob"},
        "InferenceSpecification": {"Containers": [{"Image": IMAGE, "ModelDataUrl": "s3://models/iris/model.tar.gz"}]},
        "CustomerMetadataProperties": {"validation:merror": "0.033", "data": "s3://data"},
        **more,
    }


def registry(*packages: dict[str, Any], policy: str = "") -> Fake:
    """A SageMaker client whose model group Iris holds these versions, one on each page."""

    def listed(ModelApprovalStatus: str = "", **_: Any) -> list[dict[str, Any]]:  # noqa: N803  # the API's name
        chosen = [p for p in packages if ModelApprovalStatus in ("", p["ModelApprovalStatus"])]
        return [{"ModelPackageSummaryList": [p]} for p in reversed(chosen)]

    def described(ModelPackageName: str) -> dict[str, Any]:  # noqa: N803  # the API's name
        return next(p for p in packages if p["ModelPackageArn"] == ModelPackageName)

    return Fake(
        describe_model_package_group={"ModelPackageGroupArn": GROUP_ARN},
        create_model_package_group={"ModelPackageGroupArn": GROUP_ARN},
        add_tags={},
        get_model_package_group_policy={"ResourcePolicy": policy} if policy else error("Get", "ResourceNotFound"),
        put_model_package_group_policy={},
        list_model_packages=listed,
        describe_model_package=described,
    )


def approval(number: int, day: int, status: str = "Approved", **more: Any) -> dict[str, Any]:
    """What the starter records when a version's status changes; day: of February 2026."""
    shown = package(number)
    return {
        "schema": 1,
        "status": status,
        "version": number,
        "arn": shown["ModelPackageArn"],
        "at": f"2026-02-{day:02}T00:00:00Z",
        "by": {"UserProfileName": "ann"},
        "specification": shown["InferenceSpecification"],
        "announced": shown["InferenceSpecification"],
        "event": "e",
        **more,
    }


def storage(
    *approvals: dict[str, Any],
    models: Any = None,
    decisions: Sequence[dict[str, Any]] = (),
    outcomes: Sequence[dict[str, Any]] = (),
) -> Fake:
    """An S3 client with a project's record, one entry on each page, and a bucket of models.

    models: what a listing of that bucket answers, by default the artifact of package(); decisions: of the gate
    outcomes: of the tests of a stage
    """
    held = {
        f"record/approvals/{one['at'].replace(':', '-')}-{one['version']}-{one['status']}.json": json.dumps(
            one
        ).encode()
        for one in approvals
    }
    held |= {f"record/decisions/run/{number}.json": json.dumps(one).encode() for number, one in enumerate(decisions)}
    tested = {f"record/outcomes/run/{one['stage']}-{number}.json": one for number, one in enumerate(outcomes)}
    held |= {key: json.dumps(one).encode() for key, one in tested.items()}

    def listed(Bucket: str, Prefix: str, MaxKeys: int = 0, **_: Any) -> Any:  # noqa: N803  # the API's names
        if Bucket.startswith("sagemaker-project-"):
            items = ({"Key": key, "LastModified": WRITTEN} for key in held if key.startswith(Prefix))
            return [{}, *({"Contents": [item]} for item in items)]
        found = MODEL if models is None else models
        return found if MaxKeys or isinstance(found, ClientError) else [found]

    def got(Bucket: str, Key: str) -> dict[str, Any]:  # noqa: N803  # the API's names
        return {"Body": io.BytesIO(held[Key]), "ContentLength": len(held[Key])}

    return Fake(list_objects_v2=listed, get_object=got, head_object={}, put_object={})


def organization(units: dict[str, list[str]], accounts: dict[str, list[dict[str, str]]]) -> Any:
    """An Organizations client: units beneath each unit, accounts in each unit, one on each page."""

    def accounts_in(ParentId: str) -> list[dict[str, Any]]:  # noqa: N803  # the API's name
        return [{"Accounts": [found]} for found in accounts.get(ParentId, [])]

    def units_in(ParentId: str) -> list[dict[str, Any]]:  # noqa: N803  # the API's name
        return [{"OrganizationalUnits": [{"Id": unit}]} for unit in units.get(ParentId, [])]

    return Fake(list_accounts_for_parent=accounts_in, list_organizational_units_for_parent=units_in)


def nothing_deployed() -> Fake:
    """A CloudFormation client without a stack or stack set."""
    return Fake(
        describe_stacks=error("DescribeStacks", "ValidationError", "x does not exist"),
        list_stack_instances=error("ListStackInstances", "StackSetNotFoundException"),
    )


def deployed(versions: dict[str, str], **parameters: str) -> Fake:
    """A CloudFormation client whose stages serve these versions, in one account each, with these parameters."""
    accounts = {"staging": "333333333333", "prod": "222222222222"}

    def stack(StackName: str) -> Any:  # noqa: N803  # the API's name
        stage = StackName.rsplit("-", 1)[1]
        if stage not in versions:
            return error("DescribeStacks", "ValidationError", f"{StackName} does not exist")
        found = {"ModelPackageName": f"{VERSIONS}/{versions[stage]}", **parameters}
        listed = [{"ParameterKey": key, "ParameterValue": value} for key, value in found.items()]
        return {"Stacks": [{"StackStatus": "UPDATE_COMPLETE", "RoleARN": STAGE_ROLE, "Parameters": listed}]}

    def instances(StackSetName: str, **_: Any) -> Any:  # noqa: N803  # the API's name
        stage = StackSetName.rsplit("-", 1)[1]
        if stage not in versions:
            return error("ListStackInstances", "StackSetNotFoundException")
        return [{"Summaries": [{"Account": accounts[stage], "Region": REGION}]}]

    return Fake(describe_stacks=stack, list_stack_instances=instances)


def account(number: str, state: str = "ACTIVE", management: str = "999999999999") -> dict[str, str]:
    arn = f"arn:aws:organizations::{management}:account/o-1/{number}"
    return {"Id": number, "Name": f"account {number}", "State": state, "Arn": arn}


def price_list(prices: dict[tuple[str, str], float] | None = None) -> Fake:
    """A client of AWS's price list with these prices by Region and instance type; one that may not read it for None."""

    def products(ServiceCode: str, Filters: list[dict[str, str]]) -> Any:  # noqa: N803  # the API's names
        if prices is None:
            return error("GetProducts", "AccessDeniedException", "no")
        wanted = {one["Field"]: one["Value"] for one in Filters}
        price = prices.get((wanted["regionCode"], wanted["instanceName"])) if wanted["component"] == "Hosting" else None
        terms = {"t": {"priceDimensions": {"d": {"unit": "Hrs", "pricePerUnit": {"USD": f"{price}"}}}}}
        product = {"terms": {"OnDemand": terms}, "publicationDate": "2027-01-02T03:04:05Z"}
        return [{"PriceList": [] if price is None else [json.dumps(product)]}]

    return Fake(get_products=products)
