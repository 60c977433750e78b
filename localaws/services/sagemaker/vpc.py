"""What a container in a VPC of the account may have: network interfaces there, and Amazon S3 by way of the VPC.

SageMaker Developer Guide, "Give SageMaker AI Hosted Endpoints Access to Resources in Your Amazon VPC". The role looks
the subnets and groups up and makes the interfaces; the model's data come through the VPC, so that what keeps them away
there fails the endpoint. No page says when SageMaker refuses what does not exist, and with which words
(docs/explanation/open-questions.md): here it is when the endpoint starts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from botocore.exceptions import ClientError

from awslang.errors import AwsError
from awslang.network import Network, s3_service
from localaws.calls import unseen
from localaws.cloud import Session

# The page above, "Add Permissions for Endpoint Access for Containers Running in a VPC to Custom IAM Policies".
ACTIONS = (
    "CreateNetworkInterface", "CreateNetworkInterfacePermission", "DeleteNetworkInterface",
    "DeleteNetworkInterfacePermission", "DescribeDhcpOptions", "DescribeNetworkInterfaces", "DescribeVpcEndpoints",
    "DescribeVpcs",
)  # fmt: skip
# What SageMaker says of a training job that cannot reach S3 (aws/amazon-sagemaker-operator-for-k8s#22).
NO_WAY = (
    "Please ensure that the subnet's route table has a route to an S3 VPC endpoint or a NAT device, and both the "
    "security groups and the subnet's network ACL allow outbound traffic to S3"
)


class OutOfReach(Exception):  # what happened to it
    """Why a container did not get what it needs in the VPC."""


def enter(session: Session, config: Mapping[str, Any]) -> Session:
    """The role's session as it is inside the VPC, where its requests to Amazon S3 go through the VPC's endpoint.

    config: a VpcConfig; OutOfReach where the role may not use it, or it is none that reaches S3
    """
    network = look(session, config)
    ways = [next(iter(network.endpoints_of(subnet)), None) for subnet in network.subnets]
    endpoint = ways[0]
    if endpoint is None or None in ways or not network.dns or not network.lets_out(endpoint):
        raise OutOfReach(NO_WAY)
    inside = replace(session.principal, vpc=(endpoint["VpcId"], endpoint["VpcEndpointId"]))
    return session.cloud.session_for(inside, session.region)


def look(session: Session, config: Mapping[str, Any]) -> Network:
    """The model's network; subnets and groups as the role sees them, the rest as the VPC has it."""
    ec2 = session.client("ec2")
    try:
        for action in ACTIONS:
            session.permit(f"ec2:{action}", "*")
        subnets = ec2.describe_subnets(SubnetIds=config["Subnets"])["Subnets"]
        groups = ec2.describe_security_groups(GroupIds=config["SecurityGroupIds"])["SecurityGroups"]
    except (AwsError, ClientError) as error:
        why = error.message if isinstance(error, AwsError) else error.response["Error"]["Message"]
        raise OutOfReach(f"The execution role cannot use the model's VPC: {why}") from error
    network = Network(session.region, subnets, groups, (), ())
    if len(network.vpcs) > 1:
        raise OutOfReach(f"Subnets and security groups are of several VPCs: {', '.join(sorted(network.vpcs))}")
    vpc = subnets[0]["VpcId"]
    own = session.cloud.root(session.account, session.region).client("ec2")
    of_vpc = [{"Name": "vpc-id", "Values": [vpc]}]
    with unseen():
        lists = own.describe_managed_prefix_lists(
            Filters=[{"Name": "prefix-list-name", "Values": [s3_service(session.region)]}]
        )["PrefixLists"]
        return replace(
            network,
            tables=own.describe_route_tables(Filters=of_vpc)["RouteTables"],
            endpoints=own.describe_vpc_endpoints(Filters=of_vpc)["VpcEndpoints"],
            prefix_list=lists[0]["PrefixListId"] if lists else "",
            dns=all(
                own.describe_vpc_attribute(VpcId=vpc, Attribute=name)[f"{name[0].upper()}{name[1:]}"]["Value"]
                for name in ("enableDnsSupport", "enableDnsHostnames")
            ),
        )
