"""What of the kit is left in every account and Region without belonging to anything that is there.

A thing is the kit's by its name or its tags: the stack sets of the stages tag what they make with the
project's name and id (CloudFormation User Guide, "Tags" of a stack set reach the resources of its stacks). It is an
orphan when its project is gone, or, for the kit's own parts, when the data science account has none of its stacks.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from scripts.kit.connect import Connection, enter, pages
from scripts.kit.console import UserError, counted, explain, some
from scripts.kit.projects import project as projects
from scripts.kit.settings.model import Settings
from scripts.kit.stacks import data_science
from scripts.kit.stacks import stack as stacks
from scripts.kit.teardown import installation as teardown_kit
from scripts.kit.teardown import retained
from scripts.kit.teardown.project import ID, bucket_tags
from scripts.kit.together import together

if TYPE_CHECKING:
    from mypy_boto3_cloudformation.literals import CallAsType

PROJECT_TAG = "sagemaker:project-id"
PROJECT = re.compile(rf"(?:^|[-/:])({ID})(?:[-/:]|$)")
ENDPOINT = re.compile(rf"-({ID})-(?:staging|prod)(?:$|[-/])")  # also of a template 50 that was deployed by hand
KIT = re.compile(r"(^|StackSet-|/)(multi-account-deployment|sagemaker-multi-account-)")
KINDS = {  # of the target accounts' SageMaker resources: list operation, member, name
    "endpoint": ("list_endpoints", "Endpoints", "Endpoint"),
    "endpoint config": ("list_endpoint_configs", "EndpointConfigs", "EndpointConfig"),
    "model": ("list_models", "Models", "Model"),
}
HOME_KINDS = {  # likewise, of the data science account
    "model group": ("list_model_package_groups", "ModelPackageGroupSummaryList", "ModelPackageGroup"),
    "training": ("list_pipelines", "PipelineSummaries", "Pipeline"),
}


Thing = tuple[str, str, dict[str, str] | None]  # kind, name, and its tags where they are known


@dataclass(frozen=True)
class Orphan:
    """One thing; why: what it belonged to."""

    kind: str
    account: str
    region: str
    name: str
    why: str = ""

    def as_data(self) -> dict[str, str]:
        return asdict(self)


@dataclass(frozen=True)
class Owners:
    """What is there: the ids of all projects of the data science account, and whether the kit is."""

    ids: frozenset[str]
    kit: bool
    account: str

    def of_project(self, id: str) -> str:
        """Why something of a project is an orphan; it may be that another account has that project."""
        return "" if id in self.ids else f"of the project {id}, which account {self.account} does not have"

    def lost(self, name: str, tags: dict[str, str] | None = None) -> str:
        """Why a thing is an orphan; "" for one that is not, or is not the kit's."""
        if id := (tags or {}).get(PROJECT_TAG, ""):
            return self.of_project(id)
        if found := ENDPOINT.search(name):
            return self.of_project(found[1])
        if found := PROJECT.search(name):
            ours = name.startswith(("sagemaker-", "/aws/", "StackSet-sagemaker-")) or tags is None
            return self.of_project(found[1]) if ours else ""
        return "of the kit, which is gone" if KIT.search(name) and not self.kit else ""


def look(by: Connection, home: Connection, settings: Settings) -> tuple[list[Orphan], dict[str, str]]:
    """The orphans of every account and Region; and the places where these credentials could not look, with why."""
    kit = any(stacks.describe_stack(home.client("cloudformation"), name) for name in data_science.TEMPLATES)
    owners, blind = Owners(projects.ids(home), kit, home.account), dict[str, str]()
    try:
        accounts = teardown_kit.target_accounts(home, settings)
    except ClientError as error:
        accounts, blind["the accounts of the units"] = [], explain(error)

    def one(account: str) -> list[Orphan] | str:
        """An account's orphans, or why it could not be looked at."""
        try:
            place = home if account == home.account else enter(by, account, settings.roles.access)
            return list(in_account(place, owners, settings, account == home.account))
        except UserError as error:
            return str(error)
        except ClientError as error:
            return explain(error)

    everywhere = [home.account, *accounts]
    seen = together([partial(one, account) for account in everywhere], what="accounts looked at")
    found = {orphan for answer in seen if not isinstance(answer, str) for orphan in answer}
    blind |= {account: why for account, why in zip(everywhere, seen, strict=True) if isinstance(why, str)}
    return sorted(found, key=lambda o: (o.account, o.region, o.kind, o.name)), blind


def blind_spots(blind: dict[str, str], settings: Settings) -> str:
    """Which accounts were not looked at, why, and how to look."""
    first = next(iter(blind.values())).splitlines()[0]
    whose = settings.accounts.management or settings.accounts.data_science
    return (
        f"not looked at: {some(blind, 5)} ({'the first: ' if len(blind) > 1 else ''}{first}). With credentials of "
        f'account {whose} that may enter them: make teardown ARGS="--orphans --profile PROFILE"'
    )


def in_account(place: Connection, owners: Owners, settings: Settings, home: bool) -> Iterator[Orphan]:
    for region in teardown_kit.regions(settings):
        yield from in_region(place.in_region(region), owners, home, settings.stack_set_administrator)
    yield from buckets(place, owners)


def in_region(there: Connection, owners: Owners, home: bool, call_as: CallAsType) -> Iterator[Orphan]:
    """The orphans of one account in one Region. home: it is the data science account"""
    listed = [stacks_in(there), sagemaker_in(there, KINDS | HOME_KINDS if home else KINDS), watching_in(there)]
    if home:
        listed.insert(1, stack_sets_in(there, call_as))
    for kind, name, tags in chain(*listed):
        if why := owners.lost(name, tags):
            yield Orphan(kind, there.account, there.region, name, why)
    if home and not owners.kit:
        for key in retained.kept_keys(there):
            yield Orphan("key", there.account, there.region, key["KeyId"], "of the kit, which is gone")


def stacks_in(there: Connection) -> Iterator[Thing]:
    for stack in pages(there.client("cloudformation"), "list_stacks", "StackSummaries"):
        if stack["StackStatus"] != "DELETE_COMPLETE":
            yield "stack", stack["StackName"], None


def stack_sets_in(there: Connection, call_as: CallAsType) -> Iterator[Thing]:
    cloudformation = there.client("cloudformation")
    for one in pages(cloudformation, "list_stack_sets", "Summaries", Status="ACTIVE", CallAs=call_as):
        yield "stack set", one["StackSetName"], None


def sagemaker_in(there: Connection, kinds: Mapping[str, tuple[str, str, str]]) -> Iterator[Thing]:
    for kind, (operation, member, noun) in kinds.items():
        for one in pages(there.client("sagemaker"), operation, member):
            yield kind, one[f"{noun}Name"], tags_of(there, one[f"{noun}Arn"])


def watching_in(there: Connection) -> Iterator[Thing]:
    """Alarms and log groups."""
    for alarm in pages(there.client("cloudwatch"), "describe_alarms", "MetricAlarms"):
        yield "alarm", alarm["AlarmName"], None
    for prefix in ("/aws/codebuild/sagemaker-", "/aws/sagemaker/Endpoints/"):
        for group in pages(there.client("logs"), "describe_log_groups", "logGroups", logGroupNamePrefix=prefix):
            yield "log group", group["logGroupName"], None


def tags_of(there: Connection, arn: str) -> dict[str, str]:
    listed = pages(there.client("sagemaker"), "list_tags", "Tags", ResourceArn=arn)
    return {tag["Key"]: tag["Value"] for tag in listed}


def buckets(there: Connection, owners: Owners) -> Iterator[Orphan]:
    s3 = there.client("s3")
    for bucket in s3.list_buckets()["Buckets"]:
        name = bucket["Name"]
        ours = name.startswith("sagemaker-project-") or KIT.search(name)
        if ours and (why := owners.lost(name, bucket_tags(s3, name) or None)):
            yield Orphan("bucket", there.account, "-", name, why)


def lines(
    found: Sequence[Orphan], blind: dict[str, str], settings: Settings, kept: Collection[str] = ()
) -> Iterator[str]:
    """The orphans for people. kept: what this run has retained, by the names in its plan"""
    retained_now = [o for o in found if any(name == o.name or name.startswith(f"{o.name} ") for name in kept)]
    for orphan in found:
        sign, why = ("=", "retained, as shown above") if orphan in retained_now else ("!", orphan.why)
        yield f"  {sign} {orphan.kind:15} {orphan.account} {orphan.region:14} {orphan.name} ({why})"
    of_them = f", {len(retained_now)} of them retained" if retained_now else ""
    none = "no orphans where it was looked" if blind else "no orphans"
    yield f"{counted(len(found), 'orphan')}{of_them}" if found else none
    if blind:
        yield f"  {blind_spots(blind, settings)}"
