"""The buckets and the key, broken; and what does not fit."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Any

from botocore.exceptions import ClientError
from moto import backends

from localaws import moto_bridge
from scripts.kit.doctor.facts import limits
from tests.kit.doctor.cases import case, without
from tests.kit.doctor.cases.targets import quota
from tests.support.doctor_world import World

ALIAS = "alias/sagemaker-multi-account-models"
OTHERS = """{
  "Version": "2012-10-17",
  "Statement": [ { "Sid":"Theirs",  "Effect":"Deny","Principal":"*", "Action":"s3:DeleteObject",
      "Resource":"arn:aws:s3:::%s/*", "Condition":{"Bool":{"aws:SecureTransport":"false"}} } ]
}"""


@contextmanager
def no_bucket(world: World, name: str) -> Iterator[None]:
    backend = moto_bridge.backend("s3", world.account, "aws")
    everywhere = backends.get_backend("s3").bucket_accounts
    with without(backend.buckets, name), without(everywhere, name):
        yield


@contextmanager
def bucket_policy(world: World, policy: str) -> Iterator[None]:
    s3 = world.client("s3")
    before = s3.get_bucket_policy(Bucket=world.models)["Policy"]
    s3.put_bucket_policy(Bucket=world.models, Policy=policy)
    yield
    s3.put_bucket_policy(Bucket=world.models, Policy=before)


def key_id(world: World) -> str:
    return str(world.client("kms").describe_key(KeyId=ALIAS)["KeyMetadata"]["KeyId"])


@case("bundle-bucket-missing", "aws s3api create-bucket --bucket sagemaker-multi-account-bundle-")
def _(world: World) -> Iterator[None]:
    with no_bucket(world, world.models.replace("models", "bundle")):
        yield


@case("model-bucket-missing", "aws s3api create-bucket --bucket sagemaker-multi-account-models-")
def _(world: World) -> Iterator[None]:
    with no_bucket(world, world.models):
        yield


@case("model-bucket-policy", "aws s3api put-bucket-policy --bucket sagemaker-multi-account-models-")
def _(world: World) -> Iterator[None]:
    with bucket_policy(world, OTHERS % world.models):
        yield


@case("model-bucket-deny", "aws:PrincipalOrgPaths")
def _(world: World) -> Iterator[None]:
    policy = json.loads(world.client("s3").get_bucket_policy(Bucket=world.models)["Policy"])
    denied: dict[str, Any] = {
        "Sid": "OnlyFromOurNetwork",
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:GetObject",
        "Resource": f"arn:aws:s3:::{world.models}/*",
        "Condition": {"StringNotEquals": {"aws:SourceVpc": "vpc-1"}},
    }
    policy["Statement"].append(denied)
    with bucket_policy(world, json.dumps(policy)):
        yield


@case("model-bucket-untagged", "models: {untagged: refuse}")
def _(world: World) -> Iterator[None]:
    policy = json.loads(world.client("s3").get_bucket_policy(Bucket=world.models)["Policy"])
    wide: dict[str, Any] = {
        "Sid": "Wide",
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:aws:iam::{world.staging}:root"},
        "Action": "s3:GetObject",
        "Resource": f"arn:aws:s3:::{world.models}/*",
    }
    policy["Statement"].append(wide)
    with bucket_policy(world, json.dumps(policy)):
        yield


@case("default-bucket-policy", "TargetAccountsReadModels")
def _(world: World) -> Iterator[None]:
    s3, name = world.client("s3"), f"sagemaker-us-east-1-{world.account}"
    s3.create_bucket(Bucket=name)
    yield
    s3.delete_bucket(Bucket=name)


@case("bucket-public", "aws s3api put-public-access-block")
def _(world: World) -> Iterator[None]:
    s3 = world.client("s3")
    before = s3.get_public_access_block(Bucket=world.models)["PublicAccessBlockConfiguration"]
    s3.delete_public_access_block(Bucket=world.models)
    yield
    s3.put_public_access_block(Bucket=world.models, PublicAccessBlockConfiguration=before)


@case("bucket-versioning", "aws s3api put-bucket-versioning")
def _(world: World) -> Iterator[None]:
    s3 = world.client("s3")
    s3.put_bucket_versioning(Bucket=world.models, VersioningConfiguration={"Status": "Suspended"})
    yield
    s3.put_bucket_versioning(Bucket=world.models, VersioningConfiguration={"Status": "Enabled"})


@case("model-bucket-encryption", "aws s3api put-bucket-encryption")
def _(world: World) -> Iterator[None]:
    s3 = world.client("s3")
    before = s3.get_bucket_encryption(Bucket=world.models)["ServerSideEncryptionConfiguration"]
    rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}
    s3.put_bucket_encryption(Bucket=world.models, ServerSideEncryptionConfiguration={"Rules": [rule]})
    yield
    s3.put_bucket_encryption(Bucket=world.models, ServerSideEncryptionConfiguration=before)


@case("model-key-missing", "aws kms create-alias")
def _(world: World) -> Iterator[None]:
    kms, id = world.client("kms"), key_id(world)
    kms.delete_alias(AliasName=ALIAS)
    yield
    with suppress(ClientError):  # its cure was carried out
        kms.create_alias(AliasName=ALIAS, TargetKeyId=id)


@case("model-key-state", "aws kms enable-key")
def _(world: World) -> Iterator[None]:
    kms, id = world.client("kms"), key_id(world)
    kms.disable_key(KeyId=id)
    yield
    kms.enable_key(KeyId=id)


@case("model-key-policy", "StagingDecryptsModels")
def _(world: World) -> Iterator[None]:
    kms, id = world.client("kms"), key_id(world)
    before = kms.get_key_policy(KeyId=id, PolicyName="default")["Policy"]
    policy = json.loads(before)
    policy["Statement"] = [s for s in policy["Statement"] if not s["Sid"].endswith("DecryptsModels")]
    kms.put_key_policy(KeyId=id, PolicyName="default", Policy=json.dumps(policy))
    yield
    kms.put_key_policy(KeyId=id, PolicyName="default", Policy=before)


@case("model-key-rotation", "aws kms enable-key-rotation")
def _(world: World) -> Iterator[None]:
    kms, id = world.client("kms"), key_id(world)
    kms.disable_key_rotation(KeyId=id)
    yield
    kms.enable_key_rotation(KeyId=id)


# -- limits ------------------------------------------------------------------------------------


@case("project-name", "choose another name", project="a-name-with-more-than-thirty-two-characters")
def _(world: World) -> Iterator[None]:
    yield


@case("quota-stack-sets", "--quota-code L-EC62D81A")
def _(world: World) -> Iterator[None]:
    with quota(world, world.account, limits.SETS, 3.0):
        yield


@case("quota-stack-instances", "--quota-code L-C8225BA5")
def _(world: World) -> Iterator[None]:
    with quota(world, world.account, limits.INSTANCES, 0.0):
        yield


@case("quota-operations", "--quota-code L-6A4B2F69")
def _(world: World) -> Iterator[None]:
    with quota(world, world.account, limits.OPERATIONS, 0.0):
        yield


@case("policy-size", "aws:PrincipalOrgID")
def _(world: World) -> Iterator[None]:
    policy = json.loads(world.client("s3").get_bucket_policy(Bucket=world.models)["Policy"])
    first = policy["Statement"][0]
    policy["Statement"] += [first | {"Sid": f"Long{number}"} for number in range(60)]
    with ExitStack() as after:
        text = json.dumps(policy)
        policy["Statement"] = policy["Statement"][: 19_500 * len(policy["Statement"]) // len(text)]
        after.enter_context(bucket_policy(world, json.dumps(policy)))
        yield
