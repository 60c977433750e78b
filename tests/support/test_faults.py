"""The harness of the fault tests: it notices what differs, and what a command does twice."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from localaws.cloud import Cloud, Session
from scripts.rehearsal.embedded import embedded_aws
from tests.support.cloud_state import differences, state_of
from tests.support.every_request import makes_a_difference, problems, sweep
from tests.support.faults import Fault, World, reads

A, REGION = "111111111111", "us-east-1"
STACK = """\
Parameters:
  Name: {Type: String}
Resources:
  Topic: {Type: AWS::SNS::Topic, Properties: {DisplayName: !Ref Name}}
"""
ALLOW = {
    "Sid": "Read",
    "Effect": "Allow",
    "Principal": {"AWS": f"arn:aws:iam::{A}:root"},
    "Action": "s3:GetObject",
    "Resource": "arn:aws:s3:::kit/*",
}


def who(cloud: Cloud) -> Session:
    return cloud.root(A, REGION)


def build(cloud: Cloud) -> None:
    """A bucket, a role, a portfolio, a stack and a repository: what the changes below change."""
    root = who(cloud)
    root.client("s3").create_bucket(Bucket="kit")
    root.client("s3").put_object(Bucket="kit", Key="a.txt", Body=b"one")
    trust = {"Effect": "Allow", "Principal": {"Service": "sagemaker.amazonaws.com"}, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    root.client("iam").create_role(RoleName="Model", AssumeRolePolicyDocument=document)
    root.client("servicecatalog").create_portfolio(DisplayName="Templates", ProviderName="me")
    given = [{"ParameterKey": "Name", "ParameterValue": "one"}]
    root.client("cloudformation").create_stack(StackName="kit", TemplateBody=STACK, Parameters=given)
    root.client("codecommit").create_repository(repositoryName="kit")
    commit(root, b"one")


def commit(root: Session, content: bytes) -> None:
    put = [{"filePath": "a.txt", "fileContent": content}]
    branches = root.client("codecommit").list_branches(repositoryName="kit")["branches"]
    parent: dict[str, str] = {}
    if branches:
        head = root.client("codecommit").get_branch(repositoryName="kit", branchName="main")
        parent = {"parentCommitId": head["branch"]["commitId"]}
    root.client("codecommit").create_commit(repositoryName="kit", branchName="main", putFiles=put, **parent)


def update_portfolio(root: Session) -> None:
    catalog = root.client("servicecatalog")
    catalog.update_portfolio(Id=catalog.list_portfolios()["PortfolioDetails"][0]["Id"], ProviderName="you")


def update_stack(root: Session) -> None:
    given = [{"ParameterKey": "Name", "ParameterValue": "two"}]
    root.client("cloudformation").update_stack(StackName="kit", TemplateBody=STACK, Parameters=given)


POLICY = json.dumps({"Version": "2012-10-17", "Statement": [ALLOW]})
MAY_READ = json.dumps({"Version": "2012-10-17", "Statement": [{k: ALLOW[k] for k in ALLOW if k != "Principal"}]})
TAG = {"TagSet": [{"Key": "kit", "Value": "yes"}]}
LAMBDA_ACCESS = "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"
CHANGES: dict[str, tuple[str, Callable[[Session], Any]]] = {
    "an object's content": ("s3", lambda r: r.client("s3").put_object(Bucket="kit", Key="a.txt", Body=b"two")),
    "an object more": ("s3", lambda r: r.client("s3").put_object(Bucket="kit", Key="b.txt", Body=b"one")),
    "an object's tag": ("s3", lambda r: r.client("s3").put_object_tagging(Bucket="kit", Key="a.txt", Tagging=TAG)),
    "a bucket's tag": ("s3", lambda r: r.client("s3").put_bucket_tagging(Bucket="kit", Tagging=TAG)),
    "a bucket's policy": ("s3", lambda r: r.client("s3").put_bucket_policy(Bucket="kit", Policy=POLICY)),
    "a role more": ("iam", lambda r: r.client("iam").create_user(UserName="eve")),
    "a role's policy": (
        "iam",
        lambda r: r.client("iam").put_role_policy(RoleName="Model", PolicyName="p", PolicyDocument=MAY_READ),
    ),
    "an attached policy": (
        "iam",
        lambda r: r.client("iam").attach_role_policy(RoleName="Model", PolicyArn=LAMBDA_ACCESS),
    ),
    "a portfolio": ("Catalog", update_portfolio),
    "a stack's parameter": ("Stacks", update_stack),
    "a commit": ("CodeCommitState", lambda r: commit(r, b"two")),
    "another Region": ("sqs", lambda r: r.client("sqs", region="eu-west-1").create_queue(QueueName="q")),
}


def settled(cloud: Cloud) -> dict[str, Any]:
    while cloud.busy:
        cloud.stopping.wait(0.01)
    return state_of(cloud)


@pytest.fixture(scope="module")
def two_clouds(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[dict[str, Any], Cloud]]:
    """What a cloud held that was built in the same way, and the one that is changed."""
    folder = tmp_path_factory.mktemp("states")
    with embedded_aws(folder / "one") as cloud:
        build(cloud)
        first = settled(cloud)
    with embedded_aws(folder / "two") as cloud:
        build(cloud)
        yield first, cloud


def test_two_clouds_built_alike_differ_in_nothing_although_all_ids_and_times_do(
    two_clouds: tuple[dict[str, Any], Cloud],
) -> None:
    first, cloud = two_clouds
    second = settled(cloud)
    assert differences(first, second) == []
    held = json.dumps(second)
    assert all(f'"{name}"' in held for name in ("a.txt", "Model", "Templates", "Topic", "main"))


@pytest.mark.parametrize("what", CHANGES)
def test_the_comparison_notices(two_clouds: tuple[dict[str, Any], Cloud], what: str) -> None:
    _, cloud = two_clouds
    before = settled(cloud)
    kind, change = CHANGES[what]
    change(who(cloud))
    found = differences(before, settled(cloud))
    assert any(kind in line.split("/")[1] for line in found), found


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return World(tmp_path_factory.mktemp("faults"), lambda cloud: None)


def make_a_queue_and_a_topic() -> int:
    """Both are found by name, so that doing it again changes nothing."""
    boto3.client("sqs").create_queue(QueueName="kit")
    boto3.client("sns").create_topic(Name="kit")
    return 0


def make_one_more_queue() -> int:
    """Not to be repeated: each run adds a queue."""
    queues = boto3.client("sqs")
    queues.create_queue(QueueName=f"kit-{len(queues.list_queues().get('QueueUrls', []))}")
    boto3.client("sns").create_topic(Name="kit")
    return 0


def test_a_command_that_can_be_repeated_has_no_problem(world: World) -> None:
    assert problems(world, make_a_queue_and_a_topic, who) == []


def test_a_command_that_does_something_twice_is_found_out(world: World) -> None:
    found = problems(world, make_one_more_queue, who, ("killed",))
    assert any(line.startswith("killed at 2 (sqs:CreateQueue)") and "kit-1" in line for line in found)
    assert not any(line.startswith("killed at 1 ") for line in found)


def test_each_case_starts_from_the_same_world(world: World) -> None:
    assert world.case(make_one_more_queue, who, None).state == world.case(make_one_more_queue, who, None).state


def test_a_lost_answer_is_lost_after_the_request_was_applied(world: World) -> None:
    lost = world.case(make_one_more_queue, who, Fault("lost", 3), runs=1)
    assert lost.codes == (0,)
    assert lost.requests == ("sqs:ListQueues", "sqs:CreateQueue", "sns:CreateTopic", "sns:CreateTopic")


def test_polling_is_met_twice_and_other_reads_every_time() -> None:
    requests = ["s3:ListBuckets", "iam:GetRole", "s3:PutObject", *["ssm:GetParameter"] * 5, *["a:GetA", "b:GetB"] * 4]
    met = [n for n in range(len(requests)) if makes_a_difference("refused", requests[:n], requests[n])]
    assert met == [0, 1, 2, 3, 4, 8, 9, 10, 11]
    assert [n for n in range(len(requests)) if makes_a_difference("lost", requests[:n], requests[n])] == [2]


def tolerant() -> int:
    """Takes a refused read for an empty answer, and then makes too much."""
    try:
        known = boto3.client("sqs").list_queues().get("QueueUrls", [])
    except ClientError:
        known = ["one", "two"]
    boto3.client("sqs").create_queue(QueueName=f"kit-{len(known)}")
    return 0


def test_a_refused_read_that_a_command_takes_for_an_answer_is_found_out(world: World) -> None:
    found = problems(world, tolerant, who, ("refused",))
    assert any(line.startswith("refused at 1 (sqs:ListQueues)") and "kit-2" in line for line in found)


def read_twice_and_make_a_topic() -> int:
    """Goes on after a refused read, and ends badly where it makes nothing."""
    queues = boto3.client("sqs")
    queues.create_queue(QueueName="kit")
    with contextlib.suppress(ClientError):
        queues.list_queues()
    boto3.client("sns").create_topic(Name="kit")
    return 0 if boto3.client("sns").list_topics()["Topics"] else 1


@pytest.mark.parametrize("command", [make_a_queue_and_a_topic, make_one_more_queue, read_twice_and_make_a_topic])
def test_a_fork_ends_as_real_processes_do(world: World, command: Callable[[], int]) -> None:
    """The same exit codes and the same state, with real requests over a wire and a real SIGKILL."""
    requests = world.undisturbed(command, who).requests
    forks = {(f.kind, f.number): outcome for f, _, outcome in sweep(world, command, who)}
    writes = [n for n, request in enumerate(requests, 1) if not reads(request)]
    expected = {("refused", n) for n in range(1, len(requests) + 1)}
    expected |= {(kind, n) for kind in ("throttled", "lost") for n in writes}
    expected |= {("killed", n - 1) for n in (*writes[1:], len(requests) + 1)}
    assert set(forks) == expected
    for (kind, number), fork in forks.items():
        real = world.case(command, who, Fault(kind, number))
        assert real.codes == fork.codes, (kind, number)
        assert differences(real.state, fork.state) == [], (kind, number)


def test_a_fork_leaves_the_folder_of_the_world_as_it_was(world: World) -> None:
    sweep(world, make_one_more_queue, who)
    assert not world.folder.with_name("before").exists()
    assert sorted(p.name for p in world.folder.rglob("*")) == sorted(p.name for p in world.saved.rglob("*"))
