"""Amazon ECR on the embedded AWS: pushing, replication, creation templates, and which images run."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from awslang.errors import AwsError, NotSupported
from localaws.cloud import Cloud
from localaws.cloudformation.provider import ResourceFailed
from localaws.services.ecr import images
from localaws.services.sagemaker import images as sagemaker_images
from tests.support.mirrored import arrived, push, upload
from tests.support.providers import ACCOUNT, REGION, create_resource, delete_resource, update_resource

TARGET, LONDON, PARIS = "222222222222", "eu-west-2", "eu-west-3"
POLICY = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"AWS": TARGET}, "Action": list(images.PULL)}],
}
TEMPLATE, REPLICATION = "AWS::ECR::RepositoryCreationTemplate", "AWS::ECR::ReplicationConfiguration"


def registry(cloud: Cloud, region: str = REGION) -> Any:
    return cloud.root(ACCOUNT, region).client("ecr")


def rule(*regions: str, prefix: str = "team/") -> dict[str, Any]:
    filters = [{"filter": prefix, "filterType": "PREFIX_MATCH"}]
    return {"destinations": [{"region": r, "registryId": ACCOUNT} for r in regions], "repositoryFilters": filters}


def replicate(cloud: Cloud, *rules: dict[str, Any]) -> None:
    registry(cloud).put_replication_configuration(replicationConfiguration={"rules": list(rules)})


def names(cloud: Cloud, region: str) -> list[str]:
    return [one["repositoryName"] for one in registry(cloud, region).describe_repositories()["repositories"]]


def test_only_what_is_pushed_afterwards_to_a_matching_repository_is_replicated(cloud: Cloud) -> None:
    ecr = registry(cloud)
    for name in ("team/before", "team/after", "teamwork", "other"):
        ecr.create_repository(repositoryName=name)
    push(ecr, "team/before")
    replicate(cloud, rule(LONDON, PARIS))
    for name in ("team/after", "teamwork", "other"):
        push(ecr, name)
    assert arrived(ecr, "team/after") == {LONDON: "COMPLETE", PARIS: "COMPLETE"}
    assert [arrived(ecr, name) for name in ("team/before", "teamwork", "other")] == [{}, {}, {}]
    assert names(cloud, LONDON) == names(cloud, PARIS) == ["team/after"]
    here, there = (
        registry(cloud, r).describe_images(repositoryName="team/after")["imageDetails"][0] for r in (REGION, LONDON)
    )
    assert (there["imageDigest"], there["imageTags"]) == (here["imageDigest"], ["1"])
    push(ecr, "team/before", "2")
    assert arrived(ecr, "team/before", "2") == {LONDON: "COMPLETE", PARIS: "COMPLETE"}


def test_a_creation_template_gives_the_repository_its_policy_and_no_template_gives_none(cloud: Cloud) -> None:
    there = registry(cloud, LONDON)
    for prefix, uses in (("ROOT", ["REPLICATION"]), ("team", ["REPLICATION"]), ("cache", ["PULL_THROUGH_CACHE"])):
        policy = json.dumps(POLICY) if prefix == "team" else ""
        given = {"repositoryPolicy": policy} if policy else {"imageTagMutability": "IMMUTABLE"}
        there.create_repository_creation_template(prefix=prefix, appliedFor=uses, **given)
    there.create_repository(repositoryName="team/old")
    replicate(cloud, rule(LONDON, prefix="te"), rule(LONDON, prefix="cache/"))
    for name in ("team/new", "team/old", "tea", "cache/x"):
        registry(cloud).create_repository(repositoryName=name)
        push(registry(cloud), name)
        assert arrived(registry(cloud), name) == {LONDON: "COMPLETE"}
    assert json.loads(there.get_repository_policy(repositoryName="team/new")["policyText"]) == POLICY
    for name in ("team/old", "tea", "cache/x"):
        with pytest.raises(ClientError, match="RepositoryPolicyNotFound"):
            there.get_repository_policy(repositoryName=name)
    kinds = {one["repositoryName"]: one["imageTagMutability"] for one in there.describe_repositories()["repositories"]}
    assert kinds == {"team/new": "MUTABLE", "team/old": "MUTABLE", "tea": "IMMUTABLE", "cache/x": "MUTABLE"}


def test_what_ecr_refuses_to_take_is_refused(cloud: Cloud) -> None:
    ecr, image = registry(cloud), images.built_in(images.XGBOOST, "3.0-5")
    assert image is not None
    ecr.create_repository(repositoryName="aa", imageTagMutability="IMMUTABLE")
    put = {"repositoryName": "aa", "imageManifest": image.manifest, "imageTag": "1"}
    for changed, code in (
        ({}, "LayersNotFoundException"),
        ({"repositoryName": "bb"}, "RepositoryNotFoundException"),
        ({"imageManifest": "{"}, "InvalidParameterException"),
        ({"imageManifest": "{}"}, "InvalidParameterException"),
        ({"imageDigest": "sha256:" + "0" * 64}, "ImageDigestDoesNotMatchException"),
    ):
        with pytest.raises(ClientError, match=code):
            ecr.put_image(**put | changed)
    push(ecr, "aa")
    with pytest.raises(ClientError, match="ImageAlreadyExistsException"):
        ecr.put_image(**put)
    with pytest.raises(ClientError, match="ImageTagAlreadyExistsException"):
        ecr.put_image(**put | {"imageManifest": f"{image.manifest} "})
    with pytest.raises(ClientError, match="cannot be the same as the source registry"):
        replicate(cloud, rule(REGION))
    with pytest.raises(ClientError, match="TemplateNotFoundException"):
        ecr.delete_repository_creation_template(prefix="team")


def test_an_image_runs_where_it_is_byte_for_byte_sagemakers(cloud: Cloud) -> None:
    ecr = registry(cloud)
    ecr.create_repository(repositoryName="team/iris")
    uri = push(ecr, "team/iris")
    sagemaker_images.check_image(cloud, uri, REGION)
    digest = ecr.describe_images(repositoryName="team/iris")["imageDetails"][0]["imageDigest"]
    sagemaker_images.check_image(cloud, uri.replace(":1", f"@{digest}"), REGION)
    blob = b"another layer"
    found = images.built_in(images.XGBOOST, "3.0-5")
    assert found is not None
    other = json.loads(found.manifest)
    other["layers"][0]["digest"] = f"sha256:{hashlib.sha256(blob).hexdigest()}"
    upload(ecr, "team/iris", other["layers"][0]["digest"], blob)
    ecr.put_image(repositoryName="team/iris", imageManifest=json.dumps(other), imageTag="mine")
    with pytest.raises(NotSupported, match="byte for byte"):
        sagemaker_images.check_image(cloud, uri.replace(":1", ":mine"), REGION)
    with pytest.raises(AwsError, match="not found"):
        sagemaker_images.check_image(cloud, uri.replace(":1", ":2"), REGION)


def test_another_account_pulls_where_the_repositorys_policy_lets_it_and_nowhere_else(cloud: Cloud) -> None:
    ecr = registry(cloud)
    ecr.create_repository(repositoryName="team/iris")
    uri, target = push(ecr, "team/iris"), cloud.root(TARGET, REGION)
    sagemaker_images.pull(cloud.root(ACCOUNT, REGION), uri)
    sagemaker_images.pull(target, images.xgboost_image(cloud, REGION))
    with pytest.raises(AwsError, match="no resource-based policy allows the ecr:BatchCheckLayerAvailability"):
        sagemaker_images.pull(target, uri)
    ecr.set_repository_policy(repositoryName="team/iris", policyText=json.dumps(POLICY))
    sagemaker_images.pull(target, uri)
    with pytest.raises(AwsError, match="no resource-based policy allows"):
        sagemaker_images.pull(cloud.root("333333333333", REGION), uri)


def test_a_registry_has_one_replication_configuration_whoever_made_it(cloud: Cloud) -> None:
    """As AWS's own handlers do: none is made beside others, and what is deleted is every rule."""

    def wanted(region: str) -> dict[str, Any]:
        filters = [{"Filter": "team/", "FilterType": "PREFIX_MATCH"}]
        places = [{"Region": region, "RegistryId": ACCOUNT}]
        return {"ReplicationConfiguration": {"Rules": [{"Destinations": places, "RepositoryFilters": filters}]}}

    replicate(cloud, rule(PARIS))
    with pytest.raises(ResourceFailed, match="already exists"):
        create_resource(cloud, REPLICATION, wanted(LONDON))
    replicate(cloud)
    with pytest.raises(ResourceFailed, match="was not found"):
        update_resource(cloud, REPLICATION, ACCOUNT, wanted(LONDON), wanted(PARIS))
    made = create_resource(cloud, REPLICATION, wanted(LONDON))
    update_resource(cloud, REPLICATION, made.physical_id, wanted(LONDON), wanted(PARIS))
    shown = registry(cloud).describe_registry()["replicationConfiguration"]["rules"]
    assert (made.physical_id, shown) == (ACCOUNT, [rule(PARIS)])
    delete_resource(cloud, REPLICATION, made.physical_id, wanted(LONDON))
    assert registry(cloud).describe_registry()["replicationConfiguration"]["rules"] == []


def test_a_creation_template_is_made_changed_and_deleted(cloud: Cloud) -> None:
    given = {"Prefix": "team", "AppliedFor": ["REPLICATION"], "RepositoryPolicy": json.dumps(POLICY)}
    made = create_resource(cloud, TEMPLATE, given)
    with pytest.raises(ClientError, match="TemplateAlreadyExistsException"):
        create_resource(cloud, TEMPLATE, given)
    update_resource(cloud, TEMPLATE, made.physical_id, given, {**given, "AppliedFor": ["PULL_THROUGH_CACHE"]})
    [shown] = registry(cloud).describe_repository_creation_templates()["repositoryCreationTemplates"]
    assert (made.physical_id, shown["prefix"], shown["appliedFor"]) == ("team", "team", ["PULL_THROUGH_CACHE"])
    with pytest.raises(ClientError, match=r"NotSupported.*resourceTags"):
        create_resource(cloud, TEMPLATE, {**given, "Prefix": "b", "ResourceTags": [{"Key": "a", "Value": "b"}]})
    with pytest.raises(ClientError, match="InvalidParameterException"):
        create_resource(cloud, TEMPLATE, {**given, "Prefix": "c", "RepositoryPolicy": '{"Statement": []}'})
    delete_resource(cloud, TEMPLATE, made.physical_id, given)
    assert registry(cloud).describe_repository_creation_templates()["repositoryCreationTemplates"] == []
