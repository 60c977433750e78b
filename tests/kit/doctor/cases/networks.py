"""The network of a target account's endpoints, or the key of their data, broken."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from scripts.kit.doctor.facts.networks import NAMED
from scripts.rehearsal.network import Made, make_network
from tests.kit.doctor.cases import case
from tests.kit.doctor.cases.projects import quiet
from tests.support.doctor_world import REGION, World

FIRST, SECOND, GROUP = NAMED


@contextmanager
def network(world: World) -> Iterator[Made]:
    """Endpoints may run in a VPC, and the account of staging has one, whose policy names the buckets."""
    root, head = world.cloud.root(world.staging, REGION), "administrator:"
    made = make_network(root, (world.models, f"endpoint-data-{world.staging}-{REGION}"))
    with world.environment(head, f"endpoints: {{vpc: true, data_bucket: account}}\n{head}"):
        yield made
    root.client("ssm").delete_parameters(Names=list(NAMED))


def ec2_of(world: World) -> Any:
    return world.client("ec2", world.staging)


@contextmanager
def named(world: World, parameter: str, value: str) -> Iterator[None]:
    with network(world):
        world.client("ssm", world.staging).put_parameter(Name=parameter, Value=value, Overwrite=True)
        yield


@case("network-unnamed", "aws ssm put-parameter --type String --name /sagemaker-multi-account/endpoints/security-group")
def _(world: World) -> Iterator[None]:
    with network(world):
        world.client("ssm", world.staging).delete_parameter(Name=GROUP)
        yield


@case("network-parts", "name subnets and a security group of one VPC")
def _(world: World) -> Iterator[None]:
    with named(world, FIRST, "subnet-0a1b2c3d"):
        yield


@case("network-zones", "name a subnet of another zone")
def _(world: World) -> Iterator[None]:
    with network(world) as made:
        ssm = world.client("ssm", world.staging)
        ssm.put_parameter(Name=SECOND, Value=made.subnets[0], Overwrite=True)
        yield


@case("network-s3", "aws ec2 modify-vpc-endpoint --vpc-endpoint-id vpce-")
def _(world: World) -> Iterator[None]:
    """Every way is cut: the names, the route of the second subnet, the rule of the group."""
    with network(world) as made:
        ec2 = ec2_of(world)
        ec2.modify_vpc_attribute(VpcId=made.vpc, EnableDnsHostnames={"Value": False})
        table = ec2.create_route_table(VpcId=made.vpc)["RouteTable"]["RouteTableId"]
        ec2.associate_route_table(RouteTableId=table, SubnetId=made.subnets[1])
        [group] = ec2.describe_security_groups(GroupIds=[made.group])["SecurityGroups"]
        rules = [{name: rule[name] for name in ("IpProtocol", "FromPort", "ToPort", "PrefixListIds")}
                 for rule in group["IpPermissionsEgress"]]  # fmt: skip
        ec2.revoke_security_group_egress(GroupId=made.group, IpPermissions=rules)
        yield


@case("network-peers", "aws ec2 authorize-security-group-ingress --group-id sg-")
def _(world: World) -> Iterator[None]:
    job = {"EndpointKind": "batch", "BatchBucket": "account", "BatchSchedule": "rate(1 day)"}
    within = {"VpcSubnetIds": "account", "VpcSecurityGroupIds": "account", "InitialInstanceCount": "2"}
    with network(world), quiet(world) as file:
        content = json.dumps({"Parameters": {**job, **within, "InstanceType": "ml.m5.large"}}).encode()
        world.client("codecommit").put_file(**file, fileContent=content)
        yield


@case("network-policy", "aws ec2 modify-vpc-endpoint --vpc-endpoint-id vpce-")
def _(world: World) -> Iterator[None]:
    with network(world) as made:
        policy = '{"Statement": {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "*"}}'
        ec2_of(world).modify_vpc_endpoint(VpcEndpointId=made.endpoint, PolicyDocument=policy)
        yield


@contextmanager
def keys(world: World) -> Iterator[dict[str, str]]:
    """Data with a key of each account's own; the keys' ids by account."""
    head, alias, found = "administrator:", "alias/endpoint-data", dict[str, str]()
    for account in (world.staging, world.production):
        kms = world.client("kms", account)
        found[account] = kms.create_key()["KeyMetadata"]["KeyId"]
        kms.create_alias(AliasName=alias, TargetKeyId=found[account])
    with world.environment(head, f"endpoints: {{data_bucket: account, data_key: {alias}}}\n{head}"):
        yield found
    for account in found:
        world.client("kms", account).delete_alias(AliasName=alias)


@case("data-key", "aws kms enable-key --key-id")
def _(world: World) -> Iterator[None]:
    """Disabled in staging; in production there is one."""
    with keys(world) as made:
        world.client("kms", world.staging).disable_key(KeyId=made[world.staging])
        yield


@case("data-key-policy", "aws kms put-key-policy --key-id")
def _(world: World) -> Iterator[None]:
    """Staging's names those who administer it alone; production's is the default one."""
    with keys(world) as made:
        kms, id = world.client("kms", world.staging), made[world.staging]
        document = json.loads(kms.get_key_policy(KeyId=id)["Policy"])
        document["Statement"][0]["Action"] = [
            "kms:Create*",
            "kms:Delete*",
            "kms:Describe*",
            "kms:Get*",
            "kms:List*",
            "kms:Put*",
        ]
        kms.put_key_policy(KeyId=id, PolicyName="default", Policy=json.dumps(document))
        yield
