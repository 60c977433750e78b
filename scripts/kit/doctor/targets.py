"""The target accounts: the kit's stack in each, the model's role, the tester's role, what endpoints may use."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from scripts.kit.doctor import kit
from scripts.kit.doctor.findings import Place, finding
from scripts.kit.doctor.organization import STAGES, Account, Organization
from scripts.kit.doctor.reader import UNREAD, NotExamined, Reader, known
from scripts.kit.doctor.roles import may, read_role, role_session, service, trusts
from scripts.kit.doctor.storage import places
from scripts.kit.settings.model import Settings
from scripts.kit.stacks.stack import WantedStack, changes
from scripts.kit.stacks.target_roles import set_name
from scripts.kit.together import together

if TYPE_CHECKING:
    from scripts.kit.doctor.snapshot import Snapshot


@dataclass(frozen=True)
class TargetSet:
    """The stack set that carries template 20 into a unit; described: None where there is none."""

    described: Any = UNREAD
    instances: Any = UNREAD

    def stack_of(self, account: str) -> str:
        """The id of the set's stack in an account; "" where it has none there."""
        return next((str(i.get("StackId", "")) for i in self.instances or [] if i["Account"] == account), "")


def read_sets(reader: Reader, settings: Settings) -> dict[str, TargetSet]:
    """The stack sets of template 20, by stage."""
    if settings.permission_model == "SELF_MANAGED":
        return {stage: TargetSet(None, None) for stage in STAGES}
    return dict(zip(STAGES, together(partial(read_set, reader, settings, stage) for stage in STAGES), strict=True))


def read_set(reader: Reader, settings: Settings, stage: str) -> TargetSet:
    account, names = settings.accounts.data_science, {"StackSetName": set_name(stage)}
    names["CallAs"] = settings.stack_set_administrator
    found = reader.ask(account, "cloudformation", "DescribeStackSet", **names)
    if not found:
        return TargetSet(found, found)
    instances = reader.pages(account, "cloudformation", "ListStackInstances", "Summaries", **names)
    return TargetSet(found["StackSet"], instances)


@dataclass(frozen=True)
class Target:
    """One account of one stage. closed: why it cannot be entered; quotas: the values by region and code."""

    account: Account
    stage: str
    closed: str = ""
    stack: Any = UNREAD
    model_role: Any = UNREAD
    tester_role: Any = UNREAD
    quotas: Mapping[tuple[str, str], Any] = None  # type: ignore[assignment]

    @property
    def where(self) -> str:
        return f"{self.account.id} ({self.account.name})" if self.account.name else self.account.id


def role_name(settings: Settings, stage: str) -> str:
    """The role that models run as in a stage's accounts; the tester's has -tester after it."""
    return f"sagemaker-role-{getattr(settings.roles.suffix, stage)}"


# -- the facts ---------------------------------------------------------------------------------


def gather(
    reader: Reader,
    settings: Settings,
    organization: Organization,
    regions: Mapping[str, tuple[str, ...]],
    quotas: Mapping[str, frozenset[str]],
    sets: Mapping[str, TargetSet],
) -> tuple[Target, ...]:
    """Every active account of the stages, entered side by side; quotas: the codes that matter, by stage."""
    own = {settings.accounts.management, settings.accounts.data_science}
    wanted = [(a, stage) for stage in STAGES for a in organization.targets(stage) if a.id not in own]
    enters = settings.administrator == "self-managed" or reader.account == settings.accounts.management
    if not enters:
        if wanted:
            count = f"{len(wanted)} target accounts" if len(wanted) > 1 else "1 target account"
            who = f"the management account {settings.accounts.management}"
            role = f"credentials that may become {settings.roles.access} in each"
            reader.leave_out(NotExamined(", ".join(a.id for a, _ in wanted[:3]), f"roles of {count}", role, who))
        return ()

    def read(account: Account, stage: str) -> Target:
        stack = sets[stage].stack_of(account.id)
        try:
            return read_target(reader, settings, account, stage, regions[stage], quotas[stage], stack)
        finally:
            reader.forget(account.id)

    jobs = [partial(read, account, stage) for account, stage in wanted]
    return tuple(together(jobs, what="target accounts"))


def read_target(
    reader: Reader,
    settings: Settings,
    account: Account,
    stage: str,
    regions: tuple[str, ...],
    codes: frozenset[str],
    stack: str,
) -> Target:
    if closed := reader.enter(account.id, settings.roles.access):
        return Target(account, stage, closed, quotas={})
    name = role_name(settings, stage)
    values = {}
    for region in regions:
        for code in sorted(codes):
            answer = reader.ask(
                account.id, "service-quotas", "GetServiceQuota", region, ServiceCode="sagemaker", QuotaCode=code
            )
            values[region, code] = answer["Quota"]["Value"] if answer else UNREAD
    return Target(
        account,
        stage,
        stack=kit.read_stack(reader, account.id, stack or kit.TARGET_STACK),
        model_role=read_role(reader, account.id, name, policies=True),
        tester_role=read_role(reader, account.id, f"{name}-tester"),
        quotas=values,
    )


# -- the checks --------------------------------------------------------------------------------


@finding(
    "target-closed",
    "warns",
    "A target account cannot be entered",
    "`make accounts` makes the model's role and the tester's role through this role (roles.access).",
)
def target_closed(it: Snapshot) -> Iterator[Place]:
    from_account = it.account if it.alone else it.settings.accounts.management
    for target in it.targets:
        if target.closed:
            role = it.settings.roles.access
            yield Place(
                target.account.id,
                f"role {role}",
                f"account {target.where}: {target.closed}",
                f"in that account: aws iam create-role --role-name {role} --assume-role-policy-document "
                f"'{trust_of(from_account, it.partition)}', and attach AdministratorAccess; "
                "or name its own role in roles.access",
            )


def trust_of(account: str, partition: str) -> str:
    return (
        '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": '
        f'{{"AWS": "arn:{partition}:iam::{account}:root"}}}}]}}'
    )


@finding(
    "target-stack-missing",
    "stops",
    "A target account has not got the kit's stack",
    "It holds the role that the model runs as, and the one that the pipeline tests with.",
)
def target_stack_missing(it: Snapshot) -> Iterator[Place]:
    for target in it.targets:
        if target.stack is None and (target.model_role is None or target.tester_role is None):
            what = f"account {target.where} has no stack {kit.TARGET_STACK}"
            yield Place(target.account.id, f"stack {kit.TARGET_STACK}", what, it.make_accounts, it.region)


@finding(
    "target-stack-failed",
    "stops",
    "The kit's stack in a target account is broken",
    "`make accounts` cannot go on from this state.",
)
def target_stack_failed(it: Snapshot) -> Iterator[Place]:
    for target in it.targets:
        if target.stack and target.stack.broken:
            yield Place(
                target.account.id,
                f"stack {target.stack.name}",
                f"account {target.where}: {target.stack.status} {target.stack.reason}".rstrip(),
                f"{remove_stack(it, target)}\nthen {it.make_accounts}",
                it.region,
            )


@finding(
    "target-stack-differs",
    "warns",
    "The kit's stack in a target account is not that of this bundle",
    "Its roles may lack what this version's endpoints or tests need.",
)
def target_stack_differs(it: Snapshot) -> Iterator[Place]:
    for target in it.targets:
        if not target.stack or target.stack.broken:
            continue
        if changed := kit.differences(target.stack, *kit.target_stack(it, target.stage, target.account.id)):
            what = f"account {target.where} differs in: {changed}"
            yield Place(target.account.id, f"stack {target.stack.name}", what, it.make_accounts, it.region)


@finding(
    "target-set-differs",
    "warns",
    "The stack set of the target accounts' roles is not that of this bundle",
    "Its accounts, and those that join, get roles that may lack what this version needs.",
)
def target_set_differs(it: Snapshot) -> Iterator[Place]:
    for stage, found in it.target_sets.items():
        if not found.described:
            continue
        want, known_of_it = kit.target_stack(it, stage, it.account)
        parameters = {p["ParameterKey"]: p.get("ParameterValue", "") for p in found.described.get("Parameters", [])}
        wanted = WantedStack(want.account, want.name, want.body, known_of_it, want.file)
        changed = changes(wanted, found.described["TemplateBody"], parameters)
        if not (found.described.get("AutoDeployment") or {}).get("Enabled"):
            changed.append("automatic deployment, which is off")
        if changed:
            what = f"it differs in: {', '.join(changed)}"
            yield Place(it.account, f"stack set {set_name(stage)}", what, it.make_accounts, it.region)


@finding(
    "target-set-account",
    "stops",
    "A target account has not got the roles of its stack set",
    "No endpoint can be made there: the model's role is missing, or its stack failed.",
)
def target_set_account(it: Snapshot) -> Iterator[Place]:
    own = {it.settings.accounts.management, it.account}
    for stage, found in it.target_sets.items():
        if not found.described or not known(found.instances):
            continue
        states = {
            i["Account"]: i.get("StatusReason") or i["Status"] for i in found.instances if i["Status"] != "CURRENT"
        }
        there = {instance["Account"] for instance in found.instances}
        for account in it.organization.targets(stage):
            why = states.get(account.id, "" if account.id in there else "it has no stack instance")
            if why and account.id not in own:
                what = f"account {account.id} ({account.name}): {why}"
                yield Place(account.id, f"stack set {set_name(stage)}", what, it.make_accounts, it.region)


@finding(
    "model-role-missing",
    "stops",
    "The model's role is missing in a target account",
    "The stack set passes it to SageMaker; without it no model is made.",
)
def model_role_missing(it: Snapshot) -> Iterator[Place]:
    for target in it.targets:
        if target.model_role is None and target.stack is not None:
            name = role_name(it.settings, target.stage)
            yield missing_role(it, target, name)


def missing_role(it: Snapshot, target: Target, name: str) -> Place:
    what = f"account {target.where} has the kit's stack, but not the role {name}"
    return Place(
        target.account.id, f"role {name}", what, f"{remove_stack(it, target)}\nthen {it.make_accounts}", it.region
    )


def remove_stack(it: Snapshot, target: Target) -> str:
    """How the kit's stack in an account is taken away, so that `make accounts` can make it anew."""
    name = target.stack.name if target.stack else kit.TARGET_STACK
    if not name.startswith("StackSet-"):
        return f"aws cloudformation delete-stack --stack-name {name}"
    unit = it.organization.units[target.stage]
    return (
        f"aws cloudformation delete-stack-instances --stack-set-name {set_name(target.stage)} --no-retain-stacks "
        f"--call-as {it.settings.stack_set_administrator} --regions {it.region} --deployment-targets "
        f"Accounts={target.account.id},OrganizationalUnitIds={unit.id},AccountFilterType=INTERSECTION"
    )


@finding(
    "model-role-trust",
    "stops",
    "SageMaker may not become the model's role",
    'CreateModel is refused with "Could not assume role".',
)
def model_role_trust(it: Snapshot) -> Iterator[Place]:
    for target in it.targets:
        if target.model_role and not trusts(target.model_role, service("sagemaker.amazonaws.com")).allowed:
            name = role_name(it.settings, target.stage)
            yield Place(
                target.account.id,
                f"role {name}",
                f"account {target.where}: its trust policy does not allow sagemaker.amazonaws.com",
                f"aws iam update-assume-role-policy --role-name {name} --policy-document "
                '\'{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", '
                '"Principal": {"Service": "sagemaker.amazonaws.com"}}]}\'',
            )


@finding(
    "model-role-reads",
    "stops",
    "The model's role may not do what running a model needs",
    "The endpoint fails while it starts, after minutes, with little to tell why.",
)
def model_role_reads(it: Snapshot) -> Iterator[Place]:
    for target in it.targets:
        if not target.model_role:
            continue
        missing = [
            f"{action} on {resource}"
            for action, resource, context in needed_to_run(it, target)
            if not may(target.model_role, action, resource, context)
        ]
        if missing:
            name = role_name(it.settings, target.stage)
            yield Place(
                target.account.id,
                f"role {name}",
                f"account {target.where}: it may not {'; '.join(missing)}",
                f"{it.make_accounts}\nor add to the role's policy what {kit.TARGET_TEMPLATE} gives ModelRole",
            )


def needed_to_run(it: Snapshot, target: Target) -> Iterator[tuple[str, str, dict[str, tuple[str, ...]]]]:
    """Action, resource and condition keys (SageMaker Developer Guide, "SageMaker execution roles", CreateModel)."""
    yield "ecr:GetAuthorizationToken", "*", {}
    yield "cloudwatch:PutMetricData", "*", {"cloudwatch:namespace": ("/aws/sagemaker/Endpoints",)}
    for region, bucket, key in places(it):
        if region not in it.regions[target.stage]:
            continue
        if bucket:
            yield "s3:GetObject", f"arn:{it.partition}:s3:::{bucket.name}/model.tar.gz", {}
        if key.described:
            yield "kms:Decrypt", key.described["Arn"], {"kms:viaservice": (f"s3.{region}.amazonaws.com",)}
        group = f"arn:{it.partition}:logs:{region}:{target.account.id}:log-group:/aws/sagemaker/Endpoints/e"
        yield "ecr:BatchGetImage", f"arn:{it.partition}:ecr:{region}:{it.account}:repository/r", {}
        yield "logs:CreateLogStream", group, {}
        yield "logs:PutLogEvents", f"{group}:log-stream:s", {}


@finding(
    "tester-role-missing",
    "stops",
    "The tester's role is missing in a target account",
    "The pipeline's tests become this role to ask the endpoints.",
)
def tester_role_missing(it: Snapshot) -> Iterator[Place]:
    for target in it.targets:
        if target.tester_role is None and target.stack is not None:
            yield missing_role(it, target, f"{role_name(it.settings, target.stage)}-tester")


@finding(
    "tester-role-trust",
    "stops",
    "The tester's role does not trust the test role",
    "The pipeline's tests cannot become it. A role that was deleted and made again is another one to IAM.",
)
def tester_role_trust(it: Snapshot) -> Iterator[Place]:
    for target in it.targets:
        if target.tester_role and not lets_in(it, target, it.settings.tester_external_id) and not any_id(it, target):
            yield tester_place(it, target, f"its trust policy does not let {it.test_role_arn} in")


def lets_in(it: Snapshot, target: Target, external_id: str | None) -> bool:
    return trusts(target.tester_role, role_session(it.test_role_arn), external_id).allowed


def any_id(it: Snapshot, target: Target) -> str:
    """The external id that the trust policy asks for instead of the environment's; "" for none."""
    for value in external_ids(target.tester_role.trust):
        if lets_in(it, target, value):
            return value
    return ""


def external_ids(trust: Mapping[str, Any]) -> Iterator[str]:
    statements = trust.get("Statement", [])
    for statement in statements if isinstance(statements, list) else [statements]:
        for keys in statement.get("Condition", {}).values():
            for key, values in keys.items():
                if key.lower() == "sts:externalid":
                    yield from values if isinstance(values, list) else [values]


@finding(
    "tester-external-id",
    "stops",
    "The tester's role asks for another external id",
    "The pipeline states the one of the environment file (tester_external_id).",
)
def tester_external_id(it: Snapshot) -> Iterator[Place]:
    for target in it.targets:
        if target.tester_role and not lets_in(it, target, it.settings.tester_external_id):
            other = any_id(it, target)
            if other and other != it.settings.tester_external_id:
                yield tester_place(it, target, f"it asks for the external id {other!r}")


@finding(
    "tester-role-open",
    "warns",
    "The tester's role asks for no external id",
    "The word is what keeps a role that is tricked into naming this account from getting in.",
)
def tester_role_open(it: Snapshot) -> Iterator[Place]:
    for target in it.targets:
        if target.tester_role and lets_in(it, target, None):
            yield tester_place(it, target, "its trust policy lets the test role in without sts:ExternalId")


def tester_place(it: Snapshot, target: Target, what: str) -> Place:
    name = f"{role_name(it.settings, target.stage)}-tester"
    return Place(
        target.account.id,
        f"role {name}",
        f"account {target.where}: {what}",
        f"aws iam update-assume-role-policy --role-name {name} --policy-document "
        '\'{"Version": "2012-10-17", "Statement": [{"Sid": "PipelineTestsEndpoints", "Effect": "Allow", '
        f'"Principal": {{"AWS": "{it.test_role_arn}"}}, "Action": "sts:AssumeRole", "Condition": '
        f'{{"StringEquals": {{"sts:ExternalId": "{it.settings.tester_external_id}"}}}}}}]}}\'',
    )


@finding(
    "quota-instances",
    "stops",
    "A target account may not run the endpoints' instances",
    "The endpoint fails with ResourceLimitExceeded. New accounts begin with 0 for many instance types.",
)
def quota_instances(it: Snapshot) -> Iterator[Place]:
    yield from short_of_instances(it, 1)


@finding(
    "quota-blue-green",
    "warns",
    "A target account has no room for an update of its endpoints",
    "Blue/green runs the old and the new instances side by side: an update needs twice as many for a while.",
)
def quota_blue_green(it: Snapshot) -> Iterator[Place]:
    yield from short_of_instances(it, 2)


def short_of_instances(it: Snapshot, times: int) -> Iterator[Place]:
    """Where the quota is below what is needed (times 1), or below twice that (times 2) but not below it."""
    for target in it.targets:
        for (region, code), value in (target.quotas or {}).items():
            instance, count = it.instances[target.stage][code]
            enough, needed = count * (times - 1) <= (value if known(value) else 0), count * times
            if known(value) and enough and value < needed:
                yield Place(
                    target.account.id,
                    f"quota {instance} for endpoint usage",
                    f"account {target.where} may run {value:g}, and {needed} are needed",
                    "aws service-quotas request-service-quota-increase --service-code sagemaker "
                    f"--quota-code {code} --desired-value {count * 2} --region {region}",
                    region,
                )
