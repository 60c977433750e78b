"""How what runs in a VPC reaches Amazon S3, judged from EC2's own answers.

SageMaker AI Developer Guide, "Give SageMaker AI Hosted Endpoints Access to Resources in Your Amazon VPC": the network
interfaces of a model have no internet of their own, and reach the artifact by an S3 endpoint or a NAT device. AWS
PrivateLink Guide, "Gateway endpoints for Amazon S3": the route tables, the security groups, and the DNS of the VPC.
Network ACLs, firewalls and own DNS servers are not looked at.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

HTTPS = 443
# Targets of a default route through which a private address gets out. An internet gateway is none: the interfaces of
# SageMaker have no public address.
WAYS_OUT = ("NatGatewayId", "TransitGatewayId", "NetworkInterfaceId", "InstanceId", "VpcPeeringConnectionId",
            "LocalGatewayId", "CoreNetworkArn")  # fmt: skip
EVERYWHERE = "0.0.0.0/0"

Answer = Mapping[str, Any]  # one item of an answer of EC2, with the members of the API Reference


@dataclass(frozen=True)
class Network:
    """A VPC, as EC2 describes it.

    subnets, groups: those of a model, of whichever VPC; tables, endpoints: all of the subnets' VPC
    prefix_list: the id of Amazon S3's managed prefix list, "" where it is not known
    dns: whether DNS resolution and DNS hostnames are both on
    """

    region: str
    subnets: Sequence[Answer]
    groups: Sequence[Answer]
    tables: Sequence[Answer]
    endpoints: Sequence[Answer]
    prefix_list: str = ""
    dns: bool = True

    @property
    def vpcs(self) -> frozenset[str]:
        """The VPCs of subnets and groups: one, where they fit together."""
        return frozenset(one["VpcId"] for one in (*self.subnets, *self.groups))

    @property
    def zones(self) -> frozenset[str]:
        return frozenset(one["AvailabilityZone"] for one in self.subnets)

    def table_of(self, subnet: Answer) -> Answer:
        """A subnet's route table: its own, or else the main one of its VPC (VPC User Guide, "Route table concepts")."""
        main: Answer = {}
        for table in self.tables:
            for association in table.get("Associations", ()):
                if association.get("SubnetId") == subnet["SubnetId"]:
                    return table
                if association.get("Main") and table["VpcId"] == subnet["VpcId"]:
                    main = table
        return main

    def endpoints_of(self, subnet: Answer) -> list[Answer]:
        """The S3 endpoints that serve a subnet, the one that its requests take first.

        An interface with private DNS takes the requests of the whole VPC, a gateway beside it or not. One whose
        private DNS is for inbound resolvers alone serves other networks: requests of the VPC take the gateway of
        their route table ("Gateway endpoints for Amazon S3", Private DNS).
        """
        table = self.table_of(subnet).get("RouteTableId", "")
        there = [
            one
            for one in self.endpoints
            if (one["ServiceName"], one["VpcId"]) == (s3_service(self.region), subnet["VpcId"])
            and str(one.get("State", "")).lower() == "available"
        ]
        interfaces = [one for one in there if not is_gateway(one) and answers_the_vpc(one)]
        return [*interfaces, *(one for one in there if is_gateway(one) and table in one.get("RouteTableIds", ()))]

    def has_way_out(self, subnet: Answer) -> bool:
        """Whether its route table sends everything else somewhere, so that S3 may be reached without an endpoint."""
        return any(
            route.get("DestinationCidrBlock") == EVERYWHERE and any(route.get(way) for way in WAYS_OUT)
            for route in self.table_of(subnet).get("Routes", ())
        )

    def lets_out(self, endpoint: Answer | None) -> bool:
        """Whether the groups, of which each adds its rules, let HTTPS out to S3: by this endpoint, None for none."""
        rules = (rule for group in self.groups for rule in group.get("IpPermissionsEgress", ()) if covers_https(rule))
        return any(self._reaches(rule, endpoint) for rule in rules)

    def lets_members_talk(self) -> bool:
        """Whether what has these groups reaches its like on all ports: a rule in and a rule out, for a group or all
        addresses.

        Developer Guide, "Give Batch Transform Jobs Access to Resources in Your Amazon VPC", of distributed jobs.
        """
        own = {group["GroupId"] for group in self.groups}

        def among(direction: str) -> bool:
            rules = [rule for group in self.groups for rule in group.get(direction, ()) if rule["IpProtocol"] == "-1"]
            pairs = {pair.get("GroupId") for rule in rules for pair in rule.get("UserIdGroupPairs", ())}
            return bool(pairs & own) or any(
                one["CidrIp"] == EVERYWHERE for rule in rules for one in rule.get("IpRanges", ())
            )

        return among("IpPermissions") and among("IpPermissionsEgress")

    def _reaches(self, rule: Answer, endpoint: Answer | None) -> bool:
        ranges = [one["CidrIp"] for one in rule.get("IpRanges", ())]
        if endpoint is not None and not is_gateway(endpoint):
            own = {group["GroupId"] for group in endpoint.get("Groups", ())}
            return bool(ranges) or any(pair.get("GroupId") in own for pair in rule.get("UserIdGroupPairs", ()))
        lists = [one["PrefixListId"] for one in rule.get("PrefixListIds", ())]
        return any(not is_private(one) for one in ranges) or any(self.prefix_list in ("", one) for one in lists)


def s3_service(region: str) -> str:
    """The name of Amazon S3 as the service of a VPC endpoint, and of its managed prefix list."""
    return f"com.amazonaws.{region}.s3"


def is_gateway(endpoint: Answer) -> bool:
    return str(endpoint.get("VpcEndpointType") or "Gateway") == "Gateway"


def answers_the_vpc(interface: Answer) -> bool:
    """Whether S3's usual names lead requests of the VPC itself to an interface endpoint."""
    inbound = interface.get("DnsOptions", {}).get("PrivateDnsOnlyForInboundResolverEndpoint")
    return bool(interface.get("PrivateDnsEnabled")) and not inbound


def covers_https(rule: Answer) -> bool:
    if rule["IpProtocol"] == "-1":
        return True
    return rule["IpProtocol"] in ("tcp", "6") and rule.get("FromPort", 0) <= HTTPS <= rule.get("ToPort", 65_535)


def is_private(block: str) -> bool:
    """Whether addresses of a block are private ones alone, where S3 has none."""
    network = ipaddress.ip_network(block, strict=False)
    return network.prefixlen > 0 and network.is_private
