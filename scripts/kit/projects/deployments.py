"""A project's deployments as its record tells them: who approved what, what the gate decided, what the tests found.

The record is in the project's bucket below record/ and is written once (pipeline/record.py): an entry for each approval
and rejection, for each decision of the gate, and for each stage after its tests. What never reached one of these, an
execution whose Build step failed or that an approver refused, CodePipeline's own history tells, for 12 months.
"""

from __future__ import annotations

import hashlib
import json
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from scripts.kit.bundle.pack import zip_bytes
from scripts.kit.connect import Connection, pages, unless
from scripts.kit.console import UserError, counted, some
from scripts.kit.projects import history
from scripts.kit.projects.history import PipelineExecution
from scripts.kit.projects.old_record import PREFIX
from scripts.kit.projects.project import Project
from scripts.kit.projects.served import OUTCOMES
from scripts.kit.projects.status import MISSING_PIPELINE
from scripts.kit.stages import Stage
from scripts.kit.together import together

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

RECORD, EVIDENCE = PREFIX, "evidence/"  # in the project's bucket
APPROVALS, DECISIONS = f"{RECORD}approvals/", f"{RECORD}decisions/"
LARGEST = 10_000_000  # bytes of an entry (pipeline/record.py)

Entries = Mapping[str, bytes]  # of the bucket, by key


@dataclass(frozen=True)
class Approval:
    """An approval or a rejection of a version. by: the person as SageMaker names it, "" for unknown."""

    at: str
    version: str
    status: str
    by: str

    def as_data(self) -> dict[str, Any]:
        return dict(vars(self))


@dataclass(frozen=True)
class Deployment:
    """One execution of the pipeline. at: the time of its first entry, or when it started

    author: who approved the version; approver: who approved the deployment; "" for an unknown one
    decision, outcomes: entries of the record, the newest of each; outcomes by stage
    manifest: what was to be deployed, {} where no entry holds it
    """

    execution: str
    at: str
    version: str
    author: str = ""
    run: PipelineExecution | None = None
    decision: Mapping[str, Any] = field(default_factory=dict)
    outcomes: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    sources: tuple[str, ...] = ()

    @property
    def manifest(self) -> Mapping[str, Any]:
        held = [self.decision, *self.outcomes.values()]
        return next((one["manifest"] for one in held if isinstance(one.get("manifest"), dict)), {})

    @property
    def approver(self) -> str:
        return str((self.decision.get("approval") or {}).get("by", ""))

    @property
    def refused(self) -> dict[str, str]:
        """Which approval was refused, by whom, as CodePipeline names the person, and why; {} for none."""
        for action, (by, comment) in self.run.answers.items() if self.run else ():
            if self.run and self.run.actions.get(action) == "Failed" and action not in self.run.expired:
                return {"action": action, "by": by, "comment": comment}
        return {}

    @property
    def result(self) -> str:
        """How it ended, in a few words, with the first reason."""
        prod = self.outcomes.get(Stage.PROD)
        if prod:
            return "in production" if prod.get("passed") else f"failed in production: {first_failure(prod)}"
        if self.decision and not self.decision.get("passed"):
            return f"refused by the gate: {self.decision.get('reason', '')}"
        status = self.run.status if self.run else ""
        if self.decision:
            return f"let through to production, {status or 'not tested there'}"
        if self.refused:
            return f"refused by {short(self.refused['by']) if self.refused['by'] else 'the approver'}" + (
                f": {self.refused['comment']}" if self.refused["comment"] else ""
            )
        if self.run and self.run.expired:
            return "not answered by an approver within seven days"
        for stage in reversed([stage for stage in Stage if stage in self.outcomes]):
            if not self.outcomes[stage].get("passed"):
                return f"failed in {stage}: {first_failure(self.outcomes[stage])}"
            return f"tested in {stage}, {status or 'no further'}"
        return failed_action(self.run) if self.run else "no entry of its end"

    def as_data(self) -> dict[str, Any]:
        return {
            "execution": self.execution,
            "at": self.at,
            "version": self.version,
            "result": self.result,
            "author": self.author,
            "approver": self.approver,
            "refused": self.refused,
            "rollback_of": self.decision.get("rollback_of") or (self.run.target if self.run else ""),
            "decision": {name: value for name, value in self.decision.items() if name != "manifest"},
            "stages": {
                stage: {name: value for name, value in found.items() if name != "manifest"}
                for stage, found in self.outcomes.items()
            },
            "manifest": dict(self.manifest),
            "sources": list(self.sources),
        }


@dataclass(frozen=True)
class History:
    """approvals and deployments, each the newest first; unreadable: keys below record/ that hold no entry."""

    project: Project
    approvals: tuple[Approval, ...]
    deployments: tuple[Deployment, ...]
    unreadable: tuple[str, ...] = ()

    def as_data(self) -> dict[str, Any]:
        return {
            "project": self.project.name,
            "id": self.project.id,
            "approvals": [one.as_data() for one in self.approvals],
            "deployments": [one.as_data() for one in self.deployments],
            "unreadable": list(self.unreadable),
        }


# -- look --------------------------------------------------------------------------------------


def entries(s3: S3Client, project: Project, owner: str, *prefixes: str) -> dict[str, bytes]:
    """Every object below the prefixes. UserError where there is no bucket any more."""

    def get(key: str) -> tuple[str, bytes]:
        return key, s3.get_object(Bucket=project.bucket, Key=key, ExpectedBucketOwner=owner)["Body"].read()

    keys: list[str] = []
    for prefix in prefixes:
        listed = unless({"NoSuchBucket"}, list_keys, s3, project.bucket, prefix)
        if listed is None:
            raise UserError(f"the project {project.name} has no bucket {project.bucket} any more, and so no record")
        keys += listed
    return dict(together([lambda key=key: get(key) for key in keys]))  # type: ignore[misc]


def list_keys(s3: S3Client, bucket: str, prefix: str) -> list[str]:
    return [item["Key"] for item in pages(s3, "list_objects_v2", "Contents", Bucket=bucket, Prefix=prefix)]


def executions(connection: Connection, project: Project) -> list[PipelineExecution]:
    """What CodePipeline remembers; nothing where the project has no pipeline any more."""
    return unless({MISSING_PIPELINE}, history.read, connection.client("codepipeline"), project.pipeline) or []


# -- what it says ------------------------------------------------------------------------------


def tell(project: Project, found: Entries, runs: Sequence[PipelineExecution]) -> History:
    """The history that the entries and CodePipeline's executions tell. Pure."""
    read = {key: document(body) for key, body in sorted(found.items()) if key.startswith(RECORD)}
    unreadable = tuple(key for key, one in read.items() if one is None)
    good = {key: one for key, one in read.items() if one is not None}
    approvals = [approval(one) for key, one in good.items() if key.startswith(APPROVALS)]
    approvals.sort(key=lambda one: moment(one.at), reverse=True)
    by_execution: dict[str, dict[str, Mapping[str, Any]]] = {}
    for key, one in good.items():
        if key.startswith((DECISIONS, OUTCOMES)):
            by_execution.setdefault(key.split("/")[2], {})[key] = one
    known = {run.id: run for run in runs}
    made = [
        deployment(execution, by_execution.get(execution, {}), known.get(execution), approvals)
        for execution in {**by_execution, **known}
    ]
    said = [one for one in made if one.version or one.sources or failed_action(one.run)]
    return History(
        project, tuple(approvals), tuple(sorted(said, key=lambda one: moment(one.at), reverse=True)), unreadable
    )


def document(body: bytes) -> dict[str, Any] | None:
    """An entry; None where it is no JSON object, which no role of the kit writes."""
    try:
        found = json.loads(body) if len(body) <= LARGEST else None
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def approval(entry: Mapping[str, Any]) -> Approval:
    return Approval(
        str(entry.get("at", "")), str(entry.get("version", "")), str(entry.get("status", "")), person(entry.get("by"))
    )


def person(context: Any) -> str:
    """The person of a UserContext (SageMaker API Reference): its profile in Studio, else its ARN."""
    if not isinstance(context, dict):
        return ""
    identity = context.get("IamIdentity") or {}
    return str(context.get("UserProfileName") or identity.get("SourceIdentity") or identity.get("Arn") or "")


def deployment(
    execution: str,
    found: Mapping[str, Mapping[str, Any]],
    run: PipelineExecution | None,
    approvals: Iterable[Approval],
) -> Deployment:
    """approvals: the newest first"""
    in_order = sorted(found.items(), key=lambda item: str(item[1].get("at", "")))
    decisions = [one for key, one in in_order if key.startswith(DECISIONS)]
    outcomes = {str(one.get("stage", "")): one for key, one in in_order if key.startswith(OUTCOMES)}
    times = [str(one.get("at", "")) for _, one in in_order]
    at = run.started.astimezone(UTC).isoformat() if run and run.started else min(times, default="")
    version = run.version if run and run.version else ""
    version = next((str(one["version"]) for _, one in in_order if one.get("version")), version)
    before = [
        one for one in approvals if one.version == version and one.status == "Approved" and moment(one.at) <= moment(at)
    ]
    author = before[0].by if before else ""
    decision = decisions[-1] if decisions else {}
    return Deployment(execution, at, version, author, run, decision, outcomes, tuple(sorted(found)))


def moment(at: str) -> datetime:
    """A time of the record; the earliest one of what is none."""
    try:
        return datetime.fromisoformat(at).astimezone(UTC)
    except ValueError:
        return datetime.min.replace(tzinfo=UTC)


def first_failure(outcome: Mapping[str, Any]) -> str:
    """The first check that failed, with its place, and how many more did."""
    failed = [*map(str, outcome.get("problems", []))]
    for one in outcome.get("endpoints", []):
        failed += [f"{one.get('account', '')} {one.get('region', '')}: {text}" for text in one.get("failed", [])]
    return (failed[0] if failed else "no reason is recorded") + (
        f" (and {counted(len(failed) - 1, 'more check')})" if len(failed) > 1 else ""
    )


def failed_action(run: PipelineExecution | None) -> str:
    """Which actions of an execution failed that left no entry in the record; "" for none."""
    if run is None:
        return ""
    failed = [name for name, status in run.actions.items() if status == "Failed"]
    return f"failed in {some(failed)}" if failed else "" if run.status == "Succeeded" else run.status


def of_version(said: History, version: str) -> History:
    """What concerns one version."""
    return replace(
        said,
        approvals=tuple(one for one in said.approvals if one.version == version),
        deployments=tuple(one for one in said.deployments if one.version == version),
    )


# -- the table and the file --------------------------------------------------------------------


def table_of(deployments: Sequence[Deployment]) -> tuple[list[str], list[list[str]]]:
    """The table's header, and its rows: of the stages before production those in which one of them was tested."""
    seen = {stage for one in deployments for stage in one.outcomes}
    stages = [stage for stage in Stage if stage is Stage.PROD or stage in seen]
    names = [stage.upper() for stage in stages]
    header = ["STARTED (UTC)", "VERSION", *names, "VERSION APPROVED BY", "DEPLOYMENT BY", "EXECUTION", "RESULT"]
    return header, rows(deployments, stages)


def rows(deployments: Iterable[Deployment], stages: Sequence[Stage] = (Stage.STAGING, Stage.PROD)) -> list[list[str]]:
    """Of each: time, version, places that passed in the stages, who approved it, how it ended, execution."""
    cells = [
        [
            short_time(one.at),
            one.version or "-",
            *(places(one.outcomes.get(stage)) for stage in stages),
            short(one.author),
            short(one.approver),
            one.execution,
            one.result,
        ]
        for one in deployments
    ]
    return [[plain(cell) for cell in row] for row in cells]


def plain(text: str) -> str:
    """On one line, with a question mark for each character that cannot be printed: a model's answers are in it."""
    line = " ".join(text.split())
    return "".join("?" if sign != " " and unicodedata.category(sign)[0] in "CZ" else sign for sign in line)


def places(outcome: Mapping[str, Any] | None) -> str:
    """How many of a stage's endpoints passed every check."""
    if outcome is None:
        return "-"
    endpoints = outcome.get("endpoints", [])
    return f"{sum(not one.get('failed') for one in endpoints)}/{len(endpoints)}"


def short(name: str) -> str:
    """The name at the end of an ARN."""
    return name.rsplit("/", 1)[-1] or "-"


def short_time(at: str) -> str:
    return at[:16].replace("T", " ") or "-"


def export(said: History, found: Entries) -> bytes:
    """A zip for an auditor: history.json, every entry and every card as they are in the bucket, and their SHA-256.

    The same record always gives the same bytes.
    """
    files = {key: body for key, body in found.items() if key.startswith((RECORD, EVIDENCE))}
    files["history.json"] = (json.dumps(said.as_data(), indent=2, sort_keys=True) + "\n").encode()
    sums = [f"{hashlib.sha256(files[name]).hexdigest()}  {name}\n" for name in sorted(files)]
    files["SHA256SUMS"] = "".join(sums).encode()
    return zip_bytes(files)
