"""The operations of Parameter Store."""

from __future__ import annotations

import base64
import hashlib
import re
import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from awslang.bounded import is_number
from awslang.errors import AwsError, NotSupported
from localaws.calls import Call
from localaws.cloud import arn
from localaws.service import Service
from localaws.shapes import Violation, wording

ssm = Service("ssm", invalid="ValidationException")

PUBLIC = ("/aws/service/", "aws/service/")  # User Guide, "Working with public parameters": AWS sets them
STANDARD_LIMIT = 4096  # bytes of a value in the standard tier ("Managing parameter tiers")


@dataclass
class Parameter:
    """One parameter, in its newest version."""

    name: str
    arn: str
    kind: str
    value: str
    version: int = 1
    data_type: str = "text"
    changed: datetime = field(default_factory=lambda: datetime.now(UTC))
    tags: dict[str, str] = field(default_factory=dict)
    older: list[dict[str, Any]] = field(default_factory=list)  # the former versions, as shown

    def shown(self, decrypted: bool = False) -> dict[str, Any]:
        """As GetParameter answers; a SecureString's value stays sealed unless decrypted."""
        sealed = base64.b64encode(hashlib.sha512(f"{self.arn}:{self.version}:{self.value}".encode()).digest()).decode()
        return {
            "Name": self.name,
            "Type": self.kind,
            "Value": sealed if self.kind == "SecureString" and not decrypted else self.value,
            "Version": self.version,
            "LastModifiedDate": self.changed,
            "ARN": self.arn,
            "DataType": self.data_type,
        }


@dataclass
class Store:
    """Parameters by name."""

    parameters: dict[str, Parameter] = field(default_factory=dict)
    lock: threading.RLock = field(default_factory=threading.RLock)


def _store(call: Call) -> Store:
    return call.cloud.state(Store, call.account, call.region)


def _find(call: Call, name: str) -> Parameter:
    found = _store(call).parameters.get(name) or _store(call).parameters.get(name.removeprefix("/"))
    if found is None and name.startswith(PUBLIC):
        raise NotSupported(f"the public parameter {name}")
    if found is None:
        raise AwsError("ParameterNotFound", f"Parameter {name} not found.")
    return found


def _look(call: Call, asked: str) -> dict[str, Any]:
    """What a name or ARN shows, with or without a version (NAME:3); NotSupported for a label."""
    name, _, selector = (asked.split(":parameter", 1)[1] if asked.startswith("arn:") else asked).partition(":")
    found = _find(call, name)
    decrypted = bool(call.params.get("WithDecryption"))
    if not selector:
        return found.shown(decrypted)
    if found.kind == "SecureString":
        raise NotSupported(f"a version of a SecureString: {asked}")
    if not is_number(selector):
        raise NotSupported(f"a label of a parameter: {asked}")
    versions = [*found.older, found.shown()]
    if not 1 <= int(selector) <= len(versions):
        raise AwsError("ParameterVersionNotFound", f"Systems Manager could not find version {selector} of {name}.")
    return versions[int(selector) - 1] | {"Selector": f":{selector}"}


LEVELS = 15  # of a hierarchy (API Reference, PutParameter: Name)
PATH = re.compile(r"/|(/[A-Za-z0-9_.-]+)+/?")  # (API Reference, GetParametersByPath: Path)
DEFAULT_KEY = "alias/aws/ssm"  # of a SecureString whose key is left out (API Reference, PutParameter: KeyId)


def check_parameter(name: str, value: str) -> None:
    """API Reference, PutParameter: Name, Value."""
    if not re.fullmatch(r"[a-zA-Z0-9_.\-/]+", name) or ("/" in name and not name.startswith("/")):
        raise AwsError("ValidationException", f"Parameter name must be a fully qualified name: {name}")
    if name.endswith("/"):
        raise AwsError("ValidationException", f"Parameter name must not end with a slash: {name}")
    if re.match(r"/?(aws|ssm)", name, re.IGNORECASE):
        raise AwsError("ValidationException", 'Parameter name: can\'t be prefixed with "aws" or "ssm".')
    if not value:  # the API's model names no least length
        found = Violation("value", "''", "Member must have length greater than or equal to 1.")
        raise AwsError("ValidationException", wording([found]))
    if name.count("/") > LEVELS:
        what = f"A hierarchy can have a maximum of {LEVELS} levels."
        raise AwsError("HierarchyLevelLimitExceededException", f"Parameter name: {name}. {what}")
    if len(value.encode()) > STANDARD_LIMIT:
        raise AwsError("ValidationException", f"Standard tier parameters support a maximum of {STANDARD_LIMIT} bytes.")


@ssm.operation("PutParameter")
def put_parameter(call: Call) -> dict[str, Any]:
    params = call.params
    name, value = params["Name"], params["Value"]
    for key in ("KeyId", "AllowedPattern", "Policies"):
        if params.get(key) and (key, params[key]) != ("KeyId", DEFAULT_KEY):
            raise NotSupported(f"ssm:PutParameter with {key}")
    if params.get("Tier", "Standard") != "Standard" or params.get("DataType", "text") != "text":
        raise NotSupported("ssm:PutParameter with another tier than Standard or another data type than text")
    check_parameter(name, value)
    if params.get("Overwrite") and params.get("Tags"):  # (PutParameter, Tags: "use the AddTagsToResource operation")
        message = "Invalid request: tags and overwrite can't be used together."
        raise AwsError("ValidationException", message)
    store = _store(call)
    with store.lock:
        there = store.parameters.get(name)
        if there is not None and not params.get("Overwrite"):
            raise AwsError(
                "ParameterAlreadyExists",
                "The parameter already exists. To overwrite this value, set the overwrite option in the request to "
                "true.",
            )
        kind = params.get("Type") or (there.kind if there else "")
        if not kind:
            raise AwsError("ValidationException", "A parameter type is required when you create a parameter.")
        if there is None:
            full = arn("ssm", call.region, call.account, f"parameter/{name.removeprefix('/')}")
            tags = {tag["Key"]: tag["Value"] for tag in params.get("Tags", [])}
            store.parameters[name] = Parameter(name, full, kind, value, tags=tags)
            return {"Version": 1, "Tier": "Standard"}
        if kind != there.kind:
            message = "Parameter Store doesn't support changing a parameter type in a hierarchy."
            raise AwsError("HierarchyTypeMismatchException", message)
        there.older.append(there.shown())
        there.kind, there.value = kind, value
        there.version, there.changed = there.version + 1, datetime.now(UTC)
        return {"Version": there.version, "Tier": "Standard"}


@ssm.operation("GetParameter")
def get_parameter(call: Call) -> dict[str, Any]:
    return {"Parameter": _look(call, call.params["Name"])}


@ssm.operation("GetParameters")
def get_parameters(call: Call) -> dict[str, Any]:
    found, missing = [], []
    for name in call.params["Names"]:
        try:
            found.append(_look(call, name))
        except AwsError as error:
            if error.code not in ("ParameterNotFound", "ParameterVersionNotFound"):
                raise
            missing.append(name)
    return {"Parameters": found, "InvalidParameters": missing}


@ssm.operation("GetParametersByPath")
def get_parameters_by_path(call: Call) -> dict[str, Any]:
    if call.params.get("ParameterFilters"):
        raise NotSupported("ssm:GetParametersByPath with ParameterFilters")
    if not PATH.fullmatch(call.params["Path"]):
        words = "The parameter doesn't meet the parameter name requirements. The parameter name must begin with a "
        raise AwsError("ValidationException", f'{words}forward slash "/": {call.params["Path"]}')
    path = call.params["Path"].rstrip("/") + "/"
    below = [p for name, p in sorted(_store(call).parameters.items()) if name.startswith(path)]
    if not call.params.get("Recursive"):
        below = [p for p in below if "/" not in p.name.removeprefix(path)]
    return {"Parameters": [p.shown(bool(call.params.get("WithDecryption"))) for p in below]}


@ssm.operation("DescribeParameters")
def describe_parameters(call: Call) -> dict[str, Any]:
    if asked := sorted(
        name for name, value in call.params.items() if value and name not in ("MaxResults", "NextToken")
    ):
        raise NotSupported(f"ssm:DescribeParameters with {', '.join(asked)}")
    listed = sorted(_store(call).parameters.values(), key=lambda parameter: parameter.name)
    return {"Parameters": [{k: v for k, v in p.shown().items() if k != "Value"} | {"Tier": "Standard"} for p in listed]}


@ssm.operation("DeleteParameter")
def delete_parameter(call: Call) -> dict[str, Any]:
    store = _store(call)
    with store.lock:
        del store.parameters[_find(call, call.params["Name"]).name]
    return {}


@ssm.operation("DeleteParameters")
def delete_parameters(call: Call) -> dict[str, Any]:
    store, gone = _store(call), []
    with store.lock:
        for name in call.params["Names"]:
            if store.parameters.pop(name, None):
                gone.append(name)
    return {"DeletedParameters": gone, "InvalidParameters": [n for n in call.params["Names"] if n not in gone]}


def _tagged(call: Call) -> Parameter:
    if call.params["ResourceType"] != "Parameter":
        raise NotSupported(f"tags of {call.params['ResourceType']}")
    name = call.params["ResourceId"]
    found = _store(call).parameters.get(name)
    if found is None:
        raise AwsError("InvalidResourceId", f"The resource ID is not valid: {name}")
    return found


@ssm.operation("AddTagsToResource")
def add_tags(call: Call) -> dict[str, Any]:
    _tagged(call).tags.update({tag["Key"]: tag["Value"] for tag in call.params["Tags"]})
    return {}


@ssm.operation("RemoveTagsFromResource")
def remove_tags(call: Call) -> dict[str, Any]:
    found = _tagged(call)
    for key in call.params["TagKeys"]:
        found.tags.pop(key, None)
    return {}


@ssm.operation("ListTagsForResource")
def list_tags(call: Call) -> dict[str, Any]:
    return {"TagList": [{"Key": key, "Value": value} for key, value in _tagged(call).tags.items()]}
