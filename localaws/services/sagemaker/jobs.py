"""What training, processing, transform and tuning jobs share: a registry, and how one is found, listed and stopped."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeVar

from awslang.errors import AwsError
from localaws.calls import Call
from localaws.cloud import Cloud
from localaws.services.sagemaker import base

DEFECT = "InternalServerError: We encountered an internal error. Please try again."
ENDED = frozenset({"Completed", "Failed", "Stopped"})
TAKEN = "Job name must be unique within an AWS account and region"


class JobFailed(Exception):  # what happened to it
    """The job's FailureReason."""


class Job(Protocol):
    """shown: as its Describe operation shows it; stop: whether it is to stop"""

    shown: dict[str, Any]
    stop: threading.Event


J = TypeVar("J", bound=Job)


@dataclass
class Jobs(Generic[J]):
    """The jobs of a kind in an account and Region."""

    by_name: dict[str, J] = field(default_factory=dict)
    lock: threading.RLock = field(default_factory=threading.RLock)

    def add(self, name: str, whole: str, job: J, taken: str = TAKEN) -> J:
        """The new job. ResourceInUse with these words where there is one of its name. whole: its ARN"""
        with self.lock:
            if name in self.by_name:
                raise AwsError("ResourceInUse", f"{taken}: {whole}")
            self.by_name[name] = job
            return job


@dataclass(frozen=True)
class Kind(Generic[J]):
    """A kind of job. registry: its Jobs; prefix: of its members, as in TransformJobName; word: before "job" in words"""

    registry: type[Jobs[J]]
    prefix: str
    word: str

    def jobs(self, call: Call) -> Jobs[J]:
        return call.cloud.state(self.registry, call.account, call.region)

    def find(self, call: Call, missing: AwsError | None = None) -> J:
        """The job that the request names; missing: the error where there is none, if not the usual one."""
        name = call.params[f"{self.prefix}Name"]
        found = self.jobs(call).by_name.get(name)
        if found is None:
            raise missing or base.invalid(f"Could not find requested job with name: {name}")
        return found

    def listed(self, call: Call, members: Sequence[str]) -> dict[str, Any]:
        """The answer of its List operation. members: of a job's summary"""
        status = f"{self.prefix}Status"
        jobs = list(self.jobs(call).by_name.values())
        items = [{member: job.shown[member] for member in members if member in job.shown} for job in jobs]
        if "StatusEquals" in call.params:
            items = [item for item in items if item[status] == call.params["StatusEquals"]]
        found = base.selected(items, call.params, f"{self.prefix}Name", sorts={"Status": status})
        return base.page(found, call.params, f"{self.prefix}Summaries")

    def stop(self, job: J) -> None:
        """Tell a job to stop; ValidationException for one that has ended."""
        status = f"{self.prefix}Status"
        if job.shown[status] in ENDED:
            raise base.invalid(
                f"The request was rejected because the {self.word} job is in status {job.shown[status]}."
            )
        job.stop.set()
        job.shown[status] = "Stopping"

    def announce(self, cloud: Cloud, job: J, title: str, leave_out: str = "") -> None:
        """Its state, as an event. Developer Guide, "Events that Amazon SageMaker AI sends to Amazon EventBridge"."""
        whole = job.shown[f"{self.prefix}Arn"]
        said: Mapping[str, Any] = {name: value for name, value in job.shown.items() if name != leave_out}
        detail = {name: base.milliseconds(value) if name.endswith("Time") else value for name, value in said.items()}
        base.announce(cloud, *base.owner(whole), f"SageMaker {title} Job State Change", [whole], detail)
        cloud.changed(whole)
