"""Tokens of pages (localaws/pages.py): what no answer gave is refused, in every operation that has them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest
from botocore import xform_name
from botocore.exceptions import ClientError
from moto.core.utils import get_service_model

from localaws import pages, supported
from localaws.cloud import Cloud
from scripts.rehearsal.embedded import embedded_aws
from tests.support.authorization import trust
from tests.support.least_requests import NEEDED, sample

ACCOUNT, OTHER, REGION, OTHER_REGION = "111111111111", "222222222222", "us-east-1", "eu-west-1"
MADE_UP = "Ym9ndXM="  # what every pattern of a token takes


def paged() -> list[tuple[str, str]]:
    return [
        (service.name, operation)
        for service in supported.services()
        for operation in sorted({*service.ours, *service.moto})
        if pages.token_of(service.name, operation)
    ]


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    with embedded_aws(tmp_path_factory.mktemp("pages")) as running:
        yield running
    assert not running.faults, "\n".join(f"{fault.where}\n{fault.traceback}" for fault in running.faults)


def test_a_token_that_no_answer_gave_is_refused_by_every_operation(cloud: Cloud) -> None:
    by, wrong = cloud.root(ACCOUNT, REGION), {}
    for service, operation in paged():
        model = get_service_model(service).operation_model(operation)
        params = {
            **sample(model.input_shape, ""),
            **NEEDED.get(operation, {}),
            pages.token_of(service, operation): MADE_UP,
        }
        try:
            getattr(by.client(service), xform_name(operation))(**params)
            found = "taken"
        except ClientError as error:
            found = error.response["Error"]["Code"]
        except Exception as error:
            found = repr(error)[:200]
        if found != pages.refusal(service, operation).code:
            wrong[service, operation] = found
    assert wrong == {}
    assert {service for service, _ in paged()} == set(pages.INVALID)


def test_the_token_of_an_answer_leads_to_the_next_page(cloud: Cloud) -> None:
    """moto's answers in XML and JSON, and a handler's."""
    by = cloud.root(ACCOUNT, REGION)
    s3, iam, secrets, logs = (by.client(service) for service in ("s3", "iam", "secretsmanager", "logs"))
    s3.create_bucket(Bucket="pages")
    logs.create_log_group(logGroupName="group")
    logs.create_log_stream(logGroupName="group", logStreamName="stream")
    stream = {"logGroupName": "group", "logStreamName": "stream"}
    for name in ("a&b", "c"):
        s3.put_object(Bucket="pages", Key=name)
        iam.create_role(RoleName=name[0], AssumeRolePolicyDocument=trust(Service="ec2.amazonaws.com"))
        secrets.create_secret(Name=name[0])
    first = s3.list_objects_v2(Bucket="pages", MaxKeys=1)["NextContinuationToken"]
    assert s3.list_objects_v2(Bucket="pages", ContinuationToken=first)["Contents"][0]["Key"] == "c"
    first = iam.list_roles(MaxItems=1)  # in the order of random ids
    second = iam.list_roles(Marker=first["Marker"])
    assert {role["RoleName"] for page in (first, second) for role in page["Roles"]} == {"a", "c"}
    first = secrets.list_secrets(MaxResults=1)
    second = secrets.list_secrets(NextToken=first["NextToken"])
    assert {one["Name"] for page in (first, second) for one in page["SecretList"]} == {"a", "c"}
    token = logs.get_log_events(**stream)["nextForwardToken"]
    assert logs.get_log_events(**stream, nextToken=token)["events"] == []


@pytest.mark.parametrize(
    ("region", "operation"), [(REGION, "batch_get_secret_value"), (OTHER_REGION, "list_secrets"), (REGION, "")]
)
def test_a_token_leads_on_in_its_own_operation_and_region(cloud: Cloud, region: str, operation: str) -> None:
    mine, other = (cloud.root(OTHER, of).client("secretsmanager") for of in (REGION, region))
    for name in ("a", "b"):
        with contextlib.suppress(mine.exceptions.ResourceExistsException):
            mine.create_secret(Name=name)
    token = mine.list_secrets(MaxResults=1)["NextToken"]
    if not operation:
        assert len(mine.list_secrets(NextToken=token)["SecretList"]) == 1
        return
    with pytest.raises(ClientError, match="InvalidNextTokenException"):
        getattr(other, operation)(NextToken=token)
