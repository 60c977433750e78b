"""`make accounts` interrupted at every single request, and run again, ends as if nothing had happened."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from localaws.cloud import Cloud, Session
from scripts import accounts
from scripts.kit.bundle import installation, pack
from scripts.rehearsal import setting as people
from tests.support.every_request import problems
from tests.support.faults import Command, World

REGION = "us-east-1"
# What the command needs of its templates, and little else: a case takes a fraction of a second.
MODELS = """\
Parameters:
  OrganizationalUnitStagingPath: {Type: String}
  OrganizationalUnitProdPath: {Type: String}
  PathsBeforeProduction: {Type: CommaDelimitedList}
  StagingAccountIds: {Type: CommaDelimitedList, Default: ''}
  ProdAccountIds: {Type: CommaDelimitedList, Default: ''}
  AllowUntaggedModels: {Type: String}
  ImageRepositoryPrefix: {Type: String}
  BundleVersion: {Type: String}
Resources:
  ModelBucket:
    Type: AWS::S3::Bucket
    DeletionPolicy: RetainExceptOnCreate
    UpdateReplacePolicy: Retain
    Properties: {BucketName: !Sub 'models-${AWS::AccountId}'}
Outputs:
  ModelBucketName: {Value: !Ref ModelBucket}
  ModelKeyArn: {Value: !Sub 'arn:aws:kms:us-east-1:${AWS::AccountId}:key/k'}
"""
SHARED = """\
Parameters:
  PublisherArns: {Type: CommaDelimitedList}
  ApprovalEmail: {Type: String}
  ExternalId: {Type: String}
  FurtherRegions: {Type: CommaDelimitedList}
  ImageRepositoryPrefix: {Type: String}
  BoundaryName: {Type: String}
  BundleVersion: {Type: String}
Resources:
  Approvals: {Type: 'AWS::SNS::Topic'}
"""
ROLES = """\
Parameters:
  PermissionModel: {Type: String}
  OrganizationalUnitStagingId: {Type: String}
  OrganizationalUnitProdId: {Type: String}
  FurtherRegions: {Type: CommaDelimitedList}
  SourceConnectionArn: {Type: String}
  BoundaryName: {Type: String}
  RolePath: {Type: String}
  TagKeys: {Type: CommaDelimitedList}
  BundleVersion: {Type: String}
Resources:
  Wait: {Type: 'AWS::SNS::Topic'}
Outputs:
  TestRoleArn: {Value: !Sub 'arn:aws:iam::${AWS::AccountId}:root'}
  OwnTestsRoleArn: {Value: !Sub 'arn:aws:iam::${AWS::AccountId}:root'}
"""
PEOPLE = """\
Parameters:
  StudioExecutionRoleNames: {Type: CommaDelimitedList}
  ProjectTemplatesInS3: {Type: String}
  ModelKeyArn: {Type: String}
  PermissionModel: {Type: String}
  FurtherStageTargets: {Type: CommaDelimitedList}
  BoundaryName: {Type: String}
  BundleVersion: {Type: String}
Resources:
  Policies: {Type: 'AWS::SNS::Topic'}
"""
TARGET = """\
Parameters:
  SageMakerRoleSuffix: {Type: String}
  FurtherStageName: {Type: String}
  BoundaryName: {Type: String}
  RolePath: {Type: String}
  OwnTestsRoleArn: {Type: String}
  NoticeBusArn: {Type: String, Default: ''}
  PipelineExecutionRoleArn: {Type: String}
  ExternalId: {Type: String}
  ModelBucketName: {Type: String}
  ModelKeyArn: {Type: String}
  FurtherModelBucketArns: {Type: CommaDelimitedList}
  DataCaptureBucketName: {Type: String}
  DataKeyAlias: {Type: String}
  AllowVpc: {Type: String}
  AllowBatch: {Type: String}
  AllowShadow: {Type: String}
  Consumers: {Type: CommaDelimitedList}
  ConsumerAccountIds: {Type: CommaDelimitedList}
  BundleVersion: {Type: String}
Resources:
  TesterRole:
    Type: AWS::IAM::Role
    Properties:
      RoleName: !Sub sagemaker-role-${SageMakerRoleSuffix}-tester
      AssumeRolePolicyDocument:
        Statement: [{Effect: Allow, Action: sts:AssumeRole, Principal: {AWS: !Ref PipelineExecutionRoleArn}}]
"""
NOTICES = """\
Parameters:
  NoticeEmail: {Type: String}
  WriteModelLifeCycle: {Type: String}
  OrganizationalUnitProdPath: {Type: String}
  ProdAccountIds: {Type: CommaDelimitedList, Default: ''}
  BoundaryName: {Type: String}
  BundleVersion: {Type: String}
Resources:
  Notices: {Type: 'AWS::SNS::Topic'}
"""
TEMPLATES = {
    "10-model-storage": MODELS,
    "11-shared-resources": SHARED,
    "12-project-roles": ROLES,
    "13-people": PEOPLE,
    "15-notices": NOTICES,
    "20-target-account": TARGET,
}


class Place:
    """A world with an organization and its accounts, and `make accounts` as it is typed there."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch) -> None:
        tree, self.environment = folder / "tree", folder / "environment.yaml"
        (tree / "templates").mkdir(parents=True)
        for name, body in TEMPLATES.items():
            (tree / f"templates/{name}.yaml").write_text(body)
        patch.setattr(pack, "ROOT", tree)
        patch.setattr(
            installation, "version", lambda *_: "0.2.0-1a2b3c4d"
        )  # it rests on the ids of OUs, which are random
        line = ["--environment", str(self.environment), "--invite"]
        self.accounts: Command = lambda: accounts.main(line)
        self.world = World(folder / "faults", self.build)

    def build(self, cloud: Cloud) -> None:
        setting = people.make_organization(cloud, "delegated", REGION, bare=True)
        people.make_people(cloud, setting)
        before, studio, after = re.split(
            r"(^studio:\n(?:  .*\n)+)", people.environment_file(setting), flags=re.MULTILINE
        )
        assert "domain:" in studio  # what it and AWS's roles make: tests/kit/test_studio.py
        self.environment.write_text(f"{before}studio: {{execution_roles: [studio]}}\npublishing: {{to: s3}}\n{after}")
        document = people.trust(Service="sagemaker.amazonaws.com")
        iam = cloud.root(setting.data_science, REGION).client("iam")
        iam.create_role(RoleName="studio", AssumeRolePolicyDocument=document)

    @staticmethod
    def who(cloud: Cloud) -> Session:
        return people.sign_in(cloud, people.MANAGEMENT, people.ENGINEER, REGION)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with pytest.MonkeyPatch.context() as patch:
        yield Place(tmp_path_factory.mktemp("accounts"), patch)


def test_accounts_interrupted_at_every_request_and_run_again_ends_as_an_undisturbed_run(place: Place) -> None:
    assert problems(place.world, place.accounts, place.who, ("killed", "refused")) == []
