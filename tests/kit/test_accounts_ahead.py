"""What `make accounts` refuses before its first write: roles and Regions that are missing; and quotas that it notes."""

from __future__ import annotations

import pytest

from localaws.services.servicequotas.service import Quotas, code_of
from scripts.kit.builds import LAMBDA_QUOTA
from scripts.rehearsal import setting as people
from tests.support.rehearsed_organization import REGION, RehearsedOrganization

HONG_KONG = "ap-east-1"


def test_what_is_missing_is_said_before_anything_is_written(
    bare: RehearsedOrganization, capsys: pytest.CaptureFixture[str]
) -> None:
    """Bare: the OUs, the delegation and every stack have yet to be made."""
    iam = bare.client(bare.setting.data_science, "iam")
    document = people.trust(Service="sagemaker.amazonaws.com")
    iam.create_role(RoleName="Studio", Path="/service-role/", AssumeRolePolicyDocument=document)
    bare.edit("studio:\n", "studio:\n  execution_roles: [service-role/AmazonSageMaker-ExecutionRole-OLD]\n")
    assert bare("--invite") == 1
    said = capsys.readouterr().err
    assert "has no role service-role/AmazonSageMaker-ExecutionRole-OLD" in said
    assert "SageMaker may assume these roles there: service-role/Studio." in said
    bare.edit("AmazonSageMaker-ExecutionRole-OLD", "Studio")
    bare.edit("administrator:", f"regions: {{staging: [{REGION}, {HONG_KONG}]}}\nadministrator:")
    assert bare("--invite") == 1
    said = capsys.readouterr().err
    assert f"not enabled: {HONG_KONG} in account {bare.setting.data_science}" in said
    assert f"aws account enable-region --region-name {HONG_KONG}" in said
    assert bare.writes() == 1, "the role that the test made"


def test_a_region_that_a_target_account_has_not_enabled_is_refused(
    organization: RehearsedOrganization, capsys: pytest.CaptureFixture[str]
) -> None:
    setting = organization.setting
    organization.edit("administrator:", f"regions: {{staging: [{HONG_KONG}]}}\nadministrator:")
    organization.client(setting.data_science, "account").enable_region(RegionName=HONG_KONG)
    assert organization() == 1
    assert f"not enabled: {HONG_KONG} in account {setting.targets['staging']}" in capsys.readouterr().err
    assert organization.writes() == 1, "the Region that the test enabled"
    organization.client(setting.targets["staging"], "account").enable_region(RegionName=HONG_KONG)
    quotas = organization.cloud.state(Quotas, setting.data_science, REGION)
    quotas.values[code_of(LAMBDA_QUOTA)] = 0.0
    assert organization("--dry-run") == 0
    said = capsys.readouterr().err
    assert f"account {setting.data_science} may run no builds yet" in said
    assert f"--service-code codebuild --quota-code {code_of(LAMBDA_QUOTA)} --desired-value 10 --region {REGION}" in said
