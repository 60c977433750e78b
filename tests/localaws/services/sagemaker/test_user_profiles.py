"""User profiles of a Studio domain, and what a domain with users refuses."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from localaws.cloud import Cloud
from tests.support.providers import client_of, create_resource, delete_resource, make_role_resource, update_resource

DOMAIN = {"DomainName": "team", "AuthMode": "IAM", "VpcId": "vpc-12345678", "SubnetIds": ["subnet-12345678"]}
FIRST, SECOND = "AWS::SageMaker::Domain", "AWS::SageMaker::UserProfile"


def test_a_domain_and_its_users_are_made_changed_and_deleted_by_a_stack(cloud: Cloud) -> None:
    sagemaker, role = client_of(cloud, "sagemaker"), make_role_resource(cloud, "Studio", "sagemaker.amazonaws.com")
    given: dict[str, Any] = {**DOMAIN, "DefaultUserSettings": {"ExecutionRole": role}}
    made = create_resource(cloud, FIRST, given)
    shown = sagemaker.describe_domain(DomainId=made.physical_id)
    assert (shown["DomainArn"], shown["Url"]) == (made.attributes["DomainArn"], made.attributes["Url"])
    assert sagemaker.list_tags(ResourceArn=shown["DomainArn"])["Tags"] == [{"Key": "project", "Value": "shop"}]
    with pytest.raises(ClientError, match="ResourceInUse"):
        create_resource(cloud, FIRST, given)

    profile = {"DomainId": made.physical_id, "UserProfileName": "ada"}
    user = create_resource(cloud, SECOND, profile)
    assert user.physical_id == f"ada|{made.physical_id}"
    listed = sagemaker.list_user_profiles(DomainIdEquals=made.physical_id)["UserProfiles"]
    assert [(one["UserProfileName"], one["Status"]) for one in listed] == [("ada", "InService")]
    changed = {**profile, "UserSettings": {"ExecutionRole": role}}
    assert update_resource(cloud, SECOND, user.physical_id, profile, changed) == user
    assert sagemaker.describe_user_profile(**profile)["UserSettings"] == {"ExecutionRole": role}
    with pytest.raises(ClientError, match="already exists"):
        sagemaker.create_user_profile(DomainId=made.physical_id, UserProfileName="Ada")

    moved = {**given, "SubnetIds": ["subnet-12345678", "subnet-87654321"]}
    assert update_resource(cloud, FIRST, made.physical_id, given, moved) == made
    assert sagemaker.describe_domain(DomainId=made.physical_id)["SubnetIds"] == moved["SubnetIds"]
    with pytest.raises(ClientError, match="has UserProfiles"):
        sagemaker.delete_domain(DomainId=made.physical_id)
    delete_resource(cloud, SECOND, user.physical_id, changed)
    delete_resource(cloud, FIRST, made.physical_id, moved)
    assert sagemaker.list_domains()["Domains"] == []
    with pytest.raises(ClientError, match="VpcId and SubnetIds are required"):
        sagemaker.create_domain(DomainName="team", AuthMode="IAM", DefaultUserSettings={})


def test_who_makes_a_domain_passes_its_role(cloud: Cloud) -> None:
    role = make_role_resource(cloud, "Studio", "sagemaker.amazonaws.com")
    maker = make_role_resource(cloud, "Maker", "cloudformation.amazonaws.com", "sagemaker:*")
    session = cloud.service_role(
        maker, "maker", "cloudformation.amazonaws.com", client_of(cloud, "iam").meta.region_name
    )
    sagemaker = session.client("sagemaker", "eu-west-1")
    with pytest.raises(ClientError, match="iam:PassRole"):
        sagemaker.create_domain(**DOMAIN, DefaultUserSettings={"ExecutionRole": role})
    domain = sagemaker.create_domain(**DOMAIN, DefaultUserSettings={})["DomainArn"].rsplit("/", 1)[1]
    with pytest.raises(ClientError, match="iam:PassRole"):
        sagemaker.create_user_profile(DomainId=domain, UserProfileName="ada", UserSettings={"ExecutionRole": role})
    assert sagemaker.create_user_profile(DomainId=domain, UserProfileName="ada")["UserProfileArn"].endswith("/ada")
