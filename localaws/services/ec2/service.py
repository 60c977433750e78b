"""The operations of Amazon EC2: moto answers most of them, after checks of what it would take."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

from awslang.errors import AwsError, NotSupported
from awslang.policy.document import MalformedPolicy, parse
from localaws import moto_bridge, reserved_tags
from localaws.calls import Call, unseen
from localaws.service import Service
from localaws.shapes import Violation

OPERATIONS = (
    "AssociateRouteTable", "AuthorizeSecurityGroupEgress", "AuthorizeSecurityGroupIngress", "CreateRouteTable",
    "CreateSecurityGroup", "CreateSubnet", "CreateTags", "CreateVpc", "DeleteRouteTable", "DeleteSecurityGroup",
    "DeleteSubnet", "DeleteTags", "DeleteVpc",
    "DescribeAvailabilityZones", "DescribeManagedPrefixLists", "DescribeRouteTables", "DescribeSecurityGroups",
    "DescribeSubnets", "DescribeTags", "DescribeVpcAttribute", "DescribeVpcEndpoints", "DescribeVpcs",
    "DisassociateRouteTable", "ModifyVpcAttribute", "ModifyVpcEndpoint", "RevokeSecurityGroupEgress",
    "RevokeSecurityGroupIngress",
)  # fmt: skip
GATEWAYS = ("s3", "dynamodb")  # AWS PrivateLink Guide, "Gateway endpoints": no other service has one


def invalid(call: Call, found: list[Violation]) -> AwsError:
    """EC2's own codes ("Error codes for the Amazon EC2 API"): a member that is missing, or has no such value."""
    first = found[0]
    if first.missing:
        return AwsError("MissingParameter", f"The request must contain the parameter {first.path}")
    return AwsError("InvalidParameterValue", f"Value ({first.shown}) for parameter {first.path} is invalid.")


ec2 = Service("ec2", moto=OPERATIONS, invalid=invalid)


@ec2.before("CreateRouteTable", "CreateSecurityGroup", "CreateSubnet", "CreateVpc")
def own_tags(call: Call) -> None:
    """The tags of what is made, which no caller gives keys of AWS's own."""
    for one in call.params.get("TagSpecifications") or ():
        reserved_tags.check(replace(call, params={"Tags": one.get("Tags") or []}))


@ec2.before("DescribeSecurityGroups")
def groups(call: Call) -> None:
    """moto names those that do not exist as Python writes them."""
    for id in call.params.get("GroupIds") or ():
        if thing(state(call), id)[0] is None:
            raise AwsError("InvalidGroup.NotFound", f"The security group '{id}' does not exist")


@ec2.operation("CreateVpcEndpoint")
def create_endpoint(call: Call) -> dict[str, Any]:
    """A gateway where no type is named (API Reference, CreateVpcEndpoint), which moto leaves open."""
    new_endpoint(call)
    own_tags(call)
    params = call.params
    made = state(call).create_vpc_endpoint(
        vpc_id=params["VpcId"],
        service_name=params["ServiceName"],
        endpoint_type=params.get("VpcEndpointType", "Gateway"),
        policy_document=params.get("PolicyDocument"),
        route_table_ids=list(params.get("RouteTableIds") or ()),
        subnet_ids=list(params.get("SubnetIds") or ()),
        security_group_ids=list(params.get("SecurityGroupIds") or ()),
        private_dns_enabled=params.get("PrivateDnsEnabled", params.get("VpcEndpointType") == "Interface"),
        tags={tag["Key"]: tag["Value"] for one in params.get("TagSpecifications") or () for tag in one["Tags"]},
    )
    with unseen():
        own = call.cloud.root(call.account, call.region).client("ec2")
        return {"VpcEndpoint": own.describe_vpc_endpoints(VpcEndpointIds=[made.id])["VpcEndpoints"][0]}


def new_endpoint(call: Call) -> None:
    """A service of this Region; a gateway takes route tables, an interface subnets and groups, of its own VPC."""
    left_out(call, "ResourceConfigurationArn", "ServiceNetworkArn", "ServiceRegion")
    if call.params.get("VpcId") not in state(call).vpcs:
        raise AwsError("InvalidVpcID.NotFound", f"The vpc ID '{call.params.get('VpcId', '')}' does not exist")
    name, kind = call.params.get("ServiceName", ""), call.params.get("VpcEndpointType", "Gateway")
    found = re.fullmatch(rf"com\.amazonaws\.{call.region}\.([a-z0-9.-]+)", name)
    if kind not in ("Gateway", "Interface"):
        raise NotSupported(f"a VPC endpoint of type {kind}")
    if not found or (kind == "Gateway" and found[1] not in GATEWAYS):
        raise AwsError("InvalidServiceName", f"The Vpc Endpoint Service '{name}' does not exist")
    if kind == "Gateway" and (call.params.get("SubnetIds") or call.params.get("SecurityGroupIds")):
        words = "Subnet IDs are only supported for Interface and GatewayLoadBalancer type VPC Endpoints."
        raise AwsError("InvalidParameter", words)
    if kind == "Interface" and call.params.get("RouteTableIds"):
        raise AwsError("InvalidParameter", "Route table IDs are only supported for Gateway type VPC Endpoints.")
    members(call, call.params.get("VpcId", ""), "RouteTableIds", "SubnetIds", "SecurityGroupIds")
    endpoint_policy(call)


@ec2.before("ModifyVpcEndpoint")
def changed_endpoint(call: Call) -> None:
    endpoint = state(call).vpc_end_points.get(call.params["VpcEndpointId"])
    if endpoint is None or endpoint.state == "deleted":
        id = call.params["VpcEndpointId"]
        raise AwsError("InvalidVpcEndpointId.NotFound", f"The Vpc Endpoint Id '{id}' does not exist")
    members(call, endpoint.vpc_id, "AddRouteTableIds", "AddSubnetIds", "AddSecurityGroupIds")
    left_out(call, "PrivateDnsEnabled", "ResetPolicy")
    endpoint_policy(call)


@ec2.after("ModifyVpcEndpoint")
def routes(call: Call, found: Any) -> None:
    """A route table of a gateway has a route to it, which moto writes at its creation alone."""
    endpoint = state(call).vpc_end_points[call.params["VpcEndpointId"]]
    for table in call.params.get("AddRouteTableIds") or ():
        state(call).create_route(
            table, None, gateway_id=endpoint.id, destination_prefix_list_id=endpoint.destination_prefix_list_id
        )
    for table in call.params.get("RemoveRouteTableIds") or ():
        state(call).delete_route(table, endpoint.destination_prefix_list_id)


@ec2.operation("DeleteVpcEndpoints")
def delete_endpoints(call: Call) -> dict[str, Any]:
    """moto goes on showing them. Those that do not exist are in the answer (API Reference, DeleteVpcEndpoints)."""
    known, missing = state(call), []
    for id in call.params["VpcEndpointIds"]:
        if id in known.vpc_end_points:
            known.delete_vpc_endpoints([id])
            del known.vpc_end_points[id]
        else:
            error = {"Code": "InvalidVpcEndpoint.NotFound", "Message": f"The Vpc Endpoint Id '{id}' does not exist"}
            missing.append({"Error": error, "ResourceId": id})
    return {"Unsuccessful": missing}


def state(call: Call) -> Any:
    """moto's networks of the caller's account and Region."""
    return moto_bridge.backend("ec2", call.account, call.region)


def left_out(call: Call, *names: str) -> None:
    """NotSupported for what moto, or the handler, would take and leave out; a default passes."""
    for name in ("DnsOptions", "DryRun", "IpAddressType", "SubnetConfigurations", *names):
        value = call.params.get(name)
        if any(value.values()) if isinstance(value, dict) else value:
            raise NotSupported(f"{call.operation} with {name}")


def endpoint_policy(call: Call) -> None:
    if text := call.params.get("PolicyDocument"):
        try:
            parse(text, "VPC endpoint", call.account, "resource")
        except MalformedPolicy as error:
            raise AwsError("InvalidPolicyDocument", f"The specified policy document is not valid: {error}") from error


def members(call: Call, vpc: str, *names: str) -> None:
    """AwsError for route tables, subnets and security groups that do not exist or are of another VPC."""
    known = state(call)
    for id in (id for name in names for id in call.params.get(name) or ()):
        found, code = thing(known, id)
        if found is None:
            raise AwsError(code, f"The {id.partition('-')[0]} ID '{id}' does not exist")
        if found.vpc_id != vpc:
            raise AwsError("InvalidParameter", f"{id} does not belong to {vpc}")


def thing(known: Any, id: str) -> tuple[Any, str]:
    """moto's subnet, security group or route table with an id, None without one; the error's code for that."""
    if id.startswith("rtb-"):
        return known.route_tables.get(id), "InvalidRouteTableID.NotFound"
    if id.startswith("sg-"):
        return known.get_security_group_from_id(id), "InvalidGroup.NotFound"
    return next((zone[id] for zone in known.subnets.values() if id in zone), None), "InvalidSubnetID.NotFound"
