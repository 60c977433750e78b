"""Requests within the process: values arrive as they would if they were written as text and read again."""

from __future__ import annotations

import copy
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from urllib.request import Request, urlopen

import boto3
import pytest
from botocore.awsrequest import AWSResponse, create_request_object, prepare_request_dict
from botocore.endpoint import convert_to_response_dict
from botocore.exceptions import ClientError, ParamValidationError
from moto.core.serialize import SerializationContext, get_serializer_class
from moto.core.utils import get_service_model

from awslang.principals import Principal
from localaws import inside, wire
from localaws.calls import HttpRequest
from localaws.clients import Body
from localaws.cloud import Cloud, Session

ACCOUNT, REGION = "111111111111", "us-east-1"
MOMENT = datetime(2026, 11, 26, 9, 30, 15, 123456, tzinfo=timezone(timedelta(hours=5)))
NOW = datetime.now(UTC)


def read_from_text(client: Any, operation: str, given: dict[str, Any]) -> dict[str, Any]:
    """The input as the gateway parses it from the request that botocore writes."""
    model = client.meta.service_model.operation_model(operation)
    written = client._serializer._serializer.serialize_to_request(copy.deepcopy(given), model)
    prepare_request_dict(written, "http://127.0.0.1", {})
    sent = create_request_object(written).prepare()
    headers = {k.lower(): v.decode() if isinstance(v, bytes) else str(v) for k, v in sent.headers.items()}
    body = sent.body.encode() if isinstance(sent.body, str) else sent.body or b""
    known = get_service_model(client.meta.service_model.service_name)
    return wire.parse(known, known.operation_model(operation), HttpRequest(sent.method, "/", "", headers, body))


def parsed_from_text(client: Any, operation: str, output: dict[str, Any]) -> dict[str, Any]:
    """The output as botocore parses it from the answer that the gateway writes."""
    model, protocol = client.meta.service_model.operation_model(operation), client.meta.service_model.resolved_protocol
    name = client.meta.service_model.service_name
    known = get_service_model(name).operation_model(operation)
    answer = get_serializer_class(name, protocol)(known, context=SerializationContext("id")).serialize(output)
    headers: Any = dict(answer["headers"])
    response = AWSResponse("", answer["status_code"], headers, Body(wire.as_bytes(answer["body"])))
    parser = client._endpoint._response_parser_factory.create_parser(protocol)
    parsed: dict[str, Any] = parser.parse(convert_to_response_dict(response, model), model.output_shape)
    parsed.pop("ResponseMetadata")
    return parsed


INPUTS: list[tuple[str, str, dict[str, Any]]] = [
    ("sagemaker", "ListEndpoints", {"CreationTimeAfter": MOMENT, "MaxResults": 5}),
    ("sagemaker", "ListEndpoints", {"CreationTimeAfter": "2026-11-26T09:30:15.5Z"}),
    ("sagemaker", "CreateEndpointConfig", {"EndpointConfigName": "c", "ProductionVariants": [
        {"VariantName": "v", "ModelName": "m", "InitialVariantWeight": 1, "InitialInstanceCount": 2}], "Tags": []}),
    ("sagemaker", "CreateModel", {"ModelName": "m", "PrimaryContainer": {"Environment": {}}, "Containers": [{}]}),
    ("codecommit", "PutFile", {"repositoryName": "r", "branchName": "b", "fileContent": b"\x00\xff", "filePath": "é"}),
    ("codecommit", "PutFile", {"repositoryName": "r", "branchName": "b", "fileContent": "text", "filePath": "f"}),
    ("events", "PutEvents", {"Entries": [{"Time": MOMENT, "Source": "s", "Resources": [], "Detail": "{}"}]}),
    ("cloudformation", "CreateStack", {"StackName": "s", "TemplateBody": "a: 1\r\nb: é", "Parameters": [],
        "Tags": [{"Key": "k", "Value": ""}], "TimeoutInMinutes": 5, "DisableRollback": False,
        "NotificationARNs": [""]}),
    ("cloudformation", "CreateStackInstances", {"StackSetName": "s", "Regions": ["r", "q"], "DeploymentTargets": {},
        "OperationPreferences": {"RegionOrder": [], "FailureToleranceCount": 0}}),
    ("sts", "AssumeRole", {"RoleArn": "r", "RoleSessionName": "n", "DurationSeconds": 900, "Tags": []}),
    ("iam", "CreateRole", {"RoleName": "r", "AssumeRolePolicyDocument": "{ }", "MaxSessionDuration": 3600}),
    ("ssm", "GetParameters", {"Names": ["a", "b"], "WithDecryption": True}),
]  # fmt: skip
OUTPUTS: list[tuple[str, str, dict[str, Any]]] = [
    ("sagemaker", "DescribeEndpoint", {"EndpointName": "e", "CreationTime": MOMENT, "ProductionVariants": [
        {"VariantName": "v", "CurrentWeight": 1, "DeployedImages": []}], "FailureReason": None, "Unknown": 1}),
    ("sagemaker", "ListTags", {"Tags": [{"Key": "k", "Value": ""}]}),
    ("sagemaker", "DescribeModel", {"PrimaryContainer": {"Environment": {"a": "1"}}, "CreationTime": NOW}),
    ("codecommit", "GetFile", {"fileContent": b"\x00\xff", "fileSize": 2}),
    ("codebuild", "BatchGetBuilds", {"builds": [{"id": "b", "phases": [{"durationInSeconds": 1}]}]}),
    ("cloudformation", "DescribeStacks", {"Stacks": [{"StackName": "s", "CreationTime": MOMENT, "Description": "a\r\nb",
        "Outputs": [], "Tags": [{"Key": "k", "Value": ""}], "DisableRollback": False, "TimeoutInMinutes": 5}]}),
    ("cloudformation", "DescribeStackSetOperation", {"StackSetOperation": {"Status": "RUNNING", "CreationTimestamp":
        datetime(2026, 1, 2), "OperationPreferences": {}, "RetainStacks": True,
        "DeploymentTargets": {"Accounts": []}}}),
    ("cloudformation", "ListStackInstances", {"Summaries": [{}, {"Account": "1"}]}),
    ("cloudformation", "DeleteStack", {}),
    ("sts", "GetCallerIdentity", {"Account": "1", "Arn": "a", "UserId": "u"}),
    ("ssm", "GetParameters", {"Parameters": [{"LastModifiedDate": 1700000000.5, "Version": 1}]}),
]  # fmt: skip


@pytest.mark.parametrize(("service", "operation", "given"), INPUTS)
def test_an_input_arrives_as_it_would_from_text(
    cloud: Cloud, service: str, operation: str, given: dict[str, Any]
) -> None:
    client = cloud.root(ACCOUNT, REGION).client(service)
    meta = client.meta.service_model
    found = inside.received(meta.operation_model(operation).input_shape, given, meta.resolved_protocol)
    assert found == read_from_text(client, operation, given)


@pytest.mark.parametrize(("service", "operation", "output"), OUTPUTS)
def test_an_output_arrives_as_it_would_from_text(
    cloud: Cloud, service: str, operation: str, output: dict[str, Any]
) -> None:
    client = cloud.root(ACCOUNT, REGION).client(service)
    meta = client.meta.service_model
    found = inside.output_of(meta.operation_model(operation).output_shape, output, meta.resolved_protocol)
    assert found == parsed_from_text(client, operation, output)


def test_an_input_that_the_model_refuses_is_refused_before_it_is_sent(cloud: Cloud) -> None:
    with pytest.raises(ParamValidationError, match="Invalid type for parameter EndpointName"):
        cloud.root(ACCOUNT, REGION).client("sagemaker").describe_endpoint(EndpointName=5)


def test_what_is_changed_in_an_answer_is_not_changed_in_the_service(cloud: Cloud) -> None:
    ssm = cloud.root(ACCOUNT, REGION).client("sagemaker")
    ssm.create_model_package_group(ModelPackageGroupName="g", Tags=[{"Key": "k", "Value": "v"}])
    group = ssm.describe_model_package_group(ModelPackageGroupName="g")
    group["ModelPackageGroupName"] = "another"
    assert ssm.describe_model_package_group(ModelPackageGroupName="g")["ModelPackageGroupName"] == "g"


def test_a_refusal_is_the_one_that_botocore_reads_from_text(cloud: Cloud) -> None:
    root = cloud.root(ACCOUNT, REGION)
    with pytest.raises(ClientError) as refused:
        root.client("cloudformation").describe_stacks(StackName="absent")
    assert refused.value.response["Error"]["Code"] == "ValidationError"
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
    assert refused.value.response["ResponseMetadata"]["RequestId"]
    assert str(refused.value) == (
        "An error occurred (ValidationError) when calling the DescribeStacks operation: "
        "Stack with id absent does not exist"
    )


def test_an_object_arrives_as_it_does_through_the_port(cloud: Cloud) -> None:
    root = cloud.root(ACCOUNT, REGION)
    inside_s3, s3 = root.client("s3"), through_the_port(root)
    s3.create_bucket(Bucket="sagemaker-objects")
    s3.put_object(Bucket="sagemaker-objects", Key="a b/é+%.txt", Body=b"1234", Metadata={"my_key": "v"})
    place = {"Bucket": "sagemaker-objects", "Key": "a b/é+%.txt"}
    for operation in ("head_object", "get_object"):
        found, wanted = getattr(inside_s3, operation)(**place), getattr(s3, operation)(**place)
        bodies = [answer.pop("Body").read() for answer in (found, wanted) if "Body" in answer]
        assert bodies in ([], [b"1234", b"1234"])
        for answer in (found, wanted):
            answer.pop("ResponseMetadata")
        assert found == wanted
    assert inside_s3.get_object(**place, Range="bytes=1-2")["Body"].read() == b"23"


def test_an_object_that_is_missing_is_refused_as_through_the_port(cloud: Cloud) -> None:
    root = cloud.root(ACCOUNT, REGION)
    inside_s3, s3 = root.client("s3"), through_the_port(root)
    s3.create_bucket(Bucket="sagemaker-objects")
    for operation in ("head_object", "get_object"):
        seen = []
        for client in (inside_s3, s3):
            with pytest.raises(ClientError) as refused:
                getattr(client, operation)(Bucket="sagemaker-objects", Key="absent")
            seen.append((str(refused.value), refused.value.response["Error"], type(refused.value).__name__))
        assert seen[0] == seen[1]


def through_the_port(session: Session, service: str = "s3", region: str = REGION) -> Any:
    """A client as any program has it."""
    environment, known = session.environment(), boto3.session.Session()
    return known.client(
        service,  # type: ignore[call-overload]  # any of them
        region_name=region,
        endpoint_url=environment["AWS_ENDPOINT_URL"],
        aws_access_key_id=environment["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=environment["AWS_SECRET_ACCESS_KEY"],
        aws_session_token=environment["AWS_SESSION_TOKEN"],
    )


def test_an_expired_session_is_refused(cloud: Cloud) -> None:
    issued = cloud.issue(Principal("root", ACCOUNT, f"arn:aws:iam::{ACCOUNT}:root"), seconds=-1)
    session = Session(cloud, issued, REGION)
    with pytest.raises(ClientError, match=r"\(ExpiredTokenException\).*token included in the request is expired"):
        session.client("sagemaker").list_models()
    for client in (session.client("s3"), through_the_port(session)):
        with pytest.raises(ClientError, match=r"\(ExpiredToken\).*The provided token has expired"):
            client.list_buckets()


@pytest.mark.parametrize("operation", ["head_object", "get_object"])
@pytest.mark.parametrize("special", ["plain", "checksum", "versioned", "encrypted", "tagged", "multipart", "deleted"])
def test_every_kind_of_object_arrives_as_it_does_through_the_port(cloud: Cloud, operation: str, special: str) -> None:
    root = cloud.root(ACCOUNT, REGION)
    inside_s3, s3 = root.client("s3"), through_the_port(root)
    place: dict[str, Any] = {"Bucket": "sagemaker-kinds", "Key": "k"}
    s3.create_bucket(Bucket="sagemaker-kinds")
    if special in {"versioned", "deleted"}:
        s3.put_bucket_versioning(Bucket="sagemaker-kinds", VersioningConfiguration={"Status": "Enabled"})
    more: dict[str, dict[str, Any]] = {
        "checksum": {"ChecksumAlgorithm": "SHA256"},
        "encrypted": {"ServerSideEncryption": "aws:kms"},
        "tagged": {"Tagging": "a=b&c=d", "ContentType": "text/plain", "CacheControl": "no-store"},
    }
    if special == "multipart":
        upload = {**place, "UploadId": s3.create_multipart_upload(**place)["UploadId"]}
        part = s3.upload_part(**upload, PartNumber=1, Body=b"1234")
        s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]})
    else:
        s3.put_object(**place, Body=b"1234", **more.get(special, {}))
    if special == "deleted":
        s3.delete_object(**place)
    answers: list[Any] = []
    for client in (inside_s3, s3):
        try:
            found = getattr(client, operation)(**place, ChecksumMode="ENABLED")
            answers.append({**found, "Body": found["Body"].read() if "Body" in found else b"", "ResponseMetadata": 0})
        except ClientError as refused:
            answers.append((str(refused), refused.response["Error"]))
    assert answers[0] == answers[1]


def test_frequent_requests_are_answered_as_through_the_port(cloud: Cloud) -> None:
    """moto answers these from values within the process, and from text at the port."""
    root = cloud.root(ACCOUNT, REGION)
    seen: list[list[Any]] = []
    for number, region in enumerate((REGION, "eu-west-1")):
        logs, cloudwatch = (
            through_the_port(root, service, region) if number else root.client(service, region)
            for service in ("logs", "cloudwatch")
        )
        alarm: dict[str, Any] = {"AlarmName": "a", "Namespace": "n", "MetricName": "m", "Period": 60,
                 "EvaluationPeriods": 1, "Threshold": 0.5, "ComparisonOperator": "GreaterThanThreshold",
                 "Statistic": "Sum", "Dimensions": [{"Name": "d", "Value": "v"}],
                 "Tags": [{"Key": "k", "Value": "v"}]}  # fmt: skip
        group = {"logGroupName": "/g"}
        stream = {**group, "logStreamName": "s"}
        event = {"timestamp": 1_764_000_000_000, "message": "é\n"}
        asked: list[tuple[Any, dict[str, Any]]] = [
            (cloudwatch.describe_alarms, {"AlarmNames": ["a"]}),
            (cloudwatch.put_metric_alarm, alarm),
            (cloudwatch.put_metric_alarm, {**alarm, "AlarmName": "b", "Statistic": "Total"}),
            (cloudwatch.describe_alarms, {"AlarmNames": ["a"]}),
            (logs.create_log_stream, stream),
            (logs.create_log_group, {**group, "tags": {"k": "v"}}),
            (logs.create_log_group, group),
            (logs.create_log_stream, stream),
            (logs.describe_log_streams, group),
            (logs.put_log_events, {**stream, "logEvents": [event]}),
            (logs.put_log_events, {**group, "logStreamName": "absent", "logEvents": [event]}),
            (logs.describe_log_streams, {"logGroupName": "absent"}),
        ]
        seen.append([outcome(method, given) for method, given in asked])
    assert seen[0] == seen[1]
    assert [len(answer.get("MetricAlarms", ())) for answer in seen[0] if isinstance(answer, dict)][:3] == [0, 0, 1]


def outcome(method: Any, given: dict[str, Any]) -> Any:
    """What a request gave, without what differs by moment and region."""
    try:
        found = {k: v for k, v in method(**given).items() if k not in {"ResponseMetadata", "nextSequenceToken"}}
    except ClientError as refused:
        return str(refused), refused.response["Error"]["Code"], type(refused).__name__
    different = {"AlarmArn", "AlarmConfigurationUpdatedTimestamp", "StateUpdatedTimestamp", "creationTime", "arn",
                 "StateTransitionedTimestamp", "uploadSequenceToken", "StateReasonData"}  # fmt: skip
    return {
        name: [{k: v for k, v in item.items() if k not in different} for item in value]
        if isinstance(value, list) and value and isinstance(value[0], dict)
        else value
        for name, value in found.items()
    }


def test_a_browser_reads_what_the_bucket_allows_its_page(cloud: Cloud) -> None:
    s3 = through_the_port(cloud.root(ACCOUNT, REGION))
    s3.create_bucket(Bucket="sagemaker-page")
    rule = {"AllowedMethods": ["GET"], "AllowedOrigins": ["https://studio.example"]}
    s3.put_bucket_cors(Bucket="sagemaker-page", CORSConfiguration={"CORSRules": [rule]})
    s3.put_object(Bucket="sagemaker-page", Key="k", Body=b"1")
    url = s3.generate_presigned_url("get_object", Params={"Bucket": "sagemaker-page", "Key": "k"})
    with urlopen(Request(url, headers={"Origin": "https://studio.example"})) as answer:
        assert answer.headers["Access-Control-Allow-Origin"] == "https://studio.example"
