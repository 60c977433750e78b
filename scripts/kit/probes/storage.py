"""Probes of Amazon S3 and AWS KMS."""

from __future__ import annotations

from scripts.kit.probes.lab import Lab, policy, statement
from scripts.kit.probes.probe import Answers, Cost, Probe

REQUESTS = Cost(0.001, "Amazon S3 pricing: $0.005 for 1,000 requests")


def conditional_copy(lab: Lab) -> Answers:
    s3, bucket = lab.client("s3"), lab.bucket()
    s3.put_object(Bucket=bucket, Key="first", Body=b"probe")

    def copy(key: str) -> str:
        given = {"Bucket": bucket, "Key": key, "CopySource": f"{bucket}/first", "IfNoneMatch": "*"}
        return lab.said(key, s3.copy_object, **given)

    return {"to a new key": copy("second"), "to a key that exists": copy("first")}


def org_paths_public(lab: Lab) -> Answers:
    """The bucket is empty, and the organization is made up."""
    s3, bucket, answers = lab.client("s3"), lab.bucket(), {}
    inside = {"ForAnyValue:StringLike": {"aws:PrincipalOrgPaths": ["o-a1b2c3d4e5/*"]}}
    organization = {"StringEquals": {"aws:PrincipalOrgID": "o-a1b2c3d4e5"}}
    for what, condition in (
        ("the paths alone", inside),
        ("the organization alone", organization),
        ("the organization beside the paths", inside | organization),
    ):
        every = f"arn:{lab.here.partition}:s3:::{bucket}/*"
        text = policy(statement("Allow", "s3:GetObject", every, Principal="*", Condition=condition))
        answers[what] = lab.said(what, s3.put_bucket_policy, Bucket=bucket, Policy=text)
    return answers


def head_without_decrypt(lab: Lab) -> Answers:
    s3, bucket = lab.client("s3"), lab.bucket()
    key = lab.client("kms").create_key(Description=lab.name)["KeyMetadata"]["KeyId"]
    s3.put_object(Bucket=bucket, Key="secret", Body=b"probe", ServerSideEncryption="aws:kms", SSEKMSKeyId=key)
    s3.put_object(Bucket=bucket, Key="plain", Body=b"probe", ServerSideEncryption="AES256")
    where = [f"arn:{lab.here.partition}:s3:::{bucket}{end}" for end in ("", "/*")]
    theirs = lab.client("s3", lab.person("reader", statement("Allow", ["s3:GetObject", "s3:ListBucket"], where)))
    refused = {"403", "AccessDenied"}
    lab.once_ready("the reader's right", lambda: theirs.head_object(Bucket=bucket, Key="plain"), refused)
    return {
        "HeadObject": lab.said("HeadObject", theirs.head_object, Bucket=bucket, Key="secret"),
        "GetObject": lab.said("GetObject", theirs.get_object, Bucket=bucket, Key="secret"),
    }


PROBES = (
    Probe(
        "conditional-copy",
        "May CopyObject be conditional?",
        ("s3:CopyObject",),
        ("bucket",),
        conditional_copy,
        REQUESTS,
    ),
    Probe(
        "org-paths-public",
        "Does S3 treat a policy for every principal that only aws:PrincipalOrgPaths narrows as public?",
        ("s3:PutBucketPolicy",),
        ("bucket",),
        org_paths_public,
        REQUESTS,
    ),
    Probe(
        "head-without-decrypt",
        "Does a HEAD request for an object encrypted with a KMS key need kms:Decrypt?",
        ("s3:HeadObject", "s3:GetObject"),
        ("bucket", "key", "role"),
        head_without_decrypt,
        Cost(0.01, "AWS KMS pricing: $1 a month for a key, by the hour, and nothing once its deletion is scheduled"),
    ),
)
