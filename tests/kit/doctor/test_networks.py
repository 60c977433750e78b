"""Doctor on the networks of endpoints: what each thing that is wrong is called, and what it advises."""

from __future__ import annotations

import json
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from awslang.network import Network
from scripts.kit.doctor.checks import data_keys, networks
from scripts.kit.doctor.facts.data_keys import DataKey
from scripts.kit.doctor.facts.networks import StageNetwork, distributed, explicit
from scripts.kit.doctor.reader import UNREAD
from scripts.kit.stages import Stage

ACCOUNT, REGION = "222222222222", "us-east-1"
SUBNETS = [
    {"SubnetId": f"subnet-{n}", "VpcId": "vpc-1", "AvailabilityZone": f"us-east-1{z}"} for n, z in ((1, "a"), (2, "b"))
]
EGRESS = {"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
GROUP = {"GroupId": "sg-1", "VpcId": "vpc-1", "IpPermissionsEgress": [EGRESS]}
TABLE = {"RouteTableId": "rtb-1", "VpcId": "vpc-1", "Associations": [{"Main": True}], "Routes": []}
GATEWAY = {"VpcEndpointId": "vpce-1", "VpcEndpointType": "Gateway", "ServiceName": f"com.amazonaws.{REGION}.s3",
           "VpcId": "vpc-1", "State": "available", "RouteTableIds": ["rtb-1"]}  # fmt: skip
WHOLE = Network(REGION, SUBNETS, [GROUP], [TABLE], [GATEWAY], "pl-s3")


def facts(network: Network, **of: Any) -> Any:
    ids = ("subnet-1", "subnet-2", "sg-1")
    one = StageNetwork(ACCOUNT, REGION, Stage.STAGING, "Parameter Store", ids, (), network)
    roles = SimpleNamespace(path="/", suffix=SimpleNamespace(of=lambda stage: "staging"))
    settings = SimpleNamespace(endpoints=SimpleNamespace(data_bucket="account"), roles=roles)
    return SimpleNamespace(networks=[replace(one, **of)], settings=settings, partition="aws", account="111111111111")


def policy(*statements: dict[str, Any]) -> Network:
    document = json.dumps({"Statement": list(statements)})
    return replace(WHOLE, endpoints=[{**GATEWAY, "PolicyDocument": document}])


def allow(resource: str | list[str] = "*", effect: str = "Allow", **more: Any) -> dict[str, Any]:
    return {"Sid": effect, "Effect": effect, "Principal": "*", "Action": "s3:*", "Resource": resource, **more}


def found(check: Any, network: Network, **of: Any) -> list[Any]:
    return list(check(facts(network, **of)))


def test_a_network_with_everything_has_no_finding() -> None:
    checks = (networks.network_parts, networks.network_s3, networks.network_zones, networks.network_unnamed)
    assert [place for check in checks for place in found(check, WHOLE)] == []
    assert found(networks.network_policy, policy(allow())) == []


def test_without_an_endpoint_one_is_advised_for_the_route_tables_that_lack_it() -> None:
    [place] = found(networks.network_s3, replace(WHOLE, endpoints=[]))
    assert "subnet-1, subnet-2 (rtb-1) reach neither" in place.what
    assert place.fix.startswith("aws ec2 create-vpc-endpoint --vpc-id vpc-1 --service-name com.amazonaws.us-east-1.s3")
    nat = {**TABLE, "Routes": [{"DestinationCidrBlock": "0.0.0.0/0", "NatGatewayId": "nat-1"}]}
    assert found(networks.network_s3, replace(WHOLE, endpoints=[], tables=[nat])) == []


def test_the_rule_that_is_advised_is_the_narrowest_that_helps() -> None:
    shut = {**GROUP, "IpPermissionsEgress": []}
    [place] = found(networks.network_s3, replace(WHOLE, groups=[shut]))
    assert '"PrefixListIds": [{"PrefixListId": "pl-s3"}]' in place.fix
    interface = {**GATEWAY, "VpcEndpointType": "Interface", "PrivateDnsEnabled": True}
    [place] = found(networks.network_s3, replace(WHOLE, groups=[shut], endpoints=[interface]))
    assert '"CidrIp": "0.0.0.0/0"' in place.fix


def test_a_group_lets_its_members_talk_by_a_rule_in_and_a_rule_out() -> None:
    rule = {"IpProtocol": "-1", "UserIdGroupPairs": [{"GroupId": "sg-1"}]}
    assert not WHOLE.lets_members_talk(), "out everywhere, and nothing in"
    assert replace(WHOLE, groups=[{**GROUP, "IpPermissions": [rule]}]).lets_members_talk()
    https = {**rule, "IpProtocol": "tcp", "FromPort": 443, "ToPort": 443}
    assert not replace(WHOLE, groups=[{**GROUP, "IpPermissions": [https]}]).lets_members_talk()
    both = {**GROUP, "IpPermissions": [rule], "IpPermissionsEgress": [rule]}
    assert replace(WHOLE, groups=[both]).lets_members_talk()


def test_only_scheduled_jobs_of_several_instances_need_that() -> None:
    job = {
        "EndpointKind": "batch",
        "BatchSchedule": "rate(1 day)",
        "InitialInstanceCount": "2",
        "VpcSubnetIds": "account",
    }
    one = StageNetwork(ACCOUNT, REGION, Stage.PROD, "Parameter Store", (), (), WHOLE)
    alone = [{**job, "InitialInstanceCount": "1"}, {**job, "BatchSchedule": ""}, {**job, "EndpointKind": "real-time"}]
    for given in (*alone, {**job, "VpcSubnetIds": "subnet-1a,subnet-2b"}):
        assert distributed([project("p", given)], one) == []
    assert distributed([project("p", job)], one) == ["p"]
    named = replace(one, source="the settings of p")
    assert distributed([project("p", job), project("q", job)], named) == ["p"]


def project(name: str, parameters: dict[str, str]) -> Any:
    return SimpleNamespace(name=name, config=lambda stage: json.dumps({"Parameters": parameters}).encode())


def test_parts_of_several_vpcs_are_a_finding_of_their_own() -> None:
    mixed = replace(WHOLE, groups=[{**GROUP, "VpcId": "vpc-2"}])
    [place] = found(networks.network_parts, mixed)
    assert "are of several VPCs: vpc-1, vpc-2" in place.what
    assert found(networks.network_s3, mixed) == []


@pytest.mark.parametrize(
    ("statement", "lacks"),
    [
        (allow("arn:aws:s3:::endpoint-data-*"), ["s3:GetObject on arn:aws:s3:::sagemaker-multi-account-models-"]),
        (allow("arn:aws:s3:::sagemaker-*"), ["s3:PutObject on arn:aws:s3:::endpoint-data-222222222222-us-east-1/*",
                                             "s3:ListBucket on arn:aws:s3:::endpoint-data-222222222222-us-east-1"]),
        (allow(Condition={"StringEquals": {"aws:ResourceAccount": ACCOUNT}}), ["on arn:aws:s3:::sagemaker-"]),
        (allow(Condition={"StringNotEquals": {"aws:PrincipalAccount": ACCOUNT}}), ["s3:PutObject"]),
    ],
)  # fmt: skip
def test_what_the_endpoints_policy_lacks_is_named_and_added(statement: dict[str, Any], lacks: list[str]) -> None:
    [place] = found(networks.network_policy, policy(statement))
    assert all(f"{lack}" in place.what for lack in lacks)
    assert place.fix.startswith("aws ec2 modify-vpc-endpoint --vpc-endpoint-id vpce-1 --policy-document")
    assert '"Sid": "ModelsAndTheirData"' in place.fix


def test_what_denies_is_to_be_taken_out() -> None:
    [place] = found(networks.network_policy, policy(allow(), allow("arn:aws:s3:::sagemaker-*", "Deny")))
    assert place.fix.startswith("take out of its policy what denies it: Deny")


def test_conditions_that_are_not_known_are_no_finding() -> None:
    organization = allow(Condition={"StringEquals": {"aws:PrincipalOrgID": "o-1"}})
    assert found(networks.network_policy, policy(organization)) == []


def test_ids_that_a_projects_settings_name_are_looked_at() -> None:
    own = {"VpcSubnetIds": "account", "VpcSecurityGroupIds": "account"}
    ids = {"VpcSubnetIds": "subnet-1a,subnet-2b", "VpcSecurityGroupIds": "sg-1a"}

    projects = [project("own", own), project("ids", ids), project("none", {})]
    assert list(explicit(projects, Stage.PROD)) == [("ids", ("subnet-1a", "subnet-2b", "sg-1a"))]


@pytest.mark.parametrize(
    ("described", "said"),
    [
        (None, "no key has the alias alias/data"),
        ({"KeyId": "k", "KeyState": "PendingDeletion"}, "the key of alias/data is PendingDeletion"),
        ({"KeyId": "k", "KeyState": "Enabled"}, ""),
        (UNREAD, ""),
    ],
)
def test_a_data_key_is_there_and_can_be_used(described: Any, said: str) -> None:
    settings = SimpleNamespace(endpoints=SimpleNamespace(data_key="alias/data"))
    key = DataKey(ACCOUNT, REGION, Stage.PROD, described)
    given: Any = SimpleNamespace(settings=settings, data_keys=[key])
    found = list(data_keys.data_key(given))
    assert [said in place.what for place in found] == ([True] if said else [])
    assert all(("cancel-key-deletion" in place.fix) == ("Pending" in said) for place in found)


MODEL = f"arn:aws:iam::{ACCOUNT}:role/sagemaker-role-staging"
OWNER = {"Sid": "Owner", "Effect": "Allow", "Principal": {"AWS": ACCOUNT}, "Action": "kms:*", "Resource": "*"}


@pytest.mark.parametrize(
    ("statements", "said"),
    [
        ([OWNER], ""),
        ([{**OWNER, "Condition": {"StringEquals": {"aws:PrincipalOrgID": "o-1"}}}], ""),  # which is not known
        ([{**OWNER, "Condition": {"StringEquals": {"kms:ViaService": "s3.us-east-1.amazonaws.com"}}}], ""),
        (
            [{**OWNER, "Condition": {"StringEquals": {"kms:ViaService": "s3.eu-west-1.amazonaws.com"}}}],
            "put-key-policy",
        ),
        ([{**OWNER, "Action": "kms:Decrypt"}], "EndpointsUseTheDataKey"),
        ([OWNER, {**OWNER, "Sid": "No", "Effect": "Deny", "Principal": {"AWS": MODEL}}], "what denies it: No"),
    ],
)
def test_a_data_keys_policy_that_keeps_a_role_out_is_found(statements: list[dict[str, Any]], said: str) -> None:
    described = {"KeyId": "k", "KeyState": "Enabled", "Arn": f"arn:aws:kms:{REGION}:{ACCOUNT}:key/k"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": statements})
    key = DataKey(ACCOUNT, REGION, Stage.STAGING, described, policy, (MODEL,))
    settings = SimpleNamespace(endpoints=SimpleNamespace(data_key="alias/data"))
    given: Any = SimpleNamespace(settings=settings, data_keys=[key])
    found = list(data_keys.data_key_policy(given))
    assert [said in place.fix for place in found] == ([True] if said else [])
    assert all("it does not let sagemaker-role-staging encrypt" in place.what for place in found)
