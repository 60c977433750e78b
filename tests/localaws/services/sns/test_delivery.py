"""What reaches a queue through a topic."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from localaws.cloud import Cloud
from tests.support.authorization import REGION, A, B, allow, check_refused, document, session
from tests.support.queues import bodies, open_to
from tests.support.roles import WRITE_LOGS, make_role
from tests.support.waiting import until
from tests.support.zips import zip_of

SNS = "sns.amazonaws.com"


def client(cloud: Cloud, service: str, account: str = A) -> Any:
    return cloud.root(account, REGION).client(service)


@pytest.fixture
def topic(cloud: Cloud) -> str:
    return str(client(cloud, "sns").create_topic(Name="news")["TopicArn"])


def test_a_queue_of_another_account_waits_until_the_subscription_is_confirmed(cloud: Cloud, topic: str) -> None:
    """SNS Developer Guide, "Sending Amazon SNS messages to an Amazon SQS queue in a different account"."""
    sns, theirs = client(cloud, "sns"), client(cloud, "sqs", B)
    url, queue = open_to(theirs, "theirs", SNS, topic)
    made = sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue)["SubscriptionArn"]
    assert made == "pending confirmation"
    sns.publish(TopicArn=topic, Message="early")
    [asked] = [json.loads(body) for body in bodies(theirs, url)]
    assert (asked["Type"], asked["TopicArn"]) == ("SubscriptionConfirmation", topic)
    sns.confirm_subscription(TopicArn=topic, Token=asked["Token"])
    sns.publish(TopicArn=topic, Message="late")
    assert [json.loads(body)["Message"] for body in bodies(theirs, url)] == ["late"]


def test_the_owner_of_a_queue_subscribes_it_to_anothers_topic(cloud: Cloud, topic: str) -> None:
    """The subscription is the subscriber's, and the topic's account sees it too. A raw message keeps its attributes."""
    sns, theirs = client(cloud, "sns"), client(cloud, "sqs", B)
    url, queue = open_to(theirs, "theirs", SNS, topic)
    by = client(cloud, "sns", B)
    subscription = {"TopicArn": topic, "Protocol": "sqs", "Endpoint": queue}
    raw = {"Attributes": {"RawMessageDelivery": "true"}}
    check_refused(lambda: by.subscribe(**subscription))
    policy = document(allow("sns:Subscribe", topic, Principal={"AWS": B}))
    sns.set_topic_attributes(TopicArn=topic, AttributeName="Policy", AttributeValue=policy)
    made = by.subscribe(**subscription, **raw)["SubscriptionArn"]
    assert [one["SubscriptionArn"] for one in by.list_subscriptions()["Subscriptions"]] == [made]
    assert [one["Owner"] for one in sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]] == [B]
    sns.publish(TopicArn=topic, Message="m", MessageAttributes={"a": {"DataType": "Binary", "BinaryValue": b"\0"}})
    [got] = theirs.receive_message(QueueUrl=url, MessageAttributeNames=["All"])["Messages"]
    assert (got["Body"], got["MessageAttributes"]["a"]["BinaryValue"]) == ("m", b"\0")


@pytest.mark.parametrize(("let_in", "delivered"), [(True, ["m"]), (False, [])])
def test_the_key_of_an_encrypted_queue_must_let_sns_use_it(
    cloud: Cloud, topic: str, let_in: bool, delivered: list[str]
) -> None:
    """SQS Developer Guide, "Key management" (event sources of AWS services)."""
    sns, sqs, kms = (client(cloud, name) for name in ("sns", "sqs", "kms"))
    service = allow(["kms:GenerateDataKey", "kms:Decrypt"], Principal={"Service": SNS})
    own = allow("kms:*", Principal={"AWS": A})
    key = kms.create_key(Policy=document(own, *([service] if let_in else [])))["KeyMetadata"]["KeyId"]
    url, queue = open_to(sqs, "closed", SNS, topic, KmsMasterKeyId=key)
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue)
    sns.publish(TopicArn=topic, Message="m")
    assert [json.loads(body)["Message"] for body in bodies(sqs, url)] == delivered
    poor = session(cloud, "poor", allow("sqs:*", "*")).client("sqs")
    with pytest.raises(ClientError, match="KmsAccessDenied"):
        poor.receive_message(QueueUrl=url)


def test_a_fifo_queue_gets_each_message_of_a_fifo_topic_once(cloud: Cloud) -> None:
    sns, sqs = client(cloud, "sns"), client(cloud, "sqs")
    fifo = {"FifoTopic": "true", "ContentBasedDeduplication": "true"}
    topic = sns.create_topic(Name="news.fifo", Attributes=fifo)["TopicArn"]
    url, queue = open_to(sqs, "news.fifo", SNS, topic, FifoQueue="true")
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue)
    for _ in range(2):
        sns.publish(TopicArn=topic, Message="m", MessageGroupId="g")
    assert len(bodies(sqs, url)) == 1


TELLER = """
import json

def handler(event, context):
    [record] = event["Records"]
    print("seen", json.dumps(record))
"""


def test_a_function_is_invoked_as_its_policy_allows(cloud: Cloud, topic: str) -> None:
    """Lambda Developer Guide, "Invoking Lambda functions with Amazon SNS notifications"."""
    role, functions, sns = make_role(cloud, "run", "lambda", WRITE_LOGS), client(cloud, "lambda"), client(cloud, "sns")
    function = functions.create_function(
        FunctionName="teller", Runtime="python3.12", Handler="index.handler", Role=role, Timeout=20,
        Code={"ZipFile": zip_of({"index.py": TELLER})},
    )["FunctionArn"]  # fmt: skip
    until(lambda: functions.get_function(FunctionName="teller")["Configuration"]["State"] == "Active")
    made = sns.subscribe(TopicArn=topic, Protocol="lambda", Endpoint=function)["SubscriptionArn"]
    with pytest.raises(ClientError, match="another account"):
        sns.subscribe(TopicArn=topic, Protocol="lambda", Endpoint=function.replace(A, B))
    url, queue = open_to(client(cloud, "sqs"), "dead", SNS, topic)
    policy = json.dumps({"deadLetterTargetArn": queue})
    sns.set_subscription_attributes(SubscriptionArn=made, AttributeName="RedrivePolicy", AttributeValue=policy)
    sns.publish(TopicArn=topic, Message="refused")
    assert [json.loads(body)["Message"] for body in bodies(client(cloud, "sqs"), url)] == ["refused"]
    functions.add_permission(
        FunctionName="teller", StatementId="s", Action="lambda:InvokeFunction", Principal=SNS, SourceArn=topic
    )
    number = {"number": {"DataType": "Number", "StringValue": "1"}}
    sns.publish(TopicArn=topic, Subject="subject", Message="allowed", MessageAttributes=number)

    def seen() -> list[dict[str, Any]]:
        try:
            found = client(cloud, "logs").filter_log_events(logGroupName="/aws/lambda/teller")["events"]
        except ClientError:  # nothing has run yet
            return []
        texts = [one["message"] for one in found if one["message"].startswith("seen ")]
        return [json.loads(text.removeprefix("seen ")) for text in texts]

    until(lambda: bool(seen()))
    [record] = seen()
    assert (record["EventSource"], record["EventSubscriptionArn"]) == ("aws:sns", made)
    assert (record["Sns"]["Subject"], record["Sns"]["Message"]) == ("subject", "allowed")
    assert record["Sns"]["MessageAttributes"] == {"number": {"Type": "Number", "Value": "1"}}
    assert {"MessageId", "SigningCertUrl", "Timestamp", "TopicArn", "UnsubscribeUrl"} <= record["Sns"].keys()
