"""How subnets reach Amazon S3, from what EC2 says of them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from awslang.network import Network

SUBNET = {"SubnetId": "subnet-1", "VpcId": "vpc-1", "AvailabilityZone": "us-east-1a"}
OTHER = {"SubnetId": "subnet-2", "VpcId": "vpc-1", "AvailabilityZone": "us-east-1b"}
MAIN: dict[str, Any] = {"RouteTableId": "rtb-main", "VpcId": "vpc-1", "Associations": [{"Main": True}], "Routes": []}
OWN: dict[str, Any] = {"RouteTableId": "rtb-own", "VpcId": "vpc-1", "Associations": [{"SubnetId": "subnet-2"}],
                       "Routes": []}  # fmt: skip
GATEWAY: dict[str, Any] = {"VpcEndpointType": "Gateway", "ServiceName": "com.amazonaws.us-east-1.s3", "VpcId": "vpc-1",
                           "State": "available", "RouteTableIds": ["rtb-main"]}  # fmt: skip
INTERFACE = {**GATEWAY, "VpcEndpointType": "Interface", "RouteTableIds": [], "PrivateDnsEnabled": True,
             "Groups": [{"GroupId": "sg-s3"}]}  # fmt: skip


def rule(protocol: str = "tcp", first: int = 443, last: int = 443, **to: Any) -> dict[str, Any]:
    return {"IpProtocol": protocol, "FromPort": first, "ToPort": last, **to}


def group(*rules: dict[str, Any]) -> dict[str, Any]:
    return {"GroupId": "sg-1", "VpcId": "vpc-1", "IpPermissionsEgress": list(rules)}


NETWORK = Network("us-east-1", [SUBNET, OTHER], [group()], [OWN, MAIN], [GATEWAY], "pl-s3")


def test_a_gateway_serves_the_subnets_of_its_route_tables() -> None:
    assert list(NETWORK.endpoints_of(SUBNET)) == [GATEWAY]  # by the main table
    assert list(NETWORK.endpoints_of(OTHER)) == []  # which has a table of its own


@pytest.mark.parametrize(
    "changed",
    [{"State": "pending"}, {"ServiceName": "com.amazonaws.us-east-1.dynamodb"}, {"VpcId": "vpc-2"}],
)
def test_an_endpoint_that_is_none_of_s3_here_serves_nothing(changed: dict[str, str]) -> None:
    assert list(replace(NETWORK, endpoints=[{**GATEWAY, **changed}]).endpoints_of(SUBNET)) == []


def test_an_interface_serves_the_whole_vpc_by_its_private_names() -> None:
    assert list(replace(NETWORK, endpoints=[INTERFACE]).endpoints_of(OTHER)) == [INTERFACE]
    inbound = {"DnsOptions": {"PrivateDnsOnlyForInboundResolverEndpoint": True}}
    for without in ({**INTERFACE, "PrivateDnsEnabled": False}, {**INTERFACE, **inbound}):
        assert list(replace(NETWORK, endpoints=[without, GATEWAY]).endpoints_of(OTHER)) == []
        assert list(replace(NETWORK, endpoints=[without, GATEWAY]).endpoints_of(SUBNET)) == [GATEWAY]


def test_an_interface_takes_the_requests_of_a_subnet_that_has_a_gateway_too() -> None:
    assert list(replace(NETWORK, endpoints=[GATEWAY, INTERFACE]).endpoints_of(SUBNET)) == [INTERFACE, GATEWAY]


@pytest.mark.parametrize(
    ("route", "out"),
    [
        ({"DestinationCidrBlock": "0.0.0.0/0", "NatGatewayId": "nat-1"}, True),
        ({"DestinationCidrBlock": "0.0.0.0/0", "TransitGatewayId": "tgw-1"}, True),
        ({"DestinationCidrBlock": "0.0.0.0/0", "GatewayId": "igw-1"}, False),  # no public address
        ({"DestinationCidrBlock": "10.1.0.0/16", "NatGatewayId": "nat-1"}, False),
    ],
)
def test_a_private_address_gets_out_by_nat_and_not_by_an_internet_gateway(route: dict[str, str], out: bool) -> None:
    network = replace(NETWORK, tables=[{**MAIN, "Routes": [route]}])
    assert network.has_way_out(SUBNET) is out


EVERYWHERE: dict[str, Any] = {"IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
OF_S3: dict[str, Any] = {"PrefixListIds": [{"PrefixListId": "pl-s3"}]}
INSIDE: dict[str, Any] = {"IpRanges": [{"CidrIp": "10.0.0.0/8"}]}
TO_GROUP: dict[str, Any] = {"UserIdGroupPairs": [{"GroupId": "sg-s3"}]}


@pytest.mark.parametrize(
    ("egress", "by_gateway", "by_interface"),
    [
        (rule("-1", **EVERYWHERE), True, True),
        (rule(**EVERYWHERE), True, True),
        (rule("tcp", 0, 65_535, **EVERYWHERE), True, True),
        (rule("tcp", 80, 80, **EVERYWHERE), False, False),
        (rule("udp", **EVERYWHERE), False, False),
        (rule(**OF_S3), True, False),
        (rule(PrefixListIds=[{"PrefixListId": "pl-other"}]), False, False),
        (rule(**INSIDE), False, True),
        (rule(**TO_GROUP), False, True),
        (rule(UserIdGroupPairs=[{"GroupId": "sg-other"}]), False, False),
    ],
)
def test_a_group_lets_https_out_to_s3(egress: dict[str, Any], by_gateway: bool, by_interface: bool) -> None:
    network = replace(NETWORK, groups=[group(), group(egress)])
    assert network.lets_out(GATEWAY) is by_gateway
    assert network.lets_out(INTERFACE) is by_interface
    assert network.lets_out(None) is by_gateway  # by a NAT device, to the same addresses


def test_one_vpc_and_two_zones_are_seen() -> None:
    assert NETWORK.vpcs == {"vpc-1"}
    assert NETWORK.zones == {"us-east-1a", "us-east-1b"}
    assert replace(NETWORK, groups=[{**group(), "VpcId": "vpc-2"}]).vpcs == {"vpc-1", "vpc-2"}
