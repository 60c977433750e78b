"""The key of the volumes of a job: who needs the grant, and for which instances there is none."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from localaws.cloud import Cloud, Session
from localaws.services.sagemaker.base import service_role
from scripts.rehearsal.embedded import embedded_aws
from tests.support.roles import make_role
from tests.support.sagemaker_world import ACCOUNT, REGION, client, job, make_bucket

KEY = "alias/volumes"
JOBS = {"Effect": "Allow", "Action": ["sagemaker:*", "iam:PassRole", "s3:*"], "Resource": "*"}
GRANT = {"Effect": "Allow", "Action": "kms:CreateGrant", "Resource": "*",
         "Condition": {"Bool": {"kms:GrantIsForAWSResource": "true"},
                       "StringEquals": {"kms:ViaService": f"sagemaker.{REGION}.amazonaws.com"}}}  # fmt: skip


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    with embedded_aws(tmp_path_factory.mktemp("volumes")) as running:
        make_bucket(running)
        kms = client(running, "kms")
        kms.create_alias(AliasName=KEY, TargetKeyId=kms.create_key()["KeyMetadata"]["KeyId"])
        yield running
    assert not running.faults


def caller(cloud: Cloud, name: str, *statements: Any) -> Session:
    return service_role(cloud, make_role(cloud, name, "sagemaker", *statements), REGION, ACCOUNT)


def asked(name: str, role: str, **resources: Any) -> dict[str, Any]:
    """A training job with a key for its volume."""
    given = job(name, f"arn:aws:iam::{ACCOUNT}:role/{role}")
    return {**given, "ResourceConfig": {**given["ResourceConfig"], "VolumeKmsKeyId": KEY, **resources}}


def test_the_role_of_a_job_or_its_caller_needs_the_grant(cloud: Cloud) -> None:
    without, holder = caller(cloud, "without", JOBS), caller(cloud, "holder", JOBS, GRANT)
    with pytest.raises(ClientError, match=r"assumed-role/without.* is not authorized to perform: kms:CreateGrant"):
        without.client("sagemaker").create_training_job(**asked("a", "without"))
    for number, (by, role) in enumerate([(without, "holder"), (holder, "without")]):
        by.client("sagemaker").create_training_job(**asked(f"b{number}", role))


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"InstanceType": "ml.g5.xlarge"}, "VolumeKmsKeyId is not supported for the instance type ml.g5.xlarge"),
        ({"VolumeKmsKeyId": "alias/none"}, "The key alias/none of the volumes cannot be used"),
    ],
)
def test_what_no_volume_of_a_job_can_have_is_refused(cloud: Cloud, changed: dict[str, Any], said: str) -> None:
    holder = caller(cloud, f"holder-{len(said)}", JOBS, GRANT)
    with pytest.raises(ClientError, match=said):
        holder.client("sagemaker").create_training_job(**asked("c", f"holder-{len(said)}", **changed))
