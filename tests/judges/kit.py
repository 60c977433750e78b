"""The kit's templates as one sample installation has them, and what each principal may do in it.

Nothing is deployed: templates are resolved by awslang, and policies decided by it. A judge may be given other text
of a template, or have one action taken from one principal, to see that it notices.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

from moto.iam.aws_managed_policies import aws_managed_policies_data

from awslang.policy.document import Policy, Statement, parse
from awslang.policy.evaluator import AuthorizationRequest, Policies, decide
from awslang.policy.patterns import action_like
from awslang.principals import Principal
from awslang.template import parameters, template
from awslang.template.intrinsics import Evaluator
from tests.support import ROOT
from tests.support.cfn import pseudo_parameters

DATA_SCIENCE, TARGET, MANAGEMENT, REGION = "111111111111", "333333333333", "999999999999", "us-east-1"
NINE, TEN, ELEVEN, TWELVE, THIRTEEN, FOURTEEN, FIFTEEN, TWENTY, TWENTY_ONE, THIRTY, FORTY, FIFTY, SIXTY = (
    path.relative_to(ROOT).as_posix()
    for number in ("09", "10", "11", "12", "13", "14", "15", "20", "21", "30", "40", "50", "60")
    for path in (ROOT / "templates").glob(f"{number}-*.yaml")
)
KEY = f"arn:aws:kms:{REGION}:{DATA_SCIENCE}:key/1234abcd-12ab-34cd-56ef-1234567890ab"
CONNECTION = f"arn:aws:codeconnections:{REGION}:{DATA_SCIENCE}:connection/1234abcd-12ab-34cd-56ef-1234567890ab"
BUNDLE = f"sagemaker-multi-account-bundle-{DATA_SCIENCE}-{REGION}"
UNITS = {"OrganizationalUnitStagingId": "ou-ab12-11111111", "OrganizationalUnitProdId": "ou-ab12-22222222"}
PATH = "o-a1b2c3d4e5/r-ab12/ou-ab12-"
PROJECT = {"SageMakerProjectName": "churn", "SageMakerProjectId": "p-a1b2c3"}
ROLE = f"arn:aws:iam::{DATA_SCIENCE}:role/service-role/AmazonSageMakerServiceCatalogProductsMultiAccount"
# One installation with everything switched on. A parameter that a template does not have (yet) is left out.
SAMPLE: dict[str, dict[str, str]] = {
    TEN: {
        "OrganizationalUnitStagingPath": f"{PATH}11111111/*",
        "OrganizationalUnitProdPath": f"{PATH}22222222/*",
        "ImageRepositoryPrefix": "team",
    },
    ELEVEN: {
        "PublisherArns": f"arn:aws:iam::{DATA_SCIENCE}:role/MLEngineer",
        "ApprovalEmail": "ml@example.com",
        "ImageRepositoryPrefix": "team",
        "FurtherRegions": "eu-west-1",
    },
    TWELVE: {**UNITS, "FurtherRegions": "eu-west-1", "SourceConnectionArn": CONNECTION},
    NINE: {"DomainName": "science", "VpcId": "vpc-0a1b2c3d", "SubnetIds": "subnet-0a1b2c3d"},
    FOURTEEN: {"DomainId": "d-abcdefghijkl", "UserProfileName": "ada"},
    THIRTEEN: {"StudioExecutionRoleNames": "Studio", "ProjectTemplatesInS3": "true", "ModelKeyArn": KEY},
    FIFTEEN: {
        "NoticeEmail": "ml@example.com",
        "WriteModelLifeCycle": "true",
        "OrganizationalUnitProdPath": f"{PATH}22222222/*",
    },
    TWENTY: {
        "NoticeBusArn": f"arn:aws:events:{REGION}:{DATA_SCIENCE}:event-bus/default",
        "SageMakerRoleSuffix": "staging",
        "PipelineExecutionRoleArn": f"{ROLE}TestRole",
        "OwnTestsRoleArn": f"{ROLE}OwnTestsRole",
        "ModelBucketName": f"sagemaker-multi-account-models-{DATA_SCIENCE}-{REGION}",
        "ModelKeyArn": KEY,
        "FurtherModelBucketArns": f"arn:aws:s3:::sagemaker-multi-account-models-{DATA_SCIENCE}-eu-west-1",
        "DataCaptureBucketName": "captured",
        "DataKeyAlias": "alias/captured",
        "AllowVpc": "true",
        "AllowBatch": "true",
        "AllowShadow": "true",
        "Consumers": "churn@arn:aws:iam::555555555555:role/shop",
        "ConsumerAccountIds": "555555555555",
    },
    TWENTY_ONE: {"AdministratorAccountId": DATA_SCIENCE},
    THIRTY: {
        **PROJECT,
        **UNITS,
        "SageMakerExecutionRoleStagingName": "sagemaker-role-staging",
        "SageMakerExecutionRoleProdName": "sagemaker-role-prod",
        **dict.fromkeys(("SeedCodeDeployKey", "SeedCodeBuildKey", "PipelineCodeKey"), "bundle/0a1b/x.zip"),
        "EndpointTemplateKey": "bundle/0a1b/templates/50-endpoint.yaml",
        "BundleVersion": "1",
        "BuildOnPush": "true",
        "ShadowMinutes": "60",
    },
    FORTY: {
        **PROJECT,
        "StageName": "staging",
        "StackSetAdministrator": "DELEGATED_ADMIN",
        "OrganizationalUnitId": UNITS["OrganizationalUnitStagingId"],
        "AccountIds": TARGET,
        "Regions": REGION,
        "EndpointTemplateUrl": f"https://{BUNDLE}.s3.{REGION}.amazonaws.com/bundle/0a1b/templates/50-endpoint.yaml",
        "ModelPackageName": f"arn:aws:sagemaker:{REGION}:{DATA_SCIENCE}:model-package/churn/1",
        "SageMakerExecutionRoleName": "sagemaker-role-staging",
    },
    FIFTY: {
        **PROJECT,
        "StageName": "staging",
        "ModelPackageName": f"arn:aws:sagemaker:{REGION}:{DATA_SCIENCE}:model-package/churn/1",
        "SageMakerExecutionRoleName": "sagemaker-role-staging",
        "MaximumInstanceCount": "2",
        "DataCaptureS3Uri": "account",
        "MonitorHours": "24",
        "MonitorBaseline": "churn-p-a1b2c3d4e5f6/models/baselines/1",
        "MonitorQualityHours": "24",
        "MonitorQualityBaseline": "churn-p-a1b2c3d4e5f6/models/baselines/1/quality",
        "MonitorQualityMetric": "rmse",
        "MonitorQualityBound": "2.5",
        "Dashboard": "true",
        "DataKmsKeyId": "alias/endpoint-data",
        "VolumeKmsKeyId": "alias/volumes",
    },
    SIXTY: {"GitHubRepository": "my-company/kit", "Purpose": "publish"},
}
SELF_MANAGED = {"PermissionModel": "SELF_MANAGED", "OrganizationalUnitStagingId": "", "OrganizationalUnitProdId": ""}


ARNS = {  # of the resources that policies name (Service Authorization Reference, resource types)
    "AWS::CloudFormation::StackSet": f"arn:aws:cloudformation:{REGION}:{MANAGEMENT}:stackset/{{StackSetName}}:1a2b",
    "AWS::CloudWatch::Dashboard": "arn:aws:cloudwatch::{account}:dashboard/{DashboardName}",
    "AWS::SageMaker::ModelQualityJobDefinition": (
        "arn:aws:sagemaker:{region}:{account}:model-quality-job-definition/QualityJob-1a2b"
    ),
    "AWS::SageMaker::MonitoringSchedule": (
        "arn:aws:sagemaker:{region}:{account}:monitoring-schedule/{MonitoringScheduleName}"
    ),
    "AWS::CloudWatch::Alarm": "arn:aws:cloudwatch:{region}:{account}:alarm:{AlarmName}",
    "AWS::CodeBuild::Project": "arn:aws:codebuild:{region}:{account}:project/{Name}",
    "AWS::CodeCommit::Repository": "arn:aws:codecommit:{region}:{account}:{RepositoryName}",
    "AWS::CodePipeline::Pipeline": "arn:aws:codepipeline:{region}:{account}:{Name}",
    "AWS::Events::Rule": "arn:aws:events:{region}:{account}:rule/{Name}",
    "AWS::IAM::OIDCProvider": "arn:aws:iam::{account}:oidc-provider/token.actions.githubusercontent.com",
    "AWS::IAM::Role": "arn:aws:iam::{account}:role{Path}{RoleName}",
    "AWS::KMS::Key": "arn:aws:kms:{region}:{account}:key/1234abcd-12ab-34cd-56ef-1234567890ab",
    "AWS::S3::Bucket": "arn:aws:s3:::{BucketName}",
    "AWS::S3::BucketPolicy": "arn:aws:s3:::{Bucket}",
    "AWS::SNS::Topic": "arn:aws:sns:{region}:{account}:{TopicName}",
    "AWS::SageMaker::Endpoint": "arn:aws:sagemaker:{region}:{account}:endpoint/{EndpointName}",
    "AWS::SageMaker::EndpointConfig": "arn:aws:sagemaker:{region}:{account}:endpoint-config/EndpointConfig-1a2b",
    "AWS::SageMaker::Model": "arn:aws:sagemaker:{region}:{account}:model/Model-1a2b",
    "AWS::StepFunctions::StateMachine": "arn:aws:states:{region}:{account}:stateMachine:{StateMachineName}",
}
REF_IS_THE_ARN = {
    "AWS::IAM::OIDCProvider",
    "AWS::SageMaker::ModelQualityJobDefinition",
    "AWS::SNS::Topic",
    "AWS::StepFunctions::StateMachine",
}


def arn(type: str, properties: Mapping[str, Any], account: str) -> str:
    """The ARN of a resource; * where the judges need none."""
    texts = {name: value for name, value in properties.items() if isinstance(value, str)}
    named = {"Path": "/", "Name": "StackSet-sagemaker-stage-Rule-1a2b", **texts}
    return ARNS.get(type, "*").format(**named, region=REGION, account=account)


@dataclass(frozen=True)
class Resource:
    """A resource of a template, with its properties resolved."""

    file: str
    name: str
    type: str
    properties: Mapping[str, Any]


@dataclass(frozen=True)
class Place:
    """A template in the account that it is deployed into, with what differs from the sample."""

    file: str
    account: str = DATA_SCIENCE
    given: tuple[tuple[str, str], ...] = ()


@lru_cache(maxsize=256)
def resources(place: Place, text: str) -> dict[str, Resource]:
    """The resources of a template, by logical id: those whose conditions hold."""
    parsed = template.parse(text)
    wanted = SAMPLE[place.file] | dict(place.given)
    given = {name: value for name, value in wanted.items() if name in parsed.parameters}
    pseudo = pseudo_parameters(place.account, REGION)

    def unknown(*what: str) -> str:
        raise KeyError(what)

    def attribute(name: str, wanted: str) -> str:
        type, properties = str(parsed.resources[name]["Type"]), evaluator.resource(name)
        if wanted.endswith("Arn") or (wanted == "Ref" and type in REF_IS_THE_ARN):
            return arn(type, properties, place.account)
        return next((str(v) for k, v in properties.items() if k.endswith("Name") and isinstance(v, str)), name)

    evaluator = Evaluator(parsed, parameters.resolve(parsed, given, None, unknown), pseudo, unknown, attribute, unknown)
    return {
        name: Resource(place.file, name, str(parsed.resources[name]["Type"]), evaluator.resource(name))
        for name in evaluator.active()
    }


@lru_cache(maxsize=1)
def managed_policies() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(aws_managed_policies_data)
    return found


def managed(name: str) -> Policy:
    """A managed policy of AWS's."""
    return parse(managed_policies()[name]["Document"], name, "")


@dataclass(frozen=True)
class Holder:
    """A principal with the policies that apply to it."""

    name: str
    account: str
    policies: tuple[Policy, ...]

    def without(self, action: str) -> Holder:
        """The same principal, whose policies do not allow the action any more."""

        def left(statement: Statement) -> Statement:
            if statement.effect == "Deny":
                return statement
            actions = tuple(one for one in statement.actions if not action_like(one, action))
            return replace(statement, actions=(*statement.actions, action) if statement.not_actions else actions)

        kept = [replace(policy, statements=tuple(map(left, policy.statements))) for policy in self.policies]
        return replace(self, policies=tuple(kept))

    def may(self, action: str, resource: str, **keys: str) -> bool:
        """Whether the policies allow it; keys: the condition keys of the request, __ for a colon."""
        parts = resource.split(":")
        owner = parts[4] if len(parts) > 4 and parts[4].isdigit() else DATA_SCIENCE
        arn = f"arn:aws:sts::{self.account}:assumed-role/{self.name}/session"
        who = Principal("role", self.account, arn, role_arn=f"arn:aws:iam::{self.account}:role/{self.name}")
        context = {"aws:resourceaccount": (owner,)} | {k.replace("__", ":"): (v,) for k, v in keys.items()}
        # As a request within one account: whether a policy of the resource must allow it too is another question.
        asked = AuthorizationRequest(who, action, resource, self.account, context)
        return decide(asked, Policies(identity=self.policies)).allowed


# The principals that the judges ask about: a template's role or policy of people, or AWS's managed policy.
HOLDERS: dict[str, tuple[Place, str] | str] = {
    "administrator": "AdministratorAccess",
    "AWS's launch role": "AmazonSageMakerAdmin-ServiceCatalogProductsServiceRolePolicy",
    "EventsRole": (Place(ELEVEN), "EventsRole"),
    "StarterRole": (Place(ELEVEN), "StarterRole"),
    "PipelineRole": (Place(TWELVE), "PipelineRole"),
    "BuildRole": (Place(TWELVE), "BuildRole"),
    "TestRole": (Place(TWELVE), "TestRole"),
    "OwnTestsRole": (Place(TWELVE), "OwnTestsRole"),
    "TrainingRole": (Place(TWELVE), "TrainingRole"),
    "StageRole": (Place(TWELVE), "StageRole"),
    "StageRole without an organization": (Place(TWELVE, given=tuple(SELF_MANAGED.items())), "StageRole"),
    "DataScientist": (Place(THIRTEEN), "DataScientist"),
    "GateRole": (Place(THIRTEEN), "GateRole"),
    "ProjectCreator": (Place(THIRTEEN), "ProjectCreator"),
    "LaunchRole": (Place(THIRTEEN), "LaunchRole"),
    "NotifierRole": (Place(FIFTEEN), "NotifierRole"),
    "ModelRole": (Place(TWENTY, TARGET), "ModelRole"),
    "AlarmsRole": (Place(TWENTY, TARGET), "AlarmsRole"),
    "BatchRole": (Place(TWENTY, TARGET), "BatchRole"),
    "BatchStarterRole": (Place(TWENTY, TARGET), "BatchStarterRole"),
    "MonitorRole": (Place(TWENTY, TARGET), "MonitorRole"),
    "AdministrationRole": (Place(TWENTY_ONE), "AdministrationRole"),
    "ExecutionRole": (Place(TWENTY_ONE, TARGET), "ExecutionRole"),
    "PublisherRole": (Place(SIXTY), "PublisherRole"),
    "TaskcatRole": (Place(SIXTY, TARGET, (("Purpose", "taskcat"),)), "TaskcatRole"),
}
# Templates that give a role of another one more.
FURTHER = dict.fromkeys(("StageRole", "StageRole without an organization"), (THIRTEEN,))


@dataclass(frozen=True)
class Kit:
    """The templates. changed: other text of some; taken: an action that is taken from a principal."""

    changed: Mapping[str, str] = field(default_factory=dict)
    taken: tuple[str, str] = ("", "")

    def text(self, file: str) -> str:
        return self.changed[file] if file in self.changed else (ROOT / file).read_text(encoding="utf-8")

    def resources(self, place: Place) -> dict[str, Resource]:
        return resources(place, self.text(place.file))

    def holder(self, name: str) -> Holder:
        found = HOLDERS[name]
        texts = () if isinstance(found, str) else (self.text(found[0].file), *map(self.text, FURTHER.get(name, ())))
        holder = held(name, texts)
        return holder.without(self.taken[1]) if self.taken[0] == name else holder


@lru_cache(maxsize=256)
def held(name: str, texts: tuple[str, ...]) -> Holder:
    """A principal, by the text of its template and of those in FURTHER."""
    found = HOLDERS[name]
    if isinstance(found, str):
        return Holder(name, DATA_SCIENCE, (managed(found),))
    place, logical_id = found
    made = resources(place, texts[0])
    for file, text in zip(FURTHER.get(name, ()), texts[1:], strict=True):
        made = made | resources(Place(file), text)
    return Holder(name, place.account, tuple(policies(made, logical_id, place.account)))


def policies(made: Mapping[str, Resource], logical_id: str, account: str) -> list[Policy]:
    """The policies of a role or of people: its own, those that other resources attach to it, and AWS's."""
    resource = made[logical_id]
    if resource.type == "AWS::IAM::ManagedPolicy":
        return [parse(resource.properties["PolicyDocument"], logical_id, account)]
    name = resource.properties["RoleName"]
    found = [(one["PolicyName"], one["PolicyDocument"]) for one in resource.properties.get("Policies", [])]
    for other in made.values():
        attached = other.properties.get("Roles", []) if other.type == "AWS::IAM::ManagedPolicy" else []
        if name in attached or (other.type == "AWS::IAM::RolePolicy" and other.properties["RoleName"] == name):
            found.append((other.name, other.properties["PolicyDocument"]))
    own = [parse(document, policy, account) for policy, document in found]
    return own + [managed(arn.rsplit("/", 1)[1]) for arn in resource.properties.get("ManagedPolicyArns", [])]
