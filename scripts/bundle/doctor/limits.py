"""Names and quotas: what a new project, or all of the accounts, would not fit into."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from scripts.bundle.doctor.data_science import here
from scripts.bundle.doctor.findings import Place, finding
from scripts.bundle.doctor.organization import STAGES
from scripts.bundle.doctor.reader import UNREAD, Reader, known, together
from scripts.bundle.environment import Environment

if TYPE_CHECKING:
    from scripts.bundle.doctor.snapshot import Snapshot

# AWS General Reference, "AWS CloudFormation endpoints and quotas": the names, and the code of each.
SETS, INSTANCES, OPERATIONS = "L-EC62D81A", "L-C8225BA5", "L-6A4B2F69"
NAMES = {
    SETS: "Stack sets per administrator account",
    INSTANCES: "Stack instances per stack set",
    OPERATIONS: "Stack instance operations per administrator account",
}
BUCKET_POLICY = 20_480  # bytes (Amazon S3 User Guide, "Bucket policies")
NEARLY = 0.9
PROJECT_NAME = r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,31}"  # SageMaker API Reference, CreateProject, ProjectName
SETS_PER_PROJECT = 2  # staging and production


@dataclass(frozen=True)
class Limits:
    """values: CloudFormation's quotas by code; instance_codes: the quota of each instance type of endpoints."""

    values: Mapping[str, float] = field(default_factory=dict)
    instance_codes: Mapping[str, str] = field(default_factory=dict)
    sets: Any = UNREAD


def gather(reader: Reader, settings: Environment) -> Limits:
    account, call_as = settings.accounts.data_science, settings.stack_set_administrator
    quotas, instances, sets = together(
        [
            partial(
                reader.pages, account, "service-quotas", "ListServiceQuotas", "Quotas", ServiceCode="cloudformation"
            ),
            partial(reader.pages, account, "service-quotas", "ListServiceQuotas", "Quotas", ServiceCode="sagemaker"),
            partial(
                reader.pages, account, "cloudformation", "ListStackSets", "Summaries", Status="ACTIVE", CallAs=call_as
            ),
        ]
    )
    suffix = " for endpoint usage"
    return Limits(
        values={quota["QuotaCode"]: quota["Value"] for quota in quotas or []},
        instance_codes={
            quota["QuotaName"].removesuffix(suffix): quota["QuotaCode"]
            for quota in instances or []
            if quota["QuotaName"].endswith(suffix)
        },
        sets=sets,
    )


def stage_size(it: Snapshot, stage: str) -> int:
    """The stack instances of a stage: accounts times regions."""
    return len(it.organization.targets(stage)) * len(getattr(it.settings.regions, stage))


def raise_to(code: str, value: int) -> str:
    return (
        f"aws service-quotas request-service-quota-increase --service-code cloudformation --quota-code {code} "
        f"--desired-value {value}"
    )


# -- the checks --------------------------------------------------------------------------------


@finding(
    "project-name",
    "stops",
    "No project can have this name",
    "SageMaker takes 1 to 32 letters, digits and hyphens; the kit's names have room for all of them.",
)
def project_name(it: Snapshot) -> Iterator[Place]:
    if it.only and not re.fullmatch(PROJECT_NAME, it.only):
        yield here(
            it,
            f"project {it.only}",
            f"{it.only!r} has {len(it.only)} characters, or others than letters, digits and hyphens",
            f"choose another name, such as {suggestion(it.only)}",
        )


def suggestion(name: str) -> str:
    return re.sub(r"[^a-zA-Z0-9]+", "-", name)[:32].strip("-") or "a-project"


@finding(
    "quota-stack-sets",
    "stops",
    "There is no room for the stack sets of another project",
    f"Every project makes {SETS_PER_PROJECT} of them.",
)
def quota_stack_sets(it: Snapshot) -> Iterator[Place]:
    value, sets = it.limits.values.get(SETS), it.limits.sets
    if value is not None and known(sets) and len(sets or []) + SETS_PER_PROJECT > value:
        yield here(
            it,
            f"quota {NAMES[SETS]}",
            f"{len(sets or [])} of {value:g} are used",
            raise_to(SETS, int(value) + 100),
        )


@finding(
    "quota-stack-instances",
    "stops",
    "A stage has more accounts and regions than a stack set takes",
    "Each account and region of a stage is one stack instance.",
)
def quota_stack_instances(it: Snapshot) -> Iterator[Place]:
    value = it.limits.values.get(INSTANCES)
    for stage in STAGES:
        if value is not None and (size := stage_size(it, stage)) > value:
            yield here(
                it,
                f"quota {NAMES[INSTANCES]}",
                f"{stage} has {size:,}, a stack set takes {value:,.0f}",
                raise_to(INSTANCES, size + 1000),
            )


@finding(
    "quota-operations",
    "warns",
    "A stage is larger than what CloudFormation works on at the same time",
    "Deployments of other projects wait until it has come far enough.",
)
def quota_operations(it: Snapshot) -> Iterator[Place]:
    value = it.limits.values.get(OPERATIONS)
    for stage in STAGES:
        if value is not None and (size := stage_size(it, stage)) > value:
            yield here(
                it,
                f"quota {NAMES[OPERATIONS]}",
                f"{stage} has {size:,} stack instances, {value:,.0f} are worked on at a time",
                raise_to(OPERATIONS, size + 1000),
            )


@finding(
    "policy-size",
    "warns",
    "A bucket's policy is nearly full",
    "S3 takes 20 KB: beyond it, no statement can be added or changed.",
)
def policy_size(it: Snapshot) -> Iterator[Place]:
    for bucket in (it.storage.bundle, it.storage.models):
        size = len((bucket.policy or "").encode()) if bucket else 0
        if size > NEARLY * BUCKET_POLICY:
            yield here(
                it,
                f"bucket {bucket.name}",
                f"its policy has {size:,} bytes",
                "name accounts by their units (aws:PrincipalOrgPaths) or the organization (aws:PrincipalOrgID), not "
                f"one by one: aws s3api get-bucket-policy --bucket {bucket.name} shows them",
            )
