"""No parameter is refused when it has its default value, for every operation that a handler answers.

botocore's models name most defaults, in the words of the API reference: each is sent with the least that the model
asks for. defaults.yaml has others, each with its page, and values that are refused by name: they prove that the request
comes to where the member is looked at.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from botocore import xform_name
from botocore.exceptions import ClientError
from moto.core.utils import get_service_model

from localaws import supported
from localaws.cloud import Cloud
from scripts.rehearsal.embedded import embedded_aws
from tests.support.authorization import trust
from tests.support.least_requests import NEEDED, sample

ACCOUNT, REGION = "111111111111", "us-east-1"
USERS = ("codebuild", "lambda", "sagemaker", "states")  # of the role in the requests
SAID = re.compile(
    r"(?:[Dd]efault(?: value)?(?: is|s to|:)|By default, \w+ specifies) [`'\"]?([\w.,-]+)"
    r"|(\w+)[ –-]*(?:\(default\)|is the default)"
)
ASKS = {  # what holds the member asks for something that is not supported, whatever the member is
    "ExplainerConfig", "ManagedInstanceScaling", "ProvisioningPreferences",
}  # fmt: skip
MISREAD = {("ssm", "PutParameter", "Tier")}  # the words are about what an account may choose as its default
TABLE = yaml.safe_load(Path(__file__).with_name("defaults.yaml").read_text(encoding="utf-8"))
BESIDE = [
    (*row["operation"], row["request"], member, *values) for row in TABLE for member, values in row["members"].items()
]


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    with embedded_aws(tmp_path_factory.mktemp("defaults")) as running:
        by = running.root(ACCOUNT, REGION)
        by.client("iam").create_role(
            RoleName="x", AssumeRolePolicyDocument=trust(Service=[f"{one}.amazonaws.com" for one in USERS])
        )
        yield running


def outcome(cloud: Cloud, service: str, operation: str, params: dict[str, Any]) -> str:
    """The error's code; "" where the request is taken."""
    try:
        getattr(cloud.root(ACCOUNT, REGION).client(service), xform_name(operation))(**params)
    except ClientError as error:
        return str(error.response["Error"]["Code"])
    return ""


def default(shape: Any) -> Any:
    """What the model's words name as the default; False of a boolean; None where they name none."""
    if shape.type_name == "boolean":
        return False
    text = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", shape.documentation or ""))
    words = [(one or other).rstrip(".") for one, other in SAID.findall(text)]
    if shape.type_name in ("integer", "long"):
        numbers = [int(word.replace(",", "")) for word in words if re.fullmatch(r"[0-9,]+", word, re.ASCII)]
        return next((number for number in numbers if number >= shape.metadata.get("min", 0)), None)  # not "6 hours"
    values = shape.metadata.get("enum", [])
    return next((value for word in words for value in values if value.lower() == word.lower()), None)


def defaults(shape: Any, path: tuple[Any, ...] = (), seen: frozenset[str] = frozenset()) -> Iterator[tuple[Any, Any]]:
    """Each path of a member that has a default, and the default."""
    if shape.type_name == "list":
        yield from defaults(shape.member, (*path, 0), seen)
    for name, member in shape.members.items() if shape.type_name == "structure" and len(path) < 4 else ():
        if (value := default(member)) is not None:
            yield (*path, name), value
        if member.name not in seen and name not in ASKS:
            yield from defaults(member, (*path, name), seen | {member.name})


def placed(shape: Any, value: Any, path: tuple[Any, ...], given: Any) -> Any:
    """The value with what is given at the path, and the least that the model asks for around it."""
    if not path:
        return given
    if shape.type_name == "list":
        return [placed(shape.member, value[0] if value else sample(shape.member, "x"), path[1:], given)]
    whole = dict(value if isinstance(value, dict) else sample(shape, "x"))
    return whole | {path[0]: placed(shape.members[path[0]], whole.get(path[0]), path[1:], given)}


def test_a_default_that_the_models_name_is_never_refused_by_name(cloud: Cloud) -> None:
    refused, walked = [], 0
    for service in supported.services():
        for operation in sorted(service.ours):
            shape = get_service_model(service.name).operation_model(operation).input_shape
            if shape is None or service.name == "s3":  # whose input is text, and has no handler that refuses members
                continue
            least = {**sample(shape, ""), **NEEDED.get(operation, {})}
            if outcome(cloud, service.name, operation, least) == "NotSupported":
                continue
            for path, value in defaults(shape):
                if (service.name, operation, path[0]) in MISREAD:
                    continue
                walked += 1
                if outcome(cloud, service.name, operation, placed(shape, least, path, value)) == "NotSupported":
                    refused.append((service.name, operation, path, value))
    assert refused == []
    assert walked > 200


@pytest.mark.parametrize("row", BESIDE, ids=lambda row: f"{row[1]}-{row[3]}")
def test_a_default_is_not_refused_by_name_and_another_value_is(cloud: Cloud, row: tuple[Any, ...]) -> None:
    service, operation, request, member, same, *others = row
    request = request | ({"name": member} if "name" in request else {})  # another one each time
    for other in others:
        assert outcome(cloud, service, operation, request | {member: other}) == "NotSupported"
    assert outcome(cloud, service, operation, request | {member: same}) != "NotSupported"
