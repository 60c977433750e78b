"""Release: the number of a stage's endpoint configuration, which changes with the configuration and only then. Pure.

50-endpoint.yaml writes it into the configuration as the weight of its one variant, where it has no effect. So the test
reads on which configuration an endpoint runs (SageMaker takes an update back without a word to CloudFormation, and the
endpoint's FailureReason may be empty then: hashicorp/terraform-provider-aws#48997), and the same version can be
deployed again after such an update: another number is another configuration.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.parameters import Declared

PARAMETER = "Release"
MOST = 65_535  # MaxValue of the parameter in 40-stage.yaml: a float holds it exactly
FIRST = 1  # of a stack from before the parameter: the weight that its configuration has
# The parameters of 50-endpoint.yaml that make another Model, EndpointConfig or state machine of it. Not the copies in
# further Regions: they follow the version, and a Region that joins must not move the others.
SHAPING = (
    "ModelPackageName", "ShadowModelPackageName", "SageMakerExecutionRoleName", "EndpointKind", "InstanceType",
    "InitialInstanceCount",
    "ServerlessMemorySizeInMB", "ServerlessMaxConcurrency", "ServerlessProvisionedConcurrency", "AsyncOutputS3Uri",
    "DataCaptureS3Uri", "DataCapturePercentage", "DataKmsKeyId", "ContainerStartupHealthCheckTimeoutInSeconds",
    "ModelDataDownloadTimeoutInSeconds",
    "VolumeSizeInGB", "VpcSubnetIds", "VpcSecurityGroupIds", "VolumeKmsKeyId", "EnableNetworkIsolation",
    "InferenceAmiVersion", "ModelServerWorkers", "BatchBucket", "BatchContentType", "BatchAccept", "BatchSplitType",
)  # fmt: skip
OF_INSTANCES = {"InstanceType", "InitialInstanceCount"}
OF_SERVERLESS = {"ServerlessMemorySizeInMB", "ServerlessMaxConcurrency", "ServerlessProvisionedConcurrency"}
OF_BATCH = {"BatchBucket", "BatchContentType", "BatchAccept", "BatchSplitType"}


def release(
    wanted: Mapping[str, str], live: Mapping[str, str], declared: Mapping[str, Declared], last: Mapping[str, Any] | None
) -> int:
    """The number for the stage's next deployment.

    wanted, live: the parameters that it will have and those of its stack ({} where there is none)
    declared: the template's parameters; last: the newest record of what the stage's endpoints serve
    """
    now, content = int(live.get(PARAMETER) or FIRST), shape(wanted, declared)
    same = bool(live) and content == shape(live, declared)
    if same and not taken_back(last):
        return now
    text = json.dumps([content, now if same else 0])
    found = int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big") % MOST + 1
    return found if found != now else found % MOST + 1


def shape(values: Mapping[str, str], declared: Mapping[str, Declared]) -> list[tuple[str, str]]:
    """What makes the configuration: the parameters that count for this kind of endpoint, with their defaults."""
    given = {name: values.get(name) or default(declared, name) for name in SHAPING}
    unused = OF_INSTANCES if given["EndpointKind"] == "serverless" else OF_SERVERLESS
    if given["EndpointKind"] != "batch":
        unused = unused | OF_BATCH
    if not given["DataCaptureS3Uri"]:
        unused = unused | {"DataCapturePercentage"}
    return [(name, value) for name, value in given.items() if name not in unused]


def default(declared: Mapping[str, Declared], name: str) -> str:
    return declared[name].members.get("Default", "") if name in declared else ""


def taken_back(last: Mapping[str, Any] | None) -> bool:
    """Whether an endpoint was found that does not run on the configuration that was deployed.

    Where one is missing, an update would fail there: `make repair` comes first.
    """
    endpoints: Sequence[Mapping[str, Any]] = (last or {}).get("endpoints", [])
    if any(endpoint.get("status") == "missing" for endpoint in endpoints):
        return False
    return any(endpoint.get("as_deployed") is False for endpoint in endpoints)
