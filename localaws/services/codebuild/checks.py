"""Which CodeBuild projects are allowed: the checks of CreateProject and UpdateProject.

AWS CodeBuild API Reference: CreateProject, ProjectSource, ProjectArtifacts, ProjectEnvironment.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from awslang.errors import AwsError, NotSupported
from localaws.cloud import Cloud, arn, refuse_unless
from localaws.services.codebuild.buildspec import VARIABLE
from localaws.services.codebuild.images import LAMBDA_REGIONS, check_environment, is_lambda
from localaws.services.codebuild.state import INVALID

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9\-_]{1,149}")
# Members that change what a build does and are not supported; those with a harmless value name it.
NOT_SUPPORTED: dict[str, Any] = {
    "secondarySources": [],
    "secondarySourceVersions": [],
    "vpcConfig": {},
    "fileSystemLocations": [],
    "buildBatchConfig": {},
    "badgeEnabled": False,
    "autoRetryLimit": 0,
}
NOT_SUPPORTED_ENVIRONMENT = ("fleet", "registryCredential", "dockerServer", "computeConfiguration", "certificate")
SOURCES = ("CODEPIPELINE", "NO_SOURCE", "S3")
TIMES = ("timeoutInMinutes", "queuedTimeoutInMinutes")
OTHER_SOURCES = ("CODECOMMIT", "GITHUB", "GITLAB", "GITLAB_SELF_MANAGED", "BITBUCKET", "GITHUB_ENTERPRISE")
ARTIFACTS = ("CODEPIPELINE", "S3", "NO_ARTIFACTS")
VARIABLE_TYPES = ("PLAINTEXT", "PARAMETER_STORE", "SECRETS_MANAGER")


def is_inline(buildspec: str) -> bool:
    """True for a buildspec written into the project, False for the path of one."""
    return "\n" in buildspec or buildspec.lstrip().startswith(("version:", "{"))


def role_arn(account: str, role: str) -> str:
    """The service role's ARN (the API also takes the name of a role of the account)."""
    return role if role.startswith("arn:") else arn("iam", "", account, f"role/{role}")


def check_role(cloud: Cloud, role: str, project_arn: str, region: str) -> None:
    """CodeBuild tries the service role when it is given."""
    try:
        cloud.service_role(
            role, "AWSCodeBuild", "codebuild.amazonaws.com", region,
            SourceArn=project_arn, SourceAccount=project_arn.split(":")[4],
        )  # fmt: skip
    except AwsError as error:
        raise AwsError(INVALID, f"CodeBuild is not authorized to perform: sts:AssumeRole on {role}") from error


def check_project(project: Mapping[str, Any]) -> None:
    """AwsError where CodeBuild would not take the project."""
    refuse_unless(NAME.fullmatch(project["name"]), INVALID, f"Invalid project name: {project['name']}")
    for member, harmless in NOT_SUPPORTED.items():
        if project.get(member, harmless) != harmless:
            raise NotSupported(f"a CodeBuild project with {member}")
    for member in NOT_SUPPORTED_ENVIRONMENT:
        if project["environment"].get(member):
            raise NotSupported(f"a CodeBuild project with environment.{member}")
    check_environment(project["environment"])
    if is_lambda(project["environment"]):
        check_lambda(project)
    check_variables(project["environment"].get("environmentVariables", []))
    check_source(project["source"])
    check_artifacts(project["source"], project["artifacts"], project.get("secondaryArtifacts", []))
    cache = project.get("cache", {}).get("type", "NO_CACHE")
    if cache not in {"NO_CACHE", "LOCAL"}:
        raise NotSupported(f"a CodeBuild cache of type {cache}")
    if project.get("logsConfig", {}).get("s3Logs", {}).get("status", "DISABLED") == "ENABLED":
        raise NotSupported("CodeBuild logs in S3")
    check_range("timeoutInMinutes", project.get("timeoutInMinutes", 60), 5, 2160)
    check_range("queuedTimeoutInMinutes", project.get("queuedTimeoutInMinutes", 480), 5, 480)


def check_lambda(project: Mapping[str, Any]) -> None:
    """What a project on Lambda compute may not have (User Guide, "Run builds on AWS Lambda compute")."""
    region, kind = project["arn"].split(":")[3], project["environment"]["type"]
    refuse_unless(region in LAMBDA_REGIONS, INVALID, f"Environment type {kind} is not available in {region}")
    given = {
        "privilegedMode": project["environment"].get("privilegedMode", False),
        "cache": project.get("cache", {}).get("type", "NO_CACHE") != "NO_CACHE",
    }
    refuse_given(given)


def check_times(environment: Mapping[str, Any], params: Mapping[str, Any]) -> None:
    """Lambda compute has times of its own, and takes no others. params: of the request"""
    if is_lambda(environment):
        refuse_given({name: params.get(name, params.get(f"{name}Override")) for name in TIMES})


def refuse_given(given: Mapping[str, Any]) -> None:
    """AWS's words for queuedTimeoutInMinutes, as a user reports them (hashicorp/terraform-provider-aws#34376)."""
    for name, value in given.items():
        refuse_unless(not value, INVALID, f"Cannot specify {name} for lambda compute")


def check_range(name: str, value: int, least: int, most: int) -> None:
    refuse_unless(least <= value <= most, INVALID, f"Invalid {name}: must be between {least} and {most}")


def check_variables(variables: Iterable[Mapping[str, Any]]) -> None:
    """Environment variables of a project, or of one build."""
    seen = set()
    for variable in variables:
        name, kind = variable["name"], variable.get("type", "PLAINTEXT")
        refuse_unless(name, INVALID, "Invalid environment variable: the name is empty")
        refuse_unless(name not in seen, INVALID, f"Duplicate environment variable: {name}")
        refuse_unless(kind in VARIABLE_TYPES, INVALID, f"Invalid environment variable type: {kind}")
        refuse_unless(
            not name.startswith("CODEBUILD_"),
            INVALID,
            f"Invalid environment variable name: {name}. The prefix CODEBUILD_ is reserved",
        )
        if not VARIABLE.fullmatch(name):
            raise NotSupported(f"an environment variable named {name}, which no shell can hold")
        seen.add(name)


def check_source(source: Mapping[str, Any]) -> None:
    kind, location = source["type"], source.get("location")
    if kind in OTHER_SOURCES:
        raise NotSupported(f"a CodeBuild source of type {kind}")
    refuse_unless(kind in SOURCES, INVALID, f"Invalid project source: unknown type {kind}")
    if kind == "NO_SOURCE":
        refuse_unless(not location, INVALID, "Invalid project source: location must be empty for source type NO_SOURCE")
        refuse_unless(
            is_inline(source.get("buildspec", "")),
            INVALID,
            "Invalid project source: a buildspec written inline is required for source type NO_SOURCE",
        )
    if kind == "S3":
        refuse_unless(
            "/" in (location or "").strip("/"), INVALID, "Invalid project source: location must be valid S3 bucket/key"
        )


def check_artifacts(
    source: Mapping[str, Any], artifacts: Mapping[str, Any], secondary: Iterable[Mapping[str, Any]]
) -> None:
    through_pipeline = source["type"] == "CODEPIPELINE"
    refuse_unless(
        through_pipeline == (artifacts["type"] == "CODEPIPELINE"),
        INVALID,
        "Invalid artifacts: source and artifacts must both be of type CODEPIPELINE, or neither",
    )
    identifiers = set()
    for item in secondary:
        identifier = item.get("artifactIdentifier")
        refuse_unless(not through_pipeline, INVALID, "Secondary artifacts cannot be set with source type CODEPIPELINE")
        refuse_unless(identifier, INVALID, "Invalid secondary artifacts: artifactIdentifier is required")
        refuse_unless(
            identifier not in identifiers, INVALID, f"Invalid secondary artifacts: {identifier} is there twice"
        )
        identifiers.add(identifier)
    for item in (artifacts, *secondary):
        check_artifact(item)


def check_artifact(item: Mapping[str, Any]) -> None:
    refuse_unless(item["type"] in ARTIFACTS, INVALID, f"Invalid artifacts: unknown type {item['type']}")
    if item["type"] == "S3":
        refuse_unless(item.get("location"), INVALID, "Invalid artifacts: location (a bucket) is required for type S3")
        refuse_unless(
            item.get("name") or item.get("overrideArtifactName"), INVALID, "Invalid artifacts: name is required for S3"
        )
        refuse_unless(
            item.get("packaging", "NONE") in {"NONE", "ZIP"}
            and item.get("namespaceType", "NONE") in {"NONE", "BUILD_ID"},
            INVALID,
            "Invalid artifacts: packaging is NONE or ZIP, namespaceType is NONE or BUILD_ID",
        )
