"""Who could get past the approver, in the data science account: one check for each way."""

from __future__ import annotations

from collections.abc import Iterator

from scripts.kit.doctor.checks.closing import closing, cure, for_scientists
from scripts.kit.doctor.checks.reach import Path, is_stock, paths
from scripts.kit.doctor.facts.access import Entity
from scripts.kit.doctor.findings import Place, check, here
from scripts.kit.doctor.snapshot import Snapshot
from scripts.kit.names import OTHERS_POLICY


def places(facts: Snapshot, way: str) -> Iterator[Place]:
    """A finding for each principal that could, unless it is expected to."""
    for path in paths(facts):
        if path.way == way and not path.expected:
            fix = of_stock(facts, path) or for_scientists(facts, path.entity) + cure(
                path.entity, way, closing(facts, path)
            )
            yield here(facts, path.entity.resource, words(path), fix)


def is_limited(entity: Entity) -> bool:
    """Whether the principal has the policy of template 13 for the roles of other templates."""
    return any(policy.name.endswith(f":policy/{OTHERS_POLICY}") for policy in entity.policies)


def of_stock(facts: Snapshot, path: Path) -> str:
    """What closes a path of one of AWS's roles for projects, and nothing of other templates; "" for another cure.

    With an upgrade a project's bucket gets its newest policy; a stage gets the kit's tag once it is deployed.
    """
    if not is_stock(path.entity):
        return ""
    if not is_limited(path.entity):
        return facts.make_accounts
    project = next((one for one in facts.projects or () if f"-{one.id}" in path.need.resource), None)
    if project is None or path.way not in ("buckets", "stages"):
        return ""
    upgrade = f"make upgrade PROJECT={project.name}"
    start = f"aws codepipeline start-pipeline-execution --region {facts.region} --name {project.pipeline_name}"
    return upgrade if path.way == "buckets" else f"{upgrade}\nthen {start}"


def words(path: Path) -> str:
    """What is allowed, and by which statements."""
    targets = ", ".join(role.resource for role in path.through)
    return f"{path.need.action} on {targets or path.need.resource}, by {path.by}"


@check(
    "could-start-builds",
    "warning",
    "A principal could start or change the kit's builds",
    "A build with other commands runs as a role of the kit, which writes what the approver sees and what is deployed.",
)
def could_start_builds(facts: Snapshot) -> Iterator[Place]:
    yield from places(facts, "builds")


@check(
    "could-write-buckets",
    "warning",
    "A principal could write a bucket of the kit",
    "What is published, what a deployment hands on, its evidence and its records can be exchanged.",
)
def could_write_buckets(facts: Snapshot) -> Iterator[Place]:
    yield from places(facts, "buckets")


@check(
    "could-pass-roles",
    "warning",
    "A principal could pass a role of the kit to a service",
    "A pipeline, build, state machine or stack of its own then does what only the kit's may.",
)
def could_pass_roles(facts: Snapshot) -> Iterator[Place]:
    yield from places(facts, "roles")


@check(
    "could-change-pipelines",
    "warning",
    "A principal could change a project's pipeline",
    "A pipeline without its approval, or a stage that is let through, rolled back or retried, deploys past the gate.",
)
def could_change_pipelines(facts: Snapshot) -> Iterator[Place]:
    yield from places(facts, "pipelines")


@check(
    "could-change-starts",
    "warning",
    "A principal could change or run what starts the pipelines",
    "The event rules and the starter decide which version is deployed, and record who approved it.",
)
def could_change_starts(facts: Snapshot) -> Iterator[Place]:
    yield from places(facts, "starts")


@check(
    "could-change-stages",
    "warning",
    "A principal could change stages past the pipelines",
    "A stage's stack and stack set deploy to its accounts; a delegated administrator's stack sets reach every account.",
)
def could_change_stages(facts: Snapshot) -> Iterator[Place]:
    yield from places(facts, "stages")


@check(
    "could-change-product",
    "warning",
    "A principal could change the product that projects are created from",
    "Its versions and constraints say which pipeline a project gets, and which OUs and roles its creator may choose.",
)
def could_change_product(facts: Snapshot) -> Iterator[Place]:
    yield from places(facts, "portfolio")


@check(
    "could-approve",
    "warning",
    "A principal without the approver's policy could approve a deployment",
    "Approvers are listed by the policy that they hold; others are overlooked.",
)
def could_approve(facts: Snapshot) -> Iterator[Place]:
    yield from places(facts, "approvals")


@check(
    "could-message-approvers",
    "warning",
    "A principal could send the approvers messages, or keep them from arriving",
    "A message of its own looks like one of the pipeline's, and may lead to another page than the evidence.",
)
def could_message_approvers(facts: Snapshot) -> Iterator[Place]:
    yield from places(facts, "messages")


@check(
    "could-change-rights",
    "warning",
    "A principal could give itself, or what it creates, any right",
    "A principal that writes the policies of roles and users can undo every other protection.",
)
def could_change_rights(facts: Snapshot) -> Iterator[Place]:
    yield from places(facts, "rights")


@check(
    "could-take-on-others",
    "warning",
    "A principal could take on a role that gets past the approver",
    "It assumes that role, or passes it to a service that runs what it wants.",
)
def could_take_on_others(facts: Snapshot) -> Iterator[Place]:
    yield from places(facts, "sessions")


@check(
    "stock-role-unlimited",
    "warning",
    "One of AWS's roles for projects lacks the policy that keeps it away from the kit's",
    "Projects of other templates run their code as these roles, which work on everything with sagemaker in its name.",
)
def stock_role_unlimited(facts: Snapshot) -> Iterator[Place]:
    for entity in facts.access.entities or ():
        if is_stock(entity) and not is_limited(entity):
            yield here(facts, entity.resource, f"{OTHERS_POLICY} is not attached", facts.make_accounts)
