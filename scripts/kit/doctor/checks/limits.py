"""Names, quotas and sizes: where a new project, or the stages' accounts, would not fit."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping

from scripts.kit import builds
from scripts.kit.doctor.checks.sharing import READERS, readers, those_of
from scripts.kit.doctor.facts.limits import INSTANCES, OPERATIONS, SETS, TRAINING
from scripts.kit.doctor.facts.stage_config import ENDPOINT, PROCESSING, SERVERLESS, TRANSFORM
from scripts.kit.doctor.findings import Place, check, here
from scripts.kit.doctor.reader import known
from scripts.kit.doctor.snapshot import Snapshot
from scripts.kit.settings.reading import FURTHER_REGIONS
from scripts.kit.stages import Stage

NAMES = {
    SETS: "Stack sets per administrator account",
    INSTANCES: "Stack instances per stack set",
    OPERATIONS: "Stack instance operations per administrator account",
}
BUCKET_POLICY = 20_480  # bytes (Amazon S3 User Guide, "Bucket policies")
NEARLY = 0.9
TRAINS_ON = "ml.m5.large"  # the default of the training repository's pipeline
PROJECT_NAME = r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,31}"  # SageMaker API Reference, CreateProject, ProjectName
# A parameter holds 4,096 bytes, which is 315 account ids, and 40-stage.yaml has eight of them (decision 6).
ACCOUNTS_PER_STAGE = 2_520
GROUP_POLICY = 20_480  # characters (SageMaker API Reference, PutModelPackageGroupPolicy)
# The pipeline writes these again: those of each stage, and those of before version 0.3.
SHARED_BY_US = {f"{stage.capitalize()}{what}" for stage in READERS for what in ("ReadsGroup", "UsesVersions")} | {
    "TargetAccountsReadGroup", "TargetAccountsUseVersions"
}  # fmt: skip
FULL_NUMBERS = range(995, 1000)  # as many versions as the pipeline names for a stage, with three digits each


def stage_size(facts: Snapshot, stage: Stage) -> int:
    """The stack instances of a stage: accounts times Regions."""
    return len(facts.organization.targets(stage)) * len(facts.settings.regions.of(stage))


def raise_to(code: str, value: int) -> str:
    return (
        f"aws service-quotas request-service-quota-increase --service-code cloudformation --quota-code {code} "
        f"--desired-value {value}"
    )


def accounts_of(facts: Snapshot, stage: Stage) -> list[str]:
    """The accounts of a stage that endpoints go to."""
    own = {facts.settings.accounts.management, facts.account}
    return [account.id for account in facts.organization.targets(stage) if account.id not in own]


def spread(facts: Snapshot) -> str:
    own = "accounts of its own" if facts.alone else "an OU of its own"
    return f"spread the accounts over several projects, each with {own} for each stage"


def group_policy_size(group_arn: str, policy: str, accounts: Mapping[Stage, int]) -> int:
    """The length of a model group's policy in the shortest form that the Build step knows (decision 7).

    policy: as it is, with others' statements; accounts: how many read the models of each of the readers
    """
    versions = [
        f"{group_arn.replace(':model-package-group/', ':model-package/', 1)}/{number}" for number in FULL_NUMBERS
    ]
    ours = [
        {
            "Sid": f"{stage.capitalize()}UsesVersions",
            "Effect": "Allow",
            "Principal": {"AWS": ["000000000000"] * accounts[stage]},
            "Action": [
                f"sagemaker:{name}"
                for name in ("DescribeModelPackageGroup", "CreateModel", "DescribeModelPackage", "ListModelPackages")
            ],
            "Resource": [group_arn, *dict.fromkeys(arn for one in versions for arn in (one.lower(), one))],
        }
        for stage in accounts
    ]
    listed = json.loads(policy)["Statement"] if policy else []
    others = [s for s in (listed if isinstance(listed, list) else [listed]) if s.get("Sid") not in SHARED_BY_US]
    return len(json.dumps({"Version": "2012-10-17", "Statement": [*others, *ours]}, separators=(",", ":")))


@check(
    "project-name",
    "error",
    "No project can have this name",
    "SageMaker allows 1 to 32 letters, digits and hyphens, and the kit's names have room for them.",
)
def project_name(facts: Snapshot) -> Iterator[Place]:
    if facts.only and not re.fullmatch(PROJECT_NAME, facts.only):
        yield here(
            facts,
            f"project {facts.only}",
            f"{facts.only!r} has {len(facts.only)} characters, or characters other than letters, digits and hyphens",
            f"choose another name, such as {suggestion(facts.only)}",
        )


def suggestion(name: str) -> str:
    return re.sub(r"[^a-zA-Z0-9]+", "-", name)[:32].strip("-") or "a-project"


@check(
    "quota-stack-sets",
    "error",
    "There is no room for the stack sets of another project",
    "Every project creates one for each of its stages.",
)
def quota_stack_sets(facts: Snapshot) -> Iterator[Place]:
    value, sets = facts.limits.values.get(SETS), facts.limits.sets
    if value is not None and known(sets) and len(sets or []) + len(facts.settings.stages) > value:
        yield here(
            facts,
            f"quota {NAMES[SETS]}",
            f"{len(sets or [])} of {value:g} are used",
            raise_to(SETS, int(value) + 100),
        )


@check(
    "quota-stack-instances",
    "error",
    "A stage has more accounts and Regions than a stack set allows",
    "Each account and Region of a stage is one stack instance.",
)
def quota_stack_instances(facts: Snapshot) -> Iterator[Place]:
    value = facts.limits.values.get(INSTANCES)
    for stage in facts.settings.stages:
        if value is not None and (size := stage_size(facts, stage)) > value:
            yield here(
                facts,
                f"quota {NAMES[INSTANCES]}",
                f"{stage.key} has {size:,}, a stack set allows {value:,.0f}",
                raise_to(INSTANCES, size + 1000),
            )


@check(
    "quota-operations",
    "warning",
    "A stage is larger than the number of stack instances that CloudFormation works on at the same time",
    "Deployments of other projects wait until enough of it is done.",
)
def quota_operations(facts: Snapshot) -> Iterator[Place]:
    value = facts.limits.values.get(OPERATIONS)
    for stage in facts.settings.stages:
        if value is not None and (size := stage_size(facts, stage)) > value:
            yield here(
                facts,
                f"quota {NAMES[OPERATIONS]}",
                f"{stage.key} has {size:,} stack instances, {value:,.0f} are worked on at a time",
                raise_to(OPERATIONS, size + 1000),
            )


@check(
    "policy-size",
    "warning",
    "A bucket's policy is nearly full",
    "S3 allows 20 KB: at that size no statement can be added or changed.",
)
def policy_size(facts: Snapshot) -> Iterator[Place]:
    for region, bucket in facts.kept_buckets():
        size = len((bucket.policy or "").encode())
        if size > NEARLY * BUCKET_POLICY:
            shorter = "remove statements that are no longer needed"
            if not facts.alone:
                by = "their OUs (aws:PrincipalOrgPaths) or the organization (aws:PrincipalOrgID)"
                shorter = f"name accounts by {by}, not one by one"
            what = f"its policy has {size:,} bytes"
            shown = f"aws s3api get-bucket-policy --bucket {bucket.name} shows it"
            yield Place(facts.account, f"bucket {bucket.name}", what, f"{shorter}: {shown}", region)


@check(
    "stage-accounts",
    "error",
    "A stage has more accounts than its stack allows",
    f"The Build step passes them to templates/40-stage.yaml, which has room for {ACCOUNTS_PER_STAGE:,}.",
)
def stage_accounts(facts: Snapshot) -> Iterator[Place]:
    for stage in facts.settings.stages:
        if (count := len(accounts_of(facts, stage))) > ACCOUNTS_PER_STAGE:
            what = f"{stage.key} has {count:,} accounts, a stack allows {ACCOUNTS_PER_STAGE:,}"
            yield here(facts, f"stage {stage.key}", what, spread(facts))


@check(
    "group-accounts",
    "error",
    "A model group's policy cannot name the accounts of both stages",
    f"SageMaker allows {GROUP_POLICY:,} characters, about 1,270 accounts. The Build step stops before it deploys.",
)
def group_accounts(facts: Snapshot) -> Iterator[Place]:
    shared = {one: those_of(facts, one) for one in readers(facts)}
    accounts = {one: len({id for stage in found for id in accounts_of(facts, stage)}) for one, found in shared.items()}
    groups = {project.name: project.group_policy or "" for project in facts.complete_projects} or {"example": ""}
    for name, policy in groups.items():
        arn = f"arn:{facts.partition}:sagemaker:{facts.region}:{facts.account}:model-package-group/{name}"
        if (size := group_policy_size(arn, policy, accounts)) > GROUP_POLICY:
            what = f"it would have {size:,} characters for {sum(accounts.values()):,} accounts"
            yield here(facts, f"model group {name}", what, spread(facts))


@check(
    "stage-regions",
    "error",
    "A stage has more Regions than its endpoints' template has room for",
    f"Besides the data science account's, templates/50-endpoint.yaml has room for {FURTHER_REGIONS}.",
)
def stage_regions(facts: Snapshot) -> Iterator[Place]:
    for stage in facts.settings.stages:
        further = [region for region in facts.settings.regions.of(stage) if region != facts.region]
        if len(further) > FURTHER_REGIONS:
            what = f"{len(further)} besides {facts.region}: {', '.join(further)}"
            yield here(facts, f"regions.{stage.key}", what, f"leave {', '.join(further[FURTHER_REGIONS:])} out of it")


@check(
    "quota-instances",
    "error",
    "A target account's quota is too small for the endpoints' instances",
    "The endpoint fails with ResourceLimitExceeded. New accounts start with 0 for many instance types.",
)
def quota_instances(facts: Snapshot) -> Iterator[Place]:
    yield from too_small(facts, *ENDPOINT)


@check(
    "quota-blue-green",
    "warning",
    "A target account's quota is too small for an update of its endpoints",
    "A blue/green update runs the old and the new instances side by side and needs twice as many for a while. In "
    "production, a shadow makes it three times as many.",
)
def quota_blue_green(facts: Snapshot) -> Iterator[Place]:
    yield from too_small(facts, *ENDPOINT, update=True)


@check(
    "quota-jobs",
    "error",
    "A target account's quota is too small for its transform jobs or monitors",
    "A transform job waits for hours and fails, and a monitor that does not run sees no drift.",
)
def quota_jobs(facts: Snapshot) -> Iterator[Place]:
    yield from too_small(facts, *TRANSFORM, *PROCESSING)


@check(
    "quota-serverless",
    "error",
    "A target account's quota is too small for its serverless endpoints",
    "The endpoint fails with ResourceLimitExceeded. Accounts begin with a ServerlessMaxConcurrency of 10 over all.",
)
def quota_serverless(facts: Snapshot) -> Iterator[Place]:
    yield from too_small(facts, *SERVERLESS)


def too_small(facts: Snapshot, *ends: str, update: bool = False) -> Iterator[Place]:
    """Where a quota is below what is needed, or, of an update, below what that needs but not below the usual.

    ends: how the names of the quotas end
    """
    for target in facts.targets:
        most = fleets(facts, target.stage) if ends[0] in ENDPOINT else 1
        for (region, code), value in (target.quotas or {}).items():
            name, count = facts.needs[target.stage][code]
            least, needed = (count, count * most) if update else (0, count)
            if name.endswith(ends) and known(value) and least <= value < needed:
                yield Place(
                    target.account.id,
                    f"quota {name}",
                    f"account {target.where} may run {value:g}, and {needed} {'is' if needed == 1 else 'are'} needed",
                    "aws service-quotas request-service-quota-increase --service-code sagemaker "
                    f"--quota-code {code} --desired-value {count * most} --region {region}",
                    region,
                )


def fleets(facts: Snapshot, stage: Stage) -> int:
    """How many times its instances an endpoint has while it is updated.

    The new fleet starts while the old one answers (SageMaker Developer Guide, "Blue/Green Deployments"), and with a
    shadow one of the two has as many instances again (50-endpoint.yaml).
    """
    return 3 if stage is Stage.PROD and facts.settings.endpoints.shadow.minutes else 2


@check(
    "quota-builds",
    "error",
    "The data science account may run no builds",
    'New accounts begin so: CodeBuild answers "Cannot have more than 0 builds in queue", and every deployment fails.',
)
def quota_builds(facts: Snapshot) -> Iterator[Place]:
    for name in builds.quotas(facts.settings, facts.region):
        yield from below_one(facts, name, "codebuild", facts.limits.builds, 10)


@check(
    "quota-training",
    "warning",
    "The data science account may not train on the instance type that the training repository begins with",
    "The training step fails with ResourceLimitExceeded. New accounts begin with 0 for many instance types.",
)
def quota_training(facts: Snapshot) -> Iterator[Place]:
    yield from below_one(facts, f"{TRAINS_ON}{TRAINING}", "sagemaker", facts.limits.training, 2)


def below_one(
    facts: Snapshot, name: str, service: str, found: Mapping[str, tuple[str, float]], value: int
) -> Iterator[Place]:
    """A quota of the data science account that allows nothing. value: to ask for"""
    code, now = found.get(name, ("", 1.0))
    if now < 1:
        ask = f"aws service-quotas request-service-quota-increase --service-code {service} --quota-code {code}"
        yield here(facts, f"quota {name}", f"it is {now:g}", f"{ask} --desired-value {value} --region {facts.region}")
