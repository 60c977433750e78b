"""The organization's own rules, broken."""

from __future__ import annotations

from collections.abc import Iterator

from tests.kit.doctor.cases import case
from tests.support.doctor_world import World

ALLOW = '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}'


@case("boundary-missing", "aws iam create-policy --policy-name Boundary --path /ml/")
def _(world: World) -> Iterator[None]:
    with world.environment("roles:\n  suffix:", "roles:\n  permissions_boundary: ml/Boundary\n  suffix:"):
        yield


@case("role-unbound", "aws iam put-role-permissions-boundary --role-name sagemaker-role-staging ")
def _(world: World) -> Iterator[None]:
    made = []
    for account in (world.account, world.staging, world.production):
        iam = world.client("iam", account)
        made.append((iam, iam.create_policy(PolicyName="Boundary", PolicyDocument=ALLOW)["Policy"]["Arn"]))
    with world.environment("roles:\n  suffix:", "roles:\n  permissions_boundary: Boundary\n  suffix:"):
        yield
    for iam, arn in made:
        iam.delete_policy(PolicyArn=arn)


@case("target-role-path", "name another suffix (roles.suffix.staging)")
def _(world: World) -> Iterator[None]:
    with world.environment("roles:\n  suffix:", "roles:\n  path: /ml/\n  suffix:"):
        yield


@case("product-untagged", "make publish")
def _(world: World) -> Iterator[None]:
    with world.environment("catalog:\n", "tags: {cost-center: '1234'}\ncatalog:\n"):
        yield
