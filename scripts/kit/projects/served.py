"""What a stage's endpoints serve: as these credentials see it in the target accounts, or as the tests saw it.

CloudFormation reports a stack instance CURRENT when its stack is complete, whatever happened to the endpoint since,
and also where SageMaker took the update back (SageMaker Developer Guide, "Auto-Rollback Configuration and
Monitoring"). DescribeEndpoint says what is there, or DescribeStateMachine where a batch stage has no endpoint. The
target accounts are entered through the role in roles.access, which trusts the management account; with other
credentials the record in the project's bucket stands in for it (record/outcomes, pipeline/outcome.py), with the time
when the tests looked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from awslang.bounded import read_json
from scripts.kit.connect import Connection, if_there, pages, unless
from scripts.kit.projects.project import Project
from scripts.kit.settings.model import Settings
from scripts.kit.stages import Stage
from scripts.kit.together import together

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sagemaker import SageMakerClient
    from mypy_boto3_stepfunctions import SFNClient

OUTCOMES = "record/outcomes/"  # in the project's bucket; pipeline/record.py writes there
MISSING = "missing"
UNREADABLE = {"AccessDenied", "NoSuchBucket", "NoSuchKey", "404"}
NO_SUCH_ENDPOINT = {"ValidationException"}  # "Could not find endpoint …"
Place = tuple[str, str]  # account and Region


@dataclass(frozen=True)
class ServedEndpoint:
    """What one endpoint serves. status: SageMaker's, or MISSING; live: these credentials saw it, not the tests.

    as_deployed: whether it runs on what its stack deployed, None where that is not known
    """

    status: str
    config: str = ""
    package: str = ""
    reason: str = ""
    looked_at: str = ""
    as_deployed: bool | None = None
    live: bool = False

    @property
    def gone(self) -> bool:
        """Nothing answers there, and no update passes: UpdateEndpoint takes no endpoint that has failed."""
        return self.status in {MISSING, "Failed"}

    @property
    def moment(self) -> datetime | None:
        """When it was looked at; None where the record says no time."""
        try:
            found = datetime.fromisoformat(self.looked_at)
        except ValueError:
            return None
        return found if found.tzinfo else found.replace(tzinfo=UTC)


@dataclass(frozen=True)
class Outcome:
    """The newest record of a stage: which execution it is of, what its endpoints served, and what failed."""

    execution: str = ""
    passed: bool = True
    failed: tuple[str, ...] = ()
    endpoints: Mapping[Place, ServedEndpoint] = field(default_factory=dict)


@dataclass(frozen=True)
class Looker:
    """What looks into the target accounts. by: credentials that may enter them; role: through which role"""

    by: Connection
    role: str

    def look(self, places: Iterable[Place], endpoint: str, release: str) -> dict[Place, ServedEndpoint]:
        """What is served in each place; places whose account cannot be entered are left out."""
        by_account: dict[str, list[str]] = {}
        for account, region in places:
            by_account.setdefault(account, []).append(region)
        jobs = [partial(self.look_in, account, regions, endpoint, release) for account, regions in by_account.items()]
        return {place: seen for found in together(jobs) for place, seen in found.items()}

    def look_in(self, account: str, regions: list[str], endpoint: str, release: str) -> dict[Place, ServedEndpoint]:
        try:
            there = self.by if account == self.by.account else self.by.assume(account, self.role)
        except ClientError:
            return {}
        try:
            seen = {}
            for region in regions:
                seen[account, region] = ask(there.in_region(region).client, account, endpoint, release)
            return seen
        except ClientError:
            return {}
        finally:
            if there is not self.by:
                there.close()


def looker(by: Connection, settings: Settings) -> Looker | None:
    """Who looks into the target accounts; None where these credentials do not enter them."""
    enters = settings.administrator == "self-managed" or by.account == settings.accounts.management
    return Looker(by, settings.roles.access) if enters else None


def ask(client: Callable[[Any], Any], account: str, endpoint: str, release: str) -> ServedEndpoint:
    """What the endpoint, or the state machine of a batch stage in its place, serves now.

    client: makes one for a service; release: the number of the configuration that its stack deployed
    """
    at = datetime.now(UTC).isoformat(timespec="seconds")
    sagemaker: SageMakerClient = client("sagemaker")
    found = unless(NO_SUCH_ENDPOINT, sagemaker.describe_endpoint, EndpointName=endpoint)
    if found is None:
        where = f"arn:{sagemaker.meta.partition}:states:{sagemaker.meta.region_name}:{account}"
        return ask_machine(client("stepfunctions"), sagemaker, f"{where}:stateMachine:{endpoint}", release, at)
    config, reason, package, right = found["EndpointConfigName"], found.get("FailureReason", ""), "", False
    shown = unless(NO_SUCH_ENDPOINT, sagemaker.describe_endpoint_config, EndpointConfigName=config)
    if shown:
        variant = shown["ProductionVariants"][0]
        right = round(variant.get("InitialVariantWeight", 0)) == int(release or 1)
        package = package_of(sagemaker, variant["ModelName"])
    return ServedEndpoint(found["EndpointStatus"], config, package, reason, at, right, True)


def package_of(sagemaker: SageMakerClient, name: str) -> str:
    """The model package of a model, "" where it has none, or is gone."""
    model = unless(NO_SUCH_ENDPOINT, sagemaker.describe_model, ModelName=name)
    return str(model.get("PrimaryContainer", {}).get("ModelPackageName", "")) if model else ""


def ask_machine(states: SFNClient, sagemaker: SageMakerClient, arn: str, release: str, at: str) -> ServedEndpoint:
    """What the state machine of a batch stage serves (50-endpoint.yaml, Batch): the model that it names."""
    found = unless({"StateMachineDoesNotExist"}, states.describe_state_machine, stateMachineArn=arn)
    if found is None:
        return ServedEndpoint(MISSING, looked_at=at, as_deployed=False, live=True)
    try:
        definition = read_json(found["definition"].encode())
        name = str(definition["States"]["Transform"]["Arguments"]["ModelName"])
    except (ValueError, KeyError, TypeError):  # changed by hand
        return ServedEndpoint("InService", looked_at=at, as_deployed=False, live=True)
    package = package_of(sagemaker, name)
    right = definition.get("Comment") == f"release {int(release or 1)}"
    return ServedEndpoint("InService", name, package, "", at, right, True)


def recorded(s3: S3Client, project: Project, stage: Stage, owner: str) -> Outcome:
    """The newest record of the stage; an empty one where there is none, or it may not be read.

    The time when S3 took an object orders them, so that one is read, however many there are.
    """
    try:
        listed = pages(s3, "list_objects_v2", "Contents", Bucket=project.bucket, Prefix=OUTCOMES)
        named = [item for item in listed if item["Key"].rsplit("/", 1)[1].startswith(f"{stage}-")]
        if not named:
            return Outcome()
        newest = max(named, key=taken)
        answer = if_there(s3.get_object, Bucket=project.bucket, Key=newest["Key"], ExpectedBucketOwner=owner)
        return read(read_json(answer["Body"].read())) if answer else Outcome()
    except ClientError as error:
        if error.response["Error"]["Code"] in UNREADABLE:
            return Outcome()
        raise
    except (ValueError, KeyError, TypeError, AttributeError):
        return Outcome()  # no record of the kit's pipeline: the bucket's policy lets no other principal write one


def taken(item: Mapping[str, Any]) -> tuple[Any, int, str]:
    """As in pipeline/outcome.py: S3's time has no parts of a second, so the build's number orders then"""
    build = str(item["Key"]).rsplit("-", 1)[1]
    return item["LastModified"], len(build), build


def read(document: Mapping[str, Any]) -> Outcome:
    """A record as pipeline/outcome.py writes it."""
    endpoints = {
        (str(one["account"]), str(one["region"])): ServedEndpoint(
            str(one["status"] or ""),
            str(one["config"] or ""),
            str(one["model_package"] or ""),
            str(one["failure_reason"] or ""),
            str(one["looked_at"] or ""),
            one.get("as_deployed"),
        )
        for one in document["endpoints"]
    }
    failed = tuple(str(text) for one in document["endpoints"] for text in one["failed"])
    return Outcome(str(document["execution"]), bool(document["passed"]), failed, endpoints)
