"""The project template in S3, broken."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from scripts.kit.bundle import pack
from scripts.kit.doctor.checks.hosted import CREATOR
from scripts.kit.names import S3_LAUNCH_ROLE
from scripts.kit.publish import hosting
from scripts.rehearsal import setting as people
from tests.kit.doctor.cases import case, swapped
from tests.kit.doctor.cases.targets import no_role, trust
from tests.support.doctor_world import World

NAME = S3_LAUNCH_ROLE.rsplit("/", 1)[1]


def place(world: World) -> dict[str, str]:
    bucket = world.models.replace("models", "bundle")
    return {"Bucket": bucket, "Key": hosting.template_key(world.bundle.name)}


@contextmanager
def changed(world: World) -> Iterator[dict[str, str]]:
    """Where the template lies; afterwards it is there as it was."""
    s3, where = world.publisher("s3"), place(world)
    tags = s3.get_object_tagging(**where)["TagSet"]
    yield where
    s3.put_object(**where, Body=world.bundle.files[pack.PRODUCT])
    s3.put_object_tagging(**where, Tagging={"TagSet": tags})


@case("template-missing", "make publish")
def _(world: World) -> Iterator[None]:
    with changed(world) as where:
        world.publisher("s3").delete_object(**where)
        yield


@case("template-unpublished", "make publish")
def _(world: World) -> Iterator[None]:
    with swapped(world, "bundle", dataclasses.replace(world.bundle, digest="f" * 64)):
        yield


@case("template-changed", "aws s3api list-object-versions")
def _(world: World) -> Iterator[None]:
    with changed(world) as where:
        world.publisher("s3").put_object(**where, Body=b"Resources: {}")
        yield


@case("template-tag", "aws s3api put-object-tagging")
def _(world: World) -> Iterator[None]:
    tags = [{"Key": "sagemaker:studio-visibility", "Value": "True"}, {"Key": "theirs", "Value": "kept"}]
    with changed(world) as where:
        world.publisher("s3").put_object_tagging(**where, Tagging={"TagSet": tags})
        yield
        now = world.publisher("s3").get_object_tagging(**where)["TagSet"]
        assert {"Key": "theirs", "Value": "kept"} in now


@case("template-choice", "aws s3api put-object-tagging")
def _(world: World) -> Iterator[None]:
    s3 = world.publisher("s3")
    with changed(world) as where:
        another = where | {"Key": hosting.template_key("0.0.1-0a1b2c3d")}
        tags = "sagemaker%3Astudio-visibility=true&theirs=kept"
        s3.put_object(**another, Body=b"Resources: {}", Tagging=tags)
        yield
        s3.delete_object(**another)


@case("template-cors", "https://*.sagemaker.aws")
def _(world: World) -> Iterator[None]:
    s3, bucket = world.publisher("s3"), place(world)["Bucket"]
    before = s3.get_bucket_cors(Bucket=bucket)["CORSRules"]
    theirs = {"AllowedOrigins": ["https://example.com"], "AllowedMethods": ["GET"]}
    s3.put_bucket_cors(Bucket=bucket, CORSConfiguration={"CORSRules": [theirs]})
    yield
    assert theirs in s3.get_bucket_cors(Bucket=bucket)["CORSRules"]
    s3.put_bucket_cors(Bucket=bucket, CORSConfiguration={"CORSRules": before})


@case("template-location", "aws sagemaker add-tags")
def _(world: World) -> Iterator[None]:
    sagemaker = world.client("sagemaker")
    arn = sagemaker.list_domains()["Domains"][0]["DomainArn"]
    tags: dict[str, Any] = {"ResourceArn": arn, "Tags": [{"Key": hosting.LOCATION_TAG, "Value": "s3://elsewhere/"}]}
    before = sagemaker.list_tags(ResourceArn=arn)["Tags"]
    sagemaker.add_tags(**tags)
    yield
    sagemaker.add_tags(ResourceArn=arn, Tags=before)


@case("template-role-missing", "detect-stack-drift")
def _(world: World) -> Iterator[None]:
    with no_role(world, world.account, NAME):
        yield


@case("template-role-trust", '"Service": "cloudformation.amazonaws.com"')
def _(world: World) -> Iterator[None]:
    with trust(world, world.account, NAME, Service="servicecatalog.amazonaws.com"):
        yield


@case("template-role-gaps", "AmazonSageMakerAdmin-ServiceCatalogProductsServiceRolePolicy")
def _(world: World) -> Iterator[None]:
    iam = world.client("iam")
    iam.detach_role_policy(RoleName=NAME, PolicyArn=people.LAUNCH_POLICY)
    yield
    iam.attach_role_policy(RoleName=NAME, PolicyArn=people.LAUNCH_POLICY)


@case("project-creator-missing", f"aws iam attach-role-policy --role-name {people.STUDIO_ROLE}")
def _(world: World) -> Iterator[None]:
    iam, arn = world.client("iam"), f"arn:aws:iam::{world.account}:policy/{CREATOR}"
    iam.detach_role_policy(RoleName=people.STUDIO_ROLE, PolicyArn=arn)
    yield
    iam.attach_role_policy(RoleName=people.STUDIO_ROLE, PolicyArn=arn)


@case("template-role-pass", "remove the Deny")
def _(world: World) -> Iterator[None]:
    iam, name = world.client("iam"), {"RoleName": people.STUDIO_ROLE, "PolicyName": "no-passing"}
    denied = {"Effect": "Deny", "Action": "iam:PassRole", "Resource": f"arn:aws:iam::*:role/service-role/{NAME}"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [denied]})
    iam.put_role_policy(**name, PolicyDocument=document)
    yield
    iam.delete_role_policy(**name)
