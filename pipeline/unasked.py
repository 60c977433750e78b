"""Whether production may go back to a version without a new approval: after a rejection, and only as it was before.

The Build step decides it, and the gate before production decides it again for itself. Both look at what neither a
commit nor the caller of StartPipelineExecution can write: the record of approvals (which the starter writes), that of
the gate's decisions, and that of how deployments ended.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from pipeline import record, shadow
from pipeline.live import LiveStage
from pipeline.parameters import with_defaults

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

Decision = Mapping[str, Any]  # of the gate, or how a deployment ended: an entry of the record
# Of 40-stage.yaml: what may differ between two deployments of the same settings to the same places.
# A shadow that was left behind goes with any deployment.
OF_THE_VERSION = {"ModelPackageName", "CopyModelPackageNames", "Release", "KeepInstanceCount", *shadow.NONE}


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
    entries = record.entries(s3, bucket)
    bad = record.rejected(entries)
    if str(rejected) not in bad:
        return f"the record knows of no rejection of version {rejected}"
    if live.version not in {*bad, str(package["version"])}:
        return f"production serves version {live.version or 'none'}, which is not rejected"
    if other := [name for name in changed_parameters(wanted, live, template) if name not in OF_THE_VERSION]:
        return f"more than the version would change in production: {', '.join(other)}"
    admitted = let_through(record.decisions(s3, bucket))
    if not was_live(admitted, record.outcomes(s3, bucket, "prod"), package):
        return f"version {package['version']} as it is now was never let through to production and tested there"
    if rejected_since(admitted, entries, package):
        return f"version {package['version']} itself was rejected after it was let through to production"
    return ""


def let_through(decisions: Iterable[Decision]) -> list[Decision]:
    """What the gate admitted to production, in the order of the decisions."""
    return [decision for decision in decisions if decision.get("passed") is True]


def rejected_since(admitted: Sequence[Decision], entries: Sequence[record.Entry], package: Mapping[str, Any]) -> bool:
    """Whether the version was rejected after the gate admitted it last: for a reason that an approval does not undo."""
    times = [datetime.fromisoformat(str(one["at"])) for one in admitted if one.get("version") == package["version"]]
    rejections = [
        datetime.fromisoformat(entry.at)
        for entry in entries
        if (entry.version, entry.status) == (package["version"], record.REJECTED)
    ]
    return bool(rejections) and (not times or max(rejections) > max(times))


def last_admitted(admitted: Sequence[Decision], arn: str = "") -> Mapping[str, Any]:
    """The manifest that the gate admitted last, or last of the version of this ARN; {} where the record has none.

    Of those that an approver approved, where there is one: no approver saw a way back, so nothing is compared with it.
    """
    held = [one for one in admitted if arn in {"", one.get("arn")} and "manifest" in one]
    manifests = [one["manifest"] for one in [one for one in held if "approval" in one] or held]
    return manifests[-1] if manifests else {}


def was_admitted(admitted: Iterable[Decision], version: Mapping[str, Any]) -> bool:
    """Whether the gate let exactly this version through before. version: as itself() has it"""
    return any("model_package" in one and same(one["model_package"], version) for one in admitted)


def changed_parameters(wanted: Mapping[str, str], live: LiveStage, template: str) -> list[str]:
    """The names of the parameters of 40-stage.yaml that a deployment would change."""
    after = with_defaults(wanted, template)
    return sorted(name for name in {*after, *live.parameters} if after.get(name, "") != live.parameters.get(name, ""))


def was_live(admitted: Sequence[Decision], outcomes: Iterable[Decision], package: Mapping[str, Any]) -> bool:
    """Whether exactly this version was let through to production before, and passed its tests there."""
    hashes = {one.get("manifest_sha256") for one in admitted if is_package(one.get("model_package", {}), package)}
    return any(one.get("passed") is True and one.get("manifest_sha256") in hashes for one in outcomes)


def package_of(package: Mapping[str, Any]) -> dict[str, Any]:
    """What makes a version itself: its ARN, its specification, artifacts and images, and those of its copies."""
    copies = {region: itself(found) for region, found in package["copies"].items()}
    return {**itself(package), "copies": copies}


def itself(part: Mapping[str, Any]) -> dict[str, Any]:
    return {key: part[key] for key in ("arn", "specification_sha256", "artifacts", "images") if key in part}


def same(then: Mapping[str, Any], now: Mapping[str, Any]) -> bool:
    """Whether a version, or a copy, is what it was; older entries of the record say nothing of images."""
    return bool(itself(then)) and itself(now) | itself(then) == itself(now)


def is_package(then: Mapping[str, Any], now: Mapping[str, Any]) -> bool:
    """Whether a version and its copies are what they were. then: of package_of()"""
    before, after = then.get("copies", {}), now["copies"]
    return same(then, now) and before.keys() == after.keys() and all(same(before[r], after[r]) for r in after)


def replaced(admitted: Sequence[Decision], package: Mapping[str, Any]) -> bool:
    """Whether the version was something else when the gate admitted it last; False where it never was."""
    found = [one["model_package"] for one in admitted if one.get("arn") == package["arn"] and "model_package" in one]
    return bool(found) and not is_package(found[-1], package)
