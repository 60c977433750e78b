"""Requests that AWS refuses for reasons that the API's model does not state."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from scripts.rehearsal.embedded import embedded_aws
from tests.support.corrections_world import World, refusal

BUCKET, OBJECT = {"Bucket": "strict-requests"}, {"Bucket": "strict-requests", "Key": "k"}
COPY = {"Bucket": "strict-requests", "Key": "c", "CopySource": "strict-requests/k"}
TOPIC = "arn:aws:sns:us-east-1:111111111111:strict"
QUEUE, FIFO = (f"https://sqs.us-east-1.amazonaws.com/111111111111/{name}" for name in ("strict", "strict.fifo"))
TEN = {f"a{number}": {"DataType": "String", "StringValue": "x"} for number in range(11)}
EMPTY = {"a": {"DataType": "String", "StringValue": ""}}
TAGS = [{"TagKey": f"k{number}", "TagValue": "v"} for number in range(51)]
NO_KEY = "11111111-1111-1111-1111-111111111111"
BELOW = {"Bucket": "with-acls"}  # whose owner lets ACLs be
TABLE = "arn:aws:dynamodb:us-east-1:111111111111:table/strict"
ENTRIES = [{"Key": f"k{number}"} for number in range(1_001)]


def lifecycle(*ids: str) -> dict[str, Any]:
    rules = [{"ID": id, "Status": "Enabled", "Filter": {"Prefix": ""}, "Expiration": {"Days": 3}} for id in ids]
    return {**BUCKET, "LifecycleConfiguration": {"Rules": rules}}


def cors(origin: str) -> dict[str, Any]:
    return {**BUCKET, "CORSConfiguration": {"CORSRules": [{"AllowedMethods": ["GET"], "AllowedOrigins": [origin]}]}}


def metric(**datum: Any) -> dict[str, Any]:
    return {"Namespace": "n", "MetricData": [{"MetricName": "m", **datum}]}


def redrive(target: str, most: int) -> dict[str, Any]:
    policy = {"deadLetterTargetArn": f"arn:aws:sqs:us-east-1:111111111111:{target}", "maxReceiveCount": most}
    return {"QueueUrl": QUEUE, "Attributes": {"RedrivePolicy": json.dumps(policy)}}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with embedded_aws(tmp_path_factory.mktemp("strict") / "rehearsal") as running:
        made = World(running)
        made.client("s3").create_bucket(**BUCKET)
        made.client("s3").put_object(**OBJECT, Body=b"x")
        made.client("s3").create_bucket(**BELOW, ObjectOwnership="ObjectWriter")
        made.client("s3").put_object(**BELOW, Key="k", Body=b"x")
        made.client("secretsmanager").create_secret(Name="strict", SecretString="x")
        made.client("logs").create_log_group(logGroupName="strict")
        made.client("logs").create_log_stream(logGroupName="strict", logStreamName="s")
        made.client("sns").create_topic(Name="strict")
        made.client("sqs").create_queue(QueueName="strict")
        made.client("sqs").create_queue(QueueName="strict.fifo", Attributes={"FifoQueue": "true"})
        arn = "arn:aws:sqs:us-east-1:111111111111:strict"
        made.client("sns").subscribe(TopicArn=TOPIC, Protocol="sqs", Endpoint=arn)
        yield made
        assert not running.faults


# The page of each operation in the service's API Reference, and S3's "Error responses".
REFUSED: list[tuple[str, str, dict[str, Any], str]] = [
    ("s3", "create_bucket", {"Bucket": "b-1", "CreateBucketConfiguration": {"LocationConstraint": "us-east-1"}},
     "InvalidLocationConstraint"),
    ("s3", "complete_multipart_upload", {**OBJECT, "UploadId": "none"}, "NoSuchUpload"),
    ("s3", "copy_object", {**COPY, "CopySourceIfMatch": '"x"'}, "PreconditionFailed"),
    ("s3", "copy_object", {**COPY, "CopySourceIfModifiedSince": "2126-01-01T00:00:00Z"}, "PreconditionFailed"),
    ("s3", "copy_object", {**COPY, "CopySourceIfUnmodifiedSince": "2016-01-01T00:00:00Z"}, "PreconditionFailed"),
    ("s3", "copy_object", {**COPY, "CopySourceIfNoneMatch": '"x"'}, ""),
    ("s3", "delete_objects", {**BUCKET, "Delete": {"Objects": ENTRIES}}, "MalformedXML"),
    ("s3", "list_objects_v2", {**BUCKET, "MaxKeys": -1}, "InvalidArgument"),
    ("s3", "put_bucket_cors", cors("https://*.*.com"), "InvalidRequest"),
    ("s3", "put_bucket_cors", cors("https://*.example.com"), ""),
    ("s3", "put_bucket_lifecycle_configuration", lifecycle("a", "a"), "InvalidArgument"),
    ("s3", "put_bucket_lifecycle_configuration", lifecycle("a", "b"), ""),
    ("s3", "put_object", {**OBJECT, "Metadata": {"a": "x" * 2_048}}, "MetadataTooLarge"),
    ("logs", "create_log_stream", {"logGroupName": "strict", "logStreamName": "s"}, "ResourceAlreadyExistsException"),
    ("logs", "filter_log_events", {"logGroupName": "strict", "logStreamNames": ["s"], "logStreamNamePrefix": "s"},
     "InvalidParameterException"),
    ("logs", "get_log_events", {"logGroupName": "strict", "logStreamName": "none"}, "ResourceNotFoundException"),
    ("logs", "put_metric_filter", {"logGroupName": "strict", "filterName": "f", "filterPattern": "",
     "metricTransformations": [{"metricName": "m", "metricNamespace": "n", "metricValue": "1"}]}, "NotSupported"),
    ("logs", "filter_log_events", {"logGroupName": "strict", "filterPattern": "{ $.a = 1 }"}, "NotSupported"),
    ("logs", "filter_log_events", {"logGroupName": "strict", "filterPattern": "?a b"}, "NotSupported"),
    ("logs", "filter_log_events", {"logGroupName": "strict", "filterPattern": '"a'}, "InvalidParameterException"),
    ("logs", "create_log_group", {"logGroupName": "k", "kmsKeyId": f"arn:aws:kms:us-east-1:111111111111:key/{NO_KEY}"},
     "InvalidParameterException"),
    ("logs", "start_query", {"logGroupName": "strict", "startTime": 0, "endTime": 1, "queryString": "limit 1"},
     "NotSupported"),
    ("s3", "put_bucket_replication", {**BUCKET, "ReplicationConfiguration": {"Role": "r", "Rules": []}},
     "NotSupported"),
    ("s3", "put_bucket_versioning",
     {**BUCKET, "VersioningConfiguration": {"Status": "Enabled", "MFADelete": "Enabled"}}, "NotSupported"),
    ("secretsmanager", "create_secret", {"Name": "s", "SecretString": "x", "KmsKeyId": "alias/none"},
     "EncryptionFailure"),
    ("cloudwatch", "put_metric_data", {"Namespace": "n"}, "MissingParameter"),
    ("cloudwatch", "put_metric_data", metric(), "MissingParameter"),
    ("cloudwatch", "put_metric_data", metric(Value=1, StorageResolution=5), "InvalidParameterValue"),
    ("cloudwatch", "put_metric_data", metric(Value=1, Timestamp=datetime(2020, 1, 1, tzinfo=UTC)),
     "InvalidParameterValue"),
    ("cloudwatch", "put_metric_data", metric(Value=1, Timestamp=datetime.now(UTC) + timedelta(hours=3)),
     "InvalidParameterValue"),
    ("cloudwatch", "put_metric_alarm", {"AlarmName": "a", "EvaluationPeriods": 1}, "ValidationError"),
    ("dynamodb", "describe_export", {"ExportArn": f"{TABLE}/export/01234567890123-abcdefgh"},
     "ExportNotFoundException"),
    ("dynamodb", "describe_import", {"ImportArn": f"{TABLE}/import/01234567890123-abcdefgh"},
     "ImportNotFoundException"),
    ("dynamodb", "create_table", {"TableName": "new"}, "ValidationException"),
    ("dynamodb", "create_table", {"TableName": "new", "GlobalTableSourceArn": TABLE}, "NotSupported"),
    ("dynamodb", "transact_write_items", {"TransactItems": [{}]}, "ValidationException"),
    ("dynamodb", "put_item", {"TableName": "t", "Item": {}, "ConditionExpression": "x"}, "ValidationException"),
    ("dynamodb", "scan", {"TableName": "t", "FilterExpression": "x"}, "ValidationException"),
    ("dynamodb", "scan", {"TableName": "t", "FilterExpression": "#a = :b"}, "ValidationException"),
    ("cloudformation", "update_stack_set", {"StackSetName": "x", "TemplateBody": "x"}, "ValidationError"),
    ("cloudwatch", "put_metric_data", {"Namespace": "n", "EntityMetricData": [{}]}, "NotSupported"),
    ("s3", "put_object", {**BELOW, "Key": "k", "GrantRead": "x"}, "InvalidArgument"),
    ("s3", "put_object", {**BELOW, "Key": "k", "GrantRead": 'id="1", uri=http://a'}, ""),
    ("s3", "get_object", {**OBJECT, "Range": "x"}, "NotSupported"),
    ("s3", "get_object", {**OBJECT, "Range": "bytes=-1"}, ""),
    ("s3", "delete_object_tagging", {**BUCKET, "Key": "none"}, "NoSuchKey"),
    ("secretsmanager", "batch_get_secret_value", {"Filters": [{}]}, "InvalidParameterException"),
    ("codecommit", "get_branch", {"repositoryName": "strict"}, "BranchNameRequiredException"),
    ("ecr", "create_repository",
     {"repositoryName": "strict", "encryptionConfiguration": {"encryptionType": "KMS", "kmsKey": NO_KEY}},
     "KmsException"),
    ("ecr", "put_registry_policy", {"policyText": "x"}, "InvalidParameterException"),
    ("kms", "revoke_grant", {"KeyId": NO_KEY, "GrantId": "g"}, "NotFoundException"),
    ("s3", "put_bucket_acl", BUCKET, "MissingSecurityHeader"),
    ("s3", "put_bucket_acl", BELOW, "MissingSecurityHeader"),
    ("s3", "put_bucket_acl", {**BELOW, "ACL": "private"}, ""),
    ("s3", "put_object_acl", {**BELOW, "Key": "k"}, "MissingSecurityHeader"),
    ("s3", "put_object_acl", {**BELOW, "Key": "k", "ACL": "private"}, ""),
    ("s3", "put_object_acl", {**BELOW, "Key": "k", "AccessControlPolicy": {"Grants": []}}, "NotSupported"),
    ("s3", "put_bucket_acl", {"Bucket": "no-such-bucket"}, "NoSuchBucket"),
    ("s3", "put_bucket_lifecycle_configuration", BUCKET, "MissingRequestBodyError"),
    ("s3", "put_bucket_lifecycle_configuration", {"Bucket": "no-such-bucket"}, "NoSuchBucket"),
    ("s3", "put_bucket_website", {**BUCKET, "WebsiteConfiguration": {"IndexDocument": {"Suffix": "index.html"}}},
     "NotSupported"),
    ("s3", "restore_object", OBJECT, "MissingRequestBodyError"),
    ("secretsmanager", "tag_resource", {"SecretId": "strict", "Tags": [{}]}, "InvalidParameterException"),
    ("secretsmanager", "create_secret", {"Name": "n", "Tags": [{"Value": "x"}]}, "InvalidParameterException"),
    ("secretsmanager", "replicate_secret_to_regions", {"SecretId": "strict", "AddReplicaRegions": [{}]},
     "InvalidParameterException"),
    ("sns", "delete_platform_application", {"PlatformApplicationArn": TOPIC}, "InvalidParameter"),
    ("sns", "delete_platform_application",
     {"PlatformApplicationArn": "arn:aws:sns:us-east-1:111111111111:app/GCM/none"}, ""),
    ("iam", "create_service_linked_role", {"AWSServiceName": "x"}, "InvalidInput"),
    ("ssm", "put_parameter", {"Name": "/a/", "Value": "x", "Type": "String"}, "ValidationException"),
    ("ssm", "put_parameter", {"Name": "/a" * 16, "Value": "x", "Type": "String"},
     "HierarchyLevelLimitExceededException"),
    ("ssm", "get_parameters_by_path", {"Path": "a/b"}, "ValidationException"),
    ("kms", "create_key", {"Tags": TAGS}, "LimitExceededException"),
    ("kms", "create_key", {"Tags": TAGS[:1] * 2}, "TagException"),
    ("kms", "retire_grant", {"GrantToken": "none"}, "NotFoundException"),
    ("sns", "publish", {"Message": "m"}, "InvalidParameter"),
    ("sns", "publish", {"Message": "m", "TopicArn": TOPIC, "Subject": "a\nb"}, "InvalidParameter"),
    ("sns", "publish_batch", {"TopicArn": TOPIC, "PublishBatchRequestEntries": []}, "EmptyBatchRequest"),
    ("sns", "set_topic_attributes", {"TopicArn": TOPIC, "AttributeName": "DisplayName", "AttributeValue": "x" * 101},
     "InvalidParameter"),
    ("sns", "subscribe", {"TopicArn": TOPIC, "Protocol": "sqs", "Attributes": {"RawMessageDelivery": "true"},
     "Endpoint": "arn:aws:sqs:us-east-1:111111111111:strict"}, "InvalidParameter"),
    ("sns", "subscribe", {"TopicArn": TOPIC, "Protocol": "sqs", "Attributes": {"FilterPolicyScope": "All"},
     "Endpoint": "arn:aws:sqs:us-east-1:111111111111:other"}, "InvalidParameter"),
    ("sns", "unsubscribe", {"SubscriptionArn": "none"}, "InvalidParameter"),
    ("sqs", "create_queue", {"QueueName": "q", "Attributes": {"FifoQueue": "false"}}, "InvalidAttributeName"),
    ("sqs", "list_queues", {"MaxResults": 1_001}, "InvalidParameterValue"),
    ("sqs", "send_message", {"QueueUrl": QUEUE, "MessageBody": "\x01"}, "InvalidMessageContents"),
    ("sqs", "send_message", {"QueueUrl": QUEUE, "MessageBody": "x", "MessageAttributes": TEN}, "InvalidParameterValue"),
    ("sqs", "send_message", {"QueueUrl": QUEUE, "MessageBody": "x", "MessageAttributes": EMPTY},
     "InvalidParameterValue"),
    ("sqs", "send_message", {"QueueUrl": QUEUE, "MessageBody": "x", "MessageDeduplicationId": "d"},
     "InvalidParameterValue"),
    ("sqs", "set_queue_attributes", {"QueueUrl": FIFO, "Attributes": {"FifoQueue": "false"}}, "InvalidAttributeValue"),
    ("sqs", "set_queue_attributes", {"QueueUrl": QUEUE, "Attributes": {"ContentBasedDeduplication": "true"}},
     "InvalidAttributeName"),
    ("sqs", "set_queue_attributes", redrive("strict.fifo", 3), "InvalidParameterValue"),
    ("sqs", "set_queue_attributes", redrive("strict", 1_001), "InvalidParameterValue"),
]  # fmt: skip


@pytest.mark.parametrize(("service", "operation", "given", "code"), REFUSED)
def test_a_request_is_refused_as_on_aws(
    world: World, service: str, operation: str, given: dict[str, Any], code: str
) -> None:
    assert refusal(lambda: getattr(world.client(service), operation)(**given)) == code


def test_keys_are_used_with_their_own_algorithms_and_in_their_own_region(world: World) -> None:
    """KMS API Reference, Sign, GenerateMac (InvalidKeyUsageException), ReplicateKey (UnsupportedOperationException)."""
    kms = world.client("kms")
    signs = kms.create_key(KeySpec="RSA_2048", KeyUsage="SIGN_VERIFY")["KeyMetadata"]["KeyId"]
    mac = kms.create_key(KeySpec="HMAC_256", KeyUsage="GENERATE_VERIFY_MAC")["KeyMetadata"]["KeyId"]
    asked: dict[str, Callable[[], Any]] = {
        "InvalidKeyUsageException": lambda: kms.sign(KeyId=signs, Message=b"x", SigningAlgorithm="ECDSA_SHA_256"),
        "InvalidKeyUsageException ": lambda: kms.generate_mac(KeyId=mac, Message=b"x", MacAlgorithm="HMAC_SHA_512"),
        "UnsupportedOperationException": lambda: kms.replicate_key(KeyId=signs, ReplicaRegion="us-west-2"),
        "": lambda: kms.generate_mac(KeyId=mac, Message=b"x", MacAlgorithm="HMAC_SHA_256"),
    }
    assert {code: refusal(ask) for code, ask in asked.items()} == {code: code.strip() for code in asked}


def test_a_key_that_cannot_be_used_stops_those_who_use_it_for_their_callers(world: World) -> None:
    """The "Errors" of each operation in the API Reference of SQS, SNS and Secrets Manager."""
    kms, sqs, sns, secrets = (world.client(name) for name in ("kms", "sqs", "sns", "secretsmanager"))
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    queue = sqs.create_queue(QueueName="of-a-key", Attributes={"KmsMasterKeyId": key})["QueueUrl"]
    topic = sns.create_topic(Name="of-a-key", Attributes={"KmsMasterKeyId": key})["TopicArn"]
    secret = {"SecretId": secrets.create_secret(Name="of-a-key", SecretString="x", KmsKeyId=key)["ARN"]}
    asked: list[Callable[[], Any]] = [
        lambda: sqs.send_message(QueueUrl=queue, MessageBody="x"),
        lambda: sqs.receive_message(QueueUrl=queue),
        lambda: sns.publish(TopicArn=topic, Message="x"),
        lambda: secrets.put_secret_value(**secret, SecretString="y"),
        lambda: secrets.get_secret_value(**secret),
    ]
    assert [refusal(ask) for ask in asked] == [""] * 5
    kms.disable_key(KeyId=key)
    failures = ["EncryptionFailure", "DecryptionFailure"]
    assert [refusal(ask) for ask in asked] == ["KmsDisabled", "KmsDisabled", "KMSDisabled", *failures]
    kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)
    assert [refusal(ask) for ask in asked] == ["KmsInvalidState", "KmsInvalidState", "KMSInvalidState", *failures]


def test_nothing_but_its_restoring_is_done_to_a_deleted_secret(world: World) -> None:
    secrets = world.client("secretsmanager")
    secret = {"SecretId": secrets.create_secret(Name="gone", SecretString="x")["ARN"]}
    secrets.delete_secret(**secret)
    asked: list[Callable[[], Any]] = [
        lambda: secrets.put_secret_value(**secret, SecretString="y"),
        lambda: secrets.update_secret(**secret, SecretString="y"),
        lambda: secrets.rotate_secret(**secret),
        lambda: secrets.tag_resource(**secret, Tags=[{"Key": "a", "Value": "b"}]),
        lambda: secrets.get_resource_policy(**secret),
        lambda: secrets.get_secret_value(**secret),
    ]
    assert [refusal(ask) for ask in asked] == ["InvalidRequestException"] * len(asked)
    secrets.restore_secret(**secret)
    assert refusal(asked[0]) == ""


def test_what_a_log_stream_does_not_take_is_named_by_index(world: World) -> None:
    """CloudWatch Logs API Reference, RejectedLogEventsInfo: the end of what is too old is exclusive, the start of what
    is too new inclusive; moto gives the last index of both."""
    logs, now = world.client("logs"), datetime.now(UTC)
    times = [now + timedelta(days=days) for days in (-20, -15, 0, 1, 2)]
    events = [{"timestamp": int(time.timestamp() * 1000), "message": "m"} for time in times]
    found = logs.put_log_events(logGroupName="strict", logStreamName="s", logEvents=events)
    assert found["rejectedLogEventsInfo"] == {"tooOldLogEventEndIndex": 2, "tooNewLogEventStartIndex": 3}
    taken = logs.put_log_events(logGroupName="strict", logStreamName="s", logEvents=events[2:3])
    assert "rejectedLogEventsInfo" not in taken


def test_a_filter_finds_what_its_terms_say(world: World) -> None:
    """CloudWatch Logs User Guide, "Filter pattern syntax"."""
    logs, now = world.client("logs"), int(datetime.now(UTC).timestamp() * 1000)
    logs.create_log_group(logGroupName="terms")
    logs.create_log_stream(logGroupName="terms", logStreamName="s")
    messages = ["ERROR one", "WARN two", "fine"]
    events = [{"timestamp": now, "message": message} for message in messages]
    logs.put_log_events(logGroupName="terms", logStreamName="s", logEvents=events)

    def found(pattern: str) -> list[str]:
        answer = logs.filter_log_events(logGroupName="terms", filterPattern=pattern)
        return [event["message"] for event in answer["events"]]

    assert found("") == messages
    assert found("ERROR") == found("one ERROR") == found('"ERROR one"') == messages[:1]
    assert found('"one ERROR"') == found("error") == found("ERROR WARN") == found("ERROR -one") == []
    assert found("-ERROR") == messages[1:]
    assert found("?ERROR ?WARN") == messages[:2]
