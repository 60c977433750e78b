"""What `make doctor` reads besides: service quotas, Studio domains, project templates."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError

from localaws.cloud import Cloud
from localaws.services.servicequotas.service import Quotas

ACCOUNT, REGION = "111111111111", "us-east-1"


def test_quotas_have_aws_names_and_an_account_may_have_values_of_its_own(cloud: Cloud) -> None:
    quotas = cloud.root(ACCOUNT, REGION).client("service-quotas")
    pages = quotas.get_paginator("list_service_quotas").paginate(ServiceCode="sagemaker")
    by_name = {quota["QuotaName"]: quota for page in pages for quota in page["Quotas"]}
    assert sum(name.endswith(" for endpoint usage") for name in by_name) == 277
    code = by_name["ml.m5.large for endpoint usage"]["QuotaCode"]
    cloud.state(Quotas, ACCOUNT, REGION).values[code] = 0.0
    assert quotas.get_service_quota(ServiceCode="sagemaker", QuotaCode=code)["Quota"]["Value"] == 0.0
    sets = quotas.get_service_quota(ServiceCode="cloudformation", QuotaCode="L-EC62D81A")["Quota"]
    assert (sets["QuotaName"], sets["Value"]) == ("Stack sets per administrator account", 1000.0)
    with pytest.raises(ClientError, match="NoSuchResourceException"):
        quotas.get_service_quota(ServiceCode="cloudformation", QuotaCode="L-00000000")


def test_a_domain_is_listed_described_tagged_and_deleted(cloud: Cloud) -> None:
    sagemaker = cloud.root(ACCOUNT, REGION).client("sagemaker")
    made = sagemaker.create_domain(
        DomainName="team",
        AuthMode="IAM",
        DefaultUserSettings={},
        VpcId="vpc-12345678",
        SubnetIds=["subnet-12345678"],
        Tags=[{"Key": "team", "Value": "a"}],
    )
    assert [domain["DomainName"] for domain in sagemaker.list_domains()["Domains"]] == ["team"]
    assert sagemaker.describe_domain(DomainId=made["DomainId"])["Status"] == "InService"
    assert sagemaker.list_tags(ResourceArn=made["DomainArn"])["Tags"] == [{"Key": "team", "Value": "a"}]
    sagemaker.delete_domain(DomainId=made["DomainId"])
    with pytest.raises(ClientError, match="does not exist"):
        sagemaker.describe_domain(DomainId=made["DomainId"])


def test_project_templates_are_hidden_until_they_are_turned_on(cloud: Cloud) -> None:
    sagemaker = cloud.root(ACCOUNT, REGION).client("sagemaker")
    assert sagemaker.get_sagemaker_servicecatalog_portfolio_status()["Status"] == "Disabled"
    sagemaker.enable_sagemaker_servicecatalog_portfolio()
    assert sagemaker.get_sagemaker_servicecatalog_portfolio_status()["Status"] == "Enabled"
    sagemaker.disable_sagemaker_servicecatalog_portfolio()
    assert sagemaker.get_sagemaker_servicecatalog_portfolio_status()["Status"] == "Disabled"
