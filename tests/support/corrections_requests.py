"""What a user asks of IAM, KMS, SNS, SQS and S3 that is no good request, and AWS's answer."""

from __future__ import annotations

import json
from typing import Any

from localaws.services.s3 import destinations
from tests.support.authorization import allow, session
from tests.support.corrections_world import A, World, allowing, answer, probe, refusal, trusting_role


@probe("root-user", ({"Arn", "CreateDate", "UserId"}, f"arn:aws:iam::{A}:root", A))
def _(world: World) -> Any:
    user = world.client("iam").get_user()["User"]
    return set(user), user["Arn"], user["UserId"]


@probe("address-of-a-provider", ["InvalidInput", "", "Provider with url https://one.example.com already exists."])
def _(world: World) -> Any:
    iam = world.client("iam")
    found = [
        refusal(lambda: iam.create_open_id_connect_provider(Url="http://two.example.com")),
        refusal(lambda: iam.create_open_id_connect_provider(Url="https://one.example.com")),
    ]
    try:
        iam.create_open_id_connect_provider(Url="https://one.example.com")
    except iam.exceptions.EntityAlreadyExistsException as error:
        return [*found, error.response["Error"]["Message"]]


WRONG_USE = [
    "ValidationException", "ValidationException", "InvalidKeyUsageException", "UnsupportedOperationException",
    "UnsupportedOperationException",
]  # fmt: skip


@probe("usage-of-a-key", WRONG_USE)
def _(world: World) -> Any:
    kms, key = world.client("kms"), world.key()
    signs = kms.create_key(KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")["KeyMetadata"]["KeyId"]
    return [
        refusal(lambda: kms.create_key(KeyUsage="SIGN_VERIFY")),
        refusal(lambda: kms.create_key(KeySpec="RSA_2048")),
        refusal(lambda: kms.encrypt(KeyId=signs, Plaintext=b"x")),
        refusal(lambda: kms.get_public_key(KeyId=key)),
        refusal(lambda: kms.enable_key_rotation(KeyId=signs)),
    ]


@probe("grantee", ["InvalidArnException", "ValidationException", ""])
def _(world: World) -> Any:
    kms, key, role = world.client("kms"), world.key(), trusting_role(world, world.name("grantee"))
    to = f"arn:aws:iam::{A}:role/{role}"

    def grant(operations: list[str], grantee: str = to) -> str:
        return refusal(lambda: kms.create_grant(KeyId=key, GranteePrincipal=grantee, Operations=operations))

    return [grant(["Decrypt"], f"{to}-none"), grant(["Sign"]), grant(["Decrypt", "ReEncryptFrom", "RetireGrant"])]


@probe("grants", [True, f"arn:aws:iam::{A}:root", True, []])
def _(world: World) -> Any:
    kms, key, role = world.client("kms"), world.key(), trusting_role(world, world.name("grantee"))
    kms.create_grant(KeyId=key, GranteePrincipal=f"arn:aws:iam::{A}:role/{role}", Operations=["Decrypt"])
    grant = kms.list_grants(KeyId=key)["Grants"][0]
    others = kms.list_grants(KeyId=key, GranteePrincipal=f"arn:aws:iam::{A}:root")["Grants"]
    return [grant["KeyId"] == key, grant.get("IssuingAccount"), "CreationDate" in grant, others]


@probe("topic-twice", ["InvalidParameter", "InvalidParameter", "", ""])
def _(world: World) -> Any:
    sns, topic = world.client("sns"), {"Name": world.name("topic")}
    sns.create_topic(**topic, Tags=[{"Key": "a", "Value": "1"}], Attributes={"DisplayName": "x"})
    return [
        refusal(lambda: sns.create_topic(**topic, Tags=[{"Key": "a", "Value": "2"}])),
        refusal(lambda: sns.create_topic(**topic, Attributes={"DisplayName": "y"})),
        refusal(lambda: sns.create_topic(**topic, Tags=[{"Key": "a", "Value": "1"}])),
        refusal(lambda: sns.create_topic(**topic)),
    ]


@probe("dead-letters-to-nothing", ["InvalidParameterValue"] * 2)
def _(world: World) -> Any:
    sqs, target = world.client("sqs"), f"arn:aws:sqs:us-east-1:{A}:{world.name('none')}"
    url = sqs.create_queue(QueueName=world.name("queue"))["QueueUrl"]
    redrive = {"RedrivePolicy": json.dumps({"deadLetterTargetArn": target, "maxReceiveCount": 3})}
    return [
        refusal(lambda: sqs.set_queue_attributes(QueueUrl=url, Attributes=redrive)),
        refusal(lambda: sqs.create_queue(QueueName=world.name("other"), Attributes=redrive)),
    ]


@probe("sender", [A, True])
def _(world: World) -> Any:
    url = world.client("sqs").create_queue(QueueName=world.name("queue"))["QueueUrl"]
    by = session(world.cloud, world.name("sender"), allow("sqs:SendMessage"))
    for client in (world.client("sqs"), by.client("sqs")):
        client.send_message(QueueUrl=url, MessageBody="x")
    asked = {"QueueUrl": url, "AttributeNames": ["SenderId"], "MaxNumberOfMessages": 10}
    found = [one["Attributes"]["SenderId"] for one in world.client("sqs").receive_message(**asked)["Messages"]]
    return [found[0], found[1].startswith("AROA") and found[1].endswith(":work")]


@probe("destination-of-events", ["InvalidArgument", "InvalidArgument", "", "s3:TestEvent"])
def _(world: World) -> Any:
    s3, sqs, bucket = world.client("s3"), world.client("sqs"), world.bucket()
    arn = f"arn:aws:sqs:us-east-1:{A}:{world.name('events')}"
    queues = {"QueueConfigurations": [{"QueueArn": arn, "Events": ["s3:ObjectCreated:*"]}]}

    def put() -> str:
        return refusal(
            lambda: s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration=queues)
        )

    missing = put()
    url = sqs.create_queue(QueueName=world.name("events"))["QueueUrl"]
    closed = put()
    policy = json.loads(allowing(A, action="sqs:SendMessage", resource=arn))
    policy["Statement"][0]["Principal"] = {"Service": destinations.PRINCIPAL}
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": json.dumps(policy)})
    taken = put()
    messages = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", [])
    return [missing, closed, taken, *(json.loads(message["Body"])["Event"] for message in messages)]


@probe("order-of-parts", "InvalidPartOrder")
def _(world: World) -> Any:
    s3, key = world.client("s3"), {"Bucket": world.bucket(), "Key": "k"}
    upload = key | {"UploadId": s3.create_multipart_upload(**key)["UploadId"]}
    parts = [
        {"PartNumber": number, "ETag": s3.upload_part(**upload, PartNumber=number, Body=b"x")["ETag"]}
        for number in (2, 1)
    ]
    return refusal(lambda: s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts}))


@probe("copy-to-itself", ["InvalidRequest", "", ""])
def _(world: World) -> Any:
    s3, bucket = world.client("s3"), world.bucket()
    rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}
    s3.put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration={"Rules": [rule]})
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    copy = {"Bucket": bucket, "Key": "k", "CopySource": f"{bucket}/k"}
    return [
        refusal(lambda: s3.copy_object(**copy)),
        refusal(lambda: s3.copy_object(**copy, MetadataDirective="REPLACE")),
        refusal(lambda: s3.copy_object(**copy | {"Key": "other"})),
    ]


@probe("key-of-s3", (True, True))
def _(world: World) -> Any:
    s3, at = world.client("s3"), {"Bucket": world.bucket(), "Key": "k"}
    put = s3.put_object(**at, Body=b"x", ServerSideEncryption="aws:kms").get("SSEKMSKeyId")
    own = world.client("kms").describe_key(KeyId="alias/aws/s3")["KeyMetadata"]["Arn"]
    return put == own, s3.head_object(**at).get("SSEKMSKeyId") == own


@probe("no-tags", [])
def _(world: World) -> Any:
    s3, at = world.client("s3"), {"Bucket": world.bucket(), "Key": "k"}
    s3.put_object(**at, Body=b"x", Tagging="a=1")
    answer(lambda: s3.put_object_tagging(**at, Tagging={"TagSet": []}))
    return s3.get_object_tagging(**at)["TagSet"]
