"""What the probes of the corrections (localaws/corrections.py) work on, and the table that they fill."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from typing import Any

from botocore.exceptions import ClientError

from localaws.cloud import Cloud, arn
from localaws.services.sagemaker.deployment import Endpoint
from localaws.services.sagemaker.endpoint_configs import EndpointConfigs
from localaws.services.sagemaker.endpoints import Endpoints
from localaws.services.sagemaker.servers import new_fleet

A, B, REGION = "111111111111", "222222222222", "us-east-1"
NUMBERS = count(1)
BOGUS = "bogus!"
SCP = "SERVICE_CONTROL_POLICY"


@dataclass
class World:
    """Two accounts of one embedded AWS; every probe makes what it needs under names of its own."""

    cloud: Cloud

    def __post_init__(self) -> None:
        self.number = next(NUMBERS)

    @property
    def number_as_account(self) -> str:
        """An account of this probe's own."""
        return f"{self.number:012d}"

    def client(self, service: str, account: str = A) -> Any:
        return self.cloud.root(account, REGION).client(service)

    def name(self, of: str) -> str:
        return f"{of}-{self.number}"

    def bucket(self) -> str:
        name = self.name("bucket")
        self.client("s3").create_bucket(Bucket=name)
        return name

    def key(self) -> str:
        return str(self.client("kms").create_key()["KeyMetadata"]["Arn"])

    def endpoint(self, instance_type: str) -> dict[str, str]:
        """The names that a scalable target of a new endpoint has."""
        name, now = self.name("endpoint"), datetime.now(UTC)
        variant = {"VariantName": "all", "InitialVariantWeight": 1.0, "InitialInstanceCount": 1}
        config: dict[str, Any] = {
            "EndpointConfigName": name,
            "ProductionVariants": [variant | {"InstanceType": instance_type}],
        }
        config |= {"EndpointConfigArn": arn("sagemaker", REGION, A, f"endpoint-config/{name}"), "CreationTime": now}
        self.cloud.state(EndpointConfigs, A, REGION).by_name[name] = config
        shown = {"EndpointName": name, "EndpointConfigName": name, "EndpointStatus": "InService"}
        shown |= {"EndpointArn": arn("sagemaker", REGION, A, f"endpoint/{name}")}
        made = Endpoint(shown | {"CreationTime": now, "LastModifiedTime": now}, new_fleet(config))
        self.cloud.state(Endpoints, A, REGION).by_name[name] = made
        return target(name)

    def organization(self) -> tuple[Any, str]:
        """A client of the management account of a new organization, and the root's id."""
        client = self.client("organizations", self.number_as_account)
        client.create_organization(FeatureSet="ALL")
        return client, str(client.list_roots()["Roots"][0]["Id"])


def identifier(key: str) -> str:
    """The id of a key, which is the end of its ARN."""
    return key.rsplit("/", 1)[1]


def target(endpoint: str) -> dict[str, str]:
    dimension = "sagemaker:variant:DesiredInstanceCount"
    return {
        "ServiceNamespace": "sagemaker",
        "ResourceId": f"endpoint/{endpoint}/variant/all",
        "ScalableDimension": dimension,
    }


def answer(ask: Callable[[], Any]) -> Any:
    """What is answered: the error's code where it is refused."""
    try:
        return ask()
    except ClientError as error:
        return error.response["Error"]["Code"]


def refusal(ask: Callable[[], Any]) -> str:
    """The error's code; "" where the request is taken."""
    found = answer(ask)
    return found if isinstance(found, str) else ""


def allowing(*principals: str, action: str = "*", resource: str | None = "*") -> str:
    statement = {"Sid": "s", "Effect": "Allow", "Principal": {"AWS": list(principals)}, "Action": action}
    statement |= {"Resource": resource} if resource else {}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


PROBES: dict[str, tuple[Callable[[World], Any], Any]] = {}


def probe(name: str, wanted: Any) -> Callable[[Callable[[World], Any]], None]:
    def register(ask: Callable[[World], Any]) -> None:
        assert name not in PROBES
        PROBES[name] = (ask, wanted)

    return register


def trusting_role(world: World, name: str) -> str:
    trust = allowing(A, action="sts:AssumeRole", resource=None)
    return str(world.client("iam").create_role(RoleName=name, AssumeRolePolicyDocument=trust)["Role"]["RoleName"])
