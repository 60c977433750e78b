"""A batch stage as the test sees it: its definition, its one job, and the payloads that a job cannot send."""

from __future__ import annotations

import io
import json
import time
from typing import Any

import pytest
from botocore.exceptions import ClientError

from pipeline import batch
from pipeline.console import UserError
from pipeline.outcome import MISSING, Served
from pipeline.payloads import Golden, Payload
from pipeline.settings import Stage

BARE = Served("222222222222", "us-east-1", "iris-p-1-prod")
ARN = "arn:aws:states:us-east-1:222222222222:stateMachine:iris-p-1-prod"
PAYLOADS = [Payload(name, "text/csv", name, 0.0, "", 0, 1) for name in ("setosa", "virginica")]
DEFINITION = {"Comment": "release 7", "States": {"Transform": {"Arguments": {"ModelName": "Model-1"}}}}


class There:
    """A target account with a state machine: every client at once. ends: the execution's state and cause"""

    def __init__(self, ends: tuple[str, str] = ("SUCCEEDED", ""), answers: int = 2) -> None:
        self.ends, self.answers, self.objects, self.started = ends, answers, dict[str, bytes](), list[dict[str, Any]]()

    def __call__(self, service: str) -> Any:
        return self

    def describe_state_machine(self, **given: str) -> dict[str, Any]:
        if given != {"stateMachineArn": ARN}:
            error: Any = {"Error": {"Code": "StateMachineDoesNotExist", "Message": "State Machine Does Not Exist"}}
            raise ClientError(error, "DescribeStateMachine")
        return {"definition": json.dumps(DEFINITION)}

    def describe_model(self, **given: str) -> dict[str, Any]:
        return {"PrimaryContainer": {"ModelPackageName": f"{given['ModelName']} of iris/3"}}

    def put_object(self, **given: Any) -> None:
        self.objects[given["Key"]] = given["Body"]

    def start_execution(self, **given: str) -> dict[str, Any]:
        assert given["stateMachineArn"] == ARN
        self.started.append(json.loads(given["input"]))
        sent = sorted(key for key in self.objects if key.startswith(self.started[-1]["detail"]["object"]["key"]))
        for key in sent[: self.answers]:
            self.objects[key.replace("/tests/", "/answers/tests/") + ".out"] = b"0.0"
        return {"executionArn": "execution"}

    def describe_execution(self, **_: str) -> dict[str, Any]:
        return {"status": self.ends[0], "error": "States.TaskFailed", "cause": self.ends[1]}

    def list_objects_v2(self, **given: Any) -> dict[str, Any]:
        return {"Contents": [{"Key": key} for key in self.objects if key.startswith(given["Prefix"])]}

    def get_object(self, **given: str) -> dict[str, Any]:
        return {"Body": io.BytesIO(self.objects[given["Key"]])}


def ask(there: There, seconds: float = 60.0) -> tuple[str, dict[str, Any]]:
    answers: dict[str, Any] = {}
    ends = time.monotonic() + seconds
    return batch.ask(there, BARE, ARN, "data", PAYLOADS, "text/csv", answers, ends), answers


def test_the_payloads_are_sent_into_a_folder_of_their_own_and_one_job_answers_them() -> None:
    there = There()
    assert ask(there) == ("", {"setosa": 0.0, "virginica": 0.0})
    (started,) = there.started
    assert started["detail"]["object"]["key"] == f"batch/iris-p-1-prod/tests/{started['id']}/"
    assert [body for key, body in there.objects.items() if ".out" not in key] == [b"setosa", b"virginica"]


def test_a_job_that_fails_hangs_or_leaves_an_answer_out_is_named_with_its_reason() -> None:
    failed, _ = ask(There(("FAILED", json.dumps({"FailureReason": "AlgorithmError: no model"}))))
    assert failed.startswith("the transform job batch-")
    assert failed.endswith(" failed: AlgorithmError: no model")
    assert ask(There(("FAILED", "no JSON")))[0].endswith(" failed: States.TaskFailed: no JSON")
    assert "has not ended in time" in ask(There(("RUNNING", "")), seconds=0.01)[0]
    assert "has left no answer to virginica" in ask(There(answers=1))[0]


def test_what_is_live_is_the_model_that_the_state_machine_names() -> None:
    found = batch.look(There(), BARE, "aws")
    assert (found.status, found.config, found.release, found.model_package) == (
        "InService", "Model-1", 7, "Model-1 of iris/3",
    )  # fmt: skip
    gone = batch.look(There(), Served("222222222222", "us-east-1", "other"), "aws")
    assert (gone.status, gone.as_deployed) == (MISSING, False)
    assert batch.read_definition("{}") == ("", 0)


def test_a_stage_without_an_organizations_own_bucket_has_the_accounts() -> None:
    part = {"config": {"Parameters": {"EndpointKind": "batch", "BatchBucket": "account"}}}
    assert batch.is_batch(part)
    assert batch.bucket_of(part, "222222222222", "eu-west-1") == "endpoint-data-222222222222-eu-west-1"
    assert batch.bucket_of({"config": {"Parameters": {"BatchBucket": "mine"}}}, "2", "eu-west-1") == "mine"


def check(*stages: dict[str, str]) -> None:
    made = [Stage(name, "ou-p", (), "role", ("us-east-1",), given)
            for name, given in zip(("staging", "prod"), stages, strict=False)]  # fmt: skip
    batch.check_payloads(made, Golden((Payload("setosa", "text/csv", "1", 0.0, "text/csv", 0, 1),)))


def test_payloads_of_other_types_than_the_job_are_refused_in_build() -> None:
    right = {"EndpointKind": "batch", "BatchAccept": "text/csv"}
    check({}, right)
    check({"EndpointKind": "serverless", "BatchAccept": "a/b"}, right)
    with pytest.raises(UserError, match=r"prod-config.json sends text/csv and accepts anything"):
        check(right, {"EndpointKind": "batch"})
    with pytest.raises(UserError, match=r"payload setosa is text/csv .* sends application/json"):
        check({**right, "BatchContentType": "application/json"})
