"""The buckets and the key: who may read the models, how they are kept."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from awslang.policy.document import parse
from awslang.policy.evaluator import AuthorizationRequest, Decision, Policies, decide
from scripts.kit.doctor.data_science import here
from scripts.kit.doctor.findings import Place, Request, finding
from scripts.kit.doctor.merge import merged
from scripts.kit.doctor.organization import STAGES
from scripts.kit.doctor.reader import UNREAD, Reader, known
from scripts.kit.doctor.roles import EVERYTHING, role_session
from scripts.kit.publish.catalog import bundle_bucket
from scripts.kit.settings.model import Settings
from scripts.kit.stacks import model_regions
from scripts.kit.together import together

if TYPE_CHECKING:
    from scripts.kit.doctor.snapshot import Snapshot

READ_MODELS, DECRYPT_MODELS = "TargetAccountsReadModels", "TargetAccountsDecryptModels"
ALIAS = "alias/sagemaker-multi-account-models"  # of the models' key, in every region
CLOSED = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")


@dataclass(frozen=True)
class Bucket:
    """policy: its text, None without one; public: its public access block; the rest as S3 shows it."""

    name: str
    policy: Any = UNREAD
    public: Any = UNREAD
    versioning: Any = UNREAD
    encryption: Any = UNREAD


@dataclass(frozen=True)
class Key:
    """described: as DescribeKey shows it; None where no key has the alias."""

    described: Any = UNREAD
    policy: Any = UNREAD
    rotation: Any = UNREAD


@dataclass(frozen=True)
class Storage:
    """Of the data science account's own region. Each bucket is None where it does not exist."""

    bundle: Any = UNREAD
    models: Any = UNREAD
    default: Any = UNREAD
    model_key: Key = Key()

    @property
    def key(self) -> Any:
        return self.model_key.described


def default_bucket(account: str, region: str) -> str:
    """The post's bucket: what the SageMaker SDK makes by itself."""
    return f"sagemaker-{region}-{account}"


# -- the facts ---------------------------------------------------------------------------------


def gather(reader: Reader, settings: Settings) -> Storage:
    account, region = settings.accounts.data_science, reader.region
    buckets = [bundle_bucket(account, region), model_regions.bucket(account, region), default_bucket(account, region)]
    found: list[Any] = together(
        [
            *(partial(read_bucket, reader, account, name) for name in buckets),
            partial(read_key, reader, account, region),
        ]
    )
    return Storage(*found)


def read_key(reader: Reader, account: str, region: str) -> Key:
    """The models' key of a region."""
    ask = partial(reader.ask, account, "kms", region=region)
    found = ask("DescribeKey", KeyId=ALIAS)
    if not found:
        return Key(found)
    id = found["KeyMetadata"]["KeyId"]
    policy = ask("GetKeyPolicy", KeyId=id, PolicyName="default")
    alive = found["KeyMetadata"]["KeyState"] == "Enabled"  # only then does KMS say
    rotation: Any = ask("GetKeyRotationStatus", KeyId=id) if alive else UNREAD
    return Key(
        found["KeyMetadata"],
        policy["Policy"] if policy else policy,
        rotation["KeyRotationEnabled"] if rotation else rotation,
    )


def read_bucket(reader: Reader, account: str, name: str, region: str = "") -> Any:
    ask = partial(reader.ask, account, "s3", region=region, Bucket=name)
    versioning = ask("GetBucketVersioning")
    if not known(versioning) or versioning is None:
        return versioning
    policy = ask("GetBucketPolicy")
    public = ask("GetPublicAccessBlock")
    encryption = ask("GetBucketEncryption")
    return Bucket(
        name,
        policy["Policy"] if policy else policy,
        public["PublicAccessBlockConfiguration"] if public else public,
        versioning.get("Status", ""),
        encryption["ServerSideEncryptionConfiguration"]["Rules"] if encryption else encryption,
    )


def places(it: Snapshot) -> Iterator[tuple[str, Any, Key]]:
    """Region, model bucket and key: of the data science account's own region, and of each further one."""
    yield it.region, it.storage.models, it.storage.model_key
    for region, bucket in it.further.buckets.items():
        yield region, bucket, it.further.keys[region]


def kept_buckets(it: Snapshot) -> Iterator[tuple[str, Bucket]]:
    """The kit's buckets that there are, each with its region."""
    for region, bucket in [(it.region, it.storage.bundle), *((region, models) for region, models, _ in places(it))]:
        if bucket:
            yield region, bucket


# -- who may read ------------------------------------------------------------------------------


def who_may(it: Snapshot) -> tuple[dict[str, Any], dict[str, Any]]:
    """Principal and condition of a statement that lets in the target accounts, and nobody else."""
    paths = [path for stage in STAGES if (path := it.organization.path(stage))]
    if paths:
        return {"AWS": "*"}, {"ForAnyValue:StringLike": {"aws:PrincipalOrgPaths": paths}}
    return {"AWS": [f"arn:{it.partition}:iam::{account}:root" for account in target_accounts(it)]}, {}


def everybody_known(it: Snapshot) -> bool:
    """Whether a statement can be written that shuts nobody out: it takes the place of the one that there is."""
    return all(it.organization.units[stage] for stage in STAGES)


def target_accounts(it: Snapshot) -> list[str]:
    return sorted({account.id for stage in STAGES for account in it.organization.targets(stage)})


def read_statement(it: Snapshot, bucket: str) -> dict[str, Any]:
    principal, condition = who_may(it)
    if condition:  # paths with a star are no fixed value: S3 would take the policy for a public one, and block it
        organization = it.organization.described["Organization"]["Id"]
        condition = condition | {"StringEquals": {"aws:PrincipalOrgID": organization}}
    return {
        "Sid": READ_MODELS,
        "Effect": "Allow",
        "Principal": principal,
        "Action": "s3:GetObject",
        "Resource": f"arn:{it.partition}:s3:::{bucket}/*",
        **({"Condition": condition} if condition else {}),
    }


def decrypt_statement(it: Snapshot, region: str) -> dict[str, Any]:
    principal, condition = who_may(it)
    through = {"StringEquals": {"kms:ViaService": f"s3.{region}.amazonaws.com"}}
    return {
        "Sid": DECRYPT_MODELS,
        "Effect": "Allow",
        "Principal": principal,
        "Action": "kms:Decrypt",
        "Resource": "*",
        "Condition": condition | through,
    }


def shut_out(it: Snapshot, policy: Any, action: str, resource: str, region: str = "") -> list[tuple[str, Decision]]:
    """The target accounts whose model's role this resource's policy does not let in, and why."""
    if not known(policy):
        return []
    kind = "key" if action.startswith("kms:") else "resource"
    read = parse(policy, "its policy", it.account, "resource") if policy else None
    found = []
    for stage in STAGES:
        unit = it.organization.units[stage]
        for account in it.organization.targets(stage):
            if account.id in {it.settings.accounts.management, it.account}:
                continue
            who = role_session(f"arn:{it.partition}:iam::{account.id}:role/model")
            context = {
                "aws:securetransport": ("true",),
                "kms:viaservice": (f"s3.{region or it.region}.amazonaws.com",),
            }
            if it.organization.described and unit.id:
                organization = it.organization.described["Organization"]["Id"]
                context["aws:principalorgid"] = (organization,)
                context["aws:principalorgpaths"] = ("/".join([organization, *account.parents, ""]),)
            request = AuthorizationRequest(who, action, resource, it.account, context)
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


def let_in(it: Snapshot, bucket: Bucket, region: str = "") -> Iterator[Place]:
    """The statement that is missing in a bucket's policy, merged into it."""
    if not everybody_known(it):
        return
    found = shut_out(it, bucket.policy, "s3:GetObject", f"arn:{it.partition}:s3:::{bucket.name}/model.tar.gz")
    accounts = [account for account, decision in found if decision.reason != "explicit deny"]
    if accounts:
        policy = merged(bucket.policy or "", [read_statement(it, bucket.name)])
        parameters = {"Bucket": bucket.name, "Policy": policy}
        request = Request(it.account, region or it.region, "s3", "PutBucketPolicy", parameters)
        what = f"its policy does not let in {short(accounts)}"
        yield request.mends(f"bucket {bucket.name}", what)


def let_decrypt(it: Snapshot, found: Key, region: str) -> Iterator[Place]:
    """The statement that is missing in a key's policy, merged into it."""
    key = found.described
    if key["KeyState"] != "Enabled" or not everybody_known(it):
        return
    shut = shut_out(it, found.policy, "kms:Decrypt", key["Arn"], region)
    if accounts := [account for account, decision in shut if decision.reason != "explicit deny"]:
        text = merged(found.policy or "", [decrypt_statement(it, region)])
        parameters = {"KeyId": key["KeyId"], "PolicyName": "default", "Policy": text}
        request = Request(it.account, region, "kms", "PutKeyPolicy", parameters)
        what = f"its policy does not let in {short(accounts)}"
        yield request.mends(f"key {key['KeyId']}", what)


# -- the checks --------------------------------------------------------------------------------


@finding(
    "bundle-bucket-missing",
    "stops",
    "The bundle bucket does not exist",
    "`make publish` uploads to it, and new projects take their seed code from it.",
)
def bundle_bucket_missing(it: Snapshot) -> Iterator[Place]:
    if it.storage.bundle is None and it.data_science.stack:
        name = bundle_bucket(it.account, it.region)
        yield here(it, f"bucket {name}", "there is no such bucket", make_bucket(it, name) + f"\nthen {it.make_publish}")


def make_bucket(it: Snapshot, name: str) -> str:
    place = f" --create-bucket-configuration LocationConstraint={it.region}" if it.region != "us-east-1" else ""
    return f"aws s3api create-bucket --bucket {name}{place}"


@finding(
    "model-bucket-missing",
    "stops",
    "The bucket of the models does not exist",
    "Training writes to it, and every endpoint reads from it.",
)
def model_bucket_missing(it: Snapshot) -> Iterator[Place]:
    if it.storage.models is None and it.data_science.stack:
        name = model_regions.bucket(it.account, it.region)
        yield here(it, f"bucket {name}", "there is no such bucket", f"{make_bucket(it, name)}\nthen make doctor")


@finding(
    "model-bucket-policy",
    "stops",
    "The bucket of the models does not let every target account read",
    "The endpoint fails while it downloads its model.",
    safe=True,
)
def model_bucket_policy(it: Snapshot) -> Iterator[Place]:
    if it.storage.models:
        yield from let_in(it, it.storage.models)


@finding(
    "model-bucket-deny",
    "stops",
    "A statement of the models' bucket denies the target accounts",
    "A Deny is stronger than every Allow.",
)
def model_bucket_deny(it: Snapshot) -> Iterator[Place]:
    for region, bucket, _ in places(it):
        resource = f"arn:{it.partition}:s3:::{bucket.name}/model" if bucket else ""
        found = denied(shut_out(it, bucket.policy, "s3:GetObject", resource, region)) if bucket else []
        if not found:
            continue
        label = found[0][1].statements[0].statement.label
        paths = [it.organization.path(stage) for stage in STAGES]
        exception = {"ForAllValues:StringNotLike": {"aws:PrincipalOrgPaths": paths}}
        if it.alone:
            exception = {"StringNotEquals": {"aws:PrincipalAccount": target_accounts(it)}}
        what = f"statement {label} denies {short([account for account, _ in found])}"
        fix = f'except the target accounts in statement {label}: "Condition": {json.dumps(exception)}'
        yield Place(it.account, f"bucket {bucket.name}", what, fix, region)


@finding(
    "default-bucket-policy",
    "note",
    "Models in the SageMaker SDK's default bucket cannot be deployed",
    "The post trains into it. Train into the kit's model bucket, or let the target accounts read this one too.",
    safe=True,
)
def default_bucket_policy(it: Snapshot) -> Iterator[Place]:
    if it.storage.default:
        yield from let_in(it, it.storage.default)


@finding(
    "bucket-public",
    "warns",
    "A bucket of the kit does not block public access",
    "One careless statement in its policy would show it to everybody.",
    safe=True,
)
def bucket_public(it: Snapshot) -> Iterator[Place]:
    for region, bucket in kept_buckets(it):
        off = [name for name in CLOSED if not (bucket.public or {}).get(name)] if known(bucket.public) else []
        if off:
            configuration = dict.fromkeys(CLOSED, True)
            parameters = {"Bucket": bucket.name, "PublicAccessBlockConfiguration": configuration}
            request = Request(it.account, region, "s3", "PutPublicAccessBlock", parameters)
            yield request.mends(f"bucket {bucket.name}", f"off: {', '.join(off)}")


@finding(
    "bucket-versioning",
    "warns",
    "A bucket of the kit keeps no versions",
    "What is overwritten or deleted in it is lost, and with it what endpoints and projects were made from.",
    safe=True,
)
def bucket_versioning(it: Snapshot) -> Iterator[Place]:
    for region, bucket in kept_buckets(it):
        if bucket.versioning != "Enabled":
            parameters = {"Bucket": bucket.name, "VersioningConfiguration": {"Status": "Enabled"}}
            request = Request(it.account, region, "s3", "PutBucketVersioning", parameters)
            what = f"versioning is {bucket.versioning or 'off'}"
            yield request.mends(f"bucket {bucket.name}", what)


@finding(
    "model-bucket-encryption",
    "stops",
    "The bucket of the models does not encrypt with the kit's key",
    "What is encrypted with S3's default key for KMS can be read in its own account only.",
    safe=True,
)
def model_bucket_encryption(it: Snapshot) -> Iterator[Place]:
    for region, bucket, found in places(it):
        key = found.described
        if not bucket or not key or not known(bucket.encryption):
            continue
        rule = (bucket.encryption or [{}])[0].get("ApplyServerSideEncryptionByDefault", {})
        if rule.get("SSEAlgorithm") != "aws:kms" or key["KeyId"] not in rule.get("KMSMasterKeyID", ""):
            default = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key["Arn"]}
            rules = [{"ApplyServerSideEncryptionByDefault": default, "BucketKeyEnabled": True}]
            parameters = {"Bucket": bucket.name, "ServerSideEncryptionConfiguration": {"Rules": rules}}
            request = Request(it.account, region, "s3", "PutBucketEncryption", parameters)
            what = f"it encrypts with {rule.get('SSEAlgorithm', 'nothing')} {rule.get('KMSMasterKeyID', '')}".rstrip()
            yield request.mends(f"bucket {bucket.name}", what)


@finding(
    "model-key-missing",
    "stops",
    "The models' key is missing",
    "Training encrypts models with it, and endpoints decrypt them with it.",
)
def model_key_missing(it: Snapshot) -> Iterator[Place]:
    stacks = {it.region: it.data_science.stack, **it.data_science.further}
    for region, _, key in places(it):
        stack = stacks.get(region)
        if key.described is None and stack:
            id = stack.outputs.get("ModelKeyArn", "").rsplit("/", 1)[-1] or "KEY"
            fix = f"aws kms create-alias --alias-name {ALIAS} --target-key-id {id} --region {region}"
            yield Place(it.account, f"key {ALIAS}", "no key has this alias", fix, region)


@finding(
    "model-key-state",
    "stops",
    "The models' key cannot be used",
    "No model that it encrypted can be read. Once a key is deleted, they are lost.",
)
def model_key_state(it: Snapshot) -> Iterator[Place]:
    for region, _, found in places(it):
        key = found.described
        if key and key["KeyState"] != "Enabled":
            named = f"--key-id {key['KeyId']} --region {region}"
            first = f"aws kms cancel-key-deletion {named}\n" if key["KeyState"] == "PendingDeletion" else ""
            what, fix = f"it is {key['KeyState']}", f"{first}aws kms enable-key {named}"
            yield Place(it.account, f"key {key['KeyId']}", what, fix, region)


@finding(
    "model-key-policy",
    "stops",
    "The models' key does not let every target account decrypt",
    "The endpoint fails while it downloads its model.",
    safe=True,
)
def model_key_policy(it: Snapshot) -> Iterator[Place]:
    if it.storage.key:
        yield from let_decrypt(it, it.storage.model_key, it.region)


@finding(
    "model-key-rotation",
    "note",
    "The models' key does not rotate",
    "KMS then never replaces its material. Old models stay readable when it does.",
    safe=True,
)
def model_key_rotation(it: Snapshot) -> Iterator[Place]:
    for region, _, key in places(it):
        if key.described and key.rotation is False:
            id = key.described["KeyId"]
            request = Request(it.account, region, "kms", "EnableKeyRotation", {"KeyId": id})
            yield request.mends(f"key {id}", "rotation is off")
