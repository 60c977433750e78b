"""What an account of the rehearsal has for its endpoints beside roles: a bucket for data, keys, a VPC without internet.

The VPC is as docs/guides/vpc-without-internet.md asks for one: two subnets in two zones, a group that lets HTTPS out to
Amazon S3 alone, S3 by a gateway endpoint whose policy names the buckets, and the three parameters by which a stage's
settings find it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from awslang.network import s3_service
from localaws.cloud import Session
from scripts.kit.names import NETWORK_PARAMETERS


@dataclass(frozen=True)
class Made:
    """The ids of a VPC's parts."""

    vpc: str
    subnets: tuple[str, str]
    group: str
    endpoint: str


def make_data_bucket(s3: Any, account: str, region: str) -> None:
    """The bucket of captured data and of requests through S3, by the name that "account" stands for in settings."""
    place = {"CreateBucketConfiguration": {"LocationConstraint": region}} if region != "us-east-1" else {}
    s3.create_bucket(Bucket=f"endpoint-data-{account}-{region}", **place)


def make_key(kms: Any, alias: str) -> None:
    """A key with KMS's default policy, by its alias."""
    kms.create_alias(AliasName=alias, TargetKeyId=kms.create_key()["KeyMetadata"]["KeyId"])


def make_network(administrator: Session, buckets: Sequence[str] = ("*",), named: bool = True) -> Made:
    """Make the VPC, and name it in Parameter Store.

    buckets: names that the S3 endpoint lets through, * for any; named: whether to write the parameters
    """
    ec2, region = administrator.client("ec2"), administrator.region
    vpc = ec2.create_vpc(CidrBlock="10.20.0.0/24")["Vpc"]["VpcId"]
    ec2.modify_vpc_attribute(VpcId=vpc, EnableDnsHostnames={"Value": True})
    zones = [zone["ZoneName"] for zone in ec2.describe_availability_zones()["AvailabilityZones"]][:2]
    first, second = (
        ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.20.0.{start}/26", AvailabilityZone=zone)["Subnet"]["SubnetId"]
        for start, zone in zip((0, 64), zones, strict=True)
    )
    of_vpc = [{"Name": "vpc-id", "Values": [vpc]}]
    table = ec2.describe_route_tables(Filters=of_vpc)["RouteTables"][0]["RouteTableId"]
    endpoint = ec2.create_vpc_endpoint(
        VpcId=vpc,
        ServiceName=s3_service(region),
        RouteTableIds=[table],
        PolicyDocument=json.dumps(endpoint_policy(buckets)),
    )["VpcEndpoint"]["VpcEndpointId"]
    group = ec2.create_security_group(VpcId=vpc, GroupName="models", Description="Models")["GroupId"]
    only_s3(ec2, group, region)
    for name, value in {"subnet-1": first, "subnet-2": second, "security-group": group}.items() if named else ():
        administrator.client("ssm").put_parameter(Name=f"{NETWORK_PARAMETERS}{name}", Value=value, Type="String")
    return Made(vpc, (first, second), group, endpoint)


def endpoint_policy(buckets: Sequence[str]) -> dict[str, Any]:
    """For the S3 endpoint: the stage's buckets, and nothing else."""
    places = [f"arn:aws:s3:::{bucket}{end}" for bucket in buckets for end in ("", "/*")]
    actions = ["s3:AbortMultipartUpload", "s3:GetObject", "s3:ListBucket", "s3:PutObject"]
    statement = {"Effect": "Allow", "Principal": "*", "Action": actions, "Resource": places}
    return {"Version": "2012-10-17", "Statement": [{"Sid": "ModelsAndTheirData", **statement}]}


def only_s3(ec2: Any, group: str, region: str) -> None:
    """Let HTTPS out to Amazon S3, and nothing else out."""
    names = [{"Name": "prefix-list-name", "Values": [s3_service(region)]}]
    s3 = ec2.describe_managed_prefix_lists(Filters=names)["PrefixLists"][0]["PrefixListId"]
    everything = {"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
    ec2.revoke_security_group_egress(GroupId=group, IpPermissions=[everything])
    https = {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "PrefixListIds": [{"PrefixListId": s3}]}
    ec2.authorize_security_group_egress(GroupId=group, IpPermissions=[https])
