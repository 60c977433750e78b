"""The networks of endpoints in the target accounts: that they exist, fit together and reach Amazon S3."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from awslang.network import Network, is_gateway, s3_service
from awslang.policy.document import MalformedPolicy, parse
from awslang.policy.evaluator import AuthorizationRequest, kept_by_endpoint
from awslang.policy.favourable import favourable
from scripts.kit.doctor.checks.roles import role_session
from scripts.kit.doctor.checks.self_managed import listed
from scripts.kit.doctor.facts.networks import OWN, StageNetwork, distributed
from scripts.kit.doctor.facts.targets import role_name
from scripts.kit.doctor.findings import Place, Request, check
from scripts.kit.doctor.snapshot import Snapshot
from scripts.kit.names import model_bucket

GUIDE = "docs/guides/vpc-without-internet.md"
HTTPS = {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443}
DATA_ACTIONS = (
    "s3:AbortMultipartUpload",
    "s3:GetObject",
    "s3:PutObject",
)  # ModelRole of template 20, in the data bucket


def place(one: StageNetwork, resource: str, what: str, fix: str) -> Place:
    return Place(one.account, resource, f"{one.stage} in {one.account}, {one.region}: {what}", fix, one.region)


def command(one: StageNetwork, operation: str, **parameters: Any) -> str:
    """The command of the AWS CLI for a request to EC2."""
    return Request(one.account, one.region, "ec2", operation, parameters).command()


@check(
    "network-unnamed",
    "error",
    "A target account does not name the network of its endpoints",
    f'A stage with "VpcSubnetIds": "{OWN}" finds its subnets and its security group in Parameter Store.',
)
def network_unnamed(facts: Snapshot) -> Iterator[Place]:
    for one in facts.networks:
        if one.unnamed:
            commands = (
                f"aws ssm put-parameter --type String --name {name} --region {one.region} --value "
                f"{'SUBNET_ID' if '/subnet-' in name else 'SECURITY_GROUP_ID'}"
                for name in one.unnamed
            )
            fix = "\n".join(("with the ids of its network:", *commands))
            yield place(one, "Parameter Store", f"it has no {', '.join(one.unnamed)}", fix)


@check(
    "network-parts",
    "error",
    "Subnets or security groups of endpoints do not exist or are of several VPCs",
    "No endpoint starts there: SageMaker attaches network interfaces in these subnets, with these groups.",
)
def network_parts(facts: Snapshot) -> Iterator[Place]:
    for one in facts.networks:
        what = f"{', '.join(one.missing)} of {one.source} do not exist" if one.missing else ""
        if one.found and not one.missing and len(one.found.vpcs) > 1:
            what = f"the parts that {one.source} names are of several VPCs: {', '.join(sorted(one.found.vpcs))}"
        if what:
            fix = f"name subnets and a security group of one VPC in {one.source} ({GUIDE})"
            yield place(one, one.source, what, fix)


@check(
    "network-zones",
    "warning",
    "The subnets of endpoints are in one Availability Zone",
    "SageMaker asks for at least two, and an endpoint's instances are all lost with the zone.",
)
def network_zones(facts: Snapshot) -> Iterator[Place]:
    for one in facts.networks:
        if one.whole and len(one.whole.zones) == 1:
            zone = next(iter(one.whole.zones))
            fix = f"name a subnet of another zone in {one.source} ({GUIDE})"
            yield place(one, one.source, f"every subnet is in {zone}", fix)


@check(
    "network-s3",
    "error",
    "A network of endpoints has no way to Amazon S3",
    "A model's artifact is loaded through its VPC: the endpoint fails while it starts, after minutes.",
)
def network_s3(facts: Snapshot) -> Iterator[Place]:
    for one in facts.networks:
        if one.whole is None:
            continue
        network, [vpc] = one.whole, one.whole.vpcs
        if not network.dns:
            commands = (
                command(one, "ModifyVpcAttribute", VpcId=vpc, **{name: {"Value": True}})
                for name in ("EnableDnsSupport", "EnableDnsHostnames")
            )
            yield place(one, vpc, "DNS resolution or DNS hostnames are off", "\n".join(commands))
        yield from without_route(one, network, vpc)
        yield from without_rule(one, network)


def without_route(one: StageNetwork, network: Network, vpc: str) -> Iterator[Place]:
    """Subnets whose route tables have neither an S3 endpoint nor a way out of the VPC."""
    cut_off = [s for s in network.subnets if not network.endpoints_of(s) and not network.has_way_out(s)]
    tables = sorted({str(network.table_of(subnet).get("RouteTableId", "")) for subnet in cut_off})
    if cut_off:
        gateway = {"VpcId": vpc, "ServiceName": s3_service(one.region), "RouteTableIds": tables}
        there = s3_gateway(network, vpc)
        fix = (
            command(one, "ModifyVpcEndpoint", VpcEndpointId=there["VpcEndpointId"], AddRouteTableIds=tables)
            if there
            else command(one, "CreateVpcEndpoint", **gateway)
        )
        names = ", ".join(subnet["SubnetId"] for subnet in cut_off)
        yield place(one, vpc, f"{names} ({', '.join(tables)}) reach neither an S3 endpoint nor a NAT device", fix)


def s3_gateway(network: Network, vpc: str) -> Mapping[str, Any] | None:
    """The VPC's gateway to S3, whatever route tables it has."""
    wanted = (s3_service(network.region), vpc)
    return next((e for e in network.endpoints if is_gateway(e) and (e["ServiceName"], e["VpcId"]) == wanted), None)


def without_rule(one: StageNetwork, network: Network) -> Iterator[Place]:
    """Security groups that let no HTTPS out to S3."""
    ways = [next(iter(network.endpoints_of(subnet)), None) for subnet in network.subnets]
    if all(network.lets_out(way) for way in ways):
        return
    to: dict[str, Any] = {"IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
    if network.prefix_list and all(way and is_gateway(way) for way in ways):
        to = {"PrefixListIds": [{"PrefixListId": network.prefix_list}]}
    group = network.groups[0]["GroupId"]
    fix = command(one, "AuthorizeSecurityGroupEgress", GroupId=group, IpPermissions=[{**HTTPS, **to}])
    yield place(one, group, "no rule lets HTTPS out to Amazon S3", fix)


@check(
    "network-peers",
    "error",
    "Instances of a transform job cannot reach each other in their VPC",
    "A scheduled job of several instances distributes its objects among them, by way of the VPC.",
)
def network_peers(facts: Snapshot) -> Iterator[Place]:
    for one in facts.networks:
        if one.whole is None or one.whole.lets_members_talk():
            continue
        if projects := distributed(facts.projects, one):
            group = one.whole.groups[0]["GroupId"]
            rule = [{"IpProtocol": "-1", "UserIdGroupPairs": [{"GroupId": group}]}]
            commands = (
                command(one, f"AuthorizeSecurityGroup{way}", GroupId=group, IpPermissions=rule)
                for way in ("Ingress", "Egress")
            )
            what = f"its own members do not reach it on all ports, as the jobs of {', '.join(projects)} need"
            yield place(one, group, what, "\n".join(commands))


@check(
    "network-policy",
    "error",
    "The policy of an S3 endpoint keeps models from what they need",
    "It limits what comes through, whatever the role may: the artifact of a model, captured data, answers.",
)
def network_policy(facts: Snapshot) -> Iterator[Place]:
    for one in facts.networks:
        endpoints = {e["VpcEndpointId"]: e for s in (one.whole.subnets if one.whole else ()) for e in way_of(one, s)}
        for id, endpoint in endpoints.items():
            document = json.loads(endpoint.get("PolicyDocument") or "{}")
            kept = {need: why for need in needs(facts, one) if (why := refused(facts, one, endpoint, *need))}
            if not kept:
                continue
            what = "; ".join(f"it does not allow {action} on {resource}" for action, resource, _ in kept)
            statement = {
                "Sid": "ModelsAndTheirData",
                "Effect": "Allow",
                "Principal": "*",
                "Action": sorted({action for action, *_ in kept}),
                "Resource": sorted({resource for _, resource, _ in kept}),
            }
            wider = {**document, "Statement": [*listed(document.get("Statement", [])), statement]}
            fix = command(one, "ModifyVpcEndpoint", VpcEndpointId=id, PolicyDocument=json.dumps(wider))
            denied = sorted({why for why in kept.values() if why != "no statement"})
            if denied:
                fix = f"take out of its policy what denies it: {', '.join(denied)} ({GUIDE})"
            yield place(one, id, what, fix)


def way_of(one: StageNetwork, subnet: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    network = one.whole
    return network.endpoints_of(subnet)[:1] if network else []


def needs(facts: Snapshot, one: StageNetwork) -> Iterator[tuple[str, str, str]]:
    """What the model's role asks of S3: action, resource, and the resource's account."""
    models = f"arn:{facts.partition}:s3:::{model_bucket(facts.account, one.region)}"
    yield "s3:GetObject", f"{models}/*", facts.account
    if name := facts.settings.endpoints.data_bucket:
        bucket = f"endpoint-data-{one.account}-{one.region}" if name == OWN else name
        for action in DATA_ACTIONS:
            yield action, f"arn:{facts.partition}:s3:::{bucket}/*", one.account
        yield "s3:ListBucket", f"arn:{facts.partition}:s3:::{bucket}", one.account


def refused(
    facts: Snapshot, one: StageNetwork, endpoint: Mapping[str, Any], action: str, resource: str, owner: str
) -> str:
    """What of the endpoint's policy refuses the request of the model's role: a statement, or that there is none; ""."""
    name = f"{facts.settings.roles.path}{role_name(facts.settings, one.stage)}"
    who = role_session(f"arn:{facts.partition}:iam::{one.account}:role{name}")
    known: dict[str, tuple[str, ...]] = {
        "aws:principalaccount": (one.account,),
        "aws:principalarn": (who.role_arn,),
        "aws:principalisawsservice": ("false",),
        "aws:resourceaccount": (owner,),
        "aws:securetransport": ("true",),
        "aws:sourcevpc": (endpoint["VpcId"],),
        "aws:sourcevpce": (endpoint["VpcEndpointId"],),
        "s3:resourceaccount": (owner,),
    }
    try:
        policy = parse(endpoint.get("PolicyDocument") or "{}", "", one.account, "resource")
    except MalformedPolicy:
        return ""
    asked = AuthorizationRequest(who, action, resource.replace("*", "any/models/model.tar.gz"), owner, known)
    found = kept_by_endpoint(asked, favourable(policy, lambda key: key in known))
    if found is None:
        return ""
    return found.statements[0].statement.label if found.statements else "no statement"
