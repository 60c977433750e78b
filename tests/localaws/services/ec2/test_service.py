"""Networks: moto's, with the refusals that it leaves out, and each request authorized."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from localaws.cloud import Cloud
from localaws.services.sagemaker.base import service_role
from scripts.rehearsal.network import make_network
from tests.support.roles import make_role

ACCOUNT, REGION = "111111111111", "us-east-1"
S3 = f"com.amazonaws.{REGION}.s3"


def ec2_of(cloud: Cloud) -> Any:
    return cloud.root(ACCOUNT, REGION).client("ec2")


def table_of(ec2: Any, vpc: str) -> Any:
    return ec2.describe_route_tables(Filters=[{"Name": "vpc-id", "Values": [vpc]}])["RouteTables"][0]


def test_a_network_without_internet_has_s3_as_its_only_way_out(cloud: Cloud) -> None:
    made, ec2 = make_network(cloud.root(ACCOUNT, REGION), ("models",)), ec2_of(cloud)
    [endpoint] = ec2.describe_vpc_endpoints(Filters=[{"Name": "vpc-id", "Values": [made.vpc]}])["VpcEndpoints"]
    assert (endpoint["VpcEndpointType"], endpoint["State"]) == ("Gateway", "available")
    assert "arn:aws:s3:::models/*" in endpoint["PolicyDocument"]
    table = table_of(ec2, made.vpc)
    assert [route.get("GatewayId") for route in table["Routes"]] == ["local", made.endpoint]
    [group] = ec2.describe_security_groups(GroupIds=[made.group])["SecurityGroups"]
    [rule] = group["IpPermissionsEgress"]
    assert (rule["FromPort"], rule["ToPort"], rule["IpRanges"]) == (443, 443, [])
    assert len({one["AvailabilityZone"] for one in ec2.describe_subnets(SubnetIds=list(made.subnets))["Subnets"]}) == 2


def test_route_tables_of_a_gateway_have_a_route_to_it_while_they_are_its_own(cloud: Cloud) -> None:
    made, ec2 = make_network(cloud.root(ACCOUNT, REGION)), ec2_of(cloud)
    table = table_of(ec2, made.vpc)["RouteTableId"]
    ec2.modify_vpc_endpoint(VpcEndpointId=made.endpoint, RemoveRouteTableIds=[table])
    assert [route.get("GatewayId") for route in table_of(ec2, made.vpc)["Routes"]] == ["local"]
    ec2.modify_vpc_endpoint(VpcEndpointId=made.endpoint, AddRouteTableIds=[table])
    assert [route.get("GatewayId") for route in table_of(ec2, made.vpc)["Routes"]] == ["local", made.endpoint]
    ec2.delete_vpc_endpoints(VpcEndpointIds=[made.endpoint])
    assert ec2.describe_vpc_endpoints()["VpcEndpoints"] == []
    [failed] = ec2.delete_vpc_endpoints(VpcEndpointIds=[made.endpoint])["Unsuccessful"]
    assert failed["Error"]["Code"] == "InvalidVpcEndpoint.NotFound"


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({"VpcId": "vpc-0a1b2c3d"}, "InvalidVpcID.NotFound"),
        ({"ServiceName": "com.amazonaws.eu-west-1.s3"}, "InvalidServiceName"),
        ({"ServiceName": f"com.amazonaws.{REGION}.logs"}, "InvalidServiceName"),  # without a gateway
        ({"RouteTableIds": ["rtb-0a1b2c3d"]}, "InvalidRouteTableID.NotFound"),
        ({"SubnetIds": ["subnet-0a1b2c3d"]}, "InvalidParameter"),  # of a gateway
        ({"VpcEndpointType": "Interface", "SubnetIds": ["subnet-0a1b2c3d"]}, "InvalidSubnetID.NotFound"),
        ({"VpcEndpointType": "Interface", "SecurityGroupIds": ["sg-0a1b2c3d"]}, "InvalidGroup.NotFound"),
        ({"PolicyDocument": "{"}, "InvalidPolicyDocument"),
        ({"TagSpecifications": [{"Tags": [{"Key": "aws:mine", "Value": "x"}]}]}, "InvalidTagKey.Malformed"),
        ({"VpcEndpointType": "GatewayLoadBalancer"}, "NotSupported"),
        ({"ServiceRegion": "eu-west-1"}, "NotSupported"),
    ],
)
def test_an_endpoint_that_aws_refuses_is_refused(cloud: Cloud, given: dict[str, Any], code: str) -> None:
    ec2 = ec2_of(cloud)
    vpc = ec2.describe_vpcs()["Vpcs"][0]["VpcId"]
    with pytest.raises(ClientError) as error:
        ec2.create_vpc_endpoint(**{"VpcId": vpc, "ServiceName": S3, **given})
    assert error.value.response["Error"]["Code"] == code


def test_parts_of_another_vpc_are_refused(cloud: Cloud) -> None:
    made, ec2 = make_network(cloud.root(ACCOUNT, REGION)), ec2_of(cloud)
    other = ec2.create_vpc(CidrBlock="10.30.0.0/24")["Vpc"]["VpcId"]
    table = table_of(ec2, other)["RouteTableId"]
    with pytest.raises(ClientError, match=f"{table} does not belong to {made.vpc}"):
        ec2.modify_vpc_endpoint(VpcEndpointId=made.endpoint, AddRouteTableIds=[table])


def test_requests_are_decided_by_what_they_act_on_and_by_tags(cloud: Cloud) -> None:
    made = make_network(cloud.root(ACCOUNT, REGION))
    arn = f"arn:aws:ec2:{REGION}:{ACCOUNT}"
    statements: list[dict[str, Any]] = [
        {"Effect": "Allow", "Action": "ec2:DescribeSubnets", "Resource": "*"},
        {"Effect": "Allow", "Action": "ec2:CreateSubnet", "Resource": [f"{arn}:vpc/{made.vpc}", f"{arn}:subnet/*"]},
        {"Effect": "Allow", "Action": "ec2:DeleteSubnet", "Resource": "*",
         "Condition": {"StringEquals": {"aws:ResourceTag/mine": "yes"}}},
    ]  # fmt: skip
    ec2 = service_role(cloud, make_role(cloud, "builder", "sagemaker", *statements), REGION, ACCOUNT).client("ec2")
    assert len(ec2.describe_subnets(SubnetIds=list(made.subnets))["Subnets"]) == 2
    subnet = ec2.create_subnet(VpcId=made.vpc, CidrBlock="10.20.0.128/26")["Subnet"]["SubnetId"]
    tags = [{"ResourceType": "subnet", "Tags": [{"Key": "mine", "Value": "yes"}]}]
    requests: list[Callable[[], Any]] = [
        lambda: ec2.describe_vpcs(),
        lambda: ec2.delete_subnet(SubnetId=subnet),
        lambda: ec2.create_subnet(VpcId=made.vpc, CidrBlock="10.20.0.192/26", TagSpecifications=tags),
    ]
    for request in requests:
        with pytest.raises(ClientError, match="UnauthorizedOperation"):
            request()
    ec2_of(cloud).create_tags(Resources=[subnet], Tags=[{"Key": "mine", "Value": "yes"}])
    ec2.delete_subnet(SubnetId=subnet)
    assert json.dumps(ec2.describe_subnets()["Subnets"]).count(subnet) == 0
