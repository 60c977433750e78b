"""A project's record as an administrator alone could change it: without entries, or with an older bucket policy."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pipeline import record
from scripts.rehearsal.story import Story


def storage(story: Story) -> Any:
    return story.cloud.root(story.setting.data_science, story.region).client("s3")


@contextmanager
def forgotten(story: Story) -> Iterator[None]:
    """The project without its record, and without the policy that keeps it, as only an administrator could have it."""
    s3, bucket = storage(story), f"sagemaker-project-{story.project_id}"
    keys = [entry.key for entry in record.entries(s3, bucket)]
    held = {key: s3.get_object(Bucket=bucket, Key=key)["Body"].read() for key in keys}
    policy = s3.get_bucket_policy(Bucket=bucket)["Policy"]
    s3.delete_bucket_policy(Bucket=bucket)
    for key in keys:
        s3.delete_object(Bucket=bucket, Key=key)
    try:
        yield
    finally:
        for key, body in held.items():
            s3.put_object(Bucket=bucket, Key=key, Body=body)
        s3.put_bucket_policy(Bucket=bucket, Policy=policy)


@contextmanager
def as_before_the_record(story: Story) -> Iterator[None]:
    """The bucket's policy of a project from a version of the bundle without a record, but that the gate may write."""
    s3, bucket = storage(story), f"sagemaker-project-{story.project_id}"
    s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps(before_the_record(story)))
    try:
        yield
    finally:
        s3.delete_bucket_policy(Bucket=bucket)


def before_the_record(story: Story) -> dict[str, Any]:
    bucket = f"arn:aws:s3:::sagemaker-project-{story.project_id}/*"
    roles = [
        f"AmazonSageMakerServiceCatalogProductsMultiAccount{name}Role" for name in ("Pipeline", "Build", "Test", "Gate")
    ]
    arns = [f"arn:aws:iam::{story.setting.data_science}:role/service-role/{name}" for name in roles]
    only = {"Sid": "OnlyThePipelineWrites", "Effect": "Deny", "Principal": "*", "NotAction": "s3:Get*"}
    condition = {"ArnNotEquals": {"aws:PrincipalArn": arns}}
    return {"Version": "2012-10-17", "Statement": [{**only, "Resource": bucket, "Condition": condition}]}
