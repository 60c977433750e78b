"""One case: a request and every policy that applies to it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from functools import cache
from random import Random
from typing import Any

from awslang.policy.action_table import PREFIXES
from awslang.policy.document import parse
from awslang.policy.evaluator import AuthorizationRequest, Decision, Policies, decide
from awslang.policy.saving import RESOURCE_CONTROLLED
from awslang.principals import Principal
from tests.fidelity.policies import Document, Writer
from tests.fidelity.requests import HOME, OTHER, SUBJECTS, Context, caller, context

REASONS = {"allowed": "Allowed", "explicit deny": "ExplicitlyDenied", "implicit deny": "ImplicitlyDenied"}
FULL = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"}]}


@dataclass(frozen=True)
class Case:
    """owner: whose the resource is; service_control, resource_control: one policy for each level."""

    principal: str
    kind: str
    account: str
    role: str
    action: str
    resource: str
    owner: str
    context: Context
    identity: list[Document]
    boundary: Document | None
    session: Document | None
    of_resource: Document | None
    resource_kind: str
    service_control: list[Document]
    resource_control: list[Document]

    def as_json(self) -> str:
        return json.dumps(asdict(self))


@cache
def managed_policies() -> tuple[Document, ...]:
    """AWS's own policies that speak of a service of the kit."""
    from moto.iam.aws_managed_policies import aws_managed_policies_data  # 4 MB

    found = []
    for one in json.loads(aws_managed_policies_data).values():
        text = json.dumps(one["Document"])
        if len(text) < 20_000 and any(f'"{prefix}:' in text for prefix in PREFIXES):
            found.append(one["Document"])
    return tuple(found)


def make(seed: int) -> Case:
    """The case of this number."""
    random = Random(seed)
    subject, by = random.choice(SUBJECTS), caller(random)
    owner = random.choice((HOME, HOME, by.account or HOME)) if by.kind != "service" else HOME
    if not subject.kind:  # only the owner's account has a way to it
        owner = by.account or HOME
    if random.random() < 0.05:
        owner = OTHER
    resource = subject.resource.format(account=owner)
    asked = context(random, subject, by, owner)
    writer = Writer(random, subject, resource, by, asked)
    has_policies = by.kind in ("role", "user")
    identity = [writer.identity() for _ in range(random.choice((0, 1, 1, 2)))] if has_policies else []
    if has_policies and random.random() < 0.25:
        identity.append(random.choice(managed_policies()))
    of_resource = None
    if subject.kind in ("key", "trust") or (subject.kind and random.random() < 0.7):
        of_resource = writer.of_resource()
    levels = random.choice((0, 0, 1, 2, 3)) if by.kind != "service" else 0
    controlled = subject.action.split(":")[0] in RESOURCE_CONTROLLED and resource != "*"
    return Case(
        principal=by.arn,
        kind=by.kind,
        account=by.account,
        role=by.role,
        action=subject.action,
        resource=resource,
        owner=owner,
        context=asked,
        identity=identity,
        boundary=writer.identity() if has_policies and random.random() < 0.2 else None,
        session=writer.identity() if by.kind == "role" and random.random() < 0.2 else None,
        of_resource=of_resource,
        resource_kind=subject.kind or "resource",
        service_control=[writer.control() for _ in range(levels)],
        resource_control=[writer.resource_control() for _ in range(random.choice((0, 0, 0, 1)) if controlled else 0)],
    )


def ours(case: Case) -> Decision:
    """What our evaluator decides."""

    def read(document: Document, kind: Any = "identity") -> Any:
        return parse(document, "policy", case.account, kind)

    kind: Any = case.resource_kind
    of_resource = "trust" if kind == "trust" else "resource"
    asked = {key.lower(): (value,) if isinstance(value, str) else tuple(value) for key, value in case.context.items()}
    who: Any = case.kind
    principal = Principal(who, case.account, case.principal, role_arn=case.role)
    policies = Policies(
        identity=tuple(map(read, case.identity)),
        boundary=read(case.boundary) if case.boundary else None,
        session=(read(case.session),) if case.session else None,
        resource=read(case.of_resource, of_resource) if case.of_resource else None,
        resource_kind=kind,
        service_control=tuple((read(one, "control"),) for one in case.service_control),
        resource_control=tuple((read(FULL, "resource"), read(one, "resource")) for one in case.resource_control),
        management_account="999999999999",
    )
    return decide(AuthorizationRequest(principal, case.action, case.resource, case.owner, asked), policies)
