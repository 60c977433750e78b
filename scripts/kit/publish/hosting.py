"""Publishing the product as a project template in S3: what is wanted, what is there, the plan, and applying it.

SageMaker Developer Guide, "Create Custom Project Templates", section "Using a template from an Amazon S3 bucket":
the template's object carries the tag sagemaker:studio-visibility=true, the bucket answers Studio's pages (CORS),
and the domain's tag sagemaker:projectS3TemplatesLocation says where the templates are. A request for a project
names the launch role (CreateProject, CfnTemplateProvider.RoleARN); it and what the data scientists need are in
templates/13-people.yaml.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from scripts.kit.bundle import pack
from scripts.kit.connect import Connection, pages
from scripts.kit.console import UserError, say
from scripts.kit.names import S3_LAUNCH_ROLE
from scripts.kit.plan import Action, PlanStep
from scripts.kit.publish.catalog import STUDIO_TAG, WantedProduct
from scripts.kit.publish.publishing import PROVISIONING_TAG
from scripts.kit.roles import role_exists

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import CORSRuleOutputTypeDef, CORSRuleTypeDef, TagTypeDef

PREFIX = "project-templates/"  # of their own, so that Studio lists nothing else of the bucket
TEMPLATE_NAME = "multi-account-deployment"  # in CreateProject: at most 32 letters, digits or hyphens
LOCATION_TAG = "sagemaker:projectS3TemplatesLocation"
ORIGIN = "https://*.sagemaker.aws"
RULE_ID = "sagemaker-multi-account-studio"
# As SageMaker itself sets it on buckets of Studio, and as AWS's samples of project templates in S3 have it. It gives no
# rights: the bucket's policy says which roles may write.
RULE: CORSRuleTypeDef = {
    "ID": RULE_ID,
    "AllowedOrigins": [ORIGIN],
    "AllowedMethods": ["POST", "PUT", "GET", "HEAD", "DELETE"],
    "AllowedHeaders": ["*"],
    "ExposeHeaders": [
        "ETag", "x-amz-delete-marker", "x-amz-id-2", "x-amz-request-id", "x-amz-server-side-encryption",
        "x-amz-version-id",
    ],
}  # fmt: skip
RULES_PER_BUCKET = 100  # S3 API Reference, PutBucketCors: at most 100 rules


@dataclass(frozen=True)
class HostedTemplate:
    """How the template is stored in S3. domain: the Studio domain's id, "" where none was named."""

    account: str
    bucket: str
    key: str
    body: bytes
    launch_role: str
    domain_arn: str
    url: str

    @property
    def location(self) -> str:
        return f"s3://{self.bucket}/{PREFIX}"


@dataclass(frozen=True)
class FoundTemplates:
    """What there is. templates: tags by key; rules: the bucket's CORS rules; location: the domain's tag."""

    templates: Mapping[str, Mapping[str, str]]
    same: bool
    rules: tuple[Mapping[str, Any], ...]
    location: str


def template_key(version: str) -> str:
    """The version's name ends with its hash, so that nothing is ever overwritten."""
    return f"{PREFIX}{TEMPLATE_NAME}-{version}.yaml"


def version_of(key: str) -> str:
    """The version in a template's key; "" of any other object."""
    found = re.fullmatch(rf"{PREFIX}{TEMPLATE_NAME}-(.+)\.yaml", key)
    return found[1] if found else ""


def hosted(want: WantedProduct, bundle: pack.Bundle, partition: str, domain_id: str) -> HostedTemplate:
    key = template_key(want.version)
    domain = f"arn:{partition}:sagemaker:{want.region}:{want.account}:domain/{domain_id}" if domain_id else ""
    return HostedTemplate(
        account=want.account,
        bucket=want.bucket,
        key=key,
        body=bundle.files[pack.PRODUCT],
        launch_role=f"arn:{partition}:iam::{want.account}:role/{S3_LAUNCH_ROLE}",
        domain_arn=domain,
        url=f"{want.template_url.split('/bundle/')[0]}/{key}",
    )


# -- what there is -----------------------------------------------------------------------------


def look(connection: Connection, want: HostedTemplate) -> FoundTemplates:
    """What there is; UserError where the launch role is not, or the domain."""
    check_launch_role(connection, want)
    return FoundTemplates(
        templates=templates(connection, want.bucket),
        same=same_content(connection, want),
        rules=tuple(cors_rules(connection.client("s3"), want)),
        location=location(connection, want),
    )


def check_launch_role(connection: Connection, want: HostedTemplate) -> None:
    if not role_exists(connection, want.launch_role):
        raise UserError(
            f"the launch role {want.launch_role} does not exist. With `publishing: {{to: s3}}` (or both) in "
            "environment.yaml, `make accounts` makes it together with what the data scientists need"
        )


def templates(connection: Connection, bucket: str) -> dict[str, dict[str, str]]:
    """The kit's templates in the bucket: tags by key."""
    s3, owner = connection.client("s3"), connection.account
    listed = pages(s3, "list_objects_v2", "Contents", Bucket=bucket, Prefix=PREFIX, ExpectedBucketOwner=owner)
    found = {}
    for item in listed:
        if version_of(item["Key"]):
            answer = s3.get_object_tagging(Bucket=bucket, Key=item["Key"], ExpectedBucketOwner=owner)
            found[item["Key"]] = {tag["Key"]: tag["Value"] for tag in answer["TagSet"]}
    return found


def same_content(connection: Connection, want: HostedTemplate) -> bool:
    """True unless the object is there with other content."""
    s3 = connection.client("s3")
    try:
        answer = s3.get_object(Bucket=want.bucket, Key=want.key, ExpectedBucketOwner=want.account)
    except ClientError as error:
        if error.response["Error"]["Code"] == "NoSuchKey":
            return True
        raise
    return bool(answer["Body"].read() == want.body)


def cors_rules(s3: S3Client, want: HostedTemplate) -> list[CORSRuleOutputTypeDef]:
    try:
        answer = s3.get_bucket_cors(Bucket=want.bucket, ExpectedBucketOwner=want.account)
    except ClientError as error:
        if error.response["Error"]["Code"] == "NoSuchCORSConfiguration":
            return []
        raise
    return answer["CORSRules"]


def location(connection: Connection, want: HostedTemplate) -> str:
    """Where the domain looks for templates; "" where it does not, or no domain was named."""
    if not want.domain_arn:
        return ""
    try:
        tags = list(pages(connection.client("sagemaker"), "list_tags", "Tags", ResourceArn=want.domain_arn))
    except ClientError as error:
        if error.response["Error"]["Code"] in {"ResourceNotFound", "ValidationException"}:
            raise UserError(
                f"studio.domain_id: there is no domain {want.domain_arn.rsplit('/', 1)[1]} here. "
                "`aws sagemaker list-domains` shows those that are"
            ) from error
        raise
    return next((tag["Value"] for tag in tags if tag["Key"] == LOCATION_TAG), "")


# -- the plan ----------------------------------------------------------------------------------


def make_plan(want: HostedTemplate, there: FoundTemplates) -> list[PlanStep]:
    """What to create, change and leave alone, in the order in which it is applied."""
    return [plan_template(want, there), plan_cors(want, there), *plan_domain(want, there), *plan_older(want, there)]


def plan_template(want: HostedTemplate, there: FoundTemplates) -> PlanStep:
    if not there.same:
        raise UserError(
            f"s3://{want.bucket}/{want.key} exists with other content, which publishing never overwrites. "
            "Look who wrote it; deleting it lets `make publish` upload it again"
        )
    if want.key not in there.templates:
        return PlanStep("create", "template", want.key, f"{len(want.body):,} bytes")
    tags = there.templates[want.key]
    shown = {**tags, **dict([STUDIO_TAG, PROVISIONING_TAG])}
    return PlanStep("keep" if shown == tags else "change", "template", want.key, request={"tags": shown})


def plan_cors(want: HostedTemplate, there: FoundTemplates) -> PlanStep:
    """One rule of ours beside all that there are."""
    if any(answers_studio(rule) for rule in there.rules):
        return PlanStep("keep", "cors rule", f"{ORIGIN} on {want.bucket}")
    others = [rule for rule in there.rules if rule.get("ID") != RULE_ID]
    if len(others) >= RULES_PER_BUCKET:
        raise UserError(f"{want.bucket} has {len(others)} CORS rules, and S3 takes {RULES_PER_BUCKET}: merge some")
    detail = f"beside {len(others)} others" if others else ""
    request = {"CORSRules": [*others, RULE]}
    return PlanStep("create", "cors rule", f"{ORIGIN} on {want.bucket}", detail, request)


def answers_studio(rule: Mapping[str, Any]) -> bool:
    """Whether a rule lets Studio's pages do what the kit's own rule does."""
    origins, methods = set(rule.get("AllowedOrigins", [])), set(rule.get("AllowedMethods", []))
    return (
        bool({ORIGIN, "*"} & origins)
        and methods >= set(RULE["AllowedMethods"])
        and "*" in rule.get("AllowedHeaders", [])
        and set(rule.get("ExposeHeaders", [])) >= set(RULE["ExposeHeaders"])
    )


def plan_domain(want: HostedTemplate, there: FoundTemplates) -> list[PlanStep]:
    if not want.domain_arn:
        return []
    domain = want.domain_arn.rsplit("/", 1)[1]
    if not there.location:
        request = {"ResourceArn": want.domain_arn, "Tags": [{"Key": LOCATION_TAG, "Value": want.location}]}
        return [PlanStep("create", "domain tag", f"{LOCATION_TAG} of {domain}", want.location, request)]
    ours = there.location.rstrip("/") == want.location.rstrip("/")
    detail = "" if ours else f"it says {there.location}, and is left so: a domain has one place for templates"
    return [PlanStep("keep", "domain tag", f"{LOCATION_TAG} of {domain}", detail)]


def plan_older(want: HostedTemplate, there: FoundTemplates) -> list[PlanStep]:
    """Other versions are no longer shown; they stay, as projects were made from them."""
    steps = []
    for key, tags in sorted(there.templates.items()):
        if key == want.key:
            continue
        action: Action = "change" if STUDIO_TAG[0] in tags else "keep"
        kept = {name: value for name, value in tags.items() if name != STUDIO_TAG[0]}
        steps.append(
            PlanStep(action, "older template", key, "hidden in Studio" if action == "change" else "", {"tags": kept})
        )
    return steps


# -- applying it -------------------------------------------------------------------------------


def apply(
    connection: Connection, want: HostedTemplate, steps: list[PlanStep], report: Callable[[PlanStep], None]
) -> None:
    s3 = connection.client("s3")
    bucket, owner = want.bucket, want.account
    for step in steps:
        if not step.writes:
            continue
        if step.kind == "template" and step.action == "create":
            tagging = "&".join(f"{key.replace(':', '%3A')}={value}" for key, value in (STUDIO_TAG, PROVISIONING_TAG))
            s3.put_object(
                Bucket=bucket,
                Key=want.key,
                Body=want.body,
                Tagging=tagging,
                ChecksumAlgorithm="SHA256",
                IfNoneMatch="*",  # nothing that is published is overwritten
                ExpectedBucketOwner=owner,
            )
        elif step.kind in {"template", "older template"}:
            tags: list[TagTypeDef] = [{"Key": key, "Value": value} for key, value in step.request["tags"].items()]
            s3.put_object_tagging(Bucket=bucket, Key=step.name, Tagging={"TagSet": tags}, ExpectedBucketOwner=owner)
        elif step.kind == "cors rule":
            rules = step.request["CORSRules"]
            s3.put_bucket_cors(Bucket=bucket, CORSConfiguration={"CORSRules": rules}, ExpectedBucketOwner=owner)
        else:
            connection.client("sagemaker").add_tags(**step.request)
        report(step)


def tell(want: HostedTemplate, there: FoundTemplates) -> None:
    """What is left to people."""
    if not want.domain_arn:
        say(
            "  note: Studio shows the template once its domain says where it is. Name the domain (studio.domain_id) "
            f"and publish again, or: aws sagemaker add-tags --resource-arn DOMAIN_ARN "
            f"--tags Key={LOCATION_TAG},Value={want.location}"
        )
    elif there.location and there.location.rstrip("/") != want.location.rstrip("/"):
        say(
            f"  note: the domain looks for templates in {there.location}. Copy {want.key} there with its tags, or let "
            f"the domain look here: aws sagemaker add-tags --resource-arn {want.domain_arn} "
            f"--tags Key={LOCATION_TAG},Value={want.location}"
        )
    say(f"  a project is created with the role {want.launch_role} (field Role ARN)")
