"""What SageMaker's console makes where project templates are turned on: AWS's roles for projects, and the switch.

Service Catalog creates a project of the product as the launch role; AWS's own project templates run as the others. The
console makes all of them (SageMaker Developer Guide, "Granting SageMaker Studio Permissions Required to Use
Projects", the list of roles; "AWS Managed Policies for SageMaker Projects and JumpStart", the policy of each). Each is
made here as the console makes it, where it is missing: name, path, description, trust and policies. The policy of the
use role is no managed one, and no page shows it: it is the one that the console's own carries in public accounts.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from scripts.kit.connect import Connection, if_there, pages, whole_pages
from scripts.kit.console import counted
from scripts.kit.names import LAUNCH_ROLE, OTHERS_POLICY
from scripts.kit.patience import code
from scripts.kit.plan import PlanStep
from scripts.kit.settings.model import Settings
from scripts.kit.stacks import organization_rules
from scripts.kit.together import together

if TYPE_CHECKING:
    from mypy_boto3_iam import IAMClient
    from mypy_boto3_iam.type_defs import TagTypeDef

PREFIX, PATH = "AmazonSageMakerServiceCatalogProducts", "/service-role/"
USE_ROLE = f"{PREFIX}UseRole"
FROM_THE_CONSOLE = "SageMaker role created from the SageMaker AWS Management Console. This role"
PORTFOLIO = "the Amazon SageMaker portfolio of products"


@dataclass(frozen=True)
class StockRole:
    """One of AWS's roles. policy: AWS's, with its path where it has one; "" for one of the account's (use_policy)."""

    name: str
    services: tuple[str, ...]
    policy: str
    description: str

    def trust(self) -> str:
        """Its trust policy."""
        trusted = [f"{service}.amazonaws.com" for service in self.services]
        principal = {"Service": trusted[0] if len(trusted) == 1 else trusted}
        statement = {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}
        return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def of_service(kind: str, service: str, policy: str, title: str = "") -> StockRole:
    """A role that a service of a project takes on. kind: as its name has it; title: as its description has it."""
    words = f"{FROM_THE_CONSOLE} will grant permissions required to use AWS {title or kind} within {PORTFOLIO}."
    return StockRole(f"{PREFIX}{kind}Role", (service,), policy, words)


ROLES = (
    StockRole(
        f"{PREFIX}LaunchRole",
        ("servicecatalog",),
        "AmazonSageMakerAdmin-ServiceCatalogProductsServiceRolePolicy",
        f"{FROM_THE_CONSOLE} has the permissions required to launch {PORTFOLIO} from AWS ServiceCatalog.",
    ),
    StockRole(
        USE_ROLE,
        (
            "cloudformation", "codepipeline", "glue", "firehose", "states", "apigateway", "events", "sagemaker",
            "lambda", "codebuild",
        ),
        "",
        f"{FROM_THE_CONSOLE} has the permissions required to use {PORTFOLIO} from AWS ServiceCatalog.",
    ),
    of_service("ApiGateway", "apigateway", f"service-role/{PREFIX}ApiGatewayServiceRolePolicy"),
    of_service(
        "Cloudformation", "cloudformation", f"service-role/{PREFIX}CloudformationServiceRolePolicy", "CloudFormation"
    ),
    of_service("CodeBuild", "codebuild", f"{PREFIX}CodeBuildServiceRolePolicy"),  # the one without a path
    of_service("CodePipeline", "codepipeline", f"service-role/{PREFIX}CodePipelineServiceRolePolicy"),
    of_service("Events", "events", f"service-role/{PREFIX}EventsServiceRolePolicy"),
    of_service("Execution", "sagemaker", "AmazonSageMakerFullAccess", "SageMaker"),
    of_service("Firehose", "firehose", f"service-role/{PREFIX}FirehoseServiceRolePolicy"),
    of_service("Glue", "glue", f"service-role/{PREFIX}GlueServiceRolePolicy"),
    of_service("Lambda", "lambda", f"service-role/{PREFIX}LambdaServiceRolePolicy"),
)  # fmt: skip
LIMITED = tuple(role.name for role in ROLES if f"service-role/{role.name}" != LAUNCH_ROLE)  # by OTHERS_POLICY
USE_POLICY: tuple[tuple[tuple[str, ...], tuple[str, ...]], ...] = (  # actions (SERVICE:NAME NAME …), resources
    (
        (
            "cloudformation:CreateChangeSet CreateStack DescribeChangeSet DeleteChangeSet DeleteStack DescribeStacks",
            "cloudformation:ExecuteChangeSet SetStackPolicy UpdateStack",
        ),
        ("cloudformation:*:*:stack/sagemaker-*",),
    ),
    (("cloudwatch:PutMetricData",), ("*",)),
    (
        ("codebuild:BatchGetBuilds StartBuild",),
        ("codebuild:*:*:project/sagemaker-*", "codebuild:*:*:build/sagemaker-*"),
    ),
    (
        ("codecommit:CancelUploadArchive GetBranch GetCommit GetUploadArchiveStatus UploadArchive",),
        ("codecommit:*:*:sagemaker-*",),
    ),
    (("codepipeline:StartPipelineExecution",), ("codepipeline:*:*:sagemaker-*",)),
    (("ec2:DescribeRouteTables",), ("*",)),
    (
        ("ecr:BatchCheckLayerAvailability BatchGetImage Describe* GetAuthorizationToken GetDownloadUrlForLayer",),
        ("*",),
    ),
    (
        (
            "ecr:BatchDeleteImage CompleteLayerUpload CreateRepository DeleteRepository InitiateLayerUpload PutImage",
            "ecr:UploadLayerPart",
        ),
        ("ecr:*:*:repository/sagemaker-*",),
    ),
    (("events:DeleteRule DescribeRule PutRule PutTargets RemoveTargets",), ("events:*:*:rule/sagemaker-*",)),
    (("firehose:PutRecord PutRecordBatch",), ("firehose:*:*:deliverystream/sagemaker-*",)),
    (
        (
            "glue:BatchCreatePartition BatchDeletePartition BatchDeleteTable BatchDeleteTableVersion BatchGetPartition",
            "glue:CreateDatabase CreatePartition CreateTable DeletePartition DeleteTable DeleteTableVersion",
            "glue:GetDatabase GetPartition GetPartitions GetTable GetTables GetTableVersion GetTableVersions",
            "glue:SearchTables UpdatePartition UpdateTable GetUserDefinedFunctions",
        ),
        (
            "glue:*:*:catalog", "glue:*:*:database/default", "glue:*:*:database/global_temp",
            "glue:*:*:database/sagemaker-*", "glue:*:*:table/sagemaker-*", "glue:*:*:tableVersion/sagemaker-*",
        ),
    ),
    (("iam:PassRole",), (f"iam::*:role{PATH}{PREFIX}Use*",)),
    (("lambda:InvokeFunction",), ("lambda:*:*:function:sagemaker-*",)),
    (
        (
            "logs:CreateLogDelivery CreateLogGroup CreateLogStream DeleteLogDelivery Describe* GetLogDelivery",
            "logs:GetLogEvents ListLogDeliveries PutLogEvents PutResourcePolicy UpdateLogDelivery",
        ),
        ("*",),
    ),
    (
        (
            "s3:CreateBucket DeleteBucket GetBucketAcl GetBucketCors GetBucketLocation ListAllMyBuckets ListBucket",
            "s3:ListBucketMultipartUploads PutBucketCors PutObjectAcl",
            "s3:AbortMultipartUpload DeleteObject GetObject GetObjectVersion PutObject",
        ),
        ("s3:::aws-glue-*", "s3:::sagemaker-*"),
    ),
    (
        (
            "states:DescribeExecution DescribeStateMachine DescribeStateMachineForExecution GetExecutionHistory",
            "states:ListExecutions ListTagsForResource StartExecution StopExecution TagResource UntagResource",
            "states:UpdateStateMachine",
        ),
        ("states:*:*:stateMachine:sagemaker-*", "states:*:*:execution:sagemaker-*:*"),
    ),
    (("states:ListStateMachines",), ("*",)),
)  # fmt: skip
NOT_OF_PROJECTS = ("domain", "user-profile", "app", "flow-definition")  # what sagemaker:* leaves out


def use_policy(partition: str) -> str:
    """The policy of the use role."""

    def arn(resource: str) -> str:
        return resource if resource == "*" else f"arn:{partition}:{resource}"

    statements: list[dict[str, Any]] = []
    for lines, resources in USE_POLICY:
        actions = [
            f"{service}:{name}"
            for service, _, names in (line.partition(":") for line in lines)
            for name in names.split()
        ]
        statements.append({"Effect": "Allow", "Action": actions, "Resource": [arn(one) for one in resources]})
    left_out = [arn(f"sagemaker:*:*:{kind}/*") for kind in NOT_OF_PROJECTS]
    statements.append({"Effect": "Allow", "Action": "sagemaker:*", "NotResource": left_out})
    connections = {
        "Effect": "Allow",
        "Action": "codestar-connections:UseConnection",
        "Resource": arn("codestar-connections:*:*:connection/*"),
        "Condition": {"StringEqualsIgnoreCase": {"aws:ResourceTag/sagemaker": "true"}},
    }
    return json.dumps({"Version": "2012-10-17", "Statement": [*statements, connections]})


# -- make them -----------------------------------------------------------------------------------------


def incomplete(iam: IAMClient) -> list[StockRole]:
    """The roles that are missing, or that an interrupted run left without any policy."""
    there = {role["RoleName"] for role in pages(iam, "list_roles", "Roles", PathPrefix=PATH)}
    found = [role for role in ROLES if role.name in there]
    policies = together([partial(iam.list_attached_role_policies, RoleName=role.name) for role in found])
    inline = together([partial(iam.list_role_policies, RoleName=role.name) for role in found])
    done = {
        role.name
        for role, managed, own in zip(found, policies, inline, strict=True)
        if own["PolicyNames"] or any(one["PolicyName"] != OTHERS_POLICY for one in managed["AttachedPolicies"])
    }
    return [role for role in ROLES if role.name not in done]


def make(
    iam: IAMClient, account: str, partition: str, role: StockRole, tags: Mapping[str, str], boundary: str = ""
) -> None:
    """One of the roles with its policy; what is there already stays as it is. boundary: its ARN, where there is one"""
    labels: list[TagTypeDef] = [{"Key": key, "Value": value} for key, value in tags.items()]
    policy = f"arn:{partition}:iam::aws:policy/{role.policy}"
    if not role.policy:
        policy = f"arn:{partition}:iam::{account}:policy{PATH}{role.name}Policy"
        document = use_policy(partition)
        unless_there(
            iam.create_policy, PolicyName=f"{role.name}Policy", Path=PATH, PolicyDocument=document, Tags=labels
        )
    bound = {"PermissionsBoundary": boundary} if boundary else {}
    unless_there(
        iam.create_role,
        RoleName=role.name,
        Path=PATH,
        AssumeRolePolicyDocument=role.trust(),
        Description=role.description,
        Tags=labels,
        **bound,
    )
    iam.attach_role_policy(RoleName=role.name, PolicyArn=policy)


def unless_there(create: Any, **request: Any) -> None:
    """Create it, unless an interrupted run has."""
    try:
        create(**request)
    except ClientError as error:
        if code(error) != "EntityAlreadyExists":
            raise


# -- keep them away from the kit's projects --------------------------------------------------------------


def names(roles: Iterable[str]) -> str:
    return ", ".join(role.removeprefix(PREFIX).removesuffix("Role") for role in roles)


def plan_limits(home: Connection, coming: Collection[str] = ()) -> Iterator[PlanStep]:
    """The policy of template 13 for each of the roles that is there, but for the launch role.

    coming: names of roles that a dry run would have made
    """
    iam, arn = home.client("iam"), f"arn:{home.partition}:iam::{home.account}:policy/{OTHERS_POLICY}"
    there = {role["RoleName"] for role in pages(iam, "list_roles", "Roles", PathPrefix=PATH)}
    listed = if_there(lambda: list(whole_pages(iam, "list_entities_for_policy", PolicyArn=arn))) or []
    limited = {role["RoleName"] for page in listed for role in page["PolicyRoles"]}
    roles = [name for name in LIMITED if name in there.union(coming)]
    missing = [name for name in roles if name not in limited]
    what = f"{PREFIX}…Role in {home.account}"
    if missing:
        detail = f"may not change the kit's projects ({OTHERS_POLICY}): {names(sorted(missing))}"
        request = {"roles": missing, "policy": arn}
        yield PlanStep("change", "roles", f"{counted(len(missing), 'role')} {what}", detail, request)
    elif roles:
        yield PlanStep("keep", "roles", f"{what}, limited by {OTHERS_POLICY}")


def limit(home: Connection, steps: Sequence[PlanStep]) -> None:
    """Carry out what plan_limits() found."""
    iam = home.client("iam")
    for step in steps:
        attach = partial(iam.attach_role_policy, PolicyArn=step.request.get("policy", ""))
        together([partial(attach, RoleName=name) for name in step.request.get("roles", ())])


# -- plan and apply ------------------------------------------------------------------------------------


def plan(home: Connection, settings: Settings) -> tuple[PlanStep, ...]:
    """The roles, unless projects come from a template in S3 alone, and the switch. home: the data science account."""
    steps = []
    if settings.publishing.to != "s3":
        missing = incomplete(home.client("iam"))
        made = names(role.name for role in missing)
        what, detail = f"{PREFIX}…Role in {home.account}", f"as SageMaker's console makes them: {made}"
        step = PlanStep("create", "roles", f"{counted(len(missing), 'role')} {what}", detail, {"roles": missing})
        steps.append(step if missing else PlanStep("keep", "roles", what))
    shown = home.client("sagemaker").get_sagemaker_servicecatalog_portfolio_status()["Status"] == "Enabled"
    name = f"project templates in {home.account}, {home.region}"
    detail = "" if shown else "SageMaker shows them once they are enabled"
    return (*steps, PlanStep("keep" if shown else "change", "studio", name, detail))


def apply(home: Connection, settings: Settings, steps: Sequence[PlanStep]) -> None:
    """Carry out what plan() found."""
    iam, rules = home.client("iam"), settings.roles
    boundary = organization_rules.boundary_arn(settings, home.account) if rules.permissions_boundary else ""
    for step in steps:
        if step.kind == "roles" and step.writes:
            roles = step.request["roles"]
            together(
                [partial(make, iam, home.account, home.partition, role, settings.tags, boundary) for role in roles]
            )
        elif step.writes:
            home.client("sagemaker").enable_sagemaker_servicecatalog_portfolio()
