"""The model registry on the embedded AWS: versions, approvals, policies, other accounts, events."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from botocore.exceptions import ClientError

from localaws.cloud import Cloud
from localaws.services.sagemaker import base, registry
from tests.support.sagemaker_world import ACCOUNT, OTHER, REGION, client, share_group, specification

GROUP = "Iris-Model"
GROUP_ARN = f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:model-package-group/{GROUP}"
ARN = f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:model-package/{GROUP}"


@pytest.fixture
def emitted(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """The details of the events that SageMaker tells."""
    events: list[dict[str, Any]] = []

    def remember(cloud: Cloud, account: str, region: str, kind: str, resources: list[str], detail: Any) -> None:
        events.append({"kind": kind, "account": account, "resources": resources, **base.plain(detail)})

    monkeypatch.setattr(base, "announce", remember)
    return events


def group(cloud: Cloud, **more: Any) -> Any:
    sagemaker = client(cloud, "sagemaker")
    sagemaker.create_model_package_group(ModelPackageGroupName=GROUP, **more)
    return sagemaker


def register(sagemaker: Any, **more: Any) -> str:
    given = {"ModelPackageGroupName": GROUP, "InferenceSpecification": specification("s3://models/m.tar.gz"), **more}
    return str(sagemaker.create_model_package(**given)["ModelPackageArn"])


def test_versions_are_numbered_and_a_number_is_never_given_twice(cloud: Cloud) -> None:
    sagemaker = group(cloud)
    assert [register(sagemaker), register(sagemaker)] == [f"{ARN}/1", f"{ARN}/2"]
    sagemaker.delete_model_package(ModelPackageName=f"{ARN}/2")
    assert register(sagemaker) == f"{ARN}/3"
    with pytest.raises(ClientError, match="does not exist"):
        sagemaker.describe_model_package(ModelPackageName=f"{ARN}/2")


def test_a_group_exists_once_and_stays_while_it_has_versions(cloud: Cloud) -> None:
    sagemaker = group(cloud, ModelPackageGroupDescription="Flowers", Tags=[{"Key": "team", "Value": "a"}])
    with pytest.raises(ClientError, match="already exists"):
        group(cloud)
    shown = sagemaker.describe_model_package_group(ModelPackageGroupName=GROUP)
    assert (shown["ModelPackageGroupDescription"], shown["ModelPackageGroupStatus"]) == ("Flowers", "Completed")
    assert sagemaker.list_tags(ResourceArn=GROUP_ARN)["Tags"] == [{"Key": "team", "Value": "a"}]
    register(sagemaker)
    with pytest.raises(ClientError, match="ConflictException"):
        sagemaker.delete_model_package_group(ModelPackageGroupName=GROUP)
    sagemaker.delete_model_package(ModelPackageName=f"{ARN}/1")
    sagemaker.delete_model_package_group(ModelPackageGroupName=GROUP)
    with pytest.raises(ClientError, match=f"ModelPackageGroup {GROUP_ARN} does not exist"):
        sagemaker.describe_model_package_group(ModelPackageGroupName=GROUP)


def test_an_approval_keeps_who_when_and_why(cloud: Cloud) -> None:
    sagemaker = group(cloud)
    arn = register(sagemaker, CustomerMetadataProperties={"error": "0.03", "old": "x"})
    shown = sagemaker.describe_model_package(ModelPackageName=arn)
    assert shown["ModelApprovalStatus"] == "PendingManualApproval"
    assert "LastModifiedTime" not in shown
    assert shown["CreatedBy"]["IamIdentity"]["Arn"] == f"arn:aws:iam::{ACCOUNT}:root"
    sagemaker.update_model_package(
        ModelPackageArn=arn, ModelApprovalStatus="Approved", ApprovalDescription="better than 0"
    )
    sagemaker.update_model_package(
        ModelPackageArn=arn, CustomerMetadataProperties={"new": "y"}, CustomerMetadataPropertiesToRemove=["old"]
    )
    shown = sagemaker.describe_model_package(ModelPackageName=arn)
    assert (shown["ModelApprovalStatus"], shown["ApprovalDescription"]) == ("Approved", "better than 0")
    assert shown["CustomerMetadataProperties"] == {"error": "0.03", "new": "y"}
    assert shown["LastModifiedTime"] >= shown["CreationTime"]
    assert shown["LastModifiedBy"]["IamIdentity"]["Arn"] == f"arn:aws:iam::{ACCOUNT}:root"


def test_the_list_is_ascending_by_default_and_filters_by_approval(cloud: Cloud) -> None:
    sagemaker = group(cloud)
    for status in ("Approved", "Rejected", "Approved"):
        register(sagemaker, ModelApprovalStatus=status)

    def versions(**given: Any) -> list[int]:
        found = sagemaker.list_model_packages(ModelPackageGroupName=GROUP, **given)["ModelPackageSummaryList"]
        return [summary["ModelPackageVersion"] for summary in found]

    assert versions() == [1, 2, 3]
    assert versions(SortOrder="Descending") == [3, 2, 1]
    assert versions(ModelApprovalStatus="Approved", SortOrder="Descending") == [3, 1]
    pages = sagemaker.get_paginator("list_model_packages").paginate(
        ModelPackageGroupName=GROUP, PaginationConfig={"PageSize": 2}
    )
    assert [len(page["ModelPackageSummaryList"]) for page in pages] == [2, 1]
    with pytest.raises(ClientError, match="does not exist"):
        sagemaker.list_model_packages(ModelPackageGroupName="absent")


def test_a_group_policy_is_kept_and_found_for_its_versions(cloud: Cloud) -> None:
    sagemaker = group(cloud)
    with pytest.raises(ClientError, match="Cannot find resource policy"):
        sagemaker.get_model_package_group_policy(ModelPackageGroupName=GROUP)
    statement = {
        "Sid": "Targets",
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:aws:iam::{OTHER}:root"},
        "Action": ["sagemaker:DescribeModelPackage", "sagemaker:CreateModel"],
        "Resource": f"{ARN}/*",
    }
    policy = {"Version": "2012-10-17", "Statement": [statement]}
    sagemaker.put_model_package_group_policy(ModelPackageGroupName=GROUP, ResourcePolicy=json.dumps(policy))
    kept = sagemaker.get_model_package_group_policy(ModelPackageGroupName=GROUP)["ResourcePolicy"]
    assert json.loads(kept) == policy
    assert registry.group_policy(cloud, f"{ARN}/7") == registry.group_policy(cloud, GROUP_ARN) == policy
    sagemaker.delete_model_package_group_policy(ModelPackageGroupName=GROUP)
    assert registry.group_policy(cloud, GROUP_ARN) is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "not a policy document"),
        ("[]", "not a policy document"),
        ('{"Statement": [{"Effect": "Maybe"}]}', "Effect"),
        ('{"Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}', "without Principal"),
        ("x" * 20481, "20480"),
    ],
)
def test_an_invalid_policy_is_refused(cloud: Cloud, text: str, message: str) -> None:
    sagemaker = group(cloud)
    with pytest.raises(ClientError, match=message):
        sagemaker.put_model_package_group_policy(ModelPackageGroupName=GROUP, ResourcePolicy=text)


def test_another_account_reaches_a_version_by_its_arn_only_and_where_the_groups_policy_lets_it(cloud: Cloud) -> None:
    arn = register(group(cloud))
    there = client(cloud, "sagemaker", OTHER)
    with pytest.raises(ClientError, match="no resource-based policy allows the sagemaker:DescribeModelPackage action"):
        there.describe_model_package(ModelPackageName=arn)
    share_group(cloud, GROUP, OTHER)
    assert there.describe_model_package(ModelPackageName=arn)["ModelPackageVersion"] == 1
    listed = there.list_model_packages(ModelPackageGroupName=GROUP_ARN)["ModelPackageSummaryList"]
    assert [summary["ModelPackageArn"] for summary in listed] == [arn]
    with pytest.raises(ClientError, match=f"arn:aws:sagemaker:{REGION}:{OTHER}:model-package-group/{GROUP}"):
        there.describe_model_package_group(ModelPackageGroupName=GROUP)


def test_registration_and_every_update_are_reported(cloud: Cloud, emitted: list[dict[str, Any]]) -> None:
    sagemaker = group(cloud)
    arn = register(sagemaker)
    sagemaker.update_model_package(ModelPackageArn=arn, ModelApprovalStatus="Approved")
    assert [event["ModelApprovalStatus"] for event in emitted] == ["PendingManualApproval", "Approved"]
    approved = emitted[1]
    assert approved["kind"] == "SageMaker Model Package State Change"
    assert approved["resources"] == [arn]
    assert (approved["ModelPackageGroupName"], approved["ModelPackageVersion"]) == (GROUP, 1)
    assert approved["UpdatedModelPackageFields"] == ["ModelApprovalStatus"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", approved["LastModifiedTime"])


def test_the_stage_of_a_version_is_kept_and_its_event_says_that_nothing_else_changed(
    cloud: Cloud, emitted: list[dict[str, Any]]
) -> None:
    sagemaker = group(cloud)
    arn = register(sagemaker, ModelApprovalStatus="Approved")
    stage = {"Stage": "Production", "StageStatus": "Live", "StageDescription": "execution 1"}
    sagemaker.update_model_package(ModelPackageArn=arn, ModelLifeCycle=stage)
    assert sagemaker.describe_model_package(ModelPackageName=arn)["ModelLifeCycle"] == stage
    assert (emitted[1]["UpdatedModelPackageFields"], emitted[1]["ModelApprovalStatus"]) == (
        ["ModelLifeCycle"],
        "Approved",
    )


def test_the_specification_of_an_approved_version_may_be_replaced_and_the_approval_stays(
    cloud: Cloud, emitted: list[dict[str, Any]]
) -> None:
    sagemaker = group(cloud)
    arn = register(sagemaker, ModelApprovalStatus="Approved")
    before = sagemaker.describe_model_package(ModelPackageName=arn)["InferenceSpecification"]
    (container,) = before["Containers"]
    changed = {**before, "Containers": [{**container, "ModelDataUrl": "s3://models/other.tar.gz"}]}
    sagemaker.update_model_package(ModelPackageArn=arn, InferenceSpecification=changed)
    shown = sagemaker.describe_model_package(ModelPackageName=arn)
    assert (shown["InferenceSpecification"], shown["ModelApprovalStatus"]) == (changed, "Approved")
    assert emitted[-1]["UpdatedModelPackageFields"] == ["InferenceSpecification"]
    assert emitted[-1]["InferenceSpecification"] == changed
    wrong = {"Containers": [{**container, "ModelDataUrl": "https://models"}]}
    with pytest.raises(ClientError, match="it must be an S3 URL"):
        sagemaker.update_model_package(ModelPackageArn=arn, InferenceSpecification=wrong)
    assert sagemaker.describe_model_package(ModelPackageName=arn)["InferenceSpecification"] == changed


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"Tags": [{"Key": "a", "Value": "b"}]}, "model package group instead"),
        ({"ModelApprovalStatus": "Maybe"}, "Member must satisfy enum value set"),
        ({"ModelPackageName": "both"}, "Cannot determine which one"),
        ({"ModelPackageGroupName": "absent"}, "Group does not exist"),
        ({"InferenceSpecification": specification("http://x")}, "pattern"),
        ({"CertifyForMarketplace": True}, "Not supported by the embedded AWS"),
        ({"SecurityConfig": {"KmsKeyId": "k"}}, "Not supported by the embedded AWS"),
    ],
)
def test_a_registration_that_aws_refuses_is_refused(cloud: Cloud, more: dict[str, Any], message: str) -> None:
    sagemaker = group(cloud)
    with pytest.raises(ClientError, match=message):
        register(sagemaker, **more)


def test_a_name_that_sagemaker_does_not_take_is_refused_by_its_pattern(cloud: Cloud) -> None:
    with pytest.raises(ClientError, match="Value '-iris' at 'modelPackageGroupName' failed to satisfy constraint"):
        client(cloud, "sagemaker").create_model_package_group(ModelPackageGroupName="-iris")


def test_tags_are_added_listed_and_removed(cloud: Cloud) -> None:
    sagemaker = group(cloud)
    sagemaker.add_tags(ResourceArn=GROUP_ARN, Tags=[{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}])
    sagemaker.add_tags(ResourceArn=GROUP_ARN, Tags=[{"Key": "a", "Value": "3"}])
    sagemaker.delete_tags(ResourceArn=GROUP_ARN, TagKeys=["b"])
    assert sagemaker.list_tags(ResourceArn=GROUP_ARN)["Tags"] == [{"Key": "a", "Value": "3"}]
    with pytest.raises(ClientError, match="does not exist"):
        sagemaker.list_tags(ResourceArn=GROUP_ARN + "x")


def test_tags_of_no_arn_at_all_are_refused_as_aws_refuses_them(cloud: Cloud) -> None:
    with pytest.raises(ClientError, match="ValidationException"):
        client(cloud, "sagemaker").list_tags(ResourceArn="")
