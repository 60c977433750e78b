"""What a version runs, its InferenceSpecification: that it is still what was approved, and where two of them differ.

SageMaker API Reference, UpdateModelPackage: an InferenceSpecification may be replaced, and the approval stays.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from pipeline.console import UserError

ANNOUNCED = ("image", "modeldataurl")  # what an event's containers are compared by
SPELLED = {name.lower(): name for name in ("Containers", "Environment", "Image", "ImageDigest", "ModelDataUrl")}
OF_MODELS = "s3://sagemaker-multi-account-models-"  # begins the buckets of 10-model-storage.yaml
BASELINES = ("ModelDataQuality", "ModelQuality")  # what the monitors of a version compare with
AGAIN = "Approve it again (set another approval status, then Approved) to deploy what it is now"


def urls_of(specification: Mapping[str, Any]) -> list[str]:
    """Where the artifacts of all containers are, each once (SageMaker API: ModelPackageContainerDefinition)."""
    found = []
    for container in specification.get("Containers", []):
        sources = [container.get("ModelDataSource", {}), *container.get("AdditionalModelDataSources", [])]
        places = [source.get("S3DataSource", {}) for source in sources]
        found.append(container.get("ModelDataUrl", ""))
        found += [place.get(key, "") for place in places for key in ("S3Uri", "ManifestS3Uri")]
        found.append(container.get("AdditionalS3DataSource", {}).get("S3Uri", ""))
    return list(dict.fromkeys(url for url in found if url))


def baseline_of(package: Mapping[str, Any], kind: str = "ModelDataQuality") -> tuple[str, ...]:
    """Where a version's baseline is, its constraints and statistics; () where it has none in a model bucket.

    SageMaker API Reference, DriftCheckBaselines: UpdateModelPackage cannot change them. kind: one of BASELINES
    """
    quality = (package.get("DriftCheckBaselines") or {}).get(kind) or {}
    urls = tuple(str((quality.get(name) or {}).get("S3Uri", "")) for name in ("Constraints", "Statistics"))
    return urls if all(url.startswith(OF_MODELS) for url in urls) else ()


def baselines_of(package: Mapping[str, Any]) -> tuple[str, ...]:
    """The files of both baselines of a version."""
    return tuple(url for kind in BASELINES for url in baseline_of(package, kind))


def prefixes_of(specification: Mapping[str, Any]) -> list[str]:
    """Where artifacts are that are many objects beneath a prefix."""
    found = []
    for container in specification.get("Containers", []):
        sources = [container.get("ModelDataSource", {}), *container.get("AdditionalModelDataSources", [])]
        places = [source.get("S3DataSource", {}) for source in sources]
        places.append(container.get("AdditionalS3DataSource", {}))
        found += [place.get("S3Uri", "") for place in places if place.get("S3DataType") == "S3Prefix"]
    return found


def sha256(specification: Any) -> str:
    """The hash of what a version runs; the order and the case of members' names make no difference."""
    text = json.dumps(comparable(specification), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def unchanged(name: str, package: Mapping[str, Any], document: Mapping[str, Any]) -> None:
    """UserError where a version's InferenceSpecification is not the one of the record's entry, or of its event."""
    specification, at = package.get("InferenceSpecification"), document.get("at")
    recorded, now = comparable(document.get("specification")), comparable(specification)
    if difference := different("InferenceSpecification", recorded, now):
        raise UserError(f"{name} is not what was approved at {at}: {difference}. {AGAIN}")
    announced = document.get("announced")
    if announced is None:
        return
    if difference := different("InferenceSpecification", shown_by_events(comparable(announced)), shown_by_events(now)):
        raise UserError(
            f"{name} was changed while its approval of {at} was recorded, so it is not certain what was approved: "
            f"{difference}. {AGAIN}"
        )


def shown_by_events(specification: Any) -> dict[str, Any]:
    """What an event surely shows of a specification that is comparable."""
    containers = specification.get("containers") or [] if isinstance(specification, dict) else []
    return {"containers": [{key: one[key] for key in ANNOUNCED if key in one} for one in containers]}


def comparable(node: Any, free: bool = False) -> Any:
    """A document without what makes no difference: what is empty, and the case of members' names.

    Step Functions writes names in a case of its own (Developer Guide, "Learning to use AWS service SDK integrations").
    The names in a map, which are free, keep theirs: environment variables.
    """
    if isinstance(node, dict):
        parts = {
            key if free else key.lower(): comparable(value, key.lower() == "environment") for key, value in node.items()
        }
        return {key: value for key, value in parts.items() if value not in (None, {}, [])}
    if isinstance(node, list):
        return [comparable(item) for item in node]
    return node


def different(place: str, before: Any, after: Any) -> str:
    """Where two documents differ first, and how; "" where they are the same."""
    if isinstance(before, dict) and isinstance(after, dict):
        keys = sorted({*before, *after})
        parts = [(f"{place}.{SPELLED.get(key, key)}", before.get(key), after.get(key)) for key in keys]
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        parts = [(f"{place}[{n}]", *both) for n, both in enumerate(zip(before, after, strict=True))]
    else:
        return "" if before == after else f"{place} was {shown(before)}, and is {shown(after)}"
    return next((found for part in parts if (found := different(*part))), "")


def shown(value: Any) -> str:
    return "absent" if value is None else f"{len(value)} items" if isinstance(value, dict | list) else str(value)[:200]
