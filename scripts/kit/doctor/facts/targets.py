"""The target accounts, each entered once: the kit's stack, the roles, the quotas, the networks, the keys of data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from scripts.kit.doctor.facts import data_keys, networks
from scripts.kit.doctor.facts.access import read_entities, touches
from scripts.kit.doctor.facts.data_keys import DataKey
from scripts.kit.doctor.facts.networks import StageNetwork
from scripts.kit.doctor.facts.organization import Account, Organization
from scripts.kit.doctor.facts.protected import touching_endpoints
from scripts.kit.doctor.facts.regions import disabled
from scripts.kit.doctor.facts.roles import read_boundary, read_role
from scripts.kit.doctor.facts.stacks import read_stack
from scripts.kit.doctor.reader import UNREAD, NotChecked, Reader
from scripts.kit.names import TARGET_STACK, target_role, target_set_name
from scripts.kit.settings.model import Settings
from scripts.kit.stages import Stage
from scripts.kit.together import together


@dataclass(frozen=True)
class TargetSet:
    """The stack set that deploys template 20 to an OU; described: None where there is none."""

    described: Any = UNREAD
    instances: Any = UNREAD

    def stack_of(self, account: str) -> str:
        """The id of the set's stack in an account; "" where it has none there."""
        return next((str(i.get("StackId", "")) for i in self.instances or [] if i["Account"] == account), "")


def read_sets(reader: Reader, settings: Settings) -> dict[Stage, TargetSet]:
    """The stack sets of template 20, by stage."""
    if settings.permission_model == "SELF_MANAGED":
        return {stage: TargetSet(None, None) for stage in settings.stages}
    looked = together(partial(read_set, reader, settings, stage) for stage in settings.stages)
    return dict(zip(settings.stages, looked, strict=True))


def read_set(reader: Reader, settings: Settings, stage: Stage) -> TargetSet:
    account, names = settings.accounts.data_science, {"StackSetName": target_set_name(stage)}
    names["CallAs"] = settings.stack_set_administrator
    found = reader.ask(account, "cloudformation", "DescribeStackSet", **names)
    if not found:
        return TargetSet(found, found)
    instances = reader.pages(account, "cloudformation", "ListStackInstances", "Summaries", **names)
    return TargetSet(found["StackSet"], instances)


@dataclass(frozen=True)
class Target:
    """One account of one stage.

    closed: why it cannot be entered; quotas: the values by Region and code
    entities: the users and roles with a right over endpoints or over rights
    disabled: the Regions of its stage that it has not enabled
    """

    account: Account
    stage: Stage
    closed: str = ""
    stack: Any = UNREAD
    model_role: Any = UNREAD
    tester_role: Any = UNREAD
    quotas: Mapping[tuple[str, str], Any] = None  # type: ignore[assignment]
    boundary: Any = UNREAD
    entities: Any = UNREAD
    disabled: tuple[str, ...] = ()
    networks: tuple[StageNetwork, ...] = ()
    data_keys: tuple[DataKey, ...] = ()

    @property
    def where(self) -> str:
        return f"{self.account.id} ({self.account.name})" if self.account.name else self.account.id


def role_name(settings: Settings, stage: Stage) -> str:
    """The role that models run as in a stage's accounts; the tester's has -tester after it."""
    return target_role(settings.roles.suffix.of(stage))


def accounts_of(settings: Settings, organization: Organization) -> list[tuple[Account, Stage]]:
    """Every active account of the stages, but for those of the kit itself."""
    own = {settings.accounts.management, settings.accounts.data_science}
    return [(a, stage) for stage in settings.stages for a in organization.targets(stage) if a.id not in own]


def enters(reader: Reader, settings: Settings) -> bool:
    """Whether these credentials enter target accounts: gather() says who does where they do not."""
    return settings.administrator == "self-managed" or reader.account == settings.accounts.management


@dataclass(frozen=True)
class Wanted:
    """What is looked at in the accounts of a stage.

    regions: of its endpoints; quotas: the codes that matter; networks: those that projects name by ids
    """

    regions: tuple[str, ...]
    quotas: frozenset[str]
    networks: Mapping[str, tuple[str, ...]]


def gather(
    reader: Reader,
    settings: Settings,
    organization: Organization,
    of_stage: Mapping[Stage, Wanted],
    sets: Mapping[Stage, TargetSet],
) -> tuple[Target, ...]:
    """Every active account of the stages, ten at a time."""
    wanted = accounts_of(settings, organization)
    if not enters(reader, settings):
        if wanted:
            count = f"{len(wanted)} target accounts" if len(wanted) > 1 else "1 target account"
            who = f"the management account {settings.accounts.management}"
            role = f"credentials that may assume {settings.roles.access} in each"
            reader.leave_out(
                NotChecked(", ".join(a.id for a, _ in wanted[:3]), f"roles and endpoints of {count}", role, who)
            )
        return ()

    def read(account: Account, stage: Stage) -> Target:
        stack = sets[stage].stack_of(account.id)
        try:
            return read_target(reader, settings, account, stage, of_stage[stage], stack)
        finally:
            reader.forget(account.id)

    jobs = [partial(read, account, stage) for account, stage in wanted]
    return tuple(together(jobs, what="target accounts"))


def read_target(
    reader: Reader, settings: Settings, account: Account, stage: Stage, wanted: Wanted, stack: str
) -> Target:
    if closed := reader.enter(account.id, settings.roles.access):
        return Target(account, stage, closed, quotas={})
    name, id = role_name(settings, stage), account.id
    off = disabled(reader, id, wanted.regions)
    regions = tuple(region for region in wanted.regions if region not in off)
    return Target(
        account,
        stage,
        stack=read_stack(reader, id, stack or TARGET_STACK),
        model_role=read_role(reader, id, name, policies=True),
        tester_role=read_role(reader, id, f"{name}-tester"),
        quotas={
            (region, code): quota(reader, id, region, code) for region in regions for code in sorted(wanted.quotas)
        },
        boundary=read_boundary(reader, id, settings),
        disabled=off,
        entities=read_entities(reader, id, lambda one: touches(one, touching_endpoints())),
        networks=networks.read_account(reader, id, stage, regions, wanted.networks) if settings.endpoints.vpc else (),
        data_keys=data_keys.read(reader, settings.endpoints.data_key, id, stage, regions, name),
    )


def quota(reader: Reader, account: str, region: str, code: str) -> Any:
    """The value of a quota of SageMaker."""
    asked = {"ServiceCode": "sagemaker", "QuotaCode": code}
    answer = reader.ask(account, "service-quotas", "GetServiceQuota", region, **asked)
    return answer["Quota"]["Value"] if answer else UNREAD
