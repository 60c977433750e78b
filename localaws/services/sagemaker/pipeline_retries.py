"""When a failed pipeline step is tried again: SageMaker Developer Guide, "Retry Policy for Pipeline Steps"."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from localaws.services.sagemaker.base import invalid, only

STEPS = frozenset({"Processing", "Training", "Tuning", "AutoML", "Model", "RegisterModel", "Transform"})
FAULT, THROTTLING = "Step.SERVICE_FAULT", "Step.THROTTLING"
INTERNAL, CAPACITY, LIMIT = "SageMaker.JOB_INTERNAL_ERROR", "SageMaker.CAPACITY_ERROR", "SageMaker.RESOURCE_LIMIT"
TYPES = frozenset({FAULT, THROTTLING, INTERNAL, CAPACITY, LIMIT})
CODES = {"ThrottlingException": THROTTLING, "ResourceLimitExceeded": LIMIT}
LONGEST, MOST, OLDEST = 43_200, 20, 14_400  # seconds between attempts, attempts, minutes


@dataclass(frozen=True)
class Policy:
    """kinds: of failure; seconds before the first retry, times rate for each further one; at most attempts retries,
    or until minutes have passed since the step began."""

    kinds: frozenset[str]
    seconds: float = 1
    rate: float = 2.0
    attempts: int | None = 5
    minutes: int | None = None

    def allows(self, retries: int, passed: float) -> bool:
        """Whether there is one more retry, after so many and so many seconds."""
        if self.minutes is not None:
            return passed < self.minutes * 60
        return retries < (self.attempts or 0)


def read(name: str, kind: str, policies: Iterable[Mapping[str, Any]]) -> tuple[Policy, ...]:
    """A step's policies; ValidationException for one that AWS refuses."""
    return tuple(_policy(name, kind, policy) for policy in policies)


def _policy(name: str, kind: str, policy: Mapping[str, Any]) -> Policy:
    where = f"Step '{name}': RetryPolicies"
    if kind not in STEPS:
        raise invalid(f"{where}: steps of type {kind} have none")
    only(policy, where, "ExceptionType", "IntervalSeconds", "BackoffRate", "MaxAttempts", "ExpireAfterMin")
    kinds = frozenset(policy.get("ExceptionType", ()))
    if not kinds or kinds - TYPES:
        raise invalid(f"{where}: ExceptionType must name some of {', '.join(sorted(TYPES))}")
    if "MaxAttempts" in policy and "ExpireAfterMin" in policy:
        raise invalid(f"{where}: only one of MaxAttempts and ExpireAfterMin can be given")
    for member, most in (("IntervalSeconds", LONGEST), ("MaxAttempts", MOST), ("ExpireAfterMin", OLDEST)):
        if policy.get(member, 0) > most:
            raise invalid(f"{where}: {member} must be at most {most}")
    minutes = policy.get("ExpireAfterMin")
    return Policy(
        kinds,
        policy.get("IntervalSeconds", 1),
        policy.get("BackoffRate", 2.0),
        None if minutes is not None else policy.get("MaxAttempts", 5),
        minutes,
    )


def of_error(error: ClientError) -> str:
    """The type of a refusal, "" for one that is never tried again."""
    if error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 400) >= 500:
        return FAULT
    return CODES.get(error.response["Error"]["Code"], "")


def of_reason(reason: str) -> str:
    """The type of a job's FailureReason, likewise."""
    if reason.startswith("InternalServerError"):
        return INTERNAL
    return CAPACITY if reason.startswith("CapacityError") else ""
