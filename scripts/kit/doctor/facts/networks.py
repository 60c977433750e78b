"""The networks of endpoints in the target accounts: what Parameter Store and a stage's settings name, and what EC2 has.

docs/guides/vpc-without-internet.md. Read where the environment file lets endpoints run in a VPC (endpoints.vpc).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from awslang.network import Network, s3_service
from scripts.kit.doctor.facts.stage_config import read_config
from scripts.kit.doctor.reader import UNREAD, Reader
from scripts.kit.names import NETWORK_PARAMETERS
from scripts.kit.stages import Stage

OWN = "account"  # what the settings VpcSubnetIds and VpcSecurityGroupIds say for the ids in Parameter Store
SUBNETS, GROUPS = ("subnet-1", "subnet-2"), ("security-group",)  # parameters that 50-endpoint.yaml reads
STORE = "Parameter Store"  # a source of StageNetwork; the others are those of settings_of
NAMED = tuple(f"{NETWORK_PARAMETERS}{name}" for name in (*SUBNETS, *GROUPS))


@dataclass(frozen=True)
class StageNetwork:
    """A network of a stage in one account and Region.

    source: what names its parts; wanted: their ids; found: the network, UNREAD where it may not be read
    unnamed: parameters of Parameter Store that are not there
    """

    account: str
    region: str
    stage: Stage
    source: str
    wanted: tuple[str, ...] = ()
    unnamed: tuple[str, ...] = ()
    found: Any = UNREAD

    @property
    def missing(self) -> list[str]:
        """Ids that no subnet and no security group has."""
        if not self.found:
            return []
        there = {one["SubnetId"] for one in self.found.subnets} | {one["GroupId"] for one in self.found.groups}
        return [id for id in self.wanted if id not in there]

    @property
    def whole(self) -> Network | None:
        """The network where each of its parts exists, in one VPC."""
        network: Network | None = self.found or None
        complete = network is not None and not self.missing and network.subnets and network.groups
        return network if complete and network is not None and len(network.vpcs) == 1 else None


def settings_of(project: str) -> str:
    return f"the settings of {project}"


def explicit(projects: Iterable[Any] | None, stage: Stage) -> Iterator[tuple[str, tuple[str, ...]]]:
    """The networks that projects name by ids: the project, and the ids."""
    for project in projects or ():
        if not (config := project.config(stage)):
            continue
        given = read_config(config).parameters
        listed = [given.get(name, "") for name in ("VpcSubnetIds", "VpcSecurityGroupIds")]
        if all(value not in ("", OWN) for value in listed):
            yield project.name, tuple(id for value in listed for id in value.split(","))


def distributed(projects: Iterable[Any] | None, one: StageNetwork) -> list[str]:
    """The projects whose stage runs transform jobs of several instances in a network (50-endpoint.yaml, Batch)."""
    return [project.name for project in projects or () if is_distributed(project, one)]


def is_distributed(project: Any, one: StageNetwork) -> bool:
    config = project.config(one.stage)
    given = read_config(config).parameters if config else {}
    there = given.get("VpcSubnetIds") == OWN if one.source == STORE else one.source == settings_of(project.name)
    scheduled = given.get("EndpointKind") == "batch" and given.get("BatchSchedule")
    return bool(there and scheduled and given.get("InitialInstanceCount", "1") != "1")


def read_account(
    reader: Reader, account: str, stage: Stage, regions: tuple[str, ...], named: Mapping[str, tuple[str, ...]]
) -> tuple[StageNetwork, ...]:
    """Those of an account that was entered. named: as of explicit"""
    found = []
    for region in regions:
        found.append(read_own(reader, account, region, stage))
        for project, ids in named.items():
            network = read(reader, account, region, ids)
            found.append(StageNetwork(account, region, stage, settings_of(project), ids, (), network))
    return tuple(found)


def read_own(reader: Reader, account: str, region: str, stage: Stage) -> StageNetwork:
    """The network that an account's Parameter Store names."""
    answer = reader.ask(account, "ssm", "GetParameters", region, Names=list(NAMED))
    values = {one["Name"]: one["Value"] for one in answer["Parameters"]} if answer else {}
    ids = tuple(values[name] for name in NAMED if name in values)
    unnamed = tuple(name for name in NAMED if name not in values) if answer else ()
    network = read(reader, account, region, ids) if ids and not unnamed else UNREAD
    return StageNetwork(account, region, stage, STORE, ids, unnamed, network)


def read(reader: Reader, account: str, region: str, ids: tuple[str, ...]) -> Any:
    """The network of subnets and groups; those that do not exist are left out. UNREAD where EC2 may not be asked."""
    ask = partial(reader.pages, account, "ec2", region=region)
    subnets = ask("DescribeSubnets", "Subnets", Filters=filtered("subnet-id", *ids))
    groups = ask("DescribeSecurityGroups", "SecurityGroups", Filters=filtered("group-id", *ids))
    vpcs = sorted({one["VpcId"] for one in subnets or ()})
    tables = ask("DescribeRouteTables", "RouteTables", Filters=filtered("vpc-id", *vpcs)) if vpcs else []
    endpoints = ask("DescribeVpcEndpoints", "VpcEndpoints", Filters=filtered("vpc-id", *vpcs)) if vpcs else []
    named = filtered("prefix-list-name", s3_service(region))
    lists = ask("DescribeManagedPrefixLists", "PrefixLists", Filters=named)
    dns = all(has_dns(reader, account, region, vpc) for vpc in vpcs)
    if not all(isinstance(one, list) for one in (subnets, groups, tables, endpoints)):
        return UNREAD
    return Network(region, subnets, groups, tables, endpoints, lists[0]["PrefixListId"] if lists else "", dns)


def filtered(name: str, *values: str) -> list[dict[str, Any]]:
    return [{"Name": name, "Values": list(values)}]


def has_dns(reader: Reader, account: str, region: str, vpc: str) -> bool:
    """Whether DNS resolution and hostnames are on; True where that may not be read."""
    for name in ("enableDnsSupport", "enableDnsHostnames"):
        answer = reader.ask(account, "ec2", "DescribeVpcAttribute", region, VpcId=vpc, Attribute=name)
        if answer and not answer[f"{name[0].upper()}{name[1:]}"]["Value"]:
            return False
    return True
