"""Whether production may go back to a version without a new approval: after a rejection, and only as it was before.

The Build step decides it, and the gate before production decides it again for itself. Both look at what neither a
commit nor the caller of StartPipelineExecution can write: the record of approvals (which the starter writes), that of
the gate's decisions, and that of how deployments ended.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from pipeline import record
from pipeline.live import LiveStage
from pipeline.parameters import declared_parameters

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

# Of 40-stage.yaml: what may differ between two deployments of the same settings to the same places.
OF_THE_VERSION = {"ModelPackageName", "CopyModelPackageNames", "Release", "KeepInstanceCount"}


def why_asked(
    s3: S3Client,
    bucket: str,
    rejected: int | None,
    package: Mapping[str, Any],
    wanted: Mapping[str, str],
    live: LiveStage,
    template: str,
) -> str:
    """Why an approver is asked; "" where none needs to be.

    Args:
        rejected: the number of the version whose rejection started the execution.
        package: the version that comes back, as the manifest has it (model_package).
        wanted: the parameters of production's stack.
        template: the text of 40-stage.yaml.
    """
    if rejected is None:
        return "no version was rejected"
    entries = [entry for entry in record.entries(s3, bucket) if entry.version == rejected]
    if not entries or entries[-1].status != "Rejected":
        return f"the record knows of no rejection of version {rejected}"
    if live.version not in {str(rejected), str(package["version"])}:
        return f"production serves version {live.version or 'none'}, not the rejected version {rejected}"
    if other := [name for name in changed_parameters(wanted, live, template) if name not in OF_THE_VERSION]:
        return f"more than the version would change in production: {', '.join(other)}"
    if not was_live(s3, bucket, package):
        return f"version {package['version']} as it is now was never let through to production and tested there"
    if rejected_since(s3, bucket, package):
        return f"version {package['version']} itself was rejected after it was let through to production"
    return ""


def rejected_since(s3: S3Client, bucket: str, package: Mapping[str, Any]) -> bool:
    """Whether the version was rejected after the gate admitted it last: for a reason that an approval does not undo."""
    admitted = [
        datetime.fromisoformat(str(decision["at"]))
        for decision in record.decisions(s3, bucket)
        if decision.get("passed") is True and decision.get("version") == package["version"]
    ]
    rejections = [
        datetime.fromisoformat(entry.at)
        for entry in record.entries(s3, bucket)
        if (entry.version, entry.status) == (package["version"], "Rejected")
    ]
    return bool(rejections) and (not admitted or max(rejections) > max(admitted))


def last_admitted(s3: S3Client, bucket: str, arn: str = "") -> Mapping[str, Any]:
    """The manifest that the gate admitted last, or last of the version of this ARN; {} where the record has none."""
    manifests = [
        decision["manifest"]
        for decision in record.decisions(s3, bucket)
        if decision.get("passed") is True
        and decision.get("arn") == (arn or decision.get("arn"))
        and "manifest" in decision
    ]
    return manifests[-1] if manifests else {}


def changed_parameters(wanted: Mapping[str, str], live: LiveStage, template: str) -> list[str]:
    """The names of the parameters of 40-stage.yaml that a deployment would change."""
    defaults = {name: found.members.get("Default", "") for name, found in declared_parameters(template).items()}
    after = {**defaults, **wanted}
    return sorted(name for name in {*after, *live.parameters} if after.get(name, "") != live.parameters.get(name, ""))


def was_live(s3: S3Client, bucket: str, package: Mapping[str, Any]) -> bool:
    """Whether exactly this version was let through to production before, and passed its tests there."""
    let_through = {
        decision.get("manifest_sha256")
        for decision in record.decisions(s3, bucket)
        if decision.get("passed") is True and decision.get("model_package") == dict(package_of(package))
    }
    return any(
        outcome.get("passed") is True and outcome.get("manifest_sha256") in let_through
        for outcome in record.outcomes(s3, bucket, "prod")
    )


def package_of(package: Mapping[str, Any]) -> dict[str, Any]:
    """What makes a version itself: its ARN, its specification, its artifacts, and those of its copies."""
    copies = {region: itself(found) for region, found in package["copies"].items()}
    return {**itself(package), "copies": copies}


def itself(part: Mapping[str, Any]) -> dict[str, Any]:
    return {key: part[key] for key in ("arn", "specification_sha256", "artifacts")}


def replaced(s3: S3Client, bucket: str, package: Mapping[str, Any]) -> bool:
    """Whether the version was something else when the gate admitted it last; False where it never was."""
    let_through = [
        decision["model_package"]
        for decision in record.decisions(s3, bucket)
        if decision.get("passed") is True and decision.get("arn") == package["arn"] and "model_package" in decision
    ]
    return bool(let_through) and let_through[-1] != package_of(package)
