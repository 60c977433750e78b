"""What the target accounts may read: whether a policy allows it, and the statement that does."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

from awslang.policy.document import parse
from awslang.policy.evaluator import AuthorizationRequest, Decision, Policies, decide
from scripts.kit.doctor.checks.roles import EVERYTHING, role_session
from scripts.kit.doctor.facts.storage import Bucket, Key
from scripts.kit.doctor.findings import Place, Request
from scripts.kit.doctor.merge import merged
from scripts.kit.doctor.reader import known
from scripts.kit.doctor.snapshot import Snapshot
from scripts.kit.stages import Stage

READ_MODELS = "TargetAccountsReadModels"  # of a bucket that is not the kit's
# Of the kit's own bucket and key (template 10): the accounts of every stage before production read the objects with
# staging's tag, those of production the objects with its own.
READERS = (Stage.STAGING, Stage.PROD)
STAGE_READS = {stage: f"{stage.key.capitalize()}ReadsModels" for stage in READERS}
STAGE_DECRYPTS = {stage: f"{stage.key.capitalize()}DecryptsModels" for stage in READERS}

# What the puller of an image needs (Amazon ECR User Guide, "Private repository policy examples").
PULL = ("ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer")


def readers(facts: Snapshot) -> tuple[Stage, ...]:
    """Those of READERS that the installation has."""
    return tuple(stage for stage in READERS if stage in facts.settings.stages)


def those_of(facts: Snapshot, reader: Stage) -> tuple[Stage, ...]:
    """The stages whose accounts read what one of READERS does."""
    return (reader,) if reader is Stage.PROD else facts.settings.stages[:-1]


def tag_key(stage: Stage) -> str:
    """The condition key of the tag that builds set on what they deploy to the stage (pipeline/sharing.py)."""
    return f"s3:ExistingObjectTag/sagemaker-multi-account-{stage}"


def who_may(facts: Snapshot, stages: Iterable[Stage] = ()) -> tuple[dict[str, Any], dict[str, Any]]:
    """Principal and condition of a statement that allows the stages' accounts, and no other principal."""
    stages = tuple(stages) or facts.settings.stages
    paths = [path for stage in stages if (path := facts.organization.path(stage))]
    if paths:
        return {"AWS": "*"}, {"ForAnyValue:StringLike": {"aws:PrincipalOrgPaths": paths}}
    accounts = target_accounts(facts, stages)
    return {"AWS": [f"arn:{facts.partition}:iam::{account}:root" for account in accounts]}, {}


def targets_known(facts: Snapshot) -> bool:
    """Whether every target account is known, so that a statement can replace the one that is there."""
    return all(facts.organization.units[stage] for stage in facts.settings.stages)


def target_accounts(facts: Snapshot, stages: Iterable[Stage] = ()) -> list[str]:
    return sorted(
        {account.id for stage in stages or facts.settings.stages for account in facts.organization.targets(stage)}
    )


def read_statement(facts: Snapshot, bucket: str, stage: Stage | None = None) -> dict[str, Any]:
    """For all stages every object; for one of READERS, those with its tag."""
    principal, condition = who_may(facts, those_of(facts, stage) if stage else ())
    equal = {tag_key(stage): "true"} if stage else {}
    if condition:  # a path with a star is not a fixed value: S3 would call the policy public, and block it
        equal["aws:PrincipalOrgID"] = facts.organization.described["Organization"]["Id"]
    if equal:
        condition = condition | {"StringEquals": equal}
    return {
        "Sid": STAGE_READS[stage] if stage else READ_MODELS,
        "Effect": "Allow",
        "Principal": principal,
        "Action": "s3:GetObject",
        "Resource": f"arn:{facts.partition}:s3:::{bucket}/*",
        **({"Condition": condition} if condition else {}),
    }


def decrypt_statement(facts: Snapshot, region: str, stage: Stage) -> dict[str, Any]:
    principal, condition = who_may(facts, those_of(facts, stage))
    through = {"StringEquals": {"kms:ViaService": f"s3.{region}.amazonaws.com"}}
    return {
        "Sid": STAGE_DECRYPTS[stage],
        "Effect": "Allow",
        "Principal": principal,
        "Action": "kms:Decrypt",
        "Resource": "*",
        "Condition": condition | through,
    }


def shut_out(
    facts: Snapshot,
    policy: Any,
    action: str,
    resource: str,
    region: str = "",
    *,
    stages: Iterable[Stage] = (),
    tagged: bool = True,
    owner: str = "",
) -> list[tuple[str, Decision]]:
    """The target accounts whose model's role this resource's policy does not allow, and the decision for each.

    tagged: whether the object carries the tag of the account's stage
    owner: the resource's account, where it is not the data science account
    """
    if not known(policy):
        return []
    kind = "key" if action.startswith("kms:") else "resource"
    read = parse(policy, "its policy", owner or facts.account, "resource") if policy else None
    found = []
    for stage in stages or facts.settings.stages:
        reader = Stage.PROD if stage is Stage.PROD else Stage.STAGING
        unit = facts.organization.units[stage]
        for account in facts.organization.targets(stage):
            if account.id in {facts.settings.accounts.management, facts.account}:
                continue
            who = role_session(f"arn:{facts.partition}:iam::{account.id}:role/model")
            context = {
                "aws:securetransport": ("true",),
                "kms:viaservice": (f"s3.{region or facts.region}.amazonaws.com",),
            }
            if tagged and action.startswith("s3:"):
                context[tag_key(reader).lower()] = ("true",)
            if facts.organization.described and unit.id:
                organization = facts.organization.described["Organization"]["Id"]
                context["aws:principalorgid"] = (organization,)
                context["aws:principalorgpaths"] = ("/".join([organization, *account.parents, ""]),)
            request = AuthorizationRequest(who, action, resource, owner or facts.account, context)
            decision = decide(request, Policies(identity=(EVERYTHING,), resource=read, resource_kind=kind))  # type: ignore[arg-type]
            if not decision.allowed:
                found.append((account.id, decision))
    return found


def short(accounts: list[str]) -> str:
    """The first accounts of a list, and how many more."""
    more = f" and {len(accounts) - 5} more" if len(accounts) > 5 else ""
    return ", ".join(accounts[:5]) + more


def denied(found: list[tuple[str, Decision]]) -> list[tuple[str, Decision]]:
    return [(account, decision) for account, decision in found if decision.reason == "explicit deny"]


def allow_read(facts: Snapshot, bucket: Bucket, region: str = "", *, by_stage: bool = True) -> Iterator[Place]:
    """The bucket, where a statement is missing in its policy, with the request that merges it into the policy.

    by_stage: it is the kit's own, of which each stage's accounts read what carries the stage's tag
    """
    if not targets_known(facts):
        return
    object_arn = f"arn:{facts.partition}:s3:::{bucket.name}/model.tar.gz"
    accounts, statements = [], []
    for reader in readers(facts) if by_stage else (None,):
        stages = those_of(facts, reader) if reader else ()
        shut = shut_out(facts, bucket.policy, "s3:GetObject", object_arn, stages=stages, tagged=by_stage)
        if missing := [account for account, decision in shut if decision.reason != "explicit deny"]:
            accounts += missing
            statements.append(read_statement(facts, bucket.name, reader))
    if accounts:
        policy = merged(bucket.policy or "", statements)
        parameters = {"Bucket": bucket.name, "Policy": policy}
        request = Request(facts.account, region or facts.region, "s3", "PutBucketPolicy", parameters)
        what = f"its policy does not allow {short(accounts)}"
        yield request.fixes(f"bucket {bucket.name}", what)


def allow_decrypt(facts: Snapshot, found: Key, region: str) -> Iterator[Place]:
    """The key, where a statement is missing in its policy, with the request that merges it into the policy."""
    key = found.described
    if key["KeyState"] != "Enabled" or not targets_known(facts):
        return
    accounts, statements = [], []
    for stage in readers(facts):
        shut = shut_out(facts, found.policy, "kms:Decrypt", key["Arn"], region, stages=those_of(facts, stage))
        if missing := [account for account, decision in shut if decision.reason != "explicit deny"]:
            accounts += missing
            statements.append(decrypt_statement(facts, region, stage))
    if accounts:
        text = merged(found.policy or "", statements)
        parameters = {"KeyId": key["KeyId"], "PolicyName": "default", "Policy": text}
        request = Request(facts.account, region, "kms", "PutKeyPolicy", parameters)
        what = f"its policy does not allow {short(accounts)}"
        yield request.fixes(f"key {key['KeyId']}", what)


def kept_from_pulling(facts: Snapshot, policy: Any, repository: str) -> list[str]:
    """The target accounts that a repository's policy keeps from its images. repository: its ARN"""
    owner = repository.split(":")[4]
    shut = (account for action in PULL for account, _ in shut_out(facts, policy, action, repository, owner=owner))
    return list(dict.fromkeys(shut))


def allow_pull(facts: Snapshot, region: str, repository: str) -> str:
    """The command that allows the target accounts to pull a repository's images."""
    return (
        f"aws ecr set-repository-policy --region {region} --repository-name {repository} with the statement "
        f"{json.dumps(pull_statement(facts))}"
    )


def pull_statement(facts: Snapshot) -> dict[str, Any]:
    """The statement of a repository's policy that allows the target accounts to pull."""
    principal, condition = who_may(facts)
    return {
        "Sid": "TargetAccountsPullImages",
        "Effect": "Allow",
        "Principal": principal,
        "Action": list(PULL),
        **({"Condition": condition} if condition else {}),
    }
