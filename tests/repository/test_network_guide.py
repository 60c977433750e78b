"""docs/guides/vpc-without-internet.md: its commands are sent as they are written, and make what the page says."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from botocore import xform_name
from botocore.exceptions import ClientError

from localaws.cloud import Cloud, Session
from localaws.services.sagemaker import vpc
from localaws.services.sagemaker.base import service_role
from scripts.kit.doctor.checks import data_keys, networks
from scripts.kit.doctor.facts.data_keys import DataKey
from scripts.kit.doctor.facts.networks import NAMED, StageNetwork, read_own
from scripts.kit.stages import Stage
from scripts.rehearsal.embedded import embedded_aws
from tests.support import ROOT, aws_cli
from tests.support.roles import EVERYTHING, make_role, policy_document

PAGE = (ROOT / "docs/guides/vpc-without-internet.md").read_text(encoding="utf-8")
DATA_SCIENCE, ACCOUNT, REGION = "111111111111", "222222222222", "us-east-1"
MODELS, DATA = f"sagemaker-multi-account-models-{DATA_SCIENCE}-{REGION}", f"endpoint-data-{ACCOUNT}-{REGION}"
FILE = "file://policy.json"  # the policy of the page
# What a person puts in, by the member of the answers that has it; where several answers do, in their order.
FILLED = {
    "VPC_ID": "VpcId", "FIRST_SUBNET_ID": "SubnetId", "SECOND_SUBNET_ID": "SubnetId", "ROUTE_TABLE_ID": "RouteTableId",
    "GROUP_ID": "GroupId", "PREFIX_LIST_ID": "PrefixListId", "KEY_ID": "KeyId", "KEY_ARN": "Arn",
}  # fmt: skip


def block(after: str, kind: str = "") -> str:
    """The first block of a kind that follows a text of the page."""
    found = re.search(rf"^```{kind}\n(.*?)^```$", PAGE.split(after, 1)[1], re.MULTILINE | re.DOTALL)
    assert found, after
    return found[1]


def commands(*afters: str) -> list[str]:
    return [line for after in afters for line in re.sub(r"\\\n *", "", block(after)).splitlines()]


def values(answer: Any, member: str) -> Iterator[str]:
    """Each value of a member, however deep in the answer."""
    if isinstance(answer, dict):
        yield from (value for name, value in answer.items() if name == member and isinstance(value, str))
    for one in answer.values() if isinstance(answer, dict) else answer if isinstance(answer, list) else ():
        yield from values(one, member)


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """The models' bucket, and the data bucket of a target account whose administrator followed the page."""
    with embedded_aws(tmp_path_factory.mktemp("guide")) as running:
        theirs = {"Effect": "Allow", "Principal": {"AWS": ACCOUNT}, "Action": "s3:*"}
        where = [f"arn:aws:s3:::{name}{end}" for name in (MODELS, "others") for end in ("", "/*")]
        for bucket in (MODELS, "others"):
            s3 = running.root(DATA_SCIENCE, REGION).client("s3")
            s3.create_bucket(Bucket=bucket)
            s3.put_object(Bucket=bucket, Key="iris/model.tar.gz", Body=b"model")
            mine = [one for one in where if bucket in one]
            s3.put_bucket_policy(Bucket=bucket, Policy=policy_document({**theirs, "Resource": mine}))
        running.root(ACCOUNT, REGION).client("s3").create_bucket(Bucket=DATA)
        administrator = make_role(running, "Administrator", "sagemaker", EVERYTHING, account=ACCOUNT)
        follow(service_role(running, administrator, REGION, ACCOUNT))
        yield running
    assert not running.faults


def follow(person: Session) -> None:
    """Type the page's commands in their order, with the policy of the page and the ids that they print."""
    policy, answers = shlex.quote(block("The policy of the S3 endpoint", "json")), list[Any]()
    for line in commands("## Make it", "Then name the network", "that key as its default"):
        typed = line.replace(FILE, policy) if line.endswith(f" {FILE}") else line
        for word in set(re.findall(r"[A-Z]+(?:_[A-Z]+)+", line)) & FILLED.keys():
            found = list(dict.fromkeys(value for one in answers for value in values(one, FILLED[word])))
            at = 1 if word.startswith("SECOND") else 0
            typed = re.sub(rf"\b{word}\b", found[at], typed)
        answers.append(aws_cli.send(person, typed))


class Reader:
    """Asks the account as its administrator, as `make doctor` does."""

    def __init__(self, cloud: Cloud) -> None:
        self.session = cloud.root(ACCOUNT, REGION)

    def ask(self, _account: str, service: str, operation: str, _region: str, **parameters: Any) -> Any:
        return getattr(self.session.client(service), xform_name(operation))(**parameters)

    def pages(self, account: str, service: str, operation: str, key: str, region: str, **parameters: Any) -> list[Any]:
        return list(self.ask(account, service, operation, region, **parameters)[key])


def test_make_doctor_finds_nothing_in_the_network_of_the_page(cloud: Cloud) -> None:
    reader: Any = Reader(cloud)
    found = read_own(reader, ACCOUNT, REGION, Stage.STAGING)
    assert (found.whole is not None, found.unnamed, found.missing) == (True, (), [])
    key = reader.ask(ACCOUNT, "kms", "DescribeKey", REGION, KeyId="alias/endpoint-data")["KeyMetadata"]
    facts: Any = SimpleNamespace(
        networks=[found],
        projects=[],
        data_keys=[DataKey(ACCOUNT, REGION, Stage.STAGING, key)],
        settings=SimpleNamespace(
            endpoints=SimpleNamespace(data_bucket="account", data_key="alias/endpoint-data"),
            roles=SimpleNamespace(path="/", suffix=SimpleNamespace(of=lambda stage: "staging")),
        ),
        partition="aws",
        account=DATA_SCIENCE,
    )
    checks = [getattr(networks, name) for name in vars(networks) if name.startswith("network_")]
    assert len(checks) == 6
    assert [place for check in (*checks, data_keys.data_key) for place in check(facts)] == []


def model_role(cloud: Cloud, name: str) -> Session:
    """A role of models that may do everything: what it is kept from, the network keeps it from."""
    return service_role(cloud, make_role(cloud, name, "sagemaker", EVERYTHING, account=ACCOUNT), REGION, ACCOUNT)


def test_a_model_has_its_artifact_and_its_own_data_there_and_nothing_else(cloud: Cloud) -> None:
    found: StageNetwork = read_own(Reader(cloud), ACCOUNT, REGION, Stage.STAGING)  # type: ignore[arg-type]
    subnets, group = list(found.wanted[:2]), found.wanted[2]
    inside = vpc.enter(model_role(cloud, "model"), {"Subnets": subnets, "SecurityGroupIds": [group]}).client("s3")
    artifact = {"Key": "iris/model.tar.gz"}
    assert inside.get_object(Bucket=MODELS, **artifact)["Body"].read() == b"model"
    put = inside.put_object(Bucket=DATA, Key="capture/1", Body=b"asked")
    key = cloud.root(ACCOUNT, REGION).client("kms").describe_key(KeyId="alias/endpoint-data")["KeyMetadata"]["Arn"]
    assert put["SSEKMSKeyId"] == key, "by the bucket's default"
    for operation, asked in (("get_object", {"Bucket": "others"}), ("put_object", {"Bucket": MODELS})):
        with pytest.raises(ClientError, match=r"Missing: no statement allows .*VPC endpoint policy: of vpce"):
            getattr(inside, operation)(Key="iris/model.tar.gz", **asked)


def test_the_page_shows_every_parameter_that_the_stages_look_for() -> None:
    assert re.findall(r"--name (\S+)", block("Then name the network")) == list(NAMED)
    assert json.loads(block("The policy of the S3 endpoint", "json"))["Statement"]
