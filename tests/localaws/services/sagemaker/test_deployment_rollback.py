"""A bad model version, deployed with template 50, is rolled back by the endpoint's own alarm while it is a canary."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from localaws.cloud import Cloud
from scripts.rehearsal.embedded import embedded_aws
from tests.support import ROOT
from tests.support.sagemaker_world import BUCKET, channel, client, make_bucket, make_trainer, specification, train
from tests.support.waiting import until

TEMPLATE = (ROOT / "templates" / "50-endpoint.yaml").read_text(encoding="utf-8")
ENDPOINT = "iris-p-1-prod"
PARAMETERS = {
    "SageMakerProjectName": "iris", "SageMakerProjectId": "p-1", "StageName": "prod",
    "SageMakerExecutionRoleName": "trainer", "InitialInstanceCount": "2", "TrafficRoutingType": "CANARY",
    "BakeSeconds": "300", "MaximumClientErrorsPerMinute": "0",
}  # fmt: skip


def register(cloud: Cloud, name: str, role: str, data: str) -> str:
    """The ARN of an approved version, trained on a channel of the model bucket."""
    channels = [channel(data) | {"ChannelName": "train"}]
    url = train(cloud, name, role, InputDataConfig=channels)["ModelArtifacts"]["S3ModelArtifacts"]
    return str(
        client(cloud, "sagemaker").create_model_package(
            ModelPackageGroupName="iris",
            InferenceSpecification=specification(url),
            ModelApprovalStatus="Approved",
        )["ModelPackageArn"]
    )


def deploy(cloud: Cloud, version: str) -> dict[str, Any]:
    """The stack of the endpoint, once it serves the version or has come back."""
    cloudformation = client(cloud, "cloudformation")
    given = [{"ParameterKey": k, "ParameterValue": v} for k, v in {**PARAMETERS, "ModelPackageName": version}.items()]
    known = cloudformation.list_stacks()["StackSummaries"]
    (cloudformation.update_stack if known else cloudformation.create_stack)(
        StackName="endpoint", TemplateBody=TEMPLATE, Parameters=given
    )

    def ended() -> Any:
        stack = cloudformation.describe_stacks(StackName="endpoint")["Stacks"][0]
        return None if stack["StackStatus"].endswith("_IN_PROGRESS") else stack

    found: dict[str, Any] = until(ended, 120)
    return found


@contextmanager
def traffic(cloud: Cloud) -> Iterator[None]:
    """Requests to the endpoint, one after the other."""
    over, runtime = threading.Event(), client(cloud, "sagemaker-runtime")

    def ask() -> None:
        while not over.is_set():
            with suppress(ClientError):
                runtime.invoke_endpoint(EndpointName=ENDPOINT, ContentType="text/csv", Body=b"5.1,3.5,1.4,0.2\n")

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


@pytest.fixture
def slow(tmp_path: Path) -> Iterator[Cloud]:
    """An embedded AWS whose minutes last 0.6 s, so that a minute holds many requests."""
    with embedded_aws(tmp_path / "rehearsal", waits=0.01) as running:
        yield running
    assert not running.faults, "\n".join(f"{fault.where}\n{fault.traceback}" for fault in running.faults)


def test_a_bad_version_is_rolled_back_by_its_own_alarm_and_the_good_one_serves_on(slow: Cloud) -> None:
    """SageMaker Developer Guide, "Auto-Rollback Configuration and Monitoring". The bad version was trained on two of
    the four columns: it answers every request with status 400."""
    cloud = slow
    role = make_trainer(cloud)
    make_bucket(cloud)
    s3, sagemaker = client(cloud, "s3"), client(cloud, "sagemaker")
    rows = s3.get_object(Bucket=BUCKET, Key="data/train/train.csv")["Body"].read().decode().split()
    narrow = "\n".join(",".join(row.split(",")[:3]) for row in rows)
    s3.put_object(Bucket=BUCKET, Key="data/narrow/narrow.csv", Body=narrow.encode())
    sagemaker.create_model_package_group(ModelPackageGroupName="iris")
    good, bad = register(cloud, "good", role, "train"), register(cloud, "bad", role, "narrow")
    assert deploy(cloud, good)["StackStatus"] == "CREATE_COMPLETE"
    before = sagemaker.describe_endpoint(EndpointName=ENDPOINT)["EndpointConfigName"]

    with traffic(cloud):
        stack = deploy(cloud, bad)

    shown = sagemaker.describe_endpoint(EndpointName=ENDPOINT)
    assert (shown["EndpointStatus"], shown["EndpointConfigName"]) == ("InService", before)
    assert f"alarms in the ALARM state: {ENDPOINT}-client-errors" in shown["FailureReason"]
    # CloudFormation waits for InService and does not see it: that is why the project's tests ask what really runs.
    assert stack["StackStatus"] == "UPDATE_COMPLETE"
    answer = client(cloud, "sagemaker-runtime").invoke_endpoint(
        EndpointName=ENDPOINT, ContentType="text/csv", Body=b"5.1,3.5,1.4,0.2\n"
    )
    assert answer["Body"].read() == b"0.0\n"

    def calm() -> bool:
        names = [f"{ENDPOINT}-client-errors"]
        [alarm] = client(cloud, "cloudwatch").describe_alarms(AlarmNames=names)["MetricAlarms"]
        return bool(alarm["StateValue"] == "OK")

    until(calm)  # no request fails any more
