"""The organization, broken."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from typing import Any

from botocore.exceptions import ClientError

from localaws import moto_bridge
from localaws.services.organizations.service import STACK_SETS
from tests.kit.doctor.cases import case, swapped
from tests.support.doctor_world import REGION, World


def state(world: World) -> Any:
    return moto_bridge.backend("organizations", world.management, "aws")


def account(world: World, id: str) -> Any:
    return next(one for one in state(world).accounts if one.id == id)


def move(world: World, id: str, target: str) -> str:
    """Move an account, until the stack sets that follow the units have done so; where it was."""
    client = world.client("organizations", world.management)
    source = client.list_parents(ChildId=id)["Parents"][0]["Id"]
    client.move_account(AccountId=id, SourceParentId=source, DestinationParentId=target)
    world.settled()
    return str(source)


def root(world: World) -> str:
    return str(world.client("organizations", world.management).list_roots()["Roots"][0]["Id"])


@case("organization-missing", "aws organizations create-organization")
def _(world: World) -> Iterator[None]:
    with swapped(state(world), "org", None):
        yield


@case("organization-features", "aws organizations enable-all-features")
def _(world: World) -> Iterator[None]:
    with swapped(state(world).org, "feature_set", "CONSOLIDATED_BILLING"):
        yield


@case("organization-management", "accounts.management: '999999999999'")
def _(world: World) -> Iterator[None]:
    with world.environment("999999999999", "888888888888"):
        yield


@case("trusted-access", "aws cloudformation activate-organizations-access")
def _(world: World) -> Iterator[None]:
    with swapped(state(world), "services", []):
        yield


@case("delegation", "aws organizations register-delegated-administrator --service-principal member.org.stacksets")
def _(world: World) -> Iterator[None]:
    client = world.client("organizations", world.management)
    client.deregister_delegated_administrator(AccountId=world.account, ServicePrincipal=STACK_SETS)
    yield
    with suppress(ClientError):  # its cure was carried out
        client.register_delegated_administrator(AccountId=world.account, ServicePrincipal=STACK_SETS)


@case("data-science-account", "aws organizations invite-account-to-organization --target Id=111111111111")
def _(world: World) -> Iterator[None]:
    with swapped(account(world, world.account), "state", "SUSPENDED"):
        yield


@case("unit-missing", "units.staging")
def _(world: World) -> Iterator[None]:
    with world.environment("multi-account-deployment/staging", "multi-account-deployment/stage"):
        yield


@case("unit-empty", "aws organizations move-account")
def _(world: World) -> Iterator[None]:
    source = move(world, world.production, root(world))
    yield
    move(world, world.production, source)


@case("unit-suspended", "aws organizations remove-account-from-organization --account-id 222222222222")
def _(world: World) -> Iterator[None]:
    with swapped(account(world, world.production), "state", "SUSPENDED"):
        yield


@case("units-overlap", "side by side")
def _(world: World) -> Iterator[None]:
    with world.environment("production: multi-account-deployment/production", "production: multi-account-deployment"):
        yield


@case("unit-own-account", "aws organizations move-account --account-id 111111111111")
def _(world: World) -> Iterator[None]:
    source = move(world, world.account, world.story.setting.units["staging"])
    yield
    move(world, world.account, source)


@case("unit-management-account", "use another account")
def _(world: World) -> Iterator[None]:
    with swapped(account(world, world.management), "parent_id", world.story.setting.units["staging"]):
        yield


@case("service-control-policy", "ArnNotLike")
def _(world: World) -> Iterator[None]:
    client, unit = world.client("organizations", world.management), world.story.setting.units["staging"]
    kind = "SERVICE_CONTROL_POLICY"
    statement = {"Effect": "Deny", "Action": "sagemaker:CreateEndpoint", "Resource": "*"}
    content = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    with ExitStack() as after:
        made = client.create_policy(Content=content, Description="d", Name="no-endpoints", Type=kind)
        id = made["Policy"]["PolicySummary"]["Id"]
        after.callback(client.delete_policy, PolicyId=id)
        client.attach_policy(PolicyId=id, TargetId=unit)
        after.callback(client.detach_policy, PolicyId=id, TargetId=unit)
        yield


@case("region-disabled", "aws account enable-region --region-name ap-east-1")
def _(world: World) -> Iterator[None]:
    with world.environment("catalog:\n", f"regions: {{staging: [{REGION}, ap-east-1]}}\ncatalog:\n"):
        yield
