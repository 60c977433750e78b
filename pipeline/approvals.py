"""What was approved when, by the project's record: the version approved last, and the one approved before another.

An approval is a change of a version's approval status to Approved, which the starter (template 11) records. The time
of a version's newest change (LastModifiedTime) is none: every edit of its metadata moves it. For what was approved
before the project's record began, the pipeline's executions stand in: each began with the version approved then.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

from botocore.exceptions import ClientError

from pipeline import record
from pipeline.clients import Clients
from pipeline.console import UserError, say
from pipeline.executions import Run, pipeline_of, runs_of
from pipeline.frozen import etag_of_object, written_after
from pipeline.registry import Version, described, read_version, versions_of
from pipeline.settings import Settings
from pipeline.specification import AGAIN, baselines_of, unchanged, urls_of

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sagemaker import SageMakerClient

APPROVED: Literal["Approved"] = "Approved"
NOT_KNOWN = "an unknown time"


@dataclass(frozen=True)
class Approval:
    """key: of the record's entry; "" where an execution of the pipeline stands in."""

    version: int
    at: str
    key: str = ""


@dataclass(frozen=True)
class Approvals:
    """The approvals of a project's versions. executions: of its pipeline, the newest first, asked only where needed."""

    settings: Settings
    s3: S3Client
    sagemaker: SageMakerClient
    entries: Sequence[record.Entry]  # the newest last
    executions: Callable[[], Sequence[Run]]

    @classmethod
    def read(cls, settings: Settings, clients: Clients, runs: Sequence[Run] | None = None) -> Approvals:
        """runs: the pipeline's executions where they are known already."""
        s3, region = clients("s3", settings.region), settings.region

        def executions() -> Sequence[Run]:
            return runs_of(clients("codepipeline", region), pipeline_of(settings)) if runs is None else runs

        try:
            entries = record.entries(s3, settings.artifact_bucket)
        except ClientError as error:
            if error.response["Error"]["Code"] != "AccessDenied":
                raise
            raise UserError(
                f"the project's record, s3://{settings.artifact_bucket}/{record.APPROVALS}, cannot be listed: run "
                "`make accounts`, which lets the build role do that, and release the change again"
            ) from error
        return cls(settings, s3, clients("sagemaker", region), entries, executions)

    # -- which one -----------------------------------------------------------------------------

    def newest_first(self) -> Iterator[Approval]:
        for entry in reversed(self.entries):
            if entry.status == APPROVED:
                yield Approval(entry.version, entry.at, entry.key)
        began = datetime.fromisoformat(self.entries[0].at) if self.entries else datetime.max.replace(tzinfo=UTC)
        for run in self.executions():
            if run.built and run.version and run.id != self.settings.execution_id and run.built < began:
                yield Approval(int(run.version), run.built.isoformat())

    def last(self) -> Version | None:
        """The version approved last, of those that still are; None where none is."""
        return self.first_of(self.newest_first())

    def last_before(self, rejected: int) -> Version | None:
        """The version that was approved last before the newest approval of a rejected one.

        Where that is not known, neither recorded nor in CodePipeline's history, the numbers say which ones are older.
        """
        newest = self.newest_first()
        if any(approval.version == rejected for approval in newest):  # what is left of them is older
            return self.first_of(approval for approval in newest if approval.version != rejected)
        older = sorted((number for number in self.still_approved() if number < rejected), reverse=True)
        return self.first_of(Approval(number, NOT_KNOWN) for number in older)

    def first_of(self, approvals: Iterator[Approval]) -> Version | None:
        """The first one's version that is approved now."""
        still = self.still_approved()
        for approval in approvals if still else ():
            if approval.version in still:
                package = self.sagemaker.describe_model_package(ModelPackageName=still[approval.version])
                if package.get("ModelApprovalStatus") == APPROVED:
                    return self.version(package, approval)
        return None

    def still_approved(self) -> dict[int, str]:
        """The ARNs of the versions that are approved now, by number."""
        found = versions_of(self.sagemaker, self.settings.group, APPROVED)
        return {summary["ModelPackageVersion"]: summary["ModelPackageArn"] for summary in found}

    def why_none(self) -> str:
        group = self.settings.group
        if not (still := self.still_approved()):
            return f"no version of the model group {group} is approved yet"
        numbers = ", ".join(map(str, sorted(still)))
        return (
            f"no approval of a version of the model group {group} is recorded for this project, although the registry "
            f"shows {numbers} as approved. Approve the one to deploy again (set another approval status, then Approved)"
        )

    def approved(self, number: int) -> Version:
        """The version of this number. UserError unless it is approved, and was approved after its registration."""
        package = described(self.sagemaker, self.settings.group, number)
        unknown = Approval(number, NOT_KNOWN)
        version = read_version(package, NOT_KNOWN, None)  # what is wrong with it is said first
        approval = next((one for one in self.newest_first() if one.version == number), unknown)
        if approval is unknown and self.entries:
            raise UserError(
                f"{self.name(number)} has no approval in the project's record: a version that is registered as "
                f"approved was approved by no person. {AGAIN}"
            )
        if approval is unknown:
            say(f"{self.name(number)}: the project has no record of approvals yet")
            return version
        return self.version(package, approval)

    def name(self, number: int) -> str:
        return f"version {number} of {self.settings.group}"

    # -- and that it is still what was approved ------------------------------------------------

    def version(self, package: Mapping[str, Any], approval: Approval) -> Version:
        """The version as it was approved; UserError where it has become another."""
        if not approval.key:
            say(f"{self.name(approval.version)}: its approval is older than the project's record")
            return read_version(package, approval.at, None)
        document = record.entry(self.s3, self.settings.artifact_bucket, approval.key)
        unchanged(self.name(approval.version), package, document)
        self.not_written_since(approval, package, document)
        return read_version(as_recorded(package, document), approval.at, document.get("by"))

    def not_written_since(self, approval: Approval, package: Mapping[str, Any], document: Mapping[str, Any]) -> None:
        """UserError where an artifact was written again after the approval, which was of what it was then.

        By the time that S3 lists, and by the ETag that the record's entry has: an upload in parts lists when it began.
        """
        at, then = datetime.fromisoformat(approval.at), etags_in(document)
        for url in (*urls_of(package["InferenceSpecification"]), *baselines_of(package)):
            try:
                same = url not in then or etag_of_object(self.s3, url) == then[url]
                if same and not written_after(self.s3, url, at):
                    continue
            except ClientError:  # check_version says so, with what to do
                continue
            raise UserError(
                f"{self.name(approval.version)} is not what was approved at {approval.at}: its artifact {url} was "
                f"written after that. {AGAIN}"
            )


def etags_in(document: Mapping[str, Any]) -> dict[str, str]:
    """The ETag of each artifact as the starter saw it, by URL; "" of one that was no object then.

    None of an artifact that it may not list, as in a bucket that is not the kit's, nor in older entries.
    """
    seen = document.get("artifacts") or []
    return {
        str(one["url"]): one["etag"].strip('"')
        for one in (seen if isinstance(seen, list) else [seen])
        if isinstance(one.get("etag"), str)
    }


def as_recorded(package: Mapping[str, Any], document: Mapping[str, Any]) -> Mapping[str, Any]:
    """The version with the description and the metadata that it had when it was approved.

    Any principal that may update versions may edit both later, and an approver would take them for the author's.
    An entry from before 0.3 has neither.
    """
    if "metadata" not in document:
        return package
    kept = {
        "ApprovalDescription": document.get("description") or "",
        "CustomerMetadataProperties": document["metadata"],
    }
    return {**package, **kept}
