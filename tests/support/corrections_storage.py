"""What a user asks of KMS, S3, Secrets Manager, SNS, SQS and ECR, and AWS's answer."""

from __future__ import annotations

import base64
import json
from typing import Any

from botocore.exceptions import ClientError

from tests.support.corrections_world import BOGUS, A, B, World, allowing, answer, identifier, probe, refusal
from tests.support.queues import bodies, open_to


@probe("key-by-arn", "")
def _(world: World) -> Any:
    return refusal(lambda: world.client("kms").disable_key(KeyId=world.key()))


@probe("disabled-key", ["DisabledException"] * 3)
def _(world: World) -> Any:
    client, key = world.client("kms"), world.key()
    cipher = client.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
    client.disable_key(KeyId=identifier(key))
    return [
        refusal(lambda: client.encrypt(KeyId=key, Plaintext=b"x")),
        refusal(lambda: client.decrypt(CiphertextBlob=cipher)),
        refusal(lambda: client.generate_data_key(KeyId=key, KeySpec="AES_256")),
    ]


@probe("dying-key", ["KMSInvalidStateException"] * 2)
def _(world: World) -> Any:
    client, key = world.client("kms"), world.key()
    client.schedule_key_deletion(KeyId=identifier(key), PendingWindowInDays=7)
    return [
        refusal(lambda: client.enable_key(KeyId=identifier(key))),
        refusal(lambda: client.encrypt(KeyId=key, Plaintext=b"x")),
    ]


@probe("policy-of-a-key", "default")
def _(world: World) -> Any:
    return answer(lambda: world.client("kms").get_key_policy(KeyId=world.key())["PolicyName"])


@probe("new-policy-of-a-key", ("", "NotFoundException"))
def _(world: World) -> Any:
    client, new = world.client("kms"), {"KeyId": world.key(), "Policy": allowing(A)}
    return refusal(lambda: client.put_key_policy(**new)), refusal(lambda: client.put_key_policy(**new, PolicyName="b"))


@probe("metadata-of-a-key", ("ENCRYPT_DECRYPT", False, None))
def _(world: World) -> Any:
    shown = world.client("kms").describe_key(KeyId=world.key())["KeyMetadata"]
    return tuple(shown.get(name) for name in ("KeyUsage", "MultiRegion", "SigningAlgorithms"))


@probe("key-across-accounts", (b"x", b"x", "NotFoundException"))
def _(world: World) -> Any:
    own, other, key = world.client("kms"), world.client("kms", B), world.key()
    own.put_key_policy(KeyId=key, PolicyName="default", Policy=allowing(A, B))

    def both() -> Any:
        cipher = other.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
        mine = world.client("kms", B).create_key()["KeyMetadata"]["Arn"]
        moved = other.re_encrypt(CiphertextBlob=cipher, DestinationKeyId=mine)["CiphertextBlob"]
        return other.decrypt(CiphertextBlob=cipher)["Plaintext"], other.decrypt(CiphertextBlob=moved)["Plaintext"]

    found = answer(both)
    return (*found, refusal(lambda: other.get_key_policy(KeyId=key))) if isinstance(found, tuple) else found


@probe("object-of-a-disabled-key", ["KMS.DisabledException"] * 2)
def _(world: World) -> Any:
    s3, bucket, key = world.client("s3"), world.bucket(), world.key()
    s3.put_object(Bucket=bucket, Key="k", Body=b"x", ServerSideEncryption="aws:kms", SSEKMSKeyId=key)
    world.client("kms").disable_key(KeyId=identifier(key))
    return [
        refusal(lambda: s3.get_object(Bucket=bucket, Key="k")),
        refusal(
            lambda: s3.copy_object(Bucket=bucket, Key="c", CopySource=f"{bucket}/k", ServerSideEncryption="AES256")
        ),
    ]


@probe("checksums", ["BadDigest"] * 3 + ["InvalidRequest"])
def _(world: World) -> Any:
    s3, bucket = world.client("s3"), world.bucket()

    def put(**given: Any) -> str:
        return refusal(lambda: s3.put_object(Bucket=bucket, Key="k", Body=b"123456789", **given))

    right = {
        "ChecksumCRC32C": "4waSgw==",
        "ChecksumCRC64NVME": "rosUhgp5mIg=",
        "ContentMD5": "JfnnlDI7RTiF9RgfG2JNCw==",
    }
    assert [put(**{name: value}) for name, value in right.items()] == ["", "", ""]
    wrong = base64.b64encode(bytes(32)).decode()
    md5 = base64.b64encode(bytes(16)).decode()
    return [put(ChecksumSHA256=wrong), put(ChecksumCRC32="AAAAAA=="), put(ContentMD5=md5), put(ChecksumSHA1=wrong)]


@probe("acls", ["AccessControlListNotSupported"] * 2 + ["InvalidBucketAclWithObjectOwnership", ""])
def _(world: World) -> Any:
    s3, bucket = world.client("s3"), world.bucket()
    return [
        refusal(lambda: s3.put_object(Bucket=bucket, Key="k", ACL="public-read")),
        refusal(lambda: s3.put_bucket_acl(Bucket=bucket, ACL="public-read")),
        refusal(lambda: s3.create_bucket(Bucket=world.name("public"), ACL="public-read")),
        refusal(lambda: s3.put_object(Bucket=bucket, Key="k", ACL="bucket-owner-full-control")),
    ]


@probe("default-encryption", "AES256")
def _(world: World) -> Any:
    s3, bucket = world.client("s3"), world.bucket()

    def read() -> Any:
        rules = s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]["Rules"]
        return rules[0]["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"]

    return answer(read)


@probe("pages-of-buckets", [1, 1, 1])
def _(world: World) -> Any:
    s3 = world.client("s3")
    for number in range(3):
        s3.create_bucket(Bucket=world.name(f"page{number}-of"))
    pages = s3.get_paginator("list_buckets").paginate(Prefix="page", PaginationConfig={"PageSize": 1})
    mine = [len([b for b in page["Buckets"] if b["Name"].endswith(f"-{world.number}")]) for page in pages]
    return [found for found in mine if found]


@probe("policy-of-anothers-bucket", "MethodNotAllowed")
def _(world: World) -> Any:
    bucket = world.bucket()
    policy = allowing(B, action="s3:*", resource=f"arn:aws:s3:::{bucket}")
    world.client("s3").put_bucket_policy(Bucket=bucket, Policy=policy)
    return refusal(lambda: world.client("s3", B).get_bucket_policy(Bucket=bucket))


@probe("events-of-a-bucket", {})
def _(world: World) -> Any:
    s3, bucket = world.client("s3"), world.bucket()
    bridge: dict[str, Any] = {"EventBridgeConfiguration": {}}
    s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration=bridge)
    return s3.get_bucket_notification_configuration(Bucket=bucket).get("EventBridgeConfiguration")


@probe("s3-tokens", "InvalidArgument")
def _(world: World) -> Any:
    bucket = world.bucket()
    world.client("s3").put_object(Bucket=bucket, Key="k")
    return refusal(lambda: world.client("s3").list_objects_v2(Bucket=bucket, ContinuationToken=BOGUS))


@probe("secret-across-accounts", "v")
def _(world: World) -> Any:
    own = world.client("secretsmanager")
    secret = own.create_secret(Name=world.name("s"), SecretString="v")["ARN"]
    own.put_resource_policy(SecretId=secret, ResourcePolicy=allowing(B))
    return answer(lambda: world.client("secretsmanager", B).get_secret_value(SecretId=secret)["SecretString"])


@probe("starting-key", "ValidationException")
def starting_key(world: World) -> Any:
    dynamodb, key = world.client("dynamodb"), {"AttributeName": "k"}
    dynamodb.create_table(
        TableName=world.name("table"),
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{**key, "AttributeType": "S"}],
        KeySchema=[{**key, "KeyType": "HASH"}],
    )
    dynamodb.scan(TableName=world.name("table"), ExclusiveStartKey={"k": {"S": "a"}})
    return refusal(lambda: dynamodb.scan(TableName=world.name("table"), ExclusiveStartKey={"k": {"N": "1"}}))


@probe("secret-tokens", "InvalidNextTokenException")
def _(world: World) -> Any:
    return refusal(lambda: world.client("secretsmanager").list_secrets(NextToken=BOGUS))


@probe("scheduled-secret", "InvalidRequestException")
def _(world: World) -> Any:
    client, secret = world.client("secretsmanager"), {"Name": world.name("s"), "SecretString": "v"}
    client.create_secret(**secret)
    client.delete_secret(SecretId=secret["Name"])
    return refusal(lambda: client.create_secret(**secret))


@probe("queue-that-is-gone", "")
def _(world: World) -> Any:
    """A queue that is there gets the message."""
    sns, sqs = world.client("sns"), world.client("sqs")
    topic = sns.create_topic(Name=world.name("t"))["TopicArn"]
    url, _ = open_to(sqs, world.name("there"), "sns.amazonaws.com", topic)
    for name in (world.name("gone"), world.name("there")):
        sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=f"arn:aws:sqs:us-east-1:{A}:{name}")
    refused = refusal(lambda: sns.publish(TopicArn=topic, Message="m"))
    return refused or ("" if bodies(sqs, url) else "lost")


@probe("queue-that-does-not-allow", ([], 1))
def _(world: World) -> Any:
    """The dead-letter queue of the subscription gets what the queue does not take."""
    sns, sqs = world.client("sns"), world.client("sqs")
    topic = sns.create_topic(Name=world.name("t"))["TopicArn"]
    closed, arn = open_to(sqs, world.name("closed"), "sns.amazonaws.com", f"{topic}-other")
    dead, dead_arn = open_to(sqs, world.name("dead"), "sns.amazonaws.com", topic)
    redrive = {"RedrivePolicy": json.dumps({"deadLetterTargetArn": dead_arn})}
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes=redrive)
    sns.publish(TopicArn=topic, Message="m")
    return bodies(sqs, closed), len(bodies(sqs, dead))


@probe("empty-message", "InvalidParameter")
def _(world: World) -> Any:
    sns = world.client("sns")
    topic = sns.create_topic(Name=world.name("t"))["TopicArn"]
    return refusal(lambda: sns.publish(TopicArn=topic, Message=""))


@probe("words-of-a-client", "Invalid parameter: Message too long")
def _(world: World) -> Any:
    sns = world.client("sns")
    topic = sns.create_topic(Name=world.name("t"))["TopicArn"]
    try:
        return sns.publish(TopicArn=topic, Message="m" * 300_000)
    except ClientError as error:
        return error.response["Error"]["Message"]


@probe("whole-seconds", True)
def _(world: World) -> Any:
    sqs, names = world.client("sqs"), ["CreatedTimestamp", "LastModifiedTimestamp"]
    url = sqs.create_queue(QueueName=world.name("q"))["QueueUrl"]
    shown = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
    return all(shown[name].isdecimal() for name in names)


@probe("managed-keys", ("AWS", True, "AccessDeniedException"))
def _(world: World) -> Any:
    kms = world.client("kms", world.number_as_account)

    def target() -> Any:
        listed = kms.list_aliases()["Aliases"]
        return next(one.get("TargetKeyId") for one in listed if one["AliasName"] == "alias/aws/s3")

    before = target()
    shown = kms.describe_key(KeyId="alias/aws/s3")["KeyMetadata"]
    made = (before, target()) == (None, shown["KeyId"])
    return shown["KeyManager"], made, refusal(lambda: kms.schedule_key_deletion(KeyId=shown["KeyId"]))


@probe("uploads-in-pages", ([["a", "b"], ["c"]], 1, ["d/"]))
def _(world: World) -> Any:
    s3, bucket = world.client("s3"), world.bucket()
    for key in ("a", "b", "c", "d/1", "d/2"):
        s3.create_multipart_upload(Bucket=bucket, Key=key)
    pages = s3.get_paginator("list_multipart_uploads").paginate(
        Bucket=bucket, Delimiter="/", PaginationConfig={"PageSize": 2}
    )
    found = [([one["Key"] for one in page["Uploads"]], page.get("CommonPrefixes", [])) for page in pages]
    first = s3.list_multipart_uploads(Bucket=bucket, MaxUploads=1)["Uploads"]
    return [keys for keys, _ in found], len(first), [one["Prefix"] for _, prefixes in found for one in prefixes]


@probe("every-export", [])
def _(world: World) -> Any:
    return answer(lambda: world.client("dynamodb").list_exports()["ExportSummaries"])


@probe("scanning-without-rules", [])
def _(world: World) -> Any:
    ecr = world.client("ecr", world.number_as_account)
    return answer(lambda: ecr.put_registry_scanning_configuration()["registryScanningConfiguration"]["rules"])


@probe("nothing-to-draw", "ValidationException")
def _(world: World) -> Any:
    return refusal(lambda: world.client("kms").generate_random())


@probe("name-of-a-queue", ["InvalidParameterValue"] * 2 + [""])
def _(world: World) -> Any:
    sqs, name = world.client("sqs"), world.name("q") + ".fifo"
    return [
        refusal(lambda: sqs.create_queue(QueueName=name)),
        refusal(lambda: sqs.create_queue(QueueName="a.b")),
        refusal(lambda: sqs.create_queue(QueueName=name, Attributes={"FifoQueue": "true"})),
    ]


@probe("pending-subscription", ("pending confirmation", "PendingConfirmation", ("1", "0")))
def _(world: World) -> Any:
    sns = world.client("sns")
    topic = sns.create_topic(Name=world.name("t"))["TopicArn"]
    made = sns.subscribe(TopicArn=topic, Protocol="email", Endpoint="a@example.com")["SubscriptionArn"]
    listed = sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"][0]["SubscriptionArn"]
    attributes = sns.get_topic_attributes(TopicArn=topic)["Attributes"]
    return made, listed, (attributes["SubscriptionsPending"], attributes["SubscriptionsConfirmed"])


@probe("sns-tokens", "InvalidParameter")
def _(world: World) -> Any:
    return refusal(lambda: world.client("sns").list_topics(NextToken=BOGUS))


@probe("queue-across-accounts", "hello")
def _(world: World) -> Any:
    attributes = {"Policy": allowing(B, action="sqs:*")}
    url = world.client("sqs").create_queue(QueueName=world.name("q"), Attributes=attributes)["QueueUrl"]
    other = world.client("sqs", B)

    def ask() -> Any:
        assert other.get_queue_url(QueueName=world.name("q"), QueueOwnerAWSAccountId=A)["QueueUrl"] == url
        other.send_message(QueueUrl=url, MessageBody="hello")
        return other.receive_message(QueueUrl=url)["Messages"][0]["Body"]

    return answer(ask)


@probe("repository-across-accounts", "rep")
def _(world: World) -> Any:
    own, name = world.client("ecr"), world.name("rep")
    own.create_repository(repositoryName=name)
    own.set_repository_policy(repositoryName=name, policyText=allowing(B, action="ecr:*", resource=None))
    ask = {"registryId": A, "repositoryNames": [name]}
    found = answer(lambda: world.client("ecr", B).describe_repositories(**ask)["repositories"][0]["repositoryName"])
    return found.removesuffix(f"-{world.number}")
