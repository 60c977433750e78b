"""What the modules of SageMaker share: errors, tags, lists, roles and events."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from awslang.errors import AwsError, NotSupported
from awslang.principals import Principal
from localaws.cloud import Cloud, Session, arn
from localaws.services.events.service import emit

PRINCIPAL = "sagemaker.amazonaws.com"
TAG_LIMIT = 50
PAGE = 10  # what a list returns where MaxResults is not given


@dataclass
class Tags:
    """The tags of every resource in an account and Region, by ARN; a resource without tags is there too."""

    by_arn: dict[str, dict[str, str]] = field(default_factory=dict)


def invalid(message: str) -> AwsError:
    """SageMaker's most common refusal."""
    return AwsError("ValidationException", message)


def missing(message: str) -> AwsError:
    return AwsError("ResourceNotFound", message)


def conflict(message: str) -> AwsError:
    return AwsError("ConflictException", message)


def now() -> datetime:
    return datetime.now(UTC)


# What SageMaker takes where a member is left out (API Reference, the page of each type and operation): no question.
DEFAULTS = {
    "CrossAccountFilterOption": "SameAccount",
    "EnableEnhancedMetrics": False,
    "EnableMultipleJobs": False,
    "HomeEfsFileSystemCreation": "Enabled",
    "MetricPublishFrequencyInSeconds": 60,
    "RecordWrapperType": "None",
    "RepositoryAccessMode": "Platform",
    "SkipModelValidation": "None",
    "TagPropagation": "DISABLED",
}


def is_default(name: str, value: Any) -> bool:
    """Whether a member says no more than if it were left out; a structure does where each of its members does."""
    if isinstance(value, dict):
        return all(is_default(inner, of) for inner, of in value.items())
    return value in (None, [], "", False) or value == DEFAULTS.get(name)


def only(params: Mapping[str, Any], where: str, *supported: str) -> None:
    """NotSupported where the request asks for something beside what is supported here."""
    asked = [name for name, value in params.items() if name not in supported and not is_default(name, value)]
    if asked:
        raise NotSupported(f"{where} with {', '.join(sorted(asked))}")


def user(principal: Principal) -> dict[str, Any]:
    """CreatedBy and LastModifiedBy for a caller without a Studio user profile (API Reference, "UserContext")."""
    name = principal.session_name or principal.arn.rsplit("/", 1)[-1]
    return {"IamIdentity": {"Arn": principal.arn, "PrincipalId": f"AROAEXAMPLE:{name}"}}


# Families with a disk of their own, to which SageMaker adds no volume (aws/sagemaker-python-sdk#4828).
OWN_DISK = re.compile(r"ml\.([a-z0-9]*d[a-z0-9]*|(g5|g6|p5|trn1)[a-z]*)\.")


def has_own_disk(kind: str) -> bool:
    return OWN_DISK.match(kind) is not None


def service_role(cloud: Cloud, role_arn: str, region: str, account: str, source_arn: str = "") -> Session:
    """SageMaker acting as a role that was passed to it; refused where it may not assume it.

    source_arn: what aws:SourceArn holds; for inference it ends with a literal star (Developer Guide,
    "Cross-service confused deputy prevention")
    """
    if role_arn.split(":")[4] != account:
        raise AwsError("AccessDeniedException", "Cross-account pass role is not allowed.")
    source = {"SourceArn": source_arn or arn("sagemaker", region, account, "*"), "SourceAccount": account}
    try:
        return cloud.service_role(role_arn, "SageMaker", PRINCIPAL, region, **source)
    except AwsError as error:
        raise invalid(
            f"Could not assume role {role_arn}. Please ensure that the role exists and allows principal "
            f"'{PRINCIPAL}' to assume the role."
        ) from error


def announce(
    cloud: Cloud, account: str, region: str, kind: str, resources: list[str], detail: Mapping[str, Any]
) -> None:
    """Tell the account's default event bus (Developer Guide, "Events that Amazon SageMaker AI sends")."""
    emit(cloud, account, region, source="aws.sagemaker", detail_type=kind, resources=resources, detail=plain(detail))


def plain(value: Any) -> Any:
    """The value for an event: times as 2026-11-23T05:11:00Z."""
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%dT%H:%M:%SZ")
    return value


def milliseconds(moment: datetime) -> int:
    """A time as some of SageMaker's events carry it."""
    return int(moment.timestamp() * 1000)


def aware(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def selected(
    items: Iterable[dict[str, Any]],
    params: Mapping[str, Any],
    name: str,
    *,
    sorts: Mapping[str, str] | None = None,
    sort: str = "CreationTime",
    order: str = "Descending",
) -> list[dict[str, Any]]:
    """The items that a List operation's filters leave, in its order.

    name: the member that NameContains looks at; sorts: SortBy's values that differ from the member
    """
    kept = list(items)
    if "NameContains" in params:
        kept = [item for item in kept if params["NameContains"].lower() in item[name].lower()]
    bounds: dict[str, tuple[str, Callable[[datetime, datetime], bool]]] = {
        "CreationTimeAfter": ("CreationTime", lambda found, bound: found > bound),
        "CreationTimeBefore": ("CreationTime", lambda found, bound: found < bound),
        "LastModifiedTimeAfter": ("LastModifiedTime", lambda found, bound: found > bound),
        "LastModifiedTimeBefore": ("LastModifiedTime", lambda found, bound: found < bound),
        "CreatedAfter": ("CreationTime", lambda found, bound: found > bound),
        "CreatedBefore": ("CreationTime", lambda found, bound: found < bound),
    }
    for bound, (member, fits) in bounds.items():
        if bound in params:
            kept = [item for item in kept if member in item and fits(item[member], aware(params[bound]))]
    by = params.get("SortBy", sort)
    key = (sorts or {}).get(by, name if by == "Name" else by)
    return sorted(kept, key=lambda item: item[key], reverse=params.get("SortOrder", order) == "Descending")


def page(items: Sequence[dict[str, Any]], params: Mapping[str, Any], member: str, size: int = PAGE) -> dict[str, Any]:
    """One page of a List operation's answer; NextToken is the place where the next one begins."""
    start = int(params.get("NextToken", "0"))
    end = start + params.get("MaxResults", size)
    answer: dict[str, Any] = {member: list(items[start:end])}
    if end < len(items):
        answer["NextToken"] = str(end)
    return answer


def owner(resource_arn: str) -> tuple[str, str]:
    """Account and Region in an ARN."""
    parts = resource_arn.split(":")
    if len(parts) < 6:
        raise invalid(f"Invalid ARN: {resource_arn}")
    return parts[4], parts[3]


def put_tags(cloud: Cloud, resource_arn: str, given: Iterable[Mapping[str, str]] = ()) -> None:
    """Register a resource with its tags, or add tags to it."""
    tags = cloud.state(Tags, *owner(resource_arn)).by_arn
    merged = {**tags.get(resource_arn, {}), **{tag["Key"]: tag["Value"] for tag in given}}
    if len(merged) > TAG_LIMIT:
        raise invalid(f"The number of tags exceeds the limit of {TAG_LIMIT}")
    tags[resource_arn] = merged


def tags_of(cloud: Cloud, resource_arn: str) -> dict[str, str]:
    """A resource's tags; {} for one that does not exist."""
    return dict(cloud.state(Tags, *owner(resource_arn)).by_arn.get(resource_arn, {}))


def drop_tags(cloud: Cloud, resource_arn: str) -> None:
    """Forget a deleted resource's tags."""
    cloud.state(Tags, *owner(resource_arn)).by_arn.pop(resource_arn, None)


def as_list(tags: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in tags.items()]
