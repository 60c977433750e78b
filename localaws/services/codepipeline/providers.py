"""What each CodePipeline action and rule provider takes: its configuration keys and artifacts.

AWS CodePipeline User Guide, "Action structure reference" (one page for each provider), "Valid input
and output artifacts for each action type" and "Rule structure reference". Pure data and checks of
one action's configuration as CreatePipeline makes them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from localaws.services.codepipeline.window import WrongWindow, window, zone

BOOLEANS = ("true", "false")
REFERENCE = re.compile(r"#\{([^{}]*)\}")
FILE_IN_ARTIFACT = re.compile(r"([A-Za-z0-9_\-]{1,100})::(.+)")
CONNECTION = re.compile(
    r"arn:aws(-[a-zA-Z0-9_]+)*:(codestar-connections|codeconnections):[a-z0-9-]+:[0-9]{12}:connection/[a-zA-Z0-9_-]+"
)
STACK_MODES = ("CREATE_UPDATE", "REPLACE_ON_FAILURE", "DELETE_ONLY", "CHANGE_SET_REPLACE", "CHANGE_SET_EXECUTE")
CAPABILITIES = ("CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND")


@dataclass(frozen=True)
class Provider:
    """Numbers of artifacts, keys that must and may be given, and the values that a key may have."""

    inputs: tuple[int, int]
    outputs: tuple[int, int]
    required: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()
    values: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    check: Callable[[Mapping[str, str], list[str]], str] = lambda configuration, inputs: ""


def fixed(value: str) -> bool:
    """Whether a configuration value holds no variable, so that it can be judged before it runs."""
    return not REFERENCE.search(value)


def _file_of_input(key: str, value: str, inputs: list[str]) -> str:
    found = FILE_IN_ARTIFACT.fullmatch(value)
    if not found:
        return f"{key} must be in the form ArtifactName::FileName, not {value!r}"
    if fixed(found.group(1)) and found.group(1) not in inputs:
        return f"{key} names the artifact {found.group(1)}, which is not an input artifact of the action ({inputs})"
    return ""


def _check_stack(configuration: Mapping[str, str], inputs: list[str]) -> str:
    """The keys that each ActionMode requires ("CloudFormation deploy action reference")."""
    mode = configuration["ActionMode"]
    needed = {
        "CREATE_UPDATE": ("TemplatePath", "RoleArn"),
        "REPLACE_ON_FAILURE": ("TemplatePath", "RoleArn"),
        "DELETE_ONLY": ("RoleArn",),
        "CHANGE_SET_REPLACE": ("TemplatePath", "RoleArn", "ChangeSetName"),
        "CHANGE_SET_EXECUTE": ("ChangeSetName",),
    }.get(mode, ())
    for key in needed:
        if key not in configuration:
            return f"{key} is required for the ActionMode {mode}"
    for capability in configuration.get("Capabilities", "CAPABILITY_IAM").split(","):
        if fixed(capability) and capability not in CAPABILITIES:
            return f"Capabilities holds {capability!r}, which is not one of {', '.join(CAPABILITIES)}"
    if "RoleArn" in configuration and fixed(configuration["RoleArn"]) and ":role/" not in configuration["RoleArn"]:
        return f"RoleArn is not the ARN of a role: {configuration['RoleArn']}"
    for key in ("TemplatePath", "TemplateConfiguration"):
        if key in configuration and (wrong := _file_of_input(key, configuration[key], inputs)):
            return wrong
    overrides = configuration.get("ParameterOverrides", "{}")
    if len(overrides) > 1024:
        return "ParameterOverrides is longer than 1 kilobyte"
    if fixed(overrides) and not _is_json(overrides, dict):
        return f"ParameterOverrides is not a JSON object: {overrides}"
    return ""


def _check_build(configuration: Mapping[str, str], inputs: list[str]) -> str:
    primary = configuration.get("PrimarySource")
    if primary is None and len(inputs) > 1:
        return "PrimarySource is required when there is more than one input artifact"
    if primary is not None and fixed(primary) and primary not in inputs:
        return f"PrimarySource {primary} is not an input artifact of the action ({inputs})"
    variables = configuration.get("EnvironmentVariables", "[]")
    return environment_problem(variables) if fixed(variables) else ""


def environment_problem(text: str) -> str:
    """Why a CodeBuild action's EnvironmentVariables are not as they must be; "" when they are."""
    if not _is_json(text, list):
        return f"EnvironmentVariables is not a JSON array: {text}"
    for item in json.loads(text):
        if not isinstance(item, dict) or not {"name", "value"} <= set(item) <= {"name", "value", "type"}:
            return f"EnvironmentVariables holds {item!r}; each is an object with name, value and type"
        if not all(isinstance(value, str) for value in item.values()):
            return f"EnvironmentVariables holds {item!r}; name, value and type are strings"
        if item.get("type", "PLAINTEXT") not in ("PLAINTEXT", "PARAMETER_STORE", "SECRETS_MANAGER"):
            return f"EnvironmentVariables holds the type {item['type']}"
    return ""


def _is_json(text: str, kind: type) -> bool:
    try:
        return isinstance(json.loads(text), kind)
    except ValueError:
        return False


def _check_deployed_object(configuration: Mapping[str, str], inputs: list[str]) -> str:
    if configuration["Extract"].lower() == "false" and "ObjectKey" not in configuration:
        return "ObjectKey is required when Extract is false"
    return ""


def _check_stack_set(configuration: Mapping[str, str], inputs: list[str]) -> str:
    if "TemplatePath" in configuration and (
        wrong := _file_of_input("TemplatePath", configuration["TemplatePath"], inputs)
    ):
        return wrong
    if ("DeploymentTargets" in configuration) != ("Regions" in configuration):
        return "DeploymentTargets and Regions must be given together"
    for key in ("DeploymentTargets", "Parameters", "ParameterOverrides"):
        if "::" in configuration.get(key, "") and (wrong := _file_of_input(key, configuration[key], inputs)):
            return wrong
    name = configuration["StackSetName"]
    if fixed(name) and not re.fullmatch(r"[A-Za-z][A-Za-z0-9-]{0,127}", name):
        return f"StackSetName {name!r} is not a valid name"
    return ""


def _check_connection(configuration: Mapping[str, str], inputs: list[str]) -> str:
    connection, name = configuration["ConnectionArn"], configuration["FullRepositoryId"]
    if fixed(connection) and not CONNECTION.fullmatch(connection):
        return f"ConnectionArn {connection!r} is not the ARN of a connection"
    if fixed(name) and "/" not in name:
        return f"FullRepositoryId {name!r} is not in the form owner/name"
    return ""


_OPERATION = (
    "FailureTolerancePercentage",
    "MaxConcurrentPercentage",
    "RegionConcurrencyType",
    "ConcurrencyMode",
    "CallAs",
)
_OPERATION_VALUES = {
    "CallAs": ("SELF", "DELEGATED_ADMIN"),
    "RegionConcurrencyType": ("SEQUENTIAL", "PARALLEL", "Sequential", "Parallel"),
    "ConcurrencyMode": ("STRICT_FAILURE_TOLERANCE", "SOFT_FAILURE_TOLERANCE"),
}
_BUILD = Provider(
    (1, 5),
    (0, 5),
    ("ProjectName",),
    (
        "PrimarySource", "BatchEnabled", "BuildspecOverride", "CombineArtifacts", "EnvironmentVariables",
        "ServiceRoleArnOverride",
    ),
    {"BatchEnabled": BOOLEANS, "CombineArtifacts": BOOLEANS},
    _check_build,
)  # fmt: skip

# By category and provider, owner AWS, version 1.
SUPPORTED: dict[tuple[str, str], Provider] = {
    ("Source", "CodeCommit"): Provider(
        (0, 0),
        (1, 1),
        ("RepositoryName", "BranchName"),
        ("PollForSourceChanges", "OutputArtifactFormat"),
        {"PollForSourceChanges": BOOLEANS, "OutputArtifactFormat": ("CODE_ZIP", "CODEBUILD_CLONE_REF")},
    ),
    ("Source", "S3"): Provider(
        (0, 0),
        (1, 1),
        ("S3Bucket", "S3ObjectKey"),
        ("PollForSourceChanges", "AllowOverrideForS3ObjectKey"),
        {"PollForSourceChanges": BOOLEANS, "AllowOverrideForS3ObjectKey": BOOLEANS},
    ),
    ("Source", "CodeStarSourceConnection"): Provider(
        (0, 0),
        (1, 1),
        ("ConnectionArn", "FullRepositoryId", "BranchName"),
        ("OutputArtifactFormat", "DetectChanges"),
        {"OutputArtifactFormat": ("CODE_ZIP", "CODEBUILD_CLONE_REF"), "DetectChanges": BOOLEANS},
        _check_connection,
    ),
    ("Build", "CodeBuild"): _BUILD,
    ("Test", "CodeBuild"): _BUILD,
    ("Approval", "Manual"): Provider((0, 0), (0, 0), (), ("NotificationArn", "CustomData", "ExternalEntityLink")),
    ("Deploy", "CloudFormation"): Provider(
        (0, 10),
        (0, 1),
        ("ActionMode", "StackName"),
        (
            "Capabilities", "ChangeSetName", "RoleArn", "TemplatePath", "OutputFileName", "ParameterOverrides",
            "TemplateConfiguration",
        ),
        {"ActionMode": STACK_MODES},
        _check_stack,
    ),
    ("Deploy", "CloudFormationStackSet"): Provider(
        (1, 3),
        (0, 0),
        ("StackSetName", "TemplatePath"),
        (
            "Description", "Parameters", "Capabilities", "PermissionModel", "AdministrationRoleArn",
            "ExecutionRoleName", "OrganizationsAutoDeployment", "DeploymentTargets", "Regions", *_OPERATION,
        ),
        {
            "PermissionModel": ("SELF_MANAGED", "SERVICE_MANAGED"),
            "OrganizationsAutoDeployment": ("Enabled", "Disabled", "EnabledWithStackRetention"),
            **_OPERATION_VALUES,
        },
        _check_stack_set,
    ),
    ("Deploy", "CloudFormationStackInstances"): Provider(
        (0, 2),
        (0, 0),
        ("StackSetName",),
        ("DeploymentTargets", "Regions", "ParameterOverrides", *_OPERATION),
        _OPERATION_VALUES,
        _check_stack_set,
    ),
    ("Deploy", "S3"): Provider(
        (1, 1),
        (0, 0),
        ("BucketName", "Extract"),
        ("ObjectKey", "KMSEncryptionKeyARN", "CannedACL", "CacheControl"),
        {"Extract": BOOLEANS},
        _check_deployed_object,
    ),
    ("Invoke", "StepFunctions"): Provider(
        (0, 1),
        (0, 1),
        ("StateMachineArn",),
        ("ExecutionNamePrefix", "InputType", "Input"),
        {"InputType": ("Literal", "FilePath")},
    ),
    ("Invoke", "Lambda"): Provider((0, 5), (0, 5), ("FunctionName",), ("UserParameters",)),
    ("Compute", "Commands"): Provider(
        (1, 10),
        (0, 1),
        (),
        ("EnvironmentType", "ComputeType", "VpcId", "Subnets", "SecurityGroupIds"),
        {
            "EnvironmentType": ("LINUX_CONTAINER", "WINDOWS_SERVER_2022_CONTAINER"),
            "ComputeType": ("BUILD_GENERAL1_SMALL", "BUILD_GENERAL1_MEDIUM", "BUILD_GENERAL1_LARGE"),
        },
    ),
}  # fmt: skip

# Providers that AWS has and that are refused by name.
NOT_SUPPORTED = frozenset(
    {
        ("Source", "ECR"), ("Source", "GitHub"),
        ("Build", "ECRBuildAndPublish"),
        ("Build", "Jenkins"), ("Test", "Jenkins"), ("Test", "DeviceFarm"),
        ("Deploy", "CodeDeploy"), ("Deploy", "CodeDeployToECS"), ("Deploy", "ECS"), ("Deploy", "EKS"),
        ("Deploy", "EC2"), ("Deploy", "Lambda"), ("Deploy", "ElasticBeanstalk"), ("Deploy", "ServiceCatalog"),
        ("Deploy", "AppConfig"), ("Deploy", "OpsWorks"), ("Deploy", "AlexaSkillsKit"),
        ("Invoke", "InspectorScan"), ("Invoke", "CodePipeline"),
    }
)  # fmt: skip


def configuration_problem(provider: Provider, configuration: Mapping[str, str], inputs: list[str], name: str) -> str:
    """CreatePipeline's error for an action's configuration; "" when it is accepted."""
    for key in provider.required:
        if key not in configuration:
            return f"Action configuration for action '{name}' is missing required configuration '{key}'"
    for key, value in configuration.items():
        if key not in provider.required + provider.optional:
            return f"Action configuration for action '{name}' contains unknown configuration '{key}'"
        allowed = provider.values.get(key)
        given = value.lower() if allowed == BOOLEANS else value
        if allowed and fixed(value) and given not in allowed:
            return (
                f"Action configuration for action '{name}' has the value '{value}' for '{key}'; "
                f"valid values are {', '.join(allowed)}"
            )
    wrong = provider.check(configuration, inputs)
    return f"Action configuration for action '{name}': {wrong}" if wrong else ""


@dataclass(frozen=True)
class RuleProvider:
    """A condition's rule: keys that must and may be given, values that a key may have, artifacts that it takes."""

    required: tuple[str, ...]
    optional: tuple[str, ...] = ()
    values: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    inputs: tuple[int, int] = (0, 0)
    check: Callable[[Mapping[str, str], list[str]], str] = lambda configuration, inputs: ""


def _check_window(configuration: Mapping[str, str], inputs: list[str]) -> str:
    try:
        window(configuration["Cron"])
        zone(configuration.get("TimeZone", "UTC"))
    except WrongWindow as error:
        return str(error)
    return ""


RULES: dict[str, RuleProvider] = {
    "VariableCheck": RuleProvider(
        ("Variable", "Value", "Operator"), (), {"Operator": ("EQ", "CONTAINS", "MATCHES", "NE")}, (0, 5)
    ),
    "CloudWatchAlarm": RuleProvider(("AlarmName",), ("AlarmStates", "WaitTime"), {}, (0, 5)),
    "DeploymentWindow": RuleProvider(("Cron",), ("TimeZone",), {}, (0, 5), _check_window),
    "LambdaInvoke": RuleProvider(("FunctionName",), ("UserParameters",), {}, (0, 5)),
    "CodeBuild": RuleProvider(_BUILD.required, _BUILD.optional, _BUILD.values, (1, 5), _check_build),
    "Commands": RuleProvider((), (), {}, (1, 10)),
}
MAY_SKIP = frozenset({"VariableCheck", "LambdaInvoke"})  # "Create a pipeline with entry conditions"
