"""An installation without Organizations, broken."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager

from scripts.kit.doctor.facts.self_managed import ADMINISTRATION, EXECUTION
from tests.kit.doctor.cases import case, swapped
from tests.kit.doctor.cases.projects import project_stack
from tests.kit.doctor.cases.targets import no_role, trust
from tests.support.doctor_world import World, without_organizations


@case("stack-sets-role-missing", "make accounts", alone=True)
def _(world: World) -> Iterator[None]:
    with no_role(world, world.staging, EXECUTION):
        yield


@case("stack-sets-role-trust", "stackset/*", alone=True)
def _(world: World) -> Iterator[None]:
    with trust(world, world.account, ADMINISTRATION, Service="lambda.amazonaws.com"):
        yield


@case("stack-sets-role-gaps", "templates/21-self-managed-roles.yaml", alone=True)
def _(world: World) -> Iterator[None]:
    iam, policy = world.client("iam", world.production), {"RoleName": EXECUTION, "PolicyName": "deploy-endpoints"}
    before = iam.get_role_policy(**policy)["PolicyDocument"]
    kept = [statement for statement in before["Statement"] if statement["Sid"] != "PassTheModelsRole"]
    iam.put_role_policy(**policy, PolicyDocument=json.dumps(before | {"Statement": kept}))
    yield
    iam.put_role_policy(**policy, PolicyDocument=json.dumps(before))


@contextmanager
def listing(world: World, staging: str, production: str) -> Iterator[None]:
    """The project with these lists of accounts, and an environment file without Organizations."""
    shown = project_stack(world).shown
    with (
        swapped(shown, "StagingAccountIds", staging),
        swapped(shown, "ProdAccountIds", production),
        targets(world, [world.staging]),
    ):
        yield


@contextmanager
def targets(world: World, staging: list[str]) -> Iterator[None]:
    """An environment file that lists the accounts."""
    text = world.story.environment_path.read_text()
    units = text[text.index("administrator:") : text.index("roles:\n")]
    [invited] = re.findall(r"invited_accounts:\n(?:  - .*\n)+", text)
    with world.environment(invited, ""), world.environment(units.replace(invited, ""), without_organizations(staging)):
        yield


@case("project-accounts", "--set StagingAccountIds=")
def _(world: World) -> Iterator[None]:
    with listing(world, "123456789012", world.production):
        yield


@case("project-accounts-twice", "--set StagingAccountIds=")
def _(world: World) -> Iterator[None]:
    with listing(world, f"{world.staging},{world.production}", world.production):
        yield
