"""The ARNs of the resources that a request acts on, built from its parameters.

The formats are those of the Service Authorization Reference (action_table.py). A parameter that
is named like a part of the format fills it; what the services name otherwise stands in the
functions of this module, one for each such service.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

from awslang.policy.action_table import Table
from localaws import moto_bridge
from localaws.calls import Call
from localaws.cloud import arn

PART = re.compile(r"\$\{(\w+)\}")


def _lower(params: dict[str, Any]) -> dict[str, Any]:
    return {key.lower(): value for key, value in params.items()}


def _values(value: Any) -> list[str]:
    return [item for item in (value if isinstance(value, list) else [value]) if isinstance(item, str) and item]


def generic(call: Call, table: Table, types: Iterable[str]) -> list[str]:
    """The ARNs that the parameters give for these resource types; [] when they give none."""
    params = _lower(call.params)
    for key in ("resourcearn", "resource"):
        if isinstance(params.get(key), str) and params[key].startswith("arn:"):
            return [params[key]]
    found: list[str] = []
    for kind in types:
        found += [one for one in _of_type(call, params, kind, table.resources[kind]) if one not in found]
    return found


def _of_type(call: Call, params: dict[str, Any], kind: str, form: str) -> list[str]:
    word = kind.replace("-", "").replace(" ", "").lower()
    known = {"Partition": "aws", "Region": call.region, "Account": call.account}
    parts = [part for part in PART.findall(form) if part not in known]
    names = [part.lower() for part in parts]
    last = names[-1] if names else word
    for key in (last, f"{word}arn", f"{word}name", f"{word}id", last.removesuffix("name") + "arn", f"{last}s", "arn"):
        arns = [value for value in _values(params.get(key)) if value.startswith("arn:")]
        if arns:
            return arns
    found: list[str] = []
    for key in (last, f"{word}name", f"{word}id", word, f"{last}s", "name"):
        for value in _values(params.get(key)):
            filled = dict(known)
            for part, name in zip(parts[:-1], names[:-1], strict=True):
                filled[part] = params[name] if isinstance(params.get(name), str) else ""
            filled |= {parts[-1]: value} if parts else {}
            if all(filled.values()):
                found.append(PART.sub(lambda match: filled[match.group(1)], form))  # noqa: B023
        if found:
            break
    return found


# -- services that name their resources in their own way ---------------------------------------------


def _cloudformation(call: Call, types: list[str]) -> list[str]:
    params = call.params
    if "stack" in types or "changeset" in types:
        name = params.get("StackName") or params.get("StackId") or ""
        if not name and str(params.get("ChangeSetName", "")).startswith("arn:"):
            return [params["ChangeSetName"]]
        if name:
            return [name if name.startswith("arn:") else _cfn(call, f"stack/{name}/*")]
        if call.operation in ("DescribeStacks", "DescribeStackResources", "DescribeEvents"):
            return [_cfn(call, "stack/*/*")]
        if call.operation == "GetTemplateSummary" and "StackSetName" not in params:
            return ["*"]
    if "stackset" in types:
        name = params.get("StackSetName", "")
        if name:
            owner = _stack_set_owner(call)
            full = arn("cloudformation", call.region, owner, f"stackset/{name}")
            found = [full if ":" in name else f"{full}:*"]
            if "stackset-target" in types:
                found += _stack_set_targets(call)
            return found
    return []


def _cfn(call: Call, resource: str) -> str:
    return arn("cloudformation", call.region, call.account, resource)


def _stack_set_owner(call: Call) -> str:
    """A delegated administrator's stack sets belong to the management account."""
    from localaws.authorization.state import organization_of

    organization = organization_of(call.account)
    delegated = call.params.get("CallAs") == "DELEGATED_ADMIN"
    return organization.management if delegated and organization else call.account


def _stack_set_targets(call: Call) -> list[str]:
    targets = call.params.get("DeploymentTargets", {})
    accounts = call.params.get("Accounts", []) or targets.get("Accounts", [])
    names = targets.get("OrganizationalUnitIds") or accounts
    if not names and call.operation == "UpdateStackSet":
        return []
    owner = _stack_set_owner(call)
    return [
        arn("cloudformation", call.region, owner, f"stackset-target/{call.params['StackSetName']}/{n}") for n in names
    ]


def _codebuild(call: Call, types: list[str]) -> list[str]:
    params, found = call.params, []
    project = params.get("projectName") or params.get("name")
    if "project" in types:
        ids = [params["id"]] if "id" in params else params.get("ids", [])
        names = [project] if project else [*params.get("names", []), *(project_of(i) for i in ids)]
        found = [_build_arn(call, "project", name) for name in names if name]
    if "report-group" in types and not found:
        names = _values(params.get("reportGroupArns") or params.get("reportGroupArn") or params.get("arn") or [])
        names += [
            re.sub(r":[^:]*$", "", report).replace(":report/", ":report-group/")
            for report in _values(params.get("reportArns") or params.get("reportArn") or [])
        ]
        names += [params["name"]] if "name" in params else []
        found = [_build_arn(call, "report-group", name) for name in names]
    return found


def project_of(build: str) -> str:
    """The project of a build given by id (PROJECT:UUID) or ARN; "" for anything else."""
    return build.rpartition("build/")[2].rpartition("build-batch/")[2].rpartition(":")[0]


def _build_arn(call: Call, kind: str, name: str) -> str:
    return name if name.startswith("arn:") else arn("codebuild", call.region, call.account, f"{kind}/{name}")


def _codecommit(call: Call, types: list[str]) -> list[str]:
    params = call.params
    names = _values(params.get("repositoryName") or params.get("repositoryNames") or params.get("oldName") or [])
    names += [target["repositoryName"] for target in params.get("targets", [])]
    if "pullRequestId" in params and not names:
        return [arn("codecommit", call.region, call.account, "*")]
    return [arn("codecommit", call.region, call.account, name) for name in names]


def _codepipeline(call: Call, types: list[str]) -> list[str]:
    params = call.params
    pipeline = params.get("pipeline", {}) if isinstance(params.get("pipeline"), dict) else {}
    name = params.get("pipelineName") or pipeline.get("name") or params.get("name")
    if not name or not {"pipeline", "stage", "action"} & set(types):
        return []
    if "action" in types and "actionName" in params:
        name += f"/{params['stageName']}/{params['actionName']}"
    elif "stage" in types and "stageName" in params:
        name += f"/{params['stageName']}"
    return [arn("codepipeline", call.region, call.account, name)]


def _events(call: Call, types: list[str]) -> list[str]:
    params = call.params

    def bus_name(value: str | None) -> str:
        return (value or "default").rsplit("event-bus/", 1)[-1]

    if call.operation == "PutEvents":
        buses = {entry.get("EventBusName") or "default" for entry in params.get("Entries", [])}
        return sorted(b if b.startswith("arn:") else _event(call, f"event-bus/{b}") for b in buses)
    rule = params.get("Rule") or params.get("Name", "")
    if any(kind.startswith("rule-on") for kind in types) and rule:
        bus = bus_name(params.get("EventBusName"))
        owner = params["EventBusName"].split(":")[4] if str(params.get("EventBusName", "")).startswith("arn:") else None
        path = f"rule/{rule}" if bus == "default" else f"rule/{bus}/{rule}"
        return [arn("events", call.region, owner or call.account, path)]
    if "event-bus" in types:
        name = params.get("Name") or params.get("EventBusName") or "default"
        return [name if name.startswith("arn:") else _event(call, f"event-bus/{name}")]
    return []


def _event(call: Call, resource: str) -> str:
    return arn("events", call.region, call.account, resource)


def _iam(call: Call, types: list[str]) -> list[str]:
    params, path = call.params, call.params.get("Path", "/")
    backend = moto_bridge.backend("iam", call.account, "aws")

    def made(kind: str, name: str, existing: Iterable[Any]) -> str:
        known = next((item.arn for item in existing if item.name == name), None)
        return str(known) if known else arn("iam", "", call.account, f"{kind}{path}{name}")

    if "policy" in types and "PolicyArn" in params and not {"RoleName", "UserName", "GroupName"} & set(params):
        return [params["PolicyArn"]]
    if "oidc-provider" in types:
        host = str(params.get("Url", "")).removeprefix("https://")
        return [params.get("OpenIDConnectProviderArn") or arn("iam", "", call.account, f"oidc-provider/{host}")]
    if call.operation == "CreateServiceLinkedRole":
        service = params["AWSServiceName"]
        return [arn("iam", "", call.account, f"role/aws-service-role/{service}/*")]
    if "instance-profile" in types and "InstanceProfileName" in params:
        return [made("instance-profile", params["InstanceProfileName"], backend.instance_profiles.values())]
    if "RoleName" in params:
        return [made("role", params["RoleName"], backend.roles.values())]
    if "UserName" in params:
        return [made("user", params["UserName"], backend.users.values())]
    if "GroupName" in params:
        return [made("group", params["GroupName"], backend.groups.values())]
    if "PolicyName" in params and "policy" in types:
        return [arn("iam", "", call.account, f"policy{path}{params['PolicyName']}")]
    if "PolicySourceArn" in params:
        return [params["PolicySourceArn"]]
    if "user" in types:  # the caller itself: GetUser, ListAccessKeys without a name
        return [call.principal.arn]
    return []


def _kms(call: Call, types: list[str]) -> list[str]:
    params, found = call.params, []
    if "alias" in types and "AliasName" in params:
        found.append(arn("kms", call.region, call.account, params["AliasName"]))
    key = params.get("TargetKeyId") or params.get("KeyId")
    if call.operation == "DeleteAlias":
        key = params["AliasName"]
    if not key and call.operation == "Decrypt":
        key = key_of_ciphertext(params.get("CiphertextBlob", b""))
    if "key" in types and key:
        found.append(key_arn(call.account, call.region, key))
    return found


def key_of_ciphertext(blob: bytes) -> str:
    """The key that wrote a ciphertext: Decrypt need not name it, and moto puts its id first."""
    return blob[:36].decode("ascii", "replace")


def key_arn(account: str, region: str, key: str) -> str:
    """The ARN of a key given by id, ARN, alias or alias ARN; an unknown alias stays in the ARN."""
    if key.startswith("arn:"):
        _, _, _, region, account, name = key.split(":", 5)
        key = name.removeprefix("key/")
    if key.startswith("alias/"):
        keys = moto_bridge.backend("kms", account, region).keys.values()
        key = next((str(k.id) for k in keys if key in k.aliases), key)
    return arn("kms", region, account, f"key/{key}")


def _logs(call: Call, types: list[str]) -> list[str]:
    """Log groups: "arn…:log-group:NAME:*" for all but the tagging operations (CloudWatch Logs User
    Guide, "CloudWatch Logs resources and operations"), so a policy without the last part does not match."""
    params = call.params
    group = params.get("logGroupName") or params.get("logGroupIdentifier") or ""
    if group.startswith("arn:"):
        return [group if group.endswith(":*") else f"{group}:log-stream:"]
    if not group:
        groups = _values(params.get("logGroupNames") or [])
        return [arn("logs", call.region, call.account, f"log-group:{name}:log-stream:") for name in groups]
    if call.operation in ("ListTagsLogGroup", "TagLogGroup", "UntagLogGroup"):
        return [arn("logs", call.region, call.account, f"log-group:{group}")]
    stream = params.get("logStreamName", "") if "log-stream" in types else ""
    return [arn("logs", call.region, call.account, f"log-group:{group}:log-stream:{stream}")]


def _organizations(call: Call, types: list[str]) -> list[str]:
    from localaws.authorization.state import organization_of

    organization = organization_of(call.account)
    if organization is None:  # the service itself says that there is none
        return ["*"]
    keys = ("AccountId", "OrganizationalUnitId", "ParentId", "ChildId", "PolicyId", "TargetId", "RootId",
            "SourceParentId", "DestinationParentId", "ResourceId")  # fmt: skip
    if "HandshakeId" in call.params:
        path = f"handshake/{organization.id}/invite/{call.params['HandshakeId']}"
        return [f"arn:aws:organizations::{organization.management}:{path}"]
    return [found for key in keys if key in call.params and (found := organization.arn_of(str(call.params[key])))]


def _servicecatalog(call: Call, types: list[str]) -> list[str]:
    """Products and portfolios are catalog's; one named otherwise than by id is any."""
    params = call.params
    for kind, key in (("Product", "ProductId"), ("Portfolio", "PortfolioId")):
        if kind in types and (params.get(key) or params.get("Id")):
            return [arn("catalog", call.region, call.account, f"{kind.lower()}/{params.get(key) or params['Id']}")]
        if kind in types and (params.get("ProductName") or params.get("Name") or params.get("DisplayName")):
            return [arn("catalog", call.region, call.account, f"{kind.lower()}/*")]
    return []


def _ssm(call: Call, types: list[str]) -> list[str]:
    params = call.params
    if "parameter" not in types:
        return []
    names = _values(params.get("Names") or params.get("Name") or params.get("Path") or [])
    if params.get("ResourceType") == "Parameter":
        names = [params["ResourceId"]]
    return [
        name if name.startswith("arn:") else arn("ssm", call.region, call.account, f"parameter/{name.lstrip('/')}")
        for name in names
    ]


def _cloudwatch(call: Call, types: list[str]) -> list[str]:
    params = call.params
    if "alarm" in types:
        names = _values(params.get("AlarmName") or params.get("AlarmNames") or [])
        found = [arn("cloudwatch", call.region, call.account, f"alarm:{name}") for name in names]
        return found or [arn("cloudwatch", call.region, call.account, "alarm:*")]
    if "dashboard" in types:
        names = _values(params.get("DashboardName") or params.get("DashboardNames") or [])
        return [arn("cloudwatch", "", call.account, f"dashboard/{name}") for name in names]
    return []


def _scaling(call: Call, types: list[str]) -> list[str]:
    return [arn("application-autoscaling", call.region, call.account, "scalable-target/*")] if any(types) else []


def _sqs(call: Call, types: list[str]) -> list[str]:
    params = call.params
    if "QueueUrl" in params:
        account, _, name = params["QueueUrl"].rstrip("/").rpartition("/")
        return [arn("sqs", call.region, account.rpartition("/")[2] or call.account, name)]
    owner = params.get("QueueOwnerAWSAccountId", call.account)
    return [arn("sqs", call.region, owner, params["QueueName"])] if "QueueName" in params else []


def _sagemaker(call: Call, types: list[str]) -> list[str]:
    """Versions of a group are model-package/GROUP/VERSION; a version yet to come is …/*."""
    params = call.params
    group = params.get("ModelPackageGroupName", "")
    name = group.rsplit("/", 1)[-1]
    owner = group.split(":")[4] if group.startswith("arn:") else call.account
    if call.operation == "ListModelPackages":
        return [_sage(call, f"model-package/{name}/*", owner)] if group else ["*"]
    if call.operation == "CreateModelPackage" and group:
        return [_sage(call, f"model-package/{name}/*", owner), _sage(call, f"model-package-group/{name}", owner)]
    if call.operation == "ListPipelineExecutions":
        return [_sage(call, f"pipeline/{params['PipelineName']}", call.account)]
    if call.operation == "BatchDescribeModelPackage":
        return _values(params.get("ModelPackageArnList"))
    return []


def _sage(call: Call, resource: str, account: str) -> str:
    return arn("sagemaker", call.region, account, resource)


def _states(call: Call, types: list[str]) -> list[str]:
    params = call.params
    for key in ("executionArn", "stateMachineArn", "activityArn", "resourceArn", "mapRunArn"):
        if isinstance(params.get(key), str):
            return [params[key]]
    if call.operation == "CreateStateMachine":
        return [arn("states", call.region, call.account, f"stateMachine:{params['name']}")]
    return []


def _secrets(call: Call, types: list[str]) -> list[str]:
    """A secret's ARN ends in six random characters; by its name it is …:NAME-??????."""
    secret = call.params.get("SecretId") or call.params.get("Name") or ""
    if not secret or secret.startswith("arn:"):
        return [secret] if secret else []
    known = moto_bridge.backend("secretsmanager", call.account, call.region).secrets
    found = next((item.arn for item in known.values() if item.name == secret), None)
    return [str(found) if found else arn("secretsmanager", call.region, call.account, f"secret:{secret}")]


def _lambda(call: Call, types: list[str]) -> list[str]:
    """A qualifier is part of the ARN (Lambda Developer Guide, "Identity-based IAM policies for Lambda")."""
    from localaws.services.awslambda.state import asked

    if not call.params.get("FunctionName") or "function" not in types:
        return []
    name = asked(call)
    return [f"{name.arn}:{name.qualifier}" if name.qualifier and call.operation in QUALIFIED else name.arn]


QUALIFIED = {"Invoke", "GetFunction", "GetFunctionConfiguration", "AddPermission", "RemovePermission", "GetPolicy"}


def _ecr(call: Call, types: list[str]) -> list[str]:
    names = _values(call.params.get("repositoryName") or call.params.get("repositoryNames") or [])
    if "repository" not in types:
        return []
    owner = call.params.get("registryId") or call.account
    return [arn("ecr", call.region, owner, f"repository/{name}") for name in names or ["*"]]


BY_PREFIX: dict[str, Callable[[Call, list[str]], list[str]]] = {
    "application-autoscaling": _scaling,
    "cloudformation": _cloudformation,
    "cloudwatch": _cloudwatch,
    "codebuild": _codebuild,
    "codecommit": _codecommit,
    "codepipeline": _codepipeline,
    "ecr": _ecr,
    "events": _events,
    "iam": _iam,
    "kms": _kms,
    "lambda": _lambda,
    "logs": _logs,
    "organizations": _organizations,
    "sagemaker": _sagemaker,
    "secretsmanager": _secrets,
    "servicecatalog": _servicecatalog,
    "sqs": _sqs,
    "ssm": _ssm,
    "states": _states,
}


def resources(call: Call, prefix: str, types: list[str], table: Table) -> list[str]:
    """The resources of the call for an action that acts on these types; [] when none can be told."""
    tagged = call.params.get("ResourceArn") or call.params.get("resourceArn") or call.params.get("resource")
    if isinstance(tagged, str) and tagged.startswith("arn:"):
        return [tagged]
    own = BY_PREFIX.get(prefix)
    found = own(call, types) if own else []
    return found or generic(call, table, [kind for kind in types if kind])
