"""Who could get past the approver: every user and role of the data science account, and what it could do.

Each request that touches what the approval rests on (facts/protected.py) is decided for each principal. Where a
principal could take on a role that gets past the approver, it could do the same itself.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache

from awslang.policy.document import Policy, Statement
from awslang.policy.evaluator import Decision
from scripts.kit.doctor.checks.apart import Projects
from scripts.kit.doctor.checks.deciding import Decider, Need
from scripts.kit.doctor.facts import protected
from scripts.kit.doctor.facts.access import Access, Entity, touches
from scripts.kit.doctor.facts.projects import Project
from scripts.kit.doctor.facts.protected import Thing
from scripts.kit.doctor.reader import UNREAD, known
from scripts.kit.doctor.snapshot import Snapshot
from scripts.kit.names import APPROVER_POLICY, LAUNCH_ROLE, S3_LAUNCH_ROLE, SELF_MANAGED_ROLES
from scripts.kit.stacks import project_roles
from scripts.kit.stacks.stack import TAGS

ANY_PROJECT = {"SageMakerProjectName": "any", "SageMakerProjectId": "p-000000000000"}  # one that may be made
ELSEWHERE = "https://bucket-elsewhere.s3.amazonaws.com/template.yaml"  # a template that is not published
PROJECT_STACKS = "SP-any/any"  # how SageMaker names the stacks of project templates in S3
OF_PROJECT = "${SageMakerProject"
SERVICE_KEY = "iam:passedtoservice"
STACK_SETS_ROLE = "stacksets-exec-"  # CloudFormation makes it in accounts of service-managed stack sets
SERVICE_LINKED = ":role/aws-service-role/"  # the path of roles that IAM changes for their service alone
DELETED = re.compile(r"A(ROA|IDA)[A-Z0-9]+")  # the id of a role or a user
KIT, LAUNCH = "a role of the kit", "AWS's launch role"
OWN = (KIT, LAUNCH)
# AWS's policy of the launch role, as which Service Catalog alone makes projects.
LAUNCH_POLICIES = tuple(
    f":iam::aws:policy/{role.policy}" for role in project_roles.ROLES if LAUNCH_ROLE.endswith(f"/{role.name}")
)
[KIT_TAG] = TAGS  # of the kit's stacks: the pipelines give it to those of their stages (pipeline/manifest.py)
Asks = Mapping[str, tuple[tuple[Need, ...], ...]]  # by way: requests that together are enough
COMMON = -1  # the number of what belongs to no project, or to one that may be made


@dataclass(frozen=True)
class Path:
    """One way of one principal past the approver.

    need: the request that is allowed; by: the statements that allow it; expected: why it is as it should be, or ""
    through: for the way "sessions", the roles that it could take on
    """

    entity: Entity
    way: str
    need: Need
    by: str
    expected: str = ""
    through: tuple[Entity, ...] = ()


def decider(facts: Snapshot, account: str, region: str) -> Decider:
    """Of an account, with the organization's service control policies where these credentials read them."""
    organization = facts.organization
    described = organization.described["Organization"] if organization.described else {}
    nodes, keys = organization.nodes(account)[:-1], {}
    if described and nodes:
        path = "/".join([described["Id"], *nodes])
        keys = {"aws:principalorgid": (described["Id"],), "aws:principalorgpaths": (f"{path}/",)}
    return Decider(account, region, organization.levels(account), described.get("MasterAccountId", ""), keys)


# -- what is asked ---------------------------------------------------------------------------------


@lru_cache(maxsize=4)  # a check looks at one way each: of the same facts they see the same
def asked(facts: Snapshot) -> Mapping[int, Asks]:
    """Every request of the data science account that would get past the approver, by the number of its project."""
    access = facts.access
    values = {COMMON: ANY_PROJECT, **dict(enumerate(project_values(facts)))}
    by_project: dict[int, dict[str, list[tuple[Need, ...]]]] = {number: {} for number in values}
    for thing in protected.things(protected.DATA_SCIENCE):
        for number, one in values.items():
            if number == COMMON or OF_PROJECT in thing.arn:
                needs = ((need,) for need in of_thing(facts, access, thing, one))
                by_project[number].setdefault(thing.way, []).extend(needs)
    found = by_project[COMMON]
    found["roles"] = list(passing(facts, access))
    found["stages"] += with_other_templates(facts, access)
    rights = found["rights"]
    rights += [(need,) for need in of_roles(names=[*protected.kit_roles(protected.PASSED)], access=access)]
    rights += [(need,) for need in any_right(facts.partition, facts.account)]
    found["portfolio"] = [(need,) for need in of_catalog(facts)]
    found["testers"] = [(need,) for need in of_testers(facts)]
    return {number: {way: tuple(needs) for way, needs in of.items()} for number, of in by_project.items()}


def of_thing(facts: Snapshot, access: Access, thing: Thing, project: Mapping[str, str]) -> Iterator[Need]:
    """Every request that touches a thing; of a bucket whose policy was read. project: the values of its parameters"""
    untagged = [name for one in facts.projects or () for name in without_tag(one)]
    for arn in thing.arns({**own_values(facts), **project}):
        name = arn.split(":", 5)[5].split("/")[0]
        policy = access.resources.get(name) if thing.way in ("buckets", "messages") else None
        if thing.way != "buckets" or known(access.resources.get(name, UNREAD)):
            tagged = thing.way == "stages" and not any(f"/{name}" in arn for name in untagged)
            keys = {f"aws:resourcetag/{KIT_TAG}": ("stage",)} if tagged else {}
            yield from (Need(action, arn, keys, policy=policy or None) for action in thing.actions)


def without_tag(project: Project) -> list[str]:
    """The stacks of a project's stages that no pipeline has given the kit's tag yet: before version 0.3 none had it."""
    stages = {project.stage_name(stage): project.stages.get(stage) for stage in project.has}
    return [name for name, one in stages.items() if one and one.stack and KIT_TAG not in one.stack.tags]


def own_values(facts: Snapshot) -> dict[str, str]:
    own = protected.of_account(facts.partition, facts.account, facts.region)
    return {**own, protected.ORGANIZATION: facts.settings.accounts.management or facts.account}


def project_values(facts: Snapshot) -> list[dict[str, str]]:
    """The parameters that name the things of each project."""
    return [{"SageMakerProjectName": p.name, "SageMakerProjectId": p.id} for p in facts.projects or ()]


def passing(facts: Snapshot, access: Access) -> Iterator[tuple[Need, ...]]:
    """Passing a role of the kit to the service that takes it on; to CloudFormation, with a stack to give it to."""
    for role in protected.kit_roles(protected.PASSED).values():
        entity = access.role(role.name)
        for service in role.services if entity else ():
            assert entity is not None
            need = Need("iam:PassRole", entity.arn, {SERVICE_KEY: (service,)})
            yield (need, hostile(facts, "any/any", entity)) if service.startswith("cloudformation.") else (need,)


def hostile(facts: Snapshot, stack: str, role: Entity, action: str = "cloudformation:CreateStack") -> Need:
    """A stack of a template that is not published, as a role of the kit."""
    arn = f"arn:{facts.partition}:cloudformation:{facts.region}:{facts.account}:stack/{stack}"
    keys = {"cloudformation:templateurl": (ELSEWHERE,), "cloudformation:rolearn": (role.arn,)}
    return Need(action, arn, keys, anywhere=action == "cloudformation:CreateStack")


def with_other_templates(facts: Snapshot, access: Access) -> Iterator[tuple[Need, ...]]:
    """New stack sets, and projects' stacks changed to another template as the launch role.

    CloudFormation User Guide, "CloudFormation service role": who may work on a stack does so with the role that the
    stack has, whether or not it may pass that role.
    """
    yield from ((Need(action, "*"),) for action in protected.CREATE_SETS)
    role = access.role(S3_LAUNCH_ROLE.rsplit("/", 1)[-1])
    if role and facts.settings.publishing.to != "service-catalog":
        changes = [action for action in protected.WITH_A_TEMPLATE if not action.endswith("CreateStack")]
        yield from ((hostile(facts, PROJECT_STACKS, role, action),) for action in changes)


def of_roles(names: Iterable[str], access: Access) -> Iterator[Need]:
    """Changing what roles may do, and who becomes them."""
    for role in filter(None, map(access.role, names)):
        yield from (Need(action, role.arn) for action in protected.ROLE)


def any_right(partition: str, account: str) -> Iterator[Need]:
    """What gives any right at all, wherever it is allowed."""
    for action in protected.ANY_RIGHT:
        kind = next(
            (k for k in ("Group", "Policy") if k in action.removesuffix("Policy") or action.endswith("Version")), ""
        )
        kind = {"Group": "group", "Policy": "policy"}.get(kind, "role" if "Role" in action else "user")
        yield Need(action, f"arn:{partition}:iam::{account}:{kind}/any", anywhere=True)


def of_catalog(facts: Snapshot) -> Iterator[Need]:
    """The product that projects are made from, and who may launch it as the launch role."""
    prefix = f"arn:{facts.partition}:catalog:{facts.region}:{facts.account}"
    if facts.catalog.product:
        yield from (Need(action, f"{prefix}:product/{facts.catalog.product}") for action in protected.PRODUCT)
        yield from (Need(action, "*") for action in protected.CONSTRAINT)
    if facts.catalog.portfolio:
        yield from (Need(action, f"{prefix}:portfolio/{facts.catalog.portfolio}") for action in protected.PORTFOLIO)


def of_testers(facts: Snapshot) -> Iterator[Need]:
    """Taking on a tester's role of a target account, where its trust policy names more than the kit's roles."""
    for target in facts.targets:
        role = target.tester_role
        if role and (trust := role.trust_policy) and set(trusted_names(trust)) - entering(facts):
            yield Need("sts:AssumeRole", role.arn, policy=trust, kind="trust", owner=role.account)


def entering(facts: Snapshot) -> set[str]:
    """The ARNs of the kit's roles that enter target accounts: those that may assume roles."""
    found = map(facts.access.role, protected.kit_roles(protected.OF_PROJECTS))
    return {role.arn for role in found if role and touches(role, ("sts:AssumeRole",))}


def trusted_names(trust: Policy) -> list[str]:
    """Every principal that a trust policy, or a policy of a resource, allows something.

    IAM shows the id of a role or user in place of its ARN once it is deleted, and no other gets that id (IAM User
    Guide, "AWS JSON policy elements: Principal").
    """
    named = (value for one in trusting(trust) for _, value in one.principals or ())
    return list(dict.fromkeys(value for value in named if not DELETED.fullmatch(value)))


# -- who is expected to ----------------------------------------------------------------------------


def expected(facts: Snapshot, entity: Entity, way: str) -> str:
    """Why this principal could do this as it should be; "" where it should not."""
    if entity.resource in facts.settings.roles.publishers:
        return "roles.publishers"
    if why := expected_anywhere(facts, entity):
        return why
    if entity.resource == f"role/{LAUNCH_ROLE}":
        return LAUNCH
    if entity.name in protected.kit_roles():
        return KIT
    if way == "approvals" and any(policy.name.endswith(f":policy/{APPROVER_POLICY}") for policy in entity.policies):
        return "an approver"
    return ""


def is_stock(entity: Entity) -> bool:
    """Whether it is one of AWS's roles for projects, which run the code of other templates' projects."""
    return entity.resource.removeprefix(f"role{project_roles.PATH}") in project_roles.LIMITED


def expected_anywhere(facts: Snapshot, entity: Entity) -> str:
    """The same in every account: AWS's own roles, and the one by which `make accounts` enters."""
    if SERVICE_LINKED in entity.arn:
        return "an AWS service's own role"
    if entity.resource == f"role/{facts.settings.roles.access}":
        return "roles.access"
    stack_sets = entity.name in SELF_MANAGED_ROLES or entity.name.startswith(STACK_SETS_ROLE)
    return "a role of stack sets" if stack_sets and not admits_its_own(entity) else ""


def admits_its_own(entity: Entity) -> bool:
    """Whether a role trusts principals of its own account, or everybody: of CloudFormation's none does.

    CloudFormationStackSetsOrgAdminServiceRolePolicy (AWS managed policy): a service-linked role takes them on.
    """
    names = [name for name in trusted_names(entity.trust) if SERVICE_LINKED not in name] if entity.trust else []
    return any(name in ("*", entity.account) or f":iam::{entity.account}:" in name for name in names)


def beyond_its_own(entity: Entity) -> Entity:
    """A role of the kit, or AWS's launch role, with those of its policies alone that no template, or AWS, gives it."""
    role = protected.kit_roles().get(entity.name)
    inline, managed = (role.inline, role.managed) if role else ((), LAUNCH_POLICIES)
    others = (p for p in entity.policies if p.name not in inline and not any(one in p.name for one in managed))
    return replace(entity, policies=tuple(others))


# -- what they could -------------------------------------------------------------------------------


@lru_cache(maxsize=4)
def paths(facts: Snapshot) -> tuple[Path, ...]:
    """Every path past the approver in the data science account, one for each way and principal; expected ones too."""
    if not known(facts.access.entities):
        return ()
    decide = decider(facts, facts.account, facts.region)
    above = tuple(policy for level in decide.levels for policy in level)
    projects, alike = Projects(own_values(facts), project_values(facts)), unlike_others(facts)
    found = []
    for entity in facts.access.entities:
        bound = (entity.boundary,) if entity.boundary else ()
        numbers = [COMMON, *sorted(alike | projects.distinguished((*entity.policies, *bound, *above)))]
        for way in asked(facts)[COMMON]:
            asks = [needs for number in numbers for needs in asked(facts)[number].get(way, ())]
            why = expected(facts, entity, way)
            path = first(decide, entity, way, asks, why)
            if path and why in OWN:  # what no template and not AWS gives it is not expected
                path = first(decide, beyond_its_own(entity), way, asks, "") or path
            if path:
                found.append(path)
    return (*found, *sessions(facts, decide, found))


def unlike_others(facts: Snapshot) -> set[int]:
    """A project for each policy that artifact buckets have, but for their names: most are from one template.

    And every project with a stage without the kit's tag.
    """
    found: dict[str, int] = {}
    older = {number for number, project in enumerate(facts.projects or ()) if without_tag(project)}
    for number, asks in asked(facts).items():
        for needs in asks.get("buckets", ()) if number != COMMON else ():
            name = needs[0].resource.split(":", 5)[5].split("/")[0]
            document = json.dumps(facts.access.documents.get(name), sort_keys=True)
            found.setdefault(document.replace(name, ""), number)
    return set(found.values()) | older


def first(decide: Decider, entity: Entity, way: str, asks: Iterable[tuple[Need, ...]], why: str) -> Path | None:
    """The first path of this way that is open to the principal; not what a resource's policy opens to everybody."""
    for needs in asks:
        decisions = [decision for need in needs if (decision := decide.could(entity, need))]
        if len(decisions) == len(needs) and not to_everybody(decisions[0]):
            return Path(entity, way, needs[0], words(decisions[0]), why)
    return None


def to_everybody(decision: Decision) -> bool:
    """Whether the policy of a resource alone allows it, to whom it may be (policy-admits-others)."""
    return all(("AWS", "*") in (one.statement.principals or ()) for one in decision.statements)


def words(decision: Decision) -> str:
    return " and ".join(f"{one.statement.label} of {one.policy.name}" for one in decision.statements)


def sessions(facts: Snapshot, decide: Decider, found: Iterable[Path]) -> Iterator[Path]:
    """Who could take on a role that gets past the approver: assume it, or pass it to a service that it trusts.

    Roles of the kit are left out: that they trust no others is a check of its own (role-trusts-others).
    """
    reached = {path.entity.arn for path in found}
    steps = [e for e in facts.access.entities if e.arn in reached and takes_part(e)]
    taken: dict[str, list[Path]] = {}
    while steps:
        more = []
        for target in steps:
            for entity in may_take_on(facts.access, target):
                path = taking_on(decide, entity, target)
                if path is None or expected(facts, entity, "sessions") or (is_stock(entity) and is_stock(target)):
                    continue  # AWS's roles pass one another: the one that gets past the approver is found itself
                taken.setdefault(entity.arn, []).append(path)
                if entity.arn not in reached and takes_part(entity):
                    reached.add(entity.arn)
                    more.append(entity)
        steps = more
    for of_one in taken.values():
        roles = tuple(role for path in of_one for role in path.through)
        yield replace(next((path for path in of_one if not path.expected), of_one[0]), through=roles)


def takes_part(entity: Entity) -> bool:
    """Whether the principal is a role that people or machines of the account's own take on."""
    return entity.kind == "role" and entity.name not in protected.kit_roles() and SERVICE_LINKED not in entity.arn


def may_take_on(access: Access, target: Entity) -> Iterator[Entity]:
    """The principals that may be able to: the role trusts them by name or as their account, or trusts a service."""
    values = {value for one in trusting(target.trust) for _, value in one.principals or ()}
    whole = bool(values & {"*", target.account, f"{target.arn.split(':role/')[0]}:root"})
    by_service = bool(services(target.trust))
    for entity in access.entities:
        if entity.arn == target.arn:
            continue
        by_account = whole and touches(entity, ("sts:AssumeRole",))
        if entity.arn in values or by_account or (by_service and touches(entity, ("iam:PassRole",))):
            yield entity


def taking_on(decide: Decider, entity: Entity, target: Entity) -> Path | None:
    """The principal's path to a role; expected where the role's trust policy names it alone."""
    if target.trust is not None:
        assume = Need("sts:AssumeRole", target.arn, policy=target.trust, kind="trust")
        if decision := decide.could(entity, assume):
            named = entity.arn in {value for one in decision.statements for _, value in one.statement.principals or ()}
            why = f"the trust policy of {target.resource} names it" if named else ""
            return Path(entity, "sessions", assume, words(decision), why, (target,))
    for service in services(target.trust):
        need = Need("iam:PassRole", target.arn, {SERVICE_KEY: (service,)})
        if decision := decide.could(entity, need):
            return Path(entity, "sessions", need, words(decision), "", (target,))
    return None


def trusting(trust: Policy | None) -> list[Statement]:
    return [one for one in trust.statements if one.effect == "Allow"] if trust else []


def services(trust: Policy | None) -> tuple[str, ...]:
    """The services that a trust policy lets take on its role."""
    found = (pair for one in trusting(trust) for pair in one.principals or ())
    return tuple(value for kind, value in found if kind == "Service")
