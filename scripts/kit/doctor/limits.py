"""Names and quotas: what a new project, or all of the accounts, would not fit into."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from scripts.kit.doctor.data_science import here
from scripts.kit.doctor.findings import Place, finding
from scripts.kit.doctor.organization import STAGES
from scripts.kit.doctor.projects import each
from scripts.kit.doctor.reader import UNREAD, Reader, known
from scripts.kit.doctor.storage import kept_buckets
from scripts.kit.settings.model import Settings
from scripts.kit.settings.reading import FURTHER_REGIONS
from scripts.kit.together import together

if TYPE_CHECKING:
    from scripts.kit.doctor.snapshot import Snapshot

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
# A parameter holds 4,096 bytes, which is 315 account ids, and 40-stage.yaml has eight of them (decision 6).
ACCOUNTS_PER_STAGE = 2_520
GROUP_POLICY = 20_480  # characters (SageMaker API Reference, PutModelPackageGroupPolicy)
SHARED_BY_US = {"TargetAccountsReadGroup", "TargetAccountsUseVersions"}  # what the Build step writes anew


@dataclass(frozen=True)
class Limits:
    """values: CloudFormation's quotas by code; instance_codes: the quota of each instance type of endpoints."""

    values: Mapping[str, float] = field(default_factory=dict)
    instance_codes: Mapping[str, str] = field(default_factory=dict)
    sets: Any = UNREAD


def gather(reader: Reader, settings: Settings) -> Limits:
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


def accounts_of(it: Snapshot, stage: str) -> list[str]:
    """The accounts of a stage that endpoints go to."""
    own = {it.settings.accounts.management, it.account}
    return [account.id for account in it.organization.targets(stage) if account.id not in own]


def spread(it: Snapshot) -> str:
    own = "accounts of its own" if it.alone else "a unit of its own"
    return f"spread the accounts over several projects, each with {own} for each stage"


def group_policy_size(group_arn: str, policy: str, accounts: int) -> int:
    """The length of a model group's policy in the shortest form that the Build step knows (decision 7).

    policy: as it is, with others' statements
    """
    versions = f"{group_arn.replace(':model-package-group/', ':model-package/', 1)}/*"
    ours = {
        "Sid": "TargetAccountsUseVersions",
        "Effect": "Allow",
        "Principal": {"AWS": ["000000000000"] * accounts},
        "Action": [
            f"sagemaker:{name}"
            for name in ("DescribeModelPackageGroup", "CreateModel", "DescribeModelPackage", "ListModelPackages")
        ],
        "Resource": [group_arn, *dict.fromkeys([versions, versions.lower()])],
    }
    listed = json.loads(policy)["Statement"] if policy else []
    others = [s for s in (listed if isinstance(listed, list) else [listed]) if s.get("Sid") not in SHARED_BY_US]
    return len(json.dumps({"Version": "2012-10-17", "Statement": [*others, ours]}, separators=(",", ":")))


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
    for region, bucket in kept_buckets(it):
        size = len((bucket.policy or "").encode())
        if size > NEARLY * BUCKET_POLICY:
            shorter = "take out what nobody needs any more"
            if not it.alone:
                by = "their units (aws:PrincipalOrgPaths) or the organization (aws:PrincipalOrgID)"
                shorter = f"name accounts by {by}, not one by one"
            what = f"its policy has {size:,} bytes"
            shown = f"aws s3api get-bucket-policy --bucket {bucket.name} shows it"
            yield Place(it.account, f"bucket {bucket.name}", what, f"{shorter}: {shown}", region)


@finding(
    "stage-accounts",
    "stops",
    "A stage has more accounts than its stack takes",
    f"The Build step hands them to templates/40-stage.yaml, which has room for {ACCOUNTS_PER_STAGE:,}.",
)
def stage_accounts(it: Snapshot) -> Iterator[Place]:
    for stage in STAGES:
        if (count := len(accounts_of(it, stage))) > ACCOUNTS_PER_STAGE:
            what = f"{stage} has {count:,} accounts, a stack takes {ACCOUNTS_PER_STAGE:,}"
            yield here(it, f"stage {stage}", what, spread(it))


@finding(
    "group-accounts",
    "stops",
    "A model group's policy cannot name the accounts of both stages",
    f"SageMaker takes {GROUP_POLICY:,} characters, about 1,300 accounts. The Build step stops before it deploys.",
)
def group_accounts(it: Snapshot) -> Iterator[Place]:
    accounts = len({account for stage in STAGES for account in accounts_of(it, stage)})
    groups = {project.name: project.group_policy or "" for project in each(it)} or {"example": ""}
    for name, policy in groups.items():
        arn = f"arn:{it.partition}:sagemaker:{it.region}:{it.account}:model-package-group/{name}"
        if (size := group_policy_size(arn, policy, accounts)) > GROUP_POLICY:
            what = f"it would have {size:,} characters for {accounts:,} accounts"
            yield here(it, f"model group {name}", what, spread(it))


@finding(
    "stage-regions",
    "stops",
    "A stage has more regions than its endpoints can tell apart",
    f"Besides the data science account's, templates/50-endpoint.yaml takes {FURTHER_REGIONS}.",
)
def stage_regions(it: Snapshot) -> Iterator[Place]:
    for stage in STAGES:
        further = [region for region in getattr(it.settings.regions, stage) if region != it.region]
        if len(further) > FURTHER_REGIONS:
            what = f"{len(further)} besides {it.region}: {', '.join(further)}"
            yield here(it, f"regions.{stage}", what, f"leave {', '.join(further[FURTHER_REGIONS:])} out of it")
