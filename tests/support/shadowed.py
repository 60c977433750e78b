"""An endpoint with a shadow, as TestShadow finds it: what was captured and counted, and what its variants run."""

from __future__ import annotations

import base64
import io
import itertools
import json
from datetime import UTC, datetime, timedelta
from typing import Any

from pipeline.captured import LIVE, SHADOW
from pipeline.specification import sha256
from tests.support.fake_services import VERSIONS, Fake, package

BEGAN = datetime(2026, 11, 30, 9, 30, tzinfo=UTC)
LATER = BEGAN + timedelta(hours=1)
PLANNED: dict[str, Any] = {
    "minutes": 30, "requests": 2, "live": "arn:1", "endpoint": "Iris-p-1-prod", "capture": "account",
    "places": [["222222222222", "us-east-1"]],
}  # fmt: skip
CANDIDATE, IMAGE = f"{VERSIONS}/2", "111111111111.dkr.ecr.us-east-1.amazonaws.com/team/iris:1"
MANIFEST: dict[str, Any] = {
    "project": {"id": "p-1", "name": "Iris"}, "pipeline_execution_id": "run-1", "shadow": PLANNED,
    "model_package": {
        "version": 2, "group": "iris", "arn": CANDIDATE, "regions": {"us-east-1": CANDIDATE}, "copies": {},
        "images": [{"image": IMAGE, "digest": "sha256:a"}],
        "specification_sha256": sha256(package(2)["InferenceSpecification"]),
    },
}  # fmt: skip
PREFIX = "capture/Iris-p-1-prod"


def line(question: str, answer: str, minute: int = 31, kind: str = "text/csv", id: str = "") -> str:
    def part(text: str) -> dict[str, str]:
        if kind.startswith("text/csv"):
            return {"observedContentType": kind, "data": text, "encoding": "CSV"}
        data = base64.b64encode(text.encode()).decode()
        return {"observedContentType": kind, "data": data, "encoding": "BASE64"}

    at = BEGAN.replace(minute=minute).isoformat().replace("+00:00", "Z")
    meta = {"eventId": "e", "inferenceTime": at, **({"inferenceId": id} if id else {})}
    data = {"endpointInput": part(question), "endpointOutput": part(answer)}
    return json.dumps({"captureData": data, "eventMetadata": meta, "eventVersion": "0"})


class Kept:
    """A bucket of captured data: lines by variant and file."""

    def __init__(self) -> None:
        self.files: dict[str, str] = {}

    def put(self, variant: str, name: str, *lines: str) -> None:
        self.files[f"{PREFIX}/{variant}/2026/11/30/09/{name}.jsonl"] = "\n".join(lines) + "\n"

    def client(self) -> Fake:
        def listed(Prefix: str, StartAfter: str, **_: Any) -> Any:  # noqa: N803  # the API's names
            keys = sorted(key for key in self.files if key.startswith(Prefix) and key > StartAfter)
            return [{"Contents": [{"Key": key, "Size": len(self.files[key])} for key in keys]}]

        def get(Key: str, **_: Any) -> Any:  # noqa: N803  # the API's name
            return {"Body": io.BytesIO(self.files[Key].encode())}

        return Fake(list_objects_v2=listed, get_object=get)


class Endless(Kept):
    """A bucket into which more is always written: no file holds a record."""

    def client(self) -> Fake:
        def listed(Prefix: str, **_: Any) -> Any:  # noqa: N803  # the API's name
            return ({"Contents": [{"Key": f"{Prefix}{number}", "Size": 3}]} for number in itertools.count())

        return Fake(list_objects_v2=listed, get_object=lambda **_: {"Body": io.BytesIO(b"{}\n")})


def counts(**asked: Any) -> Any:
    """CloudWatch: two periods, of which the second is slower."""
    variant = next(one["Value"] for one in asked["Dimensions"] if one["Name"] == "VariantName")
    if asked["MetricName"] == "ModelLatency":
        slow = 2000.0 if variant == LIVE else 9000.0
        points = [{"ExtendedStatistics": {"p50": 1000.0}}, {"ExtendedStatistics": {"p50": slow}}]
        return {"Datapoints": points}
    sums = {"Invocations": [3.0, 2.0], "Invocation4XXErrors": [0.0], "Invocation5XXErrors": [1.0]}[asked["MetricName"]]
    return {"Datapoints": [{"Sum": one} for one in sums]}


def running(package: str = CANDIDATE, digest: str = "sha256:a", shadow: bool = True) -> Fake:
    """An endpoint whose shadow runs this."""
    image = {"ResolvedImage": f"{IMAGE.rpartition(':')[0]}@{digest}"}
    variants = [{"VariantName": SHADOW, "DeployedImages": [image]}] if shadow else []
    return Fake(
        describe_endpoint=lambda **_: {
            "EndpointStatus": "InService", "EndpointConfigName": "config-2", "ShadowProductionVariants": variants,
        },
        describe_endpoint_config=lambda **_: {
            "ProductionVariants": [{"ModelName": "live"}], "ShadowProductionVariants": [{"ModelName": "new"}] * shadow,
        },
        describe_model=lambda ModelName: {  # noqa: N803  # the API's name
            "PrimaryContainer": {"ModelPackageName": package if ModelName == "new" else f"{VERSIONS}/1"}
        },
    )  # fmt: skip


def two_of_three() -> Kept:
    kept = Kept()
    kept.put(LIVE, "a", line("1,2", "0"), line("3,4", "1"))
    kept.put(LIVE, "b", line("5,6", "2"), line("9,9", "0"))
    kept.put(SHADOW, "a", line("3,4", "1.0000000001"), line("1,2", "0"), line("5,6", "0"), line("7,8", "0"))
    return kept
