"""How a test becomes the tester's role of a target account, for the endpoints of its own project alone.

The session carries the project's name and id as tags: the tester's role refuses a session without them, and asks no
endpoint of another project (20-target-account.yaml). Which project a build may name is in the policy of its own role
(12-project-roles.yaml). STS API Reference, "AssumeRole"; IAM User Guide, "Pass session tags in AWS STS".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from threading import Lock
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config

from pipeline.clients import AccountClients

if TYPE_CHECKING:
    from mypy_boto3_sts import STSClient
    from mypy_boto3_sts.type_defs import CredentialsTypeDef

AT_ONCE = 16  # accounts and Regions that are asked at the same time
CONFIG = Config(
    retries={"mode": "standard", "max_attempts": 5}, connect_timeout=10, read_timeout=70, max_pool_connections=AT_ONCE
)


def regional(service: str, region: str) -> Any:
    """A client of the build's own role in a Region."""
    return boto3.client(service, region_name=region, config=CONFIG)  # type: ignore[call-overload]


def enter(
    sts: STSClient, manifest: Mapping[str, Any], stage: str, account: str, external_id: str = ""
) -> CredentialsTypeDef:
    """Credentials of the tester's role in an account of the stage.

    external_id: the role requires it of the test, and not of own tests, which it knows by their session's name
    """
    partition, project = manifest["model_package"]["arn"].split(":")[1], manifest["project"]
    more: dict[str, Any] = {"ExternalId": external_id} if external_id else {}
    return sts.assume_role(
        RoleArn=f"arn:{partition}:iam::{account}:role/{manifest['stages'][stage]['tester_role_name']}",
        RoleSessionName=f"{'test' if external_id else 'own-tests'}-{project['id']}-{stage}",
        Tags=[
            {"Key": "sagemaker:project-name", "Value": project["name"]},
            {"Key": "sagemaker:project-id", "Value": project["id"]},
        ],
        **more,
    )["Credentials"]


def testers(manifest: Mapping[str, Any], stage: str, external_id: str) -> Callable[[str, str], AccountClients]:
    """How to become the tester's role of an account, for a Region.

    One session makes every client, so that the descriptions of AWS's services are read once: a session for each
    place takes a quarter of a second of processor time. Sessions are not made for threads (boto3 guide, "Session"),
    clients are.
    """
    session, one_at_a_time = boto3.Session(), Lock()
    sts = session.client("sts", config=CONFIG)

    def become(account: str, region: str) -> AccountClients:
        credentials = enter(sts, manifest, stage, account, external_id)

        def client(service: str) -> Any:
            with one_at_a_time:
                return session.client(  # type: ignore[call-overload]
                    service,
                    region_name=region,
                    config=CONFIG,
                    aws_access_key_id=credentials["AccessKeyId"],
                    aws_secret_access_key=credentials["SecretAccessKey"],
                    aws_session_token=credentials["SessionToken"],
                )

        return client

    return become
