"""What an endpoint serves, and the document that records it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError

from pipeline.outcome import MISSING, Checked, Served, as_deployed, document, in_service, look, newest, write
from pipeline.report import Result
from tests.support.fake_services import Fake, error

ARN = "arn:aws:sagemaker:us-east-1:111111111111:model-package/iris/"
BARE = Served("333333333333", "us-east-1", "iris-p-1-staging")
ABSENT = error("DescribeEndpoint", "ValidationException", 'Could not find endpoint "arn".')


def sagemaker(**changed: Any) -> Any:
    return Fake(
        **{
            "describe_endpoint": {"EndpointStatus": "InService", "EndpointConfigName": "c"},
            "describe_endpoint_config": {"ProductionVariants": [{"ModelName": "m", "InitialVariantWeight": 7.0}]},
            "describe_model": {"PrimaryContainer": {"ModelPackageName": f"{ARN}3"}},
            **changed,
        }
    )


def test_what_an_endpoint_runs_on_is_read_from_its_own_configuration() -> None:
    found = look(sagemaker(), BARE)
    assert (found.status, found.config, found.model_package, found.release) == ("InService", "c", f"{ARN}3", 7)
    assert datetime.fromisoformat(found.looked_at).tzinfo is not None
    assert (in_service(found, "iris"), as_deployed(found, f"{ARN}3", 7)) == ("", "")


def test_a_missing_endpoint_says_how_it_comes_back() -> None:
    found = look(sagemaker(describe_endpoint=ABSENT), BARE)
    assert (found.status, found.as_deployed) == (MISSING, False)
    assert "make repair PROJECT=iris ACCOUNT=333333333333 REGION=us-east-1" in in_service(found, "iris")


def test_an_endpoint_whose_configuration_is_deleted_serves_nothing_that_is_known() -> None:
    found = look(sagemaker(describe_endpoint_config=ABSENT), BARE)
    assert "no model package" in as_deployed(found, f"{ARN}3", 7)


def test_another_error_is_none_of_a_missing_endpoint() -> None:
    with pytest.raises(ClientError, match="AccessDenied"):
        look(sagemaker(describe_endpoint=error("DescribeEndpoint", "AccessDeniedException", "no")), BARE)


@pytest.mark.parametrize(
    ("changed", "release", "said"),
    [
        ({"model_package": f"{ARN}2"}, 7, f"expected {ARN}3, got {ARN}2. SageMaker went back to the former"),
        ({"release": 6}, 7, "expected the configuration with the number 7, got 6, with other settings"),
        ({"release": 6}, None, ""),
        ({"failure_reason": "alarms"}, None, "the last update of the endpoint failed"),
        ({"failure_reason": "of an earlier update"}, 7, ""),
        ({"model_package": f"{ARN}2", "failure_reason": "alarms"}, 7, "configuration, c: alarms"),
    ],
)
def test_an_update_that_was_taken_back_is_seen_also_without_a_reason(
    changed: dict[str, Any], release: int | None, said: str
) -> None:
    """FailureReason may be empty after a rollback (hashicorp/terraform-provider-aws#48997)."""
    values = {"status": "InService", "config": "c", "model_package": f"{ARN}3", "release": 7, **changed}
    found = as_deployed(Served("3" * 12, "us-east-1", "e", **values), f"{ARN}3", release)
    assert said in found
    assert bool(found) == bool(said)


def test_the_record_holds_every_endpoint_and_what_failed_there() -> None:
    manifest = {"model_package": {"version": 3, "arn": f"{ARN}3"}, "project": {"id": "p-1"}}
    served = Served(
        "3" * 12, "us-east-1", "e", "InService", "c", f"{ARN}2", "alarms", "2026-01-01T00:00:00+00:00", 6, False,
        ("r@sha256:1",),
    )  # fmt: skip
    results = (Result("p", "a"), Result("p", "b", failure="wrong"))
    found = document(manifest, "staging", [Checked(served, results)], "run-1", "abc")
    assert (found["passed"], found["execution"], found["manifest_sha256"]) == (False, "run-1", "abc")
    assert found["endpoints"] == [
        {
            "account": "3" * 12, "region": "us-east-1", "endpoint": "e", "status": "InService", "config": "c",
            "model_package": f"{ARN}2", "failure_reason": "alarms", "looked_at": "2026-01-01T00:00:00+00:00",
            "images": ["r@sha256:1"], "as_deployed": False, "failed": ["wrong"],
        }
    ]  # fmt: skip
    s3: Any = Fake(put_object={})
    assert write(s3, found, "sagemaker-project-p-1", "4") == "record/outcomes/run-1/staging-4.json"
    assert s3.called("put_object")[0]["IfNoneMatch"] == "*"


def test_the_newest_record_of_a_stage_is_read_alone() -> None:
    keys = {"run-3/staging-8.json": 1, "run-2/staging-9.json": 2, "run-1/staging-10.json": 2, "run-1/prod-11.json": 3}
    listed = [
        {"Key": f"record/outcomes/{key}", "LastModified": datetime(2026, 1, day, tzinfo=UTC)}
        for key, day in keys.items()
    ]

    class Body:
        def read(self, _: int) -> bytes:
            return json.dumps({"stage": "staging"}).encode()

    s3: Any = Fake(list_objects_v2=[{"Contents": listed}], get_object={"ContentLength": 9, "Body": Body()})
    assert newest(s3, "b", "staging") == {"stage": "staging"}
    assert [call["Key"] for call in s3.called("get_object")] == ["record/outcomes/run-1/staging-10.json"]
    empty: Any = Fake(list_objects_v2=[{}])
    assert newest(empty, "b", "staging") is None


def test_the_record_keeps_the_first_failures_of_an_endpoint_and_the_beginning_of_each() -> None:
    results = tuple(Result("p", "n", failure=f"{number}\n\x1b[2J{'x' * 5_000_000}") for number in range(30))
    (kept,) = document({"model_package": {"version": 1, "arn": "a"}}, "prod", [Checked(BARE, results)], "e", "s")[
        "endpoints"
    ]
    assert len(kept["failed"]) == 20
    assert kept["failed"][3].startswith("3 ?[2Jxxx")
    assert len(kept["failed"][3]) == 500
