"""Every policy of an installation, resolved from the templates: what the stacks would make, without deploying them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from awslang.policy.document import Kind
from awslang.template import parameters
from awslang.template.intrinsics import Evaluator
from awslang.template.template import Template, parse
from pipeline import sharing
from tests.support import ROOT
from tests.support.cfn import pseudo_parameters

REGION, FURTHER = "us-east-1", "eu-west-1"
MANAGEMENT, DATA_SCIENCE, STAGING, PRODUCTION = "999999999999", "111111111111", "333333333333", "222222222222"
ORGANIZATION, OUTSIDE, FOREIGN = (
    "o-a1b2c3d4e5",
    "444444444444",
    "555555555555",
)  # in no unit; in no organization of ours
UNITS = {"staging": "ou-ab12-stag1111", "prod": "ou-ab12-prod2222"}
QA_UNIT = "ou-ab12-qaqa3333"  # of a stage between the two
PATHS = {stage: f"{ORGANIZATION}/r-ab12/{unit}/*" for stage, unit in UNITS.items()}
PROJECT, PROJECT_ID = "iris", "p-1"
SERVICE_ROLE = f"arn:aws:iam::{DATA_SCIENCE}:role/service-role/AmazonSageMakerServiceCatalogProductsMultiAccount"
MODEL_KEY = f"arn:aws:kms:{REGION}:{DATA_SCIENCE}:key/ModelKey"
MODELS = f"sagemaker-multi-account-models-{DATA_SCIENCE}"
GROUP = f"arn:aws:sagemaker:{REGION}:{DATA_SCIENCE}:model-package-group/{PROJECT}"
GIT = f"arn:aws:codeconnections:{REGION}:{DATA_SCIENCE}:connection/1234"
GITHUB = f"arn:aws:iam::{DATA_SCIENCE}:oidc-provider/token.actions.githubusercontent.com"
BUS = f"arn:aws:events:{REGION}:{DATA_SCIENCE}:event-bus/default"
CONSUMER = "666666666666"
SHOP, CLERK = f"arn:aws:iam::{CONSUMER}:role/shop", f"arn:aws:iam::{CONSUMER}:role/clerk"
PUBLISHER = f"arn:aws:iam::{DATA_SCIENCE}:role/MLEngineer"
TARGETS = "arn:aws:cloudformation:*:*:stackset-target/sagemaker-*"
NO_EXPORTS: dict[str, str] = {}


@dataclass(frozen=True)
class Stack:
    """One template in one account, with the parameters of this set-up."""

    template: str
    account: str
    given: Mapping[str, str] = field(default_factory=dict)
    region: str = REGION
    label: str = ""  # tells two stacks of a template apart


@dataclass(frozen=True)
class Document:
    """One policy document.

    place: template, logical id and the part of it, for a reader
    holder: whose it is: the name of a role or of a managed policy, or the ARN of the resource that it is the policy of
    """

    place: str
    account: str
    holder: str
    kind: Kind
    statements: tuple[Mapping[str, Any], ...]

    def text(self, statements: tuple[Mapping[str, Any], ...] | None = None) -> dict[str, Any]:
        return {"Version": "2012-10-17", "Statement": list(self.statements if statements is None else statements)}


# -- the set-ups -------------------------------------------------------------------------------


def set_ups() -> dict[str, list[Stack]]:
    """The stacks of each way to install the kit; together they have every statement of every template."""
    units = {"OrganizationalUnitStagingPath": PATHS["staging"], "OrganizationalUnitProdPath": PATHS["prod"]}
    listed = {"StagingAccountIds": STAGING, "ProdAccountIds": PRODUCTION}
    unit_ids = {"OrganizationalUnitStagingId": UNITS["staging"], "OrganizationalUnitProdId": UNITS["prod"]}
    untagged = {"AllowUntaggedModels": "true"}
    further = {"PathsBeforeProduction": f"{PATHS['staging']},{ORGANIZATION}/r-ab12/{QA_UNIT}/*"}
    administrator, life_cycle = {"AdministratorAccountId": DATA_SCIENCE}, {"WriteModelLifeCycle": "true"}
    return {
        "organization": [
            *_storage(units | further),
            *_data_science("SERVICE_MANAGED", unit_ids, {"StackSetAdministrator": "DELEGATED_ADMIN", **unit_ids}),
            Stack("15-notices.yaml", DATA_SCIENCE, {**life_cycle, "OrganizationalUnitProdPath": PATHS["prod"]}),
            *_targets(),
            Stack("60-ci-roles.yaml", DATA_SCIENCE, {"GitHubRepository": "my-company/kit"}),
        ],
        "accounts": [
            *_storage(listed),
            *_data_science("SELF_MANAGED", {}, {"StackSetAdministrator": "SELF_MANAGED", **listed}),
            Stack("15-notices.yaml", DATA_SCIENCE, {**life_cycle, "ProdAccountIds": PRODUCTION}),
            *_targets("qa"),
            Stack("21-self-managed-roles.yaml", DATA_SCIENCE, administrator),
            Stack("21-self-managed-roles.yaml", STAGING, administrator),
            Stack(
                "60-ci-roles.yaml",
                DATA_SCIENCE,
                {"GitHubRepository": "my-company/kit", "GitHubSubject": "my-company@1/kit@2", "Purpose": "taskcat"},
            ),
        ],
        "organization, untagged models": [*_storage(units | untagged), *_targets()],
        "accounts, untagged models": [*_storage(listed | untagged), *_targets()],
    }


def _storage(readers: Mapping[str, str]) -> list[Stack]:
    images = {**readers, "ImageRepositoryPrefix": "team"}
    return [
        Stack("10-model-storage.yaml", DATA_SCIENCE, readers),
        Stack("10-model-storage.yaml", DATA_SCIENCE, images, FURTHER, FURTHER),
    ]


def _data_science(model: str, units: Mapping[str, str], project: Mapping[str, str]) -> list[Stack]:
    keys = dict.fromkeys(("SeedCodeDeployKey", "SeedCodeBuildKey", "PipelineCodeKey"), "of-no-interest")
    names = {f"SageMakerExecutionRole{stage}Name": "sagemaker-role" for stage in ("Staging", "Prod")}
    given = {
        "09": {"DomainName": "data-science", "VpcId": "vpc-0a1b2c3d4e5f67890", "SubnetIds": "subnet-0a1b2c3d4e5f67890"},
        "11": {"PublisherArns": PUBLISHER, "FurtherRegions": FURTHER},
        "12": {
            "PermissionModel": model,
            "SourceConnectionArn": GIT,
            **units,
            **({"FurtherRegions": FURTHER} if units else {}),
        },
        "13": {
            "StudioExecutionRoleNames": "Studio",
            "ProjectTemplatesInS3": "true",
            "PermissionModel": model,
            "ModelKeyArn": MODEL_KEY,
            **({"FurtherStageTargets": f"{TARGETS}/{QA_UNIT}"} if units else {}),
        },
        "30": {
            **project,
            "BuildOnPush": "true",
            **keys,
            **names,
            "SageMakerProjectName": PROJECT,
            "SageMakerProjectId": PROJECT_ID,
            "EndpointTemplateKey": "of-no-interest",
            "BundleVersion": "0.0.0",
        },
    }
    paths = sorted((ROOT / "templates").glob("*.yaml"))
    return [Stack(p.name, DATA_SCIENCE, given[p.name[:2]]) for p in paths if p.name[:2] in given]


def _targets(further: str = "") -> Iterator[Stack]:
    """further: the stage between staging and production that the accounts are of besides"""
    for stage, account in (("staging", STAGING), ("prod", PRODUCTION)):
        given = {
            "SageMakerRoleSuffix": stage,
            "PipelineExecutionRoleArn": f"{SERVICE_ROLE}TestRole",
            "ExternalId": "the-external-id",
            "ModelBucketName": f"{MODELS}-{REGION}",
            "ModelKeyArn": MODEL_KEY,
            "FurtherModelBucketArns": f"arn:aws:s3:::{MODELS}-{FURTHER}",
            "DataCaptureBucketName": "account",
            "DataKeyAlias": "alias/captured-data",
            "AllowVpc": "true",
            "AllowBatch": "true",
            "FurtherStageName": further,
            "AllowShadow": "true" if stage == "prod" else "false",
            "Consumers": f"{PROJECT}@{SHOP},churn@{CLERK}",
            "ConsumerAccountIds": CONSUMER,
        }
        own = {"OwnTestsRoleArn": f"{SERVICE_ROLE}OwnTestsRole"} if stage == "staging" else {"NoticeBusArn": BUS}
        yield Stack("20-target-account.yaml", account, given | own, label=stage)


# -- the policies of a stack -------------------------------------------------------------------


def documents(stack: Stack, text: str | None = None) -> list[Document]:
    """Every policy that the stack makes."""
    body = (ROOT / "templates" / stack.template).read_text(encoding="utf-8") if text is None else text
    made = evaluator(parse(body), stack)
    return [document for name in made.active() for document in _of_resource(made, stack, name)]


def model_group() -> list[Document]:
    """The policy that the pipeline's steps give a project's model group, for the accounts of both stages."""
    policy: dict[str, Any] = {}
    for number, (stage, account) in enumerate((("staging", STAGING), ("prod", PRODUCTION)), 1):
        version = f"{GROUP.replace('-group', '')}/{number}"
        policy = sharing.merged(policy, stage, sharing.statements(stage, [version], [account]))
    return [Document("pipeline/sharing.py model group", DATA_SCIENCE, GROUP, "resource", tuple(policy["Statement"]))]


def evaluator(template: Template, stack: Stack) -> Evaluator:
    def attribute(name: str, asked: str) -> Any:
        kind, properties = template.resources[name]["Type"], made.resource(name)
        here = f"{stack.region}:{stack.account}"
        definition = f"arn:aws:sagemaker:{here}:model-quality-job-definition/{name}"
        path, machine = properties.get("Path", "/"), properties.get("StateMachineName")
        arns = {
            "AWS::S3::Bucket": f"arn:aws:s3:::{properties.get('BucketName')}",
            "AWS::KMS::Key": f"arn:aws:kms:{here}:key/{name}",
            "AWS::IAM::Role": f"arn:aws:iam::{stack.account}:role{path}{properties.get('RoleName')}",
            "AWS::IAM::OIDCProvider": GITHUB,
            "AWS::SageMaker::ModelQualityJobDefinition": definition,
            "AWS::SNS::Topic": f"arn:aws:sns:{here}:{properties.get('TopicName')}",
            "AWS::StepFunctions::StateMachine": f"arn:aws:states:{here}:stateMachine:{machine}",
        }
        ids = {"AWS::S3::Bucket": "BucketName", "AWS::IAM::Role": "RoleName"}
        return properties[ids[kind]] if asked == "Ref" and kind in ids else arns.get(kind, name)

    pseudo = pseudo_parameters(stack.account, stack.region)
    values = parameters.resolve(template, stack.given, None, NO_EXPORTS.__getitem__)
    made = Evaluator(template, values, pseudo, NO_EXPORTS.__getitem__, attribute, lambda service, reference: reference)
    made.check_rules()
    return made


def _of_resource(made: Evaluator, stack: Stack, name: str) -> Iterator[Document]:
    kind = made.template.resources[name]["Type"]
    if kind not in READERS:
        return
    properties = made.resource(name)
    label = f" in {stack.label}" if stack.label else ""
    for part, holder, of, document in READERS[kind](properties, made, name):
        place = " ".join(filter(None, (stack.template, name, part))) + label
        statements = document["Statement"]
        yield Document(place, stack.account, holder, of, tuple(s for s in statements if isinstance(s, dict)))


Found = Iterator[tuple[str, str, Kind, Mapping[str, Any]]]  # part, holder, kind, document


def _role(properties: Mapping[str, Any], made: Evaluator, name: str) -> Found:
    yield "trust", made.attributes(name, "Arn"), "trust", properties["AssumeRolePolicyDocument"]
    for policy in properties.get("Policies", []):
        yield policy["PolicyName"], properties["RoleName"], "identity", policy["PolicyDocument"]


def _managed_policy(properties: Mapping[str, Any], made: Evaluator, name: str) -> Found:
    holders = [properties["ManagedPolicyName"]] if "ManagedPolicyName" in properties else properties["Roles"]
    for holder in holders:
        yield "", holder, "identity", properties["PolicyDocument"]


def _role_policy(properties: Mapping[str, Any], made: Evaluator, name: str) -> Found:
    yield "", properties["RoleName"], "identity", properties["PolicyDocument"]


def _bucket(properties: Mapping[str, Any], made: Evaluator, name: str) -> Found:
    yield "", f"arn:aws:s3:::{properties['Bucket']}", "resource", properties["PolicyDocument"]


def _topic(properties: Mapping[str, Any], made: Evaluator, name: str) -> Found:
    yield "", properties["Topics"][0], "resource", properties["PolicyDocument"]


def _bus(properties: Mapping[str, Any], made: Evaluator, name: str) -> Found:
    yield "", BUS, "resource", {"Statement": [{"Sid": properties["StatementId"], **properties["Statement"]}]}


def _key(properties: Mapping[str, Any], made: Evaluator, name: str) -> Found:
    yield "", made.attributes(name, "Arn"), "resource", properties["KeyPolicy"]


def _repository(properties: Mapping[str, Any], made: Evaluator, name: str) -> Found:
    here = f"{made.pseudo['AWS::Region']}:{made.pseudo['AWS::AccountId']}"
    arn = f"arn:aws:ecr:{here}:repository/{properties['Prefix']}/iris"
    yield "", arn, "resource", json.loads(properties["RepositoryPolicy"])


READERS = {
    "AWS::IAM::Role": _role,
    "AWS::IAM::ManagedPolicy": _managed_policy,
    "AWS::IAM::RolePolicy": _role_policy,
    "AWS::S3::BucketPolicy": _bucket,
    "AWS::SNS::TopicPolicy": _topic,
    "AWS::Events::EventBusPolicy": _bus,
    "AWS::KMS::Key": _key,
    "AWS::ECR::RepositoryCreationTemplate": _repository,
}
