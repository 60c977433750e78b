"""Nothing of a rehearsal leaves this machine: what AWS would send to the outside is kept, or refused by name."""

from __future__ import annotations

import ast
import ipaddress
import json
import socket
from functools import partial
from pathlib import Path
from typing import Any

import moto
import pytest
from botocore.exceptions import ClientError
from moto import backends

import localaws
from localaws import registry
from localaws.cloud import Cloud
from tests.support.authorization import REGION, A, allow, document
from tests.support.waiting import until

ADDRESS = "http://192.0.2.1/hook"  # of a network for documentation (RFC 5737)
NAMED = "https://hook.example.com/"
CONNECTING = {"docker", "ftplib", "http", "requests", "smtplib", "socket", "urllib3"}
CALLS = {"urlopen", "urlretrieve"}

# Where code of localaws opens a connection: to this machine.
OURS = {
    "containers/lambda_modules/cfnresponse.py": "in a function's own process, to the ResponseURL that it was given",
    "containers/prepared_python.py": "Unix sockets",
    "containers/script_serve.py": "listens",
    "containers/xgboost_serve.py": "listens",
    "server.py": "listens",
    "services/codebuild/prepared.py": "Unix sockets",
    "services/sagemaker/own_servers.py": "looks for a free port",
    "services/sagemaker/servers.py": "HOST, the servers of endpoints",
}
# Where moto's code of the supported services does, and why nothing comes to it.
OF_MOTO = {
    "awslambda/models.py": "functions are localaws/services/awslambda's: moto has none",
    "events/models.py": "API destinations are not supported, and PutEvents is localaws/services/events's",
    "s3/utils.py": "writes URLs alone",
    "sns/models.py": "Subscription.publish is that of localaws/services/sns/delivery.py",
    "stepfunctions/parser/asl/component/state/exec/state_task/service/state_task_service_api_gateway.py": (
        "localaws/services/stepfunctions answers every operation"
    ),
}


def opens(path: Path) -> bool:
    """Whether the file's code names one of the modules or functions that open connections."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        named = {node.attr} & CALLS if isinstance(node, ast.Attribute) else set()
        if isinstance(node, ast.Import):
            named = {alias.name.partition(".")[0] for alias in node.names if alias.name != "http"} & CONNECTING
        if isinstance(node, ast.ImportFrom):
            named = {(node.module or "").partition(".")[0]} & (CONNECTING - {"http"})
        if named:
            return True
    return False


def found(folder: Path, *packages: str) -> set[str]:
    files = (path for package in packages or (".",) for path in (folder / package).rglob("*.py"))
    return {path.relative_to(folder).as_posix() for path in files if opens(path)}


def test_every_place_of_ours_that_opens_a_connection_is_known() -> None:
    assert found(Path(localaws.__file__).parent) == set(OURS)


def test_every_place_of_moto_that_opens_a_connection_is_known() -> None:
    names = [name.replace("-", "") for name in registry.SERVICES]
    packages = {backends.ALT_SERVICE_NAMES.get(name, name) for name in names}
    assert found(Path(moto.__file__).parent, *sorted(packages)) == set(OF_MOTO)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The hosts outside this machine that anything in this process asks for; each attempt fails."""
    hosts: list[str] = []
    connect, look_up = socket.socket.connect, socket.getaddrinfo

    def inside(host: Any) -> bool:
        try:
            return host == "localhost" or ipaddress.ip_address(host).is_loopback
        except ValueError:
            return False

    def check(host: Any) -> None:
        if not inside(host):
            hosts.append(str(host))
            raise OSError(f"{host} is not this machine")

    def only_inside(self: socket.socket, address: Any) -> None:
        if self.family in (socket.AF_INET, socket.AF_INET6):
            check(address[0])
        connect(self, address)

    def names_inside(host: Any, *args: Any, **options: Any) -> Any:
        check(host)
        return look_up(host, *args, **options)

    monkeypatch.setattr(socket.socket, "connect", only_inside)
    monkeypatch.setattr(socket, "getaddrinfo", names_inside)
    return hosts


def mail(cloud: Cloud) -> list[dict[str, str]]:
    path = cloud.folder / "mail.jsonl"
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()] if path.exists() else []


def said_of(cloud: Cloud, text: str) -> bool:
    return any(text in one.get("message", "") for one in mail(cloud))


def test_what_is_delivered_stays_on_this_machine(cloud: Cloud, asked: list[str]) -> None:
    """SNS Developer Guide, "Subscribing an HTTPS endpoint to an Amazon SNS topic": confirmed first, then sent to.

    Played: messages, objects, events and alarms that reach a topic with a subscription of every kind.
    """
    sns, s3, events, alarms = (cloud.root(A, REGION).client(name) for name in ("sns", "s3", "events", "cloudwatch"))
    topic = sns.create_topic(Name="news")["TopicArn"]
    services = [f"{name}.amazonaws.com" for name in ("s3", "events", "cloudwatch")]
    policy = document(allow("sns:Publish", topic, Principal={"Service": services}))
    sns.set_topic_attributes(TopicArn=topic, AttributeName="Policy", AttributeValue=policy)
    ends = {"http": ADDRESS, "https": NAMED, "email": "a@example.com", "email-json": "b@example.com"}
    for protocol, end in ends.items():
        assert sns.subscribe(TopicArn=topic, Protocol=protocol, Endpoint=end)["SubscriptionArn"] == (
            "pending confirmation"
        )
    sns.subscribe(TopicArn=topic, Protocol="sms", Endpoint="+15005550100")
    assert {one["SubscriptionArn"] for one in sns.list_subscriptions()["Subscriptions"][:4]} == {"PendingConfirmation"}
    sns.publish(TopicArn=topic, Message="early")
    assert [one["to"] for one in mail(cloud) if one.get("message") == "early"] == ["+15005550100"]

    for one in mail(cloud)[:4]:
        sns.confirm_subscription(TopicArn=topic, Token=one["token"])
    every = sorted([*ends.values(), "+15005550100"])
    sns.publish(
        TopicArn=topic, Message=json.dumps({"default": "d", "https": "h"}), MessageStructure="json", Subject="s"
    )
    said = {one["to"]: (one["message"], one["subject"]) for one in mail(cloud)[-5:]}
    assert said == {**dict.fromkeys(every, ("d", "s")), NAMED: ("h", "s")}
    batch = [{"Id": "1", "Message": "batch"}]
    sns.publish_batch(TopicArn=topic, PublishBatchRequestEntries=batch)
    assert sorted(one["to"] for one in mail(cloud) if one.get("message") == "batch") == every

    s3.create_bucket(Bucket="sagemaker-outside")
    notified = {"TopicConfigurations": [{"TopicArn": topic, "Events": ["s3:ObjectCreated:*"]}]}
    s3.put_bucket_notification_configuration(Bucket="sagemaker-outside", NotificationConfiguration=notified)
    s3.put_object(Bucket="sagemaker-outside", Key="k", Body=b"b")
    events.put_rule(Name="r", EventPattern=json.dumps({"source": ["own"]}))
    events.put_targets(Rule="r", Targets=[{"Id": "t", "Arn": topic}])
    events.put_events(Entries=[{"Source": "own", "DetailType": "t", "Detail": json.dumps({"a": "of-events"})}])
    alarms.put_metric_alarm(
        AlarmName="a", Namespace="n", MetricName="m", Statistic="Sum", Period=60, EvaluationPeriods=1, Threshold=1,
        ComparisonOperator="GreaterThanThreshold", AlarmActions=[topic],
    )  # fmt: skip
    alarms.set_alarm_state(AlarmName="a", StateValue="ALARM", StateReason="by hand")
    for text in ("s3:TestEvent", "of-events"):
        until(partial(said_of, cloud, text))
    assert asked == []


REFUSED: list[tuple[str, str, dict[str, Any], str]] = [
    ("cloudformation", "create_stack", {"StackName": "s", "TemplateURL": NAMED + "t.yaml"}, "ValidationError"),
    ("cloudformation", "validate_template", {"TemplateURL": NAMED + "t.yaml"}, "ValidationError"),
    ("events", "create_api_destination",
     {"Name": "d", "ConnectionArn": f"arn:aws:events:{REGION}:{A}:connection/c/1", "InvocationEndpoint": NAMED,
      "HttpMethod": "POST"}, "NotSupported|NotImplemented"),
    ("logs", "put_subscription_filter",
     {"logGroupName": "g", "filterName": "f", "filterPattern": "", "destinationArn": "arn:aws:firehose:a:b:c"},
     "NotSupported|NotImplemented"),
]  # fmt: skip


@pytest.mark.parametrize(("service", "operation", "given", "code"), REFUSED)
def test_what_would_reach_the_outside_is_refused(
    cloud: Cloud, asked: list[str], service: str, operation: str, given: dict[str, Any], code: str
) -> None:
    with pytest.raises(ClientError, match=code):
        getattr(cloud.root(A, REGION).client(service), operation)(**given)
    assert asked == []
