"""The organization's own rules: the boundary and the path of the kit's roles, and the tags of what it creates."""

from __future__ import annotations

from collections.abc import Iterator

from scripts.kit.doctor.facts.roles import Role
from scripts.kit.doctor.findings import Place, check, here
from scripts.kit.doctor.snapshot import Snapshot
from scripts.kit.stacks.organization_rules import boundary_arn


@check(
    "boundary-missing",
    "error",
    "An account lacks the policy that bounds the kit's roles",
    "IAM refuses a role whose boundary does not exist, and a role whose boundary was deleted may do nothing.",
)
def boundary_missing(facts: Snapshot) -> Iterator[Place]:
    path, _, name = facts.settings.roles.permissions_boundary.rpartition("/")
    found = [(facts.account, facts.boundary), *((target.account.id, target.boundary) for target in facts.targets)]
    for account, policy in found:
        if policy is None:
            yield Place(
                account,
                f"policy {facts.settings.roles.permissions_boundary}",
                f"account {account} has no such policy (roles.permissions_boundary)",
                f"in that account: aws iam create-policy --policy-name {name} --path /{path and path + '/'} "
                "--policy-document file://boundary.json",
            )


def bounded(facts: Snapshot) -> Iterator[Role]:
    """The roles that the kit's stacks made."""
    found = [*facts.data_science.roles.values()]
    found += [role for target in facts.targets for role in (target.model_role, target.tester_role)]
    yield from filter(None, found)


@check(
    "role-unbound",
    "warning",
    "A role of the kit lacks the permissions boundary",
    "The environment file names one, which limits what the role may ever be given.",
)
def role_unbound(facts: Snapshot) -> Iterator[Place]:
    if not facts.settings.roles.permissions_boundary:
        return
    for role in bounded(facts):
        wanted = boundary_arn(facts.settings, role.account)
        if role.boundary != wanted:
            name = role.arn.rsplit("/", 1)[-1]
            yield Place(
                role.account,
                f"role {name}",
                f"its boundary is {role.boundary}" if role.boundary else "it has no boundary",
                f"{facts.make_accounts}\nor, where its stack names the boundary already: aws iam "
                f"put-role-permissions-boundary --role-name {name} --permissions-boundary {wanted}",
            )


@check(
    "target-role-path",
    "error",
    "A role of a target account is not at the path of the environment file",
    "The stages name it with its path, so that no model can be created; and no role's path can change.",
)
def target_role_path(facts: Snapshot) -> Iterator[Place]:
    for target in facts.targets:
        for role in filter(None, (target.model_role, target.tester_role)):
            if role.path != facts.settings.roles.path:
                name, key = role.arn.rsplit("/", 1)[-1], f"roles.suffix.{target.stage.key}"
                yield Place(
                    target.account.id,
                    f"role {name}",
                    f"account {target.where}: its path is {role.path}, and roles.path is {facts.settings.roles.path}",
                    f"write `path: {role.path}` in environment.yaml; or name another suffix ({key}), then\n"
                    f"{facts.make_accounts}\n{facts.make_publish}",
                )


@check(
    "product-untagged",
    "warning",
    "The product lacks a TagOption for a tag of the environment file",
    "A new project's repositories, builds, bucket and pipeline do not get the tag.",
)
def product_untagged(facts: Snapshot) -> Iterator[Place]:
    missing = [key for key, value in facts.settings.tags.items() if facts.catalog.options.get(key) != value]
    if facts.catalog.product and missing:
        name = facts.settings.catalog.product
        yield here(facts, f"product {name}", f"it has none for {', '.join(missing)}", facts.make_publish)
