"""The buckets and the models' key: whether they exist, who may read them, how they are protected."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator

from scripts.kit.bundle import differences
from scripts.kit.doctor.checks.sharing import allow_decrypt, allow_read, denied, short, shut_out, target_accounts
from scripts.kit.doctor.facts.storage import ALIAS
from scripts.kit.doctor.findings import Place, Request, check, here
from scripts.kit.doctor.reader import known
from scripts.kit.doctor.snapshot import Snapshot
from scripts.kit.names import MODELS_STACK, SHARED_STACK, bundle_bucket, model_bucket

CLOSED = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")


@check(
    "bundle-bucket-missing",
    "error",
    "The bundle bucket does not exist",
    "`make publish` uploads to it, and new projects take their seed code from it.",
)
def bundle_bucket_missing(facts: Snapshot) -> Iterator[Place]:
    if facts.storage.bundle is None:
        name = bundle_bucket(facts.account, facts.region)
        fix = f"{make_bucket(facts, name, SHARED_STACK, 'BundleBucket')}\nthen {facts.make_publish}"
        yield here(facts, f"bucket {name}", "there is no such bucket", fix)


def make_bucket(facts: Snapshot, name: str, stack: str, resource: str) -> str:
    """The commands that bring a bucket back with the versions and the policy that its stack gave it."""
    if not (found := facts.data_science.stacks[stack]):
        return facts.make_accounts
    resolved = differences.resolve(found.body, found.parameters, facts.account, facts.region)
    policy = json.dumps(resolved[f"{resource}Policy"][1]["PolicyDocument"])
    policy = policy.replace(f"${{{resource}:Arn}}", f"arn:{facts.partition}:s3:::{name}")
    place = f" --create-bucket-configuration LocationConstraint={facts.region}" if facts.region != "us-east-1" else ""
    return (
        f"aws s3api create-bucket --bucket {name}{place}\n"
        f"then aws s3api put-bucket-versioning --bucket {name} --versioning-configuration Status=Enabled\n"
        f"then aws s3api put-bucket-policy --bucket {name} --policy {shlex.quote(policy)}"
    )


@check(
    "model-bucket-missing",
    "error",
    "The bucket of the models does not exist",
    "Training writes to it, and every endpoint reads from it.",
)
def model_bucket_missing(facts: Snapshot) -> Iterator[Place]:
    if facts.storage.models is None:
        name = model_bucket(facts.account, facts.region)
        fix = make_bucket(facts, name, MODELS_STACK, "ModelBucket")
        yield here(facts, f"bucket {name}", "there is no such bucket", fix)


@check(
    "model-bucket-policy",
    "error",
    "The bucket of the models does not allow every target account to read",
    "The endpoint fails while it downloads its model.",
    safe=True,
)
def model_bucket_policy(facts: Snapshot) -> Iterator[Place]:
    if facts.storage.models:
        yield from allow_read(facts, facts.storage.models)


@check(
    "model-bucket-deny",
    "error",
    "A statement of the models' bucket denies the target accounts",
    "A Deny overrides every Allow.",
)
def model_bucket_deny(facts: Snapshot) -> Iterator[Place]:
    for region, bucket, _ in facts.places():
        resource = f"arn:{facts.partition}:s3:::{bucket.name}/model" if bucket else ""
        found = denied(shut_out(facts, bucket.policy, "s3:GetObject", resource, region)) if bucket else []
        if not found:
            continue
        label = found[0][1].statements[0].statement.label
        paths = [facts.organization.path(stage) for stage in facts.settings.stages]
        exception = {"ForAllValues:StringNotLike": {"aws:PrincipalOrgPaths": paths}}
        if facts.alone:
            exception = {"StringNotEquals": {"aws:PrincipalAccount": target_accounts(facts)}}
        what = f"statement {label} denies {short([account for account, _ in found])}"
        fix = f'except the target accounts in statement {label}: "Condition": {json.dumps(exception)}'
        yield Place(facts.account, f"bucket {bucket.name}", what, fix, region)


@check(
    "model-bucket-untagged",
    "warning",
    "The target accounts may read models that no deployment has shared with them",
    "The pipeline tags what it deploys to a stage. Until everything that is served has a tag, models without one stay "
    "readable, those of other projects and stages too.",
)
def model_bucket_untagged(facts: Snapshot) -> Iterator[Place]:
    """In the policy: also where the stack is of before version 0.3, or the policy was changed by hand."""
    for region, bucket, _ in facts.places():
        if not bucket or not known(bucket.policy):
            continue
        resource = f"arn:{facts.partition}:s3:::{bucket.name}/project/models/model.tar.gz"
        shut = {account for account, _ in shut_out(facts, bucket.policy, "s3:GetObject", resource, tagged=False)}
        if readers := [account for account in target_accounts(facts) if account not in {*shut, facts.account}]:
            what = f"{short(readers)} may read models without a tag"
            fix = (
                "deploy every project once with the pipeline's code of this bundle (`make upgrade`), then write "
                "models: {untagged: refuse} into the environment file and run `make accounts`"
            )
            yield Place(facts.account, f"bucket {bucket.name}", what, fix, region)


@check(
    "default-bucket-policy",
    "note",
    "Models in the SageMaker SDK's default bucket cannot be deployed",
    "The post trains into it. Train into the kit's model bucket, or allow the target accounts to read this one too.",
    safe=True,
)
def default_bucket_policy(facts: Snapshot) -> Iterator[Place]:
    if facts.storage.default:
        yield from allow_read(facts, facts.storage.default, by_stage=False)


@check(
    "bucket-public",
    "warning",
    "A bucket of the kit does not block public access",
    "One careless statement in its policy would make it public.",
    safe=True,
)
def bucket_public(facts: Snapshot) -> Iterator[Place]:
    for region, bucket in facts.kept_buckets():
        off = [name for name in CLOSED if not (bucket.public or {}).get(name)] if known(bucket.public) else []
        if off:
            configuration = dict.fromkeys(CLOSED, True)
            parameters = {"Bucket": bucket.name, "PublicAccessBlockConfiguration": configuration}
            request = Request(facts.account, region, "s3", "PutPublicAccessBlock", parameters)
            yield request.fixes(f"bucket {bucket.name}", f"off: {', '.join(off)}")


@check(
    "bucket-versioning",
    "warning",
    "A bucket of the kit keeps no versions",
    "An object that is overwritten or deleted is lost, and with it what endpoints and projects were created from.",
    safe=True,
)
def bucket_versioning(facts: Snapshot) -> Iterator[Place]:
    for region, bucket in facts.kept_buckets():
        if bucket.versioning != "Enabled":
            parameters = {"Bucket": bucket.name, "VersioningConfiguration": {"Status": "Enabled"}}
            request = Request(facts.account, region, "s3", "PutBucketVersioning", parameters)
            what = f"versioning is {bucket.versioning or 'off'}"
            yield request.fixes(f"bucket {bucket.name}", what)


@check(
    "model-bucket-encryption",
    "error",
    "The bucket of the models does not encrypt with the kit's key",
    "Objects that are encrypted with S3's default key for KMS can be read in their own account only.",
    safe=True,
)
def model_bucket_encryption(facts: Snapshot) -> Iterator[Place]:
    for region, bucket, found in facts.places():
        key = found.described
        if not bucket or not key or not known(bucket.encryption):
            continue
        rule = (bucket.encryption or [{}])[0].get("ApplyServerSideEncryptionByDefault", {})
        if rule.get("SSEAlgorithm") != "aws:kms" or key["KeyId"] not in rule.get("KMSMasterKeyID", ""):
            default = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key["Arn"]}
            rules = [{"ApplyServerSideEncryptionByDefault": default, "BucketKeyEnabled": True}]
            parameters = {"Bucket": bucket.name, "ServerSideEncryptionConfiguration": {"Rules": rules}}
            request = Request(facts.account, region, "s3", "PutBucketEncryption", parameters)
            what = f"it encrypts with {rule.get('SSEAlgorithm', 'nothing')} {rule.get('KMSMasterKeyID', '')}".rstrip()
            yield request.fixes(f"bucket {bucket.name}", what)


@check(
    "model-key-missing",
    "error",
    "The models' key is missing",
    "Training encrypts models with it, and endpoints decrypt them with it.",
)
def model_key_missing(facts: Snapshot) -> Iterator[Place]:
    stacks = {facts.region: facts.data_science.stacks[MODELS_STACK], **facts.data_science.further}
    for region, _, key in facts.places():
        stack = stacks.get(region)
        if key.described is None and stack:
            id = stack.outputs.get("ModelKeyArn", "").rsplit("/", 1)[-1] or "KEY"
            fix = f"aws kms create-alias --alias-name {ALIAS} --target-key-id {id} --region {region}"
            yield Place(facts.account, f"key {ALIAS}", "no key has this alias", fix, region)


@check(
    "model-key-state",
    "error",
    "The models' key cannot be used",
    "No model that it encrypted can be read. Once a key is deleted, they are lost.",
)
def model_key_state(facts: Snapshot) -> Iterator[Place]:
    for region, _, found in facts.places():
        key = found.described
        if key and key["KeyState"] != "Enabled":
            named = f"--key-id {key['KeyId']} --region {region}"
            first = f"aws kms cancel-key-deletion {named}\n" if key["KeyState"] == "PendingDeletion" else ""
            what, fix = f"it is {key['KeyState']}", f"{first}aws kms enable-key {named}"
            yield Place(facts.account, f"key {key['KeyId']}", what, fix, region)


@check(
    "model-key-policy",
    "error",
    "The models' key does not allow every target account to decrypt",
    "The endpoint fails while it downloads its model.",
    safe=True,
)
def model_key_policy(facts: Snapshot) -> Iterator[Place]:
    if facts.storage.key:
        yield from allow_decrypt(facts, facts.storage.model_key, facts.region)


@check(
    "model-key-rotation",
    "note",
    "The models' key does not rotate",
    "KMS then never replaces its key material. Old models stay readable after a rotation.",
    safe=True,
)
def model_key_rotation(facts: Snapshot) -> Iterator[Place]:
    for region, _, key in facts.places():
        if key.described and key.rotation is False:
            id = key.described["KeyId"]
            request = Request(facts.account, region, "kms", "EnableKeyRotation", {"KeyId": id})
            yield request.fixes(f"key {id}", "rotation is off")
