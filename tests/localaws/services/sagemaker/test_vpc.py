"""What a container in a VPC has of Amazon S3: what the VPC's endpoint lets through, and nothing where it has no way."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from localaws.cloud import Cloud, Session
from localaws.services.sagemaker import vpc
from localaws.services.sagemaker.base import service_role
from scripts.rehearsal.embedded import embedded_aws
from scripts.rehearsal.network import Made, make_network
from tests.support.roles import make_role, policy_document

ACCOUNT, REGION = "111111111111", "us-east-1"
NETWORK = [f"ec2:{name}" for name in (*vpc.ACTIONS, "DescribeSubnets", "DescribeSecurityGroups")]
ROLE = [
    {"Effect": "Allow", "Action": ["s3:GetObject", "s3:PutObject"], "Resource": "*"},
    {"Effect": "Allow", "Action": NETWORK, "Resource": "*"},
]


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    with embedded_aws(tmp_path_factory.mktemp("vpc")) as running:
        s3 = running.root(ACCOUNT, REGION).client("s3")
        for bucket in ("models", "others", "from-the-vpc"):
            s3.create_bucket(Bucket=bucket)
            s3.put_object(Bucket=bucket, Key="model", Body=b"x")
        yield running
    assert not running.faults


@pytest.fixture(scope="module")
def role(cloud: Cloud) -> Session:
    return service_role(cloud, make_role(cloud, "model", "sagemaker", *ROLE), REGION, ACCOUNT)


@pytest.fixture
def made(cloud: Cloud) -> Made:
    return make_network(cloud.root(ACCOUNT, REGION), ("models", "from-the-vpc"), named=False)


def config(made: Made) -> dict[str, Any]:
    return {"Subnets": list(made.subnets), "SecurityGroupIds": [made.group]}


def test_the_endpoints_policy_limits_what_the_role_may(cloud: Cloud, role: Session, made: Made) -> None:
    inside, body = vpc.enter(role, config(made)), {"Key": "model"}
    assert inside.client("s3").get_object(Bucket="models", **body)["Body"].read() == b"x"
    with pytest.raises(ClientError, match="because no VPC endpoint policy allows the s3:GetObject action"):
        inside.client("s3").get_object(Bucket="others", **body)
    assert role.client("s3").get_object(Bucket="others", **body)["Body"].read() == b"x"  # outside


def test_a_bucket_may_be_open_to_the_vpc_alone(cloud: Cloud, role: Session, made: Made) -> None:
    statement = {"Effect": "Deny", "Principal": {"AWS": role.principal.role_arn}, "Action": "s3:GetObject",
                 "Resource": "arn:aws:s3:::from-the-vpc/*",
                 "Condition": {"StringNotEquals": {"aws:SourceVpce": made.endpoint}}}  # fmt: skip
    policy = policy_document(statement)
    cloud.root(ACCOUNT, REGION).client("s3").put_bucket_policy(Bucket="from-the-vpc", Policy=policy)
    asked = {"Bucket": "from-the-vpc", "Key": "model"}
    assert vpc.enter(role, config(made)).client("s3").get_object(**asked)["Body"].read() == b"x"
    with pytest.raises(ClientError, match="explicit deny in a resource-based policy"):
        role.client("s3").get_object(**asked)


def without_endpoint(ec2: Any, made: Made) -> None:
    ec2.delete_vpc_endpoints(VpcEndpointIds=[made.endpoint])


def without_route(ec2: Any, made: Made) -> None:
    """The second subnet alone has a route table of its own, which is none of the endpoint's."""
    table = ec2.create_route_table(VpcId=made.vpc)["RouteTable"]["RouteTableId"]
    ec2.associate_route_table(RouteTableId=table, SubnetId=made.subnets[1])


def without_names(ec2: Any, made: Made) -> None:
    ec2.modify_vpc_attribute(VpcId=made.vpc, EnableDnsHostnames={"Value": False})


def without_rule(ec2: Any, made: Made) -> None:
    [group] = ec2.describe_security_groups(GroupIds=[made.group])["SecurityGroups"]
    https = [{name: rule[name] for name in ("IpProtocol", "FromPort", "ToPort", "PrefixListIds")}
             for rule in group["IpPermissionsEgress"]]  # fmt: skip
    ec2.revoke_security_group_egress(GroupId=made.group, IpPermissions=https)


@pytest.mark.parametrize("broken", [without_endpoint, without_route, without_names, without_rule])
def test_a_network_without_a_way_to_s3_is_found(
    cloud: Cloud, role: Session, made: Made, broken: Callable[[Any, Made], None]
) -> None:
    vpc.enter(role, config(made))
    broken(cloud.root(ACCOUNT, REGION).client("ec2"), made)
    with pytest.raises(vpc.OutOfReach, match="route to an S3 VPC endpoint"):
        vpc.enter(role, config(made))


def test_what_does_not_exist_or_fit_is_refused(cloud: Cloud, role: Session, made: Made) -> None:
    with pytest.raises(vpc.OutOfReach, match="The subnet ID 'subnet-0a1b2c3d' does not exist"):
        vpc.enter(role, {**config(made), "Subnets": ["subnet-0a1b2c3d"]})
    with pytest.raises(vpc.OutOfReach, match="The security group 'sg-0a1b2c3d' does not exist"):
        vpc.enter(role, {**config(made), "SecurityGroupIds": ["sg-0a1b2c3d"]})
    other = make_network(cloud.root(ACCOUNT, REGION), named=False)
    with pytest.raises(vpc.OutOfReach, match="are of several VPCs"):
        vpc.enter(role, {**config(made), "SecurityGroupIds": [other.group]})


def test_each_right_that_aws_names_is_needed(cloud: Cloud, made: Made) -> None:
    session = service_role(cloud, make_role(cloud, "without", "sagemaker", ROLE[0]), REGION, ACCOUNT)
    with pytest.raises(vpc.OutOfReach, match="perform: ec2:CreateNetworkInterface"):
        vpc.enter(session, config(made))
