"""A state machine that runs a transform job for each object that arrives, and at each time of a schedule."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError

from localaws.cloud import Cloud
from localaws.services.events import service as events
from scripts.rehearsal.embedded import embedded_aws
from tests.support.roles import EVERYTHING, Statement, make_role
from tests.support.sagemaker_world import ACCOUNT, BUCKET, IMAGE, REGION, client, make_bucket, make_trainer, train
from tests.support.waiting import until

VIRGINICA = "6.3,3.3,6.0,2.5"
SYNC = "arn:aws:states:::sagemaker:createTransformJob.sync"
RULE = f"arn:aws:events:{REGION}:{ACCOUNT}:rule/StepFunctionsGetEventsForSageMakerTransformJobsRule"
DEFINITION = {
    "QueryLanguage": "JSONata",
    "StartAt": "Ask",
    "States": {
        "Ask": {
            "Type": "Task",
            "Resource": SYNC,
            "Arguments": {
                "TransformJobName": "{% 'batch-' & $states.input.id %}",
                "ModelName": "iris",
                "TransformInput": {
                    "DataSource": {
                        "S3DataSource": {
                            "S3DataType": "S3Prefix",
                            "S3Uri": "{% 's3://" + BUCKET + "/' & $states.input.key %}",
                        }
                    },
                    "ContentType": "text/csv",
                },
                "TransformOutput": {"S3OutputPath": f"s3://{BUCKET}/answers/"},
                "TransformResources": {"InstanceType": "ml.m5.large", "InstanceCount": 1},
            },
            "End": True,
        }
    },
}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """A trained model, and a state machine that two rules start."""
    with embedded_aws(tmp_path_factory.mktemp("machine")) as cloud:
        role = make_trainer(cloud)
        make_bucket(cloud)
        shown = train(cloud, "first", role)
        container = {"Image": IMAGE, "ModelDataUrl": shown["ModelArtifacts"]["S3ModelArtifacts"]}
        client(cloud, "sagemaker").create_model(ModelName="iris", PrimaryContainer=container, ExecutionRoleArn=role)
        client(cloud, "s3").put_bucket_notification_configuration(
            Bucket=BUCKET, NotificationConfiguration={"EventBridgeConfiguration": {}}
        )
        machine = client(cloud, "stepfunctions").create_state_machine(
            name="batch", definition=json.dumps(DEFINITION), roleArn=make_role(cloud, "states", "states", EVERYTHING)
        )["stateMachineArn"]
        starter = make_role(cloud, "starter", "events", allow("states:StartExecution", machine))
        pattern = {"source": ["aws.s3"], "detail-type": ["Object Created"],
                   "detail": {"bucket": {"name": [BUCKET]}, "object": {"key": [{"prefix": "requests/"}]}}}  # fmt: skip
        rule(cloud, "arrival", machine, starter, '{"id": <id>, "key": <key>}', EventPattern=json.dumps(pattern))
        rule(cloud, "nightly", machine, starter, '{"id": <id>, "key": "scheduled/"}',
             ScheduleExpression="cron(0 3 * * ? *)")  # fmt: skip
        yield cloud
    assert not cloud.faults, "\n".join(f"{fault.where}\n{fault.traceback}" for fault in cloud.faults)


def allow(action: str, resource: str) -> Statement:
    return {"Effect": "Allow", "Action": action, "Resource": resource}


def rule(cloud: Cloud, name: str, machine: str, role: str, template: str, **when: str) -> None:
    paths = {"id": "$.id"} | ({"key": "$.detail.object.key"} if "<key>" in template else {})
    target = {"Id": "machine", "Arn": machine, "RoleArn": role,
              "InputTransformer": {"InputPathsMap": paths, "InputTemplate": template}}  # fmt: skip
    client(cloud, "events").put_rule(Name=name, **when)
    assert client(cloud, "events").put_targets(Rule=name, Targets=[target])["FailedEntryCount"] == 0


def executions(cloud: Cloud) -> list[dict[str, Any]]:
    """The executions of the state machine, the newest first."""
    states = client(cloud, "stepfunctions")
    machine = f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:batch"
    found = states.list_executions(stateMachineArn=machine)["executions"]
    return [states.describe_execution(executionArn=one["executionArn"]) for one in found]


def ended(cloud: Cloud, number: int) -> dict[str, Any]:
    """The newest execution, once this many have ended."""
    until(lambda: len([one for one in executions(cloud) if one["status"] != "RUNNING"]) == number)
    return executions(cloud)[0]


def put(cloud: Cloud, key: str, text: str) -> None:
    client(cloud, "s3").put_object(Bucket=BUCKET, Key=key, Body=text.encode())


def written(cloud: Cloud, key: str) -> str:
    body: bytes = client(cloud, "s3").get_object(Bucket=BUCKET, Key=key)["Body"].read()
    return body.decode()


def test_objects_are_answered_on_arrival_and_at_the_times_of_a_schedule(world: Cloud) -> None:
    put(world, "elsewhere/a b.csv", VIRGINICA)
    put(world, "requests/a b.csv", VIRGINICA)
    found = ended(world, 1)
    assert found["status"] == "SUCCEEDED", found
    assert written(world, "answers/a b.csv.out") == "2.0\n"
    output = json.loads(found["output"])
    assert output["TransformJobStatus"] == "Completed"
    assert output["TransformJobName"] == f"batch-{json.loads(found['input'])['id']}"
    tags = client(world, "sagemaker").list_tags(ResourceArn=output["TransformJobArn"])["Tags"]
    assert tags == [{"Key": "MANAGED_BY_AWS", "Value": "STARTED_BY_STEP_FUNCTIONS"}]
    put(world, "scheduled/b.csv", VIRGINICA)
    events.tick(world, datetime(2026, 12, 1, 2, 59, tzinfo=UTC))
    events.tick(world, datetime(2026, 12, 1, 3, 0, tzinfo=UTC))
    assert ended(world, 2)["status"] == "SUCCEEDED"
    assert written(world, "answers/b.csv.out") == "2.0\n"
    put(world, "requests/wrong.csv", "a,b")
    failed = ended(world, 3)
    assert (failed["status"], failed["error"]) == ("FAILED", "States.TaskFailed")
    cause = json.loads(failed["cause"])
    assert (cause["TransformJobStatus"], cause["FailureReason"][:15]) == ("Failed", "AlgorithmError:")


def test_a_job_is_stopped_with_its_execution(world: Cloud) -> None:
    states, name = client(world, "stepfunctions"), "11111111-2222-3333-4444-555555555555"
    put(world, "many/a.csv", VIRGINICA)
    execution = states.start_execution(
        stateMachineArn=f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:batch",
        input=json.dumps({"id": name, "key": "many/"}),
    )["executionArn"]

    def status() -> Any:
        listed = client(world, "sagemaker").list_transform_jobs(NameContains=name)["TransformJobSummaries"]
        return listed[0]["TransformJobStatus"] if listed else None

    until(status)
    states.stop_execution(executionArn=execution)
    assert until(lambda: status() in {"Stopped", "Completed"})  # it may have been quicker
    assert states.describe_execution(executionArn=execution)["status"] == "ABORTED"


@pytest.mark.parametrize("missing", ["events:DescribeRule", "events:PutRule", "events:PutTargets"])
def test_a_role_that_may_not_keep_the_managed_rule_gets_no_state_machine(world: Cloud, missing: str) -> None:
    kept = {"events:DescribeRule", "events:PutRule", "events:PutTargets"} - {missing}
    role = make_role(world, missing.replace(":", "-"), "states", *(allow(action, RULE) for action in sorted(kept)))
    with pytest.raises(ClientError, match=f"not authorized to create managed-rule.*{missing}"):
        client(world, "stepfunctions").create_state_machine(
            name=missing.replace(":", "-"), definition=json.dumps(DEFINITION), roleArn=role
        )
