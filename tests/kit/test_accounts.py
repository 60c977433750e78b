"""`make accounts`: the data science account's stacks, the targets' roles, and what it does without Organizations."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from localaws.cloud import Cloud
from scripts.kit.bundle import pack
from scripts.kit.console import UserError
from scripts.kit.names import APPROVER_POLICY, MODELS_STACK, PEOPLE_STACK, ROLES_STACK, model_bucket
from scripts.kit.stacks import stack as stacks
from scripts.kit.stacks.data_science import UNTAGGED
from scripts.rehearsal import setting as people
from tests.support.accounts_setting import HOME, IRELAND, ONE_BY_ONE, STACKS, TARGET
from tests.support.fake_services import Fake
from tests.support.rehearsed_organization import REGION, RehearsedOrganization


def test_every_account_gets_its_roles_once_and_an_account_that_joins_is_ready_by_itself(
    organization: RehearsedOrganization, capsys: pytest.CaptureFixture[str]
) -> None:
    setting = organization.setting
    assert organization("--dry-run") == 0
    assert organization.writes(*STACKS) == 0
    assert organization() == 0, capsys.readouterr().err
    assert organization.stacks(setting.data_science) == HOME
    for stage in ("staging", "production"):
        (made,) = organization.stacks(setting.accounts[stage]).items()
        assert made[0].startswith(f"StackSet-{TARGET}-{stage}-")
        assert made[1] == "CREATE_COMPLETE"
    written = organization.writes(*STACKS)
    assert written == 11
    assert organization() == 0
    assert organization.writes(*STACKS) == written
    organization.edit("rehearsal-tester", "another-word")
    assert organization() == 0
    assert organization.writes(*STACKS) == written + 3
    new = str(
        organization.organizations.create_account(AccountName="new", Email="new@example.com")["CreateAccountStatus"][
            "AccountId"
        ]
    )
    organization.organizations.move_account(
        AccountId=new, SourceParentId=organization.parent(new), DestinationParentId=setting.units["staging"]
    )
    while organization.cloud.busy:
        organization.cloud.stopping.wait(0.02)
    role = organization.client(new, "iam").get_role(RoleName="sagemaker-role-staging")["Role"]
    assert role["RoleName"] == "sagemaker-role-staging"
    written = organization.writes(*STACKS)
    assert organization() == 0
    assert organization.writes(*STACKS) == written


def test_one_by_one_every_account_gets_a_stack_of_its_own_and_keeps_it(
    organization: RehearsedOrganization, capsys: pytest.CaptureFixture[str]
) -> None:
    """An organization that was set up before there were stack sets goes on as it is."""
    setting = organization.setting
    organization.edit("invited_accounts:", f"{ONE_BY_ONE}invited_accounts:")
    assert organization() == 0
    for stage in ("staging", "production"):
        assert organization.stacks(setting.accounts[stage]) == {TARGET: "CREATE_COMPLETE"}
    organization.edit(ONE_BY_ONE, "")
    written = organization.writes(*STACKS)
    capsys.readouterr()
    assert organization() == 0
    assert "the roles already have a stack in each account, which is kept" in capsys.readouterr().err
    organization.edit("rehearsal-tester", "another-word")
    assert organization() == 0
    assert organization.writes("UpdateStack") == 3
    assert organization.writes(*STACKS) == written + 3


def test_stack_sets_are_not_overtaken_by_stacks(
    organization: RehearsedOrganization, capsys: pytest.CaptureFixture[str]
) -> None:
    assert organization() == 0
    organization.edit("invited_accounts:", f"{ONE_BY_ONE}invited_accounts:")
    written = organization.writes(*STACKS)
    assert organization() == 1
    assert f"the stack set {TARGET}-staging owns the roles in 1 accounts" in capsys.readouterr().err
    assert organization.writes(*STACKS) == written


def test_an_account_whose_roles_exist_already_is_reported_and_tried_again(
    organization: RehearsedOrganization, capsys: pytest.CaptureFixture[str]
) -> None:
    account = organization.setting.accounts["staging"]
    iam = organization.client(account, "iam")
    iam.create_role(
        RoleName="sagemaker-role-staging", AssumeRolePolicyDocument=people.trust(Service="sagemaker.amazonaws.com")
    )
    assert organization() == 1
    stderr = capsys.readouterr().err
    assert f"the stack set {TARGET}-staging ended" in stderr
    assert f"    {account}: " in stderr
    assert "keeps them with `target_roles: one-by-one`" in stderr
    iam.delete_role(RoleName="sagemaker-role-staging")
    assert organization() == 0
    assert f"again in {account}" in capsys.readouterr().err
    assert list(organization.stacks(account).values()) == ["CREATE_COMPLETE"]


class Alone(RehearsedOrganization):
    """Three accounts that no organization joins; the targets trust the data science account's administrators."""

    def __init__(self, cloud: Cloud, folder: Path, patch: pytest.MonkeyPatch) -> None:
        self.cloud, self.patch = cloud, patch
        self.setting = people.make_accounts_alone(cloud, REGION)
        people.make_people(cloud, self.setting)
        self.environment = folder / "environment.yaml"
        self.environment.write_text(people.environment_file(self.setting))
        self.sign_in(people.DATA_SCIENCE)
        self.earlier = len(self.requests())

    def deploy(self, alarm: str) -> str:
        """How a self-managed stack set with one alarm ends in the staging account."""
        cloudformation = self.client(people.DATA_SCIENCE, "cloudformation")
        properties = {
            "AlarmName": alarm, "Namespace": "AWS/SageMaker", "MetricName": "ModelLatency", "Statistic": "Sum",
            "Period": 60, "EvaluationPeriods": 1, "ComparisonOperator": "GreaterThanThreshold", "Threshold": 1,
        }  # fmt: skip
        body = json.dumps({"Resources": {"Alarm": {"Type": "AWS::CloudWatch::Alarm", "Properties": properties}}})
        cloudformation.create_stack_set(StackSetName=alarm, TemplateBody=body)
        targets = {"Accounts": [people.STAGING], "Regions": [REGION]}
        operation = cloudformation.create_stack_instances(StackSetName=alarm, **targets)["OperationId"]
        while self.cloud.busy:
            self.cloud.stopping.wait(0.02)
        operation_of = {"StackSetName": alarm, "OperationId": operation}
        (result,) = cloudformation.list_stack_set_operation_results(**operation_of)["Summaries"]
        return f"{result['Status']} {result.get('StatusReason', '')}"


def test_without_organizations_each_account_gets_its_roles_and_those_of_stack_sets(
    cloud: Cloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    alone = Alone(cloud, tmp_path, monkeypatch)
    assert alone() == 0, capsys.readouterr().err
    own = "multi-account-deployment-stack-sets"
    assert set(alone.stacks(people.DATA_SCIENCE)) == {*HOME, own}
    for account in (people.STAGING, people.PRODUCTION):
        assert set(alone.stacks(account)) == {TARGET, own}
    written = alone.writes(*STACKS)
    assert alone() == 0
    assert alone.writes(*STACKS) == written
    assert "15 steps: 15 unchanged" in capsys.readouterr().err
    policy = json.loads(
        alone.client(people.DATA_SCIENCE, "s3").get_bucket_policy(
            Bucket=f"sagemaker-multi-account-models-{people.DATA_SCIENCE}-{REGION}"
        )["Policy"]
    )
    readers = {one["Sid"]: one for one in policy["Statement"] if one["Effect"] == "Allow"}
    assert {sid: one["Principal"]["AWS"] for sid, one in readers.items()} == {
        "StagingReadsModels": [people.STAGING],
        "ProductionReadsModels": [people.PRODUCTION],
        "StagingFindsBaselines": [people.STAGING],
        "ProductionFindsBaselines": [people.PRODUCTION],
    }
    tag = "s3:ExistingObjectTag/sagemaker-multi-account-prod"
    assert readers["ProductionReadsModels"]["Condition"] == {"StringEquals": {tag: "true"}}
    assert alone.deploy("iris-p-1-staging-latency").startswith("SUCCEEDED")
    refused = alone.deploy("another-teams")
    assert refused.startswith("FAILED")
    assert "cloudwatch:PutMetricAlarm" in refused


def test_a_role_of_stack_sets_that_another_person_made_before_is_left_alone(
    cloud: Cloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    alone = Alone(cloud, tmp_path, monkeypatch)
    name = "AWSCloudFormationStackSetExecutionRole"
    trust = people.trust(AWS=f"arn:aws:iam::{people.DATA_SCIENCE}:root")
    alone.client(people.STAGING, "iam").create_role(RoleName=name, AssumeRolePolicyDocument=trust)
    assert alone() == 0
    assert (
        f"= keep   role          {name} in {people.STAGING} (created before, outside this kit)"
        in capsys.readouterr().err
    )
    assert set(alone.stacks(people.STAGING)) == {TARGET}


def test_a_first_deployment_that_fails_leaves_nothing_and_can_be_repeated(
    organization: RehearsedOrganization, capsys: pytest.CaptureFixture[str]
) -> None:
    """In the account's own Region and in a further one: no bucket is orphaned, and no key is paid for."""
    organization.edit("invited_accounts:", f"regions: {{staging: [{REGION}, {IRELAND}]}}\ninvited_accounts:")
    account, alias = organization.setting.data_science, "alias/sagemaker-multi-account-models"
    clients = [organization.cloud.root(account, region).client("kms") for region in (REGION, IRELAND)]
    for kms in clients:
        kms.create_alias(AliasName=alias, TargetKeyId=kms.create_key(Description="another's")["KeyMetadata"]["KeyId"])
    assert organization() == 1
    err = capsys.readouterr().err
    assert err.count("ended ROLLBACK_COMPLETE") == 2
    assert "templates/10-model-storage.yaml:" in err
    assert organization.client(account, "s3").list_buckets()["Buckets"] == []
    for kms in clients:
        keys = [kms.describe_key(KeyId=key["KeyId"])["KeyMetadata"] for key in kms.list_keys()["Keys"]]
        ours = [key["KeyState"] for key in keys if key["Description"].startswith("Encrypts the models")]
        assert set(ours) <= {"PendingDeletion"}, "which is free of charge"
        kms.delete_alias(AliasName=alias)
    assert organization() == 0
    assert capsys.readouterr().err.count("in place of its failed first deployment") == 2
    assert organization.stacks(account) == HOME


def test_a_stack_that_fails_holds_up_those_after_it_and_a_further_run_goes_on(
    organization: RehearsedOrganization, capsys: pytest.CaptureFixture[str]
) -> None:
    account = organization.setting.data_science
    iam = organization.client(account, "iam")
    nothing = json.dumps({"Version": "2012-10-17", "Statement": {"Effect": "Deny", "Action": "*", "Resource": "*"}})
    theirs = iam.create_policy(PolicyName=APPROVER_POLICY, PolicyDocument=nothing)["Policy"]["Arn"]  # of template 13
    assert organization() == 1
    assert "templates/13-people.yaml:" in capsys.readouterr().err
    assert organization.stacks(account) == {**HOME, PEOPLE_STACK: "ROLLBACK_COMPLETE"}
    assert organization.stacks(organization.setting.targets["staging"]) == {}
    iam.delete_policy(PolicyArn=theirs)
    assert organization() == 0
    assert "in place of its failed first deployment" in capsys.readouterr().err
    assert organization.stacks(account) == HOME


def test_models_of_an_older_installation_stay_readable_until_the_environment_file_says_otherwise(
    organization: RehearsedOrganization, capsys: pytest.CaptureFixture[str]
) -> None:
    """A stack of before 0.3 has no parameter AllowUntaggedModels; a new one refuses from the first day."""
    account = organization.setting.data_science
    cloudformation, s3 = organization.client(account, "cloudformation"), organization.client(account, "s3")

    def state() -> tuple[str, bool]:
        stack = cloudformation.describe_stacks(StackName=MODELS_STACK)["Stacks"][0]
        policy = s3.get_bucket_policy(Bucket=model_bucket(account, REGION))["Policy"]
        return stacks.parameters(stack).get(
            UNTAGGED, ""
        ), "UntaggedModels" in policy or "TargetAccountsReadModels" in policy

    assert organization() == 0
    assert state() == ("false", False)
    body = (pack.ROOT / "templates/10-model-storage.yaml").read_text()
    start = body.index(f"  {UNTAGGED}:\n")
    older = body[:start] + body[body.index("  ImageRepositoryPrefix:\n    Type", start) :]
    older = older.replace(f"!Equals [!Ref {UNTAGGED}, 'true']", "!Equals ['', '']")  # always, as before
    older = older.replace("StagingReadsUntaggedModels", "TargetAccountsReadModels")
    given = cloudformation.describe_stacks(StackName=MODELS_STACK)["Stacks"][0]["Parameters"]
    kept = [{"ParameterKey": p["ParameterKey"], "UsePreviousValue": True} for p in given]
    kept = [one for one in kept if one["ParameterKey"] != UNTAGGED]
    cloudformation.update_stack(StackName=MODELS_STACK, TemplateBody=older, Parameters=kept)
    while organization.cloud.busy:
        organization.cloud.stopping.wait(0.02)
    assert state() == ("", True)
    assert organization() == 0
    assert state() == ("true", True)
    written = organization.writes(*STACKS)
    assert organization() == 0
    assert organization.writes(*STACKS) == written
    organization.environment.write_text(f"{organization.environment.read_text()}models: {{untagged: refuse}}\n")
    capsys.readouterr()
    assert organization() == 0
    assert f"{MODELS_STACK} in {account}, {REGION} ({UNTAGGED})" in capsys.readouterr().err
    assert state() == ("false", False)


FIRST_LAYOUT = """\
Resources:
  ModelBucket:
    Type: AWS::S3::Bucket
    DeletionPolicy: RetainExceptOnCreate
    UpdateReplacePolicy: Retain
    Properties: {BucketName: !Sub 'sagemaker-multi-account-models-${AWS::AccountId}-${AWS::Region}'}
  Topic: {Type: 'AWS::SNS::Topic'}
"""


def test_an_installation_of_version_0_1_0_is_refused_before_anything_is_written(
    bare: RehearsedOrganization, capsys: pytest.CaptureFixture[str]
) -> None:
    """Neither the organization, which lacks much here, nor a stack is touched; moved as the page says, it goes on."""
    cloudformation = bare.client(people.DATA_SCIENCE, "cloudformation")
    name = ROLES_STACK
    cloudformation.create_stack(StackName=name, TemplateBody=FIRST_LAYOUT)
    while bare.cloud.busy:
        bare.cloud.stopping.wait(0.02)
    before = bare.writes()
    for arguments in (("--dry-run",), ("--invite",)):
        assert bare(*arguments) == 1
        err = capsys.readouterr().err
        assert f"the stack {name} in account {people.DATA_SCIENCE} is that of version 0.1.0" in err
        assert "docs/guides/upgrading.md" in err
    assert bare.writes() == before
    without = FIRST_LAYOUT[: FIRST_LAYOUT.index("  ModelBucket")] + "  Topic: {Type: 'AWS::SNS::Topic'}\n"
    cloudformation.update_stack(StackName=name, TemplateBody=without)  # the bucket stays, and the stack lets it go
    while bare.cloud.busy:
        bare.cloud.stopping.wait(0.02)
    assert bare("--dry-run", "--invite") == 0


def test_every_stack_shows_the_published_version_and_a_newer_one_alone_changes_nothing(
    organization: RehearsedOrganization, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    setting = organization.setting

    def shown() -> set[str]:
        accounts = (setting.data_science, *setting.targets.values())
        described = [organization.client(a, "cloudformation").describe_stacks()["Stacks"] for a in accounts]
        return {stacks.outputs(stack)["BundleVersion"] for made in described for stack in made}

    assert organization() == 0
    (version,) = shown()
    assert re.fullmatch(r"\d+\.\d+\.\d+-[0-9a-f]{8}", version)
    written = organization.writes(*STACKS)
    monkeypatch.setattr(pack, "digest_of", lambda *_: "f" * 64)  # another file of the bundle changed
    assert organization() == 0
    assert (organization.writes(*STACKS), shown()) == (written, {version})
    organization.edit("rehearsal-tester", "another-word")  # of 11 and 20
    assert organization() == 0
    assert len(shown()) == 2, "what was deployed again shows the newer version"


@pytest.mark.parametrize(
    ("status", "way"),
    [
        ("CREATE_FAILED", "delete-stack"),
        ("ROLLBACK_FAILED", "delete-stack"),
        ("DELETE_FAILED", "delete-stack"),
        ("IMPORT_ROLLBACK_FAILED", "delete-stack"),
        ("UPDATE_FAILED", "rollback-stack"),
        ("UPDATE_ROLLBACK_FAILED", "continue-update-rollback"),
    ],
)
def test_a_broken_stack_is_left_for_a_person_with_the_way_out(status: str, way: str) -> None:
    want = stacks.WantedStack("111111111111", "multi-account-deployment", "Resources: {}", {})
    with pytest.raises(UserError, match=status) as refused:
        stacks.make_plan(want, stacks.FoundStack(status, "Resources: {}", {}), "eu-west-1")
    assert f"`aws cloudformation {way} --stack-name multi-account-deployment --region eu-west-1`" in str(refused.value)


def test_the_reason_of_a_stack_of_which_no_resource_failed_is_that_of_its_rollback() -> None:
    id = "arn:aws:cloudformation:us-east-1:111111111111:stack/s/1"
    own = {"StackId": id, "PhysicalResourceId": id, "LogicalResourceId": "s"}
    why = "Export with name models is already exported by stack other"
    events = [
        {**own, "ResourceStatus": "ROLLBACK_COMPLETE"},
        {**own, "ResourceStatus": "ROLLBACK_IN_PROGRESS", "ResourceStatusReason": why},
        {**own, "ResourceStatus": "CREATE_IN_PROGRESS", "ResourceStatusReason": "User Initiated"},
    ]
    client: Any = Fake(describe_stack_events=lambda **_: [{"StackEvents": events}])
    assert stacks.reasons(client, id, str) == f"    {why}"


def test_the_plan_names_what_differs() -> None:
    want = stacks.WantedStack("111111111111", "s", "Resources: {A: 1}", {"Suffix": "prod", "Same": "x"})
    step = stacks.make_plan(want, stacks.FoundStack("UPDATE_COMPLETE", "Resources: {}", {"Suffix": "old", "Same": "x"}))
    assert (step.action, step.detail) == ("change", "template, Suffix")
    assert stacks.make_plan(want, stacks.FoundStack()).action == "create"
