"""Probes of the corrections: what people ask of Amazon EC2's networks."""

from __future__ import annotations

from typing import Any

from tests.support.corrections_world import World, probe, refusal

S3 = {"ServiceName": "com.amazonaws.us-east-1.s3"}


def new_vpc(world: World) -> tuple[Any, str]:
    ec2 = world.client("ec2")
    return ec2, ec2.create_vpc(CidrBlock="10.9.0.0/24")["Vpc"]["VpcId"]


def table(ec2: Any, vpc: str) -> Any:
    return ec2.describe_route_tables(Filters=[{"Name": "vpc-id", "Values": [vpc]}])["RouteTables"][0]


@probe("endpoint-of-nothing", ["InvalidServiceName", "InvalidRouteTableID.NotFound"])
def _(world: World) -> Any:
    ec2, vpc = new_vpc(world)
    return [
        refusal(lambda: ec2.create_vpc_endpoint(VpcId=vpc, ServiceName="com.amazonaws.us-east-1.none")),
        refusal(lambda: ec2.create_vpc_endpoint(VpcId=vpc, RouteTableIds=["rtb-0a1b2c3d"], **S3)),
    ]


@probe("gateway-by-default", "Gateway")
def _(world: World) -> Any:
    ec2, vpc = new_vpc(world)
    return ec2.create_vpc_endpoint(VpcId=vpc, **S3)["VpcEndpoint"].get("VpcEndpointType")


@probe("endpoint-that-is-gone", [])
def _(world: World) -> Any:
    ec2, vpc = new_vpc(world)
    made = ec2.create_vpc_endpoint(VpcId=vpc, VpcEndpointType="Gateway", **S3)["VpcEndpoint"]["VpcEndpointId"]
    ec2.delete_vpc_endpoints(VpcEndpointIds=[made])
    return ec2.describe_vpc_endpoints(Filters=[{"Name": "vpc-id", "Values": [vpc]}])["VpcEndpoints"]


@probe("route-to-a-gateway", ["local", "the endpoint"])
def _(world: World) -> Any:
    ec2, vpc = new_vpc(world)
    made = ec2.create_vpc_endpoint(VpcId=vpc, VpcEndpointType="Gateway", **S3)["VpcEndpoint"]["VpcEndpointId"]
    ec2.modify_vpc_endpoint(VpcEndpointId=made, AddRouteTableIds=[table(ec2, vpc)["RouteTableId"]])
    return ["the endpoint" if one["GatewayId"] == made else one["GatewayId"] for one in table(ec2, vpc)["Routes"]]
